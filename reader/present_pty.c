/* Presents cards behind a reader chip on a serial line: a pseudo terminal that any program opens as it would open
 * /dev/ttyUSB0.
 *
 * Our end keeps the terminal's side open too, so that a client that goes away is no error; the side is raw before
 * anybody opens it, or its echo would loop. What was sent to a client that died stays queued: it is thrown away when
 * the next one wakes the chip. */
#include "links.h"
#include "model/mfrc522.h"
#include "model/pn532_hsu.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <scrip/posix.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define LOOK_MS  200 /* how often the stop flag is looked at */
#define QUIET_MS 100 /* a frame does not pause that long */
#define AGAIN_MS 50  /* between two looks for a card that a command waits for */
#define CHUNK    512

struct line;

/* A chip as the line sees it. */
struct chip {
    void (*take)(struct line *line, uint8_t byte, struct scrip_buf *out);
    void (*again)(struct line *line, struct scrip_buf *out);
    void (*quiet)(struct line *line);
    bool (*waits)(const struct line *line);
};

struct line {
    const struct chip *chip;
    const struct scrip_present *present;
    struct scrip_picc *const *cards;
    size_t count;
    int master, slave;
    bool powered;
    bool away;
    uint32_t answers;
    char path[64];
    const char *linked; /* the symbolic link that was made, or NULL */
    struct scrip_field field;
    struct scrip_random random;
    struct scrip_pn532_model pn532;
    struct scrip_pn532_hsu hsu;
    struct scrip_mfrc522_model mfrc522;
};

/* ---- the chips --------------------------------------------------------------------------------------------------- */

static void hsu_take(struct line *line, uint8_t byte, struct scrip_buf *out)
{
    scrip_pn532_hsu_take(&line->hsu, byte, out);
    if (line->hsu.woken) {
        (void)tcflush(line->slave, TCIFLUSH);
        line->hsu.woken = false;
    }
}

static void hsu_again(struct line *line, struct scrip_buf *out)
{
    scrip_pn532_hsu_again(&line->hsu, out);
}

static void hsu_quiet(struct line *line)
{
    scrip_pn532_hsu_quiet(&line->hsu);
}

static bool hsu_waits(const struct line *line)
{
    return scrip_pn532_hsu_waits(&line->hsu);
}

static const struct chip chip_pn532 = {hsu_take, hsu_again, hsu_quiet, hsu_waits};

static void uart_take(struct line *line, uint8_t byte, struct scrip_buf *out)
{
    const int sent = scrip_mfrc522_model_uart(&line->mfrc522, byte);
    if (sent >= 0) {
        (void)scrip_buf_add_u8(out, (uint8_t)sent);
    }
}

static void uart_again(struct line *line, struct scrip_buf *out)
{
    (void)line;
    (void)out;
}

static void uart_quiet(struct line *line)
{
    scrip_mfrc522_model_quiet(&line->mfrc522);
}

static bool uart_waits(const struct line *line)
{
    (void)line;
    return false;
}

static const struct chip chip_mfrc522 = {uart_take, uart_again, uart_quiet, uart_waits};

/* ---- the line ---------------------------------------------------------------------------------------------------- */

static void tell(const struct line *line, enum scrip_present_event event, uint32_t number)
{
    if (line->present->event != NULL) {
        line->present->event(line->present->ctx, event, number);
    }
}

static bool must_stop(const struct line *line)
{
    return line->present->stop != NULL && *line->present->stop != 0;
}

/* A name that others can rely on. One that an earlier run left behind is taken over; a file never is. */
static enum scrip_status make_link(struct line *line, char error[SCRIP_LINK_ERROR_MAX])
{
    const char *name = line->present->device_link;
    struct stat found;
    if (name == NULL) {
        return SCRIP_OK;
    }
    if (lstat(name, &found) == 0 && S_ISLNK(found.st_mode)) {
        (void)unlink(name);
    }
    if (symlink(line->path, name) != 0) {
        return open_fail(error, SCRIP_E_IO, "cannot make the link %.100s: %s", name, strerror(errno));
    }
    line->linked = name;
    return SCRIP_OK;
}

static enum scrip_status open_line(struct line *line, char error[SCRIP_LINK_ERROR_MAX])
{
    struct termios raw;
    line->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (line->master < 0 || grantpt(line->master) != 0 || unlockpt(line->master) != 0 ||
        ptsname_r(line->master, line->path, sizeof line->path) != 0) {
        return open_fail(error, SCRIP_E_IO, "no pseudo terminal: %s", strerror(errno));
    }
    line->slave = open(line->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (line->slave < 0 || tcgetattr(line->slave, &raw) != 0) {
        return open_fail(error, SCRIP_E_IO, "cannot open %s: %s", line->path, strerror(errno));
    }
    cfmakeraw(&raw);
    if (tcsetattr(line->slave, TCSANOW, &raw) != 0) {
        return open_fail(error, SCRIP_E_IO, "cannot set up %s: %s", line->path, strerror(errno));
    }
    return make_link(line, error);
}

static void close_line(struct line *line)
{
    if (line->linked != NULL) {
        (void)unlink(line->linked);
    }
    if (line->slave >= 0) {
        (void)close(line->slave);
    }
    if (line->master >= 0) {
        (void)close(line->master);
    }
}

/* Whoever does not read loses what waits for him. */
static void send_all(const struct line *line, const uint8_t *at, size_t len)
{
    while (len > 0) {
        struct pollfd ready = {.fd = line->master, .events = POLLOUT};
        const ssize_t n = write(line->master, at, len);
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        } else if (poll(&ready, 1, LOOK_MS) <= 0 || must_stop(line)) {
            (void)tcflush(line->slave, TCIFLUSH);
            return;
        }
    }
}

static void after(struct line *line, struct scrip_buf *out)
{
    if (out->len > 0) {
        send_all(line, out->at, out->len);
        out->len = 0;
        tell(line, SCRIP_PRESENT_APDU, ++line->answers);
    }
    if (line->powered != line->field.on) {
        line->powered = line->field.on;
        tell(line, SCRIP_PRESENT_POWER, line->powered ? 1 : 0);
    }
}

/* The cards go into the field or out of it, as they are told. */
static void move_cards(struct line *line)
{
    const bool away = line->present->away != NULL && *line->present->away != 0;
    if (away == line->away) {
        return;
    }
    line->away = away;
    for (size_t i = 0; i < line->count; i++) {
        if (away) {
            scrip_field_remove(&line->field, line->cards[i]);
        } else {
            (void)scrip_field_add(&line->field, line->cards[i]); /* one that does not start is silent */
        }
    }
    tell(line, away ? SCRIP_PRESENT_REMOVED : SCRIP_PRESENT_INSERTED, 0);
}

static enum scrip_status serve(struct line *line)
{
    uint8_t in[CHUNK];
    uint8_t bytes[PN532_HSU_OUT];
    struct scrip_buf out = SCRIP_BUF_OF(bytes);
    int patience = LOOK_MS;
    while (!must_stop(line)) {
        struct pollfd ready = {.fd = line->master, .events = POLLIN};
        const int found = poll(&ready, 1, patience);
        move_cards(line);
        const ssize_t n = found > 0 ? read(line->master, in, sizeof in) : 0;
        for (ssize_t i = 0; i < n; i++) {
            line->chip->take(line, in[i], &out);
            after(line, &out);
        }
        if (found == 0 && line->chip->waits(line)) {
            line->chip->again(line, &out);
            after(line, &out);
        } else if (found == 0) {
            line->chip->quiet(line);
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return SCRIP_E_LINK;
        }
        patience = line->chip->waits(line) ? AGAIN_MS : n > 0 ? QUIET_MS : LOOK_MS;
    }
    return SCRIP_OK;
}

/* A card that does not start is told now; later it would only be silent. */
static enum scrip_status lay_cards(struct line *line, char error[SCRIP_LINK_ERROR_MAX])
{
    enum scrip_status status = SCRIP_OK;
    scrip_field_init(&line->field);
    for (size_t i = 0; i < line->count && status == SCRIP_OK; i++) {
        status = scrip_field_add(&line->field, line->cards[i]);
    }
    if (status != SCRIP_OK) {
        return open_fail(error, SCRIP_E_ARGUMENT, "a reader's field holds at most %u cards", SCRIP_FIELD_CARDS);
    }
    status = scrip_field_power(&line->field, true);
    (void)scrip_field_power(&line->field, false);
    return status == SCRIP_OK ? status : open_fail(error, status, "a card does not start: %s", scrip_strerror(status));
}

static enum scrip_status present_chip(const struct chip *chip, struct scrip_picc *const *cards, size_t count,
                                      const struct scrip_present *present, char error[SCRIP_LINK_ERROR_MAX])
{
    struct line *line = calloc(1, sizeof *line);
    if (line == NULL) {
        return SCRIP_E_MEMORY;
    }
    line->chip = chip;
    line->present = present;
    line->master = line->slave = -1;
    line->random = scrip_random_system();
    line->cards = cards;
    line->count = count;
    enum scrip_status status = lay_cards(line, error);
    status = status == SCRIP_OK ? open_line(line, error) : status;
    if (status == SCRIP_OK) {
        scrip_pn532_model_init(&line->pn532, &line->field, &line->random);
        scrip_pn532_hsu_init(&line->hsu, &line->pn532);
        scrip_mfrc522_model_init(&line->mfrc522, &line->field, &line->random);
        if (present->device != NULL) {
            present->device(present->ctx, line->linked != NULL ? line->linked : line->path);
        }
        status = serve(line);
    }
    (void)scrip_field_power(&line->field, false);
    close_line(line);
    scrip_wipe(line, sizeof *line);
    free(line);
    return status;
}

enum scrip_status scrip_present_pn532(struct scrip_picc *const *cards, size_t count,
                                      const struct scrip_present *present, char error[SCRIP_LINK_ERROR_MAX])
{
    return present_chip(&chip_pn532, cards, count, present, error);
}

enum scrip_status scrip_present_mfrc522(struct scrip_picc *const *cards, size_t count,
                                        const struct scrip_present *present, char error[SCRIP_LINK_ERROR_MAX])
{
    return present_chip(&chip_mfrc522, cards, count, present, error);
}
