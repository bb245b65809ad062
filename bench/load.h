/* load.h: phones with cards at a server of their own, over HTTP on loopback. */
#ifndef SCRIP_BENCH_LOAD_H
#define SCRIP_BENCH_LOAD_H

#include "fleet.h"

#define LOAD_DURABLE  3U /**< durable transitions of a top-up: funded, issued, confirmed */
#define LOAD_REQUESTS 4U /**< its requests: these, and the one that only answers the card's challenge */

/** A server in a process of its own, bound to core 0. */
struct load_server {
    int pid;
    uint16_t port;
    uint64_t *commits; /**< shared with the process: commits so far */
};

void load_server_start(struct load_server *server, struct fleet *fleet);
void load_server_stop(struct load_server *server);

/** Resident private memory of the server's process, bytes. */
double load_server_memory(const struct load_server *server);

struct load_result {
    double topups_per_s;
    double requests_per_s;
    double batch;        /**< mean durable transitions in a commit */
    double p99_us;       /**< of exchanges that make something durable */
    double median_us;    /**< likewise */
    double client_share; /**< share of the time that the load itself was at work */
};

/** Fund and top up with `in_flight` phones for about `seconds`. Cards 0..in_flight-1; goes through their orders. */
struct load_result load_run(struct fleet *fleet, struct load_server *server, size_t in_flight, double seconds);

/** The first `orders` orders of every card are used up already. */
void load_skip(size_t orders);

/** The same phones without HTTP, one after the other, on a server in this process: `count` top-ups. */
void load_direct(struct fleet *fleet, struct scrip_server *server, size_t count);

/** Seconds on a card's side of one top-up, all of the phone and the card in this process; and how often it waits. */
void load_field(struct fleet *fleet, struct scrip_server *server, double *local_s, unsigned *waits, unsigned *apdus);

/** Memory that the server's process takes for each connection that was used once and now idles, bytes. */
double load_idle_connection_bytes(const struct load_server *server, size_t count);

/** Memory that it takes for each order that was funded and waits for its card, bytes. */
double load_waiting_order_bytes(struct fleet *fleet, const struct load_server *server, size_t count);

#endif
