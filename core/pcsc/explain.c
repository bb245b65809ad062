/* A pseudo-APDU and its answer in words. Keys are never among them. */
#include "command.h"
#include <scrip/apdu.h>
#include <scrip/classic.h>
#include <string.h>

#define HEX_MOST 64U

/* ---- Text: what does not fit is left out ------------------------------------------------------------------------- */

static void words(struct scrip_buf *out, const char *text)
{
    while (*text != '\0' && scrip_buf_add_u8(out, (uint8_t)*text) == SCRIP_OK) {
        text++;
    }
}

static void hex(struct scrip_buf *out, struct scrip_bytes bytes)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < bytes.len && i < HEX_MOST; i++) {
        const char pair[] = {digits[bytes.at[i] >> 4], digits[bytes.at[i] & 15], '\0'};
        words(out, pair);
    }
    words(out, bytes.len > HEX_MOST ? "..." : "");
}

static void number(struct scrip_buf *out, int64_t value)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    uint64_t left = value < 0 ? (uint64_t)-value : (uint64_t)value;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left != 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    words(out, digits + at);
}

static void numbered(struct scrip_buf *out, const char *text, int64_t value)
{
    words(out, text);
    number(out, value);
}

/* A block as a value, where it is one; else as bytes. */
static void block_or_value(struct scrip_buf *out, struct scrip_bytes bytes)
{
    int32_t value = 0;
    uint8_t address = 0;
    if (bytes.len == SCRIP_CLASSIC_BLOCK && scrip_classic_value_get(bytes.at, &value, &address) == SCRIP_OK) {
        numbered(out, "value ", value);
        numbered(out, ", address ", address);
    } else {
        hex(out, bytes);
    }
}

/* ---- Commands ---------------------------------------------------------------------------------------------------- */

typedef void told(struct scrip_buf *out, const struct scrip_apdu *cmd);

static void tell_data(struct scrip_buf *out, const struct scrip_apdu *cmd)
{
    words(out, cmd->p1 == 0 ? "UID" : cmd->p1 == 1 ? "ATS" : "data of another kind");
}

static void tell_load(struct scrip_buf *out, const struct scrip_apdu *cmd)
{
    numbered(out, "load a key (not shown) into slot ", cmd->p2);
}

static void tell_open(struct scrip_buf *out, uint8_t block, uint8_t type, uint8_t slot)
{
    numbered(out, "authenticate block ", block);
    words(out, type == 0x60 ? " with key A" : type == 0x61 ? " with key B" : " with a key of unknown type");
    numbered(out, " of slot ", slot);
}

static void tell_authenticate(struct scrip_buf *out, const struct scrip_apdu *cmd)
{
    if (cmd->data.len == 5) {
        tell_open(out, cmd->data.at[2], cmd->data.at[3], cmd->data.at[4]);
    } else {
        words(out, "authenticate, of a wrong length");
    }
}

static void tell_authenticate_old(struct scrip_buf *out, const struct scrip_apdu *cmd)
{
    if (cmd->data.len == 2) {
        tell_open(out, cmd->p2, cmd->data.at[0], cmd->data.at[1]);
    } else {
        words(out, "authenticate, of a wrong length");
    }
}

static void tell_read(struct scrip_buf *out, const struct scrip_apdu *cmd)
{
    numbered(out, "read block ", cmd->p2);
    if (cmd->le > SCRIP_CLASSIC_BLOCK && cmd->le < 256) {
        numbered(out, " and on, bytes: ", cmd->le);
    }
}

static void tell_write(struct scrip_buf *out, const struct scrip_apdu *cmd)
{
    numbered(out, "write block ", cmd->p2);
    words(out, ": ");
    block_or_value(out, cmd->data);
}

static void tell_change(struct scrip_buf *out, bool increment, uint8_t block, uint32_t by)
{
    numbered(out, increment ? "increment block " : "decrement block ", block);
    numbered(out, " by ", by);
}

static void tell_acs(struct scrip_buf *out, const struct scrip_apdu *cmd)
{
    const uint8_t *data = cmd->data.at;
    if (cmd->data.len == 2 && data[0] == 3) {
        numbered(out, "restore block ", cmd->p2);
        numbered(out, " to block ", data[1]);
    } else if (cmd->data.len == 5 && data[0] == 0) {
        numbered(out, "store in block ", cmd->p2);
        numbered(out, ": ", (int32_t)scrip_get_be32(data + 1));
    } else if (cmd->data.len == 5 && (data[0] == 1 || data[0] == 2)) {
        tell_change(out, data[0] == 1, cmd->p2, scrip_get_be32(data + 1));
    } else {
        tell_write(out, cmd);
    }
}

static void tell_acs_read(struct scrip_buf *out, const struct scrip_apdu *cmd)
{
    numbered(out, "read the value of block ", cmd->p2);
}

static void tell_identiv(struct scrip_buf *out, const struct scrip_apdu *cmd)
{
    if (cmd->data.len == 6) {
        tell_change(out, cmd->data.at[0] == 0xC1, cmd->p2, scrip_get_le32(cmd->data.at + 2));
    } else {
        words(out, "change a value, of a wrong length");
    }
}

static void tell_omnikey(struct scrip_buf *out, const struct scrip_apdu *cmd)
{
    uint8_t value[4] = {0};
    if (cmd->data.len == 0 || cmd->data.len > sizeof value) {
        words(out, "change a value, of a wrong length");
        return;
    }
    memcpy(value, cmd->data.at, cmd->data.len);
    tell_change(out, cmd->ins == 0xD4, cmd->p2, scrip_get_le32(value));
}

static void tell_session(struct scrip_buf *out, const struct scrip_apdu *cmd)
{
    const uint8_t *data = cmd->data.at;
    if (cmd->p2 == 3 && cmd->data.len == 11) {
        tell_change(out, data[0] == 0xA0, data[4], scrip_get_le32(data + 7));
        return;
    }
    words(out, cmd->p2 == 0   ? "transparent session: "
               : cmd->p2 == 1 ? "transparent exchange: "
               : cmd->p2 == 2 ? "switch the protocol: "
                              : "objects: ");
    hex(out, cmd->data);
}

static void tell_chip(struct scrip_buf *out, const struct scrip_apdu *cmd)
{
    words(out, cmd->p1 == 0 ? "to the chip: " : cmd->p1 == 0x48 ? "the reader's name" : "lamps or settings");
    if (cmd->p1 == 0) {
        hex(out, cmd->data);
    }
}

static void tell_any(struct scrip_buf *out, const struct scrip_apdu *cmd)
{
    const uint8_t code[] = {cmd->ins, cmd->p1, cmd->p2};
    words(out, "command ");
    hex(out, SCRIP_BYTES_OF(code));
    words(out, cmd->data.len != 0 ? " " : "");
    hex(out, cmd->data);
}

static told *teller(uint8_t ins)
{
    static const struct {
        uint8_t ins;
        told *tell;
    } tellers[] = {
        {0xCA, tell_data},    {0x82, tell_load},    {0x86, tell_authenticate}, {0x88, tell_authenticate_old},
        {0xB0, tell_read},    {0xD6, tell_write},   {0xD7, tell_acs},          {0xB1, tell_acs_read},
        {0xF0, tell_identiv}, {0xD4, tell_omnikey}, {0xD8, tell_omnikey},      {0xC2, tell_session},
        {0x00, tell_chip},
    };
    for (size_t i = 0; i < sizeof tellers / sizeof tellers[0]; i++) {
        if (tellers[i].ins == ins) {
            return tellers[i].tell;
        }
    }
    return tell_any;
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

static const char *meaning(uint16_t sw)
{
    static const struct {
        uint16_t sw;
        const char *text;
    } meanings[] = {
        {SCRIP_PCSC_OK, "OK"},
        {SW_END_REACHED, "OK, less than asked for"},
        {SCRIP_PCSC_FAILED, "refused by the card, or a wrong key"},
        {SCRIP_PCSC_NO_CARD, "no answer from the card"},
        {SCRIP_PCSC_SECURITY, "not authenticated for that"},
        {SCRIP_PCSC_NO_KEY, "the slot holds no key"},
        {SW_KEY_TYPE, "no such type of key"},
        {SW_SLOT, "no such slot"},
        {SW_KEY_LENGTH, "a key has six bytes"},
        {SW_NO_SUCH_BLOCK, "no such block"},
        {SCRIP_PCSC_NO_BLOCK, "no such block"},
        {SCRIP_PCSC_NO_FUNCTION, "not known to the reader, or not for this card"},
        {SCRIP_PCSC_NO_COMMAND, "not known to the reader"},
        {SCRIP_PCSC_WRONG_LENGTH, "of a wrong length"},
        {SCRIP_PCSC_WRONG_DATA, "the data makes no sense"},
    };
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].sw == sw) {
            return meanings[i].text;
        }
    }
    return "status";
}

static void tell_answer(struct scrip_buf *out, const struct scrip_apdu *cmd, struct scrip_bytes response)
{
    if (response.len < 2) {
        words(out, " -> no answer");
        return;
    }
    if (cmd->ins == 0x00 && (cmd->p1 & 0xF0) >= 0x40) { /* a name, or 90 and a state: no status word */
        words(out, " -> ");
        hex(out, response);
        return;
    }
    const uint16_t sw = scrip_get_be16(response.at + response.len - 2);
    const struct scrip_bytes data = scrip_bytes_head(response, response.len - 2);
    words(out, " -> ");
    words(out, meaning(sw));
    if (sw != SCRIP_PCSC_OK && sw != SW_END_REACHED) {
        words(out, " (");
        hex(out, scrip_bytes_from(response, data.len));
        words(out, ")");
    }
    if (data.len != 0) {
        words(out, ": ");
        (cmd->ins == 0xB0 ? block_or_value : hex)(out, data);
    }
}

/* The beginning of an answer, and its status word. */
static struct scrip_bytes answer_copy(uint8_t *at, size_t cap, struct scrip_bytes response)
{
    struct scrip_buf copy = scrip_buf(at, cap);
    const size_t data = response.len < 2 ? 0 : response.len - 2;
    (void)scrip_buf_add_bytes(&copy, scrip_bytes_head(response, data < cap - 2 ? data : cap - 2));
    (void)scrip_buf_add_bytes(&copy, scrip_bytes_from(response, data));
    return scrip_buf_bytes(&copy);
}

size_t scrip_pcsc_explain(struct scrip_pcsc_redaction *seen, struct scrip_bytes command, struct scrip_bytes response,
                          char *text, size_t cap)
{
    uint8_t shown[SCRIP_PCSC_EXPLAIN_COMMAND];
    uint8_t heard[SCRIP_PCSC_EXPLAIN_COMMAND];
    struct scrip_buf out = scrip_buf(text, cap - 1);
    struct scrip_apdu apdu = {0};
    const size_t len = command.len < sizeof shown ? command.len : sizeof shown;
    const struct scrip_bytes answer = answer_copy(heard, sizeof heard, response);
    if (command.len == 0 || command.at[0] != 0xFF) {
        text[0] = '\0';
        return 0;
    }
    memcpy(shown, command.at, len);
    (void)scrip_pcsc_redact(seen, shown, len);
    (void)scrip_pcsc_redact_answer(seen, scrip_bytes(shown, len), heard, answer.len);
    words(&out, "reader: ");
    if (pcsc_parse(scrip_bytes(shown, len), &apdu) == SCRIP_OK) {
        teller(apdu.ins)(&out, &apdu);
    } else {
        words(&out, "no APDU: ");
        hex(&out, scrip_bytes(shown, len));
    }
    tell_answer(&out, &apdu, answer);
    text[out.len] = '\0';
    return out.len;
}
