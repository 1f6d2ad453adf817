/*
 * rollout_items: the items that rollouts are made of, and the lanes they stand in. SPDX-License-Identifier: Apache-2.0
 *
 * Items of a lane are added step by step: rollout_items_step() ends a step, and what is added after it
 * needs all that was added before it.
 *
 * Memory   the arena of the lowering.
 */
#pragma once

#include "reconciler/core/rollout.h"

#define ROLLOUT_NO_ITEM ((size_t)-1)

struct lane {
    struct lowering *low;
    enum plan_lane lane;
    int group;      /* -1: none */
    int only_after; /* of what is added next */
    int clears;     /* as well */
    VEC(size_t) before, now;
};

struct lane rollout_items_lane(struct lowering *low, enum plan_lane lane, int group);
void rollout_items_step(struct lane *l);
/* `item` without lane, group, step and needs; its index comes back. */
size_t rollout_items_add(struct lane *l, int step, struct plan_item item);
/* The lane goes on behind this item too. */
void rollout_items_after(struct lane *l, size_t item);
void rollout_items_need(struct lowering *low, size_t item, size_t needs);

/* The folder of the artifact that the service's commands run in. */
struct str rollout_items_context(const struct value *service);
/* Steps 1 and 3, where they have not been done. */
void rollout_items_build(struct lane *l, const struct member *m);
/* Whether the plan runs its release command: once for each key. */
int rollout_items_runs_release(const struct lowering *low, const struct member *m);
/* What its release leaves only the new set can live with: it is not run twice either. */
int rollout_items_is_one_way(const struct lowering *low, const struct member *m);
void rollout_items_release(struct lane *l, const struct member *m);

struct span { /* of ordinals: from .. to */
    int64_t from, to;
};
/* Instances side by side; the index of the first comes back. */
size_t rollout_items_instances(struct lane *l, const struct member *m, const struct value *service,
                               const struct digest *key, struct span span);
/* What is done to one instance of a set. */
size_t rollout_items_act(struct lane *l, int step, enum plan_action action, const struct member *m,
                         const struct digest *key, int64_t ordinal, const struct value *desired);
size_t rollout_items_instance(struct lane *l, enum plan_action action, const struct member *m,
                              const struct value *service, const struct digest *key,
                              int64_t ordinal);
/* The backend of a set with its own instances; or with the first ones of several sets. */
size_t rollout_items_backend(struct lane *l, int step, enum plan_action action,
                             const struct member *m, const struct digest *key, int64_t n_instances);
struct set_part {
    const struct digest *key;
    int64_t n;
};
size_t rollout_items_servers(struct lane *l, int step, enum plan_action action,
                             const struct member *m, const struct digest *key,
                             const struct set_part *parts, size_t n);
/* Each only after the item that made it: `made` is the index of the first, or ROLLOUT_NO_ITEM. */
void rollout_items_stop(struct lane *l, int step, const struct member *m,
                        const struct value *service, const struct digest *key, struct span span,
                        size_t made);
size_t rollout_items_drop_backend(struct lane *l, int step, const struct member *m,
                                  const struct digest *key);
/* Instances and backend of a set that stands. */
void rollout_items_stop_set(struct lane *l, int step, const struct member *m,
                            const struct value *service, const struct rec_set *set);
/* Of a service that goes, where it has one. */
void rollout_items_drop_address(struct lane *l, const struct member *m);
/* Generations that the proxy does not use any more, one after the other, oldest first. */
void rollout_items_drop_routes(struct lane *l, int times);

/* The gates of steps 5, 7, 9 and 10. */
void rollout_items_ready(struct lane *l, const struct member *m, const struct value *service,
                         const struct digest *key, int64_t replicas);
void rollout_items_bake(struct lane *l, const struct member *members, size_t n);
/* The same while both have requests, beside what the live sets do in the same time; a person may have to end it. */
struct watched_share {
    int64_t share, pause_ms;
    int is_manual;
};
void rollout_items_share(struct lane *l, const struct member *members, size_t n,
                         const struct watched_share *w);
/* What is ready waits for a person, and is watched meanwhile. */
void rollout_items_promote(struct lane *l, int step, const struct member *members, size_t n);
/* What is live serves again within the longest of `path` of its members; nothing without a live set. */
void rollout_items_recover(struct lane *l, const struct member *members, size_t n, struct str path);
void rollout_items_keep(struct lane *l, const struct member *m);
/* The backend of a set of which only these instances are left; of a whole set. They are told before. */
void rollout_items_drain(struct lane *l, int step, const struct member *m,
                         const struct value *service, const struct digest *key, struct span span);
void rollout_items_drained(struct lane *l, int step, const struct member *m,
                           const struct value *service, const struct digest *key);
/* Those instances of `leaving` alone, which the backend of `key` does not lead to any more. */
void rollout_items_left(struct lane *l, int step, const struct member *m,
                        const struct value *service, const struct digest *key,
                        const struct digest *leaving, struct span span);
/* Rows only: `word:GROUP`. */
size_t rollout_items_mark(struct lane *l, int step, struct str word, const struct value *desired);
