/* field.c: one exchange after the other; the time is the sum of what they cost.
 *
 * Cards that answer the same frame answer at the same time, which is so for all frames that several cards may answer
 * honestly (REQA, WUPA, ANTICOLLISION): the standard fixes their delay to the cycle. A bit that is 0 of one card and 1
 * of another keeps the subcarrier on for both of its halves: the reader sees a collision, and we read it as 1. Past the
 * end of the shorter answer the longer one is alone. */
#include <scrip/field.h>
#include <string.h>

#define FDT_TO_CARD_1_FC 1236U /* reader to card, n = 9, last data bit 1 */
#define FDT_TO_CARD_0_FC 1172U /* last data bit 0 */
#define FDT_TO_READER_FC 1172U
#define GRID_FC          128U

/* 13.56 cycles to the microsecond, without a division of 64 bits. */
static uint64_t fc_of_us(uint32_t us)
{
    return (uint64_t)(us / 100U) * (SCRIP_FC_HZ / 10000U) + us % 100U * (SCRIP_FC_HZ / 10000U) / 100U;
}

void scrip_field_init(struct scrip_field *field)
{
    memset(field, 0, sizeof *field);
}

uint64_t scrip_field_now_fc(const struct scrip_field *field)
{
    const struct scrip_field_times *t = &field->times;
    return t->reader_fc + t->card_fc + t->delay_fc + t->busy_fc + t->idle_fc;
}

void scrip_field_wait(struct scrip_field *field, uint32_t us)
{
    field->times.idle_fc += fc_of_us(us);
    if (us > 0) {
        field->answered = false;
    }
}

static size_t place_of(const struct scrip_field *field, const struct scrip_picc *card)
{
    size_t i = 0;
    while (i < field->count && field->cards[i] != card) {
        i++;
    }
    return i;
}

static enum scrip_status supply(const struct scrip_field *field, struct scrip_picc *card, bool on)
{
    card->now_fc = scrip_field_now_fc(field);
    return card->ops->power(card, on);
}

enum scrip_status scrip_field_add(struct scrip_field *field, struct scrip_picc *card)
{
    if (place_of(field, card) < field->count) {
        return SCRIP_E_EXISTS;
    }
    if (field->count == SCRIP_FIELD_CARDS) {
        return SCRIP_E_LIMIT;
    }
    field->cards[field->count++] = card;
    return field->on ? supply(field, card, true) : SCRIP_OK;
}

void scrip_field_remove(struct scrip_field *field, struct scrip_picc *card)
{
    size_t i = place_of(field, card);
    if (i == field->count) {
        return;
    }
    if (field->on) {
        (void)supply(field, card, false);
    }
    field->count--;
    for (; i < field->count; i++) {
        field->cards[i] = field->cards[i + 1];
    }
}

enum scrip_status scrip_field_power(struct scrip_field *field, bool on)
{
    enum scrip_status first = SCRIP_OK;
    if (field->on == on) {
        return SCRIP_OK;
    }
    field->on = on;
    field->answered = false;
    for (size_t i = 0; i < field->count; i++) {
        const enum scrip_status status = supply(field, field->cards[i], on);
        first = first == SCRIP_OK ? status : first;
    }
    return first;
}

/* ---- several answers ---- */

/* Bits of byte `i` that a frame carries. */
static unsigned carried(const struct scrip_frame *frame, size_t i)
{
    const size_t end = (size_t)frame->align + frame->bits;
    const unsigned head = i == 0 ? 0xFFU << frame->align : 0xFFU;
    return head & (end >= 8 * (i + 1) ? 0xFFU : end > 8 * i ? (1U << (end - 8 * i)) - 1U : 0U);
}

static unsigned lowest_bit(unsigned bits)
{
    unsigned n = 0;
    while ((bits >> n & 1U) == 0) {
        n++;
    }
    return n;
}

/* Lay byte `i` of `other` over that of `rx`. @return bits in which they differ; bit 8: in parity alone */
static unsigned merge_byte(struct scrip_frame *rx, const struct scrip_frame *other, size_t i)
{
    const unsigned mine = carried(rx, i);
    const unsigned theirs = carried(other, i);
    unsigned differs = (unsigned)(rx->data[i] ^ other->data[i]) & mine & theirs;
    const bool mine_ends = (mine & 0x80U) != 0;
    const bool theirs_ends = (theirs & 0x80U) != 0;

    if (theirs_ends) {
        const bool parity = scrip_frame_parity(other, i);
        differs |= mine_ends && parity != scrip_frame_parity(rx, i) ? 0x100U : 0U;
        scrip_frame_parity_set(rx, i, (mine_ends && scrip_frame_parity(rx, i)) || parity);
    }
    rx->data[i] = (uint8_t)((rx->data[i] & mine) | (other->data[i] & theirs));
    return differs;
}

/* `rx` as the reader hears it when `other` is on the air too. */
static void merge(struct scrip_frame *rx, const struct scrip_frame *other)
{
    const size_t len = scrip_frame_len(other);
    size_t first = rx->collision != 0 ? rx->collision - 1U : SIZE_MAX;

    if (rx->align != other->align || rx->rate != other->rate) { /* no honest cards: nothing of it can be read */
        rx->collision = 1;
        return;
    }
    for (size_t i = 0; i < len; i++) {
        const unsigned differs = merge_byte(rx, other, i);
        if (differs != 0) {
            /* a parity bit counts as the bit before it */
            const size_t at = 8 * i + (differs == 0x100U ? 7U : lowest_bit(differs)) - rx->align;
            first = at < first ? at : first;
        }
    }
    rx->collision = (uint16_t)(first == SIZE_MAX ? 0 : first + 1);
    rx->bits = other->bits > rx->bits ? other->bits : rx->bits;
}

/* ---- an exchange ---- */

/* Let every card hear it. @return the time that the busiest answer takes, in microseconds */
static uint32_t hear(struct scrip_field *field, const struct scrip_frame *tx, struct scrip_frame *rx,
                     enum scrip_status *lost)
{
    const uint64_t now_fc = scrip_field_now_fc(field);
    uint32_t busy_us = 0;

    scrip_frame_clear(rx);
    for (size_t i = 0; i < field->count; i++) {
        struct scrip_picc *card = field->cards[i];
        struct scrip_frame *out = rx->bits == 0 ? rx : &field->other;
        scrip_frame_clear(out);
        card->busy_us = 0;
        card->now_fc = now_fc;
        const enum scrip_status status = card->ops->frame(card, tx, out);
        if (status != SCRIP_OK) {
            out->bits = 0;
            *lost = status;
        }
        if (out->bits == 0) {
            continue;
        }
        busy_us = card->busy_us > busy_us ? card->busy_us : busy_us;
        if (out != rx) {
            merge(rx, out);
        }
    }
    return busy_us;
}

static void report(const struct scrip_field *field, const struct scrip_frame *frame, bool from_card)
{
    if (field->sniff != NULL) {
        field->sniff(field->sniff_ctx, frame, from_card, scrip_field_now_fc(field));
    }
}

/* Delay to the answer that nobody can be faster than: it depends on the last data bit. */
static uint32_t delay_to_card_fc(const struct scrip_frame *tx)
{
    const size_t last = (size_t)tx->align + tx->bits - 1U;
    return (tx->data[last / 8] >> last % 8 & 1U) != 0 ? FDT_TO_CARD_1_FC : FDT_TO_CARD_0_FC;
}

enum scrip_status scrip_field_exchange(struct scrip_field *field, const struct scrip_frame *tx, struct scrip_frame *rx,
                                       uint32_t timeout_us)
{
    struct scrip_field_times *t = &field->times;
    enum scrip_status lost = SCRIP_OK;

    if (!field->on) {
        return SCRIP_E_STATE;
    }
    if (tx->bits == 0 || scrip_frame_len(tx) > SCRIP_FRAME_MAX) {
        return SCRIP_E_ARGUMENT;
    }
    t->frames++;
    t->delay_fc += field->answered ? FDT_TO_READER_FC : 0U;
    report(field, tx, false);
    t->reader_fc += scrip_frame_time_fc(tx, false);
    const uint64_t busy_fc = (fc_of_us(hear(field, tx, rx, &lost)) + GRID_FC - 1) / GRID_FC * GRID_FC;
    const uint32_t delay_fc = delay_to_card_fc(tx);
    field->answered = rx->bits != 0 && delay_fc + busy_fc <= fc_of_us(timeout_us);
    if (!field->answered) {
        t->idle_fc += fc_of_us(timeout_us);
        return lost != SCRIP_OK ? lost : SCRIP_E_TIMEOUT;
    }
    t->delay_fc += delay_fc;
    t->busy_fc += busy_fc;
    report(field, rx, true);
    t->card_fc += scrip_frame_time_fc(rx, true);
    return SCRIP_OK;
}
