/* session.h: what the objects of a transparent session share. Private to core/pcsc. */
#ifndef CORE_PCSC_SESSION_H
#define CORE_PCSC_SESSION_H

#include "command.h"

/* Objects. */
#define TAG_ERROR      0xC0U
#define TAG_VERSION    0x80U
#define TAG_START      0x81U
#define TAG_END        0x82U
#define TAG_RF_OFF     0x83U
#define TAG_RF_ON      0x84U
#define TAG_TIMER      0x5F46U
#define TAG_GET        0xFF6DU
#define TAG_SET        0xFF6EU
#define TAG_PROTOCOL   0x8FU
#define TAG_ATR        0x5F51U
#define TAG_FLAGS      0x90U
#define TAG_TX_BITS    0x91U
#define TAG_RX_BITS    0x92U
#define TAG_TRANSMIT   0x93U
#define TAG_RECEIVE    0x94U
#define TAG_TRANSCEIVE 0x95U
#define TAG_STATUS     0x96U
#define TAG_RESPONSE   0x97U
#define TAG_INCREMENT  0xA0U
#define TAG_DECREMENT  0xA1U

/* Status words of an object, in C0. */
#define NOT_AVAILABLE  0x6282U
#define NOT_EXECUTED   0x6301U
#define NO_ANSWER      0x6401U
#define WRONG_LENGTH   0x6700U
#define WRONG_VALUE    0x6A80U
#define NOT_SUPPORTED  0x6A81U
#define FAILED         0x6F00U

#define FWT_US         303U   /* frame waiting time of FWI 0 */
#define FWT_DEFAULT_US 40000U /* enough for the slowest write of a card we know */

/* One command of a session under way. */
struct session {
    struct scrip_pcsc *pcsc;
    struct answer *answer;
    bool pending; /* `tx` waits for a Receive, or for the end of the command */
    struct scrip_bytes tx;
};

/** Carry out one object. SCRIP_E_CARD: refused, with the status word in answer->sw or 6300. */
typedef enum scrip_status session_object(struct session *session, struct scrip_bytes value);

session_object session_version;
session_object session_start;
session_object session_end;
session_object session_rf_off;
session_object session_rf_on;
session_object session_delay;
session_object session_get;
session_object session_set;
session_object session_timer;
session_object session_flags;
session_object session_tx_bits;
session_object session_rx_bits;
session_object session_transmit;
session_object session_receive;
session_object session_transceive;
session_object session_protocol;
session_object session_increment;
session_object session_decrement;

/** Append an object to the answer. @param value  less than 80h bytes */
enum scrip_status session_put(struct scrip_buf *out, uint16_t tag, struct scrip_bytes value);

/** Flags, times and layer as a session begins with. */
void session_defaults(struct scrip_pcsc *pcsc);

/** Send what waits in session->tx; append what is heard, if it is wanted. */
enum scrip_status session_exchange(struct session *session, bool answer_wanted);

/** Is the card one of part 4? */
static inline bool session_part_4(const struct scrip_pcsc *pcsc)
{
    return (pcsc->target.sak & SCRIP_SAK_PART_4) != 0;
}

#endif
