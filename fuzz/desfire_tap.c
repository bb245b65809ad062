/* rooms: wallet_desfire
 * desfire_tap.c: a saved visit that is not one of ours, and what a phone may send to it. */
#include <scrip/purse_desfire.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scrip_desfire_tap tap;
    static struct scrip_replies replies;
    static struct scrip_batch batch;
    static uint8_t saved[SCRIP_DESFIRE_TAP_SAVED_MAX + 64];
    struct scrip_bytes in = scrip_bytes(data, size);
    struct scrip_bytes part;
    const uint8_t key[16] = {1};
    struct scrip_buf out = scrip_buf(saved, sizeof saved);
    if (size < 1 || scrip_desfire_tap_load(&tap, &scrip_desfire_profile_at(data[0] % 4U)->purse, &in) != SCRIP_OK) {
        return 0;
    }
    (void)scrip_desfire_tap_save(&tap, &out);
    scrip_replies_clear(&replies);
    while (scrip_bytes_take(&in, 1, &part) == SCRIP_OK && scrip_bytes_take(&in, part.at[0], &part) == SCRIP_OK &&
           scrip_replies_add(&replies, part) == SCRIP_OK) {
    }
    const enum scrip_status status = scrip_desfire_tap_take(&tap, &replies, key);
    scrip_batch_clear(&batch);
    if (status == SCRIP_E_WAIT) {
        (void)scrip_desfire_tap_continue(&tap, &batch);
    } else {
        (void)scrip_desfire_tap_answer(&tap, &batch, key, key);
        (void)scrip_desfire_tap_read(&tap, &batch, SCRIP_READ_BALANCE | SCRIP_READ_TOPUPS, 1);
    }
    return 0;
}
