/*
 * op_slot: how many operations act at one time. SPDX-License-Identifier: Apache-2.0
 *
 * `limits` of the Daemon document: so many of all, and so many of a provider. Who finds no room waits without a
 * thread behind those of the same provider, and is passed by those whose provider has room. An operation that backs off gives its slot
 * back. Bringing traffic back never waits.
 *
 * Thread   the loop's.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct engine;
struct op_task;

struct op_queue { /* first come, first served; `end` means nothing while it is empty */
    struct op_task *first, **end;
};

struct op_slots {
    int64_t max, n;       /* of all */
    struct op_queue rest; /* those of no provider */
    size_t turn;          /* whose provider comes first */
};

/* After the provider's lines are open. */
void op_slot_open(struct engine *e);
/* 1: it may act. 0: it waits, and is woken when it has one. */
int op_slot_take(struct op_task *op);
/* Gives back, for the next one, or waits no more; nothing when it has none. */
void op_slot_leave(struct op_task *op);
/* The same at its end, when nobody goes on. */
void op_slot_drop(struct op_task *op);
