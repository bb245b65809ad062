/* trace.c: whole exchanges of MIFARE Classic, bit by bit, played to our card and to our reader. */
#include "air.h"
#include <scrip/classic_card.h>
#include <scrip/crc.h>
#include <scrip/field.h>
#include <scrip/mifare.h>
#include <scrip/posix.h>
#include <stdlib.h>
#include <string.h>

/* ---- a card on the table ---- */

struct seat {
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_random_scripted script;
    struct scrip_random random;
    struct scrip_classic_card card;
};

static void take_seat(struct vector *v, struct seat *seat, struct scrip_bytes uid, bool is_4k)
{
    struct scrip_classic_identity identity = {.uid_len = (uint8_t)uid.len, .is_4k = is_4k};
    if (uid.len > sizeof identity.uid) {
        vector_fail(v, "uid: %zu bytes", uid.len);
    }
    memcpy(identity.uid, uid.at, uid.len);
    scrip_nv_memory_free(&seat->memory);
    memset(seat, 0, sizeof *seat);
    all_right(v, "nv", scrip_nv_memory_init(&seat->memory, scrip_classic_card_pages(is_4k)));
    seat->nv = scrip_nv_memory(&seat->memory);
    seat->random = scrip_random_scripted(&seat->script);
    all_right(v, "card", scrip_classic_card_make(&seat->nv, &identity));
    scrip_classic_card_init(&seat->card, &(struct scrip_classic_host){.nv = &seat->nv, .random = &seat->random}, NULL);
}

static void power(struct vector *v, struct seat *seat)
{
    all_right(v, "power", seat->card.picc.ops->power(&seat->card.picc, true));
}

/* ---- activation ---- */

static void activation(struct vector *v)
{
    static struct seat seat;
    static struct air air;
    const struct scrip_bytes uid = in_bytes(v, "uid");
    const char *memory = in_text(v, "memory");
    struct scrip_target target;

    air_load(v, want_json(v, "frames"), &air);
    take_seat(v, &seat, uid, strcmp(memory, "4K") == 0);
    power(v, &seat);
    air_to_card(&air, &seat.card.picc);

    const struct scrip_radio radio = air_player(&air);
    all_right(v, "reader", scrip_pcd_find(&radio, false, &target));
    air_ended(&air);
    same_bytes(v, "reader: uid", uid, scrip_bytes(target.uid, target.uid_len));
    if (target.sak != (strcmp(memory, "4K") == 0 ? 0x18 : 0x08)) {
        vector_fail(v, "reader: SAK %02X", target.sak);
    }
}

/* ---- anticollision ---- */

/* Bits in order of transmission, from bit `from` of the first byte on. */
static void want_bits(struct vector *v, const char *name, const struct scrip_frame *frame)
{
    char text[65] = "";
    for (unsigned i = 0; i < frame->bits && i < sizeof text - 1; i++) {
        const unsigned at = frame->align + i;
        text[i] = (frame->data[at / 8] >> at % 8 & 1U) != 0 ? '1' : '0';
    }
    want_text(v, name, text);
}

/* The second ANTICOLLISION that a reader sends, and what it is answered. */
struct second_try {
    unsigned seen;
    struct scrip_frame request;
    struct scrip_frame answer;
};

static void watch(void *ctx, const struct scrip_frame *frame, bool from_card, uint64_t at_fc)
{
    struct second_try *second = ctx;
    (void)at_fc;
    if (!from_card && frame->data[0] == 0x93 && frame->data[1] < 0x70) {
        second->seen++;
        second->request = second->seen == 2 ? *frame : second->request;
    } else if (from_card && second->seen == 2 && second->answer.bits == 0) {
        second->answer = *frame;
    }
}

/* Another card is like this one up to the last bit that the reader is to know, where it has a 0: so it learns the bits
 * by a collision, and takes the 1. */
static void anticollision(struct vector *v)
{
    static struct seat seats[2];
    const uint8_t *uid = in_exactly(v, "uid", 4);
    const unsigned last = (unsigned)in_int(v, "known_bits") - 1U;
    uint8_t other[4];
    struct scrip_field field;
    struct scrip_radio radio;
    struct scrip_target target;
    struct second_try second = {0};

    memcpy(other, uid, sizeof other);
    if (last >= 32 || (uid[last / 8] >> last % 8 & 1U) == 0) {
        vector_fail(v, "the last known bit is no 1");
    }
    other[last / 8] ^= (uint8_t)(1U << last % 8);
    take_seat(v, &seats[0], scrip_bytes(uid, 4), false);
    take_seat(v, &seats[1], SCRIP_BYTES_OF(other), false);
    scrip_field_init(&field);
    field.sniff = watch;
    field.sniff_ctx = &second;
    all_right(v, "field", scrip_field_add(&field, &seats[0].card.picc));
    all_right(v, "field", scrip_field_add(&field, &seats[1].card.picc));
    scrip_field_radio(&field, &radio);
    all_right(v, "field", radio.power(radio.ctx, true));
    all_right(v, "reader", scrip_pcd_find(&radio, false, &target));
    same_bytes(v, "reader: uid", scrip_bytes(uid, 4), scrip_bytes(target.uid, target.uid_len));
    want_bits(v, "request_bits", &second.request);
    want_bytes(v, "nvb", scrip_bytes(&second.request.data[1], 1));
    want_bits(v, "answer_bits", &second.answer);
}

/* ---- traces of sessions ---- */

struct script {
    struct vector *v;
    struct scrip_bytes uid;
    bool is_4k;
    struct air air;
    uint8_t keys[SCRIP_CLASSIC_4K_SECTORS][2][6]; /* as the reader knows them */
    bool wrong;                                   /* the reader uses this one instead */
    uint8_t wrong_key[6];
    json_t *blocks; /* initial; NULL: as delivered */
    struct scrip_bytes card_nonces;
    struct scrip_bytes reader_nonces;
};

static bool is_authentication(struct scrip_bytes plain)
{
    return plain.len == 4 && (plain.at[0] == SCRIP_MIFARE_AUTH_A || plain.at[0] == SCRIP_MIFARE_AUTH_B);
}

static struct scrip_bytes list_bytes(struct vector *v, json_t *list)
{
    json_t *item;
    size_t i;
    struct scrip_bytes all = scrip_bytes(v->memory + v->used, 0);
    json_array_foreach(list, i, item)
    {
        all.len += vector_hex(v, "nonces", json_string_value(item)).len; /* one behind the other */
    }
    return all;
}

/* Nonces out of the frames themselves, where the vector does not list them. */
static void nonces_of_frames(struct script *s)
{
    static uint8_t nonces[2][4 * AIR_FRAMES];
    size_t count = 0;
    for (size_t i = 0; i + 2 < s->air.count; i += 2) {
        if (is_authentication(s->air.frames[i].plain)) {
            memcpy(nonces[0] + 4 * count, s->air.frames[i + 1].plain.at, 4);
            memcpy(nonces[1] + 4 * count, s->air.frames[i + 2].plain.at, 4);
            count++;
        }
    }
    s->card_nonces = scrip_bytes(nonces[0], 4 * count);
    s->reader_nonces = scrip_bytes(nonces[1], 4 * count);
}

/* "A7": key A of the sector whose trailer is block 7. */
static void take_key(struct script *s, const char *name, const char *hex)
{
    const struct scrip_bytes key = vector_hex(s->v, name, hex);
    char *end = NULL;
    const unsigned long block = strtoul(name + 1, &end, 10);
    if (key.len != 6) {
        vector_fail(s->v, "%s: not six bytes", name);
    }
    if (strcmp(name, "reader_used") == 0) {
        s->wrong = true;
        memcpy(s->wrong_key, key.at, 6);
        return;
    }
    if ((name[0] != 'A' && name[0] != 'B') || end == name + 1 || *end != '\0' || block > 255 ||
        scrip_classic_group((uint8_t)block) != 3) {
        vector_fail(s->v, "%s: whose key?", name);
    }
    memcpy(s->keys[scrip_classic_sector((uint8_t)block)][name[0] == 'B'], key.at, 6);
}

static void take_keys(struct script *s)
{
    const char *name;
    json_t *key;
    json_t *keys = NULL;

    memset(s->keys, 0xFF, sizeof s->keys);
    if (in_has(s->v, "key_all")) {
        same_bytes(s->v, "key_all", scrip_bytes(s->keys[0][0], 6), in_bytes(s->v, "key_all"));
        return;
    }
    keys = in_json(s->v, "keys");
    json_object_foreach(keys, name, key)
    {
        if (strncmp(name, "new", 3) != 0) { /* those come by what is written; see new_keys */
            take_key(s, name, json_string_value(key));
        }
    }
}

/* The key that the reader uses for an authentication. */
static const uint8_t *key_for(const struct script *s, const uint8_t *head)
{
    return s->wrong ? s->wrong_key : s->keys[scrip_classic_sector(head[1])][head[0] == SCRIP_MIFARE_AUTH_B];
}

/* A trailer was written: its keys are known from now on. */
static void learn_keys(struct script *s, uint8_t block, const uint8_t *data)
{
    if (scrip_classic_group(block) == 3) {
        memcpy(s->keys[scrip_classic_sector(block)][0], data + SCRIP_CLASSIC_AT_KEY_A, 6);
        memcpy(s->keys[scrip_classic_sector(block)][1], data + SCRIP_CLASSIC_AT_KEY_B, 6);
    }
}

/* What the vector calls new keys is what the reader came to know by writing a trailer. */
static void want_new_keys(struct script *s, json_t *keys)
{
    for (int b = 0; b < 2; b++) {
        const char *hex = json_string_value(json_object_get(keys, b != 0 ? "newB" : "newA"));
        bool found = hex == NULL;
        for (size_t sector = 0; sector < SCRIP_CLASSIC_4K_SECTORS && !found; sector++) {
            found = memcmp(vector_hex(s->v, "new key", hex).at, s->keys[sector][b], 6) == 0;
        }
        if (!found) {
            vector_fail(s->v, "a new key was never written");
        }
    }
}

static void load_script(struct vector *v, struct script *s)
{
    const char *name;
    json_t *hex;

    memset(s, 0, sizeof *s);
    s->v = v;
    s->uid = in_bytes(v, "uid");
    air_load(v, want_json(v, "frames"), &s->air);
    if (!in_has(v, "card_nonces")) {
        nonces_of_frames(s);
        return;
    }
    s->card_nonces = list_bytes(v, in_json(v, "card_nonces"));
    s->reader_nonces = list_bytes(v, in_json(v, "reader_nonces"));
    s->blocks = in_json(v, "initial_blocks");
    json_object_foreach(s->blocks, name, hex)
    {
        s->is_4k = s->is_4k || strtoul(name, NULL, 10) >= SCRIP_CLASSIC_1K_BLOCKS;
    }
}

/* ---- the card's side ---- */

static void poke_blocks(struct script *s, struct seat *seat)
{
    const char *name;
    json_t *hex;
    json_object_foreach(s->blocks, name, hex)
    {
        const struct scrip_bytes data = vector_hex(s->v, name, json_string_value(hex));
        if (data.len != SCRIP_CLASSIC_BLOCK) {
            vector_fail(s->v, "block %s: %zu bytes", name, data.len);
        }
        all_right(s->v, name, scrip_classic_card_poke(&seat->nv, (uint8_t)strtoul(name, NULL, 10), data.at));
    }
}

/* A radio that hands frames to one card: enough to select it. */
static enum scrip_status direct_exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                         uint32_t timeout_us)
{
    struct scrip_picc *picc = ctx;
    (void)timeout_us;
    scrip_frame_clear(rx);
    SCRIP_TRY(picc->ops->frame(picc, tx, rx));
    return rx->bits == 0 ? SCRIP_E_TIMEOUT : SCRIP_OK;
}

static bool answers(const struct scrip_radio *radio, bool wake)
{
    uint8_t atqa[2];
    return scrip_pcd_request(radio, wake, atqa) == SCRIP_OK;
}

/* IDLE answers REQA at once; an active card only falls back; HALT needs WUPA. */
static const char *state_of(const struct scrip_radio *radio)
{
    if (answers(radio, false)) {
        return "IDLE";
    }
    return answers(radio, false) ? "AUTHED" : answers(radio, true) ? "HALT" : "gone";
}

static void same_final(struct script *s, struct seat *seat, const struct scrip_radio *radio)
{
    const char *name;
    json_t *hex;
    uint8_t data[SCRIP_CLASSIC_BLOCK];

    if (!want_has(s->v, "final_state")) {
        return;
    }
    want_text(s->v, "final_state", state_of(radio));
    json_t *blocks = want_json(s->v, "final_blocks");
    json_object_foreach(blocks, name, hex)
    {
        all_right(s->v, name, scrip_classic_card_peek(&seat->nv, (uint8_t)strtoul(name, NULL, 10), data));
        same_bytes(s->v, name, vector_hex(s->v, name, json_string_value(hex)), SCRIP_BYTES_OF(data));
    }
}

static void card_side(struct script *s)
{
    static struct seat seat;
    struct scrip_target target;

    take_seat(s->v, &seat, s->uid, s->is_4k);
    poke_blocks(s, &seat);
    seat.script.left = s->card_nonces;
    power(s->v, &seat);
    const struct scrip_radio radio = {
        .ctx = &seat.card.picc, .exchange = direct_exchange, .frame_max = SCRIP_FRAME_MAX};
    all_right(s->v, "card: selection", scrip_pcd_find(&radio, false, &target));
    air_to_card(&s->air, &seat.card.picc);
    same_final(s, &seat, &radio);
}

/* ---- the reader's side ---- */

static bool crc_good(struct scrip_bytes plain)
{
    return plain.len > 2 &&
           scrip_crc16_a(scrip_bytes_head(plain, plain.len - 2)) == scrip_get_le16(plain.at + plain.len - 2);
}

/* What the recorded answer says that the library must say. */
static enum scrip_status expected(const struct air_frame *answer, bool silence_is_good)
{
    if (answer->frame.bits == 0) {
        return silence_is_good ? SCRIP_OK : SCRIP_E_TORN;
    }
    return answer->frame.bits == 4 && answer->plain.at[0] != SCRIP_CLASSIC_ACK ? SCRIP_E_CARD : SCRIP_OK;
}

static void same_status(struct vector *v, size_t number, enum scrip_status wanted, enum scrip_status got)
{
    if (wanted != got) {
        vector_fail(v, "reader: frame %zu: %s, should be %s", number, scrip_status_name(got),
                    scrip_status_name(wanted));
    }
}

static void replay_authentication(struct script *s, struct scrip_mifare_soft *soft)
{
    const size_t at = s->air.next;
    const uint8_t *head = s->air.frames[at].plain.at;
    uint8_t command[12] = {head[0], head[1]};
    struct scrip_buf none = {0};

    memcpy(command + 2, key_for(s, head), 6);
    memcpy(command + 8, s->uid.at + s->uid.len - 4, 4);
    const bool refused = at + 3 < s->air.count && s->air.frames[at + 3].frame.bits == 0;
    same_status(s->v, at, refused ? SCRIP_E_AUTH : SCRIP_OK,
                scrip_mifare_exchange(&soft->radio, &soft->auth, SCRIP_BYTES_OF(command), &none));
}

/* Our reader never sends a wrong CRC; its cipher does. */
static void replay_damaged(struct script *s, struct scrip_mifare_soft *soft)
{
    const size_t at = s->air.next;
    struct scrip_frame tx;
    struct scrip_frame rx;
    all_right(s->v, "frame", scrip_frame_bytes(&tx, s->air.frames[at].plain));
    all_right(s->v, "reader: damaged frame", soft->radio.exchange(soft->radio.ctx, &tx, &rx, 0));
    same_bytes(s->v, "reader: answer", s->air.frames[at + 1].plain, scrip_bytes(rx.data, 1));
}

/* A command: its first frame, and the operand in the second one when the first was acknowledged. */
static void replay_command(struct script *s, struct scrip_mifare_soft *soft)
{
    const size_t at = s->air.next;
    const struct air_frame *frames = s->air.frames + at;
    const struct scrip_classic_command *row = scrip_classic_command(frames[0].plain.at[0]);
    uint8_t bytes[SCRIP_MIFARE_COMMAND_MAX] = {frames[0].plain.at[0], frames[0].plain.at[1]};
    uint8_t room[SCRIP_CLASSIC_BLOCK];
    struct scrip_buf response = SCRIP_BUF_OF(room);
    const bool last = at + 1 == s->air.count; /* the recording stops before the answer */
    enum scrip_status wanted = last ? SCRIP_E_TORN : expected(&frames[1], row->answer == SCRIP_CLASSIC_ANSWER_SILENCE);

    if (row->operand > 0 && wanted == SCRIP_OK) {
        memcpy(bytes + 2, frames[2].plain.at, row->operand);
        wanted = expected(&frames[3], row->answer == SCRIP_CLASSIC_ANSWER_SILENCE);
    }
    same_status(s->v, at, wanted,
                scrip_mifare_exchange(&soft->radio, &soft->auth, scrip_bytes(bytes, 2U + row->operand), &response));
    if (row->answer == SCRIP_CLASSIC_ANSWER_BLOCK && wanted == SCRIP_OK) {
        same_bytes(s->v, "reader: block", scrip_bytes_head(frames[1].plain, 16), scrip_buf_bytes(&response));
    }
    if (row->opcode == SCRIP_MIFARE_WRITE && wanted == SCRIP_OK) {
        learn_keys(s, bytes[1], bytes + 2);
    }
}

static void reader_side(struct script *s)
{
    struct scrip_random_scripted script = {.left = s->reader_nonces};
    const struct scrip_random random = scrip_random_scripted(&script);
    const struct scrip_radio radio = air_player(&s->air);
    struct scrip_mifare_soft soft;

    scrip_mifare_soft_init(&soft, &radio, &random);
    while (s->air.next < s->air.count) {
        const struct scrip_bytes plain = s->air.frames[s->air.next].plain;
        if (is_authentication(plain)) {
            replay_authentication(s, &soft);
        } else if (crc_good(plain) && scrip_classic_command(plain.at[0]) != NULL) {
            replay_command(s, &soft);
        } else {
            replay_damaged(s, &soft);
        }
    }
    air_ended(&s->air);
}

/* ---- who only listens, and knows the keys ---- */

/* Decipher frame `i` as whoever received it. `before` is the deciphered frame before it. */
static void listen(struct script *s, struct scrip_crypto1 *cipher, bool *on, size_t i, const struct scrip_frame *before,
                   struct scrip_frame *frame)
{
    const uint32_t uid4 = scrip_get_be32(s->uid.at + s->uid.len - 4);
    const bool nonce = i % 2 == 1 && before->bits == 32 && (before->data[0] & 0xFEU) == SCRIP_MIFARE_AUTH_A;

    if (nonce) {
        scrip_crypto1_load(cipher, key_for(s, before->data));
        if (*on) {
            all_right(s->v, "nonce", scrip_mifare_sm_decrypt_nonce(cipher, frame, uid4));
        } else {
            (void)scrip_crypto1_word(cipher, uid4 ^ scrip_get_be32(frame->data));
        }
        *on = true;
    } else if (*on && frame->bits == 64) {
        all_right(s->v, "proof", scrip_mifare_sm_decrypt_nonce(cipher, frame, 0));
    } else if (*on) {
        all_right(s->v, "parity", scrip_mifare_sm_decrypt(cipher, frame));
    }
}

/* Every frame means what the vector says. */
static void listener(struct script *s)
{
    struct scrip_crypto1 cipher;
    struct scrip_frame before;
    bool on = false;

    scrip_frame_clear(&before);
    for (size_t i = 0; i < s->air.count; i++) {
        struct scrip_frame frame = s->air.frames[i].frame;
        const struct scrip_bytes plain = s->air.frames[i].plain;
        listen(s, &cipher, &on, i, &before, &frame);
        same_bytes(s->v, "meaning", plain, scrip_bytes(frame.data, scrip_frame_len(&frame)));
        if (i >= 2 && s->air.frames[i - 2].plain.len > 1 && s->air.frames[i - 2].plain.at[0] == SCRIP_MIFARE_WRITE &&
            i % 2 == 0 && plain.len == 18) {
            learn_keys(s, s->air.frames[i - 2].plain.at[1], plain.at);
        }
        before = frame;
    }
}

static void full_trace(struct vector *v)
{
    static struct script s;
    uint8_t first_keys[sizeof s.keys];
    json_t *keys = json_object_get(v->in, "keys");
    load_script(v, &s);
    take_keys(&s);
    memcpy(first_keys, s.keys, sizeof first_keys);
    listener(&s);
    memcpy(s.keys, first_keys, sizeof first_keys);
    card_side(&s);
    reader_side(&s);
    want_new_keys(&s, keys);
}

const struct vector_kind VECTORS_AIR[] = {
    {"activation", activation},
    {"anticollision_bits", anticollision},
    {"full_trace", full_trace},
    {NULL, NULL},
};
