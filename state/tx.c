/* SPDX-License-Identifier: Apache-2.0 */
#include "state/tx.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "state/body.h"
#include "state/db_impl.h"
#include "state/documents.h"
#include "state/events_chain.h"

/* Callers read the clock before they queue for the writer: less than this is no step. */
#define TX_CLOCK_SLACK_MS 1000

struct tx {
    struct db *db;
    struct arena arena;
    struct event event; /* what will be written; its hashes are filled at the end */
    struct body body;
    struct err bad; /* what a call without an error of its own ran into */
    int is_watched; /* what the watcher writes itself is not shown to it */
};

static int tx_exec(struct db *db, struct str sql, struct err *err)
{
    return stmt_change(db, sql, NULL, 0, err);
}

static void tx_free(struct tx *tx)
{
    tx->db->in_tx = 0;
    arena_fini(&tx->arena);
    alloc_free(tx);
}

static int tx_load_head(struct db *db, struct err *err)
{
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc;

    if (db->head_known)
        return 0;
    rc = stmt_first(db, S("SELECT seq, time_ms, hash FROM events ORDER BY seq DESC LIMIT 1"), NULL,
                    0, &st, err);
    if (rc < 0)
        return rc;
    db->head = (struct db_head){ 0 };
    if (rc)
        db->head = (struct db_head){ .seq = sqlite3_column_int64(st, 0),
                                     .time_ms = sqlite3_column_int64(st, 1),
                                     .hash = stmt_digest(st, 2) };
    db->head_known = 1;
    return 0;
}

/* Time never runs backwards in the history; that the clock did is part of it. */
static void tx_set_time(struct tx *tx, int64_t clock_ms)
{
    int64_t last_ms = tx->db->head.time_ms;

    tx->event.time_ms = clock_ms > last_ms ? clock_ms : last_ms;
    if (last_ms - clock_ms > TX_CLOCK_SLACK_MS && tx->db->head.seq)
        tx_note(tx, S("clock"),
                str_fmt(&tx->arena, "{\"behind_ms\":%" PRId64 "}", last_ms - clock_ms));
}

static struct str tx_text(struct tx *tx, struct str text)
{
    return text.p ? str_copy(&tx->arena, text) : S("");
}

static int tx_set_head(struct tx *tx, const struct tx_head *head, struct err *err)
{
    const struct str texts[] = { head->actor, head->cause, head->kind, head->subject, head->env };

    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        if (!rows_is_text(texts[i]))
            return err_set(err, ERR_INVALID, "event '%.*s': its head is not UTF-8 text",
                           STR_ARG(head->kind));
    tx->event = (struct event){
        .seq = tx->db->head.seq + 1,
        .epoch = head->epoch,
        .mono_ms = head->mono_ms,
        .actor = tx_text(tx, head->actor),
        .cause = tx_text(tx, head->cause),
        .kind = tx_text(tx, head->kind),
        .subject = tx_text(tx, head->subject),
        .env = tx_text(tx, head->env),
        .prev_hash = tx->db->head.hash,
    };
    tx_set_time(tx, head->time_ms);
    return arena_status(&tx->arena, err);
}

int tx_begin(struct db *db, const struct tx_head *head, struct tx **ret, struct err *err)
{
    struct tx *tx;
    int rc;

    PRE(db->in_batch && !db->in_tx && head->kind.n);
    rc = db_batch_status(db, err);
    if (!rc)
        rc = tx_load_head(db, err);
    if (rc)
        return rc;
    tx = alloc_zero(sizeof(*tx));
    if (!tx)
        return err_set(err, ERR_NOMEM, "state: no memory for an event");
    tx->db = db;
    arena_init(&tx->arena, 0);
    body_init(&tx->body, &tx->arena);
    rc = tx_set_head(tx, head, err);
    if (!rc)
        rc = tx_exec(db, S("SAVEPOINT tx"), err);
    if (rc) {
        tx_free(tx);
        return rc;
    }
    db->in_tx = 1;
    *ret = tx;
    return 0;
}

int64_t tx_seq(const struct tx *tx)
{
    return tx->event.seq;
}

int64_t tx_time_ms(const struct tx *tx)
{
    return tx->event.time_ms;
}

struct db *tx_db(struct tx *tx)
{
    return tx->db;
}

void tx_set_watch(struct db *db, const struct tx_watch *watch)
{
    db->watch = watch;
}

struct str tx_kind(const struct tx *tx)
{
    return tx->event.kind;
}

struct str tx_subject(const struct tx *tx)
{
    return tx->event.subject;
}

struct str tx_env(const struct tx *tx)
{
    return tx->event.env;
}

static int tx_show_row(struct tx *tx, enum record record, const void *rec, struct err *err)
{
    const struct tx_watch *w = tx->db->watch;
    int rc;

    if (!w || tx->is_watched)
        return 0;
    tx->is_watched = 1;
    rc = w->put(w->ctx, tx, record, rec, err);
    tx->is_watched = 0;
    return rc;
}

static int tx_show_end(struct tx *tx, struct err *err)
{
    const struct tx_watch *w = tx->db->watch;

    if (!w)
        return 0;
    tx->is_watched = 1;
    return w->end(w->ctx, tx, err);
}

int tx_put(struct tx *tx, enum record record, const void *rec, struct err *err)
{
    const struct table *t = tables_get(record);
    int rc = t->class == TABLE_EVENTED ? rows_check(t, rec, err) : 0;

    if (!rc && t->class == TABLE_EVENTED)
        rc = tx_show_row(tx, record, rec, err);
    if (!rc)
        rc = db_write_row(tx->db, record, STMT_UPSERT, rec, err);
    if (rc || t->class != TABLE_EVENTED)
        return rc;
    body_add_row(&tx->body, record, rec);
    return arena_status(&tx->arena, err);
}

int tx_remove(struct tx *tx, enum record record, const void *rec, struct err *err)
{
    const struct table *t = tables_get(record);
    int rc = db_write_row(tx->db, record, STMT_DELETE, rec, err);

    if (rc || t->class != TABLE_EVENTED || !sqlite3_changes(tx->db->handle))
        return rc;
    body_add_gone(&tx->body, record, rec);
    return arena_status(&tx->arena, err);
}

void tx_note(struct tx *tx, struct str name, struct str json)
{
    struct err err = ERR_INIT;

    if (body_add_note(&tx->body, name, json, &err) && !tx->bad.code)
        tx->bad = err;
}

int tx_document(struct tx *tx, struct str kind, const struct digest *digest, struct str body,
                struct err *err)
{
    struct digest actual = documents_digest(kind, body);
    int is_new, rc;

    if (!digest_eq(&actual, digest) || !rows_is_text(kind) || !rows_is_text(body))
        return err_set(err, ERR_INVALID, "document of kind '%.*s' does not have the digest given",
                       STR_ARG(kind));
    rc = documents_put(tx->db, kind, digest, body, &is_new, err);
    if (rc || !is_new)
        return rc;
    body_add_document(&tx->body, digest);
    return arena_status(&tx->arena, err);
}

int tx_tell(struct tx *tx, enum record record, const void *rec, struct err *err)
{
    int rc = rows_check(tables_get(record), rec, err);

    if (rc)
        return rc;
    body_add_row(&tx->body, record, rec);
    return arena_status(&tx->arena, err);
}

int tx_tell_document(struct tx *tx, const struct digest *digest, struct err *err)
{
    body_add_document(&tx->body, digest);
    return arena_status(&tx->arena, err);
}

size_t tx_size(const struct tx *tx)
{
    return tx->body.text.n + tx->body.documents.n;
}

static int tx_write_event(struct tx *tx, struct err *err)
{
    struct event *e = &tx->event;
    int rc;

    if (tx->bad.code) {
        *err = tx->bad;
        return err->code;
    }
    e->body = body_format(&tx->body);
    rc = arena_status(&tx->arena, err);
    if (rc)
        return rc;
    e->body_hash = hash_bytes(e->body);
    e->hash = events_hash(db_installation(tx->db), e);
    return events_insert(tx->db, &tx->event, err);
}

int tx_commit(struct tx *tx, struct err *err)
{
    struct db *db = tx->db;
    int rc = db_batch_status(db, err);

    if (!rc)
        rc = tx_show_end(tx, err);
    if (!rc)
        rc = tx_write_event(tx, err);
    if (!rc)
        rc = tx_exec(db, S("RELEASE tx"), err);
    if (rc) {
        (void)err_wrap(err, "event '%.*s'", STR_ARG(tx->event.kind));
        tx_rollback(tx);
        return rc;
    }
    db->head = (struct db_head){ tx->event.seq, tx->event.time_ms, tx->event.hash };
    tx_free(tx);
    return 0;
}

void tx_rollback(struct tx *tx)
{
    struct err err = ERR_INIT;

    if (!tx)
        return;
    if (!tx->db->lost &&
        (tx_exec(tx->db, S("ROLLBACK TO tx"), &err) || tx_exec(tx->db, S("RELEASE tx"), &err)))
        tx->db->lost = err.code; /* what is half undone must not be committed */
    tx_free(tx);
}

int tx_finish(struct tx *tx, int rc, struct err *err)
{
    if (!rc)
        return tx_commit(tx, err);
    tx_rollback(tx);
    return rc;
}

static int tx_resource_differs(const struct rec_resource *a, const struct rec_resource *b)
{
    return !digest_eq(&a->desired, &b->desired) || !digest_eq(&a->observed, &b->observed) ||
           !str_eq(a->status, b->status) || !str_eq(a->provider_id, b->provider_id) ||
           !str_eq(a->outputs, b->outputs) || a->incarnation != b->incarnation ||
           a->turn != b->turn || !str_eq(a->provider, b->provider) || !str_eq(a->owner, b->owner) ||
           !str_eq(a->protect, b->protect) || !str_eq(a->drift, b->drift);
}

int tx_put_resource(struct tx *tx, const struct rec_resource *rec, struct err *err)
{
    struct rec_resource *now, next = *rec;
    size_t n;
    int rc = DB_SELECT(tx->db, &tx->arena, resource,
                       "WHERE env = $1 AND kind = $2 AND name = $3 AND valid_to IS NULL", &now, &n,
                       err, DB_T(rec->env), DB_T(rec->kind), DB_T(rec->name));

    if (rc || (n && !tx_resource_differs(now, rec)))
        return rc;
    next.valid_from = tx_seq(tx);
    next.valid_to = REC_NONE;
    if (n && now->valid_from != tx_seq(tx)) { /* what this event opened is put again in place */
        now->valid_to = tx_seq(tx);
        rc = tx_put(tx, REC_resource, now, err);
    }
    return rc ? rc : tx_put(tx, REC_resource, &next, err);
}
