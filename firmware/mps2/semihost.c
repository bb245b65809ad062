#include "semihost.h"

#include <string.h>

enum {
    SYS_OPEN = 0x01,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_SEEK = 0x0A,
    SYS_FLEN = 0x0C,
    SYS_CLOCK = 0x10,
    SYS_TIME = 0x11,
    SYS_GET_CMDLINE = 0x15,
    SYS_EXIT_EXTENDED = 0x20,
    OPEN_READ_WRITE = 3, /* "r+b" */
    OPEN_CREATE = 7,     /* "w+b" */
    APPLICATION_EXIT = 0x20026,
};

static int32_t call(uint32_t operation, const void *parameters)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameters;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

static uint32_t length_of(const char *text)
{
    uint32_t len = 0;
    while (text[len] != '\0') {
        len++;
    }
    return len;
}

int semihost_open(const char *name)
{
    static const uint32_t modes[] = {OPEN_READ_WRITE, OPEN_CREATE};
    int handle = -1;
    for (size_t i = 0; i < 2 && handle < 0; i++) {
        const uint32_t block[] = {(uint32_t)(uintptr_t)name, modes[i], length_of(name)};
        handle = call(SYS_OPEN, block);
    }
    return handle;
}

int32_t semihost_length(int handle)
{
    const uint32_t block[] = {(uint32_t)handle};
    return call(SYS_FLEN, block);
}

static bool move(uint32_t operation, int handle, uint32_t at, uint32_t data, size_t len)
{
    const uint32_t seek[] = {(uint32_t)handle, at};
    const uint32_t block[] = {(uint32_t)handle, data, (uint32_t)len};
    return call(SYS_SEEK, seek) == 0 && call(operation, block) == 0; /* what is returned is what was left over */
}

bool semihost_read(int handle, uint32_t at, void *data, size_t len)
{
    return move(SYS_READ, handle, at, (uint32_t)(uintptr_t)data, len);
}

bool semihost_write(int handle, uint32_t at, const void *data, size_t len)
{
    return move(SYS_WRITE, handle, at, (uint32_t)(uintptr_t)data, len);
}

bool semihost_argument(char *text, size_t cap)
{
    char line[256];
    const uint32_t block[] = {(uint32_t)(uintptr_t)line, sizeof line};
    if (call(SYS_GET_CMDLINE, block) != 0) {
        return false;
    }
    const char *word = line;
    for (const char *at = line; *at != '\0'; at++) {
        word = *at == ' ' ? at + 1 : word;
    }
    const uint32_t len = length_of(word);
    if (len == 0 || len >= cap) {
        return false;
    }
    memcpy(text, word, len + 1);
    return true;
}

uint32_t semihost_time(void)
{
    return (uint32_t)call(SYS_TIME, NULL);
}

uint32_t semihost_clock(void)
{
    return (uint32_t)call(SYS_CLOCK, NULL);
}

_Noreturn void semihost_exit(int code)
{
    const uint32_t block[] = {APPLICATION_EXIT, (uint32_t)code};
    for (;;) {
        (void)call(SYS_EXIT_EXTENDED, block);
    }
}
