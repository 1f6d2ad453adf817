/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/rollout_standby.h"

static void add_instances(struct lane *l, int step, const struct member *m,
                          const struct rec_set *set, int is_frozen)
{
    struct arena *a = l->low->a;
    struct value *desired = value_map(a);

    value_set(a, desired, S("frozen"), value_bool(a, is_frozen));
    for (int64_t i = 0; i < set->replicas; i++)
        (void)rollout_items_act(l, step, PLAN_UPDATE, m, &set->set_key, i, desired);
    rollout_items_step(l);
}

int rollout_standby_is(const struct member *m, const char *word)
{
    return str_eq_c(value_get_text(m->desired, S("standby"), S("running")), word);
}

void rollout_standby_rest(struct lane *l, const struct member *m)
{
    if (rollout_standby_is(m, "frozen"))
        add_instances(l, 9, m, m->live, 1);
}

/* The live set's word is the one by which it rests; it may have been another when it began to. */
void rollout_standby_wake(struct lane *l, const struct member *members, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct member *m = &members[i];
        struct str now = value_get_text(m->before, S("standby"), S("running"));

        if (m->warm && (m->is_resting || str_eq_c(now, "frozen")))
            add_instances(l, 6, m, m->warm, 0);
    }
}
