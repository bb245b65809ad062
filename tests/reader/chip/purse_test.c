/* A fare on a MIFARE Classic, through a reader whose wires damage or lose a byte: at every byte of the visit, in both
 * directions, begin of the chip included. The customer taps until the gate opens. Then the card has paid once, and the
 * terminal's journal says so; and when the gate opened at the first tap, it did so rightly. */
#include "storage_bench.h"
#include "table.h"

#define START 1000
#define FARE  250
#define TAPS  4U

static struct sb bench;

static struct {
    uint8_t pages[SB_PAGES][SCRIP_NV_PAGE];
} image;

static bool opened(struct table *t)
{
    if (begun(t) != SCRIP_OK) {
        return false;
    }
    return sb_tap(&bench, SCRIP_PURSE_DEBIT, FARE, 9) == SCRIP_OK && bench.job.result.outcome == SCRIP_OUTCOME_ACCEPTED;
}

/* What the journal says was taken for certain. */
static int32_t taken(void)
{
    struct scrip_journal_line line;
    int32_t sum = 0;
    for (uint64_t sequence = 1; sequence <= bench.journal.last; sequence++) {
        assert_ok(scrip_journal_get(&bench.journal, sequence, &line));
        const bool certain = line.state == SCRIP_JOURNAL_CONFIRMED || line.state == SCRIP_JOURNAL_FOUND;
        sum += certain ? line.amount : 0;
    }
    return sum;
}

static int32_t value_on_card(void)
{
    return (int32_t)scrip_get_le32(sb_block(&bench, bench.purse.main_block));
}

static struct table *given_reader_over_the_bench(enum reader reader)
{
    struct table *t = given_table(reader);
    sb_new_journal(&bench);
    memcpy(bench.pages, image.pages, sizeof image.pages);
    memset(&bench.request, 0, sizeof bench.request);
    sb_power_back(&bench);
    over_field(t, &bench.field);
    assert_ok(scrip_field_power(&bench.field, false));
    scrip_pcsc_init(&bench.pcsc, t->coupler);
    return t;
}

static void given_purse(void)
{
    sb_purse(&bench, "classic", START);
    memcpy(image.pages, bench.pages, sizeof image.pages);
}

static void visit(enum reader reader, enum wire_fault fault, uint8_t flip, size_t to_host, size_t to_chip)
{
    struct table *t = given_reader_over_the_bench(reader);
    t->wire.fault = fault;
    t->wire.flip = flip;
    t->wire.fault_to_host = to_host;
    t->wire.fault_to_chip = to_chip;
    unsigned taps = 0;
    while (!opened(t) && taps < TAPS) {
        t->wire.heard_len = 0;
        taps++;
    }
    if (taps == TAPS || value_on_card() != START - FARE || taken() != FARE) {
        fail_msg("reader %d, fault %d (%02X) at %zu from it, %zu to it: %u taps, %d on the card, %d in the journal",
                 (int)reader, (int)fault, flip, to_host, to_chip, taps + 1, (int)value_on_card(), (int)taken());
    }
    clear(t);
}

static void every_bit(enum reader reader, size_t to_host, size_t to_chip)
{
    for (unsigned bit = 0; bit < 8; bit++) {
        visit(reader, WIRE_FLIPS, (uint8_t)(1U << bit), to_host, to_chip);
    }
}

static void count(enum reader reader, size_t *to_host, size_t *to_chip)
{
    struct table *t = given_reader_over_the_bench(reader);
    assert_true(opened(t));
    *to_host = t->wire.to_host;
    *to_chip = t->wire.to_chip;
    assert_true(*to_host > 200 && *to_chip > 200);
    clear(t);
}

static void every_byte(enum reader reader, bool loses_to_chip)
{
    size_t to_host = 0, to_chip = 0;
    given_purse();
    count(reader, &to_host, &to_chip);
    for (size_t at = 1; at <= to_host; at++) {
        every_bit(reader, at, 0);
        if (reader != MFRC522_SPI) { /* a clocked bus loses nothing */
            visit(reader, WIRE_LOSES, 0, at, 0);
        }
    }
    for (size_t at = 1; at <= to_chip; at++) {
        every_bit(reader, 0, at);
        if (loses_to_chip) {
            visit(reader, WIRE_LOSES, 0, 0, at);
        }
    }
    sb_free(&bench);
}

/* Bytes lost on the way to the chip are left out: a lost 00 makes another command with a right sum. */
static void a_fare_through_a_pn532_on_a_bad_line_is_paid_once(void **state)
{
    (void)state;
    every_byte(PN532_HSU, false);
}

static void a_fare_through_an_mfrc522_on_a_bad_line_is_paid_once(void **state)
{
    (void)state;
    every_byte(MFRC522_UART, true);
}

static void a_fare_through_an_mfrc522_on_bad_wires_is_paid_once(void **state)
{
    (void)state;
    every_byte(MFRC522_SPI, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fare_through_a_pn532_on_a_bad_line_is_paid_once),
        cmocka_unit_test(a_fare_through_an_mfrc522_on_a_bad_line_is_paid_once),
        cmocka_unit_test(a_fare_through_an_mfrc522_on_bad_wires_is_paid_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
