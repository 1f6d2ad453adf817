/* What is to be planned. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/env_objects.h"
#include "reconciler/engine/env_row.h"
#include "reconciler/engine/env_secrets.h"
#include "state/plans.h"

/* Of those that are met like this, or more strictly. */
static int count_lost(const struct env_task *env, enum drift_mode mode)
{
    int n = 0;

    for (size_t i = 0; i < env->n_observations; i++)
        n += env->observations[i].is_live && env->observations[i].health == INSTANCE_LOST &&
             env->observations[i].mode <= mode;
    return n;
}

/* What a person asked for and somebody has to approve is asked for until that is decided. */
static int take_up_ask(struct env_task *env, struct err *err)
{
    const struct rec_environment *row = &env->snapshot.env;
    struct rec_plan *plans;
    size_t n;

    if (env->ask.cause != PLAN_CAUSE_COMMIT || !row->ask.p)
        return 0;
    if (plans_list(env->engine->db, &env->cycle, env->uid, 1, &plans, &n, err))
        return err->code;
    if (n && str_eq(plans[0].cause, row->ask) &&
        (str_eq_c(plans[0].state, "waiting") || str_eq_c(plans[0].state, "approved")))
        env->ask = (struct env_ask){ env_ask_cause(row), row->ask_revision, row->ask_actor };
    return 0;
}

static enum plan_cause plan_cause_now(const struct env_task *env)
{
    if (env->ask.cause != PLAN_CAUSE_COMMIT)
        return env->ask.cause;
    if (count_lost(env, DRIFT_ENFORCE) && !digest_is_none(&env->snapshot.env.live_rev))
        return PLAN_CAUSE_REPAIR; /* before anything new: a set that is not whole cannot be compared with */
    if (env->n_wishes && !digest_is_none(&env->snapshot.env.live_rev))
        return PLAN_CAUSE_SCALE;
    if (env_objects_have_drifted(env) && !digest_is_none(&env->snapshot.env.live_rev))
        return PLAN_CAUSE_DRIFT;
    return PLAN_CAUSE_COMMIT;
}

static int plan_now(struct env_task *env, enum plan_cause cause, struct err *err)
{
    const struct snapshot_load in = {
        .engine = env->engine,
        .env_uid = env->uid,
        .cause = cause,
        .target = &env->spec,
        .observations = env->observations,
        .n_observations = env->n_observations,
        .objects = env->objects,
        .n_objects = env->n_objects,
        .rule = env->rule,
        .now_ms = clock_task_due_ms(&env->engine->clock),
    };

    if (!plan_cause_repairs(cause) && env_hosts_check(env, err))
        return err->code;
    if (snapshot_load(&env->cycle, &in, &env->snapshot, err))
        return err->code;
    env->snapshot.wishes = env->wishes;
    env->snapshot.n_wishes = env->n_wishes;
    return plan_make(&env->cycle, &env->snapshot, &env->plan, err);
}

/* What the plan is for when no commit says so: what a person asked for, or what was applied last. */
static int plan_for_revision(struct env_task *env, enum plan_cause cause, struct err *err)
{
    const struct digest *revision = plan_cause_repairs(cause) ? &env->snapshot.env.live_rev
                                                              : &env->ask.revision;
    const struct environment_spec newest = env->spec;
    int had_spec = env->has_spec;
    struct str unused; /* the plan names each */

    env->has_spec = 0;
    if (snapshot_load_revision(&env->cycle, env->engine->db, env->uid, revision, &env->spec, err))
        return err->code;
    if (had_spec)
        env_objects_take_modes(&env->spec, &newest);
    if (cause == PLAN_CAUSE_ROLLBACK &&
        env_secrets_repin(env->engine, &env->cycle, env->uid, &env->spec, &unused, err))
        return err->code;
    return plan_now(env, cause, err);
}

static int plan_for_commit(struct env_task *env, struct err *err)
{
    int n_undone;

    if (env_authors_raise(env, err) || plan_now(env, PLAN_CAUSE_COMMIT, err) ||
        env_undone_keep(env, &n_undone, err))
        return err->code;
    return n_undone ? plan_now(env, PLAN_CAUSE_COMMIT, err) : 0;
}

/* What drifted is made as it was by a plan of its own. Where that has to wait, and a commit wants something else,
 * that commit's plan does it too. What load asks for waits for nothing: it is asked for again. 1: this cycle's plan was
 * made. */
static int plan_apart(struct env_task *env, enum plan_cause cause, struct err *err)
{
    const struct environment_spec newest = env->spec;
    int has_spec = env->has_spec, may_start;

    if (plan_for_revision(env, cause, err))
        return err->code;
    if (!plan_is_empty(&env->plan)) {
        if (cause == PLAN_CAUSE_DRIFT &&
            (!has_spec || digest_eq(&newest.revision, &env->snapshot.env.live_rev)))
            return 1;
        if (env_store_may_start(env, &may_start, err))
            return err->code;
        if (may_start)
            return 1;
    }
    env->spec = newest;
    env->has_spec = has_spec;
    return 0;
}

/* Without specs, and with everything in its place, there is only the trouble to tell. */
static int is_idle(const struct env_task *env, enum plan_cause cause)
{
    return !env->has_spec && cause == PLAN_CAUSE_COMMIT;
}

/* Nothing is to be done: why, and whether a person has to. */
static int say_settled(struct env_task *env, struct err *err)
{
    struct env_words w = {
        .sync = !env->plan.notes.n                                   ? S("in_sync")
                : str_starts(env->plan.notes.p[0], S("protected: ")) ? S("waiting")
                                                                     : S("reverted"),
        .health = count_lost(env, DRIFT_REPORT) ? S("degraded") : STR_NONE,
        .reason = env->plan.notes.n ? env->plan.notes.p[0] : env_below_floor(env),
        .with_commit = env->has_spec && !env->plan.notes.n,
    };
    int rc = env_row_is_parked(env, &w.reason, err);

    if (rc < 0)
        return rc;
    if (rc)
        w.sync = S("parked");
    return env_row_say(env, w, err);
}

/* Beside a plan that waits for a person: what is lost of what that one leaves alone. */
static int make_beside(struct env_task *env, struct err *err)
{
    if (!count_lost(env, DRIFT_ENFORCE) || digest_is_none(&env->snapshot.env.live_rev))
        return 0;
    if (plan_for_revision(env, PLAN_CAUSE_REPAIR, err))
        return err->code;
    return plan_is_empty(&env->plan) ? 0 : env_store_plan(env, err);
}

/* The last repair failed: what the newest commit wants goes first. 0: that wants nothing, or is stored and waits, and
 * what is lost is tried again meanwhile. 1: this cycle's plan was made. */
static int make_instead(struct env_task *env, struct err *err)
{
    if (plan_for_commit(env, err))
        return err->code;
    if (plan_is_empty(&env->plan))
        return 0;
    if (env_store_plan(env, err))
        return err->code;
    return env->starts || env->is_doubtful || env->lacks_authors || env->lacks_firsts ||
           env->lacks_checks;
}

int env_plan_make(struct env_task *env, struct err *err)
{
    const struct environment_spec newest = env->spec;
    int has_spec = env->has_spec, rc;
    enum plan_cause cause;

    env->starts = 0;
    if (environments_by_uid(env->engine->db, &env->cycle, env->uid, &env->snapshot.env, err))
        return err->code;
    if (env->is_beside)
        return make_beside(env, err);
    if (env->has_spec && env_secrets_note(env->engine, &env->cycle, env->uid, &env->pins, err))
        return err->code;
    if (take_up_ask(env, err) || env_objects_judge(env, err))
        return err->code;
    cause = plan_cause_now(env);
    if (env->waits && (cause == PLAN_CAUSE_COMMIT || env->cannot_repair))
        return 0;
    if (cause == PLAN_CAUSE_REPAIR && env->cannot_repair && has_spec) {
        rc = make_instead(env, err);
        if (rc)
            return rc < 0 ? rc : 0;
        env->spec = newest;
        env->has_spec = has_spec;
    }
    while (cause == PLAN_CAUSE_SCALE || cause == PLAN_CAUSE_DRIFT) {
        rc = plan_apart(env, cause, err);
        if (rc)
            return rc < 0 ? rc : env_store_plan(env, err);
        env->n_wishes = 0;
        cause = cause == PLAN_CAUSE_SCALE ? plan_cause_now(env) : PLAN_CAUSE_COMMIT;
    }
    if (cause != PLAN_CAUSE_COMMIT && plan_for_revision(env, cause, err))
        return err->code;
    if (cause == PLAN_CAUSE_REPAIR &&
        plan_is_empty(&env->plan)) { /* lost, but of nothing that was recorded */
        if (env->waits)
            return 0;
        env->spec = newest;
        env->has_spec = has_spec;
        cause = PLAN_CAUSE_COMMIT;
    }
    if (is_idle(env, cause))
        return env->trouble.n ? env_plan_trouble(env, err) : 0;
    if (cause == PLAN_CAUSE_COMMIT && plan_for_commit(env, err))
        return err->code;
    if (!plan_is_empty(&env->plan))
        return env_store_plan(env, err);
    if (env->is_unswept && env_secrets_sweep(env->engine, &env->cycle, &env->snapshot.env, err))
        return err->code;
    env->is_unswept = 0;
    if (env_store_forget_pending(env, err) ||
        (env->has_spec && !env->plan.notes.n && env_hosts_keep(env, err)))
        return err->code;
    return say_settled(env, err);
}
