/* core: which message of a recipient goes next, and when. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/guard.h"
#include "reconciler/core/notify.h"

#define NOW ((int64_t)1700000000000)
#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define ROWS_MAX 16

/* One letter a row, the oldest first: i info, e error, c critical; upper case: it was tried, its time is `again_ms`. */
static const struct {
    const char *sentence, *waiting;
    int64_t again_ms;    /* from now on */
    int n_sent, reads;   /* messages in the last seconds; a person reads it */
    int64_t sent_ago_ms; /* the oldest of those */
    int64_t quiet_ms;    /* from now on; 0: it is not quiet */
    enum notify_move move;
    int64_t at_ms; /* from now on; -1: never */
    size_t row;
} rows[] = {
    { "nothing waits", "", 0, 0, 1, 0, 0, NOTIFY_WAIT, -1, 0 },
    { "one goes at once", "i", 0, 0, 1, 0, 0, NOTIFY_SEND, 0, 0 },
    { "the oldest goes first", "iec", 0, 0, 1, 0, 0, NOTIFY_SEND, 0, 0 },
    { "one more than a flood is one message", "iiii", 0, 0, 1, 0, 0, NOTIFY_COLLAPSE, 0, 0 },
    { "a program takes them one by one", "iiiiiiii", 0, 0, 0, 0, 0, NOTIFY_SEND, 0, 0 },
    { "what failed waits for its time", "I", 7 * SECOND, 0, 1, 0, 0, NOTIFY_WAIT, 7 * SECOND, 0 },
    { "and whatever is behind it", "Icccc", 7 * SECOND, 0, 1, 0, 0, NOTIFY_WAIT, 7 * SECOND, 0 },
    { "what failed goes alone, with its id", "Iiiiii", 0, 0, 1, 0, 0, NOTIFY_SEND, 0, 0 },
    { "wherever it stands", "iiiiI", 0, 0, 1, 0, 0, NOTIFY_SEND, 0, 4 },
    { "a clock that was set back keeps nobody waiting", "I", 99 * HOUR, 0, 1, 0, 0, NOTIFY_WAIT,
      NOTIFY_LAST_MS, 0 },
    { "quiet: it waits", "ie", 0, 0, 1, 0, HOUR, NOTIFY_WAIT, HOUR, 0 },
    { "quiet: what is critical goes", "iec", 0, 0, 1, 0, HOUR, NOTIFY_SEND, 0, 2 },
    { "quiet: what was tried waits too", "I", 0, 0, 1, 0, HOUR, NOTIFY_WAIT, HOUR, 0 },
    { "quiet: and holds nothing up that is critical", "Ic", 0, 0, 1, 0, HOUR, NOTIFY_SEND, 0, 1 },
    { "quiet without an end", "i", 0, 0, 1, 0, -1, NOTIFY_WAIT, -1, 0 },
    { "quiet: a flood of what is critical", "ciccc", 0, 0, 1, 0, HOUR, NOTIFY_COLLAPSE, 0, 0 },
    { "less than a burst", "i", 0, NOTIFY_BURST - 1, 1, 10 * SECOND, 0, NOTIFY_SEND, 0, 0 },
    { "a burst waits for its end", "i", 0, NOTIFY_BURST, 1, 10 * SECOND, 0, NOTIFY_WAIT,
      50 * SECOND, 0 },
    { "which comes", "i", 0, NOTIFY_BURST, 1, MINUTE, 0, NOTIFY_SEND, 0, 0 },
    { "a program has no burst", "i", 0, NOTIFY_BURST, 0, 10 * SECOND, 0, NOTIFY_SEND, 0, 0 },
    { "a burst of the future is one of now", "i", 0, NOTIFY_BURST, 1, -HOUR, 0, NOTIFY_WAIT, MINUTE,
      0 },
};

static struct notify_facts given(size_t i, struct notify_row *waiting, int64_t *sent_ms)
{
    size_t n = strlen(rows[i].waiting);

    for (size_t r = 0; r < n; r++) {
        char c = rows[i].waiting[r];

        waiting[r] = (struct notify_row){
            .attempt = c < 'a',
            .next_ms = c < 'a' ? NOW + rows[i].again_ms : NOW,
            .severity = c == 'c' || c == 'C'   ? NOTIFY_CRITICAL
                        : c == 'e' || c == 'E' ? NOTIFY_ERROR
                                               : NOTIFY_INFO,
        };
    }
    for (int s = 0; s < rows[i].n_sent; s++)
        sent_ms[s] = NOW - rows[i].sent_ago_ms;
    return (struct notify_facts){
        .rows = waiting,
        .n = n,
        .sent_ms = sent_ms,
        .n_sent = (size_t)rows[i].n_sent,
        .collapses = rows[i].reads,
        .quiet_until_ms = rows[i].quiet_ms < 0 ? NOTIFY_NEVER
                          : rows[i].quiet_ms   ? NOW + rows[i].quiet_ms
                                               : 0,
        .now_ms = NOW,
    };
}

static void test_what_goes_next(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct notify_row waiting[ROWS_MAX];
        int64_t sent_ms[ROWS_MAX];
        struct notify_facts f = given(i, waiting, sent_ms);
        struct notify_next next = notify_decide(&f);
        int64_t at_ms = rows[i].at_ms < 0 ? NOTIFY_NEVER : NOW + rows[i].at_ms;

        if (next.move != rows[i].move || (next.move == NOTIFY_WAIT && next.at_ms != at_ms) ||
            (next.move == NOTIFY_SEND && next.row != rows[i].row))
            fail_msg("%s: move %d, row %zu, in %lld ms", rows[i].sentence, (int)next.move, next.row,
                     (long long)(next.at_ms - NOW));
    }
}

static void test_what_becomes_one(void **state)
{
    const struct notify_row waiting[] = { { 0, NOW, NOTIFY_CRITICAL },
                                          { 1, NOW, NOTIFY_CRITICAL },
                                          { 0, NOW, NOTIFY_INFO } };
    struct notify_facts f = { .rows = waiting, .n = 3, .now_ms = NOW };

    (void)state;
    assert_true(notify_is_collapsed(&f, 0));
    assert_false(notify_is_collapsed(&f, 1)); /* it may have arrived */
    assert_true(notify_is_collapsed(&f, 2));
    f.quiet_until_ms = NOW + 1;
    assert_true(notify_is_collapsed(&f, 0));
    assert_false(notify_is_collapsed(&f, 2));
}

static const struct {
    int64_t attempt, asked_ms, delay_ms;
} delays[] = {
    { 1, 0, 5 * SECOND },
    { 2, 0, 10 * SECOND },
    { 7, 0, 320 * SECOND },
    { 8, 0, 10 * MINUTE },
    { 1000000, 0, 10 * MINUTE },
    { 1, 30 * SECOND, 30 * SECOND },
    { 7, 30 * SECOND, 320 * SECOND },
    { 1, INT64_MAX, 10 * MINUTE },
    { 1, -5, 5 * SECOND },
};

static void test_back_off(void **state)
{
    int64_t attempt = 1, tried_ms = 0;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(delays); i++)
        assert_int_equal(notify_delay_ms(delays[i].attempt, delays[i].asked_ms),
                         delays[i].delay_ms);
    for (; !notify_is_over(attempt); attempt++)
        tried_ms += notify_delay_ms(attempt, 0);
    assert_true(tried_ms >= NOTIFY_GIVE_UP_MS - NOTIFY_LAST_MS && tried_ms < NOTIFY_GIVE_UP_MS);
    assert_true(notify_is_over(INT64_MAX));
}

/* A word that the grammar has is made by something, or one of these. */
static void test_what_makes_each_word(void **state)
{
    static const char unmade[] = "drill_passed|drill_failed|backup_failed|backup_overdue|"
                                 "certificate_expiring|secret_expiring|preview_ready|preview_gone|";

    (void)state;
    for (size_t w = 0; w < N_NOTIFY_WORDS; w++) {
        char word[64];
        int n = 0, is_unmade;

        (void)snprintf(word, sizeof(word), "%s|", notify_events[w].word);
        is_unmade = strstr(unmade, word) != NULL;
        for (size_t i = 0; i < notify_events_n_made; i++)
            n += notify_events_made[i].word == (enum notify_word)w;
        if ((n == 0) != is_unmade)
            fail_msg("%s: %d rows make it", notify_events[w].word, n);
    }
}

static const struct {
    const char *sentence;
    struct notify_made made;
    const char *before, *now;
    int matches;
} changes[] = {
    { "it becomes so", { 0, "", "", "", "applied" }, "applying", "applied", 1 },
    { "there was no row", { 0, "", "", "", "applied" }, NULL, "applied", 1 },
    { "it was so", { 0, "", "", "", "applied" }, "applied", "applied", 0 },
    { "it is something else", { 0, "", "", "", "applied" }, "applying", "failed", 0 },
    { "only from there", { 0, "", "", "a|b", "c" }, "b", "c", 1 },
    { "not from elsewhere", { 0, "", "", "a|b", "c" }, "d", "c", 0 },
    { "nor from nothing", { 0, "", "", "a|b", "c" }, NULL, "c", 0 },
    { "a row of that name", { 0, "", "", "", "down/*" }, NULL, "down/pg", 1 },
    { "which stands already", { 0, "", "", "", "down/*" }, "down/pg", "down/pg", 0 },
    { "any other text", { 0, "", "", "", "*" }, "x", "y", 1 },
    { "the same text", { 0, "", "", "", "*" }, "y", "y", 0 },
    { "none is no text", { 0, "", "", "", "*" }, "y", NULL, 0 },
    { "what begins so", { 0, "", "", "", "held*" }, NULL, "held: why", 1 },
    { "and did before", { 0, "", "", "", "held*" }, "held", "held: why", 0 },
};

static void test_what_is_a_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(changes); i++)
        if (notify_events_matches(&changes[i].made, str_from_c(changes[i].before),
                                  str_from_c(changes[i].now)) != changes[i].matches)
            fail_msg("%s", changes[i].sentence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes_next),   cmocka_unit_test(test_what_becomes_one),
        cmocka_unit_test(test_back_off),         cmocka_unit_test(test_what_makes_each_word),
        cmocka_unit_test(test_what_is_a_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
