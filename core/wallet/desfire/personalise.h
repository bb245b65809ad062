/* personalise.h: what looking at a card and making a purse on it share. */
#ifndef SCRIP_WALLET_PERSONALISE_H
#define SCRIP_WALLET_PERSONALISE_H

#include "job.h"

struct scrip_desfire_term *personalise_term(struct scrip_purse_job *job);
struct scrip_desfire_key personalise_zero_key(enum scrip_cipher cipher);

/** The card stays as it is: declined, and why. @return `status` */
enum scrip_status personalise_refuse(struct scrip_purse_job *job, enum scrip_purse_found found,
                                     enum scrip_status status);

/** Keep what the terminal says about a failure. @return `status`, or that of a refusal for a card that is full */
enum scrip_status personalise_failed(struct scrip_purse_job *job, enum scrip_status status);

/** Key `no` of the application, as it is to be. */
enum scrip_status personalise_key(struct scrip_purse_job *job, uint8_t no, struct scrip_desfire_key *key);

/** Bytes that the files of a profile take at least. */
uint32_t personalise_memory(const struct scrip_desfire_profile *profile);

/* Parts of an authentication. */
enum scrip_status personalise_challenge(struct scrip_purse_job *job, const struct scrip_replies *replies);
enum scrip_status personalise_answer(struct scrip_purse_job *job, struct scrip_batch *batch,
                                     const struct scrip_desfire_key *key);
enum scrip_status personalise_proof(struct scrip_purse_job *job, const struct scrip_replies *replies,
                                    const struct scrip_desfire_key *key);

/** The answer to GetCardUID. */
enum scrip_status personalise_take_uid(struct scrip_purse_job *job, const struct scrip_replies *replies);

/* ---- what is there? Steps, in order (personalise_look.c); they read only. Behind the last of them there is no
 * application, or a half-made one of ours; in every other case the job has ended. ---- */

#define PERSONALISE_LOOK(name)                                                                                         \
    enum scrip_status personalise_ask_##name(struct scrip_purse_job *job, struct scrip_batch *batch);                  \
    enum scrip_status personalise_take_##name(struct scrip_purse_job *job, const struct scrip_replies *replies)

PERSONALISE_LOOK(version);
PERSONALISE_LOOK(probe); /* does an application open with the factory key ... */
PERSONALISE_LOOK(probe_answer);
PERSONALISE_LOOK(owner); /* ... or with our master key? */
PERSONALISE_LOOK(owner_answer);
PERSONALISE_LOOK(key_settings);
PERSONALISE_LOOK(file_ids);
PERSONALISE_LOOK(file); /* once for each file */
PERSONALISE_LOOK(key);  /* a finished one: once for each key but those of master and terminal */
PERSONALISE_LOOK(key_answer);
PERSONALISE_LOOK(pay); /* take: of both parts */
PERSONALISE_LOOK(header);

enum scrip_status personalise_ask_who(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status personalise_ask_pay_answer(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status personalise_ask_value(struct scrip_purse_job *job, struct scrip_batch *batch);

#endif
