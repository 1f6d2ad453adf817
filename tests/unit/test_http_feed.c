/* http/feed: nothing is missed, told twice or kept for who does not listen. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
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
#define PING_MS 100
#define STRESS_CLIENTS 100
#define STRESS_EVENTS 3000

/* Clients on threads talk to a server and a feed on the loop; the events are numbers. */
struct fixture {
    char dir[32], path[64];
    struct loop *loop;
    struct http_server *server;
    struct feed *feed;
    _Atomic int64_t newest;
    size_t n_padding; /* bytes of each event */
    int64_t ping_ms, life_ms;
    void (*talk)(struct fixture *f);
    int64_t revoked; /* the event that says so of "token/ci"; 0: none */
    int64_t until_ms;
    int has_stopped; /* by the client itself */
};

/* Every third is of production, every third of staging, the rest of none. */
static int read_events(void *ctx, struct arena *a, int64_t after, const struct value **ret,
                       struct err *err)
{
    static const char *const envs[] = { NULL, "production", "staging" };
    struct fixture *f = ctx;
    struct value *list = value_list(a);
    char *padding = arena_alloc(a, f->n_padding + 1);
    int64_t newest = f->newest;

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

static void handle(void *ctx, struct http_exchange *x)
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

static void on_news(void *ctx)
{
    struct fixture *f = ctx;

    feed_news(f->feed);
}

static void publish(struct fixture *f, int n)
{
    f->newest += n;
    loop_post(f->loop, on_news, f);
}

static void stop_loop(void *ctx)
{
    struct fixture *f = ctx;

    loop_stop(f->loop);
}

static void feed_stopped(void *ctx)
{
    struct fixture *f = ctx;

    http_server_stop(f->server, stop_loop, f);
}

static void stop(void *ctx)
{
    struct fixture *f = ctx;

    feed_stop(f->feed, feed_stopped, f);
}

static void *talk_main(void *arg)
{
    struct fixture *f = arg;

    f->talk(f);
    if (!f->has_stopped)
        loop_post(f->loop, stop, f);
    return NULL;
}

static pthread_mutex_t failure_lock = PTHREAD_MUTEX_INITIALIZER;
static char failure[4096];

static void fail_later(const char *sentence, const char *what)
{
    (void)pthread_mutex_lock(&failure_lock);
    if (!failure[0])
        (void)snprintf(failure, sizeof(failure), "%s: %.3000s", sentence, what);
    (void)pthread_mutex_unlock(&failure_lock);
}

static void run_as(struct fixture *f)
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
    if (http_server_start(&(struct http_server_options){ .loop = f->loop,
                                                         .socket_path = f->path,
                                                         .handle = handle,
                                                         .ctx = f,
                                                         .stream_ms = STREAM_MS },
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

static void run(void (*talk)(struct fixture *f))
{
    run_as(&(struct fixture){ .talk = talk, .newest = 1000, .n_padding = 100 });
}

/* --- a client ------------------------------------------------------------------------------------ */

struct client {
    int fd;
    int64_t last; /* the id that was heard last */
    int n_ids, n_pings, is_greeted, is_over;
    char line[8192];
    size_t n, n_left; /* of the chunk, which ends anywhere in a line */
    char framing[256];
    size_t n_framing;
    int is_in_body;
};

static int dial(const struct fixture *f, const char *target)
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

static void hear_line(struct client *c, const char *sentence)
{
    long long id;

    c->n_pings += !strcmp(c->line, ": ping");
    c->is_greeted |= !strcmp(c->line, "retry: 2000");
    if (sscanf(c->line, "id: %lld", &id) != 1)
        return;
    if (c->last && id <= c->last)
        fail_later(sentence, "an event came twice");
    c->last = id;
    c->n_ids++;
}

/* Headers and sizes of chunks are lines of their own; 1: the byte is of the stream. */
static int is_of_the_stream(struct client *c, char byte)
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

static void hear_byte(struct client *c, const char *sentence, char byte)
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
static int hear(struct client *c, const char *sentence, int wait_ms)
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
static struct client client_open(const struct fixture *f, const char *target)
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

static void hear_until(struct client *c, const char *sentence, int64_t id)
{
    while (c->last < id)
        if (!hear(c, sentence, WAIT_MS)) {
            char text[64];

            (void)snprintf(text, sizeof(text), "silence after %lld", (long long)c->last);
            fail_later(sentence, text);
            return;
        }
}

static void hear_end(struct client *c, const char *sentence)
{
    int64_t end_ms = sys_mono_ms() + WAIT_MS;

    while (!c->is_over)
        if ((!hear(c, sentence, WAIT_MS) && !c->is_over) || sys_mono_ms() > end_ms) {
            fail_later(sentence, "not ended");
            return;
        }
}

/* --- rows ---------------------------------------------------------------------------------------- */

static void talk_resume(struct fixture *f)
{
    struct client live = client_open(f, "/events"), past = client_open(f, "/events?after=1");
    struct client near = client_open(f, "/events?after=998");

    hear_until(&near, "who was gone for a moment", 1000);
    publish(f, 1);
    hear_until(&live, "what comes now", 1001);
    hear_until(&past, "from the past to now", 1001);
    hear_until(&near, "and what comes then", 1001);
    publish(f, 500);
    hear_until(&live, "many at once", 1501);
    hear_until(&past, "many at once, for another", 1501);
    if (live.n_ids != 501 || past.n_ids != 1500 || near.n_ids != 3)
        fail_later("each", "was not told once");
    (void)close(near.fd);
    f->has_stopped = 1;
    loop_post(f->loop, stop, f);
    hear_end(&live, "when we stop");
    hear_end(&past, "when we stop, for another");
    (void)close(live.fd);
    (void)close(past.fd);
}

static void test_from_where_it_was_and_on(void **state)
{
    (void)state;
    run(talk_resume);
}

static void talk_scope(struct fixture *f)
{
    struct client c = client_open(f, "/events?after=0&env=staging");

    hear_until(&c, "of one environment", 998);
    if (c.n_ids != 333)
        fail_later("of one environment", "not what is of it, all of it");
    publish(f, 1); /* of staging */
    hear_until(&c, "what comes", 1001);
    (void)close(c.fd);
}

static void test_who_has_a_scope_hears_of_it_alone(void **state)
{
    (void)state;
    run(talk_scope);
}

static void talk_slow(struct fixture *f)
{
    AUTO_CLOSE int slow = dial(f, "/events?after=0");
    struct client other = client_open(f, "/events");
    int64_t end_ms = sys_mono_ms() + WAIT_MS;

    while (f->newest < 3000 && !failure[0]) { /* all the while the other one hears everything */
        publish(f, 10);
        hear_until(&other, "beside a slow one", f->newest);
    }
    for (struct pollfd p = { slow, 0, 0 }; !(p.revents & POLLHUP);)
        if (poll(&p, 1, 50) < 0 || sys_mono_ms() > end_ms) {
            fail_later("a slow one", "was not cut");
            break;
        }
    publish(f, 1);
    hear_until(&other, "when the slow one is gone", f->newest);
    (void)close(other.fd);
}

static void test_who_takes_nothing_is_cut_and_holds_up_nobody(void **state)
{
    (void)state;
    run_as(&(struct fixture){ .talk = talk_slow, .newest = 1000, .n_padding = 4000 });
}

static void talk_ping(struct fixture *f)
{
    struct client c = client_open(f, "/events");

    while (c.n_pings < 3 && hear(&c, "a ping", WAIT_MS))
        ;
    if (c.n_pings < 3)
        fail_later("a ping", "none");
    hear_end(&c, "its life");
    (void)close(c.fd);
}

static void test_silence_is_told_apart_from_the_end_and_a_stream_has_one(void **state)
{
    (void)state;
    run_as(&(struct fixture){
        .talk = talk_ping, .newest = 10, .ping_ms = PING_MS, .life_ms = 5 * PING_MS });
}

static void talk_revoked(struct fixture *f)
{
    struct client first = client_open(f, "/events?who=token/ci"), again;
    struct client other = client_open(f, "/events?who=token/cd"), local = client_open(f, "/events");
    struct client behind = client_open(f, "/events?after=1&who=token/ci");

    publish(f, 1);
    hear_until(&first, "before it is revoked", 1001);
    f->revoked = 1002;
    publish(f, 3);
    hear_end(&first, "it is revoked");
    hear_end(&behind, "it is revoked, for who is behind");
    hear_until(&other, "another one's", 1004);
    hear_until(&local, "who showed nothing", 1004);
    if (first.last > 1001)
        fail_later("it is revoked", "and was told what came then");
    again = client_open(f, "/events?after=1&who=token/ci"); /* as a person signs in again */
    hear_until(&again, "who is known since hears what was", 1004);
    publish(f, 1);
    hear_until(&again, "and what comes", 1005);
    (void)close(first.fd);
    (void)close(again.fd);
    (void)close(other.fd);
    (void)close(local.fd);
    (void)close(behind.fd);
}

static void test_a_stream_ends_with_what_was_shown(void **state)
{
    (void)state;
    run_as(&(struct fixture){ .talk = talk_revoked, .newest = 1000, .n_padding = 4000 });
}

static void talk_expires(struct fixture *f)
{
    struct client c = client_open(f, "/events");

    hear_end(&c, "what was shown is over");
    (void)close(c.fd);
}

static void test_and_when_that_expires(void **state)
{
    (void)state;
    run_as(
        &(struct fixture){ .talk = talk_expires, .newest = 10, .ping_ms = PING_MS, .until_ms = 1 });
}

/* --- suspended and resumed, all the time --------------------------------------------------------- */

static void *listen_main(void *arg)
{
    struct fixture *f = arg;
    struct client c = client_open(f, "/events?after=1000");

    hear_until(&c, "one of many", 1000 + STRESS_EVENTS);
    if (c.n_ids != STRESS_EVENTS)
        fail_later("one of many", "did not hear each");
    (void)close(c.fd);
    return NULL;
}

/* Others come and go beside them, some in the middle of a stream. */
static void *come_and_go_main(void *arg)
{
    struct fixture *f = arg;

    while (f->newest < 1000 + STRESS_EVENTS && !failure[0]) {
        AUTO_CLOSE int plain = dial(f, "/x"), gone = dial(f, "/events?after=1000");
        struct pollfd p = { plain, POLLIN, 0 };

        if (poll(&p, 1, WAIT_MS) != 1)
            fail_later("a request beside them", "not answered");
    }
    return NULL;
}

static void talk_stress(struct fixture *f)
{
    pthread_t listeners[STRESS_CLIENTS], other;

    for (int i = 0; i < STRESS_CLIENTS; i++)
        (void)pthread_create(&listeners[i], NULL, listen_main, f);
    (void)pthread_create(&other, NULL, come_and_go_main, f);
    for (uint32_t i = 0, n; f->newest < 1000 + STRESS_EVENTS; i++) {
        n = i * 2654435761u % 7 + 1;
        publish(f, f->newest + n > 1000 + STRESS_EVENTS ? 1 : (int)n);
        (void)sched_yield();
    }
    for (int i = 0; i < STRESS_CLIENTS; i++)
        (void)pthread_join(listeners[i], NULL);
    (void)pthread_join(other, NULL);
}

static void test_many_hear_everything_while_others_come_and_go(void **state)
{
    (void)state;
    run(talk_stress);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_where_it_was_and_on),
        cmocka_unit_test(test_who_has_a_scope_hears_of_it_alone),
        cmocka_unit_test(test_who_takes_nothing_is_cut_and_holds_up_nobody),
        cmocka_unit_test(test_silence_is_told_apart_from_the_end_and_a_stream_has_one),
        cmocka_unit_test(test_a_stream_ends_with_what_was_shown),
        cmocka_unit_test(test_and_when_that_expires),
        cmocka_unit_test(test_many_hear_everything_while_others_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
