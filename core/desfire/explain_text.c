#include "explain_text.h"

void text_start(struct text *text, char *at, size_t cap)
{
    *text = (struct text){.at = at, .cap = cap};
    at[0] = '\0';
}

void text_add(struct text *text, const char *words)
{
    while (*words != '\0' && text->len + 1 < text->cap) {
        text->at[text->len++] = *words++;
    }
    text->at[text->len] = '\0';
}

void text_number(struct text *text, int64_t number)
{
    char digits[21];
    size_t at = sizeof digits - 1;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        digits[--at] = '-';
    }
    text_add(text, digits + at);
}

void text_hex(struct text *text, struct scrip_bytes bytes, size_t most)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < bytes.len && i < most; i++) {
        const char pair[] = {digits[bytes.at[i] >> 4], digits[bytes.at[i] & 0xFU], '\0'};
        text_add(text, pair);
    }
    if (bytes.len > most) {
        text_add(text, "...");
    }
}
