#include "pcsc_reader.h"
#include <string.h>

#define FROM_CHIP 0xD5
#define LIST      0x4A

static enum scrip_status chip_command(struct pcsc_reader *reader, struct scrip_bytes command, struct scrip_buf *answer)
{
    const enum scrip_status status = scrip_pn532_model_command(&reader->chip, command, answer);
    if (status == SCRIP_E_WAIT) { /* told to look for ever: there is no for ever inside an APDU */
        scrip_pn532_model_abort(&reader->chip);
        return SCRIP_E_TIMEOUT;
    }
    return status;
}

static void chip_run(struct pcsc_reader *reader, const uint8_t commands[][6], size_t count)
{
    uint8_t room[PN532_MODEL_DATA];
    for (size_t i = 0; i < count; i++) {
        struct scrip_buf answer = SCRIP_BUF_OF(room);
        (void)chip_command(reader, scrip_bytes(commands[i] + 1, commands[i][0]), &answer);
    }
}

/* From power-on, with a patience that ends, and cards that know nothing of what was before. */
static void chip_begin(struct pcsc_reader *reader)
{
    static const uint8_t commands[][6] = {{2, 0x14, 0x01},
                                          {5, 0x32, 0x05, 0x00, 0x01, 0x02},
                                          {3, 0x32, 0x01, 0x00},
                                          {3, 0x32, 0x01, 0x01},
                                          {2, 0x12, 0x14}};
    chip_run(reader, commands, sizeof commands / sizeof commands[0]);
}

/* In blocks a card hears no request: who asks for cards once more would find none. */
static bool deaf_card(const struct scrip_pn532_model *chip)
{
    return chip->active != 0 && chip->targets[chip->active - 1].part_4;
}

static void chip_take_card(struct pcsc_reader *reader, uint8_t code)
{
    static const uint8_t list[][6] = {{3, LIST, 0x01, 0x00}};
    static const uint8_t field[][6] = {{3, 0x32, 0x01, 0x00}, {3, 0x32, 0x01, 0x01}};
    if (!reader->chip_speaks) {
        chip_begin(reader);
        chip_run(reader, list, code != LIST ? 1 : 0);
    } else if (code == LIST && deaf_card(&reader->chip)) {
        chip_run(reader, field, 2);
    }
    reader->chip_speaks = true;
}

static enum scrip_status direct(void *ctx, struct scrip_bytes command, struct scrip_buf *response)
{
    struct pcsc_reader *reader = ctx;
    uint8_t room[PN532_MODEL_DATA];
    struct scrip_buf answer = SCRIP_BUF_OF(room);
    chip_take_card(reader, command.at[1]);
    SCRIP_TRY(chip_command(reader, scrip_bytes_from(command, 1), &answer));
    SCRIP_TRY(scrip_buf_add_u8(response, FROM_CHIP));
    return scrip_buf_add_bytes(response, scrip_buf_bytes(&answer));
}

enum scrip_status pcsc_reader_init(struct pcsc_reader *reader, struct scrip_picc *const *cards, size_t count,
                                   struct scrip_random random)
{
    *reader = (struct pcsc_reader){.random = random};
    scrip_field_init(&reader->field);
    for (size_t i = 0; i < count; i++) {
        SCRIP_TRY(scrip_field_add(&reader->field, cards[i]));
    }
    scrip_coupler_field_init(&reader->coupler, &reader->field, &reader->random);
    scrip_pn532_model_init(&reader->chip, &reader->field, &reader->random);
    scrip_pcsc_init(&reader->pcsc, &reader->coupler.coupler);
    reader->pcsc.direct = direct;
    reader->pcsc.direct_ctx = reader;
    return SCRIP_OK;
}

enum scrip_status pcsc_reader_on(struct pcsc_reader *reader)
{
    struct scrip_card_info info;
    reader->powered = false;
    reader->chip_speaks = false;
    SCRIP_TRY(scrip_pcsc_connect(&reader->pcsc, 0, &info));
    reader->powered = true;
    reader->atr_len = scrip_pcsc_atr(&reader->pcsc.target, reader->atr);
    return SCRIP_OK;
}

void pcsc_reader_off(struct pcsc_reader *reader)
{
    scrip_pcsc_off(&reader->pcsc);
    reader->powered = false;
    reader->chip_speaks = false;
}

enum scrip_status pcsc_reader_apdu(struct pcsc_reader *reader, struct scrip_bytes command, struct scrip_buf *response)
{
    if (reader->pcsc.active) {
        reader->chip_speaks = false; /* the reader has selected the card since */
    }
    return scrip_pcsc_apdu(&reader->pcsc, command, response);
}
