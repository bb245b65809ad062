/* A card comes; its family and its purse are found; the fare is taken. What the customer is told is one line. */
#include "terminal.h"

#include "board.h"
#include "console.h"

#include <scrip/money.h>
#include <string.h>

#define LOOK_EVERY_MS 120U
#define KEY_VERSION   1U
#define TRIES_MAX     3U

/* ---- starting ---- */

static bool failed(const char *what, enum scrip_status status)
{
    console_line("error: ", what, ": ", scrip_strerror(status), NULL);
    return false;
}

static enum scrip_status journal_start(struct terminal *terminal)
{
    const struct scrip_nv *share = store_journal(board_flash());
    enum scrip_status status = scrip_journal_open(&terminal->journal, share);
    if (status == SCRIP_E_CORRUPT && terminal->settings.generation == 0) { /* a new terminal */
        SCRIP_TRY(scrip_journal_format(share, terminal->settings.terminal));
        status = scrip_journal_open(&terminal->journal, share);
    }
    return status;
}

static bool reader_start(struct terminal *terminal)
{
    struct scrip_coupler *coupler = NULL;
    const char *name = NULL;
    const enum scrip_status status = reader_begin(&coupler, &name);
    if (status != SCRIP_OK) {
        return failed("reader", status);
    }
    reader_link_init(&terminal->reader, coupler);
    console_line("reader: ", name, NULL);
    return true;
}

bool terminal_start(struct terminal *terminal)
{
    uint8_t entropy[16];
    terminal->wish = SCRIP_PURSE_DEBIT;
    terminal->started_ms = board_now_ms();
    enum scrip_status status = store_load(board_flash(), &terminal->settings);
    if (status == SCRIP_OK) {
        status = journal_start(terminal); /* before the settings are stored for the first time */
    }
    if (status != SCRIP_OK) {
        return failed("flash", status);
    }
    board_entropy(entropy);
    status = generator_start(&terminal->generator, &terminal->settings, board_flash(), entropy);
    return status == SCRIP_OK ? reader_start(terminal) : failed("flash", status);
}

uint64_t terminal_now_ms(const struct terminal *terminal)
{
    return terminal->settings.clock_ms + (board_now_ms() - terminal->started_ms);
}

/* ---- one card ---- */

static const struct {
    const struct scrip_purse_family *family;
    const char *name;
} STORAGE[] = {
    {&scrip_purse_native, "classic"},
    {&scrip_purse_bcd, "bcd"},
    {&scrip_purse_bcd, "bcd+hardened"},
    {&scrip_purse_otp, "otp"},
};

#define STORAGE_COUNT (sizeof STORAGE / sizeof STORAGE[0])

static void prepare(struct terminal *terminal, const struct scrip_card_info *card)
{
    struct scrip_purse_request *request = &terminal->request;
    memset(request, 0, sizeof *request);
    request->card = *card;
    request->keys = store_keys(&terminal->settings);
    request->get_version = store_older_key;
    request->random = generator_random(&terminal->generator);
    request->journal = &terminal->journal;
    request->amount = terminal->wish == SCRIP_PURSE_DEBIT ? terminal->settings.price : terminal->amount;
    request->reference = terminal->reference;
    request->new_key_version = KEY_VERSION;
    scrip_purse_timestamp(terminal_now_ms(terminal), request->timestamp);
}

/* The header of a card that is made here. Its number is its UID, read as one big-endian number. */
static void prepare_header(struct terminal *terminal)
{
    struct scrip_purse_header *header = &terminal->header;
    const struct scrip_currency *currency = scrip_currency_find_number(terminal->settings.currency);
    uint64_t number = 0;
    size_t digits = 1;
    memset(header, 0, sizeof *header);
    for (uint8_t i = 0; i < terminal->request.card.uid_len; i++) {
        number = number << 8 | terminal->request.card.uid[i];
    }
    for (uint64_t rest = number; rest >= 10; rest /= 10) {
        digits++;
    }
    for (size_t i = digits; i-- > 0; number /= 10) {
        header->card_number[i] = (char)('0' + number % 10);
    }
    header->profile = scrip_desfire_profile_id(&terminal->profile);
    header->currency = terminal->settings.currency;
    header->exponent = currency != NULL ? currency->exponent : 2;
    memcpy(header->issued, terminal->request.timestamp, sizeof header->issued);
    memcpy(header->issuer, "scrip terminal", sizeof "scrip terminal");
    terminal->request.header = header;
}

static enum scrip_status run(struct terminal *terminal, const struct scrip_purse_family *family,
                             enum scrip_purse_operation operation)
{
    return scrip_purse_run(&terminal->job, family, operation, &terminal->request, &terminal->reader.link);
}

static bool is_gone(enum scrip_status status)
{
    return status == SCRIP_E_TORN || status == SCRIP_E_NO_CARD || status == SCRIP_E_LINK || status == SCRIP_E_TIMEOUT;
}

/* The purse of a row, with the options that are set where they are of its kind. @return is it the one that is set? */
static bool take_row(struct terminal *terminal, size_t i)
{
    struct scrip_storage_purse set;
    (void)scrip_storage_purse_make(STORAGE[i].name, &terminal->storage); /* a name of the table */
    const bool own = scrip_storage_purse_make(terminal->settings.classic, &set) == SCRIP_OK &&
                     set.kind == terminal->storage.kind && set.access == terminal->storage.access;
    if (own) {
        terminal->storage = set;
    }
    terminal->request.storage = &terminal->storage;
    return own;
}

static size_t row_set(struct terminal *terminal)
{
    size_t i = 0;
    while (i + 1 < STORAGE_COUNT && !take_row(terminal, i)) {
        i++;
    }
    return i;
}

/* Does the card have this purse? Its balance says so: reading it needs the purse's key and finds its format.
 * @return SCRIP_OK; SCRIP_E_CORRUPT: the key fits, the format does not; SCRIP_E_NOT_FOUND; SCRIP_E_TORN: the card went
 *         away before it could be said */
static enum scrip_status has_purse(struct terminal *terminal, size_t i)
{
    (void)take_row(terminal, i);
    const enum scrip_status status = run(terminal, STORAGE[i].family, SCRIP_PURSE_BALANCE);
    if (is_gone(status)) {
        return SCRIP_E_TORN;
    }
    return status == SCRIP_OK || status == SCRIP_E_CORRUPT ? status : SCRIP_E_NOT_FOUND;
}

/* The purse that is set is tried first. Purses share a key (gates have one), so blocks that are none of one purse may
 * be another's; what is of no purse, under a key of ours, is damaged. `*row` is the purse found. */
static enum scrip_status find_row(struct terminal *terminal, size_t *row)
{
    const size_t first = row_set(terminal);
    bool damaged = false;
    for (size_t n = 0; n < STORAGE_COUNT; n++) {
        const size_t i = (first + n) % STORAGE_COUNT;
        const enum scrip_status status = has_purse(terminal, i);
        if (status == SCRIP_E_TORN) {
            return status;
        }
        if (status == SCRIP_OK || (status == SCRIP_E_CORRUPT && !damaged)) {
            *row = i;
            damaged = status == SCRIP_E_CORRUPT;
        }
        if (status == SCRIP_OK) {
            return SCRIP_OK;
        }
    }
    return damaged ? SCRIP_OK : SCRIP_E_NOT_FOUND;
}

static enum scrip_status find_storage(struct terminal *terminal, const struct scrip_purse_family **family,
                                      const char **name)
{
    size_t row = row_set(terminal); /* what a storage card is to be made */
    if (terminal->wish != SCRIP_PURSE_PERSONALISE) {
        SCRIP_TRY(find_row(terminal, &row));
    }
    (void)take_row(terminal, row);
    *family = STORAGE[row].family;
    *name = STORAGE[row].name;
    return SCRIP_OK;
}

/* @return SCRIP_OK; SCRIP_E_NOT_FOUND: no purse of ours; SCRIP_E_TORN: the card went away while it was looked for */
static enum scrip_status find_purse(struct terminal *terminal, const struct scrip_purse_family **family,
                                    const char **name)
{
    if (scrip_storage_is_classic(&terminal->request.card)) {
        return find_storage(terminal, family, name);
    }
    if (!scrip_purse_desfire.identify(&terminal->request.card)) {
        return SCRIP_E_NOT_FOUND;
    }
    SCRIP_TRY(scrip_desfire_profile_make(terminal->settings.desfire, &terminal->profile));
    terminal->request.profile = &terminal->profile;
    prepare_header(terminal);
    *family = &scrip_purse_desfire;
    *name = terminal->settings.desfire;
    return SCRIP_OK;
}

/* ---- what people are told ---- */

void terminal_say_money(const struct terminal *terminal, int32_t minor)
{
    const struct scrip_currency *currency = scrip_currency_find_number(terminal->settings.currency);
    char text[SCRIP_MONEY_TEXT_MAX];
    if (currency == NULL) {
        console_number((uint64_t)minor);
        return;
    }
    scrip_money_format(currency, minor, text);
    console_text(text);
}

static void say_accepted(const struct terminal *terminal)
{
    static const char *const done[SCRIP_PURSE_OPERATIONS] = {
        [SCRIP_PURSE_BALANCE] = "balance",         [SCRIP_PURSE_DEBIT] = "paid ",
        [SCRIP_PURSE_CREDIT] = "credited ",        [SCRIP_PURSE_RECOVER] = "recovered",
        [SCRIP_PURSE_PERSONALISE] = "initialised",
    };
    const struct scrip_purse_result *result = &terminal->job.result;
    console_text(done[terminal->wish]);
    if (terminal->wish == SCRIP_PURSE_DEBIT || terminal->wish == SCRIP_PURSE_CREDIT) {
        terminal_say_money(terminal, terminal->request.amount);
        console_text(result->recovered ? " at the earlier tap" : "");
    }
    if (result->has_balance) {
        console_text(", on the card: ");
        terminal_say_money(terminal, result->balance);
    }
    if (result->sequence != 0) {
        console_text(", line ");
        console_number(result->sequence);
    }
    console_text("\r\n");
}

static void say_result(const struct terminal *terminal)
{
    const struct scrip_purse_result *result = &terminal->job.result;
    if (result->outcome == SCRIP_OUTCOME_ACCEPTED) {
        say_accepted(terminal);
        return;
    }
    console_text(scrip_outcome_name(result->outcome));
    const bool torn = result->commit_open && result->status != SCRIP_E_WAIT;
    console_line(": ", scrip_strerror(torn ? SCRIP_E_TORN : result->status), NULL);
}

/* ---- serving ---- */

/* A card that lies there still is asked again a few times: its journal line and its content say what was done, so
 * nothing is done twice. */
static void conclude(struct terminal *terminal, const struct scrip_card_info *card)
{
    const struct scrip_purse_result *result = &terminal->job.result;
    if (result->outcome == SCRIP_OUTCOME_ASK_AGAIN && terminal->tries < TRIES_MAX) {
        if (terminal->wish == SCRIP_PURSE_CREDIT && result->commit_open) {
            memcpy(terminal->awaited, card->uid, sizeof terminal->awaited);
            terminal->awaited_len = card->uid_len;
        }
        terminal->tries++;
        terminal->last_len = 0;
        return;
    }
    terminal->tries = 0;
    terminal->awaited_len = 0;
    terminal->wish = SCRIP_PURSE_DEBIT;
}

/* A credit that may be on one card is not another one's. */
static bool is_anothers(const struct terminal *terminal, const struct scrip_card_info *card)
{
    return terminal->awaited_len != 0 &&
           (card->uid_len != terminal->awaited_len || memcmp(card->uid, terminal->awaited, terminal->awaited_len) != 0);
}

static void serve(struct terminal *terminal, const struct scrip_card_info *card)
{
    const struct scrip_purse_family *family = NULL;
    const char *name = "";
    if (is_anothers(terminal, card)) {
        console_line("declined: the card that did not answer to its credit is awaited; give a command to do else",
                     NULL);
        return;
    }
    prepare(terminal, card);
    const enum scrip_status status = find_purse(terminal, &family, &name);
    console_text("card ");
    console_hex(scrip_bytes(card->uid, card->uid_len));
    console_line(status == SCRIP_OK ? " " : "", status == SCRIP_OK ? name : "", NULL);
    if (status == SCRIP_OK) {
        (void)run(terminal, family, terminal->wish);
        say_result(terminal);
    } else {
        terminal->job.result.outcome = status == SCRIP_E_TORN ? SCRIP_OUTCOME_ASK_AGAIN : SCRIP_OUTCOME_DECLINED;
        terminal->job.result.commit_open = false; /* nothing was sent */
        console_line(scrip_outcome_name(terminal->job.result.outcome),
                     status == SCRIP_E_TORN ? ": the card went away" : ": no purse that this terminal has a key for",
                     NULL);
    }
    conclude(terminal, card);
}

/* A card that was served is left alone until it was away. */
static bool is_served(struct terminal *terminal, const struct scrip_card_info *card)
{
    const bool same = card->uid_len == terminal->last_len && memcmp(card->uid, terminal->last, card->uid_len) == 0;
    memcpy(terminal->last, card->uid, sizeof terminal->last);
    terminal->last_len = card->uid_len;
    return same;
}

/* A chip that does not answer is woken again at every look, and spoken of once. */
static void note_reader(struct terminal *terminal, enum scrip_status status)
{
    struct scrip_coupler *coupler = NULL;
    const char *name = NULL;
    const bool lost = status != SCRIP_OK && status != SCRIP_E_NO_CARD;
    if (lost != terminal->reader_lost) {
        console_line(lost ? "error: reader: " : "reader: it answers again", lost ? scrip_strerror(status) : "", NULL);
    }
    terminal->reader_lost = lost;
    if (lost && reader_begin(&coupler, &name) == SCRIP_OK) {
        reader_link_init(&terminal->reader, coupler);
    }
}

void terminal_look(struct terminal *terminal)
{
    struct scrip_card_info card;
    if (board_now_ms() - terminal->looked_ms < LOOK_EVERY_MS) {
        return;
    }
    const enum scrip_status status = scrip_link_connect(&terminal->reader.link, 0, &card);
    note_reader(terminal, status);
    if (status == SCRIP_OK && card.uid_len > 0 && !is_served(terminal, &card)) {
        serve(terminal, &card);
        scrip_purse_end(&terminal->job);
    } else if (status == SCRIP_E_NO_CARD) {
        terminal->last_len = 0;
    }
    scrip_link_disconnect(&terminal->reader.link);
    terminal->looked_ms = board_now_ms();
}
