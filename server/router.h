/* router.h: the table of paths. Private to the room. */
#ifndef SCRIP_SERVER_ROUTER_H
#define SCRIP_SERVER_ROUTER_H

#include "server.h"

/** Answer a request: fills context->response. @return SCRIP_OK; SCRIP_E_STORE, SCRIP_E_MEMORY: the tick is lost */
enum scrip_status route_request(struct context *context);

#endif
