#include <scrip/defect.h>

#ifdef SCRIP_TEST_DEFECTS

enum scrip_defect scrip_test_defect = SCRIP_DEFECT_none;

static const struct {
    const char *name;
    const char *text;
} defects[SCRIP_DEFECT_COUNT] = {[SCRIP_DEFECT_none] = {"none", "every rule holds"},
#define X(name_, text_) [SCRIP_DEFECT_##name_] = {#name_, text_},
                                 SCRIP_DEFECTS(X)
#undef X
};

const char *scrip_defect_name(enum scrip_defect defect)
{
    return (unsigned)defect < SCRIP_DEFECT_COUNT ? defects[defect].name : "?";
}

const char *scrip_defect_text(enum scrip_defect defect)
{
    return (unsigned)defect < SCRIP_DEFECT_COUNT ? defects[defect].text : "?";
}

#endif
