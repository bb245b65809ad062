/* gather.h: the write-ahead log goes to the disk in one piece. Private to the room.
 *
 * SQLite writes a page of its log with two calls, 24 bytes and 4096, and a commit of forty pages with eighty. This
 * layer between SQLite and the system's files gathers what follows itself in the log and hands it on when it is synced,
 * or when anything else happens to the file: the same bytes at the same places, before the same barrier. See
 * docs/decisions/0009.
 *
 * A connection that uses it must set `PRAGMA synchronous = FULL` and `PRAGMA cache_spill = OFF`: then the log is
 * written in commits only and each ends with a barrier, so nothing is held back when the write lock is let go. */
#ifndef SCRIP_LEDGER_GATHER_H
#define SCRIP_LEDGER_GATHER_H

#include <sqlite3.h>

/** Most that is held back, some thirty pages; a larger commit goes in several pieces. SQLite's own files take no more
 * in one call: they look at the lowest 17 bits of the length only. */
#define GATHER_BYTES 0x1FFFF

/** Register the layer, above the default VFS of SQLite; once is enough, more do no harm.
 *  @return the name for sqlite3_open_v2; NULL: SQLite would not have it, open without */
const char *gather_vfs(void);

#endif
