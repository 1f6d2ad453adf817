/* What one pass of an environment knows: begun, compared, dropped. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/env_task.h"

void env_cycle_drop(struct env_task *env)
{
    if (env->head)
        head_let_go(TAKE(env->head));
    run_plan_free(TAKE(env->made));
    arena_reset(&env->cycle);
    env->has_spec = 0;
    env->trouble = STR_NONE;
    env->rewound = S("");
    env->starts = env->is_beside = env->is_doubtful = env->keeps_ask = env->lacks_authors = 0;
    env->firsts.p = NULL;
    env->firsts.n = env->firsts.cap = 0;
    env->lacks_firsts = env->lacks_checks = 0;
    env->checks_wanted = NULL;
    env->authors_to = STR_NONE;
    env->n_observations = env->n_objects = env->n_wishes = 0;
}

void env_cycle_find_rule(struct env_task *env)
{
    env->rule = env->source ? daemon_rule(env->engine->options.daemon, env->source->name,
                                          S("environment"), env->name, &env->rule_index)
                            : NULL;
}

/* The line of its commits was that of another branch. */
static void env_move(struct env_task *env)
{
    env->source = TAKE(env->next_source);
    env->branch = env->next_branch;
    env->line = 0;
    env_cycle_find_rule(env);
}

void env_cycle_begin(struct env_task *env)
{
    env_cycle_drop(env);
    in_work_mark(&env->engine->in_work, env->slot, env->uid);
    if (env->next_source)
        env_move(env);
    env->is_in_trouble = env->is_woken = 0;
    env->again_ms = -1;
    env->checks.is_heard = 0;
    env->wishes = scale_look_take(&env->watch.scales, &env->cycle, &env->n_wishes);
    env->head = head_use(env->source ? source_task_head(env->source, env->branch) : NULL);
}

int env_cycle_supersedes_main(struct env_task *env)
{
    const struct run *r = env->main;

    if (!env->has_spec || env->rewound.n || !r->is_loaded || plan_cause_repairs(r->plan.cause))
        return 0;
    if (digest_is_none(&env->wanted) &&
        (r->plan.cause != PLAN_CAUSE_COMMIT || str_eq(r->commit_id, env->head->commit) ||
         digest_eq(&r->plan.target, &env->spec.revision)))
        env->wanted = env->spec.revision;
    return !digest_eq(&env->spec.revision, &env->wanted);
}

int env_cycle_finishes_first(const struct env_task *env)
{
    const struct value *trigger = value_get(env->spec.policy, S("trigger"));

    return str_eq_c(value_get_text(trigger, S("concurrency"), S("latest")), "queue") ||
           value_count(value_get(trigger, S("require_environment"))) ||
           value_count(value_get(trigger, S("require_checks")));
}
