/* The published example of a top-up and a debit, byte for byte on the wire: the card side of the vectors
 * e2e-topup-ev2 and e2e-deduct-ev2, with the card's random numbers injected. */
#include "bench.h"

#define READ_KEY  "D53B0FBB8CF14BB7F55BBF540BBA275D"
#define WRITE_KEY "1A2639604A26DB86A85AEE6EC1C818E6"
#define TOPUP_KEY "C4E520D70531DD9792847E18AF6F97BE"
#define TMAC_KEY  "BFA5967C1E3646F02F2EC5B40A952611"

static void given_personalised_purse(struct bench *b)
{
    given_purse(b, false);
    login(b, 0);
    assert_df(ask(b, CMD_CREATE_TRANSACTION_MAC_FILE, "0F 81 303F 02" TMAC_KEY "00"), DF_OK);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "0F 81 303F 01 1F1F"), DF_OK);
    assert_df(change_key(b, 3, TOPUP_KEY, 1, ZERO_KEY), DF_OK);
    assert_df(change_key(b, 2, WRITE_KEY, 1, ZERO_KEY), DF_OK);
    assert_df(change_key(b, 1, READ_KEY, 1, ZERO_KEY), DF_OK);
    /* 16 transactions of a terminal: the top-up is the 17th */
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, READ_KEY), DF_OK);
    for (int i = 0; i < 16; i++) {
        assert_df(do_debit(b, 3, 0), DF_OK);
        assert_df(ask(b, CMD_COMMIT_READER_ID, "5445524D2D3030303100000000000000"), DF_OK);
        assert_df(do_commit(b), DF_OK);
    }
}

static void play(struct bench *b, const char *random, const char *const (*steps)[2], size_t count)
{
    uint8_t bytes[64];
    struct scrip_random_scripted scripted = {.left = scrip_bytes(bytes, from_hex(random, bytes, sizeof bytes))};
    const struct scrip_random source = scrip_random_scripted(&scripted);

    b->card.host.random = &source;
    for (size_t i = 0; i < count; i++) {
        (void)apdu(b, steps[i][0]);
        assert_hex(scrip_bytes(b->data, b->len), steps[i][1]);
    }
    assert_int_equal(scripted.left.len, 0);
    b->card.host.random = &b->random;
}

static void top_up_and_debit_answer_the_published_bytes(void **state)
{
    static const char *const topup[][2] = {
        {"905A00000399440100", "9100"},
        {"9071000002030000", "011BB0AE4A60F26100853CD5D6F9DE1291AF"},
        {"90AF000020191D324E84E67B1E610E3D7F76D905290C5D9770B8A7BDBDCAA64D56E2C6E12000",
         "C2E66F9FC9EAE508373408769CC79621A9E66795DA783D81003D0DAC75C07CA59100"},
        {"906C0000090388FCA340549FEEA700", "CED005C806CEE3C1BDA5849326F37D3D038939CD32ECB2EA9100"},
        {"900C000019034043AD145C9702BC07D25BF445FB95A185E7F9E5E21AD82700", "AC9D7FE6C039F2719100"},
        {"908B00002F04000000100000D3FA2C892E22A7CEFEF69E3ECE1F90F9FE81D7C61D61AC619F68AFA3DC579D63766CEE00E23CF7D600",
         "0C7E40D96E0285549100"},
        {"90C80000185352562D544F5055502D303030303031C564F76DF1F38D9900",
         "8486E7884EDE25E805BCB198972951498A632E9F2090AE859100"},
        {"90C7000009012CB78AC4A05812BC00", "12000000BD8CC1D7B5C9EED0F8993C3D7C15BE759100"},
    };
    static const char *const debit[][2] = {
        {"905A00000399440100", "9100"},
        {"9071000002010000", "365ABFCFF8AFC27F777D7170925ADBE991AF"},
        {"90AF000020BDF5927A1640B5E1E4C0FD52FBC6AB1D6812DDD290BA0CA62AEB4E84444F84AB00",
         "BF61D7D8FB8C13F21EEC07A823EB46C780BEDC54B066F41D7E3F53D0119BFD6D9100"},
        {"906C0000090308D09B7E41BC501100", "8026045AC155227D051897D9CEA2F38AE1FBF63CB33405BE9100"},
        {"90DC0000190391C5D9F9537FEB055CE74F4FEFD8CE372E0894AD23B1F3C800", "7E0F5CFD90319B1E9100"},
        {"908B00002F020000001000003159B8A6BDC54034ABE7022BCC53DA11258B1F34D9310EF89F103909071CC9B32347B2DD55A1DE9A00",
         "806F128023F6CAC99100"},
        {"90C80000185445524D2D3030343200000000000000D87C13E08E31488400",
         "45F83230D88DBEC39B07299B151160CE0EDC095E2A3FADC09100"},
        {"90C7000009016A2B02296A31A94900", "13000000736A0900AA459698AE11D02B7B834D3E9100"},
    };
    struct bench *b = *state;

    given_personalised_purse(b);
    assert_df(do_debit(b, 3, 0), DF_OK); /* the 17th, so that the top-up gets counter 18 = 12h */
    assert_df(ask(b, CMD_COMMIT_READER_ID, "5445524D2D3030303100000000000000"), DF_OK);
    assert_df(do_commit(b), DF_OK);
    play(b, "0F1E2D3C4B5A69788796A5B4C3D2E1F0 7A21F00D", topup, sizeof topup / sizeof topup[0]);
    play(b, "DEADBEEF0123456789ABCDEF55AA55AA 9C3E01B7", debit, sizeof debit / sizeof debit[0]);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, READ_KEY), DF_OK);
    assert_int_equal(value_of(b, 3), 1234 + 2000 - 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EV2_TEST(top_up_and_debit_answer_the_published_bytes),
        EV3_TEST(top_up_and_debit_answer_the_published_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
