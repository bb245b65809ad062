/* rooms: desfire_explain
 * desfire_explain.c: a conversation that somebody sends for explanation: length, command, length, response, and so on.
 */
#include <scrip/desfire_explain.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void see(void *ctx, const char *text)
{
    size_t *lines = ctx;
    if (strlen(text) >= SCRIP_DESFIRE_EXPLAIN_LINE) {
        abort();
    }
    (*lines)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scrip_desfire_explain explain;
    static const struct scrip_desfire_explain_key keys[] = {
        {.key = {.cipher = SCRIP_DES}, .name = "zero"},
        {.key = {.cipher = SCRIP_2K3DES}, .name = "zero"},
        {.key = {.cipher = SCRIP_3K3DES}, .name = "zero"},
        {.key = {.cipher = SCRIP_AES128}, .name = "zero"},
    };
    struct scrip_bytes in = scrip_bytes(data, size);
    struct scrip_bytes part[2];
    struct scrip_bytes len;
    size_t lines = 0;
    scrip_desfire_explain_start(&explain, keys, sizeof keys / sizeof keys[0], see, &lines);
    for (;;) {
        for (size_t i = 0; i < 2; i++) {
            if (scrip_bytes_take(&in, 1, &len) != SCRIP_OK || scrip_bytes_take(&in, len.at[0], &part[i]) != SCRIP_OK) {
                return 0;
            }
        }
        scrip_desfire_explain_exchange(&explain, part[0], part[1]);
    }
}
