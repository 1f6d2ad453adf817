/* Who keeps what for a service that changes: no lost request, an undo, a bake. SPDX-License-Identifier: Apache-2.0
 *
 * A remark for each promise, with the services that it is made for; it changes nothing of what is done. */
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
        return S("there are no requests to lose");
    return x->fate == FATE_RECREATE
               ? S("requests are lost while it is down, nobody keeps them")
               : S("no request is lost, reeve moves the traffic only to what is ready");
}

/* Another set is kept whole beside the new one. */
static struct str promise_undo(struct arena *a, const struct planner *p, const struct subject *x)
{
    int64_t keep_ms = rollout_ms(&x->m, S("keep_previous_ms"));

    if (!x->m.live && !x->was)
        return S("there is nothing before it to go back to");
    if (x->fate != FATE_ROLL || !x->m.live || !keep_ms || p->s->cause == PLAN_CAUSE_UNDO ||
        str_eq_c(value_get_text(x->m.desired, S("standby"), S("")), "stopped"))
        return S("there is no undo, only a rollout back");
    return str_fmt(a, "undo is possible for %.*s afterwards, reeve keeps what served before",
                   STR_ARG(render_length_words(a, keep_ms)));
}

static struct str promise_bake(struct arena *a, const struct planner *p, const struct subject *x)
{
    int64_t bake_ms = rollout_ms(&x->m, S("bake_time_ms"));

    if (!bake_ms || p->s->cause == PLAN_CAUSE_UNDO)
        return S("what is new counts as proven as soon as it is ready");
    return str_fmt(a, "reeve watches what is new for %.*s before it counts as proven",
                   STR_ARG(render_length_words(a, bake_ms)));
}

static void promise(struct planner *p, struct map *said, struct str text, struct str service)
{
    struct arena *a = p->low.a;
    const struct str *names = map_find(said, text);
    struct str *all = arena_new(a, struct str);

    if (!all)
        return; /* the arena remembers */
    *all = names ? str_fmt(a, "%.*s, %.*s", STR_ARG(*names), STR_ARG(service)) : service;
    map_replace(said, text, all);
}

void plan_promises_remark(struct planner *p)
{
    struct map said;

    map_init(&said, p->low.a);
    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct subject *x = &p->subjects.p[i];

        if (x->fate != FATE_ROLL && x->fate != FATE_ROLLING && x->fate != FATE_RECREATE)
            continue;
        promise(p, &said, promise_requests(x), x->m.service);
        promise(p, &said, promise_undo(p->low.a, p, x), x->m.service);
        promise(p, &said, promise_bake(p->low.a, p, x), x->m.service);
    }
    for (size_t i = 0; i < said.n; i++) {
        const struct str *names = said.entries[i].value;
        struct str *slot = vec_push(p->low.a, &p->plan->remarks);

        if (slot)
            *slot = str_fmt(p->low.a, "%.*s: %.*s", STR_ARG(*names), STR_ARG(said.entries[i].key));
    }
}
