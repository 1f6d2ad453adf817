/* core: how many approvals there are, and are needed. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/core/approval.h"
#include "specs/json_io.h"

#define VOTES_MAX 3

static const struct row {
    const char *sentence, *approval;
    enum approval_self self;
    const char *votes[VOTES_MAX], *says;
} rows[] = {
    { "nobody yet", "{}", APPROVAL_SELF_ANY, { 0 }, "0 of 1 approval" },
    { "anybody", "{}", APPROVAL_SELF_ANY, { "[]" }, "1 of 1 approval" },
    { "two are asked for",
      "{\"min_approvals\":2}",
      APPROVAL_SELF_ANY,
      { "[]", "[]" },
      "2 of 2 approvals" },
    { "one of them may have made it",
      "{\"min_approvals\":1,\"allow_self\":false}",
      APPROVAL_SELF_UNKNOWN,
      { "[]" },
      "1 of 2 approvals" },
    { "who made it may approve",
      "{\"min_approvals\":1,\"allow_self\":true}",
      APPROVAL_SELF_UNKNOWN,
      { "[]" },
      "1 of 1 approval" },
    { "one of those named",
      "{\"approvers\":[[\"user:ann\",\"group:ops\"]]}",
      APPROVAL_SELF_ANY,
      { "[\"user:eve\",\"group:dev\"]", "[\"user:bea\",\"group:ops\"]", "[]" },
      "1 of 1 approval, by user:ann or group:ops" },
    { "a group is not a user of its name",
      "{\"approvers\":[[\"group:ops\"]]}",
      APPROVAL_SELF_ANY,
      { "[\"user:ops\"]" },
      "0 of 1 approval, by group:ops" },
    { "in the spec's list and in the floor's",
      "{\"approvers\":[[\"user:eve\"],[\"group:ops\"]]}",
      APPROVAL_SELF_ANY,
      { "[\"user:eve\"]", "[\"user:bea\",\"group:ops\"]" },
      "0 of 1 approval, by user:eve and by group:ops" },
};

static void test_approvals_are_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct approval_vote votes[VOTES_MAX];
        struct approval count;
        struct value *approval, *one;
        struct err err = ERR_INIT;
        struct arena a;
        size_t n = 0;

        arena_init(&a, 0);
        assert_int_equal(json_parse(&a, str_from_c(rows[i].approval), 4096, &approval, &err), 0);
        for (; n < VOTES_MAX && rows[i].votes[n]; n++) {
            assert_int_equal(json_parse(&a, str_from_c(rows[i].votes[n]), 4096, &one, &err), 0);
            votes[n].principals = one;
        }
        count = approval_count(approval, rows[i].self, votes, n);
        if (!str_eq_c(approval_format(&a, approval, &count), rows[i].says))
            fail_msg("%s: %s", rows[i].sentence, approval_format(&a, approval, &count).p);
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_approvals_are_counted) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
