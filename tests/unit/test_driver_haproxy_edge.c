/* The edge on a real HAProxy: keys, refusals, records, the pool. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/guard.h"
#include "tests/support/test_edge.h"

#define N_BACKENDS 4
#define N_SLOTS 2

static struct test_edge edge; /* one proxy for the rows */
static char web[16], api[16], other[16];

static const char routes_1[] =
    "{\"environment\":\"e1\",\"generation\":1,\"label\":{},\"routes\":["
    "{\"route\":\"web\",\"host\":\"a.test\",\"path\":\"/\",\"backend\":\"%s\"},"
    "{\"route\":\"api\",\"host\":\"a.test\",\"path\":\"/api\",\"backend\":\"%s\"},"
    "{\"route\":\"only\",\"host\":\"api.a.test\",\"path\":\"/v1\",\"backend\":\"%s\"},"
    "{\"route\":\"inner\",\"host\":\"\",\"path\":\"/\",\"port\":%u,\"backend\":\"%s\"}]}";
static const char routes_2[] =
    "{\"environment\":\"e2\",\"generation\":1,\"label\":{},\"routes\":["
    "{\"route\":\"web\",\"host\":\"b.test\",\"path\":\"/\",\"backend\":\"%s\"}]}";

static int given_edge(void **state)
{
    char text[2048];

    (void)state;
    if (test_edge_init(&edge, N_BACKENDS, N_SLOTS) ||
        !test_edge_backend(&edge, "rv1web", test_edge_server(&edge, "web", NULL), web) ||
        !test_edge_backend(&edge, "rv1api", test_edge_server(&edge, "api", NULL), api) ||
        !test_edge_backend(&edge, "rv1other", test_edge_server(&edge, "other", NULL), other) ||
        !test_edge_must(&edge, RV_CREATE, "address", "api", "rv1adr", "{\"label\":{}}"))
        return -1;
    (void)snprintf(text, sizeof(text), routes_1, web, api, api, edge.internal, api); /* fits */
    if (!test_edge_must(&edge, RV_CREATE, "routes", "G1", "rv1r1", text))
        return -1;
    (void)snprintf(text, sizeof(text), routes_2, other); /* fits */
    if (!test_edge_must(&edge, RV_CREATE, "routes", "G1", "rv1r2", text))
        return -1;
    return test_edge_must(&edge, RV_CREATE, "switch", "one", "rv1s1",
                          "{\"environment\":\"e1\",\"generation\":1}") &&
                   test_edge_must(&edge, RV_CREATE, "switch", "two", "rv1s2",
                                  "{\"environment\":\"e2\",\"generation\":1}")
               ? 0
               : -1;
}

static int given_edge_gone(void **state)
{
    (void)state;
    test_edge_fini(&edge);
    return 0;
}

/* --- the key --- */

struct key_row {
    const char *sentence, *host, *target;
    int status;
    const char *version; /* the first line of the body */
};

static const struct key_row key_rows[] = {
    { "a host is found", "a.test", "/", 200, "web" },
    { "a host has no case", "A.Test", "/", 200, "web" },
    { "a port is no part of it", "a.test:8080", "/", 200, "web" },
    { "a final dot is no part of it", "a.test.", "/", 200, "web" },
    { "nor both", "A.TEST.:443", "/api", 200, "api" },
    { "another environment's host leads to it", "b.test", "/api", 200, "other" },
    { "an unknown host is 404", "c.test", "/", 404, "no route" },
    { "a host below one of ours is 404", "x.a.test", "/", 404, "no route" },
    { "a path rule holds for its path", "a.test", "/api", 200, "api" },
    { "and with a final slash", "a.test", "/api/", 200, "api" },
    { "and below it", "a.test", "/api/v1/x", 200, "api" },
    { "and with a query", "a.test", "/api?x=/../", 200, "api" },
    { "a longer name is not below it", "a.test", "/apiary", 200, "web" },
    { "a path has case", "a.test", "/API", 200, "web" },
    { "empty segments do not hide it", "a.test", "//api", 200, "api" },
    { "nor within", "a.test", "/api//x", 200, "api" },
    { "dot segments are resolved", "a.test", "/x/../api/y", 200, "api" },
    { "and lead out again", "a.test", "/api/../x", 200, "web" },
    { "above the root is the root", "a.test", "/../../api", 200, "api" },
    { "an encoded dot is a dot", "a.test", "/x/%2e%2E/api", 200, "api" },
    { "an encoded letter is a letter", "a.test", "/%61pi", 200, "api" },
    { "a single dot is nothing", "a.test", "/./api/.", 200, "api" },
    { "an encoded slash is refused", "a.test", "/x%2fapi", 400, "bad request" },
    { "an encoded backslash is refused", "a.test", "/x%5Capi", 400, "bad request" },
    { "an encoded NUL is refused", "a.test", "/x%00api", 400, "bad request" },
    { "a host without path rules takes them", "b.test", "/x%2fapi", 200, "other" },
    { "below the rule of a host without a root", "api.a.test", "/v1/x", 200, "api" },
    { "beside it is 404", "api.a.test", "/v2", 404, "no route" },
    { "a path in the host is refused", "a.test/api", "/", 400, "bad request" },
    { "a port alone is no host", ":21000", "/", 400, "bad request" },
    { "two ports are refused", "::21000:80", "/", 400, "bad request" },
    { "an empty host is refused", "", "/", 400, "bad request" },
};

static void test_key(void **state)
{
    const struct key_row *row = *state;
    struct test_edge_answer a;

    test_edge_get(edge.http, row->host, row->target, &a);
    assert_int_equal(a.status, row->status);
    a.body[strcspn(a.body, "\n")] = 0;
    assert_string_equal(a.body, row->version);
}

static void test_an_internal_port_leads_to_its_service(void **state)
{
    struct test_edge_answer a;

    (void)state;
    test_edge_get(edge.internal, "127.0.0.1", "/deep", &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "api\nGET /deep\n");
    test_edge_get((uint16_t)(edge.internal + 1), "a.test", "/", &a);
    assert_int_equal(a.status, 404);
}

static void test_forwarding_headers_are_set_anew(void **state)
{
    struct test_edge_answer a;

    (void)state;
    test_edge_send(
        edge.http,
        "GET /headers HTTP/1.1\r\nHost: a.test\r\nConnection: close, Upgrade\r\n"
        "Upgrade: h2c\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n"
        "X-Forwarded-Prefix: /evil\r\nForwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\n\r\n",
        &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "x-forwarded-for: 127.0.0.1\r\n"));
    assert_non_null(strstr(a.body, "x-forwarded-proto: http\r\n"));
    assert_non_null(strstr(a.body, "x-forwarded-host: a.test\r\n"));
    assert_null(strstr(a.body, "1.2.3.4"));
    assert_null(strstr(a.body, "evil"));
    assert_null(strcasestr(a.body, "upgrade"));
}

static void test_odd_requests_are_refused(void **state)
{
    struct test_edge_answer a;

    (void)state;
    test_edge_send(edge.http,
                   "GET / HTTP/1.1\r\nHost: a.test\r\nX_Forwarded_For: x\r\n"
                   "Connection: close\r\n\r\n",
                   &a);
    assert_int_equal(a.status, 400);
    test_edge_send(edge.http,
                   "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\nConnection: close\r\n\r\n",
                   &a);
    assert_int_equal(a.status, 405);
}

/* Nobody gets another protocol in the shadow of one, nor takes away what we say of a client. */
static void test_a_websocket_is_all_that_is_asked_for(void **state)
{
    static const char *const forms[] = { "Upgrade: h2c, websocket\r\n",
                                         "Upgrade: websocket, h2c\r\n",
                                         "Upgrade: h2c\r\nUpgrade: websocket\r\n",
                                         "Upgrade: websocket\r\nUpgrade: h2c\r\n" };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(forms); i++) {
        struct test_edge_answer a;
        char request[1024];

        (void)snprintf(request, sizeof(request), /* fits */
                       "GET /headers HTTP/1.1\r\nHost: a.test\r\n%s"
                       "Connection: close, Upgrade, HTTP2-Settings, X-Forwarded-For\r\n"
                       "HTTP2-Settings: AAMAAABkAAQAAP__\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: " TINY_HTTP_WEBSOCKET_KEY "\r\n\r\n",
                       forms[i]);
        test_edge_send(edge.http, request, &a);
        assert_int_equal(a.status, 200);
        assert_non_null(strcasestr(a.body, "\r\nupgrade: websocket\r\n"));
        assert_non_null(strcasestr(a.body, "\r\nconnection: upgrade\r\n"));
        assert_null(strcasestr(a.body, "h2c"));
        assert_null(strcasestr(a.body, "http2-settings"));
    }
}

static void test_a_websocket_passes(void **state)
{
    struct test_edge_answer a;

    (void)state;
    test_edge_send(edge.http,
                   "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n"
                   "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: " TINY_HTTP_WEBSOCKET_KEY "\r\n\r\n",
                   &a);
    assert_int_equal(a.status, 101);
}

/* --- what is refused, and that it changes nothing --- */

struct refusal_row {
    const char *sentence, *type, *owner, *desired;
    uint32_t verdict;
    const char *message;
};

static const struct refusal_row refusal_rows[] = {
    { "a command hidden in a server", "backend", "rv1n",
      "{\"servers\":[\"127.0.0.1:1;set map gen.map e1 9\"]}", RV_USER, "servers[0]" },
    { "a command hidden in a path", "routes", "rv1n",
      "{\"environment\":\"e9\",\"generation\":1,\"routes\":[{\"host\":\"z.test\",\"path\":"
      "\"/; del map r.map a.test/\",\"backend\":\"b0\"}]}",
      RV_USER, "path" },
    { "a line end hidden in a host", "routes", "rv1n",
      "{\"environment\":\"e9\",\"generation\":1,\"routes\":[{\"host\":\"z\\nq\",\"path\":\"/\","
      "\"backend\":\"b0\"}]}",
      RV_USER, "host" },
    { "a command hidden in an environment", "switch", "rv1n",
      "{\"environment\":\"e1 9\",\"generation\":1}", RV_USER, "environment" },
    { "a command hidden in a backend", "routes", "rv1n",
      "{\"environment\":\"e9\",\"generation\":1,\"routes\":[{\"host\":\"z.test\",\"path\":\"/\","
      "\"backend\":\"b0 b1\"}]}",
      RV_USER, "backend" },
    { "another environment's host", "routes", "rv1n",
      "{\"environment\":\"e9\",\"generation\":1,\"routes\":[{\"host\":\"a.test\",\"path\":\"/\","
      "\"backend\":\"b0\"}]}",
      RV_USER, "'a.test/' belongs to routes 'e1/1'" },
    { "a backend that serves no set", "routes", "rv1n",
      "{\"environment\":\"e9\",\"generation\":1,\"routes\":[{\"host\":\"z.test\",\"path\":\"/\","
      "\"backend\":\"b3\"}]}",
      RV_USER, "'b3' serves no set" },
    { "a port that is nobody's address", "routes", "rv1n",
      "{\"environment\":\"e9\",\"generation\":1,\"routes\":[{\"host\":\"\",\"port\":22,\"path\":\"/"
      "\","
      "\"backend\":\"b0\"}]}",
      RV_USER, "nobody's address" },
    { "one host and path twice", "routes", "rv1n",
      "{\"environment\":\"e9\",\"generation\":1,\"routes\":[{\"host\":\"z.test\",\"path\":\"/x\","
      "\"backend\":\"b0\"},{\"host\":\"z.test\",\"path\":\"/x/\",\"backend\":\"b0\"}]}",
      RV_USER, "twice" },
    { "a change of the live generation", "routes", "rv1r2",
      "{\"environment\":\"e2\",\"generation\":1,\"routes\":[]}", RV_USER, "is live" },
    { "somebody else's routes", "routes", "rv1n",
      "{\"environment\":\"e2\",\"generation\":1,\"routes\":[]}", RV_USER, "belongs to 'rv1r2'" },
    { "somebody else's switch", "switch", "rv1n", "{\"environment\":\"e2\",\"generation\":1}",
      RV_USER, "belongs to 'rv1s2'" },
    { "a switch to a generation without routes", "switch", "rv1s1",
      "{\"environment\":\"e1\",\"generation\":2}", RV_USER, "generation 2 of 'e1' has no routes" },
    { "a switch to an older generation", "switch", "rv1s1",
      "{\"environment\":\"e1\",\"generation\":0}", RV_USER, "above 0" },
    { "more servers than slots", "backend", "rv1n",
      "{\"servers\":[\"127.0.0.1:1\",\"127.0.0.1:2\",\"127.0.0.1:3\"]}", RV_USER, "2 slots" },
    { "a type that is not ours", "service", "rv1n", "{}", RV_USER, "type 'service'" },
    { "a body that is no JSON", "backend", "rv1n", "{", RV_USER, "desired" },
};

static void test_refused(void **state)
{
    const struct refusal_row *row = *state;
    struct test_edge_answer a;

    assert_int_equal(test_edge_apply(&edge, RV_CREATE, row->type, "n", row->owner, row->desired),
                     row->verdict);
    if (!test_rv_has(edge.ret.message, row->message))
        assert_string_equal(edge.ret.message.p, row->message);
    assert_int_equal(edge.ret.acted, RV_ACTED_NO);
    if (strcmp(row->owner, "rv1n") == 0 && strcmp(row->type, "service") != 0)
        assert_int_equal(test_edge_find(&edge, row->type, "rv1n"), RV_ABSENT);
    test_edge_get(edge.http, "a.test", "/", &a);
    assert_int_equal(a.status, 200);
}

/* --- life of the things --- */

static void test_read_tells_what_the_proxy_does(void **state)
{
    (void)state;
    assert_int_equal(test_edge_read(&edge, "backend", "rv1web", web), RV_DONE);
    assert_true(test_rv_has(edge.ret.observed, "\":\"UP\"}"));
    assert_int_equal(test_edge_read(&edge, "switch", "rv1s1", "e1"), RV_DONE);
    assert_string_equal(edge.ret.observed.p, "{\"generation\":1}");
    assert_int_equal(test_edge_read(&edge, "routes", "rv1r2", "e2/1"), RV_DONE);
    assert_true(test_rv_has(edge.ret.observed, "\"host\":\"b.test\""));
    assert_int_equal(test_edge_read(&edge, "address", "rv1adr", NULL), RV_DONE);
    assert_true(test_rv_has(edge.ret.outputs, "\"internal_url\":\"http://127.0.0.1:"));
    assert_int_equal(test_edge_read(&edge, "backend", "rv1nobody", web), RV_ABSENT);
    assert_int_equal(test_edge_find(&edge, "switch", "rv1s2"), RV_DONE);
    assert_string_equal(edge.ret.id.p, "e2");
}

static void test_the_same_again_is_once(void **state)
{
    char text[2048], first[64];

    (void)state;
    assert_int_equal(test_edge_find(&edge, "address", "rv1adr"), RV_DONE);
    (void)snprintf(first, sizeof(first), "%s", edge.ret.id.p); /* fits */
    assert_true(test_edge_must(&edge, RV_CREATE, "address", "api", "rv1adr", "{\"label\":{}}"));
    assert_string_equal(edge.ret.id.p, first);
    assert_int_equal(edge.t.n_ids, 1);                   /* the host was told */
    (void)snprintf(text, sizeof(text), routes_2, other); /* fits */
    assert_true(test_edge_must(&edge, RV_CREATE, "routes", "G1", "rv1r2", text));
    assert_string_equal(edge.ret.id.p, "e2/1");
}

static void test_what_is_live_is_not_deleted(void **state)
{
    (void)state;
    assert_int_equal(test_edge_apply(&edge, RV_DELETE, "backend", "n", "rv1web", ""), RV_WAIT);
    assert_true(test_rv_has(edge.ret.message, "serves the live routes of 'e1'"));
    assert_int_equal(test_edge_apply(&edge, RV_DELETE, "routes", "n", "rv1r1", ""), RV_WAIT);
    assert_true(test_rv_has(edge.ret.message, "generation 1 of 'e1' is live"));
    assert_int_equal(test_edge_apply(&edge, RV_DELETE, "address", "n", "rv1adr", ""), RV_WAIT);
    assert_int_equal(test_edge_apply(&edge, RV_DELETE, "address", "n", "rv1nobody", ""), RV_DONE);
}

static void test_the_pool_ends_with_its_number(void **state)
{
    char id[16];

    (void)state;
    assert_true(test_edge_backend(&edge, "rv1fourth", 9, id));
    assert_int_equal(
        test_edge_apply(&edge, RV_CREATE, "backend", "n", "rv1fifth", "{\"servers\":[]}"), RV_USER);
    assert_true(test_rv_has(edge.ret.message, "all 4 backends"));
    assert_true(test_edge_must(&edge, RV_DELETE, "backend", "n", "rv1fourth", ""));
    assert_int_equal(test_edge_find(&edge, "backend", "rv1fourth"), RV_ABSENT);
    for (int i = 1; i < TEST_EDGE_PORTS; i++) {
        char owner[16];

        (void)snprintf(owner, sizeof(owner), "rv1p%d", i); /* fits */
        assert_true(test_edge_must(&edge, RV_CREATE, "address", "n", owner, "{}"));
    }
    assert_int_equal(test_edge_apply(&edge, RV_CREATE, "address", "n", "rv1p9", "{}"), RV_USER);
    assert_true(test_rv_has(edge.ret.message, "all 4 ports"));
}

static void test_servers_come_and_go_in_their_slots(void **state)
{
    uint16_t first = test_edge_server(&edge, "s1", NULL),
             second = test_edge_server(&edge, "s2", NULL);
    char text[256];

    (void)state;
    (void)snprintf(text, sizeof(text), "{\"servers\":[\"127.0.0.1:%u\"]}", first); /* fits */
    assert_true(test_edge_must(&edge, RV_CREATE, "backend", "n", "rv1two", text));
    (void)snprintf(text, sizeof(text), "{\"servers\":[\"127.0.0.1:%u\",\"127.0.0.1:%u\"]}", second,
                   first); /* fits */
    assert_true(test_edge_must(&edge, RV_UPDATE, "backend", "n", "rv1two", text));
    assert_int_equal(test_edge_counters(&edge, "rv1two"), RV_DONE);
    (void)snprintf(text, sizeof(text), "\"127.0.0.1:%u\":0", second); /* fits */
    assert_true(test_rv_has(edge.ret.observed, text));
    (void)snprintf(text, sizeof(text), "{\"servers\":[\"127.0.0.1:%u\"]}", second); /* fits */
    assert_true(test_edge_must(&edge, RV_UPDATE, "backend", "n", "rv1two", text));
    (void)snprintf(text, sizeof(text), "{\"servers\":{\"127.0.0.1:%u\":\"UP\"}}",
                   second); /* fits */
    assert_string_equal(edge.ret.observed.p, text);
    assert_true(test_edge_must(&edge, RV_DELETE, "backend", "n", "rv1two", ""));
}

static void test_counters_count(void **state)
{
    struct test_edge_answer a;

    (void)state;
    test_edge_get(edge.http, "b.test", "/status?code=500", &a);
    assert_int_equal(a.status, 500);
    assert_non_null(strstr(a.head, "x-app: other"));
    assert_int_equal(test_edge_counters(&edge, "rv1other"), RV_DONE);
    assert_true(test_rv_has(edge.ret.observed, "\"responses_5xx\":1"));
    assert_true(test_rv_has(edge.ret.observed, "\"current\":0"));
    assert_true(test_rv_has(edge.ret.observed, "\"queued\":0"));
    assert_int_equal(test_edge_counters(&edge, "rv1nobody"), RV_ABSENT);
}

#define SLOW_MS 150 /* where a step begins */

/* How many answers of a row's counters took so long: "latency":[[0,1,3],[150,200,1]]. */
static int slow_answers(const char *owner)
{
    const char *at;
    int from, n, used, slow = 0;

    assert_int_equal(test_edge_counters(&edge, owner), RV_DONE);
    at = strstr(edge.ret.observed.p, "\"latency\":[");
    assert_non_null(at);
    for (at += strlen("\"latency\":["); sscanf(at, "[%d,%*d,%d]%n", &from, &n, &used) == 2;
         at += used + (at[used] == ','))
        slow += from >= SLOW_MS ? n : 0;
    return slow;
}

static void test_answers_are_counted_by_their_time(void **state)
{
    struct test_edge_answer a;
    char text[256];
    int of_web, of_api; /* answers of a machine that is busy are slow by themselves */

    (void)state;
    (void)snprintf(text, sizeof(text), "{\"servers\":[\"127.0.0.1:%u\"]}",
                   test_edge_server(&edge, "timed", NULL)); /* fits */
    assert_true(test_edge_must(&edge, RV_CREATE, "backend", "n", "rv1timed", text));
    of_web = slow_answers("rv1web");
    of_api = slow_answers("rv1api");
    for (int i = 0; i < 3; i++) {
        test_edge_get(edge.http, "a.test", "/slow?ms=170", &a);
        assert_int_equal(a.status, 200);
    }
    assert_int_equal(slow_answers("rv1web"), of_web + 3);
    test_edge_get(edge.internal, "127.0.0.1", "/slow?ms=170", &a);
    assert_int_equal(slow_answers("rv1api"), of_api + 1);
    assert_int_equal(slow_answers("rv1timed"), 0);
    assert_true(test_rv_has(edge.ret.observed, "\"latency\":[]"));
    assert_true(test_edge_must(&edge, RV_DELETE, "backend", "n", "rv1timed", ""));
}

static void test_an_older_epoch_is_over(void **state)
{
    (void)state;
    edge.epoch = 5;
    assert_true(test_edge_must(&edge, RV_UPDATE, "address", "api", "rv1adr", "{\"label\":{}}"));
    edge.epoch = 4;
    assert_int_equal(
        test_edge_apply(&edge, RV_UPDATE, "address", "api", "rv1adr", "{\"label\":{}}"), RV_FATAL);
    assert_true(test_rv_has(edge.ret.message, "epoch 4 is over"));
    edge.epoch = 5;
}

static void test_opened_for_looking_it_only_looks(void **state)
{
    struct rv_result ret = { .size = sizeof(ret) };
    struct rv_op read = test_op(RV_NONE, "switch", "one", "rv1s1", "k", NULL);
    struct rv_op change = test_op(RV_CREATE, "address", "n", "rv1look", "k", "{}");
    void *self = NULL;

    (void)state;
    assert_int_equal(edge.driver->open(&edge.t.host, test_rv(edge.config), 0, &self, &ret), 0);
    edge.driver->read(self, &edge.t.host, &read, 1, &ret);
    assert_int_equal(ret.verdict, RV_DONE);
    edge.driver->apply(self, &edge.t.host, &change, &ret);
    assert_int_equal(ret.verdict, RV_USER);
    edge.driver->close(self);
    assert_int_equal(test_edge_find(&edge, "address", "rv1look"), RV_ABSENT);
}

#define MAX_TESTS (N_ELEMENTS(key_rows) + N_ELEMENTS(refusal_rows) + 16)

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_an_internal_port_leads_to_its_service),
        cmocka_unit_test(test_forwarding_headers_are_set_anew),
        cmocka_unit_test(test_odd_requests_are_refused),
        cmocka_unit_test(test_a_websocket_passes),
        cmocka_unit_test(test_a_websocket_is_all_that_is_asked_for),
        cmocka_unit_test(test_read_tells_what_the_proxy_does),
        cmocka_unit_test(test_the_same_again_is_once),
        cmocka_unit_test(test_what_is_live_is_not_deleted),
        cmocka_unit_test(test_servers_come_and_go_in_their_slots),
        cmocka_unit_test(test_the_pool_ends_with_its_number),
        cmocka_unit_test(test_counters_count),
        cmocka_unit_test(test_answers_are_counted_by_their_time),
        cmocka_unit_test(test_opened_for_looking_it_only_looks),
        cmocka_unit_test(test_an_older_epoch_is_over),
    };
    struct CMUnitTest tests[MAX_TESTS] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(key_rows); i++)
        tests[n++] = (struct CMUnitTest){ key_rows[i].sentence, test_key, NULL, NULL,
                                          (void *)(uintptr_t)&key_rows[i] };
    for (size_t i = 0; i < N_ELEMENTS(refusal_rows); i++)
        tests[n++] = (struct CMUnitTest){ refusal_rows[i].sentence, test_refused, NULL, NULL,
                                          (void *)(uintptr_t)&refusal_rows[i] };
    for (size_t i = 0; i < N_ELEMENTS(others); i++)
        tests[n++] = others[i];
    return _cmocka_run_group_tests("haproxy edge", tests, n, given_edge, given_edge_gone);
}
