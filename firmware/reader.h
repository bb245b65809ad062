/* reader.h: the reader chip of this image, as a link that purses run on. Which chip is decided by which of reader_*.c
 * is linked. */
#ifndef FIRMWARE_READER_H
#define FIRMWARE_READER_H

#include <scrip/link.h>
#include <scrip/pcsc.h>

/** Wake the chip. @param name  receives what it is, for the console; static memory
 *  @return SCRIP_OK; SCRIP_E_TIMEOUT: nobody answers; SCRIP_E_UNSUPPORTED: another chip; SCRIP_E_LINK */
enum scrip_status reader_begin(struct scrip_coupler **coupler, const char **name);

/** A link over a coupler: APDUs to cards of ISO/IEC 14443-4, pseudo-APDUs to storage cards. Must not move. */
struct reader_link {
    struct scrip_link link;
    struct scrip_pcsc pcsc;
};

void reader_link_init(struct reader_link *reader, struct scrip_coupler *coupler);

#endif
