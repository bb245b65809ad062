/* Whole visits, byte for byte: our card given the random numbers, keys and state of the trace answers every command of
 * it; our terminal given its own random number issues every command and understands every answer; and every
 * intermediate value that the trace prints is recomputed. */
#include "table.h"
#include <scrip/purse_desfire.h>
#include <stdio.h>
#include <string.h>

#define STEPS_MAX 12U

/* The wire of one step. */
struct step {
    json_t *object;
    const char *name;
    struct scrip_bytes c_apdu;
    struct scrip_bytes r_apdu;
};

/* A trace taken apart. */
struct trace {
    bool ev2;
    bool debit;
    const uint8_t *uid;
    const uint8_t *rnda;
    const uint8_t *rndb;
    const uint8_t *ti;        /* EV2 */
    const uint8_t *tmri;      /* EV2 */
    const uint8_t *tmri_prev; /* EV2 */
    const uint8_t *reader;    /* debits */
    const uint8_t *timestamp;
    int32_t balance;
    int32_t amount;
    uint32_t tmc;
    uint8_t keys[SCRIP_PURSE_ROLES][16];
    struct step steps[STEPS_MAX];
    size_t count;
    struct scrip_desfire_purse purse;
};

/* ---- reading it ---- */

static const struct {
    const char *name;
    enum scrip_purse_role role;
} ROLES[] = {
    {"read", SCRIP_PURSE_PAY}, {"write", SCRIP_PURSE_WRITE}, {"topup", SCRIP_PURSE_TOPUP}, {"tmac", SCRIP_PURSE_TMAC}};

static void read_keys(struct vector *v, struct trace *trace)
{
    json_t *masters = in_json(v, "master_keys");
    json_t *wanted = want_json(v, "diversified_keys");
    const struct scrip_bytes m = in_bytes(v, "diversification_input_M");
    uint8_t bytes[SCRIP_PURSE_DIVERSIFY_MAX];

    if (json_object_size(masters) != 4 || json_object_size(wanted) != 4) {
        vector_fail(v, "four keys there should be");
    }
    for (size_t i = 0; i < 4; i++) {
        uint8_t *key = trace->keys[ROLES[i].role];
        const struct scrip_bytes master = object_bytes(v, masters, ROLES[i].name);
        same_bytes(v, "M", m, scrip_purse_diversify_input(ROLES[i].role, trace->uid, trace->purse.aid, bytes));
        all_right(v, "diversify", scrip_an10922(SCRIP_AES128, master.at, m, key));
        same_bytes(v, ROLES[i].name, object_bytes(v, wanted, ROLES[i].name), scrip_bytes(key, 16));
    }
}

static void read_steps(struct vector *v, struct trace *trace)
{
    json_t *list = want_json(v, "steps");
    json_t *item;
    size_t i;
    if (json_array_size(list) < 4 || json_array_size(list) > STEPS_MAX) {
        vector_fail(v, "%zu steps", json_array_size(list));
    }
    json_array_foreach(list, i, item)
    {
        struct step *step = &trace->steps[trace->count++];
        step->object = item;
        step->name = json_string_value(json_object_get(item, "step"));
        step->c_apdu = object_bytes(v, item, "c_apdu");
        step->r_apdu = object_bytes(v, item, "r_apdu");
    }
}

static void read_trace(struct vector *v, struct trace *trace)
{
    struct scrip_desfire_profile profile;

    memset(trace, 0, sizeof *trace);
    trace->ev2 = in_has(v, "ti");
    trace->debit = in_has(v, "reader4");
    all_right(v, "profile", scrip_desfire_profile_make(trace->ev2 ? "an12113" : "ev1", &profile));
    trace->purse = profile.purse;
    trace->uid = in_exactly(v, "uid", 7);
    trace->rnda = in_exactly(v, "rnda", 16);
    trace->rndb = in_exactly(v, "rndb", 16);
    trace->timestamp = in_exactly(v, "timestamp", 8);
    trace->balance = (int32_t)in_int(v, "balance");
    trace->amount = (int32_t)in_int(v, "amount");
    if (trace->ev2) {
        trace->ti = in_exactly(v, "ti", 4);
        trace->tmri = in_exactly(v, "tmri", 16);
        trace->tmri_prev = in_exactly(v, "tmri_prev", 16);
        trace->tmc = (uint32_t)in_int(v, "tmc");
    }
    if (trace->debit) {
        trace->reader = in_exactly(v, "reader4", 4);
    }
    same_bytes(v, "aid", in_bytes(v, "aid"), SCRIP_BYTES_OF(trace->purse.aid));
    if (strcmp(in_text(v, "card_profile"), "example application of the specification") != 0) {
        vector_fail(v, "in.card_profile: another one");
    }
    read_keys(v, trace);
    read_steps(v, trace);
}

static enum scrip_purse_role role_of(const struct trace *trace)
{
    return trace->debit ? SCRIP_PURSE_PAY : SCRIP_PURSE_TOPUP;
}

/* 16 bytes of log: with reference 0, as the trace has it. */
static void record_of(const struct trace *trace, uint8_t record[16])
{
    memset(record, 0, 16);
    if (trace->debit) {
        memcpy(record, trace->reader, 4);
        memcpy(record + 4, trace->timestamp, 8);
        scrip_put_le32(record + 12, (uint32_t)trace->amount);
    } else {
        memcpy(record, trace->timestamp, 8);
        scrip_put_le32(record + 8, (uint32_t)trace->amount);
    }
}

/* ---- the card ---- */

static void create_files(struct vector *v, struct table *t, const struct trace *trace)
{
    const struct scrip_desfire_purse *purse = &trace->purse;
    const struct scrip_desfire_rights log_rights = {1, 1, 1, 0};
    const struct scrip_desfire_rights money_rights = {1, 3, 3, 0};
    const struct scrip_desfire_file files[] = {
        {.no = purse->log_file,
         .type = SCRIP_DESFIRE_FILE_CYCLIC,
         .comm = SCRIP_DESFIRE_FULL,
         .rights = log_rights,
         .record_size = 16,
         .max_records = 11},
        {.no = purse->value_file,
         .type = SCRIP_DESFIRE_FILE_VALUE,
         .comm = SCRIP_DESFIRE_FULL,
         .rights = money_rights,
         .upper = 50000,
         .value = trace->balance},
        {.no = purse->topup_file,
         .type = SCRIP_DESFIRE_FILE_CYCLIC,
         .comm = SCRIP_DESFIRE_FULL,
         .rights = money_rights,
         .record_size = 16,
         .max_records = 11},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        table_must(v, t, "CreateFile", scrip_desfire_create_file(&t->term, &t->batch, &files[i]));
    }
}

static void create_tmac(struct vector *v, struct table *t, const struct trace *trace)
{
    const struct scrip_desfire_key key = key_of(SCRIP_AES128, SCRIP_BYTES_OF(trace->keys[SCRIP_PURSE_TMAC]));
    struct scrip_desfire_file file = {.no = trace->purse.tmac_file,
                                      .type = SCRIP_DESFIRE_FILE_TMAC,
                                      .comm = SCRIP_DESFIRE_MAC,
                                      .may_have_more_rights = true,
                                      .rights = {3, 0xF, 3, 0},
                                      .tm_key_option = 2};
    table_must(v, t, "CreateTransactionMACFile", scrip_desfire_create_tmac_file(&t->term, &t->batch, &file, &key));
    file.more_count = 1;
    file.more[0] = (struct scrip_desfire_rights){1, 0xF, 1, 0xF};
    table_must(v, t, "ChangeFileSettings", scrip_desfire_change_file_settings(&t->term, &t->batch, &file, false));
}

/* So many transactions of no consequence that the counter stands where the trace has it; the last by its reader. */
static void count_up(struct vector *v, struct table *t, const struct trace *trace)
{
    const struct scrip_desfire_access value = {.no = trace->purse.value_file, .comm = SCRIP_DESFIRE_FULL};
    table_authenticate(v, t, SCRIP_DESFIRE_SM_EV2, 3, trace->keys[SCRIP_PURSE_TOPUP]);
    for (uint32_t i = 0; i < trace->tmc; i++) {
        table_must(v, t, "GetValue", scrip_desfire_get_value(&t->term, &t->batch, &value));
        table_must(v, t, "CommitReaderID", scrip_desfire_commit_reader_id(&t->term, &t->batch, trace->tmri_prev));
        table_must(v, t, "CommitTransaction", scrip_desfire_commit_transaction(&t->term, &t->batch, false));
    }
}

static struct table *personalise(struct vector *v, const struct trace *trace)
{
    static const uint8_t zero[16];
    const struct scrip_desfire_identity identity = table_identity(SCRIP_DESFIRE_EV2, trace->uid);
    struct table *t = table_lay(v, &identity);
    table_app(v, t, 4);
    table_authenticate(v, t, SCRIP_DESFIRE_SM_EV2, 0, zero);
    create_files(v, t, trace);
    if (trace->ev2) {
        create_tmac(v, t, trace);
    }
    table_change_key(v, t, 3, trace->keys[SCRIP_PURSE_TOPUP]);
    table_change_key(v, t, 2, trace->keys[SCRIP_PURSE_WRITE]);
    table_change_key(v, t, 1, trace->keys[SCRIP_PURSE_PAY]);
    if (trace->ev2) {
        count_up(v, t, trace);
    }
    return t;
}

static void replay_to_card(struct vector *v, const struct trace *trace)
{
    struct table *t = personalise(v, trace);
    uint8_t random[20];
    struct scrip_buf script = SCRIP_BUF_OF(random);

    all_right(v, "random", scrip_buf_add(&script, trace->rndb, 16));
    if (trace->ev2) {
        all_right(v, "random", scrip_buf_add(&script, trace->ti, 4));
    }
    table_script(t, scrip_buf_bytes(&script));
    for (size_t i = 0; i < trace->count; i++) {
        char what[80];
        (void)snprintf(what, sizeof what, "card: %s", trace->steps[i].name);
        same_bytes(v, what, trace->steps[i].r_apdu, table_apdu(v, t, trace->steps[i].c_apdu));
    }
}

/* ---- the terminal ---- */

/* The commands in the batch are these steps; their responses come from the trace. */
static void exchange_steps(struct vector *v, const struct trace *trace, size_t from, size_t count,
                           const struct scrip_batch *batch, struct scrip_replies *replies)
{
    if (batch->count != count) {
        vector_fail(v, "terminal: %zu commands where the trace has %zu", batch->count, count);
    }
    scrip_replies_clear(replies);
    for (size_t i = 0; i < count; i++) {
        char what[80];
        (void)snprintf(what, sizeof what, "terminal: %s", trace->steps[from + i].name);
        same_bytes(v, what, trace->steps[from + i].c_apdu, scrip_batch_command(batch, i));
        all_right(v, what, scrip_replies_add(replies, trace->steps[from + i].r_apdu));
    }
}

/* What follows the authentication, command by command as the trace orders them. Commands that wait for a response end
 * a batch: the trace is gone through in as many batches as that takes. */
static enum scrip_status ask_step(struct vector *v, const struct trace *trace, struct scrip_desfire_tap *tap,
                                  struct scrip_batch *batch, const struct step *step)
{
    uint8_t record[16];
    record_of(trace, record);
    switch (step->c_apdu.at[1]) {
    case 0x6C:
        return scrip_desfire_tap_value(tap, batch);
    case 0x0C:
        return scrip_desfire_tap_credit(tap, batch, trace->amount);
    case 0xDC: { /* the tap has no single step for it */
        const struct scrip_desfire_access value = {.no = trace->purse.value_file, .comm = SCRIP_DESFIRE_FULL};
        return scrip_desfire_debit(&tap->term, batch, &value, trace->amount);
    }
    case 0x8B:
    case 0x3B:
        return scrip_desfire_tap_record(tap, batch, trace->debit ? trace->purse.log_file : trace->purse.topup_file, 0,
                                        SCRIP_BYTES_OF(record));
    case 0xC8:
        return scrip_desfire_tap_reader(tap, batch, trace->tmri);
    case 0xC7:
        return scrip_desfire_tap_commit(tap, batch);
    default:
        vector_fail(v, "no command %02X", step->c_apdu.at[1]);
    }
}

static void ask_steps(struct vector *v, const struct trace *trace, struct scrip_desfire_tap *tap)
{
    static struct scrip_batch batch;
    static struct scrip_replies replies;
    size_t done = 3;
    unsigned batches = 0;

    while (done < trace->count) {
        size_t next = done;
        enum scrip_status status = SCRIP_OK;
        scrip_batch_clear(&batch);
        while (next < trace->count && status == SCRIP_OK) {
            status = ask_step(v, trace, tap, &batch, &trace->steps[next]);
            next += status == SCRIP_OK ? 1 : 0;
        }
        if (next == done || (status != SCRIP_OK && status != SCRIP_E_WAIT)) {
            vector_fail(v, "terminal: %s: %s", trace->steps[next].name, scrip_status_name(status));
        }
        exchange_steps(v, trace, done, next - done, &batch, &replies);
        all_right(v, "terminal: responses", scrip_desfire_tap_take(tap, &replies, NULL));
        done = next;
        batches++;
    }
    const bool value_first = trace->steps[3].c_apdu.at[1] == 0x6C;
    if (batches != (!trace->ev2 && value_first ? 2U : 1U)) {
        vector_fail(v, "terminal: %u batches", batches);
    }
}

/* A debit is one call: the commands of figure 6 at once. */
static void ask_debit(struct vector *v, const struct trace *trace, struct scrip_desfire_tap *tap)
{
    static struct scrip_batch batch;
    static struct scrip_replies replies;
    struct scrip_purse_debit debit = {.amount = trace->amount};
    memcpy(debit.reader, trace->reader, sizeof debit.reader);
    memcpy(debit.timestamp, trace->timestamp, sizeof debit.timestamp);
    memcpy(debit.tmri, trace->tmri, sizeof debit.tmri);
    scrip_batch_clear(&batch);
    all_right(v, "terminal: debit", scrip_desfire_tap_debit(tap, &batch, &debit));
    all_right(v, "terminal: commit", scrip_desfire_tap_commit(tap, &batch));
    exchange_steps(v, trace, 3, trace->count - 3, &batch, &replies);
    all_right(v, "terminal: responses", scrip_desfire_tap_take(tap, &replies, NULL));
}

static void replay_to_terminal(struct vector *v, const struct trace *trace, struct scrip_desfire_tap *tap)
{
    static struct scrip_batch batch;
    static struct scrip_replies replies;
    const uint8_t *key = trace->keys[role_of(trace)];

    scrip_desfire_tap_start(tap, &trace->purse, trace->uid);
    scrip_batch_clear(&batch);
    all_right(v, "terminal: preamble", scrip_desfire_tap_preamble(tap, &batch, role_of(trace)));
    exchange_steps(v, trace, 0, 2, &batch, &replies);
    all_right(v, "terminal: challenge", scrip_desfire_tap_take(tap, &replies, NULL));
    scrip_batch_clear(&batch);
    all_right(v, "terminal: part 2", scrip_desfire_tap_answer(tap, &batch, key, trace->rnda));
    exchange_steps(v, trace, 2, 1, &batch, &replies);
    all_right(v, "terminal: proof", scrip_desfire_tap_take(tap, &replies, key));
    if (trace->debit) {
        ask_debit(v, trace, tap);
    } else {
        ask_steps(v, trace, tap);
    }
}

/* ---- what the trace prints besides ---- */

/* The step's fields are these and no others. */
static void only_fields(struct vector *v, const struct step *step, const char *const *names)
{
    const char *name;
    json_t *value;
    json_object_foreach(step->object, name, value)
    {
        size_t i = 0;
        while (names[i] != NULL && strcmp(names[i], name) != 0) {
            i++;
        }
        if (names[i] == NULL) {
            vector_fail(v, "%s.%s: nobody looks at it", step->name, name);
        }
    }
}

static bool has(const struct step *step, const char *name)
{
    return json_object_get(step->object, name) != NULL;
}

static void mac_of(const struct scrip_cmac_key *key, struct scrip_bytes input, uint8_t out[8])
{
    uint8_t mac[16];
    scrip_cmac(key, input, mac);
    scrip_mact(mac, out);
}

/* One direction of an EV2 step: IV out of the counter, plain text to cipher text, input to MAC. */
static void ev2_direction(struct vector *v, const struct trace *trace, const struct step *step, bool command,
                          struct scrip_bytes wire, uint16_t ctr, const struct scrip_block *enc,
                          const struct scrip_cmac_key *mac_key)
{
    const char *iv_name = command ? "iv_command" : "iv_response";
    const char *plain_name = command ? "plain_command" : "plain_response";
    uint8_t iv[16] = {command ? 0xA5 : 0x5A, command ? 0x5A : 0xA5};
    uint8_t mac[8];
    uint8_t cipher[64];

    if (has(step, plain_name)) {
        const struct scrip_bytes plain = object_bytes(v, step->object, plain_name);
        memcpy(iv + 2, trace->ti, 4);
        scrip_put_le16(iv + 6, ctr);
        scrip_block_encrypt(enc, 1, iv, iv);
        same_bytes(v, iv_name, object_bytes(v, step->object, iv_name), SCRIP_BYTES_OF(iv));
        if (plain.len > sizeof cipher || plain.len % 16 != 0 || plain.len + 8 > wire.len) {
            vector_fail(v, "%s: length", plain_name);
        }
        scrip_cbc_encrypt(enc, iv, plain.len / 16, cipher, plain.at);
        same_bytes(v, plain_name, scrip_bytes(wire.at + wire.len - 8 - plain.len, plain.len),
                   scrip_bytes(cipher, plain.len));
        if (command) {
            same_bytes(v, "cipher_command", object_bytes(v, step->object, "cipher_command"),
                       scrip_bytes(cipher, plain.len));
        }
    }
    mac_of(mac_key, object_bytes(v, step->object, command ? "mac_input_command" : "mac_input_response"), mac);
    same_bytes(v, "MAC input", scrip_bytes_from(wire, wire.len - 8), SCRIP_BYTES_OF(mac));
    if (command && has(step, "mac_command")) {
        same_bytes(v, "mac_command", object_bytes(v, step->object, "mac_command"), SCRIP_BYTES_OF(mac));
    }
}

static void ev2_prints(struct vector *v, const struct trace *trace)
{
    static const char *const wire_only[] = {"step", "c_apdu", "r_apdu", NULL};
    static const char *const auth[] = {"step", "c_apdu", "r_apdu", "ses_auth_enc_key", "ses_auth_mac_key", NULL};
    static const char *const fields[] = {"step",        "c_apdu",        "r_apdu",         "cmd_ctr",
                                         "iv_command",  "plain_command", "cipher_command", "mac_input_command",
                                         "mac_command", "iv_response",   "plain_response", "mac_input_response",
                                         NULL};
    struct scrip_block enc;
    struct scrip_cmac_key mac;

    only_fields(v, &trace->steps[0], wire_only);
    only_fields(v, &trace->steps[1], wire_only);
    only_fields(v, &trace->steps[2], auth);
    scrip_block_init(&enc, SCRIP_AES128, object_bytes(v, trace->steps[2].object, "ses_auth_enc_key").at);
    scrip_cmac_key_init(&mac, SCRIP_AES128, object_bytes(v, trace->steps[2].object, "ses_auth_mac_key").at);
    for (size_t i = 3; i < trace->count; i++) {
        const struct step *step = &trace->steps[i];
        uint8_t status;
        only_fields(v, step, fields);
        if (json_integer_value(json_object_get(step->object, "cmd_ctr")) != (json_int_t)(i - 3)) {
            vector_fail(v, "%s: cmd_ctr", step->name);
        }
        ev2_direction(v, trace, step, true, apdu_params(v, step->c_apdu, step->c_apdu.at[1]), (uint16_t)(i - 3), &enc,
                      &mac);
        ev2_direction(v, trace, step, false, apdu_data(v, step->r_apdu, &status), (uint16_t)(i - 2), &enc, &mac);
    }
}

/* How each command travels in these traces. */
static struct scrip_desfire_protection ev1_protection(uint8_t cmd)
{
    const bool file = cmd != 0xC7;
    return (struct scrip_desfire_protection){
        .comm = file ? SCRIP_DESFIRE_FULL : SCRIP_DESFIRE_MAC, .file_data = file, .data_back = cmd == 0x6C};
}

static void same_iv(struct vector *v, const struct step *step, const char *name,
                    const struct scrip_desfire_session *card)
{
    same_bytes(v, name, object_bytes(v, step->object, name), session_iv(v, card));
}

static void ev1_prints(struct vector *v, const struct trace *trace)
{
    static const char *const wire_only[] = {"step", "c_apdu", "r_apdu", NULL};
    static const char *const auth[] = {"step", "c_apdu", "r_apdu", "session_key", NULL};
    static const char *const fields[] = {
        "step", "c_apdu", "r_apdu", "iv_before", "iv_after_command", "iv_after_response", NULL};
    const struct scrip_bytes key = object_bytes(v, trace->steps[2].object, "session_key");
    const struct start start = {.sm = SCRIP_DESFIRE_SM_EV1, .cipher = SCRIP_AES128, .key = key};
    struct scrip_desfire_session card;
    uint8_t bytes[64];

    only_fields(v, &trace->steps[0], wire_only);
    only_fields(v, &trace->steps[1], wire_only);
    only_fields(v, &trace->steps[2], auth);
    session_start(v, &card, &start);
    for (size_t i = 3; i < trace->count; i++) {
        const struct step *step = &trace->steps[i];
        const uint8_t cmd = step->c_apdu.at[1];
        const struct scrip_desfire_protection protection = ev1_protection(cmd);
        const bool committed = i + 1 == trace->count;
        uint8_t value[4];
        struct scrip_buf out = SCRIP_BUF_OF(bytes);

        only_fields(v, step, fields);
        same_iv(v, step, "iv_before", &card);
        all_right(v, step->name,
                  scrip_desfire_sm_open_command(&card, &protection, cmd, apdu_params(v, step->c_apdu, cmd),
                                                cmd == 0x3B   ? 7
                                                : cmd == 0xC7 ? 0
                                                              : 1,
                                                SIZE_MAX, &out));
        same_iv(v, step, "iv_after_command", &card);
        out.len = 0;
        scrip_put_le32(value, (uint32_t)(trace->balance + (committed ? trace->amount : 0)));
        all_right(v, step->name,
                  scrip_desfire_sm_wrap_response(&card, &protection, 0, scrip_bytes(value, cmd == 0x6C ? 4 : 0), &out));
        same_iv(v, step, "iv_after_response", &card);
    }
}

/* ---- how it ends ---- */

/* The vector's object, and how many of its fields have been looked at: each once. */
struct final {
    json_t *object;
    size_t looked_at;
};

static void final_field(struct vector *v, struct final *final, const char *name, struct scrip_bytes got)
{
    same_bytes(v, name, object_bytes(v, final->object, name), got);
    final->looked_at++;
}

static void final_int(struct vector *v, struct final *final, const char *name, int64_t got)
{
    const json_t *value = json_object_get(final->object, name);
    if (!json_is_integer(value) || json_integer_value(value) != got) {
        vector_fail(v, "%s: %lld", name, (long long)got);
    }
    final->looked_at++;
}

static void rebuild_tmi(struct vector *v, const struct trace *trace, const struct scrip_desfire_facts *facts,
                        struct scrip_buf *tmi)
{
    if (trace->debit) {
        struct scrip_purse_debit debit = {.amount = trace->amount};
        memcpy(debit.reader, trace->reader, sizeof debit.reader);
        memcpy(debit.timestamp, trace->timestamp, sizeof debit.timestamp);
        memcpy(debit.tmri, trace->tmri, sizeof debit.tmri);
        all_right(v, "tmi", scrip_purse_debit_tmi(&trace->purse, &debit, facts->balance, facts->enc_tmri, tmi));
    } else {
        struct scrip_purse_topup topup = {.amount = trace->amount};
        memcpy(topup.timestamp, trace->timestamp, sizeof topup.timestamp);
        memcpy(topup.tmri, trace->tmri, sizeof topup.tmri);
        all_right(v, "tmi", scrip_purse_topup_tmi(&trace->purse, &topup, facts->balance, facts->enc_tmri, tmi));
    }
}

static void ev2_end(struct vector *v, const struct trace *trace, const struct scrip_desfire_facts *facts,
                    struct final *final)
{
    const uint8_t *app_key = trace->keys[SCRIP_PURSE_TMAC];
    struct scrip_desfire_tmac_keys keys;
    uint8_t bytes[256];
    uint8_t previous[16];
    struct scrip_buf tmi = SCRIP_BUF_OF(bytes);

    if ((facts->has & SCRIP_FACT_COMMIT_TMV) == 0 || (facts->has & SCRIP_FACT_READER) == 0) {
        vector_fail(v, "terminal: no TMV or no EncTMRI");
    }
    scrip_desfire_tmac_keys(app_key, trace->tmc + 1, trace->uid, &keys);
    final_field(v, final, "ses_tm_mac_key", SCRIP_BYTES_OF(keys.mac));
    final_field(v, final, "ses_tm_enc_key", SCRIP_BYTES_OF(keys.enc));
    rebuild_tmi(v, trace, facts, &tmi);
    final_field(v, final, "tmi", scrip_buf_bytes(&tmi));
    all_right(v, "TMV",
              scrip_purse_tmv_check(app_key, trace->uid, facts->commit_tmc, scrip_buf_bytes(&tmi), facts->commit_tmv));
    final_field(v, final, "tmv", SCRIP_BYTES_OF(facts->commit_tmv));
    final_int(v, final, "new_tmc", facts->commit_tmc);
    scrip_purse_previous_reader(app_key, trace->uid, facts->commit_tmc, facts->enc_tmri, previous);
    same_bytes(v, "previous reader", scrip_bytes(trace->tmri_prev, 16), SCRIP_BYTES_OF(previous));
}

static void check_end(struct vector *v, const struct trace *trace, const struct scrip_desfire_tap *tap)
{
    struct final final = {want_json(v, "final"), 0};
    const struct scrip_desfire_facts *facts = &tap->facts;
    const int32_t change = trace->debit ? -trace->amount : trace->amount;
    const bool after = (facts->has & SCRIP_FACT_BALANCE_AFTER) != 0;

    if (trace->ev2) {
        ev2_end(v, trace, facts, &final);
    } else {
        final_field(v, &final, "session_key", object_bytes(v, trace->steps[2].object, "session_key"));
    }
    if ((facts->has & SCRIP_FACT_COMMITTED) == 0 || (!after && facts->balance != trace->balance)) {
        vector_fail(v, "terminal: not committed, or another balance");
    }
    final_int(v, &final, "new_balance", after ? facts->balance_after : facts->balance + change);
    const size_t left = json_object_size(final.object) - final.looked_at;
    if (left > 0) {
        vector_fail(v, "out.final: nobody looks at %zu fields", left);
    }
}

static void e2e_trace(struct vector *v)
{
    static struct trace trace;
    static struct scrip_desfire_tap tap;
    read_trace(v, &trace);
    if (trace.ev2) {
        ev2_prints(v, &trace);
    } else {
        ev1_prints(v, &trace);
    }
    replay_to_card(v, &trace);
    replay_to_terminal(v, &trace, &tap);
    check_end(v, &trace, &tap);
}

const struct vector_kind VECTORS_E2E[] = {
    {"e2e-trace", e2e_trace},
    {NULL, NULL},
};
