/* The driver against the emulated card: every messaging, every kind of command, long data both ways. */
#include "purse_bench.h"

static struct bench bench;

struct host {
    struct bench *b;
    struct scrip_desfire_term term;
    struct scrip_batch batch;
    struct scrip_replies replies;
    uint8_t memory[1200];
    struct scrip_buf out;
};

static struct host host;

static void given_card(struct host *h, enum scrip_desfire_generation generation)
{
    struct scrip_card_info info;
    memset(h, 0, sizeof *h);
    h->b = &bench;
    given_fresh_card(h->b, "an12113", generation);
    assert_ok(bench_connect(&h->b->link, 0, &info));
    scrip_desfire_term_start(&h->term);
    scrip_batch_clear(&h->batch);
    h->out = scrip_buf(h->memory, sizeof h->memory);
}

static void done(struct host *h)
{
    bench_free(h->b);
}

static void transmit(struct host *h)
{
    assert_ok(scrip_batch_transmit(&h->batch, &h->b->link, &h->replies));
    scrip_batch_clear(&h->batch);
}

/* Send what was asked for and take the responses; the last one's data is in h->out. */
static enum scrip_status exchange(struct host *h)
{
    enum scrip_status status = SCRIP_OK;
    transmit(h);
    while (status == SCRIP_OK && scrip_desfire_term_waiting(&h->term) > 0) {
        h->out.len = 0;
        status = scrip_desfire_term_take(&h->term, &h->replies, &h->out);
        while (status == SCRIP_E_WAIT) {
            assert_ok(scrip_desfire_term_continue(&h->term, &h->batch));
            transmit(h);
            status = scrip_desfire_term_take(&h->term, &h->replies, &h->out);
        }
    }
    return status;
}

#define does(h, call)                                                                                                  \
    do {                                                                                                               \
        assert_ok(call);                                                                                               \
        const enum scrip_status does_ = exchange(h);                                                                   \
        if (does_ != SCRIP_OK) {                                                                                       \
            fail_msg("%s: %s, %02X %04X", #call, scrip_status_name(does_), (h)->term.failure.cmd,                      \
                     (h)->term.failure.sw);                                                                            \
        }                                                                                                              \
    } while (0)

#define refused(h, call, word)                                                                                         \
    do {                                                                                                               \
        assert_ok(call);                                                                                               \
        assert_status(exchange(h), SCRIP_E_CARD);                                                                      \
        assert_int_equal((h)->term.failure.sw, word);                                                                  \
    } while (0)

static const uint8_t random_host[32] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                        17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};

static enum scrip_status authenticate(struct host *h, enum scrip_desfire_sm sm, const struct scrip_desfire_key *key,
                                      uint8_t key_no, bool first)
{
    SCRIP_TRY(scrip_desfire_term_auth_ask(&h->term, &h->batch, sm, (enum scrip_cipher)key->cipher, key_no, first));
    transmit(h);
    SCRIP_TRY(scrip_desfire_term_auth_challenge(&h->term, &h->replies));
    SCRIP_TRY(scrip_desfire_term_auth_answer(&h->term, &h->batch, key, random_host));
    transmit(h);
    return scrip_desfire_term_auth_proof(&h->term, &h->replies, key);
}

static struct scrip_desfire_key a_key(enum scrip_cipher cipher, uint8_t fill)
{
    struct scrip_desfire_key key = {.cipher = (uint8_t)cipher};
    for (size_t i = 0; i < scrip_cipher_key_len(cipher); i++) {
        key.bytes[i] = fill == 0 ? 0 : (uint8_t)(fill + 2 * i);
    }
    if (cipher != SCRIP_AES128) {
        scrip_des_key_set_version(key.bytes, scrip_cipher_key_len(cipher), 0);
    }
    return key;
}

static const uint8_t aid[3] = {1, 2, 3};

/* An application whose keys are all zero, of a type (KS2 bits), selected. */
static void given_application(struct host *h, uint8_t ks2, enum scrip_desfire_generation generation)
{
    const struct scrip_desfire_key zero = a_key(SCRIP_DES, 0);
    const struct scrip_desfire_application application = {.aid = {1, 2, 3}, .ks1 = 0x0F, .ks2 = ks2};
    given_card(h, generation);
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV1, &zero, 0, true));
    does(h, scrip_desfire_create_application(&h->term, &h->batch, &application));
    does(h, scrip_desfire_select_application(&h->term, &h->batch, aid));
}

struct messaging {
    const char *name;
    enum scrip_desfire_sm sm;
    enum scrip_cipher cipher;
    uint8_t ks2; /* type bits */
    enum scrip_desfire_generation generation;
};

static const struct messaging messagings[] = {
    {"D40 DES", SCRIP_DESFIRE_SM_D40, SCRIP_DES, 0x00, SCRIP_DESFIRE_EV1},
    {"D40 2K3DES", SCRIP_DESFIRE_SM_D40, SCRIP_2K3DES, 0x00, SCRIP_DESFIRE_EV1},
    {"EV1 DES", SCRIP_DESFIRE_SM_EV1, SCRIP_DES, 0x00, SCRIP_DESFIRE_EV1},
    {"EV1 2K3DES", SCRIP_DESFIRE_SM_EV1, SCRIP_2K3DES, 0x00, SCRIP_DESFIRE_EV1},
    {"EV1 3K3DES", SCRIP_DESFIRE_SM_EV1, SCRIP_3K3DES, 0x40, SCRIP_DESFIRE_EV1},
    {"EV1 AES", SCRIP_DESFIRE_SM_EV1, SCRIP_AES128, 0x80, SCRIP_DESFIRE_EV1},
    {"EV1 AES on EV3", SCRIP_DESFIRE_SM_EV1, SCRIP_AES128, 0x80, SCRIP_DESFIRE_EV3},
    {"EV2", SCRIP_DESFIRE_SM_EV2, SCRIP_AES128, 0x80, SCRIP_DESFIRE_EV3},
};

#define MESSAGINGS (sizeof messagings / sizeof messagings[0])

/* Change key 1, the other way, and key 0, the own way; then everything goes on with the new keys. */
static struct scrip_desfire_key given_own_keys(struct host *h, const struct messaging *m)
{
    const bool single = m->cipher == SCRIP_2K3DES; /* keys of that application begin as DES */
    const struct scrip_desfire_key zero = a_key(single ? SCRIP_DES : m->cipher, 0);
    const struct scrip_desfire_key one = a_key(m->cipher, 0x30);
    const struct scrip_desfire_key own = a_key(m->cipher, 0x50);
    assert_ok(authenticate(h, m->sm, &zero, 0, true));
    does(h, scrip_desfire_change_key(&h->term, &h->batch, 1, &one, &zero));
    does(h, scrip_desfire_change_key(&h->term, &h->batch, 0, &own, NULL));
    assert_false(scrip_desfire_term_in_session(&h->term));
    assert_ok(authenticate(h, m->sm, &one, 1, true));
    assert_ok(authenticate(h, m->sm, &own, 0, true));
    return own;
}

static void files_of_every_mode(struct host *h)
{
    static const uint8_t modes[] = {SCRIP_DESFIRE_PLAIN, SCRIP_DESFIRE_MAC, SCRIP_DESFIRE_FULL};
    uint8_t data[300];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7 + 1);
    }
    for (uint8_t i = 0; i < 3; i++) {
        const struct scrip_desfire_file file = {.no = i,
                                                .type = SCRIP_DESFIRE_FILE_STANDARD,
                                                .comm = modes[i],
                                                .rights = {0, 0, 0, 0},
                                                .size = sizeof data};
        const struct scrip_desfire_access access = {.no = i, .comm = modes[i]};
        does(h, scrip_desfire_create_file(&h->term, &h->batch, &file));
        does(h, scrip_desfire_write_data(&h->term, &h->batch, &access, 0, SCRIP_BYTES_OF(data)));
        does(h, scrip_desfire_read_data(&h->term, &h->batch, &access, 0, sizeof data));
        assert_int_equal(h->out.len, sizeof data);
        assert_memory_equal(h->memory, data, sizeof data);
        does(h, scrip_desfire_read_data(&h->term, &h->batch, &access, 290, 0)); /* to the end */
        assert_int_equal(h->out.len, 10);
        assert_memory_equal(h->memory, data + 290, 10);
    }
}

static void value_and_records_of_every_mode(struct host *h)
{
    static const uint8_t modes[] = {SCRIP_DESFIRE_PLAIN, SCRIP_DESFIRE_MAC, SCRIP_DESFIRE_FULL};
    for (uint8_t i = 0; i < 3; i++) {
        const struct scrip_desfire_file value = {.no = (uint8_t)(8 + i),
                                                 .type = SCRIP_DESFIRE_FILE_VALUE,
                                                 .comm = modes[i],
                                                 .upper = 1000,
                                                 .value = 100,
                                                 .value_flags = 1};
        const struct scrip_desfire_file log = {.no = (uint8_t)(12 + i),
                                               .type = SCRIP_DESFIRE_FILE_CYCLIC,
                                               .comm = modes[i],
                                               .record_size = 30,
                                               .max_records = 5};
        const struct scrip_desfire_access at_value = {.no = value.no, .comm = modes[i]};
        const struct scrip_desfire_access at_log = {.no = log.no, .comm = modes[i]};
        does(h, scrip_desfire_create_file(&h->term, &h->batch, &value));
        does(h, scrip_desfire_create_file(&h->term, &h->batch, &log));
        for (uint8_t n = 0; n < 6; n++) {
            const uint8_t record[30] = {n, 0xFF};
            assert_ok(scrip_desfire_credit(&h->term, &h->batch, &at_value, 5));
            assert_ok(scrip_desfire_debit(&h->term, &h->batch, &at_value, 3));
            assert_ok(scrip_desfire_write_record(&h->term, &h->batch, &at_log, 0, SCRIP_BYTES_OF(record)));
            does(h, scrip_desfire_commit_transaction(&h->term, &h->batch, false)); /* four commands in one batch */
        }
        does(h, scrip_desfire_limited_credit(&h->term, &h->batch, &at_value, 3));
        does(h, scrip_desfire_abort_transaction(&h->term, &h->batch));
        does(h, scrip_desfire_get_value(&h->term, &h->batch, &at_value));
        assert_hex(scrip_buf_bytes(&h->out), "70000000");
        does(h, scrip_desfire_read_records(&h->term, &h->batch, &at_log, 0, 0, 30));
        assert_int_equal(h->out.len, 4 * 30);
        assert_int_equal(h->memory[0], 2); /* oldest first */
        assert_int_equal(h->memory[90], 5);
        does(h, scrip_desfire_read_records(&h->term, &h->batch, &at_log, 1, 2, 30));
        assert_int_equal(h->memory[0], 3);
        does(h, scrip_desfire_clear_record_file(&h->term, &h->batch, log.no));
        does(h, scrip_desfire_commit_transaction(&h->term, &h->batch, false));
    }
}

static void everything_else_in_an_application(struct host *h, const struct messaging *m)
{
    struct scrip_desfire_file file = {.no = 0};
    does(h, scrip_desfire_get_file_ids(&h->term, &h->batch));
    assert_int_equal(h->out.len, 9);
    does(h, scrip_desfire_get_file_settings(&h->term, &h->batch, 1));
    assert_ok(scrip_desfire_file_parse(scrip_buf_bytes(&h->out), &file));
    assert_int_equal(file.comm, SCRIP_DESFIRE_MAC);
    assert_int_equal(file.size, 300);
    file.no = 1;
    file.rights.read = SCRIP_DESFIRE_RIGHT_FREE;
    does(h, scrip_desfire_change_file_settings(&h->term, &h->batch, &file, false));
    does(h, scrip_desfire_get_key_settings(&h->term, &h->batch));
    assert_int_equal(h->memory[0], 0x0F);
    does(h, scrip_desfire_change_key_settings(&h->term, &h->batch, 0x0B));
    does(h, scrip_desfire_get_key_version(&h->term, &h->batch, 0, NULL));
    does(h, scrip_desfire_get_version(&h->term, &h->batch));
    assert_int_equal(h->out.len, 28);
    if (m->sm != SCRIP_DESFIRE_SM_D40) {
        does(h, scrip_desfire_get_card_uid(&h->term, &h->batch));
        assert_memory_equal(h->memory, h->b->uid, 7);
    }
    does(h, scrip_desfire_delete_file(&h->term, &h->batch, 2));
}

static void every_messaging_carries_every_kind_of_command(void **state)
{
    (void)state;
    struct host *h = &host;
    for (size_t i = 0; i < MESSAGINGS; i++) {
        print_message("%s\n", messagings[i].name);
        given_application(h, messagings[i].ks2 | 2, messagings[i].generation);
        (void)given_own_keys(h, &messagings[i]);
        files_of_every_mode(h);
        value_and_records_of_every_mode(h);
        everything_else_in_an_application(h, &messagings[i]);
        done(h);
    }
}

static void a_wrong_key_is_refused_by_every_messaging(void **state)
{
    (void)state;
    struct host *h = &host;
    for (size_t i = 0; i < MESSAGINGS; i++) {
        const struct scrip_desfire_key wrong = a_key(messagings[i].cipher, 0x77);
        given_application(h, messagings[i].ks2 | 2, messagings[i].generation);
        assert_status(authenticate(h, messagings[i].sm, &wrong, 0, true), SCRIP_E_CARD);
        assert_int_equal(h->term.failure.sw, 0x91AE);
        assert_false(scrip_desfire_term_in_session(&h->term));
        done(h);
    }
}

static void the_iso_authentication_opens_an_ev1_session(void **state)
{
    (void)state;
    static const struct {
        enum scrip_cipher cipher;
        uint8_t ks2;
    } rows[] = {{SCRIP_DES, 0x02}, {SCRIP_3K3DES, 0x42}, {SCRIP_AES128, 0x82}};
    struct host *h = &host;
    for (size_t i = 0; i < 3; i++) {
        const struct scrip_desfire_key zero = a_key(rows[i].cipher, 0);
        const struct scrip_desfire_key wrong = a_key(rows[i].cipher, 9);
        given_application(h, rows[i].ks2, SCRIP_DESFIRE_EV1);
        assert_ok(scrip_desfire_term_iso_auth_ask(&h->term, &h->batch, rows[i].cipher, 1, true));
        transmit(h);
        assert_ok(scrip_desfire_term_auth_challenge(&h->term, &h->replies));
        assert_ok(scrip_desfire_term_auth_answer(&h->term, &h->batch, &zero, random_host));
        transmit(h);
        assert_ok(scrip_desfire_term_auth_proof(&h->term, &h->replies, &zero));
        does(h, scrip_desfire_get_card_uid(&h->term, &h->batch));
        assert_memory_equal(h->memory, h->b->uid, 7);

        assert_ok(scrip_desfire_term_iso_auth_ask(&h->term, &h->batch, rows[i].cipher, 1, true));
        transmit(h);
        assert_ok(scrip_desfire_term_auth_challenge(&h->term, &h->replies));
        assert_ok(scrip_desfire_term_auth_answer(&h->term, &h->batch, &wrong, random_host));
        transmit(h);
        assert_status(scrip_desfire_term_auth_proof(&h->term, &h->replies, &wrong), SCRIP_E_CARD);
        done(h);
    }
}

static void non_first_keeps_the_session_and_needs_no_waiting(void **state)
{
    (void)state;
    struct host *h = &host;
    const struct scrip_desfire_key zero = a_key(SCRIP_AES128, 0);
    given_application(h, 0x82, SCRIP_DESFIRE_EV2);
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV2, &zero, 0, true));
    assert_ok(scrip_desfire_get_card_uid(&h->term, &h->batch));
    assert_ok(scrip_desfire_term_auth_ask(&h->term, &h->batch, SCRIP_DESFIRE_SM_EV2, SCRIP_AES128, 1, false));
    transmit(h);
    assert_ok(scrip_desfire_term_take(&h->term, &h->replies, &h->out));
    assert_ok(scrip_desfire_term_auth_challenge(&h->term, &h->replies));
    assert_ok(scrip_desfire_term_auth_answer(&h->term, &h->batch, &zero, random_host));
    assert_ok(scrip_desfire_get_card_uid(&h->term, &h->batch)); /* in the same batch as part 2 */
    transmit(h);
    assert_ok(scrip_desfire_term_auth_proof(&h->term, &h->replies, &zero));
    h->out.len = 0;
    assert_ok(scrip_desfire_term_take(&h->term, &h->replies, &h->out));
    assert_memory_equal(h->memory, h->b->uid, 7);
    done(h);
}

static void long_codes_move_data_without_chaining(void **state)
{
    (void)state;
    struct host *h = &host;
    const struct scrip_desfire_key zero = a_key(SCRIP_AES128, 0);
    const struct scrip_desfire_file data_file = {
        .no = 1, .type = SCRIP_DESFIRE_FILE_BACKUP, .comm = SCRIP_DESFIRE_FULL, .size = 128};
    const struct scrip_desfire_file log = {
        .no = 2, .type = SCRIP_DESFIRE_FILE_LINEAR, .comm = SCRIP_DESFIRE_MAC, .record_size = 40, .max_records = 3};
    const struct scrip_desfire_access at_data = {.no = 1, .comm = SCRIP_DESFIRE_FULL, .long_code = true};
    const struct scrip_desfire_access at_log = {.no = 2, .comm = SCRIP_DESFIRE_MAC, .long_code = true};
    uint8_t data[128];
    memset(data, 0x3C, sizeof data);
    given_application(h, 0x82, SCRIP_DESFIRE_EV3);
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV2, &zero, 0, true));
    does(h, scrip_desfire_create_file(&h->term, &h->batch, &data_file));
    does(h, scrip_desfire_create_file(&h->term, &h->batch, &log));
    does(h, scrip_desfire_write_data(&h->term, &h->batch, &at_data, 0, SCRIP_BYTES_OF(data)));
    does(h, scrip_desfire_write_record(&h->term, &h->batch, &at_log, 0, scrip_bytes(data, 40)));
    does(h, scrip_desfire_commit_transaction(&h->term, &h->batch, false));
    does(h, scrip_desfire_update_record(&h->term, &h->batch, &at_log, 0, 4, scrip_bytes("ABCD", 4)));
    does(h, scrip_desfire_commit_transaction(&h->term, &h->batch, false));
    does(h, scrip_desfire_read_data(&h->term, &h->batch, &at_data, 0, 128));
    assert_memory_equal(h->memory, data, 128);
    does(h, scrip_desfire_read_records(&h->term, &h->batch, &at_log, 0, 1, 40));
    assert_memory_equal(h->memory + 4, "ABCD", 4);
    done(h);
}

static void key_sets_are_filled_and_rolled(void **state)
{
    (void)state;
    struct host *h = &host;
    const struct scrip_desfire_key card = a_key(SCRIP_DES, 0);
    const struct scrip_desfire_key zero = a_key(SCRIP_AES128, 0);
    const struct scrip_desfire_key next = a_key(SCRIP_AES128, 0x61);
    const struct scrip_desfire_application application = {.aid = {1, 2, 3},
                                                          .ks1 = 0x0F,
                                                          .ks2 = 0x82,
                                                          .has_ks3 = true,
                                                          .ks3 = 1,
                                                          .has_key_sets = true,
                                                          .aks_version = 1,
                                                          .key_sets = 2,
                                                          .max_key_size = 0x10,
                                                          .key_set_settings = 0};
    const uint8_t set = 1;
    given_card(h, SCRIP_DESFIRE_EV2);
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV1, &card, 0, true));
    does(h, scrip_desfire_create_application(&h->term, &h->batch, &application));
    does(h, scrip_desfire_select_application(&h->term, &h->batch, aid));
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV2, &zero, 0, true));
    does(h, scrip_desfire_initialize_key_set(&h->term, &h->batch, 1, 2));
    does(h, scrip_desfire_change_key_ev2(&h->term, &h->batch, 1, 0, &next, &zero));
    does(h, scrip_desfire_change_key_ev2(&h->term, &h->batch, 1, 1, &next, &zero));
    does(h, scrip_desfire_finalize_key_set(&h->term, &h->batch, 1, 2));
    does(h, scrip_desfire_get_key_version(&h->term, &h->batch, 0, &set));
    does(h, scrip_desfire_roll_key_set(&h->term, &h->batch, 1));
    assert_false(scrip_desfire_term_in_session(&h->term));
    assert_status(authenticate(h, SCRIP_DESFIRE_SM_EV2, &zero, 0, true), SCRIP_E_CARD);
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV2, &next, 0, true));
    done(h);
}

static void lrp_carries_the_same_commands(void **state)
{
    (void)state;
    struct host *h = &host;
    const struct scrip_desfire_key factory = a_key(SCRIP_DES, 0);
    const struct scrip_desfire_key picc = a_key(SCRIP_AES128, 0x21);
    const struct scrip_desfire_key zero = a_key(SCRIP_AES128, 0);
    const struct messaging lrp = {"LRP", SCRIP_DESFIRE_SM_LRP, SCRIP_AES128, 0x80, SCRIP_DESFIRE_EV3};
    const uint8_t capabilities[10] = {0, 0, 0, 0, 2};
    const struct scrip_desfire_application application = {.aid = {1, 2, 3}, .ks1 = 0x0F, .ks2 = 0x82};
    given_card(h, SCRIP_DESFIRE_EV3);
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV1, &factory, 0, true));
    does(h, scrip_desfire_change_key(&h->term, &h->batch, 0x80, &picc, NULL));
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV2, &picc, 0, true));
    does(h, scrip_desfire_set_configuration(&h->term, &h->batch, 5, SCRIP_BYTES_OF(capabilities)));
    assert_false(scrip_desfire_term_in_session(&h->term));
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_LRP, &picc, 0, true));
    does(h, scrip_desfire_set_configuration(&h->term, &h->batch, 5, SCRIP_BYTES_OF(capabilities))); /* no change */
    assert_true(scrip_desfire_term_in_session(&h->term));
    does(h, scrip_desfire_create_application(&h->term, &h->batch, &application));
    does(h, scrip_desfire_select_application(&h->term, &h->batch, aid));
    (void)given_own_keys(h, &lrp);
    files_of_every_mode(h);
    value_and_records_of_every_mode(h);
    everything_else_in_an_application(h, &lrp);
    assert_status(authenticate(h, SCRIP_DESFIRE_SM_LRP, &zero, 0, true), SCRIP_E_CARD); /* no longer the key */
    done(h);
}

/* Old messaging, new commands: what is enciphered is so in every messaging. */
static void a_d40_session_configures_the_card(void **state)
{
    (void)state;
    struct host *h = &host;
    const struct scrip_desfire_key factory = a_key(SCRIP_DES, 0);
    const uint8_t ats[] = {0x06, 0x77, 0x77, 0x81, 0x02, 0x80};
    given_card(h, SCRIP_DESFIRE_EV2);
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_D40, &factory, 0, true));
    does(h, scrip_desfire_set_configuration(&h->term, &h->batch, 2, SCRIP_BYTES_OF(ats)));
    does(h, scrip_desfire_set_configuration(&h->term, &h->batch, 0, scrip_bytes("\2", 1)));
    does(h, scrip_desfire_read_signature(&h->term, &h->batch));
    assert_int_equal(h->out.len, 56);
    done(h);
}

static void both_sides_prove_that_they_are_near(void **state)
{
    (void)state;
    struct host *h = &host;
    struct scrip_desfire_pc pc;
    uint8_t key[16] = {0};
    given_card(h, SCRIP_DESFIRE_EV3);
    for (unsigned each = 1; each <= 8; each++) { /* in parts of any size */
        scrip_desfire_pc_start(&pc, random_host);
        assert_status(scrip_desfire_pc_verify(&h->term, &h->batch, &pc, key), SCRIP_E_STATE);
        does(h, scrip_desfire_pc_prepare(&h->term, &h->batch));
        assert_ok(scrip_desfire_pc_prepared(&pc, scrip_buf_bytes(&h->out)));
        assert_status(scrip_desfire_pc_ask(&h->term, &h->batch, &pc, 9), SCRIP_E_ARGUMENT);
        while (pc.len < 8) {
            const uint8_t left = (uint8_t)(8 - pc.len);
            does(h, scrip_desfire_pc_ask(&h->term, &h->batch, &pc, each < left ? (uint8_t)each : left));
            assert_ok(scrip_desfire_pc_part(&pc, scrip_buf_bytes(&h->out)));
        }
        does(h, scrip_desfire_pc_verify(&h->term, &h->batch, &pc, key));
        assert_ok(scrip_desfire_pc_verified(&pc, key, scrip_buf_bytes(&h->out)));
        h->memory[7] ^= 1;
        assert_status(scrip_desfire_pc_verified(&pc, key, scrip_buf_bytes(&h->out)), SCRIP_E_AUTH);
    }
    does(h, scrip_desfire_pc_prepare(&h->term, &h->batch));
    does(h, scrip_desfire_pc_ask(&h->term, &h->batch, &(struct scrip_desfire_pc){.rndc = {1}}, 8));
    key[0] = 1;
    refused(h, scrip_desfire_pc_verify(&h->term, &h->batch, &pc, key), 0x911E);
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV1, &(struct scrip_desfire_key){.cipher = SCRIP_DES}, 0, true));
    assert_status(scrip_desfire_pc_prepare(&h->term, &h->batch), SCRIP_E_STATE);
    done(h);
}

static void a_value_is_taken_over_with_two_applications_selected(void **state)
{
    (void)state;
    struct host *h = &host;
    const struct scrip_desfire_application first = {.aid = {1, 2, 3}, .ks1 = 0x0F, .ks2 = 0x81};
    const struct scrip_desfire_application second = {.aid = {4, 5, 6}, .ks1 = 0x0F, .ks2 = 0x81};
    struct scrip_desfire_file file = {.no = 1, .type = SCRIP_DESFIRE_FILE_VALUE, .upper = 100, .value = 7};
    const struct scrip_desfire_access target = {.no = 2};
    file.rights = (struct scrip_desfire_rights){0xE, 0xE, 0xE, 0xE};
    given_card(h, SCRIP_DESFIRE_EV3);
    does(h, scrip_desfire_create_application(&h->term, &h->batch, &first));
    does(h, scrip_desfire_create_application(&h->term, &h->batch, &second));
    does(h, scrip_desfire_select_application(&h->term, &h->batch, aid));
    does(h, scrip_desfire_create_file(&h->term, &h->batch, &file));
    file.no = 2;
    file.value = 1;
    does(h, scrip_desfire_create_file(&h->term, &h->batch, &file));
    does(h, scrip_desfire_select_applications(&h->term, &h->batch, first.aid, second.aid));
    does(h, scrip_desfire_restore_transfer(&h->term, &h->batch, 2, 1));
    does(h, scrip_desfire_commit_transaction(&h->term, &h->batch, false));
    does(h, scrip_desfire_get_value(&h->term, &h->batch, &target));
    assert_hex(scrip_buf_bytes(&h->out), "07000000");
    done(h);
}

static void delegated_applications_are_made_with_the_owners_permission(void **state)
{
    (void)state;
    struct host *h = &host;
    const struct scrip_desfire_key factory = a_key(SCRIP_DES, 0);
    const struct scrip_desfire_key picc = a_key(SCRIP_AES128, 0x21);
    const struct scrip_desfire_key zero = a_key(SCRIP_AES128, 0);
    const struct scrip_desfire_key dam[3] = {a_key(SCRIP_AES128, 0x31), a_key(SCRIP_AES128, 0x41),
                                             a_key(SCRIP_AES128, 0x51)};
    const struct scrip_desfire_key initial = a_key(SCRIP_AES128, 0x61);
    const struct scrip_desfire_application application = {.aid = {1, 2, 3}, .ks1 = 0x0F, .ks2 = 0x82};
    struct scrip_desfire_delegation delegation = {.slot = 0, .slot_version = 0, .quota = 8};
    given_card(h, SCRIP_DESFIRE_EV2);
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV1, &factory, 0, true));
    does(h, scrip_desfire_change_key(&h->term, &h->batch, 0x80, &picc, NULL));
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV2, &picc, 0, true));
    for (uint8_t i = 0; i < 3; i++) {
        does(h, scrip_desfire_change_key(&h->term, &h->batch, (uint8_t)(0x10 + i), &dam[i], &zero));
    }
    assert_ok(
        scrip_desfire_delegation_sign(&application, dam[2].bytes, dam[1].bytes, random_host, &initial, &delegation));
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV2, &dam[0], 0x10, true));
    delegation.dam_mac[0] ^= 1; /* not the owner's */
    assert_ok(scrip_desfire_create_delegated_application(&h->term, &h->batch, &application, &delegation));
    assert_status(exchange(h), SCRIP_E_CARD);
    delegation.dam_mac[0] ^= 1;
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV2, &dam[0], 0x10, true));
    does(h, scrip_desfire_create_delegated_application(&h->term, &h->batch, &application, &delegation));
    does(h, scrip_desfire_get_delegated_info(&h->term, &h->batch, 0));
    assert_int_equal(h->out.len, 8);
    does(h, scrip_desfire_select_application(&h->term, &h->batch, aid));
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV2, &initial, 1, true));
    done(h);
}

static void a_delegation_that_is_not_signed_is_left_as_it_was(void **state)
{
    static const struct {
        struct scrip_desfire_application application;
        uint8_t cipher;
        enum scrip_status status;
    } rows[] = {
        {{.aid = {1, 2, 3}, .ks2 = 0x82, .df_name_len = 3},
         SCRIP_AES128,
         SCRIP_E_ARGUMENT}, /* a name, and no file id */
        {{.aid = {1, 2, 3}, .ks2 = 0x82}, SCRIP_AES128 + 1, SCRIP_E_KEY},
    };
    static const struct scrip_desfire_delegation untouched = {.quota = 8};
    const struct scrip_desfire_key dam = a_key(SCRIP_AES128, 0x31);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct scrip_desfire_key initial = {.cipher = rows[i].cipher};
        struct scrip_desfire_delegation delegation = untouched;
        assert_status(scrip_desfire_delegation_sign(&rows[i].application, dam.bytes, dam.bytes, random_host, &initial,
                                                    &delegation),
                      rows[i].status);
        assert_memory_equal(&delegation, &untouched, sizeof untouched);
    }
}

static void a_card_is_looked_through_without_any_key(void **state)
{
    (void)state;
    struct host *h = &host;
    struct scrip_desfire_version version;
    given_card(h, SCRIP_DESFIRE_EV3);
    does(h, scrip_desfire_get_version(&h->term, &h->batch));
    assert_ok(scrip_desfire_version_parse(scrip_buf_bytes(&h->out), &version));
    assert_string_equal(scrip_desfire_version_product(&version), "MIFARE DESFire EV3");
    assert_memory_equal(version.uid, h->b->uid, 7);
    does(h, scrip_desfire_get_application_ids(&h->term, &h->batch));
    assert_int_equal(h->out.len, 0);
    does(h, scrip_desfire_get_free_memory(&h->term, &h->batch));
    assert_int_equal(h->out.len, 3);
    does(h, scrip_desfire_read_signature(&h->term, &h->batch));
    assert_int_equal(h->out.len, 56);
    refused(h, scrip_desfire_format_picc(&h->term, &h->batch), 0x91AE);
    refused(h, scrip_desfire_get_card_uid(&h->term, &h->batch), 0x91AE);
    done(h);
}

static void iso_clients_select_by_name_and_read(void **state)
{
    (void)state;
    struct host *h = &host;
    struct scrip_card_info info;
    struct scrip_purse_header header;
    memset(h, 0, sizeof *h);
    h->b = &bench;
    given_purse(h->b, "plain", SCRIP_DESFIRE_EV1, 0);
    assert_ok(bench_connect(&h->b->link, 0, &info));
    scrip_desfire_term_start(&h->term);
    scrip_batch_clear(&h->batch);
    h->out = scrip_buf(h->memory, sizeof h->memory);
    does(h, scrip_desfire_iso_select_df(
                &h->term, &h->batch,
                scrip_bytes(h->b->profile.application.df_name, h->b->profile.application.df_name_len)));
    does(h, scrip_desfire_iso_read_binary(&h->term, &h->batch, 1, 0, 128));
    assert_ok(scrip_purse_header_get(scrip_buf_bytes(&h->out), &header));
    assert_string_equal(header.card_number, "1234567890");
    refused(h, scrip_desfire_iso_select_df(&h->term, &h->batch, scrip_bytes("nobody", 6)), 0x6A82);
    done(h);
}

/* A virtual card takes what the driver says for "get another name"; a genuine one may not (docs/protocol/desfire.md).
 */
static void a_light_card_gets_other_names(void **state)
{
    (void)state;
    struct host *h = &host;
    const struct scrip_desfire_key zero = a_key(SCRIP_AES128, 0);
    const struct scrip_desfire_rename places[] = {
        {0x00, 0x1F, 0xEF1F},
        {0x1F, 0x00, 0xEF00},
        {SCRIP_DESFIRE_THE_APPLICATION, SCRIP_DESFIRE_THE_APPLICATION, 0xDF02}};
    given_card(h, SCRIP_DESFIRE_LIGHT);
    does(h, scrip_desfire_iso_select_fid(&h->term, &h->batch, 0xDF01));
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV2, &zero, 0, true));
    assert_status(scrip_desfire_rename_files(&h->term, &h->batch, places, 0), SCRIP_E_ARGUMENT);
    assert_status(scrip_desfire_rename_files(&h->term, &h->batch, places, SCRIP_DESFIRE_RENAMES_MAX + 1),
                  SCRIP_E_ARGUMENT);
    assert_status(scrip_desfire_rename_df(&h->term, &h->batch, scrip_bytes("seventeen letters", 17)), SCRIP_E_ARGUMENT);
    does(h, scrip_desfire_rename_files(&h->term, &h->batch, places, 3));
    does(h, scrip_desfire_rename_df(&h->term, &h->batch, scrip_bytes("gym", 3)));
    does(h, scrip_desfire_iso_select_fid(&h->term, &h->batch, 0x3F00));
    does(h, scrip_desfire_iso_select_df(&h->term, &h->batch, scrip_bytes("gym", 3)));
    does(h, scrip_desfire_iso_select_fid(&h->term, &h->batch, 0xDF02));
    does(h, scrip_desfire_get_file_settings(&h->term, &h->batch, 0x1F));
    assert_hex(scrip_buf_bytes(&h->out), "00033012000100");
    assert_ok(authenticate(h, SCRIP_DESFIRE_SM_EV2, &zero, 0, true));
    does(h, scrip_desfire_iso_select_ef(&h->term, &h->batch, 0xEF1F));
    assert_true(scrip_desfire_term_in_session(&h->term));
    does(h, scrip_desfire_get_card_uid(&h->term, &h->batch)); /* on the card too the session went on */
    refused(h, scrip_desfire_rename_df(&h->term, &h->batch, scrip_bytes("gym", 3)), 0x919D);
    done(h);
}

static void iso_clients_write_and_append(void **state)
{
    (void)state;
    struct host *h = &host;
    const struct scrip_desfire_rights everybody = {0xE, 0xE, 0xE, 0xE};
    const struct scrip_desfire_file data = {
        .no = 1, .has_iso_fid = true, .iso_fid = 0x0101, .size = 16, .rights = {0xE, 0xE, 0xE, 0xE}};
    const struct scrip_desfire_file log = {.no = 2,
                                           .type = SCRIP_DESFIRE_FILE_CYCLIC,
                                           .has_iso_fid = true,
                                           .iso_fid = 0x0102,
                                           .record_size = 4,
                                           .max_records = 4,
                                           .rights = everybody};
    const struct scrip_desfire_application application = {
        .aid = {1, 2, 3}, .ks1 = 0x0F, .ks2 = 0xA1, .has_iso_fid = true, .iso_fid = 0x1234};
    given_card(h, SCRIP_DESFIRE_EV3);
    does(h, scrip_desfire_create_application(&h->term, &h->batch, &application));
    does(h, scrip_desfire_iso_select_fid(&h->term, &h->batch, 0x1234));
    does(h, scrip_desfire_create_file(&h->term, &h->batch, &data));
    does(h, scrip_desfire_create_file(&h->term, &h->batch, &log));
    does(h, scrip_desfire_iso_update_binary(&h->term, &h->batch, 1, 4, scrip_bytes("abcd", 4)));
    does(h, scrip_desfire_iso_read_binary(&h->term, &h->batch, 1, 2, 8));
    assert_hex(scrip_buf_bytes(&h->out), "0000616263640000");
    does(h, scrip_desfire_iso_append_record(&h->term, &h->batch, 2, scrip_bytes("old!", 4)));
    does(h, scrip_desfire_commit_transaction(&h->term, &h->batch, false));
    does(h, scrip_desfire_iso_select_ef(&h->term, &h->batch, 0x0102));
    does(h, scrip_desfire_iso_append_record(&h->term, &h->batch, 0, scrip_bytes("new!", 4)));
    does(h, scrip_desfire_commit_transaction(&h->term, &h->batch, false));
    does(h, scrip_desfire_iso_read_records(&h->term, &h->batch, 2, 0, false, 4));
    assert_hex(scrip_buf_bytes(&h->out), "6E657721");
    does(h, scrip_desfire_iso_read_records(&h->term, &h->batch, 0, 0, true, 0));
    assert_hex(scrip_buf_bytes(&h->out), "6F6C6421 6E657721");
    assert_status(scrip_desfire_iso_append_record(&h->term, &h->batch, 2, scrip_bytes(NULL, 0)), SCRIP_E_ARGUMENT);
    refused(h, scrip_desfire_iso_update_binary(&h->term, &h->batch, 2, 0, scrip_bytes("x", 1)), 0x6985);
    done(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_messaging_carries_every_kind_of_command),
        cmocka_unit_test(a_wrong_key_is_refused_by_every_messaging),
        cmocka_unit_test(the_iso_authentication_opens_an_ev1_session),
        cmocka_unit_test(non_first_keeps_the_session_and_needs_no_waiting),
        cmocka_unit_test(long_codes_move_data_without_chaining),
        cmocka_unit_test(key_sets_are_filled_and_rolled),
        cmocka_unit_test(lrp_carries_the_same_commands),
        cmocka_unit_test(a_d40_session_configures_the_card),
        cmocka_unit_test(both_sides_prove_that_they_are_near),
        cmocka_unit_test(a_value_is_taken_over_with_two_applications_selected),
        cmocka_unit_test(delegated_applications_are_made_with_the_owners_permission),
        cmocka_unit_test(a_delegation_that_is_not_signed_is_left_as_it_was),
        cmocka_unit_test(a_card_is_looked_through_without_any_key),
        cmocka_unit_test(iso_clients_select_by_name_and_read),
        cmocka_unit_test(iso_clients_write_and_append),
        cmocka_unit_test(a_light_card_gets_other_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
