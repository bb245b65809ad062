/* rooms: vcard
 * profile.c: any text as a card profile. What is accepted must also be safe to lint. */
#include <scrip/profile.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void finding(void *ctx, enum scrip_lint_level level, const char *sentence)
{
    size_t *bytes = ctx;
    *bytes += strlen(sentence) + (size_t)level;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scrip_profile profile;
    char error[SCRIP_PROFILE_ERROR_MAX];
    size_t bytes = 0;
    const enum scrip_status status = scrip_profile_parse("fuzz", scrip_bytes(data, size), &profile, error);
    if (status == SCRIP_OK) {
        scrip_profile_lint(&profile, finding, &bytes);
    } else if (status == SCRIP_E_FORMAT && memchr(error, '\0', sizeof error) == error) {
        abort(); /* a refusal without a sentence */
    }
    return 0;
}
