/* scrip-vectors: known answers, checked through the public interfaces, on the card's side and on the host's.
 *
 * usage: scrip-vectors FILE...
 * Prints a line for each vector that fails, then "N passed, N failed". What it does not know fails: an algorithm, a
 * member, a file of another form (once). Exit code 0 all passed, 1 some failed, 2 a file could not be read. */
#include "vector.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct vector_kind *const PARTS[] = {
    VECTORS_CRYPTO, VECTORS_D40, VECTORS_EV1,     VECTORS_EV2, VECTORS_LRP,     VECTORS_TMAC,
    VECTORS_CARD,   VECTORS_E2E, VECTORS_CLASSIC, VECTORS_AIR, VECTORS_STORAGE,
};

static const struct vector_kind *kind_of(const char *algorithm)
{
    for (size_t part = 0; part < sizeof PARTS / sizeof *PARTS; part++) {
        for (const struct vector_kind *kind = PARTS[part]; kind->algorithm != NULL; kind++) {
            if (strcmp(kind->algorithm, algorithm) == 0) {
                return kind;
            }
        }
    }
    return NULL;
}

/* The members a vector has besides `in` and `out`, all of them text. */
static bool known_member(const char *name)
{
    static const char *const names[] = {"id", "algorithm", "group", "origin", "source",
                                        "in", "out",       "note",  "inputs", "outputs"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static const char *check_members(json_t *vector)
{
    const char *name;
    json_t *value;
    json_object_foreach(vector, name, value)
    {
        if (!known_member(name)) {
            return name;
        }
    }
    return NULL;
}

static void nothing_left(struct vector *v, const char *side, json_t *object)
{
    void *left = json_object_iter(object);
    if (left != NULL) {
        vector_fail(v, "%s.%s: nobody looks at it", side, json_object_iter_key(left));
    }
}

static bool run(struct vector *v, const struct vector_kind *kind)
{
    if (setjmp(v->failed) != 0) {
        return false;
    }
    kind->check(v);
    nothing_left(v, "in", v->in);
    nothing_left(v, "out", v->out);
    return true;
}

/* A member that goes by one name in some files and by another in others. */
static json_t *either(json_t *vector, const char *name, const char *other)
{
    json_t *value = json_object_get(vector, name);
    return value != NULL ? value : json_object_get(vector, other);
}

/* Check one; the reason of a failure is in v->why. */
static bool check(struct vector *v, json_t *vector)
{
    const char *algorithm = json_string_value(either(vector, "algorithm", "group"));
    const struct vector_kind *kind = algorithm == NULL ? NULL : kind_of(algorithm);
    const char *odd = check_members(vector);
    json_t *in = either(vector, "in", "inputs");
    json_t *out = either(vector, "out", "outputs");

    v->used = 0;
    if (kind == NULL || odd != NULL || !json_is_object(in) || !json_is_object(out)) {
        (void)snprintf(v->why, sizeof v->why, "%s",
                       odd != NULL    ? odd
                       : kind == NULL ? "unknown algorithm"
                                      : "no in or out");
        return false;
    }
    v->in = json_copy(in);
    v->out = json_copy(out);
    const bool passed = run(v, kind);
    json_decref(v->in);
    json_decref(v->out);
    return passed;
}

static int check_file(const char *path, struct vector *v, size_t *passed, size_t *failed)
{
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    json_t *vectors = json_object_get(root, "vectors");
    json_t *vector;
    size_t i;

    if (root == NULL) {
        (void)fprintf(stderr, "%s: %s\n", path, error.text);
        return 2;
    }
    if (!json_is_array(vectors)) {
        (void)printf("%s: unknown form: no list of vectors\n", path);
        (*failed)++;
    }
    json_array_foreach(vectors, i, vector)
    {
        if (check(v, vector)) {
            (*passed)++;
        } else {
            const char *id = json_string_value(json_object_get(vector, "id"));
            (void)printf("%s: %s\n", id == NULL ? "(no id)" : id, v->why);
            (*failed)++;
        }
    }
    json_decref(root);
    return 0;
}

int main(int argc, char **argv)
{
    struct vector *v = calloc(1, sizeof *v);
    size_t passed = 0;
    size_t failed = 0;
    int result = argc < 2 || v == NULL ? 2 : 0;

    if (argc < 2) {
        (void)fprintf(stderr, "usage: scrip-vectors FILE...\n");
    }
    for (int i = 1; i < argc && result == 0; i++) {
        result = check_file(argv[i], v, &passed, &failed);
    }
    free(v);
    if (result == 0) {
        (void)printf("%zu passed, %zu failed\n", passed, failed);
    }
    return result != 0 ? result : failed > 0 ? 1 : 0;
}
