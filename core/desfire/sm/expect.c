/* expect.c: an outstanding response's needs as bytes. Only what is used is written: a sealed token travels twice. */
#include "sm.h"

/* Bits of the flags byte. */
enum {
    FILE_DATA = 1,
    SETTINGS = 2,
    OWN_CHECKSUMS = 4,
    UNKNOWN_LEN = 8,
    NO_MAC_BACK = 16,
    DATA_BACK = 32,
    AHEAD = 64,
};

static uint8_t flags_of(const struct scrip_desfire_expect *expect)
{
    const struct scrip_desfire_protection *p = &expect->protection;
    return (uint8_t)((p->file_data ? FILE_DATA : 0) | (p->settings ? SETTINGS : 0) |
                     (p->own_checksums ? OWN_CHECKSUMS : 0) | (p->unknown_len ? UNKNOWN_LEN : 0) |
                     (p->no_mac_back ? NO_MAC_BACK : 0) | (p->data_back ? DATA_BACK : 0) | (expect->ahead ? AHEAD : 0));
}

static bool has_predicted(const struct scrip_desfire_expect *expect)
{
    return expect->sm == SCRIP_DESFIRE_SM_EV1 && expect->ahead && !expect->protection.no_mac_back;
}

static enum scrip_status save_variable(const struct scrip_desfire_expect *expect, struct scrip_buf *out)
{
    if (expect->sm == SCRIP_DESFIRE_SM_EV2 || expect->sm == SCRIP_DESFIRE_SM_LRP) {
        SCRIP_TRY(scrip_buf_add_le(out, expect->cmd_ctr, 2));
    }
    if (expect->sm == SCRIP_DESFIRE_SM_LRP) {
        SCRIP_TRY(scrip_buf_add_le(out, expect->enc_ctr, 4));
    }
    if (has_predicted(expect)) {
        return scrip_buf_add(out, expect->predicted, sizeof expect->predicted);
    }
    if (expect->sm == SCRIP_DESFIRE_SM_EV1 && !expect->ahead) {
        SCRIP_TRY(scrip_buf_add_u8(out, expect->deferred_len));
        return scrip_buf_add(out, expect->deferred, expect->deferred_len);
    }
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_expect_save(const struct scrip_desfire_expect *expect, struct scrip_buf *out)
{
    const size_t start = out->len;
    enum scrip_status status = scrip_buf_add_u8(out, (uint8_t)(expect->sm << 4 | expect->protection.comm));
    if (status == SCRIP_OK) {
        status = scrip_buf_add_u8(out, flags_of(expect));
    }
    if (status == SCRIP_OK) {
        status = scrip_buf_add_le(out, expect->protection.back_len, 2);
    }
    if (status == SCRIP_OK) {
        status = save_variable(expect, out);
    }
    return status == SCRIP_OK ? SCRIP_OK : scrip_sm_drop(start, out, status);
}

static enum scrip_status load_variable(struct scrip_desfire_expect *expect, struct scrip_bytes *in)
{
    struct scrip_bytes part;
    if (expect->sm == SCRIP_DESFIRE_SM_EV2 || expect->sm == SCRIP_DESFIRE_SM_LRP) {
        SCRIP_TRY(scrip_bytes_take(in, 2, &part));
        expect->cmd_ctr = scrip_get_le16(part.at);
    }
    if (expect->sm == SCRIP_DESFIRE_SM_LRP) {
        SCRIP_TRY(scrip_bytes_take(in, 4, &part));
        expect->enc_ctr = scrip_get_le32(part.at);
    }
    if (has_predicted(expect)) {
        SCRIP_TRY(scrip_bytes_take(in, sizeof expect->predicted, &part));
        memcpy(expect->predicted, part.at, part.len);
    } else if (expect->sm == SCRIP_DESFIRE_SM_EV1 && !expect->ahead) {
        SCRIP_TRY(scrip_bytes_take(in, 1, &part));
        expect->deferred_len = part.at[0];
        if (expect->deferred_len > sizeof expect->deferred) {
            return SCRIP_E_FORMAT;
        }
        SCRIP_TRY(scrip_bytes_take(in, expect->deferred_len, &part));
        memcpy(expect->deferred, part.at, part.len);
    }
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_expect_load(struct scrip_desfire_expect *expect, struct scrip_bytes *in)
{
    struct scrip_bytes rest = *in;
    struct scrip_bytes head;
    struct scrip_desfire_expect made = {0};

    SCRIP_TRY(scrip_bytes_take(&rest, 4, &head));
    const uint8_t flags = head.at[1];
    made.sm = head.at[0] >> 4;
    made.ahead = (flags & AHEAD) != 0;
    made.protection = (struct scrip_desfire_protection){
        .comm = head.at[0] & 0x0F,
        .file_data = (flags & FILE_DATA) != 0,
        .settings = (flags & SETTINGS) != 0,
        .own_checksums = (flags & OWN_CHECKSUMS) != 0,
        .unknown_len = (flags & UNKNOWN_LEN) != 0,
        .no_mac_back = (flags & NO_MAC_BACK) != 0,
        .data_back = (flags & DATA_BACK) != 0,
        .back_len = scrip_get_le16(head.at + 2),
    };
    if (made.sm > SCRIP_DESFIRE_SM_LRP || made.protection.comm > SCRIP_DESFIRE_FULL || (flags & 0x80) != 0) {
        return SCRIP_E_FORMAT;
    }
    SCRIP_TRY(load_variable(&made, &rest));
    *expect = made;
    *in = rest;
    return SCRIP_OK;
}
