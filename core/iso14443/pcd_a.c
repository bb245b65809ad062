#include <scrip/pcd.h>
#include <scrip/picc.h>
#include <string.h>

#define ANSWER_US   1000U /* every answer of part 3 begins 91 us after the frame; and silence says done to HLTA */
#define SEL_LEVEL_1 0x93U
#define NVB_SELECT  0x70U
#define LEVELS      3U
#define CL_LEN      5U /* UID CLn and its BCC */
#define CL_BITS     (8U * CL_LEN)
#define UID_BITS    32U
#define HEAD_LEN    2U /* SEL NVB */

static enum scrip_status exchange(const struct scrip_radio *radio, const struct scrip_frame *tx, struct scrip_frame *rx)
{
    const enum scrip_status status = radio->exchange(radio->ctx, tx, rx, ANSWER_US);
    return status == SCRIP_E_TIMEOUT ? SCRIP_E_NO_CARD : status;
}

enum scrip_status scrip_pcd_request(const struct scrip_radio *radio, bool wake, uint8_t atqa[2])
{
    struct scrip_frame tx;
    struct scrip_frame rx;

    if (radio->rates != NULL) {
        SCRIP_TRY(radio->rates(radio->ctx, SCRIP_RATE_106, SCRIP_RATE_106));
    }
    scrip_frame_short(&tx, wake ? SCRIP_WUPA : SCRIP_REQA);
    SCRIP_TRY(exchange(radio, &tx, &rx));
    if (rx.bits != 16 || rx.align != 0) {
        return SCRIP_E_MAC;
    }
    memcpy(atqa, rx.data, 2); /* collisions are what cards of several kinds in the field look like */
    return SCRIP_OK;
}

/* ANTICOLLISION with the first `known` bits of `cl`. */
static void ask_for_rest(struct scrip_frame *tx, uint8_t sel, const uint8_t cl[CL_LEN], unsigned known)
{
    uint8_t data[HEAD_LEN + CL_LEN] = {sel, (uint8_t)((HEAD_LEN + known / 8) << 4 | known % 8)};

    memcpy(data + HEAD_LEN, cl, CL_LEN);
    (void)scrip_frame_bytes(tx, SCRIP_BYTES_OF(data));
    tx->bits = (uint16_t)(8 * HEAD_LEN + known);
    if (known % 8 != 0) {
        tx->data[HEAD_LEN + known / 8] &= (uint8_t)((1U << known % 8) - 1U);
    }
}

static bool parity_good(const struct scrip_frame *rx)
{
    /* the reader ignores that of a first byte whose other bits it sent itself */
    for (size_t i = rx->align != 0 ? 1 : 0; i < scrip_frame_len(rx); i++) {
        if (scrip_frame_parity(rx, i) != scrip_odd_parity(rx->data[i])) {
            return false;
        }
    }
    return true;
}

/* Put the bits of an answer behind the known ones, up to the first that collided, which becomes a 1.
 * @return bits known now; 0: the answer makes no sense */
static unsigned learn(uint8_t cl[CL_LEN], unsigned known, const struct scrip_frame *rx)
{
    const unsigned good = rx->collision != 0 ? known + rx->collision - 1U : CL_BITS;
    const size_t first = known / 8;

    if (rx->align != known % 8 || rx->bits != CL_BITS - known || (rx->collision == 0 && !parity_good(rx)) ||
        (rx->collision != 0 && good >= UID_BITS)) {
        return 0;
    }
    const uint8_t head = (uint8_t)(cl[first] & ((1U << known % 8) - 1U));
    memcpy(cl + first, rx->data, CL_LEN - first);
    cl[first] = (uint8_t)((cl[first] & (0xFFU << known % 8)) | head);
    if (good == CL_BITS) {
        return CL_BITS;
    }
    cl[good / 8] |= (uint8_t)(1U << good % 8);
    return good + 1;
}

static bool bcc_good(const uint8_t cl[CL_LEN])
{
    return (cl[0] ^ cl[1] ^ cl[2] ^ cl[3]) == cl[4];
}

/* UID CLn of one of the cards. Every collision makes one bit more known, so that it ends. */
static enum scrip_status find_level(const struct scrip_radio *radio, uint8_t sel, uint8_t cl[CL_LEN])
{
    unsigned known = 0;

    memset(cl, 0, CL_LEN);
    while (known < CL_BITS) {
        struct scrip_frame tx;
        struct scrip_frame rx;
        ask_for_rest(&tx, sel, cl, known);
        SCRIP_TRY(exchange(radio, &tx, &rx));
        known = learn(cl, known, &rx);
        if (known == 0) {
            return SCRIP_E_MAC;
        }
    }
    return bcc_good(cl) ? SCRIP_OK : SCRIP_E_MAC;
}

static enum scrip_status select_level(const struct scrip_radio *radio, uint8_t sel, const uint8_t cl[CL_LEN],
                                      uint8_t *sak)
{
    uint8_t data[HEAD_LEN + CL_LEN] = {sel, NVB_SELECT};
    struct scrip_frame tx;
    struct scrip_frame rx;
    struct scrip_bytes content;

    memcpy(data + HEAD_LEN, cl, CL_LEN);
    SCRIP_TRY(scrip_frame_bytes_crc(&tx, SCRIP_BYTES_OF(data)));
    SCRIP_TRY(exchange(radio, &tx, &rx));
    if (scrip_frame_content_crc(&rx, &content) != SCRIP_OK || content.len != 1) {
        return SCRIP_E_MAC;
    }
    *sak = content.at[0];
    return SCRIP_OK;
}

enum scrip_status scrip_pcd_anticollision(const struct scrip_radio *radio, struct scrip_target *target)
{
    uint8_t uid[10];
    uint8_t len = 0;

    for (unsigned level = 0; level < LEVELS; level++) {
        const uint8_t sel = (uint8_t)(SEL_LEVEL_1 + 2 * level);
        uint8_t cl[CL_LEN];
        uint8_t sak;
        SCRIP_TRY(find_level(radio, sel, cl));
        SCRIP_TRY(select_level(radio, sel, cl, &sak));
        const bool more = (sak & SCRIP_SAK_INCOMPLETE) != 0;
        if (more && cl[0] != SCRIP_CASCADE_CT) {
            return SCRIP_E_MAC;
        }
        memcpy(uid + len, more ? cl + 1 : cl, more ? 3 : 4);
        len = (uint8_t)(len + (more ? 3 : 4));
        if (!more) {
            memcpy(target->uid, uid, len);
            target->uid_len = len;
            target->sak = sak;
            return SCRIP_OK;
        }
    }
    return SCRIP_E_MAC; /* more than there are levels for */
}

enum scrip_status scrip_pcd_select(const struct scrip_radio *radio, struct scrip_target *target)
{
    const uint8_t len = target->uid_len;
    uint8_t sak = 0;

    if (len != 4 && len != 7 && len != 10) {
        return SCRIP_E_ARGUMENT;
    }
    for (unsigned from = 0; from < len - 1U; from += 3) {
        const bool last = from + 4U == len;
        uint8_t cl[CL_LEN] = {SCRIP_CASCADE_CT};
        memcpy(last ? cl : cl + 1, target->uid + from, last ? 4 : 3);
        cl[4] = cl[0] ^ cl[1] ^ cl[2] ^ cl[3];
        SCRIP_TRY(select_level(radio, (uint8_t)(SEL_LEVEL_1 + 2 * (from / 3)), cl, &sak));
        if (last == ((sak & SCRIP_SAK_INCOMPLETE) != 0)) {
            return SCRIP_E_MAC;
        }
    }
    target->sak = sak;
    return SCRIP_OK;
}

enum scrip_status scrip_pcd_find(const struct scrip_radio *radio, bool wake, struct scrip_target *target)
{
    struct scrip_target found = {0};
    SCRIP_TRY(scrip_pcd_request(radio, wake, found.atqa));
    SCRIP_TRY(scrip_pcd_anticollision(radio, &found));
    *target = found;
    return SCRIP_OK;
}

enum scrip_status scrip_pcd_wake(const struct scrip_radio *radio, struct scrip_target *target)
{
    uint8_t atqa[2];
    SCRIP_TRY(scrip_pcd_request(radio, true, atqa));
    return scrip_pcd_select(radio, target);
}

enum scrip_status scrip_pcd_halt(const struct scrip_radio *radio)
{
    static const uint8_t hlta[] = {0x50, 0x00};
    struct scrip_frame tx;
    struct scrip_frame rx;

    SCRIP_TRY(scrip_frame_bytes_crc(&tx, SCRIP_BYTES_OF(hlta)));
    const enum scrip_status status = exchange(radio, &tx, &rx);
    return status == SCRIP_E_NO_CARD ? SCRIP_OK : status == SCRIP_E_LINK ? SCRIP_E_LINK : SCRIP_E_MAC;
}
