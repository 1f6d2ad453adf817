/*
 * alarm_task: trouble with what the daemon needs, and its end, is an event each. SPDX-License-Identifier: Apache-2.0
 *
 *   REST -> LOOK -> REST      every ALARM_LOOK_MS
 *
 * A provider that does not answer (provider.down, provider.back), and the disk of the state (disk.low, disk.back); when:
 * core/alarm.h. A row of meta stands for each for as long as it lasts, so that a restart says nothing twice.
 *
 * Thread   the loop's; looking on STATE.
 */
#pragma once

#include "reconciler/rt/task.h"

#define ALARM_LOOK_MS 10000
#define ALARM_WAITERS_MAX 5 /* environments that a provider's alarm names */

struct engine;

struct alarm_task {
    struct task task;
    struct engine *engine;
    struct arena round;
    int n_failures; /* of looking, in a row */
};

void alarm_task_start(struct alarm_task *x, struct engine *e);
void alarm_task_stop(struct alarm_task *x);
void alarm_task_fini(struct alarm_task *x);
