/*
 * rollout: one group of services lowered to the steps of PROTOCOL section 2. SPDX-License-Identifier: Apache-2.0
 *
 *   step 1 build   2 clear   3 release   4 green   5 ready   6 switch   7 bake   8 proven
 *   tail 9 keep   10 drained   11 stop              revert 6 back   recover   10   11   reverted
 *
 * A group finishes each step for all members before the next begins; one switch moves them all. A member
 * whose wanted set is still warm needs no steps 1 to 4. Every shape but those without auto_revert has a
 * way back that leaves nothing of what it made.
 *
 * Memory   items are appended to the plan's, in the arena of the lowering.
 */
#pragma once

#include "reconciler/core/plan.h"

struct member {
    struct str service, provider;
    const struct value *desired; /* of the wanted set; NULL: the service goes */
    const struct value *before;  /* as recorded; NULL: none */
    const struct value *runs;    /* what the live set was made of; NULL: nobody knows */
    struct digest set_key;
    const struct rec_set *live;  /* NULL: none */
    const struct rec_set *warm;  /* the wanted set, still whole as previous; NULL: to be made */
    const struct rec_set **sets; /* every set of the service that is not gone */
    size_t n_sets;
    int64_t replicas;
    int is_routed;   /* the wanted set has a port, and there is an edge */
    int has_address; /* an internal one, made before */
    int is_resting;  /* an instance of the warm set is frozen */
    int is_leaving; /* what is live is left instance by instance: no switch goes back to it later */
    int leaves_gaps; /* what is lost of its live set is not run again by itself */
    int lets_go;     /* its live set uses what goes with this plan: it is not kept */
};

struct lowering {
    struct arena *a;
    const struct snapshot *s;
    struct plan *plan;
};

/* Append the items of plan->groups[group], members in order of name; the index of its last main item comes back. */
size_t rollout_lower(struct lowering *low, int group, const struct member *members, size_t n);
size_t rollout_lower_recreate(struct lowering *low, int group, const struct member *member);
size_t rollout_lower_rolling(struct lowering *low, int group, const struct member *member);
/* The most instances that its one backend holds on the way from so many to so many. */
int64_t rollout_rolling_most(const struct value *desired, int64_t n_old, int64_t n_new);
size_t rollout_lower_scale(struct lowering *low, int group, const struct member *member);
size_t rollout_lower_remove(struct lowering *low, int group, const struct member *member);
size_t rollout_lower_routes(struct lowering *low, int group);
/* Back to what is live alone, where a canary was left with a share. */
size_t rollout_lower_unshare(struct lowering *low, int group);
/* A lost instance of the live set: run again in its place. */
void rollout_lower_repair(struct lowering *low, const struct observed_instance *lost,
                          const struct member *member);
/* A set that a rollout left behind and nothing else will take away; of a service that stays (`m`), or of none
 * (NULL). Not before the item `after`, where there is one. */
void rollout_lower_leftover(struct lowering *low, const struct rec_set *set, const struct member *m,
                            size_t after);
