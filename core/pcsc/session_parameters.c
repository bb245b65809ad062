/* Parameters of the reader and of the card, as a transparent session tells and sets them. */
#include "session.h"

enum parameter { FSDI = 1, FSCI, FWTI, SPEED_MOST, SPEED };

/* What the ATS says, or what is meant when it says nothing [ISO/IEC 14443-4, 5.2]. */
static uint8_t ats_fsci(const struct scrip_target *target)
{
    return target->ats_len > 1 ? target->ats[1] & 0x0F : 2;
}

static uint8_t ats_fwi(const struct scrip_target *target)
{
    const uint8_t t0 = target->ats_len > 1 ? target->ats[1] : 0;
    const size_t tb = 2U + ((t0 & 0x10) != 0);
    return (t0 & 0x20) != 0 && target->ats_len > tb ? (uint8_t)(target->ats[tb] >> 4) : 4;
}

static bool parameter_get(const struct scrip_pcsc *pcsc, uint8_t number, uint8_t *value)
{
    switch (number) {
    case FSDI:
        *value = 8;
        return true;
    case FSCI:
        *value = ats_fsci(&pcsc->target);
        return session_part_4(pcsc);
    case FWTI:
        *value = ats_fwi(&pcsc->target);
        return session_part_4(pcsc);
    case SPEED_MOST:
    case SPEED:
        *value = 0; /* 106 kbit/s */
        return true;
    default:
        return false;
    }
}

/* Numbers, each with or without the length 00 behind it. */
enum scrip_status session_get(struct session *session, struct scrip_bytes value)
{
    uint8_t room[3 * 10];
    struct scrip_buf found = SCRIP_BUF_OF(room);
    for (size_t i = 0; i < value.len; i++) {
        uint8_t content = 0;
        if (value.at[i] == 0) {
            continue;
        }
        if (!parameter_get(session->pcsc, value.at[i], &content)) {
            return refuse(session->answer, NOT_AVAILABLE);
        }
        if (session_put(&found, value.at[i], scrip_bytes(&content, 1)) != SCRIP_OK) {
            return refuse(session->answer, WRONG_LENGTH);
        }
    }
    return session_put(session->answer->out, TAG_GET, scrip_buf_bytes(&found));
}

static enum scrip_status parameter_set(struct session *session, uint16_t number, uint8_t value)
{
    uint8_t now = 0;
    if (number == FWTI && value <= 14) {
        session->pcsc->fwt_us = FWT_US << value;
        return SCRIP_OK;
    }
    const bool known = number <= SPEED && parameter_get(session->pcsc, (uint8_t)number, &now);
    return known && now == value ? SCRIP_OK : refuse(session->answer, NOT_SUPPORTED);
}

enum scrip_status session_set(struct session *session, struct scrip_bytes value)
{
    while (value.len != 0) {
        uint16_t number = 0;
        struct scrip_bytes content;
        if (pcsc_tlv_take(&value, &number, &content) != SCRIP_OK || content.len != 1) {
            return refuse(session->answer, WRONG_LENGTH);
        }
        SCRIP_TRY(parameter_set(session, number, content.at[0]));
    }
    return SCRIP_OK;
}
