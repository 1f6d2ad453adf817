/* What an environment is told from outside, and asked. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/engine_state.h"
#include "reconciler/engine/env_task.h"

void env_task_rebind(struct env_task *env, struct source_task *source, struct str branch)
{
    env->next_source = source;
    env->next_branch = str_copy(&env->own, branch);
    env_task_wake(env);
}

void env_task_wake(struct env_task *env)
{
    env->is_resting = 0;
    env->is_woken = 1;
    wait_signal(&env->task);
}

void env_task_suspect(struct env_task *env, int is_left)
{
    env->is_suspect = 1;
    env->is_left |= is_left;
}

void env_task_trust(struct env_task *env)
{
    if (!env->is_suspect)
        return;
    env->is_suspect = env->is_left = env->is_held_told = 0;
    for (const struct env_left *l = TAKE(env->left); l; l = l->next)
        env_run_begin(env, &l->plan, NULL, l->lane);
}

enum plan_cause env_ask_cause(const struct rec_environment *row)
{
    return str_eq_c(row->ask, plan_cause_name(PLAN_CAUSE_UNDO)) ? PLAN_CAUSE_UNDO
                                                                : PLAN_CAUSE_ROLLBACK;
}

void env_task_ask(struct env_task *env, const struct rec_environment *row)
{
    if (!row->ask.p)
        return;
    env->asked = (struct env_ask){
        .cause = env_ask_cause(row),
        .revision = row->ask_revision,
        .actor = str_copy(&env->own, row->ask_actor),
    };
    env_task_wake(env);
}

int env_task_is_settled(const struct env_task *env)
{
    if (!env->is_resting || env_is_asked(&env->asked))
        return 0;
    if (env->main && !(env->engine->options.once && run_is_stuck(env->main)))
        return 0;
    for (const struct run *r = env->runs; r; r = r->next)
        if (r != env->main && !run_is_waiting(r))
            return 0;
    return 1;
}

void env_task_stop(struct env_task *env)
{
    task_cancel(&env->watch.task, ERR_CANCELLED);
    job_task_stop(&env->jobs);
    task_cancel(&env->task, ERR_CANCELLED);
    for (struct run *r = env->runs; r; r = r->next)
        run_stop(r);
}
