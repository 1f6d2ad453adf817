/* A request on a thread of the pool: who asks, and what they are told. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/api_parts.h"

#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/http/access.h"
#include "reconciler/http/session.h"
#include "specs/json_io.h"

/* --- readers ------------------------------------------------------------------------------------- */

int api_reader_take(struct api *api, struct db **ret, struct err *err)
{
    struct db *db = NULL;

    (void)pthread_mutex_lock(&api->lock);
    if (api->n_readers)
        db = api->readers[--api->n_readers];
    (void)pthread_mutex_unlock(&api->lock);
    *ret = db;
    return db ? 0 : db_open(api->options.state_path, DB_READ, ret, err);
}

void api_reader_give(struct api *api, struct db *db)
{
    (void)pthread_mutex_lock(&api->lock);
    if (api->n_readers < API_READERS_MAX)
        api->readers[api->n_readers++] = TAKE(db);
    (void)pthread_mutex_unlock(&api->lock);
    db_close(db);
}

/* --- a request ----------------------------------------------------------------------------------- */

static int request_parse(struct api_request *r, struct err *err)
{
    struct value *body;
    int rc = 0;

    r->call.query = r->x->query;
    if (r->x->body.n)
        rc = json_parse(&r->x->arena, r->x->body, HTTP_BODY_MAX, &body, err);
    if (!rc && r->x->body.n)
        r->call.body = body;
    return rc ? err_wrap(err, "body") : 0;
}

static int request_read(struct api_request *r, struct db *db, struct err *err)
{
    const struct route_world world = {
        .daemon = r->api->options.daemon,
        .view = { db, &r->scratch, sys_wall_ms(), r->actor.scope },
        .metrics = r->parts ? &r->metrics : NULL,
        .live = r->parts,
        .state_path = r->api->options.state_path,
    };

    arena_reset(&r->scratch);
    return routes_read(&world, &r->call, &r->answer, err);
}

int api_is_open(const struct api_request *r)
{
    return r->call.route && r->call.route->flags & ROUTE_OPEN;
}

static int request_sign(struct api_request *r, struct db *db, struct err *err)
{
    struct login_call *c = &r->login;

    if (r->api->options.follow && r->call.route->work != login_me)
        return err_set(err, ERR_REFUSED, "nobody signs in at a standby");
    c->a = &r->x->arena;
    c->db = db;
    c->daemon = r->api->options.daemon;
    c->x = r->x;
    c->actor = r->is_known ? &r->actor : NULL;
    c->now_ms = sys_wall_ms();
    c->engine = r->api->options.engine;
    c->write = r->api->options.sign;
    c->provider = r->api->provider;
    c->stop = &r->task.cancelled;
    return routes_work(&r->call, c, err);
}

/* That a session is in use is written before it is used: once a minute. */
static void request_note_session(struct api_request *r)
{
    struct signing in = { .verb = SIGNING_USED, .session = { .hash = r->actor.session } };
    struct err err = ERR_INIT;

    if (r->actor.kind == AUTH_PERSON && !r->actor.is_noted && r->api->options.sign &&
        r->api->options.sign(r->api->options.engine, &in, &err))
        LOG(LOG_WARN, "the use of a session is not noted: it ends sooner", LOG_C("err", err.text));
}

/* A page of another site makes a browser send the cookie, but cannot read the token. */
static int check_csrf(struct api_request *r, struct err *err)
{
    struct session shown;

    if (r->actor.kind != AUTH_PERSON || str_eq_c(r->x->method, "GET"))
        return 0;
    if (session_shown(&r->x->arena, r->x, &shown) && session_has_csrf(&shown, r->x))
        return 0;
    r->is_denied = 1;
    return err_set(err, ERR_REFUSED,
                   "the session's X-CSRF-Token, which GET /api/v1/me says, is not shown");
}

static int request_ask_who(struct api_request *r, struct db *db, struct err *err)
{
    const struct auth_world world = {
        .daemon = r->api->options.daemon, .db = db, .now_ms = sys_wall_ms(), .is_stale = r->is_stale
    };

    return auth_who(&r->x->arena, &world, r->x, &r->actor, err);
}

/* Who asks is known before it is said what there is. */
static int request_enter(struct api_request *r, struct db *db, struct err *err)
{
    int rc;

    if (api_is_open(r))
        return request_parse(r, err);
    rc = request_ask_who(r, db, err);
    if (rc)
        return rc;
    r->is_known = 1;
    request_note_session(r);
    if (r->unmatched.code) {
        *err = r->unmatched;
        return err->code;
    }
    rc = check_csrf(r, err);
    if (!rc)
        rc = request_parse(r, err);
    if (rc)
        return rc;
    rc = access_check(&r->x->arena, db, &r->actor, &r->call, &r->env, err);
    r->is_denied = rc == ERR_REFUSED || rc == ERR_NOT_FOUND;
    return rc;
}

/* A browser that comes again says what it had last; that is newer than what the address says. */
static int request_begin_after(struct api_request *r, struct db *db, struct err *err)
{
    int64_t head = value_get_int(r->answer, S("seq"), 0);
    struct str had = value_get_text(r->x->headers, S("last-event-id"),
                                    value_get_text(r->call.query, S("after"), STR_NONE));

    r->after = head;
    if (had.n && str_to_i64(had, &r->after))
        return err_set(err, ERR_USAGE, "Last-Event-ID is not a number");
    if (r->after > head)
        return err_set(err, ERR_USAGE, "there is no event %lld yet: the newest is %lld",
                       (long long)r->after, (long long)head);
    return request_ask_who(r, db, err); /* as of the head, from which on the feed looks */
}

int api_work(struct task *t, struct err *err)
{
    struct api_request *r = container_of(t, struct api_request, task);
    struct db *db;
    int rc = api_reader_take(r->api, &db, err);

    if (rc)
        return rc;
    if (!r->is_known)
        rc = request_enter(r, db, err);
    if (!rc && r->call.route->read && (r->parts || !(r->call.route->flags & ROUTE_MEASURE)))
        rc = request_read(r, db, err);
    if (!rc && r->call.route->flags & ROUTE_STREAM)
        rc = request_begin_after(r, db, err);
    if (!rc && r->call.route->work)
        rc = request_sign(r, db, err);
    api_reader_give(r->api, db);
    return rc;
}
