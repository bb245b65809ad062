/* image.h: what the pages of the card's memory hold. Every member is bytes in the order of the wire (least significant
 * first), so a structure is its page, on any machine. */
#ifndef SCRIP_DESFIRE_CARD_IMAGE_H
#define SCRIP_DESFIRE_CARD_IMAGE_H

#include "memory.h"
#include "wire.h"

#define MAX_SETS     16U /* key sets of an application */
#define MAX_KEYS     14U
#define MORE_RIGHTS  7U /* additional access right sets */
#define NAME_MAX     16U
#define KEY_SLOT_LEN 32U

/* PAGE_IDENTITY: written once, by scrip_desfire_card_make. */
struct identity_page {
    uint8_t magic[4];
    uint8_t format;
    uint8_t generation;
    uint8_t storage;
    uint8_t uid[7];
    uint8_t batch[5];
    uint8_t week, year;
    uint8_t reserved[39];
    uint8_t sum[4];
};

/* PAGE_PICC */
struct picc_page {
    uint8_t ks1;
    uint8_t flags;       /* SetConfiguration option 00 */
    uint8_t sm_disabled; /* option 04 */
    uint8_t pdcap2[6];   /* option 05 */
    uint8_t sak[2];      /* option 03 */
    uint8_t has_sak;
    uint8_t back_modulation; /* option 0B */
    uint8_t fail_counting;   /* option 0A */
    uint8_t fail_limit[2];
    uint8_t fail_decrement[2];
    uint8_t has_default_key; /* option 01 */
    uint8_t default_key[25];
    uint8_t first_app[2]; /* chain of applications in order of creation */
    uint8_t used[2];      /* blocks of 32 bytes handed out */
    uint8_t once[2];      /* bit n: option n, which a card takes once, was taken */
    uint8_t reserved[14];
};

/* PAGE_PICC_TEXT */
struct picc_text_page {
    uint8_t ats_len; /* 0: default */
    uint8_t ats[20];
    uint8_t name_len;
    uint8_t name[NAME_MAX];
    uint8_t reserved[26];
};

/* A key, two to a page. */
struct key_slot {
    uint8_t cipher; /* enum scrip_cipher */
    uint8_t version;
    uint8_t bytes[24]; /* the DES family: always at least 16 */
    uint8_t failed[2]; /* failed authentications */
    uint8_t reserved[4];
};

/* An application: this page, a table of its files (the page of each, two bytes by file number), its keys. */
struct app_page {
    uint8_t aid[3];
    uint8_t ks1, ks2, ks3;
    uint8_t set_count; /* key sets; 1 without the feature */
    uint8_t max_key_len;
    uint8_t roll_key;
    uint8_t fid[2]; /* 0000: none */
    uint8_t name_len;
    uint8_t name[NAME_MAX];
    uint8_t delegated;
    uint8_t slot[2];
    uint8_t slot_version;
    uint8_t quota[2]; /* delegated: blocks it may use */
    uint8_t used[2];  /* blocks it uses */
    uint8_t next[2];  /* next application */
    uint8_t table[2]; /* page of the file table */
    uint8_t keys[2];  /* chain of the keys, set by set */
    uint8_t sets[2];  /* page of struct key_set; 0000: no key sets */
    uint8_t active;   /* active key set, as stored */
    uint8_t tmac[2];  /* page of the Transaction MAC file; 0000: none */
    uint8_t reserved[17];
};

/* One key set, four bytes in a page of sixteen. */
struct key_set {
    uint8_t version;
    uint8_t type;  /* as in KS2 */
    uint8_t state; /* enum key_set_state */
    uint8_t reserved;
};

enum key_set_state { SET_EMPTY, SET_INITIALIZED, SET_FINALIZED };

/* A file: this page and one chain of data, two for backup files. */
struct file_page {
    uint8_t type;
    uint8_t option;
    uint8_t rights[2];
    uint8_t fid[2]; /* 0000: none */
    uint8_t more_count;
    uint8_t more[2 * MORE_RIGHTS];
    uint8_t number;
    uint8_t data[2];   /* chain */
    uint8_t shadow[2]; /* backup files: the other chain */
    union {
        struct {
            uint8_t size[3];
            uint8_t sdm_options;
            uint8_t sdm_rights[2];
            uint8_t sdm_offsets[24]; /* as in ChangeFileSettings; only those that options and rights ask for */
            uint8_t sdm_counter[3];
        } plain;
        struct {
            uint8_t lower[4], upper[4], value[4], limited[4];
            uint8_t flags;
        } value;
        struct {
            uint8_t size[3], max[3], count[3];
            uint8_t first[3]; /* slot of the oldest record */
        } records;
        struct {
            uint8_t key_option, key_version;
            uint8_t limit[4];
        } tmac;
        uint8_t room[38];
    } as;
};

/* The data page of a Transaction MAC file. What is read is TMC || TMV. */
struct tmac_page {
    uint8_t tmc[4];
    uint8_t tmv[8];
    uint8_t previous[16]; /* TMRIPrev */
    uint8_t key[16];
    uint8_t reserved[20];
};

_Static_assert(sizeof(struct identity_page) == NV_PAGE, "one page");
_Static_assert(sizeof(struct picc_page) == NV_PAGE, "one page");
_Static_assert(sizeof(struct picc_text_page) == NV_PAGE, "one page");
_Static_assert(sizeof(struct app_page) == NV_PAGE, "one page");
_Static_assert(sizeof(struct file_page) == NV_PAGE, "one page");
_Static_assert(sizeof(struct tmac_page) == NV_PAGE, "one page");
_Static_assert(sizeof(struct key_slot) == KEY_SLOT_LEN, "two keys to a page");
_Static_assert(sizeof(struct key_set) * MAX_SETS == NV_PAGE, "one page");

/* An application or file with the page it lives in, and whether it is of the second application of a selected pair. */
struct app {
    uint16_t page; /* 0: none */
    uint8_t side;
    uint16_t steps; /* app_next: how far along the list */
    struct app_page is;
};

struct file {
    uint16_t page; /* 0: none */
    uint8_t side;
    struct file_page is;
};

/* Read and stage the pages by name. */
void picc_load(struct scrip_desfire_card *card, struct picc_page *picc);
void picc_store(struct scrip_desfire_card *card, const struct picc_page *picc);
void picc_text_load(struct scrip_desfire_card *card, struct picc_text_page *text);
void picc_text_store(struct scrip_desfire_card *card, const struct picc_text_page *text);
void app_load(struct scrip_desfire_card *card, uint16_t page, struct app *app);
void app_store(struct scrip_desfire_card *card, const struct app *app);
/* Read the file page at `page`. A page that makes no sense is read as one that nobody may use. */
void file_load(struct scrip_desfire_card *card, uint16_t page, struct file *file);
void file_store(struct scrip_desfire_card *card, const struct file *file);
void tmac_load(struct scrip_desfire_card *card, const struct file *file, struct tmac_page *tmac);
void tmac_store(struct scrip_desfire_card *card, const struct file *file, const struct tmac_page *tmac);

/* The selected application. @return false at PICC level */
bool app_selected(struct scrip_desfire_card *card, struct app *app);

/* The second application of a selected pair. @return false: there is none */
bool app_second(struct scrip_desfire_card *card, struct app *app);

/* The application that a file or key number means: bit 7 says the second one, and is taken off. @return false: there
 * is no second one */
bool app_meant(struct scrip_desfire_card *card, struct app *app, uint8_t *number);

/* Walk all applications: app->page 0 before the first; false after the last. */
bool app_next(struct scrip_desfire_card *card, struct app *app);

/* Find an application. @return false: not there, `app->page` is 0 */
bool app_find(struct scrip_desfire_card *card, const uint8_t aid[3], struct app *app);

/* Find a file of an application. @return false: not there */
bool file_find(struct scrip_desfire_card *card, const struct app *app, uint8_t number, struct file *file);

/* May a file or an application have this ISO file id? */
bool fid_allowed(uint16_t fid);

/* Find a file by its ISO file id. @return false: not there */
bool file_find_fid(struct scrip_desfire_card *card, const struct app *app, uint16_t fid, struct file *file);

/* Enter a file's page into the table of its application; 0 takes it out. */
void file_enter(struct scrip_desfire_card *card, const struct app *app, uint8_t number, uint16_t page);

/* Number of keys of an application. */
uint8_t app_key_count(const struct app *app);

/* Does a key number exist at the selected level? (`app` NULL: PICC level) */
bool key_exists(const struct scrip_desfire_card *card, const struct app *app, uint8_t number);

/* Read and stage a key. `set` as stored; `app` NULL: PICC level. */
void key_load(struct scrip_desfire_card *card, const struct app *app, uint8_t set, uint8_t number,
              struct key_slot *key);
void key_store(struct scrip_desfire_card *card, const struct app *app, uint8_t set, uint8_t number,
               const struct key_slot *key);

/* A stored key as secure messaging takes it. */
void key_for_use(const struct key_slot *slot, struct scrip_desfire_key *key);

/* Version of a key: stored, or for the DES family hidden in the lowest bits of its first 8 bytes. */
uint8_t key_version(const struct key_slot *slot);

/* Cipher and length of a key type of KS2 (KEY_TYPE_...). */
enum scrip_cipher key_type_cipher(uint8_t type);
size_t key_type_len(uint8_t type);

/* A zero key of a type. */
struct key_slot key_zero(uint8_t type);

/* Account for `blocks` of 32 bytes taken (or given back, if negative) by an application (NULL: by the card itself).
 * @return false: not enough left; nothing changed */
bool blocks_charge(struct scrip_desfire_card *card, struct app *app, int32_t blocks);

/* Free memory in blocks of 32 bytes. */
uint32_t blocks_free(struct scrip_desfire_card *card);

/* Blocks of 32 bytes that `len` bytes take. */
uint32_t blocks_for(uint32_t len);

#endif
