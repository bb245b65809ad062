/* rooms: reader
 * storage_image.c: a damaged or hostile file of a storage card. The input picks the kind of card, then patches its
 * memory (page 2 bytes, offset, length, bytes). A reader opens it with the transport key and does what purses do; the
 * card must answer or refuse, never misbehave. */
#include <scrip/posix.h>
#include <scrip/reader.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COMMAND_MAX 24U

static const struct command {
    uint8_t len;
    uint8_t at[COMMAND_MAX];
} COMMANDS[] = {
    {11, {0xFF, 0x82, 0, 0, 6, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}},
    {10, {0xFF, 0x86, 0, 0, 5, 1, 0, 1, 0x60, 0}},
    {5, {0xFF, 0xB0, 0, 0, 16}},
    {5, {0xFF, 0xB0, 0, 1, 16}},
    {10, {0xFF, 0xD7, 0, 1, 5, 2, 0, 0, 0, 1}},
    {5, {0xFF, 0xB0, 0, 16, 16}},
    {10, {0xFF, 0x86, 0, 0, 5, 1, 0, 4, 0x61, 0}},
    {10, {0xFF, 0x86, 0, 0, 5, 1, 0, 4, 0x60, 0}},
    {10, {0xFF, 0xD7, 0, 4, 5, 1, 0x7F, 0xFF, 0xFF, 0xFF}},
    {7, {0xFF, 0xD7, 0, 4, 2, 3, 5}},
    {21, {0xFF, 0xD6, 0, 6, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
    {21, {0xFF, 0xD6, 0, 7, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
    {5, {0xFF, 0xB0, 0, 7, 16}},
};

static void patch(struct scrip_nv_memory *memory, const uint8_t *data, size_t size)
{
    const size_t bytes = (size_t)memory->pages * SCRIP_NV_PAGE;
    while (size >= 4) {
        const size_t at = (size_t)scrip_get_le16(data) * SCRIP_NV_PAGE + data[2] % SCRIP_NV_PAGE;
        size_t len = data[3];
        data += 4;
        size -= 4;
        len = len < size ? len : size;
        if (at < bytes) {
            memcpy(memory->at + at, data, len < bytes - at ? len : bytes - at);
        }
        data += len;
        size -= len;
    }
}

static void visit(struct scrip_link *link)
{
    uint8_t response[64];
    struct scrip_card_info info;
    if (scrip_link_connect(link, 0, &info) != SCRIP_OK) {
        return;
    }
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        struct scrip_buf out = SCRIP_BUF_OF(response);
        const struct command *command = &COMMANDS[i];
        if (scrip_link_transmit(link, scrip_bytes(command->at, command->len), &out) == SCRIP_OK && out.len < 2) {
            abort(); /* an answer without a status word */
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct scrip_vcard_identity kinds[] = {
        {.family = SCRIP_VCARD_CLASSIC, .uid_len = 4, .uid = {0x11, 0x22, 0x33, 0x44}},
        {.family = SCRIP_VCARD_CLASSIC, .uid_len = 7, .uid = {4, 1, 2, 3, 4, 5, 6}, .variant = SCRIP_VCARD_4K},
        {.family = SCRIP_VCARD_OTP, .uid_len = 4, .uid = {0x11, 0x22, 0x33, 0x44}},
    };
    struct scrip_nv_memory memory;
    struct scrip_random_seeded seeded;
    struct scrip_vcard *card = NULL;
    struct scrip_link *link = NULL;
    if (size == 0) {
        return 0;
    }
    const struct scrip_vcard_identity *identity = &kinds[data[0] % (sizeof kinds / sizeof kinds[0])];
    if (scrip_nv_memory_init(&memory, scrip_vcard_pages(identity)) != SCRIP_OK) {
        return 0;
    }
    const struct scrip_nv nv = scrip_nv_memory(&memory);
    scrip_random_seeded_init(&seeded, 1);
    const struct scrip_random random = scrip_random_seeded(&seeded);
    const struct scrip_vcard_host host = {.random = &random};
    if (scrip_vcard_open_nv(&nv, identity, true, &host, &card) != SCRIP_OK ||
        scrip_link_to_card_seeded(card, true, &random, &link) != SCRIP_OK) {
        abort();
    }
    patch(&memory, data + 1, size - 1);
    visit(link);
    visit(link); /* what the first visit left behind */
    scrip_link_close(link);
    scrip_nv_memory_free(&memory);
    return 0;
}
