#include "check.h"
#include <scrip/money.h>

#define NBSP "\xC2\xA0"

static void an_amount_is_written_as_its_home_writes_it(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        int64_t minor;
        const char *text;
    } rows[] = {
        {"EUR", 123456, "1.234,56" NBSP "€"},
        {"EUR", 0, "0,00" NBSP "€"},
        {"EUR", -5, "-0,05" NBSP "€"},
        {"USD", 123456789, "$1,234,567.89"},
        {"USD", -5, "-$0.05"},
        {"GBP", 99, "£0.99"},
        {"CHF", 1234500, "CHF" NBSP "12’345.00"},
        {"JPY", 1500, "¥1,500"},
        {"KRW", 7, "₩7"},
        {"KWD", 1234567, "KWD" NBSP "1,234.567"},
        {"CZK", 100000, "1" NBSP "000,00" NBSP "Kč"},
        {"EUR", INT64_MIN, "-92.233.720.368.547.758,08" NBSP "€"},
        {"IDR", INT64_MAX, "Rp" NBSP "92.233.720.368.547.758,07"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[SCRIP_MONEY_TEXT_MAX];
        scrip_money_format(scrip_currency_find(rows[i].code), rows[i].minor, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void what_people_type_is_understood(void **state)
{
    (void)state;
    static const struct {
        const char *code, *text;
        int64_t minor;
    } rows[] = {
        {"EUR", "12", 1200},
        {"EUR", "12.5", 1250},
        {"EUR", "12,50", 1250},
        {"EUR", " 3 EUR ", 300},
        {"EUR", "€3", 300},
        {"EUR", "eur 0,05", 5},
        {"EUR", "1.234,56 €", 123456},
        {"EUR", "-2", -200},
        {"USD", "$1,234.56", 123456},
        {"USD", "-$0.05", -5},
        {"JPY", "1500", 1500},
        {"JPY", "¥1,500", 1500},
        {"KWD", "1.5", 1500},
        {"CHF", "12'345.00", 1234500},
        {"CZK", "1 000,00", 100000},
        {"EUR", "92233720368547758,07", INT64_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t minor = 0;
        assert_ok(scrip_money_parse(scrip_currency_find(rows[i].code), rows[i].text, &minor));
        assert_true(minor == rows[i].minor);
    }
}

static void what_is_no_amount_is_refused_and_never_rounded(void **state)
{
    (void)state;
    static const struct {
        const char *code, *text;
        enum scrip_status status;
    } rows[] = {
        {"EUR", "", SCRIP_E_FORMAT},
        {"EUR", "€", SCRIP_E_FORMAT},
        {"EUR", "1,234", SCRIP_E_FORMAT},
        {"EUR", "12,345", SCRIP_E_FORMAT},
        {"EUR", "1,", SCRIP_E_FORMAT},
        {"EUR", ",5", SCRIP_E_FORMAT},
        {"EUR", "1.23.456", SCRIP_E_FORMAT},
        {"EUR", "1234.567,00", SCRIP_E_FORMAT},
        {"EUR", "$5", SCRIP_E_FORMAT},
        {"EUR", "5 € 5", SCRIP_E_FORMAT},
        {"EUR", "ten", SCRIP_E_FORMAT},
        {"JPY", "1.5", SCRIP_E_FORMAT},
        {"USD", "1e3", SCRIP_E_FORMAT},
        {"USD", "--1", SCRIP_E_FORMAT},
        {"EUR", "92233720368547758,08", SCRIP_E_OVERFLOW},
        {"EUR", "99999999999999999999999", SCRIP_E_OVERFLOW},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t minor = 42;
        assert_status(scrip_money_parse(scrip_currency_find(rows[i].code), rows[i].text, &minor), rows[i].status);
        assert_true(minor == 42);
    }
}

static void every_currency_reads_back_what_it_writes(void **state)
{
    (void)state;
    static const int64_t amounts[] = {0, 1, 9, 10, 99, 100, 999, 1000, 123456, 1234567890123, -1, -100000, INT64_MAX};
    const struct scrip_currency *currency;
    for (size_t row = 0; (currency = scrip_currency_at(row)) != NULL; row++) {
        assert_ptr_equal(scrip_currency_find(currency->code), currency);
        assert_ptr_equal(scrip_currency_find_number(currency->number), currency);
        for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
            char text[SCRIP_MONEY_TEXT_MAX];
            int64_t back = 0;
            scrip_money_format(currency, amounts[i], text);
            assert_ok(scrip_money_parse(currency, text, &back));
            assert_true(back == amounts[i]);
        }
    }
    assert_true(scrip_currency_find("eur") == scrip_currency_find("EUR"));
    assert_null(scrip_currency_find("EU"));
    assert_null(scrip_currency_find("EURO"));
    assert_null(scrip_currency_find_number(0));
    assert_int_equal(scrip_currency_find("EUR")->number, 978);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_amount_is_written_as_its_home_writes_it),
        cmocka_unit_test(what_people_type_is_understood),
        cmocka_unit_test(what_is_no_amount_is_refused_and_never_rounded),
        cmocka_unit_test(every_currency_reads_back_what_it_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
