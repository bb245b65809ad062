#include "file_store.h"

#include <scrip/cmac.h>
#include <sodium.h>
#include <string.h>

/* Key roles are stored by number: the order of SCRIP_KEY_ROLES is part of the file format, new roles go to its end. */

static struct entry *find(struct file_store *store, enum scrip_key_role role, unsigned version)
{
    for (size_t i = 0; i < store->count; i++) {
        struct entry *entry = &store->entries[i];
        if (entry->role == role && (version == SCRIP_KEY_NEWEST || entry->version == version)) {
            return entry;
        }
    }
    return NULL;
}

static enum scrip_status store_info(struct scrip_keys *keys, size_t i, struct scrip_key_info *info)
{
    struct file_store *store = (struct file_store *)keys;
    if (i >= store->count) {
        return SCRIP_E_NOT_FOUND;
    }
    const struct entry *entry = &store->entries[i];
    info->role = entry->role;
    info->version = entry->version;
    info->created_ms = entry->created_ms;
    memcpy(info->check, entry->check, sizeof info->check);
    return SCRIP_OK;
}

static enum scrip_status store_diversify(struct scrip_keys *keys, enum scrip_key_role role, unsigned version,
                                         struct scrip_bytes input, uint8_t out[16])
{
    const struct entry *entry = find((struct file_store *)keys, role, version);
    if (entry == NULL) {
        return SCRIP_E_KEY;
    }
    if (input.len == 0) {
        memcpy(out, entry->bytes, 16);
        return SCRIP_OK;
    }
    return scrip_an10922(SCRIP_AES128, entry->bytes, input, out);
}

static void hash_piece(crypto_generichash_state *state, struct scrip_bytes piece)
{
    uint8_t len[8];
    scrip_put_le64(len, piece.len);
    crypto_generichash_update(state, len, sizeof len);
    if (piece.len > 0) {
        crypto_generichash_update(state, piece.at, piece.len);
    }
}

static void hash_with(const uint8_t key[KEYS_BYTES], const char *purpose, const struct scrip_bytes *pieces,
                      size_t count, uint8_t out[32])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, KEYS_BYTES, 32);
    hash_piece(&state, scrip_bytes(purpose, strlen(purpose)));
    for (size_t i = 0; i < count; i++) {
        hash_piece(&state, pieces[i]);
    }
    crypto_generichash_final(&state, out, 32);
    scrip_wipe(&state, sizeof state);
}

static enum scrip_status store_hash(struct scrip_keys *keys, enum scrip_key_role role, unsigned version,
                                    const char *purpose, const struct scrip_bytes *pieces, size_t count,
                                    uint8_t out[32])
{
    const struct entry *entry = find((struct file_store *)keys, role, version);
    if (entry == NULL) {
        return SCRIP_E_KEY;
    }
    hash_with(entry->bytes, purpose, pieces, count, out);
    return SCRIP_OK;
}

static enum scrip_status store_seal(struct scrip_keys *keys, unsigned version, const uint8_t nonce[24],
                                    struct scrip_bytes context, struct scrip_bytes plain, struct scrip_buf *out)
{
    const struct entry *entry = find((struct file_store *)keys, SCRIP_KEY_SEAL, version);
    const size_t sealed_len = plain.len + crypto_aead_xchacha20poly1305_ietf_ABYTES;
    if (out->cap - out->len < sealed_len) {
        return SCRIP_E_SPACE;
    }
    if (entry == NULL) {
        return SCRIP_E_KEY;
    }
    crypto_aead_xchacha20poly1305_ietf_encrypt(out->at + out->len, NULL, plain.at, plain.len, context.at, context.len,
                                               NULL, nonce, entry->sealing);
    out->len += sealed_len;
    return SCRIP_OK;
}

static enum scrip_status store_unseal(struct scrip_keys *keys, unsigned version, const uint8_t nonce[24],
                                      struct scrip_bytes context, struct scrip_bytes sealed, struct scrip_buf *out)
{
    const struct entry *entry = find((struct file_store *)keys, SCRIP_KEY_SEAL, version);
    if (sealed.len < crypto_aead_xchacha20poly1305_ietf_ABYTES) {
        return SCRIP_E_LENGTH;
    }
    const size_t plain_len = sealed.len - crypto_aead_xchacha20poly1305_ietf_ABYTES;
    if (out->cap - out->len < plain_len) {
        return SCRIP_E_SPACE;
    }
    if (entry == NULL) {
        return SCRIP_E_KEY;
    }
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out->at + out->len, NULL, NULL, sealed.at, sealed.len, context.at,
                                                   context.len, nonce, entry->sealing) != 0) {
        return SCRIP_E_MAC;
    }
    out->len += plain_len;
    return SCRIP_OK;
}

static void store_close(struct scrip_keys *keys)
{
    sodium_free(keys); /* wipes */
}

static const struct scrip_keys_ops file_ops = {
    .info = store_info,
    .diversify = store_diversify,
    .hash = store_hash,
    .seal = store_seal,
    .unseal = store_unseal,
    .close = store_close,
};

struct file_store *file_store_of(struct scrip_keys *keys)
{
    return keys->ops == &file_ops ? (struct file_store *)keys : NULL;
}

enum scrip_status scrip_keys_file_new(struct scrip_keys **keys)
{
    if (sodium_init() < 0) {
        return SCRIP_E_RANDOM;
    }
    struct file_store *store = sodium_malloc(sizeof *store);
    if (store == NULL) {
        return SCRIP_E_MEMORY;
    }
    memset(store, 0, sizeof *store);
    store->keys.ops = &file_ops;
    *keys = &store->keys;
    return SCRIP_OK;
}

static void make_check(struct entry *entry)
{
    static const uint8_t zeros[16];
    uint8_t mac[crypto_generichash_BYTES];
    if (scrip_key_role_len(entry->role) == 16) {
        struct scrip_cmac_key key;
        scrip_cmac_key_init(&key, SCRIP_AES128, entry->bytes);
        scrip_cmac(&key, SCRIP_BYTES_OF(zeros), mac);
        scrip_cmac_key_wipe(&key);
    } else {
        crypto_generichash(mac, sizeof mac, zeros, sizeof zeros, entry->bytes, KEYS_BYTES);
    }
    memcpy(entry->check, mac, sizeof entry->check);
    scrip_wipe(mac, sizeof mac);
}

static bool comes_before(const struct entry *a, const struct entry *b)
{
    return a->role != b->role ? a->role < b->role : a->version > b->version;
}

enum scrip_status file_store_insert(struct file_store *store, const struct entry *entry)
{
    if (find(store, entry->role, entry->version) != NULL) {
        return SCRIP_E_EXISTS;
    }
    if (store->count == KEYS_MAX) {
        return SCRIP_E_LIMIT;
    }
    size_t at = store->count;
    while (at > 0 && comes_before(entry, &store->entries[at - 1])) {
        store->entries[at] = store->entries[at - 1];
        at--;
    }
    store->entries[at] = *entry;
    make_check(&store->entries[at]);
    if (entry->role == SCRIP_KEY_SEAL) {
        hash_with(entry->bytes, "scrip sealing key", NULL, 0, store->entries[at].sealing);
    }
    store->count++;
    return SCRIP_OK;
}

enum scrip_status scrip_keys_file_add(struct scrip_keys *keys, enum scrip_key_role role, uint8_t version,
                                      struct scrip_bytes bytes, const struct scrip_random *random,
                                      const struct scrip_clock *clock)
{
    struct file_store *store = file_store_of(keys);
    const size_t len = scrip_key_role_len(role);
    if (store == NULL || len == 0 || (bytes.len == 0 && random == NULL)) {
        return SCRIP_E_ARGUMENT;
    }
    if (bytes.len != 0 && bytes.len != len) {
        return SCRIP_E_LENGTH;
    }
    struct entry entry = {.role = role, .version = version};
    entry.created_ms = clock != NULL ? clock->now_ms(clock->ctx) : 0;
    enum scrip_status status = SCRIP_OK;
    if (bytes.len != 0) {
        memcpy(entry.bytes, bytes.at, len);
    } else {
        status = random->fill(random->ctx, entry.bytes, len);
    }
    if (status == SCRIP_OK) {
        status = file_store_insert(store, &entry);
    }
    scrip_wipe(&entry, sizeof entry);
    return status;
}

enum scrip_status scrip_keys_file_remove(struct scrip_keys *keys, enum scrip_key_role role, uint8_t version)
{
    struct file_store *store = file_store_of(keys);
    if (store == NULL) {
        return SCRIP_E_ARGUMENT;
    }
    struct entry *entry = find(store, role, version);
    if (entry == NULL) {
        return SCRIP_E_KEY;
    }
    if (entry == find(store, role, SCRIP_KEY_NEWEST)) {
        return SCRIP_E_STATE;
    }
    struct entry *last = &store->entries[--store->count];
    memmove(entry, entry + 1, (size_t)(last - entry) * sizeof *entry);
    scrip_wipe(last, sizeof *last);
    return SCRIP_OK;
}

enum scrip_status scrip_keys_file_fill(struct scrip_keys *keys, const struct scrip_random *random,
                                       const struct scrip_clock *clock)
{
    for (unsigned role = 0; role < SCRIP_KEY_ROLE_COUNT; role++) {
        SCRIP_TRY(scrip_keys_file_add(keys, (enum scrip_key_role)role, 1, scrip_bytes(NULL, 0), random, clock));
    }
    return SCRIP_OK;
}

enum scrip_status scrip_keys_file_export_terminal(struct scrip_keys *keys, unsigned more, struct scrip_keys **terminal)
{
    struct file_store *from = file_store_of(keys);
    if (from == NULL) {
        return SCRIP_E_ARGUMENT;
    }
    if (find(from, SCRIP_KEY_PAY, SCRIP_KEY_NEWEST) == NULL) {
        return SCRIP_E_KEY;
    }
    struct scrip_keys *made;
    SCRIP_TRY(scrip_keys_file_new(&made));
    for (size_t i = 0; i < from->count; i++) {
        const enum scrip_key_role role = from->entries[i].role;
        if (((SCRIP_KEY_BIT(SCRIP_KEY_PAY) | more) & SCRIP_KEY_BIT(role)) != 0) {
            (void)file_store_insert((struct file_store *)made, &from->entries[i]); /* fits: no more than `from` has */
        }
    }
    *terminal = made;
    return SCRIP_OK;
}

enum scrip_status file_store_write(const struct file_store *store, struct scrip_buf *out)
{
    SCRIP_TRY(scrip_buf_add_le(out, store->count, 2));
    for (size_t i = 0; i < store->count; i++) {
        const struct entry *entry = &store->entries[i];
        const size_t len = scrip_key_role_len(entry->role);
        SCRIP_TRY(scrip_buf_add_u8(out, (uint8_t)entry->role));
        SCRIP_TRY(scrip_buf_add_u8(out, entry->version));
        SCRIP_TRY(scrip_buf_add_le(out, len, 2));
        SCRIP_TRY(scrip_buf_add_le(out, entry->created_ms, 8));
        SCRIP_TRY(scrip_buf_add(out, entry->bytes, len));
    }
    return SCRIP_OK;
}

static enum scrip_status parse_entry(struct scrip_bytes *plain, struct entry *entry)
{
    struct scrip_bytes head;
    struct scrip_bytes bytes;
    SCRIP_TRY(scrip_bytes_take(plain, ENTRY_HEAD, &head));
    const enum scrip_key_role role = (enum scrip_key_role)head.at[0];
    const size_t len = scrip_key_role_len(role);
    if (len == 0 || scrip_get_le16(head.at + 2) != len) {
        return SCRIP_E_CORRUPT;
    }
    SCRIP_TRY(scrip_bytes_take(plain, len, &bytes));
    entry->role = role;
    entry->version = head.at[1];
    entry->created_ms = scrip_get_le64(head.at + 4);
    memcpy(entry->bytes, bytes.at, len);
    return SCRIP_OK;
}

static enum scrip_status parse_all(struct file_store *store, struct scrip_bytes plain)
{
    struct scrip_bytes head;
    SCRIP_TRY(scrip_bytes_take(&plain, 2, &head));
    for (unsigned left = scrip_get_le16(head.at); left > 0; left--) {
        struct entry entry = {0};
        enum scrip_status status = parse_entry(&plain, &entry);
        if (status == SCRIP_OK) {
            status = file_store_insert(store, &entry);
        }
        scrip_wipe(&entry, sizeof entry);
        SCRIP_TRY(status);
    }
    return plain.len == 0 ? SCRIP_OK : SCRIP_E_CORRUPT;
}

enum scrip_status scrip_keys_file_parse(struct scrip_keys *keys, struct scrip_bytes plain)
{
    struct file_store *store = file_store_of(keys);
    if (store == NULL || store->count != 0) {
        return SCRIP_E_ARGUMENT;
    }
    if (parse_all(store, plain) != SCRIP_OK) {
        sodium_memzero(store->entries, sizeof store->entries);
        store->count = 0;
        return SCRIP_E_CORRUPT;
    }
    return SCRIP_OK;
}
