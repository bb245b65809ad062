/* lint.h: how findings are told. */
#ifndef VCARD_LINT_H
#define VCARD_LINT_H

#include <scrip/profile.h>

/** Whom to tell, and whether it was an error. */
struct lint_sink {
    void (*each)(void *ctx, enum scrip_lint_level level, const char *sentence);
    void *ctx;
    bool failed;
};

void lint_find(struct lint_sink *sink, enum scrip_lint_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** A storage card's profile. */
void lint_storage(struct lint_sink *sink, const struct scrip_profile *profile);

/** What is true of every card with this cipher. */
void lint_crypto1(struct lint_sink *sink);

#endif
