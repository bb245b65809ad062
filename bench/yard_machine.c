/* Yardsticks of the bare machine: the disk's barrier and the block cipher. */
#include "yard.h"

#include <errno.h>
#include <fcntl.h>
#include <scrip/block.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    PAGES = 1024,
    BARRIERS = 200,
    CHAIN = 1000,
    CHAINS = 40,
};

static int preallocated_file(const struct bench_options *options, char *path, size_t cap)
{
    static const uint8_t zeros[PAGE];
    (void)snprintf(path, cap, "%s/barrier.bin", options->folder);
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        bench_die(path, strerror(errno));
    }
    for (int i = 0; i < PAGES; i++) {
        if (pwrite(fd, zeros, PAGE, (off_t)i * PAGE) != PAGE) {
            bench_die(path, strerror(errno));
        }
    }
    (void)fsync(fd);
    return fd;
}

double yard_fdatasync_us(const struct bench_options *options)
{
    char path[512];
    uint8_t page[PAGE];
    double times[BARRIERS];
    const int fd = preallocated_file(options, path, sizeof path);
    for (int i = 0; i < BARRIERS; i++) {
        memset(page, i + 1, sizeof page);
        const double start = bench_now();
        if (pwrite(fd, page, PAGE, (off_t)(i % PAGES) * PAGE) != PAGE || fdatasync(fd) != 0) {
            bench_die(path, strerror(errno));
        }
        times[i] = (bench_now() - start) * 1e6;
    }
    (void)close(fd);
    (void)unlink(path);
    bench_sort(times, BARRIERS);
    return times[BARRIERS / 2];
}

double yard_aes_block_s(void)
{
    static const uint8_t key[16] = {1, 2, 3};
    uint8_t block[16] = {0};
    struct scrip_block cipher;
    double each[CHAINS];
    scrip_block_init(&cipher, SCRIP_AES128, key);
    for (int chain = 0; chain < CHAINS; chain++) {
        const double start = bench_now();
        for (int i = 0; i < CHAIN; i++) {
            scrip_block_encrypt(&cipher, 1, block, block);
        }
        each[chain] = (bench_now() - start) / CHAIN;
    }
    scrip_block_wipe(&cipher);
    return bench_typical(each, CHAINS);
}
