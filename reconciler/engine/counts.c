/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/counts.h"

#include "base/guard.h"
#include "reconciler/engine/edge_task.h"
#include "reconciler/engine/env_task.h"
#include "state/events.h"

static const char *const op_ends[COUNTS_OP_ENDS] = { NULL,         "done",      "failed",
                                                     "superseded", "cancelled", "parked" };
static const struct str rollout_ends[N_COUNTS_ROLLOUTS] = { [COUNTS_PROVEN] = S_INIT("proven"),
                                                            [COUNTS_REVERTED] = S_INIT("reverted"),
                                                            [COUNTS_OUTAGE] = S_INIT("outage"),
                                                            [COUNTS_SUPERSEDED] = S_INIT(
                                                                "superseded"),
                                                            [COUNTS_HELD] = S_INIT("held") };

/* --- counting ------------------------------------------------------------------------------------ */

void counts_commit(struct counts *c, int64_t began_mono_ms, int64_t now_mono_ms, int rc)
{
    metrics_time(&c->commits, METRICS_COMMITS, now_mono_ms - began_mono_ms);
    c->commit_ms = now_mono_ms - began_mono_ms;
    c->commit_mono_ms = now_mono_ms;
    c->commit_failed = rc != 0;
    if (rc)
        (void)atomic_fetch_add(&c->commit_errors, 1);
}

/* When it began stands with its first event alone. */
void counts_rollout(struct engine *e, const struct rec_rollout *rollout, struct str state)
{
    AUTO_ARENA struct arena a = { 0 };
    struct err unused = ERR_INIT; /* it is not counted then */
    struct event began;

    if (rollout->ended_seq != REC_NONE ||
        events_get(e->db, &a, rollout->began_seq, &began, &unused))
        return;
    for (size_t i = 0; i < N_COUNTS_ROLLOUTS; i++)
        if (str_eq(state, rollout_ends[i]))
            metrics_time(&e->counts.rollouts[i], METRICS_ROLLOUTS,
                         loop_wall_ms(e->loop) - began.time_ms);
}

void counts_operation(struct counts *c, const struct op_task *op)
{
    PRE((int)op->end >= 0 && (int)op->end < COUNTS_OP_ENDS);
    (void)atomic_fetch_add(&c->operations[op->end], 1);
}

/* --- what the engine knows ----------------------------------------------------------------------- */

static void put_done(const struct engine *e, struct metrics *m)
{
    const struct counts *c = &e->counts;

    for (size_t i = OP_IS_DONE; i < COUNTS_OP_ENDS; i++)
        METRICS_PUT(m, OPERATIONS, atomic_load(&c->operations[i]), str_from_c(op_ends[i]));
    for (size_t i = 0; i < N_COUNTS_ROLLOUTS; i++)
        METRICS_PUT_TIMES(m, ROLLOUTS, &c->rollouts[i], rollout_ends[i]);
    METRICS_PUT_TIMES(m, COMMITS, &c->commits);
    METRICS_PUT(m, COMMIT_ERRORS, atomic_load(&c->commit_errors));
}

static void put_environments(const struct engine *e, struct metrics *m)
{
    size_t n_runs = 0;

    for (size_t i = 0; i < e->envs.n; i++) {
        const struct env_task *env = e->envs.p[i];

        for (const struct run *r = env->runs; r; r = r->next)
            n_runs++;
        if (env->reconciled_ms)
            METRICS_PUT(m, RECONCILED, (double)env->reconciled_ms / 1000, env->name);
    }
    METRICS_PUT(m, RUNNING, n_runs);
}

static void put_sources(const struct engine *e, struct metrics *m)
{
    int64_t now_ms = loop_mono_ms(e->loop);

    for (size_t i = 0; i < e->n_sources; i++) {
        const struct source_task *s = e->sources[i];

        METRICS_PUT(m, SOURCE_AGE, (double)(now_ms - s->good_mono_ms) / 1000, s->name);
        METRICS_PUT(m, SOURCE_FAILURES, s->failures, s->name);
        METRICS_PUT(m, SOURCE_FETCHES, s->n_good, s->name, S("good"));
        METRICS_PUT(m, SOURCE_FETCHES, s->n_failed, s->name, S("failed"));
        METRICS_PUT_TIMES(m, SOURCE_TOOK, &s->took, s->name);
    }
}

/* Calls that were made; most drivers know but some of them. */
static void put_calls(const struct provider_line *line, struct metrics *m)
{
    static const struct str calls[PROVIDER_LINE_CALLS] = {
        [CALL_APPLY] = S_INIT("apply"),   [CALL_RESUME] = S_INIT("resume"),
        [CALL_READ] = S_INIT("read"),     [CALL_FIND] = S_INIT("find"),
        [CALL_HEALTH] = S_INIT("health"), [CALL_COUNTERS] = S_INIT("counters"),
        [CALL_SHED] = S_INIT("shed"),     [CALL_LIST] = S_INIT("list")
    };
    static const struct str answers[PROVIDER_LINE_ANSWERS] = { [BREAKER_ANSWERED] = S_INIT(
                                                                   "answered"),
                                                               [BREAKER_FAILED] = S_INIT("failed"),
                                                               [BREAKER_LATE] = S_INIT("late"),
                                                               [BREAKER_SILENT] = S_INIT("silent"),
                                                               S_INIT("refused") };

    for (size_t i = 0; i < N_CALLS; i++)
        for (size_t k = 0; k < PROVIDER_LINE_ANSWERS; k++)
            if (line->calls[i][k])
                METRICS_PUT(m, CALLS, line->calls[i][k], line->provider->name, calls[i],
                            answers[k]);
}

static size_t count_waiting(const struct op_queue *queue)
{
    size_t n = 0;

    for (const struct op_task *op = queue->first; op; op = op->next_waiting)
        n++;
    return n;
}

static void put_providers(const struct engine *e, struct metrics *m)
{
    for (size_t i = 0; i < e->n_lines; i++) {
        struct provider_line *line = &e->lines[i];
        struct str name = line->provider->name;

        METRICS_PUT(m, PROVIDER_RUNNING, line->slots, name, S("acting"));
        METRICS_PUT(m, PROVIDER_RUNNING, count_waiting(&line->waiting), name, S("waiting"));
        PRE(!pthread_mutex_lock(&line->lock));
        put_calls(line, m);
        METRICS_PUT(m, PROVIDER_FAILURES, line->breaker.n_failed, name);
        METRICS_PUT(m, BREAKER, line->breaker.is_open, name);
        PRE(!pthread_mutex_unlock(&line->lock));
        METRICS_PUT_TIMES(m, CALL_TOOK, &line->took, name);
    }
    for (size_t i = 0; i < e->n_edges; i++)
        METRICS_PUT(m, EDGE, !e->edges[i].trouble[0], e->edges[i].provider->name);
}

static void put_drains(const struct engine *e, struct metrics *m)
{
    for (size_t i = 0; i < e->n_drains; i++) {
        const struct drain_task *d = &e->drains[i];
        struct str name = d->tails.name;

        METRICS_PUT(m, DRAIN_UP, !d->trouble[0], name);
        METRICS_PUT(m, DRAIN_LINES, d->counts.sent, name, S("sent"));
        METRICS_PUT(m, DRAIN_LINES, d->counts.lost, name, S("lost"));
        METRICS_PUT(m, DRAIN_LINES, d->counts.refused, name, S("refused"));
        METRICS_PUT(m, DRAIN_LINES, d->counts.withheld, name, S("withheld"));
        METRICS_PUT(m, DRAIN_WAITING, d->counts.waiting, name);
    }
}

void counts_put_live(struct engine *e, struct metrics *m)
{
    METRICS_PUT(m, STALE, e->stale.p != NULL);
    put_done(e, m);
    put_environments(e, m);
    if (!e->stale.p)
        put_sources(e, m);
    put_providers(e, m);
    put_drains(e, m);
    if (e->copies.made_mono_ms)
        METRICS_PUT(m, COPY_AGE, (double)(loop_mono_ms(e->loop) - e->copies.made_mono_ms) / 1000);
}
