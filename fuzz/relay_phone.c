/* rooms: relay */
/* The phone between a hostile server and a hostile card; the input says what both do. Whatever they do, the phone ends,
 * and every report that it sends is one that the server can read. */
#include <scrip/relay.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct scrip_relay relay;

struct play {
    struct scrip_bytes rest;
    uint64_t now_ms;
    uint8_t saved[SCRIP_RELAY_STATE_MAX];
    size_t saved_len;
};

static uint8_t byte(struct play *play)
{
    struct scrip_bytes head;
    return scrip_bytes_take(&play->rest, 1, &head) == SCRIP_OK ? head.at[0] : 0;
}

static struct scrip_bytes chunk(struct play *play)
{
    struct scrip_bytes head = {0};
    (void)scrip_bytes_take(&play->rest, byte(play), &head);
    return head;
}

static void require(bool held)
{
    if (!held) {
        abort();
    }
}

static void on_post(struct play *play, const struct scrip_relay_ask *ask)
{
    static const int codes[] = {200, 204, 200, 204, 0, 503, 410, 409, 302, 404};
    static const char *const uris[] = {"/ota/s/1", "/ota/s/2", "/ota/s/3", "/ota/s/4", "/ota/o/1", NULL, "//x", "/a b"};
    struct scrip_relay_report report;
    if (ask->bytes.len != 0) {
        require(scrip_relay_report_read(ask->bytes, &report) == SCRIP_OK);
        require(report.bad == 0 || report.responses == 0);
    }
    const uint8_t choice = byte(play);
    const struct scrip_relay_http http = {.code = codes[choice % 10],
                                          .ours = (choice & 0x80) == 0,
                                          .next_uri = uris[byte(play) % 8],
                                          .retry_after_ms = byte(play) * 100U,
                                          .body = chunk(play)};
    scrip_relay_responded(&relay, play->now_ms, &http);
}

static void on_card(struct play *play, bool command)
{
    const struct scrip_card_info info = {.ats = {2, 0}, .ats_len = 2, .uid_len = 4};
    const uint8_t choice = byte(play);
    if (choice >= 0xF0) {
        scrip_relay_card_gone(&relay, play->now_ms, "gone");
    } else if (!command) {
        scrip_relay_card_came(&relay, play->now_ms, &info);
    } else if (choice >= 0xE0) {
        scrip_relay_card_silent(&relay, play->now_ms, NULL);
    } else {
        scrip_relay_card_answered(&relay, play->now_ms, choice < 0xC0 ? scrip_bytes("\x90\x00", 2) : chunk(play));
    }
}

static void step(struct play *play, const struct scrip_relay_ask *ask)
{
    switch (ask->want) {
    case SCRIP_RELAY_WANT_SAVE:
        require(ask->bytes.len != 0 && ask->bytes.len <= sizeof play->saved);
        memcpy(play->saved, ask->bytes.at, ask->bytes.len);
        play->saved_len = ask->bytes.len;
        scrip_relay_saved(&relay, play->now_ms);
        break;
    case SCRIP_RELAY_WANT_POST:
        on_post(play, ask);
        break;
    case SCRIP_RELAY_WANT_SLEEP:
        play->now_ms += ask->ms;
        scrip_relay_slept(&relay, play->now_ms);
        break;
    case SCRIP_RELAY_WANT_SHOW:
        scrip_relay_shown(&relay, play->now_ms);
        break;
    default:
        on_card(play, ask->want == SCRIP_RELAY_WANT_COMMAND);
        break;
    }
}

static void drive(struct play *play)
{
    struct scrip_relay_ask ask;
    for (size_t i = 0; i < 100000; i++) {
        play->now_ms++;
        scrip_relay_next(&relay, play->now_ms, &ask);
        if (ask.want == SCRIP_RELAY_WANT_DONE) {
            require(scrip_relay_outcome(&relay) != SCRIP_RELAY_RUNNING && scrip_relay_why(&relay)[0] != '\0');
            return;
        }
        step(play, &ask);
        if (play->rest.len == 0 && i > 2000) {
            scrip_relay_cancel(&relay, "the input is over");
        }
    }
    abort(); /* it does not end */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preamble[] = "\xAA\x06\x22\x04\x90\x5A\x00\x00";
    static struct play play;
    struct scrip_relay_config config = {.order_uri = "/ota/o/1", .give_up_ms = 20000};
    play.rest = scrip_bytes(data, size);
    play.now_ms = 0;
    play.saved_len = 0;
    const uint8_t choice = byte(&play);
    config.taps = choice & 3;
    if ((choice & 0x80) != 0) {
        config.preamble = scrip_bytes(preamble, sizeof preamble - 1);
    }
    if ((choice & 0x40) != 0 && scrip_relay_restore(&relay, &config, chunk(&play), 0) == SCRIP_OK) {
        drive(&play);
    }
    if (scrip_relay_start(&relay, &config, 0) == SCRIP_OK) {
        drive(&play);
    }
    if (play.saved_len != 0 &&
        scrip_relay_restore(&relay, &config, scrip_bytes(play.saved, play.saved_len), 0) == SCRIP_OK) {
        drive(&play);
    }
    return 0;
}
