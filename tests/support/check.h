/* check.h: cmocka with the headers it wants, and a few checks that print what differs. */
#ifndef SCRIP_TEST_CHECK_H
#define SCRIP_TEST_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <scrip/bytes.h>
#include <scrip/status.h>

/** The call returns SCRIP_OK; prints the status otherwise. */
#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        const enum scrip_status ok_ = (call);                                                                          \
        if (ok_ != SCRIP_OK) {                                                                                         \
            fail_msg("%s: %s (%s)", #call, scrip_status_name(ok_), scrip_strerror(ok_));                               \
        }                                                                                                              \
    } while (0)

/** The call returns exactly this status. */
#define assert_status(call, expected) assert_string_equal(scrip_status_name(call), scrip_status_name(expected))

/** A span holds exactly these bytes, written as hex; blanks between bytes are allowed. */
#define assert_hex(bytes, text)       check_hex((bytes), (text), __FILE__, __LINE__)

static inline int check_nibble(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/** Bytes from hex into `dst` (at most `cap`); returns how many. Blanks are skipped. */
static inline size_t from_hex(const char *text, uint8_t *dst, size_t cap)
{
    size_t len = 0;
    for (; *text != '\0'; text++) {
        if (check_nibble(*text) < 0) {
            continue;
        }
        if (len == cap || text[1] == '\0') {
            fail_msg("hex text too long or odd");
        }
        dst[len++] = (uint8_t)(check_nibble(text[0]) << 4 | check_nibble(text[1]));
        text++;
    }
    return len;
}

static inline void check_hex(struct scrip_bytes bytes, const char *text, const char *file, int line)
{
    uint8_t wanted[8192];
    const size_t len = from_hex(text, wanted, sizeof wanted);
    if (len == bytes.len && (len == 0 || memcmp(wanted, bytes.at, len) == 0)) {
        return;
    }
    print_error("%s:%d: %zu bytes, wanted %zu\n  got    ", file, line, bytes.len, len);
    for (size_t i = 0; i < bytes.len; i++) {
        print_error("%02X", bytes.at[i]);
    }
    print_error("\n  wanted %s\n", text);
    _fail(file, line);
}

#endif
