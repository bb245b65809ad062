/* money.c: the currency table, and amounts to and from text. */
#include <scrip/money.h>
#include <string.h>

#define NBSP   "\xC2\xA0"
#define NNBSP  "\xE2\x80\xAF"
#define RQUOTE "\xE2\x80\x99"

/* Placement follows the habit of the currency's home; where a currency has several homes, the largest one decides. */
#define FIRST  true, false
#define FIRST_ true, true
#define LAST_  false, true

static const struct scrip_currency TABLE[] = {
    /* code, number, exponent, symbol first and spaced, decimal, group, symbol, name */
    {"AED", 784, 2, FIRST_, '.', ",", "AED", "UAE dirham"},
    {"ARS", 32, 2, FIRST_, ',', ".", "$", "Argentine peso"},
    {"AUD", 36, 2, FIRST, '.', ",", "$", "Australian dollar"},
    {"BGN", 975, 2, LAST_, ',', NBSP, "лв.", "Bulgarian lev"},
    {"BHD", 48, 3, FIRST_, '.', ",", "BHD", "Bahraini dinar"},
    {"BRL", 986, 2, FIRST_, ',', ".", "R$", "Brazilian real"},
    {"CAD", 124, 2, FIRST, '.', ",", "$", "Canadian dollar"},
    {"CHF", 756, 2, FIRST_, '.', RQUOTE, "CHF", "Swiss franc"},
    {"CLP", 152, 0, FIRST, ',', ".", "$", "Chilean peso"},
    {"CNY", 156, 2, FIRST, '.', ",", "¥", "Chinese yuan"},
    {"COP", 170, 2, FIRST_, ',', ".", "$", "Colombian peso"},
    {"CZK", 203, 2, LAST_, ',', NBSP, "Kč", "Czech koruna"},
    {"DKK", 208, 2, LAST_, ',', ".", "kr.", "Danish krone"},
    {"EGP", 818, 2, FIRST_, '.', ",", "E£", "Egyptian pound"},
    {"EUR", 978, 2, LAST_, ',', ".", "€", "euro"},
    {"GBP", 826, 2, FIRST, '.', ",", "£", "pound sterling"},
    {"HKD", 344, 2, FIRST, '.', ",", "HK$", "Hong Kong dollar"},
    {"HUF", 348, 2, LAST_, ',', NBSP, "Ft", "Hungarian forint"},
    {"IDR", 360, 2, FIRST_, ',', ".", "Rp", "Indonesian rupiah"},
    {"ILS", 376, 2, FIRST_, '.', ",", "₪", "Israeli new shekel"},
    {"INR", 356, 2, FIRST, '.', ",", "₹", "Indian rupee"},
    {"ISK", 352, 0, LAST_, ',', ".", "kr.", "Icelandic krona"},
    {"JOD", 400, 3, FIRST_, '.', ",", "JOD", "Jordanian dinar"},
    {"JPY", 392, 0, FIRST, '.', ",", "¥", "Japanese yen"},
    {"KES", 404, 2, FIRST_, '.', ",", "Ksh", "Kenyan shilling"},
    {"KRW", 410, 0, FIRST, '.', ",", "₩", "South Korean won"},
    {"KWD", 414, 3, FIRST_, '.', ",", "KWD", "Kuwaiti dinar"},
    {"MAD", 504, 2, LAST_, ',', ".", "MAD", "Moroccan dirham"},
    {"MXN", 484, 2, FIRST, '.', ",", "$", "Mexican peso"},
    {"MYR", 458, 2, FIRST_, '.', ",", "RM", "Malaysian ringgit"},
    {"NGN", 566, 2, FIRST_, '.', ",", "₦", "Nigerian naira"},
    {"NOK", 578, 2, LAST_, ',', NBSP, "kr", "Norwegian krone"},
    {"NZD", 554, 2, FIRST, '.', ",", "$", "New Zealand dollar"},
    {"OMR", 512, 3, FIRST_, '.', ",", "OMR", "Omani rial"},
    {"PEN", 604, 2, FIRST_, '.', ",", "S/", "Peruvian sol"},
    {"PHP", 608, 2, FIRST, '.', ",", "₱", "Philippine peso"},
    {"PLN", 985, 2, LAST_, ',', NBSP, "zł", "Polish zloty"},
    {"QAR", 634, 2, FIRST_, '.', ",", "QAR", "Qatari riyal"},
    {"RON", 946, 2, LAST_, ',', ".", "RON", "Romanian leu"},
    {"RSD", 941, 2, LAST_, ',', ".", "RSD", "Serbian dinar"},
    {"SAR", 682, 2, FIRST_, '.', ",", "SAR", "Saudi riyal"},
    {"SEK", 752, 2, LAST_, ',', NBSP, "kr", "Swedish krona"},
    {"SGD", 702, 2, FIRST, '.', ",", "$", "Singapore dollar"},
    {"THB", 764, 2, FIRST, '.', ",", "฿", "Thai baht"},
    {"TND", 788, 3, LAST_, ',', NBSP, "DT", "Tunisian dinar"},
    {"TRY", 949, 2, FIRST, ',', ".", "₺", "Turkish lira"},
    {"TWD", 901, 2, FIRST, '.', ",", "NT$", "New Taiwan dollar"},
    {"UAH", 980, 2, LAST_, ',', NBSP, "₴", "Ukrainian hryvnia"},
    {"USD", 840, 2, FIRST, '.', ",", "$", "US dollar"},
    {"VND", 704, 0, LAST_, ',', ".", "₫", "Vietnamese dong"},
    {"ZAR", 710, 2, FIRST_, ',', NBSP, "R", "South African rand"},
};

#define ROWS (sizeof TABLE / sizeof TABLE[0])

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

const struct scrip_currency *scrip_currency_at(size_t i)
{
    return i < ROWS ? &TABLE[i] : NULL;
}

const struct scrip_currency *scrip_currency_find(const char *code)
{
    for (size_t i = 0; i < ROWS; i++) {
        const char *row = TABLE[i].code;
        size_t n = 0;
        while (row[n] != '\0' && upper(code[n]) == row[n]) {
            n++;
        }
        if (row[n] == '\0' && code[n] == '\0') {
            return &TABLE[i];
        }
    }
    return NULL;
}

const struct scrip_currency *scrip_currency_find_number(uint16_t number)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (TABLE[i].number == number) {
            return &TABLE[i];
        }
    }
    return NULL;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

struct pen {
    char *at;
    size_t len;
};

static size_t text_len(const char *text)
{
    size_t len = 0;
    while (text[len] != '\0') {
        len++;
    }
    return len;
}

static void put(struct pen *pen, const char *text)
{
    for (size_t i = 0; text[i] != '\0' && pen->len + 1 < SCRIP_MONEY_TEXT_MAX; i++) {
        pen->at[pen->len++] = text[i];
    }
    pen->at[pen->len] = '\0';
}

static void put_digits(struct pen *pen, const struct scrip_currency *currency, uint64_t minor)
{
    char digit[21]; /* least significant first */
    size_t count = 0;
    for (; minor != 0 || count <= currency->exponent; minor /= 10) {
        digit[count++] = (char)('0' + minor % 10);
    }
    for (size_t i = count; i-- > 0;) {
        put(pen, (char[]){digit[i], '\0'});
        if (i == currency->exponent && i != 0) {
            put(pen, (char[]){currency->decimal, '\0'});
        } else if (i > currency->exponent && (i - currency->exponent) % 3 == 0) {
            put(pen, currency->group);
        }
    }
}

void scrip_money_format(const struct scrip_currency *currency, int64_t minor, char text[SCRIP_MONEY_TEXT_MAX])
{
    struct pen pen = {.at = text};
    const uint64_t magnitude = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
    put(&pen, minor < 0 ? "-" : "");
    if (currency->symbol_first) {
        put(&pen, currency->symbol);
        put(&pen, currency->symbol_spaced ? NBSP : "");
    }
    put_digits(&pen, currency, magnitude);
    if (!currency->symbol_first) {
        put(&pen, currency->symbol_spaced ? NBSP : "");
        put(&pen, currency->symbol);
    }
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static bool skip(const char **text, const char *what)
{
    const size_t len = text_len(what);
    for (size_t i = 0; i < len; i++) {
        if ((*text)[i] == '\0' || upper((*text)[i]) != upper(what[i])) {
            return false;
        }
    }
    *text += len;
    return len > 0;
}

static bool skip_blanks(const char **text)
{
    const char *from = *text;
    while (skip(text, " ") || skip(text, NBSP) || skip(text, NNBSP)) {
    }
    return *text != from;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One group sign, as printed or as typed on a keyboard. */
static bool skip_group(const char **text, const struct scrip_currency *currency)
{
    return skip(text, currency->group) || skip(text, "'") || skip(text, NBSP) || skip(text, NNBSP) ||
           ((*text)[0] == ' ' && is_digit((*text)[1]) && skip(text, " "));
}

static enum scrip_status push_digit(uint64_t *value, char digit)
{
    const uint64_t add = (uint64_t)(digit - '0');
    if (*value > ((uint64_t)INT64_MAX - add) / 10) {
        return SCRIP_E_OVERFLOW;
    }
    *value = *value * 10 + add;
    return SCRIP_OK;
}

/* Digits before the decimal sign. Once a group sign was seen, every group has three digits. */
static enum scrip_status read_whole(const char **text, const struct scrip_currency *currency, uint64_t *value)
{
    unsigned run = 0;
    bool grouped = false;
    for (;;) {
        if (is_digit(**text)) {
            SCRIP_TRY(push_digit(value, *(*text)++));
            run++;
            continue;
        }
        const char *behind = *text;
        if (!skip_group(&behind, currency) || !is_digit(behind[0]) || !is_digit(behind[1]) || !is_digit(behind[2])) {
            break;
        }
        if (run == 0 || run > 3 || (grouped && run != 3)) {
            return SCRIP_E_FORMAT;
        }
        *text = behind;
        grouped = true;
        run = 0;
    }
    return run == 0 || (grouped && run != 3) ? SCRIP_E_FORMAT : SCRIP_OK;
}

/* The other sign ("12.50" typed where people print "12,50") is understood too, as long as it cannot be a group sign. */
static bool skip_decimal(const char **text, const struct scrip_currency *currency)
{
    const char sign[2] = {currency->decimal, '\0'};
    return skip(text, sign) || skip(text, ".") || skip(text, ",");
}

static enum scrip_status read_fraction(const char **text, const struct scrip_currency *currency, uint64_t *value)
{
    unsigned digits = 0;
    if (currency->exponent > 0 && is_digit((*text)[0]) == false && skip_decimal(text, currency)) {
        if (!is_digit(**text)) {
            return SCRIP_E_FORMAT;
        }
        for (; is_digit(**text) && digits < currency->exponent; digits++) {
            SCRIP_TRY(push_digit(value, *(*text)++));
        }
    }
    for (; digits < currency->exponent; digits++) {
        SCRIP_TRY(push_digit(value, '0'));
    }
    return SCRIP_OK;
}

static bool skip_unit(const char **text, const struct scrip_currency *currency)
{
    skip_blanks(text);
    const bool found = skip(text, currency->code) || skip(text, currency->symbol);
    skip_blanks(text);
    return found;
}

enum scrip_status scrip_money_parse(const struct scrip_currency *currency, const char *text, int64_t *minor)
{
    uint64_t value = 0;
    skip_blanks(&text);
    bool negative = skip(&text, "-");
    const bool unit_before = skip_unit(&text, currency);
    negative = negative || skip(&text, "-");
    SCRIP_TRY(read_whole(&text, currency, &value));
    SCRIP_TRY(read_fraction(&text, currency, &value));
    if (!unit_before) {
        skip_unit(&text, currency);
    }
    skip_blanks(&text);
    if (*text != '\0') {
        return SCRIP_E_FORMAT;
    }
    *minor = negative ? -(int64_t)value : (int64_t)value;
    return SCRIP_OK;
}
