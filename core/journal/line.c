/* A line as 256 bytes: 192 of intent, 64 of result, each under its own checksum. Integers LE. */
#include <scrip/crc.h>
#include <scrip/journal.h>
#include <string.h>

enum {
    LINE_VERSION = 1,
    /* intent */
    AT_MAGIC = 0,
    AT_VERSION = 2,
    AT_KIND = 3,
    AT_FLAGS = 4,
    AT_PROFILE = 6,
    AT_SAME = 7,
    AT_SEQUENCE = 8,
    AT_TERMINAL = 16,
    AT_UID = SCRIP_JOURNAL_LINE_UID,
    AT_AMOUNT = 28,
    AT_BALANCE = 32,
    AT_TMC_BEFORE = 36,
    AT_REFERENCE = 40,
    AT_TIMESTAMP = 44,
    AT_RECORD = 52,
    AT_TMRI = 68,
    AT_ENC_TMRI = 84,
    AT_DISPLACED = 100,
    AT_CRC = 188,
    /* result */
    AT_RESULT = 192,
    AT_STATE = 195,
    AT_RESULT_FLAGS = 196,
    AT_RESULT_SEQUENCE = 200,
    AT_TMC = 208,
    AT_TMV = 212,
    AT_RESULT_CRC = 252,
};

enum {
    HAS_BALANCE = 1,
    HAS_RECORD = 2,
    HAS_READER = 4,
    HAS_TMC_BEFORE = 8,
    HAS_DISPLACED = 16,
    HAS_TMV = 1,
};

static uint32_t checksum(const uint8_t *at, size_t from, size_t to)
{
    return scrip_crc32(SCRIP_CRC32_START, scrip_bytes(at + from, to - from));
}

static void encode_result(const struct scrip_journal_line *line, uint8_t *out)
{
    if (line->state == SCRIP_JOURNAL_INTENT) {
        return; /* zeros: no result */
    }
    memcpy(out + AT_RESULT, "SR", 2);
    out[AT_RESULT + 2] = LINE_VERSION;
    out[AT_STATE] = line->state;
    out[AT_RESULT_FLAGS] = line->has_tmv ? HAS_TMV : 0;
    scrip_put_le64(out + AT_RESULT_SEQUENCE, line->sequence);
    scrip_put_le32(out + AT_TMC, line->tmc);
    memcpy(out + AT_TMV, line->tmv, sizeof line->tmv);
    scrip_put_le32(out + AT_RESULT_CRC, checksum(out, AT_RESULT, AT_RESULT_CRC));
}

void scrip_journal_line_encode(const struct scrip_journal_line *line, uint8_t out[SCRIP_JOURNAL_LINE])
{
    const unsigned flags = (line->has_balance ? HAS_BALANCE : 0U) | (line->has_record ? HAS_RECORD : 0U) |
                           (line->has_reader ? HAS_READER : 0U) | (line->has_tmc_before ? HAS_TMC_BEFORE : 0U) |
                           (line->has_displaced ? HAS_DISPLACED : 0U);
    memset(out, 0, SCRIP_JOURNAL_LINE);
    memcpy(out + AT_MAGIC, "SJ", 2);
    out[AT_VERSION] = LINE_VERSION;
    out[AT_KIND] = line->kind;
    out[AT_FLAGS] = (uint8_t)flags;
    out[AT_PROFILE] = line->profile;
    out[AT_SAME] = line->same_before;
    scrip_put_le64(out + AT_SEQUENCE, line->sequence);
    memcpy(out + AT_TERMINAL, line->terminal, sizeof line->terminal);
    memcpy(out + AT_UID, line->uid, sizeof line->uid);
    scrip_put_le32(out + AT_AMOUNT, (uint32_t)line->amount);
    scrip_put_le32(out + AT_BALANCE, (uint32_t)line->balance);
    scrip_put_le32(out + AT_TMC_BEFORE, line->tmc_before);
    scrip_put_le32(out + AT_REFERENCE, line->reference);
    memcpy(out + AT_TIMESTAMP, line->timestamp, sizeof line->timestamp);
    memcpy(out + AT_RECORD, line->record, sizeof line->record);
    memcpy(out + AT_TMRI, line->tmri, sizeof line->tmri);
    memcpy(out + AT_ENC_TMRI, line->enc_tmri, sizeof line->enc_tmri);
    memcpy(out + AT_DISPLACED, line->displaced, sizeof line->displaced);
    scrip_put_le32(out + AT_CRC, checksum(out, 0, AT_CRC));
    encode_result(line, out);
}

/* A result that is not whole, or of an older line in the same slot, is none. */
static void decode_result(const uint8_t *in, struct scrip_journal_line *line)
{
    if (memcmp(in + AT_RESULT, "SR", 2) != 0 || in[AT_RESULT + 2] != LINE_VERSION ||
        scrip_get_le32(in + AT_RESULT_CRC) != checksum(in, AT_RESULT, AT_RESULT_CRC) ||
        scrip_get_le64(in + AT_RESULT_SEQUENCE) != line->sequence || in[AT_STATE] > SCRIP_JOURNAL_VOID) {
        return;
    }
    line->state = in[AT_STATE];
    line->has_tmv = (in[AT_RESULT_FLAGS] & HAS_TMV) != 0;
    line->tmc = scrip_get_le32(in + AT_TMC);
    memcpy(line->tmv, in + AT_TMV, sizeof line->tmv);
}

static void decode_intent(const uint8_t *in, struct scrip_journal_line *line)
{
    const unsigned flags = in[AT_FLAGS];
    *line = (struct scrip_journal_line){
        .sequence = scrip_get_le64(in + AT_SEQUENCE),
        .kind = in[AT_KIND],
        .state = SCRIP_JOURNAL_INTENT,
        .profile = in[AT_PROFILE],
        .amount = scrip_get_le32s(in + AT_AMOUNT),
        .reference = scrip_get_le32(in + AT_REFERENCE),
        .has_balance = (flags & HAS_BALANCE) != 0,
        .balance = scrip_get_le32s(in + AT_BALANCE),
        .has_record = (flags & HAS_RECORD) != 0,
        .same_before = in[AT_SAME],
        .has_reader = (flags & HAS_READER) != 0,
        .has_tmc_before = (flags & HAS_TMC_BEFORE) != 0,
        .tmc_before = scrip_get_le32(in + AT_TMC_BEFORE),
        .has_displaced = (flags & HAS_DISPLACED) != 0,
    };
    memcpy(line->terminal, in + AT_TERMINAL, sizeof line->terminal);
    memcpy(line->uid, in + AT_UID, sizeof line->uid);
    memcpy(line->timestamp, in + AT_TIMESTAMP, sizeof line->timestamp);
    memcpy(line->record, in + AT_RECORD, sizeof line->record);
    memcpy(line->tmri, in + AT_TMRI, sizeof line->tmri);
    memcpy(line->enc_tmri, in + AT_ENC_TMRI, sizeof line->enc_tmri);
    memcpy(line->displaced, in + AT_DISPLACED, sizeof line->displaced);
}

enum scrip_status scrip_journal_line_decode(struct scrip_bytes in, struct scrip_journal_line *line)
{
    if (in.len != SCRIP_JOURNAL_LINE) {
        return SCRIP_E_LENGTH;
    }
    if (memcmp(in.at, "SJ", 2) != 0) {
        return SCRIP_E_FORMAT;
    }
    if (scrip_get_le32(in.at + AT_CRC) != checksum(in.at, 0, AT_CRC)) {
        return SCRIP_E_CORRUPT;
    }
    if (in.at[AT_VERSION] != LINE_VERSION) {
        return SCRIP_E_UNSUPPORTED;
    }
    const uint8_t kind = in.at[AT_KIND];
    if ((kind != SCRIP_JOURNAL_DEBIT && kind != SCRIP_JOURNAL_CREDIT) || scrip_get_le64(in.at + AT_SEQUENCE) == 0 ||
        scrip_get_le32s(in.at + AT_AMOUNT) <= 0) {
        return SCRIP_E_FORMAT;
    }
    decode_intent(in.at, line);
    decode_result(in.at, line);
    return SCRIP_OK;
}
