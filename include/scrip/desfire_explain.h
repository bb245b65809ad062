/* desfire_explain.h: a conversation with a MIFARE DESFire card in words.
 *
 * Command and response APDUs are given in their order, as a reader or a capture saw them. Authentications are
 * recognised; where one of the keys given fits, the session's messaging (D40, EV1, EV2, LRP) is opened and the plain
 * data is shown, every MAC is checked, and the first wrong byte is pointed at. Key material is never shown, opened or
 * not. */
#ifndef SCRIP_DESFIRE_EXPLAIN_H
#define SCRIP_DESFIRE_EXPLAIN_H

#include <scrip/desfire.h>
#include <scrip/desfire_sm.h>

/** A key to try. */
struct scrip_desfire_explain_key {
    struct scrip_desfire_key key;
    const char *name; /**< how to call it in the text: "topup version 1"; borrowed */
};

/** Longest line of text, with its final NUL; longer ones are cut. */
#define SCRIP_DESFIRE_EXPLAIN_LINE 512U

/** Most bytes of a command or response, frames joined. */
#define SCRIP_DESFIRE_EXPLAIN_MAX  1200U

/** What was found so far. */
struct scrip_desfire_explain_count {
    uint32_t exchanges; /**< pairs of APDUs */
    uint32_t opened;    /**< commands or responses whose messaging was opened and right */
    uint32_t wrong;     /**< MACs, checksums or paddings that were wrong */
    uint32_t refused;   /**< refusals of the card */
    uint32_t unopened;  /**< commands inside a session for which no key fits */
};

/** A running explanation. Read `count`; the rest is private. Wipe when done. */
struct scrip_desfire_explain {
    struct scrip_desfire_explain_count count;
    const struct scrip_desfire_explain_key *keys; /* borrowed */
    size_t key_count;
    void (*line)(void *ctx, const char *text);
    void *ctx;

    struct scrip_desfire_session card; /* as the card has it: commands are opened with this one */
    struct scrip_desfire_session host; /* as the terminal has it: responses are opened with this one */
    bool closed_session;               /* there is a session, and no key for it */
    uint8_t comm[32];                  /* mode that each file was last seen in, plus 1; 0: not seen */

    uint8_t auth_cmd; /* authentication under way: its command, 0: none */
    uint8_t auth_key_no;
    uint8_t auth_lrp;
    uint8_t challenge[17];
    uint8_t challenge_len;

    uint8_t cmd; /* command whose frames are being joined, 0: none */
    bool answering;
    uint16_t cmd_len;
    uint16_t rsp_len;
    uint8_t cmd_bytes[SCRIP_DESFIRE_EXPLAIN_MAX];
    uint8_t rsp_bytes[SCRIP_DESFIRE_EXPLAIN_MAX];
    uint8_t plain[SCRIP_DESFIRE_EXPLAIN_MAX];
    uint8_t again[SCRIP_DESFIRE_EXPLAIN_MAX];
};

/** Begin with a card that was just activated.
 *  @param keys  to try for each authentication; borrowed, may be empty
 *  @param line  is given one line of text at a time, NUL-terminated, without newline */
void scrip_desfire_explain_start(struct scrip_desfire_explain *explain, const struct scrip_desfire_explain_key *keys,
                                 size_t key_count, void (*line)(void *ctx, const char *text), void *ctx);

/** One command and its response.
 *  @param rapdu  empty: it was not answered */
void scrip_desfire_explain_exchange(struct scrip_desfire_explain *explain, struct scrip_bytes capdu,
                                    struct scrip_bytes rapdu);

/** The card left the field and came back: its session is over. */
void scrip_desfire_explain_reset(struct scrip_desfire_explain *explain);

/** Clear session keys. */
void scrip_desfire_explain_wipe(struct scrip_desfire_explain *explain);

#endif
