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

#define ANCHOR_ROUND_MAX (64u << 20)
#define ANCHOR_LOOK_MS 5000     /* how often what happened is counted, `every` at most */
#define ANCHOR_AGAIN_MS 15000   /* after a failure, `every` at most */
#define ANCHOR_TIMEOUT_MS 30000 /* of a question to the worker */

enum {
    ANCHOR_REST,
    ANCHOR_COUNT,
    ANCHOR_DUE,
    ANCHOR_READ,
    ANCHOR_CHECK,
    ANCHOR_PUSH,
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
    [ANCHOR_PUSH]    = { "PUSH",    TO(ANCHOR_NOTE),                ANCHOR_TROUBLE, 0 },
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
    return value_get_int(x->config, S("every"), 0);
}

/* --- what is new --------------------------------------------------------------------------------- */

/* A row of meta says that it fails, for as long as it does. */
static struct rec_meta failing_row(struct anchor_task *x, struct str why)
{
    return (struct rec_meta){ str_fmt(&x->round, "anchor.failed/%.*s", STR_ARG(x->place)), why };
}

static int anchor_count(struct task *t, struct err *err)
{
    struct anchor_task *x = anchor_of(t);
    struct engine *e = x->engine;
    struct rec_meta failing = failing_row(x, STR_NONE);
    struct str why;
    int rc;

    if (!x->has_known && db_meta(e->db, &x->round, failing.k, &why, err))
        return err->code;
    if (!x->has_known)
        x->is_failing = why.p != NULL;
    x->has_known = 1;
    x->newest = (struct rec_anchor){ 0 };
    rc = anchor_newest(e->db, &x->round, x->place, &x->newest, err);
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

/* --- a repository -------------------------------------------------------------------------------- */

int anchor_task_password(const struct value *config, struct secret_store *secrets, struct arena *a,
                         struct str *ret, struct err *err)
{
    struct str name = value_get_text(value_get(config, S("credentials")), S("secret"), STR_NONE);
    struct secret *secret;
    int rc;

    *ret = STR_NONE;
    if (!name.p)
        return 0;
    rc = secret_store_read(secrets,
                           &(struct secret_ref){ .env = S(""), .name = name, .path = name },
                           STR_NONE, &secret, err);
    if (rc)
        return err_wrap(err, "credentials of anchors");
    *ret = str_copy(a, secret_reveal(secret));
    secret_free(secret);
    return arena_status(a, err);
}

static int anchor_sign_in(struct task *t, struct err *err)
{
    struct anchor_task *x = anchor_of(t);

    return anchor_task_password(x->config, x->engine->secrets, &x->round, &x->password, err);
}

int anchor_task_judge(struct db *db, struct arena *a, struct str key, struct str text,
                      struct anchor_line *ret, struct err *err)
{
    struct str line, why;

    *ret = (struct anchor_line){ 0 };
    while (str_next(&text, '\n', &line)) {
        struct anchor_line one;

        if (!line.n)
            continue;
        if (anchor_parse(line, &one))
            return err_set(err, ERR_CONFLICT, "somebody wrote there what is no anchor");
        if (anchor_judge(db, a, key, &one, &why, err))
            return err->code;
        if (why.p)
            return err_set(err, ERR_CONFLICT, "%.*s", STR_ARG(why));
        if (one.seq > ret->seq)
            *ret = one;
    }
    return 0;
}

static int anchor_find_head(struct anchor_task *x, struct err *err)
{
    struct engine *e = x->engine;

    if (anchor_head(e->db, &x->head, err))
        return err->code;
    x->head.epoch = e->epoch;
    x->head.time_ms = loop_wall_ms(e->loop);
    x->line = anchor_format(&x->round, key_of(x), &x->head);
    return arena_status(&x->round, err);
}

/* What stands there, against our history; and what is to stand there. A head that was brought by a life that died
 * before it could say so is there already. */
static int anchor_check(struct task *t, struct err *err)
{
    struct anchor_task *x = anchor_of(t);
    struct anchor_line last;

    if (anchor_git_read_parse(&x->round, &x->call, &x->there, err) ||
        anchor_task_judge(x->engine->db, &x->round, key_of(x), x->there.text, &last, err) ||
        anchor_find_head(x, err))
        return err->code;
    if (last.seq == x->head.seq && digest_eq(&last.hash, &x->head.hash))
        x->proof = x->there.tip;
    return 0;
}

/* --- what came of it ----------------------------------------------------------------------------- */

static int forget_older(struct anchor_task *x, struct tx *tx, struct err *err)
{
    struct rec_anchor *rows;
    size_t n;

    if (DB_SELECT(x->engine->db, &x->round, anchor, "WHERE place = $1 AND seq < $2", &rows, &n, err,
                  DB_T(x->place), DB_I(x->head.seq)))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (tx_remove(tx, REC_anchor, &rows[i], err))
            return err->code;
    return 0;
}

static int write_made(struct anchor_task *x, struct tx *tx, struct err *err)
{
    const struct rec_anchor row = { .seq = x->head.seq,
                                    .place = x->place,
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
    const struct engine_event event = { .kind = S(ANCHOR_EVENTS "made"), .subject = x->place };
    struct tx *tx;

    CRASH_POINT(ANCHOR_BEFORE_NOTED);
    if (!x->proof.p && anchor_git_push_parse(&x->round, &x->call, &x->proof, err))
        return err->code;
    if (engine_tx(x->engine, &event, &tx, err))
        return err->code;
    if (write_made(x, tx, err)) {
        tx_rollback(tx);
        return err->code;
    }
    return tx_commit(tx, err);
}

static void anchor_made(struct anchor_task *x)
{
    if (x->trouble[0])
        LOG(LOG_INFO, "the head of the history is anchored again", LOG_S("place", x->place));
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
        LOG(LOG_WARN, "the head of the history is not anchored", LOG_S("place", x->place),
            LOG_C("err", t->err.text));
    (void)snprintf(x->trouble, sizeof(x->trouble), "%s", t->err.text);
    x->failures++;
    return !x->is_failing && (x->failures >= ANCHOR_FAILURES_MAX || t->rc == ERR_CONFLICT);
}

static int anchor_alarm(struct task *t, struct err *err)
{
    struct anchor_task *x = anchor_of(t);
    const struct engine_event event = { .kind = S(ANCHOR_EVENTS "failed"), .subject = x->place };
    const struct rec_meta failing = failing_row(x, str_from_c(x->trouble));
    struct tx *tx;

    if (engine_tx(x->engine, &event, &tx, err))
        return err->code;
    if (tx_put(tx, REC_meta, &failing, err)) {
        tx_rollback(tx);
        return err->code;
    }
    tx_note(tx, S("reason"), json_format(&x->round, value_text(&x->round, failing.v)));
    return tx_commit(tx, err);
}

/* --- the machine --------------------------------------------------------------------------------- */

static enum task_verdict anchor_rest(struct anchor_task *x)
{
    int64_t ms = x->trouble[0] ? ANCHOR_AGAIN_MS : ANCHOR_LOOK_MS;

    arena_wipe(&x->round);
    x->password = x->proof = x->line = STR_NONE;
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
    anchor_git_push(&x->git, &x->task, &x->round, x->password, x->there.tip, x->line,
                    x->head.time_ms, &x->call);
    return task_then(&x->task, ANCHOR_NOTE);
}

static enum task_verdict anchor_trouble(struct anchor_task *x)
{
    struct task *t = &x->task;
    int tells = anchor_failed(x, t);

    t->rc = 0;
    if (!tells)
        return task_goto(t, ANCHOR_REST);
    LOG(LOG_ERROR, "the head of the history cannot be anchored", LOG_S("place", x->place),
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
        anchor_git_read(&x->git, t, &x->round, x->password, x->newest.proof, &x->call);
        return task_then(t, ANCHOR_CHECK);
    case ANCHOR_CHECK:
        wait_work_start(t, POOL_STATE, anchor_check);
        return task_then(t, ANCHOR_PUSH);
    case ANCHOR_PUSH:
        return anchor_push(x);
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

/* --- all of them --------------------------------------------------------------------------------- */

struct str anchor_task_place(struct arena *a, const struct value *config)
{
    struct str url = value_get_text(config, S("url"), S(""));
    struct str branch = value_get_text(config, S("branch"), STR_NONE);

    return branch.p ? str_fmt(a, "%.*s#%.*s", STR_ARG(url), STR_ARG(branch)) : url;
}

void anchor_task_git(const struct engine *e, struct arena *a, const struct value *config,
                     int64_t timeout_ms, struct anchor_git *ret)
{
    struct digest d = hash_bytes(anchor_task_place(a, config));
    const char **worker = arena_new_n(a, const char *, 3);

    if (worker) {
        worker[0] = e->options.self;
        worker[1] = "git-worker";
    }
    *ret = (struct anchor_git){
        .worker = worker,
        .config = config,
        .mirror = str_fmt(a, "%.*s/anchors/%.*s.git", STR_ARG(e->state_dir), 12,
                          digest_hex(a, &d).p),
        .folder = e->installation,
        .timeout_ms = timeout_ms,
        .memory_bytes = e->worker_memory_bytes,
        .cpu_s = e->worker_cpu_s,
    };
}

int anchor_task_open_all(struct engine *e, struct err *err)
{
    const struct value *places = value_get(e->options.daemon, S("anchors"));

    e->anchors = arena_new_n(e->process, struct anchor_task, value_count(places) + 1);
    for (size_t i = 0; e->anchors && i < value_count(places); i++) {
        struct anchor_task *x = &e->anchors[e->n_anchors++];

        *x = (struct anchor_task){ .engine = e, .config = value_item(places, i) };
        arena_init(&x->round, ANCHOR_ROUND_MAX);
        x->place = anchor_task_place(e->process, x->config);
        anchor_task_git(e, e->process, x->config, ANCHOR_TIMEOUT_MS, &x->git);
    }
    return arena_status(e->process, err);
}

void anchor_task_start_all(struct engine *e)
{
    for (size_t i = 0; i < e->n_anchors; i++)
        task_start(&e->anchors[i].task, e->loop, "anchor", anchor_states, N_ELEMENTS(anchor_states),
                   ANCHOR_COUNT, anchor_step, engine_task_ended, e);
}

void anchor_task_stop_all(struct engine *e)
{
    for (size_t i = 0; i < e->n_anchors; i++)
        task_cancel(&e->anchors[i].task, ERR_CANCELLED);
}

void anchor_task_fini_all(struct engine *e)
{
    for (size_t i = 0; i < e->n_anchors; i++)
        arena_wipe(&e->anchors[i].round);
    e->n_anchors = 0;
}

struct value *anchor_task_view_all(const struct engine *e, struct arena *a)
{
    struct value *list = value_list(a);

    for (size_t i = 0; i < e->n_anchors; i++) {
        const struct anchor_task *x = &e->anchors[i];
        struct value *one = value_map(a);

        value_set_text(a, one, S("place"), x->place);
        value_set_text(a, one, S("type"), value_get_text(x->config, S("type"), S("")));
        value_set_int(a, one, S("seq"), x->made_seq);
        value_set_int(a, one, S("made_ms_ago"),
                      x->made_mono_ms ? loop_mono_ms(e->loop) - x->made_mono_ms : -1);
        value_set(a, one, S("failing"), value_bool(a, x->is_failing));
        if (x->trouble[0])
            value_set_text(a, one, S("error"), str_copy(a, str_from_c(x->trouble)));
        value_add(a, list, one);
    }
    return e->n_anchors ? list : NULL;
}
