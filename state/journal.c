/* SPDX-License-Identifier: Apache-2.0 */
#include "state/journal.h"

#define JOURNAL_IS_OPEN "INDEXED BY operations_open WHERE outcome IS NULL"

int journal_open(struct db *db, struct arena *a, struct str env, struct rec_operation **ret,
                 size_t *ret_n, struct err *err)
{
    if (!env.p)
        return DB_SELECT(db, a, operation, JOURNAL_IS_OPEN " ORDER BY uid", ret, ret_n, err);
    return DB_SELECT(db, a, operation, JOURNAL_IS_OPEN " AND env = $1 ORDER BY uid", ret, ret_n,
                     err, DB_T(env));
}

int journal_open_of(struct db *db, struct arena *a, struct str env, struct str kind,
                    struct str name, struct rec_operation *ret, struct err *err)
{
    struct rec_operation *rows;
    size_t n;
    int rc = DB_SELECT(db, a, operation,
                       "WHERE env = $1 AND kind = $2 AND name = $3 AND outcome IS NULL", &rows, &n,
                       err, DB_T(env), DB_T(kind), DB_T(name));

    if (rc)
        return rc;
    if (!n)
        return err_set(err, ERR_NOT_FOUND, "no operation of '%.*s/%.*s' is open", STR_ARG(kind),
                       STR_ARG(name));
    *ret = rows[0];
    return 0;
}

int journal_of_plan(struct db *db, struct arena *a, const struct digest *plan,
                    struct rec_operation **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, operation, "WHERE plan = $1 ORDER BY item, step, uid", ret, ret_n, err,
                     DB_D(plan));
}

int journal_of_resource(struct db *db, struct arena *a, struct str env, struct str kind,
                        struct str name, int64_t limit, struct rec_operation **ret, size_t *ret_n,
                        struct err *err)
{
    return DB_SELECT(db, a, operation,
                     "WHERE env = $1 AND kind = $2 AND name = $3 ORDER BY uid DESC LIMIT $4", ret,
                     ret_n, err, DB_T(env), DB_T(kind), DB_T(name), DB_I(limit));
}

int64_t journal_next_deaths(const struct rec_operation *op, int64_t epoch)
{
    return op->deaths + (op->epoch < epoch);
}
