/* The BCD credit block. A valid copy has exactly one of each value bit and its complement bit set, so a block that lost
 * power while it was erased or programmed matches only when it is the old or the new one, whole. */
#include <scrip/bcd.h>
#include <string.h>

enum { DIGITS = 4, FIELDS = 4 };

static bool is_decimal(const uint8_t digits[DIGITS])
{
    for (size_t i = 0; i < DIGITS; i++) {
        if (digits[i] >> 4 > 9 || (digits[i] & 15) > 9) {
            return false;
        }
    }
    return true;
}

enum scrip_status scrip_bcd_put(int32_t credits, uint8_t digits[DIGITS])
{
    if (credits < 0 || credits > SCRIP_BCD_MAX) {
        return SCRIP_E_OVERFLOW;
    }
    for (size_t i = DIGITS; i-- > 0;) {
        digits[i] = (uint8_t)(credits % 10 + credits / 10 % 10 * 16);
        credits /= 100;
    }
    return SCRIP_OK;
}

enum scrip_status scrip_bcd_get(const uint8_t digits[DIGITS], int32_t *credits)
{
    if (!is_decimal(digits)) {
        return SCRIP_E_FORMAT;
    }
    int32_t sum = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        sum = sum * 100 + (digits[i] >> 4) * 10 + (digits[i] & 15);
    }
    *credits = sum;
    return SCRIP_OK;
}

/* One byte of two digits with carry, adjusted to decimal as a processor's DAA does it. */
static uint8_t add_pair(uint8_t a, uint8_t b, unsigned *carry)
{
    unsigned sum = (unsigned)a + b + *carry;
    if ((a & 15U) + (b & 15U) + *carry > 9) {
        sum += 0x06;
    }
    *carry = sum > 0x99 ? 1 : 0;
    return (uint8_t)(sum + *carry * 0x60);
}

static enum scrip_status add(uint8_t digits[DIGITS], const uint8_t step[DIGITS], unsigned carry, unsigned good_carry)
{
    uint8_t sum[DIGITS];
    for (size_t i = DIGITS; i-- > 0;) {
        sum[i] = add_pair(digits[i], step[i], &carry);
    }
    if (carry != good_carry) {
        return SCRIP_E_OVERFLOW;
    }
    memcpy(digits, sum, sizeof sum);
    return SCRIP_OK;
}

enum scrip_status scrip_bcd_add(uint8_t digits[DIGITS], const uint8_t step[DIGITS])
{
    return is_decimal(digits) && is_decimal(step) ? add(digits, step, 0, 0) : SCRIP_E_ARGUMENT;
}

/* By the ten's complement: add nines' complement and one; a carry out means that nothing had to be borrowed. */
enum scrip_status scrip_bcd_sub(uint8_t digits[DIGITS], const uint8_t step[DIGITS])
{
    uint8_t nines[DIGITS];
    if (!is_decimal(digits) || !is_decimal(step)) {
        return SCRIP_E_ARGUMENT;
    }
    for (size_t i = 0; i < DIGITS; i++) {
        nines[i] = (uint8_t)(0x99 - step[i]);
    }
    return add(digits, nines, 1, 1);
}

enum scrip_status scrip_bcd_block_put(int32_t credits, uint8_t block[SCRIP_BCD_BLOCK])
{
    uint8_t digits[DIGITS];
    SCRIP_TRY(scrip_bcd_put(credits, digits));
    memset(block, 0, SCRIP_BCD_BLOCK);
    for (size_t i = 0; i < DIGITS; i++) {
        block[i] = digits[i];
        block[DIGITS + i] = (uint8_t)~digits[i];
    }
    return SCRIP_OK;
}

enum scrip_status scrip_bcd_block_get(const uint8_t block[SCRIP_BCD_BLOCK], int32_t *credits)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        wrong |= (unsigned)(block[i] ^ block[DIGITS + i]) ^ 0xFFU;
    }
    for (size_t i = 2 * DIGITS; i < SCRIP_BCD_BLOCK; i++) {
        wrong |= block[i];
    }
    return wrong == 0 ? scrip_bcd_get(block, credits) : SCRIP_E_FORMAT;
}

enum scrip_copies_repair scrip_bcd_decide(const uint8_t data[SCRIP_BCD_BLOCK], const uint8_t backup[SCRIP_BCD_BLOCK],
                                          int32_t *credits)
{
    int32_t main = 0;
    int32_t copy = 0;
    const bool main_good = scrip_bcd_block_get(data, &main) == SCRIP_OK;
    const bool copy_good = scrip_bcd_block_get(backup, &copy) == SCRIP_OK;
    if (!main_good && !copy_good) {
        return SCRIP_COPIES_BOTH_DAMAGED;
    }
    *credits = main_good ? main : copy;
    if (!main_good) {
        return SCRIP_COPIES_MEND_MAIN;
    }
    return copy_good && copy == main ? SCRIP_COPIES_GOOD : SCRIP_COPIES_MEND_BACKUP;
}

/* ---- a proposal for the operator ---- */

/* A block that is all 00 or all FF was erased: its fields say nothing. */
static bool is_erased(const uint8_t block[SCRIP_BCD_BLOCK])
{
    for (size_t i = 1; i < SCRIP_BCD_BLOCK; i++) {
        if (block[i] != block[0]) {
            return false;
        }
    }
    return block[0] == 0x00 || block[0] == 0xFF;
}

static size_t take_fields(const uint8_t block[SCRIP_BCD_BLOCK], int32_t *fields)
{
    uint8_t complement[DIGITS];
    size_t count = 0;
    if (is_erased(block)) {
        return 0;
    }
    for (size_t i = 0; i < DIGITS; i++) {
        complement[i] = (uint8_t)~block[DIGITS + i];
    }
    count += scrip_bcd_get(block, &fields[count]) == SCRIP_OK ? 1U : 0U;
    count += scrip_bcd_get(complement, &fields[count]) == SCRIP_OK ? 1U : 0U;
    return count;
}

static size_t count_of(const int32_t *fields, size_t count, int32_t value)
{
    size_t same = 0;
    for (size_t i = 0; i < count; i++) {
        same += fields[i] == value ? 1U : 0U;
    }
    return same;
}

enum scrip_status scrip_bcd_propose(const uint8_t data[SCRIP_BCD_BLOCK], const uint8_t backup[SCRIP_BCD_BLOCK],
                                    int32_t *credits)
{
    int32_t fields[FIELDS];
    size_t count = take_fields(data, fields);
    count += take_fields(backup, fields + count);
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        best = count_of(fields, count, fields[i]) > count_of(fields, count, fields[best]) ? i : best;
    }
    if (count == 0 || count_of(fields, count, fields[best]) < 2) {
        return SCRIP_E_NOT_FOUND;
    }
    for (size_t i = 0; i < count; i++) { /* two against two is no majority */
        if (fields[i] != fields[best] && count_of(fields, count, fields[i]) == count_of(fields, count, fields[best])) {
            return SCRIP_E_NOT_FOUND;
        }
    }
    *credits = fields[best];
    return SCRIP_OK;
}
