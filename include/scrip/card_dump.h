/* card_dump.h: MIFARE Classic cards as other programs keep them: read from and written to their files.
 *
 *   MFD       the raw blocks, 1024 or 4096 bytes, keys in the trailers: libnfc's nfc-mfclassic, mfoc, mfcuk (.mfd,
 * .bin) PROXMARK  JSON of the Proxmark3 client, "FileType" "mfc v2" (also "mfc v3" and "mfcard"): "Card" with UID, ATQA
 * as sent and SAK, "blocks" by decimal number, "SectorKeys" (.json) FLIPPER   text of Flipper devices, "Version" 2 to
 * 4, "Data format version" 2 (.nfc)
 *
 * A dump with its keys is as good as the card. Wipe a struct, and the memory of a text, when done with it. */
#ifndef SCRIP_CARD_DUMP_H
#define SCRIP_CARD_DUMP_H

#include <scrip/classic.h>
#include <scrip/otp.h>
#include <scrip/profile.h>

enum scrip_dump_format { SCRIP_DUMP_MFD, SCRIP_DUMP_PROXMARK, SCRIP_DUMP_FLIPPER, SCRIP_DUMP_FORMATS };

/** Room that any dump fits into when written; and the longest that is read, bytes. */
#define SCRIP_DUMP_TEXT_MAX  262144U
#define SCRIP_DUMP_ERROR_MAX 160U

/** A card as a dump has it. */
struct scrip_card_dump {
    uint8_t uid[7];
    uint8_t uid_len; /**< 4 or 7 */
    uint8_t atqa[2]; /**< as sent, low byte first; where a format does not say, of a card of this size and UID */
    uint8_t sak;     /**< the same */
    uint16_t blocks; /**< 64 or 256 */
    uint8_t data[SCRIP_CLASSIC_4K_BLOCKS][SCRIP_CLASSIC_BLOCK]; /**< unknown bytes are zero */
    uint16_t known[SCRIP_CLASSIC_4K_BLOCKS];                    /**< bit i: byte i of the block is known */
};

/** "mfd", "proxmark", "flipper". Static memory. */
const char *scrip_dump_format_name(enum scrip_dump_format format);

/** What a file's name promises: .mfd .bin .dump, .json, .nfc. @return SCRIP_OK; SCRIP_E_NOT_FOUND: none of these */
enum scrip_status scrip_dump_format_of_name(const char *path, enum scrip_dump_format *format);

/** What a file is by its content: 1024 or 4096 bytes, an object of JSON, "Filetype:".
 *  @return SCRIP_OK; SCRIP_E_FORMAT: none of these */
enum scrip_status scrip_dump_format_of_text(struct scrip_bytes text, enum scrip_dump_format *format);

/** Read a dump. Its UID must be the one in block 0. Where "SectorKeys" has a key that the trailer does not show
 *  (unknown, or zeros as READ gives them), it is put there.
 *  @param error  receives one sentence, with line or block where there is one and never a byte of content; may be NULL
 *  @return SCRIP_OK; SCRIP_E_FORMAT: see `error`; SCRIP_E_LENGTH: longer than SCRIP_DUMP_TEXT_MAX; SCRIP_E_UNSUPPORTED:
 *          a card that is no MIFARE Classic 1K or 4K; SCRIP_E_ARGUMENT: no such format; SCRIP_E_MEMORY */
enum scrip_status scrip_dump_read(enum scrip_dump_format format, struct scrip_bytes text, struct scrip_card_dump *dump,
                                  char error[SCRIP_DUMP_ERROR_MAX]);

/** What was not known. */
struct scrip_dump_gaps {
    uint16_t keys;  /**< of trailers */
    uint16_t bytes; /**< others */
};

/** Fill what is unknown as the factory would: keys FF FF FF FF FF FF, access bits FF 07 80 with 69 behind them, block 0
 *  from UID, SAK and ATQA, everything else 00. */
void scrip_dump_fill(struct scrip_card_dump *dump, struct scrip_dump_gaps *gaps);

/** Write a dump. Unknown bytes: ?? in FLIPPER, as scrip_dump_fill in the others.
 *  @param with_keys  false: keys are left out as if they were unknown, key B also where it is plain data
 *  @param out        SCRIP_DUMP_TEXT_MAX bytes should be free
 *  @return SCRIP_OK; SCRIP_E_SPACE; SCRIP_E_ARGUMENT: no such format; SCRIP_E_MEMORY */
enum scrip_status scrip_dump_write(enum scrip_dump_format format, const struct scrip_card_dump *dump, bool with_keys,
                                   struct scrip_buf *out);

/** What is dangerous in a card's memory, sector by sector: damaged access bits, transport keys, a readable key B, value
 *  blocks that key A may credit. Unknown bytes should be filled.
 *  @param each  as in scrip_profile_lint; no sentence holds a key
 *  @return SCRIP_OK: no error; SCRIP_E_LIMIT: there are errors */
enum scrip_status scrip_dump_lint(const struct scrip_card_dump *dump,
                                  void (*each)(void *ctx, enum scrip_lint_level level, const char *sentence),
                                  void *ctx);

/** The memory of a card file, which is locked meanwhile.
 *  @return as scrip_vcard_open; SCRIP_E_UNSUPPORTED: not a MIFARE Classic */
enum scrip_status scrip_vcard_dump(const char *path, struct scrip_card_dump *dump, char error[SCRIP_VCARD_ERROR_MAX]);

/** The memory of a one-time wallet. No program of others has a format for it. */
struct scrip_otp_dump {
    uint8_t blocks[SCRIP_OTP_BLOCKS][SCRIP_CLASSIC_BLOCK]; /**< as stored; wipe */
    uint16_t written;  /**< bit b: the pointer of block b: it cannot be written any more */
    uint8_t passwords; /**< bit s: sector s has a password of its own */
    uint16_t used;     /**< units spent */
};

/** Read it from a card file, which is locked meanwhile.
 *  @return as scrip_vcard_open; SCRIP_E_UNSUPPORTED: not a one-time wallet */
enum scrip_status scrip_vcard_dump_otp(const char *path, struct scrip_otp_dump *dump,
                                       char error[SCRIP_VCARD_ERROR_MAX]);

/** Make a card file out of a dump, unknown bytes filled. The file must not exist; a process killed in between leaves
 *  half a card, so make it beside its place and move it there. ATQA and SAK become those of our cards of this size.
 *  @param genuine  as in struct scrip_vcard_identity
 *  @return as scrip_vcard_make */
enum scrip_status scrip_vcard_make_from(const char *path, const struct scrip_card_dump *dump, bool genuine,
                                        char error[SCRIP_VCARD_ERROR_MAX]);

#endif
