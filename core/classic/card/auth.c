/* auth.c: the three passes at the card, and where its nonces come from. */
#include "card.h"

#define FC_PER_BIT  128U
#define PERIOD      65535U
#define FIRST_NONCE 0x01200145U /* what the genuine profile's generator begins with; any state but zero would do */
#define SUC_READER  64U
#define SUC_CARD    96U
#define PROVE_BITS  64U
#define NONCE_LEN   4U

static uint32_t uid4(const struct scrip_classic_card *card)
{
    return scrip_get_be32(card->a.uid + card->a.uid_len - 4);
}

static enum scrip_status next_nonce(const struct scrip_classic_card *card, uint32_t *nonce)
{
    const struct scrip_random *random = card->host.random;
    uint8_t bytes[NONCE_LEN];

    if (card->options.profile == SCRIP_CLASSIC_GENUINE) {
        const uint64_t clocks = (card->picc.now_fc - card->power_fc) / FC_PER_BIT;
        *nonce = scrip_crypto1_successor(FIRST_NONCE, (uint32_t)(clocks % PERIOD));
        return SCRIP_OK;
    }
    SCRIP_TRY(random->fill(random->ctx, bytes, sizeof bytes));
    *nonce = scrip_get_be32(bytes);
    return SCRIP_OK;
}

/* The sector's access bits are taken along; its keys are not. */
static enum verdict begin(struct scrip_classic_card *card, const struct command *command, bool key_b)
{
    const bool nested = card->stage == STAGE_SESSION;
    const uint8_t sector = scrip_classic_sector(command->block);
    uint8_t trailer[SCRIP_CLASSIC_BLOCK];
    uint8_t nonce[NONCE_LEN];
    uint32_t nt;

    if (memory_block(card->host.nv, scrip_classic_trailer(sector), trailer) != SCRIP_OK) {
        return LOST;
    }
    const uint8_t *key = trailer + (key_b ? SCRIP_CLASSIC_AT_KEY_B : SCRIP_CLASSIC_AT_KEY_A);
    card->intact = scrip_classic_access_get(trailer + SCRIP_CLASSIC_AT_ACCESS, &card->access) == SCRIP_OK;
    card->buffer_valid = false;
    if (next_nonce(card, &nt) != SCRIP_OK) {
        scrip_wipe(trailer, sizeof trailer);
        return SILENT;
    }
    scrip_put_be32(nonce, nt);
    (void)scrip_frame_bytes(command->out, SCRIP_BYTES_OF(nonce));
    scrip_crypto1_load(&card->cipher, key);
    scrip_wipe(trailer, sizeof trailer);
    if (nested) {
        scrip_mifare_sm_encrypt_nonce(&card->cipher, command->out, uid4(card));
    } else {
        (void)scrip_crypto1_word(&card->cipher, uid4(card) ^ nt);
    }
    card->stage = STAGE_NONCE;
    card->nt = nt;
    card->sector = sector;
    card->key_b = key_b;
    return YES;
}

static enum verdict exists(const struct scrip_classic_card *card, uint8_t block)
{
    return block < memory_blocks(card->is_4k) ? YES : SILENT;
}

enum verdict check_auth_a(struct scrip_classic_card *card, const struct command *command)
{
    return exists(card, command->block);
}

enum verdict finish_auth_a(struct scrip_classic_card *card, const struct command *command)
{
    return begin(card, command, false);
}

enum verdict check_auth_b(struct scrip_classic_card *card, const struct command *command)
{
    return exists(card, command->block);
}

enum verdict finish_auth_b(struct scrip_classic_card *card, const struct command *command)
{
    return begin(card, command, true);
}

/* What a genuine chip tells a reader that does not know the key: four enciphered bits, when all parity bits are right
 * by chance. The default is silence. */
static enum verdict wrong_reader(struct scrip_classic_card *card)
{
    if (card->options.profile != SCRIP_CLASSIC_GENUINE) {
        return SILENT;
    }
    card->stage = STAGE_SESSION; /* for the length of this NAK */
    return DAMAGED;
}

enum verdict auth_prove(struct scrip_classic_card *card, struct scrip_frame *frame, struct scrip_frame *out)
{
    uint8_t proof[NONCE_LEN];

    if (frame->bits != PROVE_BITS || scrip_mifare_sm_decrypt_nonce(&card->cipher, frame, 0) != SCRIP_OK) {
        return SILENT;
    }
    if (scrip_get_be32(frame->data + NONCE_LEN) != scrip_crypto1_successor(card->nt, SUC_READER)) {
        return wrong_reader(card);
    }
    card->stage = STAGE_SESSION;
    scrip_put_be32(proof, scrip_crypto1_successor(card->nt, SUC_CARD));
    (void)scrip_frame_bytes(out, SCRIP_BYTES_OF(proof));
    scrip_mifare_sm_encrypt(&card->cipher, out);
    return YES;
}
