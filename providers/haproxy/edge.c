/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/edge.h"

#include <inttypes.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/haproxy/render.h"
#include "providers/haproxy/runtime.h"
#include "providers/haproxy/sync.h"
#include "providers/keeper_client.h"

#define EDGE_START_MS 8000
#define EDGE_STEP_MS 10
#define EDGE_GRACE_MS 5000
#define EDGE_LOG_TAIL 8192
#define EDGE_CONNECT "edge_connect.so" /* beside the keeper */

static struct keeper_place edge_place(struct haproxy_call *c)
{
    return (struct keeper_place){
        .program = c->conf->keeper,
        .runs = str_fmt(c->arena, "%.*s/run", STR_ARG(c->conf->directory)),
        .owner = S("edge"),
    };
}

/* Does all that is served fit this configuration? */
static int edge_fits(const struct haproxy_model *m, const struct haproxy_conf *conf)
{
    for (size_t i = 0; i < m->records.n; i++) {
        const struct haproxy_record *r = &m->records.p[i];
        const struct value *slots = value_get(r->body, S("slots"));
        int64_t n = 0;

        if (str_eq(r->type, S("backend")) &&
            (str_to_i64(str_slice(r->id, 1, r->id.n), &n) || n >= conf->n_backends))
            return 0;
        for (size_t k = (size_t)conf->n_slots; k < value_count(slots); k++)
            if (value_item(slots, k)->u.text.n)
                return 0;
        if (str_eq(r->type, S("address")) &&
            (str_to_i64(r->id, &n) || n < conf->internal_first || n > conf->internal_last))
            return 0;
    }
    return 1;
}

static void edge_take_conf(struct haproxy_call *c, struct haproxy_store *s)
{
    if (!edge_fits(&s->model, c->conf)) {
        c->h->log(c->h->ctx, 2,
                  kit_rv(S("what the edge serves does not fit its configuration: "
                           "it starts with the previous one")));
        return;
    }
    s->model.conf = *c->conf;
    if (s->model.next_port < c->conf->internal_first || s->model.next_port > c->conf->internal_last)
        s->model.next_port = c->conf->internal_first;
}

/* The last line of the proxy's log that says why it ended. */
static struct str edge_complaint(struct haproxy_call *c, const struct keeper_place *place)
{
    struct str rest = keeper_log_tail(c->arena, place, EDGE_LOG_TAIL), line, found = STR_NONE;

    while (str_next(&rest, '\n', &line)) {
        size_t at = str_find(line, S("cannot bind"));

        if (at != STR_NPOS)
            found = str_trim(str_slice(line, at, line.n));
        else if (str_starts(line, S("[ALERT]")) &&
                 (!found.n || !str_starts(found, S("cannot bind"))))
            found = str_trim(line);
    }
    return found;
}

/* Until it answers, or has failed once more since we began to look (n_restarts before). */
static int edge_wait(struct haproxy_call *c, const struct keeper_place *place, int64_t n_restarts)
{
    int64_t give_up_ms = c->h->now_ms(c->h->ctx) + EDGE_START_MS;
    struct keeper_view view = { 0 };
    struct str complaint;
    int rc;

    while ((rc = haproxy_runs(c))) {
        if (rc == RV_CANCELLED || c->h->wait_fd(c->h->ctx, -1, 0, EDGE_STEP_MS) == RV_CANCELLED)
            return haproxy_fail(c, RV_CANCELLED, "cancelled");
        if (keeper_look(c->h, c->arena, place, &view, c->ret))
            return (int)c->ret->verdict;
        if (c->h->now_ms(c->h->ctx) > give_up_ms ||
            (str_eq(view.state, S("waiting")) && view.restarts > n_restarts))
            break;
    }
    if (!rc)
        return 0;
    complaint = edge_complaint(c, place);
    return haproxy_fail(c, RV_WAIT, "the proxy does not start: %.*s",
                        STR_ARG(complaint.n ? complaint : view.message));
}

#define EDGE_ARGV 4

/* What makes its connections begin with a request; without it the proxy serves all the same. */
static void edge_preload(struct haproxy_call *c, struct keeper_want *want)
{
    struct str beside = c->conf->keeper, file;
    struct str *env = arena_new(c->arena, struct str);

    while (beside.n && beside.p[beside.n - 1] != '/')
        beside.n--;
    file = str_fmt(c->arena, "%.*s" EDGE_CONNECT, STR_ARG(beside));
    if (!env || !file.p)
        return; /* the arena remembers */
    if (!sys_exists(file.p)) {
        c->h->log(c->h->ctx, 2,
                  kit_rv(S(EDGE_CONNECT " is not beside the keeper: requests to applications that "
                                        "close idle connections may be lost")));
        return;
    }
    *env = str_fmt(c->arena, "LD_PRELOAD=%.*s", STR_ARG(file));
    want->env = env;
    want->n_env = 1;
}

static struct keeper_want edge_want(struct haproxy_call *c, uint64_t epoch)
{
    struct str *argv = arena_new_n(c->arena, struct str, EDGE_ARGV);
    struct keeper_want want;

    if (argv) {
        argv[0] = c->conf->program;
        argv[1] = S("-db");
        argv[2] = S("-f");
        argv[3] = S(HAPROXY_CONFIG_FILE);
    }
    want = (struct keeper_want){
        .key = S("edge"),
        .epoch = epoch,
        .argv = argv,
        .n_argv = argv ? EDGE_ARGV : 0,
        .dir = c->conf->directory,
        .restart = KEEPER_ALWAYS,
        .stop_signal = S("USR1"),
        .grace_ms = EDGE_GRACE_MS,
    };
    edge_preload(c, &want);
    return want;
}

static int edge_launch(struct haproxy_call *c, const struct keeper_place *place, uint64_t epoch)
{
    const struct keeper_want want = edge_want(c, epoch);
    AUTO_HOLD struct keeper_hold hold = KEEPER_HOLD_NONE;
    struct keeper_view view;
    int rc = keeper_take(c->h, c->arena, place, epoch, &hold, c->ret);

    if (rc)
        return rc;
    c->acted = RV_ACTED_MAYBE;
    return keeper_start(c->h, c->arena, place, &want, &hold, &view, c->ret);
}

/* It serves, but nobody can tell it anything any more: its socket was removed. */
static int edge_is_mute(struct haproxy_call *c, const struct keeper_place *place)
{
    struct keeper_view view = { 0 };
    struct rv_result ignored = { .size = sizeof(ignored) };

    return !keeper_look(c->h, c->arena, place, &view, &ignored) && view.life == KEEPER_LIVES &&
           str_eq(view.state, S("running")) &&
           !sys_exists(
               str_fmt(c->arena, "%.*s/" HAPROXY_SOCKET_FILE, STR_ARG(c->conf->directory)).p);
}

/* At once: while one drains that took its listeners with it, nobody would answer. */
static int edge_restart(struct haproxy_call *c, struct haproxy_store *s,
                        const struct keeper_place *place)
{
    struct keeper_want want = edge_want(c, s->model.epoch);
    int rc;

    c->h->log(c->h->ctx, 2, kit_rv(S("the proxy's socket is gone: it is started again")));
    want.stop_signal = S("TERM");
    c->acted = RV_ACTED_MAYBE;
    if ((rc = haproxy_store_save(c, s)) ||
        (rc = keeper_renew(c->h, c->arena, place, &want, c->ret)))
        return rc;
    return edge_wait(c, place, INT64_MAX);
}

/* Its keeper hangs, or the proxy would be back: the next call finds it gone, and starts both. */
static int edge_kill_deaf(struct haproxy_call *c, const struct haproxy_store *s,
                          const struct keeper_place *place)
{
    struct rv_result unheard = { .size = sizeof(unheard) };
    struct keeper_view view = { 0 };

    if (keeper_adopt(c->h, c->arena, place, s->model.epoch, &unheard) != RV_RETRY)
        return RV_WAIT; /* why it does not start was said */
    if (keeper_look(c->h, c->arena, place, &view, c->ret))
        return (int)c->ret->verdict;
    c->acted = RV_ACTED_MAYBE;
    keeper_kill(&view);
    return haproxy_fail(c, RV_RETRY, "the proxy's keeper (pid %" PRId64 ") does not answer: killed",
                        view.keeper_pid);
}

/* With the lock held. A keeper that lives restarts the proxy by itself. */
static int edge_ensure(struct haproxy_call *c, struct haproxy_store *s)
{
    struct keeper_place place = edge_place(c);
    struct keeper_view view = { 0 };
    int rc = keeper_look(c->h, c->arena, &place, &view, c->ret);

    if (rc)
        return rc;
    if (view.life != KEEPER_LIVES) {
        if (view.life == KEEPER_GONE)
            keeper_sweep(&view);
        edge_take_conf(c, s);
        if ((rc = haproxy_store_save(c, s)) || (rc = edge_launch(c, &place, s->model.epoch)))
            return rc;
        view = (struct keeper_view){ 0 };
    }
    /* The end of one that ran is counted too: it is why we are here. */
    rc = edge_wait(c, &place, view.restarts + !str_eq(view.state, S("waiting")));
    if (rc == RV_WAIT && edge_is_mute(c, &place))
        return edge_restart(c, s, &place);
    return rc == RV_WAIT ? edge_kill_deaf(c, s, &place) : rc;
}

int haproxy_edge_open(struct haproxy_call *c, struct haproxy_store *ret)
{
    int rc = haproxy_store_open(c, ret);

    if (rc)
        return rc;
    rc = haproxy_runs(c);
    if (rc == RV_CANCELLED)
        return rc;
    if (rc && !c->may_write)
        return haproxy_fail(c, RV_RETRY, "the proxy does not run");
    if (!rc && ret->is_new)
        return haproxy_fail(c, RV_WAIT,
                            "'%.*s/" HAPROXY_CONFIG_FILE "' is gone while the proxy runs",
                            STR_ARG(c->conf->directory));
    return rc ? edge_ensure(c, ret) : 0;
}

int haproxy_edge_start(struct haproxy_call *c)
{
    AUTO_STORE struct haproxy_store s = HAPROXY_STORE_NONE;

    return haproxy_edge_open(c, &s);
}
