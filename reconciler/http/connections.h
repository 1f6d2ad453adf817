/*
 * connections: who is connected, since when, and what they hold of us. SPDX-License-Identifier: Apache-2.0
 *
 * Each connection is in one phase, and each phase has its deadline; a sweep cuts who is over it. One user,
 * over TCP one address (of IPv6 the first half), has a share of the connections and of the memory for answers that nobody reads, so
 * that nobody shuts the others out.
 *
 * Owns     its connections and the timer of the sweep.
 * Thread   the loop's.
 * Fails    ERR_NOMEM.
 */
#pragma once

#include <netinet/in.h>

#include "reconciler/http/intake.h"
#include "reconciler/http/server.h"

struct sockaddr;
struct tls_shown;

enum connections_phase {
    CONNECTIONS_HEADERS,
    CONNECTIONS_BODY,
    CONNECTIONS_HANDLED, /* no deadline: the answer is being made */
    CONNECTIONS_SENDS,
    CONNECTIONS_STREAMS, /* no deadline: there is nothing to send now */
    CONNECTIONS_PUSHES,  /* something to send in a stream */
    CONNECTIONS_IDLE,
    N_CONNECTIONS_PHASES
};

struct connections {
    struct loop *loop;
    struct loop_timer *sweep;
    struct connection *first;
    struct connection **by_fd;
    size_t n_by_fd;
    int64_t limit_ms[N_CONNECTIONS_PHASES]; /* 0: none */
    int64_t drain_ms, stop_ms;
    int is_stopping;
    size_t n_max;      /* of one user or address */
    size_t unsent_max; /* bytes of the answers to one of them */
    loop_fn *cut;      /* after some were cut */
    void *ctx;
};

/* Family and what of an address one customer has: all of IPv4, half of IPv6. */
#define CONNECTIONS_NETWORK_BYTES 9

struct connection {
    struct connections *all;
    struct connection *next, *prev;
    int fd;
    uid_t uid;
    char address[INET6_ADDRSTRLEN]; /* "" at the socket */
    unsigned char network[CONNECTIONS_NETWORK_BYTES];
    enum connections_phase phase;
    int64_t since_ms;
    size_t n_unsent;         /* bytes of the answer that is being sent */
    struct tls_shown *shown; /* NULL: no certificate yet */
    struct intake intake;    /* what it sent */
};

/* Fields that were set stay. */
int connections_init(struct connections *all, struct err *err);
void connections_fini(struct connections *all);
/* NULL: out of memory. One too many of its user or address is cut at once. */
struct connection *connections_add(struct connections *all, int fd, const struct sockaddr *from);
void connections_remove(struct connection *c);
struct connection *connections_find(const struct connections *all, int fd); /* NULL: none */
void connections_peer(const struct connection *c, struct http_peer *ret);
void connections_enter(struct connection *c, enum connections_phase phase);
/* The other side finds its end; it is removed when the server has seen that. */
void connections_cut(struct connection *c);
/* Idle ones go now, slow ones after drain_ms, handled ones when they were answered. */
void connections_stop(struct connections *all);
/* An answer of so many bytes fits into the share of its user. */
int connections_may_send(const struct connection *c, size_t n_bytes);
