/* card_file.h: the file of a card as non-volatile memory. */
#ifndef SCRIP_CARD_FILE_H
#define SCRIP_CARD_FILE_H

#include <scrip/posix.h>
#include <scrip/vcard.h>

#define CARD_FILE_VERSION 1U

/** An open, locked card file. `nv` points back into it, so it may not move. */
struct card_file {
    int fd; /* -1: closed */
    struct scrip_nv nv;
    struct scrip_nv_file region;
};

/** Create the file with its header and empty memory. What is written to it is safe after card_file_settle only: a card
 *  that is being made is nobody's yet. @return SCRIP_OK; SCRIP_E_EXISTS; SCRIP_E_IO */
enum scrip_status card_file_create(const char *path, const struct scrip_vcard_identity *identity,
                                   struct card_file *file, char error[SCRIP_VCARD_ERROR_MAX]);

/** Open, lock, check. @return as scrip_vcard_open */
enum scrip_status card_file_open(const char *path, struct card_file *file, struct scrip_vcard_identity *identity,
                                 char error[SCRIP_VCARD_ERROR_MAX]);

/** Flush all that was written. @return SCRIP_OK; SCRIP_E_IO */
enum scrip_status card_file_settle(struct card_file *file);

/** Hand an open file over to another struct; `from` is closed. */
void card_file_move(struct card_file *from, struct card_file *to);

void card_file_close(struct card_file *file);

/** Read a header page. @return SCRIP_OK; SCRIP_E_CORRUPT; SCRIP_E_UNSUPPORTED */
enum scrip_status card_file_parse(const uint8_t page[SCRIP_NV_PAGE], struct scrip_vcard_identity *identity,
                                  uint32_t *pages);

/** "path: what" into `error`, if there is one. */
void card_file_say(char error[SCRIP_VCARD_ERROR_MAX], const char *path, const char *what);

#endif
