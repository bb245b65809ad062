#include <scrip/posix.h>
#include <time.h>

static uint64_t system_now_ms(void *ctx)
{
    struct timespec now = {0};
    (void)ctx;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct scrip_clock scrip_clock_system(void)
{
    return (struct scrip_clock){.now_ms = system_now_ms};
}

static uint64_t fake_now_ms(void *ctx)
{
    const struct scrip_clock_fake *fake = ctx;
    return fake->now_ms;
}

struct scrip_clock scrip_clock_fake(struct scrip_clock_fake *fake)
{
    return (struct scrip_clock){.ctx = fake, .now_ms = fake_now_ms};
}
