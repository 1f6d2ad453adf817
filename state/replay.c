/* SPDX-License-Identifier: Apache-2.0 */
#include "state/replay.h"

#include <inttypes.h>

#include "specs/json_io.h"
#include "state/db_impl.h"
#include "state/documents.h"
#include "state/rows.h"

#define REPLAY_BODY_MAX_BYTES (256u << 20)

/* What one list of the body holds of one table. */
static int replay_rows(struct db *image, struct str table, const struct value *list,
                       enum stmt_kind kind, struct err *err)
{
    union tables_record rec = { 0 };
    enum record record;
    const struct table *t;

    if (tables_find(table, &record))
        return err_set(err, ERR_CORRUPT, "there is no table '%.*s'", STR_ARG(table));
    t = tables_get(record);
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *v = value_item(list, i);
        int rc = kind == STMT_UPSERT ? rows_parse(t, v, &rec, err)
                                     : rows_parse_key(t, v, &rec, err);

        if (!rc)
            rc = db_write_row(image, record, kind, &rec, err);
        if (rc)
            return rc;
    }
    return 0;
}

static int replay_tables(struct db *image, const struct value *tables, enum stmt_kind kind,
                         struct err *err)
{
    int rc = 0;

    if (tables && !value_is(tables, VALUE_MAP))
        return err_set(err, ERR_CORRUPT, "tables are not named");
    for (size_t i = 0; i < value_count(tables) && !rc; i++)
        rc = replay_rows(image, tables->u.map.entries[i].key, tables->u.map.entries[i].value, kind,
                         err);
    return rc;
}

/* The image knows of documents only which ones there must be. */
static int replay_documents(struct db *image, const struct value *list, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < value_count(list) && !rc; i++) {
        const struct value *v = value_item(list, i);
        struct digest digest;
        int is_new;

        if (!value_is(v, VALUE_TEXT) || digest_from_hex(v->u.text, &digest))
            return err_set(err, ERR_CORRUPT, "a document's digest is none");
        rc = documents_put(image, S(""), &digest, S(""), &is_new, err);
    }
    return rc;
}

static int replay_parts(struct db *db, const struct value *body, struct err *err)
{
    int rc = replay_documents(db, value_get(body, S("documents")), err);

    if (!rc)
        rc = replay_tables(db, value_get(body, S("gone")), STMT_DELETE, err);
    return rc ? rc : replay_tables(db, value_get(body, S("rows")), STMT_UPSERT, err);
}

int replay_event(struct db *db, int64_t seq, const struct value *body, struct err *err)
{
    int rc = replay_parts(db, body, err);

    if (!rc)
        return 0;
    if (rc != ERR_NOMEM && rc != ERR_FULL && rc != ERR_IO && rc != ERR_BUSY)
        err->code = ERR_CORRUPT; /* whatever stopped it, the event does not say what was written */
    return err_wrap(err, "replay event %" PRId64, seq);
}

static int replay_text(struct db *image, struct arena *a, int64_t seq, struct str text,
                       struct err *err)
{
    struct value *body;

    if (json_parse(a, text, REPLAY_BODY_MAX_BYTES, &body, err)) {
        if (err->code != ERR_NOMEM)
            err->code = ERR_CORRUPT;
        return err_wrap(err, "replay event %" PRId64, seq);
    }
    return replay_event(image, seq, body, err);
}

static int replay_into(struct db *db, struct db *image, struct err *err)
{
    AUTO_ARENA struct arena a;
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc = stmt_prepare(db, S("SELECT seq, body FROM event_bodies ORDER BY seq"), &st, err);

    arena_init(&a, 0);
    while (!rc && (rc = stmt_step(db, st, err)) == 1) {
        struct str body;

        arena_reset(&a);
        body = stmt_text(&a, st, 1);
        rc = arena_status(&a, err);
        if (!rc)
            rc = replay_text(image, &a, sqlite3_column_int64(st, 0), body, err);
    }
    return rc;
}

/* Rows of one table, here and in the image, in the order of their keys. */
struct replay_side {
    struct db *db;
    sqlite3_stmt *st;
    struct arena arena;
    union tables_record rec;
    int has_row;
};

static int replay_side_open(struct replay_side *s, const struct table *t, struct err *err)
{
    struct sb sql;
    int rc;

    arena_reset(&s->arena);
    sb_init(&sql, &s->arena);
    tables_sql_all(&sql, t);
    rc = arena_status(&s->arena, err);
    return rc ? rc : stmt_prepare(s->db, sb_str(&sql), &s->st, err);
}

static int replay_side_next(struct replay_side *s, const struct table *t, struct err *err)
{
    int rc = stmt_step(s->db, s->st, err);

    if (rc < 0)
        return rc;
    s->has_row = rc;
    if (!rc)
        return 0;
    arena_reset(&s->arena);
    rc = tables_read(s->st, t, &s->arena, &s->rec, err);
    return rc ? rc : arena_status(&s->arena, err);
}

static int replay_say(const struct table *t, const void *rec, struct err *err, const char *what,
                      struct str column)
{
    AUTO_ARENA struct arena a;
    struct sb key;

    arena_init(&a, 0);
    sb_init(&key, &a);
    rows_write_key(&key, t, rec);
    return err_set(err, ERR_CORRUPT, "table '%s', row '%.*s': %s%.*s", t->name,
                   STR_ARG(sb_str(&key)), what, STR_ARG(column));
}

/* Both stand on a row or one is at its end: 0 when the rows are the same. */
static int replay_compare_rows(const struct table *t, const struct replay_side *now,
                               const struct replay_side *image, struct err *err)
{
    const struct table_column *c;

    if (!now->has_row)
        return replay_say(t, &image->rec, err, "is missing, the events say it is there", S(""));
    if (!image->has_row)
        return replay_say(t, &now->rec, err, "stands in no event", S(""));
    c = rows_difference(t, &now->rec, &image->rec);
    if (!c)
        return 0;
    if (c->role == TABLE_DATA)
        return replay_say(t, &now->rec, err, "is not what the events say: column ", c->name);
    return rows_compare_keys(t, &now->rec, &image->rec) < 0
               ? replay_say(t, &now->rec, err, "stands in no event: column ", c->name)
               : replay_say(t, &image->rec, err, "is missing, the events say it is there: column ",
                            c->name);
}

static int replay_compare_table(const struct table *t, struct replay_side *now,
                                struct replay_side *image, int64_t *rows, struct err *err)
{
    int rc = replay_side_open(now, t, err);

    if (!rc)
        rc = replay_side_open(image, t, err);
    while (!rc) {
        rc = replay_side_next(now, t, err);
        if (!rc)
            rc = replay_side_next(image, t, err);
        if (rc || (!now->has_row && !image->has_row))
            break;
        rc = replay_compare_rows(t, now, image, err);
        *rows += !rc;
    }
    stmt_guard(&now->st);
    stmt_guard(&image->st);
    now->st = image->st = NULL;
    return rc;
}

static int replay_compare_tables(struct db *db, struct db *image, int64_t *rows, struct err *err)
{
    struct replay_side now = { .db = db }, then = { .db = image };
    int rc = 0;

    arena_init(&now.arena, 0);
    arena_init(&then.arena, 0);
    for (int i = 0; i < N_RECORDS && !rc; i++)
        if (tables_get((enum record)i)->class == TABLE_EVENTED)
            rc = replay_compare_table(tables_get((enum record)i), &now, &then, rows, err);
    arena_fini(&now.arena);
    arena_fini(&then.arena);
    return rc;
}

/* Every document has its digest, and they are those that the events name. */
static int replay_compare_documents(struct db *db, struct db *image, int64_t *rows, struct err *err)
{
    const struct str sql = S("SELECT digest, kind, body FROM documents ORDER BY digest");
    AUTO_STMT sqlite3_stmt *now = NULL;
    AUTO_STMT sqlite3_stmt *then = NULL;
    AUTO_ARENA struct arena a;
    int rc = stmt_prepare(db, sql, &now, err), more = 0;

    arena_init(&a, 0);
    if (!rc)
        rc = stmt_prepare(image, sql, &then, err);
    while (!rc) {
        struct digest digest, named, actual;

        arena_reset(&a);
        rc = stmt_step(db, now, err);
        more = rc < 0 ? rc : stmt_step(image, then, err);
        if (rc < 0 || more < 0)
            return rc < 0 ? rc : more;
        if (!rc && !more)
            return 0;
        digest = rc ? stmt_digest(now, 0) : (struct digest){ 0 };
        named = more ? stmt_digest(then, 0) : (struct digest){ 0 };
        if (!digest_eq(&digest, &named))
            return err_set(err, ERR_CORRUPT, "document '%s' is missing or stands in no event",
                           digest_hex(&a, rc ? &digest : &named).p);
        actual = documents_digest(stmt_text(&a, now, 1), stmt_text(&a, now, 2));
        rc = arena_status(&a, err);
        if (!rc && !digest_eq(&digest, &actual))
            return err_set(err, ERR_CORRUPT, "document '%s' does not have its digest",
                           digest_hex(&a, &digest).p);
        ++*rows;
    }
    return rc;
}

static int replay_check(struct db *db, struct db *image, int64_t *rows, struct err *err)
{
    int rc = db_batch_begin(image, err);

    if (rc)
        return rc;
    rc = replay_into(db, image, err);
    if (rc) {
        db_batch_abandon(image);
        return rc;
    }
    rc = db_batch_commit(image, err);
    if (!rc)
        rc = replay_compare_tables(db, image, rows, err);
    if (!rc)
        rc = replay_compare_documents(db, image, rows, err);
    return rc;
}

int replay_verify(struct db *db, int64_t *ret_rows, struct err *err)
{
    int has_view = !sqlite3_get_autocommit(db->handle); /* the writer's batch is one */
    struct db *image = NULL;
    int64_t rows = 0;
    int rc = db_open_memory(&image, err);

    if (!rc && !has_view)
        rc = db_view_begin(db, err);
    if (!rc) {
        rc = replay_check(db, image, &rows, err);
        if (!has_view)
            db_view_end(db);
    }
    db_close(image);
    if (rc)
        return err_wrap(err, "replay");
    *ret_rows = rows;
    return 0;
}
