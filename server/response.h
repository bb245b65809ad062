/* response.h: filling answers. Private to the room. */
#ifndef SCRIP_SERVER_RESPONSE_H
#define SCRIP_SERVER_RESPONSE_H

#include <jansson.h>
#include <scrip/server.h>

/** Forget what the answer said; its memory is kept. */
void response_clear(struct scrip_response *response);

/** Make room for `cap` body bytes in all. */
enum scrip_status response_reserve(struct scrip_response *response, size_t cap);

/** A body of text. @param content_type static */
enum scrip_status response_text(struct scrip_response *response, int status, const char *content_type,
                                const char *text);

/** A body of JSON; `value` is taken over, NULL counts as out of memory. */
enum scrip_status response_json(struct scrip_response *response, int status, json_t *value);

/** The last part of a problem's type, and its HTTP status. */
const char *problem_name(enum scrip_problem problem);
int problem_status(enum scrip_problem problem);

#endif
