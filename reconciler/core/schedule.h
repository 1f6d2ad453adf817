/*
 * schedule: what a plan that is being applied does next. SPDX-License-Identifier: Apache-2.0
 *
 * A function from the plan and the status of its items to moves. The engine carries each move out,
 * notes the new status and asks again; after a crash it fills the statuses from the operations table
 * and asks the same question. Nothing here knows time, databases or drivers.
 */
#pragma once

#include "reconciler/core/plan.h"

enum item_status {
    ITEM_NONE,    /* no operation yet */
    ITEM_OPEN,    /* begun, not ended */
    ITEM_DONE,    /* verified, passed */
    ITEM_SKIPPED, /* never needed */
    ITEM_FAILED,  /* ended without success; or cancelled */
    ITEM_PARKED,  /* waits for a person; its group with it, unless a wish takes it back */
};

enum group_state {
    GROUP_ROLLING,
    GROUP_PROVEN,
    GROUP_REVERTING,
    GROUP_REVERTED,
    GROUP_HELD, /* failed, and auto_revert is off */
};

enum schedule_wish { WISH_NONE, WISH_SUPERSEDE, WISH_CANCEL };

struct schedule {
    const struct plan *plan;
    enum item_status *items;  /* one an item */
    enum group_state *groups; /* one a group */
    enum schedule_wish wish;  /* newer commit: at the next boundary; cancel: also during a bake */
};

enum schedule_kind {
    MOVE_START,  /* begin item */
    MOVE_SKIP,   /* note item as skipped */
    MOVE_CANCEL, /* end the open item early */
    MOVE_REVERT, /* group: reverting, or reverted where there is nothing to undo */
    MOVE_PROVEN, /* group: its last main item is done */
    MOVE_REVERTED,
};

struct schedule_move {
    enum schedule_kind kind;
    size_t item; /* START SKIP CANCEL */
    int group;   /* REVERT PROVEN REVERTED */
    int culprit; /* REVERT: item that failed, -1: superseded or cancelled */
};

#define SCHEDULE_MOVES_MAX 64
/* The moves possible now, at most `max`; 0: nothing until something ends. */
size_t schedule_next(const struct schedule *s, struct schedule_move *ret, size_t max);

enum schedule_end {
    SCHEDULE_RUNS,
    SCHEDULE_APPLIED,  /* the tail may go on */
    SCHEDULE_REVERTED, /* a group was undone */
    SCHEDULE_SUPERSEDED,
    SCHEDULE_FAILED,
};
/* Its wanted sets have a share of the requests, and the live ones the rest. */
int schedule_is_shared(const struct schedule *s, int group);
/* How the main part ended. */
enum schedule_end schedule_main_end(const struct schedule *s);
/* Nothing left in any lane. */
int schedule_is_over(const struct schedule *s);
