/* How many instances and objects the commits of an environment may make in an hour. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/object.h"
#include "reconciler/engine/env_row.h"

#define CREATES_WITHIN_MS (60 * 60 * 1000)

static int64_t count_wanted(const struct plan *plan)
{
    int64_t n = 0;

    for (size_t i = 0; i < plan->items.n; i++)
        n += plan->items.p[i].lane == LANE_MAIN && plan->items.p[i].action == PLAN_CREATE &&
             (str_eq_c(plan->items.p[i].kind, "instance") || object_is_kind(plan->items.p[i].kind));
    return n;
}

int env_creates_wait(struct env_task *env, struct str *ret_reason, struct err *err)
{
    int64_t most = value_get_int(value_get(env->rule, S("ceiling")), S("creates"), -1),
            wanted = count_wanted(&env->plan);
    struct rec_operation *made;
    size_t n;

    if (most < 0 || !wanted || env->plan.cause != PLAN_CAUSE_COMMIT)
        return 0;
    if (DB_SELECT(env->engine->db, &env->cycle, operation,
                  "WHERE env = $1 AND action = 'create' AND intent_ms > $2 AND kind IN "
                  "('instance', 'database', 'redis', 'backup', 'dns')",
                  &made, &n, err, DB_T(env->uid),
                  DB_I(clock_task_due_ms(&env->engine->clock) - CREATES_WITHIN_MS)))
        return err->code;
    if (wanted + (int64_t)n <= most)
        return 0;
    *ret_reason = str_fmt(
        &env->cycle,
        "instances: %lld more, %zu within the last hour, at most %lld in one by the "
        "rule's ceiling of creates",
        (long long)wanted, n, (long long)most);
    return 1;
}
