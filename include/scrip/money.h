/* money.h: amounts as people read and write them.
 *
 * scrip counts in minor units (cents, yen, fils) everywhere; only what is shown or typed has a currency's format.
 * Freestanding, so that a gate's display and a server's receipt agree to the character. */
#ifndef SCRIP_MONEY_H
#define SCRIP_MONEY_H

#include <scrip/bytes.h>

/** How one currency is written. Rows of a constant table. */
struct scrip_currency {
    char code[4];       /**< ISO 4217, three capitals */
    uint16_t number;    /**< ISO 4217, as card headers hold it: 978 for EUR */
    uint8_t exponent;   /**< digits behind the decimal sign: 2 for EUR, 0 for JPY, 3 for KWD */
    bool symbol_first;  /**< "$1.50" rather than "1,50 €" */
    bool symbol_spaced; /**< a blank (U+00A0) between symbol and digits */
    char decimal;       /**< decimal sign, '.' or ',' */
    char group[4];      /**< between groups of three digits, UTF-8: ",", ".", "’" or a no-break space */
    const char *symbol; /**< UTF-8; the code itself where no symbol is common */
    const char *name;   /**< in English */
};

/** Longest text of scrip_money_format, with its final NUL. */
#define SCRIP_MONEY_TEXT_MAX 64U

/** The currency of an ISO 4217 code, in capitals or not. Static memory. @return NULL: not in the table */
const struct scrip_currency *scrip_currency_find(const char *code);

/** The currency of an ISO 4217 number. Static memory. @return NULL: not in the table */
const struct scrip_currency *scrip_currency_find_number(uint16_t number);

/** Row `i` of the table, for lists and tests. @return NULL behind the last row */
const struct scrip_currency *scrip_currency_at(size_t i);

/** Write an amount in the currency's own format: 123456 EUR cents as "1.234,56 €", -5 USD cents as "-$0.05".
 *  @param minor  minor units, any int64_t
 *  @param text   receives NUL-terminated UTF-8 */
void scrip_money_format(const struct scrip_currency *currency, int64_t minor, char text[SCRIP_MONEY_TEXT_MAX]);

/** Read what a person typed: "12", "12.5", "12,50", "1.234,56 €", "EUR 3" or "$1,234.56". Group signs are allowed only
 *  between groups of three; more decimals than the currency has are refused, never rounded.
 *  @param text   NUL-terminated UTF-8; may carry the currency's symbol or code, and a minus
 *  @param minor  receives minor units; untouched on failure
 *  @return SCRIP_OK; SCRIP_E_FORMAT: no amount of this currency; SCRIP_E_OVERFLOW: too large for int64_t */
enum scrip_status scrip_money_parse(const struct scrip_currency *currency, const char *text, int64_t *minor);

#endif
