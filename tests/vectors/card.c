/* What needs a whole card and a whole terminal: versions, settings, behaviour of files, dynamic messaging, the
 * signature of the factory. */
#include "table.h"
#include <scrip/originality.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t ZERO[16];
static const uint8_t SOME_UID[7] = {0x04, 0x5B, 0x2C, 0x8A, 0x91, 0x6E, 0x80};

/* ---- GetVersion ---- */

static enum scrip_desfire_generation generation_named(struct vector *v, const char *name)
{
    static const char *const names[] = {"EV1", "EV2", "EV3", "Light"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0) {
            return (enum scrip_desfire_generation)i;
        }
    }
    vector_fail(v, "no generation %s", name);
}

static void frames_of(struct vector *v, struct scrip_bytes frames[3])
{
    json_t *list = in_json(v, "frames");
    json_t *item;
    size_t i;
    if (json_array_size(list) != 3) {
        vector_fail(v, "in.frames: not three");
    }
    json_array_foreach(list, i, item)
    {
        frames[i] = vector_hex(v, "frames", json_is_string(item) ? json_string_value(item) : "-");
        if (frames[i].len < 1) {
            vector_fail(v, "in.frames: empty");
        }
    }
}

/* Our card of that generation, with that UID and batch, answers these frames. */
static void version_at_card(struct vector *v, const struct scrip_bytes frames[3],
                            enum scrip_desfire_generation generation)
{
    static const uint8_t native[3] = {0x60, 0xAF, 0xAF};
    struct scrip_desfire_identity identity = table_identity(generation, frames[2].at + 1);
    identity.storage = frames[0].at[6];
    memcpy(identity.batch, frames[2].at + 8, sizeof identity.batch);
    identity.week = frames[2].at[13];
    identity.year = frames[2].at[14];
    struct table *t = table_lay(v, &identity);
    for (size_t i = 0; i < 3; i++) {
        same_bytes(v, "card: frame", frames[i], table_apdu(v, t, scrip_bytes(native + i, 1)));
    }
}

/* The frames as a terminal gets them, wrapped. */
static struct scrip_desfire_version version_at_host(struct vector *v, const struct scrip_bytes frames[3])
{
    struct scrip_desfire_version version;
    const struct scrip_desfire_identity identity = table_identity(SCRIP_DESFIRE_EV1, SOME_UID);
    struct table *t = table_lay(v, &identity);
    uint8_t wrapped[3][32];
    struct scrip_bytes replies[3];

    all_right(v, "host: GetVersion", scrip_desfire_get_version(&t->term, &t->batch));
    for (size_t i = 0; i < 3; i++) {
        struct scrip_buf out = SCRIP_BUF_OF(wrapped[i]);
        all_right(v, "frame", scrip_buf_add_bytes(&out, scrip_bytes_from(frames[i], 1)));
        all_right(v, "frame", scrip_buf_add_u8(&out, 0x91));
        all_right(v, "frame", scrip_buf_add_u8(&out, frames[i].at[0]));
        replies[i] = scrip_buf_bytes(&out);
    }
    table_replies(v, t, replies, 3);
    all_right(v, "host: GetVersion", scrip_desfire_term_take(&t->term, &t->replies, &t->taken));
    all_right(v, "host: GetVersion", scrip_desfire_version_parse(scrip_buf_bytes(&t->taken), &version));
    return version;
}

static void want_version(struct vector *v, const char *name, uint8_t major, uint8_t minor)
{
    char text[32];
    if (major > 9) {
        (void)snprintf(text, sizeof text, "%u.%u (%02Xh.%02Xh)", major, minor, major, minor);
    } else {
        (void)snprintf(text, sizeof text, "%u.%u", major, minor);
    }
    want_text(v, name, text);
}

static void get_version(struct vector *v)
{
    struct scrip_bytes frames[3];
    char storage[48];
    frames_of(v, frames);
    const struct scrip_desfire_version version = version_at_host(v, frames);
    const char *product = scrip_desfire_version_product(&version);
    const char *generation = strrchr(product, ' ') == NULL ? product : strrchr(product, ' ') + 1;

    want_text(v, "generation", generation);
    want_int(v, "vendor", version.hw_vendor);
    want_int(v, "hw_type", version.hw_type);
    want_int(v, "hw_subtype", version.hw_subtype);
    want_version(v, "hw_version", version.hw_major, version.hw_minor);
    want_version(v, "sw_version", version.sw_major, version.sw_minor);
    (void)snprintf(storage, sizeof storage, "%02X = %u bytes", version.hw_storage, version.storage_min);
    want_text(v, "hw_storage", storage);
    want_int(v, "protocol", version.hw_protocol);
    want_bytes(v, "uid", SCRIP_BYTES_OF(version.uid));
    want_bytes(v, "batch", SCRIP_BYTES_OF(version.batch));
    want_bytes(v, "production_week_bcd", scrip_bytes(&version.week, 1));
    want_bytes(v, "production_year_bcd", scrip_bytes(&version.year, 1));
    version_at_card(v, frames, generation_named(v, generation));
}

/* ---- GetFileSettings ---- */

static void want_nibble(struct vector *v, const char *name, uint8_t nibble)
{
    char text[4];
    (void)snprintf(text, sizeof text, "%X", nibble);
    want_text(v, name, text);
}

static void want_settings(struct vector *v, const struct scrip_desfire_file *file)
{
    static const char *const modes[] = {"plain", "mac", "plain", "full"};
    want_int(v, "type", file->type);
    want_text(v, "comm_mode", modes[file->comm & 3]);
    want_nibble(v, "read", file->rights.read);
    want_nibble(v, "write", file->rights.write);
    want_nibble(v, "read_write", file->rights.read_write);
    want_nibble(v, "change", file->rights.change);
    if (file->type <= SCRIP_DESFIRE_FILE_BACKUP) {
        want_int(v, "size", file->size);
    } else if (file->type == SCRIP_DESFIRE_FILE_VALUE) {
        want_int(v, "lower", file->lower);
        want_int(v, "upper", file->upper);
        want_int(v, "limited_credit_value", file->value);
        want_bool(v, "limited_credit_enabled", (file->value_flags & 1) != 0);
        want_bool(v, "free_get_value", (file->value_flags & 2) != 0);
    } else {
        want_int(v, "record_size", file->record_size);
        want_int(v, "max_records", file->max_records);
        want_int(v, "current_records", file->records);
    }
}

/* Make that file on our card, fill it as far as the vector's was, and ask. */
static void settings_at_card(struct vector *v, struct scrip_desfire_file *file, struct scrip_bytes wanted)
{
    const struct scrip_desfire_identity identity = table_identity(SCRIP_DESFIRE_EV2, SOME_UID);
    struct table *t = table_lay(v, &identity);
    const struct scrip_desfire_access access = {.no = 1, .comm = file->comm};
    uint8_t record[64] = {0x77};

    file->no = 1;
    table_app(v, t, 5);
    table_authenticate(v, t, SCRIP_DESFIRE_SM_EV2, 0, ZERO);
    table_must(v, t, "CreateFile", scrip_desfire_create_file(&t->term, &t->batch, file));
    if (file->records > 0) {
        table_authenticate(v, t, SCRIP_DESFIRE_SM_EV2, file->rights.read_write, ZERO);
    }
    for (uint32_t i = 0; i < file->records; i++) {
        table_must(v, t, "WriteRecord",
                   scrip_desfire_write_record(&t->term, &t->batch, &access, 0, scrip_bytes(record, file->record_size)));
        table_must(v, t, "Commit", scrip_desfire_commit_transaction(&t->term, &t->batch, false));
    }
    table_must(v, t, "GetFileSettings", scrip_desfire_get_file_settings(&t->term, &t->batch, 1));
    same_bytes(v, "card: settings", wanted, scrip_buf_bytes(&t->taken));
}

static void get_file_settings(struct vector *v)
{
    const struct scrip_bytes response = in_bytes(v, "response");
    struct scrip_desfire_file file = {0};
    all_right(v, "host: settings", scrip_desfire_file_parse(response, &file));
    want_settings(v, &file);
    settings_at_card(v, &file, response);
}

/* ---- scripts: steps of [command, argument, status, what is to be seen] ---- */

struct step {
    const char *command;
    const char *argument;
    unsigned status;
    const char *seen; /* "" when the step says nothing */
};

static struct step step_of(struct vector *v, json_t *item)
{
    struct step step = {.seen = ""};
    const char *texts[4] = {"", "", "", ""};
    const size_t size = json_array_size(item);
    if (size < 3 || size > 4) {
        vector_fail(v, "a step of %zu", size);
    }
    for (size_t i = 0; i < size; i++) {
        if (!json_is_string(json_array_get(item, i))) {
            vector_fail(v, "a step that is no text");
        }
        texts[i] = json_string_value(json_array_get(item, i));
    }
    step.command = texts[0];
    step.argument = texts[1];
    step.status = (unsigned)strtoul(texts[2], NULL, 16);
    step.seen = texts[3];
    return step;
}

static void check_status(struct vector *v, struct table *t, const struct step *step, enum scrip_status status)
{
    const unsigned got = status == SCRIP_OK ? 0 : t->term.failure.sw & 0xFFU;
    if ((status != SCRIP_OK && status != SCRIP_E_CARD) || got != step->status) {
        vector_fail(v, "%s: %s %02X, should be %02X", step->command, scrip_status_name(status), got, step->status);
    }
}

static struct scrip_desfire_file settings_now(struct vector *v, struct table *t, const struct step *step)
{
    struct scrip_desfire_file file = {0};
    check_status(v, t, step, table_do(v, t, scrip_desfire_get_file_settings(&t->term, &t->batch, 4)));
    all_right(v, "GetFileSettings", scrip_desfire_file_parse(scrip_buf_bytes(&t->taken), &file));
    return file;
}

static void seen_number(struct vector *v, const struct step *step, const char *before, int64_t got)
{
    char *end = NULL;
    if (strncmp(step->seen, before, strlen(before)) != 0) {
        vector_fail(v, "%s: nobody knows what \"%s\" means", step->command, step->seen);
    }
    const long long wanted = strtoll(step->seen + strlen(before), &end, 10);
    if (end == step->seen + strlen(before) || wanted != got) {
        vector_fail(v, "%s: %lld, should be \"%s\"", step->command, (long long)got, step->seen);
    }
}

/* A table with an application whose file 4 is `file`, everything free. */
static struct table *file_on_table(struct vector *v, struct scrip_desfire_file *file)
{
    const struct scrip_desfire_identity identity = table_identity(SCRIP_DESFIRE_EV1, SOME_UID);
    struct table *t = table_lay(v, &identity);
    file->no = 4;
    file->rights = (struct scrip_desfire_rights){0xE, 0xE, 0xE, 0xE};
    table_app(v, t, 1);
    table_must(v, t, "CreateFile", scrip_desfire_create_file(&t->term, &t->batch, file));
    return t;
}

static int64_t member(struct vector *v, json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    if (!json_is_integer(value)) {
        vector_fail(v, "card.%s: not an integer", name);
    }
    return json_integer_value(value);
}

static void value_step(struct vector *v, struct table *t, const struct step *step)
{
    static const struct scrip_desfire_access access = {.no = 4};
    const int32_t amount = (int32_t)strtol(step->argument, NULL, 10);
    struct scrip_desfire_term *term = &t->term;

    if (strcmp(step->command, "Credit") == 0) {
        check_status(v, t, step, table_do(v, t, scrip_desfire_credit(term, &t->batch, &access, amount)));
    } else if (strcmp(step->command, "Debit") == 0) {
        check_status(v, t, step, table_do(v, t, scrip_desfire_debit(term, &t->batch, &access, amount)));
    } else if (strcmp(step->command, "LimitedCredit") == 0) {
        check_status(v, t, step, table_do(v, t, scrip_desfire_limited_credit(term, &t->batch, &access, amount)));
    } else if (strcmp(step->command, "CommitTransaction") == 0) {
        check_status(v, t, step, table_do(v, t, scrip_desfire_commit_transaction(term, &t->batch, false)));
    } else if (strcmp(step->command, "GetValue") == 0) {
        check_status(v, t, step, table_do(v, t, scrip_desfire_get_value(term, &t->batch, &access)));
        seen_number(v, step, "value ", scrip_get_le32s(t->taken.at));
    } else if (strcmp(step->command, "GetFileSettings") == 0) {
        seen_number(v, step, "limited credit value ", settings_now(v, t, step).value);
    } else {
        vector_fail(v, "no command %s", step->command);
    }
}

static void value_file_behaviour(struct vector *v)
{
    json_t *card = in_json(v, "card");
    json_t *script = in_json(v, "script");
    json_t *item;
    size_t i;
    struct scrip_desfire_file file = {
        .type = SCRIP_DESFIRE_FILE_VALUE,
        .lower = (int32_t)member(v, card, "lower"),
        .upper = (int32_t)member(v, card, "upper"),
        .value = (int32_t)member(v, card, "value"),
        .value_flags = json_is_true(json_object_get(card, "limited_credit_enabled")) ? 1 : 0,
    };
    const char *access = json_string_value(json_object_get(card, "access"));
    if (access == NULL || strcmp(access, "EEEE") != 0 || json_object_size(card) != 5) {
        vector_fail(v, "in.card: something else");
    }
    struct table *t = file_on_table(v, &file);
    json_array_foreach(script, i, item)
    {
        const struct step step = step_of(v, item);
        value_step(v, t, &step);
    }
    want_bool(v, "expected_in_script", true);
}

/* A text in quotes, as data of a record. */
static struct scrip_bytes quoted(struct vector *v, const char *text)
{
    const size_t len = strlen(text);
    if (len < 2 || text[0] != '"' || text[len - 1] != '"') {
        vector_fail(v, "%s: not in quotes", text);
    }
    return scrip_bytes(text + 1, len - 2);
}

static void read_newest(struct vector *v, struct table *t, const struct step *step, struct scrip_bytes newest)
{
    static const struct scrip_desfire_access access = {.no = 4};
    check_status(v, t, step, table_do(v, t, scrip_desfire_read_records(&t->term, &t->batch, &access, 0, 1, 0)));
    same_bytes(v, step->command, strcmp(step->seen, "newest record") == 0 ? newest : quoted(v, step->seen),
               scrip_buf_bytes(&t->taken));
}

static void record_step(struct vector *v, struct table *t, const struct step *step, uint8_t newest[4])
{
    static const struct scrip_desfire_access access = {.no = 4};
    unsigned times = 0;
    unsigned offset = 0;
    unsigned len = 0;

    if (sscanf(step->command, "%u x (WriteRecord + CommitTransaction)", &times) == 1) {
        for (unsigned i = 0; i < times; i++) {
            memset(newest, (int)(0x41 + i), 4);
            check_status(
                v, t, step,
                table_do(v, t, scrip_desfire_write_record(&t->term, &t->batch, &access, 0, scrip_bytes(newest, 4))));
            check_status(v, t, step, table_do(v, t, scrip_desfire_commit_transaction(&t->term, &t->batch, false)));
        }
    } else if (sscanf(step->command, "WriteRecord offset %u length %u", &offset, &len) == 2) {
        const struct scrip_bytes data = quoted(v, step->argument);
        if (data.len != len) {
            vector_fail(v, "%s: %zu bytes given", step->command, data.len);
        }
        check_status(v, t, step,
                     table_do(v, t, scrip_desfire_write_record(&t->term, &t->batch, &access, offset, data)));
    } else if (strcmp(step->command, "CommitTransaction") == 0) {
        check_status(v, t, step, table_do(v, t, scrip_desfire_commit_transaction(&t->term, &t->batch, false)));
    } else if (strcmp(step->command, "GetFileSettings") == 0) {
        seen_number(v, step, "current records ", settings_now(v, t, step).records);
    } else if (strcmp(step->command, "ReadRecords 0,1") == 0) {
        read_newest(v, t, step, scrip_bytes(newest, 4));
    } else {
        vector_fail(v, "no command %s", step->command);
    }
}

static void record_file_behaviour(struct vector *v)
{
    json_t *card = in_json(v, "card");
    json_t *script = in_json(v, "script");
    json_t *item;
    size_t i;
    uint8_t newest[4] = {0};
    struct scrip_desfire_file file = {
        .type = SCRIP_DESFIRE_FILE_CYCLIC,
        .record_size = (uint32_t)member(v, card, "record_size"),
        .max_records = (uint32_t)member(v, card, "max_records"),
    };
    if (json_object_size(card) != 2 || file.record_size != sizeof newest) {
        vector_fail(v, "in.card: something else");
    }
    struct table *t = file_on_table(v, &file);
    json_array_foreach(script, i, item)
    {
        const struct step step = step_of(v, item);
        record_step(v, t, &step, newest);
    }
    want_bool(v, "expected_in_script", true);
}

/* ---- secure dynamic messaging ---- */

/* A card whose file 2 holds the enciphered PICC data and behind it the MAC over `input`, which is empty or stands
 * between both. Read as often as the counter says. */
static void sdm_at_card(struct vector *v, const struct scrip_desfire_sdm_picc *picc, struct scrip_bytes cipher,
                        const uint8_t mac[8], const uint8_t *meta_key, const uint8_t *file_key)
{
    static const char digits[] = "0123456789ABCDEF";
    const struct scrip_desfire_identity identity = table_identity(SCRIP_DESFIRE_EV3, picc->uid);
    struct table *t = table_lay(v, &identity);
    static const struct scrip_desfire_access access = {.no = 2};
    struct scrip_desfire_file file = {
        .no = 2,
        .type = SCRIP_DESFIRE_FILE_STANDARD,
        .rights = {0xE, 0x0, 0x0, 0x0},
        .size = 48,
        .has_sdm = true,
        .sdm = {.options = 0xC1,
                .meta_read = 1,
                .file_read = 2,
                .counter_ret = 1,
                .picc_data_offset = 0,
                .mac_input_offset = 32,
                .mac_offset = 32},
    };
    uint8_t wanted[48];

    table_app(v, t, 3);
    table_authenticate(v, t, SCRIP_DESFIRE_SM_EV2, 0, ZERO);
    if (memcmp(meta_key, ZERO, 16) != 0) {
        table_change_key(v, t, 1, meta_key);
    }
    if (memcmp(file_key, ZERO, 16) != 0) {
        table_change_key(v, t, 2, file_key);
    }
    table_must(v, t, "CreateFile", scrip_desfire_create_file(&t->term, &t->batch, &file));
    table_must(v, t, "ChangeFileSettings", scrip_desfire_change_file_settings(&t->term, &t->batch, &file, false));
    for (uint32_t read = 1; read <= picc->counter; read++) {
        static const uint8_t aid[3] = {0x99, 0x44, 0x01};
        table_must(v, t, "SelectApplication", scrip_desfire_select_application(&t->term, &t->batch, aid));
        if (read == picc->counter) { /* only the last read's random bytes are known */
            table_script(t, scrip_bytes(picc->plain + 11, 5));
        }
        table_must(v, t, "ReadData", scrip_desfire_read_data(&t->term, &t->batch, &access, 0, 48));
    }
    for (size_t i = 0; i < 24; i++) {
        const uint8_t byte = i < 16 ? cipher.at[i] : mac[i - 16];
        wanted[2 * i] = (uint8_t)digits[byte >> 4];
        wanted[2 * i + 1] = (uint8_t)digits[byte & 15];
    }
    same_bytes(v, "card: file", SCRIP_BYTES_OF(wanted), scrip_buf_bytes(&t->taken));
}

static void sdm(struct vector *v)
{
    const uint8_t *meta_key = in_exactly(v, "sdm_meta_read_key", 16);
    const uint8_t *file_key = in_exactly(v, "sdm_file_read_key", 16);
    const struct scrip_bytes cipher = scrip_bytes(in_exactly(v, "picc_enc_data", 16), 16);
    const char *input = in_text(v, "mac_input_ascii");
    struct scrip_desfire_sdm_picc picc;
    struct scrip_desfire_sdm_keys keys;
    uint8_t counter[3];
    uint8_t mac[8];

    all_right(v, "host: picc_data", scrip_desfire_sdm_open(meta_key, cipher.at, &picc));
    want_bytes(v, "picc_data", SCRIP_BYTES_OF(picc.plain));
    want_bytes(v, "uid", SCRIP_BYTES_OF(picc.uid));
    scrip_put_le24(counter, picc.counter);
    want_bytes(v, "sdm_read_ctr_le", SCRIP_BYTES_OF(counter));
    scrip_desfire_sdm_keys(file_key, &picc, &keys);
    want_bytes(v, "ses_sdm_file_read_mac_key", SCRIP_BYTES_OF(keys.mac));
    want_bytes(v, "ses_sdm_file_read_enc_key", SCRIP_BYTES_OF(keys.enc));
    scrip_desfire_sdm_mac(&keys, scrip_bytes(input, strlen(input)), mac);
    want_bytes(v, "sdm_mac", SCRIP_BYTES_OF(mac));
    if (input[0] != '\0') {
        vector_fail(v, "in.mac_input_ascii: our card's file has none");
    }
    sdm_at_card(v, &picc, cipher, mac, meta_key, file_key);
}

/* ---- originality ---- */

/* The card gives the signature it was made with, the host checks it with the key of the product; one bit of UID or
 * signature more or less and it fails. */
static void originality_signature(struct vector *v)
{
    const uint8_t *key = in_exactly(v, "public_key_secp224r1", SCRIP_ORIGINALITY_PUBLIC);
    const uint8_t *uid = in_exactly(v, "uid_as_message", 7);
    const struct scrip_bytes signature =
        scrip_bytes(in_exactly(v, "signature_r_s", SCRIP_ORIGINALITY_SIGNATURE), SCRIP_ORIGINALITY_SIGNATURE);
    uint8_t other[SCRIP_ORIGINALITY_SIGNATURE];
    const struct scrip_originality_key *product = scrip_originality_signer(uid, signature.at);
    struct scrip_desfire_identity identity = table_identity(SCRIP_DESFIRE_EV1, uid);

    if (product == NULL) {
        vector_fail(v, "not signed with the key of any product");
    }
    same_bytes(v, "public key", scrip_bytes(key, SCRIP_ORIGINALITY_PUBLIC), SCRIP_BYTES_OF(product->public_key));
    memcpy(identity.signature, signature.at, signature.len);
    struct table *t = table_lay(v, &identity);
    table_must(v, t, "Read_Sig", scrip_desfire_read_signature(&t->term, &t->batch));
    same_bytes(v, "card: signature", signature, scrip_buf_bytes(&t->taken));
    want_bool(v, "valid", scrip_originality_verify(key, uid, signature.at) == SCRIP_OK);
    memcpy(other, signature.at, sizeof other);
    other[40] ^= 1;
    if (scrip_originality_verify(key, uid, other) == SCRIP_OK ||
        scrip_originality_verify(key, SOME_UID, signature.at) == SCRIP_OK ||
        scrip_originality_signer(SOME_UID, signature.at) != NULL) {
        vector_fail(v, "valid for something else too");
    }
}

const struct vector_kind VECTORS_CARD[] = {
    {"getversion", get_version},
    {"getfilesettings", get_file_settings},
    {"value-file-behaviour", value_file_behaviour},
    {"record-file-behaviour", record_file_behaviour},
    {"sdm", sdm},
    {"originality-signature", originality_signature},
    {NULL, NULL},
};
