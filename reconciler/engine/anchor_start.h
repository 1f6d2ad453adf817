/*
 * anchor_start: what the places say of our history before we act on it. SPDX-License-Identifier: Apache-2.0
 *
 * All places that keep what they get are asked at once: a time stamp authority keeps nothing. One that cannot be asked within ANCHOR_START_MS is said in the log, and held against the
 * history when it answers (anchor_task.h): the daemon starts when its git host is down.
 *
 * Thread   the engine's, before its loop runs: it has a loop of its own meanwhile.
 */
#pragma once

#include "reconciler/engine/engine_state.h"

#define ANCHOR_START_MS 10000

/* Why the database is older than what was anchored, or another history; STR_NONE: nothing says so. */
int anchor_start_judge(struct engine *e, struct arena *a, struct str *ret_why, struct err *err);
