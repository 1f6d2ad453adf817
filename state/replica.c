/* SPDX-License-Identifier: Apache-2.0 */
#include "state/replica.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/vec.h"
#include "specs/json_io.h"
#include "state/db_impl.h"
#include "state/documents.h"
#include "state/events_chain.h"
#include "state/replay.h"
#include "state/retain.h"

#define BODY_MAX_BYTES (256u << 20)

/* --- reading ------------------------------------------------------------------------------------- */

struct replica_reader {
    struct db *db;
    struct arena *a;
    VEC(struct replica_document) documents;
    size_t bytes;
};

static int replica_read_document(struct replica_reader *r, const struct digest *digest,
                                 struct err *err)
{
    const struct db_bind bind = DB_D(digest);
    AUTO_STMT sqlite3_stmt *st = NULL;
    struct replica_document *d;
    int rc = stmt_first(r->db, S("SELECT kind, body FROM documents WHERE digest = $1"), &bind, 1,
                        &st, err);

    if (rc < 0)
        return rc;
    if (!rc)
        return err_set(err, ERR_CORRUPT, "a document that an event names is missing");
    d = vec_push(r->a, &r->documents);
    if (d)
        *d = (struct replica_document){ *digest, stmt_text(r->a, st, 0), stmt_text(r->a, st, 1) };
    r->bytes += d ? d->body.n : 0;
    return arena_status(r->a, err);
}

static int replica_read_documents(struct replica_reader *r, struct str text, struct err *err)
{
    AUTO_ARENA struct arena scratch;
    const struct value *list;
    struct value *body;
    int rc;

    arena_init(&scratch, 0);
    rc = json_parse(&scratch, text, BODY_MAX_BYTES, &body, err);
    list = rc ? NULL : value_get(body, S("documents"));
    for (size_t i = 0; !rc && i < value_count(list); i++) {
        struct digest digest;

        if (digest_from_hex(value_item(list, i)->u.text, &digest))
            return err_set(err, ERR_CORRUPT, "a document's digest is none");
        rc = replica_read_document(r, &digest, err);
    }
    return rc;
}

static int replica_read_head(struct db *db, struct arena *a, struct replica_page *page,
                             struct err *err)
{
    struct digest hash;
    struct event e;
    struct str epoch;
    int rc = events_head(db, &page->head_seq, &hash, err);

    if (!rc && page->head_seq)
        rc = events_get(db, a, page->head_seq, &e, err);
    if (rc)
        return rc;
    page->head_ms = page->head_seq ? e.time_ms : 0;
    rc = db_meta(db, a, S("epoch"), &epoch, err);
    if (!rc && epoch.p && str_to_i64(epoch, &page->epoch))
        rc = err_set(err, ERR_CORRUPT, "the epoch is '%.*s'", STR_ARG(epoch));
    if (rc || !page->after_seq || page->after_seq > page->head_seq)
        return rc;
    rc = events_get(db, a, page->after_seq, &e, err);
    if (!rc)
        page->after_hash = e.hash;
    return rc;
}

int replica_read(struct db *db, struct arena *a, int64_t after_seq, int64_t limit, size_t bytes_max,
                 struct replica_page *ret, struct err *err)
{
    struct replica_page page = { .installation = str_copy(a, db_installation(db)),
                                 .after_seq = after_seq };
    struct replica_reader r = { .db = db, .a = a };
    VEC(struct event) events = { 0 };
    int rc = replica_read_head(db, a, &page, err);

    while (!rc && after_seq + (int64_t)events.n < page.head_seq && (int64_t)events.n < limit &&
           r.bytes < bytes_max) {
        struct event *e = vec_push(a, &events);

        rc = e ? events_get(db, a, after_seq + (int64_t)events.n, e, err) : arena_status(a, err);
        if (!rc && e->body.p)
            rc = replica_read_documents(&r, e->body, err);
        if (!rc)
            r.bytes += e->body.n;
    }
    if (rc)
        return rc;
    page.events = events.p;
    page.n_events = events.n;
    page.documents = r.documents.p;
    page.n_documents = r.documents.n;
    *ret = page;
    return arena_status(a, err);
}

/* --- taking -------------------------------------------------------------------------------------- */

static const struct replica_document *replica_find(const struct replica_page *page,
                                                   const struct digest *digest)
{
    for (size_t i = 0; i < page->n_documents; i++)
        if (digest_eq(&page->documents[i].digest, digest))
            return &page->documents[i];
    return NULL;
}

static int replica_put_documents(struct db *db, const struct replica_page *page,
                                 const struct value *list, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < value_count(list); i++) {
        const struct value *v = value_item(list, i);
        const struct replica_document *d = NULL;
        struct digest digest, actual;
        int is_new;

        if (value_is(v, VALUE_TEXT) && !digest_from_hex(v->u.text, &digest))
            d = replica_find(page, &digest);
        if (!d)
            return err_set(err, ERR_CORRUPT, "a document that it names is missing");
        actual = documents_digest(d->kind, d->body);
        if (!digest_eq(&actual, &digest))
            return err_set(err, ERR_CORRUPT, "a document that it names does not have its digest");
        rc = documents_put(db, d->kind, &digest, d->body, &is_new, err);
    }
    return rc;
}

static int replica_take(struct db *db, const struct replica_page *page, const struct event *e,
                        struct err *err)
{
    AUTO_ARENA struct arena a;
    struct value *body;
    int rc;

    arena_init(&a, 0);
    if (!e->body.p) /* a snapshot after it says what is left of it */
        return events_insert(db, e, err);
    rc = json_parse(&a, e->body, BODY_MAX_BYTES, &body, err);
    if (!rc)
        rc = replica_put_documents(db, page, value_get(body, S("documents")), err);
    if (!rc)
        rc = events_insert(db, e, err);
    if (rc)
        return err_wrap(err, "event %" PRId64, e->seq);
    return replay_event(db, e->seq, body, err);
}

/* Whether the page goes on where this history ends; *ret_skip: how many of its events are known already. */
static int replica_check_start(const struct replica_page *page, const struct event_chain *c,
                               size_t *ret_skip, struct err *err)
{
    if (!str_eq(page->installation, c->installation))
        return err_set(err, ERR_CONFLICT, "it is of installation %.*s, this is a copy of %.*s",
                       STR_ARG(page->installation), STR_ARG(c->installation));
    if (page->head_seq < c->last_seq)
        return err_set(err, ERR_CONFLICT,
                       "its history ends at event %" PRId64 ", this one at %" PRId64
                       ": it is an older one",
                       page->head_seq, c->last_seq);
    if (page->after_seq > c->last_seq)
        return err_set(err, ERR_CORRUPT, "events %" PRId64 " to %" PRId64 " are missing",
                       c->last_seq + 1, page->after_seq);
    *ret_skip = (size_t)(c->last_seq - page->after_seq);
    if (*ret_skip > page->n_events)
        *ret_skip = page->n_events;
    if (page->after_seq == c->last_seq && c->last_seq &&
        !digest_eq(&page->after_hash, &c->last_hash))
        return err_set(err, ERR_CONFLICT,
                       "its event %" PRId64 " is another one than the copy has: the past was "
                       "rewritten, or both went on alone",
                       c->last_seq);
    return 0;
}

static int replica_chain(struct db *db, struct event_chain *ret, struct err *err)
{
    AUTO_ARENA struct arena a;
    struct event e = { 0 };
    int64_t seq;
    struct digest hash;
    int rc = events_head(db, &seq, &hash, err);

    arena_init(&a, 0);
    if (!rc && seq)
        rc = events_get(db, &a, seq, &e, err);
    if (rc)
        return rc;
    *ret = (struct event_chain){ .installation = db_installation(db),
                                 .last_seq = seq,
                                 .last_ms = e.time_ms,
                                 .last_hash = hash,
                                 .last_computed = hash,
                                 .has_body = e.body.p != NULL };
    return 0;
}

/* What is old is gone there and was never here: nothing that is here is given up for that. */
static int replica_check_body(const struct event_chain *c, const struct event *e, struct err *err)
{
    if (e->body.p || !c->has_body)
        return 0;
    return err_set(err, ERR_CONFLICT,
                   "event %" PRId64 ": its body was removed there before it was copied, and this "
                   "copy has those before it: put the copy aside, and it is copied anew",
                   e->seq);
}

/* All that there is was copied: then a snapshot has said what the bodies that are gone were. */
static int replica_check_whole(struct db *db, const struct replica_page *page,
                               const struct event_chain *c, struct err *err)
{
    int is_whole, rc = c->last_seq == page->head_seq ? replica_is_whole(db, &is_whole, err) : 0;

    if (rc || c->last_seq != page->head_seq || is_whole)
        return rc;
    return err_set(
        err, ERR_CORRUPT,
        "the bodies of its first events are missing, and no snapshot says what they were");
}

int replica_add(struct db *db, const struct replica_page *page, struct err *err)
{
    struct event_chain c;
    size_t skip = 0;
    int rc = replica_chain(db, &c, err);

    if (!rc)
        rc = replica_check_start(page, &c, &skip, err);
    for (size_t i = skip; !rc && i < page->n_events; i++) {
        rc = replica_check_body(&c, &page->events[i], err);
        if (!rc)
            rc = events_check_next(&c, &page->events[i], err);
        if (!rc)
            rc = replica_take(db, page, &page->events[i], err);
    }
    if (!rc)
        rc = events_check_end(&c, err);
    return rc ? rc : replica_check_whole(db, page, &c, err);
}

struct replica_birth {
    const struct replica_page *page;
    const struct rec_replica *row;
};

static int replica_fill(struct db *db, void *ctx, struct err *err)
{
    const struct replica_birth *b = ctx;
    int rc = b->page->n_events
                 ? replica_add(db, b->page, err)
                 : err_set(err, ERR_CORRUPT, "a history without a first event is none");

    return rc ? rc : db_cache_put(db, REC_replica, b->row, err);
}

int replica_open(const char *path, const struct replica_page *page, const struct rec_replica *row,
                 struct db **ret, struct err *err)
{
    struct replica_birth b = { page, row };
    const struct db_birth birth = { .installation = page->installation,
                                    .fill = replica_fill,
                                    .fill_ctx = &b };

    return db_create(path, &birth, ret, err);
}

int replica_is_whole(struct db *db, int *ret, struct err *err)
{
    int64_t one;
    int rc = stmt_number(
        db,
        S("SELECT 1 WHERE coalesce((SELECT min(seq) FROM event_bodies), 0) = 1 OR EXISTS"
          " (SELECT 1 FROM events WHERE kind = '" RETAIN_END "' AND seq >"
          "  (SELECT min(seq) FROM events WHERE kind = '" RETAIN_SNAPSHOT "' AND seq >="
          "   (SELECT min(seq) FROM event_bodies)))"),
        NULL, 0, &one, err);

    if (rc < 0)
        return rc;
    *ret = rc;
    return 0;
}

int replica_row(struct db *db, struct arena *a, struct rec_replica *ret, struct err *err)
{
    *ret = (struct rec_replica){ .id = REPLICA_ID };
    return db_get(db, a, REC_replica, ret, err);
}
