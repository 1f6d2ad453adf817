/*
 * plan_differ: what differs between two plans, or two revisions. SPDX-License-Identifier: Apache-2.0
 *
 * Pure. Lines are as those of a plan: a change goes from what the first one leads to, to what the second does.
 *
 * Memory   the arena given; values borrow from both.
 */
#pragma once

#include "reconciler/core/plan.h"

/* What was approved, and what came instead of it. `ret->lines`: resources for which both do not lead to the
 * same, or not in the same way; `ret->notes`: what moved, in our words. */
void plan_differ(struct arena *a, const struct plan *old, const struct plan *now, struct plan *ret);
/* The same of two revisions; `ret->records` has what is the same in both. */
void plan_differ_specs(struct arena *a, const struct environment_spec *old,
                       const struct environment_spec *now, struct plan *ret);

/* To and from {because: [..], lines: [..], unchanged: [{kind, name}]}. */
struct value *plan_differ_value(struct arena *a, const struct plan *difference);
void plan_differ_parse(struct arena *a, const struct value *v, struct plan *ret);
