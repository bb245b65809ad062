/* bench.h: both sides of one session, and commands taken through them. */
#ifndef SCRIP_TEST_SM_BENCH_H
#define SCRIP_TEST_SM_BENCH_H

#include "check.h"
#include <scrip/desfire_sm.h>

/** A messaging with a key type it knows. */
struct variant {
    enum scrip_desfire_sm sm;
    enum scrip_cipher cipher;
    const char *name;
};

static const struct variant VARIANTS[] = {
    {SCRIP_DESFIRE_SM_D40, SCRIP_DES, "D40, DES"},       {SCRIP_DESFIRE_SM_D40, SCRIP_2K3DES, "D40, 2K3DES"},
    {SCRIP_DESFIRE_SM_EV1, SCRIP_DES, "EV1, DES"},       {SCRIP_DESFIRE_SM_EV1, SCRIP_2K3DES, "EV1, 2K3DES"},
    {SCRIP_DESFIRE_SM_EV1, SCRIP_3K3DES, "EV1, 3K3DES"}, {SCRIP_DESFIRE_SM_EV1, SCRIP_AES128, "EV1, AES"},
    {SCRIP_DESFIRE_SM_EV2, SCRIP_AES128, "EV2"},         {SCRIP_DESFIRE_SM_LRP, SCRIP_AES128, "LRP"},
};

#define VARIANT_COUNT (sizeof VARIANTS / sizeof *VARIANTS)

static const uint8_t RNDA[16] = {0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6, 0x07, 0x18,
                                 0x29, 0x3A, 0x4B, 0x5C, 0x6D, 0x7E, 0x8F, 0x90};
static const uint8_t RNDB[16] = {0x0F, 0x1E, 0x2D, 0x3C, 0x4B, 0x5A, 0x69, 0x78,
                                 0x87, 0x96, 0xA5, 0xB4, 0xC3, 0xD2, 0xE1, 0xF0};
static const struct scrip_desfire_auth_info INFO = {.ti = {0x7A, 0x21, 0xF0, 0x0D}, .pdcap2 = {0}, .pcdcap2 = {2}};

/** Both sides. */
struct bench {
    struct scrip_desfire_session host;
    struct scrip_desfire_session card;
    uint8_t wire_bytes[600];
    uint8_t plain_bytes[600];
    struct scrip_buf wire;
    struct scrip_buf plain;
};

static inline struct scrip_desfire_key test_key(enum scrip_cipher cipher)
{
    struct scrip_desfire_key key = {.cipher = (uint8_t)cipher, .version = 0};
    for (size_t i = 0; i < scrip_cipher_key_len(cipher); i++) {
        key.bytes[i] = (uint8_t)(0x10 + 6 * i);
    }
    return key;
}

/** One side of an authentication with key 3, as it begins. */
static inline struct scrip_desfire_auth given_side(const struct variant *variant, bool first, bool is_card)
{
    struct scrip_desfire_auth auth = {.sm = (uint8_t)variant->sm, .key_no = 3, .first = first};
    memcpy(is_card ? auth.rndb : auth.rnda, is_card ? RNDB : RNDA, sizeof RNDA);
    return auth;
}

/** Take both sides through the handshake. */
static inline void authenticate(struct bench *b, const struct variant *variant, bool first)
{
    const struct scrip_desfire_key key = test_key(variant->cipher);
    const bool with_info = first && variant->sm >= SCRIP_DESFIRE_SM_EV2;
    struct scrip_desfire_auth host = given_side(variant, first, false);
    struct scrip_desfire_auth card = given_side(variant, first, true);
    uint8_t bytes[64];
    struct scrip_buf message = SCRIP_BUF_OF(bytes);
    struct scrip_desfire_auth_info info;

    b->wire = SCRIP_BUF_OF(b->wire_bytes);
    b->plain = SCRIP_BUF_OF(b->plain_bytes);
    assert_ok(scrip_desfire_auth_challenge(&card, &key, &message));
    assert_ok(scrip_desfire_auth_open_challenge(&host, &key, scrip_buf_bytes(&message)));
    message.len = 0;
    assert_ok(scrip_desfire_auth_token(&host, &key, &message));
    assert_ok(scrip_desfire_auth_open_token(&card, &key, scrip_buf_bytes(&message)));
    scrip_desfire_auth_begin(&card, &key, with_info ? INFO.ti : NULL, &b->card);
    message.len = 0;
    assert_ok(scrip_desfire_auth_reply(&card, &key, with_info ? &INFO : NULL, &b->card, &message));
    assert_ok(scrip_desfire_auth_finish(&host, &key, scrip_buf_bytes(&message), &b->host, &info));
    if (with_info) {
        assert_memory_equal(&info, &INFO, sizeof info);
    }
}

/** One command through both sides: the card sees `data`, the host `answer`. */
static inline void exchange(struct bench *b, const struct scrip_desfire_protection *protection, uint8_t cmd,
                            struct scrip_bytes header, struct scrip_bytes data, struct scrip_bytes answer)
{
    struct scrip_desfire_expect expect;
    b->wire.len = 0;
    b->plain.len = 0;
    assert_ok(scrip_desfire_sm_wrap_command(&b->host, protection, cmd, header, data, &b->wire, &expect));
    assert_ok(scrip_desfire_sm_open_command(&b->card, protection, cmd, scrip_buf_bytes(&b->wire), header.len, data.len,
                                            &b->plain));
    assert_int_equal(b->plain.len, data.len);
    assert_memory_equal(b->plain.at, data.at, data.len);
    b->wire.len = 0;
    b->plain.len = 0;
    assert_ok(scrip_desfire_sm_wrap_response(&b->card, protection, 0x00, answer, &b->wire));
    assert_ok(scrip_desfire_sm_open_response(&b->host, &expect, 0x00, scrip_buf_bytes(&b->wire), &b->plain));
    assert_int_equal(b->plain.len, answer.len);
    assert_memory_equal(b->plain.at, answer.at, answer.len);
}

#endif
