/*
 * approval: whether enough people said yes. SPDX-License-Identifier: Apache-2.0
 *
 * A plan that asks needs `min_approvals` of distinct people who stand in each list of `approvers`. Nobody approves what is
 * their own: who authored, committed or signed anything since the commit that was applied, or started the plan.
 * Somebody whom `auth.people` does not know may be anybody, so one approval more is asked. What the policy says
 * now counts, not what it said when somebody approved. Pure.
 *
 * Memory   the arena given; results may borrow from the case.
 */
#pragma once

#include "specs/value.h"
#include "state/records.h"

#define APPROVAL_OVERRIDE_MS (3600 * 1000)
/* Stands among the authors of a range that is too long to be read. */
#define APPROVAL_MANY "(more commits than are read)"
/* The same of one that does not go on from what was applied: nobody knows who wants back what it lacks. */
#define APPROVAL_ASIDE "(a history without what was applied)"

struct approval_case {
    const struct value *needs;  /* approval_needs() */
    const struct value *people; /* auth.people; NULL: nobody is known */
    struct str starter;         /* actor who started the plan */
    const struct rec_plan_author *authors;
    size_t n_authors;
    const struct rec_decision *decisions;
    size_t n_decisions;
    int64_t from_seq; /* what was decided before does not count */
    int64_t now_ms;
};

struct approval_verdict {
    int is_enough;
    int64_t have, need;
    struct str text; /* "1 of 2 approvals, by group:ops"; "" where there is nothing to say */
};

/* What the `approval` of a policy asks: {min, expires_ms, approvers?: [[..]], allow_self?, signed?, same_user?,
 * classes}. */
enum approval_hosts { APPROVAL_APART, APPROVAL_SAME_USER }; /* auth.same_user */
struct value *approval_needs(struct arena *a, const struct value *approval, int classes,
                             enum approval_hosts hosts);

struct approval_verdict approval_judge(struct arena *a, const struct approval_case *c);
/* Somebody with the role said that it runs, and that counts. */
int approval_is_overridden(struct arena *a, const struct approval_case *c);
/* What in the plan is of who decided, whether that is allowed or not; STR_NONE: nothing. */
struct str approval_own(struct arena *a, const struct approval_case *c,
                        const struct rec_decision *d);
/* Why this decision does not count; STR_NONE: it does. */
struct str approval_refusal(struct arena *a, const struct approval_case *c,
                            const struct rec_decision *d);
