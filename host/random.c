#include <scrip/posix.h>
#include <sodium.h>
#include <string.h>

static enum scrip_status system_fill(void *ctx, uint8_t *dst, size_t len)
{
    (void)ctx;
    if (sodium_init() < 0) {
        return SCRIP_E_RANDOM;
    }
    randombytes_buf(dst, len);
    return SCRIP_OK;
}

struct scrip_random scrip_random_system(void)
{
    return (struct scrip_random){.fill = system_fill};
}

void scrip_random_seeded_init(struct scrip_random_seeded *seeded, uint64_t seed)
{
    memset(seeded, 0, sizeof *seeded);
    scrip_put_le64(seeded->key, seed);
}

/* The stream is ChaCha20 under the seed, 64 bytes a block. */
static void refill(struct scrip_random_seeded *seeded)
{
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES] = {0};
    memset(seeded->pool, 0, sizeof seeded->pool);
    (void)crypto_stream_chacha20_xor_ic(seeded->pool, seeded->pool, sizeof seeded->pool, nonce, seeded->block,
                                        seeded->key);
    seeded->block++;
    seeded->left = sizeof seeded->pool;
}

static enum scrip_status seeded_fill(void *ctx, uint8_t *dst, size_t len)
{
    struct scrip_random_seeded *seeded = ctx;
    for (size_t i = 0; i < len; i++) {
        if (seeded->left == 0) {
            refill(seeded);
        }
        dst[i] = seeded->pool[sizeof seeded->pool - seeded->left];
        seeded->left--;
    }
    return SCRIP_OK;
}

struct scrip_random scrip_random_seeded(struct scrip_random_seeded *seeded)
{
    return (struct scrip_random){.ctx = seeded, .fill = seeded_fill};
}

static enum scrip_status scripted_fill(void *ctx, uint8_t *dst, size_t len)
{
    struct scrip_random_scripted *scripted = ctx;
    struct scrip_bytes head;
    if (scrip_bytes_take(&scripted->left, len, &head) != SCRIP_OK) {
        return SCRIP_E_RANDOM;
    }
    if (len > 0) {
        memcpy(dst, head.at, len);
    }
    return SCRIP_OK;
}

struct scrip_random scrip_random_scripted(struct scrip_random_scripted *scripted)
{
    return (struct scrip_random){.ctx = scripted, .fill = scripted_fill};
}
