#include <scrip/status.h>

static const char *const names[] = {
#define STATUS(name, text) [name] = #name,
#include <scrip/status.def>
#undef STATUS
};

static const char *const texts[] = {
#define STATUS(name, text) [name] = (text),
#include <scrip/status.def>
#undef STATUS
};

const char *scrip_status_name(enum scrip_status status)
{
    return (unsigned)status < SCRIP_STATUS_COUNT ? names[status] : "SCRIP_E_?";
}

const char *scrip_strerror(enum scrip_status status)
{
    return (unsigned)status < SCRIP_STATUS_COUNT ? texts[status] : "unknown status";
}
