/* What an ACR122U has beside PC/SC: commands to its PN532, and its lamps, buzzer and settings. Programs written for it
 * look for these; they are offered only where there is a chip to talk to. */
#include "command.h"

/* After any command to the chip the card may be in any state. */
enum scrip_status pcsc_direct_transmit(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    if (cmd->data.at[0] != 0xD4) {
        return refuse(answer, SW_CHIP_PARAMETER);
    }
    pcsc_drop(pcsc);
    switch (pcsc->direct(pcsc->direct_ctx, cmd->data, answer->out)) {
    case SCRIP_OK:
        return SCRIP_OK;
    case SCRIP_E_TIMEOUT:
        return SCRIP_E_TIMEOUT; /* 6301 */
    case SCRIP_E_MAC:
        return refuse(answer, SW_CHIP_CHECKSUM);
    case SCRIP_E_FORMAT:
    case SCRIP_E_ARGUMENT:
    case SCRIP_E_UNSUPPORTED:
        return refuse(answer, SW_CHIP_PARAMETER);
    case SCRIP_E_LINK:
        return SCRIP_E_LINK;
    case SCRIP_E_SPACE:
        return SCRIP_E_SPACE;
    default:
        return refuse(answer, SCRIP_PCSC_FAILED);
    }
}

/* 90 and a byte in place of a status word. */
static enum scrip_status told(struct answer *answer, uint8_t value)
{
    answer->sw = (uint16_t)(SCRIP_PCSC_OK | value);
    return SCRIP_OK;
}

/* P2: bits 0 and 1, red and green afterwards; bits 2 and 3, which of them are meant. Blinking has an end by itself. */
enum scrip_status pcsc_led_control(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    const uint8_t meant = cmd->p2 >> 2 & 3U;
    pcsc->lamps = (uint8_t)((pcsc->lamps & ~meant & 3U) | (cmd->p2 & meant));
    return told(answer, pcsc->lamps);
}

/* Answered with its name alone, as the reader does. */
enum scrip_status pcsc_firmware_version(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    (void)pcsc;
    (void)cmd;
    answer->bare = true;
    return scrip_buf_add(answer->out, "ACR122U207", 10);
}

enum scrip_status pcsc_parameter_get(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    (void)cmd;
    return told(answer, pcsc->parameter);
}

/* The polling of the reader; kept and told, nothing polls here. */
enum scrip_status pcsc_parameter_set(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    pcsc->parameter = cmd->p2;
    return told(answer, pcsc->parameter);
}

/* Time-out of the chip's answers (nothing here is late), and the buzzer. */
enum scrip_status pcsc_nothing_to_do(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    (void)pcsc;
    (void)cmd;
    return told(answer, 0);
}
