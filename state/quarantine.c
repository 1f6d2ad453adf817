/* SPDX-License-Identifier: Apache-2.0 */
#include "state/quarantine.h"

#define QUARANTINE_IN_FORCE "lifted_by IS NULL AND (until_ms IS NULL OR until_ms > $2)"

int quarantine_active(struct db *db, struct arena *a, struct str env, int64_t now_ms,
                      struct rec_quarantine **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, quarantine,
                     "WHERE env = $1 AND " QUARANTINE_IN_FORCE " ORDER BY group_digest", ret, ret_n,
                     err, DB_T(env), DB_I(now_ms));
}

int quarantine_of_group(struct db *db, struct arena *a, struct str env,
                        const struct digest *group_digest, int64_t now_ms,
                        struct rec_quarantine *ret, struct err *err)
{
    struct rec_quarantine *rows;
    size_t n;
    int rc = DB_SELECT(db, a, quarantine,
                       "WHERE env = $1 AND " QUARANTINE_IN_FORCE " AND group_digest = $3", &rows,
                       &n, err, DB_T(env), DB_I(now_ms), DB_D(group_digest));

    if (rc)
        return rc;
    if (!n)
        return err_set(err, ERR_NOT_FOUND, "the group is not in quarantine");
    *ret = rows[0];
    return 0;
}
