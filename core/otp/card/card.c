/* The one-time wallet card: what it does at each command. Everything that it keeps goes through the one-time memory of
 * nv.c; every write is data, verified, and then the pointer that puts it in force. */
#include "memory.h"
#include "wire.h"
#include <string.h>

enum { AT_BCC = 4, AT_SAK = 5, AT_ATQA = 6, SAK = 0x08 };

static struct scrip_otp_card *card_of(struct scrip_picc *picc)
{
    return (struct scrip_otp_card *)(void *)picc;
}

static uint32_t time_of(uint32_t bits)
{
    return bits * SCRIP_OTP_BIT_US;
}

/* What programming came to: cells that do not take their bits are a refusal, as are bits that would have to go. */
static enum scrip_status refused(enum scrip_status status)
{
    return status == SCRIP_OK || status == SCRIP_E_NV ? status : SCRIP_E_CARD;
}

static enum scrip_status only_if(bool allowed)
{
    return allowed ? SCRIP_OK : SCRIP_E_CARD;
}

/* ---- passwords and rights ---- */

/* Until a sector's password pointer is set. */
static const struct scrip_classic_trailer default_password = {
    .key_a = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
    .access = {0xFF, 0x07, 0x80},
    .free_byte = 0x69,
    .key_b = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
};

/* The password that counts. @param set  false: it is the default */
static enum scrip_status password(struct scrip_otp_card *card, uint8_t sector, struct scrip_classic_trailer *trailer,
                                  bool *set)
{
    uint8_t block[SCRIP_CLASSIC_BLOCK];
    SCRIP_TRY(otp_block_in_force(&card->nv, scrip_classic_trailer(sector), set));
    *trailer = default_password;
    if (*set) {
        SCRIP_TRY(otp_block_get(&card->nv, scrip_classic_trailer(sector), block));
        scrip_classic_trailer_get(block, trailer);
        scrip_wipe(block, sizeof block);
    }
    return SCRIP_OK;
}

static enum scrip_status key(struct scrip_picc *picc, uint8_t block, bool key_b, uint8_t out[SCRIP_CLASSIC_KEY])
{
    struct scrip_classic_trailer trailer;
    bool set;
    if (block >= SCRIP_OTP_BLOCKS) {
        return SCRIP_E_NOT_FOUND;
    }
    SCRIP_TRY(password(card_of(picc), scrip_classic_sector(block), &trailer, &set));
    memcpy(out, key_b ? trailer.key_b : trailer.key_a, SCRIP_CLASSIC_KEY);
    scrip_wipe(&trailer, sizeof trailer);
    return SCRIP_OK;
}

/* Where a session stands in its sector: what a right is asked of. */
struct rights {
    bool any;   /* default password: everything is allowed, with either key */
    bool key_b; /* the session's key */
    struct scrip_classic_access access;
};

/* @return SCRIP_E_CARD: another sector, damaged access bits, or a key B that is data */
static enum scrip_status session(struct scrip_otp_card *card, uint8_t block, struct rights *rights)
{
    struct scrip_classic_trailer trailer;
    bool set;
    if (block >= SCRIP_OTP_BLOCKS || scrip_classic_sector(block) != card->front.sector) {
        return SCRIP_E_CARD;
    }
    SCRIP_TRY(password(card, card->front.sector, &trailer, &set));
    rights->any = !set;
    rights->key_b = card->front.key_b;
    const enum scrip_status intact = scrip_classic_access_get(trailer.access, &rights->access);
    scrip_wipe(&trailer, sizeof trailer);
    return only_if(intact == SCRIP_OK &&
                   (rights->any || !rights->key_b || scrip_classic_key_b_usable(rights->access.group[3])));
}

static bool may(const struct rights *rights, uint8_t block, enum scrip_classic_right right)
{
    return rights->any || scrip_classic_may(rights->access.group[scrip_classic_group(block)], right, rights->key_b);
}

static enum scrip_status need(struct scrip_otp_card *card, uint8_t block, enum scrip_classic_right right)
{
    struct rights rights;
    SCRIP_TRY(session(card, block, &rights));
    return only_if(may(&rights, block, right));
}

/* The face value, if it is in force and whole. */
static enum scrip_status face(struct scrip_otp_card *card, struct scrip_otp_face *out)
{
    uint8_t block[SCRIP_CLASSIC_BLOCK];
    bool in_force;
    SCRIP_TRY(otp_block_in_force(&card->nv, SCRIP_OTP_FACE_BLOCK, &in_force));
    SCRIP_TRY(otp_block_get(&card->nv, SCRIP_OTP_FACE_BLOCK, block));
    return only_if(in_force && scrip_otp_face_get(block, out) == SCRIP_OK);
}

/* ---- READ ---- */

static enum scrip_status check_read(struct scrip_picc *picc, uint8_t block)
{
    struct scrip_otp_card *card = card_of(picc);
    struct scrip_otp_face ignored;
    struct rights rights;
    if (block == SCRIP_OTP_FACE_VIRTUAL) {
        SCRIP_TRY(face(card, &ignored));
        block = SCRIP_OTP_FACE_BLOCK;
    }
    SCRIP_TRY(session(card, block, &rights));
    return only_if(scrip_classic_group(block) == 3 || may(&rights, block, SCRIP_CLASSIC_MAY_READ));
}

/* As on the S50: key A never, key B where it is data. */
static enum scrip_status read_password(struct scrip_otp_card *card, uint8_t block, uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    struct scrip_classic_trailer trailer;
    struct rights rights;
    bool set;
    SCRIP_TRY(session(card, block, &rights));
    SCRIP_TRY(password(card, card->front.sector, &trailer, &set));
    memset(trailer.key_a, 0, sizeof trailer.key_a);
    if (!may(&rights, block, SCRIP_CLASSIC_MAY_READ_KEY_B)) {
        memset(trailer.key_b, 0, sizeof trailer.key_b);
    }
    scrip_classic_trailer_put(&trailer, data);
    scrip_wipe(&trailer, sizeof trailer);
    return SCRIP_OK;
}

static enum scrip_status read_balance(struct scrip_otp_card *card, uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    struct scrip_otp_face value;
    uint16_t used;
    SCRIP_TRY(face(card, &value));
    SCRIP_TRY(otp_units_used(&card->nv, &used));
    scrip_classic_value_put(scrip_otp_balance(&value, used), SCRIP_OTP_ADDRESS, data);
    return SCRIP_OK;
}

static enum scrip_status finish_read(struct scrip_picc *picc, uint8_t block, const uint8_t *operand,
                                     uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    struct scrip_otp_card *card = card_of(picc);
    bool in_force;
    (void)operand;
    if (block == SCRIP_OTP_FACE_VIRTUAL) {
        return otp_block_get(&card->nv, SCRIP_OTP_FACE_BLOCK, data);
    }
    if (scrip_classic_group(block) == 3) {
        return read_password(card, block, data);
    }
    SCRIP_TRY(otp_block_in_force(&card->nv, block, &in_force));
    return block == SCRIP_OTP_FACE_BLOCK && in_force ? read_balance(card, data) : otp_block_get(&card->nv, block, data);
}

/* ---- WRITE ---- */

static enum scrip_status check_write(struct scrip_picc *picc, uint8_t block)
{
    struct scrip_otp_card *card = card_of(picc);
    struct rights rights;
    bool in_force;
    SCRIP_TRY(session(card, block, &rights));
    SCRIP_TRY(otp_block_in_force(&card->nv, block, &in_force));
    return only_if(!in_force && may(&rights, block, SCRIP_CLASSIC_MAY_WRITE));
}

/* Nothing that could never be mended is put in force. */
static bool makes_sense(uint8_t block, const uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    struct scrip_classic_trailer trailer;
    struct scrip_classic_access access;
    struct scrip_otp_face value;
    if (block == SCRIP_OTP_FACE_BLOCK) {
        return scrip_otp_face_get(data, &value) == SCRIP_OK;
    }
    if (scrip_classic_group(block) != 3) {
        return true;
    }
    scrip_classic_trailer_get(data, &trailer);
    const bool intact = scrip_classic_access_get(trailer.access, &access) == SCRIP_OK;
    scrip_wipe(&trailer, sizeof trailer);
    return intact;
}

static enum scrip_status finish_write(struct scrip_picc *picc, uint8_t block, const uint8_t *operand,
                                      uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    struct scrip_otp_card *card = card_of(picc);
    uint32_t bits = 0;
    (void)data;
    if (!makes_sense(block, operand)) {
        return SCRIP_E_CARD;
    }
    enum scrip_status status = otp_block_put(&card->nv, block, operand, &bits);
    if (status == SCRIP_OK) {
        status = otp_block_close(&card->nv, block, &bits);
    }
    picc->busy_us = time_of(bits);
    return refused(status);
}

/* ---- the subtraction ---- */

static enum scrip_status check_decrement(struct scrip_picc *picc, uint8_t block)
{
    struct scrip_otp_card *card = card_of(picc);
    struct scrip_otp_face ignored;
    SCRIP_TRY(only_if(block == SCRIP_OTP_FACE_BLOCK));
    SCRIP_TRY(need(card, block, SCRIP_CLASSIC_MAY_DECREMENT));
    return face(card, &ignored);
}

static enum scrip_status finish_decrement(struct scrip_picc *picc, uint8_t block, const uint8_t *operand,
                                          uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    struct scrip_otp_card *card = card_of(picc);
    struct scrip_otp_face value;
    uint16_t used;
    (void)block;
    (void)data;
    SCRIP_TRY(face(card, &value));
    SCRIP_TRY(otp_units_used(&card->nv, &used));
    SCRIP_TRY(refused(scrip_otp_deduct(&value, used, scrip_get_le32(operand), &card->pending)));
    card->front.buffer_valid = true;
    return SCRIP_OK;
}

static enum scrip_status check_transfer(struct scrip_picc *picc, uint8_t block)
{
    struct scrip_otp_card *card = card_of(picc);
    SCRIP_TRY(only_if(block == SCRIP_OTP_FACE_BLOCK && card->front.buffer_valid));
    return need(card, block, SCRIP_CLASSIC_MAY_DECREMENT);
}

static enum scrip_status finish_transfer(struct scrip_picc *picc, uint8_t block, const uint8_t *operand,
                                         uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    struct scrip_otp_card *card = card_of(picc);
    uint32_t bits = 0;
    (void)block;
    (void)operand;
    (void)data;
    const enum scrip_status status = card->pending > 0 ? otp_unit_put(&card->nv, card->pending, &bits) : SCRIP_OK;
    picc->busy_us = time_of(bits);
    SCRIP_TRY(refused(status));
    card->front.buffer_valid = false;
    return SCRIP_OK;
}

/* ---- the card in the field ---- */

static const struct scrip_mifare_handler handlers[] = {
    {CMD_READ, check_read, finish_read},
    {CMD_WRITE, check_write, finish_write},
    {CMD_DECREMENT, check_decrement, finish_decrement},
    {CMD_TRANSFER, check_transfer, finish_transfer},
};

static const struct scrip_mifare_front_ops front_ops = {
    .handlers = handlers, .count = sizeof handlers / sizeof handlers[0], .key = key};

static enum scrip_status wake(struct scrip_otp_card *card)
{
    uint8_t block[SCRIP_CLASSIC_BLOCK];
    bool made;
    SCRIP_TRY(otp_block_in_force(&card->nv, 0, &made));
    SCRIP_TRY(otp_block_get(&card->nv, 0, block));
    if (!made || block[AT_BCC] != (block[0] ^ block[1] ^ block[2] ^ block[3]) || block[AT_SAK] != SAK) {
        return SCRIP_E_CORRUPT;
    }
    memcpy(card->front.a.uid, block, 4);
    card->front.a.uid_len = 4;
    card->front.a.sak = SAK;
    memcpy(card->front.a.atqa, block + AT_ATQA, sizeof card->front.a.atqa);
    return SCRIP_OK;
}

static enum scrip_status power(struct scrip_picc *picc, bool on)
{
    struct scrip_otp_card *card = card_of(picc);
    const enum scrip_status status = on ? wake(card) : SCRIP_OK;
    card->pending = 0;
    scrip_mifare_front_power(&card->front, picc, on && status == SCRIP_OK);
    return status;
}

static enum scrip_status frame(struct scrip_picc *picc, const struct scrip_frame *in, struct scrip_frame *out)
{
    return scrip_mifare_front_frame(&card_of(picc)->front, picc, in, out);
}

static const struct scrip_picc_ops picc_ops = {.power = power, .frame = frame};

void scrip_otp_card_init(struct scrip_otp_card *card, const struct scrip_otp_host *host,
                         const struct scrip_otp_options *options)
{
    *card = (struct scrip_otp_card){.picc = {.ops = &picc_ops}, .front = {.ops = &front_ops}};
    card->front.random = host->random;
    card->front.genuine = options->genuine;
    card->nv = scrip_otp_nv(&card->memory, host->nv);
}
