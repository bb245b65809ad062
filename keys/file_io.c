/* A key file on disk:
 *
 *   "SCRIPKEY" | format 1 | 0 0 0 | Argon2id passes[8] | Argon2id bytes of memory[8] | salt[16] | nonce[24] | sealed
 *
 * Integers least significant byte first. The whole head is authenticated with the sealed part. */
#include "file_store.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_LEN   68U
#define AT_PASSES  12U
#define AT_MEMORY  20U
#define AT_SALT    28U
#define AT_NONCE   44U
#define TAG_LEN    crypto_aead_xchacha20poly1305_ietf_ABYTES
#define FILE_MAX   (HEAD_LEN + PLAIN_MAX + TAG_LEN)
/* A hostile file may not make us work for minutes: what the head asks for is bounded. */
#define PASSES_MAX 16U
#define MEMORY_MAX (1024U * 1024U * 1024U)

static const uint8_t magic[12] = {'S', 'C', 'R', 'I', 'P', 'K', 'E', 'Y', 1, 0, 0, 0};

/* ---- passphrase ---- */

static size_t first_line(const char *path, char *out, size_t cap)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    const ssize_t got = read(fd, out, cap);
    close(fd);
    size_t len = 0;
    while (len < (got < 0 ? 0U : (size_t)got) && out[len] != '\n' && out[len] != '\r') {
        len++;
    }
    return len;
}

static size_t get_passphrase(const struct scrip_passphrase *from, const char *question, char *out, size_t cap)
{
    if (from->file != NULL) {
        return first_line(from->file, out, cap);
    }
    if (from->env != NULL) {
        const char *value = getenv(from->env);
        const size_t len = value == NULL ? 0 : strlen(value);
        if (len > cap) {
            return 0;
        }
        memcpy(out, value == NULL ? "" : value, len);
        return len;
    }
    return from->prompt == NULL ? 0 : from->prompt(from->prompt_ctx, question, out, cap);
}

static enum scrip_status derive(const uint8_t head[HEAD_LEN], const struct scrip_passphrase *passphrase,
                                const char *question, uint8_t key[32])
{
    const uint64_t passes = scrip_get_le64(head + AT_PASSES);
    const uint64_t memory = scrip_get_le64(head + AT_MEMORY);
    if (passes < crypto_pwhash_OPSLIMIT_MIN || passes > PASSES_MAX || memory < crypto_pwhash_MEMLIMIT_MIN ||
        memory > MEMORY_MAX) {
        return SCRIP_E_FORMAT;
    }
    char *text = sodium_malloc(PASSPHRASE_MAX);
    if (text == NULL) {
        return SCRIP_E_MEMORY;
    }
    const size_t len = get_passphrase(passphrase, question, text, PASSPHRASE_MAX);
    enum scrip_status status = SCRIP_E_PASSPHRASE;
    if (len > 0) {
        status =
            crypto_pwhash(key, 32, text, len, head + AT_SALT, passes, (size_t)memory, crypto_pwhash_ALG_ARGON2ID13) == 0
                ? SCRIP_OK
                : SCRIP_E_MEMORY;
    }
    sodium_free(text);
    return status;
}

/* ---- open ---- */

static enum scrip_status read_file(const char *path, uint8_t *at, size_t cap, size_t *len)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return SCRIP_E_IO;
    }
    *len = 0;
    ssize_t got = 1;
    while (*len < cap && got > 0) {
        got = read(fd, at + *len, cap - *len);
        *len += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    return got < 0 ? SCRIP_E_IO : SCRIP_OK;
}

static enum scrip_status open_sealed(const uint8_t *file, size_t len, const uint8_t key[32], struct scrip_keys **keys)
{
    uint8_t *plain = sodium_malloc(PLAIN_MAX);
    if (plain == NULL) {
        return SCRIP_E_MEMORY;
    }
    struct scrip_keys *made = NULL;
    unsigned long long plain_len = 0;
    enum scrip_status status = SCRIP_E_MAC;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, &plain_len, NULL, file + HEAD_LEN, len - HEAD_LEN, file,
                                                   HEAD_LEN, file + AT_NONCE, key) == 0) {
        status = scrip_keys_file_new(&made);
    }
    if (status == SCRIP_OK) {
        status = scrip_keys_file_parse(made, scrip_bytes(plain, (size_t)plain_len));
    }
    sodium_free(plain);
    if (status != SCRIP_OK) {
        scrip_keys_close(made);
        return status;
    }
    *keys = made;
    return SCRIP_OK;
}

enum scrip_status scrip_keys_file_open(const char *path, const struct scrip_passphrase *passphrase,
                                       struct scrip_keys **keys)
{
    uint8_t file[FILE_MAX + 1];
    uint8_t key[32];
    size_t len;
    char question[256];
    if (sodium_init() < 0) {
        return SCRIP_E_RANDOM;
    }
    SCRIP_TRY(read_file(path, file, sizeof file, &len));
    if (len < HEAD_LEN + TAG_LEN || len > FILE_MAX || memcmp(file, magic, sizeof magic) != 0) {
        return SCRIP_E_FORMAT;
    }
    (void)snprintf(question, sizeof question, "Passphrase of %s: ", path);
    SCRIP_TRY(derive(file, passphrase, question, key));
    const enum scrip_status status = open_sealed(file, len, key, keys);
    sodium_memzero(key, sizeof key);
    return status;
}

/* ---- save ---- */

static void make_head(uint8_t head[HEAD_LEN], enum scrip_keys_cost cost)
{
    const bool test = cost == SCRIP_KEYS_COST_TEST;
    memcpy(head, magic, sizeof magic);
    scrip_put_le64(head + AT_PASSES, test ? crypto_pwhash_OPSLIMIT_MIN : crypto_pwhash_OPSLIMIT_INTERACTIVE);
    scrip_put_le64(head + AT_MEMORY, test ? crypto_pwhash_MEMLIMIT_MIN : crypto_pwhash_MEMLIMIT_INTERACTIVE);
    randombytes_buf(head + AT_SALT, HEAD_LEN - AT_SALT);
}

static enum scrip_status seal_into(struct file_store *store, const uint8_t key[32], uint8_t *file, size_t *len)
{
    uint8_t *plain = sodium_malloc(PLAIN_MAX);
    if (plain == NULL) {
        return SCRIP_E_MEMORY;
    }
    struct scrip_buf out = scrip_buf(plain, PLAIN_MAX);
    const enum scrip_status status = file_store_write(store, &out);
    if (status == SCRIP_OK) {
        unsigned long long sealed_len = 0;
        crypto_aead_xchacha20poly1305_ietf_encrypt(file + HEAD_LEN, &sealed_len, plain, out.len, file, HEAD_LEN, NULL,
                                                   file + AT_NONCE, key);
        *len = HEAD_LEN + (size_t)sealed_len;
    }
    sodium_free(plain);
    return status;
}

static bool write_all(int fd, const uint8_t *at, size_t len)
{
    size_t done = 0;
    while (done < len) {
        const ssize_t put = write(fd, at + done, len - done);
        if (put <= 0) {
            return false;
        }
        done += (size_t)put;
    }
    return fsync(fd) == 0;
}

/* The directory entry must be on disk too before the old file may be forgotten. */
static bool sync_directory(const char *path)
{
    char dir[4096];
    const char *slash = strrchr(path, '/');
    const int len = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
    if (snprintf(dir, sizeof dir, "%.*s", len, slash == NULL ? "." : path) >= (int)sizeof dir) {
        return false;
    }
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    const bool ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

/* link() refuses to replace, rename() replaces: the choice is made by the file system, not by a look beforehand. */
static enum scrip_status move_into_place(const char *from, const char *path, bool replace)
{
    if (replace) {
        return rename(from, path) == 0 ? SCRIP_OK : SCRIP_E_IO;
    }
    const int refused = link(from, path);
    const int why = errno;
    (void)unlink(from);
    return refused == 0 ? SCRIP_OK : why == EEXIST ? SCRIP_E_EXISTS : SCRIP_E_IO;
}

static enum scrip_status put_file(const char *path, const uint8_t *at, size_t len, bool replace)
{
    char beside[4096];
    if (snprintf(beside, sizeof beside, "%s.new-XXXXXX", path) >= (int)sizeof beside) {
        return SCRIP_E_ARGUMENT;
    }
    const int fd = mkstemp(beside); /* mode 0600 */
    if (fd < 0) {
        return SCRIP_E_IO;
    }
    const bool written = write_all(fd, at, len);
    close(fd);
    if (!written) {
        (void)unlink(beside);
        return SCRIP_E_IO;
    }
    SCRIP_TRY(move_into_place(beside, path, replace));
    return sync_directory(path) ? SCRIP_OK : SCRIP_E_IO;
}

enum scrip_status scrip_keys_file_save(struct scrip_keys *keys, const char *path,
                                       const struct scrip_passphrase *passphrase, enum scrip_keys_cost cost,
                                       bool replace)
{
    struct file_store *store = file_store_of(keys);
    uint8_t file[FILE_MAX];
    uint8_t key[32];
    size_t len = 0;
    char question[256];
    if (store == NULL) {
        return SCRIP_E_ARGUMENT;
    }
    make_head(file, cost);
    (void)snprintf(question, sizeof question, "New passphrase for %s: ", path);
    SCRIP_TRY(derive(file, passphrase, question, key));
    const enum scrip_status status = seal_into(store, key, file, &len);
    sodium_memzero(key, sizeof key);
    SCRIP_TRY(status);
    return put_file(path, file, len, replace);
}
