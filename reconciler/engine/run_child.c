/* What becomes of an item. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/run_child.h"

#include "base/alloc.h"
#include "base/crash.h"
#include "base/guard.h"
#include "reconciler/core/judge.h"
#include "reconciler/engine/env_task.h"

static int child_is(const struct run_child *c, enum plan_action action)
{
    return c->run->plan.items.p[c->index].action == action;
}

static void run_note_traffic(struct run *r, size_t index)
{
    const struct plan_item *item = &r->plan.items.p[index];
    const struct value *members = value_get(item->desired, S("members"));

    if (members && plan_item_share(item) == PLAN_SHARE_ALL && r->schedule.items[index] == ITEM_DONE)
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

    counts_operation(&r->engine->counts, op);
    r->schedule.items[c->index] = run_op_status(op->end);
    if (op->end == OP_IS_PARKED)
        env_task_wake(engine_env(r->engine, r->plan.env_uid)); /* which tells it */
    c->message = str_copy(&r->arena, why);
    c->is_at_fault = judge_is_at_fault(item->kind, op->answer.verdict, op->answer.acted);
    op_task_fini(op);
    alloc_free(TAKE(c->task));
    run_note_traffic(r, c->index);
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
    run_note_traffic(r, c->index);
    wait_signal(&r->task);
}

void run_child_begin(struct run *r, size_t index)
{
    struct run_child *c = &r->children[index];
    const struct plan_item *item = &r->plan.items.p[index];

    c->task = alloc_zero(sizeof(*c->task));
    if (!c->task)
        return; /* stays as it is; the next walk tries again */
    r->schedule.items[index] = ITEM_OPEN;
    if (item->action == PLAN_GATE) {
        gate_task_start(&c->task->gate, r, index, c->found, c->gate, run_gate_ended, c);
        if (item->lane == LANE_MAIN && r->schedule.wish == WISH_CANCEL)
            gate_task_cancel(&c->task->gate); /* of a former life: it is not even looked at */
    } else if (item->action == PLAN_MARK) {
        run_mark_start(&c->task->mark, r, index, run_mark_ended, c);
    } else {
        op_task_start(&c->task->op, r, index, c->found, run_op_ended, c);
    }
    c->found = NULL;
}

/* A task that was dropped with its loop. */
void run_child_fini(struct run_child *c)
{
    if (!c->task)
        return;
    if (child_is(c, PLAN_GATE))
        gate_task_fini(&c->task->gate);
    else if (child_is(c, PLAN_MARK))
        arena_fini(&c->task->mark.arena);
    else
        op_task_fini(&c->task->op);
    alloc_free(TAKE(c->task));
}

int run_child_waits(const struct run_child *c)
{
    if (child_is(c, PLAN_MARK))
        return 0;
    return child_is(c, PLAN_GATE) ? gate_task_is_keeping(&c->task->gate)
                                  : op_task_is_backing_off(&c->task->op);
}

int run_child_is_stuck(const struct run_child *c)
{
    if (child_is(c, PLAN_GATE))
        return gate_task_needs_person(&c->task->gate);
    return !child_is(c, PLAN_MARK) && op_task_is_stuck(&c->task->op);
}

void run_child_give_up(struct run_child *c)
{
    if (!c->task || child_is(c, PLAN_MARK))
        return;
    if (child_is(c, PLAN_GATE))
        gate_task_cancel(&c->task->gate);
    else
        op_task_give_up(&c->task->op);
}

void run_child_stop(struct run_child *c)
{
    if (c->task)
        task_cancel(child_is(c, PLAN_GATE)   ? &c->task->gate.task
                    : child_is(c, PLAN_MARK) ? &c->task->mark.task
                                             : &c->task->op.task,
                    ERR_CANCELLED);
}
