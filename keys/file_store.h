/* file_store.h: the keys of an encrypted file, opened. Private to the room. */
#ifndef SCRIP_KEYS_FILE_STORE_H
#define SCRIP_KEYS_FILE_STORE_H

#include <scrip/keys.h>

#define KEYS_MAX       64U
#define KEYS_BYTES     32U
#define ENTRY_HEAD     12U
#define PLAIN_MAX      (2U + KEYS_MAX * (ENTRY_HEAD + KEYS_BYTES))
#define PASSPHRASE_MAX 1024U

struct entry {
    enum scrip_key_role role;
    uint8_t version;
    uint64_t created_ms;
    uint8_t bytes[KEYS_BYTES];
    /* Made when the key is put into its place; a server asks for them several times a request. */
    uint8_t check[3];            /* as in struct scrip_key_info */
    uint8_t sealing[KEYS_BYTES]; /* of a sealing key: what seals, so that sealing and hashing never share a key */
};

/* Lives in memory from sodium_malloc: locked, guarded, not dumped, wiped when freed. */
struct file_store {
    struct scrip_keys keys;
    size_t count;
    struct entry entries[KEYS_MAX]; /* by role; the newest version of a role first */
};

/** The store behind the interface, or NULL if it is of another kind. */
struct file_store *file_store_of(struct scrip_keys *keys);

/** Put a key (role, version, time, bytes) into its place. @return SCRIP_OK; SCRIP_E_EXISTS; SCRIP_E_LIMIT */
enum scrip_status file_store_insert(struct file_store *store, const struct entry *entry);

/** Write the plain contents of a key file. `out` is wiped by the caller. */
enum scrip_status file_store_write(const struct file_store *store, struct scrip_buf *out);

#endif
