/* What survives the app: the request that is not answered yet. Everything else the server knows.
 *
 *   "SRLY" 01 | length (2) order path | length (2) step path | length (4) body        integers big-endian
 *
 * No key and no order token is in it; the step path is a token of its own, of use only with this card's answers. */
#include "phone.h"
#include <string.h>

static const uint8_t magic[] = {'S', 'R', 'L', 'Y', 1};

static enum scrip_status text_add(struct scrip_buf *out, const char *text)
{
    const size_t len = strlen(text);
    SCRIP_TRY(scrip_buf_add_be(out, len, 2));
    return scrip_buf_add(out, text, len);
}

static enum scrip_status write(struct scrip_relay *relay, struct scrip_buf *out)
{
    SCRIP_TRY(scrip_buf_add_bytes(out, SCRIP_BYTES_OF(magic)));
    SCRIP_TRY(text_add(out, relay->order_uri));
    SCRIP_TRY(text_add(out, relay->uri));
    SCRIP_TRY(scrip_buf_add_be(out, relay->out.len, 4));
    return scrip_buf_add_bytes(out, scrip_buf_bytes(&relay->out));
}

void relay_state_write(struct scrip_relay *relay)
{
    struct scrip_buf out = SCRIP_BUF_OF(relay->state);
    /* SCRIP_RELAY_STATE_MAX is the sum of the largest parts, so this cannot fail. */
    relay->state_len = write(relay, &out) == SCRIP_OK ? out.len : 0;
}

static enum scrip_status text_take(struct scrip_bytes *rest, char text[SCRIP_RELAY_URI_MAX])
{
    struct scrip_bytes part;
    SCRIP_TRY(scrip_bytes_take(rest, 2, &part));
    const size_t len = scrip_get_be16(part.at);
    SCRIP_TRY(scrip_bytes_take(rest, len, &part));
    if (len == 0 || len >= SCRIP_RELAY_URI_MAX || memchr(part.at, '\0', len) != NULL) {
        return SCRIP_E_FORMAT;
    }
    memcpy(text, part.at, len);
    text[len] = '\0';
    return SCRIP_OK;
}

static enum scrip_status read(struct scrip_relay *relay, struct scrip_bytes rest)
{
    struct scrip_bytes part;
    SCRIP_TRY(scrip_bytes_take(&rest, sizeof magic, &part));
    if (!scrip_bytes_equal(part, SCRIP_BYTES_OF(magic))) {
        return SCRIP_E_FORMAT;
    }
    SCRIP_TRY(text_take(&rest, relay->order_uri));
    SCRIP_TRY(text_take(&rest, relay->uri));
    SCRIP_TRY(scrip_bytes_take(&rest, 4, &part));
    if (scrip_get_be32(part.at) != rest.len || rest.len == 0) {
        return SCRIP_E_LENGTH;
    }
    relay->out.len = 0;
    return scrip_buf_add_bytes(&relay->out, rest);
}

enum scrip_status relay_state_read(struct scrip_relay *relay, struct scrip_bytes saved)
{
    return read(relay, saved) == SCRIP_OK ? SCRIP_OK : SCRIP_E_CORRUPT;
}
