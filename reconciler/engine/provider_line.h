/*
 * provider_line: what all calls of one provider have in common. SPDX-License-Identifier: Apache-2.0
 *
 * Its share of the DRIVER pool, so that a provider which does not answer holds a quarter of the threads at most,
 * and its breaker, so that it is asked ever more seldom until it answers again.
 *
 * Memory   in the engine's process arena.
 * Thread   open and close the loop's; the share the loop's; the breaker from any, under its lock.
 */
#pragma once

#include <pthread.h>

#include "providers/registry.h"
#include "reconciler/core/alarm.h"
#include "reconciler/core/breaker.h"
#include "reconciler/core/metrics.h"
#include "reconciler/engine/op_slot.h"
#include "reconciler/rt/wait.h"

struct engine;

#define PROVIDER_LINE_CALLS 9   /* enum driver_call_kind */
#define PROVIDER_LINE_ANSWERS 5 /* enum breaker_answer, and refused */

struct provider_line {
    const struct provider *provider;
    struct wait_share share;
    int64_t slots, slots_max; /* op_slot.c's: operations that act, */
    struct op_queue waiting;  /* and those that wait for a slot */
    pthread_mutex_t lock;
    struct breaker breaker;        /* this and below: under the lock */
    char error[ERR_TEXT_MAX];      /* of the last failure; "" */
    int64_t said_mono_ms, took_ms; /* of the last call that was answered or failed; 0: none yet */
    struct metrics_times took;
    uint64_t calls[PROVIDER_LINE_CALLS][PROVIDER_LINE_ANSWERS];
};

/* One for each provider of the registry; close takes none or some too. */
int provider_line_open_all(struct engine *e, struct err *err);
void provider_line_close_all(struct engine *e);
/* NULL: no such provider. */
struct provider_line *provider_line_find(struct engine *e, struct str name);

/* Work that calls this provider: on DRIVER, within its share. */
void provider_line_start(struct engine *e, struct task *t, struct str provider, wait_work_fn *fn);

/* Before a call: when it is refused, *ret_why says so and *ret_again_ms when to come again. */
enum breaker_pass provider_line_ask(struct provider_line *line, struct loop *loop, struct arena *a,
                                    struct str *ret_why, int64_t *ret_again_ms);
/* After one that was not refused. `why` holds no secret. */
void provider_line_note(struct provider_line *line, struct loop *loop, enum breaker_pass pass,
                        enum breaker_answer answer, struct str why);

/* How it answers, and the sentence that says so. */
void provider_line_alarm(struct provider_line *line, struct loop *loop, struct arena *a,
                         struct alarm_provider *ret, struct str *ret_why);
/* For who counts: how long it took, -1 when it was refused; after provider_line_note(). */
void provider_line_count(struct provider_line *line, struct loop *loop, int call,
                         enum breaker_answer answer, int64_t took_ms);

/* {name: {failures, open, again_ms, acting, acting_max, error}}; error "" for none, again_ms of an open one */
struct value *provider_line_view(struct engine *e, struct arena *a);
