/* capture.h: what went between terminal and card, in a file.
 *
 * Two forms: pcapng with link type ISO_14443 (264), which Wireshark and tshark dissect, and text. In pcapng, a card's
 * arrival is written as field on, anticollision and ATS, each APDU as one ISO 14443-4 I-block without its CRC, whatever
 * its length. Captures hold what was on the wire; no key ever gets here. */
#ifndef SCRIP_CAPTURE_H
#define SCRIP_CAPTURE_H

#include <scrip/host.h>
#include <scrip/link.h>

/** Longest APDU that a reader of captures puts together. */
#define SCRIP_CAPTURE_APDU_MAX 65544U

struct scrip_capture;

/** Create a capture file; text if the name ends in ".txt", else pcapng. An existing file is replaced.
 *  @param clock time stamps; NULL: the system's clock
 *  @return SCRIP_OK; SCRIP_E_IO; SCRIP_E_MEMORY */
enum scrip_status scrip_capture_create(const char *path, const struct scrip_clock *clock,
                                       struct scrip_capture **capture);

/** A card came. */
enum scrip_status scrip_capture_card(struct scrip_capture *capture, const struct scrip_card_info *info);

/** An APDU, or an event in words (torn, removed). @return SCRIP_OK; SCRIP_E_IO; SCRIP_E_LENGTH: APDU too long */
enum scrip_status scrip_capture_frame(struct scrip_capture *capture, enum scrip_trace_kind kind,
                                      struct scrip_bytes bytes);

/** Flush, close, free. NULL is fine. */
void scrip_capture_close(struct scrip_capture *capture);

enum scrip_capture_kind {
    SCRIP_CAPTURE_COMMAND,  /**< `bytes`: C-APDU */
    SCRIP_CAPTURE_RESPONSE, /**< `bytes`: R-APDU */
    SCRIP_CAPTURE_CARD,     /**< a card came: `card` */
    SCRIP_CAPTURE_GONE,     /**< the field went off, or the card left it; `bytes`: why, UTF-8, may be empty */
    SCRIP_CAPTURE_NOTE,     /**< `bytes`: UTF-8 text */
};

/** One thing that happened. */
struct scrip_capture_entry {
    enum scrip_capture_kind kind;
    uint64_t at_ns;           /**< since 1970-01-01T00:00:00Z; 0 if the file does not say */
    struct scrip_bytes bytes; /**< borrowed from the reader until its next use */
    struct scrip_card_info card;
};

/** Most interfaces of one pcapng section that a reader keeps apart. */
#define SCRIP_CAPTURE_INTERFACES 16U

/** Reads a capture in memory, of ours or of anyone who writes ISO 14443 into pcapng. About 190 KiB. Fields private. */
struct scrip_capture_reader {
    struct scrip_bytes rest;
    bool text;
    bool big_endian;
    size_t interfaces;
    struct {
        bool iso14443;
        uint8_t ts_resol; /* as in pcapng: power of 10, or of 2 with bit 7 */
    } interface[SCRIP_CAPTURE_INTERFACES];
    bool activated;    /* ATS seen: frames are blocks */
    bool card_pending; /* a card came and was not handed out yet */
    struct scrip_card_info card;
    size_t len[2]; /* of the APDU being put together: command, response */
    uint8_t apdu[2][SCRIP_CAPTURE_APDU_MAX];
    uint8_t hex[SCRIP_CAPTURE_APDU_MAX]; /* text form only */
};

/** Begin to read. @param file the whole file; borrowed while reading @return SCRIP_OK; SCRIP_E_FORMAT: no capture */
enum scrip_status scrip_capture_read(struct scrip_capture_reader *reader, struct scrip_bytes file);

/** The next entry. @return SCRIP_OK; SCRIP_E_NOT_FOUND: the end; SCRIP_E_FORMAT: damaged from here on */
enum scrip_status scrip_capture_next(struct scrip_capture_reader *reader, struct scrip_capture_entry *entry);

#endif
