#include <scrip/bytes.h>

int scrip_hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    const char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum scrip_status scrip_hex_len(struct scrip_bytes text, size_t *len)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (is_blank(text.at[i])) {
            continue;
        }
        if (scrip_hex_digit((char)text.at[i]) < 0) {
            return SCRIP_E_FORMAT;
        }
        digits++;
    }
    if (digits % 2 != 0) {
        return SCRIP_E_FORMAT;
    }
    *len = digits / 2;
    return SCRIP_OK;
}

enum scrip_status scrip_buf_add_hex(struct scrip_buf *buf, struct scrip_bytes text)
{
    size_t len = 0;
    SCRIP_TRY(scrip_hex_len(text, &len));
    if (len > buf->cap - buf->len) {
        return SCRIP_E_SPACE;
    }
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_blank(text.at[i])) {
            uint8_t *at = buf->at + buf->len + digits / 2;
            const unsigned digit = (unsigned)scrip_hex_digit((char)text.at[i]);
            *at = (uint8_t)(digits % 2 == 0 ? digit << 4 : *at | digit);
            digits++;
        }
    }
    buf->len += len;
    return SCRIP_OK;
}
