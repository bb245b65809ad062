/* A reader chip on a pseudo terminal: what a client that opens the device sees. */
#include "model/tag.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <scrip/reader.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

typedef enum scrip_status present_function(struct scrip_picc *const *cards, size_t count,
                                           const struct scrip_present *present, char error[SCRIP_LINK_ERROR_MAX]);

struct stage {
    present_function *run;
    struct tag tag;
    struct scrip_picc *cards[1];
    struct scrip_present how;
    volatile sig_atomic_t stop, away;
    char path[64];
    char link[128];
    volatile bool ready;
    pthread_mutex_t lock;
    pthread_cond_t told;
    pthread_t thread;
    enum scrip_status status;
    char error[SCRIP_LINK_ERROR_MAX];
    int client;
};

static void on_device(void *ctx, const char *path)
{
    struct stage *s = ctx;
    pthread_mutex_lock(&s->lock);
    (void)snprintf(s->path, sizeof s->path, "%s", path);
    s->ready = true;
    pthread_cond_signal(&s->told);
    pthread_mutex_unlock(&s->lock);
}

static void *presenting(void *ctx)
{
    struct stage *s = ctx;
    s->status = s->run(s->cards, 1, &s->how, s->error);
    return NULL;
}

static void stage_begin(struct stage *s, present_function *run)
{
    memset(s, 0, sizeof *s);
    s->run = run;
    tag_init(&s->tag, "DEADBEEF", 0x08);
    s->cards[0] = &s->tag.picc;
    s->how = (struct scrip_present){.stop = &s->stop, .away = &s->away, .ctx = s, .device = on_device};
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->told, NULL);
    assert_int_equal(pthread_create(&s->thread, NULL, presenting, s), 0);
    pthread_mutex_lock(&s->lock);
    while (!s->ready) {
        pthread_cond_wait(&s->told, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
}

static void stage_end(struct stage *s)
{
    s->stop = 1;
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    assert_ok(s->status);
    assert_int_equal(s->tag.a.state, SCRIP_PICC_OFF);
}

static void client_open(struct stage *s)
{
    s->client = open(s->path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    assert_true(s->client >= 0);
}

/* What comes within a second, until `len` bytes are there. */
static size_t client_hear(const struct stage *s, uint8_t *at, size_t len)
{
    size_t got = 0;
    struct pollfd ready = {.fd = s->client, .events = POLLIN};
    while (got < len && poll(&ready, 1, 1000) > 0) {
        const ssize_t n = read(s->client, at + got, len - got);
        assert_true(n > 0);
        got += (size_t)n;
    }
    return got;
}

static void client_write(const struct stage *s, const char *hex)
{
    uint8_t bytes[256];
    const size_t len = from_hex(hex, bytes, sizeof bytes);
    assert_int_equal(write(s->client, bytes, len), (ssize_t)len);
}

static void client_expect(const struct stage *s, const char *wanted)
{
    uint8_t bytes[256];
    uint8_t heard[256];
    const size_t expected = from_hex(wanted, bytes, sizeof bytes);
    assert_hex(scrip_bytes(heard, client_hear(s, heard, expected)), wanted);
}

static void client_ask(const struct stage *s, const char *hex, const char *wanted)
{
    client_write(s, hex);
    client_expect(s, wanted);
}

static void nap_ms(long ms)
{
    const struct timespec nap = {.tv_nsec = ms * 1000000};
    (void)nanosleep(&nap, NULL);
}

#define ACK     "00 00 FF 00 FF 00 "
#define WAKE_UP "55 55 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 FF 03 FD D4 14 01 17 00"
#define AWAKE   ACK "00 00 FF 02 FE D5 15 16 00"

static void the_line_is_raw_and_answers_frames(void **state)
{
    static struct stage s;
    struct termios settings;
    (void)state;
    stage_begin(&s, scrip_present_pn532);
    client_open(&s);
    assert_int_equal(tcgetattr(s.client, &settings), 0);
    assert_int_equal(settings.c_lflag & (tcflag_t)(ECHO | ICANON), 0);
    client_ask(&s, WAKE_UP, AWAKE);
    client_ask(&s, "00 00 FF 05 FB D4 32 05 00 00 F5 00", ACK "00 00 FF 01 FF 7F 81 00"); /* a byte too few */
    client_ask(&s, "00 00 FF 04 FC D4 4A 01 00 E1 00", ACK "00 00 FF 0C F4 D5 4B 01 01 00 04 08 04 DE AD BE EF 96 00");
    close(s.client);
    stage_end(&s);
}

static void a_client_that_leaves_takes_nothing_along_and_leaves_nothing_behind(void **state)
{
    static struct stage s;
    (void)state;
    stage_begin(&s, scrip_present_pn532);
    client_open(&s);
    const uint8_t version[] = {0x00, 0x00, 0xFF, 0x02, 0xFE, 0xD4, 0x02, 0x2A, 0x00};
    assert_int_equal(write(s.client, version, sizeof version), (ssize_t)sizeof version);
    struct pollfd ready = {.fd = s.client, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 1000), 1); /* the answer is there, and nobody takes it */
    close(s.client);
    client_open(&s);
    client_write(&s, WAKE_UP);
    nap_ms(200); /* what reads at once may still see it, as on any line */
    client_expect(&s, AWAKE);
    close(s.client);
    stage_end(&s);
}

static void a_link_of_an_earlier_run_is_taken_over_and_a_file_is_not(void **state)
{
    static struct stage s;
    char folder[] = "/tmp/scrip-pty.XXXXXX";
    char name[64];
    char target[64];
    char error[SCRIP_LINK_ERROR_MAX];
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(name, sizeof name, "%s/reader", folder);
    memset(&s, 0, sizeof s);
    tag_init(&s.tag, "DEADBEEF", 0x08);
    s.cards[0] = &s.tag.picc;
    s.stop = 1;
    s.how = (struct scrip_present){.stop = &s.stop, .device_link = name};
    assert_int_equal(symlink("/dev/null", name), 0);
    assert_ok(scrip_present_pn532(s.cards, 1, &s.how, error));
    assert_int_equal(readlink(name, target, sizeof target), -1); /* gone with the reader */

    FILE *file = fopen(name, "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_status(scrip_present_pn532(s.cards, 1, &s.how, error), SCRIP_E_IO);
    assert_non_null(strstr(error, "reader"));
    assert_int_equal(unlink(name), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void cards_go_and_come_back_and_who_waits_for_one_is_told(void **state)
{
    static struct stage s;
    (void)state;
    stage_begin(&s, scrip_present_pn532);
    client_open(&s);
    client_ask(&s, WAKE_UP, AWAKE);
    s.away = 1;
    nap_ms(500); /* the flag is looked at every fifth of a second */
    client_ask(&s, "00 00 FF 04 FC D4 4A 01 00 E1 00", ACK);
    s.away = 0;
    client_expect(&s, "00 00 FF 0C F4 D5 4B 01 01 00 04 08 04 DE AD BE EF 96 00");
    close(s.client);
    stage_end(&s);
}

static void an_mfrc522_speaks_its_uart_mode(void **state)
{
    static struct stage s;
    (void)state;
    stage_begin(&s, scrip_present_mfrc522);
    client_open(&s);
    client_ask(&s, "B7", "92");    /* read VersionReg */
    client_ask(&s, "11 3D", "11"); /* write ModeReg: its address comes back */
    client_ask(&s, "91", "3D");
    close(s.client);
    stage_end(&s);
}

static void a_card_twice_or_too_many_are_refused(void **state)
{
    struct tag tag;
    char error[SCRIP_LINK_ERROR_MAX];
    const volatile sig_atomic_t stop = 1;
    const struct scrip_present how = {.stop = &stop};
    (void)state;
    tag_init(&tag, "DEADBEEF", 0x08);
    struct scrip_picc *cards[] = {&tag.picc, &tag.picc};
    assert_status(scrip_present_pn532(cards, 2, &how, error), SCRIP_E_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_is_raw_and_answers_frames),
        cmocka_unit_test(a_client_that_leaves_takes_nothing_along_and_leaves_nothing_behind),
        cmocka_unit_test(a_link_of_an_earlier_run_is_taken_over_and_a_file_is_not),
        cmocka_unit_test(cards_go_and_come_back_and_who_waits_for_one_is_told),
        cmocka_unit_test(an_mfrc522_speaks_its_uart_mode),
        cmocka_unit_test(a_card_twice_or_too_many_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
