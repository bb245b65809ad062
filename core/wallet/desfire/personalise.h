/* personalise.h: what looking at a card and making a purse on it share. */
#ifndef SCRIP_WALLET_PERSONALISE_H
#define SCRIP_WALLET_PERSONALISE_H

#include "job.h"

/** Steps in their order. One that is to be done again, or another one, is named less 1: the runner goes on from there.
 */
enum step_number {
    STEP_VERSION,
    STEP_PROBE,
    STEP_PROBE_ANSWER,
    STEP_OWNER,
    STEP_OWNER_ANSWER,
    STEP_KEY_SETTINGS,
    STEP_FILE_IDS,
    STEP_FILE,
    STEP_WHO,
    STEP_KEY,
    STEP_KEY_ANSWER,
    STEP_PAY,
    STEP_PAY_ANSWER,
    STEP_VALUE,
    STEP_HEADER,
    STEP_SETTINGS, /* at card level from here on: the application is not there, or half made */
    STEP_CARD,
    STEP_CARD_ANSWER,
    STEP_UID,
    STEP_DELETE,
    STEP_MEMORY,
    STEP_LIST,
    STEP_FORMAT,
    STEP_CARD_KEY,
    STEP_CARD_AGAIN,
    STEP_CARD_AGAIN_ANSWER,
    STEP_APPLICATION,
    STEP_PHASE,
    STEP_PHASE_ANSWER,
    STEP_WORK,
    STEP_END
};

struct scrip_desfire_term *personalise_term(struct scrip_purse_job *job);
struct scrip_desfire_key personalise_zero_key(enum scrip_cipher cipher);

/** The card stays as it is: declined, and why. @return `status` */
enum scrip_status personalise_refuse(struct scrip_purse_job *job, enum scrip_purse_found found,
                                     enum scrip_status status);

/** Keep what the terminal says about a failure. @return `status`, or that of a refusal for a card that is full */
enum scrip_status personalise_failed(struct scrip_purse_job *job, enum scrip_status status);

/** Key `no` of the application, as it is to be. */
enum scrip_status personalise_key(struct scrip_purse_job *job, uint8_t no, struct scrip_desfire_key *key);

/** A key to be written: still without its bytes, but of the right version. */
struct scrip_desfire_key personalise_new_key(const struct scrip_purse_job *job, enum scrip_purse_role role);

/** All responses that are out must be plain successes. */
enum scrip_status personalise_take_all(struct scrip_purse_job *job, const struct scrip_replies *replies);

/** From here on the card is not what it was. */
void personalise_begin_change(struct scrip_purse_job *job);

/** Bytes that the files of a profile take at least. */
uint32_t personalise_memory(const struct scrip_desfire_profile *profile);

/* Parts of an authentication. */
enum scrip_status personalise_challenge(struct scrip_purse_job *job, const struct scrip_replies *replies);
enum scrip_status personalise_answer(struct scrip_purse_job *job, struct scrip_batch *batch,
                                     const struct scrip_desfire_key *key);
enum scrip_status personalise_proof(struct scrip_purse_job *job, const struct scrip_replies *replies,
                                    const struct scrip_desfire_key *key);

/* ---- what is there? Steps, in order (personalise_look.c); they read only. Behind the last of them there is no
 * application, or a half-made one of ours; in every other case the job has ended. ---- */

#define PERSONALISE_STEP(name)                                                                                         \
    enum scrip_status personalise_ask_##name(struct scrip_purse_job *job, struct scrip_batch *batch);                  \
    enum scrip_status personalise_take_##name(struct scrip_purse_job *job, const struct scrip_replies *replies)

PERSONALISE_STEP(version);
PERSONALISE_STEP(probe); /* does an application open with the factory key ... */
PERSONALISE_STEP(probe_answer);
PERSONALISE_STEP(owner); /* ... or with our master key? */
PERSONALISE_STEP(owner_answer);
PERSONALISE_STEP(key_settings);
PERSONALISE_STEP(file_ids);
PERSONALISE_STEP(file); /* once for each file */
PERSONALISE_STEP(key);  /* a finished one: once for each key but those of master and terminal */
PERSONALISE_STEP(key_answer);
PERSONALISE_STEP(pay); /* take: of both parts */
PERSONALISE_STEP(header);

enum scrip_status personalise_ask_who(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status personalise_ask_pay_answer(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status personalise_ask_value(struct scrip_purse_job *job, struct scrip_batch *batch);

/* ---- at card level (personalise_card.c): the application is not there, or half made ---- */

PERSONALISE_STEP(settings);
PERSONALISE_STEP(card); /* once for each key that the card may have */
PERSONALISE_STEP(card_answer);
PERSONALISE_STEP(uid);
PERSONALISE_STEP(delete);
PERSONALISE_STEP(memory);
PERSONALISE_STEP(list);
PERSONALISE_STEP(format);
PERSONALISE_STEP(card_key);

enum scrip_status personalise_ask_card_again(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status personalise_take_card_proof(struct scrip_purse_job *job, const struct scrip_replies *replies);

#endif
