/* The host issuing commands before it has seen any response. */
#include "bench.h"

static const uint8_t FILE_NO[1] = {0x03};
static const uint8_t AMOUNT[4] = {0xD0, 0x07, 0x00, 0x00};
static const uint8_t BALANCE[4] = {0xA2, 0x0C, 0x00, 0x00};

static const struct scrip_desfire_protection WRITE = {.comm = SCRIP_DESFIRE_FULL, .file_data = true};
static const struct scrip_desfire_protection PLAIN_COMMAND = {.comm = SCRIP_DESFIRE_MAC};
static const struct scrip_desfire_protection READ = {.comm = SCRIP_DESFIRE_FULL, .file_data = true, .data_back = true};
static const struct scrip_desfire_protection READ_KNOWN = {
    .comm = SCRIP_DESFIRE_FULL, .file_data = true, .data_back = true, .back_len = 4};

/* One command of a batch. */
struct issued {
    const struct scrip_desfire_protection *protection;
    uint8_t cmd;
    struct scrip_bytes header;
    struct scrip_bytes data;
    struct scrip_bytes answer;
    struct scrip_desfire_expect expect;
    uint8_t wire[64];
    size_t wire_len;
};

static struct issued get_value(const struct scrip_desfire_protection *protection)
{
    return (struct issued){
        .protection = protection, .cmd = 0x6C, .header = SCRIP_BYTES_OF(FILE_NO), .answer = SCRIP_BYTES_OF(BALANCE)};
}

static struct issued credit(void)
{
    return (struct issued){
        .protection = &WRITE, .cmd = 0x0C, .header = SCRIP_BYTES_OF(FILE_NO), .data = SCRIP_BYTES_OF(AMOUNT)};
}

static struct issued commit(void)
{
    return (struct issued){.protection = &PLAIN_COMMAND, .cmd = 0xC7};
}

static enum scrip_status issue(struct bench *b, struct issued *x)
{
    struct scrip_buf out = SCRIP_BUF_OF(x->wire);
    const enum scrip_status status =
        scrip_desfire_sm_wrap_command(&b->host, x->protection, x->cmd, x->header, x->data, &out, &x->expect);
    x->wire_len = out.len;
    return status;
}

/* Through stored bytes, as a server without memory keeps it. */
static void store_and_load(struct scrip_desfire_expect *expect)
{
    uint8_t bytes[SCRIP_DESFIRE_EXPECT_SAVED_MAX];
    struct scrip_buf saved = SCRIP_BUF_OF(bytes);
    assert_ok(scrip_desfire_expect_save(expect, &saved));
    memset(expect, 0xEE, sizeof *expect);
    struct scrip_bytes in = scrip_buf_bytes(&saved);
    assert_ok(scrip_desfire_expect_load(expect, &in));
    assert_int_equal(in.len, 0);
}

/* The card takes the command now, the host its response. */
static void complete(struct bench *b, struct issued *x)
{
    uint8_t reply[64];
    struct scrip_buf out = SCRIP_BUF_OF(reply);
    b->plain.len = 0;
    assert_ok(scrip_desfire_sm_open_command(&b->card, x->protection, x->cmd, scrip_bytes(x->wire, x->wire_len),
                                            x->header.len, SIZE_MAX, &b->plain));
    assert_int_equal(b->plain.len, x->data.len);
    assert_ok(scrip_desfire_sm_wrap_response(&b->card, x->protection, 0, x->answer, &out));
    store_and_load(&x->expect);
    b->plain.len = 0;
    assert_ok(scrip_desfire_sm_open_response(&b->host, &x->expect, 0, scrip_buf_bytes(&out), &b->plain));
    assert_int_equal(b->plain.len, x->answer.len);
    assert_memory_equal(b->plain.at, x->answer.at, x->answer.len);
}

static void run(struct bench *b, struct issued *batch, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_ok(issue(b, &batch[i]));
    }
    for (size_t i = 0; i < count; i++) {
        complete(b, &batch[i]);
    }
}

static void ev2_issues_anything_ahead(void **state)
{
    struct issued batch[] = {get_value(&READ), credit(), get_value(&READ), credit(), commit()};
    struct bench b = {0};
    (void)state;
    authenticate(&b, &(struct variant){SCRIP_DESFIRE_SM_EV2, SCRIP_AES128, ""}, true);
    run(&b, batch, sizeof batch / sizeof *batch);
}

static void ev1_predicts_responses_without_data(void **state)
{
    (void)state;
    for (enum scrip_cipher cipher = SCRIP_DES; cipher <= SCRIP_AES128; cipher++) {
        struct issued batch[] = {credit(), credit(), commit(), get_value(&READ), commit(), get_value(&READ)};
        struct bench b = {0};
        authenticate(&b, &(struct variant){SCRIP_DESFIRE_SM_EV1, cipher, ""}, true);
        run(&b, batch, sizeof batch / sizeof *batch);
        struct issued after[] = {credit()};
        run(&b, after, 1); /* the chain is known again */
    }
}

static void ev1_waits_where_the_chain_is_unknown(void **state)
{
    struct issued read = get_value(&READ);
    struct issued write = credit();
    struct issued plain = commit();
    struct bench b = {0};
    (void)state;
    authenticate(&b, &(struct variant){SCRIP_DESFIRE_SM_EV1, SCRIP_AES128, ""}, true);
    assert_ok(issue(&b, &read));
    assert_status(issue(&b, &write), SCRIP_E_WAIT);
    assert_int_equal(write.wire_len, 0);
    assert_ok(issue(&b, &plain)); /* its bytes do not depend on the chain */
    assert_status(issue(&b, &write), SCRIP_E_WAIT);
    complete(&b, &read);
    assert_status(issue(&b, &write), SCRIP_E_WAIT); /* the deferred command's response is still out */
    complete(&b, &plain);
    assert_ok(issue(&b, &write));
    complete(&b, &write);
}

static void ev1_defers_no_more_than_it_can_keep(void **state)
{
    uint8_t data[20] = {0};
    struct issued read = get_value(&READ);
    struct issued plain_write = {.protection = &(const struct scrip_desfire_protection){.file_data = true},
                                 .cmd = 0x3D,
                                 .data = SCRIP_BYTES_OF(data)};
    struct bench b = {0};
    (void)state;
    authenticate(&b, &(struct variant){SCRIP_DESFIRE_SM_EV1, SCRIP_AES128, ""}, true);
    assert_ok(issue(&b, &read));
    assert_status(issue(&b, &plain_write), SCRIP_E_WAIT); /* command byte and 20 of data: one too many */
    plain_write.data.len = 19;
    assert_ok(issue(&b, &plain_write));
    complete(&b, &read);
    complete(&b, &plain_write);
}

static void lrp_runs_ahead_when_lengths_are_known(void **state)
{
    struct issued batch[] = {get_value(&READ_KNOWN), credit(), get_value(&READ_KNOWN), credit(), commit()};
    struct bench b = {0};
    (void)state;
    authenticate(&b, &(struct variant){SCRIP_DESFIRE_SM_LRP, SCRIP_AES128, ""}, true);
    run(&b, batch, sizeof batch / sizeof *batch);
    assert_int_equal(b.host.enc_ctr, b.card.enc_ctr);
}

static void lrp_waits_when_a_length_is_not_known(void **state)
{
    struct issued read = get_value(&READ);
    struct issued again = get_value(&READ_KNOWN);
    struct issued write = credit();
    struct bench b = {0};
    (void)state;
    authenticate(&b, &(struct variant){SCRIP_DESFIRE_SM_LRP, SCRIP_AES128, ""}, true);
    assert_ok(issue(&b, &read));
    assert_status(issue(&b, &write), SCRIP_E_WAIT);
    assert_ok(issue(&b, &again));
    complete(&b, &read);
    complete(&b, &again);
    assert_ok(issue(&b, &write));
    complete(&b, &write);
    assert_int_equal(b.host.enc_ctr, b.card.enc_ctr);
}

static void a_response_of_another_command_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        struct issued first = credit();
        struct issued second = credit();
        struct bench b = {0};
        uint8_t reply[64];
        struct scrip_buf out = SCRIP_BUF_OF(reply);
        if (VARIANTS[i].sm == SCRIP_DESFIRE_SM_D40) {
            continue; /* nothing binds its responses to commands */
        }
        authenticate(&b, &VARIANTS[i], true);
        assert_ok(issue(&b, &first));
        assert_ok(issue(&b, &second));
        assert_ok(scrip_desfire_sm_open_command(&b.card, first.protection, first.cmd,
                                                scrip_bytes(first.wire, first.wire_len), 1, SIZE_MAX, &b.plain));
        assert_ok(scrip_desfire_sm_wrap_response(&b.card, first.protection, 0, first.answer, &out));
        assert_status(scrip_desfire_sm_open_response(&b.host, &second.expect, 0, scrip_buf_bytes(&out), &b.plain),
                      SCRIP_E_MAC);
    }
}

static void a_full_buffer_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        struct bench b = {0};
        uint8_t before[SCRIP_DESFIRE_SESSION_SAVED];
        uint8_t after[SCRIP_DESFIRE_SESSION_SAVED];
        struct scrip_buf saved = SCRIP_BUF_OF(before);
        struct scrip_desfire_expect expect;
        authenticate(&b, &VARIANTS[i], true);
        assert_ok(scrip_desfire_sm_save(&b.host, &saved));
        for (size_t room = 0; room < 9; room++) {
            uint8_t small[9];
            struct scrip_buf out = scrip_buf(small, room < 8 ? room : 8);
            assert_status(scrip_desfire_sm_wrap_command(&b.host, &WRITE, 0x0C, SCRIP_BYTES_OF(FILE_NO),
                                                        SCRIP_BYTES_OF(AMOUNT), &out, &expect),
                          SCRIP_E_SPACE);
            assert_int_equal(out.len, 0);
        }
        saved = SCRIP_BUF_OF(after);
        assert_ok(scrip_desfire_sm_save(&b.host, &saved));
        assert_memory_equal(before, after, sizeof before);
    }
}

static void a_damaged_expect_is_not_loaded(void **state)
{
    static const struct {
        uint8_t bytes[8];
        size_t len;
        enum scrip_status status;
    } rows[] = {
        {{0x50, 0, 0, 0, 0, 0}, 6, SCRIP_E_FORMAT},    /* no such messaging */
        {{0x34, 0, 0, 0, 0, 0}, 6, SCRIP_E_FORMAT},    /* no such mode */
        {{0x33, 0x80, 0, 0, 0, 0}, 6, SCRIP_E_FORMAT}, /* no such flag */
        {{0x33, 0, 0, 0, 0}, 5, SCRIP_E_LENGTH},       /* half a counter */
        {{0x21, 0, 0, 0, 21}, 5, SCRIP_E_FORMAT},      /* more deferred than there is room for */
        {{0x21, 0, 0, 0, 3, 1, 2}, 7, SCRIP_E_LENGTH}, /* less deferred than said */
        {{0x21, 64, 0, 0, 1, 2}, 6, SCRIP_E_LENGTH},   /* half a MAC */
        {{0x21, 0, 0}, 3, SCRIP_E_LENGTH},
    };
    struct scrip_desfire_expect expect;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scrip_bytes in = scrip_bytes(rows[i].bytes, rows[i].len);
        assert_status(scrip_desfire_expect_load(&expect, &in), rows[i].status);
        assert_int_equal(in.len, rows[i].len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ev2_issues_anything_ahead),
        cmocka_unit_test(ev1_predicts_responses_without_data),
        cmocka_unit_test(ev1_waits_where_the_chain_is_unknown),
        cmocka_unit_test(ev1_defers_no_more_than_it_can_keep),
        cmocka_unit_test(lrp_runs_ahead_when_lengths_are_known),
        cmocka_unit_test(lrp_waits_when_a_length_is_not_known),
        cmocka_unit_test(a_response_of_another_command_is_refused),
        cmocka_unit_test(a_full_buffer_changes_nothing),
        cmocka_unit_test(a_damaged_expect_is_not_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
