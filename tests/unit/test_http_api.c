/* http/api: what a daemon that serves answers, and to how many at once. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/http/api.h"
#include "reconciler/http/listen.h"
#include "specs/json_io.h"
#include "state/tx.h"

#define WAIT_MS 30000

/* --- over the socket ----------------------------------------------------------------------------- */

struct fixture {
    struct arena arena;
    char dir[32], path[64], db_path[64];
    struct db *db;
    struct loop *loop;
    struct api *api;
    void (*talk)(struct fixture *f);
    int is_stopped, has_stopped; /* has_stopped: by the client itself */
    struct digest plan;
};

static const struct task_state fake_states[] = { { "FAKE", 0, NO_ERROR_EDGE, 0 } };

static enum task_verdict fake_step(struct task *t)
{
    struct command_call *call = container_of(t, struct command_call, task);
    struct err err = ERR_INIT;

    if (str_eq_c(call->in.env, "held")) {
        (void)err_set(&err, ERR_REFUSED, "environment 'held' is held");
        return task_fail(t, &err);
    }
    call->result = value_map(&call->arena);
    value_set_text(&call->arena, call->result, S("state"), S("begun"));
    value_set_text(&call->arena, call->result, S("reason"), call->in.reason);
    value_set_int(&call->arena, call->result, S("verb"), call->in.verb);
    return task_done(t);
}

static void fake_command(struct engine *e, struct command_call *call, task_ended *ended, void *ctx)
{
    task_start(&call->task, (struct loop *)e, "fake", fake_states, 1, 0, fake_step, ended, ctx);
}

static struct value *fake_live(struct engine *e, struct arena *a, struct str env)
{
    struct value *v = value_map(a);

    static _Atomic int64_t n_asked;

    (void)e;
    value_set_text(a, v, S("breaker"), S("open"));
    value_set_text(a, v, S("only"), env);
    value_set_int(a, v, S("fetched_ms_ago"), n_asked++); /* never twice the same */
    return v;
}

static void given_event(struct fixture *f, const char *kind, int with_plan)
{
    const struct tx_head head = { .time_ms = sys_wall_ms(),
                                  .epoch = 1,
                                  .actor = S("reeve"),
                                  .cause = S("plan:5c5c5c5c5c5c"),
                                  .kind = str_from_c(kind),
                                  .subject = S("service/api"),
                                  .env = S("e1") };
    struct rec_plan plan = { .id = f->plan,
                             .env = S("e1"),
                             .target = { { 1 } },
                             .cause = S("commit"),
                             .state = S("applying"),
                             .reason = S(""),
                             .actor = S(""),
                             .made_seq = 1,
                             .started_seq = 1,
                             .ended_seq = REC_NONE,
                             .expires_ms = REC_NONE };
    struct err err = ERR_INIT;
    struct tx *tx;

    assert_int_equal(db_batch_begin(f->db, &err), 0);
    assert_int_equal(tx_begin(f->db, &head, &tx, &err), 0);
    if (with_plan)
        assert_int_equal(tx_put(tx, REC_plan, &plan, &err), 0);
    assert_int_equal(tx_commit(tx, &err), 0);
    assert_int_equal(db_batch_commit(f->db, &err), 0);
}

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

static char failure[8192];

/* Ask, and wait until `part` was heard. */
static void ask(struct fixture *f, const char *sentence, const char *request, const char *part)
{
    AUTO_CLOSE int fd = -1;
    struct err err = ERR_INIT;
    char buf[8192] = "";
    size_t n = 0;

    if (listen_connect(f->path, &fd, &err))
        return;
    (void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
    while (n + 1 < sizeof(buf) && !strstr(buf, part)) {
        struct pollfd p = { fd, POLLIN, 0 };
        ssize_t got = poll(&p, 1, WAIT_MS) == 1 ? recv(fd, buf + n, sizeof(buf) - 1 - n, 0) : 0;

        if (got <= 0)
            break;
        n += (size_t)got;
        buf[n] = 0;
        if (strstr(buf, "}") && strlen(buf) < sizeof(buf) && !strstr(buf, part) &&
            buf[n - 1] == '}')
            break;
    }
    if (!strstr(buf, part) && !failure[0])
        (void)snprintf(failure, sizeof(failure), "%s: wanted '%s' in '%.6000s'", sentence, part,
                       buf);
}

static void run(void (*talk)(struct fixture *f))
{
    struct fixture f = { .talk = talk };
    struct err err = ERR_INIT;
    pthread_t thread;
    struct value *daemon;
    struct rec_environment env = { .uid = S("e1"),
                                   .name = S("staging"),
                                   .source = S("s"),
                                   .branch = S("b"),
                                   .commit_id = STR_NONE,
                                   .tree_id = STR_NONE,
                                   .sync = S("in_sync"),
                                   .health = S("healthy"),
                                   .reason = S(""),
                                   .deleted_ms = REC_NONE };
    const struct tx_head head = { .time_ms = 1000,
                                  .epoch = 1,
                                  .actor = S("reeve"),
                                  .cause = S(""),
                                  .kind = S("x"),
                                  .subject = S("y"),
                                  .env = S("e1") };
    struct tx *tx;

    arena_init(&f.arena, 0);
    memset(f.plan.b, 0x5c, sizeof(f.plan.b));
    strcpy(f.dir, "/tmp/rv-api-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    (void)snprintf(f.path, sizeof(f.path), "%s/sock", f.dir);
    (void)snprintf(f.db_path, sizeof(f.db_path), "%s/reeve.db", f.dir);
    assert_int_equal(db_open(f.db_path, DB_WRITE, &f.db, &err), 0);
    assert_int_equal(db_batch_begin(f.db, &err), 0);
    assert_int_equal(tx_begin(f.db, &head, &tx, &err), 0);
    assert_int_equal(tx_put(tx, REC_environment, &env, &err), 0);
    assert_int_equal(tx_commit(tx, &err), 0);
    assert_int_equal(db_batch_commit(f.db, &err), 0);
    given_event(&f, "plan.started", 1);
    assert_int_equal(json_parse(&f.arena, S("{}"), 100, &daemon, &err), 0);
    assert_int_equal(loop_uv_new(&(struct loop_options){ 0 }, &f.loop, &err), 0);
    assert_int_equal(api_start(&(struct api_options){ .loop = f.loop,
                                                      .socket_path = f.path,
                                                      .state_path = f.db_path,
                                                      .daemon = daemon,
                                                      .engine = (struct engine *)f.loop,
                                                      .command = fake_command,
                                                      .live = fake_live },
                               &f.api, &err),
                     0);
    assert_int_equal(pthread_create(&thread, NULL, talk_main, &f), 0);
    loop_run(f.loop);
    (void)pthread_join(thread, NULL);
    assert_true(f.is_stopped);
    loop_free(f.loop);
    db_close(f.db);
    (void)sys_remove_all(f.dir, &err);
    arena_fini(&f.arena);
    if (failure[0]) {
        char text[sizeof(failure)];

        strcpy(text, failure);
        failure[0] = 0;
        fail_msg("%s", text);
    }
}

#define GET(path) "GET /api/v1" path " HTTP/1.1\r\nHost: l\r\n\r\n"
#define SEND(path, n, body)                                                                        \
    "POST /api/v1" path " HTTP/1.1\r\nHost: l\r\nContent-Length: " n "\r\n\r\n" body

static void talk_routes(struct fixture *f)
{
    static const struct {
        const char *sentence, *request, *part;
    } rows[] = {
        { "status lists environments", GET("/status"), "\"name\":\"staging\"" },
        { "status carries what is live", GET("/status"), "\"live\":{\"breaker\":\"open\"," },
        { "an environment what is live of it", GET("/environments/staging"),
          "\"only\":\"staging\"" },
        { "an environment is found", GET("/environments/staging"), "\"sync\":\"in_sync\"" },
        { "another is not", GET("/environments/nope"), "\"code\":\"NOT_FOUND\"" },
        { "a plan that is not there", GET("/plans/aaaaaa"), " 404 " },
        { "a bad query is said", GET("/history?limit=x"), "\"'limit' is not a number\"" },
        { "a query that nobody knows is refused", GET("/history?limt=3"),
          "it is not asked with 'limt'" },
        { "so is one of another route", GET("/status?limit=3"), " 400 " },
        { "history answers", GET("/history?newest=1&limit=1"), "\"kind\":\"plan.started\"" },
        { "progress that is news comes at once",
          GET("/plans/5c5c5c/progress?after=0&wait_ms=30000"), "plan.started" },
        { "no route", GET("/nope"), " 404 " },
        { "not by this method", "DELETE /api/v1/status HTTP/1.1\r\nHost: l\r\n\r\n", " 405 " },
        { "by which then", "PUT /api/v1/status HTTP/1.1\r\nHost: l\r\n\r\n",
          "\r\nAllow: GET, HEAD\r\n" },
        { "what is asked in two ways", "PATCH /api/v1/tokens HTTP/1.1\r\nHost: l\r\n\r\n",
          "\r\nAllow: GET, HEAD, POST\r\n" },
        { "what changes something", GET("/environments/staging/undo"), "\r\nAllow: POST\r\n" },
        { "a stream has no head alone", "HEAD /api/v1/events HTTP/1.1\r\nHost: l\r\n\r\n",
          "\r\nAllow: GET\r\n" },
        { "no other site asks here",
          "OPTIONS /api/v1/status HTTP/1.1\r\nHost: l\r\nOrigin: https://evil.test\r\n"
          "Access-Control-Request-Method: GET\r\n\r\n",
          "\r\nAllow: GET, HEAD\r\n" },
        { "a command is begun", SEND("/environments/staging/undo", "16", "{\"reason\":\"bad\"}"),
          "{\"reason\":\"bad\",\"state\":\"begun\",\"verb\":4}" },
        { "a command is refused by the engine", SEND("/environments/held/undo", "0", ""),
          "is held" },
        { "a body that is not JSON", SEND("/environments/staging/undo", "3", "abc"), " 422 " },
        { "doctor answers", GET("/doctor"), "\"findings\":[]" },
        { "the audit answers", GET("/audit/verify"), "\"events\":" },
        { "explain answers", GET("/environments/staging/explain"), "\"because\":[" },
        { "logs answer", GET("/environments/staging/logs"), "\"instances\":[]" },
        { "the state at a time answers", GET("/environments/staging/history?at_ms=1500"),
          "\"resources\":[]" },
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        ask(f, rows[i].sentence, rows[i].request, rows[i].part);
}

static void test_routes_answer(void **state)
{
    (void)state;
    run(talk_routes);
}

/* When it was said, and how long ago something was, is another number each time. */
static void talk_tag(struct fixture *f)
{
    char request[256], text[8192] = "", tag[64] = "";
    struct err err = ERR_INIT;
    AUTO_CLOSE int fd = -1;
    size_t n = 0;

    (void)listen_connect(f->path, &fd, &err);
    (void)!send(fd, GET("/status"), strlen(GET("/status")), MSG_NOSIGNAL);
    while (n + 1 < sizeof(text) && !strstr(text, "\r\n\r\n")) {
        ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);

        if (got <= 0)
            break;
        n += (size_t)got;
        text[n] = 0;
    }
    if (strstr(text, "ETag: "))
        (void)sscanf(strstr(text, "ETag: "), "ETag: %63[^\r]", tag);
    (void)snprintf(request, sizeof(request),
                   "GET /api/v1/status HTTP/1.1\r\nHost: l\r\nIf-None-Match: %s\r\n\r\n", tag);
    ask(f, "what is the same but for time", request, " 304 ");
}

static void test_what_is_the_same_but_for_time_is_not_said_again(void **state)
{
    (void)state;
    run(talk_tag);
}

#define GET_WITH(path, headers) "GET /api/v1" path " HTTP/1.1\r\nHost: l\r\n" headers "\r\n\r\n"

/* What is long is sent in fewer bytes, to who takes it so and may. */
static void talk_packed(struct fixture *f)
{
    static const struct {
        const char *sentence, *request, *part;
    } rows[] = {
        { "packed for who takes it", GET_WITH("/openapi.json", "Accept-Encoding: gzip"),
          "\r\nContent-Encoding: gzip\r\n" },
        { "with a tag of its own", GET_WITH("/openapi.json", "Accept-Encoding: gzip"),
          "-gzip\"\r\n" },
        { "which says what it depends on", GET_WITH("/openapi.json", "Accept-Encoding: gzip"),
          "\r\nVary: Authorization, Cookie, Accept-Encoding, Sec-Fetch-Site\r\n" },
        { "as it is for who does not", GET("/openapi.json"), "\r\n\r\n{\"components\"" },
        { "as it is for a page of others",
          GET_WITH("/openapi.json", "Accept-Encoding: gzip\r\nSec-Fetch-Site: same-site"),
          "\r\n\r\n{\"components\"" },
        { "packed for a page of ours",
          GET_WITH("/openapi.json", "Accept-Encoding: gzip\r\nSec-Fetch-Site: same-origin"),
          "\r\nContent-Encoding: gzip\r\n" },
        { "what is short goes as it is",
          GET_WITH("/history?limit=1&bodies=0", "Accept-Encoding: gzip"), "\r\n\r\n{\"events\"" },
        { "so does what holds the session's token", GET_WITH("/me", "Accept-Encoding: gzip"),
          "\r\nVary: Authorization, Cookie\r\n" },
        { "what is known is not packed to be thrown away",
          GET_WITH("/openapi.json", "Accept-Encoding: gzip\r\nIf-None-Match: *"), " 304 " },
        { "an error is an error", GET_WITH("/plans/aaaaaa", "Accept-Encoding: gzip"),
          "\"code\":\"NOT_FOUND\"" },
        { "what the engine knows is in it",
          GET_WITH("/environments/staging", "Accept-Encoding: gzip"), "\"only\":\"staging\"" },
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        ask(f, rows[i].sentence, rows[i].request, rows[i].part);
}

static void test_what_is_long_is_packed(void **state)
{
    (void)state;
    run(talk_packed);
}

/* All that stands before the body, and nothing behind it: up to the answer to the next request. */
static size_t hear_heads(struct fixture *f, const char *method, char *ret, size_t size)
{
    AUTO_CLOSE int fd = -1;
    struct err err = ERR_INIT;
    char request[256];
    size_t n = 0;

    (void)snprintf(request, sizeof(request),
                   "%s /api/v1/environments HTTP/1.1\r\nHost: l\r\n\r\n"
                   "GET /api/v1/nope HTTP/1.1\r\nHost: l\r\nConnection: close\r\n\r\n",
                   method);
    (void)listen_connect(f->path, &fd, &err);
    (void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
    while (n + 1 < size) {
        ssize_t got = recv(fd, ret + n, size - 1 - n, 0);

        if (got <= 0)
            break;
        n += (size_t)got;
    }
    ret[n] = 0;
    return n;
}

static void talk_head(struct fixture *f)
{
    char get[8192], head[8192];
    const char *body, *second;

    (void)hear_heads(f, "GET", get, sizeof(get));
    (void)hear_heads(f, "HEAD", head, sizeof(head));
    body = strstr(get, "\r\n\r\n");
    second = strstr(head, "\r\n\r\nHTTP/1.1 404 ");
    if (!body || !second || body - get != second - head || !strstr(head, "ETag: ") ||
        !strstr(get, "\r\n\r\n{"))
        (void)snprintf(failure, sizeof(failure), "HEAD: '%.3000s' GET: '%.3000s'", head, get);
}

static void test_head_is_get_without_its_body(void **state)
{
    (void)state;
    run(talk_head);
}

static void *poll_main(void *arg)
{
    ask(arg, "a waiting GET gets the event", GET("/plans/5c5c5c/progress?after=3&wait_ms=30000"),
        "later.event");
    return NULL;
}

/* The reader asks for what is not there yet; then it is written. Whatever comes first, it must be heard. */
static void talk_progress(struct fixture *f)
{
    pthread_t thread;

    (void)pthread_create(&thread, NULL, poll_main, f);
    given_event(f, "later.event", 0);
    (void)pthread_join(thread, NULL);
}

static void test_progress_waits_for_news(void **state)
{
    (void)state;
    run(talk_progress);
}

static void *wait_main(void *arg)
{
    ask(arg, "a waiting GET is answered when we stop",
        GET("/plans/5c5c5c/progress?after=99&wait_ms=30000"), " 200 ");
    return NULL;
}

static void talk_stop(struct fixture *f)
{
    pthread_t thread;
    AUTO_CLOSE int fd = -1;
    struct err err = ERR_INIT;
    struct pollfd p;

    /* a second request on the loop proves nothing of the first: wait until it holds its connection */
    (void)pthread_create(&thread, NULL, wait_main, f);
    (void)listen_connect(f->path, &fd, &err);
    p = (struct pollfd){ fd, POLLIN, 0 };
    (void)!send(fd, GET("/plans/5c5c5c/progress?after=99&wait_ms=200"),
                strlen(GET("/plans/5c5c5c/progress?after=99&wait_ms=200")), MSG_NOSIGNAL);
    (void)poll(&p, 1, WAIT_MS); /* ours was held for 200 ms, so the other one is held too */
    loop_post(f->loop, stop, f);
    (void)pthread_join(thread, NULL);
    f->has_stopped = 1;
}

static void test_stopping_ends_what_waits(void **state)
{
    (void)state;
    run(talk_stop);
}

/* --- shares -------------------------------------------------------------------------------------- */

#define CLIENTS 40

struct held {
    sem_t is_held, may_go;
};

static void hold_loop(void *ctx)
{
    struct held *h = ctx;

    (void)sem_post(&h->is_held);
    while (sem_wait(&h->may_go))
        ;
}

/* One whole answer; its status, 0 when none came. */
static int read_status_of(int fd)
{
    char buf[65536] = "";
    size_t n = 0, wanted = sizeof(buf) - 1;

    while (n < wanted) {
        ssize_t got = recv(fd, buf + n, wanted - n, 0);
        const char *length, *body;

        if (got <= 0)
            return 0;
        n += (size_t)got;
        buf[n] = 0;
        length = strstr(buf, "Content-Length: ");
        body = strstr(buf, "\r\n\r\n");
        if (length && body)
            wanted = (size_t)(body + 4 - buf) + (size_t)atoi(length + 16);
    }
    return atoi(buf + sizeof("HTTP/1.1"));
}

/* Clients that the server knows send the same at one instant; how many got each status. */
static void count_answers(struct fixture *f, const char *request, int n, int *ret_200, int *ret_503)
{
    int fds[CLIENTS];
    struct err err = ERR_INIT;
    struct held h;

    *ret_200 = *ret_503 = 0;
    (void)sem_init(&h.is_held, 0, 0);
    (void)sem_init(&h.may_go, 0, 0);
    for (int i = 0; i < n; i++) {
        fds[i] = -1;
        (void)listen_connect(f->path, &fds[i], &err);
        (void)!send(fds[i], GET("/nope"), strlen(GET("/nope")), MSG_NOSIGNAL);
        (void)read_status_of(fds[i]);
    }
    loop_post(f->loop, hold_loop, &h);
    while (sem_wait(&h.is_held))
        ;
    for (int i = 0; i < n; i++)
        (void)!send(fds[i], request, strlen(request), MSG_NOSIGNAL);
    (void)sem_post(&h.may_go);
    for (int i = 0; i < n; i++) {
        int status = read_status_of(fds[i]);

        *ret_200 += status == 200;
        *ret_503 += status == 503;
        (void)close(fds[i]);
    }
    (void)sem_destroy(&h.is_held);
    (void)sem_destroy(&h.may_go);
}

static void talk_shares(struct fixture *f)
{
    static const struct {
        const char *sentence, *request;
        int n, n_200;
    } rows[] = {
        { "many of one user are answered, not all at once", GET("/environments/staging"), CLIENTS,
          32 },
        { "a check of the whole history is one at a time", GET("/audit/verify?replay=1"), 3, 1 },
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        int n_200, n_503;

        count_answers(f, rows[i].request, rows[i].n, &n_200, &n_503);
        if ((n_200 != rows[i].n_200 || n_503 != rows[i].n - rows[i].n_200) && !failure[0])
            (void)snprintf(failure, sizeof(failure), "%s: %d answers, %d refusals",
                           rows[i].sentence, n_200, n_503);
    }
}

static void test_nobody_makes_the_others_wait(void **state)
{
    (void)state;
    run(talk_shares);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes_answer),
        cmocka_unit_test(test_what_is_the_same_but_for_time_is_not_said_again),
        cmocka_unit_test(test_what_is_long_is_packed),
        cmocka_unit_test(test_head_is_get_without_its_body),
        cmocka_unit_test(test_progress_waits_for_news),
        cmocka_unit_test(test_stopping_ends_what_waits),
        cmocka_unit_test(test_nobody_makes_the_others_wait),
    };

    return cmocka_run_group_tests_name("http api", tests, NULL, NULL);
}
