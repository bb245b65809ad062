/* The block protocol of a card, frame by frame. */
#include "bench.h"

#define ATS "067577810280" /* FSC 64, rates up to 848, FWI 8, CID */

/* Send bytes with CRC; the answer without it, empty for silence. */
static struct scrip_bytes say(struct bench *b, const char *hex)
{
    static struct scrip_frame rx;
    uint8_t data[SCRIP_FRAME_MAX];
    struct scrip_frame tx;
    struct scrip_bytes content;
    assert_ok(scrip_frame_bytes_crc(&tx, scrip_bytes(data, from_hex(hex, data, sizeof data))));
    if (scrip_field_exchange(&b->field, &tx, &rx, 100000) != SCRIP_OK) {
        return (struct scrip_bytes){0};
    }
    assert_ok(scrip_frame_content_crc(&rx, &content));
    return content;
}

#define assert_says(b, hex, answer) assert_hex(say((b), (hex)), (answer))

static struct bench *selected(const char *ats)
{
    struct bench *b = bench_new(ats);
    assert_ok(scrip_pcd_find(&b->air, true, &b->target));
    return b;
}

static struct bench *activated(const char *rats)
{
    struct bench *b = selected(ATS);
    assert_says(b, rats, ATS);
    return b;
}

static void the_first_answer_to_i0_is_i0(void **state)
{
    struct bench *b = activated("E050");
    (void)state;
    assert_says(b, "020300AA", "02ADB4BB");
    assert_says(b, "030300BB", "03BEC5CC");
    assert_says(b, "020100", "0202");
    assert_int_equal(b->executed, 3);
    free(b);
}

static void what_is_no_block_of_its_own_is_met_with_silence(void **state)
{
    static const char *const cases[] = {
        "030100", /* I with the card's own number */
        "060001", /* NAD */
        "220100", /* bits that are never set */
        "420100",   "000100", "820100", "A0", "A6", "B6",
        "E2",       "D2",     "C0",     "C6", "A2", /* R(ACK) that calls for nothing */
        "A3",       "B3",                           /* nothing was sent yet */
        "C201",                                     /* longer than it is */
        "F2",       "F20000", "F201",               /* nobody asked for time */
        "0A010100",                                 /* CID of another card */
        "CA01",     "CA",     "D01107",             /* PPS of a rate that is not there: handled, and refused */
        "E050",                                     /* RATS again */
        "",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench *b = selected("0675F7810280"); /* the same rates both ways */
        assert_says(b, "E050", "0675F7810280");
        if (say(b, cases[i]).len != 0) {
            fail_msg("%s was answered", cases[i]);
        }
        assert_int_equal(b->executed, 0);
        assert_says(b, "020100", "0202");
        assert_int_equal(b->executed, 1);
        free(b);
    }
}

static void damage_is_met_with_silence_and_changes_nothing(void **state)
{
    static const uint8_t block[] = {0x02, 0x01, 0x00};
    struct bench *b = activated("E050");
    struct scrip_frame tx;
    struct scrip_frame rx;
    (void)state;
    for (size_t bit = 0; bit < 45; bit++) {
        assert_ok(scrip_frame_bytes_crc(&tx, SCRIP_BYTES_OF(block)));
        if (bit % 9 == 8) {
            scrip_frame_parity_set(&tx, bit / 9, !scrip_frame_parity(&tx, bit / 9));
        } else {
            tx.data[bit / 9] ^= (uint8_t)(1U << bit % 9);
        }
        assert_status(scrip_field_exchange(&b->field, &tx, &rx, 5000), SCRIP_E_TIMEOUT);
    }
    for (uint16_t bits = 1; bits < 40; bits++) {
        assert_ok(scrip_frame_bytes_crc(&tx, SCRIP_BYTES_OF(block)));
        tx.bits = bits;
        assert_status(scrip_field_exchange(&b->field, &tx, &rx, 5000), SCRIP_E_TIMEOUT);
    }
    tx.bits = 40;
    tx.rate = SCRIP_RATE_212;
    assert_status(scrip_field_exchange(&b->field, &tx, &rx, 5000), SCRIP_E_TIMEOUT);
    assert_int_equal(b->executed, 0);
    assert_says(b, "020100", "0202");
    free(b);
}

static void a_frame_longer_than_fsc_is_no_block(void **state)
{
    uint8_t block[62 + 1] = {0x02, 0x01, 0x00};
    struct bench *b = activated("E050");
    struct scrip_frame tx;
    struct scrip_frame rx;
    (void)state;
    assert_ok(scrip_frame_bytes_crc(&tx, scrip_bytes(block, 63)));
    assert_status(scrip_field_exchange(&b->field, &tx, &rx, 5000), SCRIP_E_TIMEOUT);
    assert_ok(scrip_frame_bytes_crc(&tx, scrip_bytes(block, 62)));
    assert_ok(scrip_field_exchange(&b->field, &tx, &rx, 5000));
    assert_int_equal(b->heard_len, 61);
    free(b);
}

static void the_last_block_is_repeated_for_its_own_number(void **state)
{
    struct bench *b = activated("E050");
    (void)state;
    assert_says(b, "020100", "0202");
    assert_says(b, "B2", "0202");
    assert_says(b, "A2", "0202");
    assert_says(b, "B2", "0202");
    assert_says(b, "B3", "A2");   /* the other number: the command did not come */
    assert_says(b, "B2", "0202"); /* and that is no block to be repeated */
    assert_int_equal(b->executed, 1);
    assert_says(b, "030100", "0302");
    assert_says(b, "B3", "0302");
    free(b);
}

static void a_chained_command_is_acknowledged_piece_by_piece(void **state)
{
    struct bench *b = activated("E050");
    (void)state;
    assert_says(b, "120100AA", "A2");
    assert_says(b, "B2", "A2"); /* the acknowledgement again */
    assert_says(b, "120100AA", "");
    assert_says(b, "B3", "A2"); /* the next piece did not come */
    assert_says(b, "13BBCC", "A3");
    assert_says(b, "A2", ""); /* calls for nothing while a command is sent */
    assert_says(b, "02DD", "02B0");
    assert_hex(scrip_bytes(b->heard, b->heard_len), "0100AABBCCDD");
    assert_int_equal(b->executed, 1);
    free(b);
}

static void a_response_comes_in_pieces_of_fsd(void **state)
{
    struct bench *b = activated("E000"); /* 16 bytes: 13 of them INF */
    (void)state;
    assert_says(b, "021C00", "1202091017 1E252C333A 41484F56");
    assert_says(b, "A2", "1202091017 1E252C333A 41484F56"); /* its number: again */
    assert_says(b, "B3", "A2");                             /* R(NAK) does not call for the next piece */
    assert_says(b, "A3", "135D646B72 798087 8E959CA3AAB1");
    assert_says(b, "B3", "135D646B72 798087 8E959CA3AAB1");
    assert_says(b, "030100", ""); /* no new command in the middle */
    assert_says(b, "020100", "");
    assert_says(b, "A2", "02B8BF");
    assert_says(b, "A3", ""); /* there is no more */
    assert_int_equal(b->executed, 1);
    assert_says(b, "030100", "0302");
    free(b);
}

static void an_empty_block_asks_for_presence_alone(void **state)
{
    struct bench *b = activated("E050");
    (void)state;
    assert_says(b, "02", "02");
    assert_says(b, "03", "03");
    assert_says(b, "12", "A2");
    assert_says(b, "03", "03");
    assert_int_equal(b->executed, 0);
    free(b);
}

static void too_long_a_command_is_not_acknowledged(void **state)
{
    struct bench *b = activated("E050");
    (void)state;
    b->card.command.cap = 4;
    assert_says(b, "12010203", "A2");
    assert_says(b, "030405", "");
    assert_says(b, "B3", "A2"); /* it did not come */
    assert_int_equal(b->executed, 0);
    assert_says(b, "C2", "C2");
    free(b);
}

static void a_cid_is_in_the_answer_when_it_was_in_the_block(void **state)
{
    struct bench *b = activated("E053");
    (void)state;
    assert_says(b, "0A030100", "0A0302");
    assert_says(b, "BA03", "0A0302");
    assert_says(b, "BB03", "AA03"); /* R(NAK), the other number */
    assert_says(b, "B2", "");
    assert_says(b, "BA04", "");
    assert_says(b, "030100", ""); /* without: another card's */
    assert_says(b, "0B040100", "");
    assert_says(b, "0B030100", "0B0302");
    assert_says(b, "CA03", "CA03");
    assert_int_equal(b->executed, 2);
    free(b);

    b = activated("E050"); /* CID 0: with and without */
    assert_says(b, "0A000100", "0A0002");
    assert_says(b, "030100", "0302");
    free(b);

    b = selected("0675778100 80"); /* no CID */
    assert_says(b, "E055", "067577810080");
    assert_says(b, "0A050100", "");
    assert_says(b, "020100", "0202");
    free(b);
}

static void only_one_rats_is_answered_and_cid_15_is_none(void **state)
{
    struct bench *b = selected(ATS);
    (void)state;
    assert_says(b, "E05F", "");
    assert_int_equal(b->card.a.state, SCRIP_PICC_IDLE);
    assert_status(scrip_pcd_wake(&b->air, &b->target), SCRIP_OK);
    assert_says(b, "E080", ATS);
    assert_says(b, "E080", "");
    free(b);
}

static void other_frames_before_rats_send_the_card_back(void **state)
{
    static const char *const cases[] = {"020100", "C2", "E05000", "E0", "6000", "D01100"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench *b = selected(ATS);
        assert_says(b, cases[i], "");
        assert_says(b, "E050", "");
        assert_int_equal(b->card.a.state, SCRIP_PICC_IDLE);
        free(b);
    }
    struct bench *b = selected(ATS);
    assert_says(b, "5000", "");
    assert_int_equal(b->card.a.state, SCRIP_PICC_HALT);
    free(b);
}

static void an_ats_is_never_longer_than_fsd(void **state)
{
    struct bench *b = selected("14757781028001020304050607 08090A0B0C0D0E");
    (void)state;
    assert_says(b, "E000", "0E757781028001020304050607 08");
    free(b);
}

static void deselect_halts_and_forgets(void **state)
{
    struct bench *b = activated("E050");
    struct scrip_target again;
    (void)state;
    assert_says(b, "020100", "0202");
    assert_says(b, "C2", "C2");
    assert_int_equal(b->deselected, 1);
    assert_says(b, "030100", "");
    assert_status(scrip_pcd_find(&b->air, false, &again), SCRIP_E_NO_CARD);
    assert_ok(scrip_pcd_find(&b->air, true, &again));
    assert_says(b, "E050", ATS);
    assert_says(b, "020100", "0202");
    assert_int_equal(b->powered, 1);
    free(b);
}

static void an_active_card_does_not_hear_short_frames(void **state)
{
    struct bench *b = activated("E050");
    uint8_t atqa[2];
    (void)state;
    assert_status(scrip_pcd_request(&b->air, true, atqa), SCRIP_E_NO_CARD);
    assert_says(b, "9320", "");
    assert_says(b, "5000", "");
    assert_says(b, "020100", "0202");
    free(b);
}

/* FWI 8: 77.3 ms. */
static void work_beyond_the_waiting_time_is_announced(void **state)
{
    struct bench *b = activated("E050");
    (void)state;
    b->busy_us = 77000;
    assert_says(b, "020100", "0202");
    b->busy_us = 100000;
    assert_says(b, "030100", "F201");
    assert_says(b, "B3", "F201"); /* again, for the reader's number */
    assert_says(b, "030100", ""); /* nothing else meanwhile */
    assert_says(b, "F202", "");   /* not what was asked for */
    assert_says(b, "B2", "A3");
    assert_says(b, "F201", "0302");
    assert_says(b, "F201", ""); /* it was granted already */
    assert_int_equal(b->executed, 2);
    b->busy_us = 400000;
    assert_says(b, "020100", "F205");
    free(b);
}

static void pps_changes_the_rates_behind_its_answer(void **state)
{
    struct bench *b = activated("E050");
    struct scrip_frame tx;
    struct scrip_frame rx;
    static const uint8_t block[] = {0x02, 0x01, 0x00};
    (void)state;
    assert_says(b, "D1110F", ""); /* another CID */
    assert_says(b, "D0111F", ""); /* more than rates */
    assert_says(b, "D011", "");
    assert_says(b, "D0010F", "");
    assert_says(b, "D0110B", "D0"); /* DSI 424, DRI 848 */
    assert_says(b, "020100", "");   /* at 106 no more */
    assert_ok(scrip_frame_bytes_crc(&tx, SCRIP_BYTES_OF(block)));
    tx.rate = SCRIP_RATE_848;
    assert_ok(scrip_field_exchange(&b->field, &tx, &rx, 100000));
    assert_int_equal(rx.rate, SCRIP_RATE_424);
    assert_hex(scrip_bytes(rx.data, 2), "0202");
    free(b);

    b = activated("E050");
    assert_says(b, "D001", "D0"); /* no rates: as it is */
    assert_says(b, "D0110F", ""); /* once */
    assert_says(b, "020100", "0202");
    free(b);

    b = activated("E050");
    assert_says(b, "B2", "A3");
    assert_says(b, "D0110F", ""); /* only directly after the ATS */
    free(b);
}

static void a_card_that_loses_power_is_silent_until_it_comes_back(void **state)
{
    static const uint8_t block[] = {0x02, 0x01, 0x00};
    struct bench *b = activated("E050");
    struct scrip_frame tx;
    struct scrip_frame rx;
    (void)state;
    b->fails = SCRIP_E_NV;
    assert_ok(scrip_frame_bytes_crc(&tx, SCRIP_BYTES_OF(block)));
    assert_status(scrip_field_exchange(&b->field, &tx, &rx, 100000), SCRIP_E_NV);
    b->fails = SCRIP_OK;
    assert_says(b, "B2", "");
    assert_status(scrip_pcd_find(&b->air, true, &b->target), SCRIP_E_NO_CARD);
    assert_ok(scrip_field_power(&b->field, false));
    assert_ok(scrip_field_power(&b->field, true));
    assert_ok(scrip_pcd_find(&b->air, true, &b->target));
    assert_says(b, "E050", ATS);
    free(b);
}

static void a_card_without_an_ats_does_not_start(void **state)
{
    static const char *const cases[] = {"00", "22757781028000", "0475777777", "0270"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench *b = bench_new(ATS);
        b->ats = cases[i];
        assert_ok(scrip_field_power(&b->field, false));
        assert_status(scrip_field_power(&b->field, true), SCRIP_E_CORRUPT);
        assert_status(scrip_pcd_find(&b->air, true, &b->target), SCRIP_E_NO_CARD);
        free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_answer_to_i0_is_i0),
        cmocka_unit_test(what_is_no_block_of_its_own_is_met_with_silence),
        cmocka_unit_test(damage_is_met_with_silence_and_changes_nothing),
        cmocka_unit_test(a_frame_longer_than_fsc_is_no_block),
        cmocka_unit_test(the_last_block_is_repeated_for_its_own_number),
        cmocka_unit_test(a_chained_command_is_acknowledged_piece_by_piece),
        cmocka_unit_test(a_response_comes_in_pieces_of_fsd),
        cmocka_unit_test(an_empty_block_asks_for_presence_alone),
        cmocka_unit_test(too_long_a_command_is_not_acknowledged),
        cmocka_unit_test(a_cid_is_in_the_answer_when_it_was_in_the_block),
        cmocka_unit_test(only_one_rats_is_answered_and_cid_15_is_none),
        cmocka_unit_test(other_frames_before_rats_send_the_card_back),
        cmocka_unit_test(an_ats_is_never_longer_than_fsd),
        cmocka_unit_test(deselect_halts_and_forgets),
        cmocka_unit_test(an_active_card_does_not_hear_short_frames),
        cmocka_unit_test(work_beyond_the_waiting_time_is_announced),
        cmocka_unit_test(pps_changes_the_rates_behind_its_answer),
        cmocka_unit_test(a_card_that_loses_power_is_silent_until_it_comes_back),
        cmocka_unit_test(a_card_without_an_ats_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
