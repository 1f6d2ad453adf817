/* core: a provider that does not answer is asked ever more seldom, until it answers. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/guard.h"
#include "reconciler/core/breaker.h"

#define SECOND ((int64_t)1000)

/* --- what an answer says about the provider */

static const struct judge_case {
    const char *sentence;
    struct breaker_facts facts;
    enum breaker_answer answer;
} judge_cases[] = {
    { "done is an answer", { .verdict = RV_DONE }, BREAKER_ANSWERED },
    { "done in the last moment is one", { .verdict = RV_DONE, .is_late = 1 }, BREAKER_ANSWERED },
    { "absent is an answer", { .verdict = RV_ABSENT }, BREAKER_ANSWERED },
    { "pending is an answer", { .verdict = RV_PENDING }, BREAKER_ANSWERED },
    { "a refusal is an answer", { .verdict = RV_USER }, BREAKER_ANSWERED },
    { "retry without acting is a failure", { .verdict = RV_RETRY }, BREAKER_FAILED },
    { "retry of what may have been done is not",
      { .verdict = RV_RETRY, .acted = RV_ACTED_MAYBE },
      BREAKER_SILENT },
    { "wait says nothing", { .verdict = RV_WAIT }, BREAKER_SILENT },
    { "fatal is the driver's", { .verdict = RV_FATAL }, BREAKER_SILENT },
    { "a deadline", { .verdict = RV_CANCELLED, .is_late = 1 }, BREAKER_LATE },
    { "a deadline after it acted",
      { .verdict = RV_RETRY, .acted = RV_ACTED_YES, .is_late = 1 },
      BREAKER_LATE },
    { "our own cancel", { .verdict = RV_CANCELLED, .is_cancelled = 1 }, BREAKER_SILENT },
    { "our own cancel, told as retry", { .verdict = RV_RETRY, .is_cancelled = 1 }, BREAKER_SILENT },
    { "an instance that is not well", { .verdict = RV_RETRY, .is_health = 1 }, BREAKER_SILENT },
    { "a look at its health that never ends",
      { .verdict = RV_CANCELLED, .is_late = 1, .is_health = 1 },
      BREAKER_LATE },
};

static void test_judge(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(judge_cases); i++)
        if (breaker_judge(&judge_cases[i].facts) != judge_cases[i].answer)
            fail_msg("%s", judge_cases[i].sentence);
}

/* --- what comes of them: a letter a call
 *
 *   a answered, f failed, l late, s silent; a capital is urgent and not asked for leave; x: it is refused;
 *   ( a call begins, ) it fails; . a second passes, : a minute */

static const struct walk_case {
    const char *sentence, *calls;
    int is_open;
    int64_t n_opened;
} walk_cases[] = {
    { "four failures are borne", "ffff", 0, 0 },
    { "five in a row are not", "fffffx", 1, 1 },
    { "an answer between begins anew", "ffffaffff", 0, 0 },
    { "silence does not", "ffffsf", 1, 1 },
    { "two deadlines are borne", "ll", 0, 0 },
    { "three are not", "lllx", 1, 1 },
    { "deadlines and failures count together", "llfffx", 1, 1 },
    { "after a second one is let through, which fails", "lllx.fx", 1, 2 },
    { "then it takes two", "lll.f.x.fx", 1, 3 },
    { "one that is answered closes it", "lll.a", 0, 0 },
    { "it is as if it had never failed", "lll.affff", 0, 0 },
    { "one at a time", "lll.(x:x)x", 1, 2 },
    { "one that says nothing leaves room for the next", "lll.sf", 1, 2 },
    { "what brings traffic back is not asked, and closes it", "lllA", 0, 0 },
    { "it does not make the others wait longer", "lllFFFF.fx", 1, 2 },
    { "an answer while one is tried closes it", "lll.(A)", 0, 0 },
    { "never longer than about a minute", "lll:f:f:f:f:f:f:f::f::fx", 1, 7 },
    { "which then is over", "lll:f:f:f:f:f:f:f::f::f::a", 0, 0 },
};

static enum breaker_answer answer_of(char letter)
{
    switch (letter) {
    case 'a':
    case 'A':
        return BREAKER_ANSWERED;
    case 'l':
        return BREAKER_LATE;
    case 's':
        return BREAKER_SILENT;
    default:
        return BREAKER_FAILED;
    }
}

/* How many times it opened and closed: by turns. */
static void walk(const struct walk_case *c, struct breaker *b)
{
    enum breaker_pass begun = BREAKER_PASSES, pass;
    int64_t now_ms = 7;
    int was_open = 0;

    for (const char *at = c->calls; *at; at++) {
        enum breaker_news news = BREAKER_NO_NEWS;

        if (*at == '.' || *at == ':') {
            now_ms += *at == '.' ? SECOND : 64 * SECOND;
            continue;
        }
        pass = *at == 'A' || *at == 'F' || *at == ')' ? BREAKER_PASSES : breaker_ask(b, now_ms);
        if ((pass == BREAKER_REFUSES) != (*at == 'x'))
            fail_msg("%s: at '%s'", c->sentence, at);
        if (*at == '(')
            begun = pass;
        else if (*at != 'x')
            news = breaker_note(b, *at == ')' ? begun : pass, answer_of(*at), now_ms, 0);
        if ((news == BREAKER_OPENS) != (!was_open && b->is_open) ||
            (news == BREAKER_CLOSES) != (was_open && !b->is_open))
            fail_msg("%s: told wrongly at '%s'", c->sentence, at);
        was_open = b->is_open;
    }
}

static void test_walk(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(walk_cases); i++) {
        struct breaker b = { 0 };

        walk(&walk_cases[i], &b);
        if (b.is_open != walk_cases[i].is_open || b.n_opened != walk_cases[i].n_opened)
            fail_msg("%s: open %d, %d times", walk_cases[i].sentence, b.is_open, (int)b.n_opened);
    }
}

static void test_since_and_again(void **state)
{
    struct breaker b = { 0 };

    (void)state;
    for (int64_t i = 0; i < BREAKER_FAILED_MAX; i++)
        (void)breaker_note(&b, BREAKER_PASSES, BREAKER_FAILED, (1 + i) * SECOND, 0);
    assert_int_equal(b.since_ms, SECOND); /* the first of them */
    assert_int_equal(breaker_wait_ms(&b, 5 * SECOND), SECOND);
    assert_int_equal(breaker_ask(&b, 6 * SECOND), BREAKER_TRIES);
    assert_int_equal(breaker_wait_ms(&b, 20 * SECOND), SECOND); /* while it is tried */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_since_and_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
