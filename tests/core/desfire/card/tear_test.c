/* Losing power at every write. For each change of the card the number of its writes is counted in a run without a
 * fault; then it is carried out again and again on a fresh card, power failing at write 1, 2, 3 ... in each of three
 * ways. Afterwards the card must be wholly the old or wholly the new one, also when power fails again at each write of
 * the repair, and it must go on working. */
#include "bench.h"

#define STATE_MAX 4096U

/* Everything a host can see of a card, in one byte string. */
struct view {
    size_t len;
    uint8_t at[STATE_MAX];
};

static void add_answer(struct bench *b, struct view *view, uint8_t status)
{
    assert_true(view->len + 1 + b->len <= STATE_MAX);
    view->at[view->len++] = status;
    memcpy(view->at + view->len, b->data, b->len);
    view->len += b->len;
}

static void look(struct bench *b, struct view *view, uint8_t cmd, struct scrip_bytes params)
{
    const uint8_t status = ask_bytes(b, cmd, params);
    if (status != DF_OK) {
        b->len = 0;
    }
    add_answer(b, view, status);
}

static void look_at_file(struct bench *b, struct view *view, uint8_t no)
{
    const uint8_t read[7] = {no};
    look(b, view, CMD_GET_FILE_SETTINGS, scrip_bytes(&no, 1));
    const uint8_t type = b->len > 0 ? b->data[0] : 0xFF;
    switch (type) {
    case FILE_VALUE:
        look(b, view, CMD_GET_VALUE, scrip_bytes(&no, 1));
        break;
    case FILE_LINEAR:
    case FILE_CYCLIC:
        look(b, view, CMD_READ_RECORDS, SCRIP_BYTES_OF(read));
        break;
    case FILE_STANDARD:
    case FILE_BACKUP:
    case FILE_TMAC:
        look(b, view, CMD_READ_DATA, SCRIP_BYTES_OF(read));
        break;
    default:
        break;
    }
}

/* A Light card: by which names and ids its application and files are found. */
static void look_at_light(struct bench *b, struct view *view)
{
    static const char *const selections[] = {
        "00A4040010A00000039656434103F015400000000B00",
        "00A404000301020300",
        "00A4000002DF0200",
        "00A4000002DF0100",
    };
    bool found = false;
    for (size_t i = 0; i < sizeof selections / sizeof selections[0]; i++) {
        const bool here = apdu(b, selections[i]) == SCRIP_SW_OK;
        found = found || here;
        view->at[view->len++] = here;
    }
    assert_true(found);
    look(b, view, CMD_GET_FILE_IDS, scrip_bytes(NULL, 0));
    look(b, view, CMD_GET_ISO_FILE_IDS, scrip_bytes(NULL, 0));
    for (uint8_t no = 0; no < SCRIP_DESFIRE_FILES; no++) {
        look(b, view, CMD_GET_FILE_SETTINGS, scrip_bytes(&no, 1));
    }
}

/* Power on, and see everything. Files are free to read, so no key is needed; keys show by their versions. */
static void view_card(struct bench *b, struct view *view)
{
    const uint8_t comm = b->comm;
    view->len = 0;
    power_cycle(b);
    b->comm = SCRIP_DESFIRE_PLAIN;
    look(b, view, CMD_GET_APPLICATION_IDS, scrip_bytes(NULL, 0));
    look(b, view, CMD_GET_FREE_MEMORY, scrip_bytes(NULL, 0));
    look(b, view, CMD_GET_KEY_SETTINGS, scrip_bytes(NULL, 0));
    look(b, view, CMD_GET_KEY_VERSION, scrip_bytes((const uint8_t[]){0}, 1));
    look(b, view, CMD_GET_VERSION, scrip_bytes(NULL, 0));
    b->len = scrip_desfire_card_ats(&b->card, b->data);
    add_answer(b, view, DF_OK);
    if (b->card.identity.generation == SCRIP_DESFIRE_LIGHT) {
        look_at_light(b, view);
    } else if (ask(b, CMD_SELECT_APPLICATION, AID) == DF_OK) {
        look(b, view, CMD_GET_KEY_SETTINGS, scrip_bytes(NULL, 0));
        for (uint8_t key = 0; key < 5; key++) {
            look(b, view, CMD_GET_KEY_VERSION, scrip_bytes(&key, 1));
            look(b, view, CMD_GET_KEY_VERSION, scrip_bytes((const uint8_t[]){0x40U | key, 1}, 2));
        }
        look(b, view, CMD_GET_KEY_VERSION, scrip_bytes((const uint8_t[]){0x40, 0x80}, 2));
        for (uint8_t no = 0; no < SCRIP_DESFIRE_FILES; no++) {
            look_at_file(b, view, no);
        }
    }
    b->comm = comm;
}

static bool same(const struct view *a, const struct view *b)
{
    return a->len == b->len && memcmp(a->at, b->at, a->len) == 0;
}

/* ---- the changes ---- */

/* What is done on a card that `given` has prepared. Answers may fail to come: the bench goes dead. */
struct change {
    const char *name;
    void (*given)(struct bench *b);
    void (*act)(struct bench *b);
    bool light; /* on a Light card, else on an EV3 */
};

static enum scrip_desfire_generation product_of(const struct change *change)
{
    return change->light ? SCRIP_DESFIRE_LIGHT : SCRIP_DESFIRE_EV3;
}

/* Select and authenticate with the application's master key. */
static void in_app(struct bench *b)
{
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    login(b, 0);
}

static void at_picc(struct bench *b)
{
    assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, "0000000000000000"), DF_OK);
}

static void given_nothing(struct bench *b)
{
    (void)b;
}

/* Every type of file, each with something in it, all free to read. */
static void given_files(struct bench *b)
{
    given_session(b);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "00 03 00E0 C80000"), DF_OK);
    assert_df(ask(b, CMD_CREATE_BACKUP_DATA_FILE, "01 03 00E0 C80000"), DF_OK);
    assert_df(ask(b, CMD_CREATE_CYCLIC_RECORD_FILE, "02 03 00E0 180000 040000"), DF_OK);
    assert_df(ask(b, CMD_CREATE_VALUE_FILE, "03 03 00E0 00000000 50C30000 D2040000 03"), DF_OK);
    assert_df(ask(b, CMD_CREATE_LINEAR_RECORD_FILE, "04 03 00E0 180000 040000"), DF_OK);
    for (int i = 0; i < 3; i++) {
        assert_df(ask(b, CMD_WRITE_RECORD, "02 000000 040000 A1A2A3A4"), DF_OK);
        assert_df(ask(b, CMD_WRITE_RECORD, "04 000000 040000 B1B2B3B4"), DF_OK);
        assert_df(ask(b, CMD_DEBIT, "03 02000000"), DF_OK);
        assert_df(do_commit(b), DF_OK);
    }
    assert_df(ask(b, CMD_CREATE_TRANSACTION_MAC_FILE, "0F 01 00EF 02" ZERO_KEY "00"), DF_OK);
}

static void given_files_and_login(struct bench *b)
{
    given_files(b);
    in_app(b);
}

static void given_files_at_picc(struct bench *b)
{
    given_files(b);
    at_picc(b);
}

static void given_at_picc(struct bench *b)
{
    at_picc(b);
}

/* Two key sets; the second one initialised, with a key in it. */
static void given_key_set(struct bench *b)
{
    const struct scrip_desfire_key next = {.cipher = SCRIP_AES128, .version = 3, .bytes = {9, 9}};
    const struct scrip_desfire_key zero = {.cipher = SCRIP_AES128};
    assert_df(ask(b, CMD_CREATE_APPLICATION, AID "0F 95 01 01 02 10 00"), DF_OK);
    in_app(b);
    assert_df(ask(b, CMD_INITIALIZE_KEY_SET, "01 02"), DF_OK);
    assert_df(change_key_to(b, CMD_CHANGE_KEY_EV2, "0104", &next, &zero), DF_OK);
}

static void given_finalized_key_set(struct bench *b)
{
    given_key_set(b);
    assert_df(ask(b, CMD_FINALIZE_KEY_SET, "01 05"), DF_OK);
}

static void given_delegation(struct bench *b)
{
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, PICC_KEY_DAM_AUTH, ZERO_KEY), DF_OK);
}

static void given_light_login(struct bench *b)
{
    assert_int_equal(apdu(b, "00A4000002DF0100"), SCRIP_SW_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 0, ZERO_KEY), DF_OK);
}

/* One command whose answer may be missing; the host loses nothing by it. */
static void try(struct bench *b, uint8_t cmd, const char *params)
{
    if (!b->dead) {
        const uint8_t status = ask(b, cmd, params);
        assert_true(status == DF_OK || b->dead);
    }
}

#define DO(name, cmd, params)                                                                                          \
    static void name(struct bench *b)                                                                                  \
    {                                                                                                                  \
        try(b, cmd, params);                                                                                           \
    }

#define TEN   "0102030405060708090A"
#define FIFTY TEN TEN TEN TEN TEN

DO(create_application, CMD_CREATE_APPLICATION, AID "0F 85")
DO(delete_application, CMD_DELETE_APPLICATION, AID)
DO(format, CMD_FORMAT_PICC, "")
DO(create_std, CMD_CREATE_STD_DATA_FILE, "08 00 00E0 000200")
DO(create_backup, CMD_CREATE_BACKUP_DATA_FILE, "08 00 00E0 000200")
DO(create_value, CMD_CREATE_VALUE_FILE, "08 00 00E0 00000000 FF000000 05000000 02")
DO(create_linear, CMD_CREATE_LINEAR_RECORD_FILE, "08 00 00E0 100000 100000")
DO(create_cyclic, CMD_CREATE_CYCLIC_RECORD_FILE, "08 00 00E0 100000 100000")
DO(delete_std, CMD_DELETE_FILE, "00")
DO(delete_tmac, CMD_DELETE_FILE, "0F")
DO(write_std, CMD_WRITE_DATA, "00 140000 960000" FIFTY FIFTY FIFTY)
DO(change_settings, CMD_CHANGE_FILE_SETTINGS, "03 80 11E1 01 22E2")
DO(change_key_settings, CMD_CHANGE_KEY_SETTINGS, "0B")
DO(set_random_id, CMD_SET_CONFIGURATION, "00 02")
DO(set_ats, CMD_SET_CONFIGURATION, "02 06 78 77 71 02 80")

DO(rename_application, CMD_SET_CONFIGURATION, "06 010203")
DO(rename_files, CMD_SET_CONFIGURATION, "08 001F1FEF 1F0000EF 03050000 0F1E0000 FFFF02DF")
DO(limit_light_value, CMD_SET_CONFIGURATION, "09 0300000000E80300006400000001")

DO(initialize_key_set, CMD_INITIALIZE_KEY_SET, "01 02")
DO(finalize_key_set, CMD_FINALIZE_KEY_SET, "01 05")
DO(roll_key_set, CMD_ROLL_KEY_SET, "01")
DO(create_delegated, CMD_CREATE_DELEGATED_APPLICATION,
   AID "000000 4000 0F81 66E94BD4EF8A2C3B884CFA59CA342B2E43B6C78557AFDE872D0E7D995526459C C2BE08677EA65C5F")

static void change_key_of_set(struct bench *b)
{
    const struct scrip_desfire_key next = {.cipher = SCRIP_AES128, .version = 8, .bytes = {7, 7}};
    const struct scrip_desfire_key zero = {.cipher = SCRIP_AES128};
    const uint8_t status = change_key_to(b, CMD_CHANGE_KEY_EV2, "0101", &next, &zero);
    assert_true(status == DF_OK || b->dead);
}

static void change_other_key(struct bench *b)
{
    const uint8_t status = change_key(b, 1, "101112131415161718191A1B1C1D1E1F", 7, ZERO_KEY);
    assert_true(status == DF_OK || b->dead);
}

static void change_own_key(struct bench *b)
{
    const uint8_t status = change_key(b, 0, "101112131415161718191A1B1C1D1E1F", 9, NULL);
    assert_true(status == DF_OK || b->dead);
}

static void change_picc_key(struct bench *b)
{
    const struct scrip_desfire_key next = {.cipher = SCRIP_AES128, .version = 5, .bytes = {1, 2, 3}};
    const uint8_t status = change_key_to(b, CMD_CHANGE_KEY, "80", &next, NULL);
    assert_true(status == DF_OK || b->dead);
}

/* The purse's transaction over all types of files: only the commit may be seen. */
static void whole_transaction(struct bench *b)
{
    try(b, CMD_GET_VALUE, "03");
    try(b, CMD_CREDIT, "03 D0070000");
    try(b, CMD_WRITE_DATA, "01 000000 960000" FIFTY FIFTY FIFTY);
    try(b, CMD_WRITE_RECORD, "02 000000 180000 C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8");
    try(b, CMD_UPDATE_RECORD, "04 010000 020000 020000 5566");
    try(b, CMD_COMMIT_READER_ID, "101112131415161718191A1B1C1D1E1F");
    try(b, CMD_COMMIT_TRANSACTION, "01");
}

static void clear_transaction(struct bench *b)
{
    try(b, CMD_CLEAR_RECORD_FILE, "02");
    try(b, CMD_CLEAR_RECORD_FILE, "04");
    try(b, CMD_DEBIT, "03 0A000000");
    try(b, CMD_COMMIT_READER_ID, "101112131415161718191A1B1C1D1E1F");
    try(b, CMD_COMMIT_TRANSACTION, "");
}

static void wrong_authentication(struct bench *b)
{
    const uint8_t status = authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF");
    assert_true(status == DF_AUTHENTICATION_ERROR || b->dead);
}

static const struct change changes[] = {
    {"create application", given_nothing, create_application, false},
    {"delete application", given_files_at_picc, delete_application, false},
    {"format", given_files_at_picc, format, false},
    {"create standard file", given_files_and_login, create_std, false},
    {"create backup file", given_files_and_login, create_backup, false},
    {"create value file", given_files_and_login, create_value, false},
    {"create linear file", given_files_and_login, create_linear, false},
    {"create cyclic file", given_files_and_login, create_cyclic, false},
    {"delete standard file", given_files_and_login, delete_std, false},
    {"delete Transaction MAC file", given_files_and_login, delete_tmac, false},
    {"write standard file", given_files_and_login, write_std, false},
    {"change file settings", given_files_and_login, change_settings, false},
    {"change key settings", given_files_and_login, change_key_settings, false},
    {"change another key", given_files_and_login, change_other_key, false},
    {"change own key", given_files_and_login, change_own_key, false},
    {"initialize key set", given_key_set, initialize_key_set, false},
    {"change key of a set", given_key_set, change_key_of_set, false},
    {"finalize key set", given_key_set, finalize_key_set, false},
    {"roll key set", given_finalized_key_set, roll_key_set, false},
    {"create delegated application", given_delegation, create_delegated, false},
    {"change PICC key", given_at_picc, change_picc_key, false},
    {"random id", given_at_picc, set_random_id, false},
    {"ATS", given_at_picc, set_ats, false},
    {"whole transaction", given_files_and_login, whole_transaction, false},
    {"clearing transaction", given_files_and_login, clear_transaction, false},
    {"failed authentication", given_files_and_login, wrong_authentication, false},
    {"Light: application", given_light_login, rename_application, true},
    {"Light: files", given_light_login, rename_files, true},
    {"Light: value file", given_light_login, limit_light_value, true},
};

#define CHANGE_COUNT (sizeof changes / sizeof changes[0])

/* ---- the matrix ---- */

/* A card on which the change is due. */
static struct bench *prepared(const struct change *change)
{
    struct bench *b = bench_new(product_of(change));
    change->given(b);
    return b;
}

/* Another card with the same memory as `image`, waking up. Power fails at write `cut` of the repair, 0: never.
 * @return whether it did fail */
static bool repair_torn(const struct bench *image, uint64_t cut, enum scrip_tear how, struct view *view)
{
    struct bench *b = bench_new((enum scrip_desfire_generation)image->card.identity.generation);
    bool torn = false;

    memcpy(b->memory.at, image->memory.at, (size_t)image->memory.pages * SCRIP_NV_PAGE);
    scrip_desfire_card_off(&b->card);
    if (cut > 0) {
        scrip_nv_tear_after(&b->tearing, cut, how);
        torn = scrip_desfire_card_on(&b->card, &b->host, &b->options) == SCRIP_E_NV;
        scrip_desfire_card_off(&b->card);
    }
    view_card(b, view);
    bench_free(b);
    return torn;
}

static void still_works(struct bench *b)
{
    power_cycle(b);
    if (b->card.identity.generation == SCRIP_DESFIRE_LIGHT) {
        assert_true(apdu(b, "00A4000002DF0100") == SCRIP_SW_OK || apdu(b, "00A4000002DF0200") == SCRIP_SW_OK);
        assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 0, ZERO_KEY), DF_OK);
        assert_df(ask(b, CMD_SET_CONFIGURATION, "0A 01 2000 0500"), DF_OK);
        return;
    }
    assert_df(ask(b, CMD_CREATE_APPLICATION, "123456 0F 81"), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "123456"), DF_OK);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 00 EEEE 000200"), DF_OK);
    assert_df(ask(b, CMD_WRITE_DATA, "01 000100 0A0000" TEN), DF_OK);
    power_cycle(b);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "123456"), DF_OK);
    assert_df(ask(b, CMD_READ_DATA, "01 000100 0A0000"), DF_OK);
    assert_data(b, TEN);
}

static const enum scrip_tear ways[] = {SCRIP_TEAR_BEFORE, SCRIP_TEAR_AFTER, SCRIP_TEAR_HALF};

struct tally {
    unsigned old_state, new_state, repairs;
};

static void tear_once(const struct change *change, uint64_t cut, enum scrip_tear how, const struct view *before,
                      const struct view *after, struct tally *tally)
{
    static struct view seen;
    static struct view again;
    struct bench *b = prepared(change);

    scrip_nv_tear_after(&b->tearing, cut, how);
    change->act(b);
    scrip_nv_power_up(&b->tearing);
    (void)repair_torn(b, 0, how, &seen);
    const bool is_new = same(&seen, after);
    if (!is_new && !same(&seen, before)) {
        fail_msg("%s: torn at write %u (%d): neither old nor new", change->name, (unsigned)cut, (int)how);
    }
    tally->new_state += is_new;
    tally->old_state += !is_new;
    for (size_t way = 0; way < 3; way++) {
        for (uint64_t n = 1; repair_torn(b, n, ways[way], &again); n++) {
            tally->repairs++;
            if (!same(&seen, &again)) {
                fail_msg("%s: torn at write %u, then at %u of the repair", change->name, (unsigned)cut, (unsigned)n);
            }
        }
    }
    still_works(b);
    bench_free(b);
}

static void tear_everywhere(const struct change *change, struct tally *tally)
{
    static struct view before;
    static struct view after;
    struct bench *b = prepared(change);
    struct bench *untouched = prepared(change);

    view_card(untouched, &before);
    bench_free(untouched);
    const uint64_t start = b->tearing.writes;
    change->act(b);
    const uint64_t writes = b->tearing.writes - start;
    assert_true(writes > 0);
    view_card(b, &after);
    bench_free(b);
    for (uint64_t cut = 1; cut <= writes; cut++) {
        for (size_t way = 0; way < 3; way++) {
            tear_once(change, cut, ways[way], &before, &after, tally);
        }
    }
    print_message("  %-28s %3u writes\n", change->name, (unsigned)writes);
}

static void a_torn_change_is_the_old_or_the_new_state(void **state)
{
    struct tally tally = {0};
    (void)state;
    for (size_t i = 0; i < CHANGE_COUNT; i++) {
        tear_everywhere(&changes[i], &tally);
    }
    print_message("  old %u, new %u, torn repairs %u\n", tally.old_state, tally.new_state, tally.repairs);
    assert_true(tally.old_state > 100 && tally.new_state > 100 && tally.repairs > 100);
}

/* ---- cut between frames ---- */

static void field_loss_after_each_frame_keeps_all_or_nothing(void **state)
{
    static const struct {
        uint8_t cmd;
        const char *params;
    } steps[] = {
        {CMD_GET_VALUE, "03"},
        {CMD_CREDIT, "03 D0070000"},
        {CMD_WRITE_DATA, "01 000000 960000" FIFTY FIFTY FIFTY},
        {CMD_WRITE_RECORD, "02 000000 040000 C1C2C3C4"},
        {CMD_COMMIT_READER_ID, "101112131415161718191A1B1C1D1E1F"},
        {CMD_COMMIT_TRANSACTION, "01"},
    };
    static struct view before;
    static struct view seen;
    const size_t count = sizeof steps / sizeof steps[0];
    (void)state;

    for (size_t stop = 0; stop <= count; stop++) {
        struct bench *b = bench_new(SCRIP_DESFIRE_EV3);
        given_files(b);
        view_card(b, &before);
        in_app(b);
        for (size_t i = 0; i < stop; i++) {
            assert_df(ask(b, steps[i].cmd, steps[i].params), DF_OK);
        }
        view_card(b, &seen);
        assert_int_equal(same(&before, &seen), stop < count);
        bench_free(b);
    }
}

static void a_storage_failure_is_never_answered(void **state)
{
    struct bench *b = *state;
    uint8_t bytes[8];
    struct scrip_buf rsp = SCRIP_BUF_OF(bytes);

    given_files_and_login(b);
    scrip_nv_tear_after(&b->tearing, 1, SCRIP_TEAR_BEFORE);
    (void)ask(b, CMD_DELETE_FILE, "00");
    assert_true(b->dead);
    scrip_nv_power_up(&b->tearing); /* memory works again, but the card must be powered on before it answers */
    assert_status(scrip_desfire_card_apdu(&b->card, scrip_bytes("\x60", 1), &rsp), SCRIP_E_NV);
    assert_int_equal(rsp.len, 0);
    power_cycle(b);
    assert_df(frame(b, "60"), DF_ADDITIONAL_FRAME);
}

static void a_damaged_image_is_recognised(void **state)
{
    struct bench *b = *state;
    scrip_desfire_card_off(&b->card);
    b->memory.at[9] ^= 1;
    assert_status(scrip_desfire_card_on(&b->card, &b->host, &b->options), SCRIP_E_CORRUPT);
    b->memory.at[9] ^= 1;
    assert_ok(scrip_desfire_card_on(&b->card, &b->host, &b->options));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_torn_change_is_the_old_or_the_new_state),
        cmocka_unit_test(field_loss_after_each_frame_keeps_all_or_nothing),
        EV3_TEST(a_storage_failure_is_never_answered),
        EV3_TEST(a_damaged_image_is_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
