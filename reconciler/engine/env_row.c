/* The row of an environment, and what it says. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/env_row.h"

#include "base/sys.h"
#include "reconciler/engine/env_objects.h"
#include "specs/json_io.h"
#include "state/sets.h"

#define TRIED_OFTEN 5       /* without success: a person should know */
#define TRIED_LONG_MS 30000 /* the same, where it is only looked whether it was done */

/* Why something is written: a person's word, or the commit. */
static struct str event_cause(struct env_task *env)
{
    if (env->ask.cause != PLAN_CAUSE_COMMIT)
        return str_from_c(plan_cause_name(env->ask.cause));
    if (env->plan.cause == PLAN_CAUSE_SCALE)
        return S("scale");
    return env->head ? str_fmt(&env->cycle, "commit:%.*s", STR_ARG(env->head->commit)) : S("");
}

int env_row_begin(struct env_task *env, struct str kind, struct str actor, struct tx **ret,
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
    if (env_row_begin(env, S("environment.accepted"), STR_NONE, &tx, err))
        return err->code;
    return tx_finish(tx, tx_put(tx, REC_environment, &row, err), err);
}

/* A plan that was started and did not come through has proven nothing of its commit. */
static int find_proven_commit(struct env_task *env, const struct digest *live, struct str *ret,
                              struct err *err)
{
    struct rec_revision row = { .env = env->uid, .digest = *live };
    int rc = digest_is_none(live) ? ERR_NOT_FOUND
                                  : db_get(env->engine->db, &env->cycle, REC_revision, &row, err);

    *ret = !rc && row.commit_id.p ? row.commit_id : S("");
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int env_plan_find_applied(struct env_task *env, struct err *err)
{
    struct rec_environment row;

    if (environments_by_uid(env->engine->db, &env->cycle, env->uid, &row, err))
        return err->code;
    env->applied = row.commit_id.p ? row.commit_id : S("");
    return find_proven_commit(env, &row.live_rev, &env->proven, err);
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
        if (rc || (!str_eq_c(set.state, "live") && !str_eq_c(set.state, "previous")) ||
            (env->is_beside && map_has(&env->moving, rows[i].service)))
            continue;
        if (resources_now(db, a, env->uid, S("instance"), name, &r, err))
            return err->code;
        env->instances[env->n_observations] = rows[i];
        env->observations[env->n_observations++] = (struct observation){
            .name = name,
            .provider = r.provider,
            .health = INSTANCE_UNKNOWN,
            .is_live = str_eq_c(set.state, "live"),
            .service = rows[i].service,
        };
    }
    return env_objects_list(env, err);
}

/* --- the environment's own row ------------------------------------------------------------------- */

void env_row_clear_ask(struct rec_environment *row)
{
    row->ask = row->ask_actor = STR_NONE;
    row->ask_overrides = 0;
    row->ask_revision = (struct digest){ { 0 } };
}

/* What this cycle was asked for stands in the row no more; 0 when it did not. */
int env_row_drop_ask(const struct env_task *env, struct rec_environment *row)
{
    if (env->ask.cause == PLAN_CAUSE_COMMIT || env->keeps_ask || !row->ask.p ||
        !digest_eq(&row->ask_revision, &env->ask.revision))
        return 0;
    env_row_clear_ask(row);
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
int env_row_put_commit(struct env_task *env, struct tx *tx, struct err *err)
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
void env_row_set_commit(struct env_task *env, struct rec_environment *row)
{
    row->commit_id = env->head->commit;
    row->tree_id = env->head->tree;
    env->line = env->head->line;
}

/* One event when anything is said that was not said before. */
int env_row_say(struct env_task *env, struct env_words w, struct err *err)
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
    if (!env_row_drop_ask(env, &row) && !moves && str_eq(row.sync, w.sync) &&
        str_eq(row.reason, w.reason) && str_eq(row.health, w.health))
        return 0;
    row.sync = w.sync;
    row.reason = w.reason;
    row.health = w.health;
    if (moves)
        env_row_set_commit(env, &row);
    if (env_row_begin(env, S("environment.status"), STR_NONE, &tx, err))
        return err->code;
    rc = moves ? env_row_put_commit(env, tx, err) : 0;
    return tx_finish(tx, rc ? rc : tx_put(tx, REC_environment, &row, err), err);
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
    return tx_finish(tx, tx_put(tx, REC_environment, &row, err), err);
}

/* 1 and why, when an operation waits for a person. */
int env_row_is_parked(struct env_task *env, struct str *ret_reason, struct err *err)
{
    struct arena *a = &env->cycle;
    struct rec_operation *rows;
    size_t n;

    if (DB_SELECT(env->engine->db, a, operation,
                  "INDEXED BY operations_parked WHERE env = $1 AND outcome = 'parked'", &rows, &n,
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

    if (DB_SELECT(
            env->engine->db, a, operation,
            "INDEXED BY operations_open WHERE env = $1 AND outcome IS NULL AND token IS NULL AND "
            "message IS NOT NULL AND (attempt >= $2 OR intent_ms <= $3) ORDER BY intent_ms LIMIT 1",
            &rows, &n, err, DB_T(env->uid), DB_I(TRIED_OFTEN),
            DB_I(loop_wall_ms(env->engine->loop) - TRIED_LONG_MS)))
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
    int rc = env_row_is_parked(env, &reason, err);

    if (rc < 0 || environments_by_uid(env->engine->db, &env->cycle, env->uid, &row, err))
        return err->code;
    if (rc)
        return env_row_say(env, (struct env_words){ .sync = S("parked"), .reason = reason }, err);
    if (find_refused(env, &reason, err))
        return err->code;
    if (!str_eq_c(row.sync, "parked") && !str_eq_c(row.sync, "converging"))
        return 0;
    return env_row_say(env, (struct env_words){ .sync = S("converging"), .reason = reason }, err);
}

int env_plan_suspect(struct env_task *env, struct err *err)
{
    struct rec_hold *holds;
    size_t n;

    if (DB_SELECT(env->engine->db, &env->cycle, hold,
                  "WHERE env = $1 AND ended_seq IS NULL AND actor = $2 ORDER BY uid DESC", &holds,
                  &n, err, DB_T(env->uid), DB_T(ENGINE_ACTOR)))
        return err->code;
    if (!n)
        return 0; /* a person has ended it this moment */
    return env_row_say(env,
                       (struct env_words){ .sync = S("held"),
                                           .reason = str_fmt(&env->cycle, "held by reeve: %.*s",
                                                             STR_ARG(holds[0].reason)) },
                       err);
}

int env_plan_trouble(struct env_task *env, struct err *err)
{
    return env_row_say(env, (struct env_words){ .sync = S("failed"), .reason = env->trouble }, err);
}
