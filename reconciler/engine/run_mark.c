/* A mark: rows only. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/run_child.h"

#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"

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
        if (!m->is_refused)
            LOG(LOG_ERROR, "rows cannot be written, tried again",
                LOG_S("mark", m->run->plan.items.p[m->index].name), LOG_C("err", t->err.text));
        m->is_refused = 1;
        wait_until_start(t, loop_mono_ms(t->loop) + RETRY_FIRST_MS);
        return task_then(t, MARK_WRITE);
    case MARK_OVER:
        m->end = OP_IS_DONE;
        return task_done(t);
    }
    UNREACHABLE();
}

void run_mark_start(struct mark_task *m, struct run *r, size_t index, task_ended *ended, void *ctx)
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
    m->task.about = r->about;
}
