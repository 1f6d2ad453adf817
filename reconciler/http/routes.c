/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/routes.h"

#include "base/guard.h"
#include "reconciler/http/logs.h"

#define API "/api/v1"
#define LINES_DEFAULT 50
#define LINES_MAX 2000

/* --- GET ----------------------------------------------------------------------------------------- */

static int query_int(const struct route_call *call, struct str name, int64_t *ret, struct err *err)
{
    struct str text = value_get_text(call->query, name, S(""));

    if (!text.n)
        return 0;
    if (str_to_i64(text, ret) || *ret < 0)
        return err_set(err, ERR_USAGE, "'%.*s' is not a number: '%.*s'", STR_ARG(name),
                       STR_ARG(text));
    return 0;
}

static struct str query_text(const struct route_call *call, struct str name)
{
    return value_get_text(call->query, name, STR_NONE);
}

static int read_status(const struct route_world *w, const struct route_call *call,
                       struct value **ret, struct err *err)
{
    (void)call;
    return view_status(&w->view, ret, err);
}

static int read_environment(const struct route_world *w, const struct route_call *call,
                            struct value **ret, struct err *err)
{
    return view_environment(&w->view, call->param, ret, err);
}

static int read_plan_of(const struct route_world *w, const struct route_call *call,
                        struct value **ret, struct err *err)
{
    return view_plan_of(&w->view, call->param, ret, err);
}

static int read_diff(const struct route_world *w, const struct route_call *call, struct value **ret,
                     struct err *err)
{
    return view_diff(&w->view, call->param, query_text(call, S("from")), query_text(call, S("to")),
                     ret, err);
}

static int read_plan(const struct route_world *w, const struct route_call *call, struct value **ret,
                     struct err *err)
{
    return view_plan(&w->view, call->param, ret, err);
}

static int read_progress(const struct route_world *w, const struct route_call *call,
                         struct value **ret, struct err *err)
{
    int64_t after = 0, wait_ms = 0;
    int rc = query_int(call, S("after"), &after, err);

    if (!rc)
        rc = query_int(call, S("wait_ms"), &wait_ms, err);
    return rc ? rc : view_progress(&w->view, call->param, after, ret, err);
}

static int read_history(const struct route_world *w, const struct route_call *call,
                        struct value **ret, struct err *err)
{
    struct view_history in = { .env = query_text(call, S("env")),
                               .kind = query_text(call, S("kind")),
                               .subject = query_text(call, S("subject")),
                               .actor = query_text(call, S("actor")),
                               .newest_first = str_eq_c(query_text(call, S("newest")), "1"),
                               .with_body = !str_eq_c(query_text(call, S("bodies")), "0") };
    int rc = query_int(call, S("after"), &in.after, err);

    if (!rc)
        rc = query_int(call, S("before"), &in.before, err);
    if (!rc)
        rc = query_int(call, S("from_ms"), &in.from_ms, err);
    if (!rc)
        rc = query_int(call, S("to_ms"), &in.to_ms, err);
    if (!rc)
        rc = query_int(call, S("limit"), &in.limit, err);
    return rc ? rc : view_history(&w->view, &in, ret, err);
}

static int read_state_at(const struct route_world *w, const struct route_call *call,
                         struct value **ret, struct err *err)
{
    int64_t at_ms = w->view.now_ms;
    int rc = query_int(call, S("at_ms"), &at_ms, err);

    return rc ? rc : view_state_at(&w->view, call->param, at_ms, ret, err);
}

static int read_explain(const struct route_world *w, const struct route_call *call,
                        struct value **ret, struct err *err)
{
    return view_explain(&w->view, call->param, value_get_text(call->query, S("subject"), S("")),
                        ret, err);
}

static int read_logs(const struct route_world *w, const struct route_call *call, struct value **ret,
                     struct err *err)
{
    int64_t n_lines = LINES_DEFAULT;
    int rc = query_int(call, S("lines"), &n_lines, err);

    if (!rc && n_lines > LINES_MAX)
        n_lines = LINES_MAX;
    return rc ? rc
              : logs_read(&w->view, w->daemon, call->param, query_text(call, S("service")),
                          (size_t)n_lines, ret, err);
}

static int read_audit(const struct route_world *w, const struct route_call *call,
                      struct value **ret, struct err *err)
{
    enum view_audit depth = str_eq_c(query_text(call, S("replay")), "1") ? VIEW_AUDIT_REPLAY
                                                                         : VIEW_AUDIT_CHAIN;

    return view_audit(&w->view, depth, ret, err);
}

static int read_doctor(const struct route_world *w, const struct route_call *call,
                       struct value **ret, struct err *err)
{
    struct value *map = value_map(w->view.a), *findings;
    int rc = view_findings(&w->view, &findings, err);

    (void)call;
    if (rc)
        return rc;
    value_set(w->view.a, map, S("findings"), findings);
    *ret = map;
    return 0;
}

/* --- the table ----------------------------------------------------------------------------------- */

#define ENV API "/environments/NAME"
#define PLAN API "/plans/ID"
#define REASON (ROUTE_FIELD_REASON | ROUTE_FIELD_BREAK_GLASS)

/* clang-format off */
static const struct route routes[] = {
    { "GET", API "/status", AUTH_VIEWER, ROUTE_LIVE, .read = read_status,
      .text = "installation, version, sources with heads and errors, environments" },
    { "GET", ENV, AUTH_VIEWER, ROUTE_LIVE, .read = read_environment,
      .text = "sync, health, revision, services with sets and instances, routes, holds, quarantine" },
    { "GET", ENV "/plan", AUTH_VIEWER, 0, .read = read_plan_of,
      .text = "the plan that is open, waiting or applying, else the last one" },
    { "GET", ENV "/diff", AUTH_VIEWER, 0, .read = read_diff, .query = "from to",
      .text = "what differs between two of its revisions" },
    { "GET", PLAN, AUTH_VIEWER, 0, .read = read_plan,
      .text = "the plan's document, decisions, operations and rollouts" },
    { "GET", PLAN "/progress", AUTH_VIEWER, ROUTE_WAITS, .read = read_progress, .query = "after wait_ms",
      .text = "events of the plan after `after`, what runs, its state" },
    { "GET", API "/history", AUTH_VIEWER, 0, .read = read_history,
      .query = "env after before from_ms to_ms kind subject actor limit newest bodies", .text = "events" },
    { "GET", ENV "/history", AUTH_VIEWER, 0, .read = read_state_at, .query = "at_ms",
      .text = "what was there at `at_ms`, by which plan, decided by whom" },
    { "GET", ENV "/explain", AUTH_VIEWER, 0, .read = read_explain, .query = "subject",
      .text = "why it is as it is, and what a person can do" },
    { "GET", ENV "/logs", AUTH_VIEWER, 0, .read = read_logs, .query = "service lines",
      .text = "the newest lines of each instance" },
    { "GET", API "/audit/verify", AUTH_VIEWER, ROUTE_HEAVY, .read = read_audit, .query = "replay",
      .text = "events checked, rows compared, or the first difference" },
    { "GET", API "/doctor", AUTH_VIEWER, ROUTE_LIVE, .read = read_doctor,
      .text = "findings, each with its mend" },
    { "POST", ENV "/reconcile", AUTH_OPERATOR | AUTH_ADMIN, .verb = COMMAND_RECONCILE, .fields = REASON,
      .text = "fetch and plan now" },
    { "POST", PLAN "/approve", AUTH_APPROVER | AUTH_ADMIN, .verb = COMMAND_APPROVE,
      .fields = REASON | ROUTE_FIELD_SIGNATURE, .text = "let it run" },
    { "POST", PLAN "/override", AUTH_OVERRIDE, .verb = COMMAND_OVERRIDE, .fields = REASON,
      .text = "let it run within an hour, whatever approvals it lacks" },
    { "POST", PLAN "/reject", AUTH_APPROVER | AUTH_ADMIN, .verb = COMMAND_REJECT, .fields = REASON,
      .text = "keep things as they are" },
    { "POST", ENV "/plan", AUTH_OPERATOR | AUTH_APPROVER | AUTH_ADMIN, ROUTE_HEAVY, .verb = COMMAND_TRY,
      .fields = ROUTE_FIELD_REF, .text = "the plan of a commit that is not merged, stored nowhere" },
    { "POST", ENV "/cancel", AUTH_OPERATOR | AUTH_ADMIN, .verb = COMMAND_CANCEL, .fields = REASON,
      .text = "the running plan goes back" },
    { "POST", ENV "/advance", AUTH_OPERATOR | AUTH_ADMIN, .verb = COMMAND_ADVANCE,
      .fields = REASON | ROUTE_FIELD_SERVICE,
      .text = "end a pause or a bake, of one service's group or of all: the running plan goes on" },
    { "POST", ENV "/undo", AUTH_OPERATOR | AUTH_ADMIN, .verb = COMMAND_UNDO,
      .fields = REASON | ROUTE_FIELD_OVERRIDE,
      .text = "back to the previous sets" },
    { "POST", ENV "/rollback", AUTH_OPERATOR | AUTH_ADMIN, .verb = COMMAND_ROLLBACK,
      .fields = REASON | ROUTE_FIELD_REVISION | ROUTE_FIELD_OVERRIDE, .text = "to an earlier revision" },
    { "POST", ENV "/hold", AUTH_OPERATOR | AUTH_ADMIN, .verb = COMMAND_HOLD,
      .fields = REASON | ROUTE_FIELD_SERVICE | ROUTE_FIELD_UNTIL_MS, .text = "change nothing" },
    { "POST", ENV "/resume", AUTH_OPERATOR | AUTH_ADMIN, .verb = COMMAND_RESUME, .fields = REASON,
      .text = "end the holds" },
    { "POST", ENV "/run", AUTH_OPERATOR | AUTH_ADMIN, .verb = COMMAND_RUN,
      .fields = REASON | ROUTE_FIELD_JOB, .text = "a job runs now" },
    { "POST", ENV "/rebind", AUTH_ADMIN, .verb = COMMAND_REBIND,
      .fields = REASON | ROUTE_FIELD_BINDING, .text = "the name belongs to another source or branch" },
    { "POST", API "/sources/NAME/bundle", AUTH_ADMIN, .verb = COMMAND_BUNDLE,
      .fields = REASON | ROUTE_FIELD_BUNDLE | ROUTE_FIELD_SIGNATURE,
      .text = "its branches go on as a signed git bundle says" },
    { "POST", API "/clock/resume", AUTH_ADMIN, .verb = COMMAND_CLOCK, .fields = REASON,
      .text = "the wall clock is right, whatever it did" },
    { "POST", ENV "/retry", AUTH_OPERATOR | AUTH_ADMIN, .verb = COMMAND_RETRY, .fields = REASON,
      .text = "lift quarantine and back-off" },
    { "POST", ENV "/adopt", AUTH_ADMIN, .verb = COMMAND_ADOPT,
      .fields = REASON | ROUTE_FIELD_RESOURCE, .text = "what has that id is the resource" },
    { "POST", ENV "/forget", AUTH_ADMIN, .verb = COMMAND_FORGET,
      .fields = REASON | ROUTE_FIELD_RESOURCE, .text = "it leaves our hands and stays as it is" },
    { "POST", API "/operations/UID/settle", AUTH_ADMIN, .verb = COMMAND_SETTLE,
      .fields = REASON | ROUTE_FIELD_AS, .text = "say how a parked operation ended" },
};
/* clang-format on */

const struct route *routes_get(size_t *ret_n)
{
    *ret_n = N_ELEMENTS(routes);
    return routes;
}

/* Word by word; the one in capitals takes any word that is not empty. */
static int path_matches(struct str pattern, struct str path, struct str *ret_param)
{
    struct str want, have;

    while (str_next(&pattern, '/', &want)) {
        if (!str_next(&path, '/', &have))
            return 0;
        if (want.n && want.p[0] >= 'A' && want.p[0] <= 'Z') {
            if (!have.n)
                return 0;
            *ret_param = have;
        } else if (!str_eq(want, have)) {
            return 0;
        }
    }
    return !str_next(&path, '/', &have);
}

int routes_match(struct str method, struct str path, struct route_call *ret, struct err *err)
{
    const char *other = NULL;

    for (size_t i = 0; i < N_ELEMENTS(routes); i++) {
        struct str param = S("");

        if (!path_matches(str_from_c(routes[i].path), path, &param))
            continue;
        if (!str_eq_c(method, routes[i].method)) {
            other = routes[i].method;
            continue;
        }
        ret->route = &routes[i];
        ret->param = param;
        return 0;
    }
    if (other)
        return err_set(err, ERR_USAGE, "'%.*s' is asked by %s", STR_ARG(path), other);
    return err_set(err, ERR_NOT_FOUND, "no route '%.*s'", STR_ARG(path));
}

/* A name that we do not know is an error: it was meant to do something. */
static int check_query(const struct route_call *call, struct err *err)
{
    for (size_t i = 0; i < value_count(call->query); i++) {
        struct str rest = str_from_c(call->route->query), name;
        struct str key = call->query->u.map.entries[i].key;
        int is_known = 0;

        while (!is_known && str_next(&rest, ' ', &name))
            is_known = str_eq(name, key);
        if (!is_known)
            return err_set(err, ERR_USAGE, "'%.*s' is not asked with '%.*s'",
                           STR_ARG(str_from_c(call->route->path)), STR_ARG(key));
    }
    return 0;
}

int routes_read(const struct route_world *w, const struct route_call *call, struct value **ret,
                struct err *err)
{
    int rc = check_query(call, err);

    if (!rc)
        rc = db_view_begin(w->view.db, err);
    if (rc)
        return rc;
    rc = call->route->read(w, call, ret, err);
    db_view_end(w->view.db);
    return rc;
}

/* --- POST ---------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int field;
    enum value_kind kind;
} field_rows[] = {
    { "reason", ROUTE_FIELD_REASON, VALUE_TEXT },
    { "service", ROUTE_FIELD_SERVICE, VALUE_TEXT },
    { "job", ROUTE_FIELD_JOB, VALUE_TEXT },
    { "until_ms", ROUTE_FIELD_UNTIL_MS, VALUE_INT },
    { "revision", ROUTE_FIELD_REVISION, VALUE_INT },
    { "as", ROUTE_FIELD_AS, VALUE_TEXT },
    { "signature", ROUTE_FIELD_SIGNATURE, VALUE_TEXT },
    { "source", ROUTE_FIELD_BINDING, VALUE_TEXT },
    { "branch", ROUTE_FIELD_BINDING, VALUE_TEXT },
    { "resource", ROUTE_FIELD_RESOURCE, VALUE_TEXT },
    { "id", ROUTE_FIELD_RESOURCE, VALUE_TEXT },
    { "bundle", ROUTE_FIELD_BUNDLE, VALUE_TEXT },
    { "ref", ROUTE_FIELD_REF, VALUE_TEXT },
    { "break_glass", ROUTE_FIELD_BREAK_GLASS, VALUE_BOOL },
    { "override", ROUTE_FIELD_OVERRIDE, VALUE_BOOL },
};

/* A member we do not know is an error: it was meant to do something. */
static int check_body(const struct route_call *call, struct err *err)
{
    if (call->body && !value_is(call->body, VALUE_MAP))
        return err_set(err, ERR_USAGE, "the body must be an object");
    for (size_t i = 0; i < value_count(call->body); i++) {
        const struct value_entry *e = &call->body->u.map.entries[i];
        size_t j = 0;

        while (j < N_ELEMENTS(field_rows) &&
               !(str_eq_c(e->key, field_rows[j].name) && call->route->fields & field_rows[j].field))
            j++;
        if (j == N_ELEMENTS(field_rows))
            return err_set(err, ERR_USAGE, "the body has no member '%.*s' here", STR_ARG(e->key));
        if (e->value->kind != field_rows[j].kind)
            return err_set(err, ERR_USAGE, "'%.*s' is not %s", STR_ARG(e->key),
                           field_rows[j].kind == VALUE_INT    ? "a number"
                           : field_rows[j].kind == VALUE_BOOL ? "true or false"
                                                              : "text");
    }
    return 0;
}

int routes_command(const struct route_call *call, struct command *ret, struct err *err)
{
    struct str path = str_from_c(call->route->path);
    int rc = check_body(call, err);

    if (rc)
        return rc;
    *ret = (struct command){
        .verb = call->route->verb,
        .reason = value_get_text(call->body, S("reason"), S("")),
        .service = value_get_text(
            call->body, call->route->fields & ROUTE_FIELD_JOB ? S("job") : S("service"), S("")),
        .as = value_get_text(call->body, S("as"), S("")),
        .source = value_get_text(call->body, S("source"), S("")),
        .branch = value_get_text(call->body, S("branch"), S("")),
        .resource = value_get_text(call->body, S("resource"), S("")),
        .id = value_get_text(call->body, S("id"), S("")),
        .signature = value_get_text(call->body, S("signature"), S("")),
        .ref = value_get_text(call->body, S("ref"), S("")),
        .bundle = value_get_text(call->body, S("bundle"), S("")),
        .overrides = value_get_bool(call->body, S("override"), 0),
        .revision = value_get_int(call->body, S("revision"), 0),
        .until_ms = value_get_int(call->body, S("until_ms"), 0)
    };
    if (str_starts(path, S(ENV)))
        ret->env = call->param;
    else if (str_starts(path, S(PLAN)))
        ret->plan = call->param;
    else if (str_starts(path, S(API "/sources")))
        ret->source = call->param;
    else
        ret->operation = call->param;
    return 0;
}
