/* bench.h: a card on a table, and a host that speaks secure messaging with it, command by command. */
#ifndef SCRIP_TEST_DESFIRE_BENCH_H
#define SCRIP_TEST_DESFIRE_BENCH_H

#include "check.h"
#include "wire.h"
#include <scrip/apdu.h>
#include <scrip/desfire_card.h>
#include <scrip/posix.h>

enum framing { NATIVE, WRAPPED };

/** Everything on the table. All of it is reset by bench_new; tests set `comm` and `framing` as they like. */
struct bench {
    struct scrip_nv_memory memory;
    struct scrip_nv_tearing tearing;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_clock_fake clock_fake;
    struct scrip_clock clock;
    struct scrip_desfire_host host;
    struct scrip_desfire_options options;
    struct scrip_desfire_card card;

    struct scrip_desfire_session session; /* the host's */
    enum framing framing;
    uint8_t comm;       /* what the host takes the mode of file commands to be */
    size_t frame_data;  /* parameter bytes in one frame of a chained command */
    bool dead;          /* the card gave no answer: power is gone */
    unsigned frames;    /* exchanged by the last `ask` */
    size_t first_frame; /* data bytes of the first response frame of the last `ask` */
    size_t len;         /* of the last answer's plain data */
    uint8_t data[SCRIP_DESFIRE_DATA_MAX + 64];
};

#define PICC_DES ((const char *)"0000000000000000")
#define ZERO_KEY "00000000000000000000000000000000"
#define AID      "994401" /* 014499 as it travels */

/** A factory-fresh 8K card of a generation, powered. Freed by bench_free. */
struct bench *bench_new(enum scrip_desfire_generation generation);

/** The same with another storage byte. */
struct bench *bench_new_sized(enum scrip_desfire_generation generation, uint8_t storage);
void bench_free(struct bench *b);

/** Field off and on. */
void power_cycle(struct bench *b);

/** One APDU in hex, as it is; the response with its status word is left in `data`. @return the status word */
uint16_t apdu(struct bench *b, const char *hex);

/** One native frame in hex; data behind the status byte is left in `data`. @return the status byte */
uint8_t frame(struct bench *b, const char *hex);

/** One command with its plain parameters in hex (blanks allowed), protected as the session and the table of commands
 *  demand, in as many frames as it takes. Plain answer in `data`. A refusal ends the host's session too. A response
 *  that does not verify fails the test. @return the status byte; 00 for 90 */
uint8_t ask(struct bench *b, uint8_t cmd, const char *params);

/** The same for parameters that are not text. */
uint8_t ask_bytes(struct bench *b, uint8_t cmd, struct scrip_bytes params);

/** Authenticate; `key` in hex, its length says which type unless it is 16 bytes and `sm` says AES.
 *  @return the status byte that ended it */
uint8_t authenticate(struct bench *b, enum scrip_desfire_sm sm, uint8_t key_no, const char *key);

/** EV2 and LRP: NonFirst. */
uint8_t authenticate_again(struct bench *b, uint8_t key_no, const char *key);

/** AuthenticateISO/AES (EV1 messaging) or Authenticate (D40) with a DES-family key. */
uint8_t authenticate_des(struct bench *b, enum scrip_desfire_sm sm, uint8_t key_no, const char *key);

/** Change a key of the selected level; `old` NULL: the key one is authenticated with. `next` 16 bytes of AES. */
uint8_t change_key(struct bench *b, uint8_t key_no, const char *next, uint8_t version, const char *old);

/** ChangeKey or ChangeKeyEV2 with keys of any type; `header` in hex, `old` NULL: own key. */
uint8_t change_key_to(struct bench *b, uint8_t cmd, const char *header, const struct scrip_desfire_key *next,
                      const struct scrip_desfire_key *old);

/** Application 014499 with `keys` zero AES keys, KS1 in `ks1`, selected. */
void given_app(struct bench *b, uint8_t ks1, uint8_t keys);

/** given_app with KS1 0F and 5 keys, then a session with the master key (EV2; EV1 on EV1 cards). */
void given_session(struct bench *b);

/** The answer's data equals this hex. */
#define assert_data(b, text) assert_hex(scrip_bytes((b)->data, (b)->len), (text))

/** The call answers with this status byte. */
#define assert_df(call, expected)                                                                                      \
    do {                                                                                                               \
        const uint8_t got_ = (call);                                                                                   \
        if (got_ != (expected)) {                                                                                      \
            fail_msg("%s: %02X %s, not %02X", #call, got_, scrip_desfire_status_name(got_), (unsigned)(expected));     \
        }                                                                                                              \
    } while (0)

/** Set-up and teardown of a test on a fresh EV1, EV2, EV3 or Light card; `*state` is the bench. */
int with_ev1(void **state);
int with_ev2(void **state);
int with_ev3(void **state);
int with_light(void **state);
int bench_done(void **state);

#define EV1_TEST(f)   cmocka_unit_test_setup_teardown(f, with_ev1, bench_done)
#define EV2_TEST(f)   cmocka_unit_test_setup_teardown(f, with_ev2, bench_done)
#define EV3_TEST(f)   cmocka_unit_test_setup_teardown(f, with_ev3, bench_done)
#define LIGHT_TEST(f) cmocka_unit_test_setup_teardown(f, with_light, bench_done)

/** A refusal as a row: the command after which the scene must be as before. */
struct refusal {
    uint8_t cmd;
    const char *params;
    uint8_t status;
};

/** Each row in a session opened by `login`, which is called again after each. */
void check_refusals(struct bench *b, void (*login)(struct bench *b), const struct refusal *rows, size_t count);

/** The card's whole memory but the log, to see that nothing changed. */
uint32_t memory_sum(const struct bench *b);

/** Open an EV2 session (EV1: EV1 messaging) with the zero key `key_no` of the selected application. */
void login(struct bench *b, uint8_t key_no);
void login_0(struct bench *b);

/** The example purse: keys 0..3, files 1..4, with `tmac` the Transaction MAC file 15; value 1234 of 50000.
 *  All keys zero. Session with key 0 is over. */
void given_purse(struct bench *b, bool tmac);

/* ---- files of the example application ---- */

/** Value file `no`: FREE rights or as given in wire hex. */
void given_value_file(struct bench *b, uint8_t no, int32_t lower, int32_t upper, int32_t value);

int32_t value_of(struct bench *b, uint8_t no);
uint8_t do_credit(struct bench *b, uint8_t no, int32_t amount);
uint8_t do_debit(struct bench *b, uint8_t no, int32_t amount);
uint8_t do_limited_credit(struct bench *b, uint8_t no, int32_t amount);
uint8_t do_commit(struct bench *b);
uint8_t do_abort(struct bench *b);

#endif
