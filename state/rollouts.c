/* SPDX-License-Identifier: Apache-2.0 */
#include "state/rollouts.h"

int rollouts_list(struct db *db, struct arena *a, struct str env, int64_t limit,
                  struct rec_rollout **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, rollout, "WHERE env = $1 ORDER BY began_seq DESC, uid LIMIT $2", ret,
                     ret_n, err, DB_T(env), DB_I(limit));
}
