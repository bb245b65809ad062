#include "debit.h"

#include <scrip/journal.h>
#include <scrip/wallet.h>

#define LINES  64U
#define DEBITS 60U

static enum scrip_status purse_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    return scrip_keys_diversify(ctx, (enum scrip_key_role)role, SCRIP_KEY_NEWEST, m, out);
}

double debit_s(struct fleet *fleet)
{
    static struct scrip_purse_job job;
    const uint8_t terminal[4] = {'G', 'A', 'T', '1'};
    struct scrip_nv_memory memory;
    struct scrip_journal journal;
    fleet_must("journal", scrip_nv_memory_init(&memory, SCRIP_JOURNAL_PAGES(LINES)));
    const struct scrip_nv nv = scrip_nv_memory(&memory);
    fleet_must("journal", scrip_journal_format(&nv, terminal));
    fleet_must("journal", scrip_journal_open(&journal, &nv));
    struct scrip_purse_request request = {
        .profile = &fleet->profile,
        .keys = {fleet->keys, purse_key},
        .random = fleet->random,
        .journal = &journal,
        .amount = 1,
        .skip_flush = true,
    };
    double spent[DEBITS];
    for (unsigned i = 0; i < DEBITS; i++) {
        struct scrip_link *link = fleet->card[i % fleet->cards].link;
        scrip_purse_timestamp(1780000000000ULL + i * 1000ULL, request.timestamp);
        fleet_must("card", scrip_link_connect(link, 0, &request.card));
        const double start = bench_now();
        fleet_must("debit", scrip_purse_run(&job, &scrip_purse_desfire, SCRIP_PURSE_DEBIT, &request, link));
        spent[i] = bench_now() - start;
        scrip_link_disconnect(link);
    }
    scrip_nv_memory_free(&memory);
    return bench_typical(spent, DEBITS);
}
