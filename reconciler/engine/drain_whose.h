/*
 * drain_whose: whose an output is that a drain of logs came upon, and what that instance was given. SPDX-License-Identifier: Apache-2.0
 *
 * Asked is about who is new and has printed. It has an answer as soon as it is known which environment, service and set it is of, and
 * what it was given, or that the drain does not want it. Who prints before all of that is committed is asked for again with the next
 * round, DRAIN_ASK_TIMES times; then what it prints is withheld, as nobody knows what must not be shown of it.
 *
 * Memory   answers live in the arena of their tail.
 * Thread   STATE.
 * Fails    as db.h; ERR_NOMEM.
 * Limits   DRAIN_ASKS_MAX at once.
 */
#pragma once

#include "reconciler/engine/drain_tail.h"
#include "state/db.h"

#define DRAIN_ASKS_MAX 16
#define DRAIN_ASK_TIMES 30 /* a second each: what runs is printing before all of it is committed */

int drain_whose_ask(struct drain_tails *d, struct db *db, struct arena *round, struct err *err);
