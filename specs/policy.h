/*
 * policy: what a spec and the daemon's floor ask for together. SPDX-License-Identifier: Apache-2.0
 *
 * An approval is {policy, require_for, expires_ms, approvers, min_approvals, allow_self, signed}; what is absent
 * asks for nothing. `approvers` is a list of lists: who approves stands in each of them. `windows.downtime` is one too: it has to be
 * a time of each of them. `auto_if` are the words that everybody says who asks for a person.
 */
#pragma once

#include "specs/value.h"

/* What holds when both are asked for; NULL asks for nothing. */
struct value *policy_stricter(struct arena *a, const struct value *one, const struct value *other);
/* From what is written in a document: its `approvers` is one list. */
struct value *policy_written(struct arena *a, const struct value *approval);
/* The floor of a rule; NULL: none. */
struct value *policy_floor(struct arena *a, const struct value *rule);
