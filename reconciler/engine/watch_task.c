/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/watch_task.h"

#include <stdio.h>

#include "base/guard.h"
#include "base/log.h"
#include "reconciler/engine/env_row.h"
#include "specs/json_io.h"
#include "state/sets.h"

#define WATCH_INTERVAL_MS 15000
#define WATCH_FAILURES_MAX 3 /* of a service that names no threshold */
#define WATCH_ROUND_MAX (16u << 20)
#define WATCH_FULL_MS 3600000 /* between two events of one instance's quota */

enum { WATCH_REST, WATCH_LIST, WATCH_PROBE, WATCH_TELL };

/* clang-format off */
static const struct task_state watch_states[] = {
    /*               name     successors                          on error      deadline_ms */
    [WATCH_REST] = { "REST",  TO(WATCH_LIST),                     WATCH_REST,   0 },
    [WATCH_LIST] = { "LIST",  TO2(WATCH_PROBE, WATCH_REST),       WATCH_REST,   0 },
    [WATCH_PROBE] = { "PROBE", TO2(WATCH_TELL, WATCH_REST),       WATCH_TELL,   0 },
    [WATCH_TELL] = { "TELL",  TO(WATCH_REST),                     WATCH_REST,   0 },
};
/* clang-format on */

static struct watch_task *watch_of(struct task *t)
{
    return container_of(t, struct watch_task, task);
}

/* --- what to look at: on STATE ------------------------------------------------------------------- */

static int watch_add(struct watch_task *w, const struct rec_instance *row,
                     const struct value *service, struct err *err)
{
    struct arena *a = &w->round;
    const struct value *liveness = value_at(service, S("healthcheck.liveness")),
                       *readiness = value_at(service, S("healthcheck.readiness"));
    struct str name = identity_instance_name(a, row->service, &row->set_key, row->ordinal);
    struct watch_subject *s = &w->subjects[w->n_subjects];
    struct rec_resource r;
    int rc = resources_now(w->engine->db, a, row->env, S("instance"), name, &r, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    *s = (struct watch_subject){ .row = *row };
    s->probe.probe = liveness ? liveness : readiness;
    s->probe.provider = r.provider;
    s->probe.resource = name;
    s->probe.provider_id = r.provider_id;
    s->probe.owner = r.owner;
    s->probe.address = row->address;
    s->start_period_ms = value_get_int(s->probe.probe, S("start_period_ms"), 0);
    s->threshold = value_get_int(s->probe.probe, S("failure_threshold"), WATCH_FAILURES_MAX);
    if (liveness && value_get_int(liveness, S("interval_ms"), WATCH_INTERVAL_MS) < w->interval_ms)
        w->interval_ms = value_get_int(liveness, S("interval_ms"), WATCH_INTERVAL_MS);
    w->n_subjects++;
    return 0;
}

static int watch_read(struct watch_task *w, const struct digest *digest, struct value **ret,
                      struct err *err)
{
    struct str body;

    if (db_document(w->engine->db, &w->round, digest, &body, err))
        return err->code;
    return json_parse(&w->round, body, KIT_BODY_MAX, ret, err);
}

/* Between which numbers, says what was applied last: the set may have been made before. */
static int watch_find_aim(struct watch_task *w, const struct rec_set *set,
                          const struct value *service, struct err *err)
{
    struct watch_scaled *x = &w->scaled[w->n_scaled];
    struct rec_resource row;
    struct value *applied;
    int rc = resources_now(w->engine->db, &w->round, set->env, S("service"), set->service, &row,
                           err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (!digest_eq(&row.desired, &set->desired)) {
        if (watch_read(w, &row.desired, &applied, err))
            return err->code;
        service = applied;
    }
    *x = (struct watch_scaled){ .set = *set, .first = w->n_subjects };
    w->n_scaled += (size_t)scale_aim_of(service, &x->aim);
    return 0;
}

static int watch_add_set(struct watch_task *w, const struct rec_set *set, struct err *err)
{
    size_t n, n_scaled = w->n_scaled, first = w->n_subjects;
    struct rec_instance *rows;
    struct value *service;

    if (!str_eq_c(set->state, "live"))
        return 0;
    if (watch_read(w, &set->desired, &service, err) || watch_find_aim(w, set, service, err) ||
        sets_instances(w->engine->db, &w->round, set->env, set->service, &set->set_key, &rows, &n,
                       err))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (watch_add(w, &rows[i], service, err))
            return err->code;
    for (size_t i = first; w->n_scaled > n_scaled && i < w->n_subjects; i++)
        w->subjects[i].probe.counts = 1;
    if (w->n_scaled > n_scaled)
        w->scaled[n_scaled].n = w->n_subjects - first;
    return 0;
}

static int watch_list(struct task *t, struct err *err)
{
    struct watch_task *w = watch_of(t);
    struct rec_environment row;
    struct rec_set *sets;
    struct rec_instance *all;
    struct rec_resource edge;
    size_t n_sets, n_all;
    int rc;

    w->interval_ms = WATCH_INTERVAL_MS;
    w->n_subjects = w->n_scaled = 0;
    if (environments_by_uid(w->engine->db, &w->round, w->env->uid, &row, err))
        return err->code;
    (void)snprintf(w->last, sizeof(w->last), "%.*s", STR_ARG(row.health)); /* a plan says it too */
    rc = resources_now(w->engine->db, &w->round, w->env->uid, S("switch"), w->env->name, &edge,
                       err);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    w->edge = rc ? S("") : edge.provider;
    if (sets_list(w->engine->db, &w->round, w->env->uid, &sets, &n_sets, err) ||
        sets_instances_of_env(w->engine->db, &w->round, w->env->uid, &all, &n_all, err))
        return err->code;
    w->subjects = arena_new_n(&w->round, struct watch_subject, n_all + 1);
    w->waited = arena_new_n(&w->round, struct task *, n_all + 1);
    w->scaled = arena_new_n(&w->round, struct watch_scaled, n_sets + 1);
    if (arena_status(&w->round, err))
        return err->code;
    for (size_t i = 0; i < n_sets; i++)
        if (watch_add_set(w, &sets[i], err))
            return err->code;
    return 0;
}

/* --- what was seen ------------------------------------------------------------------------------- */

/* Only what was ill once is remembered: instances are many, and mostly well. */
static struct watch_noted *watch_note(struct watch_task *w, const struct watch_subject *s)
{
    struct watch_noted *n = map_find(&w->noted, s->probe.resource);

    if (!n && (!s->probe.ok || s->probe.full)) {
        n = arena_new(&w->memory, struct watch_noted);
        if (n)
            n->restarts = s->row.restarts;
        if (n)
            map_put(&w->noted, str_copy(&w->memory, s->probe.resource), n);
    }
    return n;
}

/* Instances come and go: what is not among the subjects any more is forgotten from time to time. */
static void watch_forget(struct watch_task *w)
{
    if (w->noted.n < 4 * (w->n_subjects + 16))
        return;
    arena_reset(&w->memory);
    map_init(&w->noted, &w->memory);
}

/* One that fills its quota again and again fills no history. */
static int watch_tells_full(struct watch_task *w, const struct watch_subject *s,
                            struct watch_noted *n)
{
    int64_t now_ms = loop_mono_ms(w->task.loop);

    if (s->probe.full == n->told_full || (n->told_full && now_ms - n->told_ms < WATCH_FULL_MS))
        return 0;
    n->told_full = s->probe.full;
    n->told_ms = now_ms;
    return 1;
}

static int watch_has_just_started(struct watch_task *w, const struct watch_subject *s,
                                  struct watch_noted *n)
{
    int64_t now_ms = loop_mono_ms(w->task.loop);

    if (s->probe.restarts > n->restarts) {
        n->restarts = s->probe.restarts;
        n->restarted_ms = now_ms;
    }
    return n->restarted_ms && now_ms - n->restarted_ms < s->start_period_ms;
}

static int watch_is_well(struct watch_task *w, struct watch_subject *s)
{
    struct watch_noted *n = watch_note(w, s);

    if (n && !s->probe.is_unknown)
        n->n_failed = s->probe.ok || watch_has_just_started(w, s, n) ? 0 : n->n_failed + 1;
    s->is_full = n && s->probe.full && watch_tells_full(w, s, n);
    w->n_full += s->is_full;
    if (s->probe.has_exited)
        w->n_lost++;
    return !n || n->n_failed < s->threshold;
}

/* One service's subjects stand side by side: from `first` on. The first of the next comes back. */
static size_t watch_judge_service(struct watch_task *w, size_t first, size_t *unwell)
{
    size_t i = first, n_unwell = 0;

    for (; i < w->n_subjects && str_eq(w->subjects[i].row.service, w->subjects[first].row.service);
         i++) {
        struct watch_subject *s = &w->subjects[i];
        int is_well;

        w->n_degraded += s->probe.is_degraded;
        is_well = watch_is_well(w, s);
        n_unwell += !is_well;
        if ((!is_well || s->probe.is_degraded) && !w->reason.n)
            w->reason = str_fmt(&w->round, "%.*s: %s", STR_ARG(s->probe.resource),
                                s->probe.message);
    }
    if (n_unwell == i - first)
        w->health = S("unhealthy");
    *unwell += n_unwell;
    return i;
}

static void watch_judge(struct watch_task *w)
{
    struct str edge_trouble = engine_edge_trouble(w->engine, w->edge);
    size_t unwell = 0;

    w->n_lost = w->n_full = w->n_untold = w->n_degraded = 0;
    w->health = S("healthy");
    w->reason = S("");
    watch_forget(w);
    for (size_t i = 0; i < w->n_subjects;)
        i = watch_judge_service(w, i, &unwell);
    if ((unwell || w->n_degraded) && str_eq_c(w->health, "healthy"))
        w->health = S("degraded");
    if (edge_trouble.n) {
        w->health = S("unhealthy");
        w->reason = edge_trouble;
    }
}

/* 1: it needs another number of instances. */
static int watch_scale(struct watch_task *w, const struct watch_scaled *x)
{
    size_t n = x->set.replicas > 0 ? (size_t)x->set.replicas : 0;
    struct scale_sample *now = arena_new_n(&w->round, struct scale_sample, n + 1);

    if (!now)
        return 0; /* in the next round */
    for (size_t i = 0; i < n; i++)
        now[i].used_us = -1;
    for (size_t i = x->first; i < x->first + x->n; i++) {
        const struct watch_subject *s = &w->subjects[i];

        if (s->row.ordinal >= 0 && (size_t)s->row.ordinal < n)
            now[s->row.ordinal] = (struct scale_sample){ s->probe.used_us, s->probe.used_at_ms };
    }
    return scale_look_judge(&w->scales, &x->set, &x->aim, now, loop_mono_ms(w->task.loop));
}

static int watch_write_full(struct watch_task *w, const struct watch_subject *s, struct err *err)
{
    struct arena *a = &w->round;
    struct str says = str_fmt(a,
                              "its files were over the quota: ended and started again, %lld time%s",
                              (long long)s->probe.full, s->probe.full == 1 ? "" : "s");
    struct tx *tx;

    if (engine_tx(w->engine,
                  &(struct engine_event){
                      .kind = S("instance.over_quota"),
                      .subject = str_fmt(a, "instance/%.*s", STR_ARG(s->probe.resource)),
                      .env = w->env->uid },
                  &tx, err))
        return err->code;
    tx_note(tx, S("reason"), json_format(a, value_text(a, says)));
    return tx_commit(tx, err);
}

/* One that ends again and again is told of at its first time, its second, its fourth. */
static void watch_compare(struct watch_task *w, struct watch_subject *s)
{
    int64_t restarts = s->probe.restarts;
    struct str over = str_from_c(s->probe.over);

    s->is_told = restarts < 0 || restarts == s->row.restarts ||
                 (restarts > s->row.restarts && restarts < 2 * s->row.restarts);
    if (over.n && !str_eq(s->row.exit, over))
        s->is_told = 0;
    w->n_untold += !s->is_told;
    s->row.restarts = restarts < 0 ? s->row.restarts : restarts;
    s->row.exit = over.n ? str_copy(&w->round, over) : s->row.exit;
}

/* A rollout may have begun meanwhile: what it made of the row stays. */
static int watch_write_row(struct watch_task *w, struct watch_subject *s, struct err *err)
{
    struct arena *a = &w->round;
    struct rec_instance row = { .env = s->row.env,
                                .service = s->row.service,
                                .set_key = s->row.set_key,
                                .ordinal = s->row.ordinal };
    struct tx *tx;
    int rc = db_get(w->engine->db, a, REC_instance, &row, err);

    if (rc || str_eq_c(row.state, "gone"))
        return rc == ERR_NOT_FOUND ? 0 : rc;
    row.restarts = s->row.restarts;
    row.exit = s->row.exit;
    if (engine_tx(w->engine,
                  &(struct engine_event){
                      .kind = S("instance.restarts"),
                      .subject = str_fmt(a, "instance/%.*s", STR_ARG(s->probe.resource)),
                      .env = w->env->uid },
                  &tx, err))
        return err->code;
    return tx_finish(tx, tx_put(tx, REC_instance, &row, err), err);
}

static int watch_write(struct task *t, struct err *err)
{
    struct watch_task *w = watch_of(t);

    for (size_t i = 0; i < w->n_subjects; i++)
        if ((w->subjects[i].is_full && watch_write_full(w, &w->subjects[i], err)) ||
            (!w->subjects[i].is_told && watch_write_row(w, &w->subjects[i], err)))
            return err->code;
    return env_plan_health(w->env, &w->round, w->health, w->reason, err);
}

static enum task_verdict watch_tell(struct watch_task *w)
{
    struct task *t = &w->task;
    int n_asked = 0;

    w->is_probing = 0;
    watch_judge(w);
    for (size_t i = 0; i < w->n_scaled && !w->env->main; i++)
        n_asked += watch_scale(w, &w->scaled[i]);
    for (size_t i = 0; i < w->n_subjects; i++) {
        watch_compare(w, &w->subjects[i]);
        probe_task_fini(&w->subjects[i].probe);
    }
    if (w->n_lost || n_asked)
        env_task_wake(w->env);
    if (str_eq_c(w->health, w->last) && !w->n_full && !w->n_untold)
        return task_goto(t, WATCH_REST);
    if (!str_eq_c(w->health, w->last))
        LOG(str_eq_c(w->health, "healthy") ? LOG_INFO : LOG_WARN, "health changed",
            LOG_S("env", w->env->name), LOG_S("health", w->health), LOG_S("reason", w->reason));
    wait_work_start(t, POOL_STATE, watch_write);
    return task_then(t, WATCH_REST);
}

static enum task_verdict watch_step(struct task *t)
{
    struct watch_task *w = watch_of(t);
    int64_t jitter = w->interval_ms / 10 + 1;

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case WATCH_REST:
        arena_reset(&w->round);
        w->n_subjects = 0;
        wait_until_start(t, loop_mono_ms(t->loop) + w->interval_ms -
                                (int64_t)(loop_random(t->loop) % (uint64_t)jitter));
        return task_then(t, WATCH_LIST);
    case WATCH_LIST:
        if (!w->env->uid.p || w->env->main) /* a rollout has gates of its own */
            return task_goto(t, WATCH_REST);
        wait_work_start(t, POOL_STATE, watch_list);
        return task_then(t, WATCH_PROBE);
    case WATCH_PROBE:
        if (!w->n_subjects || w->env->main) /* or one began meanwhile */
            return task_goto(t, WATCH_REST);
        for (size_t i = 0; i < w->n_subjects; i++) {
            probe_task_start(&w->subjects[i].probe, w->engine, NULL, NULL);
            w->waited[i] = &w->subjects[i].probe.task;
        }
        w->is_probing = 1;
        wait_join_start(t, w->waited, w->n_subjects);
        return task_then(t, WATCH_TELL);
    case WATCH_TELL:
        return watch_tell(w);
    }
    UNREACHABLE();
}

void watch_task_start(struct watch_task *w, struct engine *e, struct env_task *env)
{
    *w = (struct watch_task){ .engine = e, .env = env, .interval_ms = WATCH_INTERVAL_MS };
    arena_init(&w->round, WATCH_ROUND_MAX);
    arena_init(&w->memory, WATCH_ROUND_MAX);
    map_init(&w->noted, &w->memory);
    scale_look_init(&w->scales);
    task_start(&w->task, e->loop, "watch", watch_states, N_ELEMENTS(watch_states), WATCH_REST,
               watch_step, engine_task_ended, e);
}

void watch_task_fini(struct watch_task *w)
{
    for (size_t i = 0; w->is_probing && i < w->n_subjects; i++)
        probe_task_fini(&w->subjects[i].probe);
    arena_fini(&w->round);
    arena_fini(&w->memory);
    scale_look_fini(&w->scales);
}
