/* A request on the loop: its task. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/api_parts.h"

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/core/health_sum.h"
#include "reconciler/core/people.h"
#include "reconciler/engine/follow.h"
#include "reconciler/http/access.h"
#include "reconciler/http/auth_token.h"
#include "reconciler/http/once.h"
#include "reconciler/http/pack.h"
#include "reconciler/http/routes_parts.h"
#include "specs/json_io.h"

#define REQUESTS_USER_MAX 32 /* of one user that are worked on at once */
#define PAUSE_FIRST_MS 50
#define PAUSE_MAX_MS 400

/*   READ -> JUDGE -> END       READ: who asks, may they, and the answer of a GET; err> DENY -> END
 *                |-> PACK -> END      a long answer is made and compressed
 *                |             what is measured: who asks; JUDGE takes what the loop knows -> READ
 *     ^  PAUSE |               COMMAND: until the engine has written it
 *     `--------'--> COMMAND -> END                                             */
enum {
    REQUEST_READ,
    REQUEST_JUDGE,
    REQUEST_PAUSE,
    REQUEST_PACK,
    REQUEST_COMMAND,
    REQUEST_DENY,
    REQUEST_END
};

/* clang-format off */
static const struct task_state request_states[] = {
    [REQUEST_READ]    = { "READ",    TO(REQUEST_JUDGE),                                REQUEST_DENY, 0 },
    [REQUEST_JUDGE]   = { "JUDGE",   TO3(REQUEST_PAUSE, REQUEST_COMMAND, REQUEST_END) | TO2(REQUEST_READ, REQUEST_PACK), REQUEST_END, 0 },
    [REQUEST_PAUSE]   = { "PAUSE",   TO(REQUEST_READ),                                 REQUEST_END, 0 },
    [REQUEST_PACK]    = { "PACK",    TO(REQUEST_END),                                  REQUEST_END, 0 },
    [REQUEST_COMMAND] = { "COMMAND", TO(REQUEST_END),                                  REQUEST_END, 0 },
    [REQUEST_DENY]    = { "DENY",    TO(REQUEST_END),                                  REQUEST_END, 0 },
    [REQUEST_END]     = { "END",     0,                                                NO_ERROR_EDGE, 0 },
};
/* clang-format on */

/* --- commands ------------------------------------------------------------------------------------ */

static void command_ended(struct task *t, void *ctx)
{
    (void)t; /* the join that waits for it sees the end */
    (void)ctx;
}

/* The command is begun; a join with it is what follows. */
static void request_begin_command(struct api_request *r)
{
    r->command.in.actor = r->actor.name;
    r->command.in.is_admin = 1; /* the route's roles were checked */
    r->api->options.command(r->api->options.engine, &r->command, command_ended, r);
    r->command.task.about = r->about; /* it is awaited */
    r->child = &r->command.task;
}

static int request_token(struct api_request *r, struct err *err)
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
static int request_standby(struct api_request *r, struct err *err)
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

static int request_command(struct api_request *r, struct err *err)
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
static enum task_verdict request_deny(struct api_request *r)
{
    struct task *t = &r->task;
    struct arena *a = &r->x->arena;
    struct value *note = value_map(a);

    r->failed = t->err;
    if (r->failed.code == ERR_UNKNOWN_ACTOR || (api_is_open(r) && r->failed.code == ERR_REFUSED))
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

/* --- answers ------------------------------------------------------------------------------------- */

static void request_note_use(struct api_request *r)
{
    const struct rec_token token = { .id = r->actor.token };

    if (r->is_known && r->actor.kind == AUTH_TOKEN && !r->actor.is_noted && !r->api->options.follow)
        notes_write(&r->api->notes, &(struct command){ .verb = COMMAND_USED, .token = &token });
}

static int request_waits(struct api_request *r)
{
    int64_t wait_ms = 0, now_ms = loop_mono_ms(r->task.loop);

    if (!(r->call.route->flags & ROUTE_WAITS) || r->call.route->is_news(r->answer) || r->api->ended)
        return 0;
    if (!r->until_ms) {
        (void)str_to_i64(value_get_text(r->call.query, S("wait_ms"), S("0")),
                         &wait_ms); /* was checked by the route */
        r->until_ms = now_ms + (wait_ms < ROUTE_WAIT_MAX_MS ? wait_ms : ROUTE_WAIT_MAX_MS);
    }
    return now_ms < r->until_ms;
}

static void request_listen(struct api_request *r)
{
    struct arena *a = &r->x->arena;
    struct err err = ERR_INIT;
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
    if (r->api->feed) {
        feed_join(r->api->feed, r->x, &in);
        return;
    }
    (void)err_set(&err, ERR_BUSY, "the daemon is stopping"); /* it was read before we did */
    http_answer_error(r->x, &err);
}

/* A browser has come here by itself: on its way to the identity provider, or back. */
static int is_visit(const struct api_request *r)
{
    return r->call.route && r->call.route->work && r->call.route->flags & ROUTE_PAGE;
}

/* What the loop knows of what was read. */
static void request_complete(struct api_request *r)
{
    const struct api_options *o = &r->api->options;

    if (r->call.route->flags & ROUTE_LIVE && o->live)
        value_set(&r->scratch, r->answer, S("live"),
                  access_live(&r->scratch, &r->actor, o->live(o->engine, &r->scratch, r->env)));
    if (r->call.route->read && r->call.route->read != routes_read_openapi &&
        value_is(r->answer, VALUE_MAP) && o->follow)
        value_set(&r->scratch, r->answer, S("copy"), follow_view(o->follow, &r->scratch));
}

static int request_is_packed(const struct api_request *r)
{
    return r->call.route->flags & ROUTE_PACKED && pack_is_taken(r->x->headers);
}

static int request_pack(struct task *t, struct err *err)
{
    struct api_request *r = container_of(t, struct api_request, task);

    http_make_json(r->x, r->answer, &r->made);
    return arena_status(&r->x->arena, err);
}

/* What became of this machine is told to those who are known to it; anybody else is told under which id the log says it. */
static void request_tell_nobody(struct api_request *r, struct err *failed)
{
    int status = err_http_status(failed->code);

    if (r->is_known || r->x->door == HTTP_DOOR_SOCKET ||
        (status != err_http_status(ERR_IO) && status != err_http_status(ERR_FULL)))
        return;
    LOG(LOG_WARN, "a request of nobody who is known failed", LOG_S("req", r->x->id),
        LOG_C("err", failed->text));
    (void)err_set(failed, failed->code, "%s: the log says why, under request %.*s",
                  err_text(failed->code), STR_ARG(r->x->id));
}

static void request_answer(struct api_request *r)
{
    struct err *failed = r->failed.code ? &r->failed : r->task.rc ? &r->task.err : NULL;

    if (!failed && r->is_commanded && r->command.task.rc)
        failed = &r->command.task.err;
    if (failed)
        request_tell_nobody(r, failed);
    if (!failed && !r->made.vary)
        request_complete(r);
    if (!failed && r->token_text.n && /* the only time that it is said, of this one alone */
        str_eq(value_get_text(r->command.result, S("id"), S("")), r->token.id))
        value_set_text(&r->command.arena, r->command.result, S("token"), r->token_text);
    if (failed && failed->code == ERR_UNKNOWN_ACTOR)
        http_header(r->x, "WWW-Authenticate", S("Bearer"));
    if (failed && failed->code == ERR_METHOD)
        http_header(r->x, "Allow", routes_allow(&r->x->arena, r->x->path));
    for (size_t i = 0; i < value_count(r->login.headers); i++)
        http_header(r->x, str_to_c(&r->x->arena, r->login.headers->u.map.entries[i].key),
                    r->login.headers->u.map.entries[i].value->u.text);
    if (!failed && r->login.cookie.n)
        http_header(r->x, "Set-Cookie", r->login.cookie);
    if (failed && is_visit(r))
        http_answer_refused_visit(r->x, failed);
    else if (failed)
        http_answer_refusal(r->x, failed, r->login.besides ? r->login.besides : r->command.besides);
    else if (r->made.vary)
        http_answer_made(r->x, &r->made);
    else if (r->call.route->flags & ROUTE_STREAM)
        request_listen(r);
    else if (r->call.route->flags & ROUTE_TEXT)
        http_answer(r->x, 200, METRICS_TYPE, r->answer->u.text);
    else if (r->call.route->flags & ROUTE_HEALTH &&
             health_sum_status(r->answer) == HEALTH_UNHEALTHY)
        http_answer_json(r->x, err_http_status(ERR_BUSY), r->answer);
    else if (r->login.page.p)
        http_answer(r->x, r->login.status ? r->login.status : 200, "text/html; charset=utf-8",
                    r->login.page);
    else if (r->login.answer)
        http_answer_json(r->x, 200, r->login.answer);
    else
        http_answer_json(r->x, 200, r->is_commanded ? r->command.result : r->answer);
}

/* --- the task ------------------------------------------------------------------------------------ */

static void request_start_work(struct api_request *r)
{
    login_fn *work = r->call.route ? r->call.route->work : NULL;

    if (work == login_in || work == login_password)
        wait_work_share_start(&r->task, POOL_SIGN, &r->api->by_password, api_work);
    else if (work && r->call.route->flags & ROUTE_PAGE)
        wait_work_share_start(&r->task, POOL_SIGN, &r->api->by_provider, api_work);
    else
        wait_work_start(&r->task, work ? POOL_SIGN : POOL_QUERY, api_work);
}

static enum task_verdict request_step(struct task *t)
{
    struct api_request *r = container_of(t, struct api_request, task);
    struct err err = ERR_INIT;

    r->about[1].value = r->env; /* known since it was read */
    switch (t->state) {
    case REQUEST_READ:
        request_start_work(r);
        return task_then(t, REQUEST_JUDGE);
    case REQUEST_JUDGE:
        if (r->call.route->flags & ROUTE_MEASURE && !r->parts) {
            api_measure(r);
            return task_goto(t, REQUEST_READ);
        }
        if (r->call.route->read || r->call.route->work)
            return task_goto(t, request_waits(r)       ? REQUEST_PAUSE
                                : request_is_packed(r) ? REQUEST_PACK
                                                       : REQUEST_END);
        if (request_command(r, &err))
            return task_fail(t, &err);
        return task_goto(t, REQUEST_COMMAND);
    case REQUEST_PAUSE:
        r->pause_ms = r->pause_ms ? r->pause_ms * 2 : PAUSE_FIRST_MS;
        if (r->pause_ms > PAUSE_MAX_MS)
            r->pause_ms = PAUSE_MAX_MS;
        wait_until_start(t, loop_mono_ms(t->loop) + r->pause_ms);
        return task_then(t, REQUEST_READ);
    case REQUEST_PACK:
        request_complete(r);
        wait_work_start(t, POOL_QUERY, request_pack);
        return task_then(t, REQUEST_END);
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
    struct api_request *r = ctx;

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

    for (const struct api_request *r = api->requests; r; r = r->next) {
        if (r->call.route && call->route && r->call.route->flags & call->route->flags & ROUTE_HEAVY)
            return err_set(err, ERR_BUSY, "another '%s' is being answered", call->route->path);
        n_same += is_same_asker(r->x, x) && r->task.state != REQUEST_PAUSE;
    }
    return n_same < REQUESTS_USER_MAX
               ? 0
               : err_set(err, ERR_BUSY, "%d requests of yours are being answered",
                         REQUESTS_USER_MAX);
}

void api_request_start(struct api *api, struct http_exchange *x, const struct route_call *call,
                       const struct err *unmatched)
{
    struct api_request *r;
    struct err err = ERR_INIT;

    if (check_share(api, x, call, &err)) {
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
    r->call = *call;
    r->unmatched = *unmatched;
    r->is_stale = api->options.is_stale && api->options.is_stale(api->options.engine);
    arena_init(&r->scratch, 0);
    arena_init(&r->command.arena, 0);
    r->next = api->requests;
    if (r->next)
        r->next->prev = r;
    api->requests = r;
    task_start(&r->task, api->options.loop, "request", request_states,
               (int)N_ELEMENTS(request_states), REQUEST_READ, request_step, request_ended, r);
    r->about[0] = (struct log_field)LOG_S("req", x->id);
    r->about[1] = (struct log_field)LOG_S("env", r->env);
    r->task.about = r->about;
}
