/* What a person undid does not come back by itself. SPDX-License-Identifier: Apache-2.0
 *
 * The newest commit still asks for it: its plan, made again, would fight the person. Its groups, exactly as
 * they would be now, are quarantined until a commit wants something else or a person lifts them. */
#include "reconciler/engine/env_task.h"

/* The plan that was begun last; a repair is nobody's wish. `ret_found` 0: none. */
static int find_last(struct env_task *env, struct rec_plan *ret, int *ret_found, struct err *err)
{
    struct rec_plan *rows;
    size_t n;

    *ret_found = 0;
    if (DB_SELECT(env->engine->db, &env->cycle, plan,
                  "WHERE env = $1 AND started_seq IS NOT NULL AND cause <> 'repair' "
                  "ORDER BY started_seq DESC LIMIT 1",
                  &rows, &n, err, DB_T(env->uid)))
        return err->code;
    if (n)
        *ret = rows[0];
    *ret_found = n != 0;
    return 0;
}

/* A person began it to go back, and it got there. */
static int is_undo(const struct rec_plan *row)
{
    return str_eq_c(row->state, "applied") &&
           (str_eq_c(row->cause, "undo") || str_eq_c(row->cause, "rollback"));
}

int env_undone_is_cancelled(struct env_task *env, int *ret, struct err *err)
{
    struct rec_plan last;
    int found;

    if (find_last(env, &last, &found, err))
        return err->code;
    *ret = found && str_eq_c(last.state, "cancelled") && digest_eq(&last.target, &env->plan.target);
    return 0;
}

/* 1: a person has lifted what this undo quarantined. */
static int is_lifted(const struct rec_quarantine *row, const struct rec_rollout *rollouts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (row->lifted_by.p && row->rollout.p && str_eq(row->rollout, rollouts[i].uid))
            return 1;
    return 0;
}

static int quarantine_group(struct env_task *env, struct tx *tx, const struct plan_group *g,
                            const struct rec_plan *undo, const struct rec_rollout *rollouts,
                            size_t n_rollouts, int *ret_n, struct err *err)
{
    struct rec_quarantine row = { .env = env->uid, .group_digest = g->digest };
    int rc = db_get(env->engine->db, &env->cycle, REC_quarantine, &row, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (!rc && is_lifted(&row, rollouts, n_rollouts))
        return 0;
    row.culprit = g->services.n ? g->services.p[0] : S("routes");
    row.reason = str_fmt(&env->cycle, "%.*s by %.*s", STR_ARG(undo->cause), STR_ARG(undo->actor));
    row.rollout = n_rollouts ? rollouts[0].uid : STR_NONE;
    row.until_ms = REC_NONE;
    row.lifted_by = STR_NONE;
    ++*ret_n;
    return tx_put(tx, REC_quarantine, &row, err);
}

/* What the plan leads to, or what the specs say, is what was live when it was undone. */
static int is_what_was_undone(const struct env_task *env, const struct rec_rollout *undo)
{
    return digest_eq(&env->plan.target, &undo->from_rev) ||
           digest_eq(&env->spec.revision, &undo->from_rev);
}

static int quarantine_groups(struct env_task *env, const struct rec_plan *undo, int *ret_n,
                             struct err *err)
{
    struct rec_rollout *rollouts;
    struct tx *tx;
    size_t n;

    if (DB_SELECT(env->engine->db, &env->cycle, rollout, "WHERE plan = $1", &rollouts, &n, err,
                  DB_D(&undo->id)))
        return err->code;
    if (!n || !is_what_was_undone(env, &rollouts[0]))
        return 0; /* a commit wants something else since */
    if (engine_tx(env->engine,
                  &(struct engine_event){ .kind = S("quarantine.undone"),
                                          .subject = env->name,
                                          .env = env->uid,
                                          .actor = undo->actor },
                  &tx, err))
        return err->code;
    for (size_t i = 0; i < env->plan.groups.n; i++)
        if (quarantine_group(env, tx, &env->plan.groups.p[i], undo, rollouts, n, ret_n, err)) {
            tx_rollback(tx);
            return err->code;
        }
    if (*ret_n)
        return tx_commit(tx, err);
    tx_rollback(tx);
    return 0;
}

int env_undone_keep(struct env_task *env, int *ret_n, struct err *err)
{
    struct rec_plan undo;
    int found;

    *ret_n = 0;
    if (!env->plan.groups.n)
        return 0;
    if (find_last(env, &undo, &found, err))
        return err->code;
    return found && is_undo(&undo) ? quarantine_groups(env, &undo, ret_n, err) : 0;
}
