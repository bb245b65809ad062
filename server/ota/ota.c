#include "session.h"

#include "../token.h"

#include <scrip/defect.h>
#include <scrip/desfire.h>
#include <stdio.h>
#include <string.h>

#define PROTOCOL         "scrip-remote-admin/1.0"
#define SELECT           0x5AU
#define AUTHENTICATE_EV2 0x71U /* their first part: the second refused is another key */
#define AUTHENTICATE_AES 0xAAU
#define AUTHENTICATE_2   0xAFU
#define CREDIT           0x0CU /* the command that runs into the upper limit */
#define TYPE_SCRIPT      "application/vnd.etsi.scp.command-data;version=1.0"
#define SESSION_PATH     "/ota/s/"
#define SCRIPT_MAX       (SCRIP_BATCH_BYTES + SCRIP_BATCH_COMMANDS * 4U + 64U)

/* ---- answers ---- */

static struct scrip_bytes realm_of(const struct ota *ota)
{
    return scrip_bytes(ota->context->server->config.server_id, 4);
}

static enum scrip_status write_next_uri(struct ota *ota)
{
    uint8_t plain[TOKEN_PLAIN_MAX];
    struct scrip_buf out = SCRIP_BUF_OF(plain);
    char *uri = ota->context->response->next_uri;
    enum scrip_status status = session_save(&ota->session, &ota->tap, &out);
    if (status == SCRIP_OK) {
        memcpy(uri, SESSION_PATH, sizeof SESSION_PATH);
        status = token_seal(ota->context->keys, realm_of(ota), scrip_buf_bytes(&out), uri + sizeof SESSION_PATH - 1,
                            SCRIP_SERVER_TOKEN_MAX - (sizeof SESSION_PATH - 1));
    }
    scrip_wipe(plain, sizeof plain);
    return status;
}

enum scrip_status ota_go_on(struct ota *ota, enum ota_stage stage)
{
    struct scrip_response *response = ota->context->response;
    ota->session.stage = (uint8_t)stage;
    SCRIP_TRY(response_reserve(response, SCRIPT_MAX));
    struct scrip_buf script = scrip_buf(response->body, response->body_cap);
    SCRIP_TRY(scrip_relay_script_write(&script, &ota->batch, 0, NULL));
    SCRIP_TRY(write_next_uri(ota));
    response->body_len = script.len;
    response->status = 200;
    response->content_type = TYPE_SCRIPT;
    return SCRIP_OK;
}

enum scrip_status ota_over(struct ota *ota)
{
    ota->context->response->status = 204;
    return SCRIP_OK;
}

static enum scrip_status send_preamble(struct ota *ota)
{
    const struct scrip_desfire_purse *purse = &ota->profile.purse;
    const bool random_id = purse->id_key != SCRIP_PURSE_NONE;
    scrip_desfire_tap_wipe(&ota->tap);
    scrip_desfire_tap_start(&ota->tap, purse, random_id ? NULL : ota->order.uid);
    scrip_batch_clear(&ota->batch);
    SCRIP_TRY(scrip_desfire_tap_preamble(&ota->tap, &ota->batch, random_id ? SCRIP_PURSE_ID : SCRIP_PURSE_TOPUP));
    return ota_go_on(ota, OTA_PREAMBLE);
}

enum scrip_status ota_restart(struct ota *ota, unsigned version)
{
    const struct session old = ota->session;
    ota->session = (struct session){
        .restarts = (uint8_t)(old.restarts + 1U),
        .attempt = old.attempt,
        .newest_only = old.newest_only,
        .count_only = old.count_only,
        .refused_cmd = old.refused_cmd,
        .refused_sw = old.refused_sw,
        .key_version = (uint8_t)version,
    };
    memcpy(ota->session.order_id, old.order_id, sizeof old.order_id);
    return send_preamble(ota);
}

/* What a refusal most likely means. Nothing is decided by it: it is the phone's word. */
enum scrip_status ota_refused(struct ota *ota, uint8_t cmd, uint16_t sw)
{
    static const struct {
        uint8_t cmd; /* 0: any */
        uint8_t status;
        enum scrip_problem problem;
    } meanings[] = {
        {CREDIT, DF_BOUNDARY_ERROR, SCRIP_PROBLEM_LIMIT},
        {SELECT, DF_APPLICATION_NOT_FOUND, SCRIP_PROBLEM_WRONG_APPLICATION},
        {AUTHENTICATE_EV2, 0, SCRIP_PROBLEM_KEY_TYPE},
        {AUTHENTICATE_AES, 0, SCRIP_PROBLEM_KEY_TYPE},
        {AUTHENTICATE_2, DF_AUTHENTICATION_ERROR, SCRIP_PROBLEM_CARD_AUTH},
        {0, DF_AUTHENTICATION_ERROR, SCRIP_PROBLEM_NO_RIGHT},
        {0, DF_PERMISSION_DENIED, SCRIP_PROBLEM_NO_RIGHT},
    };
    char detail[96];
    enum scrip_problem which = SCRIP_PROBLEM_CARD_REFUSED;
    for (size_t i = sizeof meanings / sizeof meanings[0]; i-- > 0;) {
        const bool same_cmd = meanings[i].cmd == 0 || meanings[i].cmd == cmd;
        const bool same_status = meanings[i].status == 0 || SCRIP_DESFIRE_SW(meanings[i].status) == sw;
        which = same_cmd && same_status ? meanings[i].problem : which;
    }
    (void)snprintf(detail, sizeof detail, "command %02X was answered with %04X", cmd, sw);
    return problem(ota->context, which, detail);
}

enum scrip_status ota_failed(struct ota *ota, enum scrip_status status)
{
    switch (status) {
    case SCRIP_E_TORN:
    case SCRIP_E_NO_CARD:
        return ota_over(ota); /* the next tap settles what is open */
    case SCRIP_E_CARD:
        return ota_refused(ota, ota->tap.term.failure.cmd, ota->tap.term.failure.sw);
    case SCRIP_E_AUTH:
        return problem(ota->context, SCRIP_PROBLEM_CARD_AUTH, NULL);
    case SCRIP_E_KEY:
        return problem(ota->context, SCRIP_PROBLEM_KEY_MISSING, NULL);
    case SCRIP_E_STORE:
    case SCRIP_E_MEMORY:
        return status;
    default: /* a wrong MAC, or answers that do not fit the commands */
        return problem(ota->context, SCRIP_PROBLEM_CARD_DATA, NULL);
    }
}

/* ---- the order and its card ---- */

enum scrip_status ota_reload(struct ota *ota)
{
    SCRIP_TRY(scrip_ledger_order_get(ota->context->ledger, ota->session.order_id, &ota->order));
    return scrip_ledger_card_get(ota->context->ledger, ota->order.uid, &ota->card);
}

static enum scrip_status load_order(struct ota *ota)
{
    memcpy(ota->context->order_id, ota->session.order_id, sizeof ota->context->order_id);
    SCRIP_TRY(ota_reload(ota));
    return scrip_desfire_profile_make(ota->card.profile, &ota->profile);
}

/* May a session of this order begin or go on? Answers with the problem if not. */
static bool order_is_open(struct ota *ota)
{
    const struct scrip_ledger_order *order = &ota->order;
    const bool untouched = order->state == SCRIP_STATE_FUNDED || order->state == SCRIP_STATE_CREATED;
    enum scrip_problem why = SCRIP_PROBLEM_COUNT;
    if (order->state == SCRIP_STATE_EXPIRED ||
        (untouched && order->expires_ms != 0 && order->expires_ms <= ota->context->now_ms)) {
        why = SCRIP_PROBLEM_ORDER_EXPIRED;
    } else if (scrip_settle_is_final(order->state)) {
        why = SCRIP_PROBLEM_ORDER_FINAL;
    } else if (order->state == SCRIP_STATE_CREATED && order->kind == SCRIP_KIND_TOPUP) {
        why = SCRIP_PROBLEM_NOT_FUNDED;
    } else if (ota->card.held) {
        why = SCRIP_PROBLEM_CARD_HELD;
    }
    if (why != SCRIP_PROBLEM_COUNT) {
        (void)problem(ota->context, why,
                      why == SCRIP_PROBLEM_CARD_HELD ? ota->card.reason : scrip_settle_state_text(order->state));
    }
    return why == SCRIP_PROBLEM_COUNT;
}

/* Was this very request answered with a batch already? Then the same batch again. */
static enum scrip_status find_replay(struct ota *ota)
{
    const enum scrip_status status = scrip_ledger_issue_open(ota->context->ledger, ota->order.uid, &ota->issue);
    ota->replay = status == SCRIP_OK && strcmp(ota->issue.order_id, ota->order.id) == 0 &&
                  memcmp(ota->issue.session, ota->digest, sizeof ota->digest) == 0;
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}

/* ---- the request ---- */

static bool wrong_protocol(const struct scrip_request *request)
{
    return request->admin_protocol == NULL || strcmp(request->admin_protocol, PROTOCOL) != 0;
}

static enum scrip_status make_digest(struct ota *ota)
{
    const struct scrip_request *request = ota->context->request;
    const struct scrip_bytes pieces[] = {scrip_bytes(request->path, strlen(request->path)), request->body};
    return token_hash(ota->context->keys, "request", pieces, 2, ota->digest);
}

/* A UID from anticollision is the phone's word: it saves a wasted tap with another card, no more. A random one (4
 * bytes, 08 first) says nothing; what the card proves later does. */
static bool is_wrong_card(struct ota *ota)
{
    const struct scrip_bytes uid = ota->report.uid;
    if (uid.len == 0 || (uid.len == 4 && uid.at[0] == 0x08 && ota->profile.purse.id_key != SCRIP_PURSE_NONE)) {
        return false;
    }
    return uid.len != 7 || memcmp(uid.at, ota->order.uid, 7) != 0;
}

static enum scrip_status read_report(struct ota *ota)
{
    SCRIP_TRY(scrip_relay_report_read(ota->context->request->body, &ota->report));
    if (ota->report.answer) {
        SCRIP_TRY(scrip_relay_report_replies(&ota->report, &ota->replies));
    }
    return SCRIP_OK;
}

static enum scrip_status dispatch(struct ota *ota)
{
    static enum scrip_status (*const take[])(struct ota *, enum scrip_status) = {
#define STAGE(name, function) function,
        OTA_STAGES(STAGE)
#undef STAGE
    };
    return take[ota->session.stage](ota, ota_take(ota));
}

/* ---- POST /ota/o/<order> ---- */

static enum scrip_status first_challenge(struct ota *ota)
{
    const struct scrip_desfire_purse *purse = &ota->profile.purse;
    const bool random_id = purse->id_key != SCRIP_PURSE_NONE;
    scrip_desfire_tap_start(&ota->tap, purse, random_id ? NULL : ota->order.uid);
    SCRIP_TRY(scrip_desfire_tap_preamble(&ota->tap, &ota->batch, random_id ? SCRIP_PURSE_ID : SCRIP_PURSE_TOPUP));
    scrip_batch_clear(&ota->batch); /* the phone has run it by itself */
    ota->session.stage = OTA_PREAMBLE;
    return dispatch(ota);
}

static enum scrip_status begin(struct ota *ota)
{
    const struct scrip_request *request = ota->context->request;
    const bool resume = request->admin_resume != NULL && strcmp(request->admin_resume, "true") == 0;
    if (request->body.len > 0 && read_report(ota) != SCRIP_OK) {
        return problem(ota->context, SCRIP_PROBLEM_BODY_MALFORMED, NULL);
    }
    if (is_wrong_card(ota)) {
        return problem(ota->context, SCRIP_PROBLEM_WRONG_CARD, NULL);
    }
    ota->session.key_version = (uint8_t)ota->card.key_version;
    /* Answers without a hello are those of a session whose token the app has lost: nothing can be opened with them. */
    if (!ota->report.answer || ota->report.count == 0 || (resume && !ota->report.hello)) {
        return send_preamble(ota);
    }
    SCRIP_TRY(find_replay(ota));
    return first_challenge(ota);
}

static enum scrip_status order_step(struct ota *ota)
{
    if (wrong_protocol(ota->context->request)) {
        return problem(ota->context, SCRIP_PROBLEM_PROTOCOL, NULL);
    }
    SCRIP_TRY(param_text(ota->context, 0, ota->session.order_id, sizeof ota->session.order_id));
    SCRIP_TRY(make_digest(ota));
    SCRIP_TRY(load_order(ota));
    return order_is_open(ota) ? begin(ota) : SCRIP_OK;
}

/* ---- POST /ota/s/<token> ---- */

static enum scrip_status open_token(struct ota *ota, uint8_t *plain, struct scrip_bytes *rest)
{
    char text[SCRIP_SERVER_TOKEN_MAX];
    struct scrip_buf out = scrip_buf(plain, TOKEN_PLAIN_MAX);
    SCRIP_TRY(param_text(ota->context, 0, text, sizeof text));
    SCRIP_TRY(token_open(ota->context->keys, realm_of(ota), text, &out));
    *rest = scrip_buf_bytes(&out);
    return session_load(&ota->session, rest);
}

static enum scrip_status continue_session(struct ota *ota)
{
    if (ota->report.uid.len > 0 && is_wrong_card(ota)) {
        return problem(ota->context, SCRIP_PROBLEM_WRONG_CARD, NULL);
    }
    SCRIP_TRY(find_replay(ota));
    if (ota->session.stage == OTA_RESULT) {
        return dispatch(ota); /* late answers are judged whatever has become of the order */
    }
    if (ota->order.state == SCRIP_STATE_CONFIRMED || ota->order.state == SCRIP_STATE_DONE) {
        return ota_over(ota);
    }
    if (!order_is_open(ota)) {
        return SCRIP_OK;
    }
    const uint32_t newest = ota->card.issue_no - (ota->replay ? 1U : 0U);
    if (ota->session.stage != OTA_PREAMBLE && ota->session.stage != OTA_WHO_AUTH && ota->session.stage != OTA_WHO &&
        ota->session.issue_no != newest && !SCRIP_DEFECT(evidence_without_cas)) {
        ota->context->server->counters.stale++;
        return problem(ota->context, SCRIP_PROBLEM_SESSION_OVER, NULL);
    }
    return dispatch(ota);
}

static enum scrip_status session_with_body(struct ota *ota, struct scrip_bytes rest)
{
    if (read_report(ota) != SCRIP_OK || !ota->report.answer) {
        return problem(ota->context, SCRIP_PROBLEM_BODY_MALFORMED, NULL);
    }
    if (ota->report.bad != 0) {
        return problem(ota->context, SCRIP_PROBLEM_SESSION_OVER, "the phone could not carry out the script");
    }
    SCRIP_TRY(make_digest(ota));
    SCRIP_TRY(load_order(ota));
    if (scrip_desfire_tap_load(&ota->tap, &ota->profile.purse, &rest) != SCRIP_OK) {
        return problem(ota->context, SCRIP_PROBLEM_SESSION_OVER, NULL); /* a state of another version of scrip */
    }
    return continue_session(ota);
}

static enum scrip_status session_step(struct ota *ota)
{
    uint8_t plain[TOKEN_PLAIN_MAX];
    struct scrip_bytes rest;
    if (wrong_protocol(ota->context->request)) {
        return problem(ota->context, SCRIP_PROBLEM_PROTOCOL, NULL);
    }
    if (open_token(ota, plain, &rest) != SCRIP_OK) {
        ota->context->server->counters.tokens_refused++;
        return problem(ota->context, SCRIP_PROBLEM_NO_SUCH_TOKEN, NULL);
    }
    enum scrip_status status = SCRIP_OK;
    if (!phone_token_is(ota->context->keys, ota->session.order_id, ota->context->bearer)) {
        status = problem(ota->context, SCRIP_PROBLEM_UNAUTHORIZED, "this session is another order's");
    } else {
        status = session_with_body(ota, rest);
    }
    scrip_wipe(plain, sizeof plain);
    return status;
}

/* ---- entries of the router ---- */

/* A step that cannot be made in this session will not be possible when it is asked for again: begin a new one. */
static enum scrip_status step_failed(struct context *context, enum scrip_status status)
{
    switch (status) {
    case SCRIP_E_STORE:
    case SCRIP_E_MEMORY:
    case SCRIP_E_CORRUPT:
        return status;
    case SCRIP_E_KEY:
        return problem(context, SCRIP_PROBLEM_KEY_MISSING, NULL);
    default:
        context->keep = false;
        return problem(context, SCRIP_PROBLEM_SESSION_OVER, scrip_strerror(status));
    }
}

static enum scrip_status run(struct context *context, enum scrip_status (*step)(struct ota *ota))
{
    struct ota ota;
    memset(&ota, 0, sizeof ota);
    ota.context = context;
    context->response->protocol = PROTOCOL;
    const enum scrip_status status = step(&ota);
    scrip_desfire_tap_wipe(&ota.tap);
    return status == SCRIP_OK || status == SCRIP_E_NOT_FOUND ? status : step_failed(context, status);
}

enum scrip_status ota_order(struct context *context)
{
    return run(context, order_step);
}

enum scrip_status ota_session(struct context *context)
{
    return run(context, session_step);
}
