/* What needs a whole card or a whole terminal. */
#include "sides.h"

const struct vector_kind VECTORS_CARD[] = {
    {NULL, NULL},
};
