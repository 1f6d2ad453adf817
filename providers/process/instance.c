/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/process.h"

/* What a keeper calls it, and what we do. Nobody lives there: see instance_state(). */
static const struct {
    struct str keeper, observed;
} instance_words[] = {
    { S_INIT("starting"), S_INIT("running") },   { S_INIT("running"), S_INIT("running") },
    { S_INIT("waiting"), S_INIT("restarting") }, { S_INIT("stopping"), S_INIT("running") },
    { S_INIT("exited"), S_INIT("exited") },      { S_INIT("stopped"), S_INIT("exited") },
};

static struct str instance_state(const struct keeper_view *v)
{
    int ended = str_eq(v->state, S("exited")) || str_eq(v->state, S("stopped"));

    if (v->life == KEEPER_GONE && !ended)
        return S("lost");
    if (v->message.n && !ended)
        return S("restarting"); /* its command cannot be started */
    if (v->frozen && v->life == KEEPER_LIVES)
        return S("frozen");
    for (size_t i = 0; i < sizeof(instance_words) / sizeof(instance_words[0]); i++)
        if (str_eq(v->state, instance_words[i].keeper))
            return instance_words[i].observed;
    return S("running"); /* the keeper has not said anything yet */
}

static void instance_read(struct process_call *c)
{
    struct arena *a = &c->arena;
    const struct keeper_view *v = &c->view;
    struct value *seen = value_map(a), *outputs = value_map(a);
    int64_t port = value_get_int(v->about, S("port"), 0), killed;
    struct str over;

    value_set_text(a, seen, S("state"), instance_state(v));
    value_set_text(a, seen, S("key"), v->key.p ? v->key : S(""));
    value_set_int(a, seen, S("restarts"), v->restarts);
    value_set_int(a, seen, S("pid"), v->pid);
    if (v->full)
        value_set_int(a, seen, S("full"), v->full);
    if (v->exit >= 0)
        value_set_int(a, seen, S("exit"), v->exit);
    if (v->signal)
        value_set_int(a, seen, S("signal"), v->signal);
    if (v->message.n)
        value_set_text(a, seen, S("message"), v->message);
    over = process_limits_say(c, &killed);
    if (killed) {
        value_set_int(a, seen, S("killed"), killed);
        value_set_text(a, seen, S("over"), over);
    }
    value_set_int(a, outputs, S("pid"), v->pid);
    if (port) {
        struct str address = str_fmt(a, "127.0.0.1:%lld", (long long)port);

        value_set_text(a, seen, S("address"), address);
        value_set_text(a, outputs, S("address"), address);
        value_set_int(a, outputs, S("port"), port);
    }
    c->ret->verdict = RV_DONE;
    process_answer_view(c, seen, outputs);
}

/* It runs, or its command cannot be started. */
static void instance_answer(struct process_call *c, enum rv_acted acted)
{
    instance_read(c);
    if (c->ret->verdict != RV_DONE)
        return;
    c->ret->acted = acted;
    if (c->view.message.n)
        (void)process_fail(c, RV_USER, RV_ACTED_YES, "%.*s", STR_ARG(c->view.message));
}

static int instance_port(struct process_call *c, int64_t *ret)
{
    *ret = 0;
    if (!value_get(c->desired, S("port")))
        return 0;
    return process_port_take(c, value_get_int(c->view.about, S("port"), 0), ret);
}

/* What a site is served by: a program of ours, on the files of its artifact. */
static int instance_site(struct process_call *c, struct str dir, const struct value **ret)
{
    const struct value *site = value_get(c->desired, S("static")),
                       *immutable = value_get(site, S("immutable"));
    struct str below = value_get_text(site, S("directory"), S(".")),
               fallback = value_get_text(site, S("fallback"), STR_NONE);
    struct arena *a = &c->arena;
    struct value *argv = value_list(a);

    if (below.n && below.p[0] == '/')
        return process_fail(c, RV_USER, RV_ACTED_NO, "static.directory is not relative");
    value_add(a, argv, value_text(a, c->self->site));
    value_add(a, argv, value_text(a, str_fmt(a, "%.*s/%.*s", STR_ARG(dir), STR_ARG(below))));
    if (fallback.p) {
        value_add(a, argv, value_text(a, S("fallback")));
        value_add(a, argv, value_text(a, fallback));
    }
    for (size_t i = 0; i < value_count(immutable); i++) {
        value_add(a, argv, value_text(a, S("immutable")));
        value_add(a, argv, value_text(a, value_item(immutable, i)->u.text));
    }
    *ret = argv;
    return 0;
}

static int instance_want(struct process_call *c, int64_t port, struct keeper_want *ret)
{
    const struct value *t = value_get(c->desired, S("termination"));
    const struct value *argv = value_get(c->desired, S("command"));
    struct str dir;

    if (process_artifact_dir(c, &dir) ||
        (value_get(c->desired, S("static")) && instance_site(c, dir, &argv)) ||
        process_command(c, argv, dir, port, ret) ||
        process_isolate(c, process_artifact_tree(c), LAUNCH_READ, ret))
        return (int)c->ret->verdict;
    ret->restart = KEEPER_ALWAYS;
    ret->log_bytes = value_get_int(value_get(c->desired, S("logs")), S("max"), 0) / 2; /* of two */
    ret->log_keep_ms = value_get_int(value_get(c->desired, S("logs")), S("keep_ms"), 0);
    ret->stop_signal = value_get_text(t, S("stop_signal"), S("TERM"));
    ret->grace_ms = value_get_int(t, S("stop_grace_period_ms"), 30000);
    return 0;
}

static void instance_start(struct process_call *c)
{
    AUTO_HOLD struct keeper_hold hold = KEEPER_HOLD_NONE;
    struct keeper_want want;
    int64_t port;

    if (process_take(c, &hold))
        return;
    if (instance_port(c, &port) || process_assets_make(c) || instance_want(c, port, &want)) {
        c->ret->acted = RV_ACTED_YES; /* there is a directory */
        return;
    }
    if (keeper_start(c->h, &c->arena, &c->place, &want, &hold, &c->view, c->ret))
        return;
    instance_answer(c, RV_ACTED_YES);
}

/* Somebody lives there: leave it alone if it is what is asked for. */
static void instance_keep(struct process_call *c)
{
    int64_t port = value_get_int(c->view.about, S("port"), 0);
    struct keeper_want want;
    int verdict;

    verdict = c->h->identified(c->h->ctx, kit_rv(c->place.owner));
    if (verdict) {
        (void)kit_answer_host(c->h, c->ret, verdict, RV_ACTED_MAYBE, "identified");
        return;
    }
    if (str_eq(value_get_text(c->view.about, S("want"), S("")), c->want)) {
        instance_answer(c, RV_ACTED_NO);
        return;
    }
    if (!value_get(c->desired, S("port")) != !port)
        (void)process_fail(c, RV_USER, RV_ACTED_NO, "a port cannot come or go in an update");
    else if (!instance_want(c, port, &want) &&
             !keeper_renew(c->h, &c->arena, &c->place, &want, c->ret) && !process_look(c))
        instance_answer(c, RV_ACTED_YES);
}

/* It is kept, and does nothing meanwhile. One that died is as it is: who asked sees it. */
static void instance_freeze(struct process_call *c)
{
    int on = value_get_bool(c->desired, S("frozen"), 0);

    if (c->view.life == KEEPER_LIVES &&
        ((on ? keeper_freeze : keeper_thaw)(c->h, &c->arena, &c->place, c->op->epoch, c->ret) ||
         process_look(c)))
        return;
    instance_read(c);
    c->ret->acted = RV_ACTED_YES;
}

/* It is to end by itself what would stay open. One that died has nothing open. */
static void instance_drain(struct process_call *c)
{
    if (c->view.life == KEEPER_LIVES &&
        keeper_drain(c->h, &c->arena, &c->place, c->op->epoch, c->ret))
        return;
    instance_read(c);
    c->ret->acted = RV_ACTED_YES;
}

static void instance_apply(struct process_call *c)
{
    if (process_adopt(c))
        return;
    if (value_get(c->desired, S("frozen")))
        instance_freeze(c);
    else if (value_get(c->desired, S("draining")))
        instance_drain(c);
    else if (c->view.life == KEEPER_LIVES)
        instance_keep(c);
    else
        instance_start(c);
}

const struct process_type process_instance = {
    .name = "instance",
    .read = instance_read,
    .apply = instance_apply,
    .resume = instance_apply, /* a repeated apply does what is left */
    .forget = process_port_release,
};
