/*
 * rollout_standby: what a set that is kept does meanwhile. SPDX-License-Identifier: Apache-2.0
 *
 *   running   nothing changes
 *   frozen    when it has drained its programs rest; they are woken before anything is routed to them again
 *   stopped   it is not kept
 *
 * Memory   the arena of the lowering.
 */
#pragma once

#include "reconciler/core/rollout_items.h"

/* Step 9 for the live set of a member, behind its drain: it rests where the new one says so. */
void rollout_standby_rest(struct lane *l, const struct member *m);
int rollout_standby_is(const struct member *m, const char *word);
/* Before step 6: the warm sets of members that rest, or are about to. */
void rollout_standby_wake(struct lane *l, const struct member *members, size_t n);
