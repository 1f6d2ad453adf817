/*
 * edge_task: an edge runs, whatever happens on its machine. SPDX-License-Identifier: Apache-2.0
 *
 *   REST -> LOOK -> TELL -> REST
 *
 * One for each provider whose driver says in its schema how often it wants to be looked at (`watch_ms` of
 * type `switch`; docs/drivers.md). The call itself starts again what is gone, on the pool of what brings
 * traffic back. What keeps it from running is logged once, and told as the health of the environments.
 *
 * Owns     its arena.
 * Thread   the loop's.
 */
#pragma once

#include "reconciler/engine/driver_call.h"

struct edge_task {
    struct task task;
    struct engine *engine;
    const struct provider *provider;
    int64_t every_ms;
    struct arena round;
    struct driver_answer answer;
    int64_t began_mono_ms, told_mono_ms, took_ms; /* of the last look; told 0: none yet */
    char trouble[256];                            /* why it does not run, "" when it does */
};

/* How often the provider wants to be looked at; 0: it does not. */
int64_t edge_task_interval_ms(const struct provider *p);

void edge_task_start(struct edge_task *w, struct engine *e, const struct provider *p);
void edge_task_fini(struct edge_task *w);
