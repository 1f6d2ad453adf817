/* Answers of an application that means ill, through a real HAProxy. SPDX-License-Identifier: Apache-2.0 */
#include <sys/prctl.h>
#include <sys/socket.h>

#include "tests/unit/test_driver_haproxy_ruled.h"

#define ANSWER_MAX (1u << 20)
#define ACCEPT "ICX+Yqv66kxgM0FcWaLWlFLwTAI=" /* for TINY_HTTP_WEBSOCKET_KEY */
#define WEBSOCKET                                                                                  \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: " TINY_HTTP_WEBSOCKET_KEY "\r\n"
#define SWITCHES(more) "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n" more "\r\n"
#define ANSWERS(more) "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" more "\r\nbody"
#define PASS "__Host-reeve-pass"

/* clang-format off */
static const struct row {
    const char *sentence, *asks; /* further headers of the request */
    const char *repeated;        /* stands so often .. */
    int n;
    const char *answer;          /* .. before this */
    int status;
    const char *has, *has_not;   /* of the head; NULL: anything */
} rows[] = {
    { "a plain answer", "", "", 0, ANSWERS("X-A: b\r\n"), 200, "x-a: b", NULL },
    { "a cookie of its own", "", "", 0, ANSWERS("Set-Cookie: a=b\r\n"), 200, "set-cookie: a=b", NULL },
    { "a pass", "", "", 0, ANSWERS("Set-Cookie: " PASS "=1.2; Path=/; Secure\r\n"), 200, NULL, PASS },
    { "a pass beside a cookie of its own", "", "", 0, ANSWERS("Set-Cookie: a=b\r\nSet-Cookie: " PASS "=1.2; Path=/; Secure\r\n"), 200, "set-cookie: a=b", PASS },
    { "a pass without a name", "", "", 0, ANSWERS("Set-Cookie: =" PASS "=1.2; Path=/; Secure\r\n"), 200, NULL, PASS },
    { "a pass behind spaces", "", "", 0, ANSWERS("Set-Cookie: \t " PASS " = 1.2; Path=/; Secure\r\n"), 200, NULL, PASS },
    { "an end of a pass", "", "", 0, ANSWERS("Set-Cookie: " PASS "=; Max-Age=0; Path=/; Secure\r\n"), 200, NULL, PASS },
    { "a websocket that was asked for", WEBSOCKET, "", 0, SWITCHES("Upgrade: websocket\r\nSec-WebSocket-Accept: " ACCEPT "\r\n"), 101, NULL, NULL },
    { "a websocket with a wrong word", WEBSOCKET, "", 0, SWITCHES("Upgrade: websocket\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"), 502, NULL, NULL },
    { "a websocket with a word before the right one", WEBSOCKET, "", 0, SWITCHES("Upgrade: websocket\r\nSec-WebSocket-Accept: a, " ACCEPT "\r\n"), 502, NULL, NULL },
    { "a websocket without a word", WEBSOCKET, "", 0, SWITCHES("Upgrade: websocket\r\n"), 502, NULL, NULL },
    { "somebody's 101, handed on", WEBSOCKET, "", 0, SWITCHES("Upgrade: x\r\n"), 502, NULL, NULL },
    { "a switch that nobody asked for", "", "", 0, SWITCHES("Upgrade: websocket\r\nSec-WebSocket-Accept: " ACCEPT "\r\n"), 502, NULL, NULL },
    { "a switch to what nobody asked for", "Connection: Upgrade\r\nUpgrade: h2c\r\n", "", 0, SWITCHES("Upgrade: h2c\r\n"), 502, NULL, NULL },
    { "a few words ahead", "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 3, ANSWERS(""), 103, NULL, NULL },
    { "words ahead without end", "", "HTTP/1.1 100 Continue\r\n\r\n", 30000, "", 100, NULL, NULL },
    { "two lengths", "", "", 0, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 40\r\n\r\nbody", 502, NULL, NULL },
    { "a length and chunks", "", "", 0, "HTTP/1.1 200 OK\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, NULL, "content-length" },
    { "a carriage return in a header", "", "", 0, "HTTP/1.1 200 OK\r\nX-A: b\rc\r\nContent-Length: 0\r\n\r\n", 502, NULL, NULL },
    { "a header that names others", "", "", 0, ANSWERS("Connection: X-Robots-Tag, X-Frame-Options\r\n"), 200, "x-robots-tag: noindex", NULL },
    { "headers without end", "", "X-A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n", 2000, ANSWERS(""), 502, NULL, NULL },
    { "no HTTP", "", "", 0, "hello\r\n\r\n", 502, NULL, NULL },
    { "nothing", "", "", 0, "", 502, NULL, NULL },
    { "what caches may keep", "", "", 0, ANSWERS("Cache-Control: public, max-age=60\r\n"), 200, "cache-control: public, max-age=60\r\n", NULL },
    { "what they may not", "", "", 0, ANSWERS("Cache-Control: max-age=60, No-Store\r\n"), 200, "cache-control: max-age=60, no-store\r\n", NULL },
};
/* clang-format on */

/* Reads a head, writes the answer of the row that the path names, and closes. */
static void serve_one(int fd)
{
    static char answer[ANSWER_MAX];
    char head[8192];
    size_t n = 0, len = 0, row;
    ssize_t got;

    while (n < sizeof(head) - 1 && (got = recv(fd, head + n, sizeof(head) - 1 - n, 0)) > 0) {
        head[n += (size_t)got] = 0;
        if (strstr(head, "\r\n\r\n"))
            break;
    }
    if (sscanf(head, "GET /%zu", &row) == 1 && row < N_ELEMENTS(rows)) {
        int is_headers = rows[row].n && strstr(rows[row].repeated, "X-A");

        if (is_headers)
            len += (size_t)sprintf(answer, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < rows[row].n; i++)
            len += (size_t)sprintf(answer + len, "%s", rows[row].repeated);
        len += (size_t)sprintf(answer + len, "%s", rows[row].answer);
        for (size_t at = 0; at < len; at += (size_t)got)
            if ((got = send(fd, answer + at, len - at, MSG_NOSIGNAL)) <= 0)
                break;
    }
    (void)close(fd);
}

static int given_hostile_application(void **state)
{
    uint16_t port = 0;
    int listener, fd;
    pid_t pid;

    if (given_trusting_edge(state) || (listener = tiny_http_listen(0, &port)) < 0 ||
        (pid = fork()) < 0)
        return -1;
    if (!pid) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* else it outlives a test that crashed */
        (void)fcntl(listener, F_SETFL, 0);      /* to wait in accept */
        while ((fd = accept(listener, NULL, NULL)) >= 0)
            serve_one(fd);
        _exit(0);
    }
    (void)close(listener); /* the child's */
    edge.servers[edge.n_servers++] = pid;
    if (!test_edge_backend(&edge, "rv1bad", port, backend))
        return -1;
    given_served(ROUTE("a.test", "/", "{\"noindex\":true}") "," ROUTE(
        "g.test", "/", "{\"access\":{\"type\":\"ip\",\"allow\":[\"127.0.0.0/8\"]}}"));
    return 0;
}

static void test_answer(void **state)
{
    const struct row *row = *state;
    struct test_edge_answer a;
    char path[32];

    (void)snprintf(path, sizeof(path), "/%zu", (size_t)(row - rows)); /* fits */
    when_asked("127.0.0.1", "a.test", path, row->asks, &a);
    if (a.status != row->status || (row->has && !strcasestr(a.head, row->has)) ||
        (row->has_not && strcasestr(a.head, row->has_not)))
        fail_msg("%s\n%s", a.head, a.body);
    when_asked("127.0.0.1", "a.test", "/0", "", &a); /* and it serves on */
    assert_int_equal(a.status, 200);
}

/* Of the first row and the last two, on a route that not everybody may use. */
static void test_no_cache_keeps_what_is_guarded(void **state)
{
    static const struct {
        size_t row;
        const char *has;
    } wanted[] = {
        { 0, "cache-control: private\r\n" },
        { N_ELEMENTS(rows) - 2, "cache-control: private, public, max-age=60\r\n" },
        { N_ELEMENTS(rows) - 1, "cache-control: max-age=60, no-store\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(wanted); i++) {
        struct test_edge_answer a;
        char path[32];

        (void)snprintf(path, sizeof(path), "/%zu", wanted[i].row); /* fits */
        when_asked("127.0.0.1", "g.test", path, "", &a);
        if (a.status != 200 || !strcasestr(a.head, wanted[i].has))
            fail_msg("%s", a.head);
    }
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMENTS(rows) + 1] = { [N_ELEMENTS(rows)] = cmocka_unit_test(
                                                          test_no_cache_keeps_what_is_guarded) };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        tests[i] = (struct CMUnitTest){ rows[i].sentence, test_answer, NULL, NULL,
                                        (void *)(uintptr_t)&rows[i] };
    return _cmocka_run_group_tests("haproxy answers", tests, N_ELEMENTS(tests),
                                   given_hostile_application, given_edge_gone_again);
}
