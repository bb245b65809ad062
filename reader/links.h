/* links.h: what the kinds of link share. */
#ifndef READER_LINKS_H
#define READER_LINKS_H

#include <scrip/reader.h>

/** Set link->error and return `status`. */
enum scrip_status link_fail(struct scrip_link *link, enum scrip_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Write a sentence into `error` (may be NULL) and return `status`. */
enum scrip_status open_fail(char error[SCRIP_LINK_ERROR_MAX], enum scrip_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Make an outer link's message that of the link it wraps. */
void link_error_copy(struct scrip_link *to, const struct scrip_link *from);

/* The kinds that need outside help to open; `target` is what stands behind the colon. */
enum scrip_status link_pcsc_open(const char *target, struct scrip_link **link, char error[SCRIP_LINK_ERROR_MAX]);
enum scrip_status link_tcp_open(const char *target, struct scrip_link **link, char error[SCRIP_LINK_ERROR_MAX]);
enum scrip_status link_pn532_open(const char *target, struct scrip_link **link, char error[SCRIP_LINK_ERROR_MAX]);
enum scrip_status link_mfrc522_open(const char *target, struct scrip_link **link, char error[SCRIP_LINK_ERROR_MAX]);

#endif
