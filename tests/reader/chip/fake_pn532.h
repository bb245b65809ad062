/* fake_pn532.h: a PN532 that follows a script of commands and answers. */
#ifndef TESTS_READER_CHIP_FAKE_PN532_H
#define TESTS_READER_CHIP_FAKE_PN532_H

#include "wire.h"
#include <stdio.h>

struct fake_step {
    const char *command; /* hex, without D4; NULL ends a script; "*": any */
    const char *answer;  /* hex, without D5; NULL: the error frame; "": acknowledged and never answered */
};

struct fake_pn532 {
    struct wire wire; /* first */
    const struct fake_step *script;
    size_t step;
    size_t commands;      /* that arrived whole */
    size_t aborts;        /* ACKs of the host */
    size_t repeats;       /* NACKs of the host */
    bool strange;         /* a command came that the script does not have */
    bool extended_always; /* in the longer form of a frame, whatever its length */
    bool any_order;       /* the script is a list to look commands up in */
    const char *late;     /* hex: comes before the next ACK */
    size_t parsed;        /* of what was heard */
    uint8_t last[300];
    size_t last_len;
};

/* ---- Frames ------------------------------------------------------------------------------------------------------ */

static inline size_t fake_frame(uint8_t *out, const uint8_t *content, size_t len, bool extended)
{
    size_t pos = 0;
    uint8_t sum = 0;
    const uint8_t begin[] = {0x00, 0x00, 0xFF};
    memcpy(out, begin, sizeof begin);
    pos = sizeof begin;
    if (extended || len > 255) {
        out[pos++] = 0xFF;
        out[pos++] = 0xFF;
        out[pos++] = (uint8_t)(len >> 8);
        out[pos++] = (uint8_t)len;
        out[pos++] = (uint8_t)(0U - (len >> 8) - len);
    } else {
        out[pos++] = (uint8_t)len;
        out[pos++] = (uint8_t)(0U - len);
    }
    for (size_t i = 0; i < len; i++) {
        out[pos++] = content[i];
        sum = (uint8_t)(sum + content[i]);
    }
    out[pos++] = (uint8_t)-sum;
    out[pos++] = 0x00;
    return pos;
}

static inline void fake_say(struct fake_pn532 *fake, const uint8_t *content, size_t len)
{
    fake->last_len = fake_frame(fake->last, content, len, fake->extended_always);
    wire_say(&fake->wire, fake->last, fake->last_len);
}

static inline void fake_say_hex(struct fake_pn532 *fake, const char *content)
{
    uint8_t at[300];
    fake_say(fake, at, from_hex(content, at, sizeof at));
}

/* ---- Commands ---------------------------------------------------------------------------------------------------- */

static inline void fake_answer(struct fake_pn532 *fake, const struct fake_step *step, uint8_t code)
{
    uint8_t at[300] = {0xD5, (uint8_t)(code + 1)};
    if (step->answer == NULL) {
        at[0] = 0x7F;
        fake_say(fake, at, 1);
    } else if (step->answer[0] != '\0') {
        const size_t len = from_hex(step->answer, at + 1, sizeof at - 1);
        fake_say(fake, at, 1 + len);
    } else {
        fake->last_len = 0;
    }
}

static inline bool fake_is(const struct fake_step *step, const uint8_t *at, size_t len)
{
    uint8_t wanted[300];
    if (strcmp(step->command, "*") == 0) {
        return true;
    }
    const size_t wanted_len = from_hex(step->command, wanted, sizeof wanted);
    return wanted_len == len && memcmp(wanted, at, len) == 0;
}

static inline void fake_command(struct fake_pn532 *fake, const uint8_t *at, size_t len)
{
    static const uint8_t ack[] = {0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00};
    const struct fake_step *step = &fake->script[fake->any_order ? 0 : fake->step];
    uint8_t late[64];
    fake->commands++;
    wire_forget(&fake->wire); /* a new command ends the one that runs */
    if (fake->late != NULL) {
        wire_say(&fake->wire, late, from_hex(fake->late, late, sizeof late));
        fake->late = NULL;
    }
    wire_say(&fake->wire, ack, sizeof ack);
    if (len == 2 && at[0] == 0x14 && at[1] == 0x01) { /* comes whenever the chip is woken */
        fake_say_hex(fake, "D515");
        return;
    }
    while (fake->any_order && step->command != NULL && !fake_is(step, at, len)) {
        step++;
    }
    if (step->command == NULL || !fake_is(step, at, len)) {
        fake->strange = true;
        return;
    }
    fake->step++;
    fake_answer(fake, step, at[0]);
}

static inline size_t fake_parse(struct fake_pn532 *fake, const uint8_t *at, size_t len)
{
    if (at[0] != 0x00 || (len > 1 && at[1] != 0xFF)) {
        return 1;
    }
    if (len < 4) {
        return 0;
    }
    if (at[2] == 0x00 && at[3] == 0xFF) {
        fake->aborts++;
        wire_forget(&fake->wire);
        return 4;
    }
    if (at[2] == 0xFF && at[3] == 0x00) {
        fake->repeats++;
        wire_say(&fake->wire, fake->last, fake->last_len);
        return 4;
    }
    const bool extended = at[2] == 0xFF && at[3] == 0xFF;
    const size_t head = extended ? 7 : 4;
    if (len < head) {
        return 0;
    }
    const size_t content = extended ? scrip_get_be16(at + 4) : at[2];
    const uint8_t sum = extended ? (uint8_t)(at[4] + at[5] + at[6]) : (uint8_t)(at[2] + at[3]);
    if (sum != 0 || content < 2 || content > 265) {
        return 2;
    }
    if (len < head + content + 2) {
        return 0;
    }
    uint8_t check = 0;
    for (size_t i = 0; i <= content; i++) {
        check = (uint8_t)(check + at[head + i]);
    }
    if (check != 0 || at[head + content + 1] != 0 || at[head] != 0xD4) {
        return 2;
    }
    fake_command(fake, at + head + 1, content - 1);
    return head + content + 2;
}

static inline void fake_hear(struct wire *wire, uint8_t byte)
{
    struct fake_pn532 *fake = (struct fake_pn532 *)wire;
    (void)byte;
    assert_true(wire->heard_len < sizeof wire->heard);
    while (fake->parsed < wire->heard_len) {
        const size_t used = fake_parse(fake, wire->heard + fake->parsed, wire->heard_len - fake->parsed);
        if (used == 0) {
            return;
        }
        fake->parsed += used;
    }
}

static inline void fake_connect(struct fake_pn532 *fake, enum wire_bus bus, struct scrip_pn532 *pn532)
{
    fake->wire.hear = fake_hear;
    wire_connect(&fake->wire, bus, pn532);
}

#endif
