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

struct undone {
    struct env_task *env;
    const struct rec_plan *plan;
    struct rec_rollout *rollouts;
    size_t n_rollouts;
    int n; /* quarantined just now */
};

/* 1: a person has lifted what this undo quarantined. */
static int is_lifted(const struct undone *u, const struct rec_quarantine *row)
{
    for (size_t i = 0; i < u->n_rollouts; i++)
        if (row->lifted_by.p && row->rollout.p && str_eq(row->rollout, u->rollouts[i].uid))
            return 1;
    return 0;
}

static int quarantine_one(struct undone *u, struct tx *tx, struct digest digest, struct str culprit,
                          struct err *err)
{
    struct env_task *env = u->env;
    struct rec_quarantine row = { .env = env->uid, .group_digest = digest };
    int rc = db_get(env->engine->db, &env->cycle, REC_quarantine, &row, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (!rc && is_lifted(u, &row))
        return 0;
    row.culprit = culprit;
    row.reason = str_fmt(&env->cycle, "%.*s by %.*s", STR_ARG(u->plan->cause),
                         STR_ARG(u->plan->actor));
    row.rollout = u->rollouts[0].uid;
    row.until_ms = REC_NONE;
    row.lifted_by = STR_NONE;
    u->n++;
    return tx_put(tx, REC_quarantine, &row, err);
}

/* What the plan leads to, or what the specs say, is what was live when it was undone. */
static int is_what_was_undone(const struct undone *u)
{
    return digest_eq(&u->env->plan.target, &u->rollouts[0].from_rev) ||
           digest_eq(&u->env->spec.revision, &u->rollouts[0].from_rev);
}

/* Each group; and the routes, which would move by themselves once no group takes them along. */
static int quarantine_all(struct undone *u, struct tx *tx, struct err *err)
{
    const struct plan *plan = &u->env->plan;
    struct digest routes = plan_routes_digest(&u->env->cycle, &plan->routes),
                  were = plan_routes_digest(&u->env->cycle, &plan->routes_before);
    int rc = 0;

    for (size_t i = 0; !rc && i < plan->groups.n; i++)
        if (plan->groups.p[i].services.n)
            rc = quarantine_one(u, tx, plan->groups.p[i].digest, plan->groups.p[i].services.p[0],
                                err);
    if (!rc && !digest_eq(&routes, &were))
        rc = quarantine_one(u, tx, plan->routes_wanted, S("routes"), err);
    return rc;
}

static int quarantine_undone(struct undone *u, struct err *err)
{
    struct env_task *env = u->env;
    struct tx *tx;
    int rc;

    if (DB_SELECT(env->engine->db, &env->cycle, rollout, "WHERE plan = $1", &u->rollouts,
                  &u->n_rollouts, err, DB_D(&u->plan->id)))
        return err->code;
    if (!u->n_rollouts || !is_what_was_undone(u))
        return 0; /* a commit wants something else since */
    if (engine_tx(env->engine,
                  &(struct engine_event){ .kind = S("quarantine.undone"),
                                          .subject = env->name,
                                          .env = env->uid,
                                          .actor = u->plan->actor },
                  &tx, err))
        return err->code;
    rc = quarantine_all(u, tx, err);
    if (!rc && u->n)
        return tx_commit(tx, err);
    tx_rollback(tx);
    return rc;
}

int env_undone_keep(struct env_task *env, int *ret_n, struct err *err)
{
    struct undone u = { 0 };
    struct rec_plan undo;
    int found;

    *ret_n = 0;
    if (!env->plan.groups.n)
        return 0;
    if (find_last(env, &undo, &found, err))
        return err->code;
    if (!found || !is_undo(&undo))
        return 0;
    u.env = env;
    u.plan = &undo;
    if (quarantine_undone(&u, err))
        return err->code;
    *ret_n = u.n;
    return 0;
}
