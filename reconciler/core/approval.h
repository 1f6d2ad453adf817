/*
 * approval: whether what people said of a plan is enough. SPDX-License-Identifier: Apache-2.0
 *
 * Votes count under the policy of this moment, with who each person was when it was given.
 */
#pragma once

#include "specs/value.h"

struct approval_vote {              /* of one person */
    const struct value *principals; /* user:NAME, group:NAME */
};

/* Whether authors of a change are known to be others than those who approve it. */
enum approval_self { APPROVAL_SELF_UNKNOWN, APPROVAL_SELF_ANY };

struct approval {
    int64_t has, needs;
};
/* `approval` is that of a normalised policy. */
struct approval approval_count(const struct value *approval, enum approval_self self,
                               const struct approval_vote *votes, size_t n);
/* "1 of 2 approvals, by group:ops and by user:ann or user:bea" */
struct str approval_format(struct arena *a, const struct value *approval,
                           const struct approval *count);
