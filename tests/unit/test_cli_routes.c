/* cli: what it can do, a client of the API can do. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/cli/cli.h"
#include "reconciler/http/routes.h"

#define API "/api/v1"
#define ENV API "/environments/NAME"
#define PLAN API "/plans/ID"
#define ROUTES_MAX 6

/* Each verb with the routes that do it, or with the reason why there are none. */
static const struct row {
    const char *verb, *why_none;
    const char *routes[ROUTES_MAX];
} rows[] = {
    { "status", NULL, { "GET " API "/status", "GET " ENV } },
    { "plan",
      NULL,
      { "GET " ENV "/plan", "GET " PLAN, "GET " ENV "/diff", "POST " ENV "/plan",
        "GET " API "/status" } },
    { "history", NULL, { "GET " API "/history", "GET " ENV "/history", "GET " ENV "/changes" } },
    { "explain", NULL, { "GET " ENV "/explain" } },
    { "logs", NULL, { "GET " ENV "/logs" } },
    { "schema", "says what the program knows; of the API GET /api/v1/openapi.json does", { NULL } },
    { "validate", "of files alone", { NULL } },
    { "apply",
      NULL,
      { "POST " ENV "/reconcile", "POST " API "/sources/NAME/bundle", "GET " API "/status",
        "GET " ENV, "GET " PLAN "/progress" } },
    { "approve", NULL, { "POST " PLAN "/approve", "POST " PLAN "/override" } },
    { "run", NULL, { "POST " ENV "/run", "GET " ENV } },
    { "reject", NULL, { "POST " PLAN "/reject" } },
    { "undo", NULL, { "POST " ENV "/undo" } },
    { "rollback", NULL, { "POST " ENV "/rollback" } },
    { "cancel", NULL, { "POST " ENV "/cancel" } },
    { "advance", NULL, { "POST " ENV "/advance" } },
    { "hold", NULL, { "POST " ENV "/hold" } },
    { "resume", NULL, { "POST " ENV "/resume", "POST " API "/clock/resume" } },
    { "retry", NULL, { "POST " ENV "/retry" } },
    { "rebind", NULL, { "POST " ENV "/rebind" } },
    { "adopt", NULL, { "POST " ENV "/adopt" } },
    { "forget", NULL, { "POST " ENV "/forget" } },
    { "settle", NULL, { "POST " API "/operations/UID/settle" } },
    { "serve", NULL, { "GET " API "/replica" } },
    { "takeover", NULL, { "POST " API "/takeover", "GET " API "/status" } },
    { "once", "is a daemon for one turn, in the place of the other", { NULL } },
    { "recover", "where no daemon can start", { NULL } },
    { "token",
      NULL,
      { "POST " API "/tokens", "GET " API "/tokens", "POST " API "/tokens/ID/revoke" } },
    { "people",
      NULL,
      { "GET " API "/people", "GET " API "/people/NAME/sessions",
        "POST " API "/people/NAME/password", "POST " API "/people/NAME/sign-out" } },
    { "notify",
      NULL,
      { "GET " ENV "/notifications", "GET " API "/notifications", "POST " ENV "/notifications/test",
        "POST " API "/notifications/test" } },
    { "doctor", NULL, { "GET " API "/doctor" } },
    { "check", "asks this machine what a daemon would find", { NULL } },
    { "completion", "of the tables of verbs and options", { NULL } },
    { "version", "of this program; the daemon's is in GET /api/v1/status", { NULL } },
    { "audit",
      NULL,
      { "GET " API "/audit/verify", "GET " API "/audit/export", "GET " API "/audit/report" } },
    { "help", "of this program", { NULL } },
    { "git-worker", "a child of the daemon", { NULL } },
};

/* What a browser does, which has no other way to say who asks. */
static const char *const of_browsers[] = { "POST " API "/sign-in", "POST " API "/sign-out" };

static const struct row *find_row(const char *verb)
{
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (!strcmp(rows[i].verb, verb))
            return &rows[i];
    return NULL;
}

static void expect_route(const char *text)
{
    struct str rest = str_from_c(text), method;
    struct route_call call;
    struct err err = ERR_INIT;

    print_message("    %s\n", text);
    assert_true(str_next(&rest, ' ', &method));
    assert_int_equal(routes_match(method, rest, &call, &err), 0);
    assert_true(str_eq_c(rest, call.route->path));
}

static void test_every_verb_has_its_routes(void **state)
{
    size_t n;
    const struct cli_verb *verbs = cli_verbs(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        const struct row *row = find_row(verbs[i].name);

        print_message("  %s\n", verbs[i].name);
        assert_non_null(row);
        assert_true(!row->routes[0] == !!row->why_none);
        assert_true(row->routes[0] || verbs[i].need == NEED_NOTHING || verbs[i].need == NEED_LOCK);
        for (size_t k = 0; k < ROUTES_MAX && row->routes[k]; k++)
            expect_route(row->routes[k]);
    }
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        assert_non_null(cli_find_verb(str_from_c(rows[i].verb)));
}

static int is_by_a_verb(const char *text)
{
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        for (size_t k = 0; k < ROUTES_MAX && rows[i].routes[k]; k++)
            if (!strcmp(text, rows[i].routes[k]))
                return 1;
    for (size_t i = 0; i < N_ELEMENTS(of_browsers); i++)
        if (!strcmp(text, of_browsers[i]))
            return 1;
    return 0;
}

static void test_every_command_has_its_verb(void **state)
{
    size_t n;
    const struct route *routes = routes_get(&n);
    char text[256];

    (void)state;
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(routes[i].method, "GET"))
            continue;
        (void)snprintf(text, sizeof(text), "%s %s", routes[i].method, routes[i].path);
        print_message("  %s\n", text);
        assert_true(is_by_a_verb(text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_verb_has_its_routes),
        cmocka_unit_test(test_every_command_has_its_verb),
    };

    return cmocka_run_group_tests_name("cli routes", tests, NULL, NULL);
}
