/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/run.h"

#include "base/alloc.h"
#include "base/crash.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/core/judge.h"
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

/* --- marks --------------------------------------------------------------------------------------- */

enum { MARK_WRITE, MARK_AGAIN, MARK_OVER };

/* clang-format off */
static const struct task_state mark_states[] = {
    /*               name     successors        on error       deadline_ms */
    [MARK_WRITE] = { "WRITE", TO(MARK_OVER),    MARK_AGAIN,    0 },
    [MARK_AGAIN] = { "AGAIN", TO(MARK_WRITE),   MARK_WRITE,    0 },
    [MARK_OVER]  = { "OVER",  0,                NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static int mark_write(struct task *t, struct err *err)
{
    struct mark_task *m = container_of(t, struct mark_task, task);
    struct run *r = m->run;
    const struct plan_item *item = &r->plan.items.p[m->index];
    struct tx *tx;

    arena_reset(&m->arena); /* tried for as long as the disk is full */
    if (engine_tx(
            r->engine,
            &(struct engine_event){
                .kind = str_fmt(&m->arena, "rollout.%.*s",
                                STR_ARG(str_slice(item->name, 0, str_find_char(item->name, ':')))),
                .subject = r->env_name,
                .env = r->plan.env_uid,
                .cause = str_fmt(&m->arena, "plan:%.*s",
                                 STR_ARG(engine_short(&m->arena, &r->plan_id))),
            },
            &tx, err))
        return err->code;
    m->rec.uid = sys_uuid7(&m->arena, tx_time_ms(tx));
    m->rec.epoch = r->engine->epoch;
    m->rec.intent_ms = m->rec.deadline_ms = tx_time_ms(tx);
    if (run_rows_mark(r, tx, item, err) || tx_put(tx, REC_operation, &m->rec, err)) {
        tx_rollback(tx);
        return err_wrap(err, "mark '%.*s'", STR_ARG(item->name));
    }
    return tx_commit(tx, err);
}

static enum task_verdict mark_step(struct task *t)
{
    struct mark_task *m = container_of(t, struct mark_task, task);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case MARK_WRITE:
        wait_work_start(t, POOL_STATE, mark_write);
        return task_then(t, MARK_OVER);
    case MARK_AGAIN:
        LOG(LOG_ERROR, "rows cannot be written, tried again",
            LOG_S("mark", m->run->plan.items.p[m->index].name), LOG_C("err", t->err.text));
        wait_until_start(t, loop_mono_ms(t->loop) + RETRY_FIRST_MS);
        return task_then(t, MARK_WRITE);
    case MARK_OVER:
        m->end = OP_IS_DONE;
        return task_done(t);
    }
    UNREACHABLE();
}

static void mark_start(struct mark_task *m, struct run *r, size_t index, task_ended *ended,
                       void *ctx)
{
    const struct plan_item *item = &r->plan.items.p[index];

    *m = (struct mark_task){ .run = r, .index = index };
    arena_init(&m->arena, 1u << 20);
    m->rec = (struct rec_operation){
        .plan = r->plan_id,
        .item = (int64_t)index,
        .step = item->step,
        .env = r->plan.env_uid,
        .kind = item->kind,
        .name = item->name,
        .provider = S("engine"),
        .action = S("mark"),
        .phase = S("VERIFIED"),
        .outcome = S("done"),
        .key = S(""),
        .owner = S(""),
        .attempt = 1,
        .expected = S("{}"),
        .not_before_ms = REC_NONE,
        .poll_at_ms = REC_NONE,
    };
    task_start(&m->task, r->engine->loop, "mark", mark_states, N_ELEMENTS(mark_states), MARK_WRITE,
               mark_step, ended, ctx);
}

/* --- children ------------------------------------------------------------------------------------ */

static void run_note_traffic(struct run *r, const struct plan_item *item)
{
    const struct value *members = value_get(item->desired, S("members"));

    if (members)
        r->moved(r, members, r->ctx);
    if (item->action == PLAN_SWITCH && item->lane == LANE_MAIN)
        CRASH_POINT(ROLLOUT_AFTER_SWITCH);
    if (item->action == PLAN_SWITCH && item->lane == LANE_REVERT)
        CRASH_POINT(ROLLOUT_AFTER_REVERT);
    if (item->action == PLAN_MARK && item->step == 8 && item->lane == LANE_MAIN)
        CRASH_POINT(ROLLOUT_AFTER_PROVEN);
}

static enum item_status run_op_status(enum op_end end)
{
    switch (end) {
    case OP_IS_DONE:
        return ITEM_DONE;
    case OP_IS_PARKED:
        return ITEM_PARKED;
    case OP_IS_OPEN:
        return ITEM_OPEN;
    case OP_IS_FAILED:
    case OP_IS_SUPERSEDED:
    case OP_IS_CANCELLED:
        break;
    }
    return ITEM_FAILED;
}

static void run_op_ended(struct task *t, void *ctx)
{
    struct run_child *c = ctx;
    struct run *r = c->run;
    const struct plan_item *item = &r->plan.items.p[c->index];
    struct op_task *op = &c->task->op;
    struct str why = op->answer.message.n ? op->answer.message : str_from_c(t->err.text);

    r->schedule.items[c->index] = run_op_status(op->end);
    if (op->end == OP_IS_PARKED)
        env_task_wake(engine_env(r->engine, r->plan.env_uid)); /* which tells it */
    c->message = str_copy(&r->arena, why);
    c->is_at_fault = judge_is_at_fault(item->kind, op->answer.verdict, op->answer.acted);
    op_task_fini(op);
    alloc_free(TAKE(c->task));
    run_note_traffic(r, item);
    wait_signal(&r->task);
}

static void run_gate_ended(struct task *t, void *ctx)
{
    struct run_child *c = ctx;
    struct run *r = c->run;
    struct gate_task *g = &c->task->gate;

    (void)t;
    c->verdict = g->verdict;
    c->message = str_copy(&r->arena, g->reason);
    c->is_at_fault = g->verdict == GATE_FAILED;
    r->schedule.items[c->index] = g->verdict == GATE_OPEN ? ITEM_OPEN
                                  : g->verdict == GATE_PASSED || (g->verdict == GATE_OUTAGE &&
                                                                  g->item->lane == LANE_REVERT)
                                      ? ITEM_DONE
                                  : g->verdict == GATE_CANCELLED && g->item->lane == LANE_TAIL
                                      ? ITEM_SKIPPED
                                      : ITEM_FAILED;
    gate_task_fini(g);
    alloc_free(TAKE(c->task));
    wait_signal(&r->task);
}

static void run_mark_ended(struct task *t, void *ctx)
{
    struct run_child *c = ctx;
    struct run *r = c->run;

    (void)t;
    r->schedule.items[c->index] = run_op_status(c->task->mark.end);
    arena_fini(&c->task->mark.arena);
    alloc_free(TAKE(c->task));
    run_note_traffic(r, &r->plan.items.p[c->index]);
    wait_signal(&r->task);
}

static void run_begin_item(struct run *r, size_t index)
{
    struct run_child *c = &r->children[index];
    const struct plan_item *item = &r->plan.items.p[index];

    c->task = alloc_zero(sizeof(*c->task));
    if (!c->task)
        return; /* stays as it is; the next walk tries again */
    r->schedule.items[index] = ITEM_OPEN;
    if (item->action == PLAN_GATE)
        gate_task_start(&c->task->gate, r, index, c->found, c->gate, run_gate_ended, c);
    else if (item->action == PLAN_MARK)
        mark_start(&c->task->mark, r, index, run_mark_ended, c);
    else
        op_task_start(&c->task->op, r, index, c->found, run_op_ended, c);
    c->found = NULL;
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
    if (run_rows_group(r, tx, &r->move, err)) {
        tx_rollback(tx);
        return err->code;
    }
    return tx_commit(tx, err);
}

static int run_write_end(struct task *t, struct err *err)
{
    struct run *r = run_of(t);
    struct engine_event event = run_event(r, S("plan.ended"));
    struct tx *tx;

    if (engine_tx(r->engine, &event, &tx, err))
        return err->code;
    if (run_rows_end(r, tx, schedule_main_end(&r->schedule), err)) {
        tx_rollback(tx);
        return err->code;
    }
    return tx_commit(tx, err);
}

static int run_write_last(struct task *t, struct err *err)
{
    struct run *r = run_of(t);
    struct engine_event event = run_event(r, S("plan.over"));
    struct tx *tx;

    if (engine_tx(r->engine, &event, &tx, err))
        return err->code;
    if (run_rows_over(r, tx, err)) {
        tx_rollback(tx);
        return err->code;
    }
    return tx_commit(tx, err);
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
            run_begin_item(r, i);
}

static void run_move_item(struct run *r, const struct schedule_move *move)
{
    struct run_child *c = &r->children[move->item];
    const struct plan_item *item = &r->plan.items.p[move->item];

    switch (move->kind) {
    case MOVE_START:
        run_begin_item(r, move->item);
        break;
    case MOVE_SKIP:
        r->schedule.items[move->item] = ITEM_SKIPPED;
        break;
    case MOVE_CANCEL:
        if (c->task && item->action == PLAN_GATE)
            gate_task_cancel(&c->task->gate);
        else if (c->task && item->action != PLAN_MARK)
            op_task_give_up(&c->task->op);
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
        LOG(LOG_ERROR, "plan cannot be written, tried again", LOG_S("env", r->env_name),
            LOG_C("err", t->err.text));
        wait_until_start(t, loop_mono_ms(t->loop) + RETRY_FIRST_MS);
        return task_then(t, again[r->is_writing]);
    case RUN_OVER:
        return task_done(t);
    }
    UNREACHABLE();
}

void run_start(struct run *r, const struct run_options *options)
{
    *r = (struct run){ .engine = options->engine,
                       .plan_id = options->plan_id,
                       .env_name = options->env_name,
                       .main_ended = options->main_ended,
                       .moved = options->moved,
                       .ctx = options->ctx,
                       .commit_id = S("") };
    arena_init(&r->arena, RUN_ARENA_MAX);
    arena_init(&r->rows, RUN_ARENA_MAX);
    task_start(&r->task, options->engine->loop, "run", run_states, N_ELEMENTS(run_states), RUN_LOAD,
               run_step, options->ended, options->ctx);
}

/* A task that was dropped with its loop. */
static void run_child_fini(struct run *r, struct run_child *c)
{
    enum plan_action action = r->plan.items.p[c->index].action;

    if (!c->task)
        return;
    if (action == PLAN_GATE)
        gate_task_fini(&c->task->gate);
    else if (action == PLAN_MARK)
        arena_fini(&c->task->mark.arena);
    else
        op_task_fini(&c->task->op);
    alloc_free(TAKE(c->task));
}

void run_fini(struct run *r)
{
    for (size_t i = 0; r->children && i < r->plan.items.n; i++)
        run_child_fini(r, &r->children[i]);
    arena_fini(&r->rows);
    arena_fini(&r->arena);
}

void run_wish(struct run *r, enum schedule_wish wish)
{
    if (wish > r->schedule.wish)
        r->schedule.wish = wish;
    wait_signal(&r->task);
}

void run_take_over(struct run *r, struct str service)
{
    for (size_t i = 0; r->is_loaded && i < r->plan.items.n; i++) {
        const struct plan_item *item = &r->plan.items.p[i];

        if (r->children[i].task && str_eq_c(item->kind, "keep") && str_eq(item->service, service))
            gate_task_cancel(&r->children[i].task->gate);
    }
}

void run_reload(struct run *r)
{
    r->is_settled = 1;
    wait_signal(&r->task);
}

static int run_child_waits(const struct plan_item *item, const union run_task *task)
{
    if (item->action == PLAN_MARK)
        return 0;
    return item->action == PLAN_GATE ? gate_task_is_keeping(&task->gate)
                                     : op_task_is_backing_off(&task->op);
}

int run_is_waiting(const struct run *r)
{
    struct schedule_move move;

    if (!r->is_loaded || r->main_end == SCHEDULE_RUNS || r->is_writing ||
        schedule_next(&r->schedule, &move, 1))
        return 0;
    for (size_t i = 0; i < r->plan.items.n; i++)
        if (r->children[i].task && !run_child_waits(&r->plan.items.p[i], r->children[i].task))
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
        enum plan_action action = r->plan.items.p[i].action;

        if (!r->children[i].task)
            continue;
        if (action == PLAN_GATE || action == PLAN_MARK ||
            !op_task_is_stuck(&r->children[i].task->op))
            return 0;
        n_open++;
    }
    return n_open > 0;
}

void run_stop(struct run *r)
{
    task_cancel(&r->task, ERR_CANCELLED);
    for (size_t i = 0; r->is_loaded && i < r->plan.items.n; i++) {
        union run_task *c = r->children[i].task;
        enum plan_action action = r->plan.items.p[i].action;

        if (c)
            task_cancel(action == PLAN_GATE   ? &c->gate.task
                        : action == PLAN_MARK ? &c->mark.task
                                              : &c->op.task,
                        ERR_CANCELLED);
    }
}
