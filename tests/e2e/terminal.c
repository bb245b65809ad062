/* The gate: offline, with key 1 only and a journal in memory that tears. It uploads when it gets to it. */
#include "world.h"

#include <scrip/journal.h>
#include <scrip/wallet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UPLOAD_MAX 16U /* lines in one upload */

struct terminal {
    struct memory memory;
    struct scrip_journal journal;
    bool up;   /* the journal is open */
    bool busy; /* a customer is at the gate */
    char why[160];
    struct scrip_purse_job job;
};

static enum scrip_status terminal_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    return scrip_keys_diversify(ctx, (enum scrip_key_role)role, SCRIP_KEY_NEWEST, m, out);
}

void world_terminal_begin(struct world *world)
{
    if (world->terminal == NULL) {
        world->terminal = calloc(1, sizeof *world->terminal);
    }
    if (world->terminal == NULL) {
        world_fail(world, "out of memory");
        return;
    }
    world->terminal->up = false;
    memory_init(&world->terminal->memory, world, POINT_JOURNAL, world->scene->journal, world->scene->journal_size);
}

void world_terminal_end(struct world *world)
{
    free(world->terminal);
    world->terminal = NULL;
}

/* Switch the terminal on, if it is not. */
static bool start(struct world *world)
{
    struct terminal *terminal = world->terminal;
    if (terminal->memory.dead) {
        terminal->memory.dead = false;
        terminal->up = false;
    }
    if (!terminal->up) {
        const enum scrip_status status = scrip_journal_open(&terminal->journal, &terminal->memory.nv);
        if (status != SCRIP_OK) {
            world_fail(world, "the journal does not open: %s", scrip_status_name(status));
        }
        terminal->up = status == SCRIP_OK;
    }
    return terminal->up;
}

static struct scrip_purse_request request_of(struct world *world, const struct scrip_card_info *info, int32_t amount)
{
    struct scrip_purse_request request = {
        .card = *info,
        .profile = &world->scene->layout,
        .keys = {world->scene->terminal_keys, terminal_key},
        .random = world->source,
        .journal = &world->terminal->journal,
        .amount = amount,
    };
    scrip_purse_timestamp(world->now_ms, request.timestamp);
    return request;
}

/* What happens to the customer in front of the gate. */
static void happens(struct world *world)
{
    switch (plan_pass(world->plan, POINT_STEP)) {
    case FAULT_second_order:
        world->second = true;
        world_order(world, "second", SCRIP_KIND_TOPUP, SECOND_AMOUNT);
        struct phone *phone = world_phone(world, "second");
        if (phone != NULL) {
            world_phone_run(world, phone);
        }
        break;
    case FAULT_time_passes:
        world->now_ms += 40ULL * 24 * 3600 * 1000;
        world_expire(world);
        break;
    default:
        break;
    }
}

/* scrip_run, with something happening between the batches. */
static enum scrip_status run_flow(struct world *world, struct scrip_flow *flow)
{
    static struct scrip_batch batch;
    static struct scrip_replies replies;
    for (;;) {
        happens(world);
        scrip_batch_clear(&batch);
        scrip_replies_clear(&replies);
        SCRIP_TRY(flow->next(flow, &batch));
        if (batch.count == 0) {
            return SCRIP_OK;
        }
        SCRIP_TRY(scrip_batch_transmit(&batch, &world->link, &replies));
        SCRIP_TRY(flow->take(flow, &replies));
    }
}

bool world_terminal_busy(const struct world *world)
{
    return world->terminal != NULL && world->terminal->busy;
}

/* Value that the gate let somebody in for. */
static void note_opening(struct world *world, const struct scrip_purse_result *result)
{
    struct scrip_journal_line line;
    if (scrip_journal_get(&world->terminal->journal, result->sequence, &line) != SCRIP_OK) {
        world_fail(world, "the gate opens without a journal line");
        return;
    }
    world->opened += line.amount;
}

bool world_terminal_tap(struct world *world, int32_t amount)
{
    struct scrip_card_info info;
    int64_t before = 0;
    int64_t after = 0;
    unsigned open = 0;
    if (world->terminal->busy) { /* one customer at a time */
        return false;
    }
    world->wanted = amount;
    if (world->broken || !start(world) || scrip_link_connect(&world->link, 0, &info) != SCRIP_OK) {
        return false;
    }
    world->now_ms += 1100; /* a second for each customer: records differ */
    struct scrip_purse_job *job = &world->terminal->job;
    const struct scrip_purse_request request = request_of(world, &info, amount);
    if (scrip_purse_begin(job, &scrip_purse_desfire, SCRIP_PURSE_DEBIT, &request) != SCRIP_OK) {
        world_fail(world, "the debit does not begin");
        return false;
    }
    (void)world_terminal_sums(world, &before, &open);
    const unsigned speaker = world->speaker;
    world->speaker = ++world->speakers;
    world->terminal->busy = true;
    (void)run_flow(world, &job->flow);
    world->terminal->busy = false;
    world->speaker = speaker;
    scrip_purse_end(job);
    scrip_link_disconnect(&world->link);
    world_note(world, "gate: %s", world_terminal_why(world));
    if (world->terminal->memory.dead) {
        /* It lost power: whatever it knew, it did not open. What was durable by then it owes the customer; what was
         * not it finds at the next tap, and opens without a second debit. */
        (void)world_terminal_sums(world, &after, &open);
        world->unopened += after - before;
        return false;
    }
    if (job->result.outcome != SCRIP_OUTCOME_ACCEPTED) {
        return false;
    }
    note_opening(world, &job->result);
    world->wanted = 0;
    return true;
}

/* ---- uploads ---- */

static size_t collect(struct world *world, uint8_t body[UPLOAD_MAX * SCRIP_JOURNAL_LINE], bool reversed)
{
    const struct scrip_journal *journal = &world->terminal->journal;
    size_t count = 0;
    for (uint64_t s = journal->acknowledged + 1; s <= journal->last && count < UPLOAD_MAX; s++) {
        if (scrip_journal_read(journal, s, body + count * SCRIP_JOURNAL_LINE) != SCRIP_OK) {
            world_fail(world, "journal line %llu cannot be read", (unsigned long long)s);
            return 0;
        }
        count++;
    }
    for (size_t i = 0; reversed && i < count / 2; i++) {
        uint8_t line[SCRIP_JOURNAL_LINE];
        uint8_t *low = body + i * SCRIP_JOURNAL_LINE;
        uint8_t *high = body + (count - 1 - i) * SCRIP_JOURNAL_LINE;
        memcpy(line, low, sizeof line);
        memcpy(low, high, sizeof line);
        memcpy(high, line, sizeof line);
    }
    return count;
}

static int send_lines(struct world *world, const uint8_t *body, size_t count)
{
    return world_api(world, "POST", "/api/v1/terminals/47415431/journal", "operator-key-of-the-tests",
                     "application/octet-stream", scrip_bytes(body, count * SCRIP_JOURNAL_LINE));
}

/* A line with another amount, under a sequence and a TMC of its own. */
static void send_forgery(struct world *world, const uint8_t *body)
{
    struct scrip_journal_line line;
    uint8_t forged[SCRIP_JOURNAL_LINE];
    if (scrip_journal_line_decode(scrip_bytes(body, SCRIP_JOURNAL_LINE), &line) == SCRIP_OK &&
        line.state == SCRIP_JOURNAL_CONFIRMED && line.has_tmv) {
        line.amount += 1000;
        scrip_put_le32(line.record + 12, (uint32_t)line.amount);
        line.sequence += 1000;
        line.tmc += 1000;
        scrip_journal_line_encode(&line, forged);
        (void)send_lines(world, forged, 1);
        world_note(world, "forgery: %.*s", (int)world->response.body_len, (const char *)world->response.body);
    }
}

static void acknowledge(struct world *world)
{
    static const char name[] = "\"acknowledged\":";
    char text[4096];
    const size_t len = world->response.body_len < sizeof text ? world->response.body_len : sizeof text - 1;
    memcpy(text, world->response.body, len);
    text[len] = '\0';
    const char *at = strstr(text, name);
    if (at == NULL) {
        world_fail(world, "an upload is answered with %s", text);
        return;
    }
    world_note(world, "upload: %s", text);
    const uint64_t sequence = strtoull(at + sizeof name - 1, NULL, 10);
    if (!world->tampered && (strstr(text, "refused") != NULL || strstr(text, "forked") != NULL)) {
        world_fail(world, "a journal line is refused: %s", text);
    }
    if (sequence > world->terminal->journal.acknowledged) {
        (void)scrip_journal_acknowledge(&world->terminal->journal, sequence);
    }
}

bool world_terminal_upload(struct world *world)
{
    uint8_t body[UPLOAD_MAX * SCRIP_JOURNAL_LINE];
    if (world->broken || !start(world)) {
        return false;
    }
    if (world->terminal->journal.acknowledged >= world->terminal->journal.last) {
        return true;
    }
    const enum fault fault = plan_pass(world->plan, POINT_UPLOAD);
    world->journal_withheld = world->journal_withheld || fault == FAULT_upload_withheld;
    world_note(world, "upload of lines %llu to %llu%s", (unsigned long long)world->terminal->journal.acknowledged + 1,
               (unsigned long long)world->terminal->journal.last, fault != FAULT_none ? ", with a fault" : "");
    if (world->journal_withheld || fault == FAULT_upload_lost) {
        return false;
    }
    const size_t count = collect(world, body, fault == FAULT_upload_reversed);
    if (fault == FAULT_upload_forged) {
        send_forgery(world, body);
    }
    if (fault == FAULT_upload_twice) {
        (void)send_lines(world, body, count);
    }
    if (count == 0 || send_lines(world, body, count) != 200 || fault == FAULT_upload_kept) {
        return false;
    }
    acknowledge(world);
    return !world->terminal->memory.dead && world->terminal->journal.acknowledged >= world->terminal->journal.last;
}

/* ---- what the terminal knows in the end ---- */

bool world_terminal_sums(struct world *world, int64_t *debited, unsigned *open)
{
    *debited = 0;
    *open = 0;
    if (!start(world)) {
        return false;
    }
    const struct scrip_journal *journal = &world->terminal->journal;
    for (uint64_t s = scrip_journal_first(journal); s <= journal->last; s++) {
        struct scrip_journal_line line;
        if (scrip_journal_get(journal, s, &line) != SCRIP_OK) {
            return false;
        }
        const bool taken = line.state == SCRIP_JOURNAL_CONFIRMED || line.state == SCRIP_JOURNAL_FOUND;
        *debited += taken ? line.amount : 0;
        *open += line.state == SCRIP_JOURNAL_INTENT;
    }
    return true;
}

bool world_terminal_owed(struct world *world, int64_t *owed)
{
    int64_t debited;
    unsigned open;
    struct scrip_ledger_merchant merchant;
    if (!world_terminal_sums(world, &debited, &open) ||
        scrip_ledger_merchant_get(world->ledger, "gate", &merchant) != SCRIP_OK) {
        return false;
    }
    *owed = debited - merchant.balance;
    return true;
}

const char *world_terminal_why(struct world *world)
{
    struct terminal *terminal = world->terminal;
    const struct scrip_purse_result *result = &terminal->job.result;
    (void)snprintf(terminal->why, sizeof terminal->why, "%s, %s, command %02X answered %04X, %llu of %llu uploaded",
                   scrip_outcome_name(result->outcome), scrip_status_name(result->status), result->failure.cmd,
                   result->failure.sw, (unsigned long long)terminal->journal.acknowledged,
                   (unsigned long long)terminal->journal.last);
    return terminal->why;
}

enum scrip_status world_terminal_image(struct world *world, uint8_t **image, uint32_t *size)
{
    *size = world->terminal->memory.size;
    *image = malloc(*size);
    if (*image == NULL) {
        return SCRIP_E_MEMORY;
    }
    memcpy(*image, world->terminal->memory.bytes, *size);
    return SCRIP_OK;
}

bool world_balance(struct world *world, int32_t *balance)
{
    struct scrip_card_info info;
    if (!start(world) || scrip_link_connect(&world->link, 0, &info) != SCRIP_OK) {
        return false;
    }
    struct scrip_purse_job *job = &world->terminal->job;
    const struct scrip_purse_request request = request_of(world, &info, 0);
    const enum scrip_status status =
        scrip_purse_run(job, &scrip_purse_desfire, SCRIP_PURSE_BALANCE, &request, &world->link);
    scrip_link_disconnect(&world->link);
    *balance = job->result.balance;
    return status == SCRIP_OK && job->result.has_balance;
}
