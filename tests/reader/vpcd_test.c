/* The presenter against a vpcd driver that this file plays. */
#include "check.h"
#include "fake_picc.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <scrip/reader.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct bench {
    struct fake_picc card;
    struct scrip_picc *cards[1];
    struct scrip_present present;
    volatile sig_atomic_t stop;
    int listener;
    int slot;
    pthread_t thread;
    uint8_t at[70000];
};

static void *present(void *ctx)
{
    struct bench *b = ctx;
    char error[SCRIP_LINK_ERROR_MAX];
    return scrip_present_vpcd(b->cards, 1, &b->present, error) == SCRIP_OK ? b : NULL;
}

static void await_insertion(struct bench *b)
{
    const struct timeval limit = {.tv_sec = 5};
    b->slot = accept(b->listener, NULL, NULL);
    assert_true(b->slot >= 0);
    assert_int_equal(setsockopt(b->slot, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
}

static struct bench *given(void)
{
    struct bench *b = calloc(1, sizeof *b);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_non_null(b);
    b->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(b->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(b->listener, 1), 0);
    assert_int_equal(getsockname(b->listener, (struct sockaddr *)&address, &len), 0);
    fake_picc_init(&b->card);
    b->cards[0] = &b->card.air.picc;
    b->present = (struct scrip_present){.port = ntohs(address.sin_port), .stop = &b->stop};
    assert_int_equal(pthread_create(&b->thread, NULL, present, b), 0);
    await_insertion(b);
    return b;
}

static void finish(struct bench *b)
{
    void *result = NULL;
    b->stop = 1;
    assert_int_equal(pthread_join(b->thread, &result), 0);
    assert_ptr_equal(result, b);
    close(b->slot);
    close(b->listener);
    assert_false(b->card.fake.on);
    free(b);
}

static void say(struct bench *b, const char *hex)
{
    const size_t len = from_hex(hex, b->at, sizeof b->at);
    assert_int_equal(send(b->slot, b->at, len, 0), (ssize_t)len);
}

/* The next answer. */
static struct scrip_bytes hear(struct bench *b)
{
    assert_int_equal(recv(b->slot, b->at, 2, MSG_WAITALL), 2);
    const size_t len = scrip_get_be16(b->at);
    assert_int_equal(recv(b->slot, b->at, len, MSG_WAITALL), (ssize_t)len);
    return scrip_bytes(b->at, len);
}

static void the_atr_is_told_at_any_time_and_powers_nothing(void **state)
{
    (void)state;
    struct bench *b = given();
    for (size_t i = 0; i < 3; i++) {
        say(b, "000104");
        assert_hex(hear(b), "3B8180018080");
    }
    assert_int_equal(b->card.fake.powered, 1); /* the first look, before the card was shown */
    finish(b);
}

static void orders_may_come_in_one_piece(void **state)
{
    (void)state;
    struct bench *b = given();
    say(b, "000101 000104 0005 9060000000 000102 000104 0005 9061000000 000100");
    assert_hex(hear(b), "3B8180018080");
    assert_hex(hear(b), "60019000");
    assert_hex(hear(b), "3B8180018080");
    assert_hex(hear(b), "61029000");
    finish(b);
}

static void the_reader_answers_for_itself(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        const char *answer;
    } table[] = {
        {"0005 FFCA000000", "040102030405069000"},
        {"0005 FFCA000007", "040102030405069000"},
        {"0005 FFCA000004", "6C07"},
        {"0005 FFCA00000A", "040102030405066282"},
        {"0004 FFCA0000", "040102030405069000"},
        {"0005 FFCA010000", "0675778102809000"},
        {"0005 FFCA020000", "6A81"},
        {"0005 FFB0000010", "6A81"}, /* no storage card */
        {"0005 FF11000000", "6D00"},
        {"0007 FF00000002D402", "D503320106079000"},
        {"0006 FFCA00000100", "6700"},
    };
    struct bench *b = given();
    say(b, "000101");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        say(b, table[i].command);
        assert_hex(hear(b), table[i].answer);
    }
    assert_int_equal(b->card.fake.answered, 0);
    finish(b);
}

static void garbage_is_answered_too(void **state)
{
    (void)state;
    struct bench *b = given();
    say(b, "000180");
    assert_hex(hear(b), "6700");
    say(b, "0002 9060");
    assert_hex(hear(b), "6700");
    say(b, "0003 906000");
    assert_hex(hear(b), "6700");
    say(b, "0000 000104");
    assert_hex(hear(b), "3B8180018080");
    finish(b);
}

static void the_longest_answer_fits(void **state)
{
    (void)state;
    struct bench *b = given();
    b->card.fake.long_answer = 65533;
    say(b, "000101 0005 90EE000000");
    assert_int_equal(hear(b).len, 65535);
    finish(b);
}

static void a_torn_card_is_taken_away_and_put_back(void **state)
{
    (void)state;
    struct bench *b = given();
    b->card.fake.dies_at = 1;
    say(b, "000101 0005 9060000000");
    assert_int_equal(recv(b->slot, b->at, 1, 0), 0); /* closed: removed */
    close(b->slot);
    await_insertion(b);
    say(b, "000101 0005 9060000000");
    assert_hex(hear(b), "60029000");
    finish(b);
}

static void it_comes_back_when_pcscd_does(void **state)
{
    (void)state;
    struct bench *b = given();
    say(b, "000101 0005 9060000000");
    hear(b);
    close(b->slot);
    await_insertion(b);
    say(b, "000104");
    assert_hex(hear(b), "3B8180018080");
    finish(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_atr_is_told_at_any_time_and_powers_nothing),
        cmocka_unit_test(orders_may_come_in_one_piece),
        cmocka_unit_test(the_reader_answers_for_itself),
        cmocka_unit_test(garbage_is_answered_too),
        cmocka_unit_test(the_longest_answer_fits),
        cmocka_unit_test(a_torn_card_is_taken_away_and_put_back),
        cmocka_unit_test(it_comes_back_when_pcscd_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
