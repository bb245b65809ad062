#include <errno.h>
#include <scrip/posix.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool inside(uint32_t pages, uint32_t at, size_t len)
{
    const uint64_t size = (uint64_t)pages * SCRIP_NV_PAGE;
    return at <= size && len <= size - at;
}

/* ---- memory ---- */

enum scrip_status scrip_nv_memory_init(struct scrip_nv_memory *memory, uint32_t pages)
{
    memory->at = malloc((size_t)pages * SCRIP_NV_PAGE);
    if (memory->at == NULL) {
        return SCRIP_E_MEMORY;
    }
    memory->pages = pages;
    memset(memory->at, 0xFF, (size_t)pages * SCRIP_NV_PAGE);
    return SCRIP_OK;
}

void scrip_nv_memory_free(struct scrip_nv_memory *memory)
{
    free(memory->at);
    *memory = (struct scrip_nv_memory){0};
}

static enum scrip_status memory_read(void *ctx, uint32_t at, uint8_t *dst, size_t len)
{
    const struct scrip_nv_memory *memory = ctx;
    if (!inside(memory->pages, at, len)) {
        return SCRIP_E_NV;
    }
    memcpy(dst, memory->at + at, len);
    return SCRIP_OK;
}

static enum scrip_status memory_write(void *ctx, uint32_t page, const uint8_t data[SCRIP_NV_PAGE])
{
    struct scrip_nv_memory *memory = ctx;
    if (page >= memory->pages) {
        return SCRIP_E_NV;
    }
    memcpy(memory->at + (size_t)page * SCRIP_NV_PAGE, data, SCRIP_NV_PAGE);
    return SCRIP_OK;
}

struct scrip_nv scrip_nv_memory(struct scrip_nv_memory *memory)
{
    return (struct scrip_nv){.ctx = memory, .pages = memory->pages, .read = memory_read, .write = memory_write};
}

/* ---- file ---- */

static enum scrip_status file_read(void *ctx, uint32_t at, uint8_t *dst, size_t len)
{
    const struct scrip_nv_file *file = ctx;
    if (!inside(file->pages, at, len)) {
        return SCRIP_E_NV;
    }
    while (len > 0) {
        const ssize_t got = pread(file->fd, dst, len, (off_t)(file->at + at));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return SCRIP_E_NV;
        }
        dst += got;
        at += (uint32_t)got;
        len -= (size_t)got;
    }
    return SCRIP_OK;
}

static enum scrip_status file_write(void *ctx, uint32_t page, const uint8_t data[SCRIP_NV_PAGE])
{
    const struct scrip_nv_file *file = ctx;
    if (page >= file->pages) {
        return SCRIP_E_NV;
    }
    const uint64_t at = file->at + (uint64_t)page * SCRIP_NV_PAGE;
    for (size_t done = 0; done < SCRIP_NV_PAGE;) {
        const ssize_t put = pwrite(file->fd, data + done, SCRIP_NV_PAGE - done, (off_t)(at + done));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return SCRIP_E_NV;
        }
        done += (size_t)put;
    }
    return !file->sync || fdatasync(file->fd) == 0 ? SCRIP_OK : SCRIP_E_NV;
}

struct scrip_nv scrip_nv_file(struct scrip_nv_file *file, int fd, uint64_t at, uint32_t pages, bool sync)
{
    *file = (struct scrip_nv_file){.fd = fd, .at = at, .pages = pages, .sync = sync};
    return (struct scrip_nv){.ctx = file, .pages = pages, .read = file_read, .write = file_write};
}

/* ---- tearing ---- */

/* SplitMix64: spreads any seed; nobody needs to be surprised by it, only repeatably so. */
static uint64_t garbage_next(uint64_t *state)
{
    *state += 0x9E3779B97F4A7C15U;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

/* A page caught in the middle: each byte old, new or neither. */
static void half_program(struct scrip_nv_tearing *tearing, uint32_t page, const uint8_t *data)
{
    uint8_t mixed[SCRIP_NV_PAGE];
    if (tearing->under.read(tearing->under.ctx, page * SCRIP_NV_PAGE, mixed, sizeof mixed) != SCRIP_OK) {
        return;
    }
    for (size_t i = 0; i < sizeof mixed; i++) {
        const uint64_t chance = garbage_next(&tearing->garbage);
        switch (chance % 3) {
        case 0:
            mixed[i] = data[i];
            break;
        case 1:
            mixed[i] = (uint8_t)(chance >> 32);
            break;
        default:
            break;
        }
    }
    (void)tearing->under.write(tearing->under.ctx, page, mixed);
}

static enum scrip_status tearing_read(void *ctx, uint32_t at, uint8_t *dst, size_t len)
{
    const struct scrip_nv_tearing *tearing = ctx;
    return tearing->no_power ? SCRIP_E_NV : tearing->under.read(tearing->under.ctx, at, dst, len);
}

static enum scrip_status tearing_write(void *ctx, uint32_t page, const uint8_t data[SCRIP_NV_PAGE])
{
    struct scrip_nv_tearing *tearing = ctx;
    if (tearing->no_power) {
        return SCRIP_E_NV;
    }
    tearing->writes++;
    if (tearing->writes != tearing->tear_at) {
        return tearing->under.write(tearing->under.ctx, page, data);
    }
    tearing->no_power = true;
    if (tearing->how == SCRIP_TEAR_AFTER) {
        (void)tearing->under.write(tearing->under.ctx, page, data);
    } else if (tearing->how == SCRIP_TEAR_HALF) {
        half_program(tearing, page, data);
    }
    return SCRIP_E_NV;
}

struct scrip_nv scrip_nv_tearing(struct scrip_nv_tearing *tearing, struct scrip_nv under, uint64_t seed)
{
    *tearing = (struct scrip_nv_tearing){.under = under, .garbage = seed};
    return (struct scrip_nv){.ctx = tearing, .pages = under.pages, .read = tearing_read, .write = tearing_write};
}

void scrip_nv_tear_after(struct scrip_nv_tearing *tearing, uint64_t n, enum scrip_tear how)
{
    tearing->tear_at = tearing->writes + n;
    tearing->how = how;
}

void scrip_nv_power_up(struct scrip_nv_tearing *tearing)
{
    tearing->no_power = false;
    tearing->tear_at = 0;
}
