/* A capture in words: what was said comes out, what was altered is pointed at, and keys never appear. */
#include "purse_bench.h"
#include <scrip/desfire_explain.h>

#define KEYS 16U

static struct bench bench;

struct notes {
    struct scrip_desfire_explain explain;
    struct scrip_desfire_explain_key keys[KEYS];
    size_t key_count;
    char text[65536];
    size_t len;
    unsigned alter; /* the response of this exchange gets a wrong last byte before the status word */
};

static struct notes notes;

static void write_line(void *ctx, const char *line)
{
    struct notes *n = ctx;
    const size_t len = strlen(line);
    assert_true(n->len + len + 2 < sizeof n->text);
    memcpy(n->text + n->len, line, len);
    n->len += len;
    n->text[n->len++] = '\n';
    n->text[n->len] = '\0';
}

static void listen(void *ctx, struct scrip_bytes capdu, struct scrip_bytes rapdu)
{
    struct notes *n = ctx;
    uint8_t altered[SCRIP_DESFIRE_RAPDU_MAX];
    memcpy(altered, rapdu.at, rapdu.len);
    if (n->alter != 0 && n->explain.count.exchanges + 1 == n->alter && rapdu.len > 2) {
        altered[rapdu.len - 3] ^= 1;
    }
    scrip_desfire_explain_exchange(&n->explain, capdu, scrip_bytes(altered, rapdu.len));
}

static void know(struct notes *n, const char *name, enum scrip_cipher cipher, const uint8_t *bytes)
{
    struct scrip_desfire_explain_key *key = &n->keys[n->key_count++];
    *key = (struct scrip_desfire_explain_key){.key.cipher = (uint8_t)cipher, .name = name};
    memcpy(key->key.bytes, bytes, scrip_cipher_key_len(cipher));
}

static void know_role(struct notes *n, struct bench *b, enum scrip_purse_role role, const char *name)
{
    uint8_t m[SCRIP_PURSE_DIVERSIFY_MAX];
    uint8_t key[16];
    assert_ok(bench_key(NULL, role, scrip_purse_diversify_input(role, b->uid, b->profile.purse.aid, m), key));
    know(n, name, SCRIP_AES128, key);
}

static void given_listener(struct notes *n, struct bench *b)
{
    static const uint8_t zero[24];
    memset(n, 0, sizeof *n);
    know(n, "factory", SCRIP_DES, zero);
    know(n, "factory", SCRIP_AES128, zero);
    know_role(n, b, SCRIP_PURSE_AMK, "amk");
    know_role(n, b, SCRIP_PURSE_PAY, "pay");
    know_role(n, b, SCRIP_PURSE_WRITE, "write");
    know_role(n, b, SCRIP_PURSE_TOPUP, "topup");
    know_role(n, b, SCRIP_PURSE_PICC, "picc");
    know_role(n, b, SCRIP_PURSE_ID, "id");
    scrip_desfire_explain_start(&n->explain, n->keys, n->key_count, write_line, n);
    b->spy = listen;
    b->spy_ctx = n;
}

static void says(const char *words)
{
    if (strstr(notes.text, words) == NULL) {
        fail_msg("not said: %s\n%s", words, notes.text);
    }
}

static void a_whole_life_is_told_with_every_session_opened(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        enum scrip_desfire_generation generation;
    } kinds[] = {{"an12113", SCRIP_DESFIRE_EV3},
                 {"split+random-id", SCRIP_DESFIRE_EV2},
                 {"ev1", SCRIP_DESFIRE_EV1},
                 {"plain+random-id", SCRIP_DESFIRE_EV1}};
    struct bench *b = &bench;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        given_fresh_card(b, kinds[i].profile, kinds[i].generation);
        given_listener(&notes, b);
        assert_ok(tap(b, SCRIP_PURSE_PERSONALISE, 1000, 0));
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 250, 0));
        assert_ok(tap(b, SCRIP_PURSE_CREDIT, 2000, 1));
        assert_ok(tap(b, SCRIP_PURSE_HISTORY, 0, 0));
        says("SelectApplication 014499");
        says("Debit file 3 amount 250 [");
        says("Credit file 3 amount 2000 [");
        says("GetValue file 3 [");
        says(": 1000");
        says("key \"topup\"");
        says("key material not shown");
        if (notes.explain.count.wrong != 0 || notes.explain.count.unopened != 0) {
            fail_msg("%s: %u wrong, %u closed\n%s", kinds[i].profile, notes.explain.count.wrong,
                     notes.explain.count.unopened, notes.text);
        }
        assert_int_equal(notes.explain.count.refused, 1); /* the probe for an application that is not there */
        bench_free(b);
    }
}

static void hex_of(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        static const char digits[] = "0123456789ABCDEF";
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static void no_key_is_ever_shown(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_fresh_card(b, "an12113", SCRIP_DESFIRE_EV3);
    given_listener(&notes, b);
    assert_ok(tap(b, SCRIP_PURSE_PERSONALISE, 1000, 0));
    assert_ok(tap(b, SCRIP_PURSE_DEBIT, 250, 0));
    for (size_t i = 2; i < notes.key_count; i++) {
        char hex[40];
        hex_of(notes.keys[i].key.bytes, 8, hex);
        assert_null(strstr(notes.text, hex));
    }
    bench_free(b);
}

static void without_keys_a_session_stays_closed_and_shows_no_cryptogram_of_a_key(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_fresh_card(b, "an12113", SCRIP_DESFIRE_EV3);
    given_listener(&notes, b);
    scrip_desfire_explain_start(&notes.explain, NULL, 0, write_line, &notes);
    assert_ok(tap(b, SCRIP_PURSE_PERSONALISE, 1000, 0));
    says("none of the keys given fits");
    says("ChangeKey key 3 [closed]");
    assert_true(notes.explain.count.unopened > 5);
    assert_int_equal(notes.explain.count.opened, 0);
    bench_free(b);
}

static void the_first_wrong_byte_is_pointed_at(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_purse(b, "an12113", SCRIP_DESFIRE_EV3, 1000);
    given_listener(&notes, b);
    b->request.skip_flush = true;
    notes.alter = 4; /* Select, two of authentication, GetValue */
    assert_ok(tap(b, SCRIP_PURSE_DEBIT, 250, 0));
    b->request.skip_flush = false;
    says("WRONG: the response's MAC at byte 23"); /* 16 of data, the last of 8 of MAC */
    assert_int_equal(notes.explain.count.wrong, 1);
    bench_free(b);

    given_purse(b, "ev1", SCRIP_DESFIRE_EV1, 1000);
    given_listener(&notes, b);
    notes.alter = 4;
    assert_ok(tap(b, SCRIP_PURSE_BALANCE, 0, 0));
    says("WRONG: the response's MAC, checksum or padding");
    bench_free(b);
}

/* D40 and LRP are no messaging of the purse: open the card by hand. */
static void visit(struct bench *b, enum scrip_desfire_sm sm, const struct scrip_desfire_key *key)
{
    struct scrip_desfire_term term;
    struct scrip_batch batch;
    struct scrip_replies replies;
    struct scrip_card_info info;
    const uint8_t rnda[16] = {7};
    assert_ok(bench_connect(&b->link, 0, &info));
    scrip_desfire_term_start(&term);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_term_auth_ask(&term, &batch, sm, (enum scrip_cipher)key->cipher, 0, true));
    assert_ok(scrip_batch_transmit(&batch, &b->link, &replies));
    assert_ok(scrip_desfire_term_auth_challenge(&term, &replies));
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_term_auth_answer(&term, &batch, key, rnda));
    assert_ok(scrip_batch_transmit(&batch, &b->link, &replies));
    assert_ok(scrip_desfire_term_auth_proof(&term, &replies, key));
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_get_version(&term, &batch));
    assert_ok(scrip_batch_transmit(&batch, &b->link, &replies));
    uint8_t memory[64];
    struct scrip_buf version = SCRIP_BUF_OF(memory);
    assert_ok(scrip_desfire_term_take(&term, &replies, &version));
    assert_int_equal(version.len, 28);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_change_key_settings(&term, &batch, 0x0F));
    assert_ok(scrip_batch_transmit(&batch, &b->link, &replies));
    assert_ok(scrip_desfire_term_take(&term, &replies, NULL));
}

static void d40_is_opened(void **state)
{
    (void)state;
    struct bench *b = &bench;
    const struct scrip_desfire_key zero = {.cipher = SCRIP_DES};
    given_fresh_card(b, "ev1", SCRIP_DESFIRE_EV1);
    given_listener(&notes, b);
    visit(b, SCRIP_DESFIRE_SM_D40, &zero);
    says("messaging D40");
    says("ChangeKeySettings 0F [D40 Full] -> OK");
    assert_int_equal(notes.explain.count.wrong, 0);
    bench_free(b);
}

/* Authenticate by hand and do one thing. */
static void once(struct bench *b, struct scrip_desfire_term *term, enum scrip_desfire_sm sm,
                 const struct scrip_desfire_key *key,
                 enum scrip_status (*act)(struct scrip_desfire_term *, struct scrip_batch *))
{
    struct scrip_batch batch;
    struct scrip_replies replies;
    const uint8_t rnda[16] = {7};
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_term_auth_ask(term, &batch, sm, (enum scrip_cipher)key->cipher, 0, true));
    assert_ok(scrip_batch_transmit(&batch, &b->link, &replies));
    assert_ok(scrip_desfire_term_auth_challenge(term, &replies));
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_term_auth_answer(term, &batch, key, rnda));
    assert_ok(scrip_batch_transmit(&batch, &b->link, &replies));
    assert_ok(scrip_desfire_term_auth_proof(term, &replies, key));
    scrip_batch_clear(&batch);
    assert_ok(act(term, &batch));
    assert_ok(scrip_batch_transmit(&batch, &b->link, &replies));
    while (scrip_desfire_term_waiting(term) > 0) {
        uint8_t memory[64];
        struct scrip_buf out = SCRIP_BUF_OF(memory);
        assert_ok(scrip_desfire_term_take(term, &replies, &out));
    }
}

static const struct scrip_desfire_key own_key = {.cipher = SCRIP_AES128, .bytes = {9, 8, 7, 6, 5}};

static enum scrip_status to_aes(struct scrip_desfire_term *term, struct scrip_batch *batch)
{
    return scrip_desfire_change_key(term, batch, 0x80, &own_key, NULL);
}

static enum scrip_status to_lrp(struct scrip_desfire_term *term, struct scrip_batch *batch)
{
    const uint8_t capabilities[10] = {0, 0, 0, 0, 2};
    return scrip_desfire_set_configuration(term, batch, 5, SCRIP_BYTES_OF(capabilities));
}

static enum scrip_status some_work(struct scrip_desfire_term *term, struct scrip_batch *batch)
{
    const struct scrip_desfire_application application = {.aid = {1, 2, 3}, .ks1 = 0x0F, .ks2 = 0x81};
    SCRIP_TRY(scrip_desfire_get_card_uid(term, batch));
    SCRIP_TRY(scrip_desfire_change_key_settings(term, batch, 0x0F));
    return scrip_desfire_create_application(term, batch, &application);
}

static void lrp_is_opened(void **state)
{
    (void)state;
    struct bench *b = &bench;
    struct scrip_desfire_term term;
    struct scrip_card_info info;
    const struct scrip_desfire_key zero = {.cipher = SCRIP_DES};
    given_fresh_card(b, "an12113", SCRIP_DESFIRE_EV3);
    given_listener(&notes, b);
    know(&notes, "own", SCRIP_AES128, own_key.bytes);
    notes.explain.key_count = notes.key_count;
    assert_ok(bench_connect(&b->link, 0, &info));
    scrip_desfire_term_start(&term);
    once(b, &term, SCRIP_DESFIRE_SM_EV1, &zero, to_aes);
    once(b, &term, SCRIP_DESFIRE_SM_EV2, &own_key, to_lrp);
    once(b, &term, SCRIP_DESFIRE_SM_LRP, &own_key, some_work);
    says("messaging LRP");
    says("GetCardUID [LRP Full] -> OK: 045B2C8A916E80");
    says("ChangeKeySettings 0F [LRP Full] -> OK");
    if (notes.explain.count.wrong != 0) {
        fail_msg("%s", notes.text);
    }
    bench_free(b);
}

static void odd_exchanges_are_told_as_well(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        const char *answer;
        const char *words;
    } rows[] = {
        {"00A4040C07F0736372697001", "9000", "ISO 7816-4 SELECT 040C07F0736372697001 -> OK"},
        {"00B0810004", "53435250 9000", "READ BINARY 810004 -> OK: 53435250"},
        {"00B0820004", "6A82", "-> 6A82"},
        {"9002000000", "911C", "unknown command 02 -> 911C ILLEGAL_COMMAND"},
        {"90C7000000", "", "not answered"},
        {"9060", "9100", "not a command APDU"},
        {"90F500000101 00", "91F0", "GetFileSettings file 1 -> 91F0 FILE_NOT_FOUND"},
        {"90DB00000B 01 020000 030000 010000 AA 00", "9100", "UpdateRecord file 1, record 2, offset 3, length 1 AA"},
        {"905C00000201 77 00", "91AE", "SetConfiguration option 1 (key material not shown)"},
        {"90AD000007 01 000000 020000 00", "0102 91AF", ""},
        {"90AF000000", "0304 9100", "ReadData file 1, offset 0, length 2 -> OK: 01020304"},
        {"9071000002030000", "919D", "AuthenticateEV2First key 3 -> 919D PERMISSION_DENIED"},
    };
    memset(&notes, 0, sizeof notes);
    scrip_desfire_explain_start(&notes.explain, NULL, 0, write_line, &notes);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t command[64];
        uint8_t answer[64];
        const size_t command_len = from_hex(rows[i].command, command, sizeof command);
        const size_t answer_len = from_hex(rows[i].answer, answer, sizeof answer);
        scrip_desfire_explain_exchange(&notes.explain, scrip_bytes(command, command_len),
                                       scrip_bytes(answer, answer_len));
        says(rows[i].words);
    }
    assert_int_equal(notes.explain.count.exchanges, sizeof rows / sizeof rows[0]);
    scrip_desfire_explain_reset(&notes.explain);
    scrip_desfire_explain_wipe(&notes.explain);
    assert_null(notes.explain.line);
}

static void what_is_too_long_is_given_up_and_the_rest_goes_on(void **state)
{
    (void)state;
    uint8_t answer[202] = {0};
    answer[200] = 0x91;
    answer[201] = 0xAF;
    static const uint8_t read[] = {0x90, 0xBD, 0, 0, 7, 1, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t more[] = {0x90, 0xAF, 0, 0, 0};
    memset(&notes, 0, sizeof notes);
    scrip_desfire_explain_start(&notes.explain, NULL, 0, write_line, &notes);
    scrip_desfire_explain_exchange(&notes.explain, SCRIP_BYTES_OF(read), SCRIP_BYTES_OF(answer));
    for (unsigned i = 0; i < 7; i++) {
        scrip_desfire_explain_exchange(&notes.explain, SCRIP_BYTES_OF(more), SCRIP_BYTES_OF(answer));
    }
    says("too long to be explained");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_life_is_told_with_every_session_opened),
        cmocka_unit_test(no_key_is_ever_shown),
        cmocka_unit_test(without_keys_a_session_stays_closed_and_shows_no_cryptogram_of_a_key),
        cmocka_unit_test(the_first_wrong_byte_is_pointed_at),
        cmocka_unit_test(d40_is_opened),
        cmocka_unit_test(lrp_is_opened),
        cmocka_unit_test(odd_exchanges_are_told_as_well),
        cmocka_unit_test(what_is_too_long_is_given_up_and_the_rest_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
