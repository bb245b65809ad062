/* totals.h: how much there is of everything in the book, for /metrics. Private to the room. */
#ifndef SCRIP_SERVER_TOTALS_H
#define SCRIP_SERVER_TOTALS_H

#include "server.h"

struct totals {
    bool known; /* false: a large book that is being counted for the first time; nothing else is set */
    struct scrip_ledger_counts counts;
    int64_t balances[SCRIP_ACCOUNT_COUNT];
    int64_t age_us; /* how long ago that was so */
};

/** Begin to count in the background if the book is large already; for when the server is made. */
void totals_open(struct scrip_server *server);

/** What there is: as it is now, or of a large book as it was when it was counted last. Whether it is counted anew then
 *  is decided by this call, too: who never asks has nothing counted.
 *  @return SCRIP_OK; SCRIP_E_STORE */
enum scrip_status totals_read(struct scrip_server *server, struct totals *totals);

/** End what counts in the background; waits for a count that is under way. */
void totals_close(struct scrip_server *server);

#endif
