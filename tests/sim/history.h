/*
 * history: one seeded story of commits, people, faults and deaths, and what must hold at its end.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The same seed is the same history. When it is through everything is mended, people do their chores, and
 * the laws are asked: laws.h, and that the environments are what the newest commit asks for.
 *
 * Thread   one.
 */
#pragma once

#include "tests/sim/laws.h"

struct history {
    struct world world;
    struct shop shop, good; /* as pushed last; the last one that could be read */
    struct laws laws;
    uint64_t random;
    int n_undone, n_lost, n_sick, n_run_faults, n_rejected; /* what excuses a quarantine */
    int n_recovered, n_forgotten;                           /* forgotten: without any copy */
    int n_effects;                                          /* when the laws were asked last */
    const char *broken;                                     /* NULL: every law held */
};

/* Run it to its end. Prints what was broken and what there is. */
void history_run(struct history *h, uint64_t seed);
void history_fini(struct history *h);
