/* Text that comes from a server ends on a user's screen, perhaps a terminal: no control character may get there. */
#include "phone.h"
#include <string.h>

static bool continues(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

void relay_text_copy(char *to, size_t cap, struct scrip_bytes text)
{
    size_t len = text.len < cap - 1 ? text.len : cap - 1;
    while (len < text.len && len > 0 && continues(text.at[len])) {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        const uint8_t byte = text.at[i];
        const bool c1 = byte == 0xC2 && i + 1 < len && text.at[i + 1] < 0xA0 && continues(text.at[i + 1]);
        if (c1) {
            to[i++] = ' ';
        }
        to[i] = c1 || byte < 0x20 || byte == 0x7F ? ' ' : (char)byte;
    }
    to[len] = '\0';
}

void relay_text_set(char *to, size_t cap, const char *text)
{
    relay_text_copy(to, cap, scrip_bytes(text, text != NULL ? strlen(text) : 0));
}
