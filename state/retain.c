/* SPDX-License-Identifier: Apache-2.0 */
#include "state/retain.h"

#include "base/guard.h"
#include "state/db_impl.h"

#define RETAIN_PART_BYTES (1u << 20) /* of one body, about */
#define RETAIN_DOCUMENTS_BYTES                                                                     \
    (4u << 20) /* that one body names: a page of a replica has them all */

struct retain {
    struct db *db;
    struct tx_head head;
    struct tx *tx;
    int64_t named_bytes; /* documents of this part */
};

static int begin_part(struct retain *r, const char *kind, struct err *err)
{
    r->head.kind = str_from_c(kind);
    r->head.subject = S("state");
    r->head.env = S("");
    r->named_bytes = 0;
    return tx_begin(r->db, &r->head, &r->tx, err);
}

static int end_part(struct retain *r, struct err *err)
{
    struct tx *tx = TAKE(r->tx);

    return tx_commit(tx, err);
}

static int make_room(struct retain *r, struct err *err)
{
    if (tx_size(r->tx) < RETAIN_PART_BYTES && r->named_bytes < RETAIN_DOCUMENTS_BYTES)
        return 0;
    return end_part(r, err) ? err->code : begin_part(r, RETAIN_PART, err);
}

static int tell_table(struct retain *r, enum record record, struct err *err)
{
    const struct table *t = tables_get(record);
    AUTO_ARENA struct arena a;
    AUTO_STMT sqlite3_stmt *st = NULL;
    union tables_record rec;
    struct sb sql;
    int rc;

    arena_init(&a, 0);
    sb_init(&sql, &a);
    tables_sql_all(&sql, t);
    rc = arena_status(&a, err);
    if (!rc)
        rc = stmt_prepare(r->db, sb_str(&sql), &st, err);
    while (!rc && (rc = stmt_step(r->db, st, err)) == 1) {
        arena_reset(&a);
        rc = tables_read(st, t, &a, &rec, err);
        if (!rc)
            rc = make_room(r, err);
        if (!rc)
            rc = tx_tell(r->tx, record, &rec, err);
    }
    return rc;
}

static int tell_documents(struct retain *r, struct err *err)
{
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc = stmt_prepare(r->db, S("SELECT digest, length(body) FROM documents ORDER BY digest"),
                          &st, err);

    while (!rc && (rc = stmt_step(r->db, st, err)) == 1) {
        struct digest digest = stmt_digest(st, 0);

        rc = make_room(r, err);
        if (!rc)
            rc = tx_tell_document(r->tx, &digest, err);
        r->named_bytes += sqlite3_column_int64(st, 1);
    }
    return rc;
}

int retain_snapshot(struct db *db, const struct tx_head *head, struct err *err)
{
    struct retain r = { .db = db, .head = *head };
    int rc = begin_part(&r, RETAIN_SNAPSHOT, err);

    if (rc)
        return rc;
    rc = tell_documents(&r, err);
    for (int i = 0; i < N_RECORDS && !rc; i++)
        if (tables_get((enum record)i)->class == TABLE_EVENTED)
            rc = tell_table(&r, (enum record)i, err);
    if (!rc && !end_part(&r, err) && !begin_part(&r, RETAIN_END, err))
        return end_part(&r, err);
    tx_rollback(r.tx);
    return err->code;
}

int retain_newest(struct db *db, int64_t seq, int64_t *ret, struct err *err)
{
    const struct db_bind bind = DB_I(seq);

    return db_number(
        db, S("SELECT max(seq) FROM events WHERE kind = '" RETAIN_SNAPSHOT "' AND seq <= $1"),
        &bind, 1, ret, err);
}

int retain_drop(struct db *db, int64_t seq, int64_t *ret_n, struct err *err)
{
    struct db_bind binds[] = { DB_I(0), DB_I(RETAIN_DROP_MAX) };
    int rc = retain_newest(db, seq, &binds[0].number, err);

    if (!rc)
        rc = stmt_change(db,
                         S("DELETE FROM event_bodies WHERE seq IN (SELECT seq FROM event_bodies"
                           " WHERE seq < $1 ORDER BY seq LIMIT $2)"),
                         binds, N_ELEMENTS(binds), err);
    if (rc)
        return rc;
    *ret_n = sqlite3_changes(db->handle);
    return 0;
}
