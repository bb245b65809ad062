/* rooms: vcard
 * card_image.c: a damaged or hostile card file. The input is a list of patches (page 2 bytes, offset, length, bytes) to
 * the memory of a card with one application and a file of each kind. The card is powered, asked and written to, and
 * must answer or refuse, never misbehave. */
#include <scrip/desfire_card.h>
#include <scrip/posix.h>
#include <scrip/vcard.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define APDU(...)                                                                                                      \
    {                                                                                                                  \
        sizeof((const uint8_t[]){__VA_ARGS__}),                                                                        \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

struct question {
    uint8_t len;
    uint8_t at[40];
};

/* All rights are free, so that no authentication stands between the input and the files. */
static const struct question LAYOUT[] = {
    APDU(0x90, 0xCA, 0, 0, 5, 0x99, 0x44, 0x01, 0x0F, 0x81, 0),
    APDU(0x90, 0x5A, 0, 0, 3, 0x99, 0x44, 0x01, 0),
    APDU(0x90, 0xCD, 0, 0, 7, 0, 0, 0xEE, 0xEE, 0x60, 0, 0, 0),
    APDU(0x90, 0xCB, 0, 0, 7, 1, 0, 0xEE, 0xEE, 0x60, 0, 0, 0),
    APDU(0x90, 0xCC, 0, 0, 17, 3, 0, 0xEE, 0xEE, 0, 0, 0, 0, 0x10, 0x27, 0, 0, 0x64, 0, 0, 0, 1, 0),
    APDU(0x90, 0xC1, 0, 0, 10, 4, 0, 0xEE, 0xEE, 0x10, 0, 0, 4, 0, 0, 0),
    APDU(0x90, 0xC0, 0, 0, 10, 5, 0, 0xEE, 0xEE, 0x10, 0, 0, 4, 0, 0, 0),
    APDU(0x90, 0x3B, 0, 0, 9, 5, 0, 0, 0, 2, 0, 0, 7, 7, 0),
    APDU(0x90, 0xC7, 0, 0, 0),
};

static const struct question QUESTIONS[] = {
    APDU(0x90, 0x60, 0, 0, 0),                      /* GetVersion */
    APDU(0x90, 0x6A, 0, 0, 0),                      /* GetApplicationIDs */
    APDU(0x90, 0x6D, 0, 0, 0),                      /* GetDFNames */
    APDU(0x90, 0x6E, 0, 0, 0),                      /* FreeMem */
    APDU(0x90, 0x5A, 0, 0, 3, 0x99, 0x44, 0x01, 0), /* SelectApplication */
    APDU(0x90, 0x45, 0, 0, 0),                      /* GetKeySettings */
    APDU(0x90, 0x64, 0, 0, 1, 0, 0),                /* GetKeyVersion */
    APDU(0x90, 0x6F, 0, 0, 0),                      /* GetFileIDs */
    APDU(0x90, 0x61, 0, 0, 0),                      /* GetISOFileIDs */
    APDU(0x90, 0xF5, 0, 0, 1, 0, 0),                /* GetFileSettings */
    APDU(0x90, 0xF5, 0, 0, 1, 3, 0),
    APDU(0x90, 0xF5, 0, 0, 1, 5, 0),
    APDU(0x90, 0xBD, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0), /* ReadData */
    APDU(0x90, 0xAF, 0, 0, 0),
    APDU(0x90, 0x3D, 0, 0, 9, 1, 0, 0, 0, 2, 0, 0, 9, 9, 0), /* WriteData */
    APDU(0x90, 0x6C, 0, 0, 1, 3, 0),                         /* GetValue */
    APDU(0x90, 0x0C, 0, 0, 5, 3, 5, 0, 0, 0, 0),             /* Credit */
    APDU(0x90, 0xDC, 0, 0, 5, 3, 1, 0, 0, 0, 0),             /* Debit */
    APDU(0x90, 0x3B, 0, 0, 9, 5, 0, 0, 0, 2, 0, 0, 8, 8, 0), /* WriteRecord */
    APDU(0x90, 0x3B, 0, 0, 9, 4, 0, 0, 0, 2, 0, 0, 8, 8, 0),
    APDU(0x90, 0xC7, 0, 0, 0),                         /* CommitTransaction */
    APDU(0x90, 0xBB, 0, 0, 7, 5, 0, 0, 0, 0, 0, 0, 0), /* ReadRecords */
    APDU(0x90, 0xBB, 0, 0, 7, 4, 0, 0, 0, 0, 0, 0, 0),
    APDU(0x90, 0xEB, 0, 0, 1, 4, 0), /* ClearRecordFile */
    APDU(0x90, 0xC7, 0, 0, 0),
    APDU(0x90, 0xDF, 0, 0, 1, 5, 0),                            /* DeleteFile */
    APDU(0x90, 0xAA, 0, 0, 1, 0, 0),                            /* AuthenticateAES */
    APDU(0x00, 0xA4, 4, 0, 2, 0xD2, 0x76, 0),                   /* SELECT */
    APDU(0x00, 0xB0, 0x81, 0, 0),                               /* READ BINARY */
    APDU(0x90, 0x5A, 0, 0, 3, 0, 0, 0, 0),                      /* SelectApplication: the card itself */
    APDU(0x90, 0x0A, 0, 0, 1, 0, 0),                            /* Authenticate */
    APDU(0x90, 0xCA, 0, 0, 5, 0x11, 0x22, 0x33, 0x0F, 0x81, 0), /* CreateApplication */
    APDU(0x90, 0xDA, 0, 0, 3, 0x99, 0x44, 0x01, 0),             /* DeleteApplication */
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

/* Ask in order until the card's memory fails. @return how many were answered with a good status */
static unsigned ask(struct scrip_vcard *card, const struct question *questions, size_t count)
{
    static uint8_t rapdu[SCRIP_VCARD_RAPDU_MAX];
    struct scrip_card_info info;
    unsigned good = 0;
    if (scrip_vcard_on(card, &info) != SCRIP_OK) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        struct scrip_buf rsp = SCRIP_BUF_OF(rapdu);
        if (scrip_vcard_apdu(card, scrip_bytes(questions[i].at, questions[i].len), &rsp) != SCRIP_OK) {
            break;
        }
        good += rsp.len >= 2 && rsp.at[rsp.len - 1] == 0;
    }
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t fresh[1U << 20];
    static bool made;
    const struct scrip_vcard_identity identity = {
        .family = SCRIP_VCARD_DESFIRE, .generation = SCRIP_DESFIRE_EV3, .uid = {4, 1, 2, 3, 4, 5, 6}, .storage = 0x16};
    struct scrip_nv_memory memory;
    struct scrip_random_seeded seeded;
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
        const size_t steps = sizeof LAYOUT / sizeof LAYOUT[0];
        if (ask(card, LAYOUT, steps) != steps) {
            abort(); /* the layout itself must be good, or nothing is tested */
        }
        memcpy(fresh, memory.at, len);
        made = true;
    }
    patch(&memory, data, size);
    (void)ask(card, QUESTIONS, sizeof QUESTIONS / sizeof QUESTIONS[0]);
    scrip_vcard_close(card);
    scrip_nv_memory_free(&memory);
    return 0;
}
