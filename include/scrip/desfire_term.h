/* desfire_term.h: the terminal's half of MIFARE DESFire: commands are put into a batch, responses are taken from what
 * came back, in the same order. No I/O, no memory of its own.
 *
 * One call of an `ask` function appends the wrapped APDU(s) of one command and remembers what its response must look
 * like; one call of scrip_desfire_term_take opens the response of the oldest command that is still out. As many
 * commands as can be computed may be asked for before the first response is taken. Two things end a batch: SCRIP_E_WAIT
 * from an `ask` (its bytes depend on a response that was not taken yet), and a response that may come in several frames
 * (the card says AF; how large its frames are is not known): such a command must be the last of its batch, and while
 * `take` answers SCRIP_E_WAIT the next batch is scrip_desfire_term_continue.
 *
 * After a card's refusal `failure` holds the command and the status word as received; the card has dropped session and
 * transaction by then, and so has the terminal. */
#ifndef SCRIP_DESFIRE_TERM_H
#define SCRIP_DESFIRE_TERM_H

#include <scrip/batch.h>
#include <scrip/desfire_sm.h>

/** Most data bytes of a wrapped frame that every card takes: 64-byte frames less the block protocol and the shell. */
#define SCRIP_DESFIRE_FRAME_DATA 55U

/** Most bytes of one response, all frames joined. */
#define SCRIP_DESFIRE_GATHER_MAX 1024U

/** What went wrong, kept as received. */
struct scrip_desfire_failure {
    enum scrip_status status; /**< SCRIP_OK: nothing went wrong */
    uint8_t cmd;              /**< command code, or INS of an ISO 7816-4 command; 0: none */
    uint16_t sw;              /**< status word of the card; 0: it did not answer */
    bool unanswered;          /**< the command was sent and not answered: it may have been carried out */
};

/** A command whose response was not taken yet. Fields private. */
struct scrip_desfire_pending {
    uint8_t cmd;
    uint8_t kind;   /* enum kind in term_private.h */
    uint8_t frames; /* APDUs that carry the command */
    uint8_t follow; /* requests for more frames that are in the batch already */
    bool ends;      /* a success ends the session */
    struct scrip_desfire_expect expect;
};

/** An authentication under way. Fields private. */
struct scrip_desfire_handshake {
    struct scrip_desfire_auth shared; /* what the card keeps too */
    uint8_t stage;                    /* 0: none, 1: part 1 sent, 2: challenge here, 3: part 2 sent */
    bool begun;                       /* the session was begun ahead of the card's proof */
    bool iso;
    uint8_t challenge_len;
    uint8_t challenge[17];
};

/** A terminal in front of one card. Fields private but `failure`; no pointers: may be copied. Wipe when done. */
struct scrip_desfire_term {
    struct scrip_desfire_session session;
    struct scrip_desfire_handshake auth;
    struct scrip_desfire_failure failure;
    struct scrip_desfire_pending pending[SCRIP_BATCH_COMMANDS];
    uint8_t pending_count;
    uint8_t reply_next; /* next response of the present batch */
    bool continuing;    /* the oldest command's response goes on */
    bool closed;        /* the present batch ends here: a response may need more frames */
    uint8_t frame_data; /* data bytes per wrapped frame in command chaining */
    uint16_t gathered;
    uint8_t gather[SCRIP_DESFIRE_GATHER_MAX];
};

/** Begin with a card that was just activated. */
void scrip_desfire_term_start(struct scrip_desfire_term *term);

/** Clear keys and everything else. */
void scrip_desfire_term_wipe(struct scrip_desfire_term *term);

/** Is a session open? (Asked-for commands may still end it.) */
bool scrip_desfire_term_in_session(const struct scrip_desfire_term *term);

/** How many commands wait for `take`. */
size_t scrip_desfire_term_waiting(const struct scrip_desfire_term *term);

/* ---- asking and taking ---- */

/** Communication mode by the command table, for commands that are no file data commands. */
#define SCRIP_DESFIRE_COMM_BY_TABLE 0xFFU

/** One command. What is enciphered, where its header ends and whether data comes back is in the command table. */
struct scrip_desfire_call {
    uint8_t cmd;
    uint8_t comm;              /**< enum scrip_desfire_comm, or SCRIP_DESFIRE_COMM_BY_TABLE */
    struct scrip_bytes params; /**< everything behind the command code, plain */
    bool status_only;          /**< no data comes back although the command may (CommitTransaction without option) */
    bool unknown_len;          /**< a read of length 0 */
    bool one_frame;            /**< the response is known to fit one frame */
    bool own_key;              /**< ends the session; a success is answered without MAC */
    uint16_t back_len;         /**< plain bytes of the response where known, else 0 */
    uint8_t first_frame;       /**< parameter bytes of the first of two frames (CreateDelegatedApplication) */
    uint8_t follow;            /**< so many requests for more frames are put into the same batch */
};

/** Append a command. Parameters longer than a frame are chained with AF where the command allows it; the codes that use
 *  the block protocol's own chaining (AD, 8D, AB, 8B, BA) go out as one APDU of up to 255 parameter bytes.
 *  @return SCRIP_OK; SCRIP_E_WAIT: take the responses first, nothing was appended; SCRIP_E_SPACE: the batch is full,
 *          or the parameters are too long; SCRIP_E_ARGUMENT: no such command; SCRIP_E_STATE: an authentication is half
 *          way, and the command would break it off */
enum scrip_status scrip_desfire_term_ask(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                         const struct scrip_desfire_call *call);

/** Open the response of the oldest command. Not for the two responses of an authentication: those have their own.
 *  @param out receives the plain data; may be NULL when none is wanted. A response in several frames is opened in
 *             place: give it 32 bytes more than the data
 *  @return SCRIP_OK; SCRIP_E_WAIT: the response goes on, see scrip_desfire_term_continue; SCRIP_E_CARD: refused, see
 *          `failure`; SCRIP_E_TORN: sent but not answered; SCRIP_E_NO_CARD: not sent or its answer withheld;
 *          SCRIP_E_MAC, SCRIP_E_LENGTH, SCRIP_E_FORMAT: not what this card may answer, the session is over;
 *          SCRIP_E_SPACE: `out` is too small (nothing is lost but this response); SCRIP_E_STATE: nothing is out */
enum scrip_status scrip_desfire_term_take(struct scrip_desfire_term *term, const struct scrip_replies *replies,
                                          struct scrip_buf *out);

/** Ask for the next frame of a response that goes on.
 *  @return SCRIP_OK; SCRIP_E_STATE: none goes on, or the batch is not empty; SCRIP_E_SPACE */
enum scrip_status scrip_desfire_term_continue(struct scrip_desfire_term *term, struct scrip_batch *batch);

/* ---- authentication ----
 *
 * part 1 (ask), challenge (take), part 2 (ask), proof (take). After part 2 of EV1, D40 and NonFirst commands may be
 * asked for at once; after EV2 and LRP First the proof must be taken before. */

/** Ask for part 1: 0A, 1A, AA, 71 or 77 by messaging and key type.
 *  @param sm      D40, EV1, EV2 or LRP
 *  @param cipher  of the key: SCRIP_DES, SCRIP_2K3DES, SCRIP_3K3DES, SCRIP_AES128
 *  @param first   EV2 and LRP: First (true) or NonFirst
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT: messaging and key type do not fit; SCRIP_E_SPACE; SCRIP_E_STATE */
enum scrip_status scrip_desfire_term_auth_ask(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                              enum scrip_desfire_sm sm, enum scrip_cipher cipher, uint8_t key_no,
                                              bool first);

/** Take the challenge. It is public: no key is needed yet. @return as scrip_desfire_term_take */
enum scrip_status scrip_desfire_term_auth_challenge(struct scrip_desfire_term *term,
                                                    const struct scrip_replies *replies);

/** Ask for part 2.
 *  @param rnda  must not be predictable: 16 bytes (8 are used for DES and 2K3DES); ISO 7816-4 authentication: twice
 *               that, for its two random numbers
 *  @return SCRIP_OK; SCRIP_E_STATE: no challenge was taken; SCRIP_E_WAIT: take the responses of the session before
 *          first; SCRIP_E_KEY: the messaging has no keys of this type; SCRIP_E_LENGTH, SCRIP_E_FORMAT: the challenge
 *          does not fit the key; SCRIP_E_SPACE */
enum scrip_status scrip_desfire_term_auth_answer(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                 const struct scrip_desfire_key *key, const uint8_t *rnda);

/** Take the card's proof; `key` as in part 2.
 *  @return SCRIP_OK: a session is open; SCRIP_E_AUTH: the card does not know the key; else as scrip_desfire_term_take
 */
enum scrip_status scrip_desfire_term_auth_proof(struct scrip_desfire_term *term, const struct scrip_replies *replies,
                                                const struct scrip_desfire_key *key);

/** ISO 7816-4 authentication, part 1: GET CHALLENGE. Then _auth_challenge, _auth_answer (82 and 88 in one batch; the
 *  session is EV1's), _auth_proof as above.
 *  @param key_no  number in the selected application; at PICC level too
 *  @param in_app  an application is selected
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT: no such key type; SCRIP_E_WAIT, SCRIP_E_SPACE: as scrip_desfire_term_ask */
enum scrip_status scrip_desfire_term_iso_auth_ask(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                  enum scrip_cipher cipher, uint8_t key_no, bool in_app);

/* ---- a terminal as bytes, for a server without memory (secret: seal them) ---- */

/** Most bytes of a saved terminal without a half-gathered response. */
#define SCRIP_DESFIRE_TERM_SAVED_MAX                                                                                   \
    (SCRIP_DESFIRE_SESSION_SAVED + 96U + SCRIP_BATCH_COMMANDS * (4U + SCRIP_DESFIRE_EXPECT_SAVED_MAX))

/** Append the terminal's state, commands that are out included. @return SCRIP_OK; SCRIP_E_SPACE */
enum scrip_status scrip_desfire_term_save(const struct scrip_desfire_term *term, struct scrip_buf *out);

/** Take a saved terminal off `in`. @return SCRIP_OK; SCRIP_E_LENGTH; SCRIP_E_FORMAT */
enum scrip_status scrip_desfire_term_load(struct scrip_desfire_term *term, struct scrip_bytes *in);

/* ---- files ----
 *
 * From here on a function that is given a batch asks for one command and returns as scrip_desfire_term_ask;
 * SCRIP_E_ARGUMENT is also what the command has no room for (an amount below 0, an offset above 24 bits, a name that is
 * too long), SCRIP_E_KEY a key of a type that it does not take. */

#define SCRIP_DESFIRE_RIGHT_FREE  0xEU
#define SCRIP_DESFIRE_RIGHT_NEVER 0xFU

/** One set of access rights: key number, free or never for each. */
struct scrip_desfire_rights {
    uint8_t read;
    uint8_t write;
    uint8_t read_write;
    uint8_t change;
};

/** Access rights as the two bytes on the wire, and back. */
void scrip_desfire_rights_put(uint8_t at[2], const struct scrip_desfire_rights *rights);
struct scrip_desfire_rights scrip_desfire_rights_get(const uint8_t at[2]);

/** File types as GetFileSettings names them. */
enum scrip_desfire_file_type {
    SCRIP_DESFIRE_FILE_STANDARD,
    SCRIP_DESFIRE_FILE_BACKUP,
    SCRIP_DESFIRE_FILE_VALUE,
    SCRIP_DESFIRE_FILE_LINEAR,
    SCRIP_DESFIRE_FILE_CYCLIC,
    SCRIP_DESFIRE_FILE_TMAC,
};

#define SCRIP_DESFIRE_MORE_RIGHTS_MAX 7U

/** Secure Dynamic Messaging of a file. Offsets and lengths count bytes; what `options` and `rights` do not ask for is
 *  neither sent nor read. */
struct scrip_desfire_sdm {
    uint8_t options;     /**< bit 7 UID, 6 read counter, 5 counter limit, 4 enciphered file data, 0 ASCII */
    uint8_t meta_read;   /**< key, SCRIP_DESFIRE_RIGHT_FREE: plain, _NEVER: no PICC data */
    uint8_t file_read;   /**< key, or _NEVER: no MAC */
    uint8_t counter_ret; /**< who may call GetFileCounters */
    uint32_t uid_offset, counter_offset, picc_data_offset, mac_input_offset, enc_offset, enc_len, mac_offset, limit;
};

/** A file as GetFileSettings describes it, CreateFile makes it and ChangeFileSettings changes it. */
struct scrip_desfire_file {
    uint8_t no;
    uint8_t type; /**< enum scrip_desfire_file_type */
    uint8_t comm; /**< enum scrip_desfire_comm */
    bool has_iso_fid;
    uint16_t iso_fid;          /**< create only */
    bool may_have_more_rights; /**< FileOption bit 7 */
    struct scrip_desfire_rights rights;
    uint8_t more_count;
    struct scrip_desfire_rights more[SCRIP_DESFIRE_MORE_RIGHTS_MAX]; /**< not sent when creating */
    bool has_sdm;
    struct scrip_desfire_sdm sdm;
    uint32_t size;                         /**< data files, bytes */
    int32_t lower, upper, value;           /**< value file; `value`: at creation, or LimitedCreditValue when read */
    uint8_t value_flags;                   /**< bit 0 limited credit, bit 1 free GetValue */
    uint32_t record_size, max_records;     /**< record files */
    uint32_t records;                      /**< record files, when read: records there are */
    uint8_t tm_key_option, tm_key_version; /**< Transaction MAC file */
    bool has_tmc_limit;
    uint32_t tmc_limit;
};

/** Read a GetFileSettings response (plain, without status). `file->no` is left alone.
 *  @return SCRIP_OK; SCRIP_E_FORMAT: unknown type; SCRIP_E_LENGTH */
enum scrip_status scrip_desfire_file_parse(struct scrip_bytes settings, struct scrip_desfire_file *file);

/** Append what ChangeFileSettings sends after the file number.
 *  @return SCRIP_OK; SCRIP_E_SPACE; SCRIP_E_ARGUMENT: too many sets of rights */
enum scrip_status scrip_desfire_file_settings_put(const struct scrip_desfire_file *file, struct scrip_buf *out);

/** Append an SDM block as ChangeFileSettings has it. */
enum scrip_status scrip_desfire_sdm_put(const struct scrip_desfire_sdm *sdm, struct scrip_buf *out);

/** Take an SDM block off `in`. @return SCRIP_OK; SCRIP_E_LENGTH */
enum scrip_status scrip_desfire_sdm_get(struct scrip_bytes *in, struct scrip_desfire_sdm *sdm);

/** Create a file of any type but Transaction MAC. */
enum scrip_status scrip_desfire_create_file(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                            const struct scrip_desfire_file *file);
/** Create the Transaction MAC file with its key. */
enum scrip_status scrip_desfire_create_tmac_file(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                 const struct scrip_desfire_file *file,
                                                 const struct scrip_desfire_key *key);
enum scrip_status scrip_desfire_delete_file(struct scrip_desfire_term *term, struct scrip_batch *batch, uint8_t no);
/** Response: see scrip_desfire_file_parse. */
enum scrip_status scrip_desfire_get_file_settings(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                  uint8_t no);
/** @param free_change  the Change right is free: sent plain */
enum scrip_status scrip_desfire_change_file_settings(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                     const struct scrip_desfire_file *file, bool free_change);
enum scrip_status scrip_desfire_get_file_ids(struct scrip_desfire_term *term, struct scrip_batch *batch);
enum scrip_status scrip_desfire_get_iso_file_ids(struct scrip_desfire_term *term, struct scrip_batch *batch);
/** Response: SDM read counter 3 LE, then two zeros. */
enum scrip_status scrip_desfire_get_file_counters(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                  uint8_t no);

/* ---- data. `comm` is the mode in force: the file's, or Plain where only a free right allows the access. `long_code`:
 * use the code with the block protocol's own chaining (EV2 and later). A response that may need more than one frame
 * (any read with a short code) ends the batch unless `one_frame` says that the caller knows it fits. ---- */

struct scrip_desfire_access {
    uint8_t no;     /**< file */
    uint8_t comm;   /**< enum scrip_desfire_comm */
    bool long_code; /**< AD, 8D, AB, 8B, BA instead of BD, 3D, BB, 3B, DB */
    bool one_frame; /**< reads: the answer is known to fit a frame */
    uint8_t follow; /**< reads: requests for more frames to put into the same batch; one too many ends the session */
};

/** Response: the data. `len` 0: to the end of the file. */
enum scrip_status scrip_desfire_read_data(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                          const struct scrip_desfire_access *file, uint32_t offset, uint32_t len);
enum scrip_status scrip_desfire_write_data(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                           const struct scrip_desfire_access *file, uint32_t offset,
                                           struct scrip_bytes data);
/** Response: `count` records (0: all), oldest first. Record 0 is the newest.
 *  @param record_size bytes of one record if known, else 0 */
enum scrip_status scrip_desfire_read_records(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                             const struct scrip_desfire_access *file, uint32_t record, uint32_t count,
                                             uint32_t record_size);
enum scrip_status scrip_desfire_write_record(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                             const struct scrip_desfire_access *file, uint32_t offset,
                                             struct scrip_bytes data);
enum scrip_status scrip_desfire_update_record(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                              const struct scrip_desfire_access *file, uint32_t record, uint32_t offset,
                                              struct scrip_bytes data);
enum scrip_status scrip_desfire_clear_record_file(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                  uint8_t no);
/** Response: 4 bytes, two's complement LE. */
enum scrip_status scrip_desfire_get_value(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                          const struct scrip_desfire_access *file);
/** `amount` in minor units, 0 or more. */
enum scrip_status scrip_desfire_credit(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                       const struct scrip_desfire_access *file, int32_t amount);
enum scrip_status scrip_desfire_debit(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                      const struct scrip_desfire_access *file, int32_t amount);
enum scrip_status scrip_desfire_limited_credit(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                               const struct scrip_desfire_access *file, int32_t amount);
/** Response: EncTMRI (16) in a session, nothing outside. */
enum scrip_status scrip_desfire_commit_reader_id(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                 const uint8_t tmri[16]);
/** @param with_tmv  option 01: the response is TMC (4 LE) and TMV (8) */
enum scrip_status scrip_desfire_commit_transaction(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                   bool with_tmv);
enum scrip_status scrip_desfire_abort_transaction(struct scrip_desfire_term *term, struct scrip_batch *batch);

/** EV3: the value of one value file becomes the pending value of another. */
enum scrip_status scrip_desfire_restore_transfer(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                 uint8_t target, uint8_t source);

/* ---- card and applications. AIDs are 3 bytes as sent: 014499h is 99 44 01. ---- */

/** Leaves session and open transaction behind, on the card and here. */
enum scrip_status scrip_desfire_select_application(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                   const uint8_t aid[3]);
/** Select two applications (EV2, EV3): file and key numbers with bit 7 set mean the second one. */
enum scrip_status scrip_desfire_select_applications(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                    const uint8_t first[3], const uint8_t second[3]);
/** SELECT by DF name (ISO 7816-4), 1..16 bytes. The batch gets 9000 as a good status word. */
enum scrip_status scrip_desfire_iso_select_df(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                              struct scrip_bytes name);
/** SELECT an application or the card (3F00) by its ISO file id. */
enum scrip_status scrip_desfire_iso_select_fid(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                               uint16_t fid);
/** SELECT a file of the selected application by its ISO file id. Session and transaction go on. */
enum scrip_status scrip_desfire_iso_select_ef(struct scrip_desfire_term *term, struct scrip_batch *batch, uint16_t fid);
/** READ BINARY by short file id. */
enum scrip_status scrip_desfire_iso_read_binary(struct scrip_desfire_term *term, struct scrip_batch *batch, uint8_t sfi,
                                                uint8_t offset, uint8_t len);
/** UPDATE BINARY, 1..255 bytes. A backup file waits for CommitTransaction. */
enum scrip_status scrip_desfire_iso_update_binary(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                  uint8_t sfi, uint8_t offset, struct scrip_bytes data);
/** READ RECORDS: record `record` (0 the newest) alone or with all older ones, oldest first. `sfi` 0, here and below:
 *  the file selected last.
 *  @param len bytes wanted; 0: whatever there is */
enum scrip_status scrip_desfire_iso_read_records(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                 uint8_t sfi, uint8_t record, bool to_the_end, uint8_t len);
/** APPEND RECORD, 1..255 bytes; waits for CommitTransaction. */
enum scrip_status scrip_desfire_iso_append_record(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                  uint8_t sfi, struct scrip_bytes data);

/** What a new application is to be. */
struct scrip_desfire_application {
    uint8_t aid[3];
    uint8_t ks1;
    uint8_t ks2;
    bool has_ks3; /**< EV2 and later: KS2 bit 4 is set and this byte is sent */
    uint8_t ks3;
    bool has_key_sets; /**< KS3 bit 0 is set and the following four are sent */
    uint8_t aks_version, key_sets, max_key_size, key_set_settings;
    bool has_iso_fid; /**< KS2 bit 5 must be set by the caller where files are to have FIDs */
    uint16_t iso_fid;
    uint8_t df_name_len;
    uint8_t df_name[16];
};

/** Needs the card master key's session, or a card on which creating is free. All keys of the new application are zero.
 */
enum scrip_status scrip_desfire_create_application(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                   const struct scrip_desfire_application *application);

/** A delegated application: where it goes and the owner's permission. */
struct scrip_desfire_delegation {
    uint16_t slot;
    uint8_t slot_version;
    uint16_t quota; /**< units of 32 bytes */
    uint8_t enc_k[32];
    uint8_t dam_mac[8];
};

/** What the card's owner computes for an application provider: EncK and DAMMAC.
 *  @param enc_key, mac_key  DAM keys 12h and 11h, AES
 *  @param random            7 random bytes
 *  @param initial           initial key of the application
 *  @param delegation        slot, version and quota in; enc_k and dam_mac out
 *  @return SCRIP_OK; SCRIP_E_KEY: no such key type; SCRIP_E_ARGUMENT: no such application can be made */
enum scrip_status scrip_desfire_delegation_sign(const struct scrip_desfire_application *application,
                                                const uint8_t enc_key[16], const uint8_t mac_key[16],
                                                const uint8_t random[7], const struct scrip_desfire_key *initial,
                                                struct scrip_desfire_delegation *delegation);
enum scrip_status scrip_desfire_create_delegated_application(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                             const struct scrip_desfire_application *application,
                                                             const struct scrip_desfire_delegation *delegation);
/** Response: slot version, quota 2 LE, free 2 LE, AID. */
enum scrip_status scrip_desfire_get_delegated_info(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                   uint16_t slot);
/** @param dam_mac  8 bytes, or NULL: not a delegated application */
enum scrip_status scrip_desfire_delete_application(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                   const uint8_t aid[3], const uint8_t *dam_mac);
/** Response: AIDs, 3 bytes each. May take several frames. */
enum scrip_status scrip_desfire_get_application_ids(struct scrip_desfire_term *term, struct scrip_batch *batch);
/** Response: AID, FID, name of all applications joined; one application per frame, so frame borders are lost: only for
 *  cards with one named application. Do not send it inside a session (some EV1 cards lock up). */
enum scrip_status scrip_desfire_get_df_names(struct scrip_desfire_term *term, struct scrip_batch *batch);
enum scrip_status scrip_desfire_get_free_memory(struct scrip_desfire_term *term, struct scrip_batch *batch);
enum scrip_status scrip_desfire_format_picc(struct scrip_desfire_term *term, struct scrip_batch *batch);
/** Response: 7 bytes of UID, true even when the card answers to a random one. Needs a session. */
enum scrip_status scrip_desfire_get_card_uid(struct scrip_desfire_term *term, struct scrip_batch *batch);
/** Response: 56 bytes, r and s of ECDSA on secp224r1 over the UID. */
enum scrip_status scrip_desfire_read_signature(struct scrip_desfire_term *term, struct scrip_batch *batch);
enum scrip_status scrip_desfire_set_configuration(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                  uint8_t option, struct scrip_bytes data);

/** A file of a MIFARE DESFire Light gets another number and ISO file id, either of which may be the old one.
 *  `no` and `new_no` SCRIP_DESFIRE_THE_APPLICATION: the application gets another ISO file id. */
struct scrip_desfire_rename {
    uint8_t no;
    uint8_t new_no;
    uint16_t iso_fid; /**< 0 for value and Transaction MAC files, which have none */
};

#define SCRIP_DESFIRE_THE_APPLICATION 0xFFU
#define SCRIP_DESFIRE_RENAMES_MAX     7U

/** SetConfiguration option 08 of Light, all at once: files may change places. A card does it once. The bytes are this
 *  project's (docs/protocol/desfire.md): a genuine card may want others.
 *  @return as scrip_desfire_term_ask; SCRIP_E_ARGUMENT: none, or more than SCRIP_DESFIRE_RENAMES_MAX */
enum scrip_status scrip_desfire_rename_files(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                             const struct scrip_desfire_rename *renames, size_t count);
/** SetConfiguration option 06: on Light the application's DF name (once), elsewhere another DF name of the card.
 *  @param name 1..16 bytes @return as scrip_desfire_term_ask; SCRIP_E_ARGUMENT: empty or too long */
enum scrip_status scrip_desfire_rename_df(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                          struct scrip_bytes name);

/** GetVersion's three frames, in one batch: response 28 or 29 bytes. */
enum scrip_status scrip_desfire_get_version(struct scrip_desfire_term *term, struct scrip_batch *batch);

/** What GetVersion says. */
struct scrip_desfire_version {
    uint8_t hw_vendor, hw_type, hw_subtype, hw_major, hw_minor, hw_storage, hw_protocol;
    uint8_t sw_vendor, sw_type, sw_subtype, sw_major, sw_minor, sw_storage, sw_protocol;
    uint8_t uid[7]; /**< all zero with random ID outside a session */
    uint8_t batch[5];
    uint8_t week, year; /**< BCD */
    bool has_fab_key_id;
    uint8_t fab_key_id;
    uint32_t storage_min, storage_max; /**< bytes; equal when the size is exact */
};

/** @return SCRIP_OK; SCRIP_E_LENGTH */
enum scrip_status scrip_desfire_version_parse(struct scrip_bytes response, struct scrip_desfire_version *version);

/** "MIFARE DESFire EV3" and so on. Static memory. */
const char *scrip_desfire_version_product(const struct scrip_desfire_version *version);

/* ---- keys ---- */

/** Response: KS1, KS2 and, with key sets, more. */
enum scrip_status scrip_desfire_get_key_settings(struct scrip_desfire_term *term, struct scrip_batch *batch);
enum scrip_status scrip_desfire_change_key_settings(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                    uint8_t ks1);
/** Response: one version byte, or all versions. @param key_set NULL: the active set */
enum scrip_status scrip_desfire_get_key_version(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                uint8_t key_no, const uint8_t *key_set);
/** Change a key of the active set.
 *  @param key_no   at PICC level with the type bits already set for key 0 (00, 40 3K3DES, 80 AES)
 *  @param current  present value; NULL: it is the key of the session, which ends with this command */
enum scrip_status scrip_desfire_change_key(struct scrip_desfire_term *term, struct scrip_batch *batch, uint8_t key_no,
                                           const struct scrip_desfire_key *next,
                                           const struct scrip_desfire_key *current);
/** Change a key of any set (C6). */
enum scrip_status scrip_desfire_change_key_ev2(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                               uint8_t key_set, uint8_t key_no, const struct scrip_desfire_key *next,
                                               const struct scrip_desfire_key *current);
/** @param type 00 DES and 2K3DES, 01 3K3DES, 02 AES */
enum scrip_status scrip_desfire_initialize_key_set(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                   uint8_t key_set, uint8_t type);
enum scrip_status scrip_desfire_finalize_key_set(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                 uint8_t key_set, uint8_t version);
/** Ends the session. */
enum scrip_status scrip_desfire_roll_key_set(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                             uint8_t key_set);

/* ---- proximity check (EV2, EV3), outside sessions: prepare, exchange 8 bytes in parts, verify. Each request is
 * followed by taking its response, which the second function of each pair is given. How long a part takes is for the
 * caller to measure, against the time that the card has named. ---- */

/** A proximity check under way. `prepared`: option, response time [2, most significant byte first], PPS1 if option bit
 * 0; the rest is private. */
struct scrip_desfire_pc {
    uint8_t prepared[4];
    uint8_t prepared_len;
    uint8_t rndc[8];
    uint8_t len;       /* bytes exchanged so far */
    uint8_t parts[16]; /* as the MACs take them */
};

/** @param rndc  8 fresh random bytes of the host */
void scrip_desfire_pc_start(struct scrip_desfire_pc *pc, const uint8_t rndc[8]);

/** PreparePC. @return SCRIP_E_STATE, here and below: inside a session */
enum scrip_status scrip_desfire_pc_prepare(struct scrip_desfire_term *term, struct scrip_batch *batch);
/** @return SCRIP_E_LENGTH */
enum scrip_status scrip_desfire_pc_prepared(struct scrip_desfire_pc *pc, struct scrip_bytes response);

/** ProximityCheck with the next `n` bytes. @return SCRIP_E_ARGUMENT: that many are not left */
enum scrip_status scrip_desfire_pc_ask(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                       const struct scrip_desfire_pc *pc, uint8_t n);
/** @return SCRIP_E_LENGTH */
enum scrip_status scrip_desfire_pc_part(struct scrip_desfire_pc *pc, struct scrip_bytes response);

/** VerifyPC. @param key key 21h of the card, AES @return SCRIP_E_STATE: not all bytes have been exchanged */
enum scrip_status scrip_desfire_pc_verify(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                          const struct scrip_desfire_pc *pc, const uint8_t key[16]);
/** @return SCRIP_OK: the card that answered knows the key; SCRIP_E_AUTH: it does not; SCRIP_E_LENGTH */
enum scrip_status scrip_desfire_pc_verified(const struct scrip_desfire_pc *pc, const uint8_t key[16],
                                            struct scrip_bytes response);

/* ---- the input of the Transaction MAC, part by part, as the card builds it. `cmd` is the code as sent. ---- */

/** GetValue (what it returned), Credit, Debit, LimitedCredit. @return SCRIP_OK; SCRIP_E_SPACE, as all of these */
enum scrip_status scrip_desfire_tmi_value(struct scrip_buf *tmi, uint8_t cmd, uint8_t file, int32_t value);
/** ReadData, WriteData, ReadRecords (record number and count in place of offset and length) and WriteRecord. */
enum scrip_status scrip_desfire_tmi_data(struct scrip_buf *tmi, uint8_t cmd, uint8_t file, uint32_t offset,
                                         uint32_t len, struct scrip_bytes data);
enum scrip_status scrip_desfire_tmi_update(struct scrip_buf *tmi, uint8_t cmd, uint8_t file, uint32_t record,
                                           uint32_t offset, struct scrip_bytes data);
enum scrip_status scrip_desfire_tmi_clear(struct scrip_buf *tmi, uint8_t file);
/** @param enc_tmri  NULL: CommitReaderID outside a session */
enum scrip_status scrip_desfire_tmi_reader(struct scrip_buf *tmi, const uint8_t tmri[16], const uint8_t *enc_tmri);

#endif
