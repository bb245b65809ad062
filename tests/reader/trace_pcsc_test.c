/* A capture of a session with a storage card holds no key, in either form. */
#include "check.h"
#include "fake_card.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KEY_A "C0FFEE15DEAD"
#define KEY_B "BADC0DE5FACE"

static char *capture_of(struct scrip_link *link, const char *ending, const char *const *commands, size_t count,
                        size_t *len)
{
    static char text[16384];
    char path[64];
    struct scrip_card_info info;
    snprintf(path, sizeof path, "/tmp/scrip-trace-keys-%ld%s", (long)getpid(), ending);
    assert_ok(scrip_link_trace(path, NULL, link, &link));
    assert_ok(scrip_link_connect(link, 0, &info));
    for (size_t i = 0; i < count; i++) {
        uint8_t at[300];
        uint8_t room[300];
        struct scrip_buf out = SCRIP_BUF_OF(room);
        assert_ok(scrip_link_transmit(link, scrip_bytes(at, from_hex(commands[i], at, sizeof at)), &out));
    }
    scrip_link_close(link);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    *len = fread(text, 1, sizeof text - 1, file);
    text[*len] = '\0';
    fclose(file);
    unlink(path);
    return text;
}

static struct scrip_link *card_link(void)
{
    static struct fake_card card;
    struct scrip_link *link = NULL;
    fake_card_init(&card);
    assert_ok(scrip_link_to_card(&card.card, false, &link));
    return link;
}

/* A reader whose card shows a trailer with key B as data, whatever is asked. */
static enum scrip_status open_connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    (void)link;
    (void)timeout_ms;
    *info = (struct scrip_card_info){.uid = {1, 2, 3, 4}, .uid_len = 4};
    return SCRIP_OK;
}

static enum scrip_status open_transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    uint8_t answer[18];
    (void)link;
    (void)capdu;
    return scrip_buf_add(rapdu, answer, from_hex("000000000000FF078069" KEY_B "9000", answer, sizeof answer));
}

static void open_nothing(struct scrip_link *link)
{
    (void)link;
}

static struct scrip_link *open_link(void)
{
    static const struct scrip_link_ops ops = {open_connect, open_transmit, open_nothing, open_nothing};
    static struct scrip_link link;
    link = (struct scrip_link){.ops = &ops};
    return &link;
}

static bool holds(const char *at, size_t len, const char *hex)
{
    uint8_t wanted[32];
    const size_t wanted_len = from_hex(hex, wanted, sizeof wanted);
    return memmem(at, len, wanted, wanted_len) != NULL;
}

static const char *const session[] = {
    "FF82000006" KEY_A,
    "FF860000050100046000",
    "FFD6000710" KEY_A "FF078069" KEY_B,
    "FFD6000410 000102030405060708090A0B0C0D0E0F",
    "FF0000000FD4400160 07" KEY_A "04030201",
    "FFC2000104 9502 A007", /* raw, in two frames */
    "FFC2000112 9510" KEY_A "FF078069" KEY_B,
};

static void the_text_holds_the_commands_and_no_key(void **state)
{
    (void)state;
    size_t len = 0;
    const char *text = capture_of(card_link(), ".txt", session, sizeof session / sizeof session[0], &len);
    assert_null(strstr(text, KEY_A));
    assert_null(strstr(text, KEY_B));
    assert_non_null(strstr(text, "> FF82000006000000000000"));
    assert_non_null(strstr(text, "> FFD6000710000000000000FF078069000000000000"));
    assert_non_null(strstr(text, "> FFD6000410000102030405060708090A0B0C0D0E0F"));
    assert_non_null(strstr(text, "> FFC20001129510000000000000FF078069000000000000"));
    assert_non_null(strstr(text, "> FF0000000FD440016007000000000000"
                                 "04030201"));
}

static void the_pcapng_holds_the_commands_and_no_key(void **state)
{
    (void)state;
    size_t len = 0;
    const char *at = capture_of(card_link(), ".pcapng", session, sizeof session / sizeof session[0], &len);
    assert_false(holds(at, len, KEY_A));
    assert_false(holds(at, len, KEY_B));
    assert_true(holds(at, len, "FF82000006000000000000"));
    assert_true(holds(at, len, "000102030405060708090A0B0C0D0E0F"));
}

static void what_a_trailer_shows_is_no_key(void **state)
{
    static const char *const reads[] = {"FFB0000710", "FFB0000410"};
    size_t len = 0;
    (void)state;
    const char *text = capture_of(open_link(), ".txt", reads, 1, &len);
    assert_null(strstr(text, KEY_B));
    assert_non_null(strstr(text, "< 000000000000FF0780690000000000009000"));
    text = capture_of(open_link(), ".txt", reads + 1, 1, &len); /* another block is data */
    assert_non_null(strstr(text, "< 000000000000FF078069" KEY_B "9000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_holds_the_commands_and_no_key),
        cmocka_unit_test(the_pcapng_holds_the_commands_and_no_key),
        cmocka_unit_test(what_a_trailer_shows_is_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
