/* The server, the network and the card that the phone meets. */
#include "bench.h"
#include <stdio.h>

static size_t hex(const char *text, uint8_t *at, size_t cap)
{
    return from_hex(text, at, cap);
}

/* A script with all its commands, its lengths put right. */
static size_t script(uint8_t *at, size_t cap, const char *good, const char *const *commands, const char *notice)
{
    struct scrip_buf out = scrip_buf(at, cap);
    struct scrip_relay_mark mark;
    uint8_t part[300];
    assert_ok(scrip_relay_open(&out, SCRIP_RELAY_TAG_SCRIPT, &mark));
    assert_ok(scrip_relay_put(&out, SCRIP_RELAY_TAG_GOOD, scrip_bytes(part, hex(good, part, sizeof part))));
    for (; *commands != NULL; commands++) {
        assert_ok(scrip_relay_put(&out, SCRIP_RELAY_TAG_CAPDU, scrip_bytes(part, hex(*commands, part, sizeof part))));
    }
    if (notice != NULL) {
        assert_ok(scrip_relay_put_notice(&out, 1, notice));
    }
    assert_ok(scrip_relay_close(&out, &mark));
    return out.len;
}

/* What the server says to a request at step `n` (0: the order without a card). */
static size_t scripted(const struct bench *b, size_t n, uint8_t *at, size_t cap)
{
    static const char *const part_two[] = {"90AF0000010000", NULL};
    static const char *const topup[] = {"900C0000010000", "903B0000010000", "90C80000010000", "90C70000010000", NULL};
    if (b->script[n] != NULL) {
        return hex(b->script[n], at, cap);
    }
    switch (n) {
    case 0:
        return hex(PREAMBLE, at, cap);
    case 1:
        return script(at, cap, "9100FFFF", part_two, NULL);
    case 2:
        return script(at, cap, "9100FFFF", topup, "20,00 on your card");
    default:
        return 0;
    }
}

static void serve(struct bench *b, const struct scrip_relay_ask *ask, struct scrip_relay_http *http, uint8_t *out,
                  char *next)
{
    assert_true(b->got_count < 64 && ask->bytes.len <= sizeof b->got[0].body);
    struct exchange *got = &b->got[b->got_count++];
    snprintf(got->uri, sizeof got->uri, "%s", ask->uri);
    memcpy(got->body, ask->bytes.at, ask->bytes.len);
    got->len = ask->bytes.len;
    got->resume = ask->resume;
    *http = (struct scrip_relay_http){.code = 204, .ours = true};
    if (b->refuse_always || b->refuse_at == b->got_count) {
        http->code = b->refuse_code;
        return;
    }
    struct scrip_relay_report report;
    size_t step = 0;
    if (strncmp(ask->uri, "/ota/s/", 7) == 0) {
        step = (size_t)atoi(ask->uri + 7);
        assert_ok(scrip_relay_report_read(ask->bytes, &report));
        if (report.closed) {
            return;
        }
    } else if (ask->bytes.len != 0) {
        assert_ok(scrip_relay_report_read(ask->bytes, &report));
        if (report.closed) {
            return;
        }
        step = 1;
    }
    http->body = scrip_bytes(out, scripted(b, step, out, 1024));
    if (http->body.len == 0) {
        return;
    }
    http->code = 200;
    snprintf(next, 64, "/ota/s/%zu", step + 1);
    http->next_uri = b->next[step] != NULL ? b->next[step] : next;
    if (step == 2 && b->extra_204 != 0) {
        b->extra_204--;
        http->code = 204;
        http->body.len = 0;
        http->next_uri = "/ota/s/2?later";
    }
}

static void do_post(struct bench *b, const struct scrip_relay_ask *ask)
{
    struct scrip_relay_http http = {0};
    uint8_t out[1024];
    char next[64];
    const bool faulty = ++b->attempts >= b->net_at && b->attempts < b->net_at + b->net_times;
    const enum net_fault fault = faulty ? b->net : NET_FINE;
    b->now_ms += 100;
    if (fault == NET_FINE || fault == NET_RESPONSE_LOST) {
        serve(b, ask, &http, out, next);
    }
    if (fault == NET_RESPONSE_LOST) {
        http = (struct scrip_relay_http){0};
    } else if (fault == NET_503) {
        http = (struct scrip_relay_http){.code = 503, .ours = true, .retry_after_ms = 3000};
    } else if (fault == NET_500) {
        http = (struct scrip_relay_http){.code = 500, .ours = true};
    } else if (fault == NET_PORTAL) {
        http = (struct scrip_relay_http){.code = 200, .body = scrip_bytes("<html>", 6)};
    } else if (fault == NET_REDIRECT) {
        http = (struct scrip_relay_http){.code = 302};
    }
    scrip_relay_responded(&b->relay, b->now_ms, &http);
}

void do_card(struct bench *b)
{
    struct scrip_card_info info = {.uid = {4, 1, 2, 3, 4, 5, 6}, .uid_len = 7};
    info.ats_len = (uint8_t)hex(ATS, info.ats, sizeof info.ats);
    b->now_ms += 50;
    if (b->card_there) {
        scrip_relay_card_came(&b->relay, b->now_ms, &info);
    } else {
        scrip_relay_card_gone(&b->relay, b->now_ms, "no card came");
    }
}

void do_command(struct bench *b, const struct scrip_relay_ask *ask)
{
    static const uint8_t more[] = {0x91, 0xAF};
    static const uint8_t fine[] = {0x91, 0x00};
    static const uint8_t bad[] = {0x91, 0xBE};
    b->now_ms += 10;
    if (b->gone_at == b->commands + 1) {
        b->gone_at = 0;
        scrip_relay_card_gone(&b->relay, b->now_ms, "card lost");
        return;
    }
    assert_true(b->commands < sizeof b->seen);
    b->seen[b->commands++] = ask->bytes.at[1];
    if (b->silent_at == b->commands) {
        b->silent_at = 0;
        scrip_relay_card_silent(&b->relay, b->now_ms, "card lost");
        return;
    }
    const uint8_t *answer = b->bad_at == b->commands ? bad : ask->bytes.at[1] == 0x71 ? more : fine;
    scrip_relay_card_answered(&b->relay, b->now_ms, scrip_bytes(answer, 2));
}

void do_save(struct bench *b, const struct scrip_relay_ask *ask)
{
    assert_true(ask->bytes.len != 0 && ask->bytes.len <= sizeof b->saved);
    memcpy(b->saved, ask->bytes.at, ask->bytes.len);
    b->saved_len = ask->bytes.len;
    b->saves++;
    b->now_ms += 1;
    scrip_relay_saved(&b->relay, b->now_ms);
}

void drive(struct bench *b)
{
    for (;;) {
        struct scrip_relay_ask ask;
        assert_true(b->wishes < 10000);
        if (++b->wishes == b->stop_after) {
            return; /* killed */
        }
        if (b->wishes == b->cancel_at) {
            scrip_relay_cancel(&b->relay, "enough");
        }
        scrip_relay_next(&b->relay, b->now_ms, &ask);
        switch (ask.want) {
        case SCRIP_RELAY_WANT_DONE:
            return;
        case SCRIP_RELAY_WANT_SAVE:
            do_save(b, &ask);
            break;
        case SCRIP_RELAY_WANT_POST:
            do_post(b, &ask);
            break;
        case SCRIP_RELAY_WANT_SLEEP:
            assert_true(ask.ms > 0);
            b->now_ms += ask.ms;
            scrip_relay_slept(&b->relay, b->now_ms);
            break;
        case SCRIP_RELAY_WANT_RESET:
            b->resets++;
            do_card(b);
            break;
        case SCRIP_RELAY_WANT_CARD:
            do_card(b);
            break;
        case SCRIP_RELAY_WANT_COMMAND:
            do_command(b, &ask);
            break;
        case SCRIP_RELAY_WANT_SHOW:
            snprintf(b->shown, sizeof b->shown, "%s", ask.text);
            scrip_relay_shown(&b->relay, b->now_ms);
            break;
        }
    }
}

static struct scrip_bytes known_preamble(void)
{
    static uint8_t at[64];
    return scrip_bytes(at, hex(PREAMBLE, at, sizeof at));
}

struct bench *given(bool preamble_known)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->card_there = true;
    b->config.order_uri = ORDER;
    b->config.seed = 7;
    if (preamble_known) {
        b->config.preamble = known_preamble();
    }
    return b;
}

void run(struct bench *b)
{
    assert_ok(scrip_relay_start(&b->relay, &b->config, b->now_ms));
    drive(b);
}

void run_again_after_kill(struct bench *b)
{
    b->stop_after = 0;
    assert_ok(scrip_relay_restore(&b->relay, &b->config, scrip_bytes(b->saved, b->saved_len), b->now_ms));
    drive(b);
}

const struct scrip_relay_counts *counts(const struct bench *b)
{
    return scrip_relay_counts(&b->relay);
}

void assert_outcome(const struct bench *b, enum scrip_relay_outcome wanted)
{
    assert_string_equal(scrip_relay_outcome_name(scrip_relay_outcome(&b->relay)), scrip_relay_outcome_name(wanted));
    assert_true(strlen(scrip_relay_why(&b->relay)) > 3);
}

void assert_repeats_identical(const struct bench *b)
{
    for (size_t i = 0; i < b->got_count; i++) {
        for (size_t j = i + 1; j < b->got_count; j++) {
            if (strcmp(b->got[i].uri, b->got[j].uri) == 0 && strncmp(b->got[i].uri, "/ota/s/", 7) == 0) {
                assert_int_equal(b->got[i].len, b->got[j].len);
                assert_memory_equal(b->got[i].body, b->got[j].body, b->got[i].len);
            }
        }
    }
}

void assert_card_saw_one_topup(const struct bench *b)
{
    assert_hex(scrip_bytes(b->seen, b->commands), "5A 71 AF 0C 3B C8 C7");
}
