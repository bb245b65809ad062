#include "table.h"
#include <string.h>

static const uint8_t ZERO[16];
static const uint8_t AID[3] = {0x99, 0x44, 0x01};

struct scrip_desfire_identity table_identity(enum scrip_desfire_generation generation, const uint8_t uid[7])
{
    struct scrip_desfire_identity identity = {.generation = (uint8_t)generation, .storage = 0x1A};
    memcpy(identity.uid, uid, sizeof identity.uid);
    return identity;
}

struct table *table_lay(struct vector *v, const struct scrip_desfire_identity *identity)
{
    static struct table table;
    struct table *t = &table;

    scrip_nv_memory_free(&t->memory);
    memset(t, 0, sizeof *t);
    all_right(v, "nv", scrip_nv_memory_init(&t->memory, scrip_desfire_card_pages(identity->storage)));
    t->nv = scrip_nv_memory(&t->memory);
    scrip_random_seeded_init(&t->seeded, 1);
    t->random = scrip_random_seeded(&t->seeded);
    t->host = (struct scrip_desfire_host){.nv = &t->nv, .random = &t->random};
    t->taken = SCRIP_BUF_OF(t->taken_bytes);
    all_right(v, "card", scrip_desfire_card_make(&t->nv, identity));
    all_right(v, "card", scrip_desfire_card_on(&t->card, &t->host, &t->options));
    scrip_desfire_term_start(&t->term);
    return t;
}

static void transmit(struct vector *v, struct table *t)
{
    static uint8_t bytes[SCRIP_DESFIRE_RAPDU_MAX];
    scrip_replies_clear(&t->replies);
    for (size_t i = 0; i < t->batch.count; i++) {
        struct scrip_buf rsp = SCRIP_BUF_OF(bytes);
        all_right(v, "card", scrip_desfire_card_apdu(&t->card, scrip_batch_command(&t->batch, i), &rsp));
        all_right(v, "replies", scrip_replies_add(&t->replies, scrip_buf_bytes(&rsp)));
        if (!scrip_batch_is_good(&t->batch, scrip_get_be16(rsp.at + rsp.len - 2))) {
            break;
        }
    }
    scrip_batch_clear(&t->batch);
}

enum scrip_status table_do(struct vector *v, struct table *t, enum scrip_status asked)
{
    all_right(v, "terminal", asked);
    transmit(v, t);
    t->taken.len = 0;
    enum scrip_status status = scrip_desfire_term_take(&t->term, &t->replies, &t->taken);
    while (status == SCRIP_E_WAIT) {
        all_right(v, "terminal", scrip_desfire_term_continue(&t->term, &t->batch));
        transmit(v, t);
        status = scrip_desfire_term_take(&t->term, &t->replies, &t->taken);
    }
    return status;
}

void table_must(struct vector *v, struct table *t, const char *what, enum scrip_status asked)
{
    const enum scrip_status status = table_do(v, t, asked);
    if (status != SCRIP_OK) {
        vector_fail(v, "%s: %s, SW %04X", what, scrip_status_name(status), t->term.failure.sw);
    }
}

void table_authenticate(struct vector *v, struct table *t, enum scrip_desfire_sm sm, uint8_t key_no,
                        const uint8_t key[16])
{
    const struct scrip_desfire_key aes = key_of(SCRIP_AES128, scrip_bytes(key, 16));
    static const uint8_t rnda[32] = {0x52, 0x6E, 0x64, 0x41};
    all_right(v, "part 1", scrip_desfire_term_auth_ask(&t->term, &t->batch, sm, SCRIP_AES128, key_no, true));
    transmit(v, t);
    all_right(v, "challenge", scrip_desfire_term_auth_challenge(&t->term, &t->replies));
    all_right(v, "part 2", scrip_desfire_term_auth_answer(&t->term, &t->batch, &aes, rnda));
    transmit(v, t);
    all_right(v, "proof", scrip_desfire_term_auth_proof(&t->term, &t->replies, &aes));
}

void table_app(struct vector *v, struct table *t, uint8_t keys)
{
    struct scrip_desfire_application app = {.ks1 = 0x0F, .ks2 = (uint8_t)(0x80 | keys)};
    memcpy(app.aid, AID, sizeof AID);
    table_must(v, t, "CreateApplication", scrip_desfire_create_application(&t->term, &t->batch, &app));
    table_must(v, t, "SelectApplication", scrip_desfire_select_application(&t->term, &t->batch, AID));
}

void table_change_key(struct vector *v, struct table *t, uint8_t key_no, const uint8_t key[16])
{
    const struct scrip_desfire_key next = key_of(SCRIP_AES128, scrip_bytes(key, 16));
    const struct scrip_desfire_key zero = key_of(SCRIP_AES128, SCRIP_BYTES_OF(ZERO));
    table_must(v, t, "ChangeKey",
               scrip_desfire_change_key(&t->term, &t->batch, key_no, &next, key_no == 0 ? NULL : &zero));
}

struct scrip_bytes table_apdu(struct vector *v, struct table *t, struct scrip_bytes command)
{
    t->taken.len = 0;
    all_right(v, "card", scrip_desfire_card_apdu(&t->card, command, &t->taken));
    return scrip_buf_bytes(&t->taken);
}

void table_script(struct table *t, struct scrip_bytes bytes)
{
    t->scripted.left = bytes;
    t->random = scrip_random_scripted(&t->scripted);
}

void table_replies(struct vector *v, struct table *t, const struct scrip_bytes *replies, size_t count)
{
    scrip_batch_clear(&t->batch);
    scrip_replies_clear(&t->replies);
    for (size_t i = 0; i < count; i++) {
        all_right(v, "replies", scrip_replies_add(&t->replies, replies[i]));
    }
}
