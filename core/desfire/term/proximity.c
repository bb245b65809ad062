/* The proximity check, the host's side: random bytes are exchanged one part at a time, in a hurry, and then both prove
 * with a MAC over all parts that it was they. Measuring the time is the caller's. */
#include "private.h"
#include <scrip/cmac.h>
#include <string.h>

void scrip_desfire_pc_start(struct scrip_desfire_pc *pc, const uint8_t rndc[8])
{
    *pc = (struct scrip_desfire_pc){.len = 0};
    memcpy(pc->rndc, rndc, sizeof pc->rndc);
}

/* A card with a session would go on counting commands that this side sends outside of it. */
static enum scrip_status ask_outside(struct scrip_desfire_term *term, struct scrip_batch *batch, uint8_t cmd,
                                     struct scrip_bytes params)
{
    const struct scrip_desfire_call call = {.cmd = cmd, .comm = SCRIP_DESFIRE_COMM_BY_TABLE, .params = params};
    return scrip_desfire_term_in_session(term) ? SCRIP_E_STATE : scrip_desfire_term_ask(term, batch, &call);
}

enum scrip_status scrip_desfire_pc_prepare(struct scrip_desfire_term *term, struct scrip_batch *batch)
{
    return ask_outside(term, batch, CMD_PREPARE_PC, scrip_bytes(NULL, 0));
}

enum scrip_status scrip_desfire_pc_prepared(struct scrip_desfire_pc *pc, struct scrip_bytes response)
{
    const bool with_pps = response.len > 0 && (response.at[0] & 1U) != 0;
    if (response.len != (with_pps ? 4U : 3U)) {
        return SCRIP_E_LENGTH;
    }
    memcpy(pc->prepared, response.at, response.len);
    pc->prepared_len = (uint8_t)response.len;
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_pc_ask(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                       const struct scrip_desfire_pc *pc, uint8_t n)
{
    uint8_t params[1 + sizeof pc->rndc] = {n};
    if (n == 0 || n > sizeof pc->rndc - pc->len) {
        return SCRIP_E_ARGUMENT;
    }
    memcpy(params + 1, pc->rndc + pc->len, n);
    return ask_outside(term, batch, CMD_PROXIMITY_CHECK, scrip_bytes(params, 1U + n));
}

enum scrip_status scrip_desfire_pc_part(struct scrip_desfire_pc *pc, struct scrip_bytes response)
{
    uint8_t *at = pc->parts + 2U * pc->len;
    if (response.len == 0 || response.len > sizeof pc->rndc - pc->len) {
        return SCRIP_E_LENGTH;
    }
    memcpy(at, response.at, response.len);
    memcpy(at + response.len, pc->rndc + pc->len, response.len);
    pc->len = (uint8_t)(pc->len + response.len);
    return SCRIP_OK;
}

static void pc_mac(const struct scrip_desfire_pc *pc, const uint8_t key[16], uint8_t first, uint8_t mac[8])
{
    uint8_t memory[1 + sizeof pc->prepared + sizeof pc->parts] = {first};
    memcpy(memory + 1, pc->prepared, pc->prepared_len);
    memcpy(memory + 1 + pc->prepared_len, pc->parts, sizeof pc->parts);
    scrip_aes_mact(key, scrip_bytes(memory, 1U + pc->prepared_len + sizeof pc->parts), mac);
}

enum scrip_status scrip_desfire_pc_verify(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                          const struct scrip_desfire_pc *pc, const uint8_t key[16])
{
    uint8_t mac[8];
    if (pc->prepared_len == 0 || pc->len != sizeof pc->rndc) {
        return SCRIP_E_STATE;
    }
    pc_mac(pc, key, CMD_VERIFY_PC, mac);
    return ask_outside(term, batch, CMD_VERIFY_PC, SCRIP_BYTES_OF(mac));
}

enum scrip_status scrip_desfire_pc_verified(const struct scrip_desfire_pc *pc, const uint8_t key[16],
                                            struct scrip_bytes response)
{
    uint8_t mac[8];
    if (response.len != sizeof mac) {
        return SCRIP_E_LENGTH;
    }
    pc_mac(pc, key, DF_OK_90, mac);
    return scrip_equal_ct(mac, response.at, sizeof mac) ? SCRIP_OK : SCRIP_E_AUTH;
}
