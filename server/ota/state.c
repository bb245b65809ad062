#include "session.h"

#include <string.h>

#define FLAG_SETTLED     1U
#define FLAG_NEWEST_ONLY 2U
#define FLAG_COUNT_ONLY  4U

enum scrip_status session_save(const struct session *session, const struct scrip_desfire_tap *tap,
                               struct scrip_buf *out)
{
    const size_t id_len = strlen(session->order_id);
    const uint8_t head[] = {session->stage,
                            session->restarts,
                            session->key_version,
                            session->attempt,
                            session->reads,
                            session->proof_role,
                            (uint8_t)((session->settled ? FLAG_SETTLED : 0U) |
                                      (session->newest_only ? FLAG_NEWEST_ONLY : 0U) |
                                      (session->count_only ? FLAG_COUNT_ONLY : 0U)),
                            (uint8_t)id_len};
    SCRIP_TRY(scrip_buf_add(out, head, sizeof head));
    SCRIP_TRY(scrip_buf_add(out, session->order_id, id_len));
    SCRIP_TRY(scrip_buf_add_le(out, session->issue_no, 4));
    SCRIP_TRY(scrip_buf_add_le(out, session->tmc_floor, 4));
    SCRIP_TRY(scrip_buf_add_le(out, session->reference, 4));
    SCRIP_TRY(scrip_buf_add_u8(out, session->refused_cmd));
    SCRIP_TRY(scrip_buf_add_le(out, session->refused_sw, 2));
    return scrip_desfire_tap_save(tap, out);
}

enum scrip_status session_load(struct session *session, struct scrip_bytes *in)
{
    struct scrip_bytes head;
    struct scrip_bytes id;
    struct scrip_bytes numbers;
    SCRIP_TRY(scrip_bytes_take(in, 8, &head));
    if (head.at[0] >= OTA_STAGE_COUNT || head.at[7] > SCRIP_LEDGER_ID_MAX) {
        return SCRIP_E_FORMAT;
    }
    SCRIP_TRY(scrip_bytes_take(in, head.at[7], &id));
    SCRIP_TRY(scrip_bytes_take(in, 15, &numbers));
    *session = (struct session){
        .stage = head.at[0],
        .restarts = head.at[1],
        .key_version = head.at[2],
        .attempt = head.at[3],
        .reads = head.at[4],
        .proof_role = head.at[5],
        .settled = (head.at[6] & FLAG_SETTLED) != 0,
        .newest_only = (head.at[6] & FLAG_NEWEST_ONLY) != 0,
        .count_only = (head.at[6] & FLAG_COUNT_ONLY) != 0,
        .issue_no = scrip_get_le32(numbers.at),
        .tmc_floor = scrip_get_le32(numbers.at + 4),
        .reference = scrip_get_le32(numbers.at + 8),
        .refused_cmd = numbers.at[12],
        .refused_sw = scrip_get_le16(numbers.at + 13),
    };
    memcpy(session->order_id, id.at, id.len);
    return SCRIP_OK;
}
