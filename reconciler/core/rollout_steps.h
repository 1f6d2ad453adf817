/*
 * rollout_steps: what several shapes of a rollout have in common. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   the arena of the lowering.
 */
#pragma once

#include "reconciler/core/rollout_switch.h"
#include "reconciler/core/rollout_verify.h"

/* A switch that died half way leaves one generation more than it should. */
#define ROLLOUT_STALE_MAX 2

/* What a group made, for its way back. */
struct rollout_made {
    struct flip flip; /* the first, of n_switches */
    int n_switches;
    VEC(size_t) instances, backends; /* one a member: the first of its set, its backend */
    struct verified verified;
};

/* One member more: the first instance of its set and its backend, or ROLLOUT_NO_ITEM. */
void rollout_steps_note(struct arena *a, struct rollout_made *made, size_t instances,
                        size_t backend);
/* A set without a backend of its own may stand in that of the live one, half way through a rolling change. */
int rollout_steps_is_mixed(const struct member *m, const struct rec_set *set);
/* Where it does, that leads to its own instances alone, and the others are drained. */
void rollout_steps_unmix(struct lane *l, int step, const struct member *m,
                         const struct rec_set *set);
/* The second half of that. */
void rollout_steps_leave(struct lane *l, int step, const struct member *m,
                         const struct rec_set *set);
/* Sets that stand in the way, neither live nor wanted: drained, then stopped. */
void rollout_steps_clear(struct lane *l, int step, const struct member *members, size_t n);
/* Steps 3 and 4. */
void rollout_steps_make(struct lane *l, const struct member *members, size_t n,
                        struct rollout_made *made);
/* What its verifications left when it is proven. */
void rollout_steps_drop_verified(struct lowering *low, int group, size_t proven,
                                 const struct verified *verified);
/* Generations that a group leaves behind when it is proven after so many switches. */
void rollout_steps_drop_stale(struct lowering *low, int group, size_t proven, int n_switches);
