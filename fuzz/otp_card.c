/* rooms: otp_card host */
/* Anybody's frames for the one-time wallet card: any bits with any parity, bytes in good form, and commands inside a
 * session, enciphered by a reader that knows the keys, so that the handlers are reached. Power is lost now and then,
 * and torn cells are left in any subset. What must hold: no crash, no programmed bit ever lost or asked to go, no more
 * value than before, and a card that wakes up again.
 *
 * The input is a sequence of steps: one byte that says what, one for the length, then that many bytes. */
#include "input.h"
#include "otp_tear.h"
#include <scrip/otp_card.h>
#include <scrip/posix.h>
#include <stdlib.h>

static const uint8_t uid[4] = {0x5C, 0x0A, 0x11, 0x99};
static const uint8_t keys[4][6] = {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
                                   {0xA1, 0xA1, 0xA1, 0xA1, 0xA1, 0xA1},
                                   {0xB2, 0xB2, 0xB2, 0xB2, 0xB2, 0xB2},
                                   {0}};

struct table {
    struct scrip_nv_memory memory;
    struct otp_tear tear;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_otp_host host;
    struct scrip_otp_card card;
    struct scrip_crypto1 cipher;
    bool open;
    uint16_t used;
    uint8_t before[SCRIP_OTP_PAGES * SCRIP_NV_PAGE];
    struct scrip_frame tx, rx;
};

static void wake(struct table *t)
{
    t->open = false;
    must(t->card.picc.ops->power(&t->card.picc, false) == SCRIP_OK);
    otp_tear_power_up(&t->tear);
    must(t->card.picc.ops->power(&t->card.picc, true) == SCRIP_OK);
}

/* Memory only ever gains bits, and units only ever go. */
static void look(struct table *t)
{
    const struct scrip_nv raw = scrip_nv_memory(&t->memory);
    uint16_t used = 0;
    for (size_t i = 0; i < sizeof t->before; i++) {
        must((t->before[i] & ~t->memory.at[i]) == 0);
    }
    memcpy(t->before, t->memory.at, sizeof t->before);
    must(scrip_otp_card_used(&raw, &used) == SCRIP_OK && used >= t->used && t->tear.backwards == 0);
    t->used = used;
}

static void exchange(struct table *t)
{
    scrip_frame_clear(&t->rx);
    const enum scrip_status status = t->card.picc.ops->frame(&t->card.picc, &t->tx, &t->rx);
    must(status == SCRIP_OK || (status == SCRIP_E_NV && t->tear.no_power && t->rx.bits == 0));
    must(t->rx.bits <= 8U * 18U);
    look(t);
    if (status == SCRIP_E_NV) {
        wake(t);
    }
}

static void select_card(struct table *t)
{
    uint8_t select[7] = {0x93, 0x70, uid[0], uid[1], uid[2], uid[3], uid[0] ^ uid[1] ^ uid[2] ^ uid[3]};
    t->open = false;
    for (unsigned i = 0; i < 2; i++) {
        scrip_frame_short(&t->tx, SCRIP_WUPA);
        exchange(t);
        if (t->rx.bits == 16) {
            break;
        }
    }
    must(t->rx.bits == 16);
    must(scrip_frame_bytes_crc(&t->tx, SCRIP_BYTES_OF(select)) == SCRIP_OK);
    exchange(t);
    must(t->rx.bits == 24);
}

/* Bytes with CRC, under the session if there is one. */
static void say(struct table *t, struct scrip_bytes bytes)
{
    must(scrip_frame_bytes_crc(&t->tx, bytes) == SCRIP_OK);
    if (t->open) {
        scrip_mifare_sm_encrypt(&t->cipher, &t->tx);
    }
    exchange(t);
    if (t->rx.bits == 32) { /* the bytes were an authentication, under another key */
        t->open = false;
    }
    if (t->open && t->rx.bits > 0) {
        must(scrip_mifare_sm_decrypt(&t->cipher, &t->rx) == SCRIP_OK);
        t->open = t->rx.bits != 4 || t->rx.data[0] == SCRIP_CLASSIC_ACK;
    }
}

static void login(struct table *t, uint8_t what)
{
    const uint8_t command[2] = {0x60U | (what & 1U), what >> 3 & 0x1FU};
    const uint8_t *key = keys[what >> 1 & 3U];
    uint8_t proof[8] = {1, 2, 3, 4};
    const bool nested = t->open;
    must(scrip_frame_bytes_crc(&t->tx, SCRIP_BYTES_OF(command)) == SCRIP_OK);
    if (nested) {
        scrip_mifare_sm_encrypt(&t->cipher, &t->tx);
    }
    exchange(t);
    t->open = false;
    if (t->rx.bits != 32) {
        return;
    }
    scrip_crypto1_load(&t->cipher, key);
    if (nested) {
        (void)scrip_mifare_sm_decrypt_nonce(&t->cipher, &t->rx, scrip_get_be32(uid));
    } else {
        (void)scrip_crypto1_word(&t->cipher, scrip_get_be32(uid) ^ scrip_get_be32(t->rx.data));
    }
    scrip_put_be32(proof + 4, scrip_crypto1_successor(scrip_get_be32(t->rx.data), 64));
    must(scrip_frame_bytes(&t->tx, SCRIP_BYTES_OF(proof)) == SCRIP_OK);
    scrip_mifare_sm_encrypt_nonce(&t->cipher, &t->tx, 0);
    exchange(t);
    t->open = t->rx.bits == 32;
    if (t->open) {
        (void)scrip_mifare_sm_decrypt(&t->cipher, &t->rx);
    }
}

/* Any bits: number of bits in the first two bytes, alignment, rate and collision in the next two. */
static void send_bits(struct table *t, struct scrip_bytes bytes)
{
    struct scrip_bytes head;
    scrip_frame_clear(&t->tx);
    memset(t->tx.data, 0, sizeof t->tx.data);
    if (scrip_bytes_take(&bytes, 4, &head) != SCRIP_OK) {
        return;
    }
    memcpy(t->tx.data, bytes.at, bytes.len < sizeof t->tx.data ? bytes.len : sizeof t->tx.data);
    t->tx.bits = scrip_get_le16(head.at) % (8U * SCRIP_FRAME_MAX + 1U);
    scrip_frame_parity_fill(&t->tx);
    t->tx.align = head.at[2] & 7U;
    t->tx.rate = head.at[2] >> 3 & 3U;
    t->tx.collision = head.at[3] & 15U;
    t->tx.parity[0] ^= head.at[3] >> 4;
    t->open = false; /* the reader has lost count of the keystream */
    exchange(t);
}

enum step { BITS, PLAIN, SAY, SAY_AGAIN, SELECT, LOGIN, TEAR, OFF, FACE, PASSWORD, STEPS };

/* Blocks that are accepted are hard to come by. */
static void write_good(struct table *t, uint8_t what, bool password)
{
    const struct scrip_otp_face face = {.unit = 1U + what % 7U, .units = (uint16_t)(1U + what * 23U)};
    const struct scrip_classic_access access = {{what & 7U, what >> 3 & 7U, what >> 5, what & 3U}};
    uint8_t block[16];
    const uint8_t command[2] = {0xA0, password ? (uint8_t)(4U * (what & 3U) + 3U) : 1U};
    memset(block, keys[1][0], 6);
    scrip_classic_access_put(&access, block + 6);
    memset(block + 9, keys[2][0], 7);
    if (!password) {
        must(scrip_otp_face_put(&face, block) == SCRIP_OK);
    }
    say(t, SCRIP_BYTES_OF(command));
    say(t, SCRIP_BYTES_OF(block));
}

static void take_step(struct table *t, uint8_t what, struct scrip_bytes bytes)
{
    const uint8_t first = bytes.len > 0 ? bytes.at[0] : 0;
    switch (what % STEPS) {
    case BITS:
        send_bits(t, bytes);
        break;
    case PLAIN:
        t->open = false;
        say(t, bytes);
        break;
    case SELECT:
        select_card(t);
        break;
    case LOGIN:
        login(t, first);
        break;
    case TEAR:
        otp_tear_plan(&t->tear, 1U + first % 4U, (enum otp_tear_how)(first >> 2 & 3U) % 3U, first >> 4);
        break;
    case OFF:
        wake(t);
        break;
    case FACE:
    case PASSWORD:
        write_good(t, first, what % STEPS == PASSWORD);
        break;
    default:
        say(t, bytes);
        break;
    }
}

static void lay(struct table *t, uint8_t flags)
{
    const struct scrip_otp_identity identity = {.uid = {uid[0], uid[1], uid[2], uid[3]}};
    const struct scrip_otp_options options = {.genuine = (flags & 1) != 0};
    memset(t, 0, sizeof *t);
    must(scrip_nv_memory_init(&t->memory, SCRIP_OTP_PAGES) == SCRIP_OK);
    const struct scrip_nv raw = scrip_nv_memory(&t->memory);
    must(scrip_otp_card_make(&raw, &identity) == SCRIP_OK);
    t->nv = otp_tear(&t->tear, raw);
    scrip_random_seeded_init(&t->seeded, 1);
    t->random = scrip_random_seeded(&t->seeded);
    t->host = (struct scrip_otp_host){.nv = &t->nv, .random = &t->random};
    scrip_otp_card_init(&t->card, &t->host, &options);
    wake(t);
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
