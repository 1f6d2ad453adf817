/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/gate_task.h"

#include "base/crash.h"
#include "base/log.h"
#include "reconciler/core/gate.h"
#include "reconciler/engine/gate_look.h"
#include "reconciler/engine/gate_rows.h"
#include "reconciler/engine/run.h"

#define GATE_DRAIN_EVERY_MS 50
#define GATE_LONG_EVERY_MS 250 /* while what stays open is waited for */
#define GATE_SHED_PARTS 20     /* what stays open is ended in about so many portions .. */
#define GATE_SHED_LEAST_MS 250 /* .. with so much time in between */
#define GATE_BAKE_EVERY_MS 500
#define GATE_READY_EVERY_MS 2000
#define GATE_SUCCESSES 3
#define GATE_AGAIN_FAST 5
#define GATE_AGAIN_MS 15000 /* between tries to open a gate, at the end */
#define GATE_HELD_MS 5000   /* what is kept stays while its environment is held: looked again */
#define GATE_ARENA_MAX (16u << 20)

enum {
    GATE_LOAD,
    GATE_BASE,
    GATE_OPENING,
    GATE_PROBE,
    GATE_COUNT,
    GATE_JUDGE,
    GATE_HELD,
    GATE_NOTE,
    GATE_REST,
    GATE_WRITE,
    GATE_OVER,
};

/* clang-format off */
static const struct task_state gate_states[] = {
    /*                 name       successors                      on error       deadline_ms: each probe and call has its own */
    [GATE_LOAD]    = { "LOAD",    TO(GATE_LOAD) | TO3(GATE_BASE, GATE_WRITE, GATE_OVER), GATE_LOAD, 0 }, /* cannot read: again */
    [GATE_BASE]    = { "BASE",    TO(GATE_OPENING),               GATE_LOAD,     0 },
    [GATE_OPENING] = { "OPENING", TO(GATE_PROBE),                 GATE_LOAD,     0 },
    [GATE_PROBE]   = { "PROBE",   TO2(GATE_COUNT, GATE_WRITE),    GATE_COUNT,    0 },
    [GATE_COUNT]   = { "COUNT",   TO(GATE_JUDGE),                 GATE_JUDGE,    0 },
    [GATE_JUDGE]   = { "JUDGE",   TO2(GATE_HELD, GATE_NOTE) | TO2(GATE_REST, GATE_WRITE), GATE_HELD, 0 },
    [GATE_HELD]    = { "HELD",    TO2(GATE_REST, GATE_WRITE),     NO_ERROR_EDGE, 0 },
    [GATE_NOTE]    = { "NOTE",    TO(GATE_REST),                  GATE_REST,     0 }, /* cannot write: again */
    [GATE_REST]    = { "REST",    TO(GATE_PROBE),                 GATE_PROBE,    0 }, /* woken early: cancelled */
    [GATE_WRITE]   = { "WRITE",   TO2(GATE_OVER, GATE_WRITE),     GATE_WRITE,    0 }, /* cannot write: again */
    [GATE_OVER]    = { "OVER",    0,                              NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static int gate_is(const struct gate_task *g, const char *type)
{
    return str_eq_c(value_get_text(g->need, S("type"), S("")), type);
}

/* --- time: what outlives the process is (since, length), clamped --------------------------------- */

/* What a set that is well needs to show it. A deadline that passed while nobody looked, or could see, proves
 * nothing. */
static int64_t gate_least_ms(const struct gate_task *g)
{
    const struct value *probe = value_get(g->need, S("probe"));

    if (!gate_is(g, "ready"))
        return 0;
    return value_get_int(g->need, S("min_healthy_ms"), 0) +
           (value_get_int(probe, S("success_threshold"), GATE_SUCCESSES) + 1) *
               (value_get_int(probe, S("interval_ms"), GATE_READY_EVERY_MS) +
                value_get_int(probe, S("timeout_ms"), GATE_READY_EVERY_MS));
}

/* Nobody waits any longer for what stays open: it is ended now, over its time. */
static void gate_hurry(struct gate_task *g)
{
    int64_t end_ms = loop_mono_ms(g->task.loop) + value_get_int(g->need, S("spread_ms"), 0);

    if (g->is_advanced && value_get(g->need, S("spread_ms")) && end_ms < g->end_mono_ms)
        g->end_mono_ms = end_ms;
}

static void gate_set_end(struct gate_task *g)
{
    int64_t gone = g->gone_ms, length = g->row.length_ms;
    int64_t progress = value_get_int(g->need, S("progress_ms"), length);

    if (gone > length)
        gone = length;
    if (g->was_open && length - gone < gate_least_ms(g))
        gone = length - gate_least_ms(g);
    g->end_mono_ms = loop_mono_ms(g->task.loop) + length - gone;
    if (gate_is_manual(g))
        g->end_mono_ms = INT64_MAX;
    g->progress_mono_ms = loop_mono_ms(g->task.loop) + (progress > gone ? progress - gone : 0);
    gate_hurry(g);
}

static int64_t gate_shed_every_ms(const struct gate_task *g)
{
    int64_t every = value_get_int(g->need, S("spread_ms"), 0) / GATE_SHED_PARTS;

    return every > GATE_SHED_LEAST_MS ? every : GATE_SHED_LEAST_MS;
}

/* They have had their time: from now on they are ended, until the end of the gate. */
static int gate_sheds(const struct gate_task *g)
{
    int64_t spread = value_get_int(g->need, S("spread_ms"), -1);

    return spread >= 0 && loop_mono_ms(g->task.loop) >= g->end_mono_ms - spread;
}

static void gate_plan_shed(struct gate_task *g)
{
    int64_t left_ms = g->end_mono_ms - loop_mono_ms(g->task.loop);

    g->shed_rounds = 0;
    if (gate_sheds(g) && g->n_ended)
        g->shed_rounds = (left_ms > 0 ? left_ms : 0) / gate_shed_every_ms(g) + 1;
}

static int gate_must_note(const struct gate_task *g)
{
    return gate_sheds(g) && !g->n_ended && g->n_backends && g->backends[0].counts.streams > 0;
}

static int64_t gate_every_ms(const struct gate_task *g)
{
    if (gate_is(g, "drained") && value_get(g->need, S("spread_ms")) && g->n_backends &&
        g->backends[0].counts.streams > 0)
        return g->n_ended ? gate_shed_every_ms(g) : GATE_LONG_EVERY_MS;
    if (gate_is(g, "drained"))
        return GATE_DRAIN_EVERY_MS;
    if (gate_is(g, "ready"))
        return value_get_int(value_get(g->need, S("probe")), S("interval_ms"), GATE_READY_EVERY_MS);
    return GATE_BAKE_EVERY_MS;
}

static enum task_verdict gate_rest(struct gate_task *g)
{
    struct task *t = &g->task;
    int64_t now_ms = loop_mono_ms(t->loop), at_ms = now_ms + gate_every_ms(g);

    if (gate_is(g, "keep") || (at_ms > g->end_mono_ms && now_ms < g->end_mono_ms))
        at_ms = g->end_mono_ms;
    wait_signal_start(t, at_ms);
    return task_then(t, GATE_PROBE);
}

/* --- judging ------------------------------------------------------------------------------------- */

static int gate_fails_now(const struct gate_task *g)
{
    for (size_t i = 0; i < g->n_subjects; i++)
        if (!g->subjects[i].sample.is_live && g->subjects[i].sample.failed_in_row > 0)
            return 1;
    return 0;
}

/* A bake whose end passed while nobody looked is over when what it looks at is well. */
static int gate_is_over(const struct gate_task *g, int64_t now_ms)
{
    if (now_ms < g->end_mono_ms && (!g->is_advanced || value_get(g->need, S("spread_ms"))))
        return 0;
    if (!g->is_blind && g->blind_mono_ms && now_ms < g->blind_mono_ms + gate_least_ms(g))
        return 0;
    return !gate_can_advance(g->item) || !gate_fails_now(g);
}

static void gate_judge(struct gate_task *g)
{
    int64_t now_ms = loop_mono_ms(g->task.loop);
    const struct gate_facts facts = gate_look_facts(g, gate_is_over(g, now_ms),
                                                    now_ms >= g->progress_mono_ms);
    struct gate_opinion opinion = gate_judge_facts(&g->arena, g->need, &facts);

    g->asks_live |= opinion.asks_live;
    if (opinion.verdict == OPINION_WAIT)
        return;
    g->verdict = opinion.verdict == OPINION_PASS ? GATE_PASSED
                 : opinion.verdict == OPINION_OUTAGE ||
                         g->item->lane == LANE_REVERT /* what served before does not serve */
                     ? GATE_OUTAGE
                     : GATE_FAILED;
    g->reason = opinion.reason;
}

/* What is kept, and its time is over. */
static enum task_verdict gate_held(struct gate_task *g)
{
    int is_held = g->task.rc || g->is_held; /* cannot read: as if it were */

    g->task.rc = 0;
    if (!g->verdict && is_held)
        g->end_mono_ms = loop_mono_ms(g->task.loop) + GATE_HELD_MS;
    if (!g->verdict)
        gate_judge(g);
    return task_goto(&g->task, g->verdict ? GATE_WRITE : GATE_REST);
}

/* Said once, tried ever slower. */
static enum task_verdict gate_again(struct gate_task *g, const char *what, int state)
{
    struct loop *loop = g->task.loop;

    if (!g->n_again++)
        LOG(LOG_ERROR, what, LOG_S("gate", g->item->name), LOG_C("err", g->task.err.text));
    wait_until_start(&g->task,
                     loop_mono_ms(loop) + (g->n_again > GATE_AGAIN_FAST
                                               ? GATE_AGAIN_MS
                                               : retry_delay_ms(g->n_again, loop_random(loop))));
    return task_then(&g->task, state);
}

static enum task_verdict gate_leave(struct gate_task *g)
{
    g->task.rc = 0;
    return task_goto(&g->task, g->was_open ? GATE_WRITE : GATE_OVER);
}

static enum task_verdict gate_step(struct task *t)
{
    struct gate_task *g = gate_of(t);

    if (t->cancelled)
        return task_done(t); /* the row stays open */
    switch (t->state) {
    case GATE_LOAD:
        if (g->verdict) /* cancelled before it could open; without a row there is nothing to close */
            return gate_leave(g);
        if (t->rc == ERR_CONFLICT) /* the tail of an older plan keeps the same set: after it */
            g->n_again += !g->n_again;
        if (t->rc)
            return gate_again(g, "gate cannot be opened, tried again", GATE_LOAD);
        arena_reset(&g->arena); /* what failed is not kept: it may be tried for ever */
        wait_work_start(t, POOL_STATE, gate_rows_load);
        return task_then(t, GATE_BASE);
    case GATE_BASE:
        if (gate_is(
                g,
                "drained")) /* compares with nothing, and ends whether counters can be read or not */
            return task_goto(t, GATE_OPENING);
        gate_look_count(g);
        return task_then(t, GATE_OPENING);
    case GATE_OPENING:
        wait_work_start(t, POOL_STATE, gate_rows_open);
        return task_then(t, GATE_PROBE);
    case GATE_PROBE:
        g->n_again = 0;
        if (!g->end_mono_ms) {
            CRASH_POINT(GATE_AFTER_OPENED);
            gate_set_end(g);
        }
        if (g->verdict)
            return task_goto(t, GATE_WRITE);
        gate_look_begin(g);
        return task_then(t, GATE_COUNT);
    case GATE_COUNT:
        gate_look_probed(g);
        gate_plan_shed(g);
        gate_look_count(g);
        return task_then(t, GATE_JUDGE);
    case GATE_JUDGE:
        if (!t->rc)
            gate_look_show(g);
        if (!g->verdict && gate_is(g, "keep") && gate_is_over(g, loop_mono_ms(t->loop))) {
            wait_work_start(t, POOL_STATE, gate_rows_find_hold);
            return task_then(t, GATE_HELD);
        }
        if (!g->verdict && !t->rc && gate_must_note(g)) {
            wait_work_start(t, POOL_STATE, gate_rows_note);
            return task_then(t, GATE_NOTE);
        }
        if (!g->verdict)
            gate_judge(g);
        t->rc = 0; /* counters that could not be read: judged */
        return task_goto(t, g->verdict ? GATE_WRITE : GATE_REST);
    case GATE_HELD:
        return gate_held(g);
    case GATE_NOTE:
        return task_goto(t, GATE_REST);
    case GATE_REST:
        return gate_rest(g);
    case GATE_WRITE:
        if (t->rc)
            return gate_again(g, "gate cannot be written, tried again", GATE_WRITE);
        wait_work_start(t, POOL_STATE, gate_rows_close);
        return task_then(t, GATE_OVER);
    case GATE_OVER:
        CRASH_POINT(GATE_AFTER_VERDICT);
        return task_done(t);
    }
    UNREACHABLE();
}

void gate_task_start(struct gate_task *g, struct run *run, size_t index,
                     const struct op_found *found, const struct rec_gate *row, task_ended *ended,
                     void *ctx)
{
    *g = (struct gate_task){
        .engine = run->engine, .run = run, .index = index, .item = &run->plan.items.p[index]
    };
    g->need = g->item->gate;
    arena_init(&g->arena, GATE_ARENA_MAX);
    arena_init(&g->round, GATE_ARENA_MAX);
    g->rec = (struct rec_operation){ .plan = run->plan_id,
                                     .item = (int64_t)index,
                                     .step = g->item->step,
                                     .env = run->plan.env_uid,
                                     .kind = g->item->kind,
                                     .name = g->item->name,
                                     .action = S("gate") };
    g->row = (struct rec_gate){ .baseline = S("{}") };
    if (found && row) {
        g->was_open = 1;
        g->rec = found->rec;
        g->row = *row;
        g->is_advanced = row->advanced_by.p != NULL;
    }
    task_start(&g->task, run->engine->loop, "gate", gate_states, N_ELEMENTS(gate_states), GATE_LOAD,
               gate_step, ended, ctx);
    g->task.about = run->about;
}

void gate_task_cancel(struct gate_task *g)
{
    if (g->verdict)
        return;
    g->verdict = GATE_CANCELLED;
    wait_signal(&g->task);
}

int gate_can_advance(const struct plan_item *item)
{
    struct str type = value_get_text(item->gate, S("type"), S(""));

    return str_eq_c(type, "bake") || str_eq_c(type, "promote") ||
           (item->lane == LANE_REVERT && value_get(item->gate, S("spread_ms")));
}

void gate_task_advance(struct gate_task *g, struct str actor)
{
    if (g->verdict || !gate_can_advance(g->item))
        return;
    g->is_advanced = 1;
    gate_hurry(g);
    g->row.advanced_by = str_copy(&g->run->arena, actor);
    wait_signal(&g->task);
}

int gate_task_needs_person(const struct gate_task *g)
{
    return gate_is_manual(g) && g->end_mono_ms && !g->is_advanced && !g->verdict;
}

int gate_task_is_keeping(const struct gate_task *g)
{
    return gate_is(g, "keep") && !g->verdict && g->end_mono_ms > loop_mono_ms(g->task.loop);
}

void gate_task_fini(struct gate_task *g)
{
    gate_look_fini(g);
    arena_fini(&g->round);
    arena_fini(&g->arena);
}
