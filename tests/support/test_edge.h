/*
 * test_edge: a haproxy driver on a directory and ports of its own. SPDX-License-Identifier: Apache-2.0
 *
 *     struct test_edge e;
 *     test_edge_init(&e, 8, 2);
 *     test_edge_must(&e, RV_CREATE, "backend", "api@1", "rv1a", "{\"servers\":[..]}");
 *     test_edge_get(&e, e.http, "a.test", "/", &answer);
 *     test_edge_fini(&e);
 *
 * Needs REEVE_KEEPER. The fixture ends the proxy, its keeper and every server it started.
 *
 * Memory   what `ret` holds lives until the next call of the driver through the fixture.
 */
#pragma once

#include <sys/types.h>

#include "tests/support/test_host.h"
#include "tests/support/tiny_http.h"

#define TEST_EDGE_SERVERS_MAX 32
#define TEST_EDGE_PORTS 4 /* of the internal range */

struct test_edge {
    struct test_host t;
    const struct rv_driver *driver;
    void *self;
    char dir[64], config[8192], keeper[4096]; /* PATH_MAX */
    uint16_t http, internal;
    pid_t servers[TEST_EDGE_SERVERS_MAX];
    size_t n_servers;
    uint64_t epoch;
    struct rv_result ret;
};

struct test_edge_answer {
    int status; /* 0: no complete answer */
    char head[4096], body[8192];
};

/* 0, or -1. Start nothing yet: the driver does with its first call. */
int test_edge_init(struct test_edge *e, int n_backends, int n_slots);
void test_edge_fini(struct test_edge *e);
/* Forget the driver's `self`, and open it again, as a restarted daemon does. */
int test_edge_reopen(struct test_edge *e);

/* A tiny_http server in a process of its own; its port. `options` may be NULL. */
uint16_t test_edge_server(struct test_edge *e, const char *version,
                          const struct tiny_http *options);
void test_edge_kill_server(struct test_edge *e, size_t i, int signal); /* and wait for it */

uint32_t test_edge_apply(struct test_edge *e, uint32_t action, const char *type, const char *name,
                         const char *owner, const char *desired);
/* The same, with RV_DONE expected: what went wrong is printed, and 0 is answered. */
int test_edge_must(struct test_edge *e, uint32_t action, const char *type, const char *name,
                   const char *owner, const char *desired);
uint32_t test_edge_read(struct test_edge *e, const char *type, const char *owner, const char *id);
uint32_t test_edge_find(struct test_edge *e, const char *type, const char *owner);
uint32_t test_edge_counters(struct test_edge *e, const char *owner);
uint32_t test_edge_shed(struct test_edge *e, const char *owner, const char *desired);
uint32_t test_edge_health(struct test_edge *e);

/* A backend of one server under this owner; its id ("b3") into `ret_id`. 0: failed. */
int test_edge_backend(struct test_edge *e, const char *owner, uint16_t port, char ret_id[16]);

/* One request on a connection of its own; the whole answer. */
void test_edge_get(uint16_t port, const char *host, const char *target,
                   struct test_edge_answer *ret);
void test_edge_send(uint16_t port, const char *request, struct test_edge_answer *ret);
/* From this address of the machine's own. */
void test_edge_send_from(const char *from, uint16_t port, const char *request,
                         struct test_edge_answer *ret);

/* One line to the proxy's own socket, behind the driver's back. */
void test_edge_tell(struct test_edge *e, const char *line);
/* What it answers, "" when nobody does. */
void test_edge_ask(struct test_edge *e, const char *line, char *text, size_t size);
pid_t test_edge_proxy(struct test_edge *e); /* pid of haproxy, 0: it does not run */
