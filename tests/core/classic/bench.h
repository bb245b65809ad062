/* bench.h: a Classic card in a field, and a reader with Crypto-1 in software over it. Seeds are fixed. */
#ifndef SCRIP_TEST_CLASSIC_BENCH_H
#define SCRIP_TEST_CLASSIC_BENCH_H

#include "check.h"
#include <scrip/classic_card.h>
#include <scrip/field.h>
#include <scrip/mifare.h>
#include <scrip/pcd.h>
#include <scrip/posix.h>

struct bench {
    struct scrip_nv_memory memory;
    struct scrip_nv_tearing tearing;
    struct scrip_nv under; /* the memory below the tearing one */
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_classic_card card;
    struct scrip_field field;
    struct scrip_radio air;
    struct scrip_mifare_soft soft;
    struct scrip_target target;
};

extern const uint8_t KEY_FF[6];
extern const uint8_t KEY_A[6]; /* test keys A0.. and B0.. */
extern const uint8_t KEY_B[6];

/** What memory a bench gets: a new card of this kind, in a field that is switched on. `uid` is hex. */
void bench_lay(struct bench *b, bool is_4k, const char *uid, enum scrip_classic_profile profile);
void bench_clear(struct bench *b);

/** A 1K with a UID of four bytes as group fixture. */
int bench_1k(void **state);
int bench_4k(void **state);
int bench_1k_7(void **state);
int bench_done(void **state);

/** Wake and select the card; sessions are forgotten. */
enum scrip_status select_card(struct bench *b);

/** Take the power away and give it back. */
void power_cycle(struct bench *b);

/* ---- commands; each returns what scrip_mifare_exchange said ---- */

enum scrip_status do_auth(struct bench *b, bool key_b, uint8_t block, const uint8_t key[6]);
enum scrip_status do_read(struct bench *b, uint8_t block, uint8_t data[16]);
enum scrip_status do_write(struct bench *b, uint8_t block, const uint8_t data[16]);
enum scrip_status do_value(struct bench *b, uint8_t opcode, uint8_t block, uint32_t operand);
enum scrip_status do_transfer(struct bench *b, uint8_t block);
enum scrip_status do_halt(struct bench *b);
enum scrip_status do_personalize(struct bench *b, uint8_t option);

/** Select and authenticate, which must work. */
void given_session(struct bench *b, bool key_b, uint8_t block, const uint8_t key[6]);

/* ---- frames ---- */

#define NO_ANSWER 0x100

/** Send bytes with CRC, enciphered in a session. @return the four bits of the answer; NO_ANSWER; any other frame fails
 *  the test */
int ask(struct bench *b, const char *hex);

/** The same with any frame. */
int ask_frame(struct bench *b, const struct scrip_frame *frame);

/* ---- memory ---- */

void poke(struct bench *b, uint8_t block, const char *hex);
void peek(struct bench *b, uint8_t block, uint8_t data[16]);

/** A trailer with KEY_A, KEY_B and these conditions (each C1 C2 C3 as a number) for groups 0..2 and itself. */
void given_trailer(struct bench *b, uint8_t sector, uint8_t data_condition, uint8_t trailer_condition);

/** A value block. */
void given_value(struct bench *b, uint8_t block, int32_t value, uint8_t address);

#endif
