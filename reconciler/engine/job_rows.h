/*
 * job_rows: rows of runs that make way for another one. SPDX-License-Identifier: Apache-2.0
 *
 * They change with the row of the run that takes their place, so that nobody who comes later starts it beside them.
 *
 * Thread   state worker only.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "state/records.h"
#include "state/tx.h"

/* Each that is open of these rows of one job. */
int job_rows_make_way(struct tx *tx, const struct rec_job_run *runs, size_t n, struct err *err);
