/* purse_visit.c: a terminal meets a card. */
#include "purse_visit.h"
#include <errno.h>
#include <fcntl.h>
#include <scrip/bcd.h>
#include <scrip/classic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_LINES 1000U
#define CLOCK_SLACK   300000U /* ms that a terminal's clock may be behind its own journal */

/* ---- the journal ----------------------------------------------------------------------------------------------- */

static int journal_fail(struct tool *tool, enum scrip_status status, const char *path, const char *detail)
{
    char what[256];
    snprintf(what, sizeof what, "opening the journal %.200s", path);
    return tool_fail(
        tool, &(struct tool_failure){.status = status, .card = TOOL_CARD_UNTOUCHED, .what = what, .detail = detail});
}

static void journal_bind(struct terminal_journal *terminal, off_t size, bool sync)
{
    terminal->nv = scrip_nv_file(&terminal->region, terminal->fd, 0, (uint32_t)((size_t)size / SCRIP_NV_PAGE), sync);
}

/* A journal is made beside its place and appears there when it is whole: killed in between, there is none yet. */
static enum scrip_status journal_create(struct terminal_journal *terminal, const char *path, const uint8_t id[4])
{
    const off_t size = (off_t)SCRIP_JOURNAL_PAGES(JOURNAL_LINES) * (off_t)SCRIP_NV_PAGE;
    char draft[1024];
    if (snprintf(draft, sizeof draft, "%s.%ld.new", path, (long)getpid()) >= (int)sizeof draft) {
        return SCRIP_E_IO;
    }
    terminal->fd = open(draft, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (terminal->fd < 0 || flock(terminal->fd, LOCK_EX | LOCK_NB) != 0 || ftruncate(terminal->fd, size) != 0) {
        unlink(draft);
        return SCRIP_E_IO;
    }
    journal_bind(terminal, size, false);
    enum scrip_status status = scrip_journal_format(&terminal->nv, id);
    if (status == SCRIP_OK && (fsync(terminal->fd) != 0 || link(draft, path) != 0)) {
        status = SCRIP_E_IO;
    }
    unlink(draft);
    journal_bind(terminal, size, true);
    return status;
}

static enum scrip_status journal_take(struct terminal_journal *terminal, const char *path)
{
    struct stat stat;
    terminal->fd = open(path, O_RDWR | O_CLOEXEC);
    if (terminal->fd < 0 || fstat(terminal->fd, &stat) != 0) {
        return errno == ENOENT ? SCRIP_E_NOT_FOUND : SCRIP_E_IO;
    }
    if (flock(terminal->fd, LOCK_EX | LOCK_NB) != 0) {
        return SCRIP_E_IO;
    }
    journal_bind(terminal, stat.st_size, true);
    return SCRIP_OK;
}

static int journal_open(struct tool *tool, struct terminal_journal *terminal)
{
    const char *path = tool_text(tool, "journal");
    uint8_t id[4] = {0};
    const bool has_id = tool_hex(tool, "terminal-id", id, sizeof id) == sizeof id;
    enum scrip_status status = journal_take(terminal, path);
    if (status == SCRIP_E_NOT_FOUND && !has_id) {
        return tool_usage(tool, "a new journal needs --terminal-id, 8 hex digits");
    }
    if (status == SCRIP_E_NOT_FOUND) {
        status = journal_create(terminal, path, id);
    }
    if (status == SCRIP_E_IO) {
        return journal_fail(tool, status, path,
                            errno == EWOULDBLOCK ? "another terminal is using it" : strerror(errno));
    }
    status = status == SCRIP_OK ? scrip_journal_open(&terminal->journal, &terminal->nv) : status;
    if (status != SCRIP_OK) {
        return journal_fail(tool, status, path, NULL);
    }
    return has_id && memcmp(id, terminal->journal.terminal, sizeof id) != 0
               ? tool_usage(tool, "--terminal-id: this journal belongs to another terminal")
               : TOOL_OK;
}

/* A terminal whose clock was set back would write records out of order, and seem to have paid in the past. */
static int check_clock(struct tool *tool, const struct scrip_journal *journal, uint64_t now_ms)
{
    struct scrip_journal_line last;
    uint64_t last_ms = 0;
    char text[128], when[32];
    if (journal->last == 0 || scrip_journal_get(journal, journal->last, &last) != SCRIP_OK ||
        scrip_purse_timestamp_get(last.timestamp, &last_ms) != SCRIP_OK || last_ms <= now_ms + CLOCK_SLACK) {
        return TOOL_OK;
    }
    snprintf(text, sizeof text, "the newest line of the journal is of %s, which is still to come",
             tool_time_text(last_ms, when));
    return tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_STATE,
                                                  .problem = TOOL_PROBLEM_CLOCK,
                                                  .card = TOOL_CARD_UNTOUCHED,
                                                  .what = "starting the terminal",
                                                  .detail = text});
}

/* ---- the purse -------------------------------------------------------------------------------------------------- */

/* A purse that no terminal knows by name, from a profile's file. */
static int purse_of_file(struct tool *tool, const char *name, struct tool_purse *purse)
{
    static struct scrip_profile profile;
    char error[SCRIP_PROFILE_ERROR_MAX] = "";
    const enum scrip_status status = scrip_profile_load(name, &profile, error);
    if (status != SCRIP_OK && status != SCRIP_E_NOT_FOUND) {
        return tool_usage(tool, "--purse: %s", error);
    }
    if (status != SCRIP_OK || profile.family == SCRIP_VCARD_DESFIRE) {
        return tool_usage(tool, "--purse: there is no purse '%s'", name);
    }
    purse->storage = profile.purse;
    return TOOL_OK;
}

int tool_purse(struct tool *tool, struct tool_purse *purse)
{
    const char *name = tool_text(tool, "purse");
    if (scrip_desfire_profile_make(name, &purse->desfire) == SCRIP_OK) {
        purse->family = scrip_purse_family_named("desfire");
        return TOOL_OK;
    }
    const enum scrip_status status = scrip_storage_purse_make(name, &purse->storage);
    if (status == SCRIP_E_UNSUPPORTED) {
        return tool_usage(tool, "--purse: '%s' has an option that does not fit this purse", name);
    }
    const int code = status == SCRIP_OK ? TOOL_OK : purse_of_file(tool, name, purse);
    purse->family = scrip_purse_family_named(scrip_storage_kind_name(purse->storage.kind));
    return code == TOOL_OK && purse->family == NULL ? tool_usage(tool, "--purse: there is no purse '%s'", name) : code;
}

bool visit_is_desfire(const struct visit *visit)
{
    return visit->purse.family == &scrip_purse_desfire;
}

/* What a purse cannot do is said before any card is asked for. */
static int check_operation(struct tool *tool, const struct visit *visit, enum scrip_purse_operation operation)
{
    char what[128];
    const char *name = scrip_purse_operation_name(operation);
    const struct scrip_purse_family *family = visit->purse.family;
    const char *why = scrip_purse_why_not(family, operation);
    if ((family->can >> operation & 1U) != 0) {
        return TOOL_OK;
    }
    snprintf(what, sizeof what, "%s with the purse '%s'", name, tool_text(tool, "purse"));
    return tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_UNSUPPORTED,
                                                  .problem = TOOL_PROBLEM_NOT_THIS_PURSE,
                                                  .card = TOOL_CARD_UNTOUCHED,
                                                  .what = what,
                                                  .detail = why != NULL ? why : family->about});
}

/* Readers that show nothing of a card get the benefit of the doubt. */
static int check_family(struct tool *tool, const struct visit *visit)
{
    const struct scrip_card_info *card = &visit->request.card;
    char what[128];
    if (card->ats_len == 0 || visit->purse.family->identify(card)) {
        return TOOL_OK;
    }
    snprintf(what, sizeof what, "looking for the purse '%s'", tool_text(tool, "purse"));
    return tool_fail(tool,
                     &(struct tool_failure){.status = SCRIP_E_UNSUPPORTED,
                                            .problem = TOOL_PROBLEM_WRONG_FAMILY,
                                            .card = TOOL_CARD_UNTOUCHED,
                                            .what = what,
                                            .detail = scrip_storage_is_classic(card)
                                                          ? "this is a storage card with the commands of MIFARE "
                                                            "Classic: --purse classic, bcd or otp"
                                                          : "this is no storage card of the MIFARE Classic kind"});
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static enum scrip_status get_version(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    const struct versioned_keys *keys = ctx;
    return scrip_keys_diversify(keys->keys, (enum scrip_key_role)role, keys->version, m, out);
}

/* A store in an exact version. */
static enum scrip_status get_exact(void *ctx, enum scrip_purse_role role, uint8_t version, struct scrip_bytes m,
                                   uint8_t out[16])
{
    return scrip_keys_diversify(ctx, (enum scrip_key_role)role, version, m, out);
}

struct scrip_purse_keys tool_versioned_keys(struct versioned_keys *keys)
{
    return (struct scrip_purse_keys){.ctx = keys, .get = get_version};
}

/* ---- one visit --------------------------------------------------------------------------------------------------- */

static bool takes_journal(enum scrip_purse_operation operation)
{
    return operation == SCRIP_PURSE_DEBIT || operation == SCRIP_PURSE_CREDIT || operation == SCRIP_PURSE_RECOVER;
}

/* The header costs a command: a debit reads it only where there is something to compare, and the shortest never. */
static int set_currency(struct tool *tool, struct visit *visit)
{
    const struct scrip_currency *currency = NULL;
    const bool given = tool_has(tool, "currency");
    const int code = tool_currency(tool, &currency);
    if (code == TOOL_OK) {
        visit->request.currency = given && !visit->request.skip_flush ? currency->number : 0;
        visit->request.with_header = true;
    }
    return code;
}

int visit_set_up(struct tool *tool, struct visit *visit, enum scrip_purse_operation operation)
{
    const struct scrip_clock clock = scrip_clock_system();
    const uint64_t now_ms = clock.now_ms(clock.ctx);
    int code = tool_purse(tool, &visit->purse);
    code = code == TOOL_OK ? check_operation(tool, visit, operation) : code;
    code = code == TOOL_OK ? set_currency(tool, visit) : code;
    if (operation == SCRIP_PURSE_DEBIT || operation == SCRIP_PURSE_CREDIT) {
        code = code == TOOL_OK ? visit_amount(tool, visit) : code;
    }
    code = code == TOOL_OK ? tool_keys_open(tool, &visit->keys) : code;
    if (takes_journal(operation)) {
        code = code == TOOL_OK ? journal_open(tool, &visit->terminal) : code;
        code = code == TOOL_OK ? check_clock(tool, &visit->terminal.journal, now_ms) : code;
        visit->request.journal = &visit->terminal.journal;
    }
    code = code == TOOL_OK ? tool_connect(tool, &visit->link, &visit->request.card) : code;
    code = code == TOOL_OK ? check_family(tool, visit) : code;
    if (code == TOOL_OK) {
        visit->request.profile = visit_is_desfire(visit) ? &visit->purse.desfire : NULL;
        visit->request.storage = visit_is_desfire(visit) ? NULL : &visit->purse.storage;
        visit->request.keys = tool_purse_keys(visit->keys);
        visit->request.get_version = get_exact;
        visit->request.random = scrip_random_system();
        scrip_purse_timestamp(now_ms, visit->request.timestamp);
    }
    return code;
}

void visit_clear(struct visit *visit)
{
    if (visit->link != NULL) {
        scrip_link_close(visit->link);
    }
    if (visit->terminal.fd >= 0) {
        close(visit->terminal.fd);
    }
    scrip_keys_close(visit->keys);
}

char *visit_uid_text(const struct visit *visit, char text[15])
{
    return tool_uid_text(visit->job.result.uid, !visit_is_desfire(visit), text);
}

static enum tool_card_state card_state(const struct scrip_purse_result *result)
{
    return result->committed     ? TOOL_CARD_CHANGED
           : result->commit_open ? TOOL_CARD_UNKNOWN
           : result->repaired    ? TOOL_CARD_MENDED
                                 : TOOL_CARD_UNTOUCHED;
}

static void put_copies(struct tool *tool, const struct scrip_purse_result *result)
{
    char main[33], backup[33];
    json_t *damaged = json_pack("{s:s, s:s}", "main", tool_hex_text(SCRIP_BYTES_OF(result->copies[0]), main), "backup",
                                tool_hex_text(SCRIP_BYTES_OF(result->copies[1]), backup));
    if (result->has_proposal) {
        json_object_set_new(damaged, "proposal", json_integer(result->proposal));
    }
    tool_put(tool, "damaged", damaged);
}

static void put_result(struct tool *tool, const struct visit *visit)
{
    const struct scrip_purse_result *result = &visit->job.result;
    char uid[15];
    tool_put(tool, "outcome", json_string(scrip_outcome_name(result->outcome)));
    if (result->has_uid) {
        tool_put(tool, "card", json_string(visit_uid_text(visit, uid)));
    }
    if (result->has_balance) {
        tool_put(tool, "balance", json_integer(result->balance));
        tool_put(tool, "balance_before", json_integer(result->balance_before));
    }
    if (result->sequence != 0) {
        tool_put(tool, "sequence", json_integer((json_int_t)result->sequence));
    }
    if (result->has_tmc) {
        tool_put(tool, "tmc", json_integer(result->tmc));
    }
    if (result->has_copies) {
        put_copies(tool, result);
    }
    if (result->has_key_version) {
        tool_put(tool, "key_version", json_integer(result->key_version));
    }
    tool_put(tool, "recovered", json_boolean(result->recovered));
    tool_put(tool, "repaired", json_boolean(result->repaired));
    tool_put(tool, "settled", json_integer(result->settled));
    tool_put(tool, "commit_open", json_boolean(result->commit_open));
}

/* ---- why not: storage cards -------------------------------------------------------------------------------------- */

static enum tool_problem storage_problem(enum scrip_purse_operation operation, const struct scrip_purse_result *result,
                                         enum scrip_status status)
{
    switch (status) {
    case SCRIP_E_AUTH:
        return TOOL_PROBLEM_FOREIGN_SECTOR;
    case SCRIP_E_CORRUPT:
        return TOOL_PROBLEM_DAMAGED;
    case SCRIP_E_NOT_FOUND:
        return result->blank ? TOOL_PROBLEM_BLANK_SECTOR : TOOL_PROBLEM_DERIVE;
    case SCRIP_E_EXISTS:
        return operation == SCRIP_PURSE_CREDIT ? TOOL_PROBLEM_CREDITED : TOOL_PROBLEM_HAS_PURSE;
    case SCRIP_E_WAIT:
        return TOOL_PROBLEM_UNDECIDED;
    case SCRIP_E_CARD:
        return TOOL_PROBLEM_SECTOR_RIGHT;
    case SCRIP_E_UNSUPPORTED:
        return TOOL_PROBLEM_READER;
    case SCRIP_E_STATE:
        return TOOL_PROBLEM_NOT_DAMAGED;
    case SCRIP_E_ARGUMENT:
        return TOOL_PROBLEM_LIMIT;
    default:
        return TOOL_PROBLEM_DERIVE;
    }
}

/* What was being done at the reader, by the INS of its pseudo-APDU. */
static const char *storage_step(uint8_t ins)
{
    static const struct {
        uint8_t ins;
        const char *text;
    } steps[] = {{0xCA, "asking for the UID"}, {0x82, "handing the reader a key"}, {0x86, "authenticating"},
                 {0xB0, "reading a block"},    {0xD6, "writing a block"},          {0xD7, "changing a value block"}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i].ins == ins) {
            return steps[i].text;
        }
    }
    return "talking to the card";
}

static void storage_detail(const struct scrip_purse_result *result, char *text, size_t size)
{
    char main[33], backup[33];
    if (result->has_copies) {
        snprintf(text, size, "main %s, backup %s", tool_hex_text(SCRIP_BYTES_OF(result->copies[0]), main),
                 tool_hex_text(SCRIP_BYTES_OF(result->copies[1]), backup));
    } else if (result->failure.cmd != 0 && result->failure.sw != 0) {
        snprintf(text, size, "%s: %04X", storage_step(result->failure.cmd), result->failure.sw);
    } else if (result->failure.cmd != 0) {
        snprintf(text, size, "%s: no answer", storage_step(result->failure.cmd));
    }
}

static int fail_storage(struct tool *tool, enum scrip_purse_operation operation,
                        const struct scrip_purse_result *result, enum scrip_status status, const char *what)
{
    char detail[160] = "";
    storage_detail(result, detail, sizeof detail);
    return tool_fail(tool, &(struct tool_failure){.status = status,
                                                  .sw = result->failure.sw,
                                                  .problem = storage_problem(operation, result, status),
                                                  .card = card_state(result),
                                                  .what = what,
                                                  .detail = detail});
}

/* Purses share keys, so the blocks of one may be looked at as those of another: then they only seem damaged. */
static const char *other_purse(const struct visit *visit)
{
    const struct scrip_purse_result *result = &visit->job.result;
    const bool native = visit->purse.storage.kind == SCRIP_STORAGE_NATIVE;
    for (size_t i = 0; result->has_copies && i < 2; i++) {
        int32_t value = 0;
        uint8_t address = 0;
        if (native && scrip_bcd_block_get(result->copies[i], &value) == SCRIP_OK) {
            return "its blocks are those of a BCD wallet: --purse bcd or bcd+hardened";
        }
        if (!native && scrip_classic_value_get(result->copies[i], &value, &address) == SCRIP_OK) {
            return "its blocks are value blocks: --purse classic";
        }
    }
    return NULL;
}

static int fail_currency(struct tool *tool, const struct visit *visit, const char *what)
{
    char detail[96];
    const struct scrip_purse_result *result = &visit->job.result;
    const struct scrip_currency *of_card = scrip_currency_find_number(result->header.currency);
    (void)snprintf(detail, sizeof detail, "the card's header says %s (ISO 4217 number %u)",
                   of_card != NULL ? of_card->code : "a currency that is not known here", result->header.currency);
    return tool_fail(tool, &(struct tool_failure){
                               .status = SCRIP_E_CURRENCY, .card = card_state(result), .what = what, .detail = detail});
}

/* Blocks that only seem damaged are another purse's. */
static int fail_damaged(struct tool *tool, enum scrip_purse_operation operation, const struct visit *visit,
                        const char *what)
{
    const struct scrip_purse_result *result = &visit->job.result;
    const char *other = other_purse(visit);
    return other == NULL ? fail_storage(tool, operation, result, SCRIP_E_CORRUPT, what)
                         : tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_UNSUPPORTED,
                                                                  .problem = TOOL_PROBLEM_WRONG_FAMILY,
                                                                  .card = card_state(result),
                                                                  .what = what,
                                                                  .detail = other});
}

static int fail_named(struct tool *tool, const struct scrip_purse_result *result, enum scrip_status status,
                      enum tool_problem problem, const char *what)
{
    return tool_fail(
        tool, &(struct tool_failure){.status = status, .problem = problem, .card = card_state(result), .what = what});
}

static int fail_desfire(struct tool *tool, enum scrip_purse_operation operation,
                        const struct scrip_purse_result *result, enum scrip_status status, const char *what)
{
    if (status == SCRIP_E_EXISTS && operation == SCRIP_PURSE_CREDIT && !result->commit_open) {
        return fail_named(tool, result, status, TOOL_PROBLEM_CREDITED, what);
    }
    return tool_fail_card(tool, result->commit_open ? SCRIP_E_TORN : status, &result->failure, card_state(result),
                          what);
}

static int fail(struct tool *tool, const struct visit *visit, enum scrip_purse_operation operation, const char *what)
{
    const struct scrip_purse_result *result = &visit->job.result;
    const enum scrip_status status = result->status != SCRIP_OK ? result->status : SCRIP_E_TORN;
    if (status == SCRIP_E_CURRENCY) {
        return fail_currency(tool, visit, what);
    }
    if (status == SCRIP_E_LIMIT && result->outcome == SCRIP_OUTCOME_ASK_AGAIN) { /* ours, not the card's */
        return fail_named(tool, result, status, TOOL_PROBLEM_JOURNAL_FULL, what);
    }
    if (visit_is_desfire(visit)) {
        return fail_desfire(tool, operation, result, status, what);
    }
    if (status == SCRIP_E_CORRUPT) {
        return fail_damaged(tool, operation, visit, what);
    }
    return fail_storage(tool, operation, result, result->commit_open && status != SCRIP_E_WAIT ? SCRIP_E_TORN : status,
                        what);
}

int visit_tell(struct tool *tool, struct visit *visit, enum scrip_purse_operation operation, const char *what)
{
    const struct scrip_purse_result *result = &visit->job.result;
    put_result(tool, visit);
    if (result->has_key_version) {
        tool_note(tool, "this card has version %u of the %s key, and not the newest of the store", result->key_version,
                  scrip_key_role_name((enum scrip_key_role)result->role));
    }
    if (result->outcome != SCRIP_OUTCOME_ACCEPTED || result->status != SCRIP_OK) {
        return fail(tool, visit, operation, what);
    }
    if (result->has_header) {
        tool_set_currency(tool, result->header.currency);
    }
    return TOOL_OK;
}

int visit_run(struct tool *tool, struct visit *visit, enum scrip_purse_operation operation, const char *what)
{
    (void)scrip_purse_run(&visit->job, visit->purse.family, operation, &visit->request, visit->link);
    return visit_tell(tool, visit, operation, what);
}
