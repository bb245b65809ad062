/* rooms: capture */
/* A capture that somebody sends for analysis: pcapng or text. */
#include <scrip/capture.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scrip_capture_reader reader;
    struct scrip_capture_entry entry;
    if (scrip_capture_read(&reader, scrip_bytes(data, size)) != SCRIP_OK) {
        return 0;
    }
    while (scrip_capture_next(&reader, &entry) == SCRIP_OK) {
        uint8_t sum = 0;
        for (size_t i = 0; i < entry.bytes.len; i++) {
            sum ^= entry.bytes.at[i];
        }
        if (entry.card.uid_len > sizeof entry.card.uid || entry.card.ats_len > sizeof entry.card.ats ||
            entry.bytes.len > SCRIP_CAPTURE_APDU_MAX + sum * 0U + size) {
            abort();
        }
    }
    return 0;
}
