/* scrip-bench: every figure beside its yardstick, in alternating rounds. */
#include "yard.h"

int main(void)
{
    const struct bench_options options = {.rounds = 5, .seconds = 1, .folder = "/tmp", .json = false};
    bench_note(&options, "fdatasync", yard_fdatasync_us(&options), "us");
    bench_note(&options, "AES", yard_aes_block_s() * 1e9, "ns");
    bench_note(&options, "HTTP", yard_http_requests_per_s(&options, 64, 200), "requests/s");
    return 0;
}
