/* plan.h: which faults a run has, and which points it passed. */
#ifndef SCRIP_E2E_PLAN_H
#define SCRIP_E2E_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Where faults can happen. */
enum point {
    POINT_NONE,
    POINT_NV,       /**< the card programs a page */
    POINT_COMMAND,  /**< a command goes to the card */
    POINT_ANSWER,   /**< an answer comes from the card */
    POINT_REQUEST,  /**< the phone sends a request */
    POINT_RESPONSE, /**< the server sends a response */
    POINT_COMMIT,   /**< the server makes a transaction durable */
    POINT_STEP,     /**< the phone or the terminal is about to do something */
    POINT_JOURNAL,  /**< the terminal programs a page of its journal */
    POINT_UPLOAD,   /**< the terminal uploads its journal */
};

enum fault {
    FAULT_none,
#define FAULT(name, point, text) FAULT_##name,
#include "faults.def"
#undef FAULT
    FAULT_COUNT
};

#define PLAN_FAULTS 3U
#define PLAN_POINTS 4096U

struct plan {
    unsigned count;
    struct planned {
        uint16_t at;   /* number of the point */
        uint8_t fault; /* enum fault */
    } planned[PLAN_FAULTS];
    unsigned fired;            /* faults that have happened */
    bool closed;               /* no more points: everything goes well from here */
    uint16_t essential;        /* points passed when the procedure and what recovers it were through */
    uint16_t points;           /* points passed */
    uint8_t kind[PLAN_POINTS]; /* enum point of each */
};

const char *fault_name(enum fault fault);
const char *fault_text(enum fault fault);
enum point fault_point(enum fault fault);

/** Pass a point. @return the fault that happens there, or FAULT_none */
enum fault plan_pass(struct plan *plan, enum point point);

/** All planned faults have happened? */
bool plan_spent(const struct plan *plan);

/** "12=nv_half,40=answer_lost"; text is cut at `cap`. */
void plan_write(const struct plan *plan, char *text, size_t cap);

/** The reverse. @return false: not a plan */
bool plan_read(struct plan *plan, const char *text);

#endif
