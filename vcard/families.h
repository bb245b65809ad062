/* families.h: what a card family gives to the virtual cards. One table row per family; files, UIDs, the world around a
 * card are the same for all (vcard.c). */
#ifndef VCARD_FAMILIES_H
#define VCARD_FAMILIES_H

#include "card_file.h"

struct vcard_family;

/** An open card of any family; the family's struct begins with it. */
struct vcard {
    struct scrip_vcard base;
    struct card_file file;     /* fd -1 over memory */
    const struct scrip_nv *nv; /* of `file`, or borrowed */
    struct scrip_random random;
    struct scrip_clock clock;
    const struct scrip_trace *trace; /* may be NULL */
    struct scrip_vcard_identity identity;
    const struct vcard_family *family;
};

struct vcard_family {
    uint8_t id;         /* enum scrip_vcard_family */
    uint8_t uid_len;    /* what a card without one gets */
    bool other_uid_len; /* 4 for 7, 7 for 4 is possible too */
    bool storage;
    size_t size; /* of its struct */
    /** Pages of memory; 0: no such card. */
    uint32_t (*pages)(const struct scrip_vcard_identity *identity);
    /** Make a card as it comes from the factory. @return as scrip_vcard_make */
    enum scrip_status (*make)(const struct scrip_nv *nv, const struct scrip_vcard_identity *identity);
    /** What is the family's own in a card whose `struct vcard` is filled in; unpowered. */
    void (*bind)(struct vcard *card);
    struct scrip_vcard_ops ops; /* `close` is vcard_close */
};

extern const struct vcard_family vcard_desfire, vcard_classic, vcard_otp;

/** NULL: no such family. */
const struct vcard_family *vcard_family_of(uint8_t id);

/** Make a card file. @param more  does the rest to the factory-fresh memory; NULL: nothing @return as scrip_vcard_make
 */
enum scrip_status vcard_make_with(const char *path, const struct scrip_vcard_identity *identity,
                                  enum scrip_status (*more)(const struct scrip_nv *nv, const void *ctx),
                                  const void *ctx, char error[SCRIP_VCARD_ERROR_MAX]);

/** Of storage cards: SCRIP_E_UNSUPPORTED. */
enum scrip_status vcard_storage_on(struct scrip_vcard *base, struct scrip_card_info *info);
enum scrip_status vcard_storage_apdu(struct scrip_vcard *base, struct scrip_bytes command, struct scrip_buf *rsp);

/** Take power away, let go of the file, free. */
void vcard_close(struct scrip_vcard *base);

#endif
