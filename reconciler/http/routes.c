/* The table, and how a path finds its row. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/routes.h"

#include "base/guard.h"
#include "reconciler/http/routes_parts.h"

#define REASON (ROUTE_FIELD_REASON | ROUTE_FIELD_BREAK_GLASS)

/* clang-format off */
static const struct route routes[] = {
    { "GET", API "/status", AUTH_VIEWER, ROUTE_LIVE, .read = routes_read_status,
      .text = "installation, version, sources with heads and errors, environments" },
    { "GET", ENV, AUTH_VIEWER, ROUTE_LIVE, .read = routes_read_environment,
      .text = "sync, health, revision, services with sets and instances, routes, holds, quarantine" },
    { "GET", ENV "/plan", AUTH_VIEWER, 0, .read = routes_read_plan_of,
      .text = "the plan that is open, waiting or applying, else the last one" },
    { "GET", ENV "/diff", AUTH_VIEWER, 0, .read = routes_read_diff, .query = "from to",
      .text = "what differs between two of its revisions" },
    { "GET", PLAN, AUTH_VIEWER, 0, .read = routes_read_plan,
      .text = "the plan's document, decisions, operations and rollouts" },
    { "GET", PLAN "/progress", AUTH_VIEWER, ROUTE_WAITS, .read = routes_read_progress, .query = "after wait_ms",
      .text = "events of the plan after `after`, what runs, its state" },
    { "GET", API "/history", AUTH_VIEWER, 0, .read = routes_read_history,
      .query = "env after before from_ms to_ms kind subject actor limit newest bodies", .text = "events" },
    { "GET", ENV "/history", AUTH_VIEWER, 0, .read = routes_read_state_at, .query = "at_ms",
      .text = "what was there at `at_ms`, by which plan, decided by whom" },
    { "GET", ENV "/explain", AUTH_VIEWER, 0, .read = routes_read_explain, .query = "subject",
      .text = "why it is as it is, and what a person can do" },
    { "GET", ENV "/logs", AUTH_VIEWER, 0, .read = routes_read_logs, .query = "service lines",
      .text = "the newest lines of each instance" },
    { "GET", API "/audit/verify", AUTH_VIEWER, ROUTE_HEAVY, .read = routes_read_audit, .query = "replay",
      .text = "events checked, rows compared, or the first difference" },
    { "GET", API "/doctor", AUTH_VIEWER, ROUTE_LIVE, .read = routes_read_doctor,
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
