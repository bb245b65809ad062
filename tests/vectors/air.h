/* air.h: recorded frames, played to a reader and to a card. */
#ifndef SCRIP_VECTORS_AIR_H
#define SCRIP_VECTORS_AIR_H

#include "vector.h"
#include <scrip/pcd.h>
#include <scrip/picc.h>

/** A recorded frame. */
struct air_frame {
    bool from_card;
    struct scrip_frame frame; /* as it was on the air; bits 0: silence */
    struct scrip_bytes plain; /* what it means; empty where the recording does not say */
};

#define AIR_FRAMES 64U

/** A recording: frames of reader and card by turns. */
struct air {
    struct vector *v;
    struct air_frame frames[AIR_FRAMES];
    size_t count;
    size_t next; /* of the player */
};

/** Frames as objects (dir, bits, air, par, plain), or as lists of direction, bits and bytes with odd parity. */
void air_load(struct vector *v, json_t *frames, struct air *air);

/** Two frames are the same, parity included. */
void air_same(struct vector *v, const char *what, size_t number, const struct scrip_frame *wanted,
              const struct scrip_frame *got);

/** Send a card what the reader sent; it must answer what was recorded. A recording may end with a reader's frame. */
void air_to_card(struct air *air, struct scrip_picc *card);

/** A radio that hears what was recorded, and wants to be sent what was recorded. */
struct scrip_radio air_player(struct air *air);

/** The player has played everything. */
void air_ended(const struct air *air);

#endif
