/* dump_card.c: between card files and dumps. */
#include "dump.h"
#include "families.h"
#include <scrip/classic_card.h>
#include <scrip/otp_card.h>
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

static enum scrip_status classic_read(const struct scrip_nv *nv, const struct scrip_vcard_identity *identity,
                                      void *into)
{
    struct scrip_card_dump read = {.uid_len = identity->uid_len};
    if (identity->family != SCRIP_VCARD_CLASSIC) {
        return SCRIP_E_UNSUPPORTED;
    }
    read.blocks = identity->variant == SCRIP_VCARD_4K ? SCRIP_CLASSIC_4K_BLOCKS : SCRIP_CLASSIC_1K_BLOCKS;
    memcpy(read.uid, identity->uid, sizeof read.uid);
    dump_answers(&read);
    const enum scrip_status status = memory_read(nv, &read);
    if (status == SCRIP_OK) {
        memcpy(into, &read, sizeof read);
    }
    scrip_wipe(&read, sizeof read);
    return status;
}

static enum scrip_status otp_bits(const struct scrip_nv *nv, struct scrip_otp_dump *dump)
{
    bool bit = false;
    for (uint8_t b = 0; b < SCRIP_OTP_BLOCKS; b++) {
        SCRIP_TRY(scrip_otp_card_peek(nv, b, dump->blocks[b]));
        SCRIP_TRY(scrip_otp_card_bit(nv, (uint16_t)SCRIP_OTP_BLOCK_POINTER(b), &bit));
        dump->written = (uint16_t)(dump->written | (bit ? 1U << b : 0U));
    }
    for (uint8_t s = 0; s < SCRIP_OTP_BLOCKS / 4; s++) {
        SCRIP_TRY(scrip_otp_card_bit(nv, (uint16_t)SCRIP_OTP_PASSWORD_POINTER(s), &bit));
        dump->passwords = (uint8_t)(dump->passwords | (bit ? 1U << s : 0U));
    }
    return scrip_otp_card_used(nv, &dump->used);
}

static enum scrip_status otp_read(const struct scrip_nv *nv, const struct scrip_vcard_identity *identity, void *into)
{
    struct scrip_otp_dump read = {.written = 0};
    if (identity->family != SCRIP_VCARD_OTP) {
        return SCRIP_E_UNSUPPORTED;
    }
    const enum scrip_status status = otp_bits(nv, &read);
    if (status == SCRIP_OK) {
        memcpy(into, &read, sizeof read);
    }
    scrip_wipe(&read, sizeof read);
    return status;
}

static enum scrip_status file_read(const char *path, const char *wanted,
                                   enum scrip_status (*read)(const struct scrip_nv *nv,
                                                             const struct scrip_vcard_identity *identity, void *into),
                                   void *into, char *error)
{
    struct scrip_vcard_identity identity = {0};
    struct card_file file;
    SCRIP_TRY(card_file_open(path, &file, &identity, error));
    const enum scrip_status status = read(&file.nv, &identity, into);
    card_file_close(&file);
    if (status != SCRIP_OK) {
        card_file_say(error, path, status == SCRIP_E_UNSUPPORTED ? wanted : scrip_strerror(status));
    }
    return status;
}

enum scrip_status scrip_vcard_dump(const char *path, struct scrip_card_dump *dump, char error[SCRIP_VCARD_ERROR_MAX])
{
    return file_read(path, "not a MIFARE Classic", classic_read, dump, error);
}

enum scrip_status scrip_vcard_dump_otp(const char *path, struct scrip_otp_dump *dump, char error[SCRIP_VCARD_ERROR_MAX])
{
    return file_read(path, "not a one-time wallet", otp_read, dump, error);
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
