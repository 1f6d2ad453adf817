/* SPDX-License-Identifier: Apache-2.0 */
#include "state/resources.h"

int resources_now(struct db *db, struct arena *a, struct str env, struct str kind, struct str name,
                  struct rec_resource *ret, struct err *err)
{
    struct rec_resource *rows;
    size_t n;
    int rc = DB_SELECT(db, a, resource,
                       "WHERE env = $1 AND kind = $2 AND name = $3 AND valid_to IS NULL", &rows, &n,
                       err, DB_T(env), DB_T(kind), DB_T(name));

    if (rc)
        return rc;
    if (!n)
        return err_set(err, ERR_NOT_FOUND, "there is no resource '%.*s/%.*s'", STR_ARG(kind),
                       STR_ARG(name));
    *ret = rows[0];
    return 0;
}

int resources_list(struct db *db, struct arena *a, struct str env, struct rec_resource **ret,
                   size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, resource,
                     "WHERE env = $1 AND valid_to IS NULL AND status <> 'gone' ORDER BY kind, name",
                     ret, ret_n, err, DB_T(env));
}
