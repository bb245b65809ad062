/* sdm.c: secure dynamic messaging. A read without authentication gives the file with placeholders filled in: the UID
 * and the read counter, in the clear or enciphered, a piece of the file enciphered, and a MAC over it all. */
#include "card.h"
#include <string.h>

#define UID_CHARS       14U
#define COUNTER_CHARS   6U
#define MAC_CHARS       16U
#define COUNTER_MAX     0xFFFFFFU

#define PICC_RANDOM_LEN 8U

/* The block of settings, taken apart. */
struct sdm {
    uint8_t options;
    uint8_t meta_read; /* key, free or never */
    uint8_t file_read;
    bool has_uid, has_counter, has_picc, has_mac, has_enc, has_limit; /* in the file */
    uint32_t uid_at, counter_at, picc_at, mac_input, enc_at, enc_len, mac_at, limit;
};

static struct sdm parse(uint8_t options, uint16_t rights)
{
    struct sdm sdm = {.options = options, .meta_read = (uint8_t)(rights >> 12), .file_read = rights >> 8 & 0xFU};
    const bool open = sdm.meta_read == SCRIP_DESFIRE_FREE;

    sdm.has_uid = open && (options & SDM_UID) != 0;
    sdm.has_counter = open && (options & SDM_COUNTER) != 0;
    sdm.has_picc = sdm.meta_read < SCRIP_DESFIRE_FREE;
    sdm.has_mac = sdm.file_read != SCRIP_DESFIRE_NEVER;
    sdm.has_enc = sdm.has_mac && (options & SDM_ENC_FILE) != 0;
    sdm.has_limit = (options & SDM_LIMIT) != 0;
    return sdm;
}

size_t sdm_offsets_len(uint8_t options, uint16_t rights)
{
    const struct sdm sdm = parse(options, rights);
    return 3U *
           ((size_t)sdm.has_uid + sdm.has_counter + sdm.has_picc + 2U * sdm.has_mac + 2U * sdm.has_enc + sdm.has_limit);
}

static void take24(bool present, const uint8_t **at, uint32_t *value)
{
    if (present) {
        *value = scrip_get_le24(*at);
        *at += 3;
    }
}

static void parse_offsets(struct sdm *sdm, const uint8_t *at)
{
    take24(sdm->has_uid, &at, &sdm->uid_at);
    take24(sdm->has_counter, &at, &sdm->counter_at);
    take24(sdm->has_picc, &at, &sdm->picc_at);
    take24(sdm->has_mac, &at, &sdm->mac_input);
    take24(sdm->has_enc, &at, &sdm->enc_at);
    take24(sdm->has_enc, &at, &sdm->enc_len);
    take24(sdm->has_mac, &at, &sdm->mac_at);
    take24(sdm->has_limit, &at, &sdm->limit);
}

/* ---- are the settings consistent? ---- */

struct span {
    bool used;
    uint32_t at, len;
};

static bool spans_apart(const struct span *spans, size_t count, uint32_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (!spans[i].used) {
            continue;
        }
        if (spans[i].len > size || spans[i].at > size - spans[i].len) {
            return false;
        }
        for (size_t k = 0; k < i; k++) {
            if (spans[k].used && spans[k].at < spans[i].at + spans[i].len && spans[i].at < spans[k].at + spans[k].len) {
                return false;
            }
        }
    }
    return true;
}

static bool key_or(const struct app *app, uint8_t nibble, bool free)
{
    return nibble < app_key_count(app) || nibble == SCRIP_DESFIRE_NEVER || (free && nibble == SCRIP_DESFIRE_FREE);
}

bool sdm_valid(struct scrip_desfire_card *card, const struct app *app, uint8_t options, uint16_t rights,
               const uint8_t *offsets, uint32_t size)
{
    const uint32_t picc_chars = config_lrp(card) ? 2U * (PICC_RANDOM_LEN + 16U) : 32U;
    struct sdm sdm = parse(options, rights);
    const uint8_t both = SDM_UID | SDM_COUNTER;

    parse_offsets(&sdm, offsets);
    if ((options & SDM_ASCII) == 0 || (options & 0x0EU) != 0 || size > SCRIP_DESFIRE_DATA_MAX ||
        !key_or(app, sdm.meta_read, true) || !key_or(app, sdm.file_read, false) || !key_or(app, rights & 0xFU, true) ||
        (sdm.has_limit && (options & SDM_COUNTER) == 0)) {
        return false;
    }
    if (sdm.has_enc && ((options & both) != both || sdm.enc_len == 0 || sdm.enc_len % 32 != 0 ||
                        sdm.enc_at < sdm.mac_input || sdm.enc_at + sdm.enc_len > sdm.mac_at)) {
        return false;
    }
    const struct span spans[] = {
        {sdm.has_uid, sdm.uid_at, UID_CHARS},    {sdm.has_counter, sdm.counter_at, COUNTER_CHARS},
        {sdm.has_picc, sdm.picc_at, picc_chars}, {sdm.has_enc, sdm.enc_at, sdm.enc_len},
        {sdm.has_mac, sdm.mac_at, MAC_CHARS},
    };
    return spans_apart(spans, sizeof spans / sizeof spans[0], size) && (!sdm.has_mac || sdm.mac_input <= sdm.mac_at);
}

/* ---- a dynamic read ---- */

/* Everything a read is made of. `image` is the file as it will be seen. */
struct mirror {
    const struct app *app;
    struct sdm sdm;
    bool lrp;
    uint8_t counter[3];
    uint8_t uid[7];
    uint8_t *image;
    uint32_t size;
};

static void put_hex(uint8_t *at, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < len; i++) {
        at[2 * i] = (uint8_t)digits[bytes[i] >> 4];
        at[2 * i + 1] = (uint8_t)digits[bytes[i] & 0xF];
    }
}

static void encipher_picc_aes(const struct key_slot *key, uint8_t data[16])
{
    struct scrip_block block;
    uint8_t iv[16] = {0};
    scrip_block_init(&block, SCRIP_AES128, key->bytes);
    scrip_cbc_encrypt(&block, iv, 1, data, data);
    scrip_block_wipe(&block);
}

static void encipher_picc_lrp(const struct key_slot *key, const uint8_t start[PICC_RANDOM_LEN], uint8_t data[16])
{
    struct scrip_lrp lrp;
    uint8_t counter[PICC_RANDOM_LEN];
    memcpy(counter, start, sizeof counter);
    scrip_lrp_init(&lrp, key->bytes, 1);
    scrip_lrp_icb(&lrp, 0, counter, sizeof counter, true, 1, data, data);
    scrip_lrp_wipe(&lrp);
}

/* tag || UID || counter || random, enciphered with the MetaRead key. LRP: behind the random number that its counter
 * starts from, and without random padding. */
static bool mirror_picc(struct scrip_desfire_card *card, const struct mirror *m)
{
    const struct scrip_random *random = card->host.random;
    uint8_t out[PICC_RANDOM_LEN + 16] = {0};
    uint8_t *plain = out + (m->lrp ? PICC_RANDOM_LEN : 0);
    struct scrip_buf data = scrip_buf(plain, 16);
    const bool uid = (m->sdm.options & SDM_UID) != 0;
    const bool counter = (m->sdm.options & SDM_COUNTER) != 0;
    struct key_slot key;

    (void)scrip_buf_add_u8(&data, (uint8_t)((uid ? SDM_UID | 7U : 0U) | (counter ? SDM_COUNTER : 0U)));
    (void)scrip_buf_add(&data, m->uid, uid ? sizeof m->uid : 0);
    (void)scrip_buf_add(&data, m->counter, counter ? sizeof m->counter : 0);
    uint8_t *noise = m->lrp ? out : plain + data.len;
    if (random->fill(random->ctx, noise, m->lrp ? PICC_RANDOM_LEN : 16 - data.len) != SCRIP_OK) {
        card->no_random = true;
        return false;
    }
    key_active(card, m->app, m->sdm.meta_read, &key);
    if (m->lrp) {
        encipher_picc_lrp(&key, out, plain);
    } else {
        encipher_picc_aes(&key, plain);
    }
    scrip_wipe(&key, sizeof key);
    put_hex(m->image + m->sdm.picc_at, out, m->lrp ? sizeof out : 16);
    return true;
}

/* Session vector: label, UID and counter as far as they are mirrored, zeros. */
static void session_vector(const struct mirror *m, uint8_t label0, uint8_t label1, bool all, uint8_t vector[16])
{
    const uint8_t head[6] = {label0, label1, 0x00, 0x01, 0x00, 0x80};
    size_t len = sizeof head;

    memset(vector, 0, 16);
    memcpy(vector, head, sizeof head);
    if (all || (m->sdm.options & SDM_UID) != 0) {
        memcpy(vector + len, m->uid, sizeof m->uid);
        len += sizeof m->uid;
    }
    if (all || (m->sdm.options & SDM_COUNTER) != 0) {
        memcpy(vector + len, m->counter, sizeof m->counter);
    }
}

static void session_key(struct scrip_desfire_card *card, const struct mirror *m, uint8_t label0, uint8_t label1,
                        bool all, uint8_t out[16])
{
    struct key_slot key;
    struct scrip_cmac_key cmac;
    uint8_t vector[16];

    session_vector(m, label0, label1, all, vector);
    key_active(card, m->app, m->sdm.file_read, &key);
    scrip_cmac_key_init(&cmac, SCRIP_AES128, key.bytes);
    scrip_cmac(&cmac, SCRIP_BYTES_OF(vector), out);
    scrip_cmac_key_wipe(&cmac);
    scrip_wipe(&key, sizeof key);
}

/* LRP: one master for both uses. */
static void session_lrp(struct scrip_desfire_card *card, const struct mirror *m, struct scrip_lrp *lrp)
{
    struct key_slot key;
    uint8_t vector[16] = {0x00, 0x01, 0x00, 0x80};
    uint8_t master[16];
    size_t len = 4;

    if ((m->sdm.options & SDM_UID) != 0) {
        memcpy(vector + len, m->uid, sizeof m->uid);
        len += sizeof m->uid;
    }
    if ((m->sdm.options & SDM_COUNTER) != 0) {
        memcpy(vector + len, m->counter, sizeof m->counter);
    }
    vector[14] = 0x1E;
    vector[15] = 0xE1;
    key_active(card, m->app, m->sdm.file_read, &key);
    scrip_lrp_init(lrp, key.bytes, 1);
    scrip_lrp_cmac(lrp, 0, SCRIP_BYTES_OF(vector), master);
    scrip_lrp_init(lrp, master, 2);
    scrip_wipe(master, sizeof master);
    scrip_wipe(&key, sizeof key);
}

/* Encipher the first half of the placeholder; its text fills the whole. */
static void mirror_enc(struct scrip_desfire_card *card, const struct mirror *m)
{
    uint8_t *at = m->image + m->sdm.enc_at;
    uint8_t start[16] = {0};
    uint8_t secret[16];
    struct scrip_block block;
    struct scrip_lrp lrp;

    memcpy(start, m->counter, sizeof m->counter);
    if (m->lrp) {
        session_lrp(card, m, &lrp);
        scrip_lrp_icb(&lrp, 1, start, 6, true, m->sdm.enc_len / 32, at, at);
        scrip_lrp_wipe(&lrp);
    } else {
        session_key(card, m, 0xC3, 0x3C, true, secret);
        scrip_block_init(&block, SCRIP_AES128, secret);
        scrip_block_encrypt(&block, 1, start, start);
        scrip_cbc_encrypt(&block, start, m->sdm.enc_len / 32, at, at);
        scrip_block_wipe(&block);
        scrip_wipe(secret, sizeof secret);
    }
    for (uint32_t i = m->sdm.enc_len / 2; i-- > 0;) { /* in place, from the end */
        const uint8_t byte = at[i];
        put_hex(at + 2 * i, &byte, 1);
    }
}

static void mirror_mac(struct scrip_desfire_card *card, const struct mirror *m)
{
    const struct scrip_bytes input = scrip_bytes(m->image + m->sdm.mac_input, m->sdm.mac_at - m->sdm.mac_input);
    uint8_t full[16];
    uint8_t mac[8];
    uint8_t secret[16];
    struct scrip_lrp lrp;

    if (m->lrp) {
        session_lrp(card, m, &lrp);
        scrip_lrp_cmac(&lrp, 0, input, full);
        scrip_mact(full, mac);
        scrip_lrp_wipe(&lrp);
    } else {
        session_key(card, m, 0x3C, 0xC3, false, secret);
        scrip_aes_mact(secret, input, mac);
        scrip_wipe(secret, sizeof secret);
    }
    put_hex(m->image + m->sdm.mac_at, mac, sizeof mac);
}

/* The first read of a run counts. */
static uint8_t step_counter(struct scrip_desfire_card *card, struct file *file, const struct sdm *sdm, uint8_t kind)
{
    uint8_t *at = file->is.as.plain.sdm_counter;
    const uint32_t counter = scrip_get_le24(at);

    if (card->sdm_run == kind && card->sdm_file == file->is.number) {
        return DF_OK;
    }
    if (counter == COUNTER_MAX || (sdm->has_limit && counter >= sdm->limit)) {
        return DF_AUTHENTICATION_ERROR;
    }
    scrip_put_le24(at, counter + 1);
    file_store(card, file);
    card->sdm_run = kind;
    card->sdm_file = file->is.number;
    return DF_OK;
}

/* Settings that nobody made yet do nothing; others were checked when they were made, unless the image is damaged. */
static bool settings_fit(struct scrip_desfire_card *card, const struct app *app, const struct file_page *is,
                         uint32_t size)
{
    const uint16_t rights = scrip_get_le16(is->as.plain.sdm_rights);
    return (is->as.plain.sdm_options == 0 && rights == 0xFFFF) ||
           sdm_valid(card, app, is->as.plain.sdm_options, rights, is->as.plain.sdm_offsets, size);
}

uint8_t sdm_mirror(struct scrip_desfire_card *card, struct file *file, const struct app *app, uint8_t kind,
                   uint32_t offset, uint32_t len, uint8_t *data)
{
    struct mirror m = {.app = app,
                       .sdm = parse(file->is.as.plain.sdm_options, scrip_get_le16(file->is.as.plain.sdm_rights)),
                       .lrp = config_lrp(card),
                       .image = card->work,
                       .size = data_size(file)};

    if (!settings_fit(card, app, &file->is, m.size)) {
        return DF_FILE_INTEGRITY_ERROR;
    }
    parse_offsets(&m.sdm, file->is.as.plain.sdm_offsets);
    uint8_t status = step_counter(card, file, &m.sdm, kind);
    if (status == DF_OK) {
        status = data_read(card, file, 0, m.size, m.image);
    }
    if (status != DF_OK) {
        return status;
    }
    memcpy(m.counter, file->is.as.plain.sdm_counter, sizeof m.counter);
    memcpy(m.uid, card->identity.uid, sizeof m.uid);
    if (m.sdm.has_uid) {
        put_hex(m.image + m.sdm.uid_at, m.uid, sizeof m.uid);
    }
    if (m.sdm.has_counter) {
        const uint8_t big[] = {m.counter[2], m.counter[1], m.counter[0]};
        put_hex(m.image + m.sdm.counter_at, big, sizeof big);
    }
    if (m.sdm.has_picc && !mirror_picc(card, &m)) {
        return DF_PERMISSION_DENIED;
    }
    if (m.sdm.has_enc) {
        mirror_enc(card, &m);
    }
    if (m.sdm.has_mac) {
        mirror_mac(card, &m);
    }
    memcpy(data, m.image + offset, len);
    return DF_OK;
}
