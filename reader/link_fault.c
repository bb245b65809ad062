/* fault: fails on purpose, the same way for the same seed. */
#include "links.h"
#include <stdlib.h>
#include <time.h>

struct link_fault {
    struct scrip_link link;
    struct scrip_link *inner;
    struct scrip_link_faults faults;
    uint64_t random;
    uint32_t sent;
    uint32_t answered;
    bool present;
};

/* splitmix64 */
static uint64_t draw(struct link_fault *self)
{
    self->random += 0x9E3779B97F4A7C15U;
    uint64_t z = self->random;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

/* Always draws, so that one option does not change what another does. */
static bool happens(struct link_fault *self, uint32_t permille)
{
    return draw(self) % 1000U < permille;
}

static enum scrip_status lose(struct link_fault *self, enum scrip_status status)
{
    self->present = false;
    scrip_link_disconnect(self->inner);
    return link_fail(&self->link, status,
                     status == SCRIP_E_TORN ? "the card was taken away before it answered (fault link)"
                                            : "the card was taken away (fault link)");
}

static enum scrip_status connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    struct link_fault *self = (struct link_fault *)link;
    const enum scrip_status status = scrip_link_connect(self->inner, timeout_ms, info);
    link_error_copy(link, self->inner);
    self->present = status == SCRIP_OK;
    return status;
}

static void delay(const struct link_fault *self)
{
    const struct timespec pause = {.tv_sec = self->faults.delay_ms / 1000,
                                   .tv_nsec = (long)(self->faults.delay_ms % 1000) * 1000000L};
    if (self->faults.delay_ms != 0) {
        (void)nanosleep(&pause, NULL);
    }
}

static enum scrip_status transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct link_fault *self = (struct link_fault *)link;
    const size_t before = rapdu->len;
    const bool gone = happens(self, self->faults.lose_permille);
    const bool dropped = happens(self, self->faults.drop_permille);
    const bool corrupted = happens(self, self->faults.corrupt_permille);
    const uint64_t where = draw(self);
    if (!self->present) {
        return link_fail(link, SCRIP_E_NO_CARD, "no card in the field (fault link)");
    }
    const bool due = self->faults.lose_after != 0 && self->answered == self->faults.lose_after;
    if (gone || due) {
        self->faults.lose_after = due ? 0 : self->faults.lose_after; /* once */
        return lose(self, SCRIP_E_NO_CARD);
    }
    delay(self);
    const enum scrip_status status = scrip_link_transmit(self->inner, capdu, rapdu);
    link_error_copy(link, self->inner);
    self->sent++;
    if (status != SCRIP_OK) {
        self->present = status == SCRIP_E_SPACE;
        return status;
    }
    if (dropped || self->sent == self->faults.cut_after) {
        rapdu->len = before;
        return lose(self, SCRIP_E_TORN);
    }
    self->answered++;
    if (corrupted && rapdu->len > before) {
        const size_t bits = 8 * (rapdu->len - before);
        rapdu->at[before + where % bits / 8] ^= (uint8_t)(1U << (where % 8));
    }
    return SCRIP_OK;
}

static void disconnect(struct scrip_link *link)
{
    struct link_fault *self = (struct link_fault *)link;
    self->present = false;
    scrip_link_disconnect(self->inner);
}

static void close_link(struct scrip_link *link)
{
    struct link_fault *self = (struct link_fault *)link;
    scrip_link_close(self->inner);
    free(self);
}

enum scrip_status scrip_link_fault(const struct scrip_link_faults *faults, struct scrip_link *inner,
                                   struct scrip_link **link)
{
    static const struct scrip_link_ops ops = {
        .connect = connect, .transmit = transmit, .disconnect = disconnect, .close = close_link};
    struct link_fault *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return SCRIP_E_MEMORY;
    }
    self->link.ops = &ops;
    self->inner = inner;
    self->faults = *faults;
    self->random = faults->seed;
    *link = &self->link;
    return SCRIP_OK;
}
