/* freefare_api.c: libfreefare, a library nobody here wrote, speaks EV1 messaging to our DESFire card by its C API: AES,
 * 3K3DES and two-key 3DES authentication, every kind of file in every communication mode, transactions, ChangeKey,
 * SetConfiguration. The first card that is found is used, and formatted. Prints a line for each law that held; ends at
 * the first that did not. All keys here are test keys. */
#include <errno.h>
#include <freefare.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(call) must((call), #call, __LINE__)

/* Communication modes as the library numbers them. */
enum { PLAIN = 0, MACED = 1, ENCIPHERED = 3 };

static MifareTag tag;

static void must(int held, const char *call, int line)
{
    if (!held) {
        fprintf(stderr, "line %d: %s: card status %02X, errno %s\n", line, call, mifare_desfire_last_picc_error(tag),
                strerror(errno));
        exit(1);
    }
}

/* ---- the kinds of messaging -------------------------------------------------------------------------------------- */

#define KEY_VERSION 0x42

/* DES keys have their version in the bits that DES does not use, of the first eight bytes: 42h here. */
static uint8_t zeros[24];
static uint8_t test_key[24] = {0x00, 0x11, 0x20, 0x30, 0x40, 0x50, 0x61, 0x70, 0x80, 0x90, 0xA0, 0xB0,
                               0xC0, 0xD0, 0xE0, 0xF0, 0x12, 0x24, 0x36, 0x48, 0x5A, 0x6C, 0x7E, 0x82};

static MifareDESFireKey aes_key(uint8_t value[24])
{
    return mifare_desfire_aes_key_new_with_version(value, value == test_key ? KEY_VERSION : 0);
}

static MifareDESFireKey three_key(uint8_t value[24])
{
    return mifare_desfire_3k3des_key_new_with_version(value);
}

/* With equal halves it is a DES key, and has to be called that: its session key is another. */
static MifareDESFireKey two_key(uint8_t value[24])
{
    return value == zeros ? mifare_desfire_des_key_new_with_version(value)
                          : mifare_desfire_3des_key_new_with_version(value);
}

static int create_two_key(MifareTag on, MifareDESFireAID aid, uint8_t settings, uint8_t keys)
{
    return mifare_desfire_create_application(on, aid, settings, keys);
}

struct kind {
    const char *name;
    uint32_t aid;
    MifareDESFireKey (*key)(uint8_t value[24]);
    int (*create)(MifareTag on, MifareDESFireAID aid, uint8_t settings, uint8_t keys);
    int (*authenticate)(MifareTag on, uint8_t number, MifareDESFireKey key);
};

static const struct kind kinds[] = {
    {"aes", 0x5C0001, aes_key, mifare_desfire_create_application_aes, mifare_desfire_authenticate_aes},
    {"3k3des", 0x5C0002, three_key, mifare_desfire_create_application_3k3des, mifare_desfire_authenticate_iso},
    {"3des", 0x5C0003, two_key, create_two_key, mifare_desfire_authenticate_iso},
    {"d40", 0x5C0004, two_key, create_two_key, mifare_desfire_authenticate},
};

static void authenticate(const struct kind *kind, uint8_t number, uint8_t value[24])
{
    MifareDESFireKey key = kind->key(value);
    MUST(kind->authenticate(tag, number, key) == 0);
    mifare_desfire_key_free(key);
}

static void refuse(const struct kind *kind, uint8_t number, uint8_t value[24])
{
    MifareDESFireKey key = kind->key(value);
    MUST(kind->authenticate(tag, number, key) != 0);
    MUST(mifare_desfire_last_picc_error(tag) == 0xAE);
    mifare_desfire_key_free(key);
}

static void at_picc(void)
{
    MifareDESFireKey key = mifare_desfire_des_key_new(zeros);
    MUST(mifare_desfire_select_application(tag, NULL) == 0);
    MUST(mifare_desfire_authenticate(tag, 0, key) == 0);
    mifare_desfire_key_free(key);
}

static void in_application(const struct kind *kind)
{
    MifareDESFireAID aid = mifare_desfire_aid_new(kind->aid);
    at_picc();
    MUST(kind->create(tag, aid, 0x0F, 3) == 0);
    MUST(mifare_desfire_select_application(tag, aid) == 0);
    authenticate(kind, 0, zeros);
    free(aid);
}

/* Lengths here are none of 8n or 8n - 1: at those libfreefare 0.4.0 computes the MAC of a read under D40 over a block
 * too many, and refuses what every card sends. */

/* ---- files ------------------------------------------------------------------------------------------------------- */

static void check_value(int32_t wanted)
{
    int32_t value = -1;
    MUST(mifare_desfire_get_value(tag, 1, &value) == 0);
    MUST(value == wanted);
}

static void do_value(int mode)
{
    MUST(mifare_desfire_create_value_file(tag, 1, (uint8_t)mode, 0x0000, 0, 1000, 100, 1) == 0);
    MUST(mifare_desfire_credit(tag, 1, 50) == 0);
    check_value(100); /* not before the commit */
    MUST(mifare_desfire_commit_transaction(tag) == 0);
    check_value(150);
    MUST(mifare_desfire_debit(tag, 1, 30) == 0);
    MUST(mifare_desfire_abort_transaction(tag) == 0);
    check_value(150);
    MUST(mifare_desfire_debit(tag, 1, 30) == 0);
    MUST(mifare_desfire_commit_transaction(tag) == 0);
    check_value(120);
    MUST(mifare_desfire_limited_credit(tag, 1, 30) == 0); /* what the debit before took */
    MUST(mifare_desfire_commit_transaction(tag) == 0);
    check_value(150);
    MUST(mifare_desfire_delete_file(tag, 1) == 0);
}

static void do_data(int mode)
{
    static uint8_t out[197];
    static uint8_t in[240];
    for (size_t i = 0; i < sizeof out; i++) {
        out[i] = (uint8_t)(i * 7 + (size_t)mode);
    }
    MUST(mifare_desfire_create_std_data_file(tag, 2, (uint8_t)mode, 0x0000, sizeof out) == 0);
    MUST(mifare_desfire_write_data(tag, 2, 0, sizeof out, out) == (ssize_t)sizeof out);
    MUST(mifare_desfire_read_data(tag, 2, 0, sizeof out, in) == (ssize_t)sizeof out);
    MUST(memcmp(in, out, sizeof out) == 0);
    MUST(mifare_desfire_read_data(tag, 2, 17, 21, in) == 21);
    MUST(memcmp(in, out + 17, 21) == 0);
    MUST(mifare_desfire_delete_file(tag, 2) == 0);

    MUST(mifare_desfire_create_backup_data_file(tag, 3, (uint8_t)mode, 0x0000, 29) == 0);
    MUST(mifare_desfire_write_data(tag, 3, 0, 29, out) == 29);
    MUST(mifare_desfire_read_data(tag, 3, 0, 29, in) == 29);
    MUST(memcmp(in, zeros, 24) == 0); /* not before the commit */
    MUST(mifare_desfire_commit_transaction(tag) == 0);
    MUST(mifare_desfire_read_data(tag, 3, 0, 29, in) == 29);
    MUST(memcmp(in, out, 29) == 0);
    MUST(mifare_desfire_delete_file(tag, 3) == 0);
}

static void do_records(int mode)
{
    uint8_t record[15];
    uint8_t in[80];
    MUST(mifare_desfire_create_cyclic_record_file(tag, 4, (uint8_t)mode, 0x0000, sizeof record, 4) == 0);
    for (uint8_t n = 1; n <= 5; n++) { /* of four places one is for what is not committed */
        memset(record, n, sizeof record);
        MUST(mifare_desfire_write_record(tag, 4, 0, sizeof record, record) == (ssize_t)sizeof record);
        MUST(mifare_desfire_commit_transaction(tag) == 0);
    }
    MUST(mifare_desfire_read_records(tag, 4, 0, 3, in) == 45);
    for (size_t i = 0; i < 45; i++) {
        MUST(in[i] == 3 + i / 15);
    }
    MUST(mifare_desfire_clear_record_file(tag, 4) == 0);
    MUST(mifare_desfire_commit_transaction(tag) == 0);
    MUST(mifare_desfire_delete_file(tag, 4) == 0);
}

static void do_settings(void)
{
    struct mifare_desfire_file_settings settings;
    uint8_t key_settings;
    uint8_t max_keys;
    MUST(mifare_desfire_create_value_file(tag, 1, PLAIN, 0x0000, -5, 1000, 7, 0) == 0);
    MUST(mifare_desfire_get_file_settings(tag, 1, &settings) == 0);
    MUST(settings.file_type == MDFT_VALUE_FILE_WITH_BACKUP && settings.settings.value_file.upper_limit == 1000);
    MUST(settings.settings.value_file.lower_limit == -5);
    MUST(mifare_desfire_change_file_settings(tag, 1, MACED, 0x1210) == 0);
    MUST(mifare_desfire_get_file_settings(tag, 1, &settings) == 0);
    MUST(settings.communication_settings == MACED && settings.access_rights == 0x1210);
    MUST(mifare_desfire_change_key_settings(tag, 0x0B) == 0);
    MUST(mifare_desfire_get_key_settings(tag, &key_settings, &max_keys) == 0);
    MUST(key_settings == 0x0B && max_keys == 3);
    MUST(mifare_desfire_delete_file(tag, 1) == 0);
}

/* Another key under key 0, then key 0 itself, which ends the session; and back. */
static void do_keys(const struct kind *kind)
{
    uint8_t version;
    MifareDESFireKey fresh = kind->key(test_key);
    MifareDESFireKey old = kind->key(zeros);
    MUST(mifare_desfire_change_key(tag, 1, fresh, old) == 0);
    MUST(mifare_desfire_get_key_version(tag, 1, &version) == 0);
    MUST(version == KEY_VERSION);
    MUST(mifare_desfire_change_key(tag, 0, fresh, NULL) == 0);
    refuse(kind, 0, zeros);
    authenticate(kind, 0, test_key);
    MUST(mifare_desfire_change_key(tag, 0, old, NULL) == 0);
    authenticate(kind, 1, test_key);
    authenticate(kind, 0, zeros);
    mifare_desfire_key_free(fresh);
    mifare_desfire_key_free(old);
}

static void do_card_uid(const char *wanted)
{
    char *uid = NULL;
    MUST(mifare_desfire_get_card_uid(tag, &uid) == 0);
    MUST(strcmp(uid, wanted) == 0);
    free(uid);
}

static void run_kind(const struct kind *kind, const char *uid)
{
    static const int modes[] = {PLAIN, MACED, ENCIPHERED};
    static const char *const names[] = {"plain", "MACed", "enciphered"};
    in_application(kind);
    for (size_t i = 0; i < 3; i++) {
        do_value(modes[i]);
        do_data(modes[i]);
        do_records(modes[i]);
        printf("%s: values, data and records, %s\n", kind->name, names[i]);
    }
    do_settings();
    if (kind->authenticate != mifare_desfire_authenticate) {
        do_card_uid(uid);
    }
    printf("%s: settings\n", kind->name);
    do_keys(kind);
    printf("%s: keys changed and changed back\n", kind->name);
}

/* ---- the card ---------------------------------------------------------------------------------------------------- */

static void change_master_key(MifareDESFireKey to, MifareDESFireKey old)
{
    MUST(mifare_desfire_change_key(tag, 0, to, old) == 0);
    MUST(mifare_desfire_select_application(tag, NULL) == 0);
}

static void do_master_key(void)
{
    MifareDESFireKey des = mifare_desfire_des_key_new(zeros);
    MifareDESFireKey aes = aes_key(test_key);
    at_picc();
    change_master_key(aes, NULL);
    MUST(mifare_desfire_authenticate(tag, 0, des) != 0);
    MUST(mifare_desfire_authenticate_aes(tag, 0, aes) == 0);
    change_master_key(des, NULL);
    MUST(mifare_desfire_authenticate_aes(tag, 0, aes) != 0);
    MUST(mifare_desfire_authenticate(tag, 0, des) == 0);
    mifare_desfire_key_free(des);
    mifare_desfire_key_free(aes);
    printf("card: master key to AES and back\n");
}

static void do_configuration(void)
{
    uint8_t ats[] = {0x06, 0x75, 0x77, 0x81, 0x02, 0x11};
    MifareDESFireAID aid = mifare_desfire_aid_new(0x5C0010);
    MifareDESFireKey key = aes_key(test_key);
    at_picc();
    MUST(mifare_desfire_set_default_key(tag, key) == 0);
    MUST(mifare_desfire_create_application_aes(tag, aid, 0x0F, 2) == 0);
    MUST(mifare_desfire_select_application(tag, aid) == 0);
    MUST(mifare_desfire_authenticate_aes(tag, 0, key) == 0);
    printf("card: a new application has the default key\n");
    MifareDESFireKey des = mifare_desfire_des_key_new(zeros);
    MUST(mifare_desfire_select_application(tag, NULL) == 0);
    MUST(mifare_desfire_authenticate_iso(tag, 0, des) == 0); /* EV1 messaging with the DES key */
    MUST(mifare_desfire_set_ats(tag, ats) == 0);
    printf("card: ATS under EV1 messaging\n");
    mifare_desfire_key_free(des);
    mifare_desfire_key_free(key);
    free(aid);
}

static MifareTag first_desfire(MifareTag *tags)
{
    for (size_t i = 0; tags != NULL && tags[i] != NULL; i++) {
        if (freefare_get_tag_type(tags[i]) == DESFIRE) {
            return tags[i];
        }
    }
    fprintf(stderr, "no DESFire card\n");
    exit(1);
}

int main(void)
{
    nfc_context *context;
    nfc_init(&context);
    nfc_device *device = context != NULL ? nfc_open(context, NULL) : NULL;
    if (device == NULL) {
        fprintf(stderr, "no reader\n");
        return 1;
    }
    MifareTag *tags = freefare_get_tags(device);
    tag = first_desfire(tags);
    char *uid = freefare_get_tag_uid(tag);
    MUST(mifare_desfire_connect(tag) == 0);
    at_picc();
    MUST(mifare_desfire_format_picc(tag) == 0);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        run_kind(&kinds[i], uid);
    }
    do_master_key();
    do_configuration();
    at_picc();
    MUST(mifare_desfire_format_picc(tag) == 0);
    MUST(mifare_desfire_disconnect(tag) == 0);
    printf("all held\n");
    free(uid);
    freefare_free_tags(tags);
    nfc_close(device);
    nfc_exit(context);
    return 0;
}
