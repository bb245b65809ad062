/* job.h: an operation as a row of steps. Each step asks for one batch and takes its responses; a step that asks for
 * nothing is passed over. */
#ifndef SCRIP_WALLET_JOB_H
#define SCRIP_WALLET_JOB_H

#include "tap.h"
#include <scrip/wallet.h>

struct job {
    struct scrip_desfire_tap tap;
    const struct step *steps;
    uint8_t step;
    bool continuing;
    bool again;       /* from the first step */
    bool done;        /* the remaining steps are not needed */
    uint8_t role;     /* enum scrip_purse_role of the operation */
    uint8_t key[16];  /* of the authentication under way */
    bool by_id;       /* the UID is random: met with the identification key first */
    bool ask_version; /* a key was refused: ask which version the card has, and begin again */
    uint8_t asked;    /* bit by role: that was done, `versions` has the answer */
    uint8_t versions[SCRIP_PURSE_ROLES];
    struct scrip_purse_debit debit;
    struct scrip_purse_topup topup;
    struct scrip_journal_line line;
    /* personalisation */
    bool exists;       /* there is an application */
    uint8_t picc_type; /* of the card's master key */
    uint8_t candidate; /* which of the keys that it may be */
    bool deleted;      /* the half-made application */
    bool is_short;     /* of memory */
    bool formatted;
    uint8_t phase;
    uint8_t index;  /* looking: number of a file or key */
    uint32_t files; /* bit by number: those that are there */
};

struct step {
    /** Append commands. NULL ends the row. */
    enum scrip_status (*ask)(struct scrip_purse_job *job, struct scrip_batch *batch);
    /** Take responses; NULL: all of them, any failure ends the job. */
    enum scrip_status (*take)(struct scrip_purse_job *job, const struct scrip_replies *replies);
};

static inline struct job *job_of(struct scrip_purse_job *job)
{
    return (struct job *)(void *)&job->state;
}

/** The job is over: say how. @return `status` */
enum scrip_status job_end(struct scrip_purse_job *job, enum scrip_outcome outcome, enum scrip_status status);

/** Take everything that is out into facts. Keeps what went wrong in the result. */
enum scrip_status job_take(struct scrip_purse_job *job, const struct scrip_replies *replies);

/** The card's own key of a role. */
enum scrip_status job_key(struct scrip_purse_job *job, enum scrip_purse_role role, bool diversified, uint8_t out[16]);

/** Fresh RndA. */
enum scrip_status job_random(struct scrip_purse_job *job, uint8_t out[16]);

/* The steps with which every operation on a personalised card begins. The first is passed over unless the second or
 * the fourth of the others found that the card has another version of a key: then they begin anew. */
enum scrip_status job_ask_version(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status job_take_version(struct scrip_purse_job *job, const struct scrip_replies *replies);
enum scrip_status job_take_proof(struct scrip_purse_job *job, const struct scrip_replies *replies);
enum scrip_status job_meet(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status job_meet_answer(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status job_open(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status job_answer(struct scrip_purse_job *job, struct scrip_batch *batch);
#define JOB_OPENING                                                                                                    \
    {job_ask_version, job_take_version}, {job_meet, NULL}, {job_meet_answer, job_take_proof}, {job_open, NULL},        \
    {                                                                                                                  \
        job_answer, job_take_proof                                                                                     \
    }

/** Does the card header name the request's currency, where that is said? Else the job is declined (show.c). */
enum scrip_status job_compare_ask(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status job_compare_take(struct scrip_purse_job *job, const struct scrip_replies *replies);
#define JOB_COMPARE                                                                                                    \
    {                                                                                                                  \
        job_compare_ask, job_compare_take                                                                              \
    }

/** The card header for who wants to show it, after everything else: a card that refuses it has ended the session. */
enum scrip_status job_header_ask(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status job_header_take(struct scrip_purse_job *job, const struct scrip_replies *replies);

/** The header that was read, into the result. @return SCRIP_OK; SCRIP_E_CURRENCY: the job is declined */
enum scrip_status job_note_header(struct scrip_purse_job *job);

/** Reads for settling own intents, and settling them (settle.c). */
enum scrip_status job_settle_ask(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status job_settle_ask_more(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status job_settle_take(struct scrip_purse_job *job, const struct scrip_replies *replies);

/* Rows of steps. */
extern const struct step steps_balance[];
extern const struct step steps_history[];
extern const struct step steps_spend[]; /* debit and credit */
extern const struct step steps_recover[];
extern const struct step steps_personalise[];

#endif
