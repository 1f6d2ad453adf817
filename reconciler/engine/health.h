/*
 * health: how each thing is that the daemon needs, as it was seen last. SPDX-License-Identifier: Apache-2.0
 *
 * Nobody is asked for it: sources, providers and edges are judged by the work that is done with them anyway, and how
 * long that took; so however often somebody asks, no provider hears of it. The state file and its disk are looked at.
 *
 * Memory   in the arena given.
 * Thread   the loop's for the live parts, any for those of the state.
 * Fails    as db.h.
 */
#pragma once

#include "reconciler/core/health_sum.h"
#include "reconciler/engine/view.h"

struct engine;
struct follow;

#define HEALTH_SOURCE_FAILURES 3     /* in a row: it is unhealthy */
#define HEALTH_OUTBOX_LATE_MS 900000 /* a message is overdue for so long */
#define HEALTH_DISK_PERMILLE 100     /* less is free: degraded */
#define HEALTH_DISK_LAST_PERMILLE 10 /* unhealthy */
#define HEALTH_STANDBY_LATE_MS 60000 /* its daemon was not heard for so long */

/* A list of parts (core/health_sum.h). */
struct value *health_live(struct engine *e, struct arena *a);
struct value *health_standby(const struct follow *f, struct arena *a);
/* The reader, the disk, the clock and the outbox are added. */
int health_state(const struct view *v, const char *state_path, struct value *list, struct err *err);

/* Every source was asked, and every environment looked at, once in this life. */
int health_is_ready(struct engine *e);
