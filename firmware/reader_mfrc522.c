#include "board.h"
#include "reader.h"

#include <scrip/mfrc522.h>

/* Over the chip's UART, which the emulated board can reach; a board with SPI takes scrip_mfrc522_init_spi instead. */
enum scrip_status reader_begin(struct scrip_coupler **coupler, const char **name)
{
    static struct scrip_mfrc522 chip;
    scrip_mfrc522_init_uart(&chip, board_reader(), board_ticks());
    SCRIP_TRY(scrip_mfrc522_begin(&chip));
    *coupler = &chip.coupler;
    *name = "MFRC522";
    return SCRIP_OK;
}
