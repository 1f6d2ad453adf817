/*
 * journal: the lives that an operation has taken. SPDX-License-Identifier: Apache-2.0
 *
 * An operation is open until its outcome is written. One that a former life left open is looked at
 * before anything is done (PROTOCOL 1).
 *
 * Thread   any.
 */
#pragma once

#include "state/db.h"

#define JOURNAL_DEATHS_MAX 3 /* deaths in one phase; then it is parked */

/* Deaths to write before the effect of an open operation is taken up in `epoch`: one more where it was left by
 * a former life. A phase that is reached begins at 0. */
int64_t journal_next_deaths(const struct rec_operation *op, int64_t epoch);
