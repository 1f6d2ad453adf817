/* Plans that are stored, decided upon and begun. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/standing.h"
#include "reconciler/engine/env_row.h"
#include "reconciler/engine/env_secrets.h"
#include "reconciler/engine/spare.h"
#include "specs/json_io.h"
#include "state/plans.h"

#define PLAN_EXPIRES_MS (24 * 3600 * 1000)
#define BASE_NOW INT64_MAX /* of a plan that is open again: nothing that was decided counts */
#define PLAN_IS_PENDING PLANS_STANDING " AND state <> 'applying'"

static int supersede_others(struct env_task *env, struct tx *tx, struct err *err)
{
    struct rec_plan *rows;
    size_t n;

    if (DB_SELECT(env->engine->db, &env->cycle, plan, "WHERE env = $1 AND " PLAN_IS_PENDING, &rows,
                  &n, err, DB_T(env->uid)))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        if (digest_eq(&rows[i].id, &env->plan.id))
            continue;
        rows[i].state = standing_next(rows[i].state, STANDING_MOVED).state;
        if (!plan_is_empty(&env->plan))
            rows[i].superseded_by = env->plan.id;
        rows[i].ended_seq = tx_seq(tx);
        if (tx_put(tx, REC_plan, &rows[i], err))
            return err->code;
    }
    return 0;
}

/* Nothing is to be done any more: what waits to be approved is out of date. */
int env_store_forget_pending(struct env_task *env, struct err *err)
{
    struct rec_plan *rows;
    struct tx *tx;
    size_t n;

    if (DB_SELECT(env->engine->db, &env->cycle, plan, "WHERE env = $1 AND " PLAN_IS_PENDING, &rows,
                  &n, err, DB_T(env->uid)))
        return err->code;
    if (!n)
        return 0;
    if (env_row_begin(env, S("plan.superseded"), STR_NONE, &tx, err))
        return err->code;
    return tx_finish(tx, supersede_others(env, tx, err), err);
}

static int put_reads(struct env_task *env, struct tx *tx, struct err *err)
{
    for (size_t i = 0; i < env->plan.reads.n; i++) {
        const struct plan_read *r = &env->plan.reads.p[i];
        const struct rec_plan_read row = { env->plan.id, r->subject, r->path, r->digest };

        if (tx_put(tx, REC_plan_read, &row, err))
            return err->code;
    }
    return 0;
}

/* What is served may be neither what was recorded nor what is wanted: the plan may record it. */
static int put_served(struct env_task *env, struct tx *tx, struct err *err)
{
    for (size_t i = 0; i < env->snapshot.n_recorded; i++) {
        const struct recorded *r = &env->snapshot.recorded[i];
        const struct plan_record *keeps = plan_find_record(&env->plan, r->kind, r->name);

        if (str_eq_c(r->kind, "domain") && keeps && digest_eq(&keeps->desired, &r->digest) &&
            tx_document(tx, S("desired"), &r->digest, json_format(&env->cycle, r->desired), err))
            return err->code;
    }
    return 0;
}

/* What is cleared on the way may be less than when the plan was stored. */
static int put_plan_document(struct env_task *env, struct tx *tx, struct rec_plan *row,
                             struct err *err)
{
    struct arena *a = &env->cycle;
    const struct value *document;

    if (env->plan.cause == PLAN_CAUSE_COMMIT &&
        env_secrets_remark(env->engine, a, env->uid, &env->pins, &env->plan, err))
        return err->code;
    document = plan_value(a, &env->plan);
    run_plan_free(TAKE(env->made));
    env->made = run_plan_keep(document);
    return engine_put_document(tx, S("plan"), json_format(a, document), &row->doc, err);
}

static int put_new_plan(struct env_task *env, struct tx *tx, struct rec_plan *row, struct err *err)
{
    struct arena *a = &env->cycle;
    int64_t expires_ms = value_get_int(value_get(env->spec.policy, S("approval")), S("expires_ms"),
                                       PLAN_EXPIRES_MS);

    *row = (struct rec_plan){
        .id = env->plan.id,
        .env = env->uid,
        .base_seq = tx_seq(tx),
        .target = env->plan.target,
        .cause = str_from_c(plan_cause_name(env->plan.cause)),
        .state = S("open"),
        .reason = S(""),
        .actor = env->ask.actor.p ? env->ask.actor : S("reeve"),
        .made_seq = tx_seq(tx),
        .started_seq = REC_NONE,
        .ended_seq = REC_NONE,
        .expires_ms = tx_time_ms(tx) + expires_ms,
    };
    if (put_plan_document(env, tx, row, err) ||
        snapshot_store_revision(a, tx, env->uid, &env->spec, &env->plan, err) ||
        put_served(env, tx, err) || put_reads(env, tx, err))
        return err->code;
    return 0;
}

static int put_plan(struct env_task *env, struct tx *tx, struct rec_plan *row,
                    const struct env_decision *d, struct err *err)
{
    struct rec_environment e;

    if (environments_by_uid(env->engine->db, &env->cycle, env->uid, &e, err))
        return err->code;
    row->state = d->state;
    row->reason = d->reason;
    row->needs = d->needs;
    if (env_authors_put(env, tx, row, err))
        return err->code;
    if (!env->is_beside) {
        e.sync = d->sync;
        e.reason = d->reason;
        (void)env_row_drop_ask(env, &e);
    }
    if (d->starts) {
        row->started_seq = tx_seq(tx);
        e.apply_seq++;
        if (env->plan.cause == PLAN_CAUSE_COMMIT)
            env_row_set_commit(env, &e);
        if (!plan_cause_repairs(env->plan.cause) && env_hosts_take(env, tx, err))
            return err->code;
    }
    if (env->plan.cause == PLAN_CAUSE_COMMIT && env_row_put_commit(env, tx, err))
        return err->code;
    if (supersede_others(env, tx, err) || tx_put(tx, REC_plan, row, err))
        return err->code;
    return tx_put(tx, REC_environment, &e, err);
}

/* The row as it is, or a new one. One that was superseded is open again; earlier decisions do not count. */
static int find_row(struct env_task *env, struct rec_plan *row, int *ret_is_new, struct err *err)
{
    int rc = db_get(env->engine->db, &env->cycle, REC_plan, row, err);
    struct standing_next next;

    *ret_is_new = rc == ERR_NOT_FOUND;
    if (rc && !*ret_is_new)
        return rc;
    if (*ret_is_new)
        row->expires_ms = REC_NONE;
    next = standing_next(*ret_is_new ? S("open") : row->state, STANDING_BACK);
    if (next.forgets) {
        row->state = next.state;
        row->base_seq = BASE_NOW;
        row->ended_seq = REC_NONE;
        row->superseded_by = (struct digest){ { 0 } };
    }
    return 0;
}

int env_store_may_start(struct env_task *env, int *ret, struct err *err)
{
    struct rec_plan row = { .id = env->plan.id };
    struct env_decision d = { 0 };
    int is_new;

    if (find_row(env, &row, &is_new, err) || env_decide(env, &row, &d, err))
        return err->code;
    *ret = d.starts;
    return 0;
}

static int is_told(const struct env_task *env, const struct rec_plan *row,
                   const struct env_decision *d)
{
    return !d->starts && row->base_seq != BASE_NOW && str_eq(row->state, d->state) &&
           str_eq(row->reason, d->reason) && str_eq(row->needs, d->needs) &&
           (!env->authors_to.p || str_eq(env->authors_to, row->authors_to));
}

/* What was measured, and what is wanted. */
static void note_scale(struct env_task *env, struct tx *tx)
{
    struct arena *a = &env->cycle;
    struct sb text;

    sb_init(&text, a);
    for (size_t i = 0; i < env->n_wishes; i++) {
        const struct scale_wish *w = &env->wishes[i];

        sb_addf(&text, "%s%.*s uses %lld%% of its processors, %lld%% is aimed at: %lld -> %lld",
                i ? "; " : "", STR_ARG(w->service), (long long)w->measured / 100,
                (long long)w->aim / 100, (long long)w->from, (long long)w->to);
    }
    tx_note(tx, S("reason"), json_format(a, value_text(a, sb_str(&text))));
}

/* With a plan that makes something new goes what nobody needs any more. */
static int add_spare(struct env_task *env, struct err *err)
{
    struct plan_spare *spare;
    size_t n;

    if (env->plan.cause != PLAN_CAUSE_COMMIT && env->plan.cause != PLAN_CAUSE_ROLLBACK)
        return 0;
    if (spare_find(&env->cycle, env->engine->db, env->uid, &env->spec, &spare, &n, err))
        return err->code;
    plan_add_spare(&env->cycle, &env->plan, spare, n);
    return arena_status(&env->cycle, err);
}

static int store_row(struct env_task *env, struct rec_plan *row, int is_new,
                     const struct env_decision *d, struct err *err)
{
    struct tx *tx;
    int rc = add_spare(env, err);

    if (rc)
        return rc;
    rc = env_row_begin(env, d->starts ? S("plan.started") : S("plan.stored"), env->ask.actor, &tx,
                       err);
    if (rc)
        return rc;
    if (row->base_seq == BASE_NOW)
        row->base_seq = tx_seq(tx);
    if (env->plan.cause == PLAN_CAUSE_SCALE)
        note_scale(env, tx);
    rc = is_new ? put_new_plan(env, tx, row, err) : put_plan_document(env, tx, row, err);
    if (!rc)
        rc = put_plan(env, tx, row, d, err);
    rc = tx_finish(tx, rc, err);
    env->starts = !rc && d->starts;
    return rc;
}

/* 1: it runs a release, and what the commits say of it was not read. */
static int lacks_change(struct env_task *env, struct err *err)
{
    size_t i = 0;

    while (i < env->plan.items.n && !str_eq_c(env->plan.items.p[i].kind, "release"))
        i++;
    if (env->plan.cause != PLAN_CAUSE_COMMIT || i == env->plan.items.n)
        return 0;
    return env_plan_find_applied(env, err) ? err->code : !env_authors_know_change(env);
}

/* A plan with something to do: stored once, started when nobody has to be asked. Where nobody knows whether
 * the commit goes on, or whose changes they are that somebody has to approve, that is asked first. */
int env_store_plan(struct env_task *env, struct err *err)
{
    struct rec_plan row = { .id = env->plan.id };
    struct env_decision d = { 0 };
    int is_new, rc;

    env->is_doubtful = env->plan.cause == PLAN_CAUSE_COMMIT && !env_task_knows_descent(env);
    if (env->is_doubtful)
        return 0;
    rc = lacks_change(env, err);
    env->lacks_authors = rc == 1;
    if (rc)
        return rc < 0 ? rc : 0;
    if (find_row(env, &row, &is_new, err) || env_decide(env, &row, &d, err))
        return err->code;
    env->lacks_authors = d.needs.p && env->plan.cause == PLAN_CAUSE_COMMIT &&
                         !env_authors_are_known(env, &row);
    if (env->lacks_authors || env->lacks_firsts || env->lacks_checks ||
        (env->is_beside && !d.starts)) /* nobody is asked beside what waits already */
        return 0;
    env->keeps_ask = str_eq_c(d.state, "waiting") &&
                     env->plan.classes & (PLAN_CLASS_DOWNGRADE | PLAN_CLASS_BUDGET);
    if (!is_new && is_told(env, &row, &d))
        return env_row_say(env, (struct env_words){ .sync = d.sync, .reason = d.reason }, err);
    return store_row(env, &row, is_new, &d, err);
}
