/* relay_tlv.h: the messages between server and phone, as bytes.
 *
 * The server sends a command script (tag AA), the phone answers with a response script (AB), and says hello with E8
 * when a card has come: the expanded format of ETSI TS 102 226 in its definite form, with the additions that
 * docs/protocol/relay.md lists. Both sides use this room. It allocates nothing, knows no card, and no byte of a message
 * can make it read past the message.
 *
 * Lengths are BER: one byte up to 127, then 81 LL, then 82 LL LL. Readers also take a longer form than needed (BER
 * allows it); writers use the shortest. The indefinite form (length 80, and the templates AE and AF) is refused.
 *
 * Everything that a reader hands out is borrowed from the message and lives as long as the message does. */
#ifndef SCRIP_RELAY_TLV_H
#define SCRIP_RELAY_TLV_H

#include <scrip/batch.h>
#include <scrip/bytes.h>

#define SCRIP_RELAY_BODY_MAX   65536U /**< longest message, headers included */
#define SCRIP_RELAY_ITEMS_MAX  255U   /**< most commands and resets in a script */
#define SCRIP_RELAY_CAPDU_MIN  4U     /**< shortest C-APDU */
#define SCRIP_RELAY_CAPDU_MAX  261U   /**< longest short C-APDU */
#define SCRIP_RELAY_CAPDU_LONG 65544U /**< longest extended one: only to a phone that said so in C1 */
#define SCRIP_RELAY_RAPDU_MIN  2U     /**< shortest R-APDU: a status word */
#define SCRIP_RELAY_RAPDU_MAX  258U   /**< longest short R-APDU */
#define SCRIP_RELAY_ATS_MAX    33U    /**< longest ATR, or ATS with its length byte */

/** Tags. */
enum scrip_relay_tag {
    SCRIP_RELAY_TAG_SCRIPT = 0xAA,       /**< command script */
    SCRIP_RELAY_TAG_ANSWER = 0xAB,       /**< response script */
    SCRIP_RELAY_TAG_HELLO = 0xE8,        /**< a card is there */
    SCRIP_RELAY_TAG_CAPDU = 0x22,        /**< script: command, sent to the card as it is */
    SCRIP_RELAY_TAG_GOOD = 0xC5,         /**< script: pairs value, mask (2 bytes each) of good status words */
    SCRIP_RELAY_TAG_CARD = 0xC0,         /**< script: reset; answer and hello: ATR, or ATS with its length byte */
    SCRIP_RELAY_TAG_NOTICE = 0xE0,       /**< script: 02 message number, 0C text for the user */
    SCRIP_RELAY_TAG_COUNT = 0x80,        /**< answer: elements answered by the card */
    SCRIP_RELAY_TAG_RAPDU = 0x23,        /**< answer: response */
    SCRIP_RELAY_TAG_UNANSWERED = 0xC6,   /**< answer: element sent and not answered */
    SCRIP_RELAY_TAG_CLOSED = 0xE1,       /**< answer: 0C reason; no more commands this time */
    SCRIP_RELAY_TAG_BAD = 0x90,          /**< answer: bad format */
    SCRIP_RELAY_TAG_COMMAND_MAX = 0xC1,  /**< hello: longest C-APDU, 2 bytes */
    SCRIP_RELAY_TAG_RESPONSE_MAX = 0xC2, /**< hello: longest R-APDU, 2 bytes */
    SCRIP_RELAY_TAG_UID = 0xC3,          /**< hello: UID from anticollision */
    SCRIP_RELAY_TAG_NUMBER = 0x02,
    SCRIP_RELAY_TAG_TEXT = 0x0C,
};

/** Why a message was refused; the numbers travel in 90 01 xx. */
enum scrip_relay_bad {
    SCRIP_RELAY_FINE = 0,
    SCRIP_RELAY_BAD_TAG = 1,    /**< unknown tag, or one that has no business there */
    SCRIP_RELAY_BAD_LENGTH = 2, /**< a length that is wrong, or larger than this phone can take */
    SCRIP_RELAY_NO_LENGTH = 3,  /**< no length found; also for the indefinite form */
};

/* ---- Reading a script: the phone ------------------------------------------------------------------------------- */

/** What a phone can take. */
struct scrip_relay_limits {
    uint32_t command_max; /**< longest C-APDU in bytes: SCRIP_RELAY_CAPDU_MAX unless said otherwise in C1 */
};

enum scrip_relay_item_kind {
    SCRIP_RELAY_END,
    SCRIP_RELAY_COMMAND, /**< `bytes` is the C-APDU */
    SCRIP_RELAY_RESET,   /**< power the card off and on */
    SCRIP_RELAY_NOTICE,  /**< `bytes` is UTF-8 text for the user, not terminated */
};

/** One element of a script. */
struct scrip_relay_item {
    enum scrip_relay_item_kind kind;
    uint8_t number;           /**< commands and resets: 1, 2, ... as in 80 and C6; notices: the message number */
    struct scrip_bytes bytes; /**< see kind; empty for a reset */
    struct scrip_bytes good;  /**< commands: the content of the C5 that holds for it, empty for the default list */
};

/** A script that was checked to its last byte. Fields private. */
struct scrip_relay_script {
    struct scrip_bytes rest;
    struct scrip_bytes good;
    uint8_t items;
    uint8_t number;
};

/** Check a whole command script; only then may its first command be sent.
 *  @param body   the message; borrowed as long as `script` is used
 *  @param limits NULL for the usual ones
 *  @return SCRIP_RELAY_FINE, or what is to be answered in 90 01 xx (`script` is untouched then) */
enum scrip_relay_bad scrip_relay_script_open(struct scrip_relay_script *script, struct scrip_bytes body,
                                             const struct scrip_relay_limits *limits);

/** The next element, in order; kind SCRIP_RELAY_END behind the last. */
void scrip_relay_script_next(struct scrip_relay_script *script, struct scrip_relay_item *item);

/** Is this status word good by the content of a C5? The empty list means 9000 and 61xx. */
bool scrip_relay_sw_good(struct scrip_bytes good, uint16_t sw);

/** A script as a batch. @return SCRIP_OK; SCRIP_E_FORMAT: malformed; SCRIP_E_SPACE: more than a batch holds;
 *          SCRIP_E_UNSUPPORTED: it has a reset, or not the same C5 for all commands. Notices are left out. */
enum scrip_status scrip_relay_script_batch(struct scrip_bytes body, struct scrip_batch *batch);

/* ---- Writing a script: the server ------------------------------------------------------------------------------ */

/** An open template in a buffer. Fields private. */
struct scrip_relay_mark {
    size_t start;
};

/** Open a template; its content is then appended to the same buffer, and _close puts the length in front of it.
 *  Templates nest. @return SCRIP_E_SPACE */
enum scrip_status scrip_relay_open(struct scrip_buf *out, uint8_t tag, struct scrip_relay_mark *mark);

/** Close the innermost open template. @return SCRIP_E_SPACE; SCRIP_E_LENGTH: content over 65535 bytes */
enum scrip_status scrip_relay_close(struct scrip_buf *out, const struct scrip_relay_mark *mark);

/** Append a whole element. @return SCRIP_E_SPACE; SCRIP_E_LENGTH: over 65535 bytes */
enum scrip_status scrip_relay_put(struct scrip_buf *out, uint8_t tag, struct scrip_bytes value);

/** Append E0: text for the user. @param text UTF-8, terminated */
enum scrip_status scrip_relay_put_notice(struct scrip_buf *out, uint8_t number, const char *text);

/** Append the good list and the commands of a batch, to an open AA.
 *  @return SCRIP_E_ARGUMENT: the batch names no good status word; SCRIP_E_SPACE; SCRIP_E_LENGTH */
enum scrip_status scrip_relay_put_batch(struct scrip_buf *out, const struct scrip_batch *batch);

/** Append a whole AA with a batch (NULL: no commands) and then a notice (NULL: none).
 *  @return as scrip_relay_put_batch */
enum scrip_status scrip_relay_script_write(struct scrip_buf *out, const struct scrip_batch *batch, uint8_t number,
                                           const char *notice);

/* ---- Writing hello and answer: the phone ----------------------------------------------------------------------- */

/** Append an E8.
 *  @param command_max,response_max  longest APDUs in bytes for C1 and C2; 0: left out, short APDUs only
 *  @return SCRIP_E_SPACE */
enum scrip_status scrip_relay_put_hello(struct scrip_buf *out, const struct scrip_card_info *info, uint16_t command_max,
                                        uint16_t response_max);

/** An AB that grows while a script is carried out. Fields private. */
struct scrip_relay_answer {
    struct scrip_relay_mark mark;
    size_t count_at;
};

/** Open an AB at the end of `out`, with 80 01 00. @return SCRIP_E_SPACE */
enum scrip_status scrip_relay_answer_open(struct scrip_relay_answer *answer, struct scrip_buf *out);
/** The card answered a command. Counts. */
enum scrip_status scrip_relay_answer_rapdu(struct scrip_relay_answer *answer, struct scrip_buf *out,
                                           struct scrip_bytes rapdu);
/** The card answered a reset. Counts. @param ats ATR, or ATS with its length byte */
enum scrip_status scrip_relay_answer_reset(struct scrip_relay_answer *answer, struct scrip_buf *out,
                                           struct scrip_bytes ats);
/** Element `number` was sent and not answered. */
enum scrip_status scrip_relay_answer_unanswered(struct scrip_relay_answer *answer, struct scrip_buf *out,
                                                uint8_t number);
/** No more commands this time. @param reason UTF-8 for people */
enum scrip_status scrip_relay_answer_closed(struct scrip_relay_answer *answer, struct scrip_buf *out,
                                            const char *reason);
/** The script was malformed; the card has seen nothing of it. */
enum scrip_status scrip_relay_answer_bad(struct scrip_relay_answer *answer, struct scrip_buf *out,
                                         enum scrip_relay_bad bad);
/** Finish. */
enum scrip_status scrip_relay_answer_close(struct scrip_relay_answer *answer, struct scrip_buf *out);

/** Append a whole AB with what a batch brought. @return SCRIP_E_SPACE; SCRIP_E_LENGTH */
enum scrip_status scrip_relay_answer_write(struct scrip_buf *out, const struct scrip_replies *replies);

/* ---- Reading hello and answer: the server ---------------------------------------------------------------------- */

/** What a phone reports: E8, or AB, or E8 and then AB in one body. All of it is the phone's word and proves nothing. */
struct scrip_relay_report {
    bool hello;                /**< E8 was there: a card has just come */
    bool answer;               /**< AB was there */
    struct scrip_bytes ats;    /**< ATR, or ATS with its length byte, of the card that came; empty if not said */
    struct scrip_bytes uid;    /**< UID from anticollision; empty if not said */
    uint16_t command_max;      /**< C1, else 261 */
    uint16_t response_max;     /**< C2, else 258 */
    uint8_t count;             /**< 80: elements that the card answered */
    uint8_t responses;         /**< how many 23 there are */
    uint8_t resets;            /**< how many of the counted elements were resets */
    uint8_t unanswered;        /**< C6: element number, 0 if none */
    bool closed;               /**< E1: no more commands this time */
    struct scrip_bytes reason; /**< text of E1 */
    uint8_t bad;               /**< 90: enum scrip_relay_bad, or what the phone said; 0 if none */
    struct scrip_bytes items;  /**< content of AB, for scrip_relay_report_rapdu */
};

/** Read a report.
 *  @return SCRIP_OK; SCRIP_E_FORMAT: not a report, or one that contradicts itself (counts, order, twice the same);
 *          SCRIP_E_LENGTH: over SCRIP_RELAY_BODY_MAX. `report` is untouched then. */
enum scrip_status scrip_relay_report_read(struct scrip_bytes body, struct scrip_relay_report *report);

/** R-APDU number `i` (i < responses), borrowed; empty if there is none. */
struct scrip_bytes scrip_relay_report_rapdu(const struct scrip_relay_report *report, size_t i);

/** The responses as a terminal procedure takes them; `unanswered` from C6.
 *  @return SCRIP_OK; SCRIP_E_SPACE: more than any batch of ours can have brought */
enum scrip_status scrip_relay_report_replies(const struct scrip_relay_report *report, struct scrip_replies *replies);

#endif
