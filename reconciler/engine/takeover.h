/*
 * takeover: a standby's copy becomes the database of a daemon. SPDX-License-Identifier: Apache-2.0
 *
 * What was written by the daemon before and not heard of is missing here: things that carry our label and stand in
 * no row are remembered by name (`strange/OWNER` of meta), so that the copy counts as new enough; a generation that
 * the edge serves and no row knows is taken over; instances that no provider here has are lost, not running. What
 * was open goes on as after a death: looked at before it is repeated.
 *
 * Thread   the loop's, before it runs.
 * Fails    as db.h.
 */
#pragma once

#include "reconciler/engine/engine_state.h"
#include "reconciler/engine/world.h"

/* What the world has that the copy does not, and the other way round; e->found, in e->process. */
int takeover_meet(struct engine *e, const struct world *world, struct err *err);
/* Before that life begins: a mark for the daemon before, where it was on this machine. One that cannot be left is
 * logged: the person said that it is fenced. */
void takeover_tell(struct engine *e);
/* In the batch that begins the life, e->epoch being its own: the event, and that the file is a copy no more. */
int takeover_write(struct engine *e, struct err *err);
