/*
 * rollout_verify: commands that say whether a new set is any good. SPDX-License-Identifier: Apache-2.0
 *
 * A run each, of the new artifact and isolated like a release; REEVE_TARGET is the address of the set's first
 * instance. What it was run for goes or is proven: then the run goes too, and one that still runs is ended.
 *
 * Memory   the arena of the lowering.
 */
#pragma once

#include "reconciler/core/rollout_items.h"

struct verified {
    VEC(size_t) runs; /* items, by member */
};

/* Those of `members` that ask for one at this moment: before_switch, bake. */
void rollout_verify(struct lane *l, int step, const struct member *members, size_t n,
                    const char *when, struct verified *made);
/* Each only after the run was begun. */
void rollout_verify_drop(struct lane *l, const struct verified *made);
