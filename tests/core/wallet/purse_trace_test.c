/* The purse's commands, byte for byte: the worked example of the AN12113 application. What a card answered is given;
 * what a terminal or server sends must come out, and every MAC of the card must be accepted. */
#include "check.h"
#include <scrip/purse_desfire.h>

#define UID "045B2C8A916E80"

static const char *const read_master = "101112131415161718191A1B1C1D1E1F";
static const char *const topup_master = "303132333435363738393A3B3C3D3E3F";
static const char *const tmac_master = "404142434445464748494A4B4C4D4E4F";

struct scene {
    struct scrip_desfire_profile profile;
    struct scrip_desfire_tap tap;
    uint8_t uid[7];
    uint8_t key[16];
    uint8_t tmac[16];
};

static void card_key(const struct scene *scene, enum scrip_purse_role role, const char *master, uint8_t out[16])
{
    uint8_t m[SCRIP_PURSE_DIVERSIFY_MAX];
    uint8_t bytes[16];
    from_hex(master, bytes, sizeof bytes);
    assert_ok(scrip_an10922(SCRIP_AES128, bytes,
                            scrip_purse_diversify_input(role, scene->uid, scene->profile.purse.aid, m), out));
}

static void given_purse(struct scene *scene, const char *profile, enum scrip_purse_role role, const char *master)
{
    memset(scene, 0, sizeof *scene);
    assert_ok(scrip_desfire_profile_make(profile, &scene->profile));
    from_hex(UID, scene->uid, sizeof scene->uid);
    card_key(scene, role, master, scene->key);
    card_key(scene, SCRIP_PURSE_TMAC, tmac_master, scene->tmac);
    scrip_desfire_tap_start(&scene->tap, &scene->profile.purse, scene->uid);
}

static void answered(struct scrip_replies *replies, const char *const *texts)
{
    uint8_t bytes[256];
    scrip_replies_clear(replies);
    for (; *texts != NULL; texts++) {
        const size_t len = from_hex(*texts, bytes, sizeof bytes);
        assert_ok(scrip_replies_add(replies, scrip_bytes(bytes, len)));
    }
}

/* The batch is these commands; the card answers so; all of it is taken. The visit is saved and loaded in between, as a
 * server without memory does it. */
static void exchange(struct scene *scene, const struct scrip_batch *batch, const char *const *commands,
                     const char *const *responses, bool proof)
{
    static uint8_t memory[SCRIP_DESFIRE_TAP_SAVED_MAX];
    struct scrip_buf saved = SCRIP_BUF_OF(memory);
    struct scrip_replies replies;
    size_t count = 0;
    for (; commands[count] != NULL; count++) {
        assert_true(count < batch->count);
        assert_hex(scrip_batch_command(batch, count), commands[count]);
    }
    assert_int_equal(batch->count, count);
    assert_ok(scrip_desfire_tap_save(&scene->tap, &saved));
    memset(&scene->tap, 0xA5, sizeof scene->tap);
    struct scrip_bytes in = scrip_buf_bytes(&saved);
    assert_ok(scrip_desfire_tap_load(&scene->tap, &scene->profile.purse, &in));
    assert_int_equal(in.len, 0);
    answered(&replies, responses);
    assert_ok(scrip_desfire_tap_take(&scene->tap, &replies, proof ? scene->key : NULL));
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct scrip_purse_topup example_topup(void)
{
    struct scrip_purse_topup topup = {.amount = 2000, .reference = 0};
    from_hex("2020070212345600", topup.timestamp, 8);
    memcpy(topup.tmri, "SRV-TOPUP-000001", 16);
    return topup;
}

static void the_ev2_top_up_is_the_worked_example(void **state)
{
    (void)state;
    static struct scene scene;
    struct scrip_batch batch;
    uint8_t rnda[16];
    const struct scrip_purse_topup topup = example_topup();
    given_purse(&scene, "an12113", SCRIP_PURSE_TOPUP, topup_master);
    from_hex("A1B2C3D4E5F60718293A4B5C6D7E8F90", rnda, sizeof rnda);

    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_tap_preamble(&scene.tap, &batch, SCRIP_PURSE_TOPUP));
    exchange(&scene, &batch, LIST("905A00000399440100", "9071000002030000"),
             LIST("9100", "011BB0AE4A60F26100853CD5D6F9DE1291AF"), false);

    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_tap_answer(&scene.tap, &batch, scene.key, rnda));
    assert_status(scrip_desfire_tap_topup(&scene.tap, &batch, &topup), SCRIP_E_WAIT); /* TI is not known yet */
    exchange(&scene, &batch, LIST("90AF000020191D324E84E67B1E610E3D7F76D905290C5D9770B8A7BDBDCAA64D56E2C6E12000"),
             LIST("C2E66F9FC9EAE508373408769CC79621A9E66795DA783D81003D0DAC75C07CA59100"), true);

    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_tap_topup(&scene.tap, &batch, &topup));
    exchange(
        &scene, &batch,
        LIST("906C0000090388FCA340549FEEA700", "900C000019034043AD145C9702BC07D25BF445FB95A185E7F9E5E21AD82700",
             "908B00002F04000000100000D3FA2C892E22A7CEFEF69E3ECE1F90F9FE81D7C61D61AC619F68AFA3DC579D63766CEE00E23CF7D6"
             "00",
             "90C80000185352562D544F5055502D303030303031C564F76DF1F38D9900", "90C7000009012CB78AC4A05812BC00"),
        LIST("CED005C806CEE3C1BDA5849326F37D3D038939CD32ECB2EA9100", "AC9D7FE6C039F2719100", "0C7E40D96E0285549100",
             "8486E7884EDE25E805BCB198972951498A632E9F2090AE859100", "12000000BD8CC1D7B5C9EED0F8993C3D7C15BE759100"),
        false);

    assert_int_equal(scene.tap.facts.balance, 1234);
    assert_int_equal(scene.tap.facts.commit_tmc, 18);
    assert_ok(scrip_purse_topup_proved(&scene.tap, &topup, scene.tmac));
    uint8_t previous[16];
    scrip_purse_previous_reader(scene.tmac, scene.uid, 18, scene.tap.facts.enc_tmri, previous);
    assert_memory_equal(previous, "TERM-0001\0\0\0\0\0\0\0", 16);

    struct scrip_purse_topup other = topup; /* proof of this top-up is proof of no other */
    other.amount = 2001;
    assert_status(scrip_purse_topup_proved(&scene.tap, &other, scene.tmac), SCRIP_E_MAC);
}

static void the_debit_is_the_worked_example(void **state)
{
    (void)state;
    static struct scene scene;
    struct scrip_batch batch;
    uint8_t rnda[16];
    uint8_t memory[SCRIP_PURSE_TMI_MAX];
    struct scrip_buf tmi = SCRIP_BUF_OF(memory);
    struct scrip_purse_debit debit = {.amount = 250, .reader = {0, 0, 0, 0x42}, .tmri = "TERM-0042"};
    from_hex("2020070317204500", debit.timestamp, 8);
    given_purse(&scene, "an12113", SCRIP_PURSE_PAY, read_master);
    from_hex("00112233445566778899AABBCCDDEEFF", rnda, sizeof rnda);

    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_tap_preamble(&scene.tap, &batch, SCRIP_PURSE_PAY));
    exchange(&scene, &batch, LIST("905A00000399440100", "9071000002010000"),
             LIST("9100", "365ABFCFF8AFC27F777D7170925ADBE991AF"), false);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_tap_answer(&scene.tap, &batch, scene.key, rnda));
    exchange(&scene, &batch, LIST("90AF000020BDF5927A1640B5E1E4C0FD52FBC6AB1D6812DDD290BA0CA62AEB4E84444F84AB00"),
             LIST("BF61D7D8FB8C13F21EEC07A823EB46C780BEDC54B066F41D7E3F53D0119BFD6D9100"), true);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_tap_debit(&scene.tap, &batch, &debit));
    exchange(
        &scene, &batch,
        LIST("906C0000090308D09B7E41BC501100", "90DC0000190391C5D9F9537FEB055CE74F4FEFD8CE372E0894AD23B1F3C800",
             "908B00002F020000001000003159B8A6BDC54034ABE7022BCC53DA11258B1F34D9310EF89F103909071CC9B32347B2DD55A1DE9A"
             "00",
             "90C80000185445524D2D3030343200000000000000D87C13E08E31488400"),
        LIST("8026045AC155227D051897D9CEA2F38AE1FBF63CB33405BE9100", "7E0F5CFD90319B1E9100", "806F128023F6CAC99100",
             "45F83230D88DBEC39B07299B151160CE0EDC095E2A3FADC09100"),
        false);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_tap_commit(&scene.tap, &batch));
    exchange(&scene, &batch, LIST("90C7000009016A2B02296A31A94900"),
             LIST("13000000736A0900AA459698AE11D02B7B834D3E9100"), false);

    const struct scrip_desfire_facts *facts = &scene.tap.facts;
    assert_int_equal(facts->balance, 3234);
    assert_ok(scrip_purse_debit_tmi(&scene.profile.purse, &debit, facts->balance, facts->enc_tmri, &tmi));
    assert_ok(
        scrip_purse_tmv_check(scene.tmac, scene.uid, facts->commit_tmc, scrip_buf_bytes(&tmi), facts->commit_tmv));
}

static void the_ev1_top_up_leaves_in_one_batch_with_part_2(void **state)
{
    (void)state;
    static struct scene scene;
    struct scrip_batch batch;
    uint8_t rnda[16];
    uint8_t record[16];
    const struct scrip_purse_topup topup = example_topup();
    given_purse(&scene, "ev1", SCRIP_PURSE_TOPUP, topup_master);
    from_hex("A1B2C3D4E5F60718293A4B5C6D7E8F90", rnda, sizeof rnda);
    from_hex("2020070212345600D007000000000000", record, sizeof record);

    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_tap_preamble(&scene.tap, &batch, SCRIP_PURSE_TOPUP));
    exchange(&scene, &batch, LIST("905A00000399440100", "90AA0000010300"),
             LIST("9100", "011BB0AE4A60F26100853CD5D6F9DE1291AF"), false);
    scrip_batch_clear(&batch); /* the order of the example, which is not the one that the server uses */
    assert_ok(scrip_desfire_tap_answer(&scene.tap, &batch, scene.key, rnda));
    assert_ok(scrip_desfire_tap_credit(&scene.tap, &batch, topup.amount));
    assert_ok(scrip_desfire_tap_record(&scene.tap, &batch, scene.profile.purse.topup_file, 0, SCRIP_BYTES_OF(record)));
    assert_ok(scrip_desfire_tap_commit(&scene.tap, &batch));
    assert_ok(scrip_desfire_tap_value(&scene.tap, &batch));
    exchange(&scene, &batch,
             LIST("90AF000020BFD700732D86DC108A8EA2E551C84A29B631E8C344D098A2E9D4F66AB8A0C90100",
                  "900C0000110300F92A97A5B43B90B6B05D50565DC94A00",
                  "903B00002704000000100000172E9F1AC5F48C05A141B21F034AB084C0ED455632ABA6FD44A7428306F54F4500",
                  "90C7000000", "906C0000010300"),
             LIST("B6445E2AF263D9B59DD2FEBA0A1436379100", "76870087795335709100", "1FDF4AF994B10B7B9100",
                  "35EAB8817E21A0479100", "D9105D3C8C917DE54DCBC6AA93E63CEE9100"),
             true);
    assert_true((scene.tap.facts.has & SCRIP_FACT_COMMITTED) != 0);
    assert_int_equal(scene.tap.facts.balance_after, 3234);
}

static void an_altered_answer_proves_nothing_and_ends_the_visit(void **state)
{
    (void)state;
    static struct scene scene;
    struct scrip_batch batch;
    struct scrip_replies replies;
    uint8_t rnda[16];
    given_purse(&scene, "ev1", SCRIP_PURSE_TOPUP, topup_master);
    from_hex("A1B2C3D4E5F60718293A4B5C6D7E8F90", rnda, sizeof rnda);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_tap_preamble(&scene.tap, &batch, SCRIP_PURSE_TOPUP));
    answered(&replies, LIST("9100", "011BB0AE4A60F26100853CD5D6F9DE1291AF"));
    assert_ok(scrip_desfire_tap_take(&scene.tap, &replies, NULL));
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_tap_answer(&scene.tap, &batch, scene.key, rnda));
    assert_ok(scrip_desfire_tap_credit(&scene.tap, &batch, 2000));
    assert_ok(scrip_desfire_tap_commit(&scene.tap, &batch));
    answered(&replies, LIST("B6445E2AF263D9B59DD2FEBA0A1436379100", "76870087795335719100", "35EAB8817E21A0479100"));
    assert_status(scrip_desfire_tap_take(&scene.tap, &replies, scene.key), SCRIP_E_MAC);
    assert_int_equal(scene.tap.term.failure.cmd, 0x0C);
    assert_true((scene.tap.facts.has & SCRIP_FACT_COMMITTED) == 0);
    assert_false(scrip_desfire_term_in_session(&scene.tap.term));
}

static void a_card_that_does_not_know_the_key_is_told_apart(void **state)
{
    (void)state;
    static struct scene scene;
    struct scrip_batch batch;
    struct scrip_replies replies;
    uint8_t rnda[16] = {1};
    given_purse(&scene, "an12113", SCRIP_PURSE_TOPUP, topup_master);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_tap_preamble(&scene.tap, &batch, SCRIP_PURSE_TOPUP));
    answered(&replies, LIST("9100", "011BB0AE4A60F26100853CD5D6F9DE1291AF"));
    assert_ok(scrip_desfire_tap_take(&scene.tap, &replies, NULL));
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_tap_answer(&scene.tap, &batch, scene.key, rnda));
    answered(&replies, LIST("C2E66F9FC9EAE508373408769CC79621A9E66795DA783D81003D0DAC75C07CA59100"));
    assert_status(scrip_desfire_tap_take(&scene.tap, &replies, scene.key), SCRIP_E_AUTH);
    assert_true((scene.tap.facts.has & SCRIP_FACT_CARD) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ev2_top_up_is_the_worked_example),
        cmocka_unit_test(the_debit_is_the_worked_example),
        cmocka_unit_test(the_ev1_top_up_leaves_in_one_batch_with_part_2),
        cmocka_unit_test(an_altered_answer_proves_nothing_and_ends_the_visit),
        cmocka_unit_test(a_card_that_does_not_know_the_key_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
