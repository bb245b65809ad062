/* explain_words.h: commands and answers, in the plain, in words. Key material is never among them. */
#ifndef SCRIP_DESFIRE_EXPLAIN_WORDS_H
#define SCRIP_DESFIRE_EXPLAIN_WORDS_H

#include "explain_text.h"

#define WORDS_DATA    48U /* most bytes of data in a line */
#define WORDS_MAC_LEN 8U

/** A name and a number behind it. */
void words_number(struct text *text, const char *name, int64_t number);

/** What a status word says: " -> OK", or the status by name. */
void words_status(struct text *text, uint16_t sw);

/** Names of messaging (enum scrip_desfire_sm) and communication mode (enum scrip_desfire_comm). */
const char *words_messaging(uint8_t sm);
const char *words_mode(uint8_t comm);

/** Do the parameters of a command begin with a file number? */
bool words_has_file(uint8_t cmd);

/** The header of a command: file, offset, length, key. */
void words_header(struct text *text, uint8_t cmd, struct scrip_bytes header);

/** Its data. @param params all of its parameters: they tell whether the data is secret */
void words_data(struct text *text, uint8_t cmd, struct scrip_bytes params, struct scrip_bytes data);

/** What the card answered. @param cmd 0: a command of ISO 7816-4 */
void words_answer(struct text *text, uint8_t cmd, struct scrip_bytes data);

#endif
