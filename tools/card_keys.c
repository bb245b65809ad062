/* card_keys.c: which versions of its keys a new DESFire card gets. */
#include "card.h"

/* What an order of new keys changes, all to one version. */
static const enum scrip_key_role rolled[] = {SCRIP_KEY_PAY, SCRIP_KEY_WRITE, SCRIP_KEY_TOPUP};

#define ROLLED (sizeof rolled / sizeof rolled[0])

static unsigned version_of(const struct card_keys *keys, enum scrip_purse_role role)
{
    uint8_t newest = 0;
    for (size_t i = 0; i < ROLLED; i++) {
        if ((enum scrip_key_role)role == rolled[i] && keys->version != SCRIP_KEY_NEWEST) {
            return keys->version;
        }
    }
    return scrip_keys_newest(keys->keys, (enum scrip_key_role)role, &newest) == SCRIP_OK ? newest : SCRIP_KEY_NEWEST;
}

static enum scrip_status get_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    const struct card_keys *keys = ctx;
    return scrip_keys_diversify(keys->keys, (enum scrip_key_role)role, version_of(keys, role), m, out);
}

static uint8_t get_version(void *ctx, enum scrip_purse_role role)
{
    return (uint8_t)version_of(ctx, role); /* a role without a key stops at its key */
}

static bool has(struct scrip_keys *keys, enum scrip_key_role role, unsigned version)
{
    struct scrip_key_info info;
    for (size_t i = 0; scrip_keys_info(keys, i, &info) == SCRIP_OK; i++) {
        if (info.role == role && info.version == version) {
            return true;
        }
    }
    return false;
}

/* The book has one number for a card: of the key that the server opens it with. */
static void say_versions(struct tool *tool, const struct card_keys *keys)
{
    const unsigned topup = version_of(keys, SCRIP_PURSE_TOPUP);
    const unsigned pay = version_of(keys, SCRIP_PURSE_PAY);
    const unsigned write = version_of(keys, SCRIP_PURSE_WRITE);
    if (topup == SCRIP_KEY_NEWEST) {
        return;
    }
    tool_put(tool, "key_version", json_integer(topup));
    if (pay != topup || write != topup) {
        tool_note(tool,
                  "the card gets version %u of the pay key, %u of write and %u of topup: an order of kind rekey "
                  "makes them one",
                  pay, write, topup);
    }
}

int card_keys_choose(struct tool *tool, struct scrip_keys *keys, struct card_keys *chosen,
                     struct scrip_purse_request *request)
{
    const int64_t wanted = tool_number(tool, "key-version", SCRIP_KEY_NEWEST);
    if (wanted > 255 && tool_has(tool, "key-version")) {
        return tool_usage(tool, "--key-version: a version is 0 to 255");
    }
    *chosen = (struct card_keys){.keys = keys, .version = (unsigned)wanted};
    for (size_t i = 0; i < ROLLED && tool_has(tool, "key-version"); i++) {
        if (!has(keys, rolled[i], chosen->version)) {
            return tool_fail_status(tool, SCRIP_E_KEY, "choosing version %u of the %s key", chosen->version,
                                    scrip_key_role_name(rolled[i]));
        }
    }
    request->keys = (struct scrip_purse_keys){.ctx = chosen, .get = get_key};
    request->version_of = get_version;
    say_versions(tool, chosen);
    return TOOL_OK;
}
