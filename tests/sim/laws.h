/*
 * laws: what must hold of the world and the state, whatever happened. SPDX-License-Identifier: Apache-2.0
 *
 * Each answers NULL, or a sentence in w->arena about what is broken.
 *
 * Thread   one.
 */
#pragma once

#include "tests/sim/shop.h"
#include "tests/sim/world.h"

struct laws { /* what was seen before, an environment each */
    int64_t apply_seq[SHOP_ENVS], route_gen[SHOP_ENVS];
    int must_serve[SHOP_ENVS];   /* a set of web was proven: path / is routed for ever ... */
    int64_t farewell[SHOP_ENVS]; /* ... or until a person goes back to a revision without it */
    int64_t recovered; /* up to here the history tells of what was found, not of what was proven */
};

/* The history began anew, in which the sets that are there were proven by nobody. */
void laws_recovered(struct world *w, struct laws *l);
/* At any moment: what is routed to exists, and what was served is served. */
const char *laws_now(struct world *w, struct laws *l);
/* When everything has settled: rows and objects are the same things, and none too many. */
const char *laws_settled(struct world *w);
/* Chain and replay. The daemon may run. */
const char *laws_history(struct world *w);
/* Instances of an environment's service are as the shop asks for. */
const char *laws_runs(struct world *w, const struct shop *s, int env, enum shop_name service);
