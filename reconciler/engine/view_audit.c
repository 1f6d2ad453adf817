/* The proof of the history, and all of it for who proves it elsewhere. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/guard.h"
#include "reconciler/engine/history_seal.h"
#include "reconciler/engine/view_rows.h"
#include "state/events_chain.h"
#include "state/replay.h"

#define EXPORT_LIMIT 100

/* --- verify -------------------------------------------------------------------------------------- */

struct audit {
    const struct view *v;
    const struct view_audit_ask *ask;
    struct history_seal seal;
    int has_key;
    int64_t sealed, since, n_events, n_rows; /* sealed, since: 0: none */
    struct seal_head head;
};

/* Keys that are not ours to read leave the chain to stand for itself. */
static int audit_open(struct audit *u, struct err *err)
{
    struct err ignored = ERR_INIT;
    int rc = u->ask->keys ? history_seal_open(u->v->a, u->ask->keys, db_installation(u->v->db),
                                              HISTORY_SEAL_READ, &u->seal, &ignored)
                          : ERR_NOT_FOUND;

    if (rc == ERR_CORRUPT || rc == ERR_NOMEM)
        return err_set(err, rc, "%s", ignored.text);
    u->has_key = !rc;
    return 0;
}

/* A head is sealed after its commit: a view that is opened after it was read has it. */
static int audit_sealed(struct audit *u, struct err *err)
{
    struct seal_head sealed;
    int rc = seal_read(&u->seal.head, &sealed, err);

    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc)
        return rc;
    db_view_end(u->v->db);
    rc = db_view_begin(u->v->db, err);
    if (!rc)
        rc = seal_check(u->v->db, &sealed, err);
    u->sealed = sealed.seq;
    return rc;
}

static int audit_chain(struct audit *u, struct err *err)
{
    struct seal_head verified;
    int rc = u->has_key && u->ask->is_incremental ? seal_read(&u->seal.verified, &verified, err)
                                                  : ERR_NOT_FOUND;

    if (rc == ERR_NOT_FOUND)
        return events_verify(u->v->db, &u->n_events, err);
    if (!rc)
        rc = seal_check(u->v->db, &verified, err);
    if (rc)
        return rc;
    u->since = verified.seq;
    return events_verify_after(u->v->db, verified.seq, &verified.hash, &u->n_events, err);
}

static int audit_all(struct audit *u, struct err *err)
{
    struct err ignored = ERR_INIT;
    int rc = u->has_key ? audit_sealed(u, err) : 0;

    if (!rc)
        rc = audit_chain(u, err);
    if (!rc && u->ask->depth == VIEW_AUDIT_REPLAY)
        rc = replay_verify(u->v->db, &u->n_rows, err);
    if (!rc)
        rc = events_head(u->v->db, &u->head.seq, &u->head.hash, err);
    if (!rc && u->has_key) /* not writable: the next one looks at more */
        (void)seal_write(&u->seal.verified, &u->head, &ignored);
    return rc;
}

int view_audit(const struct view *v, const struct view_audit_ask *ask, struct value **ret,
               struct err *err)
{
    struct audit u = { .v = v, .ask = ask };
    struct value *map = value_map(v->a);
    int rc = audit_open(&u, err);

    if (!rc)
        rc = audit_all(&u, err);
    explicit_bzero(u.seal.key, sizeof(u.seal.key));
    if (rc)
        return rc;
    value_set_text(v->a, map, S("installation"), str_copy(v->a, db_installation(v->db)));
    value_set_int(v->a, map, S("events"), u.n_events);
    if (u.since)
        value_set_int(v->a, map, S("since"), u.since);
    if (u.sealed)
        value_set_int(v->a, map, S("sealed"), u.sealed);
    if (ask->depth == VIEW_AUDIT_REPLAY)
        value_set_int(v->a, map, S("rows"), u.n_rows);
    view_set_digest(v, map, "head", &u.head.hash);
    *ret = map;
    return arena_status(v->a, err);
}

/* --- export -------------------------------------------------------------------------------------- */

static void export_event(const struct view *v, const struct event *e, struct value *list)
{
    struct value *one = value_map(v->a);

    value_set_int(v->a, one, S("seq"), e->seq);
    value_set_int(v->a, one, S("epoch"), e->epoch);
    value_set_int(v->a, one, S("time_ms"), e->time_ms);
    value_set_int(v->a, one, S("mono_ms"), e->mono_ms);
    value_set_text(v->a, one, S("actor"), e->actor);
    value_set_text(v->a, one, S("cause"), e->cause);
    value_set_text(v->a, one, S("kind"), e->kind);
    value_set_text(v->a, one, S("subject"), e->subject);
    value_set_text(v->a, one, S("env"), e->env);
    value_set_text(v->a, one, S("body_hash"), digest_hex(v->a, &e->body_hash));
    value_set_text(v->a, one, S("prev_hash"), digest_hex(v->a, &e->prev_hash));
    value_set_text(v->a, one, S("hash"), digest_hex(v->a, &e->hash));
    if (e->body.p)
        value_set_text(v->a, one, S("body"), e->body);
    value_add(v->a, list, one);
}

int view_export(const struct view *v, const struct view_export *in, struct value **ret,
                struct err *err)
{
    const struct event_query q = { .after_seq = in->after,
                                   .from_ms = in->from_ms,
                                   .to_ms = in->to_ms,
                                   .with_body = 1,
                                   .limit = in->limit > 0 && in->limit < EVENTS_PAGE_MAX
                                                ? in->limit
                                                : EXPORT_LIMIT };
    struct value *map = value_map(v->a), *list = value_list(v->a);
    struct event *events;
    size_t n = 0;
    int rc = events_list(v->db, v->a, &q, &events, &n, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++)
        export_event(v, &events[i], list);
    value_set_text(v->a, map, S("installation"), str_copy(v->a, db_installation(v->db)));
    value_set(v->a, map, S("events"), list);
    value_set(v->a, map, S("more"), value_bool(v->a, (int64_t)n == q.limit));
    *ret = map;
    return arena_status(v->a, err);
}
