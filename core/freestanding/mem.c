/* The four functions that a freestanding C implementation must have; a compiler may call them at any time. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t len)
{
    uint8_t *to = dst;
    const uint8_t *from = src;
    for (size_t i = 0; i < len; i++) {
        to[i] = from[i];
    }
    return dst;
}

void *memmove(void *dst, const void *src, size_t len)
{
    uint8_t *to = dst;
    const uint8_t *from = src;
    if ((uintptr_t)to <= (uintptr_t)from) {
        return memcpy(dst, src, len); /* forwards is safe: the front is read before it is written */
    }
    for (size_t i = len; i > 0; i--) {
        to[i - 1] = from[i - 1];
    }
    return dst;
}

void *memset(void *dst, int value, size_t len)
{
    uint8_t *to = dst;
    for (size_t i = 0; i < len; i++) {
        to[i] = (uint8_t)value;
    }
    return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const uint8_t *left = a;
    const uint8_t *right = b;
    for (size_t i = 0; i < len; i++) {
        if (left[i] != right[i]) {
            return left[i] < right[i] ? -1 : 1;
        }
    }
    return 0;
}
