/* SPDX-License-Identifier: Apache-2.0 */
#include "state/quarantine.h"

int quarantine_active(struct db *db, struct arena *a, struct str env, int64_t now_ms,
                      struct rec_quarantine **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, quarantine,
                     "WHERE env = $1 AND lifted_by IS NULL AND (until_ms IS NULL OR until_ms > $2)"
                     " ORDER BY group_digest",
                     ret, ret_n, err, DB_T(env), DB_I(now_ms));
}
