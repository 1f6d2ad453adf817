/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/edge_replace.h"

#include <inttypes.h>

#include "providers/haproxy/edge_want.h"
#include "providers/haproxy/render.h"
#include "providers/haproxy/runtime.h"
#include "providers/haproxy/sync.h"
#include "providers/keeper_proc.h"

#define EDGE_ONCE 8
#define EDGE_STEP_MS 10
#define EDGE_LET_GO_MS 8000
#define EDGE_LEAVE_MS (15 * 60000) /* as long as `timeout server` */

/* A second one reads the file that does not count yet, gets the sockets from the first, and tells the
 * keeper when it serves. */
static struct keeper_want edge_want_beside(struct haproxy_call *c, const struct haproxy_store *s,
                                           const struct keeper_view *view)
{
    struct keeper_want want = haproxy_edge_want(c, s->model.epoch);
    struct str *once = arena_new_n(c->arena, struct str, EDGE_ONCE);

    if (once) {
        once[0] = c->conf->program;
        once[1] = S("-db");
        once[2] = S("-f");
        once[3] = S(HAPROXY_OFFER_FILE);
        once[4] = S("-x");
        once[5] = S(HAPROXY_SOCKET_FILE);
        once[6] = S("-sf");
        once[7] = str_fmt(c->arena, "%" PRId64, view->keeper_pid);
    }
    want.once = once;
    want.n_once = once ? EDGE_ONCE : 0;
    want.leave_ms = EDGE_LEAVE_MS;
    return want;
}

static int edge_accepts(struct haproxy_call *c, int64_t pid, struct str http)
{
    struct keeper_procs procs = { 0 };
    struct keeper_proc *one = vec_push(c->arena, &procs.list);
    size_t colon = http.n;
    int64_t port = 0;

    while (colon > 0 && http.p[colon - 1] != ':')
        colon--;
    if (!one || str_to_i64(str_slice(http, colon, http.n), &port))
        return 0;
    *one = (struct keeper_proc){ .pid = (pid_t)pid };
    return keeper_proc_listens(c->arena, &procs, (unsigned)port);
}

/* Until nobody is about to take over, and who leaves accepts nothing: it closes the sockets for requests
 * and the one that we speak to in one step. */
static int edge_wait_handed(struct haproxy_call *c, const struct keeper_place *place,
                            struct str http, struct keeper_view *ret)
{
    int64_t give_up_ms = c->h->now_ms(c->h->ctx) + EDGE_LET_GO_MS;

    for (;;) {
        if (keeper_settled(c->h, c->arena, place, ret, c->ret))
            return (int)c->ret->verdict;
        if (!ret->leaving || !edge_accepts(c, ret->leaving, http))
            return 0;
        if (c->h->now_ms(c->h->ctx) > give_up_ms)
            return haproxy_fail(c, RV_RETRY, "the proxy that was replaced does not let go");
        if (c->h->wait_fd(c->h->ctx, -1, 0, EDGE_STEP_MS) == RV_CANCELLED)
            return haproxy_fail(c, RV_CANCELLED, "cancelled");
    }
}

static int edge_read_name(struct haproxy_call *c, struct str *ret)
{
    struct str info;
    int rc = HAPROXY_ASK(c, &info, S("show"), S("info"));

    if (!rc)
        *ret = haproxy_info_find(info, S("description"));
    return rc;
}

/* By one that has the model's configuration. */
static int edge_replace(struct haproxy_call *c, struct haproxy_store *s,
                        const struct keeper_place *place, struct str http,
                        const struct keeper_view *before)
{
    const struct keeper_want want = edge_want_beside(c, s, before);
    struct keeper_view view = { 0 };
    struct str name = STR_NONE, complaint;
    int rc = haproxy_store_offer(c, s);

    if (rc)
        return rc;
    c->acted = RV_ACTED_MAYBE;
    if ((rc = keeper_replace(c->h, c->arena, place, &want, c->ret)) ||
        (rc = edge_wait_handed(c, place, http, &view)) || (rc = edge_read_name(c, &name)))
        return rc;
    if (str_eq(name, haproxy_render_name(c->arena, &s->model.conf)))
        return 0;
    complaint = haproxy_edge_complaint(c, place);
    return haproxy_fail(c, RV_WAIT, "the new one does not start: %.*s",
                        STR_ARG(complaint.n ? complaint : view.message));
}

/* Nothing came of it: the one that served serves. */
static int edge_is_as_before(struct haproxy_call *c, const struct keeper_place *place,
                             const struct keeper_view *before)
{
    struct rv_result ignored = { .size = sizeof(ignored) }; /* not known is not as before */
    struct keeper_view now;

    return !keeper_look(c->h, c->arena, place, &now, &ignored) && now.life == KEEPER_LIVES &&
           now.pid == before->pid && !now.taking && !now.leaving;
}

static int edge_save(struct haproxy_call *c, struct haproxy_store *s)
{
    int rc = haproxy_store_save(c, s);

    if (!rc)
        atomic_store(c->settled, 1);
    return rc;
}

/* 0: it goes on with what it has, now or for good. */
static int edge_try_replace(struct haproxy_call *c, struct haproxy_store *s,
                            const struct keeper_place *place, const struct haproxy_model *before,
                            const struct keeper_view *view)
{
    int rc;

    if (view->life == KEEPER_LIVES && !view->leaving) {
        if (!(rc = edge_replace(c, s, place, before->conf.http, view)))
            return edge_save(c, s);
        if (rc == RV_CANCELLED || !edge_is_as_before(c, place, view))
            return rc; /* the next call sees what came of it */
        c->h->log(c->h->ctx, 2,
                  kit_rv(str_fmt(c->arena, "the proxy was not replaced and goes on as it is: %.*s",
                                 STR_ARG(kit_str(c->ret->message)))));
        atomic_store(c->settled, 1);
    }
    s->model.conf = before->conf;
    s->model.next_port = before->next_port;
    return 0;
}

int haproxy_edge_settle(struct haproxy_call *c, struct haproxy_store *s)
{
    const struct keeper_place place = haproxy_edge_place(c);
    const struct haproxy_model before = s->model;
    struct keeper_view view;
    struct str name = STR_NONE;
    int rc;

    if ((rc = edge_wait_handed(c, &place, before.conf.http, &view)) ||
        (rc = edge_read_name(c, &name)))
        return rc;
    if (!str_eq(name, haproxy_render_name(c->arena, c->conf)) &&
        (rc = haproxy_heal_generations(c, s))) /* the new one will serve what the files say */
        return rc;

    haproxy_edge_take_conf(c, s);
    if (!str_eq(name, haproxy_render_name(c->arena, &s->model.conf)))
        return edge_try_replace(c, s, &place, &before, &view);
    return edge_save(c, s);
}

int haproxy_edge_is_leaving(struct haproxy_call *c)
{
    const struct keeper_place place = haproxy_edge_place(c);
    struct rv_result ignored = { .size = sizeof(
                                     ignored) }; /* not known: the proxy is asked alone */
    struct keeper_view view;

    return !keeper_look(c->h, c->arena, &place, &view, &ignored) && view.life == KEEPER_LIVES &&
           view.leaving;
}
