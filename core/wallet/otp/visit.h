/* visit.h: a visit at the one-time wallet card, as a machine of stages.
 *
 * stage     asks for                                    then
 * MEET      the UID, where the link knows none          OPEN; personalise: PROBE
 * PROBE     authentication to block 16                  OPEN: silence, as there is none; the end: no such card
 * OPEN      a key, the balance                          DEBIT, FACE, PASSWORD, PROVE or the end; a key that is refused:
 *                                                       OPEN again, then with the other one
 * DEBIT     subtraction, the balance                    the end; anything doubtful: CHECK
 * CHECK     the key once more, the balance              the end, decided by content; refused, and nothing was taken:
 *                                                       DEBIT once more
 * FACE      the face value block, the balance           PASSWORD
 * PASSWORD  the password block                          PROVE
 * PROVE     both new keys, the balance, the face block  the end; refused: again, then OPEN for one more
 *                                                       PASSWORD
 *
 * A terminal may be stopped between any two of these, and the card may lose power in any of them. The balance is then
 * the old or the new one; whatever was begun of a personalisation is completed by the same personalisation. */
#ifndef SCRIP_WALLET_OTP_VISIT_H
#define SCRIP_WALLET_OTP_VISIT_H

#include "storage/sector.h"
#include <scrip/otp.h>

enum otp_stage {
    OTP_PROBE = SECTOR_MEET + 1,
    OTP_OPEN,
    OTP_DEBIT,
    OTP_CHECK,
    OTP_FACE,
    OTP_PASSWORD,
    OTP_PROVE,
};

struct otp_visit {
    struct sector sector;
    struct scrip_storage_purse purse;
    bool factory;     /* the transport key is tried, or opened */
    uint8_t refusals; /* keys refused: each of the two is tried twice, as the air may have lost a frame of it */
    bool has_value;   /* block 1 is a value block: a face value is in force */
    int32_t value;    /* it shows */
    int32_t next;     /* after the debit */
    uint8_t attempts; /* at the subtraction */
    uint8_t face[16]; /* personalise: the face value block to be */
    int32_t worth;    /* personalise: U * T */
    uint8_t proofs;   /* that were refused in this visit */
};

static inline struct otp_visit *otp_visit_of(struct scrip_purse_job *job)
{
    return (struct otp_visit *)(void *)&job->state;
}

/** The balance at reply `i`, into has_value and value. @return as scrip_storage_reply_block */
enum scrip_status otp_take_balance(struct scrip_purse_job *job, const struct scrip_replies *replies, size_t i);

/** Refusals of one key, and of both. */
enum { OTP_TRIES = 2, OTP_REFUSALS = 2 * OTP_TRIES };

/** The sector's key A or B. */
enum scrip_status otp_key(struct scrip_purse_job *job, bool key_b, uint8_t key[6]);

/** Append a key, the authentication and the balance: three commands. `factory` in the visit chooses the transport key
 *  in place of key A or B. */
enum scrip_status otp_ask_open(struct scrip_purse_job *job, struct scrip_batch *batch, bool key_b);
enum { OTP_REPLY_LOAD, OTP_REPLY_AUTHENTICATE, OTP_REPLY_BALANCE, OTP_OPEN_COMMANDS }; /* of otp_ask_open */

/* spend.c */
enum scrip_status otp_spend(struct scrip_purse_job *job); /* the balance is known: what now? */
enum scrip_status otp_ask_debit(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status otp_take_debit(struct scrip_purse_job *job, const struct scrip_replies *replies);
enum scrip_status otp_ask_check(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status otp_take_check(struct scrip_purse_job *job, const struct scrip_replies *replies);

/* make.c: personalise */
enum scrip_status otp_make_begin(struct scrip_purse_job *job);
enum scrip_status otp_make_opened(struct scrip_purse_job *job);
enum scrip_status otp_ask_probe(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status otp_take_probe(struct scrip_purse_job *job, const struct scrip_replies *replies);
enum scrip_status otp_ask_face(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status otp_take_face(struct scrip_purse_job *job, const struct scrip_replies *replies);
enum scrip_status otp_ask_password(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status otp_take_password(struct scrip_purse_job *job, const struct scrip_replies *replies);
enum scrip_status otp_ask_prove(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status otp_take_prove(struct scrip_purse_job *job, const struct scrip_replies *replies);

#endif
