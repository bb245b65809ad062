#include "console.h"

#include "board.h"

#include <stdarg.h>
#include <string.h>

static char line[CONSOLE_LINE];
static size_t typed;
static bool too_long;

size_t console_length(const char *text)
{
    size_t len = 0;
    while (text[len] != '\0') {
        len++;
    }
    return len;
}

void console_text(const char *text)
{
    board_console_write(text, console_length(text));
}

void console_line(const char *text, ...)
{
    va_list more;
    va_start(more, text);
    for (const char *at = text; at != NULL; at = va_arg(more, const char *)) {
        console_text(at);
    }
    va_end(more);
    console_text("\r\n");
}

void console_number(uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    board_console_write(digits + at, sizeof digits - at);
}

void console_hex(struct scrip_bytes bytes)
{
    static const char digit[] = "0123456789ABCDEF";
    for (size_t i = 0; i < bytes.len; i++) {
        const char pair[] = {digit[bytes.at[i] >> 4], digit[bytes.at[i] & 0xF]};
        board_console_write(pair, sizeof pair);
    }
}

static bool is_secret(void)
{
    return typed >= 4 && memcmp(line, "key ", 4) == 0;
}

static char *line_end(void)
{
    const bool whole = !too_long;
    line[typed] = '\0';
    typed = 0;
    too_long = false;
    console_text("\r\n");
    if (!whole) {
        scrip_wipe(line, sizeof line);
        console_line("error: line too long, nothing was done", NULL);
    }
    return whole ? line : NULL;
}

static void take(char c)
{
    if ((c == '\b' || c == 0x7F) && typed > 0) {
        typed--;
        console_text("\b \b");
    } else if (c >= ' ' && c < 0x7F) {
        if (typed + 1 >= sizeof line) {
            too_long = true;
            return;
        }
        line[typed++] = c;
        if (!is_secret() || c == ' ') {
            board_console_write(&c, 1);
        }
    }
}

char *console_poll(void)
{
    for (int c = board_console_read(); c >= 0; c = board_console_read()) {
        if (c == '\r' || c == '\n') {
            if (typed > 0 || too_long) {
                return line_end();
            }
        } else {
            take((char)c);
        }
    }
    return NULL;
}

void console_forget(void)
{
    scrip_wipe(line, sizeof line);
}

char *console_word(char **rest)
{
    char *at = *rest;
    while (*at == ' ') {
        at++;
    }
    char *word = at;
    while (*at != ' ' && *at != '\0') {
        at++;
    }
    *rest = *at == '\0' ? at : at + 1;
    *at = '\0';
    return word;
}

bool console_read_number(const char *word, uint64_t *number)
{
    uint64_t value = 0;
    const size_t len = console_length(word);
    for (size_t i = 0; i < len; i++) {
        if (word[i] < '0' || word[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(word[i] - '0');
    }
    *number = value;
    return len > 0 && len <= 18;
}

bool console_read_hex(const char *word, uint8_t *out, size_t len)
{
    struct scrip_buf bytes = scrip_buf(out, len);
    const size_t digits = console_length(word);
    return digits == 2 * len && scrip_buf_add_hex(&bytes, scrip_bytes(word, digits)) == SCRIP_OK && bytes.len == len;
}
