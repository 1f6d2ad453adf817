/* A server on the loop, and a client on a thread of its own. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/http/listen.h"
#include "reconciler/http/server.h"

#define WAIT_MS 30000
#define LIMIT_MS 2000 /* a client that is not slow may be on a busy machine */
#define LARGE (HTTP_UNSENT_USER_MAX / 2)

/* A client on a thread of its own talks to the server on the loop; `talk` is the test. */
struct fixture {
    char dir[32], path[64];
    struct loop *loop;
    struct http_server *server;
    struct http_exchange *_Atomic kept; /* answered when the client says so */
    void (*talk)(struct fixture *f);
    int is_stopped;
};

static inline void handle(void *ctx, struct http_exchange *x)
{
    struct fixture *f = ctx;
    struct err err = ERR_INIT;

    if (str_eq_c(x->path, "/later")) {
        f->kept = x;
    } else if (str_eq_c(x->path, "/who")) {
        struct value *v = value_map(&x->arena);

        value_set_int(&x->arena, v, S("uid"), (int64_t)x->peer.uid);
        value_set_int(&x->arena, v, S("pid"), x->peer.pid);
        http_answer_json(x, 200, v);
    } else if (str_eq_c(x->path, "/large")) {
        char *text = arena_alloc(&x->arena, LARGE);

        memset(text, 'x', LARGE);
        http_answer(x, 200, "text/plain", (struct str){ text, LARGE });
    } else if (str_eq_c(x->path, "/refused")) {
        (void)err_set(&err, ERR_REFUSED, "not \033 you");
        http_answer_error(x, &err);
    } else {
        http_answer(x, 200, "text/plain",
                    str_fmt(&x->arena, "%.*s %.*s q=%.*s n=%zu", STR_ARG(x->method),
                            STR_ARG(x->path), STR_ARG(value_get_text(x->query, S("q"), S("-"))),
                            x->body.n));
    }
}

static inline void stop_loop(void *ctx)
{
    struct fixture *f = ctx;

    f->is_stopped = 1;
    loop_stop(f->loop);
}

static inline void stop_server(void *ctx)
{
    struct fixture *f = ctx;

    http_server_stop(f->server, stop_loop, f);
}

static inline void answer_kept(void *ctx)
{
    struct fixture *f = ctx;

    http_answer(TAKE(f->kept), 200, "text/plain", S("late"));
}

static inline void *talk_main(void *arg)
{
    struct fixture *f = arg;

    f->talk(f);
    loop_post(f->loop, stop_server, f);
    return NULL;
}

static inline void run(void (*talk)(struct fixture *f))
{
    struct fixture f = { .talk = talk };
    struct err err = ERR_INIT;
    pthread_t thread;

    strcpy(f.dir, "/tmp/rv-http-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    (void)snprintf(f.path, sizeof(f.path), "%s/sock", f.dir);
    assert_int_equal(loop_uv_new(&(struct loop_options){ 0 }, &f.loop, &err), 0);
    if (http_server_start(&(struct http_server_options){ .loop = f.loop,
                                                         .socket_path = f.path,
                                                         .handle = handle,
                                                         .ctx = &f,
                                                         .header_ms = LIMIT_MS,
                                                         .body_ms = LIMIT_MS,
                                                         .idle_ms = 2 * WAIT_MS },
                          &f.server, &err))
        fail_msg("%s", err.text);
    assert_int_equal(pthread_create(&thread, NULL, talk_main, &f), 0);
    loop_run(f.loop);
    (void)pthread_join(thread, NULL);
    assert_true(f.is_stopped);
    assert_false(sys_exists(f.path));
    loop_free(f.loop);
    (void)sys_remove_all(f.dir, &err);
}

static inline int dial(struct fixture *f)
{
    struct err err = ERR_INIT;
    int fd = -1;

    if (listen_connect(f->path, &fd, &err))
        print_error("%s\n", err.text);
    return fd;
}

static inline void say(int fd, const char *text)
{
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* What comes until the end, until `until` was seen, or nothing for WAIT_MS: then "(silence)". */
static inline const char *hear(int fd, char *buf, size_t size, const char *until)
{
    size_t n = 0;

    buf[0] = 0;
    while (n + 1 < size && !(until && strstr(buf, until))) {
        struct pollfd p = { fd, POLLIN, 0 };
        ssize_t got;

        if (poll(&p, 1, WAIT_MS) != 1)
            return "(silence)";
        got = recv(fd, buf + n, size - 1 - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
        buf[n] = 0;
    }
    return buf;
}

/* Failures are noted by the client's thread and asserted on the main one. */
static char failure[8192];

static inline void expect_answer(const char *sentence, const char *heard, const char *part)
{
    if (!strstr(heard, part) && !failure[0])
        (void)snprintf(failure, sizeof(failure), "%s: wanted '%s' in '%.6000s'", sentence, part,
                       heard);
}

static inline void expect_no_failure(void)
{
    char text[sizeof(failure)];

    strcpy(text, failure);
    failure[0] = 0;
    if (text[0])
        fail_msg("%s", text);
}
