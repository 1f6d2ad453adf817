/*
 * loop_uv: the real loop, for the files that are parts of it. SPDX-License-Identifier: Apache-2.0
 *
 * Handles in allocated memory carry that memory in handle->data and are freed by loop_uv_closed(), the
 * close callback, and nowhere else; handles inside struct loop_uv carry NULL.
 *
 * Thread   the loop's, but loop_uv_post() and the pools.
 */
#pragma once

#include <curl/curl.h>
#include <pthread.h>
#include <uv.h>

#include "base/guard.h"
#include "reconciler/rt/loop_ops.h"

#define LOOP_UV_IDLE_EASY_MAX 32

/* Threads that take jobs from a queue. */
struct wait_work_pool {
    struct loop_uv *loop;
    struct wait_work_thread *threads;
    size_t n_threads, n_alive;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct wait_queue queue; /* this and below: under the lock */
    int stopping;
};

struct loop_uv {
    struct loop loop;
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_idle_t idle; /* active while the run queue holds more */
    uv_async_t async;
    uv_timer_t alarm;
    uint64_t n_orders;
    pthread_mutex_t posts_lock;
    struct loop_post *posts, **posts_end;
    struct wait_work_pool pools[N_POOLS];
    size_t n_children; /* processes that were not reaped */
    CURLM *multi;
    uv_timer_t multi_timer;
    CURL *idle_easy[LOOP_UV_IDLE_EASY_MAX];
    size_t n_idle_easy;
    int draining;
};

static inline struct loop_uv *loop_uv_of(struct loop *loop)
{
    return container_of(loop, struct loop_uv, loop);
}

void loop_uv_closed(uv_handle_t *handle);
void loop_uv_post(struct loop *loop, struct loop_post *post); /* any thread */

int wait_work_uv_open(struct loop_uv *l, const struct loop_options *options, struct err *err);
/* Stop the threads of a pool, serving the loop meanwhile. */
void wait_work_uv_close(struct wait_work_pool *pool);
void wait_work_uv_start(struct wait *w);
void wait_work_uv_cancel(struct wait *w);
void wait_work_uv_drop(struct wait *w);
size_t wait_work_uv_queued(struct loop *loop, enum loop_pool pool);

void wait_exec_uv_start(struct wait *w);
void wait_exec_uv_cancel(struct wait *w);
void wait_exec_uv_drop(struct wait *w);

int wait_http_uv_open(struct loop_uv *l, struct err *err);
void wait_http_uv_close(struct loop_uv *l);
void wait_http_uv_start(struct wait *w); /* a request or a connect */
void wait_http_uv_cancel(struct wait *w);
void wait_http_uv_drop(struct wait *w);

/* Start w on the loop from another thread and wait until it has ended. */
void wait_call_uv(struct wait *w, const atomic_int *stop);
