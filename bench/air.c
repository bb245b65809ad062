#include "air.h"
#include "fleet.h"

#include <scrip/classic.h>
#include <scrip/cmac.h>
#include <scrip/coupler_field.h>
#include <scrip/desfire_card.h>
#include <scrip/journal.h>
#include <scrip/pcsc.h>
#include <scrip/wallet.h>
#include <string.h>

#define START_US   5000U /* from the field to the first frame, waited by the radio */
#define SILENCE_US 5000U /* listening for a NAK after an operand, as the data sheet has it */
#define ETU_FC     128U
#define DELAY_FC   1172U /* the shortest of both frame delay times */
#define FC_PER_MS  ((double)SCRIP_FC_HZ / 1000)
#define LOG_FULL   10U /* debits that fill a DESFire card's transaction log */
#define VALUE      5000
#define FARE       10

/* ---- the frames of a debit ---- */

/* An exchange: bytes with CRC. SHORT is a frame of seven bits, ACK an answer of four, SILENCE none. */
enum { SHORT = 0, ACK = 0, SILENCE = 0xFF };

struct exchange {
    uint8_t sent, heard;
};

/* A native command of DESFire in one block: PCB, code, data, CRC; PCB, status, data, CRC. */
#define BLOCK(sent, heard)                                                                                             \
    {                                                                                                                  \
        4 + (sent), 4 + (heard)                                                                                        \
    }

#define REQUEST                                                                                                        \
    {SHORT, 2}, /* one cascade level */ {2, 5},                                                                        \
    {                                                                                                                  \
        9, 3                                                                                                           \
    }
#define LEVEL_2                                                                                                        \
    {2, 5},                                                                                                            \
    {                                                                                                                  \
        9, 3                                                                                                           \
    }
#define RATS                                                                                                           \
    {                                                                                                                  \
        4, 8                                                                                                           \
    }
#define PASSES                                                                                                         \
    {4, 4},                                                                                                            \
    {                                                                                                                  \
        8, 4                                                                                                           \
    }
#define READ                                                                                                           \
    {                                                                                                                  \
        4, 18                                                                                                          \
    }
#define STEP                                                                                                           \
    {                                                                                                                  \
        4, ACK                                                                                                         \
    }
#define OPERAND                                                                                                        \
    {                                                                                                                  \
        6, SILENCE                                                                                                     \
    }
#define DATA                                                                                                           \
    {                                                                                                                  \
        18, ACK                                                                                                        \
    }

enum { MAC = 8, CRYPTOGRAM = 16, CHALLENGE = 16, RECORD = 16, RECORD_ENC = 32 };

/* From the first read to the commit, as purse-desfire.md has it: Transaction MAC file and log; the two of the flush;
 * balance, Debit, record, reader id, commit. */
#define DEBIT_EV2                                                                                                      \
    BLOCK(7 + MAC, 12 + MAC), BLOCK(7 + MAC, RECORD_ENC + MAC), BLOCK(7 + RECORD + MAC, MAC), BLOCK(MAC, MAC),         \
        BLOCK(1 + MAC, CRYPTOGRAM + MAC), BLOCK(1 + CRYPTOGRAM + MAC, MAC), BLOCK(7 + RECORD_ENC + MAC, MAC),          \
        BLOCK(16 + MAC, CRYPTOGRAM + MAC), BLOCK(1 + MAC, 12 + MAC)
#define SELECT_APPLICATION BLOCK(3, 0)
#define FIRST_EV2          BLOCK(2, CHALLENGE), BLOCK(32, 32)

static const struct exchange NATIVE[] = {REQUEST, PASSES, READ,    READ, STEP, OPERAND,
                                         STEP,    STEP,   OPERAND, STEP, READ, READ};
static const struct exchange BCD[] = {REQUEST, PASSES, READ, READ, STEP, DATA, READ, STEP, DATA, READ};
static const struct exchange OTP[] = {REQUEST, PASSES, READ, STEP, OPERAND, STEP, READ};
static const struct exchange AN12113[] = {REQUEST, LEVEL_2, RATS, SELECT_APPLICATION, FIRST_EV2, DEBIT_EV2};
/* Met under a random UID: with the identification key, GetCardUID, then as itself. */
static const struct exchange RANDOM_ID[] = {
    REQUEST, RATS, SELECT_APPLICATION, FIRST_EV2, BLOCK(MAC, 16 + MAC), BLOCK(1, CHALLENGE), BLOCK(32, 16), DEBIT_EV2};
static const struct exchange EV1[] = {REQUEST,
                                      LEVEL_2,
                                      RATS,
                                      SELECT_APPLICATION,
                                      BLOCK(1, CHALLENGE),
                                      BLOCK(32, 16),
                                      BLOCK(7 + CRYPTOGRAM, MAC),
                                      BLOCK(0, MAC),
                                      BLOCK(7, RECORD_ENC),
                                      BLOCK(1, CRYPTOGRAM),
                                      BLOCK(1 + CRYPTOGRAM, MAC),
                                      BLOCK(7 + RECORD_ENC, MAC),
                                      BLOCK(0, MAC)};

#define FRAMES(rows) .frames = (rows), .count = sizeof(rows) / sizeof *(rows)

struct purse {
    const char *figure, *name;
    const struct scrip_purse_family *family;
    struct scrip_vcard_identity card;
    int32_t value; /* to begin with */
    const struct exchange *frames;
    size_t count;
};

#define DESFIRE(which)                                                                                                 \
    {                                                                                                                  \
        .family = SCRIP_VCARD_DESFIRE, .storage = 0x18, .generation = (which)                                          \
    }

static const struct purse PURSES[AIR_PURSES] = {
    {"air of a debit, native value",
     "classic",
     &scrip_purse_native,
     {.family = SCRIP_VCARD_CLASSIC},
     VALUE,
     FRAMES(NATIVE)},
    {"air of a debit, BCD wallet", "bcd", &scrip_purse_bcd, {.family = SCRIP_VCARD_CLASSIC}, VALUE, FRAMES(BCD)},
    {"air of a debit, one-time wallet",
     "otp+unit=10+units=500",
     &scrip_purse_otp,
     {.family = SCRIP_VCARD_OTP},
     0,
     FRAMES(OTP)},
    {"air of a debit, an12113", "an12113", &scrip_purse_desfire, DESFIRE(SCRIP_DESFIRE_EV3), VALUE, FRAMES(AN12113)},
    {"air of a debit, split+random-id", "split+random-id", &scrip_purse_desfire, DESFIRE(SCRIP_DESFIRE_EV2), VALUE,
     FRAMES(RANDOM_ID)},
    {"air of a debit, ev1", "ev1", &scrip_purse_desfire, DESFIRE(SCRIP_DESFIRE_EV1), VALUE, FRAMES(EV1)},
};

const char *air_name(size_t purse)
{
    return PURSES[purse].figure;
}

static unsigned sent_etu(uint8_t bytes)
{
    return bytes == SHORT ? 9U : 9U * bytes + 2U;
}

static unsigned heard_etu(uint8_t bytes)
{
    return bytes == SILENCE ? 0U : bytes == ACK ? 6U : 9U * bytes + 2U;
}

/* @param silences  receives how many answers are silence */
static double least_ms(const struct purse *purse, unsigned *silences)
{
    uint64_t fc = 0;
    *silences = 0;
    for (size_t i = 0; i < purse->count; i++) {
        const struct exchange *at = &purse->frames[i];
        const bool answered = at->heard != SILENCE;
        *silences += answered ? 0U : 1U;
        fc += (uint64_t)ETU_FC * (sent_etu(at->sent) + heard_etu(at->heard));
        fc += answered ? DELAY_FC : 0U;
        fc += answered && i + 1 < purse->count ? DELAY_FC : 0U; /* before the next frame */
    }
    return (double)fc / FC_PER_MS;
}

/* ---- a card before a reader ---- */

#define LINES 32U

struct air {
    struct scrip_link link; /* first: the link is this */
    const struct purse *purse;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_vcard_host host;
    struct scrip_nv_memory card_memory, journal_memory;
    struct scrip_nv card_nv, journal_nv;
    struct scrip_journal journal;
    struct scrip_vcard *vcard;
    struct scrip_field field;
    struct scrip_coupler_field coupler;
    struct scrip_pcsc reader;
    struct scrip_storage_purse storage;
    struct scrip_desfire_profile profile;
    struct scrip_purse_header header;
    struct scrip_purse_job job;
    uint64_t now_ms;
};

static struct air *air_of(struct scrip_link *link)
{
    return (struct air *)link;
}

static enum scrip_status air_connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    return scrip_pcsc_connect(&air_of(link)->reader, timeout_ms, info);
}

static enum scrip_status air_transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    return scrip_pcsc_apdu(&air_of(link)->reader, capdu, rapdu);
}

static void air_disconnect(struct scrip_link *link)
{
    scrip_pcsc_off(&air_of(link)->reader);
}

static void air_close(struct scrip_link *link)
{
    (void)link;
}

/* A master key per role. */
static enum scrip_status air_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    uint8_t master[16];
    (void)ctx;
    memset(master, 0x10 + (int)role, sizeof master);
    if (m.len == 0) {
        memcpy(out, master, sizeof master);
        return SCRIP_OK;
    }
    return scrip_an10922(SCRIP_AES128, master, m, out);
}

static void tap(struct air *air, enum scrip_purse_operation operation, int32_t amount)
{
    struct scrip_purse_request request = {.profile = &air->profile,
                                          .storage = &air->storage,
                                          .keys = {NULL, air_key},
                                          .random = air->random,
                                          .journal = &air->journal,
                                          .amount = amount,
                                          .new_key_version = 1,
                                          .header = &air->header};
    air->now_ms += 1000;
    scrip_purse_timestamp(air->now_ms, request.timestamp);
    fleet_must(air->purse->name, scrip_link_connect(&air->link, 0, &request.card));
    fleet_must(air->purse->name, scrip_purse_run(&air->job, air->purse->family, operation, &request, &air->link));
    scrip_link_disconnect(&air->link);
}

static void make_purse(struct air *air)
{
    if (air->purse->card.family != SCRIP_VCARD_DESFIRE) {
        fleet_must(air->purse->name, scrip_storage_purse_make(air->purse->name, &air->storage));
        return;
    }
    fleet_must(air->purse->name, scrip_desfire_profile_make(air->purse->name, &air->profile));
    air->header = (struct scrip_purse_header){.profile = scrip_desfire_profile_id(&air->profile),
                                              .currency = 978,
                                              .exponent = 2,
                                              .card_number = "1000000001",
                                              .issuer = "Benchmark"};
}

static void make_journal(struct air *air)
{
    const uint8_t terminal[4] = {'G', 'A', 'T', '1'};
    fleet_must("journal", scrip_nv_memory_init(&air->journal_memory, SCRIP_JOURNAL_PAGES(LINES)));
    air->journal_nv = scrip_nv_memory(&air->journal_memory);
    fleet_must("journal", scrip_journal_format(&air->journal_nv, terminal));
    fleet_must("journal", scrip_journal_open(&air->journal, &air->journal_nv));
}

static void air_open(struct air *air, const struct purse *purse, uint64_t seed)
{
    static const struct scrip_link_ops ops = {air_connect, air_transmit, air_disconnect, air_close};
    memset(air, 0, sizeof *air);
    air->link.ops = &ops;
    air->purse = purse;
    air->now_ms = 1780000000000ULL;
    scrip_random_seeded_init(&air->seeded, seed);
    air->random = scrip_random_seeded(&air->seeded);
    air->host.random = &air->random;
    make_purse(air);
    make_journal(air);
    fleet_must("memory", scrip_nv_memory_init(&air->card_memory, scrip_vcard_pages(&purse->card)));
    air->card_nv = scrip_nv_memory(&air->card_memory);
    fleet_must("card", scrip_vcard_open_nv(&air->card_nv, &purse->card, true, &air->host, &air->vcard));
    scrip_field_init(&air->field);
    fleet_must("field", scrip_field_add(&air->field, scrip_vcard_picc(air->vcard)));
    scrip_coupler_field_init(&air->coupler, &air->field, &air->random);
    scrip_pcsc_init(&air->reader, &air->coupler.coupler);
    tap(air, SCRIP_PURSE_PERSONALISE, purse->value);
}

static void air_free(struct air *air)
{
    scrip_vcard_close(air->vcard);
    scrip_nv_memory_free(&air->card_memory);
    scrip_nv_memory_free(&air->journal_memory);
}

/* ---- measuring ---- */

/* What a debit takes: the air, and apart from it listening for nothing and the card's work. All ms. */
struct spent {
    double air, silence, work;
};

static struct spent debit(struct air *air, unsigned silences)
{
    const struct scrip_field_times before = air->field.times;
    const struct scrip_field_times *now = &air->field.times;
    const double silence = silences * (SILENCE_US / 1000.0);
    tap(air, SCRIP_PURSE_DEBIT, FARE);
    const uint64_t frames_fc = now->reader_fc + now->card_fc + now->delay_fc;
    const uint64_t frames_before_fc = before.reader_fc + before.card_fc + before.delay_fc;
    const double waited = (double)(now->idle_fc - before.idle_fc) / FC_PER_MS - START_US / 1000.0;
    return (struct spent){.air = (double)(frames_fc - frames_before_fc) / FC_PER_MS + (waited - silence),
                          .silence = silence,
                          .work = (double)(now->busy_fc - before.busy_fc) / FC_PER_MS};
}

static void note(const struct bench_options *options, const struct purse *purse, const char *what, double ms)
{
    char name[96];
    if (ms > 0) {
        (void)snprintf(name, sizeof name, "%s: %s", purse->figure, what);
        bench_note(options, name, ms, "ms");
    }
}

static void measure(const struct bench_options *options, const struct purse *purse, struct bench_figure *figure)
{
    static struct air air; /* too large for a stack */
    struct spent spent = {0};
    unsigned silences = 0;
    const double least = least_ms(purse, &silences);
    for (size_t i = 0; i < options->rounds; i++) {
        air_open(&air, purse, options->seed + i);
        spent = debit(&air, silences);
        bench_figure_add(figure, spent.air, least);
        if (i + 1 == options->rounds && purse->card.family == SCRIP_VCARD_DESFIRE) {
            for (unsigned k = 0; k < LOG_FULL; k++) {
                tap(&air, SCRIP_PURSE_DEBIT, FARE);
            }
            note(options, purse, "with a full log", debit(&air, 0).air);
        }
        air_free(&air);
    }
    note(options, purse, "silence after operands", spent.silence);
    note(options, purse, "the card's work", spent.work);
}

void air_measure(const struct bench_options *options, struct bench_figure figures[AIR_PURSES])
{
    for (size_t i = 0; i < AIR_PURSES; i++) {
        measure(options, &PURSES[i], &figures[i]);
    }
}
