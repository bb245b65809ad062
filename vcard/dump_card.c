/* dump_card.c: between card files and dumps. */
#include "dump.h"
#include "families.h"
#include <scrip/classic_card.h>
#include <string.h>

static enum scrip_status memory_read(const struct scrip_nv *nv, struct scrip_card_dump *dump)
{
    for (uint16_t b = 0; b < dump->blocks; b++) {
        SCRIP_TRY(scrip_classic_card_peek(nv, (uint8_t)b, dump->data[b]));
        dump->known[b] = DUMP_KNOWN;
    }
    return SCRIP_OK;
}

static enum scrip_status memory_write(const struct scrip_nv *nv, const void *ctx)
{
    const struct scrip_card_dump *dump = ctx;
    for (uint16_t b = 0; b < dump->blocks; b++) {
        SCRIP_TRY(scrip_classic_card_poke(nv, (uint8_t)b, dump->data[b]));
    }
    return SCRIP_OK;
}

enum scrip_status scrip_vcard_dump(const char *path, struct scrip_card_dump *dump, char error[SCRIP_VCARD_ERROR_MAX])
{
    struct scrip_vcard_identity identity = {0};
    struct scrip_card_dump read;
    struct card_file file;
    SCRIP_TRY(card_file_open(path, &file, &identity, error));
    enum scrip_status status = SCRIP_E_UNSUPPORTED;
    if (identity.family == SCRIP_VCARD_CLASSIC) {
        memset(&read, 0, sizeof read);
        read.blocks = identity.variant == SCRIP_VCARD_4K ? SCRIP_CLASSIC_4K_BLOCKS : SCRIP_CLASSIC_1K_BLOCKS;
        read.uid_len = identity.uid_len;
        memcpy(read.uid, identity.uid, sizeof read.uid);
        dump_answers(&read);
        status = memory_read(&file.nv, &read);
    }
    card_file_close(&file);
    if (status == SCRIP_OK) {
        *dump = read;
    } else {
        card_file_say(error, path, status == SCRIP_E_UNSUPPORTED ? "not a MIFARE Classic" : scrip_strerror(status));
    }
    scrip_wipe(&read, sizeof read);
    return status;
}

enum scrip_status scrip_vcard_make_from(const char *path, const struct scrip_card_dump *dump, bool genuine,
                                        char error[SCRIP_VCARD_ERROR_MAX])
{
    struct scrip_vcard_identity identity = {.family = SCRIP_VCARD_CLASSIC,
                                            .variant = dump->blocks == SCRIP_CLASSIC_4K_BLOCKS ? SCRIP_VCARD_4K
                                                                                               : SCRIP_VCARD_1K,
                                            .uid_len = dump->uid_len,
                                            .genuine = genuine};
    struct scrip_card_dump whole = *dump;
    struct scrip_dump_gaps gaps;
    memcpy(identity.uid, dump->uid, sizeof identity.uid);
    scrip_dump_fill(&whole, &gaps);
    const enum scrip_status status = vcard_make_with(path, &identity, memory_write, &whole, error);
    scrip_wipe(&whole, sizeof whole);
    return status;
}
