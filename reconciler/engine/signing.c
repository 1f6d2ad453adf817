/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/signing.h"

#include <inttypes.h>

#include "reconciler/core/lockout.h"
#include "reconciler/engine/engine_state.h"
#include "specs/json_io.h"

struct signing_call {
    struct engine *engine;
    struct signing *in;
    struct arena arena;
};

static int tx_start(struct signing_call *c, const char *kind, struct tx **ret, struct err *err)
{
    const struct engine_event event = {
        .kind = str_from_c(kind),
        .subject = str_fmt(&c->arena, "person/%.*s", STR_ARG(c->in->person)),
        .actor = c->in->actor,
    };

    return engine_tx(c->engine, &event, ret, err);
}

static void note_text(struct signing_call *c, struct tx *tx, struct str name, struct str text)
{
    if (text.n)
        tx_note(tx, name, json_format(&c->arena, value_text(&c->arena, text)));
}

/* --- sessions ------------------------------------------------------------------------------------ */

/* The oldest of a person's beyond `keep`. */
static int sessions_remove(struct signing_call *c, struct tx *tx, size_t keep, struct err *err)
{
    struct rec_session *rows;
    size_t n;
    int rc = DB_SELECT(c->engine->db, &c->arena, session, "WHERE person = $1 ORDER BY made_ms DESC",
                       &rows, &n, err, DB_T(c->in->person));

    for (size_t i = keep; !rc && i < n; i++)
        rc = tx_remove(tx, REC_session, &rows[i], err);
    return rc;
}

/* Of whomever: they are over. */
static int sessions_sweep(struct signing_call *c, struct tx *tx, struct err *err)
{
    struct rec_session *rows;
    size_t n;
    int rc = DB_SELECT(c->engine->db, &c->arena, session, "WHERE made_ms < $1 LIMIT 100", &rows, &n,
                       err, DB_I(loop_wall_ms(c->engine->loop) - SIGNING_MAX_MS));

    for (size_t i = 0; !rc && i < n; i++)
        rc = tx_remove(tx, REC_session, &rows[i], err);
    return rc;
}

/* The first time, and when the provider says something else of them: what it says gives rights. */
static int write_person(struct signing_call *c, struct err *err)
{
    const struct rec_session *s = &c->in->session;
    struct rec_person row = { .name = c->in->person };
    int rc = db_get(c->engine->db, &c->arena, REC_person, &row, err);
    struct str was = row.groups;
    struct tx *tx;

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    err->code = 0;
    if (!rc && str_eq(row.issuer, s->issuer) && str_eq(row.subject, s->subject) &&
        str_eq(row.groups, s->groups))
        return 0;
    row = (struct rec_person){ c->in->person, s->issuer, s->subject, s->groups,
                               rc ? loop_wall_ms(c->engine->loop) : row.first_ms };
    if (tx_start(c, rc ? "person.joined" : "person.changed", &tx, err))
        return err->code;
    note_text(c, tx, S("issuer"), row.issuer);
    note_text(c, tx, S("subject"), row.subject);
    if (row.groups.n)
        tx_note(tx, S("groups"), row.groups);
    if (!rc && was.n)
        tx_note(tx, S("were"), was);
    return tx_finish(tx, tx_put(tx, REC_person, &row, err), err);
}

static int write_in(struct signing_call *c, struct tx *tx, struct err *err)
{
    const struct rec_lockout forgotten = { .hash = c->in->name_key };
    int rc = sessions_remove(c, tx, SIGNING_SESSIONS_MAX - 1, err);

    if (!rc)
        rc = sessions_sweep(c, tx, err);
    if (!rc)
        rc = tx_put(tx, REC_session, &c->in->session, err);
    if (!rc && !digest_is_none(&forgotten.hash))
        rc = tx_remove(tx, REC_lockout, &forgotten, err);
    note_text(c, tx, S("by"), c->in->session.subject.n ? S("oidc") : S("password"));
    return rc;
}

static int write_out(struct signing_call *c, struct tx *tx, struct err *err)
{
    return tx_remove(tx, REC_session, &c->in->session, err);
}

static int write_out_all(struct signing_call *c, struct tx *tx, struct err *err)
{
    return sessions_remove(c, tx, 0, err);
}

/* Who gave them another password has seen them. */
static int lockouts_forget(struct signing_call *c, struct tx *tx, struct err *err)
{
    struct rec_lockout *rows;
    size_t n;
    int rc = DB_SELECT(c->engine->db, &c->arena, lockout, "WHERE person = $1", &rows, &n, err,
                       DB_T(c->in->person));

    for (size_t i = 0; !rc && i < n; i++)
        rc = tx_remove(tx, REC_lockout, &rows[i], err);
    return rc;
}

static int write_password(struct signing_call *c, struct tx *tx, struct err *err)
{
    const struct rec_password row = { .person = c->in->person,
                                      .hash = c->in->password,
                                      .changed_ms = tx_time_ms(tx) };
    int rc = sessions_remove(c, tx, 0, err);

    if (!rc)
        rc = lockouts_forget(c, tx, err);
    return rc ? rc : tx_put(tx, REC_password, &row, err);
}

static int write_used(struct signing_call *c, struct err *err)
{
    struct rec_session row = c->in->session;
    int rc = db_get(c->engine->db, &c->arena, REC_session, &row, err);

    if (rc == ERR_NOT_FOUND) /* signed out meanwhile */
        return err->code = 0;
    row.used_ms = loop_wall_ms(c->engine->loop);
    return rc ? rc : db_cache_put(c->engine->db, REC_session, &row, err);
}

/* --- lock-outs ----------------------------------------------------------------------------------- */

static int lockout_write(struct signing_call *c, const struct digest *key, int64_t n_free,
                         struct str person, struct err *err)
{
    struct rec_lockout row = { .hash = *key };
    int64_t now_ms = loop_wall_ms(c->engine->loop), wait_ms;
    struct lockout l;
    int rc = db_get(c->engine->db, &c->arena, REC_lockout, &row, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    err->code = 0;
    l = (struct lockout){ row.n_failures, row.last_ms, row.until_ms };
    lockout_note(&l, n_free, now_ms);
    wait_ms = lockout_wait_ms(&l, now_ms);
    if (wait_ms > c->in->ret_wait_ms)
        c->in->ret_wait_ms = wait_ms;
    row = (struct rec_lockout){ *key, person, c->in->place, l.n_failures, l.last_ms, l.until_ms };
    return db_cache_put(c->engine->db, REC_lockout, &row, err);
}

/* Many guesses at once began before the last of them was counted: the right one among them is one too many. */
static int check_heard(struct signing_call *c, struct err *err)
{
    struct rec_lockout row = { .hash = c->in->name_key };
    int rc = digest_is_none(&row.hash) ? ERR_NOT_FOUND
                                       : db_get(c->engine->db, &c->arena, REC_lockout, &row, err);
    struct lockout l = { row.n_failures, row.last_ms, row.until_ms };

    if (rc)
        return rc == ERR_NOT_FOUND ? (err->code = 0) : rc;
    c->in->ret_wait_ms = lockout_wait_ms(&l, loop_wall_ms(c->engine->loop));
    return c->in->ret_wait_ms ? err_set(err, ERR_THROTTLED, "nobody is heard by that name now") : 0;
}

static int lockouts_trim(struct signing_call *c, struct err *err)
{
    struct rec_lockout *rows;
    size_t n;
    int rc = DB_SELECT(c->engine->db, &c->arena, lockout,
                       "WHERE last_ms < (SELECT last_ms FROM lockouts ORDER BY last_ms DESC"
                       " LIMIT 1 OFFSET $1) OR last_ms < $2 LIMIT 100",
                       &rows, &n, err, DB_I(SIGNING_LOCKOUTS_MAX),
                       DB_I(loop_wall_ms(c->engine->loop) - LOCKOUT_FORGET_MS));

    for (size_t i = 0; !rc && i < n; i++)
        rc = db_cache_remove(c->engine->db, REC_lockout, &rows[i], err);
    return rc;
}

static int write_failure(struct signing_call *c, struct err *err)
{
    int rc = lockout_write(c, &c->in->name_key, LOCKOUT_FREE, c->in->person, err);

    if (!rc && !digest_is_none(&c->in->place_key))
        rc = lockout_write(c, &c->in->place_key, LOCKOUT_FREE_ADDRESS, S(""), err);
    return rc ? rc : lockouts_trim(c, err);
}

/* Of somebody that we know it is an event. */
static int write_refused(struct signing_call *c, struct err *err)
{
    struct tx *tx;
    int rc = write_failure(c, err);

    if (rc || !c->in->person.n)
        return rc;
    rc = tx_start(c, c->in->ret_wait_ms ? "person.locked_out" : "person.refused", &tx, err);
    if (rc)
        return rc;
    note_text(c, tx, S("address"), c->in->place);
    if (c->in->ret_wait_ms)
        tx_note(tx, S("for_ms"), str_fmt(&c->arena, "%" PRId64, c->in->ret_wait_ms));
    return tx_commit(tx, err);
}

/* --- the table ----------------------------------------------------------------------------------- */

static const struct {
    const char *event; /* NULL: none */
    int (*write)(struct signing_call *c, struct tx *tx, struct err *err);
} signing_rows[N_SIGNING_VERBS] = {
    [SIGNING_IN] = { "person.signed_in", write_in },
    [SIGNING_OUT] = { "person.signed_out", write_out },
    [SIGNING_OUT_ALL] = { "person.signed_out", write_out_all },
    [SIGNING_PASSWORD] = { "person.password", write_password },
};

static int signing_on_state(void *ctx, struct err *err)
{
    struct signing_call *c = ctx;
    struct tx *tx;
    int rc;

    if (c->engine->stale.p)
        return engine_refuse_stale(c->engine, err);
    if (c->in->verb == SIGNING_USED)
        return write_used(c, err);
    if (c->in->verb == SIGNING_REFUSED)
        return write_refused(c, err);
    if (c->in->verb == SIGNING_IN && (check_heard(c, err) || write_person(c, err)))
        return err->code;
    rc = tx_start(c, signing_rows[c->in->verb].event, &tx, err);
    if (rc)
        return rc;
    note_text(c, tx, S("address"), c->in->place);
    rc = signing_rows[c->in->verb].write(c, tx, err);
    return tx_finish(tx, rc, err);
}

int signing_write(struct engine *e, struct signing *in, struct err *err)
{
    struct signing_call c = { .engine = e, .in = in };
    int rc;

    arena_init(&c.arena, 0);
    rc = wait_work_call(e->loop, POOL_STATE, signing_on_state, &c, err);
    arena_fini(&c.arena);
    return rc;
}

int signing_secret(struct engine *e, struct str name, struct arena *a, struct str *ret,
                   struct err *err)
{
    return secret_store_copy_own(e->secrets, name, a, ret, err);
}
