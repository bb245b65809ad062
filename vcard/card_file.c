/* card_file.c: the file of a card: one header page, then the pages of its memory.
 *
 * Header, 64 bytes: magic 8, version 2 LE, family, generation, uid 7, storage, flags, length of the UID (0: 7, as in
 * the first files), timer 4 LE, pages 4 LE, profile name 24 (30..53), variant (54), zeros, CRC-32 of bytes 0..59 in
 * bytes 60..63 LE. */
#include "card_file.h"
#include <errno.h>
#include <fcntl.h>
#include <scrip/crc.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t MAGIC[8] = {'s', 'c', 'r', 'i', 'p', 'c', 'r', 'd'};

#define FLAG_KEEP_PENDING 1U
#define FLAG_END_ON_0C    2U
#define FLAG_GENUINE      4U

void card_file_say(char error[SCRIP_VCARD_ERROR_MAX], const char *path, const char *what)
{
    if (error != NULL) {
        snprintf(error, SCRIP_VCARD_ERROR_MAX, "%s: %s", path, what);
    }
}

static void header_write(uint8_t page[SCRIP_NV_PAGE], const struct scrip_vcard_identity *identity, uint32_t pages)
{
    memset(page, 0, SCRIP_NV_PAGE);
    memcpy(page, MAGIC, sizeof MAGIC);
    scrip_put_le16(page + 8, CARD_FILE_VERSION);
    page[10] = identity->family;
    page[11] = identity->generation;
    memcpy(page + 12, identity->uid, 7);
    page[19] = identity->storage;
    page[20] = (uint8_t)((identity->keep_pending_on_auth ? FLAG_KEEP_PENDING : 0) |
                         (identity->end_session_on_0c ? FLAG_END_ON_0C : 0) | (identity->genuine ? FLAG_GENUINE : 0));
    page[21] = identity->uid_len;
    scrip_put_le32(page + 22, identity->transaction_timer_ms);
    scrip_put_le32(page + 26, pages);
    memcpy(page + 30, identity->profile, sizeof identity->profile);
    page[54] = identity->variant;
    scrip_put_le32(page + 60, scrip_crc32(SCRIP_CRC32_START, scrip_bytes(page, 60)));
}

enum scrip_status card_file_parse(const uint8_t page[SCRIP_NV_PAGE], struct scrip_vcard_identity *identity,
                                  uint32_t *pages)
{
    if (memcmp(page, MAGIC, sizeof MAGIC) != 0) {
        return SCRIP_E_CORRUPT;
    }
    if (scrip_get_le16(page + 8) != CARD_FILE_VERSION) {
        return SCRIP_E_UNSUPPORTED;
    }
    if (scrip_get_le32(page + 60) != scrip_crc32(SCRIP_CRC32_START, scrip_bytes(page, 60))) {
        return SCRIP_E_CORRUPT;
    }
    struct scrip_vcard_identity found = {
        .family = page[10],
        .generation = page[11],
        .variant = page[54],
        .uid_len = page[21] != 0 ? page[21] : 7,
        .genuine = (page[20] & FLAG_GENUINE) != 0,
        .storage = page[19],
        .keep_pending_on_auth = (page[20] & FLAG_KEEP_PENDING) != 0,
        .end_session_on_0c = (page[20] & FLAG_END_ON_0C) != 0,
        .transaction_timer_ms = scrip_get_le32(page + 22),
    };
    memcpy(found.uid, page + 12, 7);
    memcpy(found.profile, page + 30, sizeof found.profile);
    if (found.profile[sizeof found.profile - 1] != '\0' || (found.uid_len != 4 && found.uid_len != 7)) {
        return SCRIP_E_CORRUPT;
    }
    const uint32_t wanted = scrip_vcard_pages(&found);
    if (wanted == 0) {
        return SCRIP_E_UNSUPPORTED;
    }
    if (scrip_get_le32(page + 26) != wanted) {
        return SCRIP_E_CORRUPT;
    }
    *identity = found;
    *pages = wanted;
    return SCRIP_OK;
}

static void bind(struct card_file *file, int fd, uint32_t pages, bool sync)
{
    file->fd = fd;
    file->nv = scrip_nv_file(&file->region, fd, SCRIP_NV_PAGE, pages, sync);
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

enum scrip_status card_file_create(const char *path, const struct scrip_vcard_identity *identity,
                                   struct card_file *file, char error[SCRIP_VCARD_ERROR_MAX])
{
    uint8_t page[SCRIP_NV_PAGE];
    const uint32_t pages = scrip_vcard_pages(identity);
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        card_file_say(error, path, strerror(errno));
        return errno == EEXIST ? SCRIP_E_EXISTS : SCRIP_E_IO;
    }
    header_write(page, identity, pages);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || pwrite(fd, page, sizeof page, 0) != (ssize_t)sizeof page ||
        ftruncate(fd, (off_t)(pages + 1) * (off_t)SCRIP_NV_PAGE) != 0 || fsync(fd) != 0) {
        card_file_say(error, path, strerror(errno));
        close(fd);
        unlink(path);
        return SCRIP_E_IO;
    }
    bind(file, fd, pages, false);
    return SCRIP_OK;
}

static enum scrip_status check_open(int fd, struct scrip_vcard_identity *identity, uint32_t *pages)
{
    uint8_t page[SCRIP_NV_PAGE];
    struct stat stat;
    if (pread(fd, page, sizeof page, 0) != (ssize_t)sizeof page) {
        return SCRIP_E_CORRUPT;
    }
    SCRIP_TRY(card_file_parse(page, identity, pages));
    if (fstat(fd, &stat) != 0 || stat.st_size != (off_t)(*pages + 1) * (off_t)SCRIP_NV_PAGE) {
        return SCRIP_E_CORRUPT;
    }
    return SCRIP_OK;
}

enum scrip_status card_file_open(const char *path, struct card_file *file, struct scrip_vcard_identity *identity,
                                 char error[SCRIP_VCARD_ERROR_MAX])
{
    uint32_t pages = 0;
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        card_file_say(error, path, strerror(errno));
        return SCRIP_E_IO;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        card_file_say(error, path, "the card is in use by another program (in another field)");
        close(fd);
        return SCRIP_E_STATE;
    }
    const enum scrip_status status = check_open(fd, identity, &pages);
    if (status != SCRIP_OK) {
        card_file_say(error, path,
                      status == SCRIP_E_CORRUPT ? "not a card file, or damaged"
                                                : "a card file of a version or family that this program does not know");
        close(fd);
        return status;
    }
    bind(file, fd, pages, true);
    return SCRIP_OK;
}

void card_file_move(struct card_file *from, struct card_file *to)
{
    bind(to, from->fd, from->nv.pages, true);
    from->fd = -1;
}

enum scrip_status card_file_settle(struct card_file *file)
{
    return fsync(file->fd) == 0 ? SCRIP_OK : SCRIP_E_IO;
}

void card_file_close(struct card_file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
        file->fd = -1;
    }
}

enum scrip_status scrip_vcard_note_profile(const char *path, const char *profile, char error[SCRIP_VCARD_ERROR_MAX])
{
    struct scrip_vcard_identity identity = {0};
    struct card_file file;
    uint8_t page[SCRIP_NV_PAGE];
    if (strlen(profile) >= sizeof identity.profile) {
        card_file_say(error, path, "the name of the profile is too long");
        return SCRIP_E_LENGTH;
    }
    SCRIP_TRY(card_file_open(path, &file, &identity, error));
    memset(identity.profile, 0, sizeof identity.profile);
    memcpy(identity.profile, profile, strlen(profile));
    header_write(page, &identity, file.nv.pages);
    const bool written = pwrite(file.fd, page, sizeof page, 0) == (ssize_t)sizeof page && fdatasync(file.fd) == 0;
    card_file_close(&file);
    if (!written) {
        card_file_say(error, path, strerror(errno));
    }
    return written ? SCRIP_OK : SCRIP_E_IO;
}

enum scrip_status scrip_vcard_read_identity(const char *path, struct scrip_vcard_identity *identity)
{
    uint32_t pages = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return SCRIP_E_IO;
    }
    const enum scrip_status status = check_open(fd, identity, &pages);
    close(fd);
    return status;
}
