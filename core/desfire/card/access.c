/* access.c: who may do what with a file. */
#include "card.h"

#define T(type) (1U << (type))

/* The file commands: which file types they are for, and which rights (any of them) allow them. */
static const struct rule {
    uint8_t code;
    uint8_t types;
    uint8_t rights;
} rules[] = {
    {CMD_READ_DATA, T(FILE_STANDARD) | T(FILE_BACKUP) | T(FILE_TMAC), RIGHT_READ | RIGHT_READ_WRITE},
    {CMD_READ_DATA_ISO, T(FILE_STANDARD) | T(FILE_BACKUP) | T(FILE_TMAC), RIGHT_READ | RIGHT_READ_WRITE},
    {CMD_WRITE_DATA, T(FILE_STANDARD) | T(FILE_BACKUP), RIGHT_WRITE | RIGHT_READ_WRITE},
    {CMD_WRITE_DATA_ISO, T(FILE_STANDARD) | T(FILE_BACKUP), RIGHT_WRITE | RIGHT_READ_WRITE},
    {CMD_GET_VALUE, T(FILE_VALUE), RIGHT_READ | RIGHT_WRITE | RIGHT_READ_WRITE},
    {CMD_CREDIT, T(FILE_VALUE), RIGHT_READ_WRITE},
    {CMD_DEBIT, T(FILE_VALUE), RIGHT_READ | RIGHT_WRITE | RIGHT_READ_WRITE},
    {CMD_LIMITED_CREDIT, T(FILE_VALUE), RIGHT_WRITE | RIGHT_READ_WRITE},
    {CMD_READ_RECORDS, T(FILE_LINEAR) | T(FILE_CYCLIC), RIGHT_READ | RIGHT_READ_WRITE},
    {CMD_READ_RECORDS_ISO, T(FILE_LINEAR) | T(FILE_CYCLIC), RIGHT_READ | RIGHT_READ_WRITE},
    {CMD_WRITE_RECORD, T(FILE_LINEAR) | T(FILE_CYCLIC), RIGHT_WRITE | RIGHT_READ_WRITE},
    {CMD_WRITE_RECORD_ISO, T(FILE_LINEAR) | T(FILE_CYCLIC), RIGHT_WRITE | RIGHT_READ_WRITE},
    {CMD_UPDATE_RECORD, T(FILE_LINEAR) | T(FILE_CYCLIC), RIGHT_READ_WRITE},
    {CMD_UPDATE_RECORD_ISO, T(FILE_LINEAR) | T(FILE_CYCLIC), RIGHT_READ_WRITE},
};

/* The nibble of one right in the two bytes of a set. */
static uint8_t nibble(const uint8_t set[2], unsigned right)
{
    switch (right) {
    case RIGHT_READ:
        return set[1] >> 4;
    case RIGHT_WRITE:
        return set[1] & 0xFU;
    case RIGHT_READ_WRITE:
        return set[0] >> 4;
    default:
        return set[0] & 0xFU;
    }
}

/* Which conditions the rights name, over all sets: bit n for nibble n. */
static unsigned conditions(const struct file_page *file, unsigned rights)
{
    unsigned named = 0;
    for (unsigned right = RIGHT_READ; right <= RIGHT_CHANGE; right <<= 1) {
        if ((rights & right) == 0) {
            continue;
        }
        named |= 1U << nibble(file->rights, right);
        const bool more = (file->option & SCRIP_DESFIRE_OPTION_SETS) != 0 && right != RIGHT_CHANGE;
        for (unsigned i = 0; more && i < file->more_count; i++) {
            named |= 1U << nibble(file->more + 2 * i, right);
        }
    }
    return named;
}

bool access_has_key(const struct scrip_desfire_card *card, uint8_t number)
{
    return access_has_key_of(card, 0, number);
}

bool access_has_key_of(const struct scrip_desfire_card *card, uint8_t side, uint8_t number)
{
    return card->session.sm != SCRIP_DESFIRE_SM_NONE && card->session_side == side && card->session.key_no == number;
}

bool access_is_free(const struct file_page *file, unsigned rights)
{
    return (conditions(file, rights) & 1U << SCRIP_DESFIRE_FREE) != 0;
}

bool access_is_dynamic(const struct scrip_desfire_card *card, const struct file_page *file)
{
    return card->session.sm == SCRIP_DESFIRE_SM_NONE && file->type == FILE_STANDARD &&
           (file->option & SCRIP_DESFIRE_OPTION_SDM) != 0 && (file->as.plain.sdm_options & SDM_ASCII) != 0;
}

bool access_is_dynamic_free(const struct scrip_desfire_card *card, const struct file_page *file)
{
    return access_is_dynamic(card, file) && (file->as.plain.sdm_rights[1] & 0xFU) != SCRIP_DESFIRE_NEVER;
}

bool access_is_used(const struct file_page *file, unsigned rights)
{
    return conditions(file, rights) != 1U << SCRIP_DESFIRE_NEVER;
}

/* What is given to everybody beside the rights: a value whose flag says so, a dynamic read. */
static bool given_freely(const struct scrip_desfire_card *card, uint8_t code, const struct file_page *file)
{
    switch (code) {
    case CMD_GET_VALUE:
        return (file->as.value.flags & VALUE_FREE_GET) != 0;
    case CMD_READ_DATA:
    case CMD_READ_DATA_ISO:
        return access_is_dynamic_free(card, file);
    default:
        return false;
    }
}

static uint8_t file_comm(const struct file_page *file)
{
    const uint8_t mode = file->option & 3U;
    return mode == 2 ? SCRIP_DESFIRE_PLAIN : mode;
}

uint8_t access_decide(const struct scrip_desfire_card *card, const struct file *file, unsigned rights, uint8_t *comm)
{
    const unsigned named = conditions(&file->is, rights);
    const uint8_t key = card->session.key_no;

    if (key < MAX_KEYS && access_has_key_of(card, file->side, key) && (named & 1U << key) != 0) {
        *comm = file_comm(&file->is);
        return DF_OK;
    }
    if ((named & 1U << SCRIP_DESFIRE_FREE) != 0) {
        *comm = SCRIP_DESFIRE_PLAIN; /* even inside a session */
        return DF_OK;
    }
    return named == 1U << SCRIP_DESFIRE_NEVER ? DF_PERMISSION_DENIED : DF_AUTHENTICATION_ERROR;
}

static const struct rule *rule_of(uint8_t code)
{
    static const struct rule nobody = {0, 0, 0};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].code == code) {
            return &rules[i];
        }
    }
    return &nobody; /* every command of mode FILE has a rule; a test looks */
}

bool access_tmc_exhausted(struct scrip_desfire_card *card, const struct app *app)
{
    struct file file;
    struct tmac_page tmac;

    if (!transaction_tmac(card, app, &file)) {
        return false;
    }
    tmac_load(card, &file, &tmac);
    const uint32_t tmc = scrip_get_le32(tmac.tmc);
    const bool limited = (file.is.option & SCRIP_DESFIRE_OPTION_TMC_LIMIT) != 0;
    return tmc == UINT32_MAX || (limited && tmc >= scrip_get_le32(file.is.as.tmac.limit));
}

uint8_t access_resolve(struct scrip_desfire_card *card, struct command *cmd)
{
    const struct rule *rule = rule_of(cmd->code);
    struct file *file = &cmd->file;
    uint8_t number = cmd->header[0];

    if (!app_meant(card, &cmd->app, &number) || !file_find(card, &cmd->app, number, file)) {
        return DF_FILE_NOT_FOUND;
    }
    if (file->side != 0 && scrip_get_le16(cmd->app.is.tmac) != 0) {
        return DF_PERMISSION_DENIED; /* only the first application's Transaction MAC can be kept */
    }
    if ((rule->types & T(file->is.type)) == 0) {
        return DF_PERMISSION_DENIED;
    }
    const uint8_t status = access_decide(card, file, rule->rights, &cmd->protection.comm);
    if (status != DF_OK) {
        if (!given_freely(card, cmd->code, &file->is)) {
            return status;
        }
        cmd->protection.comm = SCRIP_DESFIRE_PLAIN;
    }
    if (file->is.type != FILE_TMAC && access_tmc_exhausted(card, &cmd->app)) {
        return DF_PERMISSION_DENIED;
    }
    return DF_OK;
}

bool access_rights_valid(const struct app *app, const uint8_t rights[2])
{
    for (unsigned right = RIGHT_READ; right <= RIGHT_CHANGE; right <<= 1) {
        const uint8_t key = nibble(rights, right);
        if (key >= app_key_count(app) && key < SCRIP_DESFIRE_FREE) {
            return false;
        }
    }
    return true;
}
