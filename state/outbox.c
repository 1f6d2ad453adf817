/* SPDX-License-Identifier: Apache-2.0 */
#include "state/outbox.h"

#include "base/guard.h"
#include "state/db_impl.h"

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

int outbox_next_target(struct db *db, struct arena *a, struct str after, struct str *ret,
                       struct err *err)
{
    struct rec_outbox *rows;
    size_t n;
    int rc = DB_SELECT(db, a, outbox,
                       "WHERE done_seq IS NULL AND target > $1 ORDER BY target, uid LIMIT 1", &rows,
                       &n, err, DB_T(after));

    if (rc)
        return rc;
    *ret = n ? rows[0].target : STR_NONE;
    return 0;
}

int outbox_waiting(struct db *db, int64_t *ret, struct err *err)
{
    return db_number(db, S("SELECT count(*) FROM outbox WHERE done_seq IS NULL"), NULL, 0, ret,
                     err);
}

int outbox_waiting_for(struct db *db, struct arena *a, struct str target, int64_t limit,
                       struct rec_outbox **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, outbox, "WHERE done_seq IS NULL AND target = $1 ORDER BY uid LIMIT $2",
                     ret, ret_n, err, DB_T(target), DB_I(limit));
}

int outbox_sent_since(struct db *db, struct arena *a, struct str target, int64_t since_ms,
                      int64_t limit, struct rec_outbox **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, outbox,
                     "WHERE done_seq IS NOT NULL AND target = $1 AND done_ms > $2 AND "
                     "outcome = 'sent' ORDER BY done_ms DESC LIMIT $3",
                     ret, ret_n, err, DB_T(target), DB_I(since_ms), DB_I(limit));
}

int outbox_waiting_count(struct db *db, struct str target, int64_t *ret, struct err *err)
{
    const struct db_bind bind = DB_T(target);

    return db_number(db, S("SELECT count(*) FROM outbox WHERE done_seq IS NULL AND target = $1"),
                     &bind, 1, ret, err);
}

int outbox_ended(struct db *db, struct arena *a, struct str target, struct str outcome,
                 int64_t *ret_n, struct rec_outbox *ret_newest, struct err *err)
{
    const struct db_bind binds[] = { DB_T(target), DB_T(outcome) };
    struct rec_outbox *rows;
    size_t n;
    int rc = db_number(
        db,
        S("SELECT count(*) FROM outbox WHERE done_seq IS NOT NULL AND target = $1 AND "
          "outcome = $2"),
        binds, N_ELEMENTS(binds), ret_n, err);

    if (rc)
        return rc;
    rc = DB_SELECT(db, a, outbox,
                   "WHERE done_seq IS NOT NULL AND target = $1 AND outcome = $2 "
                   "ORDER BY done_ms DESC LIMIT 1",
                   &rows, &n, err, DB_T(target), DB_T(outcome));
    if (!rc && n)
        *ret_newest = rows[0];
    return rc;
}

int outbox_old(struct db *db, struct arena *a, int64_t before_ms, int64_t limit,
               struct rec_outbox **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, outbox,
                     "WHERE done_seq IS NOT NULL AND done_ms < $1 AND "
                     "(terminal = 0 OR body <> '" OUTBOX_NO_BODY
                     "') ORDER BY done_ms, uid LIMIT $2",
                     ret, ret_n, err, DB_I(before_ms), DB_I(limit));
}

int outbox_has_terminal(struct db *db, struct arena *a, struct str subject, struct str target,
                        struct err *err)
{
    struct rec_outbox *rows;
    size_t n;
    int rc = DB_SELECT(db, a, outbox, "WHERE subject = $1 AND target = $2 AND terminal = 1", &rows,
                       &n, err, DB_T(subject), DB_T(target));

    return rc ? rc : n != 0;
}

int outbox_is_waiting(struct db *db, struct arena *a, struct str subject, struct str target,
                      struct str word, struct err *err)
{
    struct rec_outbox *rows;
    size_t n;
    int rc = DB_SELECT(db, a, outbox,
                       "WHERE done_seq IS NULL AND target = $1 AND subject = $2 AND word = $3 "
                       "LIMIT 1",
                       &rows, &n, err, DB_T(target), DB_T(subject), DB_T(word));

    return rc ? rc : n != 0;
}
