/* card_present.c: scrip card present: a virtual card where other programs find it. */
#include "common.h"
#include <scrip/field.h>
#include <scrip/reader.h>
#include <signal.h>

static volatile sig_atomic_t stop_presenting;
static volatile sig_atomic_t cards_away;

static void on_signal(int number)
{
    if (number == SIGUSR1) {
        cards_away = !cards_away;
    } else {
        stop_presenting = 1;
    }
}

static void on_event(void *ctx, enum scrip_present_event event, uint32_t number)
{
    struct tool *tool = ctx;
    switch (event) {
    case SCRIP_PRESENT_LISTENING:
        tool_say(tool, "listening: tcp:127.0.0.1:%u", (unsigned)number);
        tool_put(tool, "port", json_integer(number));
        tool_flush(tool);
        break;
    case SCRIP_PRESENT_INSERTED:
        tool_say(tool, "the card is in the reader");
        tool_flush(tool);
        break;
    case SCRIP_PRESENT_REMOVED:
        tool_say(tool, "the card is out of the reader");
        break;
    case SCRIP_PRESENT_POWER:
        tool_say(tool, "power %s", number != 0 ? "on" : "off");
        break;
    case SCRIP_PRESENT_APDU:
        tool_progress(tool, "%u commands answered", (unsigned)number);
        break;
    }
}

static void on_device(void *ctx, const char *path)
{
    struct tool *tool = ctx;
    tool_say(tool, "device: %s", path);
    tool_put(tool, "device", json_string(path));
    tool_flush(tool);
}

static int fail_open(struct tool *tool, enum scrip_status status, const char *error)
{
    return tool_fail(tool, &(struct tool_failure){.status = status == SCRIP_E_STATE ? SCRIP_E_IO : status,
                                                  .card = TOOL_CARD_UNTOUCHED,
                                                  .what = "opening the card",
                                                  .detail = error});
}

static int finish(struct tool *tool, enum scrip_status status, const char *error)
{
    return status == SCRIP_OK ? TOOL_OK
                              : tool_fail(tool, &(struct tool_failure){.status = status,
                                                                       .problem = TOOL_PROBLEM_READER,
                                                                       .card = TOOL_CARD_UNTOUCHED,
                                                                       .what = "presenting the card",
                                                                       .detail = error});
}

/* To tcp: links: one card. */
static int present_link(struct tool *tool, const struct scrip_present *how)
{
    char error[SCRIP_LINK_ERROR_MAX] = "";
    struct scrip_vcard *card = NULL;
    struct scrip_link *link = NULL;
    if (tool_text_at(tool, "file", 1) != NULL) {
        return tool_usage(tool, "a tcp: link takes one card");
    }
    enum scrip_status status = scrip_vcard_open(tool_text(tool, "file"), NULL, &card, error);
    status = status == SCRIP_OK ? scrip_link_to_card(card, true, &link) : status;
    if (status != SCRIP_OK) {
        return fail_open(tool, status, error);
    }
    status = scrip_present_tcp(link, how, error);
    scrip_link_close(link);
    return finish(tool, status, error);
}

/* The readers that have a field. */
static enum scrip_status present_to(struct tool *tool, struct scrip_picc *const *cards, size_t count,
                                    const struct scrip_present *how, char error[SCRIP_LINK_ERROR_MAX])
{
    return tool_has(tool, "pcsc")    ? scrip_present_vpcd(cards, count, how, error)
           : tool_has(tool, "pn532") ? scrip_present_pn532(cards, count, how, error)
                                     : scrip_present_mfrc522(cards, count, how, error);
}

/* Before a PC/SC reader, or a reader chip on a serial line: as many cards as a field takes. */
static int present_cards(struct tool *tool, const struct scrip_present *how)
{
    char error[SCRIP_LINK_ERROR_MAX] = "";
    struct scrip_vcard *cards[SCRIP_FIELD_CARDS] = {NULL};
    struct scrip_picc *piccs[SCRIP_FIELD_CARDS];
    const char *path;
    size_t count = 0;
    int code = TOOL_OK;
    for (; code == TOOL_OK && (path = tool_text_at(tool, "file", count)) != NULL; count++) {
        if (count == SCRIP_FIELD_CARDS) {
            code = tool_usage(tool, "a reader's field holds at most %u cards", SCRIP_FIELD_CARDS);
            break;
        }
        const enum scrip_status status = scrip_vcard_open(path, NULL, &cards[count], error);
        code = status == SCRIP_OK ? TOOL_OK : fail_open(tool, status, error);
        piccs[count] = status == SCRIP_OK ? scrip_vcard_picc(cards[count]) : NULL;
        if (status == SCRIP_OK && piccs[count] == NULL) {
            code = fail_open(tool, SCRIP_E_UNSUPPORTED, "this card has no contactless side");
        }
    }
    if (code == TOOL_OK) {
        code = finish(tool, present_to(tool, piccs, count, how, error), error);
    }
    for (size_t i = 0; i < SCRIP_FIELD_CARDS; i++) {
        scrip_vcard_close(cards[i]);
    }
    return code;
}

static int present(struct tool *tool)
{
    const bool chip = tool_has(tool, "pn532") || tool_has(tool, "mfrc522-uart");
    const struct scrip_present how = {.port = (uint16_t)tool_number(tool, "port", 0),
                                      .host = tool_text(tool, "host"),
                                      .stop = &stop_presenting,
                                      .event = on_event,
                                      .ctx = tool,
                                      .away = &cards_away,
                                      .device_link = tool_text(tool, "link"),
                                      .device = on_device};
    const struct sigaction action = {.sa_handler = on_signal};
    if (tool_has(tool, "pcsc") + tool_has(tool, "tcp") + tool_has(tool, "pn532") + tool_has(tool, "mfrc522-uart") !=
        1) {
        return tool_usage(tool, "one of --pcsc, --tcp, --pn532 and --mfrc522-uart is needed");
    }
    if (tool_has(tool, "link") && !chip) {
        return tool_usage(tool, "--link goes with --pn532 or --mfrc522-uart");
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (chip) {
        sigaction(SIGUSR1, &action, NULL);
    }
    return tool_has(tool, "tcp") ? present_link(tool, &how) : present_cards(tool, &how);
}

const struct tool_command tool_card_present = {
    .name = "card present",
    .summary = "put a virtual card into a reader of this machine, or behind a socket",
    .text =
        "With --pcsc the card is put into a slot of the vpcd driver (package vsmartcard-vpcd), so that every PC/SC "
        "program sees it as a card in a contactless reader. With --tcp it waits for one tcp: link at a time. With "
        "--pn532 or --mfrc522-uart the cards, up to eight, lie before a reader chip on a serial line, which libnfc and "
        "other drivers open by the device that is printed; the signal USR1 takes them out of its field and puts them "
        "back. Each way it stays until it is stopped by a signal.",
    .operands = (const struct tool_option[]){{.name = "file",
                                              .kind = TOOL_FILE,
                                              .value = "FILE",
                                              .help = "the card file",
                                              .required = true,
                                              .repeat = true},
                                             {.name = NULL}},
    .options =
        (const struct tool_option[]){
            {.name = "pcsc", .kind = TOOL_FLAG, .help = "through the vpcd driver of pcscd"},
            {.name = "tcp", .kind = TOOL_FLAG, .help = "for tcp: links"},
            {.name = "pn532",
             .kind = TOOL_FLAG,
             .help = "before a PN532 on a serial line, as libnfc's pn532_uart opens it"},
            {.name = "mfrc522-uart", .kind = TOOL_FLAG, .help = "before an MFRC522 on a serial line, in its UART mode"},
            {.name = "link",
             .kind = TOOL_FILE,
             .value = "PATH",
             .help = "make a symbolic link to the serial line's device"},
            {.name = "host",
             .kind = TOOL_TEXT,
             .value = "ADDRESS",
             .help = "where vpcd is, or what to listen on; else this machine only"},
            {.name = "port",
             .kind = TOOL_NUMBER,
             .value = "PORT",
             .help = "vpcd's port (else 35963), or the one to listen on (else any free one)"},
            {.name = NULL}},
    .example = "  scrip card present alice.card --pcsc\n"
               "  scrip card present --pn532 --link reader alice.card bob.card",
    .run = present,
};
