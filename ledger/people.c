/* people.c: merchants, terminals, and who may use the API. */
#include "book.h"

#include <sodium.h>

enum scrip_status scrip_ledger_merchant_add(struct scrip_ledger *ledger, const struct scrip_ledger_merchant *merchant)
{
    if (!ledger_id_ok(merchant->id) || merchant->fee_bp > 10000 ||
        memchr(merchant->name, 0, sizeof merchant->name) == NULL) {
        return SCRIP_E_ARGUMENT;
    }
    struct scrip_ledger_merchant known;
    const enum scrip_status status = scrip_ledger_merchant_get(ledger, merchant->id, &known);
    if (status == SCRIP_OK) {
        const bool same = known.fee_bp == merchant->fee_bp && strcmp(known.name, merchant->name) == 0;
        return same ? SCRIP_OK : SCRIP_E_CONFLICT;
    }
    if (status != SCRIP_E_NOT_FOUND) {
        return status;
    }
    return RUN(ledger, MERCHANT_ADD, NULL, V_TEXT(merchant->id), V_TEXT(merchant->name), V_INT(merchant->fee_bp));
}

enum scrip_status scrip_ledger_merchant_get(struct scrip_ledger *ledger, const char *id,
                                            struct scrip_ledger_merchant *merchant)
{
    struct scrip_ledger_merchant found = {0};
    const enum store_statement s = STORE_MERCHANT_GET;
    SCRIP_TRY(QUERY(ledger, MERCHANT_GET, V_TEXT(id)));
    const int64_t n = column_number(ledger, s, 0);
    column_text(ledger, s, 1, found.id, sizeof found.id);
    column_text(ledger, s, 2, found.name, sizeof found.name);
    found.fee_bp = (uint16_t)column_number(ledger, s, 3);
    ledger_end(ledger, s);
    SCRIP_TRY(NUMBER(ledger, MERCHANT_SUM, 0, &found.balance, V_INT(n)));
    *merchant = found;
    return SCRIP_OK;
}

enum scrip_status scrip_ledger_terminal_add(struct scrip_ledger *ledger, const struct scrip_ledger_terminal *terminal)
{
    struct scrip_ledger_terminal known;
    int64_t merchant = 0;
    if (memchr(terminal->name, 0, sizeof terminal->name) == NULL || !ledger_id_ok(terminal->merchant)) {
        return SCRIP_E_ARGUMENT;
    }
    const enum scrip_status status = scrip_ledger_terminal_get(ledger, terminal->id, &known);
    if (status == SCRIP_OK) {
        const bool same = strcmp(known.merchant, terminal->merchant) == 0 && strcmp(known.name, terminal->name) == 0;
        return same ? SCRIP_OK : SCRIP_E_CONFLICT;
    }
    if (status != SCRIP_E_NOT_FOUND) {
        return status;
    }
    SCRIP_TRY(NUMBER(ledger, MERCHANT_GET, 0, &merchant, V_TEXT(terminal->merchant)));
    if (merchant == 0) {
        return SCRIP_E_NOT_FOUND;
    }
    return RUN(ledger, TERMINAL_ADD, NULL, V_INT(scrip_get_be32(terminal->id)), V_INT(merchant),
               V_TEXT(terminal->name));
}

enum scrip_status scrip_ledger_terminal_get(struct scrip_ledger *ledger, const uint8_t id[4],
                                            struct scrip_ledger_terminal *terminal)
{
    struct scrip_ledger_terminal found = {0};
    SCRIP_TRY(QUERY(ledger, TERMINAL_GET, V_INT(scrip_get_be32(id))));
    memcpy(found.id, id, 4);
    column_text(ledger, STORE_TERMINAL_GET, 2, found.name, sizeof found.name);
    column_text(ledger, STORE_TERMINAL_GET, 3, found.merchant, sizeof found.merchant);
    ledger_end(ledger, STORE_TERMINAL_GET);
    *terminal = found;
    return SCRIP_OK;
}

/* Secrets are random and long, so a plain hash of them is as good as any. */
static void secret_hash(struct scrip_bytes secret, uint8_t hash[32])
{
    crypto_generichash(hash, 32, secret.at, secret.len, NULL, 0);
}

enum scrip_status scrip_ledger_key_add(struct scrip_ledger *ledger, const struct scrip_ledger_key *key,
                                       struct scrip_bytes secret)
{
    uint8_t hash[32];
    const size_t name = strnlen(key->name, sizeof key->name);
    if (secret.len < 16 || name == 0 || name == sizeof key->name) {
        return SCRIP_E_ARGUMENT;
    }
    secret_hash(secret, hash);
    return RUN(ledger, KEY_ADD, NULL, V_BLOB(hash, 32), V_TEXT(key->name), V_INT(key->role),
               V_INT(scrip_get_be32(key->terminal)));
}

enum scrip_status scrip_ledger_key_find(struct scrip_ledger *ledger, struct scrip_bytes secret,
                                        struct scrip_ledger_key *key)
{
    uint8_t hash[32];
    struct scrip_ledger_key found = {0};
    secret_hash(secret, hash);
    const enum scrip_status status = QUERY(ledger, KEY_FIND, V_BLOB(hash, 32));
    if (status != SCRIP_OK) {
        return status == SCRIP_E_NOT_FOUND ? SCRIP_E_AUTH : status;
    }
    column_text(ledger, STORE_KEY_FIND, 0, found.name, sizeof found.name);
    found.role = (enum scrip_ledger_role)column_number(ledger, STORE_KEY_FIND, 1);
    const uint32_t terminal = (uint32_t)column_number(ledger, STORE_KEY_FIND, 2);
    for (int i = 0; i < 4; i++) {
        found.terminal[i] = (uint8_t)(terminal >> (24 - 8 * i));
    }
    found.revoked = column_number(ledger, STORE_KEY_FIND, 3) != 0;
    ledger_end(ledger, STORE_KEY_FIND);
    if (found.revoked) {
        return SCRIP_E_AUTH;
    }
    *key = found;
    return SCRIP_OK;
}

enum scrip_status scrip_ledger_key_revoke(struct scrip_ledger *ledger, const char *name)
{
    unsigned changed = 0;
    SCRIP_TRY(RUN(ledger, KEY_REVOKE, &changed, V_TEXT(name)));
    return changed == 1 ? SCRIP_OK : SCRIP_E_NOT_FOUND;
}
