/*
 * rollout_switch: step 6, the routes of a generation and what goes live with it. SPDX-License-Identifier: Apache-2.0
 *
 * The item of the routes says nothing: what the generation holds is made of the switch behind it when it
 * begins (generation.c), so that groups that switch beside each other do not undo each other.
 */
#pragma once

#include "reconciler/core/rollout_items.h"

struct flip { /* the items of it; both the same where rows alone move */
    size_t routes, flip;
};

/* routes/next, then switch, where a member has anything to do with the edge; else a mark (nothing for WAY_AWAY).
 * Without members the routes themselves are what moves. A step of its own each. */
struct flip rollout_switch(struct lane *l, const struct member *members, size_t n,
                           enum plan_way way);
/* The wanted sets get a share of the requests, below PLAN_SHARE_ALL; rows do not move. */
struct flip rollout_switch_share(struct lane *l, const struct member *members, size_t n,
                                 int64_t share);
/* The rows of it alone, whatever is routed; the index of the mark. */
size_t rollout_switch_rows(struct lane *l, const struct member *members, size_t n,
                           enum plan_way way);
/* Whether the proxy must move for these members. */
int rollout_switch_is_routed(const struct member *members, size_t n);
