/*
 * rollout_canary: the steps by which a group takes over requests. SPDX-License-Identifier: Apache-2.0
 *
 * A group moves as one, by the smallest weight and the longest pause that a member with strategy canary has at
 * each step. Without a live set to compare with, or an edge that shares requests, there are none.
 *
 * Memory   the arena of the lowering.
 */
#pragma once

#include "reconciler/core/rollout_switch.h"

#define CANARY_STEPS_MAX 20

struct canary_step {
    int64_t share;    /* of PLAN_SHARE_ALL */
    int64_t pause_ms; /* watched for so long .. */
    int is_manual;    /* .. or until a person says so */
};

struct canary {
    struct canary_step p[CANARY_STEPS_MAX];
    size_t n;
};

struct canary rollout_canary_of(const struct lowering *low, int group, const struct member *members,
                                size_t n);
/* 6 and 7 of each; the first switch comes back, ROLLOUT_NO_ITEM where there are no steps. */
struct flip rollout_canary_lower(struct lane *l, const struct canary *c,
                                 const struct member *members, size_t n);
