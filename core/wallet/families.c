/* The families of this program, in the order in which a card is tried. */
#include <scrip/wallet.h>

static const struct scrip_purse_family *const families[] = {&scrip_purse_desfire, &scrip_purse_native, &scrip_purse_bcd,
                                                            &scrip_purse_otp};

const struct scrip_purse_family *scrip_purse_family_at(size_t i)
{
    return i < sizeof families / sizeof families[0] ? families[i] : NULL;
}

const struct scrip_purse_family *scrip_purse_family_named(const char *name)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        const char *own = families[i]->name;
        size_t at = 0;
        while (own[at] != '\0' && own[at] == name[at]) {
            at++;
        }
        if (own[at] == name[at]) {
            return families[i];
        }
    }
    return NULL;
}

const struct scrip_purse_family *scrip_purse_identify(const struct scrip_card_info *card)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (families[i]->identify(card)) {
            return families[i];
        }
    }
    return NULL;
}
