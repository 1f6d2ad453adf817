/* http/api at its doors: who is heard at which, by which names. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/http/api.h"
#include "reconciler/http/hosts.h"
#include "reconciler/http/rate.h"
#include "specs/json_io.h"
#include "tests/support/test_ports.h"

#define WAIT_MS 20000

/* A client on a thread of its own; `talk` is the test. */
struct fixture {
    struct arena arena;
    char dir[32], path[64];
    uint16_t api_port, hooks_port;
    int64_t requests_per_s; /* 0: as many as else */
    struct loop *loop;
    struct api *api;
    void (*talk)(struct fixture *f);
    int is_stopped, has_stopped; /* the latter by the test itself */
};

static void stopped(void *ctx)
{
    struct fixture *f = ctx;

    f->is_stopped = 1;
    loop_stop(f->loop);
}

static void stop(void *ctx)
{
    struct fixture *f = ctx;

    api_stop(f->api, stopped, f);
}

static void *talk_main(void *arg)
{
    struct fixture *f = arg;

    f->talk(f);
    if (!f->has_stopped)
        loop_post(f->loop, stop, f);
    return NULL;
}

/* Failures are noted by the client's thread and asserted on the main one. */
static char failure[8192];

/* What the API notes of those who were denied. */
static enum task_verdict note_step(struct task *t)
{
    return task_done(t);
}

static void note(struct engine *e, struct command_call *call, task_ended *ended, void *ctx)
{
    static const struct task_state states[] = { { "NOTE", 0, NO_ERROR_EDGE, 0 } };

    task_start(&call->task, (struct loop *)e, "note", states, 1, 0, note_step, ended, ctx);
}

/* The first look is done. */
static atomic_int has_looked = 1;

static int is_ready(struct engine *e)
{
    (void)e;
    return has_looked;
}

static int start(struct fixture *f, const char *daemon, struct err *err)
{
    struct value *v;

    assert_int_equal(json_parse(&f->arena, str_from_c(daemon), 4096, &v, err), 0);
    return api_start(&(struct api_options){ .loop = f->loop,
                                            .socket_path = f->path,
                                            .state_path = f->path,
                                            .daemon = v,
                                            .engine = (struct engine *)f->loop,
                                            .command = note,
                                            .is_ready = is_ready,
                                            .requests_per_s = f->requests_per_s },
                     &f->api, err);
}

static void given_loop(struct fixture *f)
{
    struct err err = ERR_INIT;

    arena_init(&f->arena, 0);
    f->api_port = test_ports(2);
    f->hooks_port = (uint16_t)(f->api_port + 1);
    assert_true(f->api_port);
    strcpy(f->dir, "/tmp/rv-doors-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
    assert_int_equal(loop_uv_new(&(struct loop_options){ 0 }, &f->loop, &err), 0);
}

static void end(struct fixture *f)
{
    struct err err = ERR_INIT;

    loop_free(f->loop);
    (void)sys_remove_all(f->dir, &err);
    arena_fini(&f->arena);
}

static void run_at(int64_t requests_per_s, void (*talk)(struct fixture *f), const char *hosts)
{
    struct fixture f = { .talk = talk, .requests_per_s = requests_per_s };
    struct err err = ERR_INIT;
    pthread_t thread;
    char daemon[512], text[sizeof(failure)];

    given_loop(&f);
    (void)snprintf(daemon, sizeof(daemon),
                   "{\"listen\":\"127.0.0.1:%u\",\"listen_hooks\":\"localhost:%u\"%s}", f.api_port,
                   f.hooks_port, hosts);
    if (start(&f, daemon, &err))
        fail_msg("%s", err.text);
    assert_int_equal(pthread_create(&thread, NULL, talk_main, &f), 0);
    loop_run(f.loop);
    (void)pthread_join(thread, NULL);
    assert_true(f.is_stopped);
    end(&f);
    strcpy(text, failure);
    failure[0] = 0;
    if (text[0])
        fail_msg("%s", text);
}

static void run(void (*talk)(struct fixture *f), const char *hosts)
{
    run_at(0, talk, hosts);
}

static int dial(uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return connect(fd, (struct sockaddr *)&to, sizeof(to)) ? -1 : fd;
}

/* Ask, and hear until the other side has closed. */
static void ask(uint16_t port, const char *sentence, const char *request, const char *part)
{
    AUTO_CLOSE int fd = dial(port);
    char buf[4096] = "";
    size_t n = 0;

    (void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
    while (n + 1 < sizeof(buf) && !strstr(buf, part)) {
        struct pollfd p = { fd, POLLIN, 0 };
        ssize_t got = poll(&p, 1, WAIT_MS) == 1 ? recv(fd, buf + n, sizeof(buf) - 1 - n, 0) : 0;

        if (got <= 0)
            break;
        n += (size_t)got;
        buf[n] = 0;
    }
    if (!strstr(buf, part) && !failure[0])
        (void)snprintf(failure, sizeof(failure), "%s: wanted '%s' in '%.6000s'", sentence, part,
                       buf);
}

/* --- what is heard ------------------------------------------------------------------------------- */

#define VISIT(path, headers)                                                                       \
    "GET " path                                                                                    \
    " HTTP/1.1\r\nHost: localhost\r\nAccept: text/html,*/*\r\nConnection: close\r\n" headers       \
    "\r\n"
#define GET(path, host) "GET " path " HTTP/1.1\r\nHost: " host "\r\nConnection: close\r\n\r\n"
#define SEND(path, headers)                                                                        \
    "POST " path                                                                                   \
    " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n" headers "\r\n"
#define TEN(x)                                                                                     \
    x "0: a\r\n" x "1: a\r\n" x "2: a\r\n" x "3: a\r\n" x "4: a\r\n" x "5: a\r\n" x "6: a\r\n" x   \
      "7: a\r\n" x "8: a\r\n" x "9: a\r\n"

static void talk_doors(struct fixture *f)
{
    static const struct {
        const char *sentence;
        enum http_door door;
        const char *request, *part;
    } rows[] = {
        { "it lives", HTTP_DOOR_API, GET("/healthz", "localhost"), "\r\n\r\nok\n" },
        { "it is ready", HTTP_DOOR_API, GET("/readyz", "127.0.0.1:80"), "\r\n\r\nready\n" },
        { "so are the hooks", HTTP_DOOR_HOOKS, GET("/healthz", "localhost"), "\r\n\r\nok\n" },
        { "its head alone is there", HTTP_DOOR_API,
          "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", " 200 " },
        { "with the length of the rest", HTTP_DOOR_HOOKS,
          "HEAD /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
          "Content-Length: 6\r\n" },
        { "so is that of a file", HTTP_DOOR_API,
          "HEAD /app/app.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", " 200 " },
        { "nothing is sent there", HTTP_DOOR_API, SEND("/healthz", ""), " 405 " },
        { "which says what may be", HTTP_DOOR_API, SEND("/healthz", ""),
          "\r\nAllow: GET, HEAD\r\n" },
        { "hooks are sent", HTTP_DOOR_HOOKS, GET("/hooks/github/x", "localhost"), " 404 " },
        { "nobody learns what there is", HTTP_DOOR_API,
          "DELETE /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", " 401 " },
        { "nor by asking what may be asked", HTTP_DOOR_API,
          "OPTIONS /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", " 401 " },
        { "nobody is nobody", HTTP_DOOR_API, GET("/api/v1/status", "localhost"),
          "\"code\":\"UNKNOWN_ACTOR\"" },
        { "which is 401", HTTP_DOOR_API, GET("/api/v1/status", "localhost"), " 401 " },
        { "and says what is asked for", HTTP_DOOR_API, GET("/api/v1/status", "localhost"),
          "WWW-Authenticate: Bearer" },
        { "nobody changes anything", HTTP_DOOR_API, SEND("/api/v1/environments/staging/undo", ""),
          " 401 " },
        { "the API is not behind the hooks", HTTP_DOOR_HOOKS, GET("/api/v1/status", "localhost"),
          " 404 " },
        { "another name is not ours", HTTP_DOOR_API, GET("/healthz", "evil.example"), " 403 " },
        { "nor is one that begins so", HTTP_DOOR_API, GET("/healthz", "localhost.evil.example"),
          " 403 " },
        { "nor is it at the hooks", HTTP_DOOR_HOOKS, GET("/healthz", "evil.example"), " 403 " },
        { "a page of another may not send", HTTP_DOOR_API,
          SEND("/api/v1/environments/staging/undo", "Origin: https://evil.example\r\n"), " 403 " },
        { "nor one without a name", HTTP_DOOR_API,
          SEND("/api/v1/environments/staging/undo", "Origin: null\r\n"), " 403 " },
        { "our own page is heard", HTTP_DOOR_API,
          SEND("/api/v1/environments/staging/undo", "Origin: http://localhost\r\n"), " 401 " },
        { "answers run no script of others", HTTP_DOOR_API, GET("/healthz", "localhost"),
          "Content-Security-Policy: default-src 'none'; script-src 'self';" },
        { "the page is for everybody", HTTP_DOOR_API, GET("/", "localhost"),
          "\r\n\r\n<!doctype html>" },
        { "at each address of a view", HTTP_DOOR_API, GET("/plans/5c1e?x=%20y", "localhost"),
          "Content-Type: text/html; charset=utf-8" },
        { "it is asked for again", HTTP_DOOR_API, GET("/", "localhost"),
          "Cache-Control: no-cache" },
        { "compressed where that is taken", HTTP_DOOR_API,
          "GET /app/app.js HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nConnection: "
          "close\r\n\r\n",
          "Content-Encoding: gzip" },
        { "and not sent twice", HTTP_DOOR_API,
          "GET / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: *\r\nConnection: close\r\n\r\n",
          " 304 " },
        { "who comes back from nowhere is told in words", HTTP_DOOR_API,
          VISIT("/api/v1/oidc/callback?state=1", ""), "<h1>Not signed in</h1>" },
        { "in a sentence, which says nothing of this machine", HTTP_DOOR_API,
          VISIT("/api/v1/oidc/callback?state=1", ""),
          "role=\"alert\">Input or output failed: the log says why, under request " },
        { "a program is told as ever", HTTP_DOOR_API,
          GET("/api/v1/oidc/callback?state=1", "localhost"), "application/problem+json" },
        { "and no more", HTTP_DOOR_API, GET("/api/v1/oidc/callback?state=1", "localhost"),
          "\"detail\":\"input or output failed: the log says why, under request " },
        { "nor is who shows something that cannot be looked up", HTTP_DOOR_API,
          SEND("/api/v1/environments/staging/undo", "Authorization: Bearer x\r\n"),
          "\"detail\":\"input or output failed: the log says why, under request " },
        { "what is no file is not there", HTTP_DOOR_API, GET("/app/nothing.js", "localhost"),
          " 404 " },
        { "it is not behind the hooks", HTTP_DOOR_HOOKS, GET("/", "localhost"), " 404 " },
        { "who goes where nothing is gets the page", HTTP_DOOR_API, VISIT("/nowhere", ""),
          "\r\n\r\n<!doctype html>" },
        { "which is 404", HTTP_DOOR_API, VISIT("/nowhere", ""), " 404 " },
        { "below a view, too", HTTP_DOOR_API, VISIT("/plans/5c1e/x", ""),
          "\r\n\r\n<!doctype html>" },
        { "and for a file that is not there", HTTP_DOOR_API, VISIT("/app/nothing.js", ""),
          "\r\n\r\n<!doctype html>" },
        { "its head alone is there, too", HTTP_DOOR_API,
          "HEAD /nowhere HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nConnection: "
          "close\r\n\r\n",
          " 404 Not Found\r\n" },
        { "with the type of the rest", HTTP_DOOR_API,
          "HEAD /nowhere HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nConnection: "
          "close\r\n\r\n",
          "Content-Type: text/html; charset=utf-8" },
        { "it is compressed as elsewhere", HTTP_DOOR_API,
          VISIT("/nowhere", "Accept-Encoding: gzip\r\n"), "Content-Encoding: gzip" },
        { "runs no script of others", HTTP_DOOR_API, VISIT("/nowhere", ""),
          "Content-Security-Policy: default-src 'none'; script-src 'self';" },
        { "has a tag", HTTP_DOOR_API, VISIT("/nowhere", ""), "ETag: \"" },
        { "is nothing that was changed or not", HTTP_DOOR_API,
          VISIT("/nowhere", "If-None-Match: *\r\n"), " 404 " },
        { "is for who asks for HTML", HTTP_DOOR_API, VISIT("/nowhere", ""),
          "Vary: Accept, Accept-Encoding" },
        { "not for a program", HTTP_DOOR_API, GET("/nowhere", "localhost"), " 401 " },
        { "nor for who wants none", HTTP_DOOR_API,
          "GET /nowhere HTTP/1.1\r\nHost: localhost\r\nAccept: */*, text/html;q=0\r\nConnection: "
          "close\r\n\r\n",
          "application/problem+json" },
        { "nor for what is sent there", HTTP_DOOR_API, SEND("/nowhere", "Accept: text/html\r\n"),
          " 401 " },
        { "nor below the API", HTTP_DOOR_API, VISIT("/api/v1/nowhere", ""), " 401 " },
        { "or above it", HTTP_DOOR_API, VISIT("/api", ""), "application/problem+json" },
        { "nor behind the hooks", HTTP_DOOR_HOOKS, VISIT("/nowhere", ""),
          "application/problem+json" },
        { "nor are they guessed at", HTTP_DOOR_API, GET("/nope", "localhost"),
          "X-Content-Type-Options: nosniff" },
        { "nor said to others", HTTP_DOOR_HOOKS, GET("/nope", "localhost"),
          "Referrer-Policy: no-referrer" },
        { "a name of a header is a word", HTTP_DOOR_API,
          "POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length : 3\r\n\r\nabc", " 400 " },
        { "so is one nobody knows", HTTP_DOOR_API,
          "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX(Y): a\r\n\r\n", " 400 " },
        { "headers are text", HTTP_DOOR_API,
          "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: \xff\r\n\r\n", " 400 " },
        { "so is a path", HTTP_DOOR_API, GET("/a%ff", "localhost"), " 400 " },
        { "so is a query", HTTP_DOOR_API, GET("/healthz?a=%c3", "localhost"), " 400 " },
        { "many headers", HTTP_DOOR_API,
          "GET /healthz HTTP/1.1\r\nHost: localhost\r\n" TEN("a") TEN("b") TEN("c") "\r\n",
          " 200 " },
        { "too many headers", HTTP_DOOR_API,
          "GET /healthz HTTP/1.1\r\nHost: localhost\r\n" TEN("a") TEN("b") TEN("c") TEN("d")
              TEN("e") TEN("f") TEN("g") "\r\n",
          " 431 " },
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        ask(rows[i].door == HTTP_DOOR_API ? f->api_port : f->hooks_port, rows[i].sentence,
            rows[i].request, rows[i].part);
}

static void test_each_door_hears_what_is_its(void **state)
{
    (void)state;
    run(talk_doors, "");
}

/* Who balances load sends nobody before the first look is done; that it lives is another question. */
static void talk_first_look(struct fixture *f)
{
    has_looked = 0;
    ask(f->api_port, "not yet", GET("/readyz", "localhost"), "\r\n\r\nstarting\n");
    ask(f->api_port, "not yet, by its status", GET("/readyz", "localhost"), " 503 ");
    ask(f->api_port, "it lives", GET("/healthz", "localhost"), "\r\n\r\nok\n");
    has_looked = 1;
    ask(f->api_port, "now", GET("/readyz", "localhost"), "\r\n\r\nready\n");
}

static void test_it_is_ready_after_its_first_look(void **state)
{
    (void)state;
    run(talk_first_look, "");
}

/* While somebody who is slow is waited for. */
static void talk_stop(struct fixture *f)
{
    AUTO_CLOSE int slow = dial(f->api_port);
    struct pollfd p = { slow, POLLIN, 0 };
    int64_t end_ms = sys_mono_ms() + WAIT_MS;
    int fd;

    (void)!send(slow, "GET ", 4, MSG_NOSIGNAL);
    ask(f->api_port, "it is heard beside it", GET("/healthz", "localhost"), " 200 ");
    f->has_stopped = 1;
    loop_post(f->loop, stop, f);
    while ((fd = dial(f->api_port)) >= 0 && sys_mono_ms() < end_ms)
        (void)close(fd);
    if (poll(&p, 1, 0) != 0)
        (void)snprintf(failure, sizeof(failure), "nobody is refused before the slow one is gone");
}

static void test_who_comes_while_it_stops_is_refused_at_once(void **state)
{
    (void)state;
    run(talk_stop, "");
}

/* So few that no machine is too slow to ask more. */
static void talk_throttled(struct fixture *f)
{
    for (int i = 0; i < 8 * RATE_BURST_S; i++)
        ask(f->api_port, "nobody, often", GET("/api/v1/status", "localhost"), " 4"); /* 401, 429 */
    ask(f->api_port, "nobody, too often", GET("/api/v1/status", "localhost"), "Retry-After: 1");
    ask(f->api_port, "whoever balances load is answered", GET("/healthz", "localhost"), " 200 ");
}

static void test_an_address_may_ask_so_often(void **state)
{
    (void)state;
    run_at(1, talk_throttled, "");
}

/* How many of `n` are not told to wait. */
static int count_heard(uint16_t port, const char *request, int n)
{
    int n_heard = 0;

    for (int i = 0; i < n; i++) {
        AUTO_CLOSE int fd = dial(port);
        char status[13] = "";

        (void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
        if (recv(fd, status, sizeof(status) - 1, MSG_WAITALL) == sizeof(status) - 1)
            n_heard += strcmp(status, "HTTP/1.1 429") != 0;
    }
    return n_heard;
}

/* However slow the machine is: at least what comes at once, at most that and what came in the time it took. */
static void talk_default(struct fixture *f)
{
    static const struct {
        const char *sentence, *request;
        int burst, per_s;
    } rows[] = {
        { "a credential",
          "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n"
          "Connection: close\r\n\r\n",
          200, 50 },
        { "an address", GET("/api/v1/status", "localhost"), 400, 100 },
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        int64_t began_ms = sys_mono_ms();
        int n = count_heard(f->api_port, rows[i].request, 2 * rows[i].burst);
        int64_t most = rows[i].burst + (sys_mono_ms() - began_ms) * rows[i].per_s / 1000 + 1;

        if ((i == 0 && n < rows[i].burst) || n > most)
            (void)snprintf(failure, sizeof(failure), "%s: %d were heard, at most %lld may be",
                           rows[i].sentence, n, (long long)most);
    }
}

static void test_what_is_heard_of_one_by_default(void **state)
{
    (void)state;
    run(talk_default, "");
}

static void talk_names(struct fixture *f)
{
    ask(f->api_port, "the name is ours", GET("/healthz", "Reeve.example:443"), " 200 ");
    ask(f->api_port, "then this machine's is not", GET("/healthz", "localhost"), " 403 ");
}

static void test_hosts_are_those_that_are_named(void **state)
{
    (void)state;
    run(talk_names, ",\"http\":{\"hosts\":[\"reeve.example\"]}");
}

static void test_an_origin_is_the_host_that_was_asked(void **state)
{
    static const struct {
        const char *sentence, *method, *host, *origin;
        int is_tls, is_refused;
    } rows[] = {
        { "none", "POST", "localhost", NULL, 0, 0 },
        { "the same", "POST", "localhost:7420", "http://localhost:7420", 0, 0 },
        { "another port", "POST", "localhost:7420", "http://localhost:7421", 0, 1 },
        { "sealed before us", "POST", "localhost", "https://localhost", 0, 0 },
        { "sealed here", "POST", "localhost", "https://localhost", 1, 0 },
        { "in clear where we seal", "POST", "localhost", "http://localhost", 1, 1 },
        { "a name that ends so", "DELETE", "localhost", "http://evil.localhost", 0, 1 },
        { "to read is no change", "GET", "localhost", "http://evil.example", 0, 0 },
        { "IPv6", "POST", "[::1]:7420", "http://[::1]:7420", 0, 0 },
        { "no name", "POST", "", NULL, 0, 1 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct hosts_request in = { str_from_c(rows[i].method), str_from_c(rows[i].host),
                                          str_from_c(rows[i].origin), rows[i].is_tls };
        struct err err = ERR_INIT;

        if ((hosts_check(NULL, &in, &err) == ERR_REFUSED) != rows[i].is_refused)
            fail_msg("%s: %s", rows[i].sentence, err.text);
    }
}

/* --- what is not begun --------------------------------------------------------------------------- */

static void test_a_door_that_cannot_be_opened_is_said(void **state)
{
    struct fixture f = { 0 };
    struct err err = ERR_INIT;
    char daemon[256];

    (void)state;
    given_loop(&f);
    (void)snprintf(daemon, sizeof(daemon), "{\"listen\":\"0.0.0.0:%u\"}", f.api_port);
    assert_int_equal(start(&f, daemon, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "needs tls"));
    (void)snprintf(daemon, sizeof(daemon),
                   "{\"listen\":\"127.0.0.1:%u\",\"listen_hooks\":\"127.0.0.1:%u\"}", f.api_port,
                   f.api_port);
    err = (struct err)ERR_INIT;
    assert_int_equal(start(&f, daemon, &err), ERR_LOCKED);
    assert_non_null(strstr(err.text, "in use"));
    assert_int_equal(dial(f.api_port), -1); /* what was open is closed again */
    assert_false(sys_exists(f.path));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_door_hears_what_is_its),
        cmocka_unit_test(test_it_is_ready_after_its_first_look),
        cmocka_unit_test(test_who_comes_while_it_stops_is_refused_at_once),
        cmocka_unit_test(test_an_address_may_ask_so_often),
        cmocka_unit_test(test_what_is_heard_of_one_by_default),
        cmocka_unit_test(test_hosts_are_those_that_are_named),
        cmocka_unit_test(test_an_origin_is_the_host_that_was_asked),
        cmocka_unit_test(test_a_door_that_cannot_be_opened_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
