/* The visit at a storage card: which key opens, which copy counts, mending it. See storage.h, and sector.h for the
 * rest. */
#include "storage.h"
#include <string.h>

_Static_assert(sizeof(struct visit) <= SCRIP_PURSE_JOB_STATE, "a visit must fit its place");

enum { REPLY_COPIES = 2 }; /* of visit_ask_open */

/* ---- keys -------------------------------------------------------------------------------------------------------- */

/* Compatible: the transport condition, key A does everything. Hardened: the trailer is key B's. */
bool visit_writer_is_b(const struct scrip_storage_purse *purse)
{
    return purse->access == SCRIP_STORAGE_HARDENED;
}

struct storage_opener visit_own(const struct visit *visit, bool key_b)
{
    return (struct storage_opener){.key = key_b ? visit->purse.key_b : visit->purse.key_a, .key_b = key_b};
}

/* The least key that does the job. */
static bool needs_key_b(const struct scrip_storage_purse *purse, enum scrip_purse_operation operation)
{
    if (purse->access == SCRIP_STORAGE_COMPATIBLE) {
        return false;
    }
    if (purse->kind == SCRIP_STORAGE_BCD) {
        return operation != SCRIP_PURSE_BALANCE; /* taking is writing */
    }
    return operation == SCRIP_PURSE_CREDIT || operation == SCRIP_PURSE_FORCE_INIT;
}

static void set_openers(struct scrip_purse_job *job)
{
    struct visit *visit = visit_of(job);
    if (job->operation == SCRIP_PURSE_PERSONALISE || job->operation == SCRIP_PURSE_REKEY) {
        make_openers(job);
        return;
    }
    visit->openers[visit->opener_count++] = visit_own(visit, needs_key_b(&visit->purse, job->operation));
    visit->openers[visit->opener_count++] =
        (struct storage_opener){.key = {.role = SCRIP_STORAGE_FACTORY}, .probe = true};
}

enum scrip_status visit_key(struct scrip_purse_job *job, const struct storage_opener *opener, uint8_t key[6])
{
    const struct visit *visit = visit_of(job);
    const struct scrip_purse_keys *keys = opener->next ? &job->request->next_keys : &job->request->keys;
    if (opener->key.role != SCRIP_STORAGE_FACTORY) {
        job->result.role = (enum scrip_purse_role)opener->key.role;
    }
    return scrip_storage_key_get(&visit->purse, &opener->key, keys,
                                 scrip_bytes(visit->sector.uid, visit->sector.uid_len), key);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

enum scrip_status visit_ask_open(struct scrip_purse_job *job, struct scrip_batch *batch,
                                 const struct storage_opener *opener)
{
    const struct visit *visit = visit_of(job);
    uint8_t key[6];
    SCRIP_TRY(visit_key(job, opener, key));
    const enum scrip_status status = scrip_storage_open(batch, visit->purse.trailer_block, opener->key_b, key);
    scrip_wipe(key, sizeof key);
    SCRIP_TRY(status);
    SCRIP_TRY(scrip_storage_read(batch, visit->purse.main_block));
    return scrip_storage_read(batch, visit->purse.backup_block);
}

enum scrip_status visit_take_copies(struct scrip_purse_job *job, const struct scrip_replies *replies, size_t i)
{
    struct visit *visit = visit_of(job);
    for (size_t n = 0; n < 2; n++) {
        SCRIP_TRY(sector_reply_block(job, replies, i + n, visit->copies[n]));
    }
    return SCRIP_OK;
}

/* A key that a store does not have is no candidate; the last one's absence is the failure. */
static enum scrip_status ask_open(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct visit *visit = visit_of(job);
    enum scrip_status status = visit_ask_open(job, batch, &visit->openers[visit->opener]);
    while (status == SCRIP_E_KEY && visit->opener + 1U < visit->opener_count &&
           !visit->openers[visit->opener + 1U].probe) {
        visit->opener++;
        status = visit_ask_open(job, batch, &visit->openers[visit->opener]);
    }
    return status;
}

/* The key was refused. Another one, or the end. */
static enum scrip_status refused(struct scrip_purse_job *job, uint16_t sw)
{
    struct visit *visit = visit_of(job);
    if (!visit->openers[visit->opener].probe) { /* what is told is what was refused to our own key */
        (void)sector_note(job, SECTOR_INS_AUTHENTICATE, SCRIP_E_AUTH, sw);
    }
    visit->opener++;
    return visit->opener < visit->opener_count ? SCRIP_OK : SCRIP_E_AUTH;
}

static enum scrip_status opened(struct scrip_purse_job *job);

/* The transport key opens. A sector whose torn trailer happens to begin with it gives no block away. */
static enum scrip_status probed(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const struct scrip_desfire_failure own = job->result.failure;
    job->result.blank = visit_take_copies(job, replies, REPLY_COPIES) == SCRIP_OK;
    job->result.failure = own;
    return job->result.blank ? SCRIP_E_NOT_FOUND : SCRIP_E_AUTH;
}

static enum scrip_status take_open(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const struct visit *visit = visit_of(job);
    uint16_t sw = 0;
    const enum scrip_status status = sector_take_open(job, replies, &sw);
    if (status == SCRIP_E_CARD) {
        return refused(job, sw);
    }
    SCRIP_TRY(status);
    if (visit->openers[visit->opener].probe) {
        return probed(job, replies);
    }
    SCRIP_TRY(visit_take_copies(job, replies, REPLY_COPIES));
    return opened(job);
}

/* ---- which copy counts ------------------------------------------------------------------------------------------- */

/* Two good copies with two tags are of a card that does not carry the tag along: it has none. */
static int tag_of(const struct visit *visit, bool main_good)
{
    const int tag = visit->kind->tag(visit->copies[main_good ? 0 : 1]);
    return visit->repair != SCRIP_COPIES_GOOD || tag == visit->kind->tag(visit->copies[1]) ? tag : SCRIP_STORAGE_NO_TAG;
}

void visit_decide(struct visit *visit)
{
    int32_t main = 0;
    int32_t backup = 0;
    const bool main_good = visit->kind->get(visit->copies[0], &main) == SCRIP_OK;
    const bool backup_good = visit->kind->get(visit->copies[1], &backup) == SCRIP_OK;
    visit->value = main_good ? main : backup;
    if (main_good) {
        visit->repair = backup_good && backup == main ? SCRIP_COPIES_GOOD : SCRIP_COPIES_MEND_BACKUP;
    } else {
        visit->repair = backup_good ? SCRIP_COPIES_MEND_MAIN : SCRIP_COPIES_BOTH_DAMAGED;
    }
    visit->tag = tag_of(visit, main_good);
}

enum scrip_status visit_report_damage(struct scrip_purse_job *job)
{
    const struct visit *visit = visit_of(job);
    struct scrip_purse_result *result = &job->result;
    result->has_copies = true;
    memcpy(result->copies, visit->copies, sizeof result->copies);
    result->has_proposal = visit->kind->propose(visit->copies[0], visit->copies[1], &result->proposal) == SCRIP_OK &&
                           result->proposal <= visit->purse.upper;
    return sector_end(job, SCRIP_OUTCOME_DECLINED, SCRIP_E_CORRUPT);
}

static enum scrip_status opened(struct scrip_purse_job *job)
{
    struct visit *visit = visit_of(job);
    visit_decide(visit);
    job->result.repair = visit->repair;
    if (visit->repair != SCRIP_COPIES_BOTH_DAMAGED) {
        job->result.has_balance = true;
        job->result.balance_before = visit->value;
        job->result.balance = visit->value;
    }
    if (job->operation == SCRIP_PURSE_PERSONALISE || job->operation == SCRIP_PURSE_REKEY ||
        job->operation == SCRIP_PURSE_FORCE_INIT) {
        return make_opened(job);
    }
    if (visit->repair == SCRIP_COPIES_BOTH_DAMAGED) {
        return visit_report_damage(job);
    }
    if (visit->repair != SCRIP_COPIES_GOOD) {
        visit->sector.stage = STAGE_MEND;
        return SCRIP_OK;
    }
    return spend_begin(job);
}

/* ---- mending ----------------------------------------------------------------------------------------------------- */

static enum scrip_status ask_mend(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct visit *visit = visit_of(job);
    const struct scrip_storage_purse *purse = &visit->purse;
    const bool main_counts = visit->repair == SCRIP_COPIES_MEND_BACKUP;
    const uint8_t source = main_counts ? purse->main_block : purse->backup_block;
    const uint8_t target = main_counts ? purse->backup_block : purse->main_block;
    SCRIP_TRY(visit->kind->copy(batch, source, target, visit->copies[main_counts ? 0 : 1]));
    SCRIP_TRY(scrip_storage_read(batch, purse->main_block));
    return scrip_storage_read(batch, purse->backup_block);
}

static enum scrip_status mended(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct visit *visit = visit_of(job);
    const int32_t value = visit->value;
    SCRIP_TRY(sector_reply(job, replies, 0, SECTOR_INS_WRITE));
    SCRIP_TRY(visit_take_copies(job, replies, 1));
    visit_decide(visit);
    const enum scrip_status status =
        visit->repair == SCRIP_COPIES_GOOD && visit->value == value ? SCRIP_OK : SCRIP_E_NV;
    visit->value = value;
    job->result.repaired = status == SCRIP_OK;
    return status;
}

/* A balance may be shown by a key that cannot mend; everything else begins with two good copies. */
static enum scrip_status take_mend(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct visit *visit = visit_of(job);
    const struct scrip_desfire_failure before = job->result.failure;
    const enum scrip_status status = mended(job, replies);
    if (visit->ending) { /* the outcome stands, whether this worked or not */
        job->result.failure = before;
        visit->sector.stage = SECTOR_OVER;
        return SCRIP_OK;
    }
    if (status == SCRIP_E_CARD && job->operation == SCRIP_PURSE_BALANCE) {
        job->result.failure = before;
        return sector_end(job, SCRIP_OUTCOME_ACCEPTED, SCRIP_OK);
    }
    SCRIP_TRY(status);
    return job->operation == SCRIP_PURSE_REKEY ? make_opened(job) : spend_begin(job);
}

static const struct sector_stage stages[] = {
    [SECTOR_MEET] = {sector_ask_uid, sector_take_uid},
    [STAGE_OPEN] = {ask_open, take_open},
    [STAGE_MEND] = {ask_mend, take_mend},
    [STAGE_CHANGE] = {spend_ask_change, spend_take_change},
    [STAGE_BACKUP] = {spend_ask_backup, spend_take_backup},
    [STAGE_CHECK] = {spend_ask_check, spend_take_check},
    [STAGE_WRITE] = {make_ask_write, make_take_write},
    [STAGE_TRAILER] = {make_ask_trailer, make_take_trailer},
    [STAGE_PROVE] = {make_ask_prove, make_take_prove},
};

/* ---- the families ------------------------------------------------------------------------------------------------ */

static bool lacks_something(const struct scrip_purse_job *job)
{
    const struct scrip_purse_request *request = job->request;
    const bool moves = job->operation == SCRIP_PURSE_DEBIT || job->operation == SCRIP_PURSE_CREDIT;
    const bool sets = job->operation == SCRIP_PURSE_PERSONALISE || job->operation == SCRIP_PURSE_FORCE_INIT;
    const bool journals = moves || job->operation == SCRIP_PURSE_RECOVER;
    return request->storage == NULL || scrip_storage_purse_check(request->storage) != SCRIP_OK ||
           request->keys.get == NULL || (journals && request->journal == NULL) || (moves && request->amount <= 0) ||
           (sets && (request->amount < 0 || request->amount > request->storage->upper)) ||
           (job->operation == SCRIP_PURSE_REKEY && request->next_keys.get == NULL);
}

static enum scrip_status begin(struct scrip_purse_job *job, uint8_t kind, const struct storage_kind *how)
{
    struct visit *visit = visit_of(job);
    if (lacks_something(job) || job->request->storage->kind != kind ||
        (kind == SCRIP_STORAGE_NATIVE && job->request->storage->access != SCRIP_STORAGE_HARDENED)) {
        return SCRIP_E_ARGUMENT;
    }
    visit->purse = *job->request->storage;
    visit->kind = how;
    sector_begin(job, stages, STAGE_OPEN);
    set_openers(job);
    return SCRIP_OK;
}

static enum scrip_status begin_native(struct scrip_purse_job *job)
{
    return begin(job, SCRIP_STORAGE_NATIVE, &storage_native);
}

static enum scrip_status begin_bcd(struct scrip_purse_job *job)
{
    return begin(job, SCRIP_STORAGE_BCD, &storage_bcd);
}

enum {
    CAN = 1U << SCRIP_PURSE_BALANCE | 1U << SCRIP_PURSE_DEBIT | 1U << SCRIP_PURSE_CREDIT | 1U << SCRIP_PURSE_RECOVER |
          1U << SCRIP_PURSE_PERSONALISE | 1U << SCRIP_PURSE_REKEY | 1U << SCRIP_PURSE_FORCE_INIT
};

const struct scrip_purse_family scrip_purse_native = {
    .name = "classic",
    .about = "MIFARE Classic: a native value block with its backup; no history",
    .can = CAN,
    .identify = scrip_storage_is_classic,
    .begin = begin_native,
};

const struct scrip_purse_family scrip_purse_bcd = {
    .name = "bcd",
    .about = "MIFARE Classic: the BCD wallet, on the layout of the original code; no history",
    .can = CAN,
    .identify = scrip_storage_is_classic,
    .begin = begin_bcd,
};
