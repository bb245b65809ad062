/* semihost.h: the emulator's services: files of its host, its command line, its exit code. [Arm semihosting, 2.0] */
#ifndef FIRMWARE_MPS2_SEMIHOST_H
#define FIRMWARE_MPS2_SEMIHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Open a file for reading and writing; it is made when it is not there. @return handle, below 0: failed */
int semihost_open(const char *name);

/** Length in bytes; below 0: failed. */
int32_t semihost_length(int handle);

/** Read or write `len` bytes at `at`. @return all of them were */
bool semihost_read(int handle, uint32_t at, void *data, size_t len);
bool semihost_write(int handle, uint32_t at, const void *data, size_t len);

/** The last word of the emulator's -semihosting-config arg=. @return false: none, or too long */
bool semihost_argument(char *text, size_t cap);

/** Seconds since 1970, of the host. */
uint32_t semihost_time(void);

/** Hundredths of a second that the emulator has run. */
uint32_t semihost_clock(void);

/** End the emulator. */
_Noreturn void semihost_exit(int code);

#endif
