#include "check.h"

static void integers_keep_their_byte_order(void **state)
{
    (void)state;
    uint8_t at[8];
    scrip_put_le32(at, 0x11223344);
    assert_hex(scrip_bytes(at, 4), "44332211");
    assert_int_equal(scrip_get_be32(at), 0x44332211);
    scrip_put_be64(at, 0x0102030405060708);
    assert_hex(SCRIP_BYTES_OF(at), "0102030405060708");
    assert_true(scrip_get_le64(at) == 0x0807060504030201);
    scrip_put_le24(at, 0xABCDEF);
    assert_int_equal(scrip_get_le24(at), 0xABCDEF);
    scrip_put_le32(at, (uint32_t)INT32_MIN);
    assert_int_equal(scrip_get_le32s(at), INT32_MIN);
    scrip_put_le32(at, UINT32_MAX);
    assert_int_equal(scrip_get_le32s(at), -1);
}

static void a_full_buffer_takes_nothing(void **state)
{
    (void)state;
    uint8_t at[4];
    struct scrip_buf buf = SCRIP_BUF_OF(at);
    assert_ok(scrip_buf_add_be(&buf, 0x010203, 3));
    assert_status(scrip_buf_add_le(&buf, 7, 2), SCRIP_E_SPACE);
    assert_int_equal(buf.len, 3);
    assert_ok(scrip_buf_fill(&buf, 0xFF, 1));
    assert_status(scrip_buf_add_u8(&buf, 0), SCRIP_E_SPACE);
    assert_hex(scrip_buf_bytes(&buf), "010203FF");
}

static void a_span_gives_no_more_than_it_has(void **state)
{
    (void)state;
    struct scrip_bytes span = scrip_bytes("abc", 3);
    struct scrip_bytes head;
    assert_status(scrip_bytes_take(&span, 4, &head), SCRIP_E_LENGTH);
    assert_ok(scrip_bytes_take(&span, 2, &head));
    assert_true(scrip_bytes_equal(head, scrip_bytes("ab", 2)));
    assert_int_equal(span.len, 1);
    assert_int_equal(scrip_bytes_from(span, 5).len, 0);
}

static void hex_text_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum scrip_status status;
        const char *bytes;
    } rows[] = {{"", SCRIP_OK, ""},           {" \t\r\n", SCRIP_OK, ""},
                {"90aF", SCRIP_OK, "90AF"},   {"9 0 a\tf\r\n", SCRIP_OK, "90AF"},
                {"90A", SCRIP_E_FORMAT, ""},  {"9g", SCRIP_E_FORMAT, ""},
                {"0x90", SCRIP_E_FORMAT, ""}, {"9\xB0", SCRIP_E_FORMAT, ""},
                {"@0", SCRIP_E_FORMAT, ""},   {"`0", SCRIP_E_FORMAT, ""},
                {":0", SCRIP_E_FORMAT, ""},   {"/0", SCRIP_E_FORMAT, ""},
                {"G0", SCRIP_E_FORMAT, ""},   {"0102030405", SCRIP_E_SPACE, ""}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t at[5] = {0x77, 0, 0, 0, 0x77};
        struct scrip_buf buf = {.at = at, .len = 1, .cap = 5};
        size_t len = 99;
        print_message("%s\n", rows[i].text);
        assert_status(scrip_buf_add_hex(&buf, scrip_bytes(rows[i].text, strlen(rows[i].text))), rows[i].status);
        assert_hex(scrip_bytes_from(scrip_buf_bytes(&buf), 1), rows[i].bytes);
        assert_int_equal(at[4], 0x77);
        assert_int_equal(scrip_hex_len(scrip_bytes(rows[i].text, strlen(rows[i].text)), &len) == SCRIP_E_FORMAT,
                         rows[i].status == SCRIP_E_FORMAT);
        assert_int_equal(len == 99, rows[i].status == SCRIP_E_FORMAT);
    }
}

static void every_status_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (int i = 0; i < SCRIP_STATUS_COUNT; i++) {
        assert_true(strlen(scrip_status_name((enum scrip_status)i)) > 5);
        assert_true(strlen(scrip_strerror((enum scrip_status)i)) > 3);
    }
    assert_string_equal(scrip_status_name((enum scrip_status)SCRIP_STATUS_COUNT), "SCRIP_E_?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_keep_their_byte_order),     cmocka_unit_test(a_full_buffer_takes_nothing),
        cmocka_unit_test(a_span_gives_no_more_than_it_has),   cmocka_unit_test(hex_text_is_read_whole_or_not_at_all),
        cmocka_unit_test(every_status_has_a_name_and_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
