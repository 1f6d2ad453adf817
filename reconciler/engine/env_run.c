/* The plans of an environment that are being applied. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/env_trigger.h"

#include "base/alloc.h"
#include "base/log.h"

#define ENV_FAILED_FIRST_MS 10000 /* before a plan that failed is tried again */

/* What repairs beside it is the main one then: nothing else begins before its end. */
static void env_run_leave(struct env_task *env, const struct run *r)
{
    if (env->main == r)
        env->main = TAKE(env->beside);
    else if (env->beside == r)
        env->beside = NULL;
}

static void env_run_ended(struct task *t, void *ctx)
{
    struct run *r = container_of(t, struct run, task), **at;
    struct env_task *env = ctx;

    if (env->engine->stopping)
        return; /* what it began may still run; all of it is freed with the environment */
    for (at = &env->runs; *at != r; at = &(*at)->next)
        PRE(*at != NULL);
    *at = r->next;
    if (env->main == r || env->beside == r) /* it could not even be loaded */
        LOG(LOG_ERROR, "plan cannot go on", LOG_S("env", env->name), LOG_C("err", t->err.text));
    env_run_leave(env, r);
    run_fini(r);
    alloc_free(r);
    env->is_unswept = 1;
    env_task_wake(env);
}

/* A repair that works says nothing of the commit that failed before it. */
static void env_main_ended(struct run *r, void *ctx)
{
    struct env_task *env = ctx;
    static const char *const words[] = { "runs", "applied", "reverted", "superseded", "failed" };

    int is_repair = plan_cause_repairs(r->plan.cause), repair_failed = env->cannot_repair;
    int is_scale = r->plan.cause == PLAN_CAUSE_SCALE; /* asked for again by what it is for */

    if (env->main == r)
        env->superseded_in_row = r->main_end == SCHEDULE_SUPERSEDED ? env->superseded_in_row + 1
                                                                    : 0;
    env_run_leave(env, r);
    job_task_wake(&env->jobs);
    env->is_unswept = 1;
    env->is_held_told = 0;
    if (!is_scale && (is_repair || r->main_end == SCHEDULE_APPLIED))
        env->cannot_repair = r->main_end != SCHEDULE_APPLIED;
    if (!is_scale && (r->main_end == SCHEDULE_FAILED || r->main_end == SCHEDULE_REVERTED)) {
        env->failures++;
        env->not_before_mono_ms = loop_mono_ms(env->task.loop) + ENV_FAILED_FIRST_MS +
                                  retry_delay_ms(env->failures, loop_random(env->task.loop));
    } else if (r->main_end == SCHEDULE_APPLIED && (!is_repair || (repair_failed && !is_scale))) {
        env->failures = env->not_before_mono_ms = 0;
    }
    env->last_trouble = (struct digest){ 0 };
    LOG(r->main_end == SCHEDULE_APPLIED ? LOG_INFO : LOG_WARN, "plan ended",
        LOG_S("env", env->name), LOG_C("end", words[r->main_end]), LOG_S("reason", r->reason));
    if (!run_is_over(r)) /* else its end wakes, once for both */
        env_task_wake(env);
    env_trigger_moved(env->engine);
}

/* The tails of earlier plans keep nothing of what this one moved. */
static void env_run_moved(struct run *moving, const struct value *members, void *ctx)
{
    const struct env_task *env = ctx;

    for (struct run *r = env->runs; r; r = r->next)
        for (size_t i = 0; r != moving && i < value_count(members); i++)
            run_take_over(r, value_get_text(value_item(members, i), S("service"), S("")));
}

/* What somebody has to settle, or says yes to, is all that it waits for. */
int env_run_leaves_rest(struct env_task *env)
{
    if (!env->main || env->beside || !run_needs_person(env->main) ||
        loop_mono_ms(env->task.loop) < env->not_before_mono_ms)
        return 0;
    map_init(&env->moving, &env->cycle);
    run_add_moving(env->main, &env->moving);
    return 1;
}

void env_run_begin(struct env_task *env, const struct digest *plan_id, struct run_plan *take_made,
                   enum env_lane lane)
{
    struct run *r = alloc_zero(sizeof(*r));

    if (!r)
        run_plan_free(take_made);
    if (!r)
        return; /* the plan stays `applying`; the next cycle finds it so */
    in_work_mark(&env->engine->in_work, env->slot, env->uid);
    run_start(r, &(struct run_options){ .engine = env->engine,
                                        .plan_id = *plan_id,
                                        .take_made = take_made,
                                        .env_name = env->name,
                                        .main_ended = env_main_ended,
                                        .moved = env_run_moved,
                                        .ended = env_run_ended,
                                        .ctx = env });
    r->next = env->runs;
    env->runs = r;
    if (lane == ENV_RUNS_MAIN || (lane == ENV_RUNS_BESIDE && !env->main))
        env->main = r;
    else if (lane == ENV_RUNS_BESIDE)
        env->beside = r;
}

void env_task_resume(struct env_task *env, const struct digest *plan_id, enum env_lane lane)
{
    int waits = env->is_left ||
                (env->is_suspect && lane != ENV_RUNS_MAIN); /* the main part goes back */
    struct env_left *left = waits ? arena_new(&env->own, struct env_left) : NULL;

    if (left) {
        *left = (struct env_left){ env->left, *plan_id, lane };
        env->left = left;
    } else if (!waits) {
        env_run_begin(env, plan_id, NULL, lane);
    }
}

void env_task_reload(struct env_task *env, const struct digest *plan_id)
{
    struct run *r = env->runs;

    while (r && !digest_eq(&r->plan_id, plan_id))
        r = r->next;
    if (r)
        run_reload(r);
    else
        env_run_begin(env, plan_id, NULL, ENV_RUNS_TAIL);
    env_task_wake(env);
}
