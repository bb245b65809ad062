#include <scrip/keys.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum scrip_status scrip_keys_harden_process(void)
{
    const struct rlimit none = {0, 0};
    const bool no_core = setrlimit(RLIMIT_CORE, &none) == 0;
    const bool no_dump = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
    return no_core && no_dump ? SCRIP_OK : SCRIP_E_IO;
}
