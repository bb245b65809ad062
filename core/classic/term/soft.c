/* soft.c: Crypto-1 at the reader. */
#include <scrip/classic.h>
#include <scrip/mifare.h>

#define NONCE_LEN   4U
#define NONCE_BITS  32U
#define NIBBLE_BITS 4U
#define SUC_READER  64U
#define SUC_CARD    96U
#define WAIT_US     1000U

/* ---- frames of a session ---- */

static enum scrip_status soft_power(void *ctx, bool on)
{
    struct scrip_mifare_soft *soft = ctx;
    scrip_mifare_soft_drop(soft);
    return soft->air->power(soft->air->ctx, on);
}

static enum scrip_status soft_rates(void *ctx, uint8_t to_card, uint8_t from_card)
{
    const struct scrip_mifare_soft *soft = ctx;
    return soft->air->rates(soft->air->ctx, to_card, from_card);
}

static void soft_wait(void *ctx, uint32_t us)
{
    const struct scrip_mifare_soft *soft = ctx;
    soft->air->wait(soft->air->ctx, us);
}

/* Silence takes no keystream. */
static enum scrip_status soft_exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                       uint32_t timeout_us)
{
    struct scrip_mifare_soft *soft = ctx;
    if (!soft->on) {
        return soft->air->exchange(soft->air->ctx, tx, rx, timeout_us);
    }
    soft->room = *tx;
    scrip_mifare_sm_encrypt(&soft->cipher, &soft->room);
    enum scrip_status status = soft->air->exchange(soft->air->ctx, &soft->room, rx, timeout_us);
    if (status == SCRIP_E_TIMEOUT) {
        return status;
    }
    if (status == SCRIP_OK) {
        status = scrip_mifare_sm_decrypt(&soft->cipher, rx);
    }
    if (status != SCRIP_OK || (rx->bits == NIBBLE_BITS && rx->data[0] != SCRIP_CLASSIC_ACK)) {
        scrip_mifare_soft_drop(soft); /* out of step, or the card has forgotten it */
    }
    return status;
}

/* ---- the three passes ---- */

/* The card's nonce; when it has come, the key is loaded and the nonce fed. */
static enum scrip_status first_pass(struct scrip_mifare_soft *soft, uint8_t command, uint8_t block,
                                    const uint8_t key[6], uint32_t uid4, uint32_t *nt)
{
    const uint8_t bytes[2] = {command, block};
    struct scrip_frame frame;

    SCRIP_TRY(scrip_frame_bytes_crc(&soft->room, SCRIP_BYTES_OF(bytes)));
    if (soft->on) {
        scrip_mifare_sm_encrypt(&soft->cipher, &soft->room);
    }
    SCRIP_TRY(soft->air->exchange(soft->air->ctx, &soft->room, &frame, WAIT_US));
    if (frame.bits != NONCE_BITS || frame.collision != 0) {
        return SCRIP_E_AUTH;
    }
    scrip_crypto1_load(&soft->cipher, key);
    if (soft->on) {
        SCRIP_TRY(scrip_mifare_sm_decrypt_nonce(&soft->cipher, &frame, uid4));
        *nt = scrip_get_be32(frame.data);
    } else {
        *nt = scrip_get_be32(frame.data);
        (void)scrip_crypto1_word(&soft->cipher, uid4 ^ *nt);
    }
    return SCRIP_OK;
}

static enum scrip_status second_pass(struct scrip_mifare_soft *soft, uint32_t nt)
{
    uint8_t proof[2 * NONCE_LEN];
    struct scrip_frame frame;

    SCRIP_TRY(soft->random->fill(soft->random->ctx, proof, NONCE_LEN));
    scrip_put_be32(proof + NONCE_LEN, scrip_crypto1_successor(nt, SUC_READER));
    SCRIP_TRY(scrip_frame_bytes(&soft->room, SCRIP_BYTES_OF(proof)));
    scrip_mifare_sm_encrypt_nonce(&soft->cipher, &soft->room, 0);
    SCRIP_TRY(soft->air->exchange(soft->air->ctx, &soft->room, &frame, WAIT_US));
    if (frame.bits != NONCE_BITS || frame.collision != 0 ||
        scrip_mifare_sm_decrypt(&soft->cipher, &frame) != SCRIP_OK ||
        scrip_get_be32(frame.data) != scrip_crypto1_successor(nt, SUC_CARD)) {
        return SCRIP_E_AUTH;
    }
    return SCRIP_OK;
}

/* Whatever the card does instead of proving that it knows the key is a refusal. */
static enum scrip_status soft_authenticate(void *ctx, uint8_t command, uint8_t block, const uint8_t key[6],
                                           const uint8_t uid4[4])
{
    struct scrip_mifare_soft *soft = ctx;
    uint32_t nt = 0;
    enum scrip_status status = first_pass(soft, command, block, key, scrip_get_be32(uid4), &nt);

    if (status == SCRIP_OK) {
        status = second_pass(soft, nt);
    }
    if (status != SCRIP_OK) {
        scrip_mifare_soft_drop(soft);
        return status == SCRIP_E_LINK || status == SCRIP_E_RANDOM ? status : SCRIP_E_AUTH;
    }
    soft->on = true;
    return SCRIP_OK;
}

void scrip_mifare_soft_init(struct scrip_mifare_soft *soft, const struct scrip_radio *air,
                            const struct scrip_random *random)
{
    *soft = (struct scrip_mifare_soft){
        .radio = {.ctx = soft,
                  .power = soft_power,
                  .exchange = soft_exchange,
                  .rates = air->rates != NULL ? soft_rates : NULL,
                  .wait = air->wait != NULL ? soft_wait : NULL,
                  .frame_max = air->frame_max},
        .auth = {.ctx = soft, .authenticate = soft_authenticate},
        .air = air,
        .random = random,
    };
}

void scrip_mifare_soft_drop(struct scrip_mifare_soft *soft)
{
    scrip_wipe(&soft->cipher, sizeof soft->cipher);
    soft->on = false;
}
