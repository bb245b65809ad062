/* Keys and key sets. */
#include "private.h"

enum scrip_status scrip_desfire_get_key_version(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                uint8_t key_no, const uint8_t *key_set)
{
    const uint8_t params[] = {(uint8_t)(key_set != NULL ? 0x40U | key_no : key_no), key_set != NULL ? *key_set : 0};
    const struct scrip_desfire_call call = {
        .cmd = CMD_GET_KEY_VERSION,
        .comm = SCRIP_DESFIRE_COMM_BY_TABLE,
        .params = scrip_bytes(params, key_set != NULL ? 2 : 1),
    };
    return scrip_desfire_term_ask(term, batch, &call);
}

static enum scrip_status change(struct scrip_desfire_term *term, struct scrip_batch *batch, uint8_t cmd,
                                struct scrip_bytes header, const struct scrip_desfire_key *next,
                                const struct scrip_desfire_key *current)
{
    uint8_t memory[48];
    struct scrip_buf params = SCRIP_BUF_OF(memory);
    SCRIP_TRY(scrip_buf_add_bytes(&params, header));
    enum scrip_status status =
        scrip_desfire_change_key_data((enum scrip_desfire_sm)term->session.sm, cmd, header, next, current, &params);
    if (status == SCRIP_OK) {
        const struct scrip_desfire_call call = {
            .cmd = cmd,
            .comm = SCRIP_DESFIRE_COMM_BY_TABLE,
            .params = scrip_buf_bytes(&params),
            .own_key = current == NULL,
        };
        status = scrip_desfire_term_ask(term, batch, &call);
    }
    scrip_wipe(memory, sizeof memory);
    return status;
}

enum scrip_status scrip_desfire_change_key(struct scrip_desfire_term *term, struct scrip_batch *batch, uint8_t key_no,
                                           const struct scrip_desfire_key *next,
                                           const struct scrip_desfire_key *current)
{
    return change(term, batch, CMD_CHANGE_KEY, scrip_bytes(&key_no, 1), next, current);
}

enum scrip_status scrip_desfire_change_key_ev2(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                               uint8_t key_set, uint8_t key_no, const struct scrip_desfire_key *next,
                                               const struct scrip_desfire_key *current)
{
    const uint8_t header[] = {key_set, key_no};
    return change(term, batch, CMD_CHANGE_KEY_EV2, SCRIP_BYTES_OF(header), next, current);
}

static enum scrip_status ask_key_set(struct scrip_desfire_term *term, struct scrip_batch *batch, uint8_t cmd,
                                     const uint8_t params[2], size_t len)
{
    const struct scrip_desfire_call call = {
        .cmd = cmd,
        .comm = SCRIP_DESFIRE_COMM_BY_TABLE,
        .params = scrip_bytes(params, len),
        .own_key = cmd == CMD_ROLL_KEY_SET,
    };
    return scrip_desfire_term_ask(term, batch, &call);
}

enum scrip_status scrip_desfire_initialize_key_set(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                   uint8_t key_set, uint8_t type)
{
    return ask_key_set(term, batch, CMD_INITIALIZE_KEY_SET, (const uint8_t[]){key_set, type}, 2);
}

enum scrip_status scrip_desfire_finalize_key_set(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                 uint8_t key_set, uint8_t version)
{
    return ask_key_set(term, batch, CMD_FINALIZE_KEY_SET, (const uint8_t[]){key_set, version}, 2);
}

enum scrip_status scrip_desfire_roll_key_set(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                             uint8_t key_set)
{
    return ask_key_set(term, batch, CMD_ROLL_KEY_SET, (const uint8_t[]){key_set, 0}, 1);
}
