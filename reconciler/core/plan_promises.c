/* Who keeps what for a service that changes: no lost request, an undo, a bake. SPDX-License-Identifier: Apache-2.0
 *
 * A remark for each kind of change, with the services that it is about; it changes nothing of what is done. */
#include "base/map.h"
#include "reconciler/core/planner.h"
#include "reconciler/core/render.h"

static int64_t rollout_ms(const struct member *m, struct str field)
{
    return value_get_int(value_get(m->desired, S("rollout")), field, 0);
}

static struct str promise_requests(const struct subject *x)
{
    if (!x->m.is_routed)
        return S("requests: it gets none");
    return x->fate == FATE_RECREATE ? S("lost requests: nobody keeps them, it is down for a while")
                                    : S("lost requests: 0, by reeve");
}

/* Another set is kept whole beside the new one. */
static struct str promise_undo(struct arena *a, const struct planner *p, const struct subject *x)
{
    int64_t keep_ms = rollout_ms(&x->m, S("keep_previous_ms"));

    if (x->fate != FATE_ROLL || !x->m.live || !keep_ms || p->s->cause == PLAN_CAUSE_UNDO ||
        str_eq_c(value_get_text(x->m.desired, S("standby"), S("")), "stopped"))
        return S("undo: none, only a rollout back");
    return str_fmt(a, "undo: %.*s, by reeve", STR_ARG(render_spec_length(a, keep_ms)));
}

static struct str promise_bake(struct arena *a, const struct planner *p, const struct subject *x)
{
    int64_t bake_ms = rollout_ms(&x->m, S("bake_time_ms"));

    if (!bake_ms || p->s->cause == PLAN_CAUSE_UNDO)
        return S("bake: none");
    return str_fmt(a, "bake: %.*s, by reeve", STR_ARG(render_spec_length(a, bake_ms)));
}

static void promise(struct planner *p, struct map *said, const struct subject *x)
{
    struct arena *a = p->low.a;
    struct str text = str_fmt(a, "%.*s; %.*s; %.*s", STR_ARG(promise_requests(x)),
                              STR_ARG(promise_undo(a, p, x)), STR_ARG(promise_bake(a, p, x)));
    const struct str *names = map_find(said, text);
    struct str *all = arena_new(a, struct str);

    if (!all)
        return; /* the arena remembers */
    *all = names ? str_fmt(a, "%.*s, %.*s", STR_ARG(*names), STR_ARG(x->m.service)) : x->m.service;
    map_replace(said, text, all);
}

void plan_promises_remark(struct planner *p)
{
    struct map said;

    map_init(&said, p->low.a);
    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct subject *x = &p->subjects.p[i];

        if (x->fate == FATE_ROLL || x->fate == FATE_ROLLING || x->fate == FATE_RECREATE)
            promise(p, &said, x);
    }
    for (size_t i = 0; i < said.n; i++) {
        const struct str *names = said.entries[i].value;
        struct str *slot = vec_push(p->low.a, &p->plan->remarks);

        if (slot)
            *slot = str_fmt(p->low.a, "%.*s: %.*s", STR_ARG(*names), STR_ARG(said.entries[i].key));
    }
}
