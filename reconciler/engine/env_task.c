/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/env_task.h"

#include "base/alloc.h"
#include "base/crash.h"
#include "base/log.h"
#include "reconciler/engine/env_objects.h"
#include "reconciler/engine/env_queue.h"
#include "reconciler/engine/env_trigger.h"

#define ENV_CYCLE_MAX (256u << 20)
#define ENV_OWN_BYTES 192u /* three short names, in most environments */
#define ENV_INTERVAL_MS 60000
#define ENV_TROUBLE_MS 30000
#define ENV_ASK_AGAIN_MS 1000
#define ENV_ONCE_LOOK_MS 50   /* `once` waits for what a tail can finish now */
#define ENV_ONCE_MAIN_MS 1000 /* and looks whether a plan can go on */
#define ENV_SUPERSEDED_MAX 2  /* in a row; the third runs to its end */

enum {
    ENV_ACCEPT,
    ENV_SUSPECT,
    ENV_SPEC,
    ENV_KNOWN,
    ENV_PROVE,
    ENV_PROVEN,
    ENV_DESCENT,
    ENV_DESCENT_ASK,
    ENV_DESCENT_TOLD,
    ENV_AUTHORS,
    ENV_AUTHORS_ASK,
    ENV_AUTHORS_TOLD,
    ENV_ASTRAY,
    ENV_LOOK,
    ENV_BESIDE,
    ENV_EDGE,
    ENV_OBSERVE,
    ENV_PLAN,
    ENV_DECIDE,
    ENV_CHECKS,
    ENV_CHECKED,
    ENV_TROUBLE,
    ENV_REST,
};

/* clang-format off */
static const struct task_state env_states[] = {
    /*                name       successors                               on error       deadline_ms */
    [ENV_ACCEPT]  = { "ACCEPT",  TO3(ENV_SPEC, ENV_TROUBLE, ENV_REST),    ENV_TROUBLE,   0 },
    [ENV_SUSPECT] = { "SUSPECT", TO(ENV_SPEC),                            ENV_SPEC,      0 }, /* until a person trusts it */
    [ENV_SPEC]    = { "SPEC",    TO3(ENV_SPEC, ENV_LOOK, ENV_SUSPECT) | TO3(ENV_ASTRAY, ENV_BESIDE, ENV_PROVE) | TO(ENV_KNOWN), ENV_ASTRAY, 0 }, /* waits for its turn */
    [ENV_KNOWN]   = { "KNOWN",   TO(ENV_LOOK),                            ENV_ASTRAY,    0 },
    [ENV_PROVE]   = { "PROVE",   TO(ENV_PROVEN),                          ENV_ASTRAY,    0 },
    [ENV_PROVEN]  = { "PROVEN",  TO2(ENV_KNOWN, ENV_ASTRAY),              ENV_ASTRAY,    0 },
    [ENV_DESCENT] = { "DESCENT", TO(ENV_DESCENT_ASK),                     ENV_ASTRAY,    0 },
    [ENV_DESCENT_ASK] = { "DESCENT_ASK", TO2(ENV_DESCENT_TOLD, ENV_LOOK), ENV_ASTRAY,    0 }, /* the worker's deadline */
    [ENV_DESCENT_TOLD] = { "DESCENT_TOLD", TO2(ENV_LOOK, ENV_ASTRAY),     NO_ERROR_EDGE, 0 },
    [ENV_AUTHORS] = { "AUTHORS", TO(ENV_AUTHORS_ASK),                     ENV_ASTRAY,    0 },
    [ENV_AUTHORS_ASK] = { "AUTHORS_ASK", TO(ENV_AUTHORS_TOLD),            ENV_ASTRAY,    0 }, /* the worker's deadline */
    [ENV_AUTHORS_TOLD] = { "AUTHORS_TOLD", TO2(ENV_LOOK, ENV_ASTRAY),     NO_ERROR_EDGE, 0 },
    [ENV_ASTRAY]  = { "ASTRAY",  TO2(ENV_LOOK, ENV_BESIDE),               NO_ERROR_EDGE, 0 }, /* no specs: what is lost is repaired all the same */
    [ENV_LOOK]    = { "LOOK",    TO3(ENV_EDGE, ENV_BESIDE, ENV_DESCENT),  ENV_TROUBLE,   0 },
    [ENV_BESIDE]  = { "BESIDE",  TO2(ENV_EDGE, ENV_REST),                 ENV_TROUBLE,   0 }, /* a plan runs: what it leaves alone */
    [ENV_EDGE]    = { "EDGE",    TO(ENV_OBSERVE),                         ENV_TROUBLE,   0 },
    [ENV_OBSERVE] = { "OBSERVE", TO2(ENV_OBSERVE, ENV_PLAN),              ENV_TROUBLE,   0 }, /* one provider after the other */
    [ENV_PLAN]    = { "PLAN",    TO(ENV_DECIDE),                          ENV_TROUBLE,   0 },
    [ENV_DECIDE]  = { "DECIDE",  TO3(ENV_REST, ENV_DESCENT, ENV_CHECKS) | TO2(ENV_AUTHORS, ENV_PLAN), ENV_TROUBLE,   0 },
    [ENV_CHECKS]  = { "CHECKS",  TO(ENV_CHECKED),                         ENV_CHECKED,   0 }, /* the forge's deadlines */
    [ENV_CHECKED] = { "CHECKED", TO(ENV_PLAN),                            NO_ERROR_EDGE, 0 },
    [ENV_TROUBLE] = { "TROUBLE", TO(ENV_REST),                            ENV_REST,      0 }, /* says why; serves on */
    [ENV_REST]    = { "REST",    TO2(ENV_ACCEPT, ENV_SPEC),               ENV_ACCEPT,    0 }, /* woken early: something moved */
};
/* clang-format on */

/* --- steps --------------------------------------------------------------------------------------- */

static int env_note_parked(struct task *t, struct err *err)
{
    return env_plan_note_parked(env_of(t), err);
}

/* A newer commit while a plan is in its main part: at the next boundary, but not for ever. */
static enum task_verdict env_compare_with_main(struct env_task *env)
{
    if (env_cycle_supersedes_main(env) && !env_task_knows_descent(env))
        return task_goto(&env->task, ENV_DESCENT);
    if (env_cycle_supersedes_main(env) && env->superseded_in_row < ENV_SUPERSEDED_MAX &&
        !env_cycle_finishes_first(env))
        run_wish(env->main, WISH_SUPERSEDE);
    wait_work_start(&env->task, POOL_STATE, env_note_parked);
    return task_then(&env->task, ENV_BESIDE);
}

static int env_find_applied(struct task *t, struct err *err)
{
    return env_plan_find_applied(env_of(t), err);
}

static enum task_verdict env_spec(struct env_task *env)
{
    struct task *t = &env->task;

    if (env->main && env_is_asked(&env->asked))
        return task_goto(t, ENV_BESIDE); /* its turn comes when the plan that runs has ended */
    env->ask = env->asked;
    env->asked = (struct env_ask){ .cause = PLAN_CAUSE_COMMIT };
    if (env_is_asked(&env->ask))
        return task_goto(t, ENV_LOOK);
    if (!env->head)
        return task_goto(t, ENV_ASTRAY);
    if (proof_asked(env->source, env->rule)) {
        wait_work_start(t, POOL_STATE, env_find_applied);
        return task_then(t, ENV_PROVE);
    }
    wait_work_start(t, POOL_STATE, env_objects_know);
    return task_then(t, ENV_KNOWN);
}

/* --- what is asked about its commits: env_commits.c ---------------------------------------------- */

/* Before anything is made of what they say. */
static enum task_verdict env_prove(struct env_task *env)
{
    struct task *t = &env->task;

    t->rc = env_commits_prove(env, &t->err);
    return t->rc ? task_goto(t, ENV_ASTRAY) : task_then(t, ENV_PROVEN);
}

static enum task_verdict env_proven(struct env_task *env)
{
    struct task *t = &env->task;

    t->rc = env_commits_proven(env, &t->err);
    if (t->rc)
        return task_goto(t, ENV_ASTRAY);
    wait_work_start(t, POOL_STATE, env_objects_know);
    return task_then(t, ENV_KNOWN);
}

static enum task_verdict env_descent_ask(struct env_task *env)
{
    return env_commits_ask_descent(env) ? task_then(&env->task, ENV_DESCENT_TOLD)
                                        : task_goto(&env->task, ENV_LOOK);
}

static enum task_verdict env_told(struct env_task *env, int rc)
{
    env->task.rc = rc;
    return task_goto(&env->task, rc ? ENV_ASTRAY : ENV_LOOK);
}

/* --- what it comes to ---------------------------------------------------------------------------- */

/* Once for each new trouble. */
static void env_log_trouble(struct env_task *env)
{
    struct digest trouble = hash_bytes(env->trouble);

    env->is_in_trouble = 1;
    if (!digest_eq(&trouble, &env->last_trouble))
        LOG(LOG_WARN, "environment cannot be planned, the last good state serves",
            LOG_S("env", env->name), LOG_S("err", env->trouble));
    env->last_trouble = trouble;
}

/* Without specs nothing new is wanted, but what was applied goes on being wanted. */
static enum task_verdict env_astray(struct env_task *env)
{
    if (env->task.rc) {
        env->trouble = str_copy(&env->cycle, str_from_c(env->task.err.text));
        env_log_trouble(env);
        env->task.rc = 0;
        env->has_spec = 0;
    }
    return task_goto(&env->task, env->main ? ENV_BESIDE : ENV_LOOK);
}

static enum task_verdict env_look(struct env_task *env)
{
    struct task *t = &env->task;
    int64_t now_ms = loop_mono_ms(t->loop);

    if (env->main)
        return env_compare_with_main(env);
    env->waits = !env_is_asked(&env->ask) && now_ms < env->not_before_mono_ms &&
                 (!env->has_spec || digest_eq(&env->spec.revision, &env->tried));
    wait_work_start(t, POOL_STATE, env_look_instances);
    return task_then(t, ENV_EDGE);
}

static enum task_verdict env_beside(struct env_task *env)
{
    env->is_beside = env_run_leaves_rest(env);
    if (!env->is_beside)
        return task_goto(&env->task, ENV_REST);
    wait_work_start(&env->task, POOL_STATE, env_look_instances);
    return task_then(&env->task, ENV_EDGE);
}

static enum task_verdict env_edge(struct env_task *env)
{
    struct task *t = &env->task;

    env->look_at = 0;
    if (!env->edge.env.n)
        return task_goto(t, ENV_OBSERVE);
    provider_line_start(env->engine, t, env->edge.provider, env_look_edge);
    return task_then(t, ENV_OBSERVE);
}

static enum task_verdict env_observe(struct env_task *env)
{
    struct task *t = &env->task;
    struct str provider;

    if (!env_look_next(env, &provider))
        return task_goto(t, ENV_PLAN);
    provider_line_start(env->engine, t, provider, env_look_world);
    return task_then(t, ENV_OBSERVE);
}

static int env_make_plan(struct task *t, struct err *err)
{
    struct env_task *env = env_of(t);
    int rc = env_plan_make(env, err);

    CRASH_POINT(PLAN_AFTER_STORED);
    return rc;
}

/* Who waits for another is woken when a plan of that one ends. */
static void env_note_awaiting(struct env_task *env)
{
    int awaits = env->firsts.n && !env->starts;

    env->engine->n_awaiting += awaits - env->awaits;
    env->awaits = awaits;
}

static enum task_verdict env_decide(struct env_task *env)
{
    CRASH_POINT(PLAN_AFTER_STARTED);
    if (env->is_beside) {
        if (env->starts)
            env_run_begin(env, &env->plan.id, TAKE(env->made), ENV_RUNS_BESIDE);
        return task_goto(&env->task, ENV_REST);
    }
    if (env->is_doubtful)
        return task_goto(&env->task, ENV_DESCENT);
    if (env->lacks_authors)
        return task_goto(&env->task, ENV_AUTHORS);
    if (env->lacks_firsts) {
        env_trigger_look(env);
        return task_goto(&env->task, ENV_PLAN);
    }
    if (env->lacks_checks)
        return task_goto(&env->task, ENV_CHECKS);
    env_note_awaiting(env);
    if (env->has_spec)
        env->tried = env->spec.revision;
    if (env->has_spec && !env_is_asked(&env->ask))
        env->wanted = env->spec.revision;
    if (env->starts)
        env_run_begin(env, &env->plan.id, TAKE(env->made), ENV_RUNS_MAIN);
    return task_goto(&env->task, ENV_REST);
}

static int env_write_trouble(struct task *t, struct err *err)
{
    return env_plan_trouble(env_of(t), err);
}

/* It could not be planned now; what was asked since then comes before it. */
static void env_ask_again(struct env_task *env)
{
    if (!env_is_asked(&env->asked))
        env->asked = env->ask;
    env->ask.cause = PLAN_CAUSE_COMMIT;
}

static enum task_verdict env_trouble(struct env_task *env)
{
    struct task *t = &env->task;
    enum err_class class = err_class(t->rc);

    env->trouble = str_copy(&env->cycle, str_from_c(t->err.text));
    if (env_is_asked(&env->ask) && (class == ERR_CLASS_WAIT || class == ERR_CLASS_RETRY))
        env_ask_again(env);
    env->accepted = STR_NONE;
    env->line = 0; /* what was told of the newest commit may not stand in any row */
    env_log_trouble(env);
    if (!env->uid.p || env->main)
        return task_goto(t, ENV_REST);
    wait_work_start(t, POOL_STATE, env_write_trouble);
    return task_then(t, ENV_REST);
}

static enum task_verdict env_rest(struct env_task *env)
{
    struct task *t = &env->task;
    int64_t now_ms = loop_mono_ms(t->loop);
    int64_t interval_ms = value_get_int(
        value_get(env->has_spec ? env->spec.policy : NULL, S("reconcile")), S("interval_ms"),
        ENV_INTERVAL_MS);
    int64_t at_ms = now_ms + interval_ms -
                    (int64_t)(loop_random(t->loop) % (uint64_t)(interval_ms / 10 + 1));

    if (env->not_before_mono_ms > now_ms && env->not_before_mono_ms < at_ms)
        at_ms = env->not_before_mono_ms;
    if (env->is_in_trouble && at_ms > now_ms + ENV_TROUBLE_MS)
        at_ms = now_ms + ENV_TROUBLE_MS;         /* whatever was away may be back */
    if (env_is_asked(&env->asked) && !env->main) /* it could not be planned */
        at_ms = now_ms + ENV_ASK_AGAIN_MS;
    if (env->checks.is_heard && env->checks.state != CHECK_PASSED &&
        at_ms > env->checks.again_mono_ms)
        at_ms = env->checks.again_mono_ms;
    if (env->again_ms >= 0 && at_ms > now_ms + env->again_ms)
        at_ms = now_ms + env->again_ms;
    env->is_resting = !env->is_woken;
    if (env->engine->options.once && !env_task_is_settled(env))
        at_ms = now_ms + (env->main ? ENV_ONCE_MAIN_MS : ENV_ONCE_LOOK_MS);
    env_cycle_drop(env);
    if (!env->main)
        in_work_clear(&env->engine->in_work, env->slot);
    env_queue_leave(env);
    engine_settled(env->engine);
    wait_signal_start(t, at_ms);
    return task_then(t, env->uid.p ? ENV_SPEC : ENV_ACCEPT);
}

static int env_accept(struct task *t, struct err *err)
{
    return env_plan_accept(env_of(t), err);
}

static int env_say_suspect(struct task *t, struct err *err)
{
    return env_plan_suspect(env_of(t), err);
}

/* What is applied of it goes back meanwhile; then its row says again that it is held. */
static enum task_verdict env_suspect(struct env_task *env)
{
    struct task *t = &env->task;

    if (env->main || env->is_held_told) {
        wait_signal_start(t, -1);
        return task_then(t, ENV_SPEC);
    }
    in_work_clear(&env->engine->in_work, env->slot);
    env->is_held_told = 1;
    arena_reset(&env->cycle);
    wait_work_start(t, POOL_STATE, env_say_suspect);
    return task_then(t, ENV_SPEC);
}

/* `once` looked whether its plan can go on, and it does: there is nothing else to look at. */
static int env_just_goes_on(const struct env_task *env)
{
    return env->engine->options.once && env->main && !env->is_woken && !run_is_stuck(env->main);
}

static enum task_verdict env_step(struct task *t)
{
    struct env_task *env = env_of(t);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case ENV_ACCEPT:
        if (env_just_goes_on(env))
            return task_goto(t, ENV_REST);
        env->is_resting = 0;
        if (env->uid.p)
            return task_goto(t, ENV_SPEC);
        wait_work_start(t, POOL_STATE, env_accept);
        return task_then(t, ENV_SPEC);
    case ENV_SUSPECT:
        return env_suspect(env);
    case ENV_SPEC:
        if (!env->uid.p)
            env->uid = env->accepted;
        t->rc = 0; /* a rest that ended by time is no trouble */
        env->is_resting = env->is_suspect;
        if (env->is_suspect)
            return task_goto(t, ENV_SUSPECT);
        if (!env_queue_enter(env)) {
            wait_signal_start(t, -1);
            return task_then(t, ENV_SPEC);
        }
        env_cycle_begin(env);
        return env_spec(env);
    case ENV_KNOWN:
        wait_work_start(t, POOL_FILE, env_look_specs);
        return task_then(t, ENV_LOOK);
    case ENV_PROVE:
        return env_prove(env);
    case ENV_PROVEN:
        return env_proven(env);
    case ENV_DESCENT:
        env->is_doubtful = 0;
        wait_work_start(t, POOL_STATE, env_find_applied);
        return task_then(t, ENV_DESCENT_ASK);
    case ENV_DESCENT_ASK:
        return env_descent_ask(env);
    case ENV_DESCENT_TOLD:
        return env_told(env, env_commits_descent(env, &t->err));
    case ENV_AUTHORS:
        env->lacks_authors = 0;
        wait_work_start(t, POOL_STATE, env_find_applied);
        return task_then(t, ENV_AUTHORS_ASK);
    case ENV_AUTHORS_ASK:
        env_commits_ask_authors(env);
        return task_then(t, ENV_AUTHORS_TOLD);
    case ENV_AUTHORS_TOLD:
        return env_told(env, env_authors_parse(env, &t->err));
    case ENV_ASTRAY:
        return env_astray(env);
    case ENV_LOOK:
        return env_look(env);
    case ENV_BESIDE:
        return env_beside(env);
    case ENV_EDGE:
        return env_edge(env);
    case ENV_OBSERVE:
        return env_observe(env);
    case ENV_PLAN:
        if (!env->is_beside)
            env_trigger_note(env);
        wait_work_start(t, POOL_STATE, env_make_plan);
        return task_then(t, ENV_DECIDE);
    case ENV_DECIDE:
        return env_decide(env);
    case ENV_CHECKS:
        return env_checks_ask(env) ? task_then(t, ENV_CHECKED) : task_goto(t, ENV_CHECKED);
    case ENV_CHECKED:
        env_checks_heard(env);
        return task_goto(t, ENV_PLAN);
    case ENV_TROUBLE:
        return env_trouble(env);
    case ENV_REST:
        return env_rest(env);
    }
    UNREACHABLE();
}

struct env_task *env_task_start(struct engine *e, struct source_task *source, struct str uid,
                                struct str name, struct str branch)
{
    struct env_task *env = alloc_zero(sizeof(*env));

    if (!env)
        return NULL;
    env->engine = e;
    arena_init(&env->own, 0);
    arena_reserve(&env->own, ENV_OWN_BYTES);
    arena_init(&env->cycle, ENV_CYCLE_MAX);
    env->uid = str_copy(&env->own, uid);
    env->name = str_copy(&env->own, name);
    env->branch = str_copy(&env->own, branch);
    env->source = source;
    env->is_unswept = 1;
    env_cycle_find_rule(env);
    task_start(&env->task, e->loop, "env", env_states, N_ELEMENTS(env_states), ENV_ACCEPT, env_step,
               engine_task_ended, e);
    env->about[0] = (struct log_field)LOG_S("env", env->name);
    env->task.about = env->about;
    watch_task_start(&env->watch, e, env);
    env->watch.task.about = env->about;
    job_task_start(&env->jobs, e, env);
    env->jobs.task.about = env->about;
    return env;
}

void env_task_fini(struct env_task *env)
{
    while (env->runs) {
        struct run *r = env->runs;

        env->runs = r->next;
        run_fini(r);
        alloc_free(r);
    }
    if (env->head)
        head_let_go(TAKE(env->head));
    watch_task_fini(&env->watch);
    job_task_fini(&env->jobs);
    run_plan_free(env->made);
    arena_fini(&env->cycle);
    arena_fini(&env->own);
}
