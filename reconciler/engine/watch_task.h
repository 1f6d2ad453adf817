/*
 * watch_task: how an environment feels between its plans. SPDX-License-Identifier: Apache-2.0
 *
 *   REST -> LIST -> PROBE -> TELL -> REST
 *
 * Every 15 s, jittered: probes every instance of the live sets by its liveness (or, without one, its
 * readiness). All instances well: healthy; some, or one that says so itself: degraded; none of a service, or an edge that does not
 * run: unhealthy. What was started again may fail for its start period. It alarms and never reverts. What was ended because its files were over the quota has an event of its own, how often an instance was
 * started again, and what limit ended it, stands in its row. An instance that is lost wakes the environment's task, which repairs it; so does a
 * service that needs another number of instances than it has.
 *
 * Owns     its arenas.
 * Thread   the loop's.
 */
#pragma once

#include "reconciler/engine/probe_task.h"
#include "reconciler/engine/scale_look.h"

struct env_task;

struct watch_subject {
    struct probe_task probe;
    struct rec_instance row;
    int64_t threshold, start_period_ms;
    int is_full; /* there is an event to write */
    int is_told; /* the row says what was seen, or nearly */
};

/* Of an instance that was not always well. */
struct watch_noted {
    int64_t n_failed;               /* rounds in a row */
    int64_t restarts, restarted_ms; /* as seen last, and since when; 0: never */
    int64_t full, told_full;        /* ends over the quota, as seen and as told last */
    int64_t told_ms;
};

/* A service between two numbers, and where its instances stand among the subjects. */
struct watch_scaled {
    struct rec_set set;
    struct scale_aim aim;
    size_t first, n;
};

struct watch_task {
    struct task task;
    struct engine *engine;
    struct env_task *env;
    struct arena round;
    struct watch_subject *subjects;
    size_t n_subjects;
    struct task **waited;
    struct watch_scaled *scaled;
    size_t n_scaled;
    struct scale_look scales;
    struct map noted;    /* instance name -> struct watch_noted * */
    struct arena memory; /* of noted */
    struct str edge;     /* the provider of the switch; "" for none */
    int64_t interval_ms;
    int is_probing, n_lost, n_full, n_untold, n_degraded;
    struct str health, reason;
    char last[64]; /* health as it was told, by us or by a plan */
};

void watch_task_start(struct watch_task *w, struct engine *e, struct env_task *env);
void watch_task_fini(struct watch_task *w);
