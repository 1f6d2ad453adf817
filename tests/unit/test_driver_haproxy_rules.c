/* What a route asks of a request, on a real HAProxy: passwords and passes, networks, limits, headers,
 * redirects. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_driver_haproxy_given.h"

#include "base/hash.h"

#define PASSWORD "correct horse battery staple"
#define BY_ANN "Authorization: Basic YW5uOmNvcnJlY3QgaG9yc2UgYmF0dGVyeSBzdGFwbGU=\r\n"
#define USERS(secret)                                                                              \
    "{\"access\":{\"type\":\"basic\",\"users\":{\"ann\":{\"secret\":\"" secret "\"}}}}"
#define TRUSTED "127.0.0.2"

static struct test_edge edge;
static char backend[16];
static int64_t generation;

/* --- given --- */

static int given_trusting_edge(void **state)
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

static int given_edge_gone_again(void **state)
{
    (void)state;
    test_edge_fini(&edge);
    return 0;
}

/* Routes of the next generation: "{B}" is the backend. */
static uint32_t when_routed(const char *routes)
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

static void when_switched_to(int64_t to)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "{\"environment\":\"e1\",\"generation\":%d}", (int)to);
    assert_true(test_edge_must(&edge, RV_UPDATE, "switch", "e1", "rv1sw", text));
}

static void given_served(const char *routes)
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

static void when_asked(const char *from, const char *host, const char *target, const char *headers,
                       struct test_edge_answer *ret)
{
    char request[4096];

    (void)snprintf(request, sizeof(request),
                   "GET %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n", target, host,
                   headers); /* fits */
    test_edge_send_from(from, edge.http, request, ret);
}

static int status_of(const char *host, const char *target, const char *headers)
{
    struct test_edge_answer a;

    when_asked("127.0.0.1", host, target, headers, &a);
    return a.status;
}

/* "__Host-reeve-pass=..." of an answer, as a Cookie line. */
static void take_pass(const struct test_edge_answer *a, char ret[512])
{
    const char *at = strcasestr(a->head, "set-cookie: __Host-reeve-pass=");

    assert_non_null(at);
    at += strlen("set-cookie: ");
    (void)snprintf(ret, 512, "Cookie: %.*s\r\n", (int)strcspn(at, ";"), at); /* fits */
}

static void given_pass(const char *host, char ret[512])
{
    struct test_edge_answer a;

    when_asked("127.0.0.1", host, "/headers", BY_ANN, &a);
    assert_int_equal(a.status, 200);
    take_pass(&a, ret);
}

/* --- passwords and passes --- */

static void test_a_password_opens_and_is_not_handed_on(void **state)
{
    struct test_edge_answer a;

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    when_asked("127.0.0.1", "a.test", "/headers", "", &a);
    assert_int_equal(a.status, 401);
    assert_non_null(strcasestr(a.head, "www-authenticate: Basic realm=\"a.test\""));
    when_asked("127.0.0.1", "a.test", "/headers", BY_ANN, &a);
    assert_int_equal(a.status, 200);
    assert_null(strcasestr(a.body, "authorization"));
    assert_non_null(strstr(a.head, "; Path=/; Max-Age=43200; Secure; HttpOnly; SameSite=Lax"));
    assert_non_null(strcasestr(a.head, "cache-control: private, no-store"));
}

static void when_asked_by(const char *user, const char *password, struct test_edge_answer *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[512], header[1024];
    size_t n = (size_t)snprintf(text, sizeof(text), "%s:%s", user, password), at;

    at = (size_t)snprintf(header, sizeof(header), "Authorization: Basic ");
    for (size_t i = 0; i < n; i += 3) {
        unsigned bits = 0;

        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < n ? (unsigned char)text[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            header[at++] = i + k > n ? '=' : digits[bits >> (18 - 6 * k) & 63];
    }
    (void)snprintf(header + at, sizeof(header) - at, "\r\n"); /* fits */
    when_asked("127.0.0.1", "a.test", "/", header, ret);
}

/* Who knows what our maps hold knows no password. */
static void test_what_the_maps_hold_opens_nothing(void **state)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct str list, salt, key, rest;
    struct digest digest;
    struct test_edge_answer answer;
    char path[128];

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    arena_init(&a, 0);
    (void)snprintf(path, sizeof(path), "%s/users.map", edge.dir); /* fits */
    assert_int_equal(sys_read_file(&a, path, 4096, &rest, &err), 0);
    assert_true(str_next(&rest, ' ', &key) && str_next(&rest, ':', &salt));
    assert_true(str_next(&key, ':', &list));
    when_asked_by("ann", PASSWORD, &answer);
    assert_int_equal(answer.status, 200);

    /* the hash as password; a user that is nobody and looks like a hash, of the list and a guess */
    when_asked_by("ann", str_to_c(&a, str_trim(rest)), &answer);
    assert_int_equal(answer.status, 401);
    digest = hash_bytes(str_fmt(&a, "%.*s:guess", STR_ARG(list)));
    when_asked_by(str_to_c(&a, digest_hex(&a, &digest)), "guess", &answer);
    assert_int_equal(answer.status, 401);
    digest = hash_bytes(S(":guess"));
    when_asked_by(str_to_c(&a, digest_hex(&a, &digest)), "guess", &answer);
    assert_int_equal(answer.status, 401);
}

/* Without its key the proxy takes no pass, whatever stands in it, and gives none. */
static void test_without_a_key_there_is_no_pass(void **state)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct test_edge_answer answer;
    struct str rest, list, text;
    char pass[512], path[128], forged[512], line[256];

    (void)state;
    given_served(ROUTE("host", "/", USERS("ann@1")));
    given_pass("host", pass);
    arena_init(&a, 0);
    (void)snprintf(path, sizeof(path), "%s/users.map", edge.dir); /* fits */
    assert_int_equal(sys_read_file(&a, path, 4096, &rest, &err), 0);
    assert_true(str_next(&rest, ':', &list));
    (void)snprintf(path, sizeof(path), "%s/keys.map", edge.dir); /* fits */
    assert_int_equal(sys_read_file(&a, path, 4096, &text, &err), 0);

    test_edge_tell(&edge, "clear map keys.map\n");
    assert_int_equal(status_of("host", "/", pass), 401);
    (void)snprintf(forged, sizeof(forged),
                   "Cookie: __Host-reeve-pass=9999999999.%.*s:host:9999999999\r\n",
                   STR_ARG(list)); /* fits */
    assert_int_equal(status_of("host", "/", forged), 401);
    when_asked("127.0.0.1", "host", "/", BY_ANN, &answer);
    assert_int_equal(answer.status, 200);
    assert_null(strcasestr(answer.head, "set-cookie"));
    (void)snprintf(line, sizeof(line), "add map keys.map %.*s\n", STR_ARG(str_trim(text)));
    test_edge_tell(&edge, line);
    assert_int_equal(status_of("host", "/", pass), 200);
}

static void test_a_pass_leaves_authorization_to_the_application(void **state)
{
    struct test_edge_answer a;
    char pass[512], both[1024];

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    given_pass("a.test", pass);
    (void)snprintf(both, sizeof(both), "%sAuthorization: Bearer its-own\r\n", pass); /* fits */
    when_asked("127.0.0.1", "a.test", "/headers", both, &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strcasestr(a.body, "authorization: Bearer its-own\r\n"));
    assert_null(strcasestr(a.head, "set-cookie"));
    (void)snprintf(both, sizeof(both), "%s" BY_ANN, pass); /* fits */
    when_asked("127.0.0.1", "a.test", "/headers", both, &a);
    assert_int_equal(a.status, 200);
    assert_null(strcasestr(a.body, "authorization"));
}

static void test_the_application_does_not_see_a_pass(void **state)
{
    static const char *const forms[] = { "Cookie: a=b; %s; c=d\r\n", "Cookie: %s; a=b; c=d\r\n",
                                         "Cookie: a=b; c=d; %s\r\n" };
    struct test_edge_answer a;
    char pass[512], header[1024];

    (void)state;
    given_served(ROUTE("a.test", "/", "{}") "," ROUTE("a.test", "/headers", USERS("ann@1")));
    given_pass("a.test", pass);
    when_asked("127.0.0.1", "a.test", "/headers", pass, &a);
    assert_null(strcasestr(a.body, "cookie"));
    pass[strlen(pass) - 2] = 0;
    for (size_t i = 0; i < N_ELEMENTS(forms); i++) {
        (void)snprintf(header, sizeof(header), forms[i], pass + strlen("Cookie: ")); /* fits */
        when_asked("127.0.0.1", "a.test", "/headers", header, &a);
        assert_int_equal(a.status, 200);
        assert_non_null(strstr(a.body, "cookie: a=b; c=d"));
        assert_null(strstr(a.body, "reeve-pass"));
    }
}

static void test_a_pass_counts_where_it_was_given(void **state)
{
    char pass[512], changed[512];
    char *digit;

    (void)state;
    given_served(
        ROUTE("a.test", "/", USERS("ann@1")) "," ROUTE("a.test", "/deep", USERS("ann@1")) "," ROUTE(
            "b.test", "/", USERS("ann@1")) "," ROUTE("a.test", "/other", USERS("ann@2")));
    given_pass("a.test", pass);
    assert_int_equal(status_of("a.test", "/", pass), 200);
    assert_int_equal(status_of("A.Test.:80", "/x", pass), 200);
    assert_int_equal(status_of("a.test", "/deep", pass), 200);  /* the same list */
    assert_int_equal(status_of("a.test", "/other", pass), 401); /* another one */
    assert_int_equal(status_of("b.test", "/", pass), 401);      /* another host */

    (void)snprintf(changed, sizeof(changed), "%s", pass); /* fits */
    digit = strchr(changed, '=') + 1;
    *digit = *digit == '9' ? '8' : (char)(*digit + 1); /* valid for longer */
    assert_int_equal(status_of("a.test", "/", changed), 401);
    (void)snprintf(changed, sizeof(changed), "%s", pass); /* fits */
    digit = strchr(changed, '.') + 1;
    *digit = *digit == '0' ? '1' : '0'; /* signed by somebody else */
    assert_int_equal(status_of("a.test", "/", changed), 401);
}

static void test_who_came_before_on_the_connection_opens_nothing(void **state)
{
    struct test_edge_answer a;

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    test_edge_send(edge.http,
                   "GET / HTTP/1.1\r\nHost: a.test\r\n" BY_ANN "\r\n"
                   "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
                   &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "HTTP/1.1 401"));
}

static void test_a_new_password_ends_the_passes(void **state)
{
    char pass[512];

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    given_pass("a.test", pass);
    given_served(ROUTE("a.test", "/", USERS("ann@2")));
    assert_int_equal(status_of("a.test", "/", pass), 401);
    assert_int_equal(status_of("a.test", "/", BY_ANN), 401);
}

static void test_a_restarted_proxy_knows_passes_and_passwords(void **state)
{
    char pass[512];
    pid_t pid;

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")) "," ROUTE("a.test", "/x", "{\"deny\":true}"));
    given_pass("a.test", pass);
    pid = test_edge_proxy(&edge);
    assert_int_equal(kill(pid, SIGKILL), 0);
    expect_proxy(&edge, pid);
    assert_int_equal(status_of("a.test", "/", pass), 200);
    assert_int_equal(status_of("a.test", "/", BY_ANN), 200);
    assert_int_equal(status_of("a.test", "/", ""), 401);
    assert_int_equal(status_of("a.test", "/x", pass), 403);
}

static int file_has(const char *file, const char *text)
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

static void test_a_password_lies_nowhere(void **state)
{
    static const char *const files[] = { "haproxy.cfg", "check.cfg",    "rules.map",   "users.map",
                                         "keys.map",    "networks.map", "headers.map", "sets.map" };

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    assert_int_equal(status_of("a.test", "/", BY_ANN), 200);
    for (size_t i = 0; i < N_ELEMENTS(files); i++) {
        assert_false(file_has(files[i], PASSWORD));
        assert_false(file_has(files[i], "YW5uOmNvcnJlY3Q"));
    }
    assert_true(file_has("haproxy.cfg", "ann@1")); /* the reference does */
    assert_true(file_has("users.map", ":ann "));
}

/* --- networks, and who asks --- */

static const struct network_row {
    const char *sentence, *from, *forwarded;
    int status;
} network_rows[] = {
    { "nobody names a client", "127.0.0.1", "", 403 },
    { "a stranger names one that is allowed", "127.0.0.1", "X-Forwarded-For: 10.0.0.1\r\n", 403 },
    { "a trusted proxy names one", TRUSTED, "X-Forwarded-For: 10.127.255.255\r\n", 200 },
    { "just outside the network", TRUSTED, "X-Forwarded-For: 10.128.0.0\r\n", 403 },
    { "one address alone", TRUSTED, "X-Forwarded-For: 192.0.2.7\r\n", 200 },
    { "the next address", TRUSTED, "X-Forwarded-For: 192.0.2.8\r\n", 403 },
    { "IPv6", TRUSTED, "X-Forwarded-For: 2001:db8:17ff::1\r\n", 200 },
    { "IPv6 outside", TRUSTED, "X-Forwarded-For: 2001:db8:1800::1\r\n", 403 },
    { "IPv4 as IPv6", TRUSTED, "X-Forwarded-For: ::ffff:192.0.2.7\r\n", 200 },
    { "the last one is who it spoke to", TRUSTED, "X-Forwarded-For: 10.0.0.1, 203.0.113.9\r\n",
      403 },
    { "and of two headers too", TRUSTED,
      "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 203.0.113.9\r\n", 403 },
    { "what a client wrote before is nothing", TRUSTED, "X-Forwarded-For: x, 10.0.0.1\r\n", 200 },
    { "two trusted proxies", TRUSTED, "X-Forwarded-For: 10.0.0.1, 127.0.1.9\r\n", 200 },
    { "two trusted proxies, a stranger", TRUSTED,
      "X-Forwarded-For: 10.0.0.1, 203.0.113.9, 127.0.1.9\r\n", 403 },
    { "five trusted proxies are too many", TRUSTED,
      "X-Forwarded-For: 10.0.0.1, 127.0.1.1, 127.0.1.2, 127.0.1.3, 127.0.1.4\r\n", 403 },
    { "a name that is no address", TRUSTED, "X-Forwarded-For: 10.0.0.1, unknown\r\n", 403 },
    { "a trusted proxy that names nobody", TRUSTED, "", 403 },
};

static void test_networks(void **state)
{
    const struct network_row *row = *state;
    struct test_edge_answer a;

    if (row == network_rows)
        given_served(ROUTE("a.test", "/",
                           "{\"access\":{\"type\":\"ip\",\"allow\":[\"10.0.0.0/9\",\"192.0.2.7\","
                           "\"2001:db8:1000::/37\"]}}"));
    when_asked(row->from, "a.test", "/", row->forwarded, &a);
    assert_int_equal(a.status, row->status);
}

/* The proxies' own network is allowed: whoever they name wrongly is not one of them. */
static void test_who_is_named_wrongly_is_nobody(void **state)
{
    static const struct network_row rows[] = {
        { "the proxy itself", TRUSTED, "", 200 },
        { "no proxy", "127.0.0.1", "X-Forwarded-For: unknown\r\n", 200 },
        { "a client of it", TRUSTED, "X-Forwarded-For: 203.0.113.9\r\n", 403 },
        { "no address", TRUSTED, "X-Forwarded-For: unknown\r\n", 403 },
        { "nothing", TRUSTED, "X-Forwarded-For: \r\n", 403 },
        { "nothing behind something", TRUSTED, "X-Forwarded-For: 127.0.0.1,\r\n", 403 },
        { "an address and a port", TRUSTED, "X-Forwarded-For: 203.0.113.9:5555\r\n", 403 },
        { "no address before another proxy", TRUSTED, "X-Forwarded-For: x, 127.0.1.1\r\n", 403 },
        { "more proxies than are asked", TRUSTED,
          "X-Forwarded-For: 203.0.113.9, 127.0.1.1, 127.0.1.2, 127.0.1.3, 127.0.1.4\r\n", 403 },
    };

    (void)state;
    given_served(
        ROUTE("a.test", "/", "{\"access\":{\"type\":\"ip\",\"allow\":[\"127.0.0.0/8\"]}}"));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct test_edge_answer a;

        when_asked(rows[i].from, "a.test", "/", rows[i].forwarded, &a);
        if (a.status != rows[i].status)
            fail_msg("%s: %d", rows[i].sentence, a.status);
    }
}

static void test_all_networks_and_none(void **state)
{
    (void)state;
    given_served(
        ROUTE("a.test", "/all", "{\"access\":{\"type\":\"ip\",\"allow\":[\"0.0.0.0/0\"]}}") "," ROUTE(
            "a.test", "/none",
            "{\"access\":{\"type\":\"ip\",\"allow\":[]}}") "," ROUTE("a.test", "/six",
                                                                     "{\"access\":{\"type\":\"ip\","
                                                                     "\"allow\":[\"::/0\"]}}"));
    assert_int_equal(status_of("a.test", "/all", ""), 200);
    assert_int_equal(status_of("a.test", "/none", ""), 403);
    assert_int_equal(status_of("a.test", "/six", ""), 403);
}

/* --- limits --- */

#define LIMIT(n) "{\"rate_limit\":{\"requests\":" #n ",\"per_ms\":86400000}}"

static int status_by(const char *client, const char *host, const char *target)
{
    struct test_edge_answer a;
    char header[128];

    (void)snprintf(header, sizeof(header), "X-Forwarded-For: %s\r\n", client); /* fits */
    when_asked(TRUSTED, host, target, header, &a);
    if (a.status == 429)
        assert_non_null(strcasestr(a.head, "retry-after: "));
    return a.status;
}

static void test_a_limit_is_of_a_client_and_a_route(void **state)
{
    (void)state;
    given_served(ROUTE("a.test", "/", LIMIT(3)) "," ROUTE("b.test", "/", LIMIT(3)) "," ROUTE(
        "a.test", "/x", LIMIT(3)));
    assert_int_equal(status_by("10.1.0.1", "a.test", "/"), 200);
    assert_int_equal(status_by("10.1.0.1", "b.test", "/"),
                     200); /* hosts of a route count together */
    assert_int_equal(status_by("10.1.0.1", "A.TEST.:80", "//y"), 200);
    for (int i = 0; i < 5; i++)
        assert_int_equal(status_by("10.1.0.1", "a.test", "/"), 429);
    assert_int_equal(status_by("10.1.0.1", "a.test", "/x"), 200); /* another route */
    assert_int_equal(status_by("10.1.0.2", "a.test", "/"), 200);  /* another client */
    assert_int_equal(status_by("2001:db8::1", "a.test", "/"), 200);
    assert_int_equal(status_by("2001:db8::2", "a.test", "/"), 200); /* one network of one client */
    assert_int_equal(status_by("2001:db8::3", "a.test", "/"), 200);
    assert_int_equal(status_by("2001:db8::4", "a.test", "/"), 429);
    assert_int_equal(status_by("2001:db8:0:1::1", "a.test", "/"), 200);
}

static void test_a_switch_does_not_forget_who_asked(void **state)
{
    (void)state;
    given_served(ROUTE("a.test", "/again", LIMIT(2)));
    assert_int_equal(status_by("10.2.0.1", "a.test", "/again"), 200);
    assert_int_equal(status_by("10.2.0.1", "a.test", "/again"), 200);
    given_served(ROUTE("a.test", "/again", LIMIT(2)) "," ROUTE("a.test", "/", "{}"));
    assert_int_equal(status_by("10.2.0.1", "a.test", "/again"), 429);
}

/* Without a wait: the window of one second ends while requests go on. */
static void test_a_limit_lets_through_again(void **state)
{
    int64_t until_ms = sys_mono_ms() + PATIENCE_MS;
    int n_refused = 0;

    (void)state;
    given_served(ROUTE("a.test", "/soon", "{\"rate_limit\":{\"requests\":2,\"per_ms\":1000}}"));
    while (!n_refused) {
        assert_true(sys_mono_ms() < until_ms);
        n_refused += status_by("10.3.0.1", "a.test", "/soon") == 429;
    }
    while (status_by("10.3.0.1", "a.test", "/soon") != 200)
        assert_true(sys_mono_ms() < until_ms);
}

/* --- answers --- */

static void test_headers_are_set_and_removed(void **state)
{
    struct test_edge_answer a;

    (void)state;
    given_served(ROUTE(
        "a.test", "/",
        "{\"noindex\":true,\"headers\":{\"set\":{\"X-Frame-Options\":\"DENY\","
        "\"Content-Security-Policy\":\"default-src 'self'; a=b, \\\"%[x]\\\" ~:\"},"
        "\"remove\":[\"X-App\"]}}") "," ROUTE("a.test", "/closed",
                                              "{\"noindex\":true,\"deny\":true}") "," ROUTE("a."
                                                                                            "test",
                                                                                            "/bare",
                                                                                            "{}"));
    when_asked("127.0.0.1", "a.test", "/", "", &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strcasestr(a.head, "x-frame-options: DENY"));
    assert_non_null(
        strcasestr(a.head, "content-security-policy: default-src 'self'; a=b, \"%[x]\" ~:"));
    assert_non_null(strcasestr(a.head, "x-robots-tag: noindex, nofollow"));
    assert_null(strcasestr(a.head, "x-app"));
    when_asked("127.0.0.1", "a.test", "/closed", "", &a);
    assert_int_equal(a.status, 403);
    assert_non_null(strcasestr(a.head, "x-robots-tag: noindex, nofollow"));
    when_asked("127.0.0.1", "a.test", "/bare", "", &a);
    assert_non_null(strcasestr(a.head, "x-app: app"));
    assert_null(strcasestr(a.head, "x-frame-options"));
    assert_null(strcasestr(a.head, "x-robots-tag"));
}

static void expect_location(const char *from, const char *host, const char *target,
                            const char *headers, const char *location)
{
    struct test_edge_answer a;
    char line[512];

    when_asked(from, host, target, headers, &a);
    assert_int_equal(a.status, 308);
    (void)snprintf(line, sizeof(line), "location: %s\r\n", location); /* fits */
    if (!strcasestr(a.head, line))
        assert_string_equal(a.head, line);
}

static void test_a_host_leads_to_another(void **state)
{
    (void)state;
    given_served(
        ROUTE("www.a.test", "/", "{\"redirect\":\"a.test\"}") "," ROUTE("a.test", "/", "{}"));
    expect_location("127.0.0.1", "www.a.test", "/", "", "http://a.test/");
    expect_location("127.0.0.1", "WWW.a.test.", "/x/../y?z=1&u=//b.test", "",
                    "http://a.test/y?z=1&u=//b.test");
    expect_location("127.0.0.1", "www.a.test:8080", "//b.test/", "", "http://a.test:8080//b.test/");
    expect_location("127.0.0.1", "www.a.test", "/", "X-Forwarded-Proto: https\r\n",
                    "http://a.test/");
    expect_location(TRUSTED, "www.a.test", "/", "X-Forwarded-Proto: https\r\n", "https://a.test/");
}

/* --- with the routes --- */

static void test_rules_come_and_go_with_the_switch(void **state)
{
    int64_t first;

    (void)state;
    given_served(ROUTE("a.test", "/", "{}") "," ROUTE("a.test", "/x", "{\"deny\":true}"));
    first = generation;
    assert_int_equal(when_routed(ROUTE("a.test", "/", USERS("ann@1")) "," ROUTE(
                         "a.test", "/x", "{}") "," ROUTE("a.test", "/y", "{\"deny\":true}")),
                     RV_DONE);
    assert_int_equal(status_of("a.test", "/", ""), 200);
    assert_int_equal(status_of("a.test", "/x", ""), 403);
    assert_int_equal(status_of("a.test", "/y", ""), 200);
    when_switched_to(generation);
    assert_int_equal(status_of("a.test", "/", ""), 401);
    assert_int_equal(status_of("a.test", "/x", ""), 200);
    assert_int_equal(status_of("a.test", "/y", ""), 403);
    assert_true(file_has("users.map", ":ann "));
    assert_int_equal(when_routed(ROUTE("a.test", "/", "{}")), RV_DONE);
    when_switched_to(generation);
    for (int64_t g = first; g < generation; g++) {
        char owner[32];

        (void)snprintf(owner, sizeof(owner), "rv1r%d", (int)g); /* fits */
        assert_true(test_edge_must(&edge, RV_DELETE, "routes", "G", owner, ""));
    }
    assert_int_equal(status_of("a.test", "/y", ""), 200);
    assert_false(file_has("users.map", ":ann "));
    assert_false(file_has("rules.map", ":"));
}

static void test_a_rule_that_is_lost_opens_nothing(void **state)
{
    char owner[32];

    (void)state;
    given_served(ROUTE("a.test", "/", "{}") "," ROUTE("a.test", "/x", "{\"deny\":true}"));
    test_edge_tell(&edge, "clear map rules.map\n");
    assert_int_equal(status_of("a.test", "/", ""), 200);
    assert_int_equal(status_of("a.test", "/x", ""), 503);
    (void)snprintf(owner, sizeof(owner), "rv1r%d", (int)generation); /* fits */
    assert_int_equal(test_edge_read(&edge, "routes", owner, NULL), RV_DONE);
    assert_false(test_rv_has(edge.ret.observed, "\"/x\""));
    when_switched_to(generation); /* and is there again */
    assert_int_equal(status_of("a.test", "/x", ""), 403);
}

/* Upper case is no way around a route of another environment on the same host either. */
static void test_a_guard_is_whoever_has_the_path(void **state)
{
    char text[512];

    (void)state;
    given_served(ROUTE("a.test", "/", "{}"));
    (void)snprintf(text, sizeof(text),
                   "{\"environment\":\"a0\",\"generation\":1,\"routes\":[{\"route\":\"a:/x\","
                   "\"host\":\"a.test\",\"path\":\"/x\",\"backend\":\"%s\","
                   "\"rules\":{\"deny\":true}}]}",
                   backend); /* fits */
    assert_true(test_edge_must(&edge, RV_CREATE, "routes", "G", "rv1a0r1", text));
    assert_true(test_edge_must(&edge, RV_CREATE, "switch", "a0", "rv1a0sw",
                               "{\"environment\":\"a0\",\"generation\":1}"));
    assert_int_equal(status_of("a.test", "/x", ""), 403);
    assert_int_equal(status_of("a.test", "/X", ""), 400);
    assert_int_equal(status_of("a.test", "/y", ""), 200);
    assert_true(test_edge_must(&edge, RV_DELETE, "switch", "a0", "rv1a0sw", ""));
    assert_true(test_edge_must(&edge, RV_DELETE, "routes", "G", "rv1a0r1", ""));
}

/* --- refused --- */

static const struct refusal_row {
    const char *sentence, *rules, *message;
} refusal_rows[] = {
    { "rules that are none", "[]", "rules is not a map" },
    { "an access that is not known", "{\"access\":{\"type\":\"login\"}}", "access.type" },
    { "a user with a command",
      "{\"access\":{\"type\":\"basic\",\"users\":{\"a;b\":{\"secret\":\"s\"}}}}",
      "'a;b' is not a name" },
    { "a password written out", "{\"access\":{\"type\":\"basic\",\"users\":{\"ann\":\"pw\"}}}",
      "names no secret" },
    { "a password that cannot be read",
      "{\"access\":{\"type\":\"basic\",\"users\":{\"ann\":{\"secret\":\"gone@1\"}}}}", "'gone@1'" },
    { "a short password",
      "{\"access\":{\"type\":\"basic\",\"users\":{\"ann\":{\"secret\":\"short@1\"}}}}",
      "the password of 'ann' (secret 'short@1') has under 16 bytes" },
    { "a network that is none", "{\"access\":{\"type\":\"ip\",\"allow\":[\"10.0.0.0/33\"]}}",
      "access.allow[0]" },
    { "a network with bits behind its prefix",
      "{\"access\":{\"type\":\"ip\",\"allow\":[\"10.0.0.1/8\"]}}", "access.allow[0]" },
    { "a limit of nothing", "{\"rate_limit\":{\"requests\":0,\"per_ms\":1000}}", "requests" },
    { "a limit over days", "{\"rate_limit\":{\"requests\":1,\"per_ms\":86400001}}", "per_ms" },
    { "a header with a line end", "{\"headers\":{\"set\":{\"X-A\":\"b\\r\\nX-C: d\"}}}",
      "headers.set.X-A" },
    { "a header with a colon", "{\"headers\":{\"set\":{\"X-A: b\":\"c\"}}}", "'X-A: b'" },
    { "a header of the connection", "{\"headers\":{\"set\":{\"Transfer-encoding\":\"x\"}}}",
      "'Transfer-encoding'" },
    { "a length to be removed", "{\"headers\":{\"remove\":[\"CONTENT-LENGTH\"]}}",
      "headers.remove[0]" },
    { "a redirect to a path", "{\"redirect\":\"b.test/x\"}", "redirect" },
};

static void test_refused(void **state)
{
    const struct refusal_row *row = *state;
    char route[1024];

    (void)snprintf(route, sizeof(route),
                   "{\"route\":\"n:/\",\"host\":\"n.test\",\"path\":\"/\",\"backend\":{B},"
                   "\"rules\":%s}",
                   row->rules); /* fits */
    assert_int_not_equal(when_routed(route), RV_DONE);
    if (!test_rv_has(edge.ret.message, row->message))
        assert_string_equal(edge.ret.message.p, row->message);
    assert_false(test_rv_has(edge.ret.message, "tr0ub4dor"));
    assert_int_equal(edge.ret.acted, RV_ACTED_NO);
    assert_int_equal(status_of("n.test", "/", ""), 404);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_a_password_opens_and_is_not_handed_on),
        cmocka_unit_test(test_what_the_maps_hold_opens_nothing),
        cmocka_unit_test(test_without_a_key_there_is_no_pass),
        cmocka_unit_test(test_a_pass_leaves_authorization_to_the_application),
        cmocka_unit_test(test_the_application_does_not_see_a_pass),
        cmocka_unit_test(test_a_pass_counts_where_it_was_given),
        cmocka_unit_test(test_who_came_before_on_the_connection_opens_nothing),
        cmocka_unit_test(test_a_new_password_ends_the_passes),
        cmocka_unit_test(test_a_restarted_proxy_knows_passes_and_passwords),
        cmocka_unit_test(test_a_password_lies_nowhere),
        cmocka_unit_test(test_all_networks_and_none),
        cmocka_unit_test(test_who_is_named_wrongly_is_nobody),
        cmocka_unit_test(test_a_limit_is_of_a_client_and_a_route),
        cmocka_unit_test(test_a_switch_does_not_forget_who_asked),
        cmocka_unit_test(test_a_limit_lets_through_again),
        cmocka_unit_test(test_headers_are_set_and_removed),
        cmocka_unit_test(test_a_host_leads_to_another),
        cmocka_unit_test(test_rules_come_and_go_with_the_switch),
        cmocka_unit_test(test_a_rule_that_is_lost_opens_nothing),
        cmocka_unit_test(test_a_guard_is_whoever_has_the_path),
    };
    struct CMUnitTest
        tests[N_ELEMENTS(others) + N_ELEMENTS(network_rows) + N_ELEMENTS(refusal_rows)] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(network_rows); i++)
        tests[n++] = (struct CMUnitTest){ network_rows[i].sentence, test_networks, NULL, NULL,
                                          (void *)(uintptr_t)&network_rows[i] };
    for (size_t i = 0; i < N_ELEMENTS(others); i++)
        tests[n++] = others[i];
    for (size_t i = 0; i < N_ELEMENTS(refusal_rows); i++)
        tests[n++] = (struct CMUnitTest){ refusal_rows[i].sentence, test_refused, NULL, NULL,
                                          (void *)(uintptr_t)&refusal_rows[i] };
    return _cmocka_run_group_tests("haproxy rules", tests, n, given_trusting_edge,
                                   given_edge_gone_again);
}
