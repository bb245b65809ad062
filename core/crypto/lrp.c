#include "block_math.h"
#include <scrip/lrp.h>

/* LRP re-keys AES for every half-byte, so each key enciphers at most a few blocks: slow on purpose. */

static void encrypt_once(const uint8_t key[16], const uint8_t in[16], uint8_t out[16])
{
    struct scrip_block block;
    scrip_block_init_encrypt(&block, SCRIP_AES128, key);
    scrip_block_encrypt(&block, 1, out, in);
    scrip_block_wipe(&block);
}

/* `count` values E_h(AA..), h stepping by E_h(55..) after each. */
static void generate(uint8_t h[16], unsigned count, uint8_t (*out)[16])
{
    uint8_t upper[16];
    uint8_t lower[16];
    memset(upper, 0x55, sizeof upper);
    memset(lower, 0xAA, sizeof lower);
    for (unsigned i = 0; i < count; i++) {
        encrypt_once(h, lower, out[i]);
        encrypt_once(h, upper, h);
    }
}

void scrip_lrp_init(struct scrip_lrp *lrp, const uint8_t key[16], unsigned q)
{
    uint8_t h[16];
    uint8_t start[16];
    memset(start, 0x55, sizeof start);
    encrypt_once(key, start, h);
    generate(h, 16, lrp->plain);
    memset(start, 0xAA, sizeof start);
    encrypt_once(key, start, h);
    generate(h, q, lrp->updated);
    scrip_wipe(h, sizeof h);
}

void scrip_lrp_wipe(struct scrip_lrp *lrp)
{
    scrip_wipe(lrp, sizeof *lrp);
}

void scrip_lrp_eval(const struct scrip_lrp *lrp, unsigned updated, const uint8_t *input, size_t nibbles, bool final,
                    uint8_t out[16])
{
    static const uint8_t zero[16] = {0};
    uint8_t y[16];
    memcpy(y, lrp->updated[updated], sizeof y);
    for (size_t i = 0; i < nibbles; i++) {
        const uint8_t byte = input[i / 2];
        encrypt_once(y, lrp->plain[i % 2 == 0 ? byte >> 4 : byte & 0x0F], y);
    }
    if (final) {
        encrypt_once(y, zero, y);
    }
    memcpy(out, y, sizeof y);
    scrip_wipe(y, sizeof y);
}

static void counter_step(uint8_t *counter, size_t len)
{
    while (len > 0 && ++counter[len - 1] == 0) {
        len--;
    }
}

void scrip_lrp_icb(const struct scrip_lrp *lrp, unsigned updated, uint8_t *counter, size_t counter_len, bool encrypt,
                   size_t count, uint8_t *dst, const uint8_t *src)
{
    struct scrip_block block;
    uint8_t y[16];
    for (size_t i = 0; i < count; i++) {
        scrip_lrp_eval(lrp, updated, counter, 2 * counter_len, true, y);
        scrip_block_init(&block, SCRIP_AES128, y);
        if (encrypt) {
            scrip_block_encrypt(&block, 1, dst + 16 * i, src + 16 * i);
        } else {
            scrip_block_decrypt(&block, 1, dst + 16 * i, src + 16 * i);
        }
        counter_step(counter, counter_len);
    }
    scrip_wipe(y, sizeof y);
    scrip_block_wipe(&block);
}

void scrip_lrp_cmac_subkeys(const struct scrip_lrp *lrp, unsigned updated, uint8_t k1[16], uint8_t k2[16])
{
    uint8_t l[16] = {0};
    uint8_t twice[16];
    scrip_lrp_eval(lrp, updated, l, 32, true, l);
    scrip_block_double(twice, l, 16);
    scrip_block_double(k2, twice, 16);
    memcpy(k1, twice, sizeof twice);
    scrip_wipe(l, sizeof l);
    scrip_wipe(twice, sizeof twice);
}

void scrip_lrp_mac_start(struct scrip_lrp_mac *mac, const struct scrip_lrp *lrp, unsigned updated)
{
    *mac = (struct scrip_lrp_mac){.lrp = lrp, .updated = updated};
}

static void absorb(struct scrip_lrp_mac *mac)
{
    scrip_block_xor(mac->x, mac->held, 16);
    scrip_lrp_eval(mac->lrp, mac->updated, mac->x, 32, true, mac->x);
    mac->held_len = 0;
}

/* As with CMAC the last block is held back, even when full. */
void scrip_lrp_mac_add(struct scrip_lrp_mac *mac, struct scrip_bytes piece)
{
    while (piece.len > 0) {
        if (mac->held_len == 16) {
            absorb(mac);
        }
        const struct scrip_bytes head = scrip_bytes_head(piece, 16 - mac->held_len);
        memcpy(mac->held + mac->held_len, head.at, head.len);
        mac->held_len += head.len;
        piece = scrip_bytes_from(piece, head.len);
    }
}

void scrip_lrp_mac_final(struct scrip_lrp_mac *mac, uint8_t out[16])
{
    const bool whole = mac->held_len == 16;
    uint8_t k1[16];
    uint8_t k2[16];

    scrip_lrp_cmac_subkeys(mac->lrp, mac->updated, k1, k2);
    if (!whole) {
        mac->held[mac->held_len] = 0x80;
        memset(mac->held + mac->held_len + 1, 0, 15 - mac->held_len);
    }
    scrip_block_xor(mac->held, whole ? k1 : k2, 16);
    absorb(mac);
    memcpy(out, mac->x, 16);
    scrip_wipe(k1, sizeof k1);
    scrip_wipe(k2, sizeof k2);
}

void scrip_lrp_cmac(const struct scrip_lrp *lrp, unsigned updated, struct scrip_bytes message, uint8_t mac[16])
{
    struct scrip_lrp_mac run;
    scrip_lrp_mac_start(&run, lrp, updated);
    scrip_lrp_mac_add(&run, message);
    scrip_lrp_mac_final(&run, mac);
}
