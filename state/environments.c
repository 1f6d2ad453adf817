/* SPDX-License-Identifier: Apache-2.0 */
#include "state/environments.h"

int environments_by_uid(struct db *db, struct arena *a, struct str uid, struct rec_environment *ret,
                        struct err *err)
{
    struct rec_environment env = { .uid = uid };
    int rc = db_get(db, a, REC_environment, &env, err);

    if (rc)
        return err_wrap(err, "environment '%.*s'", STR_ARG(uid));
    *ret = env;
    return 0;
}

int environments_by_name(struct db *db, struct arena *a, struct str name,
                         struct rec_environment *ret, struct err *err)
{
    struct rec_environment *rows;
    size_t n;
    int rc = DB_SELECT(db, a, environment, "WHERE name = $1 AND deleted_ms IS NULL", &rows, &n, err,
                       DB_T(name));

    if (rc)
        return rc;
    if (!n)
        return err_set(err, ERR_NOT_FOUND, "there is no environment '%.*s'", STR_ARG(name));
    *ret = rows[0];
    return 0;
}

int environments_list(struct db *db, struct arena *a, struct rec_environment **ret, size_t *ret_n,
                      struct err *err)
{
    return DB_SELECT(db, a, environment, "WHERE deleted_ms IS NULL ORDER BY name", ret, ret_n, err);
}
