/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/approval.h"

static int approval_stands_in(const struct value *principals, const struct value *people)
{
    for (size_t i = 0; i < value_count(people); i++)
        for (size_t j = 0; j < value_count(principals); j++)
            if (value_eq(value_item(people, i), value_item(principals, j)))
                return 1;
    return 0;
}

static int approval_counts(const struct value *approvers, const struct approval_vote *vote)
{
    for (size_t i = 0; i < value_count(approvers); i++)
        if (!approval_stands_in(vote->principals, value_item(approvers, i)))
            return 0;
    return 1;
}

struct approval approval_count(const struct value *approval, enum approval_self self,
                               const struct approval_vote *votes, size_t n)
{
    const struct value *approvers = value_get(approval, S("approvers"));
    struct approval count = { 0, value_get_int(approval, S("min_approvals"), 1) };

    if (self == APPROVAL_SELF_UNKNOWN && !value_get_bool(approval, S("allow_self"), 0))
        count.needs++; /* one of them may have made the change */
    for (size_t i = 0; i < n; i++)
        count.has += approval_counts(approvers, &votes[i]);
    return count;
}

struct str approval_format(struct arena *a, const struct value *approval,
                           const struct approval *count)
{
    const struct value *approvers = value_get(approval, S("approvers"));
    struct sb b;

    sb_init(&b, a);
    sb_addf(&b, "%lld of %lld approval%s", (long long)count->has, (long long)count->needs,
            count->needs == 1 ? "" : "s");
    for (size_t i = 0; i < value_count(approvers); i++)
        for (size_t j = 0; j < value_count(value_item(approvers, i)); j++)
            sb_addf(&b, "%s%.*s",
                    j   ? " or "
                    : i ? " and by "
                        : ", by ",
                    STR_ARG(value_item(value_item(approvers, i), j)->u.text));
    return sb_str(&b);
}
