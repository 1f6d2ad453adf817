/*
 * engine_life: the database of an engine, and whether it may be believed. SPDX-License-Identifier: Apache-2.0
 *
 * In this order, with the providers opened between the second and the third. A database that cannot be read, or
 * is not there while the world holds things of ours, ends the start with what to do. One that is older than the
 * world is left as it is: e->stale says why, and nothing is written and nothing done.
 *
 * Thread   the loop's, before it runs.
 * Fails    ERR_LOCKED; ERR_CORRUPT; ERR_REFUSED: lost, or stale where nobody would be told; as db.h.
 */
#pragma once

#include "reconciler/engine/engine_state.h"

int engine_life_place(struct engine *e, struct err *err); /* directories, lock, installation */
int engine_life_read(struct engine *e, struct err *err);  /* the file that is there */
int engine_life_begin(struct engine *e, struct err *err); /* as new as the world: a life begins */
/* engine_rights.c: rights that the Daemon document gives and did not give in the last life are an event. */
int engine_life_rights(struct engine *e, struct err *err);
