/* The PN532 and the cards it finds: InListPassiveTarget, InAutoPoll, InSelect, InDeselect, InRelease, InPSL.
 *
 * Without a UID the chip asks with REQA and finds cards in IDLE only; with a UID it wakes and finds those in HALT too.
 * A card that is active is thrown back by the request and answers the next one, so a try is two requests. Both together
 * are what lets a host list several cards one after the other, and later come back to one of them. */
#include "pn532_parts.h"

#include <string.h>

#define TYPE_A        0x00U
#define TYPES         5U /* 106A, 212F, 424F, 106B, Jewel */
#define POLL_UNIT_US  150000U
#define PSL_RATES     3U /* 106, 212, 424 */
#define PPS           0xD0U
#define PPS0_HAS_PPS1 0x11U
#define ANSWER_US     5000U

static const struct scrip_radio *radio_of(struct scrip_pn532_model *chip)
{
    return scrip_ciu_radio(&chip->ciu);
}

/* ---- one target -------------------------------------------------------------------------------------------------- */

struct pn532_model_target *pn532_target(struct scrip_pn532_model *chip, uint8_t number)
{
    const bool listed = number >= 1 && number <= PN532_MODEL_TARGETS && chip->targets[number - 1].known;
    return listed ? &chip->targets[number - 1] : NULL;
}

void pn532_forget(struct scrip_pn532_model *chip)
{
    for (size_t i = 0; i < PN532_MODEL_TARGETS; i++) {
        chip->targets[i].known = false;
    }
    chip->active = 0;
    chip->in.len = chip->out.len = chip->out_sent = 0;
    scrip_ciu_crypto_off(&chip->ciu);
    (void)radio_of(chip)->rates(radio_of(chip)->ctx, SCRIP_RATE_106, SCRIP_RATE_106);
}

/* A card was selected: RATS, if it can and the host wants it. */
static enum scrip_status activate_part_4(struct scrip_pn532_model *chip, struct pn532_model_target *target)
{
    const uint8_t cid = (uint8_t)(target - chip->targets);
    target->part_4 = (target->card.sak & SCRIP_SAK_PART_4) != 0 && (chip->parameters & PN532_AUTO_RATS) != 0;
    target->fresh = target->part_4;
    target->rate_in = target->rate_out = SCRIP_RATE_106;
    target->card.ats_len = 0;
    return target->part_4 ? scrip_pcd_4_begin(&target->blocks, radio_of(chip), &target->card, cid, SCRIP_RATE_106)
                          : SCRIP_OK;
}

/* Send the active card to HALT. */
static void halt_active(struct scrip_pn532_model *chip)
{
    static const uint8_t halt[2] = {0x50, 0x00};
    struct scrip_buf none = scrip_buf(NULL, 0);
    struct pn532_model_target *target = pn532_target(chip, chip->active);
    if (target != NULL && target->part_4) {
        (void)scrip_pcd_4_deselect(&target->blocks);
    } else if (target != NULL && chip->ciu.cipher.on) {
        (void)scrip_mifare_exchange(radio_of(chip), &chip->auth, SCRIP_BYTES_OF(halt), &none);
    } else if (target != NULL) {
        (void)scrip_pcd_halt(radio_of(chip));
    }
    chip->active = 0;
    chip->in.len = chip->out.len = chip->out_sent = 0;
    scrip_ciu_crypto_off(&chip->ciu);
    (void)radio_of(chip)->rates(radio_of(chip)->ctx, SCRIP_RATE_106, SCRIP_RATE_106);
}

static enum scrip_status wake(struct scrip_pn532_model *chip, struct scrip_target *card)
{
    enum scrip_status status = scrip_pcd_request(radio_of(chip), true, card->atqa);
    if (status == SCRIP_E_NO_CARD) {
        status = scrip_pcd_request(radio_of(chip), true, card->atqa);
    }
    return status == SCRIP_OK ? scrip_pcd_select(radio_of(chip), card) : status;
}

uint8_t pn532_activate(struct scrip_pn532_model *chip, uint8_t number)
{
    struct pn532_model_target *target = pn532_target(chip, number);
    if (target == NULL) {
        return PN532_STATE;
    }
    if (chip->active == number) {
        return PN532_OK;
    }
    halt_active(chip);
    if (wake(chip, &target->card) != SCRIP_OK || activate_part_4(chip, target) != SCRIP_OK) {
        return PN532_TIMEOUT;
    }
    chip->active = number;
    return PN532_OK;
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

/* The UID a host asks for, cascade tags and all. */
static bool uid_without_tags(struct scrip_bytes init, struct scrip_target *card)
{
    const uint8_t *at = init.at;
    const bool tag_1 = init.len > 4 && at[0] == SCRIP_CASCADE_CT;
    if (init.len == 4) {
        memcpy(card->uid, at, 4);
    } else if (init.len == 8 && tag_1) {
        memcpy(card->uid, at + 1, 7);
    } else if (init.len == 12 && tag_1 && at[4] == SCRIP_CASCADE_CT) {
        memcpy(card->uid, at + 1, 3);
        memcpy(card->uid + 3, at + 5, 7);
    } else {
        return false;
    }
    card->uid_len = (uint8_t)(init.len == 4 ? 4 : init.len - init.len / 4 + 1);
    return true;
}

static enum scrip_status find(struct scrip_pn532_model *chip, struct scrip_target *card)
{
    const enum scrip_status status = scrip_pcd_find(radio_of(chip), false, card);
    return status == SCRIP_E_NO_CARD ? scrip_pcd_find(radio_of(chip), false, card) : status;
}

/* Find one more card, in the first free place. */
static bool list_one(struct scrip_pn532_model *chip, struct scrip_bytes init, uint8_t number)
{
    struct pn532_model_target *target = &chip->targets[number - 1];
    memset(&target->card, 0, sizeof target->card);
    if (init.len > 0 && !uid_without_tags(init, &target->card)) {
        return false;
    }
    const enum scrip_status found = init.len > 0 ? wake(chip, &target->card) : find(chip, &target->card);
    if (found != SCRIP_OK || activate_part_4(chip, target) != SCRIP_OK) {
        return false;
    }
    target->known = true;
    chip->active = number;
    return true;
}

static uint8_t list_cards(struct scrip_pn532_model *chip, uint8_t most, struct scrip_bytes init)
{
    uint8_t count = 0;
    pn532_forget(chip);
    scrip_ciu_antenna(&chip->ciu, true);
    while (count < most && list_one(chip, init, count + 1)) {
        count++;
        if (count < most) {
            halt_active(chip);
        }
    }
    return count;
}

static enum scrip_status add_target(const struct scrip_pn532_model *chip, uint8_t number, struct scrip_buf *answer)
{
    const struct pn532_model_target *target = &chip->targets[number - 1];
    const struct scrip_target *card = &target->card;
    const uint8_t head[] = {number, card->atqa[1], card->atqa[0], card->sak, card->uid_len};
    SCRIP_TRY(scrip_buf_add(answer, head, sizeof head));
    SCRIP_TRY(scrip_buf_add(answer, card->uid, card->uid_len));
    return target->part_4 ? scrip_buf_add(answer, card->ats, card->ats_len) : SCRIP_OK;
}

enum scrip_status pn532_list_passive(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    const uint8_t most = p.at[0];
    const uint8_t tries = chip->retries[2];
    if (most < 1 || most > PN532_MODEL_TARGETS || p.at[1] >= TYPES) {
        return SCRIP_E_FORMAT;
    }
    uint8_t count = 0;
    for (unsigned i = 0; p.at[1] == TYPE_A && count == 0 && i <= (tries == PN532_FOR_EVER ? 0U : tries); i++) {
        count = list_cards(chip, most, scrip_bytes_from(p, 2));
    }
    if (count == 0 && tries == PN532_FOR_EVER) {
        return SCRIP_E_WAIT;
    }
    SCRIP_TRY(scrip_buf_add_u8(answer, count));
    for (uint8_t number = 1; number <= count; number++) {
        SCRIP_TRY(add_target(chip, number, answer));
    }
    return SCRIP_OK;
}

/* ---- InAutoPoll -------------------------------------------------------------------------------------------------- */

static uint8_t type_of(const struct pn532_model_target *target)
{
    return (target->card.sak & SCRIP_SAK_PART_4) != 0 ? PN532_TYPE_14443_4A : PN532_TYPE_MIFARE;
}

static bool is_wanted(const struct pn532_model_target *target, uint8_t type)
{
    return type == PN532_TYPE_GENERIC || type == type_of(target);
}

static bool is_type_a(uint8_t type)
{
    return type == PN532_TYPE_GENERIC || type == PN532_TYPE_MIFARE || type == PN532_TYPE_14443_4A;
}

static enum scrip_status add_polled(struct scrip_pn532_model *chip, uint8_t count, struct scrip_buf *answer)
{
    SCRIP_TRY(scrip_buf_add_u8(answer, count));
    for (uint8_t number = 1; number <= count; number++) {
        SCRIP_TRY(scrip_buf_add_u8(answer, type_of(&chip->targets[number - 1])));
        const size_t length_at = answer->len;
        SCRIP_TRY(scrip_buf_add_u8(answer, 0));
        SCRIP_TRY(add_target(chip, number, answer));
        answer->at[length_at] = (uint8_t)(answer->len - length_at - 1);
    }
    return SCRIP_OK;
}

/* A card of part 4 that is looked at for another type gets no RATS: it could not be thrown back by the next request. */
static uint8_t poll(struct scrip_pn532_model *chip, uint8_t type)
{
    const uint8_t parameters = chip->parameters;
    if (!is_type_a(type)) {
        return 0;
    }
    chip->parameters &= type == PN532_TYPE_MIFARE ? (uint8_t)~PN532_AUTO_RATS : 0xFFU;
    const uint8_t count = list_cards(chip, 1, scrip_bytes(NULL, 0));
    chip->parameters = parameters;
    return count > 0 && is_wanted(&chip->targets[0], type) ? count : 0;
}

/* Rounds over all types; those that no card of ours speaks only take their time. */
enum scrip_status pn532_auto_poll(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    const bool for_ever = p.at[0] == PN532_FOR_EVER;
    const struct scrip_bytes types = scrip_bytes_from(p, 2);
    if (p.at[0] == 0 || p.at[1] == 0 || p.at[1] > 15) {
        return SCRIP_E_FORMAT;
    }
    for (unsigned round = 0; round < (for_ever ? 1U : p.at[0]); round++) {
        for (size_t i = 0; i < types.len; i++) {
            const uint8_t count = poll(chip, types.at[i]);
            if (count > 0) {
                return add_polled(chip, count, answer);
            }
            scrip_field_wait(chip->ciu.field, p.at[1] * POLL_UNIT_US);
        }
    }
    pn532_forget(chip);
    return for_ever ? SCRIP_E_WAIT : add_polled(chip, 0, answer);
}

/* ---- select, deselect, release ----------------------------------------------------------------------------------- */

static enum scrip_status add_status(struct scrip_pn532_model *chip, uint8_t status, struct scrip_buf *answer)
{
    chip->error = status;
    return scrip_buf_add_u8(answer, status);
}

enum scrip_status pn532_select(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    return add_status(chip, pn532_activate(chip, p.at[0]), answer);
}

/* Number 0 means all of them; only one can be active. */
enum scrip_status pn532_deselect(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    if (p.at[0] != 0 && pn532_target(chip, p.at[0]) == NULL) {
        return add_status(chip, PN532_STATE, answer);
    }
    if (p.at[0] == 0 || p.at[0] == chip->active) {
        halt_active(chip);
    }
    return add_status(chip, PN532_OK, answer);
}

enum scrip_status pn532_release(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    if (p.at[0] != 0 && pn532_target(chip, p.at[0]) == NULL) {
        return add_status(chip, PN532_STATE, answer);
    }
    if (p.at[0] == 0 || p.at[0] == chip->active) {
        halt_active(chip);
    }
    for (uint8_t number = 1; number <= PN532_MODEL_TARGETS; number++) {
        chip->targets[number - 1].known &= p.at[0] != 0 && p.at[0] != number;
    }
    return add_status(chip, PN532_OK, answer);
}

/* ---- InPSL ------------------------------------------------------------------------------------------------------- */

/* PPS: the card repeats its first byte and changes its rates. */
static uint8_t do_pps(struct scrip_pn532_model *chip, uint8_t to_card, uint8_t from_card)
{
    struct scrip_pcd_4 *blocks = &chip->targets[chip->active - 1].blocks;
    const struct scrip_radio *radio = radio_of(chip);
    const uint8_t pps[] = {(uint8_t)(PPS | blocks->cid), PPS0_HAS_PPS1, (uint8_t)(from_card << 2 | to_card)};
    struct scrip_frame tx;
    struct scrip_frame rx;
    struct scrip_bytes echo;
    (void)scrip_frame_bytes_crc(&tx, SCRIP_BYTES_OF(pps)); /* three bytes fit */
    if (radio->exchange(radio->ctx, &tx, &rx, ANSWER_US) != SCRIP_OK) {
        return pn532_air_status(chip);
    }
    if (scrip_frame_content_crc(&rx, &echo) != SCRIP_OK || echo.len != 1 || echo.at[0] != pps[0]) {
        return PN532_PROTOCOL;
    }
    blocks->rate_to = to_card;
    blocks->rate_from = from_card;
    (void)radio->rates(radio->ctx, to_card, from_card);
    return PN532_OK;
}

/* Rates can change directly after the activation, and only with a card of part 4. */
enum scrip_status pn532_psl(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    struct pn532_model_target *target = pn532_target(chip, p.at[0]);
    if (p.at[1] >= PSL_RATES || p.at[2] >= PSL_RATES) {
        return add_status(chip, PN532_PARAMETER, answer);
    }
    if (target == NULL || chip->active != p.at[0]) {
        return add_status(chip, PN532_STATE, answer);
    }
    if (p.at[1] == target->rate_in && p.at[2] == target->rate_out) {
        return add_status(chip, PN532_OK, answer);
    }
    if (!target->fresh) {
        return add_status(chip, PN532_STATE, answer);
    }
    const uint8_t status = do_pps(chip, p.at[1], p.at[2]);
    if (status == PN532_OK) {
        target->rate_in = p.at[1];
        target->rate_out = p.at[2];
    }
    target->fresh = false;
    return add_status(chip, status, answer);
}
