/* SPDX-License-Identifier: Apache-2.0 */
#include "state/holds.h"

int holds_active(struct db *db, struct arena *a, struct str env, int64_t now_ms,
                 struct rec_hold **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, hold,
                     "WHERE env = $1 AND ended_seq IS NULL AND (until_ms IS NULL OR until_ms > $2)"
                     " ORDER BY uid",
                     ret, ret_n, err, DB_T(env), DB_I(now_ms));
}
