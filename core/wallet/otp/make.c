/* Personalise: the face value, then the password of its sector, then proof of both.
 *
 * Memory is one-time, so nothing can be made anew: what a torn personalisation has begun is completed by the same one,
 * and by no other. Until the password is in force the default one opens, so a card may be torn anywhere before. Other
 * sectors are not the purse's and keep their default passwords. */
#include "visit.h"
#include <string.h>

enum { FREE_BYTE = 0x69, PASSWORDS = 2 };

/* By group: the manufacturer's block is read; the balance is read and taken from with either key; block 2 is free, and
 * key B's to write; of the password nothing can change. */
static const struct scrip_classic_access access_conditions = {{2, 1, 4, 6}};

/* U and T. Where T is not given, the amount is what the card is sold for. */
enum scrip_status otp_make_begin(struct scrip_purse_job *job)
{
    struct otp_visit *visit = otp_visit_of(job);
    const uint32_t unit = visit->purse.unit;
    const int32_t amount = job->request->amount;
    if (unit == 0 || amount < 0 || (uint32_t)amount % unit != 0) {
        return unit == 0 || amount < 0 ? SCRIP_E_ARGUMENT : SCRIP_E_UNIT;
    }
    const uint32_t units = visit->purse.units != 0 ? visit->purse.units : (uint32_t)amount / unit;
    if (units > SCRIP_OTP_UNITS) {
        return SCRIP_E_LIMIT;
    }
    const struct scrip_otp_face face = {.unit = unit, .units = (uint16_t)units};
    SCRIP_TRY(scrip_otp_face_put(&face, visit->face));
    visit->worth = scrip_otp_balance(&face, 0);
    if (amount != 0 && amount != visit->worth) {
        return SCRIP_E_ARGUMENT;
    }
    visit->factory = true;
    return SCRIP_OK;
}

/* ---- is it one? ---- */

/* A MIFARE Classic has a block 16. What it would be written to is one-time here only, and lost there. */
enum scrip_status otp_ask_probe(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    uint8_t key[6];
    (void)job;
    memset(key, 0xFF, sizeof key);
    return scrip_storage_open(batch, SCRIP_OTP_BLOCKS, false, key);
}

enum scrip_status otp_take_probe(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    uint16_t sw = 0;
    const enum scrip_status status = scrip_storage_reply(replies, OTP_REPLY_AUTHENTICATE, NULL, &sw);
    if (status == SCRIP_OK) {
        return SCRIP_E_UNSUPPORTED;
    }
    if (sw == 0) { /* no status word: the link itself lost the card */
        return sector_note(job, SECTOR_INS_AUTHENTICATE, status, sw);
    }
    otp_visit_of(job)->sector.stage = OTP_OPEN;
    return SCRIP_OK;
}

static enum scrip_status decline(struct scrip_purse_job *job, enum scrip_status status)
{
    return sector_end(job, SCRIP_OUTCOME_DECLINED, status);
}

/* The sector is open, with the default password or with the purse's own. */
enum scrip_status otp_make_opened(struct scrip_purse_job *job)
{
    struct otp_visit *visit = otp_visit_of(job);
    if (!visit->has_value) { /* the password comes last: under it there is a face value, or it is not ours */
        visit->sector.stage = OTP_FACE;
        return visit->factory ? SCRIP_OK : decline(job, SCRIP_E_CORRUPT);
    }
    if (visit->value != visit->worth) {
        return decline(job, SCRIP_E_EXISTS);
    }
    visit->sector.stage = visit->factory ? OTP_PASSWORD : OTP_PROVE;
    return SCRIP_OK;
}

/* ---- face value ---- */

enum scrip_status otp_ask_face(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct otp_visit *visit = otp_visit_of(job);
    SCRIP_TRY(scrip_storage_write(batch, visit->purse.main_block, visit->face));
    return scrip_storage_read(batch, visit->purse.main_block);
}

enum scrip_status otp_take_face(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct otp_visit *visit = otp_visit_of(job);
    SCRIP_TRY(sector_reply(job, replies, 0, SECTOR_INS_WRITE)); /* refused: begun with another face value */
    SCRIP_TRY(otp_take_balance(job, replies, 1));
    if (!visit->has_value || visit->value != visit->worth) {
        return decline(job, SCRIP_E_UNSUPPORTED); /* memory that shows what was written is no such card */
    }
    visit->sector.stage = OTP_PASSWORD;
    return SCRIP_OK;
}

/* ---- password ---- */

static enum scrip_status make_password(struct scrip_purse_job *job, struct scrip_classic_trailer *trailer)
{
    scrip_classic_access_put(&access_conditions, trailer->access);
    trailer->free_byte = FREE_BYTE;
    SCRIP_TRY(otp_key(job, false, trailer->key_a));
    return otp_key(job, true, trailer->key_b);
}

enum scrip_status otp_ask_password(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return sector_ask_trailer(job, batch, otp_visit_of(job)->purse.trailer_block, make_password);
}

enum scrip_status otp_take_password(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    SCRIP_TRY(sector_take_trailer(job, replies));
    otp_visit_of(job)->sector.stage = OTP_PROVE; /* the new keys tell */
    otp_visit_of(job)->factory = false;
    return SCRIP_OK;
}

/* ---- proof ---- */

enum { KEYS = 2, REPLY_FACE = KEYS * OTP_OPEN_COMMANDS };

enum scrip_status otp_ask_prove(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    SCRIP_TRY(otp_ask_open(job, batch, false));
    SCRIP_TRY(otp_ask_open(job, batch, true));
    return scrip_storage_read(batch, SCRIP_OTP_FACE_VIRTUAL); /* last: many readers know of no such block */
}

static enum scrip_status proved(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const struct otp_visit *visit = otp_visit_of(job);
    uint8_t face[16];
    for (size_t i = 0; i < KEYS; i++) {
        const enum scrip_status status =
            sector_reply(job, replies, i * OTP_OPEN_COMMANDS + OTP_REPLY_AUTHENTICATE, SECTOR_INS_AUTHENTICATE);
        if (status != SCRIP_OK) {
            return status == SCRIP_E_CARD ? SCRIP_E_AUTH : status;
        }
        SCRIP_TRY(otp_take_balance(job, replies, i * OTP_OPEN_COMMANDS + OTP_REPLY_BALANCE));
        if (!visit->has_value || visit->value != visit->worth) {
            return SCRIP_E_EXISTS; /* spent from in between */
        }
    }
    const bool shown = scrip_storage_reply_block(replies, REPLY_FACE, face, NULL) == SCRIP_OK;
    return shown && memcmp(face, visit->face, sizeof face) != 0 ? SCRIP_E_EXISTS : SCRIP_OK; /* other units */
}

/* The proof is asked for again, as for any key; then a password block that is not in force yet is written once more. */
static enum scrip_status once_more(struct scrip_purse_job *job)
{
    struct otp_visit *visit = otp_visit_of(job);
    visit->proofs++;
    if (visit->proofs % OTP_TRIES != 0) {
        return SCRIP_OK;
    }
    if (visit->sector.trailers == 0 || visit->sector.trailers >= PASSWORDS) {
        return SCRIP_E_AUTH;
    }
    visit->factory = true;
    visit->refusals = OTP_TRIES;
    visit->sector.stage = OTP_OPEN;
    return SCRIP_OK;
}

enum scrip_status otp_take_prove(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const struct scrip_desfire_failure first = job->result.failure;
    const enum scrip_status status = proved(job, replies);
    if (status == SCRIP_OK) {
        job->result.has_balance = true;
        job->result.balance = otp_visit_of(job)->worth;
    }
    return sector_take_proof(job, &first, status, once_more);
}
