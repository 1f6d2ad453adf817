/*
 * view_jobs: jobs with their last runs and their next. SPDX-License-Identifier: Apache-2.0
 *
 * Only the view_*.c files include this.
 */
#pragma once

#include "reconciler/engine/view_rows.h"

/* `jobs`: [{name, schedule?, tz?, concurrency, next_ms?, runs: [..]}], those that were applied. */
int view_jobs_set(const struct view *v, struct value *map, struct str env, struct err *err);
/* Of "job/NAME": how its last runs ended and when the next one comes, as sentences. */
int view_jobs_explain(const struct view *v, struct str env, struct str subject,
                      struct value *reasons, struct err *err);
