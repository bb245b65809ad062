/* storage.c: purses on storage cards: the one-time wallet on its card, the blocks of the BCD wallet. */
#include "vector.h"
#include <scrip/bcd.h>
#include <scrip/field.h>
#include <scrip/mifare.h>
#include <scrip/otp_card.h>
#include <scrip/posix.h>
#include <string.h>

/* ---- one-time wallet: a card in a field, and a reader ---- */

struct stall {
    struct vector *v;
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_otp_card card;
    struct scrip_field field;
    struct scrip_radio air;
    struct scrip_mifare_soft soft;
};

static enum scrip_status command(struct stall *s, struct scrip_bytes bytes, uint8_t *data)
{
    struct scrip_buf response = scrip_buf(data, data == NULL ? 0 : SCRIP_CLASSIC_BLOCK);
    return scrip_mifare_exchange(&s->soft.radio, &s->soft.auth, bytes, &response);
}

/* Select, and open sector 0 with the default password. */
static void open_sector(struct stall *s)
{
    uint8_t bytes[12] = {SCRIP_MIFARE_AUTH_A, SCRIP_OTP_FACE_BLOCK, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    struct scrip_target target;
    scrip_mifare_soft_drop(&s->soft);
    all_right(s->v, "select", scrip_pcd_find(&s->air, true, &target));
    memcpy(bytes + 8, target.uid, 4);
    all_right(s->v, "authenticate", command(s, SCRIP_BYTES_OF(bytes), NULL));
}

static void lay_stall(struct vector *v, struct stall *s)
{
    static const struct scrip_otp_identity identity = {.uid = {0x9C, 0x59, 0x9B, 0x32}};
    static const struct scrip_otp_options options;

    scrip_nv_memory_free(&s->memory);
    memset(s, 0, sizeof *s);
    s->v = v;
    all_right(v, "nv", scrip_nv_memory_init(&s->memory, SCRIP_OTP_PAGES));
    s->nv = scrip_nv_memory(&s->memory);
    scrip_random_seeded_init(&s->seeded, 1);
    s->random = scrip_random_seeded(&s->seeded);
    all_right(v, "card", scrip_otp_card_make(&s->nv, &identity));
    scrip_otp_card_init(&s->card, &(struct scrip_otp_host){.nv = &s->nv, .random = &s->random}, &options);
    scrip_field_init(&s->field);
    scrip_field_radio(&s->field, &s->air);
    scrip_mifare_soft_init(&s->soft, &s->air, &s->random);
    all_right(v, "field", scrip_field_add(&s->field, &s->card.picc));
    all_right(v, "field", s->air.power(s->air.ctx, true));
    open_sector(s);
}

static json_int_t number(struct vector *v, json_t *step, const char *name)
{
    json_t *value = json_object_get(step, name);
    if (!json_is_integer(value)) {
        vector_fail(v, "%s: not an integer", name);
    }
    return json_integer_value(value);
}

/* The balance as the card shows it: a value block with ADR 01. */
static int32_t balance(struct stall *s, uint8_t block[SCRIP_CLASSIC_BLOCK])
{
    const uint8_t read[2] = {SCRIP_MIFARE_READ, SCRIP_OTP_FACE_BLOCK};
    int32_t value = 0;
    uint8_t address = 0;
    all_right(s->v, "READ", command(s, SCRIP_BYTES_OF(read), block));
    all_right(s->v, "balance", scrip_classic_value_get(block, &value, &address));
    if (address != SCRIP_OTP_ADDRESS) {
        vector_fail(s->v, "balance: ADR %02X", address);
    }
    return value;
}

static enum scrip_status take_step(struct stall *s, json_t *step, const char *op)
{
    uint8_t deduct[6] = {SCRIP_MIFARE_DECREMENT, SCRIP_OTP_FACE_BLOCK};
    static const uint8_t transfer[2] = {SCRIP_MIFARE_TRANSFER, SCRIP_OTP_FACE_BLOCK};
    if (strcmp(op, "DEC") == 0) {
        scrip_put_le32(deduct + 2, (uint32_t)number(s->v, step, "amount"));
        return command(s, SCRIP_BYTES_OF(deduct), NULL);
    }
    return strcmp(op, "XFER") == 0 ? command(s, SCRIP_BYTES_OF(transfer), NULL) : SCRIP_OK;
}

static bool listed(json_t *bits, unsigned bit)
{
    json_t *item;
    size_t i;
    json_array_foreach(bits, i, item)
    {
        if (json_integer_value(item) == (json_int_t)bit) {
            return true;
        }
    }
    return false;
}

/* Memory holds exactly the unit bits of the list. */
static void same_bits(struct stall *s, json_t *step)
{
    json_t *bits = json_object_get(step, "programmed_bits");
    uint16_t used = 0;
    for (uint16_t bit = 1; bit <= SCRIP_OTP_UNITS; bit++) {
        bool programmed = false;
        all_right(s->v, "bit", scrip_otp_card_bit(&s->nv, bit, &programmed));
        if (programmed != listed(bits, bit)) {
            vector_fail(s->v, "bit %u: %s", bit, programmed ? "programmed" : "not programmed");
        }
    }
    all_right(s->v, "used", scrip_otp_card_used(&s->nv, &used));
    if (used != number(s->v, step, "used")) {
        vector_fail(s->v, "used: %u", used);
    }
}

static void check_step(struct stall *s, size_t i, json_t *step)
{
    const char *op = json_string_value(json_object_get(step, "op"));
    const char *result = json_string_value(json_object_get(step, "result"));
    uint8_t block[SCRIP_CLASSIC_BLOCK];

    if (op == NULL || result == NULL || json_object_size(step) != 6) {
        vector_fail(s->v, "step %zu: something else", i);
    }
    const enum scrip_status status = take_step(s, step, op);
    const char *good = strcmp(op, "DEC") == 0 ? "OK" : strcmp(op, "XFER") == 0 ? "ACK" : "BALANCE";
    const char *got = status == SCRIP_OK ? good : status == SCRIP_E_CARD ? "NAK" : scrip_status_name(status);
    if (strcmp(result, got) != 0) {
        vector_fail(s->v, "step %zu, %s: %s, should be %s", i, op, got, result);
    }
    same_bits(s, step);
    if (status != SCRIP_OK) {
        open_sector(s); /* a NAK deselects */
    }
    if (balance(s, block) != number(s->v, step, "balance")) { /* READ leaves alone what is pending */
        vector_fail(s->v, "step %zu: balance", i);
    }
}

static void otp_wallet(struct vector *v)
{
    static struct stall stall;
    uint8_t write[18] = {SCRIP_MIFARE_WRITE, SCRIP_OTP_FACE_BLOCK};
    const uint8_t *face_block = in_exactly(v, "face_block", SCRIP_CLASSIC_BLOCK);
    uint8_t made[SCRIP_CLASSIC_BLOCK];
    uint8_t block[SCRIP_CLASSIC_BLOCK];
    json_t *steps = want_json(v, "steps");
    json_t *step;
    size_t i;
    const struct scrip_otp_face face = {.unit = (uint32_t)in_int(v, "U"), .units = (uint16_t)in_int(v, "T")};

    all_right(v, "face", scrip_otp_face_put(&face, made));
    same_bytes(v, "face_block", scrip_bytes(face_block, SCRIP_CLASSIC_BLOCK), SCRIP_BYTES_OF(made));
    lay_stall(v, &stall);
    memcpy(write + 2, face_block, SCRIP_CLASSIC_BLOCK);
    all_right(v, "face", command(&stall, SCRIP_BYTES_OF(write), NULL));
    json_array_foreach(steps, i, step)
    {
        check_step(&stall, i, step);
    }
    (void)balance(&stall, block);
    want_bytes(v, "balance_block", SCRIP_BYTES_OF(block));
}

/* ---- BCD wallet ---- */

static void bcd_block(struct vector *v)
{
    const int32_t credits = (int32_t)in_int(v, "credits");
    uint8_t block[SCRIP_BCD_BLOCK];
    int32_t back = -1;
    all_right(v, "bcd", scrip_bcd_block_put(credits, block));
    all_right(v, "bcd", scrip_bcd_block_get(block, &back));
    if (back != credits) {
        vector_fail(v, "credits: %d come back", (int)back);
    }
    want_bytes(v, "block", SCRIP_BYTES_OF(block));
}

static void bcd_recovery(struct vector *v)
{
    static const char *const repairs[] = {
        [SCRIP_COPIES_GOOD] = "none",
        [SCRIP_COPIES_MEND_BACKUP] = "rewrite backup",
        [SCRIP_COPIES_MEND_MAIN] = "rewrite data from backup",
        [SCRIP_COPIES_BOTH_DAMAGED] = "both damaged: no automatic initialisation",
    };
    const uint8_t *data = in_exactly(v, "data_block", SCRIP_BCD_BLOCK);
    const uint8_t *backup = in_exactly(v, "backup_block", SCRIP_BCD_BLOCK);
    int32_t credits = -1;
    const enum scrip_copies_repair repair = scrip_bcd_decide(data, backup, &credits);

    want_text(v, "decision", repair == SCRIP_COPIES_BOTH_DAMAGED ? "refuse" : "use");
    want_text(v, "repair", repairs[repair]);
    if (repair != SCRIP_COPIES_BOTH_DAMAGED) {
        want_int(v, "credits", credits);
        return;
    }
    json_t *none = want_json(v, "credits");
    if (!json_is_null(none) || credits != -1) {
        vector_fail(v, "credits: none are left");
    }
}

const struct vector_kind VECTORS_STORAGE[] = {
    {"otp_wallet", otp_wallet},
    {"bcd_block", bcd_block},
    {"bcd_recovery", bcd_recovery},
    {NULL, NULL},
};
