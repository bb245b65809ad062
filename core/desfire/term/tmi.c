/* The input of the Transaction MAC as the card builds it: plain data, no MAC, no padding of messaging. */
#include "private.h"
#include <string.h>

enum scrip_status scrip_desfire_tmi_value(struct scrip_buf *tmi, uint8_t cmd, uint8_t file, int32_t value)
{
    uint8_t fixed[6] = {cmd, file};
    scrip_put_le32(fixed + 2, (uint32_t)value);
    return scrip_desfire_tmi_add(tmi, SCRIP_BYTES_OF(fixed), scrip_bytes(NULL, 0));
}

enum scrip_status scrip_desfire_tmi_data(struct scrip_buf *tmi, uint8_t cmd, uint8_t file, uint32_t offset,
                                         uint32_t len, struct scrip_bytes data)
{
    uint8_t fixed[8] = {cmd, file};
    scrip_put_le24(fixed + 2, offset);
    scrip_put_le24(fixed + 5, len);
    return scrip_desfire_tmi_add(tmi, SCRIP_BYTES_OF(fixed), data);
}

enum scrip_status scrip_desfire_tmi_update(struct scrip_buf *tmi, uint8_t cmd, uint8_t file, uint32_t record,
                                           uint32_t offset, struct scrip_bytes data)
{
    uint8_t fixed[11] = {cmd, file};
    scrip_put_le24(fixed + 2, record);
    scrip_put_le24(fixed + 5, offset);
    scrip_put_le24(fixed + 8, (uint32_t)data.len);
    return scrip_desfire_tmi_add(tmi, SCRIP_BYTES_OF(fixed), data);
}

enum scrip_status scrip_desfire_tmi_clear(struct scrip_buf *tmi, uint8_t file)
{
    const uint8_t fixed[] = {CMD_CLEAR_RECORD_FILE, file};
    return scrip_desfire_tmi_add(tmi, SCRIP_BYTES_OF(fixed), scrip_bytes(NULL, 0));
}

enum scrip_status scrip_desfire_tmi_reader(struct scrip_buf *tmi, const uint8_t tmri[16], const uint8_t *enc_tmri)
{
    uint8_t fixed[33] = {CMD_COMMIT_READER_ID};
    memcpy(fixed + 1, tmri, 16);
    if (enc_tmri != NULL) {
        memcpy(fixed + 17, enc_tmri, 16);
    }
    return scrip_desfire_tmi_add(tmi, scrip_bytes(fixed, enc_tmri != NULL ? 33 : 17), scrip_bytes(NULL, 0));
}
