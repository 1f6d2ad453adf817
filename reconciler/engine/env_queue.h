/*
 * env_queue: how many environments are in work at one time. SPDX-License-Identifier: Apache-2.0
 *
 * A cycle holds specs, rows and a plan. After deaths in a row one environment at a time is in work, or one commit is
 * read, so that the one that kills the daemon is known. Who is asked by a person does not wait.
 *
 * Thread   the loop's.
 */
#pragma once

#include "reconciler/engine/env_task.h"

/* 1: its cycle begins. 0: it waits, and is woken when there is room. */
int env_queue_enter(struct env_task *env);
/* 1: a commit may be read now. 0: in a moment. */
int env_queue_may_read(struct source_task *s);
/* It was read, or is not going to be. */
void env_queue_has_read(struct source_task *s);
/* Its cycle is over, if it is in one: the next one is woken. */
void env_queue_leave(struct env_task *env);
