#include "bench.h"

#define WRONG    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
#define DES_ZERO "0000000000000000"

static void every_messaging_opens_a_session(void **state)
{
    struct bench *b = *state;
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_D40, 0, DES_ZERO), DF_OK);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, DES_ZERO), DF_OK);
    assert_df(ask(b, CMD_GET_CARD_UID, ""), DF_OK);
    assert_data(b, "045B2C8A916E80");
    given_app(b, 0x0F, 2);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV1, 1, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_GET_CARD_UID, ""), DF_OK);
    assert_data(b, "045B2C8A916E80");
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_GET_CARD_UID, ""), DF_OK);
    assert_data(b, "045B2C8A916E80");
    assert_df(authenticate_again(b, 0, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_GET_CARD_UID, ""), DF_OK);
    assert_data(b, "045B2C8A916E80");
}

static void codes_must_fit_the_key(void **state)
{
    struct bench *b = *state;
    assert_df(frame(b, "AA 00"), DF_AUTHENTICATION_ERROR); /* the PICC key is DES */
    assert_df(frame(b, "71 00 00"), DF_AUTHENTICATION_ERROR);
    assert_df(frame(b, "0A 01"), DF_NO_SUCH_KEY);
    assert_df(frame(b, "0A 10"), DF_AUTHENTICATION_ERROR); /* DAM keys are AES */
    assert_df(frame(b, "77 10"), DF_AUTHENTICATION_ERROR); /* no session to go on with */
    given_app(b, 0x0F, 2);
    assert_df(frame(b, "0A 00"), DF_AUTHENTICATION_ERROR);
    assert_df(frame(b, "1A 00"), DF_AUTHENTICATION_ERROR);
    assert_df(frame(b, "AA 02"), DF_NO_SUCH_KEY);
    assert_df(frame(b, "71 00"), DF_LENGTH_ERROR);
    assert_df(frame(b, "71 00 01"), DF_LENGTH_ERROR);
    assert_df(frame(b, "71 00 07 00000000000000"), DF_LENGTH_ERROR);
    assert_df(frame(b, "AA 00 00"), DF_LENGTH_ERROR);
    login(b, 0);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV1, 0, ZERO_KEY), DF_OK);
    assert_df(frame(b, "77 00"), DF_AUTHENTICATION_ERROR); /* EV1 has no NonFirst */
}

static void nothing_but_af_may_come_in_between(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 2);
    assert_df(frame(b, "71 00 00"), DF_ADDITIONAL_FRAME);
    assert_df(frame(b, "60"), DF_COMMAND_ABORTED);
    assert_df(frame(b, "AF" ZERO_KEY ZERO_KEY), DF_ILLEGAL_COMMAND);
    assert_df(frame(b, "71 00 00"), DF_ADDITIONAL_FRAME);
    assert_df(frame(b, "AF 00"), DF_LENGTH_ERROR);
    assert_df(frame(b, "71 00 00"), DF_ADDITIONAL_FRAME);
    assert_df(frame(b, "AF" ZERO_KEY ZERO_KEY), DF_AUTHENTICATION_ERROR);
    assert_df(frame(b, "71 00 00"), DF_ADDITIONAL_FRAME);
    assert_int_equal(apdu(b, "00A4000C023F00"), SCRIP_SW_CONDITIONS);
    assert_df(frame(b, "AF" ZERO_KEY ZERO_KEY), DF_ILLEGAL_COMMAND);
}

static void a_failed_attempt_ends_what_was(void **state)
{
    struct bench *b = *state;
    given_session(b);
    given_value_file(b, 3, 0, 100, 50);
    assert_df(do_credit(b, 3, 5), DF_OK);
    assert_df(authenticate_again(b, 1, WRONG), DF_AUTHENTICATION_ERROR);
    login(b, 0);
    assert_df(do_commit(b), DF_NO_CHANGES);
    assert_df(do_credit(b, 3, 5), DF_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 0, WRONG), DF_AUTHENTICATION_ERROR);
    login(b, 0);
    assert_df(do_commit(b), DF_NO_CHANGES);
}

static void nonfirst_keeps_the_transaction(void **state)
{
    struct bench *b = *state;
    given_purse(b, false);
    login(b, 3);
    assert_df(do_credit(b, 3, 100), DF_OK);
    assert_df(authenticate_again(b, 1, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_WRITE_RECORD, "02 000000 040000 11223344"), DF_OK); /* key 1 only */
    assert_df(do_commit(b), DF_OK);
    assert_int_equal(value_of(b, 3), 1334);
}

/* What genuine cards do at a new first authentication is not known: both. */
static void a_new_first_authentication_drops_or_keeps_what_is_pending(void **state)
{
    struct bench *b = *state;
    given_purse(b, false);
    for (int keep = 0; keep < 2; keep++) {
        for (int sm = SCRIP_DESFIRE_SM_EV1; sm <= SCRIP_DESFIRE_SM_EV2; sm++) {
            b->options.keep_pending_on_auth = keep;
            power_cycle(b);
            assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
            login(b, 3);
            const int32_t before = value_of(b, 3);
            assert_df(do_credit(b, 3, 7), DF_OK);
            assert_df(authenticate(b, (enum scrip_desfire_sm)sm, 3, ZERO_KEY), DF_OK);
            assert_df(do_commit(b), keep ? DF_OK : DF_NO_CHANGES);
            login(b, 3);
            assert_int_equal(value_of(b, 3), before + (keep ? 7 : 0));
        }
    }
}

/* A record write and an abort answer 00 on every card and leave nothing pending [rule of the server's batches]. */
static void write_and_abort_leave_nothing_on_any_card(void **state)
{
    struct bench *b = *state;
    given_purse(b, false);
    for (int option = 0; option < 4; option++) {
        b->options.keep_pending_on_auth = option & 1;
        b->options.end_session_on_0c = option >> 1;
        power_cycle(b);
        assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
        login(b, 3);
        assert_df(do_credit(b, 3, 7), DF_OK); /* somebody's forgotten credit */
        login(b, 3);
        assert_df(ask(b, CMD_WRITE_RECORD, "04 000000 010000 00"), DF_OK);
        assert_df(do_abort(b), DF_OK);
        assert_df(do_credit(b, 3, 1), DF_OK);
        assert_df(do_commit(b), DF_OK);
        assert_int_equal(value_of(b, 3), 1235 + option);
    }
}

static void status_0c_ends_the_session_if_configured(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(do_commit(b), DF_NO_CHANGES);
    assert_df(ask(b, CMD_GET_CARD_UID, ""), DF_OK); /* goes on */
    b->options.end_session_on_0c = true;
    power_cycle(b);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    login(b, 0);
    assert_df(do_commit(b), DF_NO_CHANGES);
    assert_df(frame(b, "51"), DF_AUTHENTICATION_ERROR);
}

static void the_transaction_timer_aborts(void **state)
{
    struct bench *b = *state;
    b->options.transaction_timer_ms = 500;
    power_cycle(b);
    given_session(b);
    given_value_file(b, 3, 0, 100, 50);
    assert_df(do_credit(b, 3, 5), DF_OK);
    b->clock_fake.now_ms += 500;
    assert_df(do_credit(b, 3, 5), DF_OK); /* just in time */
    b->clock_fake.now_ms += 1;
    assert_df(frame(b, "C7 0102030405060708"), DF_LENGTH_ERROR); /* no session any more, so no MAC */
    scrip_desfire_sm_end(&b->session);
    login(b, 0);
    assert_int_equal(value_of(b, 3), 50);
}

static void failures_block_a_key(void **state)
{
    struct bench *b = *state;
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, DES_ZERO), DF_OK);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "0A 01 0300 0100"), DF_OK); /* three, one forgiven by a success */
    given_app(b, 0x0F, 2);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, WRONG), DF_AUTHENTICATION_ERROR);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV1, 1, WRONG), DF_AUTHENTICATION_ERROR);
    login(b, 1);
    power_cycle(b);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, WRONG), DF_AUTHENTICATION_ERROR);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, WRONG), DF_AUTHENTICATION_ERROR);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, ZERO_KEY), DF_AUTHENTICATION_DELAY);
    login(b, 0); /* the other keys are not concerned */
    assert_df(change_key(b, 1, "00112233445566778899AABBCCDDEEFF", 1, ZERO_KEY), DF_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, "00112233445566778899AABBCCDDEEFF"), DF_OK);
}

static void messaging_can_be_switched_off(void **state)
{
    struct bench *b = *state;
    const struct scrip_desfire_key aes = {.cipher = SCRIP_AES128};
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, DES_ZERO), DF_OK);
    assert_df(change_key_to(b, CMD_CHANGE_KEY, "80", &aes, NULL), DF_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 0, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_CREATE_APPLICATION, "112233 0F 01"), DF_OK);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "04 03 00"), DF_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV1, 0, ZERO_KEY), DF_PERMISSION_DENIED);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "112233"), DF_OK);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_D40, 0, DES_ZERO), DF_PERMISSION_DENIED);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, DES_ZERO), DF_PERMISSION_DENIED);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 0, ZERO_KEY), DF_OK);
}

static void the_command_counter_ends(void **state)
{
    struct bench *b = *state;
    given_session(b);
    b->session.cmd_ctr = b->card.session.cmd_ctr = 0xFFFE;
    assert_df(ask(b, CMD_GET_CARD_UID, ""), DF_OK);
    assert_int_equal(b->card.session.cmd_ctr, 0xFFFF);
    assert_df(frame(b, "51 0000000000000000"), DF_INTEGRITY_ERROR);
    assert_int_equal(b->card.session.sm, SCRIP_DESFIRE_SM_NONE);
}

/* ---- status order, on the wire ---- */

static void the_checks_come_in_their_order(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(frame(b, "C7"), DF_LENGTH_ERROR); /* a MAC is due: too short for it [a genuine EV3] */
    login(b, 0);
    assert_df(frame(b, "99"), DF_ILLEGAL_COMMAND);
    login(b, 0);
    assert_df(frame(b, "CA 112233 0F 81"), DF_PERMISSION_DENIED); /* level before MAC */
    login(b, 0);
    assert_df(frame(b, "F5 03 0000000000000000"), DF_INTEGRITY_ERROR); /* MAC before existence */
    login(b, 0);
    assert_df(frame(b, "F5"), DF_LENGTH_ERROR);
    assert_df(frame(b, "A7 0102030405060708"), DF_LENGTH_ERROR); /* a MAC without a session */
    assert_df(frame(b, "AF"), DF_ILLEGAL_COMMAND);
    assert_df(frame(b, "54 0F"), DF_AUTHENTICATION_ERROR); /* Full needs a session */
    assert_df(frame(b, "BD 09"), DF_LENGTH_ERROR);         /* length before existence */
}

/* ---- ISO 7816-4 ---- */

static void iso_handshake(struct bench *b, enum scrip_cipher cipher, const char *p1, uint8_t p2, const char *key_hex)
{
    const size_t block_len = scrip_cipher_block_len(cipher);
    const size_t len = cipher == SCRIP_3K3DES || cipher == SCRIP_AES128 ? 16 : 8;
    struct scrip_desfire_key key = {.cipher = (uint8_t)cipher};
    struct scrip_block block;
    uint8_t iv[16] = {0};
    uint8_t rnda[16];
    uint8_t plain[32];
    uint8_t bytes[64];
    struct scrip_buf command = SCRIP_BUF_OF(bytes);
    struct scrip_buf rsp = SCRIP_BUF_OF(b->data);
    uint8_t alg;

    (void)from_hex(key_hex, key.bytes, sizeof key.bytes);
    (void)from_hex(p1, &alg, 1);
    memset(rnda, 0xA5, sizeof rnda);
    assert_ok(scrip_apdu_add(&command, 0x00, 0x84, 0, 0, scrip_bytes(NULL, 0), (uint32_t)len));
    assert_ok(scrip_desfire_card_apdu(&b->card, scrip_buf_bytes(&command), &rsp));
    assert_int_equal(rsp.len, len + 2);
    memcpy(plain, rnda, len);
    memcpy(plain + len, b->data, len);
    scrip_block_init(&block, cipher, key.bytes);
    scrip_cbc_encrypt(&block, iv, 2 * len / block_len, plain, plain);
    command.len = rsp.len = 0;
    assert_ok(scrip_apdu_add(&command, 0x00, 0x82, alg, p2, scrip_bytes(plain, 2 * len), 0));
    assert_ok(scrip_desfire_card_apdu(&b->card, scrip_buf_bytes(&command), &rsp));
    assert_hex(scrip_buf_bytes(&rsp), "9000");
    const uint8_t challenge[16] = {9, 8, 7};
    command.len = rsp.len = 0;
    assert_ok(scrip_apdu_add(&command, 0x00, 0x88, alg, p2, scrip_bytes(challenge, len), (uint32_t)(2 * len)));
    assert_ok(scrip_desfire_card_apdu(&b->card, scrip_buf_bytes(&command), &rsp));
    assert_int_equal(rsp.len, 2 * len + 2);
    scrip_cbc_decrypt(&block, iv, 2 * len / block_len, plain, b->data);
    assert_memory_equal(plain + len, challenge, len);
    scrip_desfire_sm_begin_ev1(&b->session, p2 & 0x1F, &key, rnda, plain);
}

static void iso_authentication_opens_an_ev1_session(void **state)
{
    struct bench *b = *state;
    iso_handshake(b, SCRIP_DES, "02", 0x00, DES_ZERO);
    assert_df(ask(b, CMD_GET_CARD_UID, ""), DF_OK);
    assert_data(b, "045B2C8A916E80");
    given_app(b, 0x0F, 3);
    iso_handshake(b, SCRIP_AES128, "09", 0x82, ZERO_KEY);
    assert_df(ask(b, CMD_GET_CARD_UID, ""), DF_OK);
    assert_int_equal(b->card.session.key_no, 2);
    iso_handshake(b, SCRIP_AES128, "00", 0x80, ZERO_KEY);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 00 0000 010000"), DF_OK);
}

static void iso_authentication_refuses(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 2);
    assert_int_equal(apdu(b, "0082098020" ZERO_KEY ZERO_KEY), SCRIP_SW_CONDITIONS); /* no challenge given */
    assert_int_equal(apdu(b, "0084000004"), SCRIP_SW_LENGTH);
    assert_int_equal(apdu(b, "0084000010"), SCRIP_SW_OK);
    assert_int_equal(apdu(b, "0082098020" ZERO_KEY ZERO_KEY), SCRIP_SW_SECURITY); /* wrong cryptogram */
    assert_int_equal(apdu(b, "0084000010"), SCRIP_SW_OK);
    assert_int_equal(apdu(b, "0082098520" ZERO_KEY ZERO_KEY), SCRIP_SW_REFERENCE); /* no such key */
    assert_int_equal(apdu(b, "0084000010"), SCRIP_SW_OK);
    assert_int_equal(apdu(b, "0082028020" ZERO_KEY ZERO_KEY), SCRIP_SW_CONDITIONS); /* an AES key */
    assert_int_equal(apdu(b, "0084000010"), SCRIP_SW_OK);
    assert_int_equal(apdu(b, "0082098010" ZERO_KEY), SCRIP_SW_LENGTH);
    assert_int_equal(apdu(b, "0084000010"), SCRIP_SW_OK);
    assert_df(frame(b, "45"), DF_OK); /* another command: the challenge is stale */
    assert_int_equal(apdu(b, "0082098020" ZERO_KEY ZERO_KEY), SCRIP_SW_CONDITIONS);
    assert_int_equal(apdu(b, "0088098010" ZERO_KEY "00"), SCRIP_SW_CONDITIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EV3_TEST(every_messaging_opens_a_session),
        EV2_TEST(codes_must_fit_the_key),
        EV3_TEST(nothing_but_af_may_come_in_between),
        EV3_TEST(a_failed_attempt_ends_what_was),
        EV2_TEST(nonfirst_keeps_the_transaction),
        EV3_TEST(a_new_first_authentication_drops_or_keeps_what_is_pending),
        EV3_TEST(write_and_abort_leave_nothing_on_any_card),
        EV3_TEST(status_0c_ends_the_session_if_configured),
        EV3_TEST(the_transaction_timer_aborts),
        EV3_TEST(failures_block_a_key),
        EV3_TEST(messaging_can_be_switched_off),
        EV3_TEST(the_command_counter_ends),
        EV3_TEST(the_checks_come_in_their_order),
        EV3_TEST(iso_authentication_opens_an_ev1_session),
        EV3_TEST(iso_authentication_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
