#include "check.h"
#include <scrip/originality.h>

/* A genuine EV2's UID and signature, as published with the proxmark3 client. */
static const char *const UID = "042A41CAE45380";
static const char *const SIGNATURE = "B2769F8DDB575AEA2A680ADCA8FFED4FAB81A1E9908E2B82FE0FABB6"
                                     "97BBD9B23835C416970E75768F12902ACA491349E94E6589EAF4F508";

static void every_published_key_is_a_point_of_the_curve(void **state)
{
    static const uint8_t uid[7] = {4};
    static const uint8_t signature[SCRIP_ORIGINALITY_SIGNATURE] = {1};
    size_t count = 0;
    (void)state;
    for (; scrip_originality_key_at(count) != NULL; count++) {
        const struct scrip_originality_key *key = scrip_originality_key_at(count);
        assert_true(strlen(key->product) > 5);
        assert_status(scrip_originality_verify(key->public_key, uid, signature), SCRIP_E_MAC);
    }
    assert_int_equal(count, 5);
}

static void a_signature_names_its_product_and_no_other(void **state)
{
    uint8_t uid[7];
    uint8_t signature[SCRIP_ORIGINALITY_SIGNATURE];
    (void)state;
    from_hex(UID, uid, sizeof uid);
    from_hex(SIGNATURE, signature, sizeof signature);
    assert_string_equal(scrip_originality_signer(uid, signature)->product, "MIFARE DESFire EV2");
    for (size_t i = 0; i < sizeof signature; i += 5) {
        signature[i] ^= 0x10;
        assert_null(scrip_originality_signer(uid, signature));
        signature[i] ^= 0x10;
    }
    for (size_t i = 0; i < sizeof uid; i++) {
        uid[i] ^= 0x01;
        assert_null(scrip_originality_signer(uid, signature));
        uid[i] ^= 0x01;
    }
    memset(signature, 0, sizeof signature);
    assert_null(scrip_originality_signer(uid, signature));
}

static void a_key_that_is_no_point_is_refused(void **state)
{
    uint8_t key[SCRIP_ORIGINALITY_PUBLIC];
    uint8_t uid[7];
    uint8_t signature[SCRIP_ORIGINALITY_SIGNATURE];
    (void)state;
    from_hex(UID, uid, sizeof uid);
    from_hex(SIGNATURE, signature, sizeof signature);
    memcpy(key, scrip_originality_key_at(1)->public_key, sizeof key);
    assert_ok(scrip_originality_verify(key, uid, signature));
    key[56] ^= 1;
    assert_status(scrip_originality_verify(key, uid, signature), SCRIP_E_KEY);
    key[56] ^= 1;
    key[0] = 0x02;
    assert_status(scrip_originality_verify(key, uid, signature), SCRIP_E_KEY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_published_key_is_a_point_of_the_curve),
        cmocka_unit_test(a_signature_names_its_product_and_no_other),
        cmocka_unit_test(a_key_that_is_no_point_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
