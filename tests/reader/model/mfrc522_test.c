/* The MFRC522 model, driven as drivers drive the chip, by SPI and by its UART. */
#include "mfrc522_client.h"

#define FF_KEY ((const uint8_t[6]){0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})

static const bool ways[] = {false, true};

static void registers_come_out_of_reset_with_the_values_of_the_data_sheet(void **state)
{
    static const uint8_t values[][2] = {
        {0x01, 0x20}, {0x02, 0x80}, {0x03, 0x00}, {0x05, 0x00}, {0x06, 0x00}, {0x08, 0x00}, {0x0A, 0x00},
        {0x0B, 0x08}, {0x0C, 0x10}, {0x0D, 0x00}, {0x0E, 0xA0}, {0x11, 0x3F}, {0x12, 0x00}, {0x13, 0x00},
        {0x14, 0x80}, {0x15, 0x00}, {0x16, 0x10}, {0x17, 0x84}, {0x18, 0x84}, {0x19, 0x4D}, {0x1C, 0x62},
        {0x1D, 0x00}, {0x1F, 0xEB}, {0x21, 0xFF}, {0x22, 0xFF}, {0x24, 0x26}, {0x26, 0x48}, {0x27, 0x88},
        {0x28, 0x20}, {0x29, 0x20}, {0x2A, 0x00}, {0x2B, 0x00}, {0x36, 0x40}, {0x37, 0x92}};
    struct client c;
    (void)state;
    client_begin(&c, false);
    client_write(&c, CIU_COMMAND, CIU_SOFT_RESET);
    assert_int_equal(client_read(&c, CIU_COMMAND) & 0x10, 0x10); /* not ready yet */
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_int_equal(client_read(&c, values[i][0]), values[i][1]);
    }
    assert_false(c.field.on);
}

static void one_transfer_reads_many_registers(void **state)
{
    struct client c;
    uint8_t bytes[] = {0x80 | CIU_VERSION << 1, 0x80 | CIU_MODE << 1, 0x80 | CIU_T_RELOAD_LOW << 1, 0};
    (void)state;
    client_begin(&c, false);
    scrip_mfrc522_model_spi(&c.chip, bytes, bytes, sizeof bytes);
    assert_hex(scrip_bytes(bytes + 1, 3), "92 3D E8");
}

static void the_coprocessor_computes_crc_a_from_the_preset(void **state)
{
    struct client c;
    uint8_t crc[2];
    (void)state;
    client_begin(&c, false);
    assert_int_equal(client_crc(&c, (const uint8_t[]){0x12, 0x34}, 2, crc), CLIENT_OK);
    assert_hex(SCRIP_BYTES_OF(crc), "26 CF");
    assert_int_equal(client_read(&c, CIU_FIFO_LEVEL), 0);

    client_write(&c, CIU_COMMAND, CIU_CALC_CRC); /* bytes may come afterwards too */
    client_write(&c, CIU_FIFO_DATA, 0x12);
    client_write(&c, CIU_FIFO_DATA, 0x34);
    assert_int_equal(client_read(&c, CIU_CRC_LOW), 0x26);
    assert_int_equal(client_read(&c, CIU_CRC_HIGH), 0xCF);

    client_write(&c, CIU_MODE, 0x3C); /* preset 0000 */
    assert_int_equal(client_crc(&c, (const uint8_t[]){0x00, 0x00}, 2, crc), CLIENT_OK);
    assert_hex(SCRIP_BYTES_OF(crc), "00 00");
}

static void the_fifo_holds_64_bytes_and_says_when_it_overflows(void **state)
{
    struct client c;
    (void)state;
    client_begin(&c, false);
    for (unsigned i = 0; i < 64; i++) {
        client_write(&c, CIU_FIFO_DATA, (uint8_t)i);
    }
    assert_int_equal(client_read(&c, CIU_ERROR), 0);
    assert_int_equal(client_read(&c, CIU_STATUS1) & 0x03, 0x02); /* high alert */
    client_write(&c, CIU_FIFO_DATA, 64);
    assert_int_equal(client_read(&c, CIU_ERROR), 0x10);
    assert_int_equal(client_read(&c, CIU_FIFO_LEVEL), 64);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(client_read(&c, CIU_FIFO_DATA), i);
    }
    assert_int_equal(client_read(&c, CIU_FIFO_DATA), 0);
    client_write(&c, CIU_FIFO_DATA, 1);
    client_write(&c, CIU_FIFO_LEVEL, 0x80);
    assert_int_equal(client_read(&c, CIU_FIFO_LEVEL), 0);
    assert_int_equal(client_read(&c, CIU_ERROR), 0);
}

static void memory_and_random_id_go_through_the_fifo(void **state)
{
    struct client c;
    uint8_t id[2][25];
    (void)state;
    client_begin(&c, false);
    for (size_t i = 0; i < 2; i++) {
        client_write(&c, CIU_COMMAND, CIU_RANDOM_ID);
        client_write(&c, CIU_COMMAND, CIU_MEM);
        assert_int_equal(client_read(&c, CIU_FIFO_LEVEL), 25);
        client_read_fifo(&c, id[i], 25);
    }
    assert_memory_not_equal(id[0], id[1], 10);
    client_write_fifo(&c, (const uint8_t *)"abc", 3);
    client_write(&c, CIU_COMMAND, CIU_MEM);
    client_write(&c, CIU_COMMAND, CIU_MEM);
    client_read_fifo(&c, id[0], 4);
    assert_memory_equal(id[0], "abc", 4);
}

static void marks_in_the_interrupt_registers_are_cleared_and_set_by_their_top_bit(void **state)
{
    struct client c;
    (void)state;
    client_begin(&c, false);
    client_write(&c, CIU_COM_IRQ, 0x7F);
    assert_int_equal(client_read(&c, CIU_COM_IRQ), 0);
    client_write(&c, CIU_COM_IRQ, 0x80 | 0x21);
    assert_int_equal(client_read(&c, CIU_COM_IRQ), 0x21);
    client_write(&c, CIU_COM_IRQ, 0x20);
    assert_int_equal(client_read(&c, CIU_COM_IRQ), 0x01);
    assert_false(scrip_ciu_irq(&c.chip.ciu));
    client_write(&c, CIU_COM_IEN, 0x81);
    assert_true(scrip_ciu_irq(&c.chip.ciu));
    assert_int_equal(client_read(&c, CIU_STATUS1) & 0x10, 0x10);
}

static void a_timer_started_by_hand_ends_after_its_period(void **state)
{
    struct client c;
    (void)state;
    client_begin(&c, false);
    client_write(&c, CIU_T_MODE, 0x00); /* 169 * 2 + 1 cycles a tick, 1001 ticks: 25 ms */
    client_write(&c, CIU_COM_IRQ, 0x7F);
    client_write(&c, CIU_CONTROL, 0x40);
    assert_int_equal(client_read(&c, CIU_STATUS1) & 0x08, 0x08);
    assert_in_range(client_read(&c, CIU_T_COUNTER_HIGH) << 8 | client_read(&c, CIU_T_COUNTER_LOW), 990, 1000);
    scrip_field_wait(&c.field, 24000);
    assert_int_equal(client_read(&c, CIU_COM_IRQ) & 0x01, 0);
    scrip_field_wait(&c.field, 1100);
    assert_int_equal(client_read(&c, CIU_COM_IRQ) & 0x01, 0x01);
    assert_int_equal(client_read(&c, CIU_STATUS1) & 0x08, 0);
    client_write(&c, CIU_CONTROL, 0x40);
    client_write(&c, CIU_CONTROL, 0x80);
    client_write(&c, CIU_COM_IRQ, 0x7F);
    scrip_field_wait(&c.field, 30000);
    assert_int_equal(client_read(&c, CIU_COM_IRQ) & 0x01, 0);
}

static void silence_ends_when_the_automatic_timer_does(void **state)
{
    struct client c;
    struct client_exchange x;
    (void)state;
    client_begin(&c, false);
    const uint64_t before = scrip_field_now_fc(&c.field);
    assert_int_equal(client_request(&c, 0x26, &x), CLIENT_TIMEOUT);
    const uint64_t us = (scrip_field_now_fc(&c.field) - before) * 100 / 1356;
    assert_in_range(us, 25000, 26000);
    assert_int_equal(client_read(&c, CIU_COMMAND) & 0x0F, CIU_TRANSCEIVE); /* does not end by itself */
}

static void a_request_is_answered_with_the_atqa(void **state)
{
    struct client c;
    struct client_exchange x;
    struct tag tag;
    (void)state;
    for (size_t way = 0; way < 2; way++) {
        client_begin(&c, ways[way]);
        tag_init(&tag, "DEADBEEF", 0x08);
        assert_ok(scrip_field_add(&c.field, &tag.picc));
        assert_int_equal(client_request(&c, 0x26, &x), CLIENT_OK);
        assert_hex(scrip_bytes(x.rx, x.rx_len), "04 00");
        assert_int_equal(x.rx_last_bits, 0);
    }
}

static void cards_are_selected_through_all_cascade_levels(void **state)
{
    static const char *const uids[] = {"DEADBEEF", "04A1B2C3D4E580", "04112233445566778899"};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct client c;
        struct client_exchange x;
        struct tag tag;
        uint8_t uid[10];
        uint8_t sak;
        client_begin(&c, ways[i / 3]);
        tag_init(&tag, uids[i % 3], 0x20);
        assert_ok(scrip_field_add(&c.field, &tag.picc));
        assert_int_equal(client_request(&c, 0x26, &x), CLIENT_OK);
        assert_hex(scrip_bytes(uid, client_select(&c, uid, &sak)), uids[i % 3]);
        assert_int_equal(sak, 0x20);
    }
}

static void of_several_cards_each_is_found_by_following_the_collisions(void **state)
{
    static const char *const uids[] = {"11223344", "11223345",       "91223344",
                                       "DEADBEEF", "04A1B2C3D4E580", "04A1B2C3D4E581"};
    enum { CARDS = sizeof uids / sizeof uids[0] };
    struct client c;
    struct client_exchange x;
    struct tag tags[CARDS];
    unsigned found = 0;
    (void)state;
    client_begin(&c, false);
    for (size_t i = 0; i < CARDS; i++) {
        tag_init(&tags[i], uids[i], 0x08);
        assert_ok(scrip_field_add(&c.field, &tags[i].picc));
    }
    for (size_t n = 0; n < CARDS; n++) {
        uint8_t uid[10];
        uint8_t sak;
        const int result = client_request(&c, 0x26, &x);
        assert_true(result == CLIENT_OK || result == CLIENT_COLLISION);
        const size_t len = client_select(&c, uid, &sak);
        for (size_t i = 0; i < CARDS; i++) {
            found |= len == tags[i].a.uid_len && memcmp(uid, tags[i].a.uid, len) == 0 ? 1U << i : 0;
        }
        assert_int_equal(client_halt(&c), CLIENT_OK);
    }
    assert_int_equal(found, (1U << CARDS) - 1);
    assert_int_equal(client_request(&c, 0x26, &x), CLIENT_TIMEOUT);
    assert_int_not_equal(client_request(&c, 0x52, &x), CLIENT_TIMEOUT); /* they only sleep */
}

static void bits_behind_a_collision_read_0_unless_they_are_wanted(void **state)
{
    static const uint8_t ask[2] = {0x93, 0x20};
    static const uint8_t keeps[] = {0x00, 0x80};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct client c;
        struct client_exchange x;
        struct tag one, other;
        client_begin(&c, false);
        tag_init(&one, "1122FFFF", 0x08); /* second byte 22 and 32: the 13th bit; then all bits of one are 1 */
        tag_init(&other, "11320000", 0x08);
        assert_ok(scrip_field_add(&c.field, &one.picc));
        assert_ok(scrip_field_add(&c.field, &other.picc));
        assert_int_equal(client_request(&c, 0x26, &x), CLIENT_OK);
        client_write(&c, CIU_COLL, keeps[i]);
        x = (struct client_exchange){.command = CIU_TRANSCEIVE, .wait_for = 0x30, .tx = ask, .tx_len = 2};
        assert_int_equal(client_communicate(&c, &x), CLIENT_COLLISION);
        assert_int_equal(client_read(&c, CIU_COLL) & 0x3F, 13);
        assert_int_equal(x.rx[0], 0x11);
        assert_int_equal(x.rx[1] & 0x0F, 0x02);
        assert_int_equal(x.rx[2] != 0, keeps[i] != 0);
        assert_int_equal(x.rx_len, 5);
    }
}

static void parity_and_crc_errors_are_told_apart(void **state)
{
    static const struct {
        bool parity, crc;
        uint8_t errors;
    } rows[] = {{false, false, 0x00}, {true, false, 0x02}, {false, true, 0x04}};
    static const uint8_t read[2] = {0x30, 0x04};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct client c;
        struct client_exchange x;
        struct tag tag;
        uint8_t uid[10];
        uint8_t sak;
        client_begin(&c, false);
        tag_init(&tag, "DEADBEEF", 0x08);
        assert_ok(scrip_field_add(&c.field, &tag.picc));
        assert_int_equal(client_request(&c, 0x26, &x), CLIENT_OK);
        assert_int_equal(client_select(&c, uid, &sak), 4);
        tag.flip_parity = rows[i].parity;
        tag.flip_crc = rows[i].crc;
        client_write(&c, CIU_TX_MODE, 0x80); /* as the drivers do that leave the CRC to the chip */
        client_write(&c, CIU_RX_MODE, 0x80);
        x = (struct client_exchange){.command = CIU_TRANSCEIVE, .wait_for = 0x30, .tx = read, .tx_len = 2};
        const int result = client_communicate(&c, &x);
        assert_int_equal(client_read(&c, CIU_ERROR), rows[i].errors);
        assert_int_equal(result, rows[i].parity ? CLIENT_ERROR : CLIENT_OK);
        if (rows[i].errors == 0) {
            assert_hex(scrip_bytes(x.rx, x.rx_len), "04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13");
        }
    }
}

static void four_bits_are_one_byte_with_four_last_bits(void **state)
{
    static const uint8_t refused[2] = {0x30, 0x5F};
    struct client c;
    struct client_exchange x;
    struct tag tag;
    uint8_t uid[10];
    uint8_t sak;
    (void)state;
    client_begin(&c, false);
    tag_init(&tag, "DEADBEEF", 0x08);
    assert_ok(scrip_field_add(&c.field, &tag.picc));
    assert_int_equal(client_request(&c, 0x26, &x), CLIENT_OK);
    assert_int_equal(client_select(&c, uid, &sak), 4);
    assert_int_equal(client_transceive_crc(&c, refused, 2, &x), CLIENT_NAK);
    assert_hex(scrip_bytes(x.rx, x.rx_len), "04");
    assert_int_equal(x.rx_last_bits, 4);
}

static void without_parity_each_byte_brings_its_own_as_a_ninth_bit(void **state)
{
    /* REQA's answer 04 00: bits 00100000 and parity 0, 00000000 and parity 1 */
    struct client c;
    struct client_exchange x;
    struct tag tag;
    uint8_t packed[16] = {0};
    size_t at = 0;
    (void)state;
    client_begin(&c, false);
    tag_init(&tag, "DEADBEEF", 0x08);
    assert_ok(scrip_field_add(&c.field, &tag.picc));
    client_write(&c, CIU_MF_RX, 0x10);
    assert_int_equal(client_request(&c, 0x26, &x), CLIENT_OK);
    assert_int_equal(x.rx_len, 3);
    assert_int_equal(x.rx_last_bits, 2);
    assert_hex(scrip_bytes(x.rx, 3), "04 00 02");

    static const uint8_t ask[2] = {0x93, 0x20}; /* parities 1 and 0 */
    for (size_t i = 0; i < 2; i++) {
        for (unsigned bit = 0; bit < 9; bit++, at++) {
            const unsigned value = bit < 8 ? ask[i] >> bit & 1U : scrip_odd_parity(ask[i]);
            packed[at / 8] |= (uint8_t)(value << at % 8);
        }
    }
    x = (struct client_exchange){
        .command = CIU_TRANSCEIVE, .wait_for = 0x30, .tx = packed, .tx_len = 3, .tx_last_bits = 2};
    assert_int_equal(client_communicate(&c, &x), CLIENT_OK);
    assert_int_equal(x.rx_len, 6); /* 45 bits */
    assert_int_equal(x.rx_last_bits, 5);
    assert_int_equal(x.rx[0], 0xDE);
}

static void an_answer_that_the_receiver_is_too_late_for_waits_for_it(void **state)
{
    struct client c;
    struct tag tag;
    (void)state;
    client_begin(&c, false);
    tag_init(&tag, "DEADBEEF", 0x08);
    assert_ok(scrip_field_add(&c.field, &tag.picc));
    client_write(&c, CIU_BIT_FRAMING, 0x07);
    client_write(&c, CIU_FIFO_DATA, 0x26);
    client_write(&c, CIU_COMMAND, CIU_TRANSMIT);
    assert_int_equal(client_read(&c, CIU_COMMAND) & 0x0F, CIU_IDLE);
    assert_int_equal(client_read(&c, CIU_FIFO_LEVEL), 0);
    client_write(&c, CIU_COMMAND, CIU_RECEIVE);
    assert_int_equal(client_read(&c, CIU_FIFO_LEVEL), 2);
    assert_int_equal(client_read(&c, CIU_COM_IRQ) & 0x20, 0x20);
}

static void power_down_takes_the_field_and_waking_takes_a_moment(void **state)
{
    struct client c;
    struct client_exchange x;
    struct tag tag;
    (void)state;
    client_begin(&c, false);
    tag_init(&tag, "DEADBEEF", 0x08);
    assert_ok(scrip_field_add(&c.field, &tag.picc));
    assert_true(c.field.on);
    client_write(&c, CIU_COMMAND, 0x10);
    assert_false(c.field.on);
    assert_int_equal(client_read(&c, CIU_COMMAND) & 0x10, 0x10);
    assert_int_equal(client_read(&c, CIU_COMMAND) & 0x10, 0x10);
    client_write(&c, CIU_COMMAND, 0x00);
    assert_int_equal(client_read(&c, CIU_COMMAND) & 0x10, 0x10);
    assert_int_equal(client_read(&c, CIU_COMMAND) & 0x10, 0);
    client_set(&c, CIU_TX_CONTROL, 0x03);
    assert_int_equal(client_request(&c, 0x26, &x), CLIENT_OK);
}

/* ---- MIFARE Classic ---------------------------------------------------------------------------------------------- */

struct scene {
    struct client c;
    struct classic classic;
    uint8_t uid[10];
    size_t uid_len;
};

static void scene_select(struct scene *s)
{
    struct client_exchange x;
    uint8_t sak;
    client_stop_crypto(&s->c);
    const int first = client_request(&s->c, 0x52, &x);
    assert_true(first == CLIENT_OK || client_request(&s->c, 0x52, &x) == CLIENT_OK);
    s->uid_len = client_select(&s->c, s->uid, &sak);
    assert_int_equal(sak, 0x08);
}

static void scene_begin(struct scene *s, bool by_uart, const char *uid)
{
    client_begin(&s->c, by_uart);
    classic_init(&s->classic, uid, false);
    assert_ok(scrip_field_add(&s->c.field, &s->classic.card.picc));
    scene_select(s);
}

static int scene_login(struct scene *s, uint8_t block, const uint8_t key[6])
{
    return client_authenticate(&s->c, 0x60, block, key, s->uid + s->uid_len - 4);
}

static void a_whole_card_is_written_and_read_back(void **state)
{
    static struct scene s;
    static const char *const uids[] = {"DEADBEEF", "04A1B2C3D4E580"};
    (void)state;
    for (size_t way = 0; way < 2; way++) {
        uint8_t out[16];
        uint8_t in[16];
        scene_begin(&s, ways[way], uids[way]);
        for (uint8_t block = 0; block < 64; block++) {
            if (block % 4 == 0) { /* in the same session from the second sector on: nested */
                assert_int_equal(scene_login(&s, block, FF_KEY), CLIENT_OK);
            }
            memset(out, block, sizeof out);
            if (block != 0 && block % 4 != 3) {
                assert_int_equal(client_write_block(&s.c, block, out), CLIENT_OK);
                assert_int_equal(client_read_block(&s.c, block, in), CLIENT_OK);
                assert_memory_equal(in, out, sizeof in);
            }
        }
        classic_free(&s.classic);
    }
}

static void a_wrong_key_ends_by_the_timer_and_switches_nothing_on(void **state)
{
    static struct scene s;
    static const uint8_t wrong[6] = {1, 2, 3, 4, 5, 6};
    uint8_t data[16];
    (void)state;
    scene_begin(&s, false, "DEADBEEF");
    assert_int_equal(scene_login(&s, 4, wrong), CLIENT_TIMEOUT);
    assert_int_equal(client_read(&s.c, CIU_STATUS2) & 0x08, 0);
    assert_int_equal(client_read(&s.c, CIU_COM_IRQ) & 0x01, 0x01);
    assert_int_equal(client_read_block(&s.c, 4, data), CLIENT_TIMEOUT); /* the card is gone */
    scene_select(&s);
    assert_int_equal(scene_login(&s, 4, FF_KEY), CLIENT_OK);
    assert_int_equal(client_read_block(&s.c, 4, data), CLIENT_OK);
    classic_free(&s.classic);
}

static void crypto_cannot_be_switched_on_by_hand_only_off(void **state)
{
    static struct scene s;
    uint8_t data[16];
    (void)state;
    scene_begin(&s, false, "DEADBEEF");
    client_set(&s.c, CIU_STATUS2, 0x08);
    assert_int_equal(client_read(&s.c, CIU_STATUS2) & 0x08, 0);
    assert_int_equal(scene_login(&s, 4, FF_KEY), CLIENT_OK);
    client_set(&s.c, CIU_STATUS2, 0x08);
    assert_int_equal(client_read_block(&s.c, 4, data), CLIENT_OK);
    client_stop_crypto(&s.c);
    assert_int_not_equal(client_read_block(&s.c, 4, data), CLIENT_OK);
    classic_free(&s.classic);
}

static void values_are_counted_and_transferred(void **state)
{
    static struct scene s;
    static const uint8_t hundred[16] = {100, 0, 0, 0, 0x9B, 0xFF, 0xFF, 0xFF, 100, 0, 0, 0, 5, 0xFA, 5, 0xFA};
    uint8_t data[16];
    (void)state;
    scene_begin(&s, false, "DEADBEEF");
    assert_int_equal(scene_login(&s, 5, FF_KEY), CLIENT_OK);
    assert_int_equal(client_write_block(&s.c, 5, hundred), CLIENT_OK);
    assert_int_equal(client_value(&s.c, 0xC0, 5, 30), CLIENT_OK);
    assert_int_equal(client_transfer(&s.c, 5), CLIENT_OK);
    assert_int_equal(client_value(&s.c, 0xC1, 5, 5), CLIENT_OK);
    assert_int_equal(client_transfer(&s.c, 6), CLIENT_OK);
    assert_int_equal(client_read_block(&s.c, 5, data), CLIENT_OK);
    assert_int_equal(scrip_get_le32(data), 70);
    assert_int_equal(client_read_block(&s.c, 6, data), CLIENT_OK);
    assert_int_equal(scrip_get_le32(data), 75);
    classic_free(&s.classic);
}

static void no_key_stays_in_the_fifo(void **state)
{
    static struct scene s;
    (void)state;
    scene_begin(&s, false, "DEADBEEF");
    assert_int_equal(scene_login(&s, 4, FF_KEY), CLIENT_OK);
    for (size_t i = 0; i < sizeof s.c.chip.ciu.fifo; i++) {
        assert_int_equal(s.c.chip.ciu.fifo[i], 0);
    }
    classic_free(&s.classic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_come_out_of_reset_with_the_values_of_the_data_sheet),
        cmocka_unit_test(one_transfer_reads_many_registers),
        cmocka_unit_test(the_coprocessor_computes_crc_a_from_the_preset),
        cmocka_unit_test(the_fifo_holds_64_bytes_and_says_when_it_overflows),
        cmocka_unit_test(memory_and_random_id_go_through_the_fifo),
        cmocka_unit_test(marks_in_the_interrupt_registers_are_cleared_and_set_by_their_top_bit),
        cmocka_unit_test(a_timer_started_by_hand_ends_after_its_period),
        cmocka_unit_test(silence_ends_when_the_automatic_timer_does),
        cmocka_unit_test(a_request_is_answered_with_the_atqa),
        cmocka_unit_test(cards_are_selected_through_all_cascade_levels),
        cmocka_unit_test(of_several_cards_each_is_found_by_following_the_collisions),
        cmocka_unit_test(bits_behind_a_collision_read_0_unless_they_are_wanted),
        cmocka_unit_test(parity_and_crc_errors_are_told_apart),
        cmocka_unit_test(four_bits_are_one_byte_with_four_last_bits),
        cmocka_unit_test(without_parity_each_byte_brings_its_own_as_a_ninth_bit),
        cmocka_unit_test(an_answer_that_the_receiver_is_too_late_for_waits_for_it),
        cmocka_unit_test(power_down_takes_the_field_and_waking_takes_a_moment),
        cmocka_unit_test(a_whole_card_is_written_and_read_back),
        cmocka_unit_test(a_wrong_key_ends_by_the_timer_and_switches_nothing_on),
        cmocka_unit_test(crypto_cannot_be_switched_on_by_hand_only_off),
        cmocka_unit_test(values_are_counted_and_transferred),
        cmocka_unit_test(no_key_stays_in_the_fifo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
