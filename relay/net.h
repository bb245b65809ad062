/* net.h: one POST of the relay protocol over HTTP. */
#ifndef RELAY_NET_H
#define RELAY_NET_H

#include <scrip/relay.h>

struct relay_net;

/** One server, one connection that is kept. NULL: no memory. Borrows the strings of `run`. */
struct relay_net *relay_net_open(const struct scrip_relay_run *run);

/** POST and wait. What `http` points to is valid until the next call. A response that never came has code 0. */
void relay_net_post(struct relay_net *net, const char *path, struct scrip_bytes body, bool resume,
                    struct scrip_relay_http *http);

/** NULL is fine. */
void relay_net_close(struct relay_net *net);

#endif
