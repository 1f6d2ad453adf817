/* http/routes: paths and bodies that lead somewhere, and those that do not. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/http/routes.h"
#include "reconciler/http/shapes.h"
#include "specs/json_io.h"

static void test_paths_find_their_route(void **state)
{
    static const struct {
        const char *sentence, *method, *path;
        int rc;
        const char *param;
    } rows[] = {
        { "a plain one", "GET", "/api/v1/status", 0, "" },
        { "a name in it", "GET", "/api/v1/environments/staging", 0, "staging" },
        { "a name in its middle", "POST", "/api/v1/environments/staging/undo", 0, "staging" },
        { "a plan", "POST", "/api/v1/plans/5c1e09/approve", 0, "5c1e09" },
        { "one part more", "GET", "/api/v1/status/x", ERR_NOT_FOUND, NULL },
        { "one part less", "GET", "/api/v1", ERR_NOT_FOUND, NULL },
        { "an empty name", "GET", "/api/v1/environments/", ERR_NOT_FOUND, NULL },
        { "another method", "POST", "/api/v1/status", ERR_METHOD, NULL },
        { "a head alone", "HEAD", "/api/v1/status", 0, "" },
        { "of what changes something", "HEAD", "/api/v1/environments/staging/undo", ERR_METHOD,
          NULL },
        { "of a stream", "HEAD", "/api/v1/events", ERR_METHOD, NULL },
        { "of what signs in", "HEAD", "/api/v1/oidc/callback", ERR_METHOD, NULL },
        { "the word NAME is a name like any other", "GET", "/api/v1/environments/NAME", 0, "NAME" },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct route_call call = { 0 };
        struct err err = ERR_INIT;

        print_message("  %s\n", rows[i].sentence);
        assert_int_equal(
            routes_match(str_from_c(rows[i].method), str_from_c(rows[i].path), &call, &err),
            rows[i].rc);
        if (rows[i].param)
            assert_true(str_eq_c(call.param, rows[i].param));
    }
}

static void test_bodies_become_commands(void **state)
{
    static const struct {
        const char *sentence, *path, *body;
        int rc;
        int64_t revision;
    } rows[] = {
        { "a rollback", "/api/v1/environments/e/rollback", "{\"revision\":42,\"reason\":\"r\"}", 0,
          42 },
        { "a member that is not of this route", "/api/v1/environments/e/undo", "{\"revision\":42}",
          ERR_USAGE, 0 },
        { "a member nobody knows", "/api/v1/environments/e/undo", "{\"force\":true}", ERR_USAGE,
          0 },
        { "a signature signs an approval", "/api/v1/plans/5c1e09/approve", "{\"signature\":\"x\"}",
          0, 0 },
        { "and nothing else", "/api/v1/plans/5c1e09/override", "{\"signature\":\"x\"}", ERR_USAGE,
          0 },
        { "glass is broken or not", "/api/v1/environments/e/undo", "{\"break_glass\":\"yes\"}",
          ERR_USAGE, 0 },
        { "a number as text", "/api/v1/environments/e/rollback", "{\"revision\":\"42\"}", ERR_USAGE,
          0 },
        { "a list", "/api/v1/environments/e/undo", "[]", ERR_USAGE, 0 },
        { "a word that is none", "/api/v1/operations/u/settle", "{\"as\":\"gone\"}", ERR_USAGE, 0 },
        { "without what it is about", "/api/v1/environments/e/run", "{}", ERR_USAGE, 0 },
    };
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct route_call call = { 0 };
        struct command command = { 0 };
        struct err err = ERR_INIT;
        struct value *body;

        print_message("  %s\n", rows[i].sentence);
        assert_int_equal(routes_match(S("POST"), str_from_c(rows[i].path), &call, &err), 0);
        assert_int_equal(json_parse(&a, str_from_c(rows[i].body), 1 << 20, &body, &err), 0);
        call.body = body;
        assert_int_equal(routes_command(&call, &command, &err), rows[i].rc);
        assert_int_equal(command.revision, rows[i].revision);
    }
}

/* Every type of a shape is one, and every route names shapes that are there. */
static void test_shapes_hold_together(void **state)
{
    AUTO_ARENA struct arena a;
    const struct shape_member *members;
    const struct route *routes;
    const char *name;
    size_t n;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; (name = shapes_name(i)); i++) {
        n = shapes_members(&a, str_from_c(name), &members);
        assert_true(n > 0);
        for (size_t k = 0; k < n; k++) {
            print_message("  %s.%s\n", name, members[k].name);
            assert_non_null(shapes_type_json(&a, str_from_c(members[k].type)));
        }
    }
    routes = routes_get(&n);
    for (size_t i = 0; i < n; i++) {
        print_message("  %s %s\n", routes[i].method, routes[i].path);
        if (routes[i].flags & (ROUTE_PAGE | ROUTE_TEXT))
            assert_null(routes[i].answer);
        else
            assert_non_null(shapes_text(shapes_inner(str_from_c(routes[i].answer))));
        assert_true(!routes[i].query || shapes_text(str_from_c(routes[i].query)));
        assert_true(!routes[i].body || shapes_text(str_from_c(routes[i].body)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_find_their_route),
        cmocka_unit_test(test_bodies_become_commands),
        cmocka_unit_test(test_shapes_hold_together),
    };

    return cmocka_run_group_tests_name("http routes", tests, NULL, NULL);
}
