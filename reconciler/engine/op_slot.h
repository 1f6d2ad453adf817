/*
 * op_slot: how many operations act at one time. SPDX-License-Identifier: Apache-2.0
 *
 * `limits` of the Daemon document: so many of all, and so many of a provider. Who finds no room waits in order,
 * without a thread, and is passed by those whose provider has room. An operation that backs off gives its slot
 * back. Bringing traffic back never waits.
 *
 * Thread   the loop's.
 */
#pragma once

#include <stdint.h>

struct engine;
struct op_task;

struct op_slots {
    int64_t max, n; /* of all */
    struct op_task *waiting;
};

/* After the provider's lines are open. */
void op_slot_open(struct engine *e);
/* 1: it may act. 0: it waits, and is woken when it has one. */
int op_slot_take(struct op_task *op);
/* Gives back, for the next one, or waits no more; nothing when it has none. */
void op_slot_leave(struct op_task *op);
/* The same at its end, when nobody goes on. */
void op_slot_drop(struct op_task *op);
