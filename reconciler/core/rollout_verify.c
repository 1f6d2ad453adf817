/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/rollout_verify.h"

#include "reconciler/core/identity.h"
#include "reconciler/core/share.h"

static struct value *first_address(struct arena *a, const struct member *m)
{
    struct value *output = value_map(a);
    struct str first = identity_instance_name(a, m->service, &m->set_key, 0);

    value_set_text(a, output, S("output"), str_fmt(a, "instance/%.*s", STR_ARG(first)));
    value_set_text(a, output, S("key"), S("address"));
    return output;
}

static struct value *verify_environment(struct arena *a, const struct member *m,
                                        const struct value *verify)
{
    struct value *all = value_map(a);
    const struct value *given = value_get(verify, S("environment"));

    for (size_t i = 0; i < value_count(given); i++)
        share_part(a, all, given->u.map.entries[i].key, given->u.map.entries[i].value);
    if (value_get(m->desired, S("port")))
        value_set(a, all, S("REEVE_TARGET"), first_address(a, m));
    return all;
}

static struct value *verify_desired(struct lane *l, const struct member *m,
                                    const struct value *verify)
{
    static const struct str taken[] = { S_INIT("command"), S_INIT("timeout_ms") };
    struct arena *a = l->low->a;
    struct value *desired = value_map(a);

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        share_part(a, desired, taken[i], value_get(verify, taken[i]));
    share_part(a, desired, S("artifact"), value_get(m->desired, S("artifact")));
    share_part(a, desired, S("isolation"), value_get(m->desired, S("isolation")));
    value_set_text(a, desired, S("context"), rollout_items_context(m->desired));
    value_set(a, desired, S("environment"), verify_environment(a, m, verify));
    return desired;
}

void rollout_verify(struct lane *l, int step, const struct member *members, size_t n,
                    const char *when, struct verified *made)
{
    struct arena *a = l->low->a;

    for (size_t i = 0; i < n; i++) {
        const struct member *m = &members[i];
        const struct value *verify = value_get(m->desired, S("verify"));
        size_t *slot;

        if (!verify || !str_eq_c(value_get_text(verify, S("when"), S("")), when))
            continue;
        slot = vec_push(a, &made->runs);
        if (!slot)
            return;
        *slot = rollout_items_add(l, step,
                                  (struct plan_item){
                                      .action = PLAN_RUN,
                                      .kind = S("verify"),
                                      .name = identity_set_name(a, m->service, &m->set_key),
                                      .service = m->service,
                                      .provider = m->provider,
                                      .set_key = m->set_key,
                                      .desired = verify_desired(l, m, verify),
                                  });
    }
}

/* Not about the set, which may live on. */
void rollout_verify_drop(struct lane *l, const struct verified *made)
{
    int only_after = l->only_after;

    for (size_t i = 0; i < made->runs.n; i++) {
        const struct plan_item run = l->low->plan->items.p[made->runs.p[i]];

        l->only_after = (int)made->runs.p[i];
        (void)rollout_items_add(l, 11,
                                (struct plan_item){
                                    .action = PLAN_DELETE,
                                    .kind = run.kind,
                                    .name = run.name,
                                    .service = run.service,
                                    .provider = run.provider,
                                    .desired = value_map(l->low->a),
                                });
    }
    l->only_after = only_after;
}
