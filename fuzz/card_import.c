/* rooms: vcard
 * card_import.c: any bytes as a dump of another program. The first byte says which format, the rest is the file. What
 * is read must come back the same from every format it is written in. */
#include <scrip/card_dump.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void finding(void *ctx, enum scrip_lint_level level, const char *sentence)
{
    size_t *bytes = ctx;
    *bytes += strlen(sentence) + (size_t)level;
}

/* Out and in again. Raw dumps do not say how long the UID is nor what the card answered, so only the blocks count. */
static void round_trip(const struct scrip_card_dump *dump, enum scrip_dump_format format)
{
    static uint8_t text[SCRIP_DUMP_TEXT_MAX];
    static struct scrip_card_dump again;
    struct scrip_buf out = SCRIP_BUF_OF(text);
    char error[SCRIP_DUMP_ERROR_MAX];
    if (scrip_dump_write(format, dump, true, &out) != SCRIP_OK) {
        abort(); /* SCRIP_DUMP_TEXT_MAX is enough for all */
    }
    const enum scrip_status status = scrip_dump_read(format, scrip_buf_bytes(&out), &again, error);
    if (format == SCRIP_DUMP_MFD) {
        if (status == SCRIP_OK && memcmp(again.data, dump->data, sizeof dump->data) != 0) {
            abort();
        }
    } else if (status != SCRIP_OK || memcmp(&again, dump, sizeof again) != 0) {
        abort();
    }
    out.len = 0;
    if (scrip_dump_write(format, dump, false, &out) != SCRIP_OK) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scrip_card_dump dump;
    struct scrip_dump_gaps gaps;
    enum scrip_dump_format found;
    char error[SCRIP_DUMP_ERROR_MAX];
    size_t bytes = 0;
    if (size == 0) {
        return 0;
    }
    const enum scrip_dump_format format = (enum scrip_dump_format)(data[0] % SCRIP_DUMP_FORMATS);
    const struct scrip_bytes text = scrip_bytes(data + 1, size - 1);
    (void)scrip_dump_format_of_text(text, &found);
    if (scrip_dump_read(format, text, &dump, error) != SCRIP_OK) {
        if (error[0] == '\0') {
            abort(); /* a refusal without a sentence */
        }
        return 0;
    }
    round_trip(&dump, SCRIP_DUMP_FLIPPER); /* keeps what is not known */
    scrip_dump_fill(&dump, &gaps);
    for (int f = 0; f < SCRIP_DUMP_FORMATS; f++) {
        round_trip(&dump, (enum scrip_dump_format)f);
    }
    (void)scrip_dump_lint(&dump, finding, &bytes);
    return 0;
}
