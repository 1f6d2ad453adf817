/* The gates and marks of rollouts. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/identity.h"
#include "reconciler/core/rollout_items.h"
#include "reconciler/core/share.h"

static void set_part(struct lowering *low, struct value *map, struct str field,
                     const struct value *from, struct str path)
{
    share_part(low->a, map, field, value_at(from, path));
}

static void add_gate(struct lane *l, int step, struct str type, struct str name, struct str service,
                     const struct digest *key, struct value *need)
{
    struct arena *a = l->low->a;

    value_set_text(a, need, S("type"), type);
    (void)rollout_items_add(l, step,
                            (struct plan_item){
                                .action = PLAN_GATE,
                                .kind = S("gate"),
                                .name = str_fmt(a, "%.*s:%.*s", STR_ARG(type), STR_ARG(name)),
                                .service = service,
                                .set_key = key ? *key : (struct digest){ { 0 } },
                                .gate = need,
                            });
}

static struct str group_name(const struct lane *l)
{
    return str_slice(digest_hex(l->low->a, &l->low->plan->groups.p[l->group].digest), 0,
                     IDENTITY_SHORT);
}

static int64_t milliseconds(const struct value *service, struct str path)
{
    const struct value *v = value_at(service, path);

    return value_is(v, VALUE_INT) ? v->u.number : 0;
}

void rollout_items_ready(struct lane *l, const struct member *m, const struct value *service,
                         const struct digest *key, int64_t replicas)
{
    struct arena *a = l->low->a;
    struct value *need = value_map(a);

    set_part(l->low, need, S("probe"), service, S("healthcheck.readiness"));
    set_part(l->low, need, S("min_healthy_ms"), service, S("rollout.min_healthy_time_ms"));
    value_set_int(a, need, S("length_ms"),
                  milliseconds(service, S("rollout.healthy_deadline_ms")) +
                      milliseconds(service, S("healthcheck.readiness.start_period_ms")));
    set_part(l->low, need, S("progress_ms"), service, S("rollout.progress_deadline_ms"));
    value_set_int(a, need, S("replicas"), replicas);
    if (m->live && !digest_eq(&m->live->set_key, key))
        value_set_text(a, need, S("live"), digest_hex(a, &m->live->set_key));
    add_gate(l, 5, S("ready"), identity_set_name(a, m->service, key), m->service, key, need);
}

static struct value *watched_member(struct lowering *low, const struct member *m,
                                    const struct value *service, const struct digest *key)
{
    struct arena *a = low->a;
    struct value *one = value_map(a);

    value_set_text(a, one, S("service"), m->service);
    value_set_text(a, one, S("set"), digest_hex(a, key));
    if (m->live)
        value_set_text(a, one, S("live"), digest_hex(a, &m->live->set_key));
    if (m->live &&
        (!m->runs || m->leaves_gaps)) /* what of it is lost is not made again: that ends no watch */
        value_set(a, one, S("unrecorded"), value_bool(a, 1));
    set_part(low, one, S("abort_if"), service, S("rollout.abort_if"));
    set_part(low, one, S("probe"), service, S("healthcheck.readiness"));
    return one;
}

static int64_t longest(const struct member *members, size_t n, struct str path)
{
    int64_t most = 0;

    for (size_t i = 0; i < n; i++) {
        const struct value *v = value_at(members[i].desired, path);

        if (value_is(v, VALUE_INT) && v->u.number > most)
            most = v->u.number;
    }
    return most;
}

static struct value *watched_members(struct lowering *low, const struct member *members, size_t n)
{
    struct value *need = value_map(low->a), *list = value_list(low->a);

    for (size_t i = 0; i < n; i++)
        value_add(low->a, list,
                  watched_member(low, &members[i], members[i].desired, &members[i].set_key));
    value_set(low->a, need, S("members"), list);
    return need;
}

void rollout_items_share(struct lane *l, const struct member *members, size_t n,
                         const struct watched_share *w)
{
    struct arena *a = l->low->a;
    struct value *need = watched_members(l->low, members, n);

    value_set_int(a, need, S("share"), w->share);
    value_set_int(a, need, S("length_ms"), w->pause_ms);
    if (w->is_manual)
        value_set(a, need, S("manual"), value_bool(a, 1));
    add_gate(l, 7, S("bake"), group_name(l), S(""), NULL, need);
}

void rollout_items_promote(struct lane *l, int step, const struct member *members, size_t n)
{
    struct value *need;

    if (!l->low->plan->groups.p[l->group].holds)
        return;
    rollout_items_step(l);
    need = watched_members(l->low, members, n);
    value_set(l->low->a, need, S("manual"), value_bool(l->low->a, 1));
    add_gate(l, step, S("promote"), group_name(l), S(""), NULL, need);
    rollout_items_step(l);
}

void rollout_items_bake(struct lane *l, const struct member *members, size_t n)
{
    struct lowering *low = l->low;
    struct value *need = watched_members(low, members, n);

    value_set_int(low->a, need, S("length_ms"), longest(members, n, S("rollout.bake_time_ms")));
    add_gate(l, 7, S("bake"), group_name(l), S(""), NULL, need);
}

/* What served before is asked by its own probe; what was tried is looked at, too. */
void rollout_items_recover(struct lane *l, const struct member *members, size_t n, struct str path)
{
    struct lowering *low = l->low;
    struct value *need = value_map(low->a), *list = value_list(low->a);

    for (size_t i = 0; i < n; i++) {
        struct value *one;

        if (!members[i].live)
            continue;
        one = watched_member(low, &members[i], members[i].before, &members[i].live->set_key);
        value_set_text(low->a, one, S("tried"), digest_hex(low->a, &members[i].set_key));
        value_add(low->a, list, one);
    }
    if (!value_count(list))
        return;
    value_set(low->a, need, S("members"), list);
    value_set_int(low->a, need, S("length_ms"), longest(members, n, path));
    add_gate(l, 7, S("recover"), group_name(l), S(""), NULL, need);
}

void rollout_items_keep(struct lane *l, const struct member *m)
{
    struct value *need = value_map(l->low->a);

    set_part(l->low, need, S("length_ms"), m->desired, S("rollout.keep_previous_ms"));
    add_gate(l, 9, S("keep"), identity_set_name(l->low->a, m->service, &m->live->set_key),
             m->service, &m->live->set_key, need);
}

/* How long it may take, and what of that is for ending what stays open. */
static void set_drain(struct lane *l, struct value *need, const struct value *service)
{
    int64_t drain = milliseconds(service, S("termination.drain_ms"));
    int64_t most = milliseconds(service, S("termination.long_lived.max_ms"));
    int64_t spread = milliseconds(service, S("termination.long_lived.spread_ms"));

    if (!value_at(service, S("termination.long_lived"))) {
        set_part(l->low, need, S("length_ms"), service, S("termination.drain_ms"));
        return;
    }
    value_set_int(l->low->a, need, S("length_ms"), (most > drain ? most : drain) + spread);
    value_set_int(l->low->a, need, S("spread_ms"), spread);
}

/* What drains is told, so that it ends by itself what would stay open; the gate begins behind that. */
static void tell_drained(struct lane *l, int step, const struct member *m,
                         const struct value *service, const struct digest *key, struct span span,
                         size_t gate)
{
    const struct value *long_lived = value_at(service, S("termination.long_lived"));
    struct value *desired = value_map(l->low->a);

    if (!value_get_bool(long_lived, S("notify"), 0))
        return;
    value_set(l->low->a, desired, S("draining"), value_bool(l->low->a, 1));
    for (int64_t i = span.from; i < span.to; i++) {
        rollout_items_need(l->low, gate,
                           rollout_items_act(l, step, PLAN_UPDATE, m, key, i, desired));
    }
}

static int64_t count_instances(const struct member *m, const struct digest *key)
{
    for (size_t i = 0; i < m->n_sets; i++)
        if (digest_eq(&m->sets[i]->set_key, key))
            return m->sets[i]->replicas;
    return m->replicas;
}

void rollout_items_drain(struct lane *l, int step, const struct member *m,
                         const struct value *service, const struct digest *key, struct span span)
{
    struct value *need = value_map(l->low->a);
    size_t gate = l->low->plan->items.n;

    set_drain(l, need, service);
    add_gate(l, step, S("drained"), identity_set_name(l->low->a, m->service, key), m->service, key,
             need);
    tell_drained(l, step, m, service, key, span, gate);
}

void rollout_items_drained(struct lane *l, int step, const struct member *m,
                           const struct value *service, const struct digest *key)
{
    rollout_items_drain(l, step, m, service, key, (struct span){ 0, count_instances(m, key) });
}

void rollout_items_left(struct lane *l, int step, const struct member *m,
                        const struct value *service, const struct digest *key,
                        const struct digest *leaving, struct span span)
{
    struct arena *a = l->low->a;
    struct value *need = value_map(a), *who = value_map(a);
    size_t gate = l->low->plan->items.n;

    value_set_text(a, who, S("set"), digest_hex(a, leaving));
    value_set_int(a, who, S("from"), span.from);
    value_set_int(a, who, S("to"), span.to);
    value_set(a, need, S("leaving"), who);
    set_drain(l, need, service);
    add_gate(l, step, S("drained"), identity_set_name(a, m->service, key), m->service, key, need);
    tell_drained(l, step, m, service, leaving, span, gate);
}

size_t rollout_items_mark(struct lane *l, int step, struct str word, const struct value *desired)
{
    return rollout_items_add(
        l, step,
        (struct plan_item){
            .action = PLAN_MARK,
            .kind = S("mark"),
            .name = str_fmt(l->low->a, "%.*s:%.*s", STR_ARG(word), STR_ARG(group_name(l))),
            .desired = desired,
        });
}
