/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/run_child.h"

#include <string.h>

#include "base/crash.h"
#include "base/guard.h"
#include "base/log.h"
#include "reconciler/engine/env_task.h"

#define RUN_PARKED_LOOK_MS 30000
#define RUN_ARENA_MAX (256u << 20)

enum {
    RUN_LOAD,
    RUN_UNLOADED,
    RUN_WALK,
    RUN_RELOAD,
    RUN_GROUP,
    RUN_END,
    RUN_LAST,
    RUN_AGAIN,
    RUN_OVER
};
enum { RUN_WRITES_NOTHING, RUN_WRITES_GROUP, RUN_WRITES_END, RUN_WRITES_LAST };

/* clang-format off */
static const struct task_state run_states[] = {
    /*              name     successors                                                   on error       deadline_ms */
    [RUN_LOAD]  = { "LOAD",  TO(RUN_WALK),                                                RUN_UNLOADED,  0 },
    [RUN_UNLOADED] = { "UNLOADED", TO2(RUN_LOAD, RUN_OVER),                               RUN_LOAD,      0 }, /* in a moment; what is corrupt stays so */
    [RUN_WALK]  = { "WALK",  TO3(RUN_WALK, RUN_RELOAD, RUN_OVER) | TO3(RUN_GROUP, RUN_END, RUN_LAST), RUN_WALK, 0 }, /* until a child ends */
    [RUN_RELOAD] = { "RELOAD", TO(RUN_WALK),                                              RUN_AGAIN,     0 }, /* settled by a person */
    [RUN_GROUP] = { "GROUP", TO(RUN_WALK),                                                RUN_AGAIN,     0 },
    [RUN_END]   = { "END",   TO(RUN_WALK),                                                RUN_AGAIN,     0 },
    [RUN_LAST]  = { "LAST",  TO(RUN_OVER),                                                RUN_AGAIN,     0 },
    [RUN_AGAIN] = { "AGAIN", TO(RUN_RELOAD) | TO3(RUN_GROUP, RUN_END, RUN_LAST),          RUN_WALK,      0 }, /* could not write: in a moment */
    [RUN_OVER]  = { "OVER",  0,                                                           NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static struct run *run_of(struct task *t)
{
    return container_of(t, struct run, task);
}

/* --- walking ------------------------------------------------------------------------------------- */

static int run_load(struct task *t, struct err *err)
{
    struct run *r = run_of(t);

    r->children = NULL;
    arena_reset(&r->arena); /* what an earlier try read */
    return run_rows_load(r, err);
}

static struct engine_event run_event(struct run *r, struct str kind)
{
    return (struct engine_event){
        .kind = kind,
        .subject = r->env_name,
        .env = r->plan.env_uid,
        .cause = str_fmt(&r->rows, "plan:%.*s", STR_ARG(engine_short(&r->rows, &r->plan_id))),
    };
}

static int run_read_settled(struct task *t, struct err *err)
{
    return run_rows_reload(run_of(t), err);
}

static int run_write_group(struct task *t, struct err *err)
{
    struct run *r = run_of(t);
    struct engine_event event = run_event(
        r, r->move.kind != MOVE_REVERT                                   ? S("rollout.ended")
           : run_group_goes_back(r, r->move.group, r->move.culprit >= 0) ? S("rollout.reverting")
                                                                         : S("rollout.held"));
    struct tx *tx;

    if (engine_tx(r->engine, &event, &tx, err))
        return err->code;
    return tx_finish(tx, run_rows_group(r, tx, &r->move, err), err);
}

static int run_write_end(struct task *t, struct err *err)
{
    struct run *r = run_of(t);
    struct engine_event event = run_event(r, S("plan.ended"));
    struct tx *tx;

    if (engine_tx(r->engine, &event, &tx, err))
        return err->code;
    return tx_finish(tx, run_rows_end(r, tx, schedule_main_end(&r->schedule), err), err);
}

static int run_write_last(struct task *t, struct err *err)
{
    struct run *r = run_of(t);
    struct engine_event event = run_event(r, S("plan.over"));
    struct tx *tx;

    if (engine_tx(r->engine, &event, &tx, err))
        return err->code;
    return tx_finish(tx, run_rows_over(r, tx, err), err);
}

/* The group's row is written before the move shows in the schedule. */
static enum task_verdict run_move_group(struct run *r, const struct schedule_move *move)
{
    r->move = *move;
    if (move->kind == MOVE_PROVEN) { /* its mark wrote the row */
        r->schedule.groups[move->group] = GROUP_PROVEN;
        return task_goto(&r->task, RUN_WALK);
    }
    if (move->kind == MOVE_REVERT)
        CRASH_POINT(ROLLOUT_BEFORE_REVERT);
    r->is_writing = RUN_WRITES_GROUP;
    return task_goto(&r->task, RUN_GROUP);
}

static void run_group_written(struct run *r)
{
    struct str state = r->rollouts[r->move.group].state;

    r->is_writing = RUN_WRITES_NOTHING;
    r->schedule.groups[r->move.group] = str_eq_c(state, "held")       ? GROUP_HELD
                                        : r->move.kind == MOVE_REVERT ? GROUP_REVERTING
                                                                      : GROUP_REVERTED;
}

static void run_resume_found(struct run *r)
{
    for (size_t i = 0; i < r->plan.items.n; i++)
        if (r->schedule.items[i] == ITEM_OPEN && !r->children[i].task)
            run_child_begin(r, i);
}

static void run_move_item(struct run *r, const struct schedule_move *move)
{
    switch (move->kind) {
    case MOVE_START:
        run_child_begin(r, move->item);
        break;
    case MOVE_SKIP:
        r->schedule.items[move->item] = ITEM_SKIPPED;
        break;
    case MOVE_CANCEL:
        run_child_give_up(&r->children[move->item]);
        break;
    case MOVE_REVERT:
    case MOVE_PROVEN:
    case MOVE_REVERTED:
        UNREACHABLE();
    }
}

static struct str run_reason(const struct run *r)
{
    for (size_t i = 0; i < r->plan.groups.n; i++)
        if (r->rollouts[i].reason.p)
            return r->rollouts[i].reason;
    for (size_t i = 0; i < r->plan.items.n; i++)
        if (r->schedule.items[i] == ITEM_FAILED || r->schedule.items[i] == ITEM_PARKED)
            return r->children[i].message;
    return S("");
}

/* The main part is through: told once, whatever the tail still does. */
static enum task_verdict run_end_main(struct run *r, enum schedule_end end)
{
    r->is_writing = RUN_WRITES_END;
    r->main_end = end;
    r->reason = run_reason(r);
    if (end == SCHEDULE_APPLIED) { /* its last mark wrote it */
        r->is_writing = RUN_WRITES_NOTHING;
        r->main_ended(r, r->ctx);
        return task_goto(&r->task, RUN_WALK);
    }
    return task_goto(&r->task, RUN_END);
}

/* Something waits for a person, who may settle it at any time; or for a later plan that takes it away. */
static int run_is_parked(const struct run *r)
{
    for (size_t i = 0; i < r->plan.items.n; i++)
        if (r->schedule.items[i] == ITEM_PARKED)
            return 1;
    return 0;
}

int run_is_over(const struct run *r)
{
    return schedule_is_over(&r->schedule) && !run_is_parked(r);
}

/* Until a child ends; what is parked is looked at now and then. */
static enum task_verdict run_wait(struct run *r)
{
    r->is_settled = run_is_parked(r);
    wait_signal_start(&r->task,
                      r->is_settled ? loop_mono_ms(r->task.loop) + RUN_PARKED_LOOK_MS : -1);
    return task_then(&r->task, RUN_WALK);
}

static enum task_verdict run_walk(struct run *r)
{
    struct schedule_move moves[SCHEDULE_MOVES_MAX];
    size_t n, n_cancels = 0;
    enum schedule_end end;

    r->is_loaded = 1;
    if (r->is_writing == RUN_WRITES_GROUP)
        run_group_written(r);
    if (r->is_writing == RUN_WRITES_END) {
        r->is_writing = RUN_WRITES_NOTHING;
        r->main_ended(r, r->ctx);
    }
    if (TAKE(r->is_settled))
        return task_goto(&r->task, RUN_RELOAD);
    run_resume_found(r);
    while ((n = schedule_next(&r->schedule, moves, SCHEDULE_MOVES_MAX)) > n_cancels) {
        n_cancels = 0;
        for (size_t i = 0; i < n; i++) {
            if (moves[i].kind == MOVE_REVERT || moves[i].kind == MOVE_PROVEN ||
                moves[i].kind == MOVE_REVERTED)
                return run_move_group(r, &moves[i]);
            n_cancels += moves[i].kind == MOVE_CANCEL; /* they end in their own time */
            run_move_item(r, &moves[i]);
        }
    }
    end = schedule_main_end(&r->schedule);
    if (end != SCHEDULE_RUNS && r->main_end == SCHEDULE_RUNS)
        return run_end_main(r, end);
    if (run_is_over(r)) {
        if (!r->plan.groups.n)
            return task_goto(&r->task, RUN_OVER);
        r->is_writing = RUN_WRITES_LAST;
        return task_goto(&r->task, RUN_LAST);
    }
    return run_wait(r);
}

/* The plan stays `applying`: nothing of it may begin before its rows were read. */
static enum task_verdict run_unloaded(struct run *r)
{
    enum err_class class = err_class(r->task.rc);

    if (class != ERR_CLASS_WAIT && class != ERR_CLASS_RETRY)
        return task_goto(&r->task, RUN_OVER);
    wait_until_start(&r->task, loop_mono_ms(r->task.loop) + RETRY_FIRST_MS);
    return task_then(&r->task, RUN_LOAD);
}

static enum task_verdict run_step(struct task *t)
{
    static const int again[] = { [RUN_WRITES_NOTHING] = RUN_RELOAD,
                                 [RUN_WRITES_GROUP] = RUN_GROUP,
                                 [RUN_WRITES_END] = RUN_END,
                                 [RUN_WRITES_LAST] = RUN_LAST };
    struct run *r = run_of(t);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case RUN_LOAD:
        wait_work_start(t, POOL_STATE, run_load);
        return task_then(t, RUN_WALK);
    case RUN_UNLOADED:
        return run_unloaded(r);
    case RUN_WALK:
        return run_walk(r);
    case RUN_RELOAD:
        wait_work_start(t, POOL_STATE, run_read_settled);
        return task_then(t, RUN_WALK);
    case RUN_GROUP:
        wait_work_start(t, POOL_STATE, run_write_group);
        return task_then(t, RUN_WALK);
    case RUN_END:
        wait_work_start(t, POOL_STATE, run_write_end);
        return task_then(t, RUN_WALK);
    case RUN_LAST:
        wait_work_start(t, POOL_STATE, run_write_last);
        return task_then(t, RUN_OVER);
    case RUN_AGAIN:
        if (!r->is_refused)
            LOG(LOG_ERROR, "plan cannot be written, tried again", LOG_S("env", r->env_name),
                LOG_C("err", t->err.text));
        r->is_refused = 1;
        wait_until_start(t, loop_mono_ms(t->loop) + RETRY_FIRST_MS);
        return task_then(t, again[r->is_writing]);
    case RUN_OVER:
        return task_done(t);
    }
    UNREACHABLE();
}

static struct str run_short_id(struct run *r)
{
    struct str id = engine_short(&r->arena, &r->plan_id);

    if (id.p) /* out of memory the log goes without it */
        memcpy(r->short_id, id.p, id.n);
    return (struct str){ id.p ? r->short_id : NULL, id.n };
}

void run_start(struct run *r, const struct run_options *options)
{
    *r = (struct run){ .engine = options->engine,
                       .plan_id = options->plan_id,
                       .kept = options->take_made,
                       .env_name = options->env_name,
                       .main_ended = options->main_ended,
                       .moved = options->moved,
                       .ctx = options->ctx,
                       .commit_id = S("") };
    arena_init(&r->arena, RUN_ARENA_MAX);
    arena_init(&r->rows, RUN_ARENA_MAX);
    task_start(&r->task, options->engine->loop, "run", run_states, N_ELEMENTS(run_states), RUN_LOAD,
               run_step, options->ended, options->ctx);
    r->about[0] = (struct log_field)LOG_S("env", r->env_name);
    r->about[1] = (struct log_field)LOG_S("plan", run_short_id(r));
    r->task.about = r->about;
}

void run_fini(struct run *r)
{
    for (size_t i = 0; r->children && i < r->plan.items.n; i++)
        run_child_fini(&r->children[i]);
    run_plan_free(r->kept);
    arena_fini(&r->rows);
    arena_fini(&r->arena);
}

void run_wish(struct run *r, enum schedule_wish wish)
{
    if (wish > r->schedule.wish)
        r->schedule.wish = wish;
    wait_signal(&r->task);
}

void run_advance(struct run *r, struct str service, struct str actor)
{
    for (size_t i = 0; r->is_loaded && i < r->plan.items.n; i++)
        if (r->children[i].task && r->plan.items.p[i].action == PLAN_GATE &&
            plan_item_is_about(&r->plan, i, service))
            gate_task_advance(&r->children[i].task->gate, actor);
}

void run_view_gates(const struct run *r, struct arena *a, struct value *list)
{
    for (size_t i = 0; r->is_loaded && i < r->plan.items.n; i++)
        if (r->children[i].task && r->plan.items.p[i].action == PLAN_GATE)
            gate_task_view(&r->children[i].task->gate, a, list);
}

void run_take_over(struct run *r, struct str service)
{
    for (size_t i = 0; r->is_loaded && i < r->plan.items.n; i++) {
        const struct plan_item *item = &r->plan.items.p[i];

        if (r->children[i].task && str_eq(item->service, service) &&
            (plan_item_keeps(item) ||
             (item->lane == LANE_TAIL && value_get(item->gate, S("spread_ms")))))
            gate_task_cancel(&r->children[i].task->gate);
    }
}

void run_reload(struct run *r)
{
    r->is_settled = 1;
    wait_signal(&r->task);
}

int run_is_waiting(const struct run *r)
{
    struct schedule_move move;

    if (!r->is_loaded || r->main_end == SCHEDULE_RUNS || r->is_writing ||
        schedule_next(&r->schedule, &move, 1))
        return 0;
    for (size_t i = 0; i < r->plan.items.n; i++)
        if (r->children[i].task && !run_child_waits(&r->children[i]))
            return 0;
    return 1;
}

int run_is_stuck(const struct run *r)
{
    struct schedule_move move;
    size_t n_open = 0;

    if (!r->is_loaded || r->is_writing || schedule_next(&r->schedule, &move, 1))
        return 0;
    for (size_t i = 0; i < r->plan.items.n; i++) {
        if (!r->children[i].task)
            continue;
        if (!run_child_is_stuck(&r->children[i]))
            return 0;
        n_open++;
    }
    return n_open > 0;
}

int run_needs_person(const struct run *r)
{
    if (!r->is_loaded || r->schedule.wish != WISH_NONE)
        return 0;
    for (size_t i = 0; i < r->plan.items.n; i++)
        if (r->plan.items.p[i].action == PLAN_GATE && r->children[i].task &&
            gate_task_needs_person(&r->children[i].task->gate))
            return 1;
    return run_is_parked(r);
}

void run_add_moving(const struct run *r, struct map *ret)
{
    for (size_t i = 0; i < r->plan.items.n; i++) {
        const struct plan_item *item = &r->plan.items.p[i];
        enum group_state group = item->group < 0 ? GROUP_ROLLING : r->schedule.groups[item->group];
        int is_done = r->schedule.items[i] == ITEM_DONE || r->schedule.items[i] == ITEM_SKIPPED;

        if (item->service.n && !(item->group < 0 && is_done) && group != GROUP_PROVEN &&
            group != GROUP_REVERTED)
            map_put(ret, item->service, NULL);
    }
}

void run_stop(struct run *r)
{
    task_cancel(&r->task, ERR_CANCELLED);
    for (size_t i = 0; r->is_loaded && i < r->plan.items.n; i++)
        run_child_stop(&r->children[i]);
}
