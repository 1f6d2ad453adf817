/* The rows of one cycle of an environment. SPDX-License-Identifier: Apache-2.0 */
#include "base/sys.h"
#include "reconciler/engine/env_secrets.h"
#include "reconciler/engine/env_task.h"
#include "specs/json_io.h"
#include "state/holds.h"
#include "state/plans.h"
#include "state/sets.h"

#define PLAN_EXPIRES_MS (24 * 3600 * 1000)
#define PLAN_TRIED_OFTEN 5       /* without success: a person should know */
#define PLAN_TRIED_LONG_MS 30000 /* the same, where it is only looked whether it was done */

/* Why something is written: a person's word, or the commit. */
static struct str event_cause(struct env_task *env)
{
    if (env->ask.cause != PLAN_CAUSE_COMMIT)
        return str_from_c(plan_cause_name(env->ask.cause));
    return env->head ? str_fmt(&env->cycle, "commit:%.*s", STR_ARG(env->head->commit)) : S("");
}

static int begin(struct env_task *env, struct str kind, struct str actor, struct tx **ret,
                 struct err *err)
{
    return engine_tx(env->engine,
                     &(struct engine_event){
                         .kind = kind,
                         .subject = env->name,
                         .env = env->uid.p ? env->uid : env->accepted,
                         .actor = actor,
                         .cause = event_cause(env),
                     },
                     ret, err);
}

static int finish(struct tx *tx, int rc, struct err *err)
{
    if (!rc)
        return tx_commit(tx, err);
    tx_rollback(tx);
    return rc;
}

int env_plan_accept(struct env_task *env, struct err *err)
{
    struct rec_environment row;
    struct tx *tx;
    int rc = environments_by_name(env->engine->db, &env->cycle, env->name, &row, err);

    if (!rc) {
        if (!str_eq(row.source, env->source->name) || !str_eq(row.branch, env->branch))
            return err_set(err, ERR_REFUSED,
                           "environment '%.*s' belongs to branch '%.*s' of source '%.*s', not to "
                           "'%.*s' of '%.*s'",
                           STR_ARG(env->name), STR_ARG(row.branch), STR_ARG(row.source),
                           STR_ARG(env->branch), STR_ARG(env->source->name));
        env->accepted = str_copy(&env->own, row.uid);
        return 0;
    }
    if (rc != ERR_NOT_FOUND)
        return rc;
    row = (struct rec_environment){
        .uid = sys_uuid7(&env->own, loop_wall_ms(env->engine->loop)),
        .name = env->name,
        .source = env->source->name,
        .branch = env->branch,
        .sync = S("converging"),
        .health = S("unknown"),
        .reason = S(""),
        .deleted_ms = REC_NONE,
    };
    env->accepted = row.uid;
    if (begin(env, S("environment.accepted"), STR_NONE, &tx, err))
        return err->code;
    return finish(tx, tx_put(tx, REC_environment, &row, err), err);
}

int env_plan_find_applied(struct env_task *env, struct err *err)
{
    struct rec_environment row;

    if (environments_by_uid(env->engine->db, &env->cycle, env->uid, &row, err))
        return err->code;
    env->applied = row.commit_id.p ? row.commit_id : S("");
    return 0;
}

int env_plan_list_instances(struct env_task *env, struct err *err)
{
    struct arena *a = &env->cycle;
    struct db *db = env->engine->db;
    struct rec_instance *rows;
    size_t n;

    env->n_observations = 0;
    env->edge = (struct rec_resource){ .env = S("") };
    if (resources_now(db, a, env->uid, S("switch"), env->name, &env->edge, err)) {
        if (err->code != ERR_NOT_FOUND)
            return err->code;
        env->edge.env = S("");
    }
    if (sets_instances_of_env(db, a, env->uid, &rows, &n, err))
        return err->code;
    env->instances = arena_new_n(a, struct rec_instance, n + 1);
    env->observations = arena_new_n(a, struct observation, n + 1);
    if (arena_status(a, err))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        struct str name = identity_instance_name(a, rows[i].service, &rows[i].set_key,
                                                 rows[i].ordinal);
        struct rec_set set;
        struct rec_resource r;
        int rc = sets_get(db, a, env->uid, rows[i].service, &rows[i].set_key, &set, err);

        if (rc && rc != ERR_NOT_FOUND)
            return rc;
        if (rc || (!str_eq_c(set.state, "live") && !str_eq_c(set.state, "previous")))
            continue;
        if (resources_now(db, a, env->uid, S("instance"), name, &r, err))
            return err->code;
        env->instances[env->n_observations] = rows[i];
        env->observations[env->n_observations++] = (struct observation){
            name, r.provider, INSTANCE_UNKNOWN, str_eq_c(set.state, "live")
        };
    }
    return 0;
}

/* --- the environment's own row ------------------------------------------------------------------- */

struct words {
    struct str sync, health, reason;
    int with_commit;
};

/* What this cycle was asked for stands in the row no more; 0 when it did not. */
static int drop_ask(const struct env_task *env, struct rec_environment *row)
{
    if (env->ask.cause == PLAN_CAUSE_COMMIT || !row->ask.p ||
        !digest_eq(&row->ask_revision, &env->ask.revision))
        return 0;
    row->ask = row->ask_actor = STR_NONE;
    row->ask_revision = (struct digest){ { 0 } };
    return 1;
}

/* 1: this commit asked for what the plan leads to. */
static int has_asked(struct env_task *env, struct str commit, struct err *err)
{
    struct rec_revision_commit row = { .env = env->uid,
                                       .digest = env->plan.target,
                                       .commit_id = commit };
    int rc = commit.p ? db_get(env->engine->db, &env->cycle, REC_revision_commit, &row, err)
                      : ERR_NOT_FOUND;

    return rc == ERR_NOT_FOUND ? 0 : rc ? rc : 1;
}

/* The newest commit asks for it. */
static int put_commit(struct env_task *env, struct tx *tx, struct err *err)
{
    const struct head *h = env->head;
    const struct rec_revision_commit row = { .env = env->uid,
                                             .digest = env->plan.target,
                                             .commit_id = h->commit,
                                             .author = h->about.author,
                                             .summary = h->about.summary,
                                             .seen_seq = tx_seq(tx) };
    int rc = has_asked(env, h->commit, err);

    return rc < 0 ? rc : rc ? 0 : tx_put(tx, REC_revision_commit, &row, err);
}

/* What the environment is made of comes from the newest commit. */
static void set_commit(struct env_task *env, struct rec_environment *row)
{
    row->commit_id = env->head->commit;
    row->tree_id = env->head->tree;
    env->line = env->head->line;
}

/* One event when anything is said that was not said before. */
static int say(struct env_task *env, struct words w, struct err *err)
{
    struct rec_environment row;
    struct tx *tx;
    int rc, moves = 0;

    if (environments_by_uid(env->engine->db, &env->cycle, env->uid, &row, err))
        return err->code;
    if (w.with_commit) {
        rc = has_asked(env, row.commit_id, err);
        if (rc < 0)
            return rc;
        moves = !rc; /* another commit than the one in the row */
    }
    if (!w.health.p)
        w.health = row.health;
    if (!drop_ask(env, &row) && !moves && str_eq(row.sync, w.sync) &&
        str_eq(row.reason, w.reason) && str_eq(row.health, w.health))
        return 0;
    row.sync = w.sync;
    row.reason = w.reason;
    row.health = w.health;
    if (moves)
        set_commit(env, &row);
    if (begin(env, S("environment.status"), STR_NONE, &tx, err))
        return err->code;
    rc = moves ? put_commit(env, tx, err) : 0;
    return finish(tx, rc ? rc : tx_put(tx, REC_environment, &row, err), err);
}

int env_plan_health(struct env_task *env, struct arena *a, struct str health, struct str reason,
                    struct err *err)
{
    struct rec_environment row;
    struct tx *tx;

    if (environments_by_uid(env->engine->db, a, env->uid, &row, err))
        return err->code;
    if (str_eq(row.health, health))
        return 0;
    row.health = health;
    if (engine_tx(env->engine,
                  &(struct engine_event){
                      .kind = S("environment.health"), .subject = env->name, .env = env->uid },
                  &tx, err))
        return err->code;
    tx_note(tx, S("reason"), json_format(a, value_text(a, reason)));
    return finish(tx, tx_put(tx, REC_environment, &row, err), err);
}

/* 1 and why, when an operation waits for a person. */
static int is_parked(struct env_task *env, struct str *ret_reason, struct err *err)
{
    struct arena *a = &env->cycle;
    struct rec_operation *rows;
    size_t n;

    if (DB_SELECT(env->engine->db, a, operation, "WHERE env = $1 AND outcome = 'parked'", &rows, &n,
                  err, DB_T(env->uid)))
        return err->code;
    if (n)
        *ret_reason = str_fmt(a, "operation %.*s of %.*s/%.*s is parked: %.*s",
                              STR_ARG(rows[0].uid), STR_ARG(rows[0].kind), STR_ARG(rows[0].name),
                              STR_ARG(rows[0].message));
    return n != 0;
}

/* What is tried again and again, for ever where it must not be given up; "" when nothing is. */
static int find_refused(struct env_task *env, struct str *ret_reason, struct err *err)
{
    struct arena *a = &env->cycle;
    struct rec_operation *rows;
    size_t n;

    if (DB_SELECT(env->engine->db, a, operation,
                  "WHERE env = $1 AND outcome IS NULL AND message IS NOT NULL AND "
                  "(attempt >= $2 OR intent_ms <= $3) ORDER BY intent_ms LIMIT 1",
                  &rows, &n, err, DB_T(env->uid), DB_I(PLAN_TRIED_OFTEN),
                  DB_I(loop_wall_ms(env->engine->loop) - PLAN_TRIED_LONG_MS)))
        return err->code;
    *ret_reason = n ? str_fmt(a, "%.*s of %.*s/%.*s is tried again and again: %.*s",
                              STR_ARG(rows[0].action), STR_ARG(rows[0].kind), STR_ARG(rows[0].name),
                              STR_ARG(rows[0].message))
                    : S("");
    return 0;
}

int env_plan_note_parked(struct env_task *env, struct err *err)
{
    struct rec_environment row;
    struct str reason;
    int rc = is_parked(env, &reason, err);

    if (rc < 0 || environments_by_uid(env->engine->db, &env->cycle, env->uid, &row, err))
        return err->code;
    if (rc)
        return say(env, (struct words){ .sync = S("parked"), .reason = reason }, err);
    if (find_refused(env, &reason, err))
        return err->code;
    if (!str_eq_c(row.sync, "parked") && !str_eq_c(row.sync, "converging"))
        return 0;
    return say(env, (struct words){ .sync = S("converging"), .reason = reason }, err);
}

int env_plan_trouble(struct env_task *env, struct err *err)
{
    return say(env, (struct words){ .sync = S("failed"), .reason = env->trouble }, err);
}

/* --- plans --------------------------------------------------------------------------------------- */

#define PLAN_IS_PENDING "state IN ('open', 'waiting', 'approved')"

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
        rows[i].state = S("superseded");
        if (!plan_is_empty(&env->plan))
            rows[i].superseded_by = env->plan.id;
        rows[i].ended_seq = tx_seq(tx);
        if (tx_put(tx, REC_plan, &rows[i], err))
            return err->code;
    }
    return 0;
}

/* Nothing is to be done any more: what waits to be approved is out of date. */
static int forget_pending(struct env_task *env, struct err *err)
{
    struct rec_plan *rows;
    struct tx *tx;
    size_t n;

    if (DB_SELECT(env->engine->db, &env->cycle, plan, "WHERE env = $1 AND " PLAN_IS_PENDING, &rows,
                  &n, err, DB_T(env->uid)))
        return err->code;
    if (!n)
        return 0;
    if (begin(env, S("plan.superseded"), STR_NONE, &tx, err))
        return err->code;
    return finish(tx, supersede_others(env, tx, err), err);
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
    if (engine_put_document(tx, S("plan"), plan_format(a, &env->plan), &row->doc, err) ||
        snapshot_store_revision(a, tx, env->uid, &env->spec, &env->plan, err) ||
        put_reads(env, tx, err))
        return err->code;
    return 0;
}

struct decision {
    int starts;
    struct str state, sync, reason;
};

/* A hold of one service stops the plans that change it. */
static int holds_plan(const struct rec_hold *hold, const struct plan *plan)
{
    for (size_t i = 0; hold->service.p && i < plan->lines.n; i++)
        if (str_eq_c(plan->lines.p[i].kind, "service") &&
            str_eq(plan->lines.p[i].name, hold->service))
            return 1;
    return !hold->service.p;
}

static int is_held(struct env_task *env, struct str *ret_reason, struct err *err)
{
    struct rec_hold *holds;
    size_t n, i = 0;

    if (holds_active(env->engine->db, &env->cycle, env->uid, clock_task_due_ms(&env->engine->clock),
                     &holds, &n, err))
        return err->code;
    if (env->engine->options.hold_all) {
        *ret_reason = S("held: the daemon observes only");
        return 1;
    }
    while (i < n && !holds_plan(&holds[i], &env->plan))
        i++;
    if (i == n)
        return 0;
    *ret_reason = str_fmt(&env->cycle, "held by %.*s: %.*s", STR_ARG(holds[i].actor),
                          STR_ARG(holds[i].reason));
    return 1;
}

/* The policy last applied judges; a first plan is judged by its own. */
static const struct value *judging_policy(const struct env_task *env)
{
    for (size_t i = 0; i < env->snapshot.n_recorded; i++)
        if (str_eq_c(env->snapshot.recorded[i].kind, "policy"))
            return env->plan.classes & PLAN_CLASS_WEAKEN ? env->snapshot.recorded[i].desired
                                                         : env->spec.policy;
    return env->spec.policy;
}

static void ask_too(struct env_task *env, struct plan_verdict *v, struct str why)
{
    v->reason = v->asks ? str_fmt(&env->cycle, "%.*s; %.*s", STR_ARG(why), STR_ARG(v->reason))
                        : why;
    v->asks = 1;
}

/* What the policy asks; a tip that does not go on from what was applied; and what a person has ended. */
static int judge(struct env_task *env, struct plan_verdict *ret, struct err *err)
{
    int is_cancelled;

    *ret = plan_judge(&env->cycle, &env->plan, judging_policy(env));
    if (env->plan.cause != PLAN_CAUSE_COMMIT)
        return 0;
    if (env_undone_is_cancelled(env, &is_cancelled, err))
        return err->code;
    if (is_cancelled)
        ask_too(env, ret, S("it was cancelled"));
    if (env->rewound.n)
        ask_too(env, ret, env->rewound);
    return 0;
}

static int decide(struct env_task *env, const struct rec_plan *row, struct decision *ret,
                  struct err *err)
{
    struct plan_verdict verdict;
    struct str held = STR_NONE;
    int rc = judge(env, &verdict, err) ? err->code : is_held(env, &held, err);
    int is_valid = row->expires_ms == REC_NONE ||
                   clock_task_due_ms(&env->engine->clock) < row->expires_ms;

    if (rc < 0)
        return rc;
    *ret = (struct decision){ 0, S("waiting"), S("waiting"), verdict.reason };
    if (rc == 1 && !env->engine->options.hold_all && env->plan.cause == PLAN_CAUSE_REPAIR)
        rc = 0; /* a dead instance is restarted whatever is held */
    if (str_eq_c(row->state, "rejected")) {
        ret->state = S("rejected");
        ret->reason = S("the plan was rejected");
    } else if (rc == 1) { /* what was decided meanwhile stays so */
        ret->state = str_eq_c(row->state, "approved") && is_valid ? row->state : S("waiting");
        ret->sync = S("held");
        ret->reason = held;
    } else if (!verdict.asks || (str_eq_c(row->state, "approved") && is_valid)) {
        *ret = (struct decision){ 1, S("applying"), S("converging"), S("") };
    }
    return 0;
}

static int put_plan(struct env_task *env, struct tx *tx, struct rec_plan *row,
                    const struct decision *d, struct err *err)
{
    struct rec_environment e;

    if (environments_by_uid(env->engine->db, &env->cycle, env->uid, &e, err))
        return err->code;
    row->state = d->state;
    row->reason = d->reason;
    e.sync = d->sync;
    e.reason = d->reason;
    (void)drop_ask(env, &e);
    if (d->starts) {
        row->started_seq = tx_seq(tx);
        e.apply_seq++;
        if (env->plan.cause == PLAN_CAUSE_COMMIT)
            set_commit(env, &e);
    }
    if (env->plan.cause == PLAN_CAUSE_COMMIT && put_commit(env, tx, err))
        return err->code;
    if (supersede_others(env, tx, err) || tx_put(tx, REC_plan, row, err))
        return err->code;
    return tx_put(tx, REC_environment, &e, err);
}

/* A plan with something to do: stored once, started when nobody has to be asked. Where nobody knows whether
 * the commit goes on, that is asked first. */
static int store_plan(struct env_task *env, struct err *err)
{
    struct rec_plan row = { .id = env->plan.id };
    struct decision d;
    struct tx *tx;
    int rc, is_new;

    env->is_doubtful = env->plan.cause == PLAN_CAUSE_COMMIT && !env_task_knows_descent(env);
    if (env->is_doubtful)
        return 0;
    rc = db_get(env->engine->db, &env->cycle, REC_plan, &row, err);
    is_new = rc == ERR_NOT_FOUND;

    if (rc && !is_new)
        return rc;
    if (is_new)
        row.expires_ms = REC_NONE;
    if (str_eq_c(row.state, "superseded")) /* open again; earlier decisions do not count */
        row.state = S("open");
    if (decide(env, &row, &d, err))
        return err->code;
    if (!is_new && !d.starts && str_eq(row.state, d.state) && str_eq(row.reason, d.reason))
        return say(env, (struct words){ .sync = d.sync, .reason = d.reason }, err);
    if (begin(env, d.starts ? S("plan.started") : S("plan.stored"), env->ask.actor, &tx, err))
        return err->code;
    rc = is_new ? put_new_plan(env, tx, &row, err) : 0;
    if (!rc)
        rc = put_plan(env, tx, &row, &d, err);
    rc = finish(tx, rc, err);
    env->starts = !rc && d.starts;
    return rc;
}

static int count_lost(const struct env_task *env)
{
    int n = 0;

    for (size_t i = 0; i < env->n_observations; i++)
        n += env->observations[i].is_live && env->observations[i].health == INSTANCE_LOST;
    return n;
}

static enum plan_cause plan_cause_now(const struct env_task *env)
{
    if (env->ask.cause != PLAN_CAUSE_COMMIT)
        return env->ask.cause;
    if (count_lost(env) && !digest_is_none(&env->snapshot.env.live_rev))
        return PLAN_CAUSE_REPAIR; /* before anything new: a set that is not whole cannot be compared with */
    return PLAN_CAUSE_COMMIT;
}

static int plan_now(struct env_task *env, enum plan_cause cause, struct err *err)
{
    const struct snapshot_load in = {
        .engine = env->engine,
        .env_uid = env->uid,
        .cause = cause,
        .target = &env->spec,
        .observations = env->observations,
        .n_observations = env->n_observations,
        .rule = env->rule,
        .now_ms = clock_task_due_ms(&env->engine->clock),
    };

    if (snapshot_load(&env->cycle, &in, &env->snapshot, err))
        return err->code;
    return plan_make(&env->cycle, &env->snapshot, &env->plan, err);
}

/* What the plan is for when no commit says so: what a person asked for, or what was applied last. */
static int plan_for_revision(struct env_task *env, enum plan_cause cause, struct err *err)
{
    const struct digest *revision = cause == PLAN_CAUSE_REPAIR ? &env->snapshot.env.live_rev
                                                               : &env->ask.revision;

    env->has_spec = 0;
    if (snapshot_load_revision(&env->cycle, env->engine->db, env->uid, revision, &env->spec, err))
        return err->code;
    return plan_now(env, cause, err);
}

static int plan_for_commit(struct env_task *env, struct err *err)
{
    int n_undone;

    if (plan_now(env, PLAN_CAUSE_COMMIT, err) || env_undone_keep(env, &n_undone, err))
        return err->code;
    return n_undone ? plan_now(env, PLAN_CAUSE_COMMIT, err) : 0;
}

/* Without specs, and with everything in its place, there is only the trouble to tell. */
static int is_idle(const struct env_task *env, enum plan_cause cause)
{
    return !env->has_spec && cause == PLAN_CAUSE_COMMIT;
}

/* Nothing is to be done: why, and whether a person has to. */
static int say_settled(struct env_task *env, struct err *err)
{
    struct words w = {
        .sync = env->plan.notes.n ? S("reverted") : S("in_sync"),
        .health = count_lost(env) ? S("degraded") : STR_NONE,
        .reason = env->plan.notes.n ? env->plan.notes.p[0] : S(""),
        .with_commit = env->has_spec && !env->plan.notes.n,
    };
    int rc = is_parked(env, &w.reason, err);

    if (rc < 0)
        return rc;
    if (rc)
        w.sync = S("parked");
    return say(env, w, err);
}

int env_plan_make(struct env_task *env, struct err *err)
{
    const struct environment_spec newest = env->spec;
    int has_spec = env->has_spec;
    enum plan_cause cause;

    env->starts = 0;
    if (environments_by_uid(env->engine->db, &env->cycle, env->uid, &env->snapshot.env, err))
        return err->code;
    if (env->has_spec && env_secrets_note(env->engine, &env->cycle, env->uid, &env->pins, err))
        return err->code;
    cause = plan_cause_now(env);
    if (env->waits && (cause == PLAN_CAUSE_COMMIT || env->cannot_repair))
        return 0;
    if (cause == PLAN_CAUSE_REPAIR && env->cannot_repair && has_spec) {
        if (plan_for_commit(env, err))
            return err->code;
        if (!plan_is_empty(&env->plan))
            return store_plan(env, err);
    }
    if (cause != PLAN_CAUSE_COMMIT && plan_for_revision(env, cause, err))
        return err->code;
    if (cause == PLAN_CAUSE_REPAIR &&
        plan_is_empty(&env->plan)) { /* lost, but of nothing that was recorded */
        if (env->waits)
            return 0;
        env->spec = newest;
        env->has_spec = has_spec;
        cause = PLAN_CAUSE_COMMIT;
    }
    if (is_idle(env, cause))
        return env->trouble.n ? env_plan_trouble(env, err) : 0;
    if (cause == PLAN_CAUSE_COMMIT && plan_for_commit(env, err))
        return err->code;
    if (!plan_is_empty(&env->plan))
        return store_plan(env, err);
    return forget_pending(env, err) ? err->code : say_settled(env, err);
}
