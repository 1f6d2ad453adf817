/*
 * engine_suspects: what kills the daemon is left alone. SPDX-License-Identifier: Apache-2.0
 *
 * After a death one environment is worked on, or one commit read, at a time for some minutes, so that the next death
 * tells more. What was in work at each of three within five minutes is held:
 *
 *     an environment    `crash_suspect`: nothing of it is read or planned until a person resumes it. What is being
 *                       applied is taken back, as by `cancel`; where that kills the daemon three times, too,
 *                       `crash_suspect_left`: it stays as it is
 *     a commit          `passed/MARK` in meta: that version of the daemon reads it no more
 *
 * Thread   the loop's, before it runs; engine_suspects_mark() any.
 */
#pragma once

#include "reconciler/engine/engine_state.h"

#define ENGINE_SUSPECT S("crash_suspect")
#define ENGINE_SUSPECT_LEFT S("crash_suspect_left")

/* In the writer's batch. */
int engine_suspects_seek(struct engine *e, struct err *err);
/* Which commits this daemon does not read. */
int engine_suspects_load(struct engine *e, struct err *err);
/* What stands in in_work while a commit is read. */
struct str engine_suspects_mark(struct arena *a, struct str source, struct str branch,
                                struct str commit);
int engine_suspects_is_passed(const struct engine *e, struct str mark);
