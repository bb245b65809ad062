/* disk_below.h: a VFS of a test's own below the ledger: SQLite's own, but for how it opens a file. */
#ifndef SCRIP_TESTS_LEDGER_DISK_BELOW_H
#define SCRIP_TESTS_LEDGER_DISK_BELOW_H

#include <sqlite3.h>
#include <stddef.h>

static sqlite3_vfs *plain; /* SQLite's own */

/** Every database from now on is opened by `open`, whose `vfs` is not `plain`. */
static inline int put_disk_below(const char *name, int (*open)(sqlite3_vfs *vfs, const char *name, sqlite3_file *file,
                                                               int flags, int *out))
{
    static sqlite3_vfs vfs;
    plain = sqlite3_vfs_find(NULL);
    vfs = *plain;
    vfs.zName = name;
    vfs.xOpen = open;
    return sqlite3_vfs_register(&vfs, 1);
}

#endif
