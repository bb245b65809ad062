#include "token.h"

#include <nettle/base64.h>
#include <scrip/server.h>
#include <sodium.h>
#include <string.h>

#define FORMAT     1U
#define HEAD_BYTES 26U /* format, key version, nonce */
#define PHONE_HASH 24U
#define VARIANT    sodium_base64_VARIANT_URLSAFE_NO_PADDING

enum scrip_status token_hash(struct scrip_keys *keys, const char *purpose, const struct scrip_bytes *pieces,
                             size_t count, uint8_t out[32])
{
    return scrip_keys_hash(keys, SCRIP_KEY_SEAL, SCRIP_KEY_NEWEST, purpose, pieces, count, out);
}

/* The realm and the head are authenticated without being sealed. */
static struct scrip_bytes context_of(struct scrip_bytes realm, const uint8_t *head, struct scrip_buf *at)
{
    (void)scrip_buf_add_bytes(at, realm);
    (void)scrip_buf_add(at, head, 2);
    return scrip_buf_bytes(at);
}

/* A sealed token has no secret in its text, so it is not coded by libsodium: to do it in constant time took a tenth of
 * a top-up. Not padded. */
static enum scrip_status text_of_token(struct scrip_bytes token, char *text, size_t cap)
{
    struct base64_encode_ctx encoder;
    if (cap < BASE64_ENCODE_RAW_LENGTH(token.len) + 1) {
        return SCRIP_E_SPACE;
    }
    base64url_encode_init(&encoder);
    size_t len = base64_encode_update(&encoder, text, token.len, token.at);
    len += base64_encode_final(&encoder, text + len);
    text[len] = '\0';
    text[strcspn(text, "=")] = '\0';
    return SCRIP_OK;
}

/* The decoder passes over white space and takes padding; a token has neither, and no bits to spare. */
static bool token_of_text(const char *text, uint8_t *bytes, size_t cap, size_t *len)
{
    struct base64_decode_ctx decoder;
    const size_t digits = strlen(text);
    if (BASE64_DECODE_LENGTH(digits) > cap) {
        return false;
    }
    base64url_decode_init(&decoder);
    return base64_decode_update(&decoder, len, bytes, digits, text) != 0 && *len == digits * 3 / 4 && digits % 4 != 1 &&
           decoder.padding == 0 && (decoder.word & ((1U << decoder.bits) - 1U)) == 0;
}

enum scrip_status token_seal(struct scrip_keys *keys, struct scrip_bytes realm, struct scrip_bytes plain, char *text,
                             size_t cap)
{
    uint8_t bytes[TOKEN_BYTES_MAX];
    uint8_t context[64];
    uint8_t nonce[32];
    struct scrip_buf context_at = SCRIP_BUF_OF(context);
    struct scrip_buf out = SCRIP_BUF_OF(bytes);
    uint8_t version = 0;
    if (plain.len > TOKEN_PLAIN_MAX || realm.len > 32) {
        return SCRIP_E_SPACE;
    }
    SCRIP_TRY(scrip_keys_newest(keys, SCRIP_KEY_SEAL, &version));
    const struct scrip_bytes pieces[] = {realm, plain};
    SCRIP_TRY(scrip_keys_hash(keys, SCRIP_KEY_SEAL, version, "token nonce", pieces, 2, nonce));
    SCRIP_TRY(scrip_buf_add_u8(&out, FORMAT));
    SCRIP_TRY(scrip_buf_add_u8(&out, version));
    SCRIP_TRY(scrip_buf_add(&out, nonce, 24));
    SCRIP_TRY(scrip_keys_seal(keys, version, nonce, context_of(realm, bytes, &context_at), plain, &out));
    return text_of_token(scrip_buf_bytes(&out), text, cap);
}

enum scrip_status token_open(struct scrip_keys *keys, struct scrip_bytes realm, const char *text,
                             struct scrip_buf *plain)
{
    uint8_t bytes[TOKEN_BYTES_MAX];
    uint8_t context[64];
    struct scrip_buf context_at = SCRIP_BUF_OF(context);
    size_t len = 0;
    if (!token_of_text(text, bytes, sizeof bytes, &len) || len < HEAD_BYTES || bytes[0] != FORMAT) {
        return SCRIP_E_FORMAT;
    }
    return scrip_keys_unseal(keys, bytes[1], bytes + 2, context_of(realm, bytes, &context_at),
                             scrip_bytes(bytes + HEAD_BYTES, len - HEAD_BYTES), plain);
}

static enum scrip_status phone_hash(struct scrip_keys *keys, uint8_t version, const char *order_id, uint8_t hash[32])
{
    const struct scrip_bytes pieces[] = {scrip_bytes(order_id, strlen(order_id))};
    return scrip_keys_hash(keys, SCRIP_KEY_SEAL, version, "phone token", pieces, 1, hash);
}

enum scrip_status phone_token_make(struct scrip_keys *keys, const char *order_id, char *text)
{
    uint8_t bytes[1 + 32];
    SCRIP_TRY(scrip_keys_newest(keys, SCRIP_KEY_SEAL, &bytes[0]));
    SCRIP_TRY(phone_hash(keys, bytes[0], order_id, bytes + 1));
    sodium_bin2base64(text, SCRIP_PHONE_TOKEN_MAX, bytes, 1 + PHONE_HASH, VARIANT);
    return SCRIP_OK;
}

bool phone_token_is(struct scrip_keys *keys, const char *order_id, const char *text)
{
    uint8_t bytes[1 + PHONE_HASH];
    uint8_t hash[32];
    size_t len = 0;
    if (sodium_base642bin(bytes, sizeof bytes, text, strlen(text), NULL, &len, NULL, VARIANT) != 0 ||
        len != sizeof bytes || phone_hash(keys, bytes[0], order_id, hash) != SCRIP_OK) {
        return false;
    }
    return scrip_equal_ct(bytes + 1, hash, PHONE_HASH);
}

void digest_text(const char *text, uint8_t out[32])
{
    crypto_generichash(out, 32, (const uint8_t *)text, strlen(text), NULL, 0);
}

void token_digest(const char *text, char *out)
{
    uint8_t hash[32];
    digest_text(text, hash);
    sodium_bin2hex(out, 17, hash, 8);
}
