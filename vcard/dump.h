/* dump.h: what the formats of dumps share. */
#ifndef VCARD_DUMP_H
#define VCARD_DUMP_H

#include <scrip/card_dump.h>

#define DUMP_KNOWN 0xFFFFU /* a whole block */

/** Write a sentence into `error`, if there is one. @return `status` */
enum scrip_status dump_fail(char *error, enum scrip_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Two hex digits, or ?? or -- (unknown). @return 0..255; -1: unknown; -2: neither */
int dump_byte(const char *text);

/** SAK of the card: 1K or 4K? @return SCRIP_OK; SCRIP_E_UNSUPPORTED */
enum scrip_status dump_size(uint8_t sak, uint16_t *blocks);

/** What our cards of this size and UID answer. */
void dump_answers(struct scrip_card_dump *dump);

/** What goes into a file: unknown bytes filled, keys taken out. @param known  what the file may show */
void dump_shown(const struct scrip_card_dump *dump, bool with_keys, struct scrip_card_dump *shown);

/** Bytes of text behind each other. @return SCRIP_OK; SCRIP_E_SPACE */
enum scrip_status dump_print(struct scrip_buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum scrip_status dump_proxmark_read(struct scrip_bytes text, struct scrip_card_dump *dump, char *error);
enum scrip_status dump_proxmark_write(const struct scrip_card_dump *dump, bool with_keys, struct scrip_buf *out);
enum scrip_status dump_flipper_read(struct scrip_bytes text, struct scrip_card_dump *dump, char *error);
enum scrip_status dump_flipper_write(const struct scrip_card_dump *dump, struct scrip_buf *out);

#endif
