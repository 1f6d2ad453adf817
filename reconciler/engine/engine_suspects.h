/*
 * engine_suspects: the environment that kills the daemon is left alone. SPDX-License-Identifier: Apache-2.0
 *
 * After a death one environment is worked on at a time for some minutes, so that the next death tells more. Who
 * was in work at each of three within five minutes is held, `crash_suspect`: nothing of it is read, planned or
 * gone on with until a person resumes it.
 *
 * Thread   the loop's, before it runs.
 */
#pragma once

#include "reconciler/engine/engine_state.h"

#define ENGINE_SUSPECT S("crash_suspect")

/* In the writer's batch. */
int engine_suspects_seek(struct engine *e, struct err *err);
