/* card_keys.c: which version of its keys a new DESFire card gets. */
#include "card.h"

/* What a roll-out changes card by card; a card has one version of all of them. */
static const enum scrip_key_role rolled[] = {SCRIP_KEY_PAY, SCRIP_KEY_WRITE, SCRIP_KEY_TOPUP};

#define ROLLED (sizeof rolled / sizeof rolled[0])

static enum scrip_status get_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    const struct card_keys *keys = ctx;
    unsigned version = SCRIP_KEY_NEWEST;
    for (size_t i = 0; i < ROLLED; i++) {
        version = (enum scrip_key_role)role == rolled[i] ? keys->version : version;
    }
    return scrip_keys_diversify(keys->keys, (enum scrip_key_role)role, version, m, out);
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

static bool has_all(struct scrip_keys *keys, unsigned version)
{
    bool all = true;
    for (size_t i = 0; i < ROLLED; i++) {
        all = all && has(keys, rolled[i], version);
    }
    return all;
}

/* The newest that the store has of all that are rolled. @return SCRIP_KEY_NEWEST: none */
static unsigned newest_of_all(struct scrip_keys *keys)
{
    struct scrip_key_info info;
    for (size_t i = 0; scrip_keys_info(keys, i, &info) == SCRIP_OK; i++) { /* the newest first */
        if (info.role == SCRIP_KEY_PAY && has_all(keys, info.version)) {
            return info.version;
        }
    }
    return SCRIP_KEY_NEWEST;
}

int card_keys_choose(struct tool *tool, struct scrip_keys *keys, struct card_keys *chosen,
                     struct scrip_purse_request *request)
{
    const int64_t wanted = tool_number(tool, "key-version", -1);
    if (wanted > 255) {
        return tool_usage(tool, "--key-version: a version is 0 to 255");
    }
    const unsigned version = wanted >= 0 ? (unsigned)wanted : newest_of_all(keys);
    if (version == SCRIP_KEY_NEWEST) {
        return tool_fail_status(tool, SCRIP_E_KEY, "choosing keys: pay, write and topup have no version in common");
    }
    if (!has_all(keys, version)) {
        return tool_fail_status(tool, SCRIP_E_KEY, "choosing keys: pay, write and topup of version %u", version);
    }
    *chosen = (struct card_keys){.keys = keys, .version = version};
    request->keys = (struct scrip_purse_keys){.ctx = chosen, .get = get_key};
    request->new_key_version = (uint8_t)version;
    tool_put(tool, "key_version", json_integer(version));
    return TOOL_OK;
}
