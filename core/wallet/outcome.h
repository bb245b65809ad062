/* outcome.h: what the customer is told of a job that stopped before a change began. */
#ifndef SCRIP_WALLET_OUTCOME_H
#define SCRIP_WALLET_OUTCOME_H

#include <scrip/wallet.h>

/** Ask again where the card, the air or the terminal's own memory or random numbers may do better next time; declined
 *  where trying again is of no use. */
enum scrip_outcome purse_outcome_of(enum scrip_status status);

#endif
