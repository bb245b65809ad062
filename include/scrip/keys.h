/* keys.h: key stores. A store holds named keys (a role and a version each) and does the few things that are done with
 * them, so that a store whose keys never leave it (a hardware module) fits behind the same interface.
 *
 * A key never appears in a log, an error text or a listing; listings show a check value. Memory that holds keys is
 * locked where the system allows it, kept out of core dumps, and wiped when the store is closed. */
#ifndef SCRIP_KEYS_H
#define SCRIP_KEYS_H

#include <scrip/bytes.h>
#include <scrip/host.h>
#include <scrip/status.h>

/** What a key is for. KEY_ROLE(name, text, length in bytes, what it does) */
#define SCRIP_KEY_ROLES(KEY_ROLE)                                                                                      \
    KEY_ROLE(AMK, "amk", 16, "application master key of the card: administration only, not diversified")               \
    KEY_ROLE(PAY, "pay", 16, "key 1: a terminal reads, debits and writes the transaction log")                         \
    KEY_ROLE(WRITE, "write", 16, "key 2: the issuer writes user data")                                                 \
    KEY_ROLE(TOPUP, "topup", 16, "key 3: the server credits and writes the top-up log")                                \
    KEY_ROLE(TMAC, "tmac", 16, "Transaction MAC key: only the issuer verifies")                                        \
    KEY_ROLE(PICC, "picc", 16, "card master key, not diversified")                                                     \
    KEY_ROLE(ID, "id", 16, "identification key of cards with random UID, not diversified")                             \
    KEY_ROLE(SEAL, "seal", 32, "seals session tokens; shared by all instances of a server, rotated")                   \
    KEY_ROLE(CHECKPOINT, "checkpoint", 32, "keys the checkpoints of the ledger")                                       \
    KEY_ROLE(BCD, "bcd", 16, "key of BCD wallets on MIFARE Classic, of which six bytes are used")

enum scrip_key_role {
#define KEY_ROLE(name, text, len, about) SCRIP_KEY_##name,
    SCRIP_KEY_ROLES(KEY_ROLE)
#undef KEY_ROLE
        SCRIP_KEY_ROLE_COUNT
};

/** "pay", "seal" …; "?" for a number that is none. Static memory. */
const char *scrip_key_role_name(enum scrip_key_role role);

/** What a role is for, one line. Static memory. */
const char *scrip_key_role_about(enum scrip_key_role role);

/** The role with this name. @return SCRIP_OK; SCRIP_E_NOT_FOUND */
enum scrip_status scrip_key_role_of(const char *name, enum scrip_key_role *role);

/** Length of a role's keys: 16 (AES-128) or 32 bytes. */
size_t scrip_key_role_len(enum scrip_key_role role);

/** Ask for the newest version of a role. */
#define SCRIP_KEY_NEWEST 256U

/** What a listing shows of a key. */
struct scrip_key_info {
    enum scrip_key_role role;
    uint8_t version;
    uint8_t check[3];    /**< first bytes of the CMAC (16-byte keys) or keyed hash (others) of 16 zero bytes */
    uint64_t created_ms; /**< since 1970 */
};

struct scrip_keys;

/** What a kind of store must do. `version` is an exact version, 0..255, or SCRIP_KEY_NEWEST. All return SCRIP_E_KEY
 *  when the store has no such key, and leave outputs untouched on failure. */
struct scrip_keys_ops {
    /** Key number `i` of the listing, by role, newest version first. @return SCRIP_OK; SCRIP_E_NOT_FOUND: past the end
     */
    enum scrip_status (*info)(struct scrip_keys *keys, size_t i, struct scrip_key_info *info);
    enum scrip_status (*diversify)(struct scrip_keys *keys, enum scrip_key_role role, unsigned version,
                                   struct scrip_bytes input, uint8_t out[16]);
    enum scrip_status (*hash)(struct scrip_keys *keys, enum scrip_key_role role, unsigned version, const char *purpose,
                              const struct scrip_bytes *pieces, size_t count, uint8_t out[32]);
    enum scrip_status (*seal)(struct scrip_keys *keys, unsigned version, const uint8_t nonce[24],
                              struct scrip_bytes context, struct scrip_bytes plain, struct scrip_buf *out);
    enum scrip_status (*unseal)(struct scrip_keys *keys, unsigned version, const uint8_t nonce[24],
                                struct scrip_bytes context, struct scrip_bytes sealed, struct scrip_buf *out);
    void (*close)(struct scrip_keys *keys);
};

/** Embed as first member. */
struct scrip_keys {
    const struct scrip_keys_ops *ops;
};

/** Key `i` of the listing. Count up from 0 until SCRIP_E_NOT_FOUND. */
enum scrip_status scrip_keys_info(struct scrip_keys *keys, size_t i, struct scrip_key_info *info);

/** The newest version of a role. @return SCRIP_OK; SCRIP_E_KEY: the store has no key of that role */
enum scrip_status scrip_keys_newest(struct scrip_keys *keys, enum scrip_key_role role, uint8_t *version);

/** A card's own AES-128 key: AN10922 with M = `input`, or the role's key itself when `input` is empty (amk, picc, id,
 *  bcd).
 *  Wipe `out` after use.
 *  @return SCRIP_OK; SCRIP_E_KEY: no such key, or a role whose keys are no AES-128 keys; SCRIP_E_ARGUMENT: M too long
 */
enum scrip_status scrip_keys_diversify(struct scrip_keys *keys, enum scrip_key_role role, unsigned version,
                                       struct scrip_bytes input, uint8_t out[16]);

/** A keyed hash (BLAKE2b) of pieces; each piece's length is hashed too, so borders between pieces count.
 *  @param role     SCRIP_KEY_SEAL or SCRIP_KEY_CHECKPOINT
 *  @param purpose  a short constant text that keeps uses of one key apart
 *  @return SCRIP_OK; SCRIP_E_KEY */
enum scrip_status scrip_keys_hash(struct scrip_keys *keys, enum scrip_key_role role, unsigned version,
                                  const char *purpose, const struct scrip_bytes *pieces, size_t count, uint8_t out[32]);

/** Seal with the `seal` key (XChaCha20-Poly1305): appends plain.len + 16 bytes to `out`.
 *  @param nonce    24 bytes; must not repeat for different plain texts: derive it from all that goes in, or random
 *  @param context  authenticated, not stored; the same must be given to unseal
 *  @return SCRIP_OK; SCRIP_E_KEY; SCRIP_E_SPACE */
enum scrip_status scrip_keys_seal(struct scrip_keys *keys, unsigned version, const uint8_t nonce[24],
                                  struct scrip_bytes context, struct scrip_bytes plain, struct scrip_buf *out);

/** The reverse. @return SCRIP_OK; SCRIP_E_KEY; SCRIP_E_MAC: altered, or sealed for another context or by another key;
 *  SCRIP_E_LENGTH: shorter than its tag; SCRIP_E_SPACE */
enum scrip_status scrip_keys_unseal(struct scrip_keys *keys, unsigned version, const uint8_t nonce[24],
                                    struct scrip_bytes context, struct scrip_bytes sealed, struct scrip_buf *out);

/** Wipe and free. NULL is allowed. */
void scrip_keys_close(struct scrip_keys *keys);

/* ---- The encrypted file: Argon2id over a passphrase, then XChaCha20-Poly1305 over the whole. ---- */

/** Work of the passphrase hash. Kept in the file's header, bounded when read. */
enum scrip_keys_cost {
    SCRIP_KEYS_COST_NORMAL, /**< 64 MiB, some tenths of a second */
    SCRIP_KEYS_COST_TEST,   /**< the least that the algorithm allows: tests and demonstrations only */
};

/** Where a passphrase comes from; the first that is set is used: `file` (its first line), `env` (a variable's name),
 *  `prompt` (returns the length written into `out`, or 0 for none). */
struct scrip_passphrase {
    const char *file;
    const char *env;
    size_t (*prompt)(void *ctx, const char *question, char *out, size_t cap);
    void *prompt_ctx;
};

/** An empty store in memory; nothing is written before scrip_keys_file_save.
 *  @return SCRIP_OK; SCRIP_E_MEMORY; SCRIP_E_RANDOM: the system has no random numbers */
enum scrip_status scrip_keys_file_new(struct scrip_keys **keys);

/** Open a file.
 *  @return SCRIP_OK; SCRIP_E_IO: cannot be read; SCRIP_E_PASSPHRASE: none given; SCRIP_E_FORMAT: no key store;
 *          SCRIP_E_MAC: wrong passphrase, or the file was altered; SCRIP_E_CORRUPT: opened, but malformed inside;
 *          SCRIP_E_MEMORY; SCRIP_E_RANDOM */
enum scrip_status scrip_keys_file_open(const char *path, const struct scrip_passphrase *passphrase,
                                       struct scrip_keys **keys);

/** Write: a new file beside the old one, synced, then renamed over it; mode 0600.
 *  @param replace  false: SCRIP_E_EXISTS if there is a file already
 *  @return SCRIP_OK; SCRIP_E_EXISTS; SCRIP_E_IO; SCRIP_E_PASSPHRASE; SCRIP_E_RANDOM; SCRIP_E_ARGUMENT: not a file store
 */
enum scrip_status scrip_keys_file_save(struct scrip_keys *keys, const char *path,
                                       const struct scrip_passphrase *passphrase, enum scrip_keys_cost cost,
                                       bool replace);

/** Add a key to a file store (in memory).
 *  @param bytes  scrip_key_role_len(role) bytes; empty: random
 *  @param clock  says when; NULL: 0
 *  @return SCRIP_OK; SCRIP_E_EXISTS: that version is there; SCRIP_E_LENGTH; SCRIP_E_LIMIT: 64 keys are the most;
 *          SCRIP_E_RANDOM; SCRIP_E_ARGUMENT: not a file store */
enum scrip_status scrip_keys_file_add(struct scrip_keys *keys, enum scrip_key_role role, uint8_t version,
                                      struct scrip_bytes bytes, const struct scrip_random *random,
                                      const struct scrip_clock *clock);

/** Remove an older version of a role from a file store (in memory), and wipe it. The newest stays: what is made, sealed
 *  or opened without a version being named goes by it.
 *  @return SCRIP_OK; SCRIP_E_KEY: there is no such key; SCRIP_E_STATE: it is the newest; SCRIP_E_ARGUMENT: not a file
 *          store */
enum scrip_status scrip_keys_file_remove(struct scrip_keys *keys, enum scrip_key_role role, uint8_t version);

/** One key of every role, version 1, from `random`. For a first store and for demonstrations. */
enum scrip_status scrip_keys_file_fill(struct scrip_keys *keys, const struct scrip_random *random,
                                       const struct scrip_clock *clock);

/** The bit of a role in a set of roles. */
#define SCRIP_KEY_BIT(role) (1U << (role))

/** What a terminal gets: a new store in memory with the keys of role `pay` only, all versions.
 *  @param more  roles that it gets too, as SCRIP_KEY_BIT: `id`, to recognise cards with random UID; `bcd`, for BCD
 *               wallets, whose one key also credits
 *  @return SCRIP_OK; SCRIP_E_KEY: there is no pay key; SCRIP_E_ARGUMENT: not a file store; SCRIP_E_MEMORY */
enum scrip_status scrip_keys_file_export_terminal(struct scrip_keys *keys, unsigned more, struct scrip_keys **terminal);

/** Take in the plain contents of a key file, as they are after opening; what a fuzzer feeds.
 *  @return SCRIP_OK; SCRIP_E_CORRUPT (nothing is added); SCRIP_E_ARGUMENT: not an empty store of files */
enum scrip_status scrip_keys_file_parse(struct scrip_keys *keys, struct scrip_bytes plain);

/** For programs that hold keys, first thing in main: no core dumps, no tracing by others of the same user.
 *  @return SCRIP_OK; SCRIP_E_IO: the system refused (go on, and say so) */
enum scrip_status scrip_keys_harden_process(void);

#endif
