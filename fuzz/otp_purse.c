/* rooms: wallet_otp wallet_desfire host */
/* A reader and a card that answer the purse of the one-time wallet anything at all: wrong balances, wrong status words,
 * nothing. What must hold: no crash, an end after a few batches, no debit accepted that was not read back, and a
 * journal that agrees with what the terminal says.
 *
 * The input: operation, amount, unit, units; then for each command two bytes, status and length of what follows. */
#include "input.h"
#include <scrip/classic.h>
#include <scrip/posix.h>
#include <scrip/wallet.h>
#include <stdlib.h>
#include <string.h>

#define LINES   4U
#define BATCHES 20U

struct table {
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_journal journal;
    struct scrip_storage_purse purse;
    struct scrip_purse_request request;
    struct scrip_purse_job job;
    struct scrip_batch batch;
    struct scrip_replies replies;
    struct scrip_bytes left; /* of the input */
    int32_t last_read;       /* value block read last; -1: none yet */
};

static enum scrip_status any_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    (void)ctx;
    memset(out, 0x40 + (int)role, 16);
    out[1] = (uint8_t)m.len;
    return SCRIP_OK;
}

/* What a reader might say to a READ: what the input has, or a value block made of it. */
static struct scrip_bytes block_of(struct table *t, struct scrip_bytes data, uint8_t block[16])
{
    uint8_t address = 0;
    int32_t value = -1;
    memset(block, 0, 16);
    if (data.len <= 4) {
        memcpy(block, data.at, data.len);
        scrip_classic_value_put(scrip_get_le32s(block), 1, block);
        data = scrip_bytes(block, 16);
    }
    if (data.len == 16 && scrip_classic_value_get(data.at, &value, &address) == SCRIP_OK) {
        t->last_read = value;
    }
    return data;
}

static const uint16_t words[] = {0x9000, 0x9000, 0x9000, 0x9000, 0x9000, 0x6300,
                                 0x6301, 0x6982, 0x6A81, 0x6D00, 0x0000};

/* One answer. @return false: none comes */
static bool answer(struct table *t, struct scrip_bytes command)
{
    uint8_t memory[300];
    uint8_t block[16];
    struct scrip_buf rapdu = SCRIP_BUF_OF(memory);
    struct scrip_bytes head;
    if (scrip_bytes_take(&t->left, 2, &head) != SCRIP_OK || head.at[0] >= 0xF8) {
        return false;
    }
    struct scrip_bytes data = scrip_bytes_head(t->left, head.at[1] % 33U);
    t->left = scrip_bytes_from(t->left, data.len);
    const uint16_t sw = words[head.at[0] % (sizeof words / sizeof words[0])];
    if (sw == 0x9000 && command.len == 5 && command.at[1] == 0xB0) {
        data = block_of(t, data, block);
    }
    must(scrip_buf_add_bytes(&rapdu, data) == SCRIP_OK && scrip_buf_add_be(&rapdu, sw, 2) == SCRIP_OK);
    must(scrip_replies_add(&t->replies, scrip_buf_bytes(&rapdu)) == SCRIP_OK);
    return true;
}

static void answer_all(struct table *t)
{
    scrip_replies_clear(&t->replies);
    for (size_t i = 0; i < t->batch.count; i++) {
        if (!answer(t, scrip_batch_command(&t->batch, i))) {
            t->replies.unanswered = true;
            return;
        }
        const struct scrip_bytes said = scrip_replies_at(&t->replies, i);
        if (!scrip_batch_is_good(&t->batch, scrip_get_be16(said.at + said.len - 2))) {
            return;
        }
    }
}

static void check(const struct table *t)
{
    const struct scrip_purse_result *result = &t->job.result;
    struct scrip_journal_line line;
    must(result->outcome <= SCRIP_OUTCOME_DECLINED);
    must((result->outcome == SCRIP_OUTCOME_ACCEPTED) == (result->status == SCRIP_OK));
    if (t->job.operation != SCRIP_PURSE_DEBIT || result->sequence == 0 || result->recovered) {
        return;
    }
    must(scrip_journal_get(&t->journal, result->sequence, &line) == SCRIP_OK);
    must(line.amount == t->request.amount && result->balance_before >= line.amount);
    if (result->outcome == SCRIP_OUTCOME_ACCEPTED) {
        must(result->committed && !result->commit_open && line.state == SCRIP_JOURNAL_CONFIRMED);
        must(t->last_read == result->balance_before - line.amount && result->balance == t->last_read);
    } else {
        must(!result->committed && line.state == (result->commit_open ? SCRIP_JOURNAL_INTENT : SCRIP_JOURNAL_VOID));
        must(result->commit_open || t->last_read == result->balance_before);
    }
}

static void visit(struct table *t, enum scrip_purse_operation operation)
{
    t->last_read = -1;
    if (scrip_purse_begin(&t->job, &scrip_purse_otp, operation, &t->request) != SCRIP_OK) {
        return;
    }
    for (unsigned i = 0;; i++) {
        must(i < BATCHES);
        scrip_batch_clear(&t->batch);
        if (t->job.flow.next(&t->job.flow, &t->batch) != SCRIP_OK || t->batch.count == 0) {
            break;
        }
        answer_all(t);
        if (t->job.flow.take(&t->job.flow, &t->replies) != SCRIP_OK) {
            break;
        }
    }
    check(t);
    scrip_purse_end(&t->job);
}

static void lay(struct table *t, const uint8_t settings[6])
{
    static const uint8_t terminal[4] = {'F', 'U', 'Z', 'Z'};
    memset(t, 0, sizeof *t);
    must(scrip_nv_memory_init(&t->memory, SCRIP_JOURNAL_PAGES(LINES)) == SCRIP_OK);
    t->nv = scrip_nv_memory(&t->memory);
    must(scrip_journal_format(&t->nv, terminal) == SCRIP_OK);
    must(scrip_journal_open(&t->journal, &t->nv) == SCRIP_OK);
    must(scrip_storage_purse_make("otp", &t->purse) == SCRIP_OK);
    t->purse.unit = settings[3];
    t->purse.units = settings[4];
    t->request = (struct scrip_purse_request){
        .storage = &t->purse, .keys = {NULL, any_key}, .journal = &t->journal, .amount = scrip_get_le16(settings + 1)};
    t->request.card.uid_len = settings[5] % 3U == 0 ? 0 : settings[5] % 3U == 1 ? 4 : 7;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct table t;
    struct scrip_bytes head;
    struct scrip_bytes left = scrip_bytes(data, size);
    if (scrip_bytes_take(&left, 6, &head) != SCRIP_OK) {
        return 0;
    }
    lay(&t, head.at);
    t.left = left;
    visit(&t, (enum scrip_purse_operation)(head.at[0] % SCRIP_PURSE_OPERATIONS));
    visit(&t, SCRIP_PURSE_RECOVER);
    visit(&t, SCRIP_PURSE_DEBIT);
    scrip_nv_memory_free(&t.memory);
    return 0;
}
