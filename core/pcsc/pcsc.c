/* The reader: power and selection, and the one way that every pseudo-APDU takes: form, row, reader, card, handler,
 * status word.
 *
 * A MIFARE Classic that refuses anything falls out of its session and out of its selection. The reader notes that
 * (`active`) and selects it again before the next command; the session is gone, as it is on a real reader. What the
 * reader can refuse by itself (no such block, another sector) never gets to the card and leaves the session alone. */
#include "command.h"
#include <scrip/apdu.h>
#include <string.h>

#define ANY      0x100U
#define NEEDS_LE 0x01U
#define STORAGE  0x02U
#define CHIP     0x04U

struct row {
    uint8_t ins;
    uint8_t what;
    uint16_t p1, p2;
    uint16_t lc_min, lc_max;
    pseudo_handler *handler;
};

static const struct row rows[] = {
#define PSEUDO(ins, p1, p2, lc_min, lc_max, what, handler) {ins, what, p1, p2, lc_min, lc_max, pcsc_##handler},
#include "commands.def"
#undef PSEUDO
};

/* ---- The card ---------------------------------------------------------------------------------------------------- */

void pcsc_drop(struct scrip_pcsc *pcsc)
{
    pcsc->active = false;
    pcsc->authenticated = false;
}

/* A random UID is a new one after each power cycle [ISO/IEC 14443-3, 6.5.4]. */
static bool is_same_card(const struct scrip_target *before, const struct scrip_target *now)
{
    const bool random = now->uid_len == 4 && now->uid[0] == 0x08;
    return before->sak == now->sak && before->uid_len == now->uid_len &&
           (random || memcmp(before->uid, now->uid, now->uid_len) == 0);
}

/* From the beginning, with a power cycle. Another card that lies there too is not ours. */
static enum scrip_status find_again(struct scrip_pcsc *pcsc)
{
    struct scrip_target found = {0};
    SCRIP_TRY(pcsc->coupler->ops->find(pcsc->coupler, 0, &found));
    if (!is_same_card(&pcsc->target, &found)) {
        return SCRIP_E_NO_CARD;
    }
    pcsc->target = found;
    return SCRIP_OK;
}

enum scrip_status pcsc_select(struct scrip_pcsc *pcsc)
{
    enum scrip_status status = SCRIP_E_NO_CARD;
    if (pcsc->active) {
        return SCRIP_OK;
    }
    if (!pcsc->cycled) {
        status = pcsc->coupler->ops->again(pcsc->coupler);
    }
    if (status == SCRIP_E_NO_CARD) { /* it has lost power, or is deep in what a chip or a client has begun with it */
        status = find_again(pcsc);
    }
    SCRIP_TRY(status);
    pcsc->cycled = pcsc->dark = false;
    pcsc->active = true;
    return SCRIP_OK;
}

enum scrip_status pcsc_mifare(struct scrip_pcsc *pcsc, struct scrip_bytes command, struct scrip_buf *response)
{
    SCRIP_TRY(pcsc_select(pcsc));
    const enum scrip_status status = pcsc->coupler->ops->mifare(pcsc->coupler, command, response);
    if (status != SCRIP_OK) {
        pcsc_drop(pcsc);
    }
    return status;
}

void scrip_pcsc_init(struct scrip_pcsc *pcsc, struct scrip_coupler *coupler)
{
    *pcsc = (struct scrip_pcsc){.coupler = coupler, .parameter = 0xFF};
}

/* What belongs to one stay of a card. */
static void forget_card(struct scrip_pcsc *pcsc)
{
    pcsc_drop(pcsc);
    pcsc->present = false;
    pcsc->transparent = false;
    pcsc->cycled = pcsc->dark = false;
}

enum scrip_status scrip_pcsc_connect(struct scrip_pcsc *pcsc, uint32_t timeout_ms, struct scrip_card_info *info)
{
    struct scrip_target target = {0};
    forget_card(pcsc);
    SCRIP_TRY(pcsc->coupler->ops->find(pcsc->coupler, timeout_ms, &target));
    pcsc->target = target;
    pcsc->present = true;
    pcsc->active = true;
    struct scrip_card_info found = {.uid_len = target.uid_len};
    memcpy(found.uid, target.uid, sizeof found.uid);
    if ((target.sak & SCRIP_SAK_PART_4) != 0) {
        found.ats_len = target.ats_len;
        memcpy(found.ats, target.ats, sizeof found.ats);
    } else {
        found.ats_len = (uint8_t)scrip_pcsc_atr(&target, found.ats);
    }
    *info = found;
    return SCRIP_OK;
}

void scrip_pcsc_off(struct scrip_pcsc *pcsc)
{
    (void)pcsc->coupler->ops->power(pcsc->coupler, false); /* nothing can be done about one that stays on */
    forget_card(pcsc);
    scrip_wipe(pcsc->keys, sizeof pcsc->keys);
    pcsc->key_set = 0;
}

/* ---- Pseudo-APDUs ------------------------------------------------------------------------------------------------ */

enum scrip_status pcsc_data(struct answer *answer, size_t le, struct scrip_bytes data)
{
    if (le != 0 && le < data.len) {
        return refuse(answer, (uint16_t)(SW_WRONG_LE | (data.len & 0xFF)));
    }
    answer->sw = le > data.len ? SW_END_REACHED : SCRIP_PCSC_OK;
    return scrip_buf_add_bytes(answer->out, data);
}

enum scrip_status pcsc_parse(struct scrip_bytes bytes, struct scrip_apdu *apdu)
{
    if (bytes.len == 6 && bytes.at[1] == 0x88) {
        *apdu = (struct scrip_apdu){.cla = bytes.at[0],
                                    .ins = bytes.at[1],
                                    .p1 = bytes.at[2],
                                    .p2 = bytes.at[3],
                                    .data = scrip_bytes_from(bytes, 4)};
        return SCRIP_OK;
    }
    return scrip_apdu_parse(bytes, apdu);
}

/* The row of a command, or why there is none. */
static const struct row *row_find(const struct scrip_apdu *apdu, uint16_t *sw)
{
    *sw = SCRIP_PCSC_NO_COMMAND;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        if (row->ins != apdu->ins) {
            continue;
        }
        if ((row->p1 != ANY && row->p1 != apdu->p1) || (row->p2 != ANY && row->p2 != apdu->p2)) {
            *sw = *sw == SCRIP_PCSC_NO_COMMAND ? SCRIP_PCSC_NO_FUNCTION : *sw;
            continue;
        }
        if (apdu->data.len < row->lc_min || apdu->data.len > row->lc_max ||
            ((row->what & NEEDS_LE) != 0 && !apdu->has_le)) {
            *sw = SCRIP_PCSC_WRONG_LENGTH;
            continue;
        }
        return row;
    }
    return NULL;
}

/* The status word of a handler that failed; 0: there is none, the failure is the caller's to hear of. */
static uint16_t status_word(enum scrip_status status)
{
    switch (status) {
    case SCRIP_OK:
        return SCRIP_PCSC_OK;
    case SCRIP_E_CARD:
    case SCRIP_E_AUTH:
        return SCRIP_PCSC_FAILED;
    case SCRIP_E_TORN:
    case SCRIP_E_TIMEOUT:
    case SCRIP_E_MAC:
    case SCRIP_E_FORMAT:
        return SCRIP_PCSC_NO_CARD;
    case SCRIP_E_UNSUPPORTED:
    case SCRIP_E_STATE:
    case SCRIP_E_ARGUMENT:
        return SCRIP_PCSC_NO_FUNCTION;
    default:
        return 0;
    }
}

static enum scrip_status sw_add(struct scrip_buf *out, uint16_t sw)
{
    return scrip_buf_add_be(out, sw, 2);
}

/* Why this reader or this card is not for that row; SCRIP_PCSC_OK: it is. */
static uint16_t row_fits(const struct scrip_pcsc *pcsc, const struct row *row)
{
    if ((row->what & CHIP) != 0 && pcsc->direct == NULL) {
        return SCRIP_PCSC_NO_COMMAND;
    }
    if ((row->what & STORAGE) != 0 && pcsc_blocks(&pcsc->target) == 0) {
        return SCRIP_PCSC_NO_FUNCTION;
    }
    return SCRIP_PCSC_OK;
}

static enum scrip_status pseudo_apdu(struct scrip_pcsc *pcsc, struct scrip_bytes command, struct scrip_buf *out)
{
    struct scrip_apdu apdu;
    uint16_t sw = 0;
    if (pcsc_parse(command, &apdu) != SCRIP_OK) {
        return sw_add(out, SCRIP_PCSC_WRONG_LENGTH);
    }
    const struct row *row = row_find(&apdu, &sw);
    sw = row != NULL ? row_fits(pcsc, row) : sw;
    if (row == NULL || sw != SCRIP_PCSC_OK) {
        return sw_add(out, sw);
    }
    const uint32_t everything = apdu.extended ? 65536 : 256;
    const struct pseudo cmd = {
        .p1 = apdu.p1, .p2 = apdu.p2, .data = apdu.data, .le = apdu.le == everything ? 0 : apdu.le};
    struct answer answer = {.out = out};
    const size_t before = out->len;
    const enum scrip_status status = row->handler(pcsc, &cmd, &answer);
    if (status != SCRIP_OK) {
        out->len = before;
    } else if (answer.bare) {
        return SCRIP_OK;
    }
    sw = (status == SCRIP_OK || status == SCRIP_E_CARD) && answer.sw != 0 ? answer.sw : status_word(status);
    const enum scrip_status added = sw != 0 ? sw_add(out, sw) : status;
    if (added != SCRIP_OK) {
        out->len = before;
    }
    return added;
}

/* A card that goes in the middle of an APDU must be connected anew: what it had selected is lost. */
static enum scrip_status card_apdu(struct scrip_pcsc *pcsc, struct scrip_bytes command, struct scrip_buf *out)
{
    SCRIP_TRY(pcsc_select(pcsc));
    const enum scrip_status status = pcsc->coupler->ops->apdu(pcsc->coupler, command, out);
    if (status != SCRIP_OK && status != SCRIP_E_SPACE) {
        forget_card(pcsc);
    }
    return status;
}

enum scrip_status scrip_pcsc_apdu(struct scrip_pcsc *pcsc, struct scrip_bytes command, struct scrip_buf *response)
{
    if (!pcsc->present) {
        return SCRIP_E_NO_CARD;
    }
    if (response->cap - response->len < 2) {
        return SCRIP_E_SPACE; /* before anything is done that could not be told */
    }
    if (command.len < 4) {
        return sw_add(response, SCRIP_PCSC_WRONG_LENGTH);
    }
    if (command.at[0] == 0xFF) {
        return pseudo_apdu(pcsc, command, response);
    }
    if ((pcsc->target.sak & SCRIP_SAK_PART_4) == 0) {
        return sw_add(response, SCRIP_PCSC_NO_COMMAND);
    }
    return card_apdu(pcsc, command, response);
}
