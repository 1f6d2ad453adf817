/* core/trigger: whether the time of a commit has come. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/core/trigger.h"
#include "reconciler/core/weaken.h"
#include "specs/json_io.h"

#define NOW_MS 1732099031000 /* 2024-11-20T10:37:11Z */
#define MINUTE 60000

static const struct value *given(struct arena *a, const char *json)
{
    struct value *v;
    struct err err = ERR_INIT;

    assert_int_equal(json_parse(a, str_from_c(json), 1 << 16, &v, &err), 0);
    return v;
}

#define STAGING "{\"staging\":{\"state\":\"healthy\",\"same\":\"tree\",\"for_ms\":1800000}}"
#define KNOWN .is_known = 1, .is_settled = 1
#define SERVES .commit = S_INIT("c1"), .tree = S_INIT("t1")
#define WELL .sync = S_INIT("in_sync"), .health = S_INIT("healthy")

/* clang-format off */
static const struct {
    const char *sentence, *asked;
    struct trigger_first first;
    const char *text; /* NULL: it waits for nothing */
    int64_t again_ms;
} rows[] = {
    { "nothing is asked for", "{}", { .is_known = 0 }, NULL, -1 },
    { "there is none", STAGING, { .is_known = 0 }, "waits for staging: there is no such environment yet", -1 },
    { "another tree", STAGING, { KNOWN, WELL, .commit = S_INIT("c0ffee00c0ffee"), .tree = S_INIT("t0") },
      "waits for staging: it has another tree, of commit c0ffee00c0ff", -1 },
    { "another commit of the same tree", STAGING,
      { KNOWN, WELL, .commit = S_INIT("c0"), .tree = S_INIT("t1"), .since_ms = NOW_MS - 31 * MINUTE }, NULL, -1 },
    { "the commit is asked for", "{\"staging\":{\"same\":\"commit\"}}", { KNOWN, WELL, .commit = S_INIT("c0"), .tree = S_INIT("t1") },
      "waits for staging: it has another commit, of commit c0", -1 },
    { "it is at work", STAGING, { .is_known = 1, SERVES, WELL }, "waits for staging: it has not settled", -1 },
    { "it waits for somebody", STAGING, { KNOWN, SERVES, .sync = S_INIT("waiting"), .health = S_INIT("healthy") },
      "waits for staging: it is waiting", -1 },
    { "it is not well", STAGING, { KNOWN, SERVES, .sync = S_INIT("in_sync"), .health = S_INIT("degraded") },
      "waits for staging: it is degraded", -1 },
    { "that is not asked for", "{\"staging\":{\"state\":\"in_sync\"}}",
      { KNOWN, SERVES, .sync = S_INIT("in_sync"), .health = S_INIT("degraded") }, NULL, -1 },
    { "not for long enough", STAGING, { KNOWN, SERVES, WELL, .since_ms = NOW_MS - 10 * MINUTE },
      "waits for staging: it has to stay so for 30m, until 2024-11-20T10:57:11Z", 20 * MINUTE },
    { "for as long as that", STAGING, { KNOWN, SERVES, WELL, .since_ms = NOW_MS - 30 * MINUTE }, NULL, -1 },
    { "one of two", "{\"other\":{\"state\":\"healthy\"},\"staging\":{\"state\":\"healthy\"}}",
      { KNOWN, SERVES, WELL, .since_ms = NOW_MS }, "waits for other: there is no such environment yet", -1 },
};
/* clang-format on */

static void test_an_environment_that_comes_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a;
        struct trigger_first first = rows[i].first;
        struct trigger_case c = {
            .commit = S("c1"), .tree = S("t1"), .firsts = &first, .n_firsts = 1, .now_ms = NOW_MS
        };
        struct value *trigger;
        struct str text;
        int64_t again_ms;

        arena_init(&a, 0);
        first.name = S("staging");
        trigger = value_map(&a);
        value_set(&a, trigger, S("require_environment"), value_copy(&a, given(&a, rows[i].asked)));
        c.trigger = trigger;
        text = trigger_waits(&a, &c, &again_ms);
        if (rows[i].text ? !str_eq_c(text, rows[i].text) : text.p != NULL)
            fail_msg("%s: '%.*s'", rows[i].sentence, STR_ARG(text));
        assert_int_equal(again_ms, rows[i].again_ms);
    }
}

/* Commits at these times, looked at that time: so long it still waits. */
static void test_further_commits_are_waited_for(void **state)
{
    static const struct {
        const char *sentence;
        int64_t length, at[12];
        int64_t look, left;
    } cases[] = {
        { "nothing is asked for", 0, { 1 }, 1, 0 },
        { "one commit", 15, { 100 }, 100, 15 },
        { "while it lasts", 15, { 100 }, 110, 5 },
        { "it is over", 15, { 100 }, 115, 0 },
        { "another within the time begins it again", 15, { 100, 110 }, 110, 15 },
        { "one after it is one of its own", 15, { 100, 120 }, 120, 15 },
        { "ten lengths after the first it goes on",
          15,
          { 100, 114, 128, 142, 156, 170, 184, 198, 212, 226, 240 },
          240,
          10 },
        { "in any case",
          15,
          { 100, 114, 128, 142, 156, 170, 184, 198, 212, 226, 240, 249 },
          250,
          0 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct trigger_burst b = { 0 };
        struct digest revision = { { 0 } };
        int64_t left;

        for (size_t j = 0; j < 12 && cases[i].at[j]; j++) {
            revision.b[0]++;
            (void)trigger_debounce(&b, &revision, cases[i].length, cases[i].at[j]);
        }
        left = trigger_debounce(&b, &revision, cases[i].length, cases[i].look);
        if (left != cases[i].left)
            fail_msg("%s: %lld", cases[i].sentence, (long long)left);
    }
}

#define FIRST(words) "{\"trigger\":{\"require_environment\":{\"staging\":{" words "}}}}"
#define CHECKS(words) "{\"trigger\":{\"require_checks\":[" words "]}}"

static void test_what_is_laxer_asks(void **state)
{
    static const struct {
        const char *sentence, *before, *after, *fields;
    } cases[] = {
        { "the same", FIRST("\"for_ms\":5"), FIRST("\"for_ms\":5"), NULL },
        { "longer", FIRST("\"for_ms\":5"), FIRST("\"for_ms\":6"), NULL },
        { "shorter", FIRST("\"for_ms\":5"), FIRST("\"for_ms\":4"),
          "trigger.require_environment.staging from {for: 5ms} to {for: 4ms}" },
        { "gone", FIRST("\"for_ms\":5"), "{\"trigger\":{}}",
          "trigger.require_environment.staging is gone" },
        { "a tree for a commit", FIRST("\"same\":\"commit\""), FIRST("\"same\":\"tree\""),
          "trigger.require_environment.staging from {same: commit} to {same: tree}" },
        { "a commit for a tree", FIRST("\"same\":\"tree\""), FIRST("\"same\":\"commit\""), NULL },
        { "no health", FIRST("\"state\":\"healthy\""), FIRST("\"state\":\"in_sync\""),
          "trigger.require_environment.staging from {state: healthy} to {state: in_sync}" },
        { "another check too", CHECKS("{\"name\":\"a\"}"),
          CHECKS("{\"name\":\"b\"},{\"name\":\"a\"}"), NULL },
        { "one less", CHECKS("{\"name\":\"a\"},{\"name\":\"b\"}"), CHECKS("{\"name\":\"a\"}"),
          "trigger.require_checks without {name: b}" },
        { "from somebody alone", CHECKS("{\"name\":\"a\"}"),
          CHECKS("{\"app\":\"x\",\"name\":\"a\"}"), NULL },
        { "from anybody", CHECKS("{\"app\":\"x\",\"name\":\"a\"}"), CHECKS("{\"name\":\"a\"}"),
          "trigger.require_checks without {app: x, name: a}" },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        AUTO_ARENA struct arena a;
        struct str fields;

        arena_init(&a, 0);
        fields = weaken_fields(&a, S("policy"), given(&a, cases[i].before),
                               given(&a, cases[i].after));
        if (cases[i].fields ? !str_eq_c(fields, cases[i].fields) : fields.p != NULL)
            fail_msg("%s: '%.*s'", cases[i].sentence, STR_ARG(fields));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_environment_that_comes_first),
        cmocka_unit_test(test_further_commits_are_waited_for),
        cmocka_unit_test(test_what_is_laxer_asks),
    };

    return cmocka_run_group_tests_name("core trigger", tests, NULL, NULL);
}
