/* rooms: wallet_storage wallet_desfire host
 * storage_purse.c: purses of storage cards in front of a reader and a card that answer anything. The input says which
 * purse, which operation, and each answer. Nothing may crash or go on for ever; a change is sent only with its intent
 * in the journal, only by the amount asked for, and only when the card showed enough value; keys are written only by
 * the operations that write keys. */
#include "check.h"
#include "input.h"
#include <scrip/classic.h>
#include <scrip/posix.h>
#include <scrip/wallet.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINES = 16, MOST_APDUS = 64, AMOUNT = 100 };

static struct scrip_bytes script;
static struct scrip_storage_purse purse;
static struct scrip_nv_memory memory;
static struct scrip_nv nv;
static struct scrip_journal journal;
static enum scrip_purse_operation operation;
static uint64_t lines_before;
static unsigned apdus;

static bool writes_keys(void)
{
    return operation == SCRIP_PURSE_PERSONALISE || operation == SCRIP_PURSE_REKEY;
}

/* What a terminal may say, whatever it heard. */
static void judge(struct scrip_bytes capdu)
{
    must(++apdus <= MOST_APDUS && capdu.len >= 5 && capdu.at[0] == 0xFF);
    const uint8_t block = capdu.at[3];
    if (capdu.at[1] == 0xD6) {
        must(block == purse.main_block || block == purse.backup_block ||
             (block == purse.trailer_block && writes_keys()));
    }
    if (capdu.at[1] == 0xD7 && capdu.at[5] != 3) { /* not a restore */
        must(block == purse.main_block && scrip_get_be32(capdu.at + 6) == AMOUNT);
        must(capdu.at[5] == 2 && operation == SCRIP_PURSE_DEBIT);
        must(journal.last == lines_before + 1);
    }
}

/* A block that may well be a copy of the value. */
static void likely_block(uint8_t block[16])
{
    const int32_t value = (int32_t)next_u8(&script) * 10;
    if (purse.kind == SCRIP_STORAGE_BCD) {
        must(scrip_bcd_block_put(value, block) == SCRIP_OK);
    } else {
        scrip_classic_value_put(value, 4, block);
    }
    const uint8_t damage = next_u8(&script);
    if ((damage & 0x80) != 0) {
        block[damage & 15] ^= (uint8_t)(next_u8(&script) | 1);
    }
}

static enum scrip_status answer(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    static const uint16_t words[] = {0x9000, 0x6300, 0x6301, 0x6A81, 0x6D00, 0x6700, 0x0000, 0x9001};
    uint8_t block[16] = {0};
    struct scrip_bytes part;
    (void)link;
    judge(capdu);
    const uint8_t how = next_u8(&script);
    switch (how & 15) {
    case 1:
        return SCRIP_E_TORN;
    case 2:
        return SCRIP_E_NO_CARD;
    case 3:
        return SCRIP_E_LINK;
    case 4:
        return scrip_bytes_take(&script, next_u8(&script), &part) == SCRIP_OK ? scrip_buf_add_bytes(rapdu, part)
                                                                              : SCRIP_OK;
    case 5:
    case 6:
        return scrip_buf_add_be(rapdu, words[next_u8(&script) & 7], 2);
    default:
        if (capdu.at[1] == 0xB0) {
            likely_block(block);
            SCRIP_TRY(scrip_buf_add(rapdu, block, sizeof block));
        } else if (capdu.at[1] == 0xCA) {
            SCRIP_TRY(scrip_buf_fill(rapdu, 4, (how & 0x10) != 0 ? 7 : 4));
        }
        return scrip_buf_add_be(rapdu, 0x9000, 2);
    }
}

static enum scrip_status get_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    (void)ctx;
    memset(out, (int)role + (int)m.len, 16);
    return next_u8(&script) == 0xEE ? SCRIP_E_KEY : SCRIP_OK;
}

static void check_result(const struct scrip_purse_job *job)
{
    const struct scrip_purse_result *result = &job->result;
    struct scrip_journal_line line;
    must((result->outcome == SCRIP_OUTCOME_ACCEPTED) == (result->status == SCRIP_OK));
    if (result->outcome != SCRIP_OUTCOME_ACCEPTED || operation != SCRIP_PURSE_DEBIT) {
        return;
    }
    must(result->committed && scrip_journal_get(&journal, result->sequence, &line) == SCRIP_OK);
    must(line.amount == AMOUNT && line.kind == SCRIP_JOURNAL_DEBIT);
    must(line.state == (result->recovered ? SCRIP_JOURNAL_FOUND : SCRIP_JOURNAL_CONFIRMED));
    must(result->recovered || result->balance == result->balance_before - AMOUNT);
    must(result->balance >= 0 || result->recovered);
}

static void visit(void)
{
    static struct scrip_purse_job job;
    static const struct scrip_link_ops ops = {.transmit = answer};
    struct scrip_link link = {.ops = &ops};
    struct scrip_purse_request request = {.storage = &purse,
                                          .keys = {NULL, get_key},
                                          .next_keys = {NULL, get_key},
                                          .journal = &journal,
                                          .amount = AMOUNT,
                                          .reference = 1U + next_u8(&script) % 4};
    operation = (enum scrip_purse_operation)(next_u8(&script) % SCRIP_PURSE_OPERATIONS);
    request.card.uid_len = (uint8_t)(next_u8(&script) % 11);
    memset(request.card.uid, 4, sizeof request.card.uid);
    memset(request.copies, 0, sizeof request.copies);
    lines_before = journal.last;
    apdus = 0;
    (void)scrip_purse_run(&job, purse.kind == SCRIP_STORAGE_BCD ? &scrip_purse_bcd : &scrip_purse_native, operation,
                          &request, &link);
    check_result(&job);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"classic", "bcd", "bcd+hardened", "classic+sector=33"};
    static const uint8_t terminal[4] = {'F', 'U', 'Z', 'Z'};
    script = scrip_bytes(data, size);
    must(scrip_storage_purse_make(names[next_u8(&script) & 3], &purse) == SCRIP_OK);
    must(scrip_nv_memory_init(&memory, SCRIP_JOURNAL_PAGES(LINES)) == SCRIP_OK);
    nv = scrip_nv_memory(&memory);
    must(scrip_journal_format(&nv, terminal) == SCRIP_OK && scrip_journal_open(&journal, &nv) == SCRIP_OK);
    for (unsigned taps = 0; taps < 6 && script.len > 0; taps++) {
        visit();
    }
    scrip_nv_memory_free(&memory);
    return 0;
}
