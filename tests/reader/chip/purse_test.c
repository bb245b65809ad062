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

/* ---- a line that is cut and comes back for the next tap ---------------------------------------------------------- */

static enum scrip_status tried(struct table *t, enum scrip_purse_operation operation)
{
    SCRIP_TRY(begun(t));
    SCRIP_TRY(sb_tap(&bench, operation, FARE, 9));
    return bench.job.result.outcome == SCRIP_OUTCOME_ACCEPTED ? SCRIP_OK : SCRIP_E_TORN;
}

/* Whatever the visit with the fault said, the one after it knows. @return was the line cut in it? */
static bool cut_visit(enum reader reader, enum scrip_purse_operation operation, size_t to_host, size_t to_chip)
{
    struct table *t = given_reader_over_the_bench(reader);
    const int32_t change = operation == SCRIP_PURSE_DEBIT ? -FARE : FARE;
    t->wire.fault = WIRE_CUT;
    t->wire.fault_to_host = to_host;
    t->wire.fault_to_chip = to_chip;
    const enum scrip_status first = tried(t, operation);
    const bool cut = t->wire.cut;
    t->wire.cut = false;
    t->wire.fault = WIRE_WHOLE;
    const enum scrip_status second = first == SCRIP_OK ? SCRIP_OK : tried(t, operation);
    /* An order whose purse has no tag to tell whether it was given waits for the issuer. */
    const bool waits =
        operation == SCRIP_PURSE_CREDIT && second == SCRIP_E_WAIT && bench.purse.kind == SCRIP_STORAGE_BCD;
    assert_ok(begun(t));
    const int32_t value = sb_balance(&bench);
    if ((second != SCRIP_OK && !waits) || value != START + (waits ? 0 : change) || taken() != (waits ? 0 : FARE)) {
        fail_msg(
            "reader %d, operation %d, cut at %zu from it, %zu to it: %d, then %d; %d on the card, %d in the journal",
            (int)reader, (int)operation, to_host, to_chip, (int)first, (int)second, (int)value, (int)taken());
    }
    clear(t);
    return cut;
}

static void cut_everywhere(enum reader reader)
{
    static const char *const purses[] = {"classic", "bcd", "bcd+hardened"};
    static const enum scrip_purse_operation operations[] = {SCRIP_PURSE_DEBIT, SCRIP_PURSE_CREDIT};
    for (size_t i = 0; i < sizeof purses / sizeof purses[0] * 2; i++) {
        sb_purse(&bench, purses[i / 2], START);
        memcpy(image.pages, bench.pages, sizeof image.pages);
        size_t at = 1;
        while (cut_visit(reader, operations[i % 2], at, 0)) {
            at++;
        }
        assert_true(at > 200);
        at = 1;
        while (cut_visit(reader, operations[i % 2], 0, at)) {
            at++;
        }
        assert_true(at > 200);
        sb_free(&bench);
    }
}

static void a_line_to_a_pn532_that_is_cut_anywhere_makes_and_loses_nothing(void **state)
{
    (void)state;
    cut_everywhere(PN532_HSU);
}

static void a_line_to_an_mfrc522_that_is_cut_anywhere_makes_and_loses_nothing(void **state)
{
    (void)state;
    cut_everywhere(MFRC522_UART);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fare_through_a_pn532_on_a_bad_line_is_paid_once),
        cmocka_unit_test(a_fare_through_an_mfrc522_on_a_bad_line_is_paid_once),
        cmocka_unit_test(a_fare_through_an_mfrc522_on_bad_wires_is_paid_once),
        cmocka_unit_test(a_line_to_a_pn532_that_is_cut_anywhere_makes_and_loses_nothing),
        cmocka_unit_test(a_line_to_an_mfrc522_that_is_cut_anywhere_makes_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
