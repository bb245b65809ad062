/* rooms: classic_card classic_term iso14443 host */
/* Anybody's frames for a MIFARE Classic card: any bits with any parity at any time, and commands inside a session,
 * enciphered by a reader that knows the keys, so that the handlers are reached. Power is lost now and then, and torn
 * blocks are left in every way that EEPROM leaves them. What must hold: no crash; one frame writes one block at most,
 * of the sector that was authenticated, and block 0 never; a card that wakes up again.
 *
 * The input is a sequence of steps: one byte that says what, one for the length, then that many bytes. */
#include "eeprom_tear.h"
#include "input.h"
#include <scrip/classic_card.h>
#include <scrip/field.h>
#include <scrip/mifare.h>
#include <scrip/posix.h>
#include <stdlib.h>

#define PAGES 257U

struct table {
    struct scrip_nv_memory memory;
    struct scrip_nv under;
    struct eeprom_tear tear;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_classic_card card;
    struct scrip_field field;
    struct scrip_radio air; /* the field, watched */
    struct scrip_radio under_air;
    struct scrip_mifare_soft soft;
    struct scrip_target target;
    bool is_4k;
    uint8_t before[PAGES * SCRIP_NV_PAGE];
};

/* What one frame may do to memory. */
static void look(struct table *t)
{
    const uint32_t pages = scrip_classic_card_pages(t->is_4k);
    unsigned changed = 0;
    for (uint32_t page = 0; page < pages; page++) {
        const uint8_t *now = t->memory.at + page * SCRIP_NV_PAGE;
        if (memcmp(now, t->before + page * SCRIP_NV_PAGE, SCRIP_NV_PAGE) == 0) {
            continue;
        }
        changed++;
        must(page != 0 && changed == 1);
        must(page == pages - 1U ? t->card.front.sector == 0
                                : scrip_classic_sector((uint8_t)page) == t->card.front.sector);
        memcpy(t->before + page * SCRIP_NV_PAGE, now, SCRIP_NV_PAGE);
    }
}

static enum scrip_status watched_exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                          uint32_t timeout_us)
{
    struct table *t = ctx;
    const unsigned writes = t->tear.writes;
    const enum scrip_status status = t->under_air.exchange(t->under_air.ctx, tx, rx, timeout_us);
    must(status != SCRIP_OK || (rx->bits > 0 && rx->bits <= 8U * 18U));
    must(t->tear.writes <= writes + 1);
    look(t);
    return status;
}

static void wake(struct table *t)
{
    scrip_mifare_soft_drop(&t->soft);
    must(scrip_field_power(&t->field, false) == SCRIP_OK);
    t->tear.no_power = false;
    t->tear.tear_at = 0;
    must(scrip_field_power(&t->field, true) == SCRIP_OK);
}

/* Whatever happened, the card can be found: at the second try, when the first one threw it out of a session. */
static void select_card(struct table *t)
{
    scrip_mifare_soft_drop(&t->soft);
    if (t->tear.no_power) {
        wake(t);
    }
    if (scrip_pcd_find(&t->air, true, &t->target) != SCRIP_OK) {
        must(scrip_pcd_find(&t->air, true, &t->target) == SCRIP_OK);
    }
}

/* With the right key, or (what & 2) with a wrong one. */
static void login(struct table *t, uint8_t what, uint8_t block)
{
    uint8_t command[12] = {SCRIP_MIFARE_AUTH_A + (what & 1U), block};
    uint8_t trailer[SCRIP_CLASSIC_BLOCK] = {0};
    struct scrip_buf none = {0};

    (void)scrip_classic_card_peek(&t->under, scrip_classic_trailer(scrip_classic_sector(block)), trailer);
    memcpy(command + 2, trailer + ((what & 1U) != 0 ? SCRIP_CLASSIC_AT_KEY_B : SCRIP_CLASSIC_AT_KEY_A), 6);
    command[2] ^= (uint8_t)(what & 2U);
    memcpy(command + 8, t->target.uid + t->target.uid_len - 4, 4);
    (void)scrip_mifare_exchange(&t->soft.radio, &t->soft.auth, SCRIP_BYTES_OF(command), &none);
}

/* Any bits: how many in the first two bytes, then alignment, rate, collision and parity. */
static void send_bits(struct table *t, struct scrip_bytes bytes)
{
    struct scrip_frame tx;
    struct scrip_frame rx;
    struct scrip_bytes head;

    memset(&tx, 0, sizeof tx);
    if (scrip_bytes_take(&bytes, 4, &head) != SCRIP_OK) {
        return;
    }
    memcpy(tx.data, bytes.at, bytes.len < sizeof tx.data ? bytes.len : sizeof tx.data);
    tx.bits = scrip_get_le16(head.at) % (8U * SCRIP_FRAME_MAX + 1U);
    scrip_frame_parity_fill(&tx);
    tx.align = head.at[2] & 7U;
    tx.rate = head.at[2] >> 3 & 3U;
    tx.collision = head.at[3] & 15U;
    tx.parity[0] ^= head.at[3] >> 4;
    (void)t->card.picc.ops->frame(&t->card.picc, &tx, &rx); /* past the field, which takes no nonsense */
    look(t);
    scrip_mifare_soft_drop(&t->soft); /* the reader has lost count of the keystream */
}

/* Bytes in good form, with CRC or as they are; enciphered in a session. */
static void say(struct table *t, struct scrip_bytes bytes, bool crc)
{
    struct scrip_frame tx;
    struct scrip_frame rx;
    if ((crc ? scrip_frame_bytes_crc(&tx, bytes) : scrip_frame_bytes(&tx, bytes)) == SCRIP_OK && tx.bits > 0) {
        (void)t->soft.radio.exchange(t->soft.radio.ctx, &tx, &rx, 5000);
    }
}

/* A whole command, by the library. */
static void command(struct table *t, struct scrip_bytes bytes)
{
    uint8_t room[SCRIP_CLASSIC_BLOCK];
    struct scrip_buf response = SCRIP_BUF_OF(room);
    (void)scrip_mifare_exchange(&t->soft.radio, &t->soft.auth, bytes, &response);
}

/* Trailers with valid access bits, and value blocks, are hard to come by. */
static void write_good(struct table *t, uint8_t block, uint8_t what, bool trailer)
{
    const struct scrip_classic_access access = {{what & 7U, what >> 3 & 7U, what >> 5, (what ^ what >> 4) & 7U}};
    uint8_t bytes[18] = {SCRIP_MIFARE_WRITE, block};
    memset(bytes + 2, what & 3U, SCRIP_CLASSIC_BLOCK);
    if (trailer) {
        bytes[1] = scrip_classic_trailer(scrip_classic_sector(block));
        scrip_classic_access_put(&access, bytes + 2 + SCRIP_CLASSIC_AT_ACCESS);
    } else {
        scrip_classic_value_put((int32_t)((uint32_t)what << 24), what, bytes + 2);
    }
    command(t, SCRIP_BYTES_OF(bytes));
}

enum step { BITS, SAY, SAY_BARE, COMMAND, SELECT, LOGIN, TEAR, OFF, WAIT, VALUE, TRAILER, STEPS };

static void take_step(struct table *t, uint8_t what, struct scrip_bytes bytes)
{
    const uint8_t first = bytes.len > 0 ? bytes.at[0] : 0;
    const uint8_t second = bytes.len > 1 ? bytes.at[1] : 0;
    switch (what % STEPS) {
    case BITS:
        send_bits(t, bytes);
        break;
    case SAY:
    case SAY_BARE:
        say(t, bytes, what % STEPS == SAY);
        break;
    case COMMAND:
        command(t, bytes);
        break;
    case SELECT:
        select_card(t);
        break;
    case LOGIN:
        login(t, first, second);
        break;
    case TEAR:
        t->tear.tear_at = t->tear.writes + 1U + (first >> 4 & 3U);
        t->tear.how = (enum eeprom_tear_how)(first % EEPROM_TEARS);
        t->tear.seed = second;
        break;
    case OFF:
        wake(t);
        break;
    case WAIT:
        scrip_field_wait(&t->field, 100U * first);
        break;
    default:
        write_good(t, first, second, what % STEPS == TRAILER);
        break;
    }
}

static void lay(struct table *t, uint8_t flags)
{
    struct scrip_classic_identity identity = {
        .uid = {0x04, 1, 2, 3, 4, 5, 6}, .uid_len = (flags & 1U) != 0 ? 7 : 4, .is_4k = (flags & 2U) != 0};
    const struct scrip_classic_options options = {.profile = (flags & 4U) != 0 ? SCRIP_CLASSIC_GENUINE
                                                                               : SCRIP_CLASSIC_HARDENED};

    memset(t, 0, sizeof *t);
    t->is_4k = identity.is_4k;
    must(scrip_nv_memory_init(&t->memory, PAGES) == SCRIP_OK);
    t->under = scrip_nv_memory(&t->memory);
    must(scrip_classic_card_make(&t->under, &identity) == SCRIP_OK);
    memcpy(t->before, t->memory.at, sizeof t->before);
    t->nv = eeprom_tear(&t->tear, t->under);
    scrip_random_seeded_init(&t->seeded, 1);
    t->random = scrip_random_seeded(&t->seeded);
    scrip_classic_card_init(&t->card, &(struct scrip_classic_host){.nv = &t->nv, .random = &t->random}, &options);
    scrip_field_init(&t->field);
    scrip_field_radio(&t->field, &t->under_air);
    t->air = t->under_air;
    t->air.ctx = t;
    t->air.exchange = watched_exchange;
    t->air.power = NULL; /* these take the field for their ctx, and nobody calls them */
    t->air.rates = NULL;
    t->air.wait = NULL;
    scrip_mifare_soft_init(&t->soft, &t->air, &t->random);
    must(scrip_field_add(&t->field, &t->card.picc) == SCRIP_OK);
    must(scrip_field_power(&t->field, true) == SCRIP_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct table t;
    struct scrip_bytes left = scrip_bytes(data, size);
    struct scrip_bytes bytes;
    uint8_t what;

    lay(&t, next_u8(&left));
    select_card(&t);
    while (next_step(&left, &what, &bytes)) {
        take_step(&t, what, bytes);
    }
    wake(&t);
    select_card(&t);
    scrip_nv_memory_free(&t.memory);
    return 0;
}
