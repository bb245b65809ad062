#include "gather.h"

#include <string.h>

static sqlite3_vfs *below; /* what the system has; set once, before the first file is opened */

/* A log that is open. The file of the layer below lies right behind. */
struct log {
    sqlite3_file file; /* first: SQLite's view */
    sqlite3_int64 at;  /* where in the log `held` begins */
    int held_len;
    unsigned char *held; /* GATHER_BYTES, from the first write on */
};

static sqlite3_file *real(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)((struct log *)(void *)file + 1);
}

/* Whether it works or not, nothing is held afterwards: a failed write fails the commit that it belongs to. */
static int hand_on(sqlite3_file *file)
{
    struct log *log = (struct log *)(void *)file;
    const int len = log->held_len;
    log->held_len = 0;
    return len == 0 ? SQLITE_OK : real(file)->pMethods->xWrite(real(file), log->held, len, log->at);
}

static int log_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    struct log *log = (struct log *)(void *)file;
    if (log->held_len > 0 && (at != log->at + log->held_len || len > GATHER_BYTES - log->held_len)) {
        const int rc = hand_on(file);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    if (log->held == NULL) {
        log->held = sqlite3_malloc(GATHER_BYTES);
    }
    if (log->held == NULL || len > GATHER_BYTES) {
        return real(file)->pMethods->xWrite(real(file), bytes, len, at);
    }
    log->at = log->held_len == 0 ? at : log->at;
    memcpy(log->held + log->held_len, bytes, (size_t)len);
    log->held_len += len;
    return SQLITE_OK;
}

/* Everything else sees the file as if nothing had been held back. */
#define HAND_ON_FIRST(call)                                                                                            \
    const int rc = hand_on(file);                                                                                      \
    return rc != SQLITE_OK ? rc : real(file)->pMethods->call

static int log_read(sqlite3_file *file, void *bytes, int len, sqlite3_int64 at)
{
    HAND_ON_FIRST(xRead(real(file), bytes, len, at));
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    HAND_ON_FIRST(xTruncate(real(file), size));
}

static int log_sync(sqlite3_file *file, int flags)
{
    HAND_ON_FIRST(xSync(real(file), flags));
}

static int log_size(sqlite3_file *file, sqlite3_int64 *size)
{
    HAND_ON_FIRST(xFileSize(real(file), size));
}

static int log_lock(sqlite3_file *file, int level)
{
    HAND_ON_FIRST(xLock(real(file), level));
}

static int log_unlock(sqlite3_file *file, int level)
{
    HAND_ON_FIRST(xUnlock(real(file), level));
}

static int log_reserved(sqlite3_file *file, int *reserved)
{
    return real(file)->pMethods->xCheckReservedLock(real(file), reserved);
}

static int log_control(sqlite3_file *file, int op, void *arg)
{
    HAND_ON_FIRST(xFileControl(real(file), op, arg));
}

static int log_sector(sqlite3_file *file)
{
    return real(file)->pMethods->xSectorSize(real(file));
}

static int log_traits(sqlite3_file *file)
{
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

/* What is held now is of a commit that failed: it must not come after what others have written since. */
static int log_close(sqlite3_file *file)
{
    struct log *log = (struct log *)(void *)file;
    sqlite3_free(log->held);
    log->held = NULL;
    log->held_len = 0;
    return real(file)->pMethods->xClose(real(file));
}

static const sqlite3_io_methods log_methods = {
    .iVersion = 1, /* no shared memory and no mapping: SQLite asks the database's own file for those */
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_reserved,
    .xFileControl = log_control,
    .xSectorSize = log_sector,
    .xDeviceCharacteristics = log_traits,
};

/* Only logs are gathered; any other file is the layer's below from its first byte. */
static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    if ((flags & SQLITE_OPEN_WAL) == 0) {
        return below->xOpen(below, name, file, flags, out);
    }
    memset(file, 0, sizeof(struct log));
    const int rc = below->xOpen(below, name, real(file), flags, out);
    if (real(file)->pMethods != NULL) { /* else there is nothing to close, and SQLite must not try */
        file->pMethods = &log_methods;
    }
    return rc;
}

static const char *put_on_top(void)
{
    static sqlite3_vfs vfs;
    if (below == NULL) {
        sqlite3_vfs *found = sqlite3_vfs_find(NULL);
        if (found == NULL) {
            return NULL;
        }
        vfs = *found;
        vfs.pNext = NULL;
        vfs.zName = "scrip-gather";
        vfs.szOsFile += (int)sizeof(struct log);
        vfs.xOpen = open_file;
        below = found;
    }
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? vfs.zName : NULL;
}

const char *gather_vfs(void)
{
    sqlite3_mutex *mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1); /* ledgers may be opened by many threads */
    sqlite3_mutex_enter(mutex);
    const char *name = put_on_top();
    sqlite3_mutex_leave(mutex);
    return name;
}
