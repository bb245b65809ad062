#include <scrip/apdu.h>

#define HEADER_LEN 4U

/* The six forms after the header: nothing; Le; Lc data [Le]; and the last three with fields of 2 bytes behind a 00. */
static enum scrip_status parse_body(struct scrip_bytes body, struct scrip_apdu *apdu)
{
    const size_t field = body.len > 1 && body.at[0] == 0 && body.len > 2 ? 2 : 1;
    struct scrip_bytes rest = body;
    struct scrip_bytes skipped;

    apdu->extended = field == 2;
    if (apdu->extended) {
        SCRIP_TRY(scrip_bytes_take(&rest, 1, &skipped));
    }
    if (rest.len > field) { /* Lc and data come first */
        const size_t lc = field == 2 ? scrip_get_be16(rest.at) : rest.at[0];
        SCRIP_TRY(scrip_bytes_take(&rest, field, &skipped));
        if (lc == 0) {
            return SCRIP_E_LENGTH;
        }
        SCRIP_TRY(scrip_bytes_take(&rest, lc, &apdu->data));
    }
    if (rest.len == 0) {
        return SCRIP_OK;
    }
    if (rest.len != field) {
        return SCRIP_E_LENGTH;
    }
    apdu->has_le = true;
    apdu->le = field == 2 ? scrip_get_be16(rest.at) : rest.at[0];
    if (apdu->le == 0) {
        apdu->le = field == 2 ? 65536 : 256;
    }
    return SCRIP_OK;
}

enum scrip_status scrip_apdu_parse(struct scrip_bytes bytes, struct scrip_apdu *apdu)
{
    struct scrip_apdu parsed = {0};
    if (bytes.len < HEADER_LEN) {
        return SCRIP_E_LENGTH;
    }
    parsed.cla = bytes.at[0];
    parsed.ins = bytes.at[1];
    parsed.p1 = bytes.at[2];
    parsed.p2 = bytes.at[3];
    if (bytes.len > HEADER_LEN) {
        SCRIP_TRY(parse_body(scrip_bytes_from(bytes, HEADER_LEN), &parsed));
    }
    *apdu = parsed;
    return SCRIP_OK;
}

enum scrip_status scrip_apdu_add(struct scrip_buf *out, uint8_t cla, uint8_t ins, uint8_t p1, uint8_t p2,
                                 struct scrip_bytes data, uint32_t le)
{
    const uint8_t header[HEADER_LEN] = {cla, ins, p1, p2};
    const size_t len = sizeof header + (data.len > 0 ? 1 + data.len : 0) + (le > 0 ? 1 : 0);

    if (data.len > 255 || le > 256) {
        return SCRIP_E_LENGTH;
    }
    if (len > out->cap - out->len) {
        return SCRIP_E_SPACE;
    }
    SCRIP_TRY(scrip_buf_add(out, header, sizeof header));
    if (data.len > 0) {
        SCRIP_TRY(scrip_buf_add_u8(out, (uint8_t)data.len));
        SCRIP_TRY(scrip_buf_add_bytes(out, data));
    }
    return le > 0 ? scrip_buf_add_u8(out, (uint8_t)le) : SCRIP_OK;
}
