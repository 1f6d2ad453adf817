/*
 * health_sum: how the daemon is, of how each thing is that it needs. SPDX-License-Identifier: Apache-2.0
 *
 * A part is {kind, name, status, response_time_ms, checked_ms_ago, message?}, its status `healthy`, `degraded` or
 * `unhealthy`. Without its database the daemon does nothing, and without an edge nobody is served: these make the
 * whole unhealthy. Anything else that is not healthy degrades it: the last good state serves on.
 *
 * Memory   in the arena given.
 * Thread   any.
 */
#pragma once

#include "specs/value.h"

enum health_status { HEALTH_HEALTHY, HEALTH_DEGRADED, HEALTH_UNHEALTHY, N_HEALTH_STATUSES };

struct health_part {
    struct str kind, name;
    enum health_status status;
    int64_t response_time_ms; /* as it was measured last; -1: never yet */
    int64_t checked_ms_ago;   /* when that was; -1: never yet */
    struct str message;       /* why it is not healthy; "" */
};

const char *health_sum_word(enum health_status status);
/* One more of the list. */
void health_sum_add(struct arena *a, struct value *list, const struct health_part *part);
enum health_status health_sum_status(const struct value *part);
enum health_status health_sum_of(const struct value *list);
/* {KIND: {status, response_time_ms}}: of each kind the worst, and the slowest. */
struct value *health_sum_kinds(struct arena *a, const struct value *list);
