/*
 * anchor_wait: plans that wait until the history is anchored. SPDX-License-Identifier: Apache-2.0
 *
 * Where a rule says `floor: {anchor: required}`, a plan that a freeze would stop waits while no place has the head: what
 * none of them has is older than ANCHOR_LATE_TIMES of `every`, or none of them ever had one. Nobody overrides it.
 *
 * Thread   STATE; anchor_wait_made() the loop's.
 * Fails    as db.h.
 */
#pragma once

#include "reconciler/engine/env_task.h"

/* 1 and why, or 0. */
int anchor_wait(struct env_task *env, struct str *ret_reason, struct err *err);
/* A head was brought: who waited for one looks again. */
void anchor_wait_made(struct engine *e);
