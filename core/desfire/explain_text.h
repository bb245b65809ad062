/* explain_text.h: a line of text put together without a C library. What does not fit is left out. */
#ifndef SCRIP_DESFIRE_EXPLAIN_TEXT_H
#define SCRIP_DESFIRE_EXPLAIN_TEXT_H

#include <scrip/bytes.h>

struct text {
    char *at;
    size_t len; /* without the NUL, which is always there */
    size_t cap;
};

void text_start(struct text *text, char *at, size_t cap);
void text_add(struct text *text, const char *words);
void text_number(struct text *text, int64_t number);
/** Upper-case hex; at most `most` bytes, then an ellipsis. */
void text_hex(struct text *text, struct scrip_bytes bytes, size_t most);

#endif
