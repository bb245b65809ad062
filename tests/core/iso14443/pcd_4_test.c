/* The block protocol of both sides: all sizes, every frame lost or damaged, waiting times, identifiers, rates. */
#include "bench.h"
#include <stdio.h>

#define ATS "067577810280" /* FSC 64, rates up to 848, FWI 8, CID */

static const uint16_t SIZES[] = {16, 24, 32, 40, 48, 64, 96, 128, 256};

/* ---- known answers ---- */

/* Vector blk-01: the ATS of a MIFARE Plus X. */
static void an_ats_is_understood(void **state)
{
    struct bench *b = bench_new("0C75778002C1052F2F01BCD6");
    (void)state;
    bench_begin(b, 3, SCRIP_RATE_106);
    assert_hex(scrip_bytes(b->target.ats, b->target.ats_len), "0C75778002C1052F2F01BCD6");
    assert_int_equal(b->pcd.fsc, 64);
    assert_int_equal(b->pcd.fwi, 8);
    assert_true(b->pcd.has_cid);
    assert_int_equal(b->pcd.timeout_us / 1000, 80); /* 77.3 ms and 3.6 */
    free(b);
}

static void what_an_ats_leaves_out_has_its_default(void **state)
{
    static const struct {
        const char *ats;
        uint16_t fsc;
        uint8_t fwi;
        bool cid;
    } cases[] = {
        {"01", 32, 4, true},      {"0205", 64, 4, true},   {"020F", 256, 4, true},  {"03208F", 16, 8, true},
        {"034000", 16, 4, false}, {"034002", 16, 4, true}, {"0320F0", 16, 4, true}, /* FWI 15 is none */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench *b = bench_new(cases[i].ats);
        bench_begin(b, 1, SCRIP_RATE_848);
        assert_int_equal(b->pcd.fsc, cases[i].fsc);
        assert_int_equal(b->pcd.fwi, cases[i].fwi);
        assert_int_equal(b->pcd.has_cid, cases[i].cid);
        assert_ok(bench_call(b, 40, 40));
        bench_check(b, 40, 40);
        free(b);
    }
}

struct sniffed {
    char text[1024];
};

static void note(void *ctx, const struct scrip_frame *frame, bool from_card, uint64_t at_fc)
{
    struct sniffed *s = ctx;
    size_t len = strlen(s->text);
    (void)at_fc;
    if (len > sizeof s->text - 4) { /* the first frames are what is looked at */
        return;
    }
    len += (size_t)snprintf(s->text + len, sizeof s->text - len, "%s", from_card ? "<" : ">");
    for (size_t i = 0; i < scrip_frame_len(frame) && len < sizeof s->text - 4; i++) {
        len += (size_t)snprintf(s->text + len, sizeof s->text - len, "%02X", frame->data[i]);
    }
}

/* Vector blk-02: a command of 92 bytes to a card that takes 64. */
static void a_chain_is_made_of_the_known_blocks(void **state)
{
    static const char *const inf =
        "a11800f2f4649813493817014006541032205a4fc76b47589803299cba466e4d0859c5b308c20418099c34c948e870e94fe798cc53ff36"
        "d5f0e1e1c28d7e16716f9badb2c660491abdb7e386a6abf1f0ad0a80e163ca03f08204dc";
    static const char *const blocks =
        ">12A11800F2F4649813493817014006541032205A4FC76B47589803299CBA466E4D0859C5B308C20418099C34C948E870E94FE798CC53F"
        "F"
        "36D5F0E1E1C28DE262<A2E6D7>037E16716F9BADB2C660491ABDB7E386A6ABF1F0AD0A80E163CA03F08204DC1410";
    struct bench *b = bench_new(ATS);
    struct sniffed sniffed = {""};
    uint8_t command[128];
    (void)state;
    bench_begin(b, 0, SCRIP_RATE_106);
    b->field.sniff = note;
    b->field.sniff_ctx = &sniffed;
    b->got = SCRIP_BUF_OF(b->answer);
    (void)scrip_pcd_4_exchange(&b->pcd, scrip_bytes(command, from_hex(inf, command, sizeof command)), &b->got);
    assert_int_equal(strncmp(sniffed.text, blocks, strlen(blocks)), 0);
    free(b);
}

/* ---- sizes ---- */

static void apdus_of_any_length_pass_at_each_frame_size(void **state)
{
    (void)state;
    for (unsigned fsc = 0; fsc < 9; fsc++) {
        for (unsigned fsd = 0; fsd < 9; fsd++) {
            for (uint8_t cid = 0; cid < 2; cid++) {
                char ats[16];
                const size_t c = SIZES[fsc] - 3U - cid;
                const size_t r = SIZES[fsd] - 3U - cid;
                const size_t commands[] = {2, c - 1, c, c + 1, 2 * c, 2 * c + 1, 300, 1000};
                const size_t responses[] = {0, 1, r - 1, r, r + 1, 2 * r, 2 * r + 1, 1000};
                (void)snprintf(ats, sizeof ats, "057%X778102", fsc);
                struct bench *b = bench_new(ats);
                b->radio.frame_max = SIZES[fsd];
                bench_begin(b, cid, SCRIP_RATE_106);
                unsigned calls = 0;
                for (size_t i = 0; i < 8; i++) {
                    for (size_t j = 0; j < 8; j++) {
                        assert_ok(bench_call(b, commands[i], responses[j]));
                        bench_check(b, commands[i], responses[j]);
                        assert_int_equal(b->executed, ++calls);
                    }
                }
                assert_int_equal(b->pcd.fsc, SIZES[fsc] < SIZES[fsd] ? SIZES[fsc] : SIZES[fsd]);
                free(b);
            }
        }
    }
}

/* Frames of a call: pieces of the command, each with its answer, and a call for each further piece of the response. */
static unsigned frames_of(size_t command_len, size_t response_len, uint16_t fsc, uint16_t fsd)
{
    const size_t c = fsc - 3U;
    const size_t r = fsd - 3U;
    const size_t up = (command_len + c - 1) / c;
    const size_t down = response_len == 0 ? 1 : (response_len + r - 1) / r;
    return (unsigned)(2 * (up + down - 1));
}

static void no_frame_is_wasted(void **state)
{
    struct bench *b = bench_new(ATS);
    (void)state;
    b->radio.frame_max = 32;
    bench_begin(b, 0, SCRIP_RATE_106);
    for (size_t command = 2; command < 200; command += 7) {
        for (size_t response = 0; response < 200; response += 11) {
            b->frames = 0;
            b->cut_count = 0;
            assert_ok(bench_call(b, command, response));
            assert_int_equal(b->frames, frames_of(command, response, 32, 32));
        }
    }
    free(b);
}

static void a_response_too_long_for_the_caller_is_heard_to_its_end(void **state)
{
    uint8_t small[20];
    static const uint8_t command[] = {200, 0};
    struct bench *b = bench_new(ATS);
    (void)state;
    bench_begin(b, 0, SCRIP_RATE_106);
    struct scrip_buf got = SCRIP_BUF_OF(small);
    assert_ok(scrip_buf_add_u8(&got, 0x77));
    assert_status(scrip_pcd_4_exchange(&b->pcd, SCRIP_BYTES_OF(command), &got), SCRIP_E_SPACE);
    assert_int_equal(got.len, 1);
    assert_ok(bench_call(b, 10, 10));
    bench_check(b, 10, 10);
    assert_int_equal(b->executed, 2);
    free(b);
}

/* ---- losses ---- */

struct matrix {
    size_t command_len, response_len;
    uint16_t frame_max;
    uint8_t cid;
    uint32_t busy_us;
};

static struct bench *scene(const struct matrix *m)
{
    struct bench *b = bench_new("0572778102"); /* FSC 32 */
    b->radio.frame_max = m->frame_max;
    b->busy_us = m->busy_us;
    bench_begin(b, m->cid, SCRIP_RATE_106);
    return b;
}

/* How many frames a call takes when nothing is lost. */
static unsigned count_frames(const struct matrix *m)
{
    struct bench *b = scene(m);
    assert_ok(bench_call(b, m->command_len, m->response_len));
    const unsigned frames = b->frames;
    free(b);
    return frames;
}

static const struct matrix MATRICES[] = {
    {10, 10, 32, 0, 0},      {10, 10, 32, 5, 0},        {100, 10, 32, 0, 0},
    {10, 100, 32, 0, 0},     {100, 100, 16, 0, 0},      {90, 90, 24, 7, 0},
    {10, 10, 32, 0, 200000}, {100, 100, 32, 0, 200000}, {70, 70, 32, 1, 9000000},
};

static void cut(const struct matrix *m, unsigned from, unsigned count, enum fate fate)
{
    struct bench *b = scene(m);
    b->cut_from = from;
    b->cut_count = count;
    b->fate = fate;
    const enum scrip_status status = bench_call(b, m->command_len, m->response_len);
    if (status != SCRIP_OK || b->executed != 1) {
        fail_msg("%zu, %zu: %u frames from %u (fate %u): %s, executed %u times", m->command_len, m->response_len, count,
                 from, fate, scrip_status_name(status), b->executed);
    }
    bench_check(b, m->command_len, m->response_len);
    b->cut_count = 0;
    assert_ok(bench_call(b, 5, 5)); /* and both are still in step */
    bench_check(b, 5, 5);
    assert_int_equal(b->executed, 2);
    free(b);
}

static void any_frame_may_be_lost_or_damaged_once_or_twice(void **state)
{
    unsigned cases = 0;
    (void)state;
    for (size_t i = 0; i < sizeof MATRICES / sizeof *MATRICES; i++) {
        const unsigned frames = count_frames(&MATRICES[i]);
        for (unsigned from = 0; from < frames; from++) {
            for (unsigned fate = LOST; fate <= BAD_CRC; fate++) {
                cut(&MATRICES[i], from, 1, (enum fate)fate);
                cut(&MATRICES[i], from, 2, (enum fate)fate);
                cases += 2;
            }
        }
    }
    print_message("%u cases\n", cases);
}

static void losses_apart_from_each_other_do_not_add_up(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 40; at++) {
        for (unsigned gap = 2; gap < 12; gap++) {
            struct bench *b = scene(&MATRICES[4]);
            b->cut_from = at;
            b->cut_count = 1;
            assert_ok(bench_call(b, 100, 100));
            b->cut_from = b->frames + gap;
            assert_ok(bench_call(b, 100, 100));
            bench_check(b, 100, 100);
            assert_int_equal(b->executed, 2);
            free(b);
        }
    }
}

static void a_third_loss_in_a_row_ends_it_with_at_most_one_execution(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof MATRICES / sizeof *MATRICES; i++) {
        const unsigned frames = count_frames(&MATRICES[i]);
        for (unsigned from = 0; from < frames; from++) {
            struct bench *b = scene(&MATRICES[i]);
            b->cut_from = from;
            b->cut_count = 1000;
            b->got = SCRIP_BUF_OF(b->answer);
            assert_status(bench_call(b, MATRICES[i].command_len, MATRICES[i].response_len), SCRIP_E_TORN);
            assert_true(b->executed <= 1);
            assert_int_equal(b->got.len, 0);
            assert_int_equal(b->frames - from, 4); /* itself, two retries, S(DESELECT) */
            free(b);
        }
    }
}

static void a_card_that_is_taken_away_is_torn(void **state)
{
    struct bench *b = bench_new(ATS);
    (void)state;
    bench_begin(b, 0, SCRIP_RATE_106);
    assert_ok(bench_call(b, 10, 10));
    scrip_field_remove(&b->field, &b->card.picc);
    assert_status(bench_call(b, 10, 10), SCRIP_E_TORN);
    assert_status(scrip_pcd_4_check(&b->pcd), SCRIP_E_NO_CARD);
    assert_status(scrip_pcd_4_deselect(&b->pcd), SCRIP_E_NO_CARD);
    free(b);
}

static void the_presence_check_disturbs_nothing(void **state)
{
    struct bench *b = bench_new(ATS);
    (void)state;
    bench_begin(b, 2, SCRIP_RATE_106);
    for (unsigned i = 1; i < 5; i++) {
        assert_ok(scrip_pcd_4_check(&b->pcd));
        assert_ok(scrip_pcd_4_check(&b->pcd));
        assert_ok(bench_call(b, 100, 100));
        bench_check(b, 100, 100);
        assert_int_equal(b->executed, i);
    }
    b->cut_from = b->frames;
    b->cut_count = 2;
    assert_ok(scrip_pcd_4_check(&b->pcd));
    assert_ok(bench_call(b, 10, 10));
    free(b);
}

/* ---- time ---- */

static void work_takes_its_time_and_no_more(void **state)
{
    static const uint32_t works_us[] = {0, 1, 77000, 77313, 80000, 154624, 500000, 4600000, 20000000};
    (void)state;
    for (size_t i = 0; i < sizeof works_us / sizeof *works_us; i++) {
        struct bench *b = bench_new(ATS);
        b->busy_us = works_us[i];
        bench_begin(b, 0, SCRIP_RATE_106);
        assert_ok(bench_call(b, 10, 10));
        bench_check(b, 10, 10);
        const uint64_t busy_us = b->field.times.busy_fc * 100 / 1356;
        assert_in_range(busy_us, works_us[i], works_us[i] + 5U * b->frames); /* the grid of each answer: 9.4 us */
        assert_true(works_us[i] <= 77312 ? b->frames == 2 : b->frames >= 4);
        free(b);
    }
}

static void a_wait_that_never_ends_is_ended(void **state)
{
    struct bench *b = bench_new(ATS);
    (void)state;
    b->busy_us = 200000000; /* 200 s */
    bench_begin(b, 0, SCRIP_RATE_106);
    assert_status(bench_call(b, 10, 10), SCRIP_E_TORN);
    assert_int_equal(b->executed, 1);
    assert_int_equal(b->deselected, 1);
    free(b);
}

static void the_guard_time_after_an_ats_is_kept(void **state)
{
    struct bench *b = bench_new("03208A"); /* SFGI 10: 309 ms */
    (void)state;
    const uint64_t before = scrip_field_now_fc(&b->field);
    bench_begin(b, 0, SCRIP_RATE_106);
    assert_true((scrip_field_now_fc(&b->field) - before) / 13560 >= 309);
    free(b);
}

/* ---- rates ---- */

static void the_fastest_common_rate_is_chosen(void **state)
{
    static const struct {
        uint8_t ta, fastest, to_card, from_card;
    } cases[] = {
        {0x77, 3, 3, 3}, {0x77, 2, 2, 2}, {0x77, 0, 0, 0}, {0x00, 3, 0, 0}, {0x11, 3, 1, 1}, {0x40, 3, 0, 3},
        {0x04, 3, 3, 0}, {0x84, 3, 0, 0}, {0xF3, 3, 2, 2}, {0x80, 3, 0, 0}, {0x7F, 3, 0, 0}, {0xC4, 3, 3, 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char ats[16];
        (void)snprintf(ats, sizeof ats, "0575%02X8102", cases[i].ta);
        struct bench *b = bench_new(ats);
        bench_begin(b, 0, cases[i].fastest);
        assert_int_equal(b->pcd.rate_to, cases[i].to_card);
        assert_int_equal(b->pcd.rate_from, cases[i].from_card);
        assert_ok(bench_call(b, 150, 150));
        bench_check(b, 150, 150);
        assert_ok(scrip_pcd_4_deselect(&b->pcd));
        bench_begin(b, 0, cases[i].fastest); /* found again at 106 */
        assert_ok(bench_call(b, 20, 20));
        free(b);
    }
}

/* 64 byte blocks: at a higher rate each bit takes half as long, and the card begins with 512 cycles more. */
static void air_time_follows_the_rate(void **state)
{
    (void)state;
    for (unsigned rate = SCRIP_RATE_106; rate <= SCRIP_RATE_848; rate++) {
        struct bench *b = bench_new(ATS);
        b->radio.frame_max = 64;
        bench_begin(b, 0, (uint8_t)rate);
        const struct scrip_field_times before = b->field.times;
        assert_ok(bench_call(b, 61, 61));
        assert_int_equal(b->frames, 2);
        const uint32_t etu = 9 * 64 + 2;
        assert_int_equal(b->field.times.reader_fc - before.reader_fc, etu * (128U >> rate));
        assert_int_equal(b->field.times.card_fc - before.card_fc, etu * (128U >> rate) + (rate > 0 ? 512U : 0U));
        free(b);
    }
}

static void a_lost_pps_is_sent_again_and_a_lost_answer_to_it_loses_the_card(void **state)
{
    (void)state;
    for (unsigned from = 0; from < 4; from++) { /* RATS, ATS, PPS, its answer */
        struct bench *b = bench_new(ATS);
        assert_ok(scrip_pcd_find(&b->radio, true, &b->target));
        b->frames = 0;
        b->cut_from = from;
        b->cut_count = 1;
        const enum scrip_status status = scrip_pcd_4_begin(&b->pcd, &b->radio, &b->target, 0, SCRIP_RATE_848);
        assert_status(status, from == 2 ? SCRIP_OK : SCRIP_E_NO_CARD);
        if (status == SCRIP_OK) {
            assert_ok(bench_call(b, 30, 30));
        } else {
            assert_ok(b->radio.power(b->air.ctx, false));
            assert_ok(b->radio.power(b->air.ctx, true));
            bench_begin(b, 0, SCRIP_RATE_848);
            assert_ok(bench_call(b, 30, 30));
        }
        free(b);
    }
}

/* ---- several cards, each with its own identifier ---- */

static void cards_with_identifiers_share_a_field(void **state)
{
    static const char *const uids[] = {"04112233445566", "04112233445567", "08123456"};
    struct bench *b[3];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        b[i] = bench_new(ATS);
        b[i]->uid = uids[i];
        scrip_field_remove(&b[i]->field, &b[i]->card.picc);
        assert_ok(scrip_field_add(&b[0]->field, &b[i]->card.picc));
    }
    struct scrip_target targets[3];
    struct scrip_pcd_4 pcds[3];
    for (uint8_t i = 0; i < 3; i++) {
        assert_ok(scrip_pcd_find(&b[0]->air, false, &targets[i]));
        assert_ok(scrip_pcd_4_begin(&pcds[i], &b[0]->air, &targets[i], (uint8_t)(i + 1), SCRIP_RATE_106));
    }
    struct scrip_target nobody;
    assert_status(scrip_pcd_find(&b[0]->air, true, &nobody), SCRIP_E_NO_CARD);
    for (unsigned round = 0; round < 4; round++) {
        for (size_t i = 0; i < 3; i++) {
            static const uint8_t command[150] = {150, 0};
            struct scrip_buf got = SCRIP_BUF_OF(b[0]->answer);
            assert_ok(scrip_pcd_4_exchange(&pcds[i], SCRIP_BYTES_OF(command), &got));
            assert_int_equal(got.len, 150);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(b[i]->executed, 4);
        assert_ok(scrip_pcd_4_deselect(&pcds[i]));
    }
    for (size_t i = 0; i < 3; i++) {
        free(b[i]);
    }
}

/* ---- answers that no card gives ---- */

struct script {
    const char *answers[40]; /* with CRC to be added; NULL: silence; "+": the link fails; a "~" in front: no CRC */
    size_t count, at;        /* the last is repeated for ever */
    uint8_t last_pcb;
};

static enum scrip_status scripted(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx, uint32_t timeout_us)
{
    struct script *s = ctx;
    uint8_t data[128];
    const char *answer = s->answers[s->at < s->count ? s->at : s->count - 1];
    (void)timeout_us;
    s->at++;
    s->last_pcb = tx->data[0];
    if (answer == NULL || answer[0] == '+') {
        return answer == NULL ? SCRIP_E_TIMEOUT : SCRIP_E_LINK;
    }
    const struct scrip_bytes bytes = scrip_bytes(data, from_hex(answer, data, sizeof data));
    return answer[0] == '~' ? scrip_frame_bytes(rx, bytes) : scrip_frame_bytes_crc(rx, bytes);
}

static void hostile_cards_get_the_reader_nowhere(void **state)
{
    static const struct {
        struct script script;
        enum scrip_status status;
        size_t at_most; /* exchanges */
    } cases[] = {
        {{.answers = {NULL}, .count = 1}, SCRIP_E_TORN, 4},
        {{.answers = {"A3"}, .count = 1}, SCRIP_E_TORN, 8}, /* "again", for ever */
        {{.answers = {"A2"}, .count = 1}, SCRIP_E_TORN, 4}, /* an acknowledgement of nothing */
        {{.answers = {"B2"}, .count = 1}, SCRIP_E_TORN, 4},
        {{.answers = {"03AA"}, .count = 1}, SCRIP_E_TORN, 4},   /* the wrong number */
        {{.answers = {"0A00AA"}, .count = 1}, SCRIP_E_TORN, 4}, /* a CID that was not given */
        {{.answers = {"06AA"}, .count = 1}, SCRIP_E_TORN, 4},   /* NAD */
        {{.answers = {"C2"}, .count = 1}, SCRIP_E_TORN, 4},
        {{.answers = {"F200"}, .count = 1}, SCRIP_E_TORN, 4}, /* WTXM 0 */
        {{.answers = {"F23C"}, .count = 1}, SCRIP_E_TORN, 4}, /* 60 */
        {{.answers = {"F2"}, .count = 1}, SCRIP_E_TORN, 4},
        {{.answers = {"F201"}, .count = 1}, SCRIP_E_TORN, 4200}, /* for ever */
        {{.answers = {"F23B"}, .count = 1}, SCRIP_E_TORN, 300},
        {{.answers = {""}, .count = 1}, SCRIP_E_TORN, 4},
        {{.answers = {"~02AA"}, .count = 1}, SCRIP_E_TORN, 4},
        {{.answers = {"+"}, .count = 1}, SCRIP_E_LINK, 1},
        {{.answers = {"F201", "+"}, .count = 2}, SCRIP_E_LINK, 2},
        {{.answers = {"12AA", "03BB"}, .count = 2}, SCRIP_OK, 2},
        {{.answers = {"12AA", "12AA", "12AA", "03BB"}, .count = 4}, SCRIP_OK, 4},
        {{.answers = {"12AA", "A3", "A2", "03BB"}, .count = 4}, SCRIP_OK, 4},
        {{.answers = {"12AA", "A3"}, .count = 2}, SCRIP_E_TORN, 5},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct script script = cases[i].script;
        const struct scrip_radio radio = {.ctx = &script, .exchange = scripted, .frame_max = 64};
        struct scrip_pcd_4 pcd = {.radio = &radio, .fsc = 64, .fwi = 4, .timeout_us = 5000};
        uint8_t answer[64];
        static const uint8_t command[] = {1, 2, 3};
        struct scrip_buf got = SCRIP_BUF_OF(answer);
        assert_status(scrip_pcd_4_exchange(&pcd, SCRIP_BYTES_OF(command), &got), cases[i].status);
        if (script.at > cases[i].at_most) {
            fail_msg("case %zu: %zu exchanges", i, script.at);
        }
        assert_int_equal(got.len, cases[i].status == SCRIP_OK ? 2 : 0);
        assert_true(cases[i].status != SCRIP_E_TORN || script.last_pcb == 0xC2);
    }
}

static enum scrip_status endless(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx, uint32_t timeout_us)
{
    unsigned *count = ctx;
    const uint8_t block[] = {(uint8_t)(0x12 | (*count)++ % 2), 0xAA};
    (void)tx;
    (void)timeout_us;
    return scrip_frame_bytes_crc(rx, SCRIP_BYTES_OF(block));
}

static void an_endless_response_is_ended(void **state)
{
    static const uint8_t command[] = {1};
    uint8_t answer[8];
    unsigned count = 0;
    const struct scrip_radio radio = {.ctx = &count, .exchange = endless, .frame_max = 64};
    struct scrip_pcd_4 pcd = {.radio = &radio, .fsc = 64, .fwi = 4, .timeout_us = 5000};
    struct scrip_buf got = SCRIP_BUF_OF(answer);
    (void)state;
    assert_status(scrip_pcd_4_exchange(&pcd, SCRIP_BYTES_OF(command), &got), SCRIP_E_TORN);
    assert_int_equal(got.len, 0);
    assert_in_range(count, 16384, 16400);
}

static enum scrip_status any_rate(void *ctx, uint8_t to_card, uint8_t from_card)
{
    (void)ctx;
    return to_card == from_card ? SCRIP_OK : SCRIP_E_UNSUPPORTED;
}

static void an_activation_that_makes_no_sense_is_refused(void **state)
{
    static const struct {
        const char *answers[3];
        size_t count;
        enum scrip_status status;
    } cases[] = {
        {{NULL}, 1, SCRIP_E_NO_CARD},
        {{"+"}, 1, SCRIP_E_LINK},
        {{"~06757781"}, 1, SCRIP_E_MAC},
        {{"05757781"}, 1, SCRIP_E_FORMAT},
        {{""}, 1, SCRIP_E_FORMAT},
        {{"0375"}, 1, SCRIP_E_FORMAT},
        {{"0275"}, 1, SCRIP_E_FORMAT}, /* TA is announced and not there */
        {{"2200000000000000000000000000000000000000000000000000000000000000000000"}, 1, SCRIP_E_FORMAT},
        {{"067577810280", NULL}, 2, SCRIP_E_NO_CARD},
        {{"067577810280", "D1"}, 2, SCRIP_E_FORMAT},
        {{"067577810280", "~D0"}, 2, SCRIP_E_MAC},
        {{"067577810280", "D0"}, 2, SCRIP_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct script script = {.count = cases[i].count};
        memcpy(script.answers, cases[i].answers, sizeof cases[i].answers);
        const struct scrip_radio radio = {.ctx = &script, .exchange = scripted, .rates = any_rate, .frame_max = 64};
        struct scrip_target target = {0};
        struct scrip_pcd_4 pcd;
        assert_status(scrip_pcd_4_begin(&pcd, &radio, &target, 0, SCRIP_RATE_848), cases[i].status);
        assert_int_equal(target.ats_len, cases[i].count > 1 ? 6 : 0);
    }
    const struct scrip_radio slow = {.frame_max = 15};
    struct scrip_pcd_4 pcd;
    struct scrip_target target;
    assert_status(scrip_pcd_4_begin(&pcd, &slow, &target, 0, SCRIP_RATE_106), SCRIP_E_ARGUMENT);
    const struct scrip_radio radio = {.frame_max = 64};
    assert_status(scrip_pcd_4_begin(&pcd, &radio, &target, 15, SCRIP_RATE_106), SCRIP_E_ARGUMENT);
    assert_status(scrip_pcd_4_begin(&pcd, &radio, &target, 0, 4), SCRIP_E_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ats_is_understood),
        cmocka_unit_test(what_an_ats_leaves_out_has_its_default),
        cmocka_unit_test(a_chain_is_made_of_the_known_blocks),
        cmocka_unit_test(apdus_of_any_length_pass_at_each_frame_size),
        cmocka_unit_test(no_frame_is_wasted),
        cmocka_unit_test(a_response_too_long_for_the_caller_is_heard_to_its_end),
        cmocka_unit_test(any_frame_may_be_lost_or_damaged_once_or_twice),
        cmocka_unit_test(losses_apart_from_each_other_do_not_add_up),
        cmocka_unit_test(a_third_loss_in_a_row_ends_it_with_at_most_one_execution),
        cmocka_unit_test(a_card_that_is_taken_away_is_torn),
        cmocka_unit_test(the_presence_check_disturbs_nothing),
        cmocka_unit_test(work_takes_its_time_and_no_more),
        cmocka_unit_test(a_wait_that_never_ends_is_ended),
        cmocka_unit_test(the_guard_time_after_an_ats_is_kept),
        cmocka_unit_test(the_fastest_common_rate_is_chosen),
        cmocka_unit_test(air_time_follows_the_rate),
        cmocka_unit_test(a_lost_pps_is_sent_again_and_a_lost_answer_to_it_loses_the_card),
        cmocka_unit_test(cards_with_identifiers_share_a_field),
        cmocka_unit_test(hostile_cards_get_the_reader_nowhere),
        cmocka_unit_test(an_endless_response_is_ended),
        cmocka_unit_test(an_activation_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
