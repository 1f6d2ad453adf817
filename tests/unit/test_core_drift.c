/* core: what is remembered of fields that differ. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/core/drift.h"
#include "tests/unit/test_core_given.h"

#define NOW (INT64_C(100) * DRIFT_SOON_MS)

struct drift_row {
    const char *sentence, *wanted, *seen, *modes, *memory;
    const char *is, *reported, *unstable; /* of `size` afterwards; told now */
};

/* A label, as the operation's own, is no field; seen 7 has the print below. */
static const struct drift_row drift_rows[] = {
    { "what is as it was wanted is not remembered", "{\"size\":1}", "{\"size\":1}", NULL, "{}", "",
      "", "" },
    { "what differs is found", "{\"size\":1}", "{\"size\":7}", NULL, "{}", "found", "", "" },
    { "what does not show cannot differ", "{\"size\":1}", "{}", NULL, "{}", "", "", "" },
    { "nor what is filled in later", "{\"size\":{\"secret\":\"x\",\"version\":\"v1\"}}",
      "{\"size\":7}", NULL, "{}", "", "", "" },
    { "what is reported is told", "{\"size\":1}", "{\"size\":7}", "{\"size\":\"report\"}", "{}",
      "reported", "size", "" },
    { "by the rest of the modes, too", "{\"size\":1}", "{\"size\":7}", "{\"\":\"report\"}", "{}",
      "reported", "size", "" },
    { "the longest path says", "{\"size\":1}", "{\"size\":7}",
      "{\"\":\"report\",\"size\":\"enforce\"}", "{}", "found", "", "" },
    { "what is ignored is not seen", "{\"size\":1}", "{\"size\":7}", "{\"size\":\"ignore\"}", "{}",
      "", "", "" },
    { "nor what is kept", "{\"size\":1}", "{\"size\":7}", "{\"size\":\"keep\"}", "{}", "", "", "" },
    { "another value is told again", "{\"size\":1}", "{\"size\":7}", "{\"size\":\"report\"}",
      "{\"size\":{\"is\":\"reported\",\"seen\":\"0123456789abcdef\"}}", "reported", "size", "" },
    { "what was repaired a moment ago is unstable", "{\"size\":1}", "{\"size\":7}", NULL,
      "{\"size\":{\"at_ms\":59990000,\"is\":\"repaired\"}}", "unstable", "", "size" },
    { "what was repaired long ago is found", "{\"size\":1}", "{\"size\":7}", NULL,
      "{\"size\":{\"at_ms\":1,\"is\":\"repaired\"}}", "found", "", "" },
    { "what is unstable is told once", "{\"size\":1}", "{\"size\":7}", NULL,
      "{\"size\":{\"is\":\"unstable\"}}", "unstable", "", "" },
    { "and stays so while it is not wanted otherwise", "{\"size\":1}", "{\"size\":1}", NULL,
      "{\"size\":{\"is\":\"unstable\"}}", "unstable", "", "" },
};

static struct drift_look given_look(struct arena *a, const struct drift_row *row)
{
    return (struct drift_look){ .wanted = given_json(a, row->wanted),
                                .seen = given_json(a, row->seen),
                                .modes = row->modes ? given_json(a, row->modes) : NULL,
                                .memory = given_json(a, row->memory),
                                .now_ms = NOW };
}

static struct str word_of(const struct value *memory)
{
    return value_get_text(value_get(memory, S("size")), S("is"), S(""));
}

static void test_drift(void **state)
{
    const struct drift_row *row = *state;
    struct arena a;
    struct drift_look look;
    struct drift_news news, again;

    arena_init(&a, 0);
    look = given_look(&a, row);
    news = drift_judge(&a, &look);
    assert_true(str_eq_c(word_of(news.memory), row->is));
    assert_true(str_eq_c(news.reported, row->reported));
    assert_true(str_eq_c(news.unstable, row->unstable));
    look.memory = news.memory;
    again = drift_judge(&a, &look); /* the same world tells nothing new */
    assert_int_equal(again.reported.n + again.unstable.n, 0);
    arena_fini(&a);
}

static void test_after_it_was_applied(void **state)
{
    struct arena a;
    struct drift_look look;
    struct drift_news news;

    (void)state;
    arena_init(&a, 0);
    look = (struct drift_look){ .wanted = given_json(&a, "{\"size\":1,\"tags\":[1,2]}"),
                                .seen = given_json(&a, "{\"size\":1,\"tags\":[2,1]}"),
                                .memory = given_json(&a, "{\"size\":{\"is\":\"found\"}}"),
                                .now_ms = NOW };
    news = drift_applied(&a, &look);
    assert_true(str_eq_c(word_of(news.memory), "repaired"));
    assert_true(str_eq_c(news.unstable, "tags")); /* its order says something */
    look.type = given_json(&a, "{\"unordered\":[\"tags\"]}");
    news = drift_applied(&a, &look);
    assert_int_equal(news.unstable.n, 0);
    arena_fini(&a);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMENTS(drift_rows) + 1];
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(drift_rows); i++)
        tests[n++] = (struct CMUnitTest){ .name = drift_rows[i].sentence,
                                          .test_func = test_drift,
                                          .initial_state = (void *)(uintptr_t)&drift_rows[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_after_it_was_applied);
    return _cmocka_run_group_tests("drift", tests, n, NULL, NULL);
}
