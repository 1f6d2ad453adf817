/*
 * loop_sim: the loop for histories that never happened. SPDX-License-Identifier: Apache-2.0
 *
 * Virtual time jumps to the next timer; ready work runs inline on the one thread, in an order drawn
 * from the seed, after a delay drawn from `work_ms`. Children and requests are answered by hooks. A
 * crash (loop_sim_crash(), or a crash point whose hook calls it inside work) abandons everything
 * that runs: tasks are dropped without `ended`, the caller reopens the state and builds anew.
 *
 * Thread   one.
 */
#pragma once

#include "reconciler/rt/wait.h"

struct loop_sim_options {
    uint64_t seed;
    int64_t wall_ms;     /* virtual wall clock at the start */
    int64_t work_ms_max; /* each job takes 0..max virtual ms */
    struct loop_batch batch;
    /* Answers; rc as the wait's. NULL: ERR_UNREACHABLE. They may set *ret_delay_ms. */
    int (*exec)(void *ctx, const struct exec_request *in, struct arena *a, struct exec_result *ret,
                int64_t *ret_delay_ms);
    int (*http)(void *ctx, const struct http_request *in, struct arena *a, struct http_reply *ret,
                int64_t *ret_delay_ms);
    int (*connect)(void *ctx, const char *host, int port, int64_t *ret_delay_ms);
    void *ctx;
};

struct loop *loop_sim_new(const struct loop_sim_options *options);

/* Run until virtual time `until_ms`, until nothing is left (returns 0), loop_stop() (0) or a crash (1). */
int loop_sim_run(struct loop *loop, int64_t until_ms);
/* From inside work or a hook: does not return. */
_Noreturn void loop_sim_crash(struct loop *loop);
/* A step of the wall clock alone, as an operator's hand or NTP does it. */
void loop_sim_step_wall(struct loop *loop, int64_t by_ms);
