/* bench.h: a reader, and commands and answers in hex. */
#ifndef TEST_PCSC_BENCH_H
#define TEST_PCSC_BENCH_H

#include "fake_coupler.h"
#include "pcsc_talk.h"

struct bench {
    struct fake_coupler fake;
    struct scrip_pcsc pcsc;
    struct scrip_card_info info;
    struct talk talk;
};

static inline struct scrip_bytes ask(struct bench *b, const char *hex)
{
    return talk_ask(&b->talk, hex);
}

static inline void connected(struct bench *b)
{
    b->talk = (struct talk){.reader = &b->pcsc, .apdu = talk_pcsc_apdu};
    scrip_pcsc_init(&b->pcsc, &b->fake.coupler);
    assert_ok(scrip_pcsc_connect(&b->pcsc, 0, &b->info));
    b->fake.log[0] = '\0';
}

/* A Classic card, selected, with the transport key in slot 0. */
static inline struct bench *given_classic(struct bench *b)
{
    fake_coupler_init(&b->fake);
    connected(b);
    assert_hex(ask(b, KEY), "9000");
    return b;
}

/* And authenticated for sector 1. */
static inline struct bench *given_session(struct bench *b)
{
    given_classic(b);
    assert_hex(ask(b, AUTH), "9000");
    b->fake.log[0] = '\0';
    return b;
}

static inline struct bench *given_desfire(struct bench *b)
{
    fake_coupler_part_4(&b->fake);
    connected(b);
    return b;
}

/* A command, its answer, and what reached the card for it. */
struct exchange {
    const char *command;
    const char *answer;
    const char *log;
};

/* Each row on a reader of its own. */
static inline void each_alone(struct bench *(*given)(struct bench *), const struct exchange *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct bench bench = {0};
        given(&bench);
        bench.fake.log[0] = '\0';
        const struct scrip_bytes answer = ask(&bench, rows[i].command);
        print_message("%s\n", rows[i].command);
        assert_hex(answer, rows[i].answer);
        assert_string_equal(bench.fake.log, rows[i].log);
    }
}

#define EACH_ALONE(given, rows) each_alone((given), (rows), sizeof(rows) / sizeof(rows)[0])

#endif
