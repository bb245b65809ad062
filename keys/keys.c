#include <scrip/keys.h>
#include <string.h>

static const struct {
    const char *name;
    const char *about;
    size_t len;
} roles[] = {
#define KEY_ROLE(name, text, len, about) {text, about, len},
    SCRIP_KEY_ROLES(KEY_ROLE)
#undef KEY_ROLE
};

static bool is_role(enum scrip_key_role role)
{
    return (unsigned)role < SCRIP_KEY_ROLE_COUNT;
}

const char *scrip_key_role_name(enum scrip_key_role role)
{
    return is_role(role) ? roles[role].name : "?";
}

const char *scrip_key_role_about(enum scrip_key_role role)
{
    return is_role(role) ? roles[role].about : "?";
}

size_t scrip_key_role_len(enum scrip_key_role role)
{
    return is_role(role) ? roles[role].len : 0;
}

enum scrip_status scrip_key_role_of(const char *name, enum scrip_key_role *role)
{
    for (unsigned i = 0; i < SCRIP_KEY_ROLE_COUNT; i++) {
        if (strcmp(roles[i].name, name) == 0) {
            *role = (enum scrip_key_role)i;
            return SCRIP_OK;
        }
    }
    return SCRIP_E_NOT_FOUND;
}

enum scrip_status scrip_keys_info(struct scrip_keys *keys, size_t i, struct scrip_key_info *info)
{
    return keys->ops->info(keys, i, info);
}

enum scrip_status scrip_keys_newest(struct scrip_keys *keys, enum scrip_key_role role, uint8_t *version)
{
    struct scrip_key_info info;
    for (size_t i = 0; keys->ops->info(keys, i, &info) == SCRIP_OK; i++) {
        if (info.role == role) {
            *version = info.version; /* the listing has the newest first */
            return SCRIP_OK;
        }
    }
    return SCRIP_E_KEY;
}

enum scrip_status scrip_keys_diversify(struct scrip_keys *keys, enum scrip_key_role role, unsigned version,
                                       struct scrip_bytes input, uint8_t out[16])
{
    if (scrip_key_role_len(role) != 16) {
        return SCRIP_E_KEY;
    }
    return keys->ops->diversify(keys, role, version, input, out);
}

enum scrip_status scrip_keys_hash(struct scrip_keys *keys, enum scrip_key_role role, unsigned version,
                                  const char *purpose, const struct scrip_bytes *pieces, size_t count, uint8_t out[32])
{
    if (scrip_key_role_len(role) != 32) {
        return SCRIP_E_KEY;
    }
    return keys->ops->hash(keys, role, version, purpose, pieces, count, out);
}

enum scrip_status scrip_keys_seal(struct scrip_keys *keys, unsigned version, const uint8_t nonce[24],
                                  struct scrip_bytes context, struct scrip_bytes plain, struct scrip_buf *out)
{
    return keys->ops->seal(keys, version, nonce, context, plain, out);
}

enum scrip_status scrip_keys_unseal(struct scrip_keys *keys, unsigned version, const uint8_t nonce[24],
                                    struct scrip_bytes context, struct scrip_bytes sealed, struct scrip_buf *out)
{
    return keys->ops->unseal(keys, version, nonce, context, sealed, out);
}

void scrip_keys_close(struct scrip_keys *keys)
{
    if (keys != NULL) {
        keys->ops->close(keys);
    }
}
