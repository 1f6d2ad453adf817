/* core/health_word: what an answer in JSON says, a row each. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/health_word.h"
#include "tests/unit/test_core_given.h"

static const char expect[] = "{\"path\":\"status\",\"healthy\":[\"ok\",\"true\",\"1\"],"
                             "\"degraded\":[\"degraded\"]}";
static const char deep[] = "{\"path\":\"checks.database.status\",\"healthy\":[\"ok\"]}";

static const struct {
    const char *sentence, *expect, *body;
    enum health_word word;
    const char *says;
} rows[] = {
    { "healthy", expect, "{\"status\":\"ok\"}", HEALTH_WORD_HEALTHY, NULL },
    { "true is a word", expect, "{\"status\":true}", HEALTH_WORD_HEALTHY, NULL },
    { "a number is a word", expect, "{\"status\":1}", HEALTH_WORD_HEALTHY, NULL },
    { "what else is in there does not matter", expect,
      "{\"uptime\":12.5,\"none\":null,\"status\":\"ok\",\"more\":[{\"a\":1e9}]}",
      HEALTH_WORD_HEALTHY, NULL },
    { "below other words", deep, "{\"checks\":{\"database\":{\"status\":\"ok\"}}}",
      HEALTH_WORD_HEALTHY, NULL },
    { "degraded serves", expect, "{\"status\":\"degraded\"}", HEALTH_WORD_DEGRADED,
      "'status' is 'degraded'" },
    { "any other word is bad", expect, "{\"status\":\"OK\"}", HEALTH_WORD_BAD, "'status' is 'OK'" },
    { "a fraction is no integer", expect, "{\"status\":1.5}", HEALTH_WORD_BAD,
      "'status' is '1.5'" },
    { "no word is bad", expect, "{\"state\":\"ok\"}", HEALTH_WORD_BAD,
      "its answer has no word at 'status'" },
    { "null is no word", expect, "{\"status\":null}", HEALTH_WORD_BAD,
      "its answer has no word at 'status'" },
    { "nor is a map", expect, "{\"status\":{\"ok\":1}}", HEALTH_WORD_BAD,
      "its answer has no word at 'status'" },
    { "nor a list", deep, "[\"ok\"]", HEALTH_WORD_BAD,
      "its answer has no word at 'checks.database.status'" },
    { "what is no JSON is bad", expect, "ok", HEALTH_WORD_BAD, NULL },
    { "nothing is bad", expect, "", HEALTH_WORD_BAD, NULL },
    { "a word twice is bad", expect, "{\"status\":\"no\",\"status\":\"ok\"}", HEALTH_WORD_BAD,
      NULL },
};

static void test_an_answer_says_how_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a;
        struct str says;
        enum health_word word;

        arena_init(&a, 0);
        word = health_word_judge(&a, given_json(&a, rows[i].expect), str_from_c(rows[i].body),
                                 &says);
        if (word != rows[i].word || (rows[i].says && !str_eq_c(says, rows[i].says)))
            fail_msg("%s: %d '%.*s'", rows[i].sentence, (int)word, STR_ARG(says));
        arena_fini(&a);
    }
}

/* One that is cut is not understood. */
static void test_an_answer_has_a_limit(void **state)
{
    static char body[HEALTH_WORD_BYTES_MAX + 2];
    struct arena a;
    struct str says;

    (void)state;
    arena_init(&a, 0);
    memset(body, ' ', sizeof(body));
    memcpy(body, "{\"status\":\"ok\"}", strlen("{\"status\":\"ok\"}"));
    assert_int_equal(health_word_judge(&a, given_json(&a, expect),
                                       (struct str){ body, HEALTH_WORD_BYTES_MAX }, &says),
                     HEALTH_WORD_HEALTHY);
    assert_int_equal(health_word_judge(&a, given_json(&a, expect),
                                       (struct str){ body, HEALTH_WORD_BYTES_MAX + 1 }, &says),
                     HEALTH_WORD_BAD);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_says_how_it_is),
        cmocka_unit_test(test_an_answer_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
