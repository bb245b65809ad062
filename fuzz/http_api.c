/* rooms: server host
 * http_api.c: any method, path, key and body. Input: one byte that chooses the key, then "METHOD PATH?QUERY\n", then
 * the body. No request may crash the server, be answered with 500, or unbalance the book. */
#include "server_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct server_world world;

static const char *authorization(uint8_t choice, char *text, size_t cap)
{
    char token[SCRIP_PHONE_TOKEN_MAX];
    switch (choice % 4U) {
    case 0:
        return NULL;
    case 1:
        return "Bearer " WORLD_OPERATOR;
    case 2:
        must(scrip_server_phone_token(world.server, "o1", token));
        (void)snprintf(text, cap, "Bearer %s", token);
        return text;
    default:
        return "Bearer guess";
    }
}

static void check_book(void)
{
    int64_t balances[SCRIP_ACCOUNT_COUNT];
    int64_t sum = 0;
    must(scrip_ledger_balances(world.ledger, balances));
    for (size_t i = 0; i < SCRIP_ACCOUNT_COUNT; i++) {
        sum += balances[i];
    }
    if (sum != 0) {
        abort();
    }
}

static void ask_line(const char *line, uint8_t choice, struct scrip_bytes body)
{
    static char method[4096];
    char text[128];
    (void)snprintf(method, sizeof method, "%s", line);
    char *path = strchr(method, ' ');
    if (path == NULL) {
        return;
    }
    *path++ = '\0';
    char *query = strchr(path, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    const struct scrip_request request = {
        .method = method,
        .path = path,
        .query = query,
        .authorization = authorization(choice, text, sizeof text),
        .admin_protocol = "scrip-remote-admin/1.0",
        .prefer = query, /* any text will do */
        .body = body,
    };
    must(scrip_ledger_begin(world.ledger));
    (void)world_ask(&world, &request);
    check_book();
    scrip_ledger_rollback(world.ledger);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char line[2048];
    if (world.server == NULL) {
        world_open(&world, "an12113");
    }
    const uint8_t *end = size > 1 ? memchr(data + 1, '\n', size - 1) : NULL;
    if (end == NULL || (size_t)(end - data) > sizeof line) {
        return 0;
    }
    const size_t len = (size_t)(end - data) - 1;
    memcpy(line, data + 1, len);
    line[len] = '\0';
    ask_line(line, data[0], scrip_bytes(end + 1, size - len - 2));
    return 0;
}
