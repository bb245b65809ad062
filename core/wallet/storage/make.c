/* Personalise, rekey, force-init.
 *
 * Personalisation writes both copies while the transport key still opens the sector, and the trailer last: torn before
 * the trailer, the transport key still works and it is done again. A torn trailer may lock its sector for ever, which
 * no order of writing can avoid: on a new card no value is lost with it; when keys are changed, it is, and so that is
 * done at a desk, with the balance noted.
 *
 * A change of keys opens with the old keys, or with the new ones when it was torn behind the trailer, and ends with
 * both new keys proved. Whatever authenticates of a half-written trailer that may still be written is used to write it
 * once more. */
#include "storage.h"
#include <string.h>

enum { FREE_BYTE = 0x69, TRAILERS = 2 };

/* Access bytes by kind and access: docs/protocol/purse-storage.md. */
static const uint8_t *access_bytes(const struct scrip_storage_purse *purse)
{
    static const uint8_t transport[3] = {0xFF, 0x07, 0x80}; /* data 000, trailer 001 */
    static const uint8_t value[3] = {0x08, 0x77, 0x8F};     /* data 110, trailer 011 */
    static const uint8_t written[3] = {0x78, 0x77, 0x88};   /* data 100, trailer 011 */
    if (purse->access == SCRIP_STORAGE_COMPATIBLE) {
        return transport;
    }
    return purse->kind == SCRIP_STORAGE_NATIVE ? value : written;
}

/* The keys that the sector has when all is done. */
static struct storage_opener goal(const struct scrip_purse_job *job, const struct visit *visit, bool key_b)
{
    struct storage_opener opener = visit_own(visit, key_b);
    opener.next = job->operation == SCRIP_PURSE_REKEY;
    return opener;
}

void make_openers(struct scrip_purse_job *job)
{
    struct visit *visit = visit_of(job);
    const bool writer = visit_writer_is_b(&visit->purse);
    visit->openers[visit->opener_count++] = job->operation == SCRIP_PURSE_REKEY
                                                ? visit_own(visit, writer)
                                                : (struct storage_opener){.key = {.role = SCRIP_STORAGE_FACTORY}};
    visit->openers[visit->opener_count++] = goal(job, visit, writer);
    if (job->operation == SCRIP_PURSE_REKEY) { /* only to tell a sector without a purse from a foreign one */
        visit->openers[visit->opener_count++] =
            (struct storage_opener){.key = {.role = SCRIP_STORAGE_FACTORY}, .probe = true};
    }
}

static bool is_both(const struct visit *visit, int32_t value)
{
    return visit->repair == SCRIP_COPIES_GOOD && visit->value == value;
}

static enum scrip_status decline(struct scrip_purse_job *job, enum scrip_status status)
{
    return sector_end(job, SCRIP_OUTCOME_DECLINED, status);
}

static enum scrip_status personalise(struct scrip_purse_job *job)
{
    struct visit *visit = visit_of(job);
    if (visit->openers[visit->opener].key.role == SCRIP_STORAGE_FACTORY) {
        job->result.has_balance = false; /* what stands there is nobody's */
        visit->sector.stage = STAGE_WRITE;
        return SCRIP_OK;
    }
    if (visit->repair == SCRIP_COPIES_BOTH_DAMAGED) {
        return visit_report_damage(job);
    }
    if (!is_both(visit, job->request->amount)) {
        return decline(job, SCRIP_E_EXISTS);
    }
    visit->sector.stage = STAGE_PROVE; /* an earlier personalisation whose end was not seen */
    return SCRIP_OK;
}

static enum scrip_status rekey(struct scrip_purse_job *job)
{
    struct visit *visit = visit_of(job);
    if (visit->repair == SCRIP_COPIES_BOTH_DAMAGED) {
        return visit_report_damage(job);
    }
    if (visit->repair != SCRIP_COPIES_GOOD) {
        visit->sector.stage = STAGE_MEND; /* the balance at risk is to be one number */
        return SCRIP_OK;
    }
    visit->sector.stage = visit->openers[visit->opener].next ? STAGE_PROVE : STAGE_TRAILER;
    return SCRIP_OK;
}

static enum scrip_status force_init(struct scrip_purse_job *job)
{
    struct visit *visit = visit_of(job);
    if (visit->repair != SCRIP_COPIES_BOTH_DAMAGED) {
        return decline(job, SCRIP_E_STATE);
    }
    if (memcmp(visit->copies, job->request->copies, sizeof visit->copies) != 0) {
        return decline(job, SCRIP_E_STALE); /* not what was logged */
    }
    visit->sector.stage = STAGE_WRITE;
    return SCRIP_OK;
}

enum scrip_status make_opened(struct scrip_purse_job *job)
{
    struct visit *visit = visit_of(job);
    if (visit->writes_keys) { /* opened once more because the new keys were not whole */
        visit->sector.stage = STAGE_TRAILER;
        return SCRIP_OK;
    }
    switch (job->operation) {
    case SCRIP_PURSE_PERSONALISE:
        return personalise(job);
    case SCRIP_PURSE_REKEY:
        return rekey(job);
    default:
        return force_init(job);
    }
}

/* ---- both copies ------------------------------------------------------------------------------------------------- */

enum scrip_status make_ask_write(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct visit *visit = visit_of(job);
    const struct scrip_storage_purse *purse = &visit->purse;
    uint8_t block[16];
    SCRIP_TRY(visit->kind->put(purse, job->request->amount, block));
    if (job->operation == SCRIP_PURSE_FORCE_INIT && visit->kind->tag(block) != SCRIP_STORAGE_NO_TAG) {
        scrip_classic_value_put(job->request->amount, (uint8_t)(purse->main_block ^ 0x80U), block); /* no older tag */
    }
    SCRIP_TRY(scrip_storage_write(batch, purse->main_block, block));
    SCRIP_TRY(scrip_storage_write(batch, purse->backup_block, block));
    SCRIP_TRY(scrip_storage_read(batch, purse->main_block));
    return scrip_storage_read(batch, purse->backup_block);
}

enum scrip_status make_take_write(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct visit *visit = visit_of(job);
    for (size_t i = 0; i < 2; i++) {
        SCRIP_TRY(sector_reply(job, replies, i, SECTOR_INS_WRITE));
    }
    SCRIP_TRY(visit_take_copies(job, replies, 2));
    visit_decide(visit);
    if (!is_both(visit, job->request->amount)) {
        return sector_end(job, SCRIP_OUTCOME_ASK_AGAIN, SCRIP_E_NV);
    }
    job->result.has_balance = true;
    job->result.balance = visit->value;
    if (job->operation == SCRIP_PURSE_FORCE_INIT) {
        job->result.committed = true;
        return sector_end(job, SCRIP_OUTCOME_ACCEPTED, SCRIP_OK);
    }
    visit->sector.stage = STAGE_TRAILER;
    return SCRIP_OK;
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static enum scrip_status make_trailer(struct scrip_purse_job *job, struct scrip_classic_trailer *trailer)
{
    const struct visit *visit = visit_of(job);
    const struct storage_opener a = goal(job, visit, false);
    const struct storage_opener b = goal(job, visit, true);
    memcpy(trailer->access, access_bytes(&visit->purse), sizeof trailer->access);
    trailer->free_byte = FREE_BYTE;
    SCRIP_TRY(visit_key(job, &a, trailer->key_a));
    return visit_key(job, &b, trailer->key_b);
}

enum scrip_status make_ask_trailer(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return sector_ask_trailer(job, batch, visit_of(job)->purse.trailer_block, make_trailer);
}

enum scrip_status make_take_trailer(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    SCRIP_TRY(sector_take_trailer(job, replies));
    visit_of(job)->sector.stage = STAGE_PROVE; /* the new keys tell */
    return SCRIP_OK;
}

/* ---- proof ------------------------------------------------------------------------------------------------------- */

enum { REPLY_COPIES = 2, REPLY_KEY_B = 5 };

enum scrip_status make_ask_prove(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct visit *visit = visit_of(job);
    const struct storage_opener a = goal(job, visit, false);
    const struct storage_opener b = goal(job, visit, true);
    SCRIP_TRY(visit_ask_open(job, batch, &a));
    return visit->purse.access == SCRIP_STORAGE_HARDENED ? visit_ask_open(job, batch, &b) : SCRIP_OK;
}

static enum scrip_status proved(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct visit *visit = visit_of(job);
    const size_t keys = visit->purse.access == SCRIP_STORAGE_HARDENED ? 2 : 1;
    const int32_t value = visit->value;
    for (size_t i = 0; i < keys; i++) {
        uint16_t sw = 0;
        const enum scrip_status status = scrip_storage_reply(replies, 4 * i + 1, NULL, &sw);
        if (status != SCRIP_OK) {
            return sector_note(job, SECTOR_INS_AUTHENTICATE, status == SCRIP_E_CARD ? SCRIP_E_AUTH : status, sw);
        }
        SCRIP_TRY(visit_take_copies(job, replies, 4 * i + REPLY_COPIES));
    }
    visit_decide(visit);
    return is_both(visit, value) ? SCRIP_OK : SCRIP_E_NV;
}

/* A trailer that is not whole is written once more, by whatever key still opens. */
static enum scrip_status once_more(struct scrip_purse_job *job)
{
    struct visit *visit = visit_of(job);
    if (visit->sector.trailers >= TRAILERS) {
        return SCRIP_E_AUTH;
    }
    visit->writes_keys = true;
    visit->opener = 0;
    visit->sector.stage = STAGE_OPEN;
    return SCRIP_OK;
}

enum scrip_status make_take_prove(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const struct scrip_desfire_failure first = job->result.failure;
    return sector_take_proof(job, &first, proved(job, replies), once_more);
}
