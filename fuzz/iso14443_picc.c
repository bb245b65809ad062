/* rooms: iso14443 */
/* Anybody's bits for cards in a field: frames of any length, cut anywhere, with any parity and at any rate, to a card
 * of part 4 and to others beside it, between steps that bring the cards on (selection, RATS, sound blocks). What must
 * hold: no crash, no answer longer than the reader said it takes, and after a power cycle every card is found once.
 *
 * The input is a sequence of steps: one byte that says what, one for the length, then that many bytes. */
#include "input.h"
#include <scrip/field.h>
#include <string.h>

#define CARDS 3U

struct tag {
    struct scrip_picc picc;
    struct scrip_picc_a a;
};

struct table {
    struct scrip_field field;
    struct scrip_radio radio;
    struct scrip_picc_4 card;
    uint8_t command[256], response[512];
    uint8_t ats; /* which of them */
    bool busy;   /* work takes longer than the frame waiting time */
    struct tag tags[CARDS - 1];
    struct scrip_frame tx, rx;
};

/* ---- the cards ---- */

static enum scrip_status tag_power(struct scrip_picc *picc, bool on)
{
    struct tag *tag = (struct tag *)picc;
    on ? scrip_picc_a_on(&tag->a) : scrip_picc_a_off(&tag->a);
    return SCRIP_OK;
}

static enum scrip_status tag_frame(struct scrip_picc *picc, const struct scrip_frame *in, struct scrip_frame *out)
{
    struct tag *tag = (struct tag *)picc;
    if (scrip_picc_a_frame(&tag->a, in, out) == SCRIP_PICC_PASS) {
        scrip_picc_is_hlta(in) ? scrip_picc_a_halt(&tag->a) : scrip_picc_a_drop(&tag->a);
    }
    return SCRIP_OK;
}

static enum scrip_status app_power(void *ctx, bool on, struct scrip_picc_a *a, uint8_t ats[33])
{
    static const uint8_t known[4][8] = {{0x06, 0x75, 0x77, 0x81, 0x02, 0x80}, /* FSC 64, all rates, CID */
                                        {0x05, 0x70, 0x80, 0x00, 0x00},       /* FSC 16, no CID, FWI 0 */
                                        {0x02, 0x08},                         /* FSC 256 */
                                        {0x01}};
    const struct table *t = ctx;
    if (on) {
        memcpy(a->uid, "\x04\x11\x22\x33\x44\x55\x66", 7);
        a->uid_len = 7;
        memcpy(a->atqa, "\x44\x03", 2);
        a->sak = 0x20;
        memcpy(ats, known[t->ats & 3], sizeof known[0]);
    }
    return SCRIP_OK;
}

/* Answers twice what it was told, so that both directions chain. */
static enum scrip_status app_apdu(void *ctx, struct scrip_bytes command, struct scrip_buf *response, uint32_t *busy_us)
{
    const struct table *t = ctx;
    must(command.len > 0 && command.len <= sizeof t->command);
    *busy_us = t->busy ? 100000 : 0;
    SCRIP_TRY(scrip_buf_add_bytes(response, command));
    SCRIP_TRY(scrip_buf_add_bytes(response, command));
    return command.at[0] == 0xEE ? SCRIP_E_NV : SCRIP_OK;
}

static void set_up(struct table *t, uint8_t kind)
{
    static const struct scrip_picc_ops ops = {.power = tag_power, .frame = tag_frame};
    const struct scrip_picc_app app = {.ctx = t, .power = app_power, .apdu = app_apdu};

    memset(t, 0, sizeof *t);
    t->ats = kind;
    t->busy = (kind & 4) != 0;
    scrip_field_init(&t->field);
    scrip_field_radio(&t->field, &t->radio);
    scrip_picc_4_init(&t->card, &app, SCRIP_BUF_OF(t->command), SCRIP_BUF_OF(t->response));
    must(scrip_field_add(&t->field, &t->card.picc) == SCRIP_OK);
    for (size_t i = 0; i < CARDS - 1; i++) {
        struct tag *tag = &t->tags[i];
        tag->picc.ops = &ops;
        memcpy(tag->a.uid, i == 0 ? "\x08\x11\x22\x33" : "\x04\x11\x22\x33\x44\x55\x67", i == 0 ? 4 : 7);
        tag->a.uid_len = i == 0 ? 4 : 7;
        tag->a.atqa[0] = i == 0 ? 0x04 : 0x44;
        tag->a.sak = 0x08;
        if ((kind >> 3 & 1U << i) != 0) {
            must(scrip_field_add(&t->field, &tag->picc) == SCRIP_OK);
        }
    }
    must(t->radio.power(t->radio.ctx, true) == SCRIP_OK);
}

/* ---- what is done to them ---- */

static void exchange(struct table *t)
{
    struct scrip_bytes content;
    if (scrip_field_exchange(&t->field, &t->tx, &t->rx, 200000) != SCRIP_OK) {
        return;
    }
    must(t->rx.bits > 0 && scrip_frame_len(&t->rx) <= 256 && t->rx.align < 8);
    if (t->card.fsd != 0 && scrip_frame_content_crc(&t->rx, &content) == SCRIP_OK) {
        must(content.len + 2 <= 256);
    }
}

/* The bytes as they are: rate and cut in the first, parity bits that are wrong in the second. */
static void send_raw(struct table *t, struct scrip_bytes bytes)
{
    if (bytes.len < 3) {
        return;
    }
    const struct scrip_bytes data = scrip_bytes_head(scrip_bytes_from(bytes, 2), SCRIP_FRAME_MAX);
    must(scrip_frame_bytes(&t->tx, data) == SCRIP_OK);
    t->tx.bits = (uint16_t)(t->tx.bits - (bytes.at[0] >> 2 & 7U));
    t->tx.rate = bytes.at[0] & 3U;
    t->tx.parity[0] ^= bytes.at[1];
    exchange(t);
}

/* The bytes with CRC, at the rate that the card listens at. */
static void send_sound(struct table *t, struct scrip_bytes bytes)
{
    if (scrip_frame_bytes_crc(&t->tx, scrip_bytes_head(bytes, 254)) == SCRIP_OK) {
        t->tx.rate = t->card.rate_in;
        exchange(t);
    }
}

static void select_card(struct table *t)
{
    struct scrip_target target = {.uid = {0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66}, .uid_len = 7};
    (void)scrip_pcd_wake(&t->radio, &target);
}

/* A whole command by the reader's half, from whatever state the cards are in. */
static void converse(struct table *t, struct scrip_bytes command)
{
    static struct scrip_pcd_4 pcd;
    uint8_t answer[600];
    struct scrip_target target = {0};
    struct scrip_buf got = SCRIP_BUF_OF(answer);

    if (scrip_pcd_find(&t->radio, true, &target) == SCRIP_OK && target.sak == 0x20 &&
        scrip_pcd_4_begin(&pcd, &t->radio, &target, 3, SCRIP_RATE_848) == SCRIP_OK && command.len > 0 &&
        scrip_pcd_4_exchange(&pcd, command, &got) == SCRIP_OK) {
        must(got.len == 2 * command.len && memcmp(answer, command.at, command.len) == 0);
    }
}

static void power_cycle(struct table *t)
{
    must(scrip_field_power(&t->field, false) == SCRIP_OK);
    must(t->radio.power(t->radio.ctx, true) == SCRIP_OK);
}

/* Nothing that was sent may have broken a card: all of them answer after the field was away. */
static void all_are_found(struct table *t)
{
    power_cycle(t);
    for (size_t i = 0; i < t->field.count; i++) {
        struct scrip_target target;
        must(scrip_pcd_find(&t->radio, false, &target) == SCRIP_OK);
        must(scrip_pcd_halt(&t->radio) == SCRIP_OK);
    }
    struct scrip_target nobody;
    must(scrip_pcd_find(&t->radio, false, &nobody) == SCRIP_E_NO_CARD);
}

static void take_step(struct table *t, uint8_t what, struct scrip_bytes bytes)
{
    switch (what & 7) {
    case 0:
    case 1:
        send_raw(t, bytes);
        break;
    case 2:
    case 3:
        send_sound(t, bytes);
        break;
    case 4:
        select_card(t);
        break;
    case 5:
        scrip_frame_short(&t->tx, what >> 3);
        exchange(t);
        break;
    case 6:
        converse(t, bytes);
        break;
    default:
        power_cycle(t);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct table table;
    struct scrip_bytes rest = scrip_bytes(data, size);
    struct scrip_bytes bytes;
    uint8_t what;

    set_up(&table, next_u8(&rest));
    while (next_step(&rest, &what, &bytes)) {
        take_step(&table, what, bytes);
    }
    all_are_found(&table);
    return 0;
}
