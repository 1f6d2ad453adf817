/* SPDX-License-Identifier: Apache-2.0 */
#include "state/rollouts.h"

int rollouts_of_plan(struct db *db, struct arena *a, const struct digest *plan,
                     struct rec_rollout **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, rollout, "WHERE plan = $1 ORDER BY began_seq, uid", ret, ret_n, err,
                     DB_D(plan));
}

int rollouts_list(struct db *db, struct arena *a, struct str env, int64_t limit,
                  struct rec_rollout **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, rollout, "WHERE env = $1 ORDER BY began_seq DESC, uid LIMIT $2", ret,
                     ret_n, err, DB_T(env), DB_I(limit));
}

int rollouts_unended(struct db *db, struct arena *a, struct str env, struct rec_rollout **ret,
                     size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, rollout, "WHERE env = $1 AND ended_seq IS NULL ORDER BY began_seq, uid",
                     ret, ret_n, err, DB_T(env));
}

int rollouts_open_gates(struct db *db, struct arena *a, struct rec_gate **ret, size_t *ret_n,
                        struct err *err)
{
    return DB_SELECT(db, a, gate, "WHERE verdict IS NULL ORDER BY operation", ret, ret_n, err);
}

int rollouts_gate(struct db *db, struct arena *a, struct str operation, struct rec_gate *ret,
                  struct err *err)
{
    struct rec_gate gate = { .operation = operation };
    int rc = db_get(db, a, REC_gate, &gate, err);

    if (rc)
        return rc;
    *ret = gate;
    return 0;
}

int rollouts_samples(struct db *db, struct arena *a, struct str gate, int64_t from_ms,
                     struct rec_sample **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, sample, "WHERE gate = $1 AND at_ms >= $2 ORDER BY at_ms, subject", ret,
                     ret_n, err, DB_T(gate), DB_I(from_ms));
}
