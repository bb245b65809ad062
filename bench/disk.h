/* disk.h: how long the disk's barrier takes. */
#ifndef SCRIP_BENCH_DISK_H
#define SCRIP_BENCH_DISK_H

/** From now on every fdatasync takes this much longer, also in processes forked from this one. */
void disk_slow_down(long us);

#endif
