/* exactly_once_defects: would the enumeration notice? Each rule of the settlement is broken on purpose, one at a time
 * (scrip/defect.h), and the enumeration must find a case that goes wrong. */
#include "enumerate.h"

#include <inttypes.h>
#include <scrip/defect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool keep_first(void *ctx, const struct violation *violation)
{
    *(struct violation *)ctx = *violation;
    return false;
}

/* @return it was caught */
static bool caught(struct enumeration *enumeration, enum scrip_defect defect)
{
    struct violation violation = {{0}, {0}};
    struct enumeration_counts counts;
    const struct enumeration_limits limits = {false, 30, 20};
    scrip_test_defect = defect;
    const bool found = !enumeration_run(enumeration, &limits, keep_first, &violation, &counts);
    const uint64_t cases = counts.singles + counts.pairs + counts.triples;
    scrip_test_defect = SCRIP_DEFECT_none;
    printf("%-24s %s after %" PRIu64 " cases, %.1f s\n", scrip_defect_name(defect), found ? "caught" : "NOT CAUGHT",
           cases, counts.seconds);
    if (found) {
        printf("    %s\n    %s\n", violation.text, violation.why);
    } else {
        printf("    broken rule: %s\n", scrip_defect_text(defect));
    }
    (void)fflush(stdout);
    return found;
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : NULL;
    unsigned missed = 0;
    unsigned tried = 0;
    struct enumeration *enumeration = enumeration_new(20260101, NULL);
    if (enumeration == NULL) {
        return 1;
    }
    for (int i = 1; i < SCRIP_DEFECT_COUNT; i++) {
        if (only == NULL || strcmp(only, scrip_defect_name((enum scrip_defect)i)) == 0) {
            tried++;
            missed += !caught(enumeration, (enum scrip_defect)i);
        }
    }
    enumeration_free(enumeration);
    printf("%u of %u deliberate defects caught\n", tried - missed, tried);
    return missed == 0 && tried > 0 ? 0 : 1;
}
