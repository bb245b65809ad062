/* A phone that changes, drops, reorders, repeats, invents or holds back anything gains nothing: after whatever it did,
 * honest taps settle, and card and book agree to the unit. */
#include "check.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

static struct world *world;
static struct plan plan;
static struct scene *ev2;
static struct scene *ev1;
static const struct world_options ordinary = {false, false};

static void begin(const struct scene *scene)
{
    memset(&plan, 0, sizeof plan);
    world_begin(world, scene, &plan, &ordinary, 99);
}

static struct phone *bring(const char *order)
{
    world_order(world, order, SCRIP_KIND_TOPUP, ORDER_AMOUNT);
    struct phone *phone = world_phone(world, order);
    assert_non_null(phone);
    world_phone_run(world, phone);
    return phone;
}

/* Honest taps and uploads, then the books. */
static void assert_nothing_gained(const char *what)
{
    world->meddle = NULL;
    world_settle(world);
    world_check(world);
    if (world->broken) {
        fail_msg("%s: %s", what, world->why);
    }
    world_end(world);
}

/* ---- changing ---- */

/* Which byte of which message is changed: counted over all messages of one kind. */
struct flip {
    enum passing passing;
    size_t at;
    uint8_t mask;
    size_t seen;
    bool done;
};

static void flip_byte(struct world *w, enum passing passing, struct scrip_buf *bytes)
{
    struct flip *flip = w->meddler;
    if (passing != flip->passing) {
        return;
    }
    if (!flip->done && flip->at < flip->seen + bytes->len) {
        bytes->at[flip->at - flip->seen] ^= flip->mask;
        flip->done = true;
    }
    flip->seen += bytes->len;
}

/* Every byte of one kind of message, once with its lowest bit changed and once with all. */
static void assert_no_byte_counts(const struct scene *scene, enum passing passing, const char *what)
{
    size_t changed = 0;
    for (size_t at = 0;; at++) {
        struct flip flip = {passing, at, at % 2 == 0 ? 0x01 : 0xFF, 0, false};
        begin(scene);
        world->meddle = flip_byte;
        world->meddler = &flip;
        (void)bring("first");
        char text[64];
        (void)snprintf(text, sizeof text, "byte %zu of the %s", at, what);
        assert_nothing_gained(text);
        if (!flip.done) {
            break;
        }
        changed++;
    }
    assert_true(changed > 50);
    print_message("%zu bytes of %s changed\n", changed, what);
}

static void changing_any_byte_of_a_request_gains_nothing(void **state)
{
    (void)state;
    assert_no_byte_counts(ev2, PASSING_REQUEST, "requests (EV2)");
    assert_no_byte_counts(ev1, PASSING_REQUEST, "requests (EV1)");
}

static void changing_any_byte_of_a_script_gains_nothing(void **state)
{
    (void)state;
    assert_no_byte_counts(ev2, PASSING_SCRIPT, "scripts (EV2)");
    assert_no_byte_counts(ev1, PASSING_SCRIPT, "scripts (EV1)");
}

static void changing_any_byte_to_the_card_gains_nothing(void **state)
{
    (void)state;
    assert_no_byte_counts(ev2, PASSING_COMMAND, "commands (EV2)");
    assert_no_byte_counts(ev1, PASSING_COMMAND, "commands (EV1)");
}

static void changing_any_byte_from_the_card_gains_nothing(void **state)
{
    (void)state;
    assert_no_byte_counts(ev2, PASSING_ANSWER, "answers (EV2)");
    assert_no_byte_counts(ev1, PASSING_ANSWER, "answers (EV1)");
}

/* ---- batches: dropping, reordering, repeating, inventing ---- */

enum trick {
    TRICK_DROP,
    TRICK_SWAP,
    TRICK_REPEAT,
    TRICK_INSERT,
};

struct editing {
    enum trick trick;
    size_t i, j; /* commands of the batch */
    struct scrip_bytes insert;
    size_t commands; /* of the largest batch seen */
    bool done;
};

static void rebuild(const struct scrip_batch *batch, const struct editing *editing, struct scrip_batch *out)
{
    scrip_batch_clear(out);
    for (size_t g = 0; g < batch->good_count; g++) {
        assert_ok(scrip_batch_good(out, batch->good[g].value, batch->good[g].mask));
    }
    for (size_t k = 0; k < batch->count; k++) {
        size_t take = k;
        if (editing->trick == TRICK_SWAP) {
            take = k == editing->i ? editing->j : k == editing->j ? editing->i : k;
        }
        if (editing->trick == TRICK_DROP && k == editing->i) {
            continue;
        }
        if (editing->trick == TRICK_INSERT && k == editing->i) {
            assert_ok(scrip_batch_add(out, editing->insert));
        }
        assert_ok(scrip_batch_add(out, scrip_batch_command(batch, take)));
        if (editing->trick == TRICK_REPEAT && k == editing->i) {
            assert_ok(scrip_batch_add(out, scrip_batch_command(batch, take)));
        }
    }
}

static void edit_script(struct world *w, enum passing passing, struct scrip_buf *bytes)
{
    struct editing *editing = w->meddler;
    static struct scrip_batch batch;
    static struct scrip_batch edited;
    if (passing != PASSING_SCRIPT || scrip_relay_script_batch(scrip_buf_bytes(bytes), &batch) != SCRIP_OK) {
        return;
    }
    editing->commands = batch.count > editing->commands ? batch.count : editing->commands;
    if (editing->done || batch.count < 3 || editing->i >= batch.count || editing->j >= batch.count) {
        return; /* the batch with the money has more */
    }
    rebuild(&batch, editing, &edited);
    bytes->len = 0;
    assert_ok(scrip_relay_script_write(bytes, &edited, 0, NULL));
    editing->done = true;
}

/* @return commands of the largest batch */
static size_t edited_session(const struct scene *scene, struct editing *editing, const char *what)
{
    char text[96];
    begin(scene);
    world->cheated = scene == ev1; /* its commit carries no MAC: an early one holds the card, and an operator looks */
    world->meddle = edit_script;
    world->meddler = editing;
    (void)bring("first");
    (void)snprintf(text, sizeof text, "%s, command %zu (and %zu)", what, editing->i, editing->j);
    assert_nothing_gained(text);
    return editing->commands;
}

static void edit_every_command(const struct scene *scene, enum trick trick, const char *what)
{
    size_t commands = 1;
    for (size_t i = 0; i < commands; i++) {
        struct editing editing = {.trick = trick, .i = i};
        commands = edited_session(scene, &editing, what);
        assert_true(editing.done);
    }
    assert_true(commands >= 5);
}

static void dropping_any_command_gains_nothing(void **state)
{
    (void)state;
    edit_every_command(ev2, TRICK_DROP, "dropped");
    edit_every_command(ev1, TRICK_DROP, "dropped");
}

static void repeating_any_command_gains_nothing(void **state)
{
    (void)state;
    edit_every_command(ev2, TRICK_REPEAT, "repeated");
    edit_every_command(ev1, TRICK_REPEAT, "repeated");
}

static void swapping_any_two_commands_gains_nothing(void **state)
{
    (void)state;
    const struct scene *scenes[] = {ev2, ev1};
    for (size_t s = 0; s < 2; s++) {
        size_t commands = 2;
        for (size_t i = 0; i < commands; i++) {
            for (size_t j = i + 1; j < commands; j++) {
                struct editing editing = {.trick = TRICK_SWAP, .i = i, .j = j};
                commands = edited_session(scenes[s], &editing, "swapped");
            }
        }
    }
}

static void inventing_commands_gains_nothing(void **state)
{
    (void)state;
    static const char *const invented[] = {
        "90C7000000",                 /* CommitTransaction */
        "90C7000001 01 00",           /* with TMC and TMV asked for */
        "90A7000000",                 /* AbortTransaction */
        "900C0000 05 03 E8030000 00", /* Credit in plain */
        "901C0000 05 03 E8030000 00", /* LimitedCredit */
        "90DC0000 05 03 01000000 00", /* Debit */
        "905A0000 03 994401 00",      /* SelectApplication */
        "90710000 02 03 00 00",       /* a new authentication */
        "90AA0000 01 03 00",          /* another one */
        "90AF000000",                 /* a continuation */
        "90EB0000 01 04 00",          /* ClearRecordFile */
        "90FC000000",                 /* FormatPICC */
        "00A40400 00",                /* ISO SELECT */
    };
    const struct scene *scenes[] = {ev2, ev1};
    for (size_t s = 0; s < 2; s++) {
        for (size_t k = 0; k < sizeof invented / sizeof *invented; k++) {
            uint8_t apdu[32];
            const size_t len = from_hex(invented[k], apdu, sizeof apdu);
            size_t commands = 1;
            for (size_t i = 0; i < commands; i++) {
                struct editing editing = {.trick = TRICK_INSERT, .i = i, .insert = scrip_bytes(apdu, len)};
                commands = edited_session(scenes[s], &editing, invented[k]);
            }
        }
    }
}

/* The phone says that all went well, without any card. */
static void invent_answers(struct world *w, enum passing passing, struct scrip_buf *bytes)
{
    (void)w;
    if (passing == PASSING_ANSWER && bytes->len >= 2) {
        bytes->at[bytes->len - 2] = 0x91;
        bytes->at[bytes->len - 1] = 0x00;
        for (size_t i = 0; i + 2 < bytes->len; i++) {
            bytes->at[i] = (uint8_t)(0x5A + i);
        }
    }
}

static void inventing_answers_gains_nothing(void **state)
{
    (void)state;
    const struct scene *scenes[] = {ev2, ev1};
    for (size_t s = 0; s < 2; s++) {
        begin(scenes[s]);
        world->meddle = invent_answers;
        (void)bring("first");
        assert_string_not_equal(scrip_settle_state_name(world_state(world, "first")), "CONFIRMED");
        assert_nothing_gained("invented answers");
    }
}

/* ---- repeating whole sessions ---- */

struct recorder {
    size_t count;
    struct recorded {
        size_t len;
        uint8_t bytes[WORLD_APDU_MAX];
    } command[64];
};

static void record_commands(struct world *w, enum passing passing, struct scrip_buf *bytes)
{
    struct recorder *recorder = w->meddler;
    if (passing == PASSING_COMMAND && recorder->count < 64 && bytes->len <= WORLD_APDU_MAX) {
        struct recorded *to = &recorder->command[recorder->count++];
        to->len = bytes->len;
        memcpy(to->bytes, bytes->at, bytes->len);
    }
}

static void replay_commands(const struct recorder *recorder)
{
    for (size_t i = 0; i < recorder->count; i++) {
        uint8_t room[SCRIP_DESFIRE_RAPDU_MAX];
        struct scrip_buf rapdu = SCRIP_BUF_OF(room);
        (void)scrip_link_transmit(&world->link, scrip_bytes(recorder->command[i].bytes, recorder->command[i].len),
                                  &rapdu);
    }
}

static void repeating_a_batch_to_the_card_gains_nothing(void **state)
{
    (void)state;
    const struct scene *scenes[] = {ev2, ev1};
    for (size_t s = 0; s < 2; s++) {
        static struct recorder recorder;
        struct scrip_card_info info;
        memset(&recorder, 0, sizeof recorder);
        begin(scenes[s]);
        world->meddle = record_commands;
        world->meddler = &recorder;
        (void)bring("first");
        assert_true(recorder.count > 5);
        assert_ok(scrip_link_connect(&world->link, 0, &info));
        replay_commands(&recorder); /* on a new activation */
        replay_commands(&recorder); /* and once more on the same */
        scrip_link_disconnect(&world->link);
        assert_nothing_gained("a repeated batch");
    }
}

static void repeating_any_request_gains_nothing(void **state)
{
    (void)state;
    const struct scene *scenes[] = {ev2, ev1};
    for (size_t s = 0; s < 2; s++) {
        begin(scenes[s]);
        (void)bring("first");
        const uint32_t count = world->request_count;
        for (uint32_t i = 0; i < 3 * count; i++) {
            (void)world_deliver(world, &world->requests[i % count]);
        }
        (void)bring("second");
        for (uint32_t i = 0; i < world->request_count; i++) {
            (void)world_deliver(world, &world->requests[i]);
        }
        assert_nothing_gained("repeated requests");
    }
}

static void the_identical_request_gives_identical_bytes(void **state)
{
    (void)state;
    uint8_t first[WORLD_BODY_MAX];
    begin(ev2);
    (void)bring("first");
    for (uint32_t i = 0; i + 1 < world->request_count; i++) {
        const int status = world_deliver(world, &world->requests[i]);
        const size_t len = world->response.body_len;
        assert_true(len <= sizeof first);
        memcpy(first, world->response.body, len);
        assert_int_equal(world_deliver(world, &world->requests[i]), status);
        assert_int_equal(world->response.body_len, len);
        assert_memory_equal(world->response.body, first, len);
    }
    assert_nothing_gained("identical requests");
}

/* ---- tokens ---- */

/* Requests of a session that was never finished: the order is issued and its report is kept back. */
static void leave_open(const char *order)
{
    world_order(world, order, SCRIP_KIND_TOPUP, ORDER_AMOUNT);
    struct phone *phone = world_phone(world, order);
    assert_non_null(phone);
    world_phone_run(world, phone);
}

static void assert_refused(const struct kept_request *request, const char *what)
{
    const int status = world_deliver(world, request);
    if (status < 400 || status >= 500) {
        fail_msg("%s: answered with %d", what, status);
    }
}

static void an_altered_token_opens_nothing(void **state)
{
    (void)state;
    begin(ev2);
    leave_open("first");
    struct kept_request request = world->requests[world->request_count - 1];
    const size_t start = strlen("/ota/s/");
    const size_t len = strlen(request.uri);
    assert_true(len > start + 40);
    for (size_t i = start; i < len; i++) {
        const char was = request.uri[i];
        request.uri[i] = was == 'A' ? 'B' : 'A';
        assert_refused(&request, "an altered token");
        request.uri[i] = was;
    }
    for (size_t cut = start; cut < len; cut += 7) {
        struct kept_request shorter = request;
        shorter.uri[cut] = '\0';
        assert_refused(&shorter, "a token cut off");
    }
    assert_nothing_gained("altered tokens");
}

static void a_token_needs_its_own_orders_key(void **state)
{
    (void)state;
    begin(ev2);
    leave_open("first");
    struct kept_request request = world->requests[world->request_count - 1];
    world_order(world, "second", SCRIP_KIND_TOPUP, SECOND_AMOUNT);
    assert_ok(scrip_server_phone_token(world->server[0], "second", request.bearer));
    assert_refused(&request, "the session of one order with the key of another");
    request.bearer[0] = '\0';
    assert_refused(&request, "a session without a key");
    assert_nothing_gained("swapped keys");
}

static void a_token_of_another_server_opens_nothing(void **state)
{
    (void)state;
    begin(ev2);
    leave_open("first");
    const struct kept_request request = world->requests[world->request_count - 1];
    world_end(world);
    struct scrip_keys *keys = ev2->keys;
    struct scrip_keys *others;
    assert_ok(scrip_keys_file_new(&others));
    assert_ok(scrip_keys_file_fill(others, &world->source, NULL));
    ev2->keys = others;
    begin(ev2);
    ev2->keys = keys;
    world_order(world, "first", SCRIP_KIND_TOPUP, ORDER_AMOUNT);
    assert_refused(&request, "a token of another server");
    world_restart(world);
    scrip_keys_close(others);
    assert_nothing_gained("another server's token");
}

static void an_old_token_gains_nothing_after_a_new_session(void **state)
{
    (void)state;
    begin(ev2);
    leave_open("first");
    const uint32_t old = world->request_count;
    leave_open("second");
    for (uint32_t i = 0; i < old; i++) {
        (void)world_deliver(world, &world->requests[i]);
    }
    assert_string_equal(scrip_settle_state_name(world_state(world, "first")), "CONFIRMED");
    assert_string_equal(scrip_settle_state_name(world_state(world, "second")), "CONFIRMED");
    assert_nothing_gained("old tokens");
}

/* A body of one session sent to the address of another. */
static void mixing_sessions_gains_nothing(void **state)
{
    (void)state;
    const struct scene *scenes[] = {ev2, ev1};
    for (size_t s = 0; s < 2; s++) {
        begin(scenes[s]);
        leave_open("first");
        leave_open("second");
        const uint32_t count = world->request_count;
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t k = 0; k < count; k++) {
                struct kept_request mixed = world->requests[i];
                mixed.body_len = world->requests[k].body_len;
                memcpy(mixed.body, world->requests[k].body, mixed.body_len);
                (void)world_deliver(world, &mixed);
            }
        }
        assert_nothing_gained("mixed sessions");
    }
}

/* ---- holding back ---- */

static void holding_back_any_report_gains_nothing(void **state)
{
    (void)state;
    const struct scene *scenes[] = {ev2, ev1};
    for (size_t s = 0; s < 2; s++) {
        begin(scenes[s]);
        (void)bring("first");
        const uint16_t points = plan.points;
        static uint8_t kinds[PLAN_POINTS];
        memcpy(kinds, plan.kind, points);
        world_end(world);
        for (uint16_t at = 0; at < points; at++) {
            if (kinds[at] != POINT_REQUEST) {
                continue;
            }
            memset(&plan, 0, sizeof plan);
            plan.count = 1;
            plan.planned[0] = (struct planned){at, FAULT_request_held};
            world_begin(world, scenes[s], &plan, &ordinary, 99);
            (void)bring("first");
            (void)bring("second");
            assert_nothing_gained("a report held back");
        }
    }
}

static int make_scenes(void **state)
{
    char why[WORLD_SUMMARY] = "";
    (void)state;
    world = calloc(1, sizeof *world);
    ev2 = scene_make("an12113", false, why, sizeof why);
    ev1 = scene_make("ev1", false, why, sizeof why);
    if (ev2 == NULL || ev1 == NULL) {
        print_error("scene: %s\n", why);
        return 1;
    }
    return world == NULL;
}

static int free_scenes(void **state)
{
    (void)state;
    scene_free(ev2);
    scene_free(ev1);
    scrip_response_free(&world->response);
    free(world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changing_any_byte_of_a_request_gains_nothing),
        cmocka_unit_test(changing_any_byte_of_a_script_gains_nothing),
        cmocka_unit_test(changing_any_byte_to_the_card_gains_nothing),
        cmocka_unit_test(changing_any_byte_from_the_card_gains_nothing),
        cmocka_unit_test(dropping_any_command_gains_nothing),
        cmocka_unit_test(repeating_any_command_gains_nothing),
        cmocka_unit_test(swapping_any_two_commands_gains_nothing),
        cmocka_unit_test(inventing_commands_gains_nothing),
        cmocka_unit_test(inventing_answers_gains_nothing),
        cmocka_unit_test(repeating_a_batch_to_the_card_gains_nothing),
        cmocka_unit_test(repeating_any_request_gains_nothing),
        cmocka_unit_test(the_identical_request_gives_identical_bytes),
        cmocka_unit_test(an_altered_token_opens_nothing),
        cmocka_unit_test(a_token_needs_its_own_orders_key),
        cmocka_unit_test(a_token_of_another_server_opens_nothing),
        cmocka_unit_test(an_old_token_gains_nothing_after_a_new_session),
        cmocka_unit_test(mixing_sessions_gains_nothing),
        cmocka_unit_test(holding_back_any_report_gains_nothing),
    };
    return cmocka_run_group_tests(tests, make_scenes, free_scenes);
}
