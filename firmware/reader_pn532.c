#include "board.h"
#include "reader.h"

#include <scrip/pn532.h>

enum scrip_status reader_begin(struct scrip_coupler **coupler, const char **name)
{
    static struct scrip_pn532 chip;
    scrip_pn532_init_hsu(&chip, board_reader(), board_ticks());
    SCRIP_TRY(scrip_pn532_begin(&chip));
    *coupler = &chip.coupler;
    *name = "PN532";
    return SCRIP_OK;
}
