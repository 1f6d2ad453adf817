/*
 * uids: a user id for each environment with isolation: uid. SPDX-License-Identifier: Apache-2.0
 *
 * Of the Daemon document's `uids`, the lowest that no environment ever had: a number is never given
 * twice, because files and processes of the first may live on. The row `uid/N` of meta remembers.
 *
 * Thread   the writer's.
 * Fails    ERR_LIMIT: all are taken; else as db.h.
 */
#pragma once

#include "reconciler/engine/engine_state.h"

/* Of the environment with this uid (the UUID); the first time it is made durable with an event. */
int uids_of(struct engine *e, struct arena *a, struct str env, int64_t *ret, struct err *err);
