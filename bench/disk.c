/* A disk with a slower barrier, on request: fdatasync of this program and of the libraries in it takes longer by a
 * fixed time, for the server and for its yardsticks alike. Solid disks with a write cache of their own answer in 0.1
 * ms, where the processor is the limit and grouping has little to save; most disks take 1 ms and more. */
#include "disk.h"

#include <dlfcn.h>
#include <errno.h>
#include <time.h>
#include <unistd.h>

static long extra_us;

void disk_slow_down(long us)
{
    extra_us = us;
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync"); /* the way POSIX gives for a function pointer */
    }
    const int result = real(fd);
    const int error = errno;
    struct timespec left = {.tv_sec = extra_us / 1000000, .tv_nsec = extra_us % 1000000 * 1000};
    while (extra_us > 0 && nanosleep(&left, &left) != 0) {
    }
    errno = error;
    return result;
}
