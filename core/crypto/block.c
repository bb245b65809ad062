#include <scrip/block.h>
#include <scrip/bytes.h>

size_t scrip_cipher_key_len(enum scrip_cipher cipher)
{
    static const uint8_t len[] = {[SCRIP_DES] = 8,     [SCRIP_2K3DES] = 16, [SCRIP_3K3DES] = 24,
                                  [SCRIP_AES128] = 16, [SCRIP_AES192] = 24, [SCRIP_AES256] = 32};
    return (size_t)cipher < sizeof len ? len[cipher] : 0;
}

size_t scrip_cipher_block_len(enum scrip_cipher cipher)
{
    return cipher >= SCRIP_AES128 ? 16 : 8;
}

size_t scrip_block_len(const struct scrip_block *block)
{
    return scrip_cipher_block_len((enum scrip_cipher)block->cipher);
}

void scrip_block_wipe(struct scrip_block *block)
{
    scrip_wipe(block, sizeof *block);
}
