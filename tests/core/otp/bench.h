/* bench.h: a one-time wallet card on a table, and a reader that speaks its frames. */
#ifndef TEST_OTP_BENCH_H
#define TEST_OTP_BENCH_H

#include "check.h"
#include "otp_tear.h"
#include <scrip/otp_card.h>
#include <scrip/posix.h>

#define UID_BYTES                                                                                                      \
    {                                                                                                                  \
        0x5C, 0x0A, 0x11, 0x99                                                                                         \
    }

/** What came back, beside the four bits of an ACK or NAK. */
enum { SILENCE = -1, BLOCK = 16 };

#define ACK ((int)SCRIP_CLASSIC_ACK)

struct bench {
    struct scrip_nv_memory memory;
    struct otp_tear tear;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_otp_host host;
    struct scrip_otp_card card;
    struct scrip_crypto1 cipher; /* the reader's */
    bool open;                   /* a session is open */
    struct scrip_frame tx, rx;
    uint8_t block[16]; /* the last one read */
};

extern const uint8_t KEY_DEFAULT[6];

/** A card from the factory, in the field. */
void given_blank(struct bench *b);

/** The same, sold: U, T, default passwords; selected and authenticated to sector 0 with key A. */
void given_sold(struct bench *b, uint32_t unit, uint16_t units);

/** The face value block of U and T. */
void face_block(uint32_t unit, uint16_t units, uint8_t block[16]);

/** A password block. */
void password_block(uint8_t a, const char *access, uint8_t b, uint8_t block[16]);

/** A key of six equal bytes. */
const uint8_t *key_of(uint8_t byte);

void bench_free(struct bench *b);

/** Power off and on, select. */
void power_cycle(struct bench *b);

/** Wake and select the card where it is. @return does it answer? */
bool reselect(struct bench *b);

/** Three passes. @return did the card prove that it knows the key? */
bool login(struct bench *b, uint8_t block, bool key_b, const uint8_t key[6]);

/** Select again and log in with a key that must be right. */
void enter(struct bench *b, uint8_t block, bool key_b, const uint8_t key[6]);

/** Bytes with CRC, enciphered when a session is open. @return SILENCE, four bits, BLOCK */
int say(struct bench *b, const void *bytes, size_t len);

int read_block(struct bench *b, uint8_t block);
int write_block(struct bench *b, uint8_t block, const uint8_t data[16]);

/** C0 and its operand: SILENCE when all is well. */
int decrement(struct bench *b, uint32_t amount);
int transfer(struct bench *b);

/** The balance as a value block in block 1. */
int32_t balance(struct bench *b);

/** Highest programmed unit bit, and whether a bit is programmed, from memory. */
uint16_t used(struct bench *b);
bool bit_of(struct bench *b, unsigned bit);

/** The bytes of a block in memory. */
void stored(struct bench *b, uint8_t block, uint8_t data[16]);

/** Set and clear bits of the memory below the card, as damage does. */
void damage_unit(struct bench *b, unsigned bit);

#endif
