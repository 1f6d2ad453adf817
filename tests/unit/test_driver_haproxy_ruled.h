/* One proxy that trusts others before it, and routes that ask something of requests. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "tests/unit/test_driver_haproxy_given.h"

#define PASSWORD "correct horse battery staple"
#define BY_ANN "Authorization: Basic YW5uOmNvcnJlY3QgaG9yc2UgYmF0dGVyeSBzdGFwbGU=\r\n"
#define USERS(secret)                                                                              \
    "{\"access\":{\"type\":\"basic\",\"users\":{\"ann\":{\"secret\":\"" secret "\"}}}}"
#define TRUSTED "127.0.0.2"

static struct test_edge edge;
static char backend[16];
static int64_t generation;

static inline int given_trusting_edge(void **state)
{
    size_t n;

    (void)state;
    if (test_edge_init(&edge, 4, 2))
        return -1;
    n = strlen(edge.config);
    (void)snprintf(edge.config + n - 1, sizeof(edge.config) - n + 1,
                   ",\"trusted_proxies\":[\"" TRUSTED "\",\"127.0.1.0/24\"]}"); /* fits */
    test_host_secret(&edge.t, "ann@1", PASSWORD);
    test_host_secret(&edge.t, "ann@2", "another horse battery staple");
    test_host_secret(&edge.t, "short@1", "tr0ub4dor");
    return test_edge_reopen(&edge) ||
                   !test_edge_backend(&edge, "rv1app", test_edge_server(&edge, "app", NULL),
                                      backend)
               ? -1
               : 0;
}

static inline int given_edge_gone_again(void **state)
{
    (void)state;
    test_edge_fini(&edge);
    return 0;
}

/* Routes of the next generation: "{B}" is the backend. */
static inline uint32_t when_routed(const char *routes)
{
    char text[16384], owner[32];
    size_t n = 0;

    (void)snprintf(owner, sizeof(owner), "rv1r%d", (int)++generation); /* fits */
    n = (size_t)snprintf(text, sizeof(text),
                         "{\"environment\":\"e1\",\"generation\":%d,\"routes\":[", (int)generation);
    for (; *routes; routes++) {
        if (!strncmp(routes, "{B}", 3)) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "\"%s\"", backend);
            routes += 2;
        } else {
            text[n++] = *routes;
        }
    }
    (void)snprintf(text + n, sizeof(text) - n, "]}"); /* fits */
    return test_edge_apply(&edge, RV_CREATE, "routes", "G", owner, text);
}

static inline void when_switched_to(int64_t to)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "{\"environment\":\"e1\",\"generation\":%d}", (int)to);
    assert_true(test_edge_must(&edge, RV_UPDATE, "switch", "e1", "rv1sw", text));
}

static inline void given_served(const char *routes)
{
    if (when_routed(routes) != RV_DONE)
        fail_msg("%.*s", (int)edge.ret.message.n, edge.ret.message.p);
    when_switched_to(generation);
    if (generation > 1) {
        char owner[32];

        (void)snprintf(owner, sizeof(owner), "rv1r%d", (int)generation - 1); /* fits */
        (void)test_edge_apply(&edge, RV_DELETE, "routes", "G", owner, "");   /* it may be gone */
    }
}

#define ROUTE(host, path, rules)                                                                   \
    "{\"route\":\"a:" path "\",\"host\":\"" host "\",\"path\":\"" path                             \
    "\",\"backend\":{B},\"rules\":" rules "}"

static inline void when_asked(const char *from, const char *host, const char *target,
                              const char *headers, struct test_edge_answer *ret)
{
    char request[4096];

    (void)snprintf(request, sizeof(request),
                   "GET %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n", target, host,
                   headers); /* fits */
    test_edge_send_from(from, edge.http, request, ret);
}

static inline int status_of(const char *host, const char *target, const char *headers)
{
    struct test_edge_answer a;

    when_asked("127.0.0.1", host, target, headers, &a);
    return a.status;
}

/* "__Host-reeve-pass=..." of an answer, as a Cookie line. */
static inline void take_pass(const struct test_edge_answer *a, char ret[512])
{
    const char *at = strcasestr(a->head, "set-cookie: __Host-reeve-pass=");

    assert_non_null(at);
    at += strlen("set-cookie: ");
    (void)snprintf(ret, 512, "Cookie: %.*s\r\n", (int)strcspn(at, ";"), at); /* fits */
}

static inline void given_pass(const char *host, char ret[512])
{
    struct test_edge_answer a;

    when_asked("127.0.0.1", host, "/headers", BY_ANN, &a);
    assert_int_equal(a.status, 200);
    take_pass(&a, ret);
}

static inline int file_has(const char *file, const char *text)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    char path[128];
    struct str all;

    arena_init(&a, 0);
    (void)snprintf(path, sizeof(path), "%s/%s", edge.dir, file); /* fits */
    assert_int_equal(sys_read_file(&a, path, 64u << 20, &all, &err), 0);
    return str_find(all, str_from_c(text)) != STR_NPOS;
}

#define LIMIT(n) "{\"rate_limit\":{\"requests\":" #n ",\"per_ms\":86400000}}"
static inline int status_by(const char *client, const char *host, const char *target)
{
    struct test_edge_answer a;
    char header[128];

    (void)snprintf(header, sizeof(header), "X-Forwarded-For: %s\r\n", client); /* fits */
    when_asked(TRUSTED, host, target, header, &a);
    if (a.status == 429)
        assert_non_null(strcasestr(a.head, "retry-after: "));
    return a.status;
}
