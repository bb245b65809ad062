/* What the back office can verify with the Transaction MAC key. */
#include <scrip/purse_desfire.h>
#include <string.h>

enum {
    GET_VALUE = 0x6C,
    CREDIT = 0x0C,
    DEBIT = 0xDC,
    WRITE_RECORD = 0x3B,
    WRITE_RECORD_LONG = 0x8B,
};

static enum scrip_status add_record(const struct scrip_desfire_purse *purse, uint8_t file,
                                    const uint8_t record[SCRIP_PURSE_RECORD], struct scrip_buf *tmi)
{
    return scrip_desfire_tmi_data(tmi, purse->long_codes ? WRITE_RECORD_LONG : WRITE_RECORD, file, 0,
                                  SCRIP_PURSE_RECORD, scrip_bytes(record, SCRIP_PURSE_RECORD));
}

enum scrip_status scrip_purse_topup_tmi(const struct scrip_desfire_purse *purse, const struct scrip_purse_topup *topup,
                                        int32_t balance, const uint8_t enc_tmri[16], struct scrip_buf *tmi)
{
    uint8_t record[SCRIP_PURSE_RECORD];
    scrip_purse_topup_record(purse, topup, record);
    SCRIP_TRY(scrip_desfire_tmi_value(tmi, GET_VALUE, purse->value_file, balance));
    SCRIP_TRY(scrip_desfire_tmi_value(tmi, CREDIT, purse->value_file, topup->amount));
    SCRIP_TRY(add_record(purse, purse->topup_file, record, tmi));
    return purse->reader_id ? scrip_desfire_tmi_reader(tmi, topup->tmri, enc_tmri) : SCRIP_OK;
}

enum scrip_status scrip_purse_debit_tmi(const struct scrip_desfire_purse *purse, const struct scrip_purse_debit *debit,
                                        int32_t balance, const uint8_t enc_tmri[16], struct scrip_buf *tmi)
{
    uint8_t record[SCRIP_PURSE_RECORD];
    if (purse->smallest_debit) {
        return scrip_desfire_tmi_value(tmi, DEBIT, purse->value_file, debit->amount);
    }
    scrip_purse_debit_record(debit, record);
    SCRIP_TRY(scrip_desfire_tmi_value(tmi, GET_VALUE, purse->value_file, balance));
    SCRIP_TRY(scrip_desfire_tmi_value(tmi, DEBIT, purse->value_file, debit->amount));
    SCRIP_TRY(add_record(purse, purse->log_file, record, tmi));
    return purse->reader_id ? scrip_desfire_tmi_reader(tmi, debit->tmri, enc_tmri) : SCRIP_OK;
}

enum scrip_status scrip_purse_tmv_check(const uint8_t tmac_key[16], const uint8_t uid[7], uint32_t tmc,
                                        struct scrip_bytes tmi, const uint8_t tmv[8])
{
    struct scrip_desfire_tmac_keys keys;
    uint8_t wanted[8];
    scrip_desfire_tmac_keys(tmac_key, tmc, uid, &keys);
    scrip_desfire_tmv(&keys, tmi, wanted);
    scrip_wipe(&keys, sizeof keys);
    return scrip_equal_ct(wanted, tmv, sizeof wanted) ? SCRIP_OK : SCRIP_E_MAC;
}

void scrip_purse_previous_reader(const uint8_t tmac_key[16], const uint8_t uid[7], uint32_t tmc,
                                 const uint8_t enc_tmri[16], uint8_t tmri[16])
{
    struct scrip_desfire_tmac_keys keys;
    scrip_desfire_tmac_keys(tmac_key, tmc, uid, &keys);
    scrip_desfire_tmri_decrypt(&keys, enc_tmri, tmri);
    scrip_wipe(&keys, sizeof keys);
}

enum scrip_status scrip_purse_topup_proved(const struct scrip_desfire_tap *tap, const struct scrip_purse_topup *topup,
                                           const uint8_t *tmac_key)
{
    const struct scrip_desfire_facts *facts = &tap->facts;
    uint8_t memory[SCRIP_PURSE_TMI_MAX];
    struct scrip_buf tmi = SCRIP_BUF_OF(memory);
    if ((facts->has & SCRIP_FACT_COMMITTED) == 0) {
        return SCRIP_E_WAIT;
    }
    if (tap->purse.tmac_file == SCRIP_PURSE_NONE) {
        return SCRIP_OK;
    }
    const uint32_t needed = SCRIP_FACT_COMMIT_TMV | SCRIP_FACT_BALANCE | SCRIP_FACT_UID |
                            (tap->purse.reader_id ? (uint32_t)SCRIP_FACT_READER : 0U);
    if (tmac_key == NULL || (facts->has & needed) != needed) {
        return SCRIP_E_WAIT;
    }
    SCRIP_TRY(scrip_purse_topup_tmi(&tap->purse, topup, facts->balance, facts->enc_tmri, &tmi));
    return scrip_purse_tmv_check(tmac_key, facts->uid, facts->commit_tmc, scrip_buf_bytes(&tmi), facts->commit_tmv);
}
