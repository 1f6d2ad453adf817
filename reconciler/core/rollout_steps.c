/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/rollout_steps.h"

void rollout_steps_note(struct arena *a, struct rollout_made *made, size_t instances,
                        size_t backend)
{
    size_t *slot = vec_push(a, &made->instances);

    if (slot)
        *slot = instances;
    slot = vec_push(a, &made->backends);
    if (slot)
        *slot = backend;
}

int rollout_steps_is_mixed(const struct member *m, const struct rec_set *set)
{
    return !set->backend.p && m->live && m->live->backend.p;
}

void rollout_steps_leave(struct lane *l, int step, const struct member *m,
                         const struct rec_set *set)
{
    rollout_items_left(l, step, m, m->before ? m->before : m->desired, &m->live->set_key,
                       &set->set_key, (struct span){ 0, set->replicas });
    rollout_items_step(l);
}

void rollout_steps_unmix(struct lane *l, int step, const struct member *m,
                         const struct rec_set *set)
{
    if (!rollout_steps_is_mixed(m, set))
        return;
    (void)rollout_items_backend(l, step, PLAN_UPDATE, m, &m->live->set_key, m->live->replicas);
    rollout_items_step(l);
    rollout_steps_leave(l, step, m, set);
}

void rollout_steps_clear(struct lane *l, int step, const struct member *members, size_t n)
{
    l->clears = 1;
    for (int stop = 0; stop < 2; stop++) {
        for (size_t i = 0; i < n; i++) {
            const struct member *m = &members[i];
            const struct value *service = m->before ? m->before : m->desired;

            for (size_t j = 0; j < m->n_sets; j++) {
                const struct rec_set *set = m->sets[j];

                if (set == m->live || set == m->warm)
                    continue;
                if (stop)
                    rollout_items_stop_set(l, step, m, service, set);
                else if (set->backend.p)
                    rollout_items_drained(l, step, m, service, &set->set_key);
                else
                    rollout_steps_unmix(l, step, m, set);
            }
        }
        rollout_items_step(l);
    }
    l->clears = 0;
}

/* Steps 3 and 4. */
void rollout_steps_make(struct lane *l, const struct member *members, size_t n,
                        struct rollout_made *made)
{
    struct arena *a = l->low->a;

    for (size_t i = 0; i < n; i++)
        if (!members[i].warm)
            rollout_items_release(l, &members[i]);
    rollout_items_step(l);
    for (size_t i = 0; i < n; i++)
        rollout_steps_note(a, made,
                           members[i].warm
                               ? ROLLOUT_NO_ITEM
                               : rollout_items_instances(l, &members[i], members[i].desired,
                                                         &members[i].set_key,
                                                         (struct span){ 0, members[i].replicas }),
                           ROLLOUT_NO_ITEM);
    rollout_items_step(l);
    for (size_t i = 0; i < made->backends.n; i++)
        if (!members[i].warm && members[i].is_routed)
            made->backends.p[i] = rollout_items_backend(l, 4, PLAN_CREATE, &members[i],
                                                        &members[i].set_key, members[i].replicas);
    rollout_items_step(l);
}

void rollout_steps_drop_verified(struct lowering *low, int group, size_t proven,
                                 const struct verified *verified)
{
    struct lane l = rollout_items_lane(low, LANE_TAIL, group);

    rollout_items_after(&l, proven);
    rollout_verify_drop(&l, verified);
}

void rollout_steps_drop_stale(struct lowering *low, int group, size_t proven, int n_switches)
{
    struct lane l = rollout_items_lane(low, LANE_TAIL, group);

    rollout_items_after(&l, proven);
    rollout_items_drop_routes(&l, n_switches - 1 + ROLLOUT_STALE_MAX);
}
