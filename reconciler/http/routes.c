/* The table, and how a path finds its row. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/routes.h"

#include "base/guard.h"
#include "reconciler/http/logs.h"
#include "reconciler/http/oidc.h"
#include "reconciler/http/routes_parts.h"

#define OPERATOR (AUTH_OPERATOR | AUTH_ADMIN)
#define APPROVER (AUTH_APPROVER | AUTH_ADMIN)
#define READS(path, flags, fn, shape)                                                              \
    "GET", path, AUTH_VIEWER, flags, .read = routes_read_##fn, .answer = shape
#define BEGINS(path, roles, verb_, shape)                                                          \
    "POST", path, roles, .verb = COMMAND_##verb_, .body = shape, .answer = "begun"
#define SHOWS(path) "GET", path, 0, ROUTE_OPEN | ROUTE_PAGE | ROUTE_FILE

/* clang-format off */
static const struct route routes[] = {
    { READS(API "/status", ROUTE_LIVE | ROUTE_LIST | ROUTE_PACKED, status, "status"),
      .text = "installation, version, sources with heads and errors, environments" },
    { READS(API "/environments", ROUTE_LIST | ROUTE_PACKED, environments, "environments"), .query = "page_query",
      .text = "environments, a page at a time" },
    { READS(ENV, ROUTE_LIVE | ROUTE_PACKED, environment, "environment"),
      .text = "sync, health, revision, services with sets and instances, routes, holds, quarantine" },
    { READS(ENV "/plan", ROUTE_PACKED, plan_of, "plan"),
      .text = "the plan that is open, waiting or applying, else the last one" },
    { READS(ENV "/plans", ROUTE_PACKED, plans, "plans"), .query = "page_query",
      .text = "its plans, the newest first" },
    { READS(ENV "/revisions", ROUTE_PACKED, revisions, "revisions"), .query = "page_query",
      .text = "its revisions, the newest first" },
    { READS(ENV "/operations", ROUTE_PACKED, operations, "operations"), .query = "page_query",
      .text = "what was done, the newest first" },
    { READS(ENV "/rollouts", ROUTE_PACKED, rollouts, "rollouts"), .query = "page_query",
      .text = "how its rollouts went, the newest first" },
    { READS(ENV "/jobs", 0, jobs, "jobs"), .text = "its jobs with their last runs and their next" },
    { READS(ENV "/notifications", 0, told, "told"),
      .text = "whom its specs name to be told, and how that goes" },
    { READS(ENV "/holds", 0, holds, "holds"), .text = "what people stopped" },
    { READS(ENV "/quarantine", 0, quarantine, "quarantine"), .text = "what is not tried again" },
    { READS(ENV "/diff", ROUTE_PACKED, diff, "revision_difference"), .query = "diff_query",
      .text = "what differs between two of its revisions" },
    { READS(PLAN, ROUTE_PACKED, plan, "plan"), .text = "the plan's document, decisions, operations and rollouts" },
    { READS(PLAN "/progress", ROUTE_WAITS, progress, "progress"), .query = "progress_query",
      .is_news = view_progress_is_news,
      .text = "events of the plan after `after`, what runs, its state" },
    { READS(API "/history", ROUTE_LIST | ROUTE_PACKED, history, "history"), .query = "history_query", .text = "events" },
    { READS(API "/events", ROUTE_STREAM | ROUTE_LIST, events, "event"), .query = "events_query",
      .text = "events as they come, as server-sent events: `id` is `seq`, `data` an `event` without its body; "
              "goes on after the header Last-Event-ID" },
    { READS(ENV "/history", ROUTE_PACKED, state_at, "state_then"), .query = "at_query",
      .text = "what was there at `at_ms`, by which plan, decided by whom" },
    { READS(ENV "/changes", ROUTE_PACKED, changes, "changes"), .query = "span_query",
      .text = "what differs between two instants, by which plans, decided by whom" },
    { READS(ENV "/explain", ROUTE_PACKED, explain, "explained"), .query = "explain_query",
      .text = "why it is as it is, and what a person can do" },
    { READS(ENV "/logs", ROUTE_WAITS, logs, "logs"), .query = "logs_query", .is_news = logs_is_news,
      .text = "the newest lines of each instance; with `after` and `wait_ms` followed as they are written" },
    { READS(API "/sources", ROUTE_LIVE | ROUTE_LIST, sources, "sources"),
      .text = "sources with the tips of their branches" },
    { READS(API "/providers", ROUTE_LIVE, providers, "providers"),
      .text = "configured drivers; how they answer is in `live`" },
    { READS(API "/notifications", 0, told, "told"),
      .text = "whom the Daemon document names to be told, and how that goes" },
    { READS(API "/audit/verify", ROUTE_HEAVY, audit, "audited"), .query = "audit_query",
      .text = "events checked, rows compared, or the first difference" },
    { READS(API "/audit/export", ROUTE_PACKED, export, "exported"), .query = "export_query",
      .text = "events with every column that the chain's hash covers" },
    { READS(API "/audit/report", ROUTE_HEAVY, report, "report"), .query = "span_query",
      .text = "who changed, decided and did what between two instants, and whether it was their own" },
    { READS(API "/replica", ROUTE_WAITS, replica, "replica"), .query = "replica_query",
      .is_news = view_replica_is_news,
      .text = "a stretch of the history with bodies and documents, for a standby" },
    { READS(API "/doctor", ROUTE_LIVE | ROUTE_LIST, doctor, "doctor"), .text = "findings, each with its mend" },
    { "GET", "/metrics", AUTH_VIEWER | AUTH_SCRAPE, ROUTE_MEASURE | ROUTE_TEXT, .read = routes_read_metrics,
      .text = "numbers, in the text format of Prometheus ([metrics.md](metrics.md))" },
    { "GET", API "/health", AUTH_VIEWER | AUTH_SCRAPE, ROUTE_MEASURE | ROUTE_HEALTH, .read = routes_read_health,
      .answer = "health", .text = "how the daemon is, and what it needs, by kind; 503 with the same where it is unhealthy" },
    { READS(API "/health/detailed", ROUTE_MEASURE | ROUTE_HEALTH, health_detailed, "health_detailed"),
      .text = "each thing that it needs" },
    { "GET", API "/sd/prometheus", AUTH_VIEWER | AUTH_SCRAPE, ROUTE_LIST, .read = routes_read_targets,
      .answer = "[scrape_target]", .text = "instances of live sets whose services say `metrics`, for `http_sd_configs` of Prometheus" },
    { READS(API "/openapi.json", ROUTE_LIST | ROUTE_PACKED, openapi, "openapi"), .text = "these routes as an OpenAPI 3.1 document" },
    { BEGINS(ENV "/reconcile", OPERATOR, RECONCILE, "reason_body"),
      .text = "fetch and plan now; takes the name of an environment that nobody has heard of yet, too" },
    { BEGINS(PLAN "/approve", APPROVER, APPROVE, "approve_body"), .flags = ROUTE_PERSON,
      .text = "let it run: `approved`, or `waiting` with how many are missing" },
    { BEGINS(PLAN "/override", AUTH_OVERRIDE, OVERRIDE, "reason_body"), .flags = ROUTE_PERSON,
      .text = "let it run within an hour, whatever approvals it lacks, in a freeze too; never where data is at stake" },
    { BEGINS(PLAN "/reject", APPROVER, REJECT, "reason_body"), .text = "keep things as they are" },
    { "POST", ENV "/plan", AUTH_OPERATOR | APPROVER, ROUTE_HEAVY, .verb = COMMAND_TRY,
      .body = "try_body", .answer = "tried", .text = "the plan of a commit that is not merged, stored nowhere" },
    { BEGINS(ENV "/cancel", OPERATOR, CANCEL, "reason_body"), .text = "the running plan goes back" },
    { BEGINS(ENV "/advance", OPERATOR, ADVANCE, "advance_body"),
      .text = "end a pause or a bake, of one service's group or of all: the running plan goes on" },
    { BEGINS(ENV "/undo", OPERATOR, UNDO, "back_body"), .text = "back to the previous sets" },
    { BEGINS(ENV "/rollback", OPERATOR, ROLLBACK, "rollback_body"), .text = "to an earlier revision" },
    { BEGINS(ENV "/hold", OPERATOR, HOLD, "hold_body"), .text = "change nothing" },
    { BEGINS(ENV "/resume", OPERATOR, RESUME, "reason_body"), .text = "end the holds" },
    { BEGINS(ENV "/run", OPERATOR, RUN, "run_body"), .text = "a job runs now" },
    { "POST", ENV "/notifications/test", OPERATOR, .verb = COMMAND_TEST, .body = "test_body", .answer = "tested",
      .text = "whom its specs name to be told, or one of them, is sent a test now" },
    { "POST", API "/notifications/test", AUTH_ADMIN, .verb = COMMAND_TEST, .body = "test_body", .answer = "tested",
      .text = "the same of the Daemon document" },
    { BEGINS(ENV "/rebind", AUTH_ADMIN, REBIND, "rebind_body"),
      .text = "the name belongs to another source or branch" },
    { BEGINS(API "/sources/NAME/bundle", AUTH_ADMIN, BUNDLE, "bundle_body"),
      .text = "its branches go on as a signed git bundle says" },
    { BEGINS(API "/clock/resume", AUTH_ADMIN, CLOCK, "reason_body"),
      .text = "the wall clock is right, whatever it did" },
    { BEGINS(ENV "/retry", OPERATOR, RETRY, "reason_body"), .text = "lift quarantine and back-off" },
    { BEGINS(ENV "/adopt", AUTH_ADMIN, ADOPT, "adopt_body"),
      .text = "what its provider calls `id` is the resource: the next plan takes it over" },
    { BEGINS(ENV "/forget", AUTH_ADMIN, FORGET, "forget_body"),
      .text = "it leaves our hands and stays as it is" },
    { "POST", API "/takeover", AUTH_ADMIN, .verb = COMMAND_TAKEOVER, .body = "takeover_body",
      .answer = "takeover", .text = "of a standby: it goes on as the daemon" },
    { BEGINS(OPERATION "/settle", AUTH_ADMIN, SETTLE, "settle_body"),
      .text = "say how a parked operation ended" },
    { "GET", API "/tokens", AUTH_ADMIN, 0, .read = routes_read_tokens, .answer = "tokens",
      .text = "every token with what it may, and when it was used last" },
    { "POST", API "/tokens", AUTH_ADMIN, 0, .verb = COMMAND_TOKEN, .body = "token_body", .answer = "token_made",
      .text = "a new token: its text stands in this answer and nowhere else" },
    { "POST", TOKEN "/revoke", AUTH_ADMIN, 0, .verb = COMMAND_REVOKE, .body = "revoke_body", .answer = "token",
      .text = "it is good no more" },
    { "POST", API "/sign-in", 0, ROUTE_OPEN, .work = login_in, .body = "sign_in_body", .answer = "who",
      .text = "a session by name and password; its cookie comes with the answer" },
    { "GET", API "/sign-in", 0, ROUTE_OPEN, .work = login_ways, .answer = "sign_in_ways",
      .text = "how people sign in here" },
    { "GET", API "/oidc/start", 0, ROUTE_OPEN | ROUTE_PAGE, .work = oidc_start, .query = "oidc_start_query",
      .text = "on to the identity provider" },
    { "GET", API "/oidc/callback", 0, ROUTE_OPEN | ROUTE_PAGE, .work = oidc_callback,
      .query = "oidc_callback_query", .text = "back from there, signed in" },
    { "POST", API "/sign-out", 0, ROUTE_LIST, .work = login_out, .answer = "said",
      .text = "the session is over" },
    { "GET", API "/me", 0, ROUTE_LIST, .work = login_me, .answer = "who",
      .text = "who asks, and what they may" },
    { "GET", API "/people", AUTH_ADMIN, 0, .read = routes_read_people, .answer = "people",
      .text = "who stands in auth.people, and how they sign in" },
    { "GET", PERSON "/sessions", AUTH_ADMIN, 0, .read = routes_read_sessions, .answer = "sessions",
      .text = "where a person is signed in" },
    { "POST", PERSON "/password", AUTH_ADMIN, ROUTE_PERSON, .work = login_password, .body = "password_body", .answer = "said",
      .text = "another password for a person; their sessions end" },
    { "POST", PERSON "/sign-out", AUTH_ADMIN, 0, .work = login_out_all, .answer = "said",
      .text = "all sessions of a person end" },
    { SHOWS("/"), .text = "the page; what is in it is asked of the routes above, by who has signed in" },
    { SHOWS("/environments"), .text = "the same: a view is chosen by the address" },
    { SHOWS("/environments/NAME"), .text = "the same" },
    { SHOWS("/plans"), .text = "the same" },
    { SHOWS("/plans/ID"), .text = "the same" },
    { SHOWS("/history"), .text = "the same" },
    { SHOWS("/system"), .text = "the same" },
    { SHOWS("/access"), .text = "the same" },
    { SHOWS("/sign-in"), .text = "the same" },
    { SHOWS("/app/NAME"), .text = "a file of the page" },
    { SHOWS("/app/views/NAME"), .text = "a file of the page" },
    { SHOWS("/app/vendor/NAME"), .text = "a file of the page" },
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

/* A stream has no end whose headers could be told, and a browser that signs in goes there itself. */
static int has_head(const struct route *route)
{
    return str_eq_c(S("GET"), route->method) && !(route->flags & ROUTE_STREAM) &&
           (!(route->flags & ROUTE_PAGE) || route->flags & ROUTE_FILE);
}

static int is_asked_by(const struct route *route, struct str method)
{
    return str_eq_c(method, route->method) || (str_eq_c(method, "HEAD") && has_head(route));
}

int routes_match(struct str method, struct str path, struct route_call *ret, struct err *err)
{
    int is_path = 0;

    for (size_t i = 0; i < N_ELEMENTS(routes); i++) {
        struct str param = S("");

        if (!path_matches(str_from_c(routes[i].path), path, &param))
            continue;
        is_path = 1;
        if (!is_asked_by(&routes[i], method))
            continue;
        ret->route = &routes[i];
        ret->param = param;
        return 0;
    }
    if (is_path)
        return err_set(err, ERR_METHOD, "'%.*s' is not asked by %.*s", STR_ARG(path),
                       STR_ARG(method));
    return err_set(err, ERR_NOT_FOUND, "no route '%.*s'", STR_ARG(path));
}

struct str routes_allow(struct arena *a, struct str path)
{
    struct str param;
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < N_ELEMENTS(routes); i++)
        if (path_matches(str_from_c(routes[i].path), path, &param))
            sb_addf(&b, "%s%s%s", b.n ? ", " : "", routes[i].method,
                    has_head(&routes[i]) ? ", HEAD" : "");
    return sb_str(&b);
}

int routes_check(const struct route_call *call, enum shapes_form form, struct err *err)
{
    AUTO_ARENA struct arena scratch = { 0 };
    const char *shape = form == SHAPES_QUERY ? call->route->query : call->route->body;

    return shapes_check(&scratch, str_from_c(shape ? shape : ""), form,
                        form == SHAPES_QUERY ? call->query : call->body, err);
}
