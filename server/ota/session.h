/* session.h: one step of a session with a card over the air. Private to the room.
 *
 *   the order's address, no body        -> the public preamble                               PREAMBLE
 *   challenge (EV2)                     -> part 2                                            AUTH
 *   challenge (EV1)                     -> part 2, and what follows, in one batch
 *   proof of the card (EV2)             -> reads, if something of the card is open           EVIDENCE
 *                                          else the order's own batch                        RESULT, READ, ...
 *   random ID: challenge of the ID key  -> part 2                                            WHO_AUTH
 *              proof                    -> GetCardUID, part 1 with the top-up key            WHO
 *              UID and challenge        -> part 2, and what follows, in one batch
 *   result                              -> 204
 *
 * Each step is a function of the token, the body and the rows of the book: nothing is kept between two requests. */
#ifndef SCRIP_SERVER_OTA_SESSION_H
#define SCRIP_SERVER_OTA_SESSION_H

#include "../server.h"

#include <scrip/purse_desfire.h>
#include <scrip/relay_tlv.h>

/* STAGE(name, what the card was sent last) */
#define OTA_STAGES(STAGE)                                                                                              \
    STAGE(PREAMBLE, take_preamble)                                                                                     \
    STAGE(WHO_AUTH, take_who_auth)                                                                                     \
    STAGE(WHO, take_who)                                                                                               \
    STAGE(AUTH, take_auth)                                                                                             \
    STAGE(EVIDENCE, take_evidence)                                                                                     \
    STAGE(RESULT, take_result)                                                                                         \
    STAGE(READ, take_read)                                                                                             \
    STAGE(READ_REAUTH, take_read_reauth)                                                                               \
    STAGE(WRITE_REAUTH, take_write_reauth)                                                                             \
    STAGE(WRITE_HEADER, take_write_header)                                                                             \
    STAGE(WRITE_BACK, take_write_back)                                                                                 \
    STAGE(WRITE_COMMIT, take_write_commit)                                                                             \
    STAGE(REKEY_REAUTH, take_rekey_reauth)                                                                             \
    STAGE(REKEY, take_rekey)

enum ota_stage {
#define STAGE(name, function) OTA_##name,
    OTA_STAGES(STAGE)
#undef STAGE
        OTA_STAGE_COUNT
};

#define OTA_RESTARTS_MAX 3U

/* What travels in the token. */
struct session {
    uint8_t stage;
    uint8_t restarts;    /* new sessions begun in this tap */
    uint8_t key_version; /* of the card's diversified keys, as tried in this session */
    uint8_t attempt;     /* change keys: how many of the keys are taken to be new already */
    uint8_t reads;       /* SCRIP_READ_* still to be asked for in this stage */
    uint8_t proof_role;  /* enum scrip_purse_role + 1 of a proof that is still out; 0: none */
    bool settled;        /* evidence was taken in this session */
    uint8_t refused_cmd; /* what the phone reported as refused before this session was begun; 0: nothing */
    uint16_t refused_sw;
    bool newest_only;   /* the card refused to show the second newest top-up */
    bool count_only;    /* … and the newest: ask how many there are */
    uint32_t issue_no;  /* the card's newest issue number when part 2 was made */
    uint32_t tmc_floor; /* its highest TMC then */
    uint32_t reference; /* of the issue whose batch was sent; 0: none */
    char order_id[SCRIP_LEDGER_ID_MAX + 1];
};

/* A step while it is made. */
struct ota {
    struct context *context;
    struct session session;
    struct scrip_ledger_order order;
    struct scrip_ledger_card card;
    struct scrip_desfire_profile profile;
    struct scrip_desfire_tap tap;
    struct scrip_relay_report report;
    struct scrip_replies replies;
    struct scrip_batch batch; /* goes out if it has commands */
    uint8_t digest[32];       /* of the request: address and body */
    bool replay;              /* this very request has issued `issue` already */
    struct scrip_ledger_issue issue;
};

/* ---- state.c ---- */

enum scrip_status session_save(const struct session *session, const struct scrip_desfire_tap *tap,
                               struct scrip_buf *out);
enum scrip_status session_load(struct session *session, struct scrip_bytes *in);

/* ---- keys.c ---- */

/** A key of the card in front of us. @return SCRIP_OK; SCRIP_E_KEY: the store has no such version */
enum scrip_status ota_key(const struct ota *ota, enum scrip_purse_role role, unsigned version, uint8_t key[16]);

/** Answer the challenge of `role`; RndA is a keyed hash of request, card and issue number. */
enum scrip_status ota_answer(struct ota *ota, enum scrip_purse_role role);

/** Take the replies; finds the key of a proof that is out. */
enum scrip_status ota_take(struct ota *ota);

/* ---- evidence.c ---- */

/** What a session's reads prove. `evidence` is zeroed first. */
void evidence_of_session(const struct ota *ota, struct scrip_settle_evidence *evidence);

/** What the answers to a top-up's batch prove. */
enum scrip_status evidence_of_batch(struct ota *ota, const struct scrip_purse_topup *topup, enum scrip_status taken,
                                    struct scrip_settle_evidence *evidence);

/** Give evidence to the ledger and count what came of it. @return as scrip_ledger_settle */
enum scrip_status ota_settle(struct ota *ota, const struct scrip_settle_evidence *evidence,
                             struct scrip_ledger_settlement *settlement);

/** Did the settlement put an end to the session? It was overtaken, or the card is held: that is answered then, as
 *  SESSION_OVER, ROLLBACK or CARD_HELD with the reason. What has been booked stays booked.
 *  @param status  of ota_settle */
bool ota_stopped(struct ota *ota, enum scrip_status status, const struct scrip_ledger_settlement *settlement);

/* ---- ota.c ---- */

/** The session goes on: the batch and a token with the state. */
enum scrip_status ota_go_on(struct ota *ota, enum ota_stage stage);

/** The session is over: 204. */
enum scrip_status ota_over(struct ota *ota);

/** Begin again in the same tap. @param version  key version to try */
enum scrip_status ota_restart(struct ota *ota, unsigned version);

/** The card's answer was not what was asked for: lost, refused, or altered. */
enum scrip_status ota_failed(struct ota *ota, enum scrip_status status);

/** Tell what the card refused, as the phone says. */
enum scrip_status ota_refused(struct ota *ota, uint8_t cmd, uint16_t sw);

/** Read the order again after the ledger has changed it. */
enum scrip_status ota_reload(struct ota *ota);

/* ---- steps.c: a session is open or about to be; append what comes next ---- */

/** Settle what is open, or the order's own work. */
enum scrip_status ota_next(struct ota *ota);

/** Append reads one by one until one must wait. */
enum scrip_status ota_ask_reads(struct ota *ota);

/** How many records of the top-up log to read; 0: all. */
unsigned ota_topups_wanted(const struct ota *ota);

/* ---- work.c ---- */

enum scrip_status work_read(struct ota *ota);
enum scrip_status work_write(struct ota *ota);
enum scrip_status work_rekey(struct ota *ota);

#define STAGE(name, function) enum scrip_status function(struct ota *ota, enum scrip_status taken);
OTA_STAGES(STAGE)
#undef STAGE

#endif
