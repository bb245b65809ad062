/* PN532 as a coupler: its commands for finding a card and talking to it. */
#include "pn532_port.h"
#include <scrip/classic.h>
#include <string.h>

enum command {
    GET_FIRMWARE_VERSION = 0x02,
    READ_REGISTER = 0x06,
    WRITE_REGISTER = 0x08,
    SET_PARAMETERS = 0x12,
    POWER_DOWN = 0x16,
    RF_CONFIGURATION = 0x32,
    IN_DATA_EXCHANGE = 0x40,
    IN_COMMUNICATE_THRU = 0x42,
    IN_DESELECT = 0x44,
    IN_LIST_PASSIVE_TARGET = 0x4A,
    IN_RELEASE = 0x52,
};

/* Status byte of commands to a card. */
#define STATUS_CODE     0x3FU
#define STATUS_MORE     0x40U
#define STATUS_TIMEOUT  0x01U
#define STATUS_BUFFER   0x07U
#define STATUS_OVERFLOW 0x09U
#define STATUS_REFUSED  0x13U /* an answer of another form: the 4 bits of a NAK */
#define STATUS_AUTH     0x14U

#define TARGET          0x01U
#define TARGET_MORE     0x40U
#define IC_PN532        0x32U
#define PIECE_MAX       262U /* bytes of a card's command or response at a time */
#define PIECES_MAX      300U /* of one response: 65538 bytes and some */

#define BEGIN_TRIES     3U
#define COMMAND_MS      500U
#define LIST_MS         1000U
#define CARD_MS         6000U /* a card of part 4 may take 5 s before it asks for more time */
#define FIELD_US        6000U /* cards need 5 ms to start, and to be sure that the field was away */
#define LOOK_AGAIN_US   20000U

/* ---- Setting up -------------------------------------------------------------------------------------------------- */

static struct scrip_pn532 *of_coupler(struct scrip_coupler *coupler)
{
    return (struct scrip_pn532 *)coupler; /* the first member */
}

/* A command whose answer does not matter. */
static enum scrip_status tell(struct scrip_pn532 *pn532, uint8_t code, const uint8_t *parameters, size_t len)
{
    struct scrip_bytes answer;
    return pn532_converse(pn532, code, scrip_bytes(parameters, len), scrip_bytes(NULL, 0), &answer, COMMAND_MS);
}

static enum scrip_status version_check(struct scrip_pn532 *pn532)
{
    struct scrip_bytes answer;
    SCRIP_TRY(
        pn532_converse(pn532, GET_FIRMWARE_VERSION, scrip_bytes(NULL, 0), scrip_bytes(NULL, 0), &answer, COMMAND_MS));
    if (answer.len != sizeof pn532->version) {
        return SCRIP_E_FORMAT;
    }
    memcpy(pn532->version, answer.at, sizeof pn532->version);
    return pn532->version[0] == IC_PN532 ? SCRIP_OK : SCRIP_E_UNSUPPORTED;
}

static enum scrip_status set_up(struct scrip_pn532 *pn532)
{
    static const uint8_t parameters[] = {0x14};                /* ATR_RES and RATS by themselves, no NAD, no CID */
    static const uint8_t timings[] = {0x02, 0x00, 0x0B, 0x0A}; /* 102 ms, 51 ms: the chip's own */
    static const uint8_t retries[] = {0x04, 0x00};             /* a command to a card goes out once */
    static const uint8_t looks[] = {0x05, 0xFF, 0x01, 0x01};   /* look for a card twice, then say that there is none */
    SCRIP_TRY(version_check(pn532));
    SCRIP_TRY(tell(pn532, SET_PARAMETERS, parameters, sizeof parameters));
    SCRIP_TRY(tell(pn532, RF_CONFIGURATION, timings, sizeof timings));
    SCRIP_TRY(tell(pn532, RF_CONFIGURATION, retries, sizeof retries));
    SCRIP_TRY(tell(pn532, RF_CONFIGURATION, looks, sizeof looks));
    pn532->timeout_code = timings[3];
    return SCRIP_OK;
}

enum scrip_status scrip_pn532_begin(struct scrip_pn532 *pn532)
{
    enum scrip_status status = SCRIP_E_TIMEOUT;
    pn532->listed = false;
    pn532->bare = false;
    for (unsigned i = 0; i < BEGIN_TRIES && status != SCRIP_OK && status != SCRIP_E_UNSUPPORTED; i++) {
        pn532->awake = false;
        status = set_up(pn532);
    }
    return status;
}

void scrip_pn532_end(struct scrip_pn532 *pn532)
{
    static const uint8_t field_off[] = {0x01, 0x00};
    static const uint8_t sleep[] = {0xF0}; /* wake up by I2C, SPI, HSU */
    if (pn532->awake && tell(pn532, RF_CONFIGURATION, field_off, sizeof field_off) == SCRIP_OK) {
        (void)tell(pn532, POWER_DOWN, sleep, sizeof sleep);
    }
    pn532->awake = false;
    pn532->listed = false;
    pn532->target.uid_len = 0;
}

/* ---- Finding a card ---------------------------------------------------------------------------------------------- */

static enum scrip_status power(struct scrip_coupler *coupler, bool on)
{
    struct scrip_pn532 *pn532 = of_coupler(coupler);
    const uint8_t field[] = {0x01, on ? 0x01 : 0x00};
    pn532->listed = false;
    pn532->target.uid_len = 0;
    if (tell(pn532, RF_CONFIGURATION, field, sizeof field) != SCRIP_OK) {
        return SCRIP_E_LINK;
    }
    pn532->ticks.wait_us(pn532->ticks.ctx, FIELD_US);
    return SCRIP_OK;
}

/* What `raw` left in the registers would garble what the chip does by itself. */
static enum scrip_status bare_end(struct scrip_pn532 *pn532)
{
    static const uint8_t own[] = {0x63, 0x02, 0x80, 0x63, 0x03, 0x80, 0x63, 0x0D, 0x00, 0x63, 0x3D, 0x00};
    if (pn532->bare && tell(pn532, WRITE_REGISTER, own, sizeof own) != SCRIP_OK) {
        return SCRIP_E_LINK;
    }
    pn532->bare = false;
    return SCRIP_OK;
}

/* NbTg Tg ATQA(2, high byte first) SAK length UID [ATS]. */
static enum scrip_status target_get(struct scrip_bytes answer, struct scrip_target *target)
{
    struct scrip_target found = {0};
    struct scrip_bytes head, uid;
    if (answer.len == 1 && answer.at[0] == 0) {
        return SCRIP_E_NO_CARD;
    }
    SCRIP_TRY(scrip_bytes_take(&answer, 6, &head));
    found.atqa[0] = head.at[3];
    found.atqa[1] = head.at[2];
    found.sak = head.at[4];
    found.uid_len = head.at[5];
    if (head.at[0] != 1 || head.at[1] != TARGET || (found.uid_len != 4 && found.uid_len != 7 && found.uid_len != 10)) {
        return SCRIP_E_FORMAT;
    }
    SCRIP_TRY(scrip_bytes_take(&answer, found.uid_len, &uid));
    memcpy(found.uid, uid.at, uid.len);
    if (answer.len > 0) {
        if (answer.at[0] != answer.len || answer.len > sizeof found.ats) {
            return SCRIP_E_FORMAT;
        }
        memcpy(found.ats, answer.at, answer.len);
        found.ats_len = (uint8_t)answer.len;
    }
    *target = found;
    return SCRIP_OK;
}

/* List one card of 106 kbit/s type A: any, or the one with this UID. */
static enum scrip_status list(struct scrip_pn532 *pn532, struct scrip_bytes uid, struct scrip_target *target)
{
    static const uint8_t one_type_a[] = {0x01, 0x00};
    struct scrip_bytes answer;
    pn532->listed = false;
    SCRIP_TRY(bare_end(pn532));
    if (pn532_converse(pn532, IN_LIST_PASSIVE_TARGET, SCRIP_BYTES_OF(one_type_a), uid, &answer, LIST_MS) != SCRIP_OK) {
        return SCRIP_E_LINK;
    }
    const enum scrip_status status = target_get(answer, target);
    pn532->listed = status == SCRIP_OK;
    return status == SCRIP_OK || status == SCRIP_E_NO_CARD ? status : SCRIP_E_LINK;
}

static enum scrip_status find(struct scrip_coupler *coupler, uint32_t timeout_ms, struct scrip_target *target)
{
    struct scrip_pn532 *pn532 = of_coupler(coupler);
    const uint32_t start = pn532->ticks.now_ms(pn532->ticks.ctx);
    for (;;) {
        SCRIP_TRY(power(coupler, false));
        SCRIP_TRY(power(coupler, true));
        const enum scrip_status status = list(pn532, scrip_bytes(NULL, 0), &pn532->target);
        if (status == SCRIP_OK) {
            *target = pn532->target;
        }
        if (status != SCRIP_E_NO_CARD || pn532_elapsed_ms(pn532, start) >= timeout_ms) {
            return status;
        }
        pn532->ticks.wait_us(pn532->ticks.ctx, LOOK_AGAIN_US);
    }
}

/* The UID as it goes through the cascade levels: 88 before each three bytes that are not the last four. */
static struct scrip_bytes cascaded(const struct scrip_target *target, uint8_t at[12])
{
    struct scrip_buf out = scrip_buf(at, 12);
    size_t pos = 0;
    while (target->uid_len - pos > 4) {
        (void)scrip_buf_add_u8(&out, 0x88);
        (void)scrip_buf_add(&out, target->uid + pos, 3);
        pos += 3;
    }
    (void)scrip_buf_add(&out, target->uid + pos, target->uid_len - pos);
    return scrip_buf_bytes(&out);
}

static enum scrip_status again(struct scrip_coupler *coupler)
{
    static const uint8_t release[] = {0x00};
    struct scrip_pn532 *pn532 = of_coupler(coupler);
    struct scrip_target found;
    uint8_t uid[12];
    if (pn532->target.uid_len == 0) {
        return SCRIP_E_NO_CARD;
    }
    if (pn532->target.ats_len > 0 && tell(pn532, IN_RELEASE, release, sizeof release) != SCRIP_OK) {
        return SCRIP_E_LINK; /* a card of part 4 hears no WUPA until it is deselected */
    }
    SCRIP_TRY(list(pn532, cascaded(&pn532->target, uid), &found));
    if (found.uid_len != pn532->target.uid_len || memcmp(found.uid, pn532->target.uid, found.uid_len) != 0) {
        pn532->listed = false;
        return SCRIP_E_NO_CARD; /* another one */
    }
    return SCRIP_OK;
}

/* ---- Talking to it ----------------------------------------------------------------------------------------------- */

/* One piece to the card, one from it. The status is taken off, and kept in pn532->status.
 * SCRIP_OK: look at the status; SCRIP_E_TORN: the chip does not say what the card did; SCRIP_E_LINK: nothing was sent.
 */
static enum scrip_status data_exchange(struct scrip_pn532 *pn532, uint8_t target, struct scrip_bytes piece,
                                       struct scrip_bytes *answer)
{
    struct scrip_bytes status;
    const enum scrip_status said =
        pn532_converse(pn532, IN_DATA_EXCHANGE, scrip_bytes(&target, 1), piece, answer, CARD_MS);
    if (said != SCRIP_OK) {
        return pn532->sent ? SCRIP_E_TORN : SCRIP_E_LINK;
    }
    if (scrip_bytes_take(answer, 1, &status) != SCRIP_OK) {
        return SCRIP_E_TORN;
    }
    pn532->status = status.at[0];
    return SCRIP_OK;
}

static enum scrip_status command_send(struct scrip_pn532 *pn532, struct scrip_bytes command, struct scrip_bytes *answer)
{
    do {
        const struct scrip_bytes piece = scrip_bytes_head(command, PIECE_MAX);
        command = scrip_bytes_from(command, piece.len);
        const uint8_t target = command.len > 0 ? TARGET | TARGET_MORE : TARGET;
        SCRIP_TRY(data_exchange(pn532, target, piece, answer));
        if ((pn532->status & STATUS_CODE) != 0) {
            return SCRIP_E_TORN;
        }
    } while (command.len > 0);
    return SCRIP_OK;
}

/* A response that does not fit is fetched to its end all the same: the card has given it. */
static enum scrip_status response_take(struct scrip_pn532 *pn532, struct scrip_bytes answer, struct scrip_buf *response)
{
    enum scrip_status status = scrip_buf_add_bytes(response, answer);
    for (unsigned i = 0; (pn532->status & STATUS_MORE) != 0; i++) {
        if (i == PIECES_MAX) {
            return SCRIP_E_TORN;
        }
        SCRIP_TRY(data_exchange(pn532, TARGET, scrip_bytes(NULL, 0), &answer));
        if ((pn532->status & STATUS_CODE) != 0) {
            return SCRIP_E_TORN;
        }
        if (status == SCRIP_OK) {
            status = scrip_buf_add_bytes(response, answer);
        }
    }
    return status;
}

static enum scrip_status apdu(struct scrip_coupler *coupler, struct scrip_bytes command, struct scrip_buf *response)
{
    struct scrip_pn532 *pn532 = of_coupler(coupler);
    struct scrip_bytes answer;
    const size_t before = response->len;
    if (!pn532->listed || pn532->target.ats_len == 0) {
        return SCRIP_E_STATE;
    }
    if (command.len == 0) {
        return SCRIP_E_ARGUMENT; /* to the chip that would be a question for the rest of a response */
    }
    SCRIP_TRY(bare_end(pn532));
    pn532->sent = false;
    enum scrip_status status = command_send(pn532, command, &answer);
    if (status == SCRIP_OK) {
        status = response_take(pn532, answer, response);
    }
    if (status != SCRIP_OK) {
        response->len = before;
    }
    return status;
}

#define WRITE 0xA0U
#define HALT  0x50U

/* Commands of MIFARE Classic, their lengths, and what the card sends back. */
struct mifare_row {
    uint8_t command;
    uint8_t len;
    uint8_t answer_len;
};

static const struct mifare_row *mifare_row(struct scrip_bytes command)
{
    static const struct mifare_row rows[] = {
        {0x60, 12, 0}, {0x61, 12, 0}, {0x30, 2, 16}, {WRITE, 18, 0}, {0xC0, 6, 0},
        {0xC1, 6, 0},  {0xC2, 6, 0},  {0xB0, 2, 0},  {0x40, 2, 0},   {HALT, 2, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (command.len == rows[i].len && command.at[0] == rows[i].command) {
            return &rows[i];
        }
    }
    return NULL;
}

static enum scrip_status halt(struct scrip_pn532 *pn532)
{
    static const uint8_t target[] = {TARGET};
    if (tell(pn532, IN_DESELECT, target, sizeof target) != SCRIP_OK) {
        return pn532->sent ? SCRIP_E_TORN : SCRIP_E_LINK;
    }
    return SCRIP_OK;
}

static enum scrip_status mifare(struct scrip_coupler *coupler, struct scrip_bytes command, struct scrip_buf *response)
{
    struct scrip_pn532 *pn532 = of_coupler(coupler);
    const struct mifare_row *row = mifare_row(command);
    struct scrip_bytes answer;
    if (row == NULL) {
        return SCRIP_E_ARGUMENT;
    }
    if (response->cap - response->len < row->answer_len) {
        return SCRIP_E_SPACE;
    }
    if (row->command == WRITE) { /* the chip would pass anything on */
        SCRIP_TRY(scrip_classic_write_check(command.at[1], command.at + 2));
    }
    SCRIP_TRY(bare_end(pn532));
    pn532->sent = false;
    if (row->command == HALT) {
        return halt(pn532);
    }
    SCRIP_TRY(data_exchange(pn532, TARGET, command, &answer));
    switch (pn532->status & STATUS_CODE) {
    case 0:
        return answer.len == row->answer_len ? scrip_buf_add_bytes(response, answer) : SCRIP_E_TORN;
    case STATUS_AUTH:
        return SCRIP_E_AUTH;
    case STATUS_REFUSED:
        return row->len == 12 ? SCRIP_E_AUTH : SCRIP_E_CARD;
    default:
        return SCRIP_E_TORN;
    }
}

/* ---- Bits -------------------------------------------------------------------------------------------------------- */

/* The chip waits 100 us * 2^(n-1), n up to 16. */
static enum scrip_status timeout_set(struct scrip_pn532 *pn532, uint32_t timeout_us)
{
    uint8_t code = 1;
    while (code < 16 && 100U << (code - 1) < timeout_us) {
        code++;
    }
    if (code == pn532->timeout_code) {
        return SCRIP_OK;
    }
    const uint8_t timings[] = {0x02, 0x00, 0x0B, code};
    SCRIP_TRY(tell(pn532, RF_CONFIGURATION, timings, sizeof timings));
    pn532->timeout_code = code;
    return SCRIP_OK;
}

/* TxMode and RxMode: CRC in bit 7. ManualRCV: parity off in bit 4. BitFraming: bits of the last byte. */
static enum scrip_status bare_begin(struct scrip_pn532 *pn532, const struct scrip_coupler_raw *how)
{
    const uint8_t registers[] = {
        0x63, 0x02, how->crc_out ? 0x80 : 0x00, 0x63, 0x03, how->crc_in ? 0x80 : 0x00,
        0x63, 0x0D, how->parity ? 0x00 : 0x10,  0x63, 0x3D, how->last_bits & 7U,
    };
    SCRIP_TRY(timeout_set(pn532, how->timeout_us));
    pn532->bare = true;
    return tell(pn532, WRITE_REGISTER, registers, sizeof registers);
}

static enum scrip_status last_bits_get(struct scrip_pn532 *pn532, uint8_t *last_bits)
{
    static const uint8_t control[] = {0x63, 0x3C};
    struct scrip_bytes answer;
    SCRIP_TRY(pn532_converse(pn532, READ_REGISTER, SCRIP_BYTES_OF(control), scrip_bytes(NULL, 0), &answer, COMMAND_MS));
    if (answer.len != 1) {
        return SCRIP_E_FORMAT;
    }
    *last_bits = answer.at[0] & 7U;
    return SCRIP_OK;
}

static enum scrip_status raw_status(uint8_t status)
{
    switch (status & STATUS_CODE) {
    case 0:
        return SCRIP_OK;
    case STATUS_TIMEOUT:
        return SCRIP_E_TIMEOUT;
    case STATUS_BUFFER:
    case STATUS_OVERFLOW:
        return SCRIP_E_SPACE;
    default:
        return SCRIP_E_MAC;
    }
}

static enum scrip_status raw(struct scrip_coupler *coupler, const struct scrip_coupler_raw *how, struct scrip_bytes tx,
                             struct scrip_buf *rx, uint8_t *last_bits)
{
    struct scrip_pn532 *pn532 = of_coupler(coupler);
    const size_t before = rx->len;
    struct scrip_bytes answer, status;
    uint8_t bits = 0;
    if (bare_begin(pn532, how) != SCRIP_OK ||
        pn532_converse(pn532, IN_COMMUNICATE_THRU, tx, scrip_bytes(NULL, 0), &answer, CARD_MS) != SCRIP_OK ||
        scrip_bytes_take(&answer, 1, &status) != SCRIP_OK) {
        return SCRIP_E_LINK;
    }
    pn532->status = status.at[0];
    SCRIP_TRY(raw_status(pn532->status));
    SCRIP_TRY(scrip_buf_add_bytes(rx, answer));
    if (last_bits_get(pn532, &bits) != SCRIP_OK) {
        rx->len = before;
        return SCRIP_E_LINK;
    }
    *last_bits = bits;
    return SCRIP_OK;
}

/* ------------------------------------------------------------------------------------------------------------------ */

void pn532_init(struct scrip_pn532 *pn532, const struct scrip_pn532_port *port, const struct scrip_ticks *ticks)
{
    static const struct scrip_coupler_ops ops = {
        .find = find, .again = again, .apdu = apdu, .mifare = mifare, .raw = raw, .power = power};
    memset(pn532, 0, sizeof *pn532);
    pn532->coupler.ops = &ops;
    pn532->port = port;
    pn532->ticks = *ticks;
}
