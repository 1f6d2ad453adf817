/*
 * history_keep: what each event wrote is kept as long as `state.history` says. SPDX-License-Identifier: Apache-2.0
 *
 * A snapshot is written four times in that time; what is older than it goes up to the newest snapshot that is older as well.
 * The pages that it leaves are given back to the file system.
 *
 * Thread   STATE.
 * Fails    as db.h.
 */
#pragma once

#include "reconciler/engine/engine_state.h"

/* Nothing where the configuration keeps everything. 1 in `ret_goes_on`: there is more to remove. */
int history_keep_prune(struct engine *e, struct arena *a, int *ret_goes_on, struct err *err);
int history_keep_is_asked(const struct engine *e);
