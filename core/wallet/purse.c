/* What is the same for the purses of all families. */
#include "outcome.h"
#include <string.h>

const char *scrip_outcome_name(enum scrip_outcome outcome)
{
    switch (outcome) {
    case SCRIP_OUTCOME_ASK_AGAIN:
        return "ask again";
    case SCRIP_OUTCOME_ACCEPTED:
        return "accepted";
    case SCRIP_OUTCOME_DECLINED:
        return "declined";
    default:
        return "?";
    }
}

enum scrip_outcome purse_outcome_of(enum scrip_status status)
{
    switch (status) {
    case SCRIP_E_TORN:
    case SCRIP_E_NO_CARD:
    case SCRIP_E_LINK:
    case SCRIP_E_MAC:
    case SCRIP_E_LENGTH:
    case SCRIP_E_FORMAT:
    case SCRIP_E_NV:
    case SCRIP_E_RANDOM:
        return SCRIP_OUTCOME_ASK_AGAIN;
    default:
        return SCRIP_OUTCOME_DECLINED;
    }
}

const char *scrip_purse_operation_name(enum scrip_purse_operation operation)
{
    static const char *const names[] = {"balance", "debit",       "credit", "history",
                                        "recover", "personalise", "rekey",  "force-init"};
    return (unsigned)operation < SCRIP_PURSE_OPERATIONS ? names[operation] : "?";
}

static bool can(const struct scrip_purse_family *family, enum scrip_purse_operation operation)
{
    return (unsigned)operation < SCRIP_PURSE_OPERATIONS && (family->can >> operation & 1U) != 0;
}

const char *scrip_purse_why_not(const struct scrip_purse_family *family, enum scrip_purse_operation operation)
{
    return can(family, operation) ? NULL : family->why_not;
}

enum scrip_status scrip_purse_begin(struct scrip_purse_job *job, const struct scrip_purse_family *family,
                                    enum scrip_purse_operation operation, const struct scrip_purse_request *request)
{
    memset(job, 0, sizeof *job);
    job->family = family;
    job->operation = operation;
    job->request = request;
    if (!can(family, operation)) {
        job->result.outcome = SCRIP_OUTCOME_DECLINED;
        job->result.status = SCRIP_E_UNSUPPORTED;
        return SCRIP_E_UNSUPPORTED;
    }
    job->result.status = family->begin(job);
    return job->result.status;
}

void scrip_purse_end(struct scrip_purse_job *job)
{
    scrip_wipe(&job->state, sizeof job->state);
}

enum scrip_status scrip_purse_run(struct scrip_purse_job *job, const struct scrip_purse_family *family,
                                  enum scrip_purse_operation operation, const struct scrip_purse_request *request,
                                  struct scrip_link *link)
{
    SCRIP_TRY(scrip_purse_begin(job, family, operation, request));
    const enum scrip_status status = scrip_run(&job->flow, link);
    if (job->result.status == SCRIP_OK && status != SCRIP_OK) { /* the link failed before a first command */
        job->result.status = status;
        job->result.outcome = SCRIP_OUTCOME_ASK_AGAIN;
    }
    scrip_purse_end(job);
    return job->result.status;
}
