/* reader.h: links, the ways to a card, named by strings; and the same links presented to other programs.
 *
 *   card:FILE              a virtual card, in this process
 *   pcsc:N  pcsc:NAME      PC/SC reader number N (as pcsc_scan counts), or the first whose name holds NAME
 *   pn532:DEVICE[:SPEED]   a PN532 on a serial line (115200 baud), SPI (/dev/spidev*, 1000000 Hz) or I2C (/dev/i2c-*)
 *   mfrc522:DEVICE[:SPEED] an MFRC522 on SPI (4000000 Hz), or on its UART
 *   tcp:HOST:PORT          a card that `scrip card present --tcp` offers
 *   trace:FILE:LINK        writes what passes to a capture (pcapng; text if FILE ends in .txt)
 *   fault:OPTIONS:LINK     fails on purpose; OPTIONS are joined by commas:
 *        seed=N            the random numbers behind the chances [1]
 *        drop=P            chance, in thousandths, that a command gets to the card and its answer is lost
 *        lose=P            chance, in thousandths, that the card leaves before a command is sent
 *        cut-after=N       the card leaves after N commands: the N-th is carried out, its answer lost (once)
 *        lose-after=N      the card leaves after N commands were answered (once)
 *        corrupt=P         chance, in thousandths, that one bit of an answer is turned over
 *        delay=MS          every command takes so many milliseconds longer
 *
 * Where a FILE holds a colon, write it twice. Links wrap links: "trace:out.pcapng:fault:seed=7,drop=50:card:a.card". */
#ifndef SCRIP_READER_H
#define SCRIP_READER_H

#include <scrip/link.h>
#include <scrip/vcard.h>
#include <signal.h>

#define SCRIP_LINK_ERROR_MAX 160U

/** What a link may be given from outside. All may be NULL: the system's. Borrowed as long as the link lives. */
struct scrip_link_world {
    const struct scrip_vcard_host *card; /**< for card:, its randomness also for the reader before it */
    const struct scrip_clock *clock;     /**< time stamps of trace: */
};

/** Open a link by its string.
 *  @param world may be NULL
 *  @param error receives one sentence when it fails; may be NULL
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT: no such kind, or a malformed string; SCRIP_E_IO, SCRIP_E_CORRUPT, SCRIP_E_STATE:
 *          the card file; SCRIP_E_LINK: no such reader, PC/SC not running, nobody at that address; SCRIP_E_MEMORY */
enum scrip_status scrip_link_open(const char *spec, const struct scrip_link_world *world, struct scrip_link **link,
                                  char error[SCRIP_LINK_ERROR_MAX]);

/** A link to an open virtual card. A storage card lies before a reader in software, which answers the pseudo-APDUs of
 *  pcsc.h for it; a card of part 4 is spoken to directly, and its reader tells UID and ATS (FF CA).
 *  @param owned close the card with the link @return SCRIP_OK; SCRIP_E_MEMORY */
enum scrip_status scrip_link_to_card(struct scrip_vcard *card, bool owned, struct scrip_link **link);

/** The same with random numbers of the reader, which it needs to authenticate to a storage card: a run can be repeated.
 *  @param random borrowed; NULL: the system's @return as scrip_link_to_card */
enum scrip_status scrip_link_to_card_seeded(struct scrip_vcard *card, bool owned, const struct scrip_random *random,
                                            struct scrip_link **link);

/** Wrap a link so that it writes a capture. Owns `inner` if it succeeds.
 *  @return SCRIP_OK; SCRIP_E_IO; SCRIP_E_MEMORY */
enum scrip_status scrip_link_trace(const char *file, const struct scrip_clock *clock, struct scrip_link *inner,
                                   struct scrip_link **link);

/** What a fault link does; see the options above. */
struct scrip_link_faults {
    uint64_t seed;
    uint32_t drop_permille;
    uint32_t lose_permille;
    uint32_t corrupt_permille;
    uint32_t cut_after;  /**< 0: never */
    uint32_t lose_after; /**< 0: never */
    uint32_t delay_ms;
};

/** Wrap a link so that it fails. Owns `inner` if it succeeds. @return SCRIP_OK; SCRIP_E_MEMORY */
enum scrip_status scrip_link_fault(const struct scrip_link_faults *faults, struct scrip_link *inner,
                                   struct scrip_link **link);

/** Readers that PC/SC knows. @param each called with number and name @return SCRIP_OK; SCRIP_E_LINK: no service */
enum scrip_status scrip_pcsc_list(void (*each)(void *ctx, unsigned number, const char *name, bool card), void *ctx,
                                  char error[SCRIP_LINK_ERROR_MAX]);

/** Devices of this machine that a reader chip may hang on, as links. They are found by their names only: nothing is
 *  opened, since on a serial line there may be anything. @param what  the kind of device, for people */
void scrip_reader_devices(void (*each)(void *ctx, const char *link, const char *what), void *ctx);

/* ---- Presenting a card to other programs ------------------------------------------------------------------------ */

/** What a presenter tells its caller. */
enum scrip_present_event {
    SCRIP_PRESENT_LISTENING, /**< tcp: `number` is the port */
    SCRIP_PRESENT_INSERTED,  /**< the other side is there */
    SCRIP_PRESENT_REMOVED,   /**< it went away, or the card did */
    SCRIP_PRESENT_POWER,     /**< `number` 1: on, 0: off */
    SCRIP_PRESENT_APDU,      /**< one was answered; `number`: how many so far */
};

/** How to present a card. */
struct scrip_present {
    const char *host; /**< NULL: 127.0.0.1 */
    uint16_t port;    /**< vpcd: its port, 0: 35963; tcp: to listen on, 0: any free one */
    /** Set it from a signal handler and presenting ends within a quarter of a second. May be NULL: never. */
    const volatile sig_atomic_t *stop;
    void (*event)(void *ctx, enum scrip_present_event event, uint32_t number); /**< may be NULL */
    void *ctx;
    const char *device_link; /**< serial lines: a symbolic link to make to the device; NULL: none */
    /** Serial lines: while it is not 0 the cards are out of the field; set it from a signal handler. May be NULL. */
    const volatile sig_atomic_t *away;
    /** Serial lines: told the path that clients open, once it can be opened. May be NULL. */
    void (*device)(void *ctx, const char *path);
};

/** Lay cards before a contactless PC/SC reader, in a slot of the vpcd driver, so that every PC/SC program sees the one
 *  that the reader finds, until told to stop. Connects again when pcscd restarts. The reader does all that pcsc.h says,
 *  and passes commands to its chip, a PN532.
 *  @param cards  see scrip_vcard_picc; borrowed, and powered by the reader from now on
 *  @return SCRIP_OK: stopped; SCRIP_E_ARGUMENT: no such host, or one card twice; SCRIP_E_LIMIT: more cards than
 *          SCRIP_FIELD_CARDS; SCRIP_E_NO_CARD: none starts; SCRIP_E_MEMORY */
enum scrip_status scrip_present_vpcd(struct scrip_picc *const *cards, size_t count, const struct scrip_present *present,
                                     char error[SCRIP_LINK_ERROR_MAX]);

/** Offer a card to one tcp: link at a time, until told to stop. Anyone who can connect can use the card, so the
 *  default is this machine only. @return SCRIP_OK: stopped; SCRIP_E_LINK: cannot listen there; SCRIP_E_MEMORY */
enum scrip_status scrip_present_tcp(struct scrip_link *link, const struct scrip_present *present,
                                    char error[SCRIP_LINK_ERROR_MAX]);

/** Lay cards before a PN532 on a serial line (its HSU) that any program can open, until told to stop. What is told as
 *  APDU are answers of the chip.
 *  @param cards  see scrip_vcard_picc; borrowed, and powered by the chip from now on
 *  @return SCRIP_OK: stopped; SCRIP_E_ARGUMENT: more cards than SCRIP_FIELD_CARDS, or one twice; SCRIP_E_NV,
 *          SCRIP_E_CORRUPT: a card does not start; SCRIP_E_IO: no pseudo terminal, or the link cannot be made;
 *          SCRIP_E_LINK: the terminal failed; SCRIP_E_MEMORY */
enum scrip_status scrip_present_pn532(struct scrip_picc *const *cards, size_t count,
                                      const struct scrip_present *present, char error[SCRIP_LINK_ERROR_MAX]);

/** The same with an MFRC522 in its UART mode. @return as scrip_present_pn532 */
enum scrip_status scrip_present_mfrc522(struct scrip_picc *const *cards, size_t count,
                                        const struct scrip_present *present, char error[SCRIP_LINK_ERROR_MAX]);

#endif
