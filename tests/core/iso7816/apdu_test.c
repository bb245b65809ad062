#include "check.h"
#include <scrip/apdu.h>

static enum scrip_status parse(const char *hex, uint8_t bytes[64], struct scrip_apdu *apdu)
{
    return scrip_apdu_parse(scrip_bytes(bytes, from_hex(hex, bytes, 64)), apdu);
}

static void every_form_of_a_command_is_understood(void **state)
{
    static const struct {
        const char *bytes;
        const char *data;
        bool has_le, extended;
        uint32_t le;
    } forms[] = {
        {"00A40000", "", false, false, 0},
        {"00B0000000", "", true, false, 256},
        {"00B0000010", "", true, false, 16},
        {"00A40000023F00", "3F00", false, false, 0},
        {"00A40000023F0010", "3F00", true, false, 16},
        {"00A40000023F0000", "3F00", true, false, 256},
        {"00B000000001F4", "", true, true, 500},
        {"00B00000000000", "", true, true, 65536},
        {"00D60000 000002 AABB", "AABB", false, true, 0},
        {"00D60000 000002 AABB 0100", "AABB", true, true, 256},
    };
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct scrip_apdu apdu;
        uint8_t bytes[64];
        assert_ok(parse(forms[i].bytes, bytes, &apdu));
        assert_hex(apdu.data, forms[i].data);
        assert_int_equal(apdu.has_le, forms[i].has_le);
        assert_int_equal(apdu.extended, forms[i].extended);
        assert_int_equal(apdu.le, forms[i].le);
    }
}

static void lengths_that_disagree_are_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "00",
        "00A400",
        "00A40000033F00",
        "00A40000023F000000",
        "00A4000000AABB00",
        "00D6000000000201",
        "00D60000000000AA",
        "00D60000000001AA01",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct scrip_apdu apdu = {.cla = 0x77};
        uint8_t bytes[64];
        if (parse(wrong[i], bytes, &apdu) != SCRIP_E_LENGTH) {
            fail_msg("%s was accepted", wrong[i]);
        }
        assert_int_equal(apdu.cla, 0x77); /* untouched */
    }
}

static void a_command_is_written_and_read_back(void **state)
{
    uint8_t bytes[300];
    uint8_t data[256] = {1, 2, 3};
    struct scrip_buf out = SCRIP_BUF_OF(bytes);
    struct scrip_apdu apdu;
    (void)state;

    assert_ok(scrip_apdu_add(&out, 0x90, 0x5A, 0, 0, scrip_bytes(data, 3), 256));
    assert_hex(scrip_buf_bytes(&out), "905A00000301020300");
    assert_ok(scrip_apdu_parse(scrip_buf_bytes(&out), &apdu));
    assert_int_equal(apdu.le, 256);
    out.len = 0;
    assert_ok(scrip_apdu_add(&out, 0x00, 0xB0, 0x81, 2, scrip_bytes(NULL, 0), 16));
    assert_hex(scrip_buf_bytes(&out), "00B0810210");
    assert_status(scrip_apdu_add(&out, 0, 0, 0, 0, scrip_bytes(data, 256), 0), SCRIP_E_LENGTH);
    assert_status(scrip_apdu_add(&out, 0, 0, 0, 0, scrip_bytes(data, 1), 257), SCRIP_E_LENGTH);
    out.cap = 9;
    assert_status(scrip_apdu_add(&out, 0, 0, 0, 0, scrip_bytes(data, 1), 0), SCRIP_E_SPACE);
    assert_int_equal(out.len, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_a_command_is_understood),
        cmocka_unit_test(lengths_that_disagree_are_refused),
        cmocka_unit_test(a_command_is_written_and_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
