/* The phone alone: linked to see what comes with it. */
#include <scrip/relay.h>

int main(void)
{
    return scrip_relay_outcome_name(SCRIP_RELAY_FINISHED)[0] == 'f' ? 0 : 1;
}
