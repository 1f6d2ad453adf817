/* core/checks: what a forge says of a commit. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/core/checks.h"
#include "specs/forge.h"
#include "specs/json_io.h"

static const struct value *given(struct arena *a, const char *json)
{
    struct value *v;
    struct err err = ERR_INIT;

    if (json_parse_answer(a, str_from_c(json), 1 << 16, &v, &err))
        fail_msg("%s", err.text);
    return v;
}

#define RUN(name, conclusion, app)                                                                 \
    "{\"name\":\"" name "\",\"conclusion\":" conclusion ",\"app\":{\"slug\":\"" app                \
    "\"},\"html_url\":\"u\",\"took\":1.5}"
#define RUNS(...) "{\"total_count\":1,\"check_runs\":[" __VA_ARGS__ "]}"
#define JOB(name, status)                                                                          \
    "{\"name\":\"" name "\",\"status\":\"" status                                                  \
    "\",\"author\":{\"username\":\"bot\"},\"target_url\":\"u\"}"
#define SAID(context, status)                                                                      \
    "{\"context\":\"" context "\",\"status\":\"" status                                            \
    "\",\"creator\":{\"login\":\"bot\"},\"target_url\":\"u\"}"
#define BUILD "[{\"name\":\"build\"}]"

/* clang-format off */
static const struct {
    const char *sentence, *forge, *wanted, *first, *second;
    enum check_state state;
    const char *why;
} rows[] = {
    { "passed", "github", BUILD, RUNS(RUN("build", "\"success\"", "ci")), "[]", CHECK_PASSED, "" },
    { "skipped on purpose", "github", BUILD, RUNS(RUN("build", "\"neutral\"", "ci")), "[]", CHECK_PASSED, "" },
    { "it runs", "github", BUILD, RUNS(RUN("build", "null", "ci")), "[]", CHECK_PENDING, "waits for check 'build'" },
    { "a word that nobody knows", "github", BUILD, RUNS(RUN("build", "\"splendid\"", "ci")), "[]", CHECK_PENDING, "waits for check 'build'" },
    { "nobody reported it", "github", BUILD, RUNS(RUN("lint", "\"success\"", "ci")), "[]", CHECK_PENDING,
      "waits for check 'build', which nobody has reported yet" },
    { "failed", "github", BUILD, RUNS(RUN("build", "\"timed_out\"", "ci")), "[]", CHECK_FAILED, "refused: check 'build' failed: u" },
    { "by somebody else", "github", "[{\"app\":\"ci\",\"name\":\"build\"}]", RUNS(RUN("build", "\"success\"", "me")), "[]", CHECK_PENDING,
      "waits for check 'build' of ci, which nobody has reported yet" },
    { "a run passed, a status of its name failed", "github", BUILD, RUNS(RUN("build", "\"success\"", "ci")),
      "[{\"context\":\"build\",\"state\":\"error\",\"creator\":{\"login\":\"ci\"},\"target_url\":\"\\u001b[2J\"}]", CHECK_FAILED,
      "refused: check 'build' failed: \\u{1b}[2J" },
    { "the newest counts", "gitlab", BUILD, "[" JOB("build", "success") "," JOB("build", "failed") "]", "[]", CHECK_PASSED, "" },
    { "the newest failed", "gitlab", BUILD, "[" JOB("build", "canceled") "," JOB("build", "success") "]", "[]", CHECK_FAILED,
      "refused: check 'build' failed: u" },
    { "a pipeline", "gitlab", "[{\"name\":\"pipeline\"}]", "[]", "[{\"status\":\"success\",\"web_url\":\"u\"},{\"status\":\"failed\",\"web_url\":\"u\"}]",
      CHECK_PASSED, "" },
    { "one of two runs", "gitea", "[{\"name\":\"build\"},{\"name\":\"test\"}]", "[" SAID("build", "success") "," SAID("test", "pending") "]", NULL,
      CHECK_PENDING, "waits for check 'test'" },
    { "one of two failed", "gitea", "[{\"name\":\"test\"},{\"name\":\"build\"}]", "[" SAID("build", "failure") "," SAID("test", "pending") "]", NULL,
      CHECK_FAILED, "refused: check 'build' failed: u" },
};
/* clang-format on */

static void test_what_a_forge_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a;
        struct check_facts facts = { 0 };
        struct err err = ERR_INIT;
        struct str why = S("");
        enum check_state judged;
        int has_more = 0;

        arena_init(&a, 0);
        assert_int_equal(checks_take(&a, str_from_c(rows[i].forge), 0, given(&a, rows[i].first),
                                     &facts, &has_more, &err),
                         0);
        if (rows[i].second)
            assert_int_equal(checks_take(&a, str_from_c(rows[i].forge), 1,
                                         given(&a, rows[i].second), &facts, &has_more, &err),
                             0);
        judged = checks_judge(&a, given(&a, rows[i].wanted), &facts, &why);
        if (judged != rows[i].state || !str_eq_c(why, rows[i].why))
            fail_msg("%s: %d '%.*s'", rows[i].sentence, (int)judged, STR_ARG(why));
        assert_false(has_more);
    }
}

static void test_what_is_no_answer(void **state)
{
    static const char *const answers[] = { "{}", "[]", "{\"check_runs\":{}}", "{\"message\":\"x\"}",
                                           "7" };
    AUTO_ARENA struct arena a;
    struct check_facts facts = { 0 };
    int has_more;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(answers); i++) {
        struct err err = ERR_INIT;

        assert_int_equal(
            checks_take(&a, S("github"), 0, given(&a, answers[i]), &facts, &has_more, &err),
            ERR_INVALID);
    }
}

static void test_what_is_asked(void **state)
{
    static const struct {
        const char *forge;
        size_t i, page;
        const char *path;
    } paths[] = {
        { "github", 0, 1,
          "/repos/acme/shop/commits/c1/check-runs?filter=latest&per_page=100&page=1" },
        { "github", 1, 2, "/repos/acme/shop/commits/c1/statuses?per_page=100&page=2" },
        { "gitlab", 0, 1,
          "/projects/acme%2Fshop/repository/commits/c1/statuses?per_page=100&page=1" },
        { "gitlab", 1, 1, "/projects/acme%2Fshop/pipelines?sha=c1&per_page=100&page=1" },
        { "gitea", 0, 1, "/repos/acme/shop/commits/c1/statuses?limit=50&page=1" },
        { "gitea", 1, 1, NULL },
        { "bitbucket", 0, 1, NULL },
    };
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
        struct str path = checks_path(&a, str_from_c(paths[i].forge), paths[i].i, paths[i].page,
                                      S("acme/shop"), S("c1"));

        if (paths[i].path ? !str_eq_c(path, paths[i].path) : path.p != NULL)
            fail_msg("%s: '%.*s'", paths[i].forge, STR_ARG(path));
    }
    assert_true(str_eq_c(checks_sign_in(&a, S("gitlab"), S("x")), "PRIVATE-TOKEN: x"));
    assert_null(checks_sign_in(&a, S("bitbucket"), S("x")).p);
}

/* What the grammar knows, what is refused, and what is asked, are three tables. */
static void test_who_is_asked(void **state)
{
    struct str words = str_from_c(schema_field(SCHEMA_FORGE, S("type"))->words), type;
    AUTO_ARENA struct arena a;
    size_t n = 0;

    (void)state;
    arena_init(&a, 0);
    while (str_next(&words, '|', &type)) {
        int asks = checks_path(&a, type, 0, 1, S("r"), S("c")).p != NULL;

        print_message("  %.*s\n", STR_ARG(type));
        assert_int_equal(forge_does(type, FORGE_CHECKS), asks);
        assert_int_equal(checks_sign_in(&a, type, S("x")).p != NULL, asks);
        n++;
    }
    assert_int_equal(n, 4);
    assert_int_equal(forge_does(S(""), FORGE_CHECKS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_forge_says),
        cmocka_unit_test(test_what_is_no_answer),
        cmocka_unit_test(test_what_is_asked),
        cmocka_unit_test(test_who_is_asked),
    };

    return cmocka_run_group_tests_name("core checks", tests, NULL, NULL);
}
