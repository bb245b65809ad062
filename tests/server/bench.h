/* bench.h: a server in memory, and one-line requests to it. */
#ifndef SCRIP_TEST_SERVER_BENCH_H
#define SCRIP_TEST_SERVER_BENCH_H

#include "check.h"

#include <jansson.h>
#include <scrip/keys.h>
#include <scrip/ledger.h>
#include <scrip/posix.h>
#include <scrip/server.h>

#define OPERATOR "the operator's key of this test"
#define ALICE    "04112233445566"
#define BOB      "04AABBCCDDEEFF"
#define NOON     1700000000000ULL

struct bench {
    struct scrip_clock_fake clock;
    struct scrip_random_seeded random;
    struct scrip_keys *keys;
    struct scrip_ledger *ledger;
    struct scrip_server *server;
    struct scrip_response response;
    json_t *json;                           /* of the last answer, or NULL */
    const char *bearer;                     /* sent with requests; NULL: none */
    const char *peer;                       /* address of the client; NULL: none */
    const char *prefer;                     /* preferences; NULL: none */
    int commits_until_fail;                 /* 0: never */
    bool fail_after;                        /* the failing commit is on disk all the same */
    bool (*on_commit)(void *b, bool after); /* NULL: none */
    char log_before[4096];                  /* the line before the last */
    char last_log[4096];
    size_t log_lines;
};

/** Keys, ledger, server; no card. Every request is the operator's until `bearer` says otherwise. */
void bench_open(struct bench *b);
void bench_close(struct bench *b);

/** The server's configuration; scrip_server_new again after changing it. */
struct scrip_server_config bench_config(struct bench *b);

/** A second instance on the same ledger and keys. */
struct scrip_server *bench_second_instance(struct bench *b);

/** One request with a body of text (may be NULL). @return HTTP status */
int ask(struct bench *b, const char *method, const char *path, const char *body);

/** The same with bytes. */
int ask_bytes(struct bench *b, const char *method, const char *path, struct scrip_bytes body);

/** A request as given. */
int ask_request(struct bench *b, struct scrip_server *server, const struct scrip_request *request);

/** A member of the last answer, by a path of names: "amount.minor". */
const char *text_of(const struct bench *b, const char *path);
json_int_t number_of(const struct bench *b, const char *path);
bool truth_of(const struct bench *b, const char *path);

/** The name of the problem that was answered: "ORDER_STATE"; "" if it was none. */
const char *problem_of_answer(const struct bench *b);

/** Ready rows. */
void given_card(struct bench *b, const char *uid, const char *profile);
void given_order(struct bench *b, const char *id, const char *uid, int amount);
void given_funded_order(struct bench *b, const char *id, const char *uid, int amount);

#endif
