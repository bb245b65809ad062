/* rooms: vcard
 * card_image.c: a damaged or hostile card file. The input is a list of patches (page 2 bytes, offset, length, bytes) to
 * the memory of a fresh card; the card is powered, asked a little, and must answer or refuse, never misbehave. */
#include <scrip/desfire_card.h>
#include <scrip/posix.h>
#include <scrip/vcard.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t QUESTIONS[][14] = {
    {5, 0x90, 0x60, 0, 0, 0},                                /* GetVersion */
    {5, 0x90, 0x6A, 0, 0, 0},                                /* GetApplicationIDs */
    {5, 0x90, 0x6E, 0, 0, 0},                                /* FreeMem */
    {9, 0x90, 0x5A, 0, 0, 3, 0x99, 0x44, 0x01, 0},           /* SelectApplication */
    {5, 0x90, 0x6F, 0, 0, 0},                                /* GetFileIDs */
    {7, 0x90, 0xF5, 0, 0, 1, 3, 0},                          /* GetFileSettings */
    {7, 0x90, 0x6C, 0, 0, 1, 3, 0},                          /* GetValue */
    {13, 0x90, 0xBD, 0, 0, 7, 1, 0, 0, 0, 0, 0, 0, 0},       /* ReadData */
    {7, 0x90, 0xAA, 0, 0, 1, 0, 0},                          /* AuthenticateAES */
    {9, 0x90, 0x5A, 0, 0, 3, 0, 0, 0, 0},                    /* SelectApplication: the card itself */
    {7, 0x90, 0x0A, 0, 0, 1, 0, 0},                          /* Authenticate */
    {13, 0x90, 0xCA, 0, 0, 5, 0x99, 0x44, 0x01, 9, 0x84, 0}, /* CreateApplication */
};

static void patch(struct scrip_nv_memory *memory, const uint8_t *data, size_t size)
{
    while (size >= 4) {
        const uint32_t page = scrip_get_le16(data) % memory->pages;
        const size_t offset = data[2] % SCRIP_NV_PAGE;
        size_t len = data[3] % SCRIP_NV_PAGE;
        len = len < size - 4 ? len : size - 4;
        len = len < SCRIP_NV_PAGE - offset ? len : SCRIP_NV_PAGE - offset;
        memcpy(memory->at + (size_t)page * SCRIP_NV_PAGE + offset, data + 4, len);
        data += 4 + len;
        size -= 4 + len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t fresh[1U << 20], rapdu[SCRIP_VCARD_RAPDU_MAX];
    static bool made;
    const struct scrip_vcard_identity identity = {
        .family = SCRIP_VCARD_DESFIRE, .generation = SCRIP_DESFIRE_EV3, .uid = {4, 1, 2, 3, 4, 5, 6}, .storage = 0x16};
    struct scrip_nv_memory memory;
    struct scrip_random_seeded seeded;
    struct scrip_card_info info;
    struct scrip_vcard *card = NULL;
    scrip_random_seeded_init(&seeded, 1);
    const struct scrip_random random = scrip_random_seeded(&seeded);
    const struct scrip_vcard_host host = {.random = &random};
    if (scrip_nv_memory_init(&memory, scrip_vcard_pages(&identity)) != SCRIP_OK) {
        return 0;
    }
    const struct scrip_nv nv = scrip_nv_memory(&memory);
    const size_t len = (size_t)memory.pages * SCRIP_NV_PAGE;
    if (len > sizeof fresh) {
        abort();
    }
    if (made) {
        memcpy(memory.at, fresh, len);
    }
    if (scrip_vcard_open_nv(&nv, &identity, !made, &host, &card) != SCRIP_OK) {
        abort();
    }
    if (!made) {
        memcpy(fresh, memory.at, len);
        made = true;
    }
    patch(&memory, data, size);
    if (scrip_vcard_on(card, &info) == SCRIP_OK) {
        for (size_t i = 0; i < sizeof QUESTIONS / sizeof QUESTIONS[0]; i++) {
            struct scrip_buf rsp = SCRIP_BUF_OF(rapdu);
            if (scrip_vcard_apdu(card, scrip_bytes(QUESTIONS[i] + 1, QUESTIONS[i][0]), &rsp) != SCRIP_OK) {
                break;
            }
        }
    }
    scrip_vcard_close(card);
    scrip_nv_memory_free(&memory);
    return 0;
}
