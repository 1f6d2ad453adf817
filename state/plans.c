/* SPDX-License-Identifier: Apache-2.0 */
#include "state/plans.h"

#include <string.h>

int plans_by_id(struct db *db, struct arena *a, const struct digest *id, struct rec_plan *ret,
                struct err *err)
{
    struct rec_plan plan = { .id = *id };
    int rc = db_get(db, a, REC_plan, &plan, err);

    if (rc)
        return err_wrap(err, "plan '%.12s'", digest_hex(a, id).p);
    *ret = plan;
    return 0;
}

/* The ids that begin with these digits lie between the prefix filled with 0 and with f. */
static int plans_bounds(struct str hex, struct digest *ret_from, struct digest *ret_to)
{
    char text[2 * DIGEST_BYTES];
    const struct str full = { text, sizeof(text) };

    if (hex.n < PLANS_PREFIX_MIN || hex.n > sizeof(text))
        return -1;
    memset(text, '0', sizeof(text));
    memcpy(text, hex.p, hex.n);
    if (digest_from_hex(full, ret_from))
        return -1;
    memset(text + hex.n, 'f', sizeof(text) - hex.n);
    return digest_from_hex(full, ret_to);
}

int plans_by_prefix(struct db *db, struct arena *a, struct str hex, struct rec_plan *ret,
                    struct err *err)
{
    struct digest from, to;
    struct rec_plan *rows;
    size_t n;
    int rc;

    if (plans_bounds(hex, &from, &to))
        return err_set(err, ERR_USAGE, "'%.*s' is not a plan id: %d to 64 of 0-9a-f", STR_ARG(hex),
                       PLANS_PREFIX_MIN);
    rc = DB_SELECT(db, a, plan, "WHERE id BETWEEN $1 AND $2 LIMIT 2", &rows, &n, err, DB_D(&from),
                   DB_D(&to));
    if (rc)
        return rc;
    if (!n)
        return err_set(err, ERR_NOT_FOUND, "there is no plan '%.*s'", STR_ARG(hex));
    if (n > 1)
        return err_set(err, ERR_CONFLICT, "several plans begin with '%.*s'", STR_ARG(hex));
    *ret = rows[0];
    return 0;
}

int plans_applying(struct db *db, struct arena *a, struct str env, struct rec_plan *ret,
                   struct err *err)
{
    struct rec_plan *rows;
    size_t n;
    int rc = DB_SELECT(db, a, plan,
                       "WHERE env = $1 AND " PLANS_STANDING " AND state = 'applying' "
                       "ORDER BY cause IN ('repair', 'drift'), started_seq LIMIT 1",
                       &rows, &n, err, DB_T(env));

    if (rc)
        return rc;
    if (!n)
        return err_set(err, ERR_NOT_FOUND, "no plan is applying");
    *ret = rows[0];
    return 0;
}

int plans_list(struct db *db, struct arena *a, struct str env, int64_t limit, struct rec_plan **ret,
               size_t *ret_n, struct err *err)
{
    if (!env.p)
        return DB_SELECT(db, a, plan, "ORDER BY made_seq DESC LIMIT $1", ret, ret_n, err,
                         DB_I(limit));
    return DB_SELECT(db, a, plan, "WHERE env = $1 ORDER BY made_seq DESC LIMIT $2", ret, ret_n, err,
                     DB_T(env), DB_I(limit));
}

int plans_decisions(struct db *db, struct arena *a, const struct digest *plan,
                    struct rec_decision **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, decision, "WHERE plan = $1 ORDER BY at_seq, actor", ret, ret_n, err,
                     DB_D(plan));
}
