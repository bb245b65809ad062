/* The card in its field: memory that tears, and a link on which commands are lost, repeated and held back. */
#include "world.h"

#include <string.h>

/* ---- memory ---- */

static enum scrip_status memory_read(void *ctx, uint32_t at, uint8_t *dst, size_t len)
{
    const struct memory *memory = ctx;
    if (memory->dead || at > memory->size || len > memory->size - at) {
        return SCRIP_E_NV;
    }
    memcpy(dst, memory->bytes + at, len);
    return SCRIP_OK;
}

/* A page whose programming was interrupted: some bytes new, some old, some neither. */
static void program_half(struct memory *memory, uint8_t *page, const uint8_t data[SCRIP_NV_PAGE])
{
    for (size_t i = 0; i < SCRIP_NV_PAGE; i++) {
        uint8_t noise;
        (void)memory->world->source.fill(memory->world->source.ctx, &noise, 1);
        page[i] = (noise & 3U) == 0 ? page[i] : (noise & 3U) == 1 ? (uint8_t)(noise ^ data[i]) : data[i];
    }
}

static enum scrip_status memory_write(void *ctx, uint32_t page, const uint8_t data[SCRIP_NV_PAGE])
{
    struct memory *memory = ctx;
    if (memory->dead || page >= memory->size / SCRIP_NV_PAGE) {
        return SCRIP_E_NV;
    }
    uint8_t *at = memory->bytes + (size_t)page * SCRIP_NV_PAGE;
    const enum fault fault = plan_pass(memory->world->plan, (enum point)memory->point);
    switch (fault) {
    case FAULT_nv_before:
    case FAULT_journal_before:
        break;
    case FAULT_nv_half:
    case FAULT_journal_half:
        program_half(memory, at, data);
        break;
    default:
        memcpy(at, data, SCRIP_NV_PAGE);
        break;
    }
    memory->dead = fault != FAULT_none;
    return memory->dead ? SCRIP_E_NV : SCRIP_OK;
}

void memory_init(struct memory *memory, struct world *world, enum point point, const uint8_t *image, uint32_t size)
{
    memory->nv = (struct scrip_nv){memory, size / SCRIP_NV_PAGE, memory_read, memory_write};
    memory->world = world;
    memory->point = (uint8_t)point;
    memory->dead = false;
    memory->size = size;
    if (image != NULL) {
        memcpy(memory->bytes, image, size);
    } else {
        memset(memory->bytes, 0, size);
    }
}

/* ---- the field ---- */

void world_card_off(struct world *world)
{
    if (world->card_on) {
        scrip_desfire_card_off(&world->card);
        world->card_on = false;
    }
    world->field_kept = false;
    world->kept.when = FAULT_none; /* the session it belongs to is gone */
    world->card_memory.dead = false;
    world->commands = 0;
}

static struct world *world_of(struct scrip_link *link)
{
    return (struct world *)(void *)((char *)link - offsetof(struct world, link));
}

static enum scrip_status link_connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    struct world *world = world_of(link);
    (void)timeout_ms;
    if (!world->field_kept || !world->card_on) {
        world_card_off(world);
        const enum scrip_status status = scrip_desfire_card_on(&world->card, &world->card_host, &world->card_options);
        if (status != SCRIP_OK) {
            world->card_memory.dead = false;
            if (status != SCRIP_E_NV) {
                world_fail(world, "the card does not come up: %s", scrip_status_name(status));
            }
            return SCRIP_E_NO_CARD;
        }
        world->card_on = true;
    }
    world->field_kept = false;
    world->kept.armed = world->kept.when != FAULT_none;
    memset(info, 0, sizeof *info);
    info->uid_len = (uint8_t)scrip_desfire_card_uid(&world->card, info->uid);
    info->ats_len = (uint8_t)scrip_desfire_card_ats(&world->card, info->ats);
    return SCRIP_OK;
}

static enum scrip_status lose_card(struct world *world)
{
    world_card_off(world);
    return SCRIP_E_TORN;
}

/* The card itself. */
static enum scrip_status answer(struct world *world, struct scrip_bytes command, struct scrip_buf *rapdu)
{
    uint8_t room[SCRIP_DESFIRE_RAPDU_MAX];
    struct scrip_buf rsp = SCRIP_BUF_OF(room);
    const enum scrip_status status = scrip_desfire_card_apdu(&world->card, command, &rsp);
    world_note(world, "  card %02X%02X.. -> %s %02X%02X", command.at[0], command.at[1], scrip_status_name(status),
               rsp.len >= 2 ? rsp.at[rsp.len - 2] : 0, rsp.len >= 2 ? rsp.at[rsp.len - 1] : 0);
    if (status == SCRIP_E_NV) {
        return lose_card(world);
    }
    if (status != SCRIP_OK) {
        world_fail(world, "the card gives no answer: %s", scrip_status_name(status));
        return lose_card(world);
    }
    world->commands++;
    return rapdu != NULL ? scrip_buf_add_bytes(rapdu, scrip_buf_bytes(&rsp)) : SCRIP_OK;
}

static bool is_command(struct scrip_bytes command, uint8_t code)
{
    return command.len > 2 && command.at[0] == 0x90 && command.at[1] == code;
}

/* A commit of EV1 messaging that was held back ends whatever transaction is open by then, however far it is: who does
 * that cheats, and rule 6 holds the card. */
static enum scrip_status send_kept(struct world *world, enum fault when)
{
    const struct scrip_bytes kept = scrip_bytes(world->kept.bytes, world->kept.len);
    if (!world->kept.armed || world->kept.when != when) {
        return SCRIP_OK;
    }
    if (is_command(kept, 0xC7) && world->scene->layout.purse.sm == SCRIP_DESFIRE_SM_EV1) {
        world->cheated = true;
    }
    world->kept.when = FAULT_none;
    return answer(world, kept, NULL);
}

/* The command does not reach the card. @return the link's status */
static enum scrip_status withhold(struct world *world, enum fault fault, struct scrip_bytes command)
{
    if (fault == FAULT_command_lost) {
        return lose_card(world);
    }
    world->field_kept = true;
    /* At a gate with EV1 messaging, whose commit carries no MAC, a man in the middle can make the card pay for nothing:
     * to his own loss, and seen as a gap in the card's balance. Here such a command is only lost. */
    if (world_terminal_busy(world) && world->scene->layout.purse.sm == SCRIP_DESFIRE_SM_EV1) {
        return SCRIP_E_TORN;
    }
    if (fault != FAULT_command_mute && command.len <= sizeof world->kept.bytes) {
        world->kept.when = fault;
        world->kept.armed = false;
        world->kept.len = (uint16_t)command.len;
        memcpy(world->kept.bytes, command.at, command.len);
    }
    return SCRIP_E_TORN;
}

static bool is_read(struct scrip_bytes command)
{
    return is_command(command, 0xAB) || is_command(command, 0xBB) || is_command(command, 0xAF) ||
           is_command(command, 0x6C) || is_command(command, 0xAD);
}

/* Before the first command that is no read after reads of a log: whoever reads knows what he read by now. */
static enum scrip_status send_kept_behind_reads(struct world *world, struct scrip_bytes command)
{
    if (world->log_read && !is_read(command)) {
        SCRIP_TRY(send_kept(world, FAULT_command_held_read));
    }
    world->log_read = is_command(command, 0xAB) || is_command(command, 0xBB) || (world->log_read && is_read(command));
    return SCRIP_OK;
}

/* Two readers share a card that keeps its power. In EV1 messaging a commit carries no MAC, so the commit of one ends
 * the transaction of the other half way: the holder of the card can lose by that, and nobody can gain. */
static void watch_commits(struct world *world, struct scrip_bytes command)
{
    if (is_command(command, 0x5A)) {
        world->session_of = world->speaker;
    }
    if (is_command(command, 0xC7) && world->session_of != world->speaker &&
        world->scene->layout.purse.sm == SCRIP_DESFIRE_SM_EV1) {
        world->stray_commit = world->cheated = true;
    }
}

static enum scrip_status link_transmit(struct scrip_link *link, struct scrip_bytes command, struct scrip_buf *rapdu)
{
    struct world *world = world_of(link);
    if (!world->card_on) {
        return SCRIP_E_NO_CARD;
    }
    SCRIP_TRY(send_kept(world, FAULT_command_held_first));
    SCRIP_TRY(send_kept_behind_reads(world, command));
    if (world->kept.armed && world->kept.when != FAULT_none && is_command(command, 0x5A)) {
        return scrip_buf_add_bytes(rapdu, scrip_bytes("\x91\x00", 2));
    }
    const enum fault lost = plan_pass(world->plan, POINT_COMMAND);
    if (lost != FAULT_none && lost != FAULT_command_twice) {
        return withhold(world, lost, command);
    }
    const size_t before = rapdu->len;
    world->committing = world->committing || is_command(command, 0xC7);
    watch_commits(world, command);
    SCRIP_TRY(answer(world, command, rapdu));
    if (lost == FAULT_command_twice) {
        SCRIP_TRY(answer(world, command, NULL));
    }
    if (is_command(command, 0xAF) && rapdu->len >= before + 2 && rapdu->at[rapdu->len - 1] == 0x00) {
        SCRIP_TRY(send_kept(world, FAULT_command_held_auth));
    }
    switch (plan_pass(world->plan, POINT_ANSWER)) {
    case FAULT_answer_lost:
        rapdu->len = before;
        return lose_card(world);
    case FAULT_answer_mute:
        rapdu->len = before;
        world->field_kept = true;
        return SCRIP_E_TORN;
    case FAULT_answer_refused:
        rapdu->len = before;
        return scrip_buf_add_bytes(rapdu, scrip_bytes("\x91\x1E", 2));
    default:
        return SCRIP_OK;
    }
}

static void link_disconnect(struct scrip_link *link)
{
    struct world *world = world_of(link);
    if (world->card_on && !world->field_kept) {
        (void)send_kept(world, FAULT_command_held_last);
        world_card_off(world);
    }
}

static void link_close(struct scrip_link *link)
{
    (void)link; /* the world owns it */
}

static const struct scrip_link_ops link_ops = {link_connect, link_transmit, link_disconnect, link_close};

void world_card_begin(struct world *world, const struct world_options *options)
{
    world->link.ops = &link_ops;
    world->card_on = false;
    world->field_kept = false;
    world->kept.when = FAULT_none;
    world->card_host = (struct scrip_desfire_host){&world->card_memory.nv, &world->source, &world->clock, NULL};
    world->card_options = (struct scrip_desfire_options){.keep_pending_on_auth = options->keep_pending_on_auth,
                                                         .end_session_on_0c = options->end_session_on_0c};
}
