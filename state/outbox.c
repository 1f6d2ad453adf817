/* SPDX-License-Identifier: Apache-2.0 */
#include "state/outbox.h"

#include "state/db_impl.h"

int outbox_due(struct db *db, struct arena *a, int64_t now_ms, int64_t limit,
               struct rec_outbox **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, outbox,
                     "WHERE done_seq IS NULL AND next_ms <= $1 ORDER BY next_ms, uid LIMIT $2", ret,
                     ret_n, err, DB_I(now_ms), DB_I(limit));
}

int outbox_next_ms(struct db *db, struct arena *a, int64_t *ret, struct err *err)
{
    struct rec_outbox *rows;
    size_t n;
    int rc = DB_SELECT(db, a, outbox, "WHERE done_seq IS NULL ORDER BY next_ms LIMIT 1", &rows, &n,
                       err);

    if (rc)
        return rc;
    *ret = n ? rows[0].next_ms : REC_NONE;
    return 0;
}

int outbox_waiting(struct db *db, int64_t *ret, struct err *err)
{
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc = stmt_prepare(db, S("SELECT count(*) FROM outbox WHERE done_seq IS NULL"), &st, err);

    if (!rc)
        rc = stmt_step(db, st, err);
    if (rc < 0)
        return rc;
    *ret = sqlite3_column_int64(st, 0);
    return 0;
}
