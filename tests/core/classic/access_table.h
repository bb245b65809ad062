/* access_table.h: access conditions as the data sheet prints them. "AB": either key, "": never. */
#ifndef SCRIP_TEST_CLASSIC_ACCESS_TABLE_H
#define SCRIP_TEST_CLASSIC_ACCESS_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct data_row {
    const char *condition, *read, *write, *increment, *decrement;
};

static const struct data_row data_table[8] = {
    {"000", "AB", "AB", "AB", "AB"}, {"010", "AB", "", "", ""},   {"100", "AB", "B", "", ""},
    {"110", "AB", "B", "B", "AB"},   {"001", "AB", "", "", "AB"}, {"011", "B", "B", "", ""},
    {"101", "B", "", "", ""},        {"111", "", "", "", ""},
};

struct trailer_row {
    const char *condition, *write_a, *read_access, *write_access, *read_b, *write_b;
    bool b_usable;
};

static const struct trailer_row trailer_table[8] = {
    {"000", "A", "A", "", "A", "A", false},  {"010", "", "A", "", "A", "", false},
    {"100", "B", "AB", "", "", "B", true},   {"110", "", "AB", "", "", "", true},
    {"001", "A", "A", "A", "A", "A", false}, {"011", "B", "AB", "B", "", "B", true},
    {"101", "", "AB", "B", "", "", true},    {"111", "", "AB", "", "", "", true},
};

/* C1 in bit 2, C2 in bit 1, C3 in bit 0. */
static inline uint8_t condition_of(const char *bits)
{
    return (uint8_t)((bits[0] - '0') << 2 | (bits[1] - '0') << 1 | (bits[2] - '0'));
}

static inline bool has(const char *who, bool key_b)
{
    return strchr(who, key_b ? 'B' : 'A') != NULL;
}

#endif
