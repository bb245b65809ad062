/* rooms: server host
 * token.c: session tokens. Input: one byte, then either the text of a token as a phone may make it up, or what stands
 * in a token, which is sealed properly first: so also a state that no version of ours has written must be refused. */
#include "../server/token.h"

#include "server_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct server_world world;

static void post(const char *uri, struct scrip_bytes body)
{
    char token[SCRIP_PHONE_TOKEN_MAX];
    char bearer[128];
    must(scrip_server_phone_token(world.server, "o1", token));
    (void)snprintf(bearer, sizeof bearer, "Bearer %s", token);
    const struct scrip_request request = {
        .method = "POST",
        .path = uri,
        .authorization = bearer,
        .admin_protocol = "scrip-remote-admin/1.0",
        .body = body,
    };
    must(scrip_ledger_begin(world.ledger));
    (void)world_ask(&world, &request);
    scrip_ledger_rollback(world.ledger);
}

static void made_up(const uint8_t *data, size_t size)
{
    static const uint8_t body[] = {0xAB, 0x07, 0x80, 0x01, 0x01, 0x23, 0x02, 0x91, 0x00};
    char uri[SCRIP_SERVER_TOKEN_MAX] = "/ota/s/";
    const size_t at = strlen(uri);
    const size_t len = size < sizeof uri - at - 1 ? size : sizeof uri - at - 1;
    memcpy(uri + at, data, len);
    uri[at + len] = '\0';
    if (memchr(uri, '\0', at + len) == NULL) {
        post(uri, SCRIP_BYTES_OF(body));
        if (world.response.status == 200) {
            abort(); /* a made-up token must not open anything */
        }
    }
}

/* The first byte says how much of the input is state; the rest is the body that is posted to it. */
static void well_sealed(const uint8_t *data, size_t size)
{
    char uri[SCRIP_SERVER_TOKEN_MAX] = "/ota/s/";
    const size_t at = strlen(uri);
    const size_t plain = size > 0 && data[0] < size ? data[0] : 0;
    if (size == 0 || token_seal(world.keys, scrip_bytes("SRV1", 4), scrip_bytes(data + 1, plain), uri + at,
                                sizeof uri - at) != SCRIP_OK) {
        return;
    }
    post(uri, scrip_bytes(data + 1 + plain, size - 1 - plain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (world.server == NULL) {
        world_open(&world, "an12113");
    }
    if (size > 0) {
        (data[0] % 2U == 0 ? made_up : well_sealed)(data + 1, size - 1);
    }
    return 0;
}
