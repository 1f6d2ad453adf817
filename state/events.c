/* SPDX-License-Identifier: Apache-2.0 */
#include "state/events.h"

#include <inttypes.h>

#include "base/guard.h"
#include "base/vec.h"
#include "state/events_row.h"

#define EVENTS_BINDS_MAX 12

void events_row_read(sqlite3_stmt *st, struct arena *a, struct event *ret)
{
    *ret = (struct event){
        .seq = sqlite3_column_int64(st, 0),
        .epoch = sqlite3_column_int64(st, 1),
        .time_ms = sqlite3_column_int64(st, 2),
        .mono_ms = sqlite3_column_int64(st, 3),
        .actor = stmt_text(a, st, 4),
        .cause = stmt_text(a, st, 5),
        .kind = stmt_text(a, st, 6),
        .subject = stmt_text(a, st, 7),
        .env = stmt_text(a, st, 8),
        .body_hash = stmt_digest(st, 9),
        .prev_hash = stmt_digest(st, 10),
        .hash = stmt_digest(st, 11),
        .body = sqlite3_column_count(st) > 12 ? stmt_text(a, st, 12) : STR_NONE,
    };
    if (!ret->env.p)
        ret->env = S("");
}

struct events_where { /* a statement in the making */
    struct sb sql;
    struct db_bind binds[EVENTS_BINDS_MAX];
    size_t n;
};

static void events_and(struct events_where *w, const char *condition, struct db_bind bind)
{
    PRE(w->n < EVENTS_BINDS_MAX);
    w->binds[w->n++] = bind;
    sb_addf(&w->sql, "%s%s$%zu", w->n > 1 ? " AND " : " WHERE ", condition, w->n);
}

static void events_and_prefix(struct events_where *w, struct str prefix)
{
    events_and(w, "substr(e.kind, 1, length(", (struct db_bind)DB_T(prefix));
    sb_addf(&w->sql, ")) = $%zu", w->n);
}

/* Times grow with seq, so a span of time is a span of seq. */
static int events_add_span(struct db *db, const struct event_query *q, struct events_where *w,
                           struct err *err)
{
    int64_t after = q->after_seq, upto = 0;
    int rc = 0;

    if (q->from_ms) {
        int64_t before_from;

        rc = events_seq_at(db, q->from_ms - 1, &before_from, err);
        if (!rc && before_from > after)
            after = before_from;
    }
    if (!rc && q->to_ms) {
        rc = events_seq_at(db, q->to_ms, &upto, err);
        events_and(w, "e.seq <= ", (struct db_bind)DB_I(upto));
    }
    events_and(w, "e.seq > ", (struct db_bind)DB_I(after));
    if (q->before_seq)
        events_and(w, "e.seq < ", (struct db_bind)DB_I(q->before_seq));
    return rc;
}

/* What the body begins a name with is looked for first: few bodies are parsed. */
static void events_and_resource(struct events_where *w, struct str kind, struct str name)
{
    size_t k;

    events_and(w, "instr(b.body, '\"' || ", (struct db_bind)DB_T(name));
    sb_add_c(&w->sql, ") > 0");
    events_and(w, "EXISTS (SELECT 1 FROM (SELECT ", (struct db_bind)DB_T(kind));
    k = w->n;
    sb_addf(&w->sql,
            " AS kind, $%zu AS name) q, json_each(b.body, '$.rows') t, json_each(t.value) r"
            " WHERE r.value ->> q.kind = q.name OR"
            " (r.value ->> 'name' = q.name OR substr(r.value ->> 'name', 1, length(q.name) + 1) ="
            " q.name || '@') AND (r.value ->> 'kind' = q.kind OR"
            " q.kind = 'service' AND r.value ->> 'kind' IN ('instance', 'backend')))",
            k - 1);
}

static void events_and_mentions(struct events_where *w, struct str list)
{
    events_and(w, "EXISTS (SELECT 1 FROM json_each(", (struct db_bind)DB_T(list));
    sb_add_c(&w->sql, ") m WHERE instr(b.body, m.value) > 0 OR"
                      " e.cause = 'plan:' || substr(m.value, 1, 12))");
}

static int events_build(struct db *db, const struct event_query *q, struct events_where *w,
                        struct err *err)
{
    int64_t limit = q->limit > 0 && q->limit < EVENTS_PAGE_MAX ? q->limit : EVENTS_PAGE_MAX;
    int rc;

    sb_add_c(&w->sql, q->with_body ? EVENTS_WITH_BODY : "SELECT " EVENTS_COLUMNS " FROM events e");
    rc = events_add_span(db, q, w, err);
    if (q->env.p)
        events_and(w, "e.env = ", (struct db_bind)DB_T(q->env));
    if (q->envs.p) {
        events_and(w, "e.env IN (SELECT value FROM json_each(", (struct db_bind)DB_T(q->envs));
        sb_add_c(&w->sql, "))");
    }
    if (q->kind_prefix.n)
        events_and_prefix(w, q->kind_prefix);
    if (q->subject.p)
        events_and(w, "e.subject = ", (struct db_bind)DB_T(q->subject));
    if (q->actor.p)
        events_and(w, "e.actor = ", (struct db_bind)DB_T(q->actor));
    if (q->resource_kind.n)
        events_and_resource(w, q->resource_kind, q->resource_name);
    if (q->mentions.p)
        events_and_mentions(w, q->mentions);
    if (q->without_steps)
        sb_add_c(&w->sql, " AND e.kind NOT GLOB 'operation.*' AND e.kind NOT GLOB 'gate.*'");
    w->binds[w->n++] = (struct db_bind)DB_I(limit);
    sb_addf(&w->sql, " ORDER BY e.seq%s LIMIT $%zu", q->newest_first ? " DESC" : "", w->n);
    return rc;
}

int events_list(struct db *db, struct arena *a, const struct event_query *q, struct event **ret,
                size_t *ret_n, struct err *err)
{
    struct events_where w = { .n = 0 };
    VEC(struct event) list = { 0 };
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc;

    sb_init(&w.sql, a);
    rc = events_build(db, q, &w, err);
    if (!rc)
        rc = arena_status(a, err);
    if (!rc)
        rc = stmt_open(db, sb_str(&w.sql), w.binds, w.n, &st, err);
    if (rc)
        return rc;
    while ((rc = stmt_step(db, st, err)) == 1) {
        struct event *e = vec_push(a, &list);

        if (!e)
            break;
        events_row_read(st, a, e);
    }
    if (arena_status(a, err))
        return ERR_NOMEM;
    if (rc < 0)
        return rc;
    *ret = list.p;
    *ret_n = list.n;
    return 0;
}

int events_get(struct db *db, struct arena *a, int64_t seq, struct event *ret, struct err *err)
{
    const struct db_bind bind = DB_I(seq);
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc = stmt_first(db, S(EVENTS_WITH_BODY " WHERE e.seq = $1"), &bind, 1, &st, err);

    if (rc < 0)
        return rc;
    if (!rc)
        return err_set(err, ERR_NOT_FOUND, "there is no event %" PRId64, seq);
    events_row_read(st, a, ret);
    return arena_status(a, err);
}

int events_head(struct db *db, int64_t *ret_seq, struct digest *ret_hash, struct err *err)
{
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc = stmt_first(db, S("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1"), NULL, 0,
                        &st, err);

    if (rc < 0)
        return rc;
    *ret_seq = rc ? sqlite3_column_int64(st, 0) : 0;
    *ret_hash = rc ? stmt_digest(st, 1) : (struct digest){ 0 };
    return 0;
}

int events_row_time(struct db *db, int64_t seq, int64_t *ret, struct err *err)
{
    const struct db_bind bind = DB_I(seq);
    int rc = stmt_number(db, S("SELECT time_ms FROM events WHERE seq = $1"), &bind, 1, ret, err);

    if (!rc)
        return err_set(err, ERR_CORRUPT, "event %" PRId64 " is missing", seq);
    return rc < 0 ? rc : 0;
}

int events_kept_since(struct db *db, int64_t *ret_seq, int64_t *ret_ms, struct err *err)
{
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc = stmt_first(db,
                        S("SELECT seq, time_ms FROM events WHERE seq > 1 AND seq = (SELECT "
                          "min(seq) FROM event_bodies)"),
                        NULL, 0, &st, err);

    if (rc < 0)
        return rc;
    *ret_seq = rc ? sqlite3_column_int64(st, 0) : 0;
    *ret_ms = rc ? sqlite3_column_int64(st, 1) : 0;
    return 0;
}

int events_seq_at(struct db *db, int64_t time_ms, int64_t *ret_seq, struct err *err)
{
    struct digest hash;
    int64_t low = 0, high; /* the answer lies in [low, high] */
    int rc = events_head(db, &high, &hash, err);

    while (!rc && low < high) {
        int64_t middle = low + (high - low + 1) / 2, at_ms = 0;

        rc = events_row_time(db, middle, &at_ms, err);
        if (!rc && at_ms <= time_ms)
            low = middle;
        else
            high = middle - 1;
    }
    if (rc)
        return rc;
    *ret_seq = low;
    return 0;
}

int events_newest_ms(struct db *db, struct str env, int64_t *ret, struct err *err)
{
    const struct db_bind bind = DB_T(env);

    return db_number(db, S("SELECT time_ms FROM events WHERE env = $1 ORDER BY seq DESC LIMIT 1"),
                     &bind, 1, ret, err);
}

int events_newest_of(struct db *db, struct arena *a, struct str first, struct str last,
                     struct event_newest **ret, size_t *ret_n, struct err *err)
{
    const struct db_bind binds[] = { DB_T(first), DB_T(last) };
    VEC(struct event_newest) list = { 0 };
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc = stmt_open(db,
                       S("SELECT uid, (SELECT time_ms FROM events WHERE env = uid ORDER BY seq"
                         " DESC LIMIT 1) FROM environments WHERE deleted_ms IS NULL AND"
                         " name >= $1 AND name <= $2"),
                       binds, N_ELEMENTS(binds), &st, err);

    if (rc)
        return rc;
    while ((rc = stmt_step(db, st, err)) == 1) {
        struct event_newest *one = vec_push(a, &list);

        if (!one)
            break;
        *one = (struct event_newest){ stmt_text(a, st, 0), sqlite3_column_int64(st, 1) };
    }
    if (arena_status(a, err))
        return ERR_NOMEM;
    if (rc < 0)
        return rc;
    *ret = list.p;
    *ret_n = list.n;
    return 0;
}

int events_insert(struct db *db, const struct event *e, struct err *err)
{
    const struct db_bind head[] = {
        DB_I(e->seq),   DB_I(e->epoch),      DB_I(e->time_ms),    DB_I(e->mono_ms),
        DB_T(e->actor), DB_T(e->cause),      DB_T(e->kind),       DB_T(e->subject),
        DB_T(e->env),   DB_D(&e->body_hash), DB_D(&e->prev_hash), DB_D(&e->hash),
    };
    const struct db_bind body[] = { DB_I(e->seq), DB_T(e->body) };
    int rc = stmt_change(db,
                         S("INSERT INTO events (seq, epoch, time_ms, mono_ms, actor, cause, kind,"
                           " subject, env, body_hash, prev_hash, hash)"
                           " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, nullif($9, ''), $10, $11,"
                           " $12)"),
                         head, N_ELEMENTS(head), err);

    if (rc || !e->body.p)
        return rc;
    return stmt_change(db, S("INSERT INTO event_bodies (seq, body) VALUES ($1, $2)"), body,
                       N_ELEMENTS(body), err);
}
