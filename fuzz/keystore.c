/* rooms: keys block_host */
/* The contents of a key file after it was opened, and a listing of what was taken in. */
#include <scrip/keys.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scrip_keys *keys;
    struct scrip_key_info info;
    if (scrip_keys_file_new(&keys) != SCRIP_OK) {
        return 0;
    }
    if (scrip_keys_file_parse(keys, scrip_bytes(data, size)) == SCRIP_OK) {
        for (size_t i = 0; scrip_keys_info(keys, i, &info) == SCRIP_OK; i++) {
            (void)scrip_key_role_name(info.role);
        }
    }
    scrip_keys_close(keys);
    return 0;
}
