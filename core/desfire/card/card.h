/* card.h: what the parts of the card share: the command under way, access rights, sessions, transactions. */
#ifndef SCRIP_DESFIRE_CARD_PRIVATE_H
#define SCRIP_DESFIRE_CARD_PRIVATE_H

#include "image.h"

/* A command as its handler sees it: the plain parameters, in an allowed state, of an allowed length. */
struct command {
    const struct scrip_desfire_command *row;
    uint8_t code;
    uint8_t header[16]; /* the row's header bytes; handlers put the true length where a read said 0 */
    size_t header_len;
    struct scrip_bytes data; /* what follows the header */
    bool in_session;
    struct scrip_desfire_protection protection;
    struct app app;   /* the selected one; page 0 at PICC level */
    struct file file; /* commands of mode FILE: their file, access was checked */
};

/* What a handler gives back beside its status. */
struct reply {
    struct scrip_buf data;
    bool ends_session; /* after this success the session is over */
};

/* A handler looks up, validates everything, then changes (staged) memory. Refusals need no undoing. */
struct scrip_desfire_card;
#define DESFIRE_COMMAND(opcode, id, name, generations, levels, comm, header, data_min, data_max, flags, handler)       \
    uint8_t desfire_##handler(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply);
#include "commands.def"
#undef DESFIRE_COMMAND

/* exchange.kind */
enum exchange_kind { EXCHANGE_NONE, EXCHANGE_RECEIVING, EXCHANGE_SENDING, EXCHANGE_AUTH };

/* change.kind */
enum change_kind {
    CHANGE_NONE,
    CHANGE_DATA,   /* backup: the shadow becomes the file */
    CHANGE_VALUE,  /* value: change.value */
    CHANGE_APPEND, /* records: the spare slot becomes the newest record */
    CHANGE_UPDATE, /* records: the spare slot replaces record change.record */
    CHANGE_CLEAR,  /* records: emptied */
};

/* How a native command came and what its response may look like. */
struct framing {
    size_t single_max; /* most response bytes without AF frames */
    bool wrapped;
};

/* ---- pipeline.c ---- */

/* Answer one native command. The response data goes to `out`, the status byte is returned. */
uint8_t pipeline_answer(struct scrip_desfire_card *card, const struct framing *framing, uint8_t code,
                        struct scrip_bytes params, struct scrip_buf *out);

/* Everything an error ends: session, transaction, chains. Staged changes are forgotten. */
void card_refuse(struct scrip_desfire_card *card);

/* End the session, nothing else. */
void card_end_session(struct scrip_desfire_card *card);

/* The transaction timer ran out: as after an error. */
void card_check_timer(struct scrip_desfire_card *card);

/* ---- iso.c ---- */

/* Answer one ISO/IEC 7816-4 command (CLA 00); appends data and status word. */
struct scrip_apdu;
uint16_t iso_answer(struct scrip_desfire_card *card, const struct scrip_apdu *apdu, struct scrip_buf *out);

/* Is this the DF name that every card has? */
bool iso_names_card(struct scrip_bytes name);

/* ---- auth.c ---- */

/* The second half of an authentication. */
uint8_t auth_second(struct scrip_desfire_card *card, struct scrip_bytes token, struct scrip_buf *out);

/* May this key be tried? DF_OK, or the status of a key that failed too often. */
uint8_t auth_blocked(struct scrip_desfire_card *card, const struct key_slot *key);

/* Count a failed (or forgive, after a successful) authentication with a key. Staged. */
void auth_count(struct scrip_desfire_card *card, const struct app *app, uint8_t number, bool success);

/* Is messaging `sm` switched off by SetConfiguration option 04? */
bool auth_disabled(struct scrip_desfire_card *card, uint8_t sm);

/* ---- access.c ---- */

/* Rights, as bits. */
#define RIGHT_READ       1U
#define RIGHT_WRITE      2U
#define RIGHT_READ_WRITE 4U
#define RIGHT_CHANGE     8U

/* How the file settings decide [section "access rights" of docs/protocol/desfire.md].
 * @param rights bits of rights, any of which allows the command; `comm` receives the mode that then holds */
uint8_t access_decide(const struct scrip_desfire_card *card, const struct file *file, unsigned rights, uint8_t *comm);

/* Is one of these rights free? */
bool access_is_free(const struct file_page *file, unsigned rights);

/* Is this file read dynamically: no session, and messaging set up (the FileOption bit alone only allows that)? */
bool access_is_dynamic(const struct scrip_desfire_card *card, const struct file_page *file);

/* May everybody read it because it is, through a MAC that tells the reading from others? */
bool access_is_dynamic_free(const struct scrip_desfire_card *card, const struct file_page *file);

/* Is one of these rights anything but never, in any set? */
bool access_is_used(const struct file_page *file, unsigned rights);

/* Find the file of a command of mode FILE and decide about access. */
uint8_t access_resolve(struct scrip_desfire_card *card, struct command *cmd);

/* Authenticated with this key of the selected level? */
bool access_has_key(const struct scrip_desfire_card *card, uint8_t number);

/* The same of the first (0) or second (1) application of a pair. */
bool access_has_key_of(const struct scrip_desfire_card *card, uint8_t side, uint8_t number);

/* Are all keys that the rights name there? */
bool access_rights_valid(const struct app *app, const uint8_t rights[2]);

/* Has the Transaction MAC counter of the application come to its limit? */
bool access_tmc_exhausted(struct scrip_desfire_card *card, const struct app *app);

/* ---- transaction.c ---- */

/* The pending change of a file as things stand. */
const struct scrip_desfire_change *transaction_present(const struct scrip_desfire_card *card, const struct file *file);

/* The pending change of a file; opens the transaction when asked to change. */
struct scrip_desfire_change *transaction_change(struct scrip_desfire_card *card, const struct file *file);

/* The Transaction MAC file of an application. @return false: there is none */
bool transaction_tmac(struct scrip_desfire_card *card, const struct app *app, struct file *file);

/* Note that the transaction is open from now on. */
void transaction_open(struct scrip_desfire_card *card);

/* The file is gone, and so is what the transaction would have done to it. */
void transaction_forget(struct scrip_desfire_card *card, const struct file *file);

/* Drop it: nothing of it happened. */
void transaction_drop(struct scrip_desfire_card *card);

/* Add a successful file command to the Transaction MAC input, if the application has one. */
void transaction_note(struct scrip_desfire_card *card, const struct command *cmd, struct scrip_bytes reply);

/* Add `fixed` and `data`, each padded to whole blocks, to the input. */
void transaction_add(struct scrip_desfire_card *card, const struct app *app, struct scrip_bytes fixed,
                     struct scrip_bytes data);

/* ---- files.c, data.c, record.c: shared with the ISO commands ---- */

/* Plain contents of data and Transaction MAC files. */
uint8_t data_read(struct scrip_desfire_card *card, const struct file *file, uint32_t offset, uint32_t len,
                  uint8_t *dst);

/* Size of a data file (12 for Transaction MAC files). */
uint32_t data_size(const struct file *file);

/* Change a data file: at once, or in its shadow. */
uint8_t data_write(struct scrip_desfire_card *card, const struct file *file, uint32_t offset, struct scrip_bytes data);

/* Records `number`.. towards older ones, the oldest first; count 0: all. @param dst DATA_MAX bytes */
uint8_t record_read(struct scrip_desfire_card *card, const struct file *file, uint32_t number, uint32_t count,
                    struct scrip_buf *dst);

/* Write into the pending record of the transaction. */
uint8_t record_append(struct scrip_desfire_card *card, const struct file *file, uint32_t offset,
                      struct scrip_bytes data);

/* Stage what commit does to a record file. */
void record_commit(struct scrip_desfire_card *card, struct file *file, const struct scrip_desfire_change *change);

/* Stage what commit does to a value file. */
void value_commit(struct scrip_desfire_card *card, struct file *file, const struct scrip_desfire_change *change);

/* ---- sdm.c ---- */

/* Length of the SDM block that options and rights ask for, without options and rights themselves. */
size_t sdm_offsets_len(uint8_t options, uint16_t rights);

/* Is the block consistent, and does it fit a file of `size` bytes? */
bool sdm_valid(struct scrip_desfire_card *card, const struct app *app, uint8_t options, uint16_t rights,
               const uint8_t *offsets, uint32_t size);

/* Put the dynamic data into what an unauthenticated read of [offset, offset + len) gives; steps the read counter. */
uint8_t sdm_mirror(struct scrip_desfire_card *card, struct file *file, const struct app *app, uint8_t kind,
                   uint32_t offset, uint32_t len, uint8_t *data);

/* ---- keys.c ---- */

/* Number, as stored, of a key set that commands number from the active one (0). */
uint8_t key_set_stored(const struct app *app, uint8_t set);

/* Load the key `number` of the active set of the selected level. */
void key_active(struct scrip_desfire_card *card, const struct app *app, uint8_t number, struct key_slot *key);

/* Drop the parity-hidden type: a 16-byte DES-family key with equal halves is single DES. */
void key_settle(struct key_slot *key);

/* ---- delegated.c ---- */

/* Does `mac` prove that the holder of the DAM MAC key asks for this? */
bool delegation_proved(struct scrip_desfire_card *card, uint8_t code, struct scrip_bytes params, const uint8_t mac[8]);

/* ---- light.c ---- */

/* Lay out the fixed application of a MIFARE DESFire Light. @return false: the storage is too small for it */
bool light_make(struct scrip_desfire_card *card);

/* SetConfiguration options 06, 08 and 09 of Light: names and limits of what cannot be created anew. An entry of option
 * 08 is FileNo NewFileNo FID[2]; all entries take effect at once, so that two files may change places. */
#define LIGHT_RENAME_LEN 4U
#define LIGHT_RENAMES    7U /* six files and the application */
uint8_t light_rename_application(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is);
uint8_t light_rename_files(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is);
uint8_t light_set_value_file(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is);

/* ---- apps.c ---- */

/* Select an application page or, with 0, the PICC level: session and transaction end. */
void app_select(struct scrip_desfire_card *card, uint16_t page);

/* Create an application out of the parameters of CreateApplication. `is` holds what delegation adds. */
uint8_t app_create(struct scrip_desfire_card *card, struct scrip_bytes params, const struct app_page *is,
                   const struct key_slot *key);

/* GetDFNames: length of the entry of frame `n`; 0 if it is the last, or there is none. */
size_t app_name_entry_len(struct scrip_desfire_card *card, size_t n);

/* ---- config.c ---- */

/* SetConfiguration option whose data is of any length: under D40 and EV1 messaging its padding is 80 00.. */
#define CONFIG_ATS       0x02U

/* Flags of option 00. */
#define CONFIG_NO_FORMAT 0x01U
#define CONFIG_RANDOM_ID 0x02U

/* Largest INF field of the ATS in force: FSC less block protocol. */
size_t config_frame_max(struct scrip_desfire_card *card);

/* Does the card use LRP instead of AES messaging? */
bool config_lrp(struct scrip_desfire_card *card);

/* Chained writing in mode MAC and Full on standard files forbidden? */
bool config_no_chained_writing(struct scrip_desfire_card *card);

/* Random UID in anticollision? */
bool config_random_id(struct scrip_desfire_card *card);

#endif
