/* Records, timestamps, reader ids, diversification inputs. */
#include <scrip/purse_desfire.h>
#include <string.h>

struct scrip_bytes scrip_purse_diversify_input(enum scrip_purse_role role, const uint8_t uid[7], const uint8_t aid[3],
                                               uint8_t *m)
{
    static const char system[10] = {'O', 'T', 'A', ' ', 'T', 'O', 'P', '-', 'U', 'P'};
    if (role == SCRIP_PURSE_AMK || role == SCRIP_PURSE_PICC || role == SCRIP_PURSE_ID) {
        return scrip_bytes(m, 0);
    }
    memcpy(m, uid, 7);
    for (size_t i = 0; i < 3; i++) {
        m[7 + i] = aid[2 - i]; /* printed order */
    }
    memcpy(m + 10, system, sizeof system);
    return scrip_bytes(m, 10 + sizeof system);
}

#define DAY_MS      UINT64_C(86400000)
#define DAY_SECONDS 86400U

static unsigned bcd(unsigned value)
{
    return value / 10 << 4 | value % 10;
}

/* Days since 1970-01-01 to a civil date and back, by eras of 400 years that begin in March. */
static void civil_of(uint32_t days, unsigned *year, unsigned *month, unsigned *day)
{
    const uint32_t z = days + 719468;
    const uint32_t era = z / 146097;
    const uint32_t doe = z % 146097;
    const uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const uint32_t mp = (5 * doy + 2) / 153;
    *day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *year = (unsigned)(yoe + era * 400 + (*month <= 2 ? 1 : 0));
}

static uint32_t days_of(unsigned year, unsigned month, unsigned day)
{
    const uint32_t y = year - (month <= 2 ? 1 : 0);
    const uint32_t era = y / 400;
    const uint32_t yoe = y % 400;
    const uint32_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void scrip_purse_timestamp(uint64_t unix_ms, uint8_t out[8])
{
    unsigned year;
    unsigned month;
    unsigned day;
    const uint64_t days = unix_ms / DAY_MS;
    civil_of((uint32_t)(days < 2932896 ? days : 2932896), &year, &month, &day); /* 9999-12-31 is the last day */
    const unsigned in_day = (unsigned)(unix_ms % DAY_MS);
    const unsigned second = in_day / 1000;
    const unsigned parts[8] = {year / 100,    year % 100,       month,       day,
                               second / 3600, second / 60 % 60, second % 60, in_day % 1000 / 10};
    for (size_t i = 0; i < 8; i++) {
        out[i] = (uint8_t)bcd(parts[i]);
    }
}

enum scrip_status scrip_purse_timestamp_get(const uint8_t in[8], uint64_t *unix_ms)
{
    unsigned parts[8];
    for (size_t i = 0; i < 8; i++) {
        if ((in[i] & 0x0FU) > 9 || in[i] >> 4 > 9) {
            return SCRIP_E_FORMAT;
        }
        parts[i] = (in[i] >> 4) * 10U + (in[i] & 0x0FU);
    }
    const unsigned year = parts[0] * 100 + parts[1];
    if (year < 1970 || parts[2] < 1 || parts[2] > 12 || parts[3] < 1 || parts[3] > 31 || parts[4] > 23 ||
        parts[5] > 59 || parts[6] > 59) {
        return SCRIP_E_FORMAT;
    }
    const uint64_t days = days_of(year, parts[2], parts[3]);
    *unix_ms = (days * DAY_SECONDS + parts[4] * 3600 + parts[5] * 60 + parts[6]) * 1000 + parts[7] * 10;
    return SCRIP_OK;
}

void scrip_purse_tmri(const uint8_t who[4], uint32_t reference, uint64_t sequence, uint8_t tmri[16])
{
    memcpy(tmri, who, 4);
    scrip_put_le32(tmri + 4, reference);
    scrip_put_le64(tmri + 8, sequence);
}

void scrip_purse_topup_record(const struct scrip_desfire_purse *purse, const struct scrip_purse_topup *topup,
                              uint8_t record[SCRIP_PURSE_RECORD])
{
    const bool marked = purse->sm == SCRIP_DESFIRE_SM_EV1;
    memcpy(record, topup->timestamp, 8);
    scrip_put_le32(record + 8, (uint32_t)topup->amount);
    scrip_put_le32(record + 12, topup->reference | (marked ? SCRIP_PURSE_REFERENCE_DONE : 0U));
}

void scrip_purse_debit_record(const struct scrip_purse_debit *debit, uint8_t record[SCRIP_PURSE_RECORD])
{
    memcpy(record, debit->reader, 4);
    memcpy(record + 4, debit->timestamp, 8);
    scrip_put_le32(record + 12, (uint32_t)debit->amount);
}

int scrip_purse_find_topup(const struct scrip_purse_log *log, uint32_t reference)
{
    for (int i = 0; i < log->count; i++) {
        if ((scrip_get_le32(log->records[i] + 12) & ~SCRIP_PURSE_REFERENCE_DONE) == reference) {
            return i;
        }
    }
    return -1;
}
