#include "response.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define BODY_FIRST 512U /* more than most answers */

static const struct {
    int status;
    const char *name;
    const char *layer;
    const char *title;
    const char *remedy;
} problems[] = {
#define PROBLEM(name, status, layer, title, remedy) {status, #name, layer, title, remedy},
#include <scrip/problem.def>
#undef PROBLEM
};

/* All but the memory of the body, and not the 4 KB that a next-URI may take. */
void response_clear(struct scrip_response *response)
{
    response->status = 500;
    response->content_type = NULL;
    response->protocol = NULL;
    response->retry_after_s = 0;
    response->made_durable = 0;
    response->next_uri[0] = '\0';
    response->body_len = 0;
}

void scrip_response_init(struct scrip_response *response)
{
    response_clear(response);
    response->body = NULL;
    response->body_cap = 0;
}

void scrip_response_free(struct scrip_response *response)
{
    free(response->body);
    scrip_response_init(response);
}

enum scrip_status response_reserve(struct scrip_response *response, size_t cap)
{
    if (response->body_cap >= cap) {
        return SCRIP_OK;
    }
    uint8_t *grown = realloc(response->body, cap);
    if (grown == NULL) {
        return SCRIP_E_MEMORY;
    }
    response->body = grown;
    response->body_cap = cap;
    return SCRIP_OK;
}

static int append(const char *text, size_t len, void *ctx)
{
    struct scrip_response *response = ctx;
    if (response->body_len + len > response->body_cap &&
        response_reserve(response, BODY_FIRST + (response->body_len + len) * 2) != SCRIP_OK) {
        return -1;
    }
    memcpy(response->body + response->body_len, text, len);
    response->body_len += len;
    return 0;
}

enum scrip_status response_text(struct scrip_response *response, int status, const char *content_type, const char *text)
{
    response->status = status;
    response->content_type = content_type;
    response->body_len = 0;
    return append(text, strlen(text), response) == 0 ? SCRIP_OK : SCRIP_E_MEMORY;
}

static enum scrip_status dump(struct scrip_response *response, const char *content_type, json_t *value)
{
    response->content_type = content_type;
    response->body_len = 0;
    const int failed = value == NULL || json_dump_callback(value, append, response, JSON_COMPACT) != 0 ||
                       append("\n", 1, response) != 0;
    json_decref(value);
    return failed ? SCRIP_E_MEMORY : SCRIP_OK;
}

enum scrip_status response_json(struct scrip_response *response, int status, json_t *value)
{
    response->status = status;
    return dump(response, "application/json", value);
}

const char *problem_name(enum scrip_problem problem)
{
    return problems[problem].name;
}

int problem_status(enum scrip_problem problem)
{
    return problems[problem].status;
}

void scrip_response_problem(struct scrip_response *response, enum scrip_problem problem, const char *detail)
{
    const int status = problems[problem].status;
    response->next_uri[0] = '\0';
    response->made_durable = 0;
    response->retry_after_s = status == 429 ? 10 : status == 503 ? 2 : 0;
    response->status = status;
    json_t *document = json_pack("{ss+ ss si ss ss* ss}", "type", "urn:scrip:problem:", problems[problem].name, "title",
                                 problems[problem].title, "status", status, "layer", problems[problem].layer, "detail",
                                 detail, "remedy", problems[problem].remedy);
    if (dump(response, "application/problem+json", document) != SCRIP_OK) {
        response->content_type = NULL; /* the status alone still says it */
        response->body_len = 0;
    }
}

void scrip_response_unavailable(struct scrip_response *response)
{
    response_clear(response);
    scrip_response_problem(response, SCRIP_PROBLEM_UNAVAILABLE, NULL);
}
