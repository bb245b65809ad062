/* rooms: relay_tlv */
/* Both halves of the relay's message codec: what a phone gets from a server, and what a server gets from a phone. */
#include <scrip/relay_tlv.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool held)
{
    if (!held) {
        abort();
    }
}

static void as_script(struct scrip_bytes body)
{
    struct scrip_relay_script script;
    struct scrip_relay_item item;
    struct scrip_batch batch;
    size_t counted = 0;
    (void)scrip_relay_script_batch(body, &batch);
    if (scrip_relay_script_open(&script, body, NULL) != SCRIP_RELAY_FINE) {
        return;
    }
    for (;;) {
        scrip_relay_script_next(&script, &item);
        if (item.kind == SCRIP_RELAY_END) {
            break;
        }
        if (item.kind != SCRIP_RELAY_NOTICE) {
            require(item.number == ++counted);
        }
        (void)scrip_relay_sw_good(item.good, 0x9100);
    }
    require(counted == script.items);
}

static void as_report(struct scrip_bytes body)
{
    struct scrip_relay_report report;
    struct scrip_replies replies;
    if (scrip_relay_report_read(body, &report) != SCRIP_OK) {
        return;
    }
    require(report.count == report.responses + report.resets);
    for (size_t i = 0; i < report.responses; i++) {
        require(scrip_relay_report_rapdu(&report, i).len >= SCRIP_RELAY_RAPDU_MIN);
    }
    if (scrip_relay_report_replies(&report, &replies) == SCRIP_OK) {
        require(replies.count == report.responses);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_script(scrip_bytes(data, size));
    as_report(scrip_bytes(data, size));
    return 0;
}
