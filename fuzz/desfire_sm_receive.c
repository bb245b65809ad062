/* rooms: desfire_sm crypto base */
/* What either side of DESFire secure messaging does with bytes from outside, in a valid session of any messaging. The
 * bytes are either the input as it is, or what the other side really sends, altered as the input says: so the code
 * behind the MAC is reached as well. Opening altered bytes must never give back the data under a MAC.
 *
 * Input: messaging, flags, mode, header length, alteration [2], answer length, then header, data and answer. */
#include <scrip/desfire_sm.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX 7U

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len);

static const struct {
    uint8_t sm;
    uint8_t cipher;
} VARIANTS[] = {
    {SCRIP_DESFIRE_SM_NONE, 0},           {SCRIP_DESFIRE_SM_D40, SCRIP_DES},    {SCRIP_DESFIRE_SM_D40, SCRIP_2K3DES},
    {SCRIP_DESFIRE_SM_EV1, SCRIP_DES},    {SCRIP_DESFIRE_SM_EV1, SCRIP_2K3DES}, {SCRIP_DESFIRE_SM_EV1, SCRIP_3K3DES},
    {SCRIP_DESFIRE_SM_EV1, SCRIP_AES128}, {SCRIP_DESFIRE_SM_EV2, SCRIP_AES128}, {SCRIP_DESFIRE_SM_LRP, SCRIP_AES128},
};

/* What the input asks for. */
struct scene {
    struct scrip_desfire_session host;
    struct scrip_desfire_session card;
    struct scrip_desfire_protection protection;
    struct scrip_bytes header;
    struct scrip_bytes data;
    struct scrip_bytes answer;
    uint8_t alter_at;
    uint8_t alter_by;
    bool raw;
};

static void session(struct scrip_desfire_session *session, uint8_t variant)
{
    uint8_t saved[SCRIP_DESFIRE_SESSION_SAVED] = {0};
    struct scrip_bytes in = SCRIP_BYTES_OF(saved);
    for (size_t i = 0; i < sizeof saved; i++) {
        saved[i] = (uint8_t)(0x31 * i);
    }
    memset(saved, 0, 7);
    saved[0] = 1;
    saved[1] = VARIANTS[variant % (sizeof VARIANTS / sizeof *VARIANTS)].sm;
    saved[2] = VARIANTS[variant % (sizeof VARIANTS / sizeof *VARIANTS)].cipher;
    if (scrip_desfire_sm_load(session, &in) != SCRIP_OK) {
        abort();
    }
}

static bool set_scene(struct scene *scene, const uint8_t *input, size_t len)
{
    static const uint8_t modes[] = {SCRIP_DESFIRE_PLAIN, SCRIP_DESFIRE_MAC, SCRIP_DESFIRE_FULL};
    if (len < PREFIX || len > 1024) {
        return false;
    }
    struct scrip_bytes rest = scrip_bytes(input + PREFIX, len - PREFIX);
    memset(scene, 0, sizeof *scene);
    session(&scene->host, input[0]);
    session(&scene->card, input[0]);
    scene->protection = (struct scrip_desfire_protection){
        .comm = modes[input[2] % 3],
        .file_data = (input[1] & 1) != 0,
        .settings = (input[1] & 2) != 0,
        .own_checksums = (input[1] & 4) != 0,
        .unknown_len = (input[1] & 8) != 0,
        .no_mac_back = (input[1] & 16) != 0,
        .data_back = (input[1] & 32) != 0,
    };
    scene->raw = (input[1] & 64) != 0;
    scene->header = scrip_bytes_head(rest, input[3] % 16);
    rest = scrip_bytes_from(rest, scene->header.len);
    scene->answer = scrip_bytes_head(rest, input[6]);
    scene->data = scrip_bytes_from(rest, scene->answer.len);
    scene->protection.back_len = (input[1] & 128) != 0 ? (uint16_t)scene->answer.len : 0;
    scene->alter_at = input[4];
    scene->alter_by = input[5];
    return true;
}

/* Alter one byte; returns whether anything changed. */
static bool alter(const struct scene *scene, struct scrip_buf *wire)
{
    if (wire->len == 0 || scene->alter_by == 0) {
        return false;
    }
    wire->at[scene->alter_at % wire->len] ^= scene->alter_by;
    return true;
}

static bool guarded(const struct scene *scene)
{
    return scene->protection.comm != SCRIP_DESFIRE_PLAIN && scene->host.sm >= SCRIP_DESFIRE_SM_EV2;
}

static void card_receives(struct scene *scene, struct scrip_desfire_expect *expect)
{
    static uint8_t wire_bytes[4096];
    static uint8_t plain_bytes[4096];
    struct scrip_buf wire = SCRIP_BUF_OF(wire_bytes);
    struct scrip_buf plain = SCRIP_BUF_OF(plain_bytes);
    struct scrip_desfire_session card = scene->card;

    if (scrip_desfire_sm_wrap_command(&scene->host, &scene->protection, 0x3D, scene->header, scene->data, &wire,
                                      expect) != SCRIP_OK) {
        abort(); /* there is room, and nothing is out */
    }
    const bool altered = !scene->raw && alter(scene, &wire);
    const struct scrip_bytes params = scene->raw ? scene->data : scrip_buf_bytes(&wire);
    const enum scrip_status status = scrip_desfire_sm_open_command(&scene->card, &scene->protection, 0x3D, params,
                                                                   scene->header.len, SIZE_MAX, &plain);
    if (plain.len > params.len || (status != SCRIP_OK && plain.len != 0)) {
        abort();
    }
    if (altered && guarded(scene) && status == SCRIP_OK) {
        abort();
    }
    scene->card = card; /* the response is another test */
}

static void host_receives(struct scene *scene, const struct scrip_desfire_expect *expect)
{
    static uint8_t wire_bytes[4096];
    static uint8_t plain_bytes[4096];
    struct scrip_buf wire = SCRIP_BUF_OF(wire_bytes);
    struct scrip_buf plain = SCRIP_BUF_OF(plain_bytes);
    const bool was_open = scene->host.sm != SCRIP_DESFIRE_SM_NONE;
    const bool is_guarded = guarded(scene) && !scene->protection.no_mac_back;

    if (scene->card.sm >= SCRIP_DESFIRE_SM_EV2) {
        scene->card.cmd_ctr++; /* as if the command had come through */
    }
    if (scrip_desfire_sm_wrap_response(&scene->card, &scene->protection, 0, scene->answer, &wire) != SCRIP_OK) {
        abort();
    }
    const bool altered = !scene->raw && alter(scene, &wire);
    const struct scrip_bytes reply = scene->raw ? scene->answer : scrip_buf_bytes(&wire);
    const enum scrip_status status = scrip_desfire_sm_open_response(&scene->host, expect, 0, reply, &plain);
    if (plain.len > reply.len || (status != SCRIP_OK && plain.len != 0)) {
        abort();
    }
    if ((altered && is_guarded && status == SCRIP_OK) ||
        (was_open && status != SCRIP_OK && scene->host.sm != SCRIP_DESFIRE_SM_NONE)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
    static struct scene scene;
    struct scrip_desfire_expect expect;
    if (!set_scene(&scene, input, len)) {
        return 0;
    }
    card_receives(&scene, &expect);
    host_receives(&scene, &expect);
    return 0;
}
