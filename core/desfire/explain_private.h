/* explain_private.h: what the parts of an explanation share. */
#ifndef SCRIP_DESFIRE_EXPLAIN_PRIVATE_H
#define SCRIP_DESFIRE_EXPLAIN_PRIVATE_H

#include "explain_words.h"
#include <scrip/desfire_explain.h>

/** Begin a line, with the number of the exchange. @param memory SCRIP_DESFIRE_EXPLAIN_LINE bytes */
void explain_line_begin(struct scrip_desfire_explain *e, struct text *text, char *memory);

/** Hand it out. */
void explain_line_end(struct scrip_desfire_explain *e, const struct text *text);

/** There is no session any more, of whatever key. */
void explain_leave_session(struct scrip_desfire_explain *e);

/** A command and its response, all frames joined: `cmd`, cmd_bytes and rsp_bytes. */
void explain_command(struct scrip_desfire_explain *e, uint16_t sw);

#endif
