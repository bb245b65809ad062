/* Both drivers as couplers, over each of their buses, against the models of their chips and virtual cards: what a purse
 * does is the same on all of them. */
#include "table.h"

static void each_reader(void (*law)(struct table *t))
{
    for (enum reader reader = 0; reader < READERS; reader++) {
        struct table *t = given_reader(reader);
        law(t);
        clear(t);
    }
}

/* ---- Finding ----------------------------------------------------------------------------------------------------- */

static void an_empty_table(struct table *t)
{
    assert_status(found(t), SCRIP_E_NO_CARD);
    const uint32_t before = wire_now(&t->wire);
    assert_status(t->coupler->ops->find(t->coupler, 300, &t->target), SCRIP_E_NO_CARD);
    assert_true(wire_now(&t->wire) - before >= 300 && wire_now(&t->wire) - before < 1500);
    assert_status(did_again(t), SCRIP_E_NO_CARD);
}

static void an_empty_table_is_no_card_once_the_time_is_over(void **state)
{
    (void)state;
    each_reader(an_empty_table);
}

static void a_short_uid(struct table *t)
{
    lay_classic(t, "DEADBEEF", false);
    assert_ok(found(t));
    assert_hex(scrip_bytes(t->target.uid, t->target.uid_len), "DEADBEEF");
    assert_hex(SCRIP_BYTES_OF(t->target.atqa), "0400");
    assert_int_equal(t->target.sak, 0x08);
    assert_int_equal(t->target.ats_len, 0);
    assert_ok(did_again(t));
    assert_ok(found(t));
}

static void a_long_uid(struct table *t)
{
    lay_classic(t, "04A1B2C3D4E580", true);
    assert_ok(found(t));
    assert_hex(scrip_bytes(t->target.uid, t->target.uid_len), "04A1B2C3D4E580");
    assert_hex(SCRIP_BYTES_OF(t->target.atqa), "4200");
    assert_int_equal(t->target.sak, 0x18);
    assert_ok(did_auth(t, 0x60, 255));
    assert_ok(did_again(t));
    assert_ok(did_auth(t, 0x60, 255));
    assert_ok(did_mifare(t, "30F0"));
}

static void a_card_of_blocks(struct table *t)
{
    static const uint8_t command[] = {0x90, 0x60, 0x00, 0x00, 0x00};
    lay_echo(t, "04112233445580", 5);
    assert_ok(found(t));
    assert_hex(scrip_bytes(t->target.uid, t->target.uid_len), "04112233445580");
    assert_hex(scrip_bytes(t->target.ats, t->target.ats_len), "067577810280");
    assert_int_equal(t->target.sak, 0x20);
    assert_ok(did_apdu(t, command, sizeof command));
    assert_hex(scrip_buf_bytes(&t->out), "019060000000");
    assert_ok(did_again(t));
    assert_ok(did_apdu(t, command, sizeof command));
    assert_hex(scrip_buf_bytes(&t->out), "029060000000");
    assert_ok(found(t)); /* with a power cycle */
    assert_ok(did_apdu(t, command, sizeof command));
    assert_hex(scrip_buf_bytes(&t->out), "019060000000");
}

static void cards_are_found_with_what_they_say_of_themselves(void **state)
{
    (void)state;
    each_reader(a_short_uid);
    each_reader(a_long_uid);
    each_reader(a_card_of_blocks);
}

static void three_cards(struct table *t)
{
    lay_classic(t, "12345678", false);
    lay_classic(t, "16B45678", false); /* a second collision in the second byte */
    lay_classic(t, "16F45678", false);
    assert_ok(found(t));
    assert_int_equal(t->target.uid_len, 4);
    assert_ok(did_auth(t, 0x60, 4));
    assert_ok(did_mifare(t, "3004"));
}

static void of_several_cards_one_is_chosen(void **state)
{
    (void)state;
    each_reader(three_cards);
}

/* Four cards that part in the second, third and fourth bit of the second byte. */
static void a_position_of_either_kind_finds_a_card_among_four(void **state)
{
    (void)state;
    for (unsigned from_byte = 0; from_byte < 2; from_byte++) {
        struct table *t = given_reader(MFRC522_SPI);
        t->coll_from_byte = from_byte != 0;
        lay_classic(t, "12F15678", false);
        lay_classic(t, "12F35678", false);
        lay_classic(t, "12F75678", false);
        lay_classic(t, "12FF5678", false);
        assert_ok(found(t));
        assert_int_equal(t->mfrc522.coll_first, from_byte == 0);
        assert_hex(scrip_bytes(t->target.uid, t->target.uid_len), "12FF5678"); /* of colliding bits the 1 is taken */
        assert_ok(found(t));
        clear(t);
    }
}

static void a_card_that_goes(struct table *t)
{
    struct classic *classic = lay_classic(t, "DEADBEEF", false);
    assert_ok(found(t));
    assert_ok(did_auth(t, 0x60, 4));
    scrip_field_remove(&t->field, &classic->card.picc);
    assert_status(did_mifare(t, "3004"), SCRIP_E_TORN);
    assert_status(did_again(t), SCRIP_E_NO_CARD);
    assert_status(found(t), SCRIP_E_NO_CARD);
    assert_ok(scrip_field_add(&t->field, &classic->card.picc));
    assert_ok(found(t));
}

static void a_card_that_goes_is_torn_and_then_no_card(void **state)
{
    (void)state;
    each_reader(a_card_that_goes);
}

/* ---- MIFARE Classic ---------------------------------------------------------------------------------------------- */

static void a_purse(struct table *t)
{
    struct classic *classic = lay_classic(t, "DEADBEEF", false);
    value_poke(classic, 4, 100);
    assert_ok(found(t));
    assert_ok(did_auth(t, 0x60, 4));
    assert_ok(did_mifare(t, "C0040A000000")); /* 100 - 10 */
    assert_ok(did_mifare(t, "B004"));
    assert_ok(did_mifare(t, "C10401000000")); /* 90 + 1 */
    assert_ok(did_mifare(t, "B004"));
    assert_ok(did_mifare(t, "C20400000000")); /* the backup */
    assert_ok(did_mifare(t, "B005"));
    assert_ok(did_mifare(t, "A006000102030405060708090A0B0C0D0E0F"));
    assert_ok(did_mifare(t, "3006"));
    assert_hex(scrip_buf_bytes(&t->out), "000102030405060708090A0B0C0D0E0F");
    assert_ok(did_auth(t, 0x60, 9)); /* nested: another sector, under the session of the first */
    assert_ok(did_mifare(t, "3008"));
    assert_ok(did_mifare(t, "5000"));
    assert_true(did_mifare(t, "3008") !=
                SCRIP_OK);   /* a PN532 wakes it up by itself; the session is over all the same */
    assert_ok(did_again(t)); /* out of HALT */
    assert_int_equal(value_peek(t, classic, 4), 91);
    assert_int_equal(value_peek(t, classic, 5), 91);
}

static void every_command_of_a_purse_is_carried_out(void **state)
{
    (void)state;
    each_reader(a_purse);
}

static void refusals(struct table *t)
{
    static const struct {
        const char *command;
        enum scrip_status status;
    } rows[] = {
        {"6004000000000000DEADBEEF", SCRIP_E_AUTH}, /* the wrong key */
        {"C00401000000", SCRIP_E_CARD},             /* no value block */
        {"B004", SCRIP_E_CARD},                     /* nothing to transfer */
        {"3008", SCRIP_E_CARD},                     /* another sector */
        {"A00000000000000000000000000000000000", SCRIP_E_CARD},
        {"C005FFFFFFFF", SCRIP_E_CARD}, /* an operand below zero */
    };
    struct classic *classic = lay_classic(t, "DEADBEEF", false);
    value_poke(classic, 5, 1);
    assert_ok(found(t));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (did_auth(t, 0x60, rows[i].command[2] == '0' && rows[i].command[3] == '0' ? 0 : 4) != SCRIP_OK) {
            fail_msg("%s: no authentication before it", rows[i].command);
        }
        const enum scrip_status status = did_mifare(t, rows[i].command);
        if (status != rows[i].status) {
            fail_msg("reader %d, %s: %s", (int)t->reader, rows[i].command, scrip_status_name(status));
        }
        assert_int_equal(t->out.len, 0);
        assert_status(did_mifare(t, "3004"), SCRIP_E_TORN); /* it listens no more */
        assert_ok(did_again(t));
    }
    assert_status(did_mifare(t, "30"), SCRIP_E_ARGUMENT);
    assert_status(did_mifare(t, "9004"), SCRIP_E_ARGUMENT);
    assert_status(did_mifare(t, ""), SCRIP_E_ARGUMENT);
}

static void refusals_are_told_apart_and_the_card_can_be_had_again(void **state)
{
    (void)state;
    each_reader(refusals);
}

static bool holds(const void *at, size_t len, const char *text)
{
    for (size_t i = 0; i + strlen(text) <= len; i++) {
        if (memcmp((const uint8_t *)at + i, text, strlen(text)) == 0) {
            return true;
        }
    }
    return false;
}

static void a_key(struct table *t)
{
    lay_classic(t, "DEADBEEF", false);
    assert_ok(found(t));
    assert_status(did_mifare(t, "6004546573744B79DEADBEEF"), SCRIP_E_AUTH); /* "TestKy" */
    assert_false(holds(&t->pn532, sizeof t->pn532, "TestKy"));
    assert_false(holds(&t->mfrc522, sizeof t->mfrc522, "TestKy"));
    for (size_t i = 0; i < sizeof t->mfrc522_model.ciu.fifo; i++) {
        assert_int_equal(t->mfrc522_model.ciu.fifo[i], 0);
    }
}

static void a_driver_keeps_no_key(void **state)
{
    (void)state;
    each_reader(a_key);
}

/* ---- Part 4 ------------------------------------------------------------------------------------------------------ */

static void echoes(struct table *t)
{
    static const size_t lengths[] = {1,   2,   5,   12,  13,  14,  30,  57,  58,   59,   60,   61,
                                     125, 252, 253, 261, 262, 263, 300, 523, 1000, 2048, 4090, 4095};
    static uint8_t command[APDU_MAX];
    for (size_t i = 0; i < sizeof command; i++) {
        command[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    for (uint8_t fsci = 0; fsci <= 8; fsci += 4) {
        lay_echo(t, "04112233445580", fsci);
        assert_ok(found(t));
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            const enum scrip_status status = did_apdu(t, command, lengths[i]);
            if (status != SCRIP_OK || t->out.len != lengths[i] + 1 || t->out.at[0] != (uint8_t)(i + 1) ||
                memcmp(t->out.at + 1, command, lengths[i]) != 0) {
                fail_msg("reader %d, FSCI %u, %zu bytes: %s, %zu bytes", (int)t->reader, fsci, lengths[i],
                         scrip_status_name(status), t->out.len);
            }
        }
        scrip_field_remove(&t->field, &t->echo.card.picc);
    }
}

static void apdus_of_every_length_are_chained_both_ways(void **state)
{
    (void)state;
    each_reader(echoes);
}

static void a_slow_card(struct table *t)
{
    static const uint8_t command[] = {0x90, 0x60};
    lay_echo(t, "04112233445580", 5);
    t->echo.busy_us = 700000; /* above its frame waiting time: it asks for more */
    assert_ok(found(t));
    assert_ok(did_apdu(t, command, sizeof command));
    assert_int_equal(t->out.len, 3);
}

static void a_card_that_takes_its_time_is_waited_for(void **state)
{
    (void)state;
    each_reader(a_slow_card);
}

static void a_small_buffer(struct table *t)
{
    static const uint8_t command[600] = {0x90, 0x60};
    lay_echo(t, "04112233445580", 5);
    assert_ok(found(t));
    t->out.cap = 300;
    assert_status(did_apdu(t, command, sizeof command), SCRIP_E_SPACE);
    assert_int_equal(t->out.len, 0);
    t->out.cap = sizeof t->at;
    assert_ok(did_apdu(t, command, sizeof command));
    assert_int_equal(t->out.at[0], 2);
}

static void a_response_too_long_for_its_buffer_leaves_the_card_usable(void **state)
{
    (void)state;
    each_reader(a_small_buffer);
}

static void a_card_gone_in_a_command(struct table *t)
{
    static const uint8_t command[] = {0x90, 0x60};
    lay_echo(t, "04112233445580", 5);
    assert_ok(found(t));
    scrip_field_remove(&t->field, &t->echo.card.picc);
    assert_status(did_apdu(t, command, sizeof command), SCRIP_E_TORN);
    assert_int_equal(t->out.len, 0);
}

static void a_card_that_goes_in_a_command_is_torn(void **state)
{
    (void)state;
    each_reader(a_card_gone_in_a_command);
}

static void an_apdu_for_a_storage_card(struct table *t)
{
    static const uint8_t command[] = {0x90, 0x60};
    assert_status(did_apdu(t, command, sizeof command), SCRIP_E_STATE);
    lay_classic(t, "DEADBEEF", false);
    assert_ok(found(t));
    assert_status(did_apdu(t, command, sizeof command), SCRIP_E_STATE);
}

static void a_storage_card_takes_no_apdu(void **state)
{
    (void)state;
    each_reader(an_apdu_for_a_storage_card);
}

/* ---- Raw frames -------------------------------------------------------------------------------------------------- */

static enum scrip_status did_raw(struct table *t, const struct scrip_coupler_raw *how, const char *hex,
                                 uint8_t *last_bits)
{
    uint8_t at[64];
    t->out.len = 0;
    return t->coupler->ops->raw(t->coupler, how, scrip_bytes(at, from_hex(hex, at, sizeof at)), &t->out, last_bits);
}

/* Selection by hand, as nfc-anticol does it. */
static void by_hand(struct table *t)
{
    const struct scrip_coupler_raw bits7 = {.parity = true, .last_bits = 7, .timeout_us = 5000};
    const struct scrip_coupler_raw plain = {.parity = true, .timeout_us = 5000};
    const struct scrip_coupler_raw crc = {.parity = true, .crc_out = true, .crc_in = true, .timeout_us = 5000};
    const struct scrip_coupler_raw no_crc_in = {.parity = true, .crc_out = true, .timeout_us = 5000};
    uint8_t last_bits = 9;
    lay_classic(t, "DEADBEEF", false);
    assert_ok(t->coupler->ops->power(t->coupler, true));
    assert_status(did_raw(t, &bits7, "00", &last_bits), SCRIP_E_TIMEOUT);
    assert_ok(did_raw(t, &bits7, "26", &last_bits));
    assert_hex(scrip_buf_bytes(&t->out), "0400");
    assert_int_equal(last_bits, 0);
    assert_ok(did_raw(t, &plain, "9320", &last_bits));
    assert_hex(scrip_buf_bytes(&t->out), "DEADBEEF22");
    assert_ok(did_raw(t, &crc, "9370DEADBEEF22", &last_bits));
    assert_hex(scrip_buf_bytes(&t->out), "08");
    assert_ok(did_raw(t, &no_crc_in, "3004", &last_bits)); /* refused in four bits */
    assert_int_equal(last_bits, 4);
    assert_int_equal(t->out.len, 1);
    assert_ok(did_raw(t, &bits7, "52", &last_bits));
    assert_ok(did_raw(t, &plain, "9320", &last_bits));
    assert_status(did_raw(t, &crc, "9320", &last_bits), SCRIP_E_TIMEOUT); /* with a CRC it is no question */
    assert_ok(found(t));
    assert_ok(did_auth(t, 0x60, 4)); /* what was set for raw frames is gone */
    assert_ok(did_mifare(t, "3004"));
}

/* REQA, then nine bits a byte: 93 20 with parity 1 and 0, and the answer likewise. */
static void without_parity(struct table *t)
{
    const struct scrip_coupler_raw bits7 = {.parity = true, .last_bits = 7, .timeout_us = 5000};
    const struct scrip_coupler_raw nine = {.last_bits = 2, .timeout_us = 5000};
    uint8_t last_bits = 9;
    lay_classic(t, "DEADBEEF", false);
    assert_ok(t->coupler->ops->power(t->coupler, true));
    assert_ok(did_raw(t, &bits7, "26", &last_bits));
    assert_ok(did_raw(t, &nine, "934100", &last_bits));
    assert_int_equal(last_bits, 45 % 8);
    assert_int_equal(t->out.len, 6);
    /* DE 1, AD 0, BE 1, EF 0, 22 1, least significant bit first */
    uint64_t stream = 0;
    static const uint16_t nines[] = {0x1DE, 0x0AD, 0x1BE, 0x0EF, 0x122};
    for (size_t i = 0; i < 5; i++) {
        stream |= (uint64_t)nines[i] << (9 * i);
    }
    uint8_t wanted[8];
    scrip_put_le64(wanted, stream);
    assert_memory_equal(t->out.at, wanted, 6);
}

static void raw_frames_reach_whatever_is_active(void **state)
{
    (void)state;
    each_reader(by_hand);
    each_reader(without_parity);
}

/* ---- A reader that fails ----------------------------------------------------------------------------------------- */

/* A debit of 1 on a value of 100. Whatever fails: what the driver said must be true. */
static void debit(struct table *t, struct classic *classic)
{
    value_poke(classic, 4, 100);
    enum scrip_status status = begun(t);
    status = status == SCRIP_OK ? found(t) : SCRIP_E_LINK;
    status = status == SCRIP_OK ? did_auth(t, 0x60, 4) : SCRIP_E_LINK;
    if (status == SCRIP_OK) {
        status = did_mifare(t, "3004");
        if (status == SCRIP_OK) {
            assert_hex(scrip_buf_bytes(&t->out), "640000009BFFFFFF6400000004FB04FB");
        }
    }
    const enum scrip_status decremented = status == SCRIP_OK ? did_mifare(t, "C00401000000") : SCRIP_E_LINK;
    const enum scrip_status transferred = decremented == SCRIP_OK ? did_mifare(t, "B004") : SCRIP_E_LINK;
    const uint32_t value = value_peek(t, classic, 4);
    if (transferred == SCRIP_OK) {
        assert_int_equal(value, 99);
    } else if (transferred == SCRIP_E_TORN) {
        assert_true(value == 99 || value == 100);
    } else {
        assert_int_equal(value, 100);
    }
}

/* The same with a card of blocks: a response is the right one, and its counter tells whether the card has worked. */
static void exchange(struct table *t)
{
    static uint8_t command[100] = {0x90};
    if (begun(t) != SCRIP_OK || found(t) != SCRIP_OK) {
        return;
    }
    const enum scrip_status status = did_apdu(t, command, sizeof command);
    if (status == SCRIP_OK) {
        assert_int_equal(t->out.len, 1 + sizeof command);
        assert_memory_equal(t->out.at + 1, command, sizeof command);
        assert_int_equal(t->out.at[0], 1);
        assert_int_equal(t->echo.answered, 1);
    } else {
        assert_true(status == SCRIP_E_TORN || t->echo.answered == 0);
        assert_int_equal(t->out.len, 0);
    }
}

static void both(struct table *t)
{
    struct classic *classic = &t->classics[0];
    debit(t, classic);
    scrip_field_remove(&t->field, &classic->card.picc);
    assert_ok(scrip_field_add(&t->field, &t->echo.card.picc));
    exchange(t);
    scrip_field_remove(&t->field, &t->echo.card.picc);
    assert_ok(scrip_field_add(&t->field, &classic->card.picc));
}

static struct table *given_both(enum reader reader)
{
    struct table *t = given_table(reader);
    lay_classic(t, "DEADBEEF", false);
    lay_echo(t, "04112233445580", 5);
    scrip_field_remove(&t->field, &t->echo.card.picc);
    return t;
}

static void assert_goes_on(struct table *t)
{
    struct classic *classic = &t->classics[0];
    t->wire.fault = WIRE_WHOLE;
    t->wire.fault_to_host = t->wire.fault_to_chip = 0;
    t->wire.dead = false;
    t->wire.dies_after = 0;
    t->wire.heard_len = 0;
    t->transfer_fails = 0;
    value_poke(classic, 4, 100);
    assert_ok(begun(t));
    assert_ok(found(t));
    assert_ok(did_auth(t, 0x60, 4));
    assert_ok(did_mifare(t, "C00401000000"));
    assert_ok(did_mifare(t, "B004"));
    assert_int_equal(value_peek(t, classic, 4), 99);
}

static void one_fault(enum reader reader, enum wire_fault fault, uint8_t flip, size_t to_host, size_t to_chip)
{
    struct table *t = given_both(reader);
    t->wire.fault = fault;
    t->wire.flip = flip;
    t->wire.fault_to_host = to_host;
    t->wire.fault_to_chip = to_chip;
    both(t);
    assert_goes_on(t);
    clear(t);
}

static void every_bit(enum reader reader, size_t to_host, size_t to_chip)
{
    for (unsigned bit = 0; bit < 8; bit++) {
        one_fault(reader, WIRE_FLIPS, (uint8_t)(1U << bit), to_host, to_chip);
    }
}

static void count(enum reader reader, size_t *to_host, size_t *to_chip)
{
    struct table *t = given_both(reader);
    both(t);
    *to_host = t->wire.to_host;
    *to_chip = t->wire.to_chip;
    assert_int_equal(t->echo.answered, 1);
    clear(t);
}

/* Bits turned over on the way to the chip: its checksum is over them. Bytes lost on the way to it are in
 * pn532_test.c: a lost 00 turns one command into another with a right checksum, which no driver can know. */
static void a_line_that_damages_a_byte_to_a_pn532_never_makes_a_wrong_answer(void **state)
{
    (void)state;
    size_t to_host = 0, to_chip = 0;
    count(PN532_HSU, &to_host, &to_chip);
    assert_true(to_host > 300 && to_chip > 300);
    for (size_t at = 1; at <= to_host; at++) {
        one_fault(PN532_HSU, WIRE_LOSES, 0, at, 0);
        every_bit(PN532_HSU, at, 0);
    }
    for (size_t at = 1; at <= to_chip; at++) {
        every_bit(PN532_HSU, 0, at);
    }
}

static void a_line_that_damages_a_byte_to_an_mfrc522_never_makes_a_wrong_answer(void **state)
{
    (void)state;
    size_t to_host = 0, to_chip = 0;
    count(MFRC522_UART, &to_host, &to_chip);
    assert_true(to_host > 300 && to_chip > 300);
    for (size_t at = 1; at <= to_host; at++) {
        one_fault(MFRC522_UART, WIRE_LOSES, 0, at, 0);
        every_bit(MFRC522_UART, at, 0);
    }
    for (size_t at = 1; at <= to_chip; at++) {
        one_fault(MFRC522_UART, WIRE_LOSES, 0, 0, at);
        every_bit(MFRC522_UART, 0, at);
    }
}

static void wires_that_turn_over_any_bit_of_an_mfrc522_never_make_a_wrong_answer(void **state)
{
    (void)state;
    size_t to_host = 0, to_chip = 0;
    count(MFRC522_SPI, &to_host, &to_chip);
    assert_true(to_host > 300 && to_chip > 600);
    for (size_t at = 1; at <= to_host; at++) {
        every_bit(MFRC522_SPI, at, 0);
    }
    for (size_t at = 1; at <= to_chip; at++) {
        every_bit(MFRC522_SPI, 0, at);
    }
}

static void a_bus_that_fails_at_any_transfer_is_torn_or_failed_never_done(void **state)
{
    (void)state;
    struct table *t = given_both(MFRC522_SPI);
    both(t);
    const size_t transfers = t->transfers;
    clear(t);
    assert_true(transfers > 200);
    for (size_t at = 1; at <= transfers; at++) {
        t = given_both(MFRC522_SPI);
        t->transfer_fails = at;
        both(t);
        assert_goes_on(t);
        clear(t);
    }
}

/* ---- Beginning --------------------------------------------------------------------------------------------------- */

static enum scrip_status wire_of_zeros(void *ctx, const uint8_t *tx, uint8_t *rx, size_t len)
{
    (void)tx;
    if (rx != NULL) {
        memset(rx, *(const uint8_t *)ctx, len);
    }
    return SCRIP_OK;
}

static void an_mfrc522_that_is_not_there_is_said_to_be_missing(void **state)
{
    (void)state;
    static const struct {
        uint8_t level;
        enum scrip_status status;
    } rows[] = {{0x00, SCRIP_E_UNSUPPORTED}, {0xFF, SCRIP_E_UNSUPPORTED}, {0x92, SCRIP_E_FORMAT}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct table *t = given_table(MFRC522_SPI);
        uint8_t level = rows[i].level;
        t->mfrc522.bus.spi.ctx = &level;
        t->mfrc522.bus.spi.transfer = wire_of_zeros;
        assert_status(begun(t), rows[i].status);
        clear(t);
    }
    struct table *t = given_table(MFRC522_UART);
    t->wire.dead = true;
    assert_status(begun(t), SCRIP_E_TIMEOUT);
    clear(t);
}

static void a_chip_left_in_the_middle_of_an_access_is_met_all_the_same(void **state)
{
    (void)state;
    struct table *t = given_table(MFRC522_UART);
    (void)scrip_mfrc522_model_uart(&t->mfrc522_model, 0x09);
    assert_ok(begun(t));
    assert_int_equal(t->mfrc522.version, 0x92);
    clear(t);
}

/* The speed of either side of the line. */
static struct {
    uint32_t chip, host;
} bauds;

static enum scrip_status set_baud(void *ctx, uint32_t baud)
{
    (void)ctx;
    bauds.host = baud;
    return SCRIP_OK;
}

static void hear_at_speed(struct wire *wire, uint8_t byte)
{
    struct scrip_mfrc522_model *model = &table_of_wire(wire)->mfrc522_model;
    if (bauds.host != bauds.chip) {
        return;
    }
    mfrc522_hear(wire, byte);
    const uint8_t speed = model->ciu.reg[0x1F];
    bauds.chip = speed == 0x7A ? 115200 : speed == 0xEB ? 9600 : 0;
}

static void a_uart_that_can_goes_up_to_115200_and_is_found_there_again(void **state)
{
    (void)state;
    struct table *t = given_table(MFRC522_UART);
    bauds.chip = bauds.host = 9600;
    t->wire.hear = hear_at_speed;
    t->mfrc522.bus.uart.baud = set_baud;
    assert_ok(begun(t));
    assert_int_equal(bauds.chip, 115200);
    bauds.host = 9600; /* another program */
    assert_ok(begun(t));
    assert_int_equal(bauds.chip, 115200);
    assert_int_equal(bauds.host, 115200);
    lay_classic(t, "DEADBEEF", false);
    assert_ok(found(t));
    clear(t);
}

static void a_reader_put_to_sleep_lets_the_field_go_and_wakes_up_again(void **state)
{
    (void)state;
    for (enum reader reader = 0; reader < READERS; reader++) {
        struct table *t = given_reader(reader);
        lay_classic(t, "DEADBEEF", false);
        assert_ok(found(t));
        assert_true(t->field.on);
        if (reader < MFRC522_SPI) {
            scrip_pn532_end(&t->pn532);
        } else {
            scrip_mfrc522_end(&t->mfrc522);
        }
        assert_false(t->field.on);
        assert_status(did_again(t), SCRIP_E_NO_CARD);
        assert_ok(begun(t));
        assert_ok(found(t));
        clear(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_is_no_card_once_the_time_is_over),
        cmocka_unit_test(cards_are_found_with_what_they_say_of_themselves),
        cmocka_unit_test(of_several_cards_one_is_chosen),
        cmocka_unit_test(a_position_of_either_kind_finds_a_card_among_four),
        cmocka_unit_test(a_card_that_goes_is_torn_and_then_no_card),
        cmocka_unit_test(every_command_of_a_purse_is_carried_out),
        cmocka_unit_test(refusals_are_told_apart_and_the_card_can_be_had_again),
        cmocka_unit_test(a_driver_keeps_no_key),
        cmocka_unit_test(apdus_of_every_length_are_chained_both_ways),
        cmocka_unit_test(a_card_that_takes_its_time_is_waited_for),
        cmocka_unit_test(a_response_too_long_for_its_buffer_leaves_the_card_usable),
        cmocka_unit_test(a_card_that_goes_in_a_command_is_torn),
        cmocka_unit_test(a_storage_card_takes_no_apdu),
        cmocka_unit_test(raw_frames_reach_whatever_is_active),
        cmocka_unit_test(a_line_that_damages_a_byte_to_a_pn532_never_makes_a_wrong_answer),
        cmocka_unit_test(a_line_that_damages_a_byte_to_an_mfrc522_never_makes_a_wrong_answer),
        cmocka_unit_test(wires_that_turn_over_any_bit_of_an_mfrc522_never_make_a_wrong_answer),
        cmocka_unit_test(a_bus_that_fails_at_any_transfer_is_torn_or_failed_never_done),
        cmocka_unit_test(an_mfrc522_that_is_not_there_is_said_to_be_missing),
        cmocka_unit_test(a_chip_left_in_the_middle_of_an_access_is_met_all_the_same),
        cmocka_unit_test(a_uart_that_can_goes_up_to_115200_and_is_found_there_again),
        cmocka_unit_test(a_reader_put_to_sleep_lets_the_field_go_and_wakes_up_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
