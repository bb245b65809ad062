/* desfire_card_state.h: the complete type of an emulated DESFire card, so that a caller can keep one on a stack or in
 * .bss. Fields are private to core/desfire/card. Included by desfire_card.h. */
#ifndef SCRIP_DESFIRE_CARD_STATE_H
#define SCRIP_DESFIRE_CARD_STATE_H

#include <scrip/desfire.h>
#include <scrip/desfire_card.h>
#include <scrip/desfire_sm.h>
#include <scrip/host.h>

#define SCRIP_DESFIRE_LOG_SLOTS  112U                           /**< pages that one atomic change may touch */
#define SCRIP_DESFIRE_FILES      32U                            /**< file numbers of an application */
#define SCRIP_DESFIRE_FRAME_ROOM (SCRIP_DESFIRE_DATA_MAX + 64U) /**< data, header, MAC and padding of one command */

/* The memory as the running command sees it: pages staged in the log hide the pages they will replace. */
struct scrip_desfire_memory {
    enum scrip_status fault; /* sticky: storage failed, nothing may be answered any more */
    uint16_t staged;         /* slots in use */
    uint16_t target[SCRIP_DESFIRE_LOG_SLOTS];
    uint32_t generation; /* of the newest commit record */
    uint8_t geometry;    /* storage byte of GetVersion */
    uint16_t pool_first; /* first page of the pool */
    uint16_t pool_pages;
    uint16_t open_slot; /* slot whose page is held in `page`, not written yet; SCRIP_DESFIRE_LOG_SLOTS: none */
    uint8_t page[SCRIP_NV_PAGE];
};

/* What an open transaction will do to one file. Contents of backup files and records wait in the file's own spare
 * memory; only this is volatile, so losing power forgets the transaction. */
struct scrip_desfire_change {
    uint8_t kind;    /* enum change_kind in card.h; 0: none */
    bool debited;    /* value: a Debit was among the changes */
    bool limited;    /* value: a LimitedCredit was */
    uint32_t record; /* records: number of the record that UpdateRecord changes */
    int32_t value;   /* value: after the changes so far */
    uint32_t debits; /* value: their sum */
};

/* The open transaction of the selected application, or pair of them. */
struct scrip_desfire_transaction {
    bool open;
    bool reader_committed;               /* CommitReaderID was done */
    uint64_t opened_ms;                  /* when, if there is a clock */
    uint8_t reader[16];                  /* TMRI */
    struct scrip_desfire_tmac_keys keys; /* of this transaction; valid once something was fed to the TMI */
    struct scrip_desfire_tmi tmi;
    struct scrip_desfire_change change[2][SCRIP_DESFIRE_FILES]; /* of the first and the second application */
};

/* A command or response that goes on in the next frame, or an authentication between its two frames. */
struct scrip_desfire_exchange {
    uint8_t kind; /* enum exchange_kind in card.h */
    uint8_t cmd;
    uint8_t frame;      /* frames so far */
    uint16_t frame_max; /* sending: data bytes of the next frames */
    size_t len;         /* receiving: parameter bytes so far */
    size_t total;       /* receiving: parameter bytes in all; sending: response bytes in all */
    size_t sent;
    uint8_t status; /* sending: of the last frame */
};

/* An authentication that waits for its second half. */
struct scrip_desfire_handshake_card {
    struct scrip_desfire_auth shared; /* what the host keeps too */
    struct scrip_desfire_key key;
    uint8_t side; /* application of a pair */
    uint8_t pcdcap2[6];
};

/* A proximity check under way. */
struct scrip_desfire_proximity {
    uint8_t stage;   /* 0: none, 1: prepared, 2: all exchanged */
    uint8_t len;     /* bytes of each random number exchanged so far */
    uint8_t rndr[8]; /* the card's */
    uint8_t log[16]; /* parts in the order in which the MAC takes them */
};

/* An ISO 7816-4 authentication under way. */
struct scrip_desfire_iso_auth {
    uint8_t stage; /* 0: none, 1: challenge given, 2: the host has proved itself */
    uint8_t challenge_len;
    uint8_t key_no;
    struct scrip_desfire_key key;
    uint8_t challenge[16]; /* RPICC1 */
    uint8_t rpcd1[16];
    uint8_t iv[16];
};

/** An emulated card. All fields private; no heap behind it. */
struct scrip_desfire_card {
    struct scrip_desfire_host host;
    struct scrip_desfire_options options;
    struct scrip_desfire_identity identity;
    bool powered;
    bool no_room;   /* the caller's response buffer was too small */
    bool no_random; /* the random source failed */
    struct scrip_desfire_memory memory;
    struct scrip_desfire_session session;
    struct scrip_desfire_handshake_card auth;
    struct scrip_desfire_exchange exchange;
    struct scrip_desfire_transaction transaction;
    uint16_t app;         /* page of the selected application; 0: PICC level */
    uint16_t second;      /* page of the second application of a pair; 0: none */
    uint8_t session_side; /* whose key the session was opened with: 0 the first, 1 the second application */
    uint8_t iso_file;     /* current EF of ISO 7816-4 commands; SCRIP_DESFIRE_FILES: none */
    uint8_t sdm_run;      /* kind of the read that SDMReadCtr was last stepped for, and of which file */
    uint8_t sdm_file;
    struct scrip_desfire_proximity proximity;
    struct scrip_desfire_iso_auth iso_auth;
    uint8_t io[SCRIP_DESFIRE_FRAME_ROOM];   /* command as received; response as sent */
    uint8_t work[SCRIP_DESFIRE_FRAME_ROOM]; /* plain data of the command; plain data of the response */
};

#endif
