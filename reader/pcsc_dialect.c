#include "pcsc_dialect.h"
#include <scrip/apdu.h>
#include <scrip/classic.h>
#include <scrip/pcsc.h>
#include <string.h>

#define STORE     0x00
#define INCREMENT 0x01
#define BLOCK     SCRIP_CLASSIC_BLOCK

/* The reader, and what it said last: at most a block and a status word, or the objects of PC/SC 2.02. */
struct reader {
    struct pcsc_dialect *dialect;
    pcsc_dialect_send *send;
    void *ctx;
    uint8_t room[300];
    struct scrip_buf said;
};

/* ---- Asking ------------------------------------------------------------------------------------------------------ */

static enum scrip_status ask(struct reader *reader, const uint8_t *command, size_t len, uint16_t *sw)
{
    reader->said = scrip_buf(reader->room, sizeof reader->room);
    SCRIP_TRY(reader->send(reader->ctx, scrip_bytes(command, len), &reader->said));
    if (reader->said.len < 2) {
        return SCRIP_E_TORN;
    }
    reader->said.len -= 2;
    *sw = scrip_get_be16(reader->room + reader->said.len);
    return SCRIP_OK;
}

/* Status words by which readers say that they do not know a command, or not in this form. None of them has got as far
 * as the card. */
static bool not_known(uint16_t sw)
{
    static const uint16_t words[] = {0x6D00, 0x6E00, 0x6A81, 0x6700, 0x6A86, 0x6B00};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i] == sw) {
            return true;
        }
    }
    return false;
}

/* ---- Increment and decrement ------------------------------------------------------------------------------------- */

struct change {
    bool increment;
    uint8_t block;
    uint32_t value;
};

static size_t acs(const struct change *change, uint8_t *out)
{
    const uint8_t head[] = {0xFF, 0xD7, 0x00, change->block, 0x05, change->increment ? 0x01 : 0x02};
    memcpy(out, head, sizeof head);
    scrip_put_be32(out + sizeof head, change->value);
    return sizeof head + 4;
}

static size_t pcsc_2_02(const struct change *change, uint8_t *out)
{
    const uint8_t head[] = {0xFF, 0xC2, 0x00, 0x03,          0x0B, change->increment ? 0xA0 : 0xA1,
                            0x09, 0x80, 0x01, change->block, 0x81, 0x04};
    memcpy(out, head, sizeof head);
    scrip_put_le32(out + sizeof head, change->value);
    out[sizeof head + 4] = 0x00;
    return sizeof head + 5;
}

static size_t identiv(const struct change *change, uint8_t *out)
{
    const uint8_t head[] = {0xFF, 0xF0, 0x00, change->block, 0x06, change->increment ? 0xC1 : 0xC0, change->block};
    memcpy(out, head, sizeof head);
    scrip_put_le32(out + sizeof head, change->value);
    return sizeof head + 4;
}

static size_t omnikey(const struct change *change, uint8_t *out)
{
    const uint8_t head[] = {0xFF, change->increment ? 0xD4 : 0xD8, 0x00, change->block, 0x04};
    memcpy(out, head, sizeof head);
    scrip_put_le32(out + sizeof head, change->value);
    return sizeof head + 4;
}

/* Some firmware takes one byte; 0: the value has more. */
static size_t omnikey_short(const struct change *change, uint8_t *out)
{
    const uint8_t whole[] = {0xFF, change->increment ? 0xD4 : 0xD8, 0x00, change->block, 0x01, (uint8_t)change->value};
    memcpy(out, whole, sizeof whole);
    return change->value <= 0xFF ? sizeof whole : 0;
}

static size_t (*const dialects[])(const struct change *change, uint8_t *out) = {acs, pcsc_2_02, identiv, omnikey,
                                                                                omnikey_short};

#define DIALECT_PCSC_2_02 1U
#define DIALECTS          (sizeof dialects / sizeof dialects[0])

/* PC/SC 2.02 answers 9000 in any case; what became of the operation stands in C0 03 number SW1 SW2. */
static uint16_t object_word(const struct reader *reader)
{
    if (reader->said.len < 5 || reader->room[0] != 0xC0 || reader->room[1] != 0x03) {
        return SCRIP_PCSC_NO_CARD; /* no sense in it: not known whether it was carried out */
    }
    const uint16_t sw = scrip_get_be16(reader->room + 3);
    return sw == 0x6401 ? SCRIP_PCSC_NO_CARD : sw;
}

static enum scrip_status change_in(struct reader *reader, size_t number, const struct change *change, uint16_t *sw)
{
    uint8_t command[32];
    const size_t len = dialects[number](change, command);
    if (len == 0) {
        *sw = SCRIP_PCSC_NO_FUNCTION;
        return SCRIP_OK;
    }
    SCRIP_TRY(ask(reader, command, len, sw));
    if (number == DIALECT_PCSC_2_02 && *sw == SCRIP_PCSC_OK) {
        *sw = object_word(reader);
    }
    return SCRIP_OK;
}

static enum scrip_status change(struct reader *reader, const struct change *change, uint16_t *sw)
{
    const size_t known = reader->dialect->change;
    if (known != 0) {
        SCRIP_TRY(change_in(reader, known - 1, change, sw));
        if (!not_known(*sw)) {
            return SCRIP_OK;
        }
    }
    for (size_t i = 0; i < DIALECTS; i++) {
        SCRIP_TRY(change_in(reader, i, change, sw));
        if (!not_known(*sw)) {
            reader->dialect->change = (uint8_t)(i + 1);
            return SCRIP_OK;
        }
    }
    *sw = SCRIP_PCSC_NO_FUNCTION;
    return SCRIP_OK;
}

/* ---- What reading and writing can stand in for ------------------------------------------------------------------- */

/* What a block holds as a value. */
struct held {
    bool is_value;
    int32_t value;
    uint8_t address;
};

static enum scrip_status block_read(struct reader *reader, uint8_t block, struct held *held, uint16_t *sw)
{
    const uint8_t command[] = {0xFF, 0xB0, 0x00, block, BLOCK};
    *held = (struct held){0};
    SCRIP_TRY(ask(reader, command, sizeof command, sw));
    held->is_value = *sw == SCRIP_PCSC_OK && reader->said.len == BLOCK &&
                     scrip_classic_value_get(reader->room, &held->value, &held->address) == SCRIP_OK;
    return SCRIP_OK;
}

static enum scrip_status value_write(struct reader *reader, uint8_t block, int32_t value, uint8_t address, uint16_t *sw)
{
    uint8_t command[5 + BLOCK] = {0xFF, 0xD6, 0x00, block, BLOCK};
    scrip_classic_value_put(value, address, command + 5);
    return ask(reader, command, sizeof command, sw);
}

/* The target becomes what the source is: by the difference where it is a value block already, which takes the right
 * that restoring would take and can be torn no worse; else by writing it. */
static enum scrip_status make_equal(struct reader *reader, const struct held *source, const struct held *target,
                                    uint8_t block, uint16_t *sw)
{
    const int64_t more = (int64_t)source->value - target->value;
    if (!target->is_value || target->address != source->address || more > INT32_MAX || more < -INT32_MAX) {
        return value_write(reader, block, source->value, source->address, sw);
    }
    const struct change difference = {
        .increment = more > 0, .block = block, .value = (uint32_t)(more > 0 ? more : -more)};
    return more != 0 ? change(reader, &difference, sw) : SCRIP_OK;
}

static enum scrip_status restore(struct reader *reader, uint8_t source, uint8_t target, uint16_t *sw)
{
    struct held from;
    struct held to;
    SCRIP_TRY(block_read(reader, source, &from, sw));
    if (*sw == SCRIP_PCSC_OK && !from.is_value) {
        *sw = SCRIP_PCSC_FAILED;
    }
    if (*sw != SCRIP_PCSC_OK) {
        return SCRIP_OK;
    }
    SCRIP_TRY(block_read(reader, target, &to, sw));
    return *sw == SCRIP_PCSC_OK ? make_equal(reader, &from, &to, target, sw) : SCRIP_OK;
}

/* As the reader itself, unless it does not know how; then never again. */
static enum scrip_status native(struct reader *reader, struct scrip_bytes capdu, bool *not_here, uint16_t *sw)
{
    if (!*not_here) {
        SCRIP_TRY(ask(reader, capdu.at, capdu.len, sw));
        *not_here = not_known(*sw);
    }
    return SCRIP_OK;
}

/* ---- What is not sent ---------------------------------------------------------------------------------------------
 */

/* A trailer with damaged access bits, or a number in a trailer's place. Readers pass both on, and the card takes them:
 * its sector is blocked for ever. */
static bool locks_sector(struct scrip_bytes capdu)
{
    struct scrip_apdu apdu;
    bool locks = false;
    if (scrip_apdu_parse(capdu, &apdu) != SCRIP_OK || apdu.cla != 0xFF || apdu.p1 != 0 ||
        (apdu.ins != 0xD6 && apdu.ins != 0xD7)) {
        return false;
    }
    if (apdu.ins == 0xD7 && apdu.data.len == 5) {
        return apdu.data.at[0] == STORE && apdu.p2 == scrip_classic_trailer(scrip_classic_sector(apdu.p2));
    }
    for (size_t i = 0; i < apdu.data.len / BLOCK; i++) {
        locks = locks || scrip_classic_write_check((uint8_t)(apdu.p2 + i), apdu.data.at + i * BLOCK) != SCRIP_OK;
    }
    return locks;
}

/* ---- The commands that are translated ---------------------------------------------------------------------------- */

static enum scrip_status answer(struct scrip_buf *rapdu, struct scrip_bytes data, uint16_t sw)
{
    const size_t before = rapdu->len;
    enum scrip_status status = sw == SCRIP_PCSC_OK ? scrip_buf_add_bytes(rapdu, data) : SCRIP_OK;
    status = status == SCRIP_OK ? scrip_buf_add_be(rapdu, sw, 2) : status;
    if (status != SCRIP_OK) {
        rapdu->len = before;
    }
    return status;
}

static enum scrip_status do_change(struct reader *reader, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    const struct change wanted = {
        .increment = capdu.at[5] == INCREMENT, .block = capdu.at[3], .value = scrip_get_be32(capdu.at + 6)};
    uint16_t sw = 0;
    SCRIP_TRY(change(reader, &wanted, &sw));
    return answer(rapdu, scrip_bytes(NULL, 0), sw);
}

static enum scrip_status do_store(struct reader *reader, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    uint16_t sw = 0;
    SCRIP_TRY(native(reader, capdu, &reader->dialect->no_store, &sw));
    if (reader->dialect->no_store) {
        uint8_t value[4];
        scrip_put_le32(value, scrip_get_be32(capdu.at + 6));
        SCRIP_TRY(value_write(reader, capdu.at[3], scrip_get_le32s(value), capdu.at[3], &sw));
    }
    return answer(rapdu, scrip_bytes(NULL, 0), sw);
}

static enum scrip_status do_restore(struct reader *reader, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    uint16_t sw = 0;
    SCRIP_TRY(native(reader, capdu, &reader->dialect->no_restore, &sw));
    if (reader->dialect->no_restore) {
        SCRIP_TRY(restore(reader, capdu.at[3], capdu.at[6], &sw));
    }
    return answer(rapdu, scrip_bytes(NULL, 0), sw);
}

static enum scrip_status do_read(struct reader *reader, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    uint16_t sw = 0;
    SCRIP_TRY(native(reader, capdu, &reader->dialect->no_read, &sw));
    if (reader->dialect->no_read) {
        struct held held;
        SCRIP_TRY(block_read(reader, capdu.at[3], &held, &sw));
        sw = sw == SCRIP_PCSC_OK && !held.is_value ? SCRIP_PCSC_FAILED : sw;
        scrip_put_be32(reader->room, (uint32_t)held.value);
        reader->said.len = 4;
    }
    return answer(rapdu, scrip_buf_bytes(&reader->said), sw);
}

enum scrip_status pcsc_dialect_transmit(struct pcsc_dialect *dialect, pcsc_dialect_send *send, void *ctx,
                                        struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    static const struct {
        uint8_t ins;
        size_t len;
        int operation; /* of FF D7; -1: any */
        enum scrip_status (*run)(struct reader *reader, struct scrip_bytes capdu, struct scrip_buf *rapdu);
    } commands[] = {
        {0xD7, 10, 0x00, do_store},  {0xD7, 10, 0x01, do_change}, {0xD7, 10, 0x02, do_change},
        {0xD7, 7, 0x03, do_restore}, {0xB1, 5, -1, do_read},
    };
    struct reader reader = {.dialect = dialect, .send = send, .ctx = ctx};
    if (dialect->trailers && locks_sector(capdu)) {
        return answer(rapdu, scrip_bytes(NULL, 0), SCRIP_PCSC_WRONG_DATA);
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (capdu.len == commands[i].len && capdu.at[0] == 0xFF && capdu.at[1] == commands[i].ins &&
            (commands[i].operation < 0 || (capdu.at[4] == capdu.len - 5 && capdu.at[5] == commands[i].operation))) {
            return commands[i].run(&reader, capdu, rapdu);
        }
    }
    return send(ctx, capdu, rapdu);
}
