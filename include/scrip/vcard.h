/* vcard.h: virtual cards. A card of any family behind one interface; `reader` and tests see cards only through this.
 *
 * A virtual card is a file: a header page that says which family, identity and options it has, then the pages of its
 * non-volatile memory. Every write of the card is one page written and synced in program order, so a process killed at
 * any moment leaves what a chip losing its field would leave, and the card repairs it at its next power-on. An emulated
 * card is no security boundary: who can read the file has its keys. */
#ifndef SCRIP_VCARD_H
#define SCRIP_VCARD_H

#include <scrip/host.h>
#include <scrip/link.h>
#include <scrip/picc.h>

struct scrip_vcard;

struct scrip_vcard_ops {
    /** Power on and activate, without any air between. @return SCRIP_OK; SCRIP_E_CORRUPT; SCRIP_E_NV;
     *  SCRIP_E_UNSUPPORTED: a storage card, put its picc into a field */
    enum scrip_status (*on)(struct scrip_vcard *card, struct scrip_card_info *info);
    /** Answer an APDU. @return SCRIP_OK; SCRIP_E_NV: power was lost, `on` again; SCRIP_E_UNSUPPORTED: a storage
     *  card */
    enum scrip_status (*apdu)(struct scrip_vcard *card, struct scrip_bytes command, struct scrip_buf *rsp);
    /** Lose power. */
    void (*off)(struct scrip_vcard *card);
    /** Free. */
    void (*close)(struct scrip_vcard *card);
    /** The card as the air sees it; see scrip_vcard_picc. NULL: this card has no contactless side */
    struct scrip_picc *(*picc)(struct scrip_vcard *card);
};

/** Embed as first member. */
struct scrip_vcard {
    const struct scrip_vcard_ops *ops;
    bool storage; /**< answers no APDUs: a reader must speak for it (pcsc.h) over its picc */
};

/** Longest message of a vcard function, with its final NUL. */
#define SCRIP_VCARD_ERROR_MAX 160U

/** Largest response APDU of any family, bytes: room that `apdu` should be given. */
#define SCRIP_VCARD_RAPDU_MAX 4096U

/** Families that a card file can hold; the numbers are in the files. */
enum scrip_vcard_family {
    SCRIP_VCARD_DESFIRE = 1,
    SCRIP_VCARD_CLASSIC = 2, /**< MIFARE Classic 1K, 4K */
    SCRIP_VCARD_OTP = 3,     /**< the one-time wallet on OTP memory */
};

/** Sizes of MIFARE Classic. */
enum scrip_vcard_variant {
    SCRIP_VCARD_1K,
    SCRIP_VCARD_4K,
};

/** What a card file says of its card: what the factory decides. */
struct scrip_vcard_identity {
    uint8_t family;            /**< enum scrip_vcard_family */
    uint8_t generation;        /**< DESFire: enum scrip_desfire_generation; 0 elsewhere */
    uint8_t variant;           /**< Classic: enum scrip_vcard_variant; 0 elsewhere */
    uint8_t uid_len;           /**< 4 or 7; 0 in scrip_vcard_make: 7 for DESFire, 4 for the others. Files made before
                                    there was a choice have 7 */
    uint8_t uid[7];            /**< uid_len bytes, the rest zero; all zero in scrip_vcard_make: a random one is chosen,
                                    starting 04 when it has 7 bytes */
    bool genuine;              /**< Classic, OTP: answers those who know no key as the chip does, weaknesses included;
                                    false: hardened (classic_card.h) */
    uint8_t storage;           /**< DESFire GetVersion storage byte; 0 in scrip_vcard_make: 8K (1A) */
    bool keep_pending_on_auth; /**< as in struct scrip_desfire_options */
    bool end_session_on_0c;    /**< as in struct scrip_desfire_options */
    uint32_t transaction_timer_ms; /**< as in struct scrip_desfire_options */
    char profile[24];              /**< name of the profile it was personalised from, a note for people; may be empty */
};

/** What the host injects into an open card; all may be NULL. Borrowed until the card is closed. */
struct scrip_vcard_host {
    const struct scrip_random *random; /**< NULL: the system's */
    const struct scrip_clock *clock;   /**< NULL: the system's */
    const struct scrip_trace *trace;   /**< NULL: none */
};

/** Make a card file holding a factory-fresh card. The file must not exist.
 *  @param error  receives one sentence when it fails; may be NULL
 *  @return SCRIP_OK; SCRIP_E_EXISTS; SCRIP_E_IO; SCRIP_E_ARGUMENT: no such family, generation, variant, storage or UID
 */
enum scrip_status scrip_vcard_make(const char *path, const struct scrip_vcard_identity *identity,
                                   char error[SCRIP_VCARD_ERROR_MAX]);

/** Open a card file of any family. The file is locked while it is open: a card is in one field at a time.
 *  @param host   may be NULL: the system's randomness and clock
 *  @param card   receives the card, unpowered; free it with scrip_vcard_close
 *  @param error  receives one sentence when it fails; may be NULL
 *  @return SCRIP_OK; SCRIP_E_IO; SCRIP_E_CORRUPT: not a card file; SCRIP_E_STATE: in another field (locked);
 *          SCRIP_E_UNSUPPORTED: a newer version or an unknown family; SCRIP_E_MEMORY */
enum scrip_status scrip_vcard_open(const char *path, const struct scrip_vcard_host *host, struct scrip_vcard **card,
                                   char error[SCRIP_VCARD_ERROR_MAX]);

/** Wrap memory in place of a file: for tests and fuzzers. `nv` and `host` are borrowed until the card is closed.
 *  @param make  true: make a factory-fresh card in `nv`; false: `nv` holds one
 *  @return as scrip_vcard_make and scrip_vcard_open */
enum scrip_status scrip_vcard_open_nv(const struct scrip_nv *nv, const struct scrip_vcard_identity *identity, bool make,
                                      const struct scrip_vcard_host *host, struct scrip_vcard **card);

/** What a card file says of its card, without opening it.
 *  @return SCRIP_OK; SCRIP_E_IO; SCRIP_E_CORRUPT; SCRIP_E_UNSUPPORTED */
enum scrip_status scrip_vcard_read_identity(const char *path, struct scrip_vcard_identity *identity);

/** Note in a card file which profile it was personalised from (see struct scrip_vcard_identity).
 *  @return SCRIP_OK; SCRIP_E_LENGTH: the name is too long; else as scrip_vcard_open */
enum scrip_status scrip_vcard_note_profile(const char *path, const char *profile, char error[SCRIP_VCARD_ERROR_MAX]);

/** Pages that the memory of a card takes. 0: no such family, generation, variant or storage byte */
uint32_t scrip_vcard_pages(const struct scrip_vcard_identity *identity);

/** Power on and activate; a card that is on loses power first. @return as the `on` of its family */
static inline enum scrip_status scrip_vcard_on(struct scrip_vcard *card, struct scrip_card_info *info)
{
    return card->ops->on(card, info);
}

/** Answer a command APDU. @param rsp SCRIP_VCARD_RAPDU_MAX bytes should be free
 *  @return SCRIP_OK; SCRIP_E_STATE: no power; SCRIP_E_NV: power was lost; SCRIP_E_SPACE; SCRIP_E_UNSUPPORTED: a storage
 *          card */
static inline enum scrip_status scrip_vcard_apdu(struct scrip_vcard *card, struct scrip_bytes command,
                                                 struct scrip_buf *rsp)
{
    return card->ops->apdu(card, command, rsp);
}

/** The card as the air sees it (picc.h), to be put into a field: DESFire behind the block protocol of part 4, storage
 *  cards in frames of their own. It belongs to the card and lives as long as it.
 *  Use one side at a time: the direct path (on, apdu, off), or the picc in one field.
 *  @return NULL: this card has no contactless side */
static inline struct scrip_picc *scrip_vcard_picc(struct scrip_vcard *card)
{
    return card->ops->picc != NULL ? card->ops->picc(card) : NULL;
}

/** Take power away: what is open on the card is lost. */
static inline void scrip_vcard_off(struct scrip_vcard *card)
{
    card->ops->off(card);
}

/** Take power away and free. NULL is allowed. */
static inline void scrip_vcard_close(struct scrip_vcard *card)
{
    if (card != NULL) {
        card->ops->close(card);
    }
}

#endif
