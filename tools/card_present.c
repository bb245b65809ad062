/* card_present.c: scrip card present: a virtual card where other programs find it. */
#include "common.h"
#include <scrip/reader.h>
#include <signal.h>

static volatile sig_atomic_t stop_presenting;

static void on_signal(int number)
{
    (void)number;
    stop_presenting = 1;
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

static int present(struct tool *tool)
{
    char error[SCRIP_LINK_ERROR_MAX] = "";
    struct scrip_vcard *card = NULL;
    struct scrip_link *link = NULL;
    const struct scrip_present how = {.port = (uint16_t)tool_number(tool, "port", 0),
                                      .host = tool_text(tool, "host"),
                                      .stop = &stop_presenting,
                                      .event = on_event,
                                      .ctx = tool};
    if (tool_has(tool, "pcsc") == tool_has(tool, "tcp")) {
        return tool_usage(tool, "one of --pcsc and --tcp is needed");
    }
    enum scrip_status status = scrip_vcard_open(tool_text(tool, "file"), NULL, &card, error);
    status = status == SCRIP_OK ? scrip_link_to_card(card, true, &link) : status;
    if (status != SCRIP_OK) {
        return tool_fail(tool, &(struct tool_failure){.status = status == SCRIP_E_STATE ? SCRIP_E_IO : status,
                                                      .card = TOOL_CARD_UNTOUCHED,
                                                      .what = "opening the card",
                                                      .detail = error});
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    status = tool_has(tool, "pcsc") ? scrip_present_vpcd(link, &how, error) : scrip_present_tcp(link, &how, error);
    scrip_link_close(link);
    return status == SCRIP_OK ? TOOL_OK
                              : tool_fail(tool, &(struct tool_failure){.status = status,
                                                                       .problem = TOOL_PROBLEM_READER,
                                                                       .card = TOOL_CARD_UNTOUCHED,
                                                                       .what = "presenting the card",
                                                                       .detail = error});
}

const struct tool_command tool_card_present = {
    .name = "card present",
    .summary = "put a virtual card into a reader of this machine, or behind a socket",
    .text =
        "With --pcsc the card is put into a slot of the vpcd driver (package vsmartcard-vpcd), so that every PC/SC "
        "program sees it as a card in a contactless reader. With --tcp it waits for one tcp: link at a time. Either "
        "way it stays until it is stopped by a signal.",
    .operands =
        (const struct tool_option[]){
            {.name = "file", .kind = TOOL_FILE, .value = "FILE", .help = "the card file", .required = true},
            {.name = NULL}},
    .options =
        (const struct tool_option[]){{.name = "pcsc", .kind = TOOL_FLAG, .help = "through the vpcd driver of pcscd"},
                                     {.name = "tcp", .kind = TOOL_FLAG, .help = "for tcp: links"},
                                     {.name = "host",
                                      .kind = TOOL_TEXT,
                                      .value = "ADDRESS",
                                      .help = "where vpcd is, or what to listen on; else this machine only"},
                                     {.name = "port",
                                      .kind = TOOL_NUMBER,
                                      .value = "PORT",
                                      .help = "vpcd's port (else 35963), or the one to listen on (else any free one)"},
                                     {.name = NULL}},
    .example = "  scrip card present alice.card --pcsc",
    .run = present,
};
