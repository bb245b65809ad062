/* Merchants, terminals and keys of the API. */
#include "api.h"

#include <sodium.h>
#include <string.h>

#define SECRET_BYTES 24U

static bool copy_text(char *out, size_t cap, const char *text)
{
    const size_t len = strlen(text);
    if (len == 0 || len >= cap) {
        return false;
    }
    memcpy(out, text, len + 1);
    return true;
}

/* What stands in paths later: a key whose name has a slash could not be revoked. */
static bool copy_name(char *out, size_t cap, const char *text)
{
    return text[0] != '.' && strchr(text, '/') == NULL && copy_text(out, cap, text);
}

/* ---- merchants ---- */

static enum scrip_status answer_merchant(struct context *context, int status, const char *id)
{
    struct scrip_ledger_merchant merchant;
    SCRIP_TRY(scrip_ledger_merchant_get(context->ledger, id, &merchant));
    return response_json(context->response, status,
                         json_pack("{ss ss si so}", "id", merchant.id, "name", merchant.name, "fee_bp",
                                   (int)merchant.fee_bp, "balance", api_amount(context, merchant.balance)));
}

static enum scrip_status create_merchant(struct context *context, const char *id, const char *name, json_int_t fee_bp)
{
    struct scrip_ledger_merchant merchant = {0};
    if (!copy_name(merchant.id, sizeof merchant.id, id) || !copy_text(merchant.name, sizeof merchant.name, name) ||
        fee_bp < 0 || fee_bp > 10000) {
        return problem(context, SCRIP_PROBLEM_MALFORMED, "id, name or fee_bp (0 to 10000) is out of its range");
    }
    merchant.fee_bp = (uint16_t)fee_bp;
    SCRIP_TRY(scrip_ledger_merchant_add(context->ledger, &merchant));
    context->response->made_durable |= SCRIP_DURABLE_OTHER;
    return answer_merchant(context, 201, merchant.id);
}

enum scrip_status api_merchants_create(struct context *context)
{
    const char *id = NULL;
    const char *name = NULL;
    json_int_t fee_bp = 0;
    json_t *root;
    SCRIP_TRY(api_body(context, &root));
    if (root == NULL) {
        return SCRIP_OK;
    }
    enum scrip_status status = SCRIP_OK;
    if (api_unpack(context, root, "{ss ss s?I}", "id", &id, "name", &name, "fee_bp", &fee_bp)) {
        status = create_merchant(context, id, name, fee_bp);
    }
    json_decref(root);
    return status;
}

enum scrip_status api_merchant_get(struct context *context)
{
    char id[SCRIP_LEDGER_ID_MAX + 1];
    if (param_text(context, 0, id, sizeof id) != SCRIP_OK) {
        return SCRIP_E_NOT_FOUND;
    }
    return answer_merchant(context, 200, id);
}

/* ---- terminals ---- */

static enum scrip_status answer_terminal(struct context *context, int status, const uint8_t id[4])
{
    struct scrip_ledger_terminal terminal;
    SCRIP_TRY(scrip_ledger_terminal_get(context->ledger, id, &terminal));
    return response_json(context->response, status,
                         json_pack("{so ss ss}", "id", api_hex_json(terminal.id, 4), "merchant", terminal.merchant,
                                   "name", terminal.name));
}

static enum scrip_status create_terminal(struct context *context, const char *id, const char *merchant,
                                         const char *name)
{
    struct scrip_ledger_terminal terminal = {0};
    if (!api_hex(id, terminal.id, 4) || !copy_text(terminal.merchant, sizeof terminal.merchant, merchant) ||
        !copy_text(terminal.name, sizeof terminal.name, name)) {
        return problem(context, SCRIP_PROBLEM_MALFORMED,
                       "id must be 8 hex digits; merchant and name 1 to 63 characters");
    }
    SCRIP_TRY(scrip_ledger_terminal_add(context->ledger, &terminal));
    context->response->made_durable |= SCRIP_DURABLE_OTHER;
    return answer_terminal(context, 201, terminal.id);
}

enum scrip_status api_terminals_create(struct context *context)
{
    const char *id = NULL;
    const char *merchant = NULL;
    const char *name = NULL;
    json_t *root;
    SCRIP_TRY(api_body(context, &root));
    if (root == NULL) {
        return SCRIP_OK;
    }
    enum scrip_status status = SCRIP_OK;
    if (api_unpack(context, root, "{ss ss ss}", "id", &id, "merchant", &merchant, "name", &name)) {
        status = create_terminal(context, id, merchant, name);
    }
    json_decref(root);
    return status;
}

enum scrip_status api_terminal_get(struct context *context)
{
    char text[9];
    uint8_t id[4];
    if (param_text(context, 0, text, sizeof text) != SCRIP_OK || !api_hex(text, id, 4)) {
        return SCRIP_E_NOT_FOUND;
    }
    return answer_terminal(context, 200, id);
}

/* ---- keys of the API ---- */

static bool role_of(const char *name, enum scrip_ledger_role *role)
{
    static const char *const names[] = {
        [SCRIP_ROLE_OPERATOR] = "operator",
        [SCRIP_ROLE_SHOP] = "shop",
        [SCRIP_ROLE_TERMINAL] = "terminal",
    };
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            *role = (enum scrip_ledger_role)i;
            return true;
        }
    }
    return false;
}

/* The secret is in this answer and nowhere else: the ledger keeps a hash. */
static enum scrip_status make_key(struct context *context, const struct scrip_ledger_key *key, const char *role)
{
    uint8_t bytes[SECRET_BYTES];
    char secret[sodium_base64_ENCODED_LEN(SECRET_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    const struct scrip_random *random = &context->server->config.random;
    if (random->fill == NULL) {
        return SCRIP_E_RANDOM;
    }
    SCRIP_TRY(random->fill(random->ctx, bytes, sizeof bytes));
    sodium_bin2base64(secret, sizeof secret, bytes, sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    scrip_wipe(bytes, sizeof bytes);
    enum scrip_status status = scrip_ledger_key_add(context->ledger, key, scrip_bytes(secret, strlen(secret)));
    if (status == SCRIP_OK) {
        context->response->made_durable |= SCRIP_DURABLE_OTHER;
        status = response_json(context->response, 201,
                               json_pack("{ss ss ss}", "name", key->name, "role", role, "key", secret));
    }
    scrip_wipe(secret, sizeof secret);
    return status;
}

enum scrip_status api_keys_create(struct context *context)
{
    struct scrip_ledger_key key = {0};
    const char *name = NULL;
    const char *role = NULL;
    const char *terminal = NULL;
    json_t *root;
    SCRIP_TRY(api_body(context, &root));
    if (root == NULL) {
        return SCRIP_OK;
    }
    enum scrip_status status = SCRIP_OK;
    if (api_unpack(context, root, "{ss ss s?s}", "name", &name, "role", &role, "terminal", &terminal)) {
        const bool fine = copy_name(key.name, sizeof key.name, name) && role_of(role, &key.role) &&
                          (key.role == SCRIP_ROLE_TERMINAL) == (terminal != NULL) &&
                          (terminal == NULL || api_hex(terminal, key.terminal, 4));
        status = fine ? make_key(context, &key, role)
                      : problem(context, SCRIP_PROBLEM_MALFORMED,
                                "name must be 1 to 63 characters without a slash, role operator, shop or terminal; a "
                                "terminal's key names its terminal");
    }
    json_decref(root);
    return status;
}

enum scrip_status api_key_revoke(struct context *context)
{
    char name[64];
    if (param_text(context, 0, name, sizeof name) != SCRIP_OK) {
        return SCRIP_E_NOT_FOUND;
    }
    SCRIP_TRY(scrip_ledger_key_revoke(context->ledger, name));
    context->response->made_durable |= SCRIP_DURABLE_OTHER;
    return response_json(context->response, 200, json_pack("{ss sb}", "name", name, "revoked", 1));
}
