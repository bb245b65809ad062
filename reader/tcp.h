/* tcp.h: the protocol between a tcp: link and a presented card; docs/protocol/tcp-link.md describes it.
 *
 *   message   length of the rest (4 bytes, big-endian, 1..TCP_MESSAGE_MAX), kind (1 byte), content
 *   request   01 connect: timeout in ms (4) · 02 transmit: C-APDU · 03 disconnect: empty
 *   answer    kind = 00 done · 01 no card, not sent · 02 torn: sent and not answered · 03 the way to the card failed
 *             content of 00: to connect: UID length (1), UID, ATS length (1), ATS; to transmit: R-APDU
 *             content of others: a sentence, UTF-8 */
#ifndef READER_TCP_H
#define READER_TCP_H

#define TCP_CONNECT     0x01
#define TCP_TRANSMIT    0x02
#define TCP_DISCONNECT  0x03

#define TCP_DONE        0x00
#define TCP_NO_CARD     0x01
#define TCP_TORN        0x02
#define TCP_FAILED      0x03

#define TCP_HEAD        5U
#define TCP_CONTENT_MAX 65544U
#define TCP_MESSAGE_MAX (1U + TCP_CONTENT_MAX)

#endif
