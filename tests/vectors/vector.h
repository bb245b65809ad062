/* vector.h: one known answer out of a JSON file, and the means to check it.
 *
 * A check function takes every field it understands from `in` and compares every field of `out`. A field that is
 * missing, or left over at the end, fails the vector: a known answer that is only half looked at proves nothing. The
 * first failure leaves the check function by longjmp. */
#ifndef SCRIP_VECTORS_VECTOR_H
#define SCRIP_VECTORS_VECTOR_H

#include <jansson.h>
#include <scrip/bytes.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

/** A vector being checked. Fields private. */
struct vector {
    json_t *in; /* shallow copies: what is used is taken out */
    json_t *out;
    uint8_t memory[65536]; /* bytes handed out live here until the vector is done */
    size_t used;
    char why[512];
    jmp_buf failed;
};

/** A kind of vector. */
struct vector_kind {
    const char *algorithm;
    void (*check)(struct vector *v);
};

/** The kinds of each part; each ends with a row of NULLs. */
extern const struct vector_kind VECTORS_CRYPTO[];
extern const struct vector_kind VECTORS_D40[];
extern const struct vector_kind VECTORS_EV1[];
extern const struct vector_kind VECTORS_EV2[];
extern const struct vector_kind VECTORS_LRP[];
extern const struct vector_kind VECTORS_TMAC[];
extern const struct vector_kind VECTORS_CARD[];
extern const struct vector_kind VECTORS_E2E[];
extern const struct vector_kind VECTORS_CLASSIC[];
extern const struct vector_kind VECTORS_AIR[];
extern const struct vector_kind VECTORS_STORAGE[];

/** Fail the vector; does not return. */
_Noreturn void vector_fail(struct vector *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- input: each takes one field ---- */

/** A byte string, from hex. Bytes live until the vector is done. */
struct scrip_bytes in_bytes(struct vector *v, const char *name);

/** The same, of exactly `len` bytes. */
const uint8_t *in_exactly(struct vector *v, const char *name, size_t len);

/** An integer. */
int64_t in_int(struct vector *v, const char *name);

/** Text. */
const char *in_text(struct vector *v, const char *name);

/** True or false. */
bool in_bool(struct vector *v, const char *name);

/** An object or array, borrowed. */
json_t *in_json(struct vector *v, const char *name);

/** Whether an optional field is there. */
bool in_has(const struct vector *v, const char *name);

/* ---- output: each takes one field and compares ---- */

bool want_has(const struct vector *v, const char *name);
void want_bytes(struct vector *v, const char *name, struct scrip_bytes got);
void want_int(struct vector *v, const char *name, int64_t got);
void want_text(struct vector *v, const char *name, const char *got);
void want_bool(struct vector *v, const char *name, bool got);
json_t *want_json(struct vector *v, const char *name);

/** The bytes of an output field, for feeding to the other side. */
struct scrip_bytes out_bytes(struct vector *v, const char *name);

/* ---- parts of both ---- */

/** Bytes of a hex string of the vector. */
struct scrip_bytes vector_hex(struct vector *v, const char *what, const char *hex);

/** Bytes of a field of an inner object. */
struct scrip_bytes object_bytes(struct vector *v, json_t *object, const char *name);

/** Compare. */
void same_bytes(struct vector *v, const char *what, struct scrip_bytes wanted, struct scrip_bytes got);

/** The status is SCRIP_OK. */
void all_right(struct vector *v, const char *what, enum scrip_status status);

#endif
