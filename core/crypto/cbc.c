#include "block_math.h"
#include <scrip/block.h>
#include <scrip/bytes.h>

void scrip_cbc_encrypt(const struct scrip_block *block, uint8_t *iv, size_t count, uint8_t *dst, const uint8_t *src)
{
    const size_t len = scrip_block_len(block);
    for (size_t i = 0; i < count * len; i += len) {
        scrip_block_xor(iv, src + i, len);
        scrip_block_encrypt(block, 1, iv, iv);
        memcpy(dst + i, iv, len);
    }
}

void scrip_cbc_decrypt(const struct scrip_block *block, uint8_t *iv, size_t count, uint8_t *dst, const uint8_t *src)
{
    const size_t len = scrip_block_len(block);
    for (size_t i = 0; i < count * len; i += len) {
        uint8_t cipher[SCRIP_BLOCK_MAX];
        memcpy(cipher, src + i, len); /* src may be dst */
        scrip_block_decrypt(block, 1, dst + i, cipher);
        scrip_block_xor(dst + i, iv, len);
        memcpy(iv, cipher, len);
    }
}
