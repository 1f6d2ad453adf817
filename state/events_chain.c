/* SPDX-License-Identifier: Apache-2.0 */
#include "state/events_chain.h"

#include <inttypes.h>

#include "state/events_row.h"
#include "state/retain.h"

struct digest events_hash(struct str installation, const struct event *e)
{
    struct hash h;

    hash_init(&h);
    hash_add_str(&h, S("reeve/event/1"));
    hash_add(&h, e->prev_hash.b, DIGEST_BYTES);
    hash_add_be64(&h, (uint64_t)e->seq);
    hash_add_be64(&h, (uint64_t)e->epoch);
    hash_add_be64(&h, (uint64_t)e->time_ms);
    hash_add_be64(&h, (uint64_t)e->mono_ms);
    hash_add_lp(&h, installation);
    hash_add_lp(&h, e->actor);
    hash_add_lp(&h, e->cause);
    hash_add_lp(&h, e->kind);
    hash_add_lp(&h, e->subject);
    hash_add_lp(&h, e->env);
    hash_add(&h, e->body_hash.b, DIGEST_BYTES);
    return hash_end(&h);
}

static int events_bad(struct err *err, int64_t seq, const char *column, const char *what)
{
    return err_set(err, ERR_CORRUPT, "event %" PRId64 ": column '%s' %s", seq, column, what);
}

/* The hash of an event is compared when its successor is known: what the next one links to says whether the
 * hash or what it covers was changed. */
static int events_check_last(const struct event_chain *c, const struct digest *next_prev,
                             struct err *err)
{
    if (digest_eq(&c->last_hash, &c->last_computed))
        return 0;
    if (next_prev && digest_eq(next_prev, &c->last_computed))
        return events_bad(err, c->last_seq, "hash", "was changed");
    return events_bad(err, c->last_seq, "hash", "is not that of the other columns");
}

static void events_note_snapshot(struct event_chain *c, struct str kind)
{
    if (c->in_snapshot && str_eq_c(kind, RETAIN_END))
        c->bare_seq = 0;
    c->in_snapshot = str_eq_c(kind, RETAIN_SNAPSHOT) ||
                     (c->in_snapshot && str_eq_c(kind, RETAIN_PART));
}

/* Retention removes bodies from the beginning on; what they were, a snapshot after them says. */
static int events_check_body(struct event_chain *c, const struct event *e, struct err *err)
{
    struct digest body_hash;

    if (!e->body.p && c->has_body)
        return events_bad(err, e->seq, "body", "is missing");
    if (!e->body.p) {
        c->bare_seq = e->seq;
        c->n_bare++;
        return 0;
    }
    body_hash = hash_bytes(e->body);
    if (!digest_eq(&body_hash, &e->body_hash))
        return events_bad(err, e->seq,
                          digest_eq(&c->last_computed, &e->hash) ? "body" : "body_hash",
                          "does not fit the other");
    c->has_body = 1;
    events_note_snapshot(c, e->kind);
    return 0;
}

int events_check_next(struct event_chain *c, const struct event *e, struct err *err)
{
    int rc = events_check_last(c, &e->prev_hash, err);

    if (rc)
        return rc;
    if (e->seq != c->last_seq + 1)
        return err_set(err, ERR_CORRUPT, "event %" PRId64 " is missing", c->last_seq + 1);
    if (!digest_eq(&e->prev_hash, &c->last_hash))
        return events_bad(err, e->seq, "prev_hash", "is not the hash of the event before");
    if (e->time_ms < c->last_ms)
        return events_bad(err, e->seq, "time_ms", "lies before the event before");
    c->last_computed = events_hash(c->installation, e);
    rc = events_check_body(c, e, err);
    if (rc)
        return rc;
    c->last_seq = e->seq;
    c->last_ms = e->time_ms;
    c->last_hash = e->hash;
    return 0;
}

int events_check_end(const struct event_chain *c, struct err *err)
{
    return events_check_last(c, NULL, err);
}

int events_check_bare(const struct event_chain *c, struct err *err)
{
    return c->bare_seq ? events_bad(err, c->bare_seq, "body", "is missing") : 0;
}

static int events_check_no_stray(struct db *db, int64_t last_seq, struct err *err)
{
    const struct db_bind bind = DB_I(last_seq);
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc = stmt_first(
        db, S("SELECT seq FROM event_bodies WHERE seq > $1 OR seq < 1 ORDER BY seq LIMIT 1"), &bind,
        1, &st, err);

    if (rc == 1)
        return err_set(err, ERR_CORRUPT, "event %" PRId64 " is missing, its body is there",
                       (int64_t)sqlite3_column_int64(st, 0));
    return rc;
}

/* Those above `seq`, which follow the one that `c` has already. */
static int events_check_rest(struct db *db, struct event_chain *c, int64_t seq, struct err *err)
{
    const struct db_bind bind = DB_I(seq);
    AUTO_ARENA struct arena a;
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc = stmt_open(db, S(EVENTS_WITH_BODY " WHERE e.seq > $1 ORDER BY e.seq"), &bind, 1, &st,
                       err);

    arena_init(&a, 0);
    while (!rc && (rc = stmt_step(db, st, err)) == 1) {
        struct event e;

        arena_reset(&a);
        events_row_read(st, &a, &e);
        rc = arena_status(&a, err);
        if (!rc && sqlite3_column_type(st, 8) != SQLITE_NULL && !e.env.n)
            rc = events_bad(err, e.seq, "env", "is empty, not null");
        if (!rc)
            rc = events_check_next(c, &e, err);
    }
    if (!rc)
        rc = events_check_end(c, err);
    if (!rc)
        rc = events_check_bare(c, err);
    return rc ? rc : events_check_no_stray(db, c->last_seq, err);
}

static int events_has_body_before(struct db *db, int64_t seq, int *ret, struct err *err)
{
    const struct db_bind bind = DB_I(seq);
    int64_t one;
    int rc = stmt_number(db, S("SELECT 1 FROM event_bodies WHERE seq <= $1 LIMIT 1"), &bind, 1,
                         &one, err);

    if (rc < 0)
        return rc;
    *ret = rc;
    return 0;
}

int events_verify(struct db *db, int64_t *ret_n, struct err *err)
{
    struct event_chain c = { .installation = db_installation(db) };
    int rc = events_check_rest(db, &c, INT64_MIN, err); /* below the first there is none */

    if (rc)
        return rc;
    *ret_n = c.last_seq;
    return 0;
}

int events_verify_after(struct db *db, int64_t seq, const struct digest *hash, int64_t *ret_n,
                        struct err *err)
{
    struct event_chain c = { .installation = db_installation(db),
                             .last_seq = seq,
                             .last_hash = *hash,
                             .last_computed = *hash };
    int rc = events_row_time(db, seq, &c.last_ms, err);

    if (!rc)
        rc = events_has_body_before(db, seq, &c.has_body, err);
    if (!rc)
        rc = events_check_rest(db, &c, seq, err);
    if (rc)
        return rc;
    *ret_n = c.last_seq;
    return 0;
}
