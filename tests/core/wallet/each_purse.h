/* each_purse.h: the purses on MIFARE Classic that every law of theirs is tried with, on one bench. */
#ifndef SCRIP_TEST_EACH_PURSE_H
#define SCRIP_TEST_EACH_PURSE_H

#include "storage_bench.h"

static struct sb bench;

static const char *const PURSES[] = {"classic", "bcd", "bcd+hardened", "classic+sector=15", "bcd+sector=3"};
#define EACH_PURSE                                                                                                     \
    size_t i = 0;                                                                                                      \
    i < sizeof PURSES / sizeof PURSES[0];                                                                              \
    i++

static inline int done(void **state)
{
    (void)state;
    sb_free(&bench);
    memset(&bench, 0, sizeof bench);
    return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, done)

#endif
