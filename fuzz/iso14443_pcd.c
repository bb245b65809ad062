/* rooms: iso14443 */
/* A reader before cards that answer anything: bits of any number, collided anywhere, blocks that make no sense or only
 * some, silence, a radio that fails. What must hold: no crash, no endless conversation, nothing written past a buffer,
 * and nothing changed by what failed.
 *
 * The input says what the reader does (one byte of each step) and what it hears. */
#include "input.h"
#include <scrip/pcd.h>
#include <scrip/picc.h>
#include <string.h>

#define EXCHANGES_MAX 20000U

struct air {
    struct scrip_bytes input;
    unsigned exchanges; /* of one operation */
    uint8_t last_pcb;
};

/* A block that fits what was sent, with INF of the input's. */
static void sound_block(struct air *air, const struct scrip_frame *tx, struct scrip_frame *rx)
{
    uint8_t block[256];
    const uint8_t kind = next_u8(&air->input);
    const struct scrip_bytes inf = next_bytes(&air->input, next_u8(&air->input) % 64);
    const uint8_t number = tx->data[0] & 1U;
    const uint8_t pcbs[] = {(uint8_t)(0x02 | number),
                            (uint8_t)(0x12 | number),
                            (uint8_t)(0xA2 | number),
                            (uint8_t)(0xA3 ^ number),
                            0xF2,
                            0xC2};
    block[0] = pcbs[kind % sizeof pcbs];
    if (inf.len > 0) {
        memcpy(block + 1, inf.at, inf.len);
    }
    const size_t len = block[0] == 0xF2 && inf.len > 0 ? 2 : (block[0] & 0xE2U) == 0x02 ? 1 + inf.len : 1;
    (void)scrip_frame_bytes_crc(rx, scrip_bytes(block, len));
}

static void any_bits(struct air *air, struct scrip_frame *rx)
{
    const uint8_t shape = next_u8(&air->input);
    const struct scrip_bytes bytes = next_bytes(&air->input, next_u8(&air->input));
    (void)scrip_frame_bytes(rx, bytes);
    rx->align = bytes.len > 0 ? shape & 7U : 0;
    rx->bits = (uint16_t)(8 * bytes.len >= 15 ? 8 * bytes.len - rx->align - (shape >> 3 & 7U) : 8 * bytes.len);
    if ((shape & 0x40) != 0) {
        rx->collision = (uint16_t)(1 + next_u8(&air->input) % (rx->bits + 1U));
    }
    if ((shape & 0x80) != 0) {
        scrip_frame_parity_set(rx, 0, !scrip_frame_parity(rx, 0));
    }
}

static enum scrip_status exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx, uint32_t timeout_us)
{
    struct air *air = ctx;
    must(tx->bits > 0 && scrip_frame_len(tx) <= 256 && timeout_us > 0);
    must(++air->exchanges < EXCHANGES_MAX);
    if (air->input.len == 0) {
        return SCRIP_E_TIMEOUT;
    }
    switch (next_u8(&air->input) % 8) {
    case 0:
        return SCRIP_E_TIMEOUT;
    case 1:
        return SCRIP_E_MAC;
    case 2:
        return next_u8(&air->input) == 0xFF ? SCRIP_E_LINK : SCRIP_E_TIMEOUT;
    case 3:
    case 4:
        any_bits(air, rx);
        return SCRIP_OK;
    case 5: {
        const struct scrip_bytes bytes = next_bytes(&air->input, next_u8(&air->input));
        return scrip_frame_bytes_crc(rx, scrip_bytes_head(bytes, SCRIP_FRAME_MAX - 2));
    }
    default:
        sound_block(air, tx, rx);
        return SCRIP_OK;
    }
}

static enum scrip_status rates(void *ctx, uint8_t to_card, uint8_t from_card)
{
    (void)ctx;
    must(to_card <= SCRIP_RATE_848 && from_card <= SCRIP_RATE_848);
    return SCRIP_OK;
}

static void look_for_cards(struct air *air, const struct scrip_radio *radio, uint8_t how)
{
    struct scrip_target target = {.uid = {0x04, 1, 2, 3, 4, 5, 6}, .uid_len = 7, .sak = 0x77};
    enum scrip_status status;

    air->exchanges = 0;
    if ((how & 0x10) != 0) {
        status = scrip_pcd_wake(radio, &target);
        must(target.uid_len == 7);
    } else {
        status = scrip_pcd_find(radio, (how & 0x20) != 0, &target);
    }
    must(status == SCRIP_OK || target.sak == 0x77);
    must(target.uid_len == 4 || target.uid_len == 7 || target.uid_len == 10);
    must(air->exchanges <= 2 + 3 * 35);
}

static void talk(struct air *air, struct scrip_pcd_4 *pcd, uint8_t how)
{
    static uint8_t command[1024];
    uint8_t answer[300] = {0x55};
    struct scrip_buf got = scrip_buf(answer, 1 + 16U * (how >> 4));
    got.len = 1;
    air->exchanges = 0;
    const enum scrip_status status =
        scrip_pcd_4_exchange(pcd, scrip_bytes(command, (1U << (how & 7U)) * (1U + (how >> 5))), &got);
    must(status == SCRIP_OK || status == SCRIP_E_TORN || status == SCRIP_E_SPACE || status == SCRIP_E_LINK);
    must(got.len >= 1 && got.len <= got.cap && answer[0] == 0x55);
    must(status == SCRIP_OK || got.len == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t sizes[] = {16, 24, 64, 256};
    static struct scrip_pcd_4 pcd;
    struct air air = {.input = scrip_bytes(data, size)};
    struct scrip_target target = {0};
    const uint8_t first = next_u8(&air.input);
    const struct scrip_radio radio = {
        .ctx = &air, .exchange = exchange, .rates = rates, .frame_max = sizes[first & 3U]};
    bool active = false;

    while (air.input.len > 0) {
        const uint8_t step = next_u8(&air.input);
        air.exchanges = 0;
        switch (step & 7U) {
        case 0:
            look_for_cards(&air, &radio, step);
            break;
        case 1:
            active = scrip_pcd_4_begin(&pcd, &radio, &target, step >> 4 & 7U, first >> 2 & 3U) == SCRIP_OK;
            must(!active || (target.ats_len > 0 && target.ats_len <= sizeof target.ats));
            break;
        case 2:
            (void)scrip_pcd_halt(&radio);
            break;
        case 3:
            if (active) {
                (void)scrip_pcd_4_check(&pcd);
            }
            break;
        case 4:
            if (active) {
                active = scrip_pcd_4_deselect(&pcd) != SCRIP_OK;
            }
            break;
        default:
            if (active) {
                talk(&air, &pcd, next_u8(&air.input));
            }
            break;
        }
    }
    return 0;
}
