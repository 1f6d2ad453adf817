/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/rollout_canary.h"

static const struct value *steps_of(const struct member *m)
{
    const struct value *rollout = value_get(m->desired, S("rollout"));

    if (!str_eq_c(value_get_text(rollout, S("strategy"), S("")), "canary"))
        return NULL;
    return value_at(rollout, S("canary.steps"));
}

static void merge_step(struct canary *c, size_t at, const struct value *step)
{
    int64_t share = value_get_int(step, S("weight"), PLAN_SHARE_ALL);
    int64_t pause_ms = value_get_int(step, S("pause_ms"), 0);
    struct canary_step *one = &c->p[at];

    if (at == c->n)
        c->p[c->n++] = (struct canary_step){ .share = PLAN_SHARE_ALL };
    one->share = share < one->share ? share : one->share;
    one->pause_ms = pause_ms > one->pause_ms ? pause_ms : one->pause_ms;
    one->is_manual |= value_get_bool(step, S("manual"), 0);
}

/* Who is live and will have requests; what only the new set can live with leaves the live one nothing to share. */
static int can_share(const struct lowering *low, int group, const struct member *members, size_t n)
{
    int any_live = 0;

    for (size_t i = 0; i < n; i++)
        any_live |= members[i].live && members[i].live->backend.p && members[i].is_routed;
    return any_live && !low->plan->groups.p[group].is_one_way;
}

struct canary rollout_canary_of(const struct lowering *low, int group, const struct member *members,
                                size_t n)
{
    struct canary c = { .n = 0 };

    if (!can_share(low, group, members, n))
        return c;
    for (size_t i = 0; i < n; i++) {
        const struct value *steps = steps_of(&members[i]);

        for (size_t k = 0; k < value_count(steps) && k < CANARY_STEPS_MAX; k++)
            merge_step(&c, k, value_item(steps, k));
    }
    if (c.n && low->plan->groups.p[group].holds)
        c.p[c.n - 1].is_manual = 1;
    return c;
}

struct flip rollout_canary_lower(struct lane *l, const struct canary *c,
                                 const struct member *members, size_t n)
{
    struct flip first = { ROLLOUT_NO_ITEM, ROLLOUT_NO_ITEM };

    for (size_t i = 0; i < c->n; i++) {
        struct flip made = rollout_switch_share(l, members, n, c->p[i].share);

        first = i ? first : made;
        rollout_items_share(
            l, members, n,
            &(struct watched_share){ c->p[i].share, c->p[i].pause_ms, c->p[i].is_manual });
    }
    return first;
}
