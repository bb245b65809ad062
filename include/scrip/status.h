/* status.h: how our own side fails.
 *
 * Three kinds of "no" never share one integer: `enum scrip_status` says that our side failed; a card's status byte or
 * status word is kept as it was received; an outcome is what a customer is told. */
#ifndef SCRIP_STATUS_H
#define SCRIP_STATUS_H

enum scrip_status {
#define STATUS(name, text) name,
#include <scrip/status.def>
#undef STATUS
    SCRIP_STATUS_COUNT
};

/** The name of a status ("SCRIP_E_MAC"); "SCRIP_E_?" for a number that is none. Static memory. */
const char *scrip_status_name(enum scrip_status status);

/** One sentence about a status, without a final full stop. Static memory. */
const char *scrip_strerror(enum scrip_status status);

/** Leave the function with the status of `call` unless it is SCRIP_OK. */
#define SCRIP_TRY(call)                                                                                                \
    do {                                                                                                               \
        const enum scrip_status scrip_try_status_ = (call);                                                            \
        if (scrip_try_status_ != SCRIP_OK) {                                                                           \
            return scrip_try_status_;                                                                                  \
        }                                                                                                              \
    } while (0)

#endif
