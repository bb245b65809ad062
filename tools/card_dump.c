/* card_dump.c: scrip card import|export: MIFARE Classic cards in the files of other programs. */
#include "card.h"
#include <errno.h>
#include <fcntl.h>
#include <scrip/card_dump.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMATS "mfd proxmark flipper"

/* The format that --format names. @return false: it was not given */
static bool format_given(const struct tool *tool, enum scrip_dump_format *format)
{
    const char *name = tool_text(tool, "format");
    for (int f = 0; name != NULL && f < SCRIP_DUMP_FORMATS; f++) {
        if (strcmp(name, scrip_dump_format_name((enum scrip_dump_format)f)) == 0) {
            *format = (enum scrip_dump_format)f;
            return true;
        }
    }
    return false;
}

static void say_card(struct tool *tool, const char *path, const struct scrip_card_dump *dump,
                     enum scrip_dump_format format)
{
    char uid[15];
    tool_put(tool, "file", json_string(path));
    tool_put(tool, "uid", json_string(tool_hex_text(scrip_bytes(dump->uid, dump->uid_len), uid)));
    tool_put(tool, "size", json_string(dump->blocks == SCRIP_CLASSIC_4K_BLOCKS ? "4K" : "1K"));
    tool_put(tool, "format", json_string(scrip_dump_format_name(format)));
}

/* ---- card import ------------------------------------------------------------------------------------------------ */

/* The whole file. @return its length; more than SCRIP_DUMP_TEXT_MAX: too long, or errno is set */
static size_t dump_load(const char *path, uint8_t *text)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return SIZE_MAX;
    }
    const size_t len = fread(text, 1, SCRIP_DUMP_TEXT_MAX + 1U, file);
    const bool failed = ferror(file) != 0;
    fclose(file);
    return failed ? SIZE_MAX : len;
}

static int dump_parse(struct tool *tool, const char *path, uint8_t *text, struct scrip_card_dump *dump)
{
    char error[SCRIP_DUMP_ERROR_MAX] = "";
    enum scrip_dump_format format;
    errno = 0;
    const size_t len = dump_load(path, text);
    if (len == SIZE_MAX) {
        return card_fail_text(tool, SCRIP_E_IO, path, strerror(errno));
    }
    const struct scrip_bytes bytes = scrip_bytes(text, len);
    if (!format_given(tool, &format) && scrip_dump_format_of_text(bytes, &format) != SCRIP_OK) {
        return card_fail_text(tool, SCRIP_E_FORMAT, path,
                              "no dump that is known: 1024 or 4096 raw bytes, JSON of a Proxmark3, text of a Flipper");
    }
    const enum scrip_status status = scrip_dump_read(format, bytes, dump, error);
    if (status != SCRIP_OK) {
        return card_fail_text(tool, status, path, error);
    }
    say_card(tool, tool_text(tool, "file"), dump, format);
    return TOOL_OK;
}

/* Only a purse of MIFARE Classic can be on such a card. */
static int check_profile(struct tool *tool)
{
    static struct scrip_profile profile;
    char error[SCRIP_PROFILE_ERROR_MAX] = "";
    const char *name = tool_text(tool, "profile");
    if (name == NULL) {
        return TOOL_OK;
    }
    const enum scrip_status status = scrip_profile_load(name, &profile, error);
    if (status != SCRIP_OK) {
        return card_fail_text(tool, status, "reading the profile", error);
    }
    return profile.family == SCRIP_VCARD_CLASSIC
               ? TOOL_OK
               : tool_usage(tool, "--profile: %s is no profile of a MIFARE Classic", name);
}

static int make_from(struct tool *tool, const char *path, const struct scrip_card_dump *dump)
{
    char error[SCRIP_VCARD_ERROR_MAX] = "", draft[1024];
    const char *profile = tool_text(tool, "profile");
    int code = card_draft(tool, path, draft);
    if (code != TOOL_OK) {
        return code;
    }
    enum scrip_status status = scrip_vcard_make_from(draft, dump, tool_has(tool, "genuine"), error);
    if (status != SCRIP_OK) {
        return tool_fail(tool,
                         &(struct tool_failure){.status = status, .what = "making the card file", .detail = error});
    }
    status = profile != NULL ? scrip_vcard_note_profile(draft, profile, error) : SCRIP_OK;
    code = status == SCRIP_OK ? TOOL_OK : tool_fail_status(tool, status, "%s", error);
    return card_place(tool, draft, path, code);
}

static void say_imported(struct tool *tool, const char *path, const struct scrip_card_dump *dump,
                         const struct scrip_dump_gaps *gaps)
{
    const uint8_t sak = dump->blocks == SCRIP_CLASSIC_4K_BLOCKS ? 0x18 : 0x08;
    char uid[15];
    tool_say(tool, "%s: MIFARE Classic %s, UID %s", path, dump->blocks == SCRIP_CLASSIC_4K_BLOCKS ? "4K" : "1K",
             tool_hex_text(scrip_bytes(dump->uid, dump->uid_len), uid));
    tool_put(tool, "unknown_keys", json_integer(gaps->keys));
    tool_put(tool, "unknown_bytes", json_integer(gaps->bytes));
    if (gaps->keys != 0 || gaps->bytes != 0) {
        tool_note(tool, "%u keys and %u other bytes are not in the dump: the card has them as the factory makes it",
                  gaps->keys, gaps->bytes);
    }
    if (dump->sak != sak) {
        tool_note(tool, "the card of the dump answered with SAK %02X, this one answers with %02X", dump->sak, sak);
    }
}

static int import(struct tool *tool)
{
    static struct scrip_card_dump dump;
    static uint8_t text[SCRIP_DUMP_TEXT_MAX + 1U];
    struct scrip_dump_gaps gaps;
    const char *path = tool_text(tool, "file");
    int code = check_profile(tool);
    code = code == TOOL_OK ? dump_parse(tool, tool_text(tool, "dump"), text, &dump) : code;
    if (code == TOOL_OK) {
        scrip_dump_fill(&dump, &gaps);
        code = make_from(tool, path, &dump);
    }
    if (code == TOOL_OK) {
        say_imported(tool, path, &dump, &gaps);
    }
    scrip_wipe(&dump, sizeof dump);
    scrip_wipe(text, sizeof text);
    return code;
}

const struct tool_command tool_card_import = {
    .name = "card import",
    .summary = "make a virtual MIFARE Classic from a dump",
    .text =
        "Makes a card file from a dump of a MIFARE Classic 1K or 4K: raw blocks (.mfd, .bin of nfc-mfclassic, mfoc and "
        "others), JSON of the Proxmark3 client, text of a Flipper (.nfc). The format is recognised by the content. "
        "What the dump does not know becomes as the factory makes it: keys FF FF FF FF FF FF, data 00.",
    .operands =
        (const struct tool_option[]){
            {.name = "dump", .kind = TOOL_FILE, .value = "DUMP", .help = "the dump to read", .required = true},
            {.name = "file",
             .kind = TOOL_FILE,
             .value = "FILE",
             .help = "the card file to make; must not exist",
             .required = true},
            {.name = NULL}},
    .options =
        (const struct tool_option[]){{.name = "format",
                                      .kind = TOOL_CHOICE,
                                      .value = "FORMAT",
                                      .help = "in place of what the content says",
                                      .choices = FORMATS},
                                     {.name = "profile",
                                      .kind = TOOL_FILE,
                                      .value = "PROFILE",
                                      .help = "note in the card file that it was personalised from this profile"},
                                     {.name = "genuine",
                                      .kind = TOOL_FLAG,
                                      .help = "emulator: the card answers those who know no key as the chip "
                                              "does, weaknesses included"},
                                     {.name = NULL}},
    .example = "  scrip card import maker.mfd maker.card\n  scrip card import hf-mf-11223344-dump.json pm3.card",
    .run = import,
};

/* ---- card export ------------------------------------------------------------------------------------------------ */

/* A file of its owner's alone; what could not be written whole is taken away again. */
static int file_write(struct tool *tool, const char *path, struct scrip_bytes text)
{
    size_t done = 0;
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return card_fail_text(tool, errno == EEXIST ? SCRIP_E_EXISTS : SCRIP_E_IO, path, strerror(errno));
    }
    while (done < text.len) {
        const ssize_t n = write(fd, text.at + done, text.len - done);
        if (n < 0 && errno != EINTR) {
            break;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    const bool whole = done == text.len && fsync(fd) == 0;
    const int why = errno;
    if (close(fd) == 0 && whole) {
        return TOOL_OK;
    }
    unlink(path);
    return card_fail_text(tool, SCRIP_E_IO, path, strerror(why));
}

static int export_to(struct tool *tool, const struct scrip_card_dump *dump, enum scrip_dump_format format)
{
    static uint8_t text[SCRIP_DUMP_TEXT_MAX];
    struct scrip_buf out = SCRIP_BUF_OF(text);
    const char *path = tool_text(tool, "dump");
    const bool keys = tool_has(tool, "with-keys");
    const enum scrip_status status = scrip_dump_write(format, dump, keys, &out);
    const int code = status == SCRIP_OK ? file_write(tool, path, scrip_buf_bytes(&out))
                                        : tool_fail_status(tool, status, "writing the dump");
    scrip_wipe(text, sizeof text);
    if (code == TOOL_OK) {
        tool_say(tool, "%s: %s, %s", path, scrip_dump_format_name(format),
                 keys ? "with the card's keys: who has it has the card" : "without keys (--with-keys puts them in)");
        tool_put(tool, "keys", json_boolean(keys));
        say_card(tool, path, dump, format);
    }
    return code;
}

static int export(struct tool *tool)
{
    static struct scrip_card_dump dump;
    char error[SCRIP_VCARD_ERROR_MAX] = "";
    enum scrip_dump_format format;
    if (!format_given(tool, &format) && scrip_dump_format_of_name(tool_text(tool, "dump"), &format) != SCRIP_OK) {
        return tool_usage(tool, "%s tells no format (.mfd, .bin, .json, .nfc): give --format", tool_text(tool, "dump"));
    }
    const enum scrip_status status = scrip_vcard_dump(tool_text(tool, "file"), &dump, error);
    if (status != SCRIP_OK) {
        return card_fail_file(tool, status, error);
    }
    const int code = export_to(tool, &dump, format);
    scrip_wipe(&dump, sizeof dump);
    return code;
}

const struct tool_command tool_card_export = {
    .name = "card export",
    .summary = "write a virtual MIFARE Classic as a dump of another program",
    .text =
        "Writes the memory of a card file of MIFARE Classic as raw blocks (.mfd, .bin), as JSON of the Proxmark3 "
        "client "
        "(.json) or as text of a Flipper (.nfc), for its owner only (mode 0600).\n\nKeys are left out: FF FF FF FF FF "
        "FF stands in their place, in Flipper's text ??. With --with-keys they are written, and who can read the file "
        "then has the card: its value can be copied and changed. Such a dump of a card with diversified keys opens "
        "this "
        "card; of one with a key for all cards it opens all of them.",
    .operands = (const struct tool_option[]){OPERAND_CARD,
                                             {.name = "dump",
                                              .kind = TOOL_FILE,
                                              .value = "DUMP",
                                              .help = "the dump to write; must not exist",
                                              .required = true},
                                             {.name = NULL}},
    .options =
        (const struct tool_option[]){{.name = "format",
                                      .kind = TOOL_CHOICE,
                                      .value = "FORMAT",
                                      .help = "in place of what the name of DUMP says",
                                      .choices = FORMATS},
                                     {.name = "with-keys", .kind = TOOL_FLAG, .help = "write the card's keys too"},
                                     {.name = NULL}},
    .example = "  scrip card export maker.card maker.nfc\n  scrip card export maker.card maker.mfd --with-keys",
    .run = export,
};
