/* capture_format.h: numbers of pcapng and of its ISO 14443 link type, shared by writer and reader. */
#ifndef READER_CAPTURE_FORMAT_H
#define READER_CAPTURE_FORMAT_H

#include <stdint.h>

#define PCAPNG_SECTION    0x0A0D0D0AU
#define PCAPNG_INTERFACE  1U
#define PCAPNG_SIMPLE     3U
#define PCAPNG_PACKET     6U
#define PCAPNG_MAGIC      0x1A2B3C4DU
#define PCAPNG_COMMENT    1U /* option of any block */
#define PCAPNG_TS_RESOL   9U /* option of an interface */
#define PCAPNG_USER_APPL  4U /* option of a section */
#define PCAPNG_ISO14443   264U

/* Pseudo header of a packet: version 0, event, length of the rest (2 bytes, big-endian). */
#define ISO14443_HEADER   4U
#define EVENT_FIELD_OFF   0x01U
#define EVENT_FIELD_ON    0x02U
#define EVENT_TO_CARD     0xFEU /* with CRC */
#define EVENT_TO_READER   0xFFU
#define EVENT_TO_CARD_X   0xFAU /* CRC left out */
#define EVENT_TO_READER_X 0xFBU

#define CASCADE_TAG       0x88U
#define CHUNK             32768U /* bytes of an APDU in one I-block */
#define TEXT_HEAD         "# scrip capture 1\n"

#endif
