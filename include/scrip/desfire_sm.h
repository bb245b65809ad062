/* desfire_sm.h: secure messaging of MIFARE DESFire, the part that card and terminal share: D40, EV1 (DES, 2K3DES,
 * 3K3DES, AES), EV2 and LRP. Pure computation on a caller-owned session.
 *
 * The host's side may run ahead of the card: wrap_command returns an `expect` for each command, and the responses are
 * opened later, in order, each against its own `expect`. Where the next command's bytes depend on a response that has
 * not been opened yet (EV1 after a response with unknown data), wrap_command answers SCRIP_E_WAIT. */
#ifndef SCRIP_DESFIRE_SM_H
#define SCRIP_DESFIRE_SM_H

#include <scrip/block.h>
#include <scrip/bytes.h>
#include <scrip/cmac.h>
#include <scrip/lrp.h>

/** Communication modes; the values are those of FileOption bits 1..0. */
enum scrip_desfire_comm {
    SCRIP_DESFIRE_PLAIN = 0,
    SCRIP_DESFIRE_MAC = 1,
    SCRIP_DESFIRE_FULL = 3,
};

/** Secure messaging in force. */
enum scrip_desfire_sm {
    SCRIP_DESFIRE_SM_NONE,
    SCRIP_DESFIRE_SM_D40,
    SCRIP_DESFIRE_SM_EV1,
    SCRIP_DESFIRE_SM_EV2,
    SCRIP_DESFIRE_SM_LRP,
};

/** A key as cards store it. */
struct scrip_desfire_key {
    uint8_t cipher;    /**< SCRIP_DES, _2K3DES, _3K3DES or _AES128 */
    uint8_t version;   /**< AES; of a DES-family key it repeats what the parity bits of `bytes` say */
    uint8_t bytes[24]; /**< 8 (DES), 16 or 24 bytes in use */
};

/** A session. Fields private, no pointers: may be copied. Wipe when done. */
struct scrip_desfire_session {
    uint8_t sm;     /* enum scrip_desfire_sm */
    uint8_t cipher; /* enum scrip_cipher of the session keys */
    uint8_t key_no;
    uint8_t waiting;  /* host, EV1 and LRP: responses still out that decide how the chain goes on */
    uint16_t cmd_ctr; /* host: of the next command to wrap; card: of the next command to come */
    uint32_t enc_ctr; /* LRP */
    uint8_t ti[4];
    uint8_t iv[16];         /* EV1 chain */
    uint8_t secret[2][24];  /* session keys as bytes: ENC (or the only one; LRP: the master key), MAC */
    struct scrip_block enc; /* expanded secret[0] */
    struct scrip_cmac_key mac;
    struct scrip_lrp lrp;
};

/** How one command and its response are protected. */
struct scrip_desfire_protection {
    uint8_t comm;       /**< enum scrip_desfire_comm in force for this command */
    bool file_data;     /**< a file's data command: in MAC mode D40 and EV1 transmit a MAC with the data, either way */
    bool settings;      /**< D40: enciphered although it is no file command (ChangeKeySettings, ChangeFileSettings) */
    bool own_checksums; /**< ChangeKey: D40 and EV1 add no CRC of their own to the data, only padding */
    bool unknown_len;   /**< a read of length 0: enciphered D40/EV1 responses are padded 80 00..; SetConfiguration
                             of an ATS: so is the command */
    bool no_mac_back;   /**< a success answered without MAC (ChangeKey of the own key, RollKeySet) */
    bool data_back;     /**< the response carries data (false: status only, so EV1 can run ahead) */
    uint16_t back_len;  /**< host: plain bytes of the response when known beforehand, else 0: then LRP cannot run ahead
                             past an enciphered response, and D40 takes one in 256 for a byte too short */
};

/** What the host needs to open one response. Fields private; no pointers, fixed size: may be copied, or stored with
 *  scrip_desfire_expect_save. */
struct scrip_desfire_expect {
    struct scrip_desfire_protection protection;
    uint8_t sm;           /* messaging in force: a session that ended meanwhile opens nothing */
    bool ahead;           /* everything needed is in here: the session has already gone on */
    uint16_t cmd_ctr;     /* EV2, LRP: of the command */
    uint32_t enc_ctr;     /* LRP, ahead: of the response */
    uint8_t predicted[8]; /* EV1, ahead: MAC of the status-only response */
    uint8_t deferred_len; /* EV1: command bytes still to be chained when the response before is opened */
    uint8_t deferred[20];
};

/* ---- beginning a session: both sides, once both random numbers are known ---- */

/** D40 session [D40: DES, 2K3DES]. `rnda`, `rndb`: 8 bytes. */
void scrip_desfire_sm_begin_d40(struct scrip_desfire_session *session, uint8_t key_no,
                                const struct scrip_desfire_key *key, const uint8_t *rnda, const uint8_t *rndb);

/** EV1 session. `rnda`, `rndb`: 8 bytes (DES, 2K3DES) or 16. */
void scrip_desfire_sm_begin_ev1(struct scrip_desfire_session *session, uint8_t key_no,
                                const struct scrip_desfire_key *key, const uint8_t *rnda, const uint8_t *rndb);

/** EV2 session after AuthenticateEV2First (`ti` given, counter 0) or NonFirst (`ti` NULL: TI and CmdCtr are kept). */
void scrip_desfire_sm_begin_ev2(struct scrip_desfire_session *session, uint8_t key_no, const uint8_t key[16],
                                const uint8_t rnda[16], const uint8_t rndb[16], const uint8_t *ti);

/** LRP session; `ti` as for EV2. EncCtr starts at 0: opening or making PICCData steps it. */
void scrip_desfire_sm_begin_lrp(struct scrip_desfire_session *session, uint8_t key_no, const uint8_t key[16],
                                const uint8_t rnda[16], const uint8_t rndb[16], const uint8_t *ti);

/** End the session and clear its keys. A zeroed session is an ended one. */
void scrip_desfire_sm_end(struct scrip_desfire_session *session);

/* ---- the handshakes, as bytes after the command or status byte ---- */

/** An authentication under way, as each side keeps it. The caller sets messaging, key number, `first` and its own
 * random number (card: RndB, host: RndA); the other one is filled in when it comes. No pointers: may be copied. Wipe
 * when done.
 */
struct scrip_desfire_auth {
    uint8_t sm; /**< enum scrip_desfire_sm */
    uint8_t key_no;
    bool first;       /**< EV2, LRP: First, not NonFirst */
    uint8_t rnda[16]; /**< scrip_desfire_auth_random_len bytes in use */
    uint8_t rndb[16];
    uint8_t iv[16]; /* EV1: runs on through the messages */
};

/** What a First authentication of EV2 and LRP returns beside the proof. */
struct scrip_desfire_auth_info {
    uint8_t ti[4];
    uint8_t pdcap2[6];
    uint8_t pcdcap2[6];
};

/** Length of the random numbers of an authentication: 8 or 16 bytes. */
size_t scrip_desfire_auth_random_len(enum scrip_desfire_sm sm, const struct scrip_desfire_key *key);

/* Each of the messages below is answered with SCRIP_E_KEY where the messaging has no keys of this type. */

/** Card: append the challenge. D40, EV1, EV2: E(RndB); LRP: 01 || RndB. @return SCRIP_OK; SCRIP_E_KEY; SCRIP_E_SPACE */
enum scrip_status scrip_desfire_auth_challenge(struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key,
                                               struct scrip_buf *out);

/** Host: open the challenge.
 *  @return SCRIP_OK; SCRIP_E_KEY; SCRIP_E_LENGTH: wrong for this key and messaging; SCRIP_E_FORMAT: not that of LRP */
enum scrip_status scrip_desfire_auth_open_challenge(struct scrip_desfire_auth *auth,
                                                    const struct scrip_desfire_key *key, struct scrip_bytes challenge);

/** Host: append the token, E(RndA || RndB') or for LRP RndA || MAC. @return SCRIP_OK; SCRIP_E_KEY; SCRIP_E_SPACE */
enum scrip_status scrip_desfire_auth_token(struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key,
                                           struct scrip_buf *out);

/** Card: check the token. @return SCRIP_OK; SCRIP_E_KEY; SCRIP_E_AUTH: the host does not know the key; SCRIP_E_LENGTH
 */
enum scrip_status scrip_desfire_auth_open_token(struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key,
                                                struct scrip_bytes token);

/** Begin the session that both random numbers make.
 *  @param ti  EV2, LRP: after First; NULL after NonFirst: TI and CmdCtr are kept */
void scrip_desfire_auth_begin(const struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key,
                              const uint8_t *ti, struct scrip_desfire_session *session);

/** Card: append the closing reply. @param info NULL for D40, EV1 and NonFirst.
 *  For EV2 and LRP `session` must have been begun (LRP enciphers PICCData with it).
 *  @return SCRIP_OK; SCRIP_E_KEY; SCRIP_E_SPACE */
enum scrip_status scrip_desfire_auth_reply(struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key,
                                           const struct scrip_desfire_auth_info *info,
                                           struct scrip_desfire_session *session, struct scrip_buf *out);

/** Host: check the closing reply and begin the session.
 *  @param info  may be NULL
 *  @return SCRIP_OK; SCRIP_E_KEY; SCRIP_E_AUTH: the card does not know the key, no session; SCRIP_E_LENGTH */
enum scrip_status scrip_desfire_auth_finish(struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key,
                                            struct scrip_bytes reply, struct scrip_desfire_session *session,
                                            struct scrip_desfire_auth_info *info);

/* ---- commands and responses inside (or outside) a session ---- */

/** Host: protect a command. Appends what follows the command code: header, then data as protected.
 *  @return SCRIP_OK; SCRIP_E_WAIT: open the outstanding responses first (nothing changed); SCRIP_E_SPACE;
 *          SCRIP_E_STATE: the counter is used up */
enum scrip_status scrip_desfire_sm_wrap_command(struct scrip_desfire_session *session,
                                                const struct scrip_desfire_protection *protection, uint8_t cmd,
                                                struct scrip_bytes header, struct scrip_bytes data,
                                                struct scrip_buf *out, struct scrip_desfire_expect *expect);

/** Host: open the response of one command: all data frames joined, final status 00 or 90. Responses are opened in the
 *  order of their commands. `out` must not overlap `data`.
 *  @param out receives the plain data; opening is done in it, so it needs room for what is enciphered, padding and
 *             checksum included
 *  @return SCRIP_OK; SCRIP_E_MAC: MAC, checksum or padding wrong; SCRIP_E_LENGTH: cannot be what the command asked for;
 *          SCRIP_E_SPACE; SCRIP_E_STATE: the session it belongs to has ended. Any failure ends the session: nothing
 *          that comes after an altered response can be trusted. */
enum scrip_status scrip_desfire_sm_open_response(struct scrip_desfire_session *session,
                                                 const struct scrip_desfire_expect *expect, uint8_t status,
                                                 struct scrip_bytes data, struct scrip_buf *out);

/** Card: open a command. `params` is everything after the command code, frames joined, AF bytes left out.
 *  @param header_len bytes of it that are header
 *  @param data_len   plain data length if known, else SIZE_MAX: in D40 and EV1 the end of enciphered data is then found
 *                    by its checksum, which takes one command in 256 for a byte too short
 *  @param out        receives the plain data (not the header); needs room for what is enciphered, padding included
 *  @return SCRIP_OK, and for EV2/LRP the counter is stepped; SCRIP_E_MAC; SCRIP_E_LENGTH; SCRIP_E_SPACE */
enum scrip_status scrip_desfire_sm_open_command(struct scrip_desfire_session *session,
                                                const struct scrip_desfire_protection *protection, uint8_t cmd,
                                                struct scrip_bytes params, size_t header_len, size_t data_len,
                                                struct scrip_buf *out);

/** Card: protect a successful response: appends data as protected, without the status byte.
 *  @param status 00 or 90, enters the MAC */
enum scrip_status scrip_desfire_sm_wrap_response(struct scrip_desfire_session *session,
                                                 const struct scrip_desfire_protection *protection, uint8_t status,
                                                 struct scrip_bytes data, struct scrip_buf *out);

/* ---- a session as bytes, for a server without memory (the bytes are secret: seal them) ---- */

#define SCRIP_DESFIRE_SESSION_SAVED    80U /**< bytes of a saved session */
#define SCRIP_DESFIRE_EXPECT_SAVED_MAX 40U /**< most bytes of a saved expect */

/** Append the session: SCRIP_DESFIRE_SESSION_SAVED bytes, in this order: format 01, messaging, cipher, key number,
 *  responses waited for [1 each]; CmdCtr [2 LE], EncCtr [4 LE], TI [4], running IV [16], secrets [2 times 24], 00.
 *  @return SCRIP_OK; SCRIP_E_SPACE */
enum scrip_status scrip_desfire_sm_save(const struct scrip_desfire_session *session, struct scrip_buf *out);

/** Take a saved session off `in`. @return SCRIP_E_LENGTH, SCRIP_E_FORMAT */
enum scrip_status scrip_desfire_sm_load(struct scrip_desfire_session *session, struct scrip_bytes *in);

/** Append one expect: at most SCRIP_DESFIRE_EXPECT_SAVED_MAX bytes. @return SCRIP_OK; SCRIP_E_SPACE */
enum scrip_status scrip_desfire_expect_save(const struct scrip_desfire_expect *expect, struct scrip_buf *out);

/** Take a saved expect off `in`. @return SCRIP_E_LENGTH, SCRIP_E_FORMAT */
enum scrip_status scrip_desfire_expect_load(struct scrip_desfire_expect *expect, struct scrip_bytes *in);

/* ---- ChangeKey cryptograms (the plain data, before secure messaging) ---- */

/** The plain data of ChangeKey / ChangeKeyEV2 for the session's messaging [spec: own key and other key forms].
 *  @param header  KeyNo (C4) or KeySet || KeyNo (C6)
 *  @param current the key's present value, NULL for the own-key form */
enum scrip_status scrip_desfire_change_key_data(enum scrip_desfire_sm sm, uint8_t cmd, struct scrip_bytes header,
                                                const struct scrip_desfire_key *next,
                                                const struct scrip_desfire_key *current, struct scrip_buf *out);

/** Card: read that plain data back.
 *  @param cipher   type of the new key; DES is sent as 16 bytes with equal halves, which is read as SCRIP_DES
 *  @param plain    as scrip_desfire_sm_open_command gave it (D40 and EV1: with padding)
 *  @param next     receives the new key; DES family: version out of the key's parity bits
 *  @return SCRIP_OK; SCRIP_E_MAC: a checksum is wrong; SCRIP_E_LENGTH */
enum scrip_status scrip_desfire_change_key_open(enum scrip_desfire_sm sm, uint8_t cmd, struct scrip_bytes header,
                                                enum scrip_cipher cipher, const struct scrip_desfire_key *current,
                                                struct scrip_bytes plain, struct scrip_desfire_key *next);

/** The version that the parity bits of a DES-family key spell: bit 7 in byte 0 and so on. `key` 8 bytes or more. */
uint8_t scrip_des_key_version(const uint8_t *key);

/** Write a version into the parity bits of the first 8 bytes of a DES-family key and clear the others. */
void scrip_des_key_set_version(uint8_t *key, size_t len, uint8_t version);

/* ---- Transaction MAC ---- */

/** Session keys of one transaction. */
struct scrip_desfire_tmac_keys {
    uint8_t mac[16];
    uint8_t enc[16];
};

/** Derive them.
 *  @param app_key   AppTransactionMACKey
 *  @param tmc_next  TMC after the transaction
 *  @param uid       the true one, also when the card shows a random one */
void scrip_desfire_tmac_keys(const uint8_t app_key[16], uint32_t tmc_next, const uint8_t uid[7],
                             struct scrip_desfire_tmac_keys *keys);

/** The same for an application in LRP mode; the counters are the two halves of TMC. */
void scrip_desfire_tmac_keys_lrp(const uint8_t app_key[16], uint16_t act_next, uint16_t ses_next, const uint8_t uid[7],
                                 struct scrip_desfire_tmac_keys *keys);

/** Encipher the previous reader id (card): CBC, zero IV, one block. */
void scrip_desfire_tmri_encrypt(const struct scrip_desfire_tmac_keys *keys, const uint8_t in[16], uint8_t out[16]);

/** Decipher it (back office). */
void scrip_desfire_tmri_decrypt(const struct scrip_desfire_tmac_keys *keys, const uint8_t in[16], uint8_t out[16]);

/** Append the TMI part of one command: `fixed` is command code and header, padded with zeros to a multiple of 16, then
 *  `data` padded likewise (see docs/protocol/desfire-crypto.md for the per-command layouts).
 *  @return SCRIP_OK; SCRIP_E_SPACE */
enum scrip_status scrip_desfire_tmi_add(struct scrip_buf *tmi, struct scrip_bytes fixed, struct scrip_bytes data);

/** TMV over a whole TMI. */
void scrip_desfire_tmv(const struct scrip_desfire_tmac_keys *keys, struct scrip_bytes tmi, uint8_t tmv[8]);

/** A TMI that is not kept but only fed through, for a card with little memory. All zeros: nothing fed yet. Fields
 *  private. */
struct scrip_desfire_tmi {
    uint8_t x[16];
    uint8_t held[16];
    bool used; /* `held` holds the last block */
};

/** Feed the part of one command, as scrip_desfire_tmi_add lays it out. The keys must be the same throughout. */
void scrip_desfire_tmi_feed(struct scrip_desfire_tmi *tmi, const struct scrip_desfire_tmac_keys *keys,
                            struct scrip_bytes fixed, struct scrip_bytes data);

/** TMV of what was fed. */
void scrip_desfire_tmi_tmv(const struct scrip_desfire_tmi *tmi, const struct scrip_desfire_tmac_keys *keys,
                           uint8_t tmv[8]);

/* ---- secure dynamic messaging: what a reader without keys was shown, checked by the back office (AES) ---- */

/** The enciphered PICC data of a dynamic read. */
struct scrip_desfire_sdm_picc {
    uint8_t plain[16]; /**< tag, what is mirrored, random */
    bool has_uid;
    bool has_counter;
    uint8_t uid[7];
    uint32_t counter; /**< SDMReadCtr */
};

/** Decipher PICC data with the key of the SDMMetaRead right.
 *  @return SCRIP_OK; SCRIP_E_FORMAT: no valid tag: another key, or made up */
enum scrip_status scrip_desfire_sdm_open(const uint8_t meta_read_key[16], const uint8_t cipher[16],
                                         struct scrip_desfire_sdm_picc *picc);

/** Keys of one dynamic read. */
struct scrip_desfire_sdm_keys {
    uint8_t enc[16];
    uint8_t mac[16];
};

/** Derive them from the key of the SDMFileRead right and what is mirrored. */
void scrip_desfire_sdm_keys(const uint8_t file_read_key[16], const struct scrip_desfire_sdm_picc *picc,
                            struct scrip_desfire_sdm_keys *keys);

/** SDMMAC over the part of the file as read from SDMMACInputOffset up to the MAC. */
void scrip_desfire_sdm_mac(const struct scrip_desfire_sdm_keys *keys, struct scrip_bytes input, uint8_t mac[8]);

/** Decipher SDMENCFileData: `count` blocks of 16 bytes. `dst` may be `src`. */
void scrip_desfire_sdm_file_data(const struct scrip_desfire_sdm_keys *keys, uint32_t counter, size_t count,
                                 uint8_t *dst, const uint8_t *src);

#endif
