/* pcsc_talk.h: a PC/SC reader, whatever stands behind it, that is spoken to in hex. */
#ifndef SCRIP_TEST_PCSC_TALK_H
#define SCRIP_TEST_PCSC_TALK_H

#include "check.h"
#include <scrip/pcsc.h>

#define KEY  "FF82000006FFFFFFFFFFFF" /* the transport key, into slot 0 */
#define AUTH "FF860000050100046000"   /* sector 1, key A */
#define D16  "00112233445566778899AABBCCDDEEFF"
#define Z16  "00000000000000000000000000000000"

/* A reader, and its last answer. */
struct talk {
    void *reader;
    enum scrip_status (*apdu)(void *reader, struct scrip_bytes command, struct scrip_buf *response);
    uint8_t at[4096];
};

static inline enum scrip_status talk_pcsc_apdu(void *reader, struct scrip_bytes command, struct scrip_buf *response)
{
    return scrip_pcsc_apdu(reader, command, response);
}

/* The answer to a command. */
static inline struct scrip_bytes talk_ask(struct talk *talk, const char *hex)
{
    uint8_t command[1024];
    struct scrip_buf out = SCRIP_BUF_OF(talk->at);
    const size_t len = from_hex(hex, command, sizeof command);
    assert_ok(talk->apdu(talk->reader, scrip_bytes(command, len), &out));
    return scrip_buf_bytes(&out);
}

struct line {
    const char *command;
    const char *answer;
};

/* One after the other. */
static inline void converse(struct talk *talk, const struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct scrip_bytes answer = talk_ask(talk, lines[i].command);
        print_message("%s\n", lines[i].command);
        assert_hex(answer, lines[i].answer);
    }
}

#define CONVERSE(talk, lines) converse((talk), (lines), sizeof(lines) / sizeof(lines)[0])

#endif
