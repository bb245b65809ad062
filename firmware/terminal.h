/* terminal.h: what the terminal does with cards, and what it is told at the console. */
#ifndef FIRMWARE_TERMINAL_H
#define FIRMWARE_TERMINAL_H

#include "reader.h"
#include "store.h"

#include <scrip/purse_storage.h>
#include <scrip/wallet.h>

/** The terminal. One of them, static: nothing is allocated. */
struct terminal {
    struct settings settings;
    struct generator generator;
    struct scrip_journal journal;
    struct reader_link reader;
    enum scrip_purse_operation wish; /**< what is done with the next card; afterwards payments again */
    int32_t amount;                  /**< of a credit, or to begin with */
    uint32_t reference;              /**< of a credit */
    uint8_t last[10];                /**< the card that was served and lies there still */
    uint8_t last_len;                /**< 0: none */
    uint8_t tries;                   /**< that this card was asked again by itself */
    uint8_t awaited[10];             /**< the card that did not answer to its credit, which is given to no other */
    uint8_t awaited_len;             /**< 0: none */
    uint32_t looked_ms;
    bool reader_lost; /**< the chip did not answer; that was said */
    uint32_t started_ms;
    struct scrip_desfire_profile profile;
    struct scrip_storage_purse storage;
    struct scrip_purse_header header;
    struct scrip_purse_request request;
    struct scrip_purse_job job;
};

/** Load settings, open the journal, wake the reader. Says at the console what fails.
 *  @return false: the terminal cannot work */
bool terminal_start(struct terminal *terminal);

/** Look for a card, some times a second, and serve it. */
void terminal_look(struct terminal *terminal);

/** Now, milliseconds since 1970: as good as what `time` was told. */
uint64_t terminal_now_ms(const struct terminal *terminal);

/** An amount in the currency that is set, to the console. */
void terminal_say_money(const struct terminal *terminal, int32_t minor);

/** Carry out a line from the console. */
void command_run(struct terminal *terminal, char *line);

#endif
