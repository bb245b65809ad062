/* scrip-bench: every figure beside its yardstick, in alternating rounds. */
#include "crypto.h"
#include "yard.h"

int main(void)
{
    const struct bench_options options = {.rounds = 5, .seconds = 1, .folder = "/tmp", .json = false};
    bench_note(&options, "fdatasync", yard_fdatasync_us(&options), "us");
    bench_note(&options, "AES", yard_aes_block_s() * 1e9, "ns");
    bench_note(&options, "HTTP", yard_http_requests_per_s(&options, 64, 200), "requests/s");
    bench_note(&options, "card", crypto_card_topup_s() * 1e6, "us");
    bench_note(&options, "blocks", (double)crypto_card_topup_blocks(), "");
    bench_note(&options, "debit", crypto_debit_s() * 1e6, "us");
    return 0;
}
