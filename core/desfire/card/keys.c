/* keys.c: keys, their versions and settings, key sets.
 *
 * Key sets are stored side by side; commands number them from the active one, which is always 0. Rolling to set n makes
 * the stored set n active, and the number n stands for the stored set 0 from then on. */
#include "card.h"
#include <string.h>

uint8_t key_set_stored(const struct app *app, uint8_t set)
{
    return set == 0 ? app->is.active : set == app->is.active ? 0 : set;
}

void key_active(struct scrip_desfire_card *card, const struct app *app, uint8_t number, struct key_slot *key)
{
    key_load(card, app, app != NULL ? app->is.active : 0, number, key);
}

void key_settle(struct key_slot *key)
{
    uint8_t difference = 0;
    if (key->cipher != SCRIP_DES && key->cipher != SCRIP_2K3DES) {
        return;
    }
    for (size_t i = 0; i < 8; i++) {
        difference |= (key->bytes[i] ^ key->bytes[i + 8]) & 0xFE;
    }
    key->cipher = difference == 0 ? SCRIP_DES : SCRIP_2K3DES;
}

/* ---- key sets ---- */

static uint32_t set_address(struct scrip_desfire_card *card, const struct app *app, uint8_t stored)
{
    return pool_address(card, scrip_get_le16(app->is.sets)) + stored * (uint32_t)sizeof(struct key_set);
}

static void set_load(struct scrip_desfire_card *card, const struct app *app, uint8_t stored, struct key_set *set)
{
    memory_read(card, set_address(card, app, stored), set, sizeof *set);
}

static void set_store(struct scrip_desfire_card *card, const struct app *app, uint8_t stored, const struct key_set *set)
{
    memory_write(card, set_address(card, app, stored), set, sizeof *set);
}

static bool has_sets(const struct app *app)
{
    return app->page != 0 && app->is.set_count > 1;
}

/* Key type of a set of the selected level's application. */
static uint8_t set_type(struct scrip_desfire_card *card, const struct app *app, uint8_t stored)
{
    struct key_set set;
    if (!has_sets(app)) {
        return app->is.ks2 >> KS2_TYPE_SHIFT;
    }
    set_load(card, app, stored, &set);
    return set.type;
}

/* The three commands of a key set's life: the set is there, is not the active one, and the master key asks. */
static uint8_t check_set(struct scrip_desfire_card *card, const struct app *app, uint8_t set)
{
    if (!has_sets(app)) {
        return DF_PERMISSION_DENIED;
    }
    if (set >= app->is.set_count || set == 0) {
        return DF_PARAMETER_ERROR;
    }
    return access_has_key(card, 0) ? DF_OK : DF_AUTHENTICATION_ERROR;
}

uint8_t desfire_initialize_key_set(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const uint8_t number = cmd->data.at[0];
    const uint8_t type = cmd->data.at[1];
    (void)reply;

    const uint8_t status = check_set(card, &cmd->app, number);
    if (status != DF_OK) {
        return status;
    }
    if (type > KEY_TYPE_AES || key_type_len(type) > cmd->app.is.max_key_len) {
        return DF_PARAMETER_ERROR;
    }
    const struct key_set set = {.type = type, .state = SET_INITIALIZED};
    const struct key_slot zero = key_zero(type);
    const uint8_t stored = key_set_stored(&cmd->app, number);
    set_store(card, &cmd->app, stored, &set);
    for (uint8_t key = 0; key < app_key_count(&cmd->app); key++) {
        key_store(card, &cmd->app, stored, key, &zero);
    }
    return DF_OK;
}

uint8_t desfire_finalize_key_set(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const uint8_t number = cmd->data.at[0];
    struct key_set set;
    struct key_set active;
    (void)reply;

    const uint8_t status = check_set(card, &cmd->app, number);
    if (status != DF_OK) {
        return status;
    }
    const uint8_t stored = key_set_stored(&cmd->app, number);
    set_load(card, &cmd->app, stored, &set);
    set_load(card, &cmd->app, cmd->app.is.active, &active);
    if (set.state != SET_INITIALIZED || cmd->data.at[1] <= active.version) {
        return DF_PARAMETER_ERROR;
    }
    set.version = cmd->data.at[1];
    set.state = SET_FINALIZED;
    set_store(card, &cmd->app, stored, &set);
    return DF_OK;
}

uint8_t desfire_roll_key_set(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const uint8_t number = cmd->data.at[0];
    struct app *app = &cmd->app;
    struct key_set set;

    if (!has_sets(app)) {
        return DF_PERMISSION_DENIED;
    }
    if (number >= app->is.set_count || number == 0) {
        return DF_PARAMETER_ERROR;
    }
    if (!access_has_key(card, app->is.roll_key)) {
        return DF_AUTHENTICATION_ERROR;
    }
    const uint8_t stored = key_set_stored(app, number);
    set_load(card, app, stored, &set);
    if (set.state != SET_FINALIZED) {
        return DF_PARAMETER_ERROR;
    }
    app->is.active = stored;
    app->is.ks2 = (uint8_t)((app->is.ks2 & 0x3FU) | (unsigned)set.type << KS2_TYPE_SHIFT);
    app_store(card, app);
    cmd->protection.no_mac_back = true;
    reply->ends_session = true;
    return DF_OK;
}

/* ---- changing keys ---- */

/* May the present session change this key? `number` at the selected level. */
static uint8_t may_change(struct scrip_desfire_card *card, const struct app *app, uint8_t number)
{
    struct picc_page picc;
    picc_load(card, &picc);
    const uint8_t ks1 = app != NULL ? app->is.ks1 : picc.ks1;
    const uint8_t rule = app != NULL ? ks1 >> 4 : 0; /* the PICC level has no such nibble */
    uint8_t needed = rule;

    if (number == 0) {
        if ((ks1 & KS1_MASTER_CHANGEABLE) == 0) {
            return DF_PERMISSION_DENIED;
        }
        needed = 0;
    } else if (rule == KS1_CHANGE_FROZEN) {
        return DF_PERMISSION_DENIED;
    } else if (rule == KS1_CHANGE_SAME_KEY) {
        needed = number;
    } else if (rule == number) {
        needed = 0; /* the key that changes others is itself changed by the master key */
    }
    return access_has_key(card, needed) ? DF_OK : DF_AUTHENTICATION_ERROR;
}

/* Which key a command means. */
struct key_place {
    const struct app *app; /* NULL: PICC level */
    uint8_t set;           /* as stored */
    uint8_t number;
    uint8_t type; /* KEY_TYPE_... of the new key */
};

static uint8_t place_at_picc(struct scrip_desfire_card *card, uint8_t byte, struct key_place *place)
{
    place->number = byte & 0x3F;
    place->type = place->number == 0 ? byte >> 6 : KEY_TYPE_AES;
    if (!key_exists(card, NULL, place->number)) {
        return DF_NO_SUCH_KEY;
    }
    return place->type > KEY_TYPE_AES ? DF_PARAMETER_ERROR : DF_OK;
}

static uint8_t place_in_app(struct scrip_desfire_card *card, const struct app *app, uint8_t set, uint8_t number,
                            struct key_place *place)
{
    struct key_set info;

    if (!key_exists(card, app, number)) {
        return DF_NO_SUCH_KEY;
    }
    if (set >= app->is.set_count) {
        return DF_PARAMETER_ERROR;
    }
    *place = (struct key_place){.app = app, .set = key_set_stored(app, set), .number = number};
    place->type = set_type(card, app, place->set);
    if (set != 0) {
        set_load(card, app, place->set, &info);
        return info.state == SET_INITIALIZED ? DF_OK : DF_PERMISSION_DENIED;
    }
    return DF_OK;
}

static uint8_t read_new_key(struct scrip_desfire_card *card, const struct command *cmd, const struct key_place *place,
                            bool own, struct key_slot *slot)
{
    struct scrip_desfire_key old;
    struct scrip_desfire_key next;

    key_load(card, place->app, place->set, place->number, slot);
    key_for_use(slot, &old);
    const enum scrip_status status = scrip_desfire_change_key_open(
        (enum scrip_desfire_sm)card->session.sm, cmd->code, scrip_bytes(cmd->header, cmd->header_len),
        key_type_cipher(place->type), own ? NULL : &old, cmd->data, &next);
    scrip_wipe(&old, sizeof old);
    if (status != SCRIP_OK) {
        return status == SCRIP_E_LENGTH ? DF_LENGTH_ERROR : DF_INTEGRITY_ERROR;
    }
    *slot = (struct key_slot){.cipher = next.cipher, .version = next.version};
    memcpy(slot->bytes, next.bytes, sizeof slot->bytes);
    scrip_wipe(&next, sizeof next);
    return DF_OK;
}

static uint8_t change(struct scrip_desfire_card *card, struct command *cmd, const struct key_place *place,
                      struct reply *reply)
{
    const bool active = place->app == NULL || place->set == place->app->is.active;
    const bool own = active && access_has_key(card, place->number);
    struct key_slot slot;

    uint8_t status = may_change(card, place->app, place->number);
    if (status == DF_OK) {
        status = read_new_key(card, cmd, place, own, &slot);
    }
    if (status != DF_OK) {
        return status;
    }
    key_store(card, place->app, place->set, place->number, &slot);
    scrip_wipe(&slot, sizeof slot);
    cmd->protection.no_mac_back = own;
    reply->ends_session = own;
    return DF_OK;
}

uint8_t desfire_change_key(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct key_place place = {.app = NULL};

    const uint8_t status = cmd->app.page == 0 ? place_at_picc(card, cmd->header[0], &place)
                                              : place_in_app(card, &cmd->app, 0, cmd->header[0], &place);
    return status == DF_OK ? change(card, cmd, &place, reply) : status;
}

uint8_t desfire_change_key_ev2(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct key_place place = {.app = NULL};
    uint8_t status = DF_PARAMETER_ERROR;

    if (cmd->app.page != 0) {
        status = place_in_app(card, &cmd->app, cmd->header[0], cmd->header[1], &place);
    } else if (cmd->header[0] == 0) {
        status = place_at_picc(card, cmd->header[1], &place);
    }
    return status == DF_OK ? change(card, cmd, &place, reply) : status;
}

/* ---- asking ---- */

static uint8_t directory_allowed(struct scrip_desfire_card *card, uint8_t ks1)
{
    return (ks1 & KS1_FREE_DIRECTORY) != 0 || access_has_key(card, 0) ? DF_OK : DF_AUTHENTICATION_ERROR;
}

uint8_t desfire_get_key_settings(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const struct app_page *is = &cmd->app.is;
    struct picc_page picc;
    struct key_slot master;
    struct key_set set;

    if (cmd->app.page == 0) {
        picc_load(card, &picc);
        key_load(card, NULL, 0, 0, &master);
        const uint8_t type = master.cipher == SCRIP_AES128 ? 0x80 : master.cipher == SCRIP_3K3DES ? 0x40 : 0x00;
        scrip_wipe(&master, sizeof master);
        const uint8_t settings[] = {picc.ks1, type | 1U};
        (void)scrip_buf_add(&reply->data, settings, sizeof settings);
        return directory_allowed(card, picc.ks1);
    }
    const uint8_t settings[] = {is->ks1, is->ks2};
    (void)scrip_buf_add(&reply->data, settings, sizeof settings);
    if (has_sets(&cmd->app)) {
        set_load(card, &cmd->app, is->active, &set);
        const uint8_t more[] = {is->ks3, set.version, is->set_count, is->max_key_len, is->roll_key};
        (void)scrip_buf_add(&reply->data, more, sizeof more);
    } else if ((is->ks2 & KS2_HAS_KS3) != 0) {
        (void)scrip_buf_add_u8(&reply->data, is->ks3);
    }
    return directory_allowed(card, is->ks1);
}

uint8_t desfire_change_key_settings(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const uint8_t ks1 = cmd->data.at[0];
    struct picc_page picc;
    (void)reply;

    picc_load(card, &picc);
    const uint8_t present = cmd->app.page == 0 ? picc.ks1 : cmd->app.is.ks1;
    if (!access_has_key(card, 0)) {
        return DF_AUTHENTICATION_ERROR;
    }
    if ((present & KS1_SETTINGS_CHANGEABLE) == 0) {
        return DF_PERMISSION_DENIED;
    }
    if (cmd->app.page != 0) {
        cmd->app.is.ks1 = ks1;
        app_store(card, &cmd->app);
        return DF_OK;
    }
    if (ks1 > 0x0F) {
        return DF_PARAMETER_ERROR;
    }
    picc.ks1 = ks1;
    picc_store(card, &picc);
    return DF_OK;
}

/* Versions of all key sets: one byte for each, in the order of their numbers. */
static uint8_t all_set_versions(struct scrip_desfire_card *card, const struct app *app, struct reply *reply)
{
    struct key_set set;
    for (uint8_t number = 0; number < app->is.set_count; number++) {
        set_load(card, app, key_set_stored(app, number), &set);
        (void)scrip_buf_add_u8(&reply->data, set.version);
    }
    return DF_OK;
}

uint8_t desfire_get_key_version(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const struct app *app = cmd->app.page != 0 ? &cmd->app : NULL;
    const bool with_set =
        app != NULL && card->identity.generation != SCRIP_DESFIRE_EV1 && (cmd->data.at[0] & 0x40U) != 0;
    const uint8_t number = with_set ? cmd->data.at[0] & 0x0FU : cmd->data.at[0];
    struct key_slot slot;
    uint8_t set = 0;

    if (cmd->data.len != (with_set ? 2U : 1U)) {
        return DF_LENGTH_ERROR;
    }
    if (with_set) {
        set = cmd->data.at[1];
        if (set == 0x80 && has_sets(app)) {
            return all_set_versions(card, app, reply);
        }
        if (set >= app->is.set_count) {
            return DF_PARAMETER_ERROR;
        }
    }
    if (!key_exists(card, app, number)) {
        return DF_NO_SUCH_KEY;
    }
    key_load(card, app, app != NULL ? key_set_stored(app, set) : 0, number, &slot);
    (void)scrip_buf_add_u8(&reply->data, key_version(&slot));
    scrip_wipe(&slot, sizeof slot);
    return DF_OK;
}
