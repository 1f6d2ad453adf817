/*
 * rollout_switch: step 6, the routes of a generation and what goes live with it. SPDX-License-Identifier: Apache-2.0
 *
 * A generation holds every route of the environment. A route of a member names its set; any other is
 * served by whatever is live when the operation begins, so that groups that switch beside each other
 * do not undo each other.
 */
#pragma once

#include "reconciler/core/rollout_items.h"

enum switch_way {
    WAY_FORWARD, /* members go to the wanted set */
    WAY_BACK,    /* to their live one, and their routes to what they were */
    WAY_AWAY,    /* their routes are left out */
};

struct flip { /* the items of it; both the same where rows alone move */
    size_t routes, flip;
};

/* routes/next, then switch, where a member has anything to do with the edge; else a mark (nothing for WAY_AWAY).
 * Without members the routes themselves are what moves. A step of its own each. */
struct flip rollout_switch(struct lane *l, const struct member *members, size_t n,
                           enum switch_way way);
/* The rows of it alone, whatever is routed; the index of the mark. */
size_t rollout_switch_rows(struct lane *l, const struct member *members, size_t n,
                           enum switch_way way);
/* Whether the proxy must move for these members. */
int rollout_switch_is_routed(const struct member *members, size_t n);
