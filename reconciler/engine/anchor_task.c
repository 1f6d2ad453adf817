/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/anchor_task.h"

#include <stdio.h>

#include "base/crash.h"
#include "base/guard.h"
#include "base/hash.h"
#include "base/log.h"
#include "reconciler/engine/anchor_wait.h"
#include "reconciler/engine/env_task.h"
#include "specs/json_io.h"

#define ANCHOR_LOOK_MS 5000   /* how often what happened is counted, `every` at most */
#define ANCHOR_AGAIN_MS 15000 /* after a failure, `every` at most */

enum {
    ANCHOR_REST,
    ANCHOR_COUNT,
    ANCHOR_DUE,
    ANCHOR_READ,
    ANCHOR_CHECK,
    ANCHOR_PUSH,
    ANCHOR_PROVE,
    ANCHOR_NOTE,
    ANCHOR_DONE,
    ANCHOR_TROUBLE,
    ANCHOR_ALARM,
    ANCHOR_TOLD,
};

/* clang-format off */
static const struct task_state anchor_states[] = {
    /*                   name       successors                      on error        deadline_ms */
    [ANCHOR_REST]    = { "REST",    TO(ANCHOR_COUNT),               ANCHOR_COUNT,   0 },
    [ANCHOR_COUNT]   = { "COUNT",   TO2(ANCHOR_DUE, ANCHOR_REST),   ANCHOR_TROUBLE, 0 },
    [ANCHOR_DUE]     = { "DUE",     TO2(ANCHOR_READ, ANCHOR_REST),  ANCHOR_TROUBLE, 0 }, /* signs in */
    [ANCHOR_READ]    = { "READ",    TO(ANCHOR_CHECK),               ANCHOR_TROUBLE, 0 },
    [ANCHOR_CHECK]   = { "CHECK",   TO(ANCHOR_PUSH),                ANCHOR_TROUBLE, 0 },
    [ANCHOR_PUSH]    = { "PUSH",    TO2(ANCHOR_PROVE, ANCHOR_NOTE), ANCHOR_TROUBLE, 0 },
    [ANCHOR_PROVE]   = { "PROVE",   TO(ANCHOR_NOTE),                ANCHOR_TROUBLE, 0 }, /* that it keeps it */
    [ANCHOR_NOTE]    = { "NOTE",    TO(ANCHOR_DONE),                ANCHOR_TROUBLE, 0 },
    [ANCHOR_DONE]    = { "DONE",    TO(ANCHOR_REST),                ANCHOR_TROUBLE, 0 },
    [ANCHOR_TROUBLE] = { "TROUBLE", TO2(ANCHOR_ALARM, ANCHOR_REST), ANCHOR_REST,    0 },
    [ANCHOR_ALARM]   = { "ALARM",   TO(ANCHOR_TOLD),                ANCHOR_TOLD,    0 },
    [ANCHOR_TOLD]    = { "TOLD",    TO(ANCHOR_REST),                ANCHOR_REST,    0 },
};
/* clang-format on */

static struct anchor_task *anchor_of(struct task *t)
{
    return container_of(t, struct anchor_task, task);
}

static struct str key_of(const struct anchor_task *x)
{
    return (struct str){ x->engine->seal.key, SEAL_KEY_BYTES };
}

static int64_t every_ms(const struct anchor_task *x)
{
    return value_get_int(x->place.config, S("every"), 0);
}

/* --- what is new --------------------------------------------------------------------------------- */

/* A row of meta says that it fails, for as long as it does. */
static struct rec_meta failing_row(struct anchor_task *x, struct str why)
{
    return (struct rec_meta){ str_fmt(&x->round.own, "anchor.failed/%.*s", STR_ARG(x->place.name)),
                              why };
}

static int anchor_count(struct task *t, struct err *err)
{
    struct anchor_task *x = anchor_of(t);
    struct engine *e = x->engine;
    struct rec_meta failing = failing_row(x, STR_NONE);
    struct str why;
    int rc;

    if (!x->has_known && db_meta(e->db, &x->round.own, failing.k, &why, err))
        return err->code;
    if (!x->has_known)
        x->is_failing = why.p != NULL;
    x->has_known = 1;
    x->newest = (struct rec_anchor){ 0 };
    rc = anchor_newest(e->db, &x->round.own, x->place.name, &x->newest, err);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    *err = ERR_INIT;
    return anchor_find_gap(e->db, x->newest.seq, ANCHOR_EVENTS_MAX, &x->gap, err);
}

static int is_due(const struct anchor_task *x)
{
    int64_t now_ms = loop_mono_ms(x->engine->loop);

    return x->gap.n > 0 && (x->gap.n >= ANCHOR_EVENTS_MAX || x->trouble[0] || !x->tried_mono_ms ||
                            now_ms - x->tried_mono_ms >= every_ms(x));
}

/* --- what it has, and what is to stand there ----------------------------------------------------- */

static int anchor_sign_in(struct task *t, struct err *err)
{
    struct anchor_task *x = anchor_of(t);

    return x->place.kind->sign_in(&x->place, x->engine->secrets, &x->round, err);
}

static int anchor_find_head(struct anchor_task *x, struct err *err)
{
    struct engine *e = x->engine;

    if (anchor_head(e->db, &x->head, err))
        return err->code;
    x->head.epoch = e->epoch;
    x->head.time_ms = x->round.time_ms = loop_wall_ms(e->loop);
    x->round.line = anchor_format(&x->round.own, key_of(x), &x->head);
    return arena_status(&x->round.own, err);
}

/* What stands there, against our history. A head that was brought by a life that died before it could say so is there
 * already. */
static int anchor_check_there(struct anchor_task *x, struct anchor_line *ret_last, struct err *err)
{
    *ret_last = (struct anchor_line){ 0 };
    if (!x->place.kind->read_parse)
        return 0;
    return x->place.kind->read_parse(&x->place, &x->round, err)
               ? err->code
               : anchor_place_judge(x->engine->db, &x->round.own, key_of(x), x->round.there.text,
                                    ret_last, err);
}

static int anchor_check(struct task *t, struct err *err)
{
    struct anchor_task *x = anchor_of(t);
    struct anchor_line last;

    if (anchor_check_there(x, &last, err) || anchor_find_head(x, err))
        return err->code;
    if (last.seq == x->head.seq && digest_eq(&last.hash, &x->head.hash))
        x->proof = x->round.there.tip;
    return !x->proof.p && x->place.kind->form ? x->place.kind->form(&x->place, &x->round, err) : 0;
}

/* --- what came of it ----------------------------------------------------------------------------- */

static int forget_older(struct anchor_task *x, struct tx *tx, struct err *err)
{
    struct rec_anchor *rows;
    size_t n;

    if (DB_SELECT(x->engine->db, &x->round.own, anchor, "WHERE place = $1 AND seq < $2", &rows, &n,
                  err, DB_T(x->place.name), DB_I(x->head.seq)))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (tx_remove(tx, REC_anchor, &rows[i], err))
            return err->code;
    return 0;
}

static int write_made(struct anchor_task *x, struct tx *tx, struct err *err)
{
    const struct rec_anchor row = { .seq = x->head.seq,
                                    .place = x->place.name,
                                    .hash = x->head.hash,
                                    .at_ms = x->head.time_ms,
                                    .proof = x->proof };
    const struct rec_meta failing = failing_row(x, S(""));

    if (tx_put(tx, REC_anchor, &row, err) || forget_older(x, tx, err) ||
        (x->is_failing && tx_remove(tx, REC_meta, &failing, err)))
        return err->code;
    if (x->is_failing)
        tx_note(tx, S("again"), S("true"));
    return 0;
}

static int anchor_note(struct task *t, struct err *err)
{
    struct anchor_task *x = anchor_of(t);
    const struct engine_event event = { .kind = S(ANCHOR_EVENTS "made"), .subject = x->place.name };
    struct tx *tx;

    CRASH_POINT(ANCHOR_BEFORE_NOTED);
    if (!x->proof.p &&
        x->place.kind->push_parse(&x->place, &x->round, loop_wall_ms(x->task.loop), &x->proof, err))
        return err->code;
    if (engine_tx(x->engine, &event, &tx, err))
        return err->code;
    return tx_finish(tx, write_made(x, tx, err), err);
}

static void anchor_made(struct anchor_task *x)
{
    if (x->trouble[0])
        LOG(LOG_INFO, "the head of the history is anchored again", LOG_S("place", x->place.name));
    x->trouble[0] = 0;
    x->failures = x->is_failing = 0;
    x->made_seq = x->head.seq;
    x->made_mono_ms = loop_mono_ms(x->engine->loop);
    anchor_wait_made(x->engine);
}

/* 1: it is time to tell. */
static int anchor_failed(struct anchor_task *x, const struct task *t)
{
    if (!x->trouble[0])
        LOG(LOG_WARN, "the head of the history is not anchored", LOG_S("place", x->place.name),
            LOG_C("err", t->err.text));
    (void)snprintf(x->trouble, sizeof(x->trouble), "%s", t->err.text);
    x->failures++;
    return !x->is_failing && (x->failures >= ANCHOR_FAILURES_MAX || t->rc == ERR_CONFLICT);
}

static int anchor_alarm(struct task *t, struct err *err)
{
    struct anchor_task *x = anchor_of(t);
    const struct engine_event event = { .kind = S(ANCHOR_EVENTS "failed"),
                                        .subject = x->place.name };
    const struct rec_meta failing = failing_row(x, str_from_c(x->trouble));
    struct tx *tx;

    if (engine_tx(x->engine, &event, &tx, err))
        return err->code;
    if (tx_put(tx, REC_meta, &failing, err)) {
        tx_rollback(tx);
        return err->code;
    }
    tx_note(tx, S("reason"), json_format(&x->round.own, value_text(&x->round.own, failing.v)));
    return tx_commit(tx, err);
}

/* --- the machine --------------------------------------------------------------------------------- */

static enum task_verdict anchor_rest(struct anchor_task *x)
{
    int64_t ms = x->trouble[0] ? ANCHOR_AGAIN_MS : ANCHOR_LOOK_MS;

    anchor_place_round_end(&x->round);
    x->proof = STR_NONE;
    wait_until_start(&x->task, loop_mono_ms(x->task.loop) + (ms < every_ms(x) ? ms : every_ms(x)));
    return task_then(&x->task, ANCHOR_COUNT);
}

static enum task_verdict anchor_due(struct anchor_task *x)
{
    struct task *t = &x->task;

    if (!is_due(x))
        return task_goto(t, ANCHOR_REST);
    x->tried_mono_ms = loop_mono_ms(t->loop);
    wait_work_start(t, POOL_FILE, anchor_sign_in);
    return task_then(t, ANCHOR_READ);
}

static enum task_verdict anchor_push(struct anchor_task *x)
{
    if (x->proof.p)
        return task_goto(&x->task, ANCHOR_NOTE);
    x->place.kind->push(&x->place, &x->round, &x->task);
    return task_then(&x->task, ANCHOR_PROVE);
}

static enum task_verdict anchor_prove(struct anchor_task *x)
{
    if (x->place.kind->prove && x->place.kind->prove(&x->place, &x->round, &x->task))
        return task_then(&x->task, ANCHOR_NOTE);
    return task_goto(&x->task, ANCHOR_NOTE);
}

static enum task_verdict anchor_trouble(struct anchor_task *x)
{
    struct task *t = &x->task;
    int tells = anchor_failed(x, t);

    t->rc = 0;
    if (!tells)
        return task_goto(t, ANCHOR_REST);
    LOG(LOG_ERROR, "the head of the history cannot be anchored", LOG_S("place", x->place.name),
        LOG_C("err", x->trouble));
    return task_goto(t, ANCHOR_ALARM);
}

static enum task_verdict anchor_step(struct task *t)
{
    struct anchor_task *x = anchor_of(t);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case ANCHOR_REST:
        return anchor_rest(x);
    case ANCHOR_COUNT:
        if (!x->gap.n && x->has_known && x->counted_seq == x->engine->head_seq)
            return task_goto(t, ANCHOR_REST); /* nothing was committed */
        x->counted_seq = x->engine->head_seq;
        wait_work_start(t, POOL_STATE, anchor_count);
        return task_then(t, ANCHOR_DUE);
    case ANCHOR_DUE:
        return anchor_due(x);
    case ANCHOR_READ:
        if (!x->place.kind->read)
            return task_goto(t, ANCHOR_CHECK);
        x->place.kind->read(&x->place, &x->round, t, x->newest.proof);
        return task_then(t, ANCHOR_CHECK);
    case ANCHOR_CHECK:
        wait_work_start(t, POOL_STATE, anchor_check);
        return task_then(t, ANCHOR_PUSH);
    case ANCHOR_PUSH:
        return anchor_push(x);
    case ANCHOR_PROVE:
        return anchor_prove(x);
    case ANCHOR_NOTE:
        wait_work_start(t, POOL_STATE, anchor_note);
        return task_then(t, ANCHOR_DONE);
    case ANCHOR_DONE:
        anchor_made(x);
        return task_goto(t, ANCHOR_REST);
    case ANCHOR_TROUBLE:
        return anchor_trouble(x);
    case ANCHOR_ALARM:
        wait_work_start(t, POOL_STATE, anchor_alarm);
        return task_then(t, ANCHOR_TOLD);
    case ANCHOR_TOLD:
        x->is_failing = !t->rc;
        t->rc = 0;
        return task_goto(t, ANCHOR_REST);
    }
    UNREACHABLE();
}

void anchor_task_start(struct anchor_task *x)
{
    task_start(&x->task, x->engine->loop, "anchor", anchor_states, N_ELEMENTS(anchor_states),
               ANCHOR_COUNT, anchor_step, engine_task_ended, x->engine);
}
