/* bench.h: the phone with a server, a network and a card around it: no sockets, no clock, every fault on purpose. */
#ifndef SCRIP_TEST_RELAY_BENCH_H
#define SCRIP_TEST_RELAY_BENCH_H

#include "check.h"
#include <scrip/relay.h>
#include <stdlib.h>

#define ORDER    "/ota/o/7f3a"
#define PREAMBLE "AA25C5089100FFFF91AFFFFF2209905A00000399440100220E9071000008030600000000000000"
#define ATS      "067577810280"

enum net_fault { NET_FINE, NET_REQUEST_LOST, NET_RESPONSE_LOST, NET_503, NET_500, NET_PORTAL, NET_REDIRECT };

struct exchange {
    char uri[64];
    uint8_t body[512];
    size_t len;
    bool resume;
};

struct bench {
    struct scrip_relay relay;
    struct scrip_relay_config config;
    uint64_t now_ms;
    /* the network: a fault at attempt number `net_at` (from 1), `net_times` times */
    enum net_fault net;
    size_t net_at;
    size_t net_times;
    size_t attempts;
    /* the server */
    struct exchange got[64]; /* requests that reached it */
    size_t got_count;
    size_t refuse_at; /* the request that gets `refuse_code` */
    int refuse_code;
    bool refuse_always;
    const char *script[8]; /* what it answers to /ota/s/<n>; NULL: 204 */
    const char *next[8];   /* a next URI of its own there */
    size_t extra_204;      /* says "nothing now" once before /ota/s/2 */
    /* the card */
    bool card_there;
    size_t commands; /* that it carried out */
    size_t silent_at;
    size_t gone_at;
    size_t bad_at;
    uint8_t seen[64]; /* instruction bytes */
    size_t resets;
    /* what was saved and shown */
    uint8_t saved[4096];
    size_t saved_len;
    size_t saves;
    char shown[256];
    size_t stop_after; /* "the app is killed" before wish number n; 0: never */
    size_t wishes;
    size_t cancel_at; /* wish */
};

/** A phone that is about to begin, with a card there and nothing going wrong. Freed with free. */
struct bench *given(bool preamble_known);

/** What whoever runs the phone does at a wish: look for a card, send a command, save. */
void do_card(struct bench *b);
void do_command(struct bench *b, const struct scrip_relay_ask *ask);
void do_save(struct bench *b, const struct scrip_relay_ask *ask);

/** Grant every wish until there are none left, or the app is killed. */
void drive(struct bench *b);

/** Start, and drive. */
void run(struct bench *b);

/** Begin again with what was saved, and drive. */
void run_again_after_kill(struct bench *b);

const struct scrip_relay_counts *counts(const struct bench *b);

/** It ended so, and says why. */
void assert_outcome(const struct bench *b, enum scrip_relay_outcome wanted);

/** Requests with the same URI were the same, byte for byte. */
void assert_repeats_identical(const struct bench *b);

/** The seven commands of a whole top-up, each once and in order. */
void assert_card_saw_one_topup(const struct bench *b);

#endif
