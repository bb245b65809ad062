/* console.h: the terminal's serial line to people: lines in, sentences out. */
#ifndef FIRMWARE_CONSOLE_H
#define FIRMWARE_CONSOLE_H

#include <scrip/bytes.h>

#define CONSOLE_LINE 96U

/** Characters before the NUL. */
size_t console_length(const char *text);

/** Text as it is, up to its NUL. */
void console_text(const char *text);

/** Several texts, then the end of the line; the last argument is NULL. */
void console_line(const char *text, ...) __attribute__((sentinel));

/** Numbers and bytes, without the end of the line. */
void console_number(uint64_t number);
void console_hex(struct scrip_bytes bytes);

/** Take what was typed, character by character; Enter ends a line, Backspace takes one back. Nothing is echoed from the
 *  word "key" on: keys are typed there.
 *  @return a whole line without its end, NUL-terminated, until the next call; NULL: not yet */
char *console_poll(void);

/** Clear the line that console_poll returned, if it held a key. */
void console_forget(void);

/** The next word of a line, cut out in place; `*line` goes behind it. @return "" at the end */
char *console_word(char **line);

/** Decimal digits to a number. @return false: none, others, or more than 18 */
bool console_read_number(const char *word, uint64_t *number);

/** Hex to exactly `len` bytes. @return false: others, or not as many */
bool console_read_hex(const char *word, uint8_t *out, size_t len);

#endif
