#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const char *text;
    enum point point;
} faults[FAULT_COUNT] = {
    [FAULT_none] = {"none", "nothing goes wrong", POINT_NONE},
#define FAULT(name_, point_, text_) [FAULT_##name_] = {#name_, text_, POINT_##point_},
#include "faults.def"
#undef FAULT
};

const char *fault_name(enum fault fault)
{
    return faults[fault].name;
}

const char *fault_text(enum fault fault)
{
    return faults[fault].text;
}

enum point fault_point(enum fault fault)
{
    return faults[fault].point;
}

enum fault plan_pass(struct plan *plan, enum point point)
{
    if (plan->closed) {
        return FAULT_none;
    }
    const uint16_t at = plan->points;
    if (at < PLAN_POINTS) {
        plan->kind[at] = (uint8_t)point;
        plan->points++;
    }
    for (unsigned i = 0; i < plan->count; i++) {
        const enum fault fault = (enum fault)plan->planned[i].fault;
        if (plan->planned[i].at == at && faults[fault].point == point) {
            plan->fired++;
            return fault;
        }
    }
    return FAULT_none;
}

bool plan_spent(const struct plan *plan)
{
    return plan->fired >= plan->count;
}

void plan_write(const struct plan *plan, char *text, size_t cap)
{
    text[0] = '\0';
    for (unsigned i = 0; i < plan->count; i++) {
        const size_t len = strlen(text);
        (void)snprintf(text + len, cap - len, "%s%u=%s", i == 0 ? "" : ",", plan->planned[i].at,
                       fault_name((enum fault)plan->planned[i].fault));
    }
}

static enum fault fault_of(const char *name, size_t len)
{
    for (int i = 1; i < FAULT_COUNT; i++) {
        if (strlen(faults[i].name) == len && memcmp(faults[i].name, name, len) == 0) {
            return (enum fault)i;
        }
    }
    return FAULT_none;
}

bool plan_read(struct plan *plan, const char *text)
{
    memset(plan, 0, sizeof *plan);
    while (*text != '\0') {
        char *end = NULL;
        const unsigned long at = strtoul(text, &end, 10);
        if (end == text || *end != '=' || plan->count == PLAN_FAULTS || at >= PLAN_POINTS) {
            return false;
        }
        const size_t len = strcspn(end + 1, ",");
        const enum fault fault = fault_of(end + 1, len);
        if (fault == FAULT_none) {
            return false;
        }
        plan->planned[plan->count].at = (uint16_t)at;
        plan->planned[plan->count].fault = (uint8_t)fault;
        plan->count++;
        text = end + 1 + len;
        text += *text == ',';
    }
    return true;
}
