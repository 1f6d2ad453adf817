/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/api.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/core/people.h"
#include "reconciler/http/access.h"
#include "reconciler/http/admit.h"
#include "reconciler/http/auth_token.h"
#include "reconciler/http/denials.h"
#include "reconciler/http/feed.h"
#include "reconciler/http/oidc_provider.h"
#include "reconciler/http/once.h"
#include "reconciler/http/rate.h"
#include "reconciler/http/routes_parts.h"
#include "reconciler/http/session.h"
#include "reconciler/http/tls.h"
#include "reconciler/rt/wait.h"
#include "specs/json_io.h"

#define READERS_MAX 4
#define REQUESTS_USER_MAX 32 /* of one user that are worked on at once */
#define PAUSE_FIRST_MS 50
#define PAUSE_MAX_MS 400

struct request;

struct api {
    struct api_options options;
    struct http_server *servers[N_HTTP_DOORS]; /* NULL: no such door */
    size_t n_open;
    struct tls *tls; /* NULL: in clear */
    struct hooks hooks;
    struct feed *feed;
    struct rate rate;
    struct request *requests;
    pthread_mutex_t lock;
    struct db *readers[READERS_MAX]; /* idle; under the lock */
    size_t n_readers;
    struct oidc_provider *provider;
    struct wait_share by_password, by_provider; /* neither makes the other wait */
    struct notes notes;
    struct denials denials, known; /* of nobody, and of who is known */
    loop_fn *ended;
    void *ended_ctx;
};

/*   READ -> JUDGE -> END       READ: who asks, may they, and the answer of a GET; err> DENY -> END
 *     ^  PAUSE |               COMMAND: until the engine has written it
 *     `--------'--> COMMAND -> END                                             */
enum { REQUEST_READ, REQUEST_JUDGE, REQUEST_PAUSE, REQUEST_COMMAND, REQUEST_DENY, REQUEST_END };

/* clang-format off */
static const struct task_state request_states[] = {
    [REQUEST_READ]    = { "READ",    TO(REQUEST_JUDGE),                                REQUEST_DENY, 0 },
    [REQUEST_JUDGE]   = { "JUDGE",   TO3(REQUEST_PAUSE, REQUEST_COMMAND, REQUEST_END), REQUEST_END, 0 },
    [REQUEST_PAUSE]   = { "PAUSE",   TO(REQUEST_READ),                                 REQUEST_END, 0 },
    [REQUEST_COMMAND] = { "COMMAND", TO(REQUEST_END),                                  REQUEST_END, 0 },
    [REQUEST_DENY]    = { "DENY",    TO(REQUEST_END),                                  REQUEST_END, 0 },
    [REQUEST_END]     = { "END",     0,                                                NO_ERROR_EDGE, 0 },
};
/* clang-format on */

struct request {
    struct task task;
    struct task *child;
    struct api *api;
    struct http_exchange *x;
    struct request *next, *prev;
    struct route_call call;
    struct auth_actor actor;
    struct arena scratch; /* of the last read */
    struct value *answer;
    int64_t until_ms, pause_ms; /* of a GET that waits */
    int64_t after;              /* of a stream */
    struct command_call command;
    int is_commanded;
    int is_known, is_denied, is_stale;
    struct str env;       /* name of the environment that it is about */
    struct err unmatched; /* no such route: said to who is known */
    struct err failed;    /* what READ came to */
    struct rec_token token;
    struct str token_text;
    struct login_call login;
};

/* --- readers ------------------------------------------------------------------------------------- */

static int reader_take(struct api *api, struct db **ret, struct err *err)
{
    struct db *db = NULL;

    (void)pthread_mutex_lock(&api->lock);
    if (api->n_readers)
        db = api->readers[--api->n_readers];
    (void)pthread_mutex_unlock(&api->lock);
    *ret = db;
    return db ? 0 : db_open(api->options.state_path, DB_READ, ret, err);
}

static void reader_give(struct api *api, struct db *db)
{
    (void)pthread_mutex_lock(&api->lock);
    if (api->n_readers < READERS_MAX)
        api->readers[api->n_readers++] = TAKE(db);
    (void)pthread_mutex_unlock(&api->lock);
    db_close(db);
}

/* --- on a thread of POOL_QUERY -------------------------------------------------------------------- */

static int request_parse(struct request *r, struct err *err)
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

static int request_read(struct request *r, struct db *db, struct err *err)
{
    const struct route_world world = {
        .daemon = r->api->options.daemon,
        .view = { db, &r->scratch, sys_wall_ms(), r->actor.scope },
    };

    arena_reset(&r->scratch);
    return routes_read(&world, &r->call, &r->answer, err);
}

static int is_open(const struct request *r)
{
    return r->call.route && r->call.route->flags & ROUTE_OPEN;
}

static int request_sign(struct request *r, struct db *db, struct err *err)
{
    struct login_call *c = &r->login;

    if (r->api->options.follow)
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
static void request_note_session(struct request *r)
{
    struct signing in = { .verb = SIGNING_USED, .session = { .hash = r->actor.session } };
    struct err err = ERR_INIT;

    if (r->actor.kind == AUTH_PERSON && !r->actor.is_noted && r->api->options.sign &&
        r->api->options.sign(r->api->options.engine, &in, &err))
        LOG(LOG_WARN, "the use of a session is not noted: it ends sooner", LOG_C("err", err.text));
}

/* A page of another site makes a browser send the cookie, but cannot read the token. */
static int check_csrf(struct request *r, struct err *err)
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

static int request_ask_who(struct request *r, struct db *db, struct err *err)
{
    const struct auth_world world = {
        .daemon = r->api->options.daemon, .db = db, .now_ms = sys_wall_ms(), .is_stale = r->is_stale
    };

    return auth_who(&r->x->arena, &world, r->x, &r->actor, err);
}

/* Who asks is known before it is said what there is. */
static int request_enter(struct request *r, struct db *db, struct err *err)
{
    int rc;

    if (is_open(r))
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
static int request_begin_after(struct request *r, struct db *db, struct err *err)
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

/* A page of events for those who listen. */
static int api_feed_read(void *ctx, struct arena *a, int64_t after, const struct value **ret,
                         struct err *err)
{
    struct api *api = ctx;
    struct value *page = NULL;
    struct view view = { .a = a, .now_ms = sys_wall_ms() };
    int rc = reader_take(api, &view.db, err);

    if (rc)
        return rc;
    rc = db_view_begin(view.db, err);
    if (!rc) {
        rc = view_history(
            &view, &(struct view_history){ .after = after, .limit = FEED_PAGE_EVENTS }, &page, err);
        db_view_end(view.db);
    }
    reader_give(api, view.db);
    *ret = value_get(page, S("events"));
    return rc;
}

static int request_work(struct task *t, struct err *err)
{
    struct request *r = container_of(t, struct request, task);
    struct db *db;
    int rc = reader_take(r->api, &db, err);

    if (rc)
        return rc;
    if (!r->is_known)
        rc = request_enter(r, db, err);
    if (!rc && r->call.route->read)
        rc = request_read(r, db, err);
    if (!rc && r->call.route->flags & ROUTE_STREAM)
        rc = request_begin_after(r, db, err);
    if (!rc && r->call.route->work)
        rc = request_sign(r, db, err);
    reader_give(r->api, db);
    return rc;
}

/* --- on the loop --------------------------------------------------------------------------------- */

static void command_ended(struct task *t, void *ctx)
{
    (void)t; /* the join that waits for it sees the end */
    (void)ctx;
}

/* The command is begun; a join with it is what follows. */
static void request_begin_command(struct request *r)
{
    r->command.in.actor = r->actor.name;
    r->command.in.is_admin = 1; /* the route's roles were checked */
    r->api->options.command(r->api->options.engine, &r->command, command_ended, r);
    r->child = &r->command.task;
}

static int request_token(struct request *r, struct err *err)
{
    struct command *in = &r->command.in;

    in->token = &r->token;
    if (in->verb == COMMAND_TOKEN)
        return auth_token_make(&r->x->arena, &r->actor, r->call.body, sys_wall_ms(), &r->token,
                               &r->token_text, err);
    r->token.id = r->call.param;
    return 0;
}

/* A copy changes nothing but itself. */
static int request_standby(struct request *r, struct err *err)
{
    struct follow *f = r->api->options.follow;
    struct value *at = follow_view(f, &r->x->arena);

    if (r->call.route->verb != COMMAND_TAKEOVER)
        return err_set(err, ERR_REFUSED,
                       "this is a standby, which changes nothing: ask the daemon at %.*s",
                       STR_ARG(value_get_text(at, S("url"), S(""))));
    if (!str_trim(r->command.in.reason).n)
        return err_set(err, ERR_USAGE, "say how it is known that the other daemon is fenced");
    r->is_commanded = 1;
    r->command.in.actor = r->actor.name;
    follow_take_over(f, &r->command, value_get_bool(r->call.body, S("without_keys"), 0),
                     command_ended, r);
    r->child = &r->command.task;
    return 0;
}

static int request_command(struct request *r, struct err *err)
{
    struct command *in = &r->command.in;
    int rc = routes_command(&r->call, in, err);

    if (rc || r->api->options.follow)
        return rc ? rc : request_standby(r, err);
    if (in->verb == COMMAND_TAKEOVER)
        return err_set(err, ERR_CONFLICT, "this daemon is nobody's standby");
    if (in->verb == COMMAND_TOKEN || in->verb == COMMAND_REVOKE)
        rc = request_token(r, err);
    if (!rc)
        rc = once_read(r->x, r->actor.name, in, err);
    if (rc)
        return rc;
    in->principals = r->actor.principals;
    in->is_break_glass = access_breaks_glass(&r->call);
    r->is_commanded = 1;
    request_begin_command(r);
    return 0;
}

/* Of who is known a refusal is an event before it is heard; of nobody, and of a flood, it is counted. */
static enum task_verdict request_deny(struct request *r)
{
    struct task *t = &r->task;
    struct arena *a = &r->x->arena;
    struct value *note = value_map(a);

    r->failed = t->err;
    if (r->failed.code == ERR_UNKNOWN_ACTOR || (is_open(r) && r->failed.code == ERR_REFUSED))
        denials_count(&r->api->denials, r->x->address, str_from_c(r->failed.text));
    if (!r->is_denied || !denials_is_told(&r->api->known, r->actor.name))
        return task_goto(t, REQUEST_END);
    if (r->api->options.follow) { /* a copy has no events of its own */
        LOG(LOG_WARN, "denied", LOG_S("actor", r->actor.name), LOG_C("path", r->call.route->path),
            LOG_C("err", r->failed.text));
        return task_goto(t, REQUEST_END);
    }
    value_set_text(a, note, S("why"), str_from_c(r->failed.text));
    r->command.in = (struct command){ .verb = COMMAND_DENIED,
                                      .env = r->env,
                                      .denied = str_fmt(a, "%s %s", r->call.route->method,
                                                        r->call.route->path),
                                      .denied_note = json_format(a, note) };
    request_begin_command(r);
    wait_join_start(t, &r->child, 1);
    return task_then(t, REQUEST_END);
}

static void request_note_use(struct request *r)
{
    const struct rec_token token = { .id = r->actor.token };

    if (r->is_known && r->actor.kind == AUTH_TOKEN && !r->actor.is_noted && !r->api->options.follow)
        notes_write(&r->api->notes, &(struct command){ .verb = COMMAND_USED, .token = &token });
}

static int request_waits(struct request *r)
{
    int64_t wait_ms = 0, now_ms = loop_mono_ms(r->task.loop);

    if (!(r->call.route->flags & ROUTE_WAITS) || r->call.route->is_news(r->answer))
        return 0;
    if (!r->until_ms) {
        (void)str_to_i64(value_get_text(r->call.query, S("wait_ms"), S("0")),
                         &wait_ms); /* was checked by the route */
        r->until_ms = now_ms + (wait_ms < ROUTE_WAIT_MAX_MS ? wait_ms : ROUTE_WAIT_MAX_MS);
    }
    return now_ms < r->until_ms;
}

static void request_listen(struct request *r)
{
    struct arena *a = &r->x->arena;
    struct feed_listener in = { .scope = r->actor.scope,
                                .after = r->after,
                                .head = value_get_int(r->answer, S("seq"), 0),
                                .who = S(""),
                                .until_ms = r->actor.until_ms };

    if (r->actor.kind == AUTH_TOKEN)
        in.who = str_fmt(a, "token/%.*s", STR_ARG(r->actor.token));
    else if (r->actor.kind == AUTH_PERSON)
        in.who = str_fmt(
            a, "person/%.*s",
            STR_ARG(str_slice(r->actor.name, sizeof(PEOPLE_ACTOR) - 1, r->actor.name.n)));
    feed_join(r->api->feed, r->x, &in);
}

static void request_answer(struct request *r)
{
    const struct err *failed = r->failed.code ? &r->failed : r->task.rc ? &r->task.err : NULL;

    if (!failed && r->is_commanded && r->command.task.rc)
        failed = &r->command.task.err;
    if (!failed && (r->call.route->flags & ROUTE_LIVE) && r->api->options.live)
        value_set(&r->scratch, r->answer, S("live"),
                  access_live(&r->scratch, &r->actor,
                              r->api->options.live(r->api->options.engine, &r->scratch, r->env)));
    if (!failed && r->token_text.n && /* the only time that it is said, of this one alone */
        str_eq(value_get_text(r->command.result, S("id"), S("")), r->token.id))
        value_set_text(&r->command.arena, r->command.result, S("token"), r->token_text);
    if (!failed && r->call.route->read && r->call.route->read != routes_read_openapi &&
        r->api->options.follow)
        value_set(&r->scratch, r->answer, S("copy"),
                  follow_view(r->api->options.follow, &r->scratch));
    if (failed && failed->code == ERR_UNKNOWN_ACTOR)
        http_header(r->x, "WWW-Authenticate", S("Bearer"));
    for (size_t i = 0; i < value_count(r->login.headers); i++)
        http_header(r->x, str_to_c(&r->x->arena, r->login.headers->u.map.entries[i].key),
                    r->login.headers->u.map.entries[i].value->u.text);
    if (!failed && r->login.cookie.n)
        http_header(r->x, "Set-Cookie", r->login.cookie);
    if (failed)
        http_answer_refusal(r->x, failed, r->login.besides ? r->login.besides : r->command.besides);
    else if (r->call.route->flags & ROUTE_STREAM)
        request_listen(r);
    else if (r->login.page.p)
        http_answer(r->x, r->login.status ? r->login.status : 200, "text/html; charset=utf-8",
                    r->login.page);
    else if (r->login.answer)
        http_answer_json(r->x, 200, r->login.answer);
    else
        http_answer_json(r->x, 200, r->is_commanded ? r->command.result : r->answer);
}

static void request_start_work(struct request *r)
{
    login_fn *work = r->call.route ? r->call.route->work : NULL;

    if (work == login_in || work == login_password)
        wait_work_share_start(&r->task, POOL_SIGN, &r->api->by_password, request_work);
    else if (work && r->call.route->flags & ROUTE_PAGE)
        wait_work_share_start(&r->task, POOL_SIGN, &r->api->by_provider, request_work);
    else
        wait_work_start(&r->task, work ? POOL_SIGN : POOL_QUERY, request_work);
}

static enum task_verdict request_step(struct task *t)
{
    struct request *r = container_of(t, struct request, task);
    struct err err = ERR_INIT;

    switch (t->state) {
    case REQUEST_READ:
        request_start_work(r);
        return task_then(t, REQUEST_JUDGE);
    case REQUEST_JUDGE:
        if (r->call.route->read || r->call.route->work)
            return task_goto(t, request_waits(r) ? REQUEST_PAUSE : REQUEST_END);
        if (request_command(r, &err))
            return task_fail(t, &err);
        return task_goto(t, REQUEST_COMMAND);
    case REQUEST_PAUSE:
        r->pause_ms = r->pause_ms ? r->pause_ms * 2 : PAUSE_FIRST_MS;
        if (r->pause_ms > PAUSE_MAX_MS)
            r->pause_ms = PAUSE_MAX_MS;
        wait_until_start(t, loop_mono_ms(t->loop) + r->pause_ms);
        return task_then(t, REQUEST_READ);
    case REQUEST_COMMAND:
        wait_join_start(t, &r->child, 1);
        return task_then(t, REQUEST_END);
    case REQUEST_DENY:
        return request_deny(r);
    case REQUEST_END:
        return task_done(t);
    }
    UNREACHABLE();
}

static void request_ended(struct task *t, void *ctx)
{
    struct request *r = ctx;

    (void)t;
    request_note_use(r);
    request_answer(r);
    if (r->prev)
        r->prev->next = r->next;
    else
        r->api->requests = r->next;
    if (r->next)
        r->next->prev = r->prev;
    arena_fini(&r->scratch);
    arena_fini(&r->command.arena);
    alloc_free(r);
}

static int is_same_asker(const struct http_exchange *a, const struct http_exchange *b)
{
    return a->peer.uid == b->peer.uid && str_eq(a->network, b->network);
}

/* Nobody makes the others wait: who asks much at once is told to ask less. */
static int check_share(const struct api *api, const struct http_exchange *x,
                       const struct route_call *call, struct err *err)
{
    size_t n_same = 0;

    for (const struct request *r = api->requests; r; r = r->next) {
        if (r->call.route && call->route && r->call.route->flags & call->route->flags & ROUTE_HEAVY)
            return err_set(err, ERR_BUSY, "another '%s' is being answered", call->route->path);
        n_same += is_same_asker(r->x, x) && r->task.state != REQUEST_PAUSE;
    }
    return n_same < REQUESTS_USER_MAX
               ? 0
               : err_set(err, ERR_BUSY, "%d requests of yours are being answered",
                         REQUESTS_USER_MAX);
}

/* Whoever balances load asks these, without a name: one word each. */
static int answer_probe(struct api *api, struct http_exchange *x)
{
    int is_health = str_eq_c(x->path, "/healthz");

    if (!str_eq_c(x->method, "GET") || !(is_health || str_eq_c(x->path, "/readyz")))
        return 0;
    if (is_health || !api->ended)
        http_answer(x, 200, "text/plain", is_health ? S("ok\n") : S("ready\n"));
    else
        http_answer(x, err_http_status(ERR_BUSY), "text/plain", S("stopping\n"));
    return 1;
}

static void answer_nobody(struct api *api, struct http_exchange *x)
{
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_UNKNOWN_ACTOR, "no credential says who asks");
    denials_count(&api->denials, x->address, str_from_c(err.text));
    http_header(x, "WWW-Authenticate", S("Bearer"));
    http_answer_error(x, &err);
}

/* Through the API's door where they have none of their own. */
static int is_for_hooks(const struct api *api, const struct http_exchange *x)
{
    return x->door == HTTP_DOOR_HOOKS ||
           (x->door == HTTP_DOOR_API && !api->servers[HTTP_DOOR_HOOKS] && hooks_is_path(x->path));
}

/* Over TCP, before anything is looked up. A credential counts for itself, whether it is one or not. */
static int is_throttled(struct api *api, struct http_exchange *x)
{
    struct str credential = value_get_text(x->headers, S("authorization"), STR_NONE);
    int64_t now_ms = loop_mono_ms(api->options.loop);
    struct err err = ERR_INIT;
    int wait_s = rate_take(&api->rate, RATE_ADDRESS, x->network, now_ms);

    if (!wait_s && credential.n)
        wait_s = rate_take(&api->rate, RATE_CREDENTIAL, credential, now_ms);
    if (!wait_s)
        return 0;
    (void)err_set(&err, ERR_THROTTLED, "too many requests: wait %d s", wait_s);
    http_header(x, "Retry-After", str_fmt(&x->arena, "%d", wait_s));
    http_answer_error(x, &err);
    return 1;
}

static void request_begin(void *ctx, struct http_exchange *x)
{
    struct api *api = ctx;
    struct route_call call = { 0 };
    struct err err = ERR_INIT, unmatched = ERR_INIT;
    struct request *r;

    if (answer_probe(api, x))
        return;
    if (is_for_hooks(api, x)) {
        if (!api->options.follow) {
            hooks_begin(&api->hooks, x);
            return;
        }
        (void)err_set(&err, ERR_REFUSED, "this is a standby: it takes no deliveries");
        http_answer_error(x, &err);
        return;
    }
    if (x->door != HTTP_DOOR_SOCKET && is_throttled(api, x))
        return;
    (void)routes_match(x->method, x->path, &call, &unmatched); /* who asks comes first */
    if (auth_is_nobody(x) && !(call.route && call.route->flags & ROUTE_OPEN)) {
        answer_nobody(api, x);
        return;
    }
    if (check_share(api, x, &call, &err)) {
        http_answer_error(x, &err);
        return;
    }
    r = alloc_zero(sizeof(*r));
    if (!r) {
        (void)err_set(&err, ERR_NOMEM, "out of memory");
        http_answer_error(x, &err);
        return;
    }
    r->api = api;
    r->x = x;
    r->call = call;
    r->unmatched = unmatched;
    r->is_stale = api->options.is_stale && api->options.is_stale(api->options.engine);
    arena_init(&r->scratch, 0);
    arena_init(&r->command.arena, 0);
    r->next = api->requests;
    if (r->next)
        r->next->prev = r;
    api->requests = r;
    task_start(&r->task, api->options.loop, "request", request_states,
               (int)N_ELEMENTS(request_states), REQUEST_READ, request_step, request_ended, r);
}

/* --- start and stop ------------------------------------------------------------------------------ */

static int api_admit(void *ctx, const struct http_peer *peer, struct err *err)
{
    const struct api *api = ctx;

    return admit_peer(api->options.daemon, peer, err);
}

static void api_free(struct api *api)
{
    denials_fini(&api->denials);
    denials_fini(&api->known);
    oidc_provider_free(api->provider);
    for (size_t i = 0; i < api->n_readers; i++)
        db_close(api->readers[i]);
    (void)pthread_mutex_destroy(&api->lock);
    tls_close(api->tls);
    alloc_free(api);
}

static void api_gone(void *ctx)
{
    struct api *api = ctx;
    loop_fn *ended = api->ended;
    void *ended_ctx = api->ended_ctx;

    api_free(api);
    if (ended)
        ended(ended_ctx);
}

static void server_stopped(void *ctx)
{
    struct api *api = ctx;

    if (--api->n_open)
        return;
    denials_flush(&api->denials);
    denials_flush(&api->known);
    notes_stop(&api->notes, api_gone, api);
}

static void listen_for_news(struct api *api, loop_fn *fn)
{
    if (api->options.follow)
        follow_on_commit(api->options.follow, fn, api);
    else if (api->options.on_commit)
        api->options.on_commit(api->options.engine, fn, api);
}

static void close_doors(struct api *api)
{
    api->n_open++; /* until all were told */
    listen_for_news(api, NULL);
    if (api->feed) {
        api->n_open++;
        feed_stop(TAKE(api->feed), server_stopped, api);
    }
    for (size_t i = 0; i < N_ELEMENTS(api->servers); i++)
        if (api->servers[i])
            http_server_stop(api->servers[i], server_stopped, api);
    server_stopped(api);
}

/* The socket always, the others where they are configured. */
static int open_door(struct api *api, enum http_door door, struct err *err)
{
    static const struct str fields[] = {
        [HTTP_DOOR_API] = S_INIT("listen"), [HTTP_DOOR_HOOKS] = S_INIT("listen_hooks")
    };
    const struct value *daemon = api->options.daemon;
    struct http_server_options options = { .loop = api->options.loop,
                                           .door = door,
                                           .socket_path = api->options.socket_path,
                                           .hosts = value_at(daemon, S("http.hosts")),
                                           .tls = door == HTTP_DOOR_SOCKET ? NULL : api->tls,
                                           .handle = request_begin,
                                           .ctx = api };
    int rc;

    if (door == HTTP_DOOR_SOCKET)
        options.admit = api_admit;
    else
        options.listen = value_get_text(daemon, fields[door], STR_NONE);
    if (door != HTTP_DOOR_SOCKET && !options.listen.p)
        return 0;
    rc = http_server_start(&options, &api->servers[door], err);
    api->n_open += !rc;
    return rc;
}

static void api_news(void *ctx)
{
    struct api *api = ctx;

    feed_news(api->feed);
}

static int open_feed(struct api *api, struct err *err)
{
    api->feed = feed_new(
        &(struct feed_options){ .loop = api->options.loop, .read = api_feed_read, .ctx = api });
    if (!api->feed)
        return err_set(err, ERR_NOMEM, "api: out of memory");
    listen_for_news(api, api_news);
    return 0;
}

static int open_tls(struct api *api, struct err *err)
{
    const struct value *tls = value_get(api->options.daemon, S("tls"));

    return tls ? tls_open(value_get_text(tls, S("certificate"), S("")),
                          value_get_text(tls, S("key"), S("")), &api->tls, err)
               : 0;
}

int api_start(const struct api_options *options, struct api **ret, struct err *err)
{
    struct api *api = alloc_zero(sizeof(*api));
    int rc;

    if (!api)
        return err_set(err, ERR_NOMEM, "api: out of memory");
    api->options = *options;
    api->hooks = (struct hooks){ .engine = options->engine,
                                 .start = options->hook,
                                 .denials = &api->denials };
    (void)pthread_mutex_init(&api->lock, NULL); /* cannot fail with default attributes */
    api->provider = oidc_provider_new();
    api->notes = (struct notes){ .engine = options->engine, .command = options->command };
    api->rate.seed = loop_random(options->loop);
    api->rate.per_s[RATE_ADDRESS] = options->requests_per_s ? options->requests_per_s
                                                            : RATE_ADDRESS_PER_S;
    api->rate.per_s[RATE_CREDENTIAL] = options->requests_per_s ? options->requests_per_s
                                                               : RATE_CREDENTIAL_PER_S;
    rc = denials_init(&api->denials, options->loop, &api->notes, err);
    if (!rc && !api->provider)
        rc = err_set(err, ERR_NOMEM, "api: out of memory");
    if (!rc)
        rc = denials_init(&api->known, options->loop, &api->notes, err);
    if (!rc)
        rc = open_tls(api, err);
    if (!rc)
        rc = open_feed(api, err);
    for (int door = 0; !rc && door < N_HTTP_DOORS; door++)
        rc = open_door(api, (enum http_door)door, err);
    if (rc) {
        close_doors(api);
        return rc;
    }
    *ret = api;
    return 0;
}

int api_reload(struct api *api, struct err *err)
{
    return api->tls ? tls_reload(api->tls, err) : 0;
}

void api_stop(struct api *api, loop_fn *ended, void *ctx)
{
    api->ended = ended;
    api->ended_ctx = ctx;
    for (struct request *r = api->requests; r; r = r->next)
        if (r->call.route && (r->call.route->read || r->call.route->flags & ROUTE_PAGE))
            task_cancel(&r->task, ERR_BUSY);
    close_doors(api);
}
