/* card.c: a card as its owner sees it: made, powered, asked. */
#include "card.h"
#include <scrip/apdu.h>
#include <scrip/crc.h>
#include <string.h>

#define IMAGE_FORMAT 1U
#define CLA_WRAPPED  0x90U
#define CLA_ISO      0x00U

static const uint8_t image_magic[4] = {'S', 'D', 'F', 'C'};

uint32_t scrip_desfire_card_pages(uint8_t storage)
{
    return memory_pool_pages(storage) == 0 ? 0 : memory_pages(storage);
}

/* ---- making ---- */

static uint32_t identity_sum(const struct identity_page *page)
{
    return scrip_crc32(SCRIP_CRC32_START, scrip_bytes(page, offsetof(struct identity_page, sum)));
}

static void identity_store(struct scrip_desfire_card *card, const struct scrip_desfire_identity *identity)
{
    struct identity_page page = {.format = IMAGE_FORMAT,
                                 .generation = identity->generation,
                                 .storage = identity->storage,
                                 .week = identity->week,
                                 .year = identity->year};
    uint8_t bytes[NV_PAGE] = {0};

    memcpy(page.magic, image_magic, sizeof page.magic);
    memcpy(page.uid, identity->uid, sizeof page.uid);
    memcpy(page.batch, identity->batch, sizeof page.batch);
    scrip_put_le32(page.sum, identity_sum(&page));
    memcpy(bytes, identity->signature, sizeof identity->signature);
    memory_program(card, PAGE_SIGNATURE, bytes);
    memcpy(bytes, &page, sizeof page);
    memory_program(card, PAGE_IDENTITY, bytes); /* last: without it there is no card */
}

static bool factory_settings(struct scrip_desfire_card *card, uint8_t generation)
{
    struct picc_page picc = {.ks1 = 0x0F, .fail_counting = 1};
    const struct picc_text_page text = {0};
    const struct key_slot des = key_zero(KEY_TYPE_DES);
    const struct key_slot aes = key_zero(KEY_TYPE_AES);

    scrip_put_le16(picc.fail_limit, 1000);
    scrip_put_le16(picc.fail_decrement, 10);
    picc_store(card, &picc);
    picc_text_store(card, &text);
    key_store(card, NULL, 0, 0, generation == SCRIP_DESFIRE_LIGHT ? &aes : &des);
    for (uint8_t number = PICC_KEY_DAM_AUTH; number <= PICC_KEY_VC_AUTH; number++) {
        if (number <= PICC_KEY_DAM_ENC || number >= PICC_KEY_VC_CONFIG) {
            key_store(card, NULL, 0, number, &aes);
        }
    }
    pool_clear(card);
    return generation != SCRIP_DESFIRE_LIGHT || light_make(card);
}

enum scrip_status scrip_desfire_card_make(const struct scrip_nv *nv, const struct scrip_desfire_identity *identity)
{
    static const uint8_t blank[NV_PAGE];
    struct scrip_desfire_card card = {0};

    if (identity->generation > SCRIP_DESFIRE_LIGHT || memory_pool_pages(identity->storage) == 0) {
        return SCRIP_E_ARGUMENT;
    }
    if (nv->pages < memory_pages(identity->storage)) {
        return SCRIP_E_SPACE;
    }
    memory_attach(&card, nv, identity->storage);
    card.identity = *identity;
    memory_program(&card, PAGE_IDENTITY, blank);
    memory_program(&card, PAGE_COMMIT, blank);
    const bool laid_out = factory_settings(&card, identity->generation);
    SCRIP_TRY(memory_commit(&card));
    if (!laid_out) {
        return SCRIP_E_ARGUMENT;
    }
    identity_store(&card, identity);
    return card.memory.fault;
}

/* ---- power ---- */

static enum scrip_status identity_load(struct scrip_desfire_card *card, const struct scrip_nv *nv)
{
    struct identity_page page;
    struct scrip_desfire_identity *identity = &card->identity;

    SCRIP_TRY(nv->read(nv->ctx, PAGE_IDENTITY * NV_PAGE, (uint8_t *)&page, sizeof page));
    if (memcmp(page.magic, image_magic, sizeof page.magic) != 0 || page.format != IMAGE_FORMAT ||
        scrip_get_le32(page.sum) != identity_sum(&page) || page.generation > SCRIP_DESFIRE_LIGHT ||
        memory_pool_pages(page.storage) == 0 || nv->pages < memory_pages(page.storage)) {
        return SCRIP_E_CORRUPT;
    }
    identity->generation = page.generation;
    identity->storage = page.storage;
    identity->week = page.week;
    identity->year = page.year;
    memcpy(identity->uid, page.uid, sizeof identity->uid);
    memcpy(identity->batch, page.batch, sizeof identity->batch);
    return nv->read(nv->ctx, PAGE_SIGNATURE * NV_PAGE, identity->signature, sizeof identity->signature);
}

static void report(const struct scrip_desfire_card *card, enum scrip_trace_kind kind, struct scrip_bytes bytes)
{
    const struct scrip_trace *trace = card->host.trace;
    if (trace != NULL) {
        trace->frame(trace->ctx, kind, bytes);
    }
}

enum scrip_status scrip_desfire_card_on(struct scrip_desfire_card *card, const struct scrip_desfire_host *host,
                                        const struct scrip_desfire_options *options)
{
    memset(card, 0, sizeof *card);
    card->host = *host;
    card->options = options != NULL ? *options : (struct scrip_desfire_options){.end_session_on_0c = true};
    card->iso_file = SCRIP_DESFIRE_FILES;
    card->sdm_file = SCRIP_DESFIRE_FILES;
    SCRIP_TRY(identity_load(card, host->nv));
    memory_attach(card, host->nv, card->identity.storage);
    SCRIP_TRY(memory_repair(card));
    memory_drop(card);
    card->powered = true;
    report(card, SCRIP_TRACE_EVENT, scrip_bytes("power on", 8));
    return SCRIP_OK;
}

void scrip_desfire_card_off(struct scrip_desfire_card *card)
{
    if (card->powered) {
        report(card, SCRIP_TRACE_EVENT, scrip_bytes("power off", 9));
    }
    scrip_wipe(card, sizeof *card);
}

size_t scrip_desfire_card_uid(struct scrip_desfire_card *card, uint8_t *uid)
{
    const struct scrip_random *random = card->host.random;

    if (!config_random_id(card)) {
        memcpy(uid, card->identity.uid, sizeof card->identity.uid);
        return sizeof card->identity.uid;
    }
    uid[0] = 0x08;
    return random->fill(random->ctx, uid + 1, 3) == SCRIP_OK ? 4 : 0;
}

uint8_t scrip_desfire_card_sak(struct scrip_desfire_card *card)
{
    struct picc_page picc;
    picc_load(card, &picc);
    return picc.has_sak ? picc.sak[1] : 0x20;
}

size_t scrip_desfire_card_ats(const struct scrip_desfire_card *card, uint8_t *ats)
{
    static const uint8_t ic[] = {0x06, 0x75, 0x77, 0x81, 0x02, 0x80};
    static const uint8_t light[] = {0x06, 0x77, 0x77, 0x71, 0x02, 0x80};
    struct picc_text_page text;
    const struct scrip_nv *nv = card->host.nv;

    if (nv->read(nv->ctx, PAGE_PICC_TEXT * NV_PAGE, (uint8_t *)&text, sizeof text) == SCRIP_OK && text.ats_len > 0 &&
        text.ats_len <= sizeof text.ats) {
        memcpy(ats, text.ats, text.ats_len);
        return text.ats_len;
    }
    memcpy(ats, card->identity.generation == SCRIP_DESFIRE_LIGHT ? light : ic, sizeof ic);
    return sizeof ic;
}

/* ---- framings ---- */

static void add_sw(struct scrip_desfire_card *card, struct scrip_buf *rsp, uint16_t sw)
{
    if (scrip_buf_add_be(rsp, sw, 2) != SCRIP_OK) {
        card->no_room = true;
    }
}

/* 90 CMD 00 00 [Lc data] 00 -> data 91 status */
static void answer_wrapped(struct scrip_desfire_card *card, const struct scrip_apdu *apdu, struct scrip_buf *rsp)
{
    const struct framing framing = {.wrapped = true, .single_max = apdu->extended ? apdu->le : 256};

    if (apdu->p1 != 0 || apdu->p2 != 0) {
        card_refuse(card);
        add_sw(card, rsp, SCRIP_SW_P1P2);
        return;
    }
    const uint8_t status = pipeline_answer(card, &framing, apdu->ins, apdu->data, rsp);
    add_sw(card, rsp, SCRIP_DESFIRE_SW(status));
}

static void answer_native(struct scrip_desfire_card *card, struct scrip_bytes command, struct scrip_buf *rsp)
{
    const struct framing framing = {.single_max = SCRIP_DESFIRE_RAPDU_MAX - 1};
    const size_t start = rsp->len;

    if (scrip_buf_add_u8(rsp, 0) != SCRIP_OK) {
        card->no_room = true;
        return;
    }
    rsp->at[start] = pipeline_answer(card, &framing, command.at[0], scrip_bytes_from(command, 1), rsp);
}

static void answer_apdu(struct scrip_desfire_card *card, struct scrip_bytes command, struct scrip_buf *rsp)
{
    struct scrip_apdu apdu;

    if (scrip_apdu_parse(command, &apdu) != SCRIP_OK) {
        card_refuse(card);
        add_sw(card, rsp, SCRIP_SW_LENGTH);
    } else if (apdu.cla == CLA_WRAPPED) {
        answer_wrapped(card, &apdu, rsp);
    } else if (apdu.cla == CLA_ISO) {
        add_sw(card, rsp, iso_answer(card, &apdu, rsp));
    } else {
        card_refuse(card);
        add_sw(card, rsp, SCRIP_SW_CLA);
    }
}

/* Codes of commands for the MIFARE Classic side of some cards, which no card here has. */
static bool is_of_classic(uint8_t code)
{
    return code == 0xCF || code == 0xBF || code == 0xEE;
}

/* A native frame begins with a command code; no code is 00 or 90. Bytes that are neither count as a class. */
static bool is_native(struct scrip_bytes command)
{
    const uint8_t first = command.at[0];
    return first == SCRIP_DESFIRE_AF || scrip_desfire_command(first) != NULL || is_of_classic(first) ||
           (command.len < 4 && first != CLA_WRAPPED && first != CLA_ISO);
}

enum scrip_status scrip_desfire_card_apdu(struct scrip_desfire_card *card, struct scrip_bytes command,
                                          struct scrip_buf *rsp)
{
    const size_t start = rsp->len;

    if (!card->powered || card->memory.fault != SCRIP_OK) {
        return SCRIP_E_NV;
    }
    if (command.len == 0) {
        return SCRIP_E_ARGUMENT;
    }
    report(card, SCRIP_TRACE_COMMAND, command);
    card->no_room = false;
    card->no_random = false;
    card_check_timer(card);
    if (is_native(command)) {
        answer_native(card, command, rsp);
    } else {
        answer_apdu(card, command, rsp);
    }
    if (card->memory.fault != SCRIP_OK || card->no_random || card->no_room) {
        rsp->len = start;
        return card->memory.fault != SCRIP_OK ? SCRIP_E_NV : card->no_random ? SCRIP_E_RANDOM : SCRIP_E_SPACE;
    }
    report(card, SCRIP_TRACE_RESPONSE, scrip_bytes(rsp->at + start, rsp->len - start));
    return SCRIP_OK;
}
