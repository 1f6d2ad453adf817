/*
 * loop: the event loop, real and simulated, behind one table. SPDX-License-Identifier: Apache-2.0
 *
 * loop_uv is libuv, a pool of threads each for STATE (one), DRIVER and REVERT, FILE, and one curl multi.
 * loop_sim is virtual time: work runs inline in seeded order, children and requests are answered by a
 * script, a crash drops every task. Nothing above rt can tell which one it runs on.
 *
 * Thread   everything on the loop's thread, but loop_post().
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum loop_pool {
    POOL_STATE,  /* one thread, the writer; jobs that queue up share a batch */
    POOL_DRIVER, /* driver calls */
    POOL_REVERT, /* driver calls of reverts and un-routes: never behind the others */
    POOL_FILE,   /* reading files and repositories */
    POOL_QUERY,  /* answers to whoever asks: our own work never waits behind them */
    POOL_SIGN,   /* who signs in: passwords cost time, and identity providers may not answer */
    N_POOLS
};

struct loop;
struct task;

/* Around each group of STATE jobs, on the STATE thread: begin, at most LOOP_BATCH_MAX jobs, commit. When
 * commit fails every job of the group completes with that error. */
struct loop_batch {
    int (*begin)(void *ctx, struct err *err);
    int (*commit)(void *ctx, struct err *err);
    void *ctx;
};
#define LOOP_BATCH_MAX 64
#define LOOP_DRIVER_THREADS 32 /* a quarter of them is one provider's: still many */

struct loop_options {
    uint32_t n_driver_threads; /* 0: LOOP_DRIVER_THREADS */
    struct loop_batch batch;
};

int loop_uv_new(const struct loop_options *options, struct loop **ret, struct err *err);
/* Work that runs is awaited, STATE jobs that queue are run and committed, other queued work is not begun.
 * Tasks that have not ended are cancelled for their work's eyes and dropped without `ended`. */
void loop_free(struct loop *loop);

/* Run until loop_stop() (or, simulated, until nothing is left to do). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Jobs that wait for a thread of the pool. */
size_t loop_queued(struct loop *loop, enum loop_pool pool);

int64_t loop_mono_ms(struct loop *loop); /* what deadlines and timers count in */
int64_t loop_wall_ms(struct loop *loop);
int64_t loop_boot_ms(struct loop *loop);
uint64_t loop_random(struct loop *loop);

/* Run `fn` on the loop's thread soon. The one call that any thread may make. */
typedef void loop_fn(void *ctx);
void loop_post(struct loop *loop, loop_fn *fn, void *ctx);

/* Call `fn` on the loop when fd is readable, until loop_unwatch(). For the HTTP server's epoll descriptor. */
struct loop_watch;
int loop_watch_fd(struct loop *loop, int fd, loop_fn *fn, void *ctx, struct loop_watch **ret,
                  struct err *err);
void loop_unwatch(struct loop_watch *watch);

/* A timer outside of tasks: one shot, re-armed by the callback if wanted. at_ms < 0 stops it. */
struct loop_timer;
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *ctx);
void loop_timer_set(struct loop_timer *timer, int64_t at_ms);
void loop_timer_free(struct loop_timer *timer);

/* Call `fn` on the loop when the signal arrives (real loop only). */
int loop_on_signal(struct loop *loop, int signum, loop_fn *fn, void *ctx, struct err *err);
