/* rooms: wallet_desfire desfire_card host
 * desfire_personalise.c: a hostile way to a card that is to get a purse: blank, half made or finished. The input says
 * which card, and what is done to each of its answers. Nothing may crash; a purse that holds value keeps it; and an
 * honest attempt afterwards finishes the card, whatever it was made to do before. */
#include "input.h"
#include "purse_bench.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bench bench;
static struct scrip_bytes script;

/* What becomes of an answer on its way. @return false: it is lost */
static bool meddle(uint8_t *at, size_t *len)
{
    struct scrip_bytes part;
    switch (next_u8(&script) & 15) {
    case 1:
        at[next_u8(&script) % *len] ^= (uint8_t)(next_u8(&script) | 1);
        return true;
    case 2:
        *len = next_u8(&script) % (*len + 1);
        return true;
    case 3:
        part = next_bytes(&script, next_u8(&script) & 63);
        if (part.len > 0) {
            memcpy(at, part.at, part.len);
            *len = part.len;
        }
        return true;
    case 4:
        return false;
    case 5: /* another status */
        at[*len - 2] = 0x91;
        at[*len - 1] = next_u8(&script);
        return true;
    case 6: /* and no data */
        at[0] = 0x91;
        at[1] = next_u8(&script);
        *len = 2;
        return true;
    default:
        return true;
    }
}

static enum scrip_status hostile(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    uint8_t memory[SCRIP_DESFIRE_RAPDU_MAX];
    struct scrip_buf answer = SCRIP_BUF_OF(memory);
    SCRIP_TRY(bench_transmit(link, capdu, &answer));
    size_t len = answer.len;
    if (len < 2 || !meddle(memory, &len)) {
        bench_disconnect(link);
        return SCRIP_E_TORN;
    }
    return scrip_buf_add(rapdu, memory, len);
}

static const struct {
    const char *profile;
    enum scrip_desfire_generation generation;
} kinds[] = {{"an12113", SCRIP_DESFIRE_EV3},
             {"split+random-id", SCRIP_DESFIRE_EV2},
             {"ev1", SCRIP_DESFIRE_EV1},
             {"plain", SCRIP_DESFIRE_EV3}};

#define FINISHED 63U

/* @param torn_after  frames of an honest attempt, 0: blank, FINISHED: all of them @return what is on the card */
static int32_t begin(unsigned kind, unsigned torn_after)
{
    bench_free(&bench);
    given_fresh_card(&bench, kinds[kind].profile, kinds[kind].generation);
    bench.cut_after = torn_after != FINISHED ? torn_after : 0;
    if (torn_after == 0) {
        return 0;
    }
    const bool made = tap(&bench, SCRIP_PURSE_PERSONALISE, 0, 0) == SCRIP_OK;
    power_back(&bench);
    if (!made) {
        return 0;
    }
    must(tap(&bench, SCRIP_PURSE_CREDIT, 1000, 1) == SCRIP_OK);
    return 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct scrip_link_ops through = {bench_connect, bench_transmit, bench_disconnect, bench_close};
    static const struct scrip_link_ops hostile_ops = {bench_connect, hostile, bench_disconnect, bench_close};
    script = scrip_bytes(data, size);
    const uint8_t what = next_u8(&script);
    const int32_t value = begin(what & 3, what >> 2);
    for (unsigned taps = 0; taps < 2 && script.len > 0; taps++) {
        bench.link.ops = &hostile_ops;
        const bool made = tap(&bench, SCRIP_PURSE_PERSONALISE, 0, 0) == SCRIP_OK;
        bench.link.ops = &through;
        power_back(&bench);
        must(!made || tap(&bench, SCRIP_PURSE_BALANCE, 0, 0) == SCRIP_OK);
    }
    must(tap(&bench, SCRIP_PURSE_PERSONALISE, 0, 0) == SCRIP_OK);
    must(tap(&bench, SCRIP_PURSE_BALANCE, 0, 0) == SCRIP_OK && bench.job.result.balance == value);
    return 0;
}
