/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/edge.h"

#include <inttypes.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/haproxy/edge_replace.h"
#include "providers/haproxy/edge_want.h"
#include "providers/haproxy/render.h"
#include "providers/haproxy/runtime.h"
#include "providers/keeper_client.h"

#define EDGE_START_MS 8000
#define EDGE_STEP_MS 10
#define EDGE_GONE_MS 1000

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
    complaint = haproxy_edge_complaint(c, place);
    return haproxy_fail(c, RV_WAIT, "the proxy does not start: %.*s",
                        STR_ARG(complaint.n ? complaint : view.message));
}

static int edge_launch(struct haproxy_call *c, const struct keeper_place *place, uint64_t epoch)
{
    const struct keeper_want want = haproxy_edge_want(c, epoch);
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
    struct keeper_want want = haproxy_edge_want(c, s->model.epoch);
    int rc;

    c->h->log(c->h->ctx, 2, kit_rv(S("the proxy's socket is gone: it is started again")));
    want.stop_signal = S("TERM");
    c->acted = RV_ACTED_MAYBE;
    if ((rc = haproxy_store_save(c, s)) ||
        (rc = keeper_renew(c->h, c->arena, place, &want, c->ret)))
        return rc;
    return edge_wait(c, place, INT64_MAX);
}

/* One that was killed holds its lock for a moment more; who cannot wait finds it held. */
static void edge_wait_gone(struct haproxy_call *c, const struct keeper_place *place)
{
    int64_t give_up_ms = c->h->now_ms(c->h->ctx) + EDGE_GONE_MS;
    struct rv_result ignored = { .size = sizeof(ignored) };
    struct keeper_view view = { 0 };

    while (!keeper_look(c->h, c->arena, place, &view, &ignored) && view.life == KEEPER_LIVES &&
           c->h->now_ms(c->h->ctx) < give_up_ms &&
           c->h->wait_fd(c->h->ctx, -1, 0, EDGE_STEP_MS) != RV_CANCELLED)
        ;
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
    edge_wait_gone(c, place);
    return haproxy_fail(c, RV_RETRY, "the proxy's keeper (pid %" PRId64 ") does not answer: killed",
                        view.keeper_pid);
}

/* With the lock held. A keeper that lives restarts the proxy by itself. */
static int edge_ensure(struct haproxy_call *c, struct haproxy_store *s)
{
    struct keeper_place place = haproxy_edge_place(c);
    struct keeper_view view = { 0 };
    int rc = keeper_look(c->h, c->arena, &place, &view, c->ret);

    if (rc)
        return rc;
    if (view.life != KEEPER_LIVES) {
        if (view.life == KEEPER_GONE)
            (void)keeper_sweep(&view); /* a port that is still held is seen at the start */
        haproxy_edge_take_conf(c, s);
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
    if (rc && (rc = edge_ensure(c, ret)))
        return rc;
    return c->may_write && !atomic_load(c->settled) ? haproxy_edge_settle(c, ret) : 0;
}

int haproxy_edge_start(struct haproxy_call *c)
{
    AUTO_STORE struct haproxy_store s = HAPROXY_STORE_NONE;

    return haproxy_edge_open(c, &s);
}
