/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/engine.h"

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/engine/edge_task.h"
#include "reconciler/engine/engine_suspects.h"
#include "reconciler/engine/env_task.h"
#include "state/ballast.h"

/* --- small things others need -------------------------------------------------------------------- */

const struct provider *engine_provider(struct engine *e, struct str name)
{
    return registry_find(e->providers, name);
}

struct str engine_edge_trouble(const struct engine *e, struct str provider)
{
    for (size_t i = 0; i < e->n_edges; i++)
        if (str_eq(e->edges[i].provider->name, provider))
            return str_from_c(e->edges[i].trouble);
    return S("");
}

struct loop *engine_loop(struct engine *e)
{
    return e->loop;
}

const char *engine_state_path(const struct engine *e)
{
    return value_get_text(value_get(e->options.daemon, S("state")), S("file"), S("")).p;
}

int engine_is_stale(const struct engine *e)
{
    return e->stale.p != NULL;
}

struct env_task *engine_env(struct engine *e, struct str uid)
{
    for (size_t i = 0; i < e->envs.n; i++)
        if (str_eq(e->envs.p[i]->uid, uid))
            return e->envs.p[i];
    return NULL;
}

/* NULL: out of memory. */
static struct env_task *add_env(struct engine *e, struct source_task *s, struct str uid,
                                struct str name, struct str branch)
{
    struct env_task **slot = vec_push(e->process, &e->envs);

    if (!slot)
        return NULL;
    *slot = env_task_start(e, s, uid, name, branch);
    if (!*slot) {
        e->envs.n--;
        return NULL;
    }
    (*slot)->slot = e->envs.n - 1;
    map_put(&e->envs_by_name, (*slot)->name, *slot);
    return *slot;
}

struct source_task *engine_source(struct engine *e, struct str name)
{
    for (size_t i = 0; i < e->n_sources; i++)
        if (str_eq(e->sources[i]->name, name))
            return e->sources[i];
    return NULL;
}

/* --- the writer's batches ------------------------------------------------------------------------ */

static int batch_begin(void *ctx, struct err *err)
{
    struct engine *e = ctx;

    return e->db ? db_batch_begin(e->db, err) : 0;
}

/* For the next time, as soon as there is room for more than the ballast alone. */
static void make_ballast_again(struct engine *e)
{
    struct err ignored = ERR_INIT; /* tried with each commit */
    int64_t n_free, size;

    if (!sys_disk_free(e->state_dir.p, &n_free, &size, &ignored) && n_free > 2 * BALLAST_BYTES)
        e->lacks_ballast = ballast_make(engine_state_path(e), &ignored) != 0;
}

static void tell_commit(void *ctx)
{
    struct engine *e = ctx;

    e->is_telling = 0;
    if (e->on_commit)
        e->on_commit(e->on_commit_ctx);
}

void engine_on_commit(struct engine *e, loop_fn *fn, void *ctx)
{
    e->on_commit = fn;
    e->on_commit_ctx = ctx;
    e->tells_commits = fn != NULL;
}

/* Where it cannot be written, the older one goes on holding. */
static void seal_head(struct engine *e)
{
    struct err err = ERR_INIT;

    if (history_seal_commit(&e->seal, e->db, &err))
        LOG(LOG_WARN, "the head of the history is not sealed", LOG_C("err", err.text));
    e->head_seq = e->seal.seen_seq;
}

static int commit(struct engine *e, struct err *err)
{
    int64_t began_ms;
    int rc;

    if (!e->db)
        return 0;
    began_ms = loop_mono_ms(e->loop);
    rc = db_batch_commit(e->db, err);
    counts_commit(&e->counts, began_ms, loop_mono_ms(e->loop), rc);
    return rc;
}

/* A full disk: the ballast makes room for what must still be written. */
static int batch_commit(void *ctx, struct err *err)
{
    struct engine *e = ctx;
    struct err ignored = ERR_INIT;
    int rc = commit(e, err);

    if (!rc && e->db && !e->stale.p) /* what is not ours is not sealed */
        seal_head(e);
    if (!rc && e->lacks_ballast)
        make_ballast_again(e);
    if (!rc && atomic_exchange(&e->tell.has_news, 0))
        loop_post(e->loop, notify_task_wake, e);
    if (!rc && e->tells_commits && !atomic_exchange(&e->is_telling, 1))
        loop_post(e->loop, tell_commit, e);
    e->lacks_ballast |= rc == ERR_FULL;
    if (rc == ERR_FULL && ballast_is_there(engine_state_path(e))) {
        (void)ballast_remove(engine_state_path(e),
                             &ignored); /* the commit's own error is reported */
        LOG(LOG_ERROR, "disk full: the ballast was removed, free some space",
            LOG_C("err", err->text));
    }
    return rc;
}

struct engine *engine_new(struct arena *process)
{
    struct engine *e = arena_new(process, struct engine);

    if (e) {
        e->process = process;
        e->lock.fd = -1;
        map_init(&e->envs_by_name, process);
    }
    return e;
}

struct loop_batch engine_batch(struct engine *e)
{
    return (struct loop_batch){ .begin = batch_begin, .commit = batch_commit, .ctx = e };
}

/* --- starting ------------------------------------------------------------------------------------ */

struct starter { /* what a former life left, read on STATE before anything else runs */
    struct task task;
    struct engine *engine;
    struct arena arena;
    struct rec_environment *envs;
    size_t n_envs;
    struct rec_hold *suspects; /* of those that may have killed us */
    size_t n_suspects;
    struct rec_plan *plans; /* in their main part, or with an open tail */
    size_t n_plans;
};

enum { START_READ, START_BEGIN };

/* clang-format off */
static const struct task_state start_states[] = {
    /*                name     successors         on error      deadline_ms */
    [START_READ]  = { "READ",  TO(START_BEGIN),   NO_ERROR_EDGE, 0 },
    [START_BEGIN] = { "BEGIN", 0,                 NO_ERROR_EDGE, 0 },
};
/* clang-format on */

/* Applying ones, and of those that ended: every one that left something to do. */
static int start_read(struct task *t, struct err *err)
{
    struct starter *s = container_of(t, struct starter, task);
    struct db *db = s->engine->db;

    if (environments_list(db, &s->arena, &s->envs, &s->n_envs, err) ||
        DB_SELECT(db, &s->arena, hold, "WHERE ended_seq IS NULL AND actor = $1 AND reason LIKE $2",
                  &s->suspects, &s->n_suspects, err, DB_T(ENGINE_ACTOR), DB_T(S("crash_suspect%"))))
        return err->code;
    return DB_SELECT(
        db, &s->arena, plan,
        "WHERE state = 'applying' OR (ended_seq IS NOT NULL AND started_seq IS NOT NULL AND ("
        "id IN (SELECT plan FROM operations WHERE outcome IS NULL) OR "
        "id IN (SELECT plan FROM rollouts WHERE step < 11))) ORDER BY cause IN ('repair', "
        "'drift'), started_seq",
        &s->plans, &s->n_plans, err);
}

/* The one that repairs beside another that is being applied comes after it. */
static enum env_lane lane_of(const struct starter *s, size_t plan)
{
    if (!str_eq_c(s->plans[plan].state, "applying"))
        return ENV_RUNS_TAIL;
    for (size_t i = 0; i < plan; i++)
        if (str_eq(s->plans[i].env, s->plans[plan].env) && str_eq_c(s->plans[i].state, "applying"))
            return ENV_RUNS_BESIDE;
    return ENV_RUNS_MAIN;
}

static void start_env(struct starter *s, const struct rec_environment *row)
{
    struct engine *e = s->engine;
    struct env_task *env = add_env(e, engine_source(e, row->source), row->uid, row->name,
                                   row->branch);

    if (!env)
        return;
    for (size_t i = 0; i < s->n_suspects; i++)
        if (str_eq(s->suspects[i].env, row->uid))
            env_task_suspect(env, str_starts(s->suspects[i].reason, ENGINE_SUSPECT_LEFT));
    env_task_ask(env, row);
}

static void start_edges(struct engine *e)
{
    const struct registry *r = e->providers;

    e->edges = arena_new_n(e->process, struct edge_task, r->n + 1);
    for (size_t i = 0; e->edges && i < r->n; i++)
        if (edge_task_interval_ms(&r->list[i]))
            edge_task_start(&e->edges[e->n_edges++], e, &r->list[i]);
}

static enum task_verdict start_step(struct task *t)
{
    struct starter *s = container_of(t, struct starter, task);
    struct engine *e = s->engine;

    if (t->state == START_READ) {
        wait_work_start(t, POOL_STATE, start_read);
        return task_then(t, START_BEGIN);
    }
    for (size_t i = 0; i < s->n_envs; i++)
        start_env(s, &s->envs[i]);
    for (size_t i = 0; !e->options.hold_all && i < s->n_plans; i++) {
        struct env_task *env = engine_env(e, s->plans[i].env);

        if (env)
            env_task_resume(env, &s->plans[i].id, lane_of(s, i));
    }
    for (size_t i = 0; i < e->n_sources; i++)
        source_task_start(e->sources[i], e, e->sources[i]->name, e->sources[i]->config,
                          e->sources[i]->source);
    start_edges(e);
    return task_done(t);
}

static void start_ended(struct task *t, void *ctx)
{
    struct starter *s = ctx;

    if (t->rc) {
        LOG(LOG_ERROR, "the state cannot be read, the daemon ends", LOG_C("err", t->err.text));
        s->engine->once_err = t->err;
        loop_stop(s->engine->loop);
    }
    engine_start_fini(s->engine);
}

void engine_start_fini(struct engine *e)
{
    if (e->starter)
        arena_fini(&e->starter->arena);
    alloc_free(TAKE(e->starter));
}

void engine_start(struct engine *e)
{
    struct starter *s;

    if (e->stale.p)
        return; /* asked, it answers from the file; it does nothing */
    s = e->starter = alloc_zero(sizeof(*s));
    PRE(s != NULL);
    s->engine = e;
    arena_init(&s->arena, 0);
    clock_task_start(&e->clock);
    tidy_task_start(&e->tidy, e);
    anchor_task_start_all(e);
    if (!e->options.once) {
        copy_task_start(&e->copies, e);
        heartbeat_task_start(&e->heartbeat, e);
        alarm_task_start(&e->alarms, e);
        notify_task_start(&e->notify, e);
        drain_task_start_all(e);
    }
    task_start(&s->task, e->loop, "start", start_states, N_ELEMENTS(start_states), START_READ,
               start_step, start_ended, s);
}

/* --- running ------------------------------------------------------------------------------------- */

/* One that a commit names for the first time, on the branch that the daemon's rule binds it to. */
static void accept_new(struct engine *e, struct source_task *s, const struct head *h,
                       struct str name)
{
    const struct value *rule = daemon_rule(e->options.daemon, s->name, S("environment"), name,
                                           NULL);

    if (h->messages.n_errors || !rule ||
        !str_eq(value_get_text(rule, S("branch"), S("")), h->branch))
        return; /* another branch speaks for it, or it is denied; doctor says which */
    (void)add_env(e, s, STR_NONE, name, h->branch); /* without memory it comes with the next head */
}

static void env_moved(struct engine *e, struct source_task *s, const struct head *h,
                      struct str name)
{
    struct env_task *env = map_find(&e->envs_by_name, name);

    if (!env && map_has(&h->envs, name))
        accept_new(e, s, h, name);
    else if (env && env->source == s && str_eq(env->branch, h->branch))
        env_task_wake(env);
}

void engine_head_moved(struct engine *e, struct source_task *s, const struct head *h)
{
    const struct map *names = h->everything_moved ? &h->envs : &h->moved;

    if (e->stopping)
        return;
    for (size_t i = 0; i < names->n; i++)
        env_moved(e, s, h, names->entries[i].key);
    for (size_t i = 0; i < e->envs.n; i++) {
        struct env_task *env = e->envs.p[i];

        if (env->source == s && str_eq(env->branch, h->branch) &&
            (env->is_in_trouble || (h->everything_moved && !map_has(names, env->name))))
            env_task_wake(env);
    }
}

void engine_source_answers(struct engine *e, const struct source_task *s)
{
    for (size_t i = 0; !e->stopping && i < e->envs.n; i++)
        if (e->envs.p[i]->source == s && e->envs.p[i]->is_in_trouble)
            env_task_wake(e->envs.p[i]);
}

/* `once` ends when every source was read and no environment has anything left to do. */
void engine_settled(struct engine *e)
{
    if (!e->options.once || e->stopping)
        return;
    for (size_t i = 0; i < e->n_sources; i++)
        if (!e->sources[i]->rounds_ended)
            return;
    for (size_t i = 0; i < e->envs.n; i++)
        if (!env_task_is_settled(e->envs.p[i]) || !job_task_is_settled(&e->envs.p[i]->jobs))
            return;
    engine_stop(e);
}

void engine_task_ended(struct task *t, void *ctx)
{
    struct engine *e = ctx;

    if (t->rc && !e->stopping)
        LOG(LOG_ERROR, "a task ended", LOG_C("task", t->name), LOG_C("err", t->err.text));
}

/* --- ending in order ----------------------------------------------------------------------------- */

struct ender {
    struct task task;
    struct engine *engine;
    struct arena arena;
};

enum { END_WRITE, END_OVER };

/* clang-format off */
static const struct task_state end_states[] = {
    /*              name     successors    on error       deadline_ms */
    [END_WRITE] = { "WRITE", TO(END_OVER), NO_ERROR_EDGE, 0 },
    [END_OVER]  = { "OVER",  0,            NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static int end_write(struct task *t, struct err *err)
{
    struct ender *d = container_of(t, struct ender, task);

    return engine_write_life(d->engine, &d->arena, S("daemon.stopped"), S("ended"), err);
}

static enum task_verdict end_step(struct task *t)
{
    if (t->state == END_OVER)
        return task_done(t);
    wait_work_start(t, POOL_STATE, end_write);
    return task_then(t, END_OVER);
}

static void end_ended(struct task *t, void *ctx)
{
    struct ender *d = ctx;

    if (t->rc)
        LOG(LOG_WARN, "the end cannot be written: the next start takes it for a death",
            LOG_C("err", t->err.text));
    loop_stop(d->engine->loop);
    arena_fini(&d->arena);
    alloc_free(d);
}

void engine_stop(struct engine *e)
{
    struct ender *d;

    e->stopping = 1;
    if (e->stale.p) {
        loop_stop(e->loop);
        return;
    }
    d = alloc_zero(sizeof(*d));
    task_cancel(&e->clock.task, ERR_CANCELLED);
    task_cancel(&e->tidy.task, ERR_CANCELLED);
    copy_task_stop(&e->copies);
    heartbeat_task_stop(&e->heartbeat);
    alarm_task_stop(&e->alarms);
    notify_task_stop(&e->notify);
    anchor_task_stop_all(e);
    drain_task_stop_all(e);
    for (size_t i = 0; i < e->envs.n; i++)
        env_task_stop(e->envs.p[i]);
    for (size_t i = 0; i < e->n_sources; i++)
        task_cancel(&e->sources[i]->task, ERR_CANCELLED);
    for (size_t i = 0; i < e->n_edges; i++)
        task_cancel(&e->edges[i].task, ERR_CANCELLED);
    if (!d) {
        loop_stop(e->loop);
        return;
    }
    d->engine = e;
    arena_init(&d->arena, 1u << 16);
    task_start(&d->task, e->loop, "end", end_states, N_ELEMENTS(end_states), END_WRITE, end_step,
               end_ended, d);
}

void engine_fetch_now(struct engine *e)
{
    if (e->stale.p)
        return;
    for (size_t i = 0; i < e->n_sources; i++)
        (void)source_task_fetch_now(e->sources[i]);
}
