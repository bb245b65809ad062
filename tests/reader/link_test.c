#include "check.h"
#include "fake_card.h"
#include <pthread.h>
#include <scrip/capture.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct bench {
    struct fake_card card;
    struct scrip_link *link;
    struct scrip_card_info info;
    uint8_t at[70000];
    struct scrip_buf out;
};

static struct bench *given(void)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    fake_card_init(&b->card);
    assert_ok(scrip_link_to_card(&b->card.card, true, &b->link));
    return b;
}

static struct bench *given_faulty(const struct scrip_link_faults *faults)
{
    struct bench *b = given();
    assert_ok(scrip_link_fault(faults, b->link, &b->link));
    assert_ok(scrip_link_connect(b->link, 0, &b->info));
    return b;
}

static void finish(struct bench *b)
{
    scrip_link_close(b->link);
    assert_true(b->card.closed);
    assert_false(b->card.on);
    free(b);
}

static enum scrip_status sent(struct bench *b, const char *hex)
{
    uint8_t at[300];
    b->out = SCRIP_BUF_OF(b->at);
    return scrip_link_transmit(b->link, scrip_bytes(at, from_hex(hex, at, sizeof at)), &b->out);
}

/* ---- Strings ----------------------------------------------------------------------------------------------------- */

static void strings_that_name_no_link_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        enum scrip_status status;
        const char *says;
    } refused[] = {
        {"", SCRIP_E_ARGUMENT, "names no link"},
        {"usb:0", SCRIP_E_ARGUMENT, "usb:0"},
        {"card", SCRIP_E_ARGUMENT, "names no link"},
        {"card:", SCRIP_E_ARGUMENT, "file name"},
        {"card:a:b", SCRIP_E_ARGUMENT, "colon"},
        {"card:/nonexistent/alice.card", SCRIP_E_IO, "alice.card"},
        {"card:/nonexistent/a::b.card", SCRIP_E_IO, "a:b.card"},
        {"trace:", SCRIP_E_ARGUMENT, "wraps"},
        {"trace:x.pcapng", SCRIP_E_ARGUMENT, "wraps"},
        {"trace:x.pcapng:", SCRIP_E_ARGUMENT, "wraps"},
        {"trace:x.pcapng:what:", SCRIP_E_ARGUMENT, "what:"},
        {"fault:seed=7", SCRIP_E_ARGUMENT, "wraps"},
        {"fault:tear=1:card:x", SCRIP_E_ARGUMENT, "tear=1"},
        {"fault:seed:card:x", SCRIP_E_ARGUMENT, "seed"},
        {"fault:drop=1001:card:x", SCRIP_E_ARGUMENT, "drop=1001"},
        {"fault:drop=-1:card:x", SCRIP_E_ARGUMENT, "drop=-1"},
        {"fault:drop=1x:card:x", SCRIP_E_ARGUMENT, "drop=1x"},
        {"fault:seed=1,,drop=1:card:x", SCRIP_E_ARGUMENT, "no fault"},
        {"tcp:", SCRIP_E_ARGUMENT, "port"},
        {"tcp:127.0.0.1", SCRIP_E_ARGUMENT, "port"},
        {"tcp:127.0.0.1:", SCRIP_E_ARGUMENT, "port"},
        {"tcp:127.0.0.1:1", SCRIP_E_LINK, "nobody"},
        {"pcsc:", SCRIP_E_ARGUMENT, "number"},
        {"fault:seed=1:fault:seed=1:fault:seed=1:fault:seed=1:fault:seed=1:fault:seed=1:fault:seed=1:fault:seed=1:card:"
         "x",
         SCRIP_E_ARGUMENT, "in each other"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char error[SCRIP_LINK_ERROR_MAX] = "";
        struct scrip_link *link = NULL;
        const enum scrip_status status = scrip_link_open(refused[i].spec, NULL, &link, error);
        if (status != refused[i].status || strstr(error, refused[i].says) == NULL) {
            fail_msg("%s: %s, \"%s\"", refused[i].spec, scrip_status_name(status), error);
        }
        assert_null(link);
        assert_status(scrip_link_open(refused[i].spec, NULL, &link, NULL), refused[i].status);
    }
}

/* ---- card: ------------------------------------------------------------------------------------------------------- */

static void a_card_without_power_is_no_card(void **state)
{
    (void)state;
    struct bench *b = given();
    assert_status(sent(b, "9060000000"), SCRIP_E_NO_CARD);
    assert_ok(scrip_link_connect(b->link, 0, &b->info));
    assert_int_equal(b->info.uid_len, 7);
    assert_ok(sent(b, "9060000000"));
    assert_hex(scrip_buf_bytes(&b->out), "60019000");
    assert_ok(scrip_link_connect(b->link, 0, &b->info)); /* off and on */
    assert_int_equal(b->card.powered, 2);
    scrip_link_disconnect(b->link);
    assert_false(b->card.on);
    finish(b);
}

static void a_card_that_loses_power_is_torn(void **state)
{
    (void)state;
    struct bench *b = given();
    b->card.dies_at = 2;
    assert_ok(scrip_link_connect(b->link, 0, &b->info));
    assert_ok(sent(b, "9060000000"));
    assert_status(sent(b, "9060000000"), SCRIP_E_TORN);
    assert_true(strlen(b->link->error) > 10);
    assert_status(sent(b, "9060000000"), SCRIP_E_NO_CARD);
    assert_ok(scrip_link_connect(b->link, 0, &b->info));
    assert_ok(sent(b, "9060000000"));
    finish(b);
}

/* ---- fault: ------------------------------------------------------------------------------------------------------ */

static void cut_after_carries_the_command_out_and_loses_its_answer_once(void **state)
{
    (void)state;
    const struct scrip_link_faults faults = {.cut_after = 2};
    struct bench *b = given_faulty(&faults);
    assert_ok(sent(b, "9060000000"));
    assert_status(sent(b, "9061000000"), SCRIP_E_TORN);
    assert_int_equal(b->card.answered, 2);
    assert_int_equal(b->out.len, 0);
    assert_status(sent(b, "9062000000"), SCRIP_E_NO_CARD);
    assert_int_equal(b->card.answered, 2);
    assert_ok(scrip_link_connect(b->link, 0, &b->info));
    assert_ok(sent(b, "9060000000"));
    assert_ok(sent(b, "9060000000"));
    finish(b);
}

static void lose_after_never_sends_the_next_command_once(void **state)
{
    (void)state;
    const struct scrip_link_faults faults = {.lose_after = 2};
    struct bench *b = given_faulty(&faults);
    assert_ok(sent(b, "9060000000"));
    assert_ok(sent(b, "9060000000"));
    assert_status(sent(b, "9060000000"), SCRIP_E_NO_CARD);
    assert_int_equal(b->card.answered, 2);
    assert_ok(scrip_link_connect(b->link, 0, &b->info));
    assert_ok(sent(b, "9060000000"));
    finish(b);
}

static void chances_repeat_with_their_seed(void **state)
{
    (void)state;
    char story[2][200];
    for (size_t round = 0; round < 2; round++) {
        const struct scrip_link_faults faults = {
            .seed = 7, .drop_permille = 200, .lose_permille = 200, .corrupt_permille = 300};
        struct bench *b = given_faulty(&faults);
        for (size_t i = 0; i < 199; i++) {
            const enum scrip_status status = sent(b, "9060000000");
            const bool whole = status == SCRIP_OK && b->out.len == 4 && b->out.at[0] == 0x60 && b->out.at[2] == 0x90 &&
                               b->out.at[3] == 0 && b->out.at[1] == (uint8_t)b->card.answered;
            story[round][i] = status == SCRIP_E_TORN ? 't' : status == SCRIP_E_NO_CARD ? 'n' : whole ? '.' : 'c';
            if (status != SCRIP_OK) {
                assert_ok(scrip_link_connect(b->link, 0, &b->info));
            }
        }
        story[round][199] = '\0';
        finish(b);
    }
    assert_string_equal(story[0], story[1]);
    assert_non_null(strchr(story[0], 't'));
    assert_non_null(strchr(story[0], 'n'));
    assert_non_null(strchr(story[0], 'c'));
    assert_non_null(strchr(story[0], '.'));
}

/* ---- trace: ------------------------------------------------------------------------------------------------------ */

static void a_trace_holds_what_passed(void **state)
{
    (void)state;
    struct bench *b = given();
    char path[64];
    snprintf(path, sizeof path, "/tmp/scrip-trace-%ld.pcapng", (long)getpid());
    b->card.dies_at = 2;
    assert_ok(scrip_link_trace(path, NULL, b->link, &b->link));
    assert_ok(scrip_link_connect(b->link, 0, &b->info));
    assert_ok(sent(b, "9060000000"));
    assert_status(sent(b, "9061000000"), SCRIP_E_TORN);
    finish(b);

    static const enum scrip_capture_kind kinds[] = {SCRIP_CAPTURE_CARD, SCRIP_CAPTURE_COMMAND, SCRIP_CAPTURE_RESPONSE,
                                                    SCRIP_CAPTURE_COMMAND, SCRIP_CAPTURE_GONE};
    static uint8_t at[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t len = fread(at, 1, sizeof at, file);
    fclose(file);
    unlink(path);
    struct scrip_capture_reader *reader = calloc(1, sizeof *reader);
    struct scrip_capture_entry entry;
    assert_non_null(reader);
    assert_ok(scrip_capture_read(reader, scrip_bytes(at, len)));
    for (size_t i = 0; i < 5; i++) {
        assert_ok(scrip_capture_next(reader, &entry));
        assert_int_equal(entry.kind, kinds[i]);
    }
    assert_status(scrip_capture_next(reader, &entry), SCRIP_E_NOT_FOUND);
    free(reader);
}

/* ---- tcp: -------------------------------------------------------------------------------------------------------- */

struct stage {
    struct bench *card;
    struct scrip_present present;
    volatile sig_atomic_t stop;
    _Atomic uint32_t port;
    _Atomic uint32_t removed;
    pthread_t thread;
};

static void on_event(void *ctx, enum scrip_present_event event, uint32_t number)
{
    struct stage *stage = ctx;
    if (event == SCRIP_PRESENT_LISTENING) {
        stage->port = number;
    }
    stage->removed += event == SCRIP_PRESENT_REMOVED;
}

static void *present(void *ctx)
{
    struct stage *stage = ctx;
    char error[SCRIP_LINK_ERROR_MAX];
    return scrip_present_tcp(stage->card->link, &stage->present, error) == SCRIP_OK ? stage : NULL;
}

static void wait_until(_Atomic uint32_t *value, uint32_t wanted)
{
    for (unsigned i = 0; i < 5000 && *value < wanted; i++) {
        usleep(1000);
    }
    assert_true(*value >= wanted);
}

static void on_stage(struct stage *stage)
{
    stage->card = given();
    stage->present = (struct scrip_present){.stop = &stage->stop, .event = on_event, .ctx = stage};
    assert_int_equal(pthread_create(&stage->thread, NULL, present, stage), 0);
    wait_until(&stage->port, 1);
}

static void off_stage(struct stage *stage)
{
    void *result = NULL;
    stage->stop = 1;
    assert_int_equal(pthread_join(stage->thread, &result), 0);
    assert_ptr_equal(result, stage);
    finish(stage->card);
}

static void a_card_is_used_over_tcp_by_one_after_the_other(void **state)
{
    (void)state;
    struct stage stage = {0};
    on_stage(&stage);
    for (uint32_t visit = 1; visit <= 2; visit++) {
        struct bench b = {0};
        char spec[64];
        char error[SCRIP_LINK_ERROR_MAX];
        snprintf(spec, sizeof spec, "tcp:127.0.0.1:%u", (unsigned)stage.port);
        assert_ok(scrip_link_open(spec, NULL, &b.link, error));
        assert_status(sent(&b, "9060000000"), SCRIP_E_NO_CARD);
        assert_ok(scrip_link_connect(b.link, 100, &b.info));
        assert_hex(scrip_bytes(b.info.ats, b.info.ats_len), "067577810280");
        assert_hex(scrip_bytes(b.info.uid, b.info.uid_len), "04010203040506");
        assert_ok(sent(&b, "9060000000"));
        assert_int_equal(b.out.at[0], 0x60);
        stage.card->card.long_answer = 65000;
        assert_ok(sent(&b, "90EE000000"));
        assert_int_equal(b.out.len, 65002);
        stage.card->card.dies_at = stage.card->card.answered + 1;
        assert_status(sent(&b, "9061000000"), SCRIP_E_TORN);
        assert_status(sent(&b, "9061000000"), SCRIP_E_NO_CARD);
        assert_ok(scrip_link_connect(b.link, 0, &b.info));
        scrip_link_close(b.link);
        wait_until(&stage.removed, visit);
        assert_false(stage.card->card.on); /* who goes away takes the field along */
    }
    off_stage(&stage);
}

static void a_presenter_that_vanishes_in_a_command_tears_it(void **state)
{
    (void)state;
    struct stage stage = {0};
    struct bench b = {0};
    char spec[64];
    on_stage(&stage);
    snprintf(spec, sizeof spec, "tcp:127.0.0.1:%u", (unsigned)stage.port);
    assert_ok(scrip_link_open(spec, NULL, &b.link, NULL));
    assert_ok(scrip_link_connect(b.link, 0, &b.info));
    off_stage(&stage);
    assert_status(sent(&b, "9061000000"), SCRIP_E_TORN);
    assert_status(scrip_link_connect(b.link, 0, &b.info), SCRIP_E_LINK);
    scrip_link_close(b.link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_that_name_no_link_are_refused_with_a_sentence),
        cmocka_unit_test(a_card_without_power_is_no_card),
        cmocka_unit_test(a_card_that_loses_power_is_torn),
        cmocka_unit_test(cut_after_carries_the_command_out_and_loses_its_answer_once),
        cmocka_unit_test(lose_after_never_sends_the_next_command_once),
        cmocka_unit_test(chances_repeat_with_their_seed),
        cmocka_unit_test(a_trace_holds_what_passed),
        cmocka_unit_test(a_card_is_used_over_tcp_by_one_after_the_other),
        cmocka_unit_test(a_presenter_that_vanishes_in_a_command_tears_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
