/* rooms: wallet_desfire desfire_card host
 * desfire_term.c: a hostile card, or a hostile way to it, in front of every flow of the purse. The input says what is
 * done to each answer of a real (emulated) card: passed on, altered, cut, replaced, repeated, lost. Nothing may crash,
 * and a debit that the terminal accepts must have been taken from the card. */
#include "input.h"
#include "purse_bench.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bench bench;
static struct scrip_bytes script;
static uint8_t last[SCRIP_DESFIRE_RAPDU_MAX];
static size_t last_len;

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
        if (scrip_bytes_take(&script, next_u8(&script) & 63, &part) == SCRIP_OK && part.len > 0) {
            memcpy(at, part.at, part.len);
            *len = part.len;
        }
        return true;
    case 4:
        return false;
    case 5:
        memcpy(at, last, last_len);
        *len = last_len;
        return true;
    case 6:
        at[*len - 1] = next_u8(&script);
        return true;
    case 7:
        at[*len - 2] = 0x91;
        at[*len - 1] = 0xAF;
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
    memcpy(last, memory, len);
    last_len = len;
    return scrip_buf_add(rapdu, memory, len);
}

/* One personalised card per profile, made once; each run begins with a copy of its memory. */
#define PROFILES 4U
static uint8_t *images[PROFILES];
static const char *const names[PROFILES] = {"an12113", "split+random-id", "ev1", "an12113+smallest"};

static void begin(unsigned profile)
{
    static const enum scrip_desfire_generation generations[PROFILES] = {SCRIP_DESFIRE_EV3, SCRIP_DESFIRE_EV2,
                                                                        SCRIP_DESFIRE_EV1, SCRIP_DESFIRE_EV3};
    bench_free(&bench);
    given_fresh_card(&bench, names[profile], generations[profile]);
    const size_t len = (size_t)bench.card_memory.pages * SCRIP_NV_PAGE;
    if (images[profile] == NULL) {
        if (tap(&bench, SCRIP_PURSE_PERSONALISE, 1000, 0) != SCRIP_OK) {
            abort();
        }
        images[profile] = malloc(len);
        if (images[profile] == NULL) {
            abort();
        }
        memcpy(images[profile], bench.card_memory.at, len);
    }
    memcpy(bench.card_memory.at, images[profile], len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct scrip_link_ops through = {bench_connect, bench_transmit, bench_disconnect, bench_close};
    static const struct scrip_link_ops hostile_ops = {bench_connect, hostile, bench_disconnect, bench_close};
    script = scrip_bytes(data, size);
    begin(next_u8(&script) % PROFILES);
    int32_t expected = 1000;
    for (unsigned taps = 0; taps < 3 && script.len > 0; taps++) {
        const enum scrip_purse_operation operation = (enum scrip_purse_operation)(next_u8(&script) % SCRIP_PURSE_REKEY);
        bench.request.skip_flush = (next_u8(&script) & 1) != 0;
        bench.link.ops = &hostile_ops;
        memset(&bench.job.result, 0, sizeof bench.job.result);
        (void)tap(&bench, operation, 100, taps + 1);
        const struct scrip_purse_result result = bench.job.result;
        bench.link.ops = &through;
        power_back(&bench);
        const int32_t balance = balance_of(&bench);
        if (balance != expected && balance != expected - 100 && balance != expected + 100) {
            abort(); /* one tap moves one amount at most */
        }
        if (operation == SCRIP_PURSE_DEBIT && result.outcome == SCRIP_OUTCOME_ACCEPTED && !result.recovered &&
            balance != expected - 100) {
            abort(); /* opened without being paid */
        }
        expected = balance;
    }
    return 0;
}
