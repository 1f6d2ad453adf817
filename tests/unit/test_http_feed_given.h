/* A feed on the loop, and clients on threads that listen to it. SPDX-License-Identifier: Apache-2.0 */
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
#include "reconciler/http/feed.h"
#include "reconciler/http/listen.h"

#define WAIT_MS 20000
#define STREAM_MS 500

/* The events are numbers. */
struct fixture {
    char dir[32], path[64];
    struct loop *loop;
    struct http_server *server;
    struct feed *feed;
    _Atomic int64_t newest;
    size_t n_padding;                    /* bytes of each event */
    int64_t ping_ms, life_ms, stream_ms; /* the last: STREAM_MS where it is 0 */
    _Atomic int n_failures;              /* of reading, to come */
    void (*talk)(struct fixture *f);
    _Atomic int64_t revoked; /* the event that says so of "token/ci"; 0: none */
    int64_t until_ms;
    int has_stopped; /* by the client itself */
};

/* Every third is of production, every third of staging, the rest of none. */
static inline int read_events(void *ctx, struct arena *a, int64_t after, const struct value **ret,
                              struct err *err)
{
    static const char *const envs[] = { NULL, "production", "staging" };
    struct fixture *f = ctx;
    struct value *list = value_list(a);
    char *padding = arena_alloc(a, f->n_padding + 1);
    int64_t newest = f->newest;

    if (f->n_failures && f->n_failures--)
        return err_set(err, ERR_IO, "the file is gone for a moment");
    memset(padding, 'x', f->n_padding);
    for (int64_t seq = after + 1; seq <= newest && seq <= after + FEED_PAGE_EVENTS; seq++) {
        struct value *v = value_map(a);

        value_set_int(a, v, S("seq"), seq);
        value_set_text(a, v, S("kind"), seq == f->revoked ? S("token.revoked") : S("number"));
        value_set_text(a, v, S("subject"), S("token/ci"));
        if (envs[seq % 3])
            value_set_text(a, v, S("environment"), str_from_c(envs[seq % 3]));
        value_set_text(a, v, S("why"), (struct str){ padding, f->n_padding });
        value_add(a, list, v);
    }
    *ret = list;
    return arena_status(a, err);
}

static inline void handle(void *ctx, struct http_exchange *x)
{
    struct fixture *f = ctx;
    struct feed_listener in = { .after = f->newest,
                                .head = f->newest,
                                .who = value_get_text(x->query, S("who"), S("")),
                                .until_ms = f->until_ms };
    struct value *scope = value_list(&x->arena);

    if (!str_eq_c(x->path, "/events")) {
        http_answer(x, 200, "text/plain", S("plain"));
        return;
    }
    (void)str_to_i64(value_get_text(x->query, S("after"), S("")), &in.after); /* absent: now */
    value_add(&x->arena, scope, value_text(&x->arena, value_get_text(x->query, S("env"), S(""))));
    if (value_get(x->query, S("env")))
        in.scope = scope;
    feed_join(f->feed, x, &in);
}

static inline void on_news(void *ctx)
{
    struct fixture *f = ctx;

    feed_news(f->feed);
}

static inline void publish(struct fixture *f, int n)
{
    f->newest += n;
    loop_post(f->loop, on_news, f);
}

static inline void stop_loop(void *ctx)
{
    struct fixture *f = ctx;

    loop_stop(f->loop);
}

static inline void feed_stopped(void *ctx)
{
    struct fixture *f = ctx;

    http_server_stop(f->server, stop_loop, f);
}

static inline void stop(void *ctx)
{
    struct fixture *f = ctx;

    feed_stop(f->feed, feed_stopped, f);
}

static inline void *talk_main(void *arg)
{
    struct fixture *f = arg;

    f->talk(f);
    if (!f->has_stopped)
        loop_post(f->loop, stop, f);
    return NULL;
}

static pthread_mutex_t failure_lock = PTHREAD_MUTEX_INITIALIZER;
static char failure[4096];

static inline void fail_later(const char *sentence, const char *what)
{
    (void)pthread_mutex_lock(&failure_lock);
    if (!failure[0])
        (void)snprintf(failure, sizeof(failure), "%s: %.3000s", sentence, what);
    (void)pthread_mutex_unlock(&failure_lock);
}

static inline void run_as(struct fixture *f)
{
    struct err err = ERR_INIT;
    char text[sizeof(failure)];
    pthread_t thread;

    strcpy(f->dir, "/tmp/rv-feed-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
    assert_int_equal(loop_uv_new(&(struct loop_options){ 0 }, &f->loop, &err), 0);
    f->feed = feed_new(&(struct feed_options){ .loop = f->loop,
                                               .read = read_events,
                                               .ctx = f,
                                               .ping_ms = f->ping_ms,
                                               .life_ms = f->life_ms });
    assert_non_null(f->feed);
    if (http_server_start(
            &(struct http_server_options){ .loop = f->loop,
                                           .socket_path = f->path,
                                           .handle = handle,
                                           .ctx = f,
                                           .stream_ms = f->stream_ms ? f->stream_ms : STREAM_MS },
            &f->server, &err))
        fail_msg("%s", err.text);
    assert_int_equal(pthread_create(&thread, NULL, talk_main, f), 0);
    loop_run(f->loop);
    (void)pthread_join(thread, NULL);
    loop_free(f->loop);
    (void)sys_remove_all(f->dir, &err);
    strcpy(text, failure);
    failure[0] = 0;
    if (text[0])
        fail_msg("%s", text);
}

static inline void run(void (*talk)(struct fixture *f))
{
    run_as(&(struct fixture){ .talk = talk, .newest = 1000, .n_padding = 100 });
}

/* --- a client ------------------------------------------------------------------------------------ */

struct client {
    int fd;
    int64_t last, coming; /* ids of the last event that was whole, and of the one that comes */
    int n_ids, n_pings, is_greeted, is_over;
    char line[8192];
    size_t n, n_left; /* of the chunk, which ends anywhere in a line */
    char framing[256];
    size_t n_framing;
    int is_in_body;
};

static inline int dial(const struct fixture *f, const char *target)
{
    struct err err = ERR_INIT;
    char request[256];
    int fd = -1;

    if (listen_connect(f->path, &fd, &err))
        fail_later("connect", err.text);
    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: l\r\n\r\n", target);
    (void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
    return fd;
}

static inline void hear_line(struct client *c, const char *sentence)
{
    long long id;

    c->n_pings += !strcmp(c->line, ": ping");
    c->is_greeted |= !strcmp(c->line, "retry: 2000");
    if (sscanf(c->line, "id: %lld", &id) == 1)
        c->coming = id;
    if (c->line[0] || !c->coming)
        return;
    if (c->coming <= c->last)
        fail_later(sentence, "an event came twice");
    c->last = c->coming;
    c->coming = 0;
    c->n_ids++;
}

/* Headers and sizes of chunks are lines of their own; 1: the byte is of the stream. */
static inline int is_of_the_stream(struct client *c, char byte)
{
    if (c->n_left) {
        c->n_left--;
        return 1;
    }
    if (byte != '\n') {
        if (byte != '\r' && c->n_framing + 1 < sizeof(c->framing))
            c->framing[c->n_framing++] = byte;
        return 0;
    }
    c->framing[c->n_framing] = 0;
    if (c->is_in_body)
        c->n_left = strtoul(c->framing, NULL, 16); /* the empty line behind a chunk: 0 */
    c->is_in_body |= !c->n_framing;
    c->n_framing = 0;
    return 0;
}

static inline void hear_byte(struct client *c, const char *sentence, char byte)
{
    if (!is_of_the_stream(c, byte))
        return;
    if (byte == '\n') {
        c->line[c->n] = 0;
        hear_line(c, sentence);
        c->n = 0;
    } else if (c->n + 1 < sizeof(c->line)) {
        c->line[c->n++] = byte;
    }
}

/* One read; 0: nothing within the time, or the end. */
static inline int hear(struct client *c, const char *sentence, int wait_ms)
{
    struct pollfd p = { c->fd, POLLIN, 0 };
    char buf[16384];
    ssize_t got = poll(&p, 1, wait_ms) == 1 ? recv(c->fd, buf, sizeof(buf), 0) : -1;

    c->is_over |= got == 0;
    for (ssize_t i = 0; i < got; i++)
        hear_byte(c, sentence, buf[i]);
    return got > 0;
}

/* It listens when this returns. One user has a share of the connections, of which those that are gone are
 * part until it was noticed: who is turned away comes again. */
static inline struct client client_open(const struct fixture *f, const char *target)
{
    int64_t end_ms = sys_mono_ms() + WAIT_MS;
    struct client c = { .fd = dial(f, target) };

    while (!c.is_greeted && sys_mono_ms() < end_ms)
        if (!hear(&c, target, WAIT_MS)) {
            (void)close(c.fd);
            c = (struct client){ .fd = dial(f, target) };
        }
    if (!c.is_greeted)
        fail_later(target, "no stream");
    return c;
}

/* Pings are no events: silence is when none of these comes. */
static inline void hear_until(struct client *c, const char *sentence, int64_t id)
{
    int64_t end_ms = sys_mono_ms() + WAIT_MS, last = c->last;

    while (c->last < id) {
        if (!hear(c, sentence, WAIT_MS) || (c->last == last && sys_mono_ms() > end_ms)) {
            char text[64];

            (void)snprintf(text, sizeof(text), "silence after %lld", (long long)c->last);
            fail_later(sentence, text);
            return;
        }
        if (c->last != last)
            end_ms = sys_mono_ms() + WAIT_MS;
        last = c->last;
    }
}

static inline void hear_end(struct client *c, const char *sentence)
{
    int64_t end_ms = sys_mono_ms() + WAIT_MS;

    while (!c->is_over)
        if ((!hear(c, sentence, WAIT_MS) && !c->is_over) || sys_mono_ms() > end_ms) {
            fail_later(sentence, "not ended");
            return;
        }
}
