/*
 * loop_ops: what the two loops have in common, and the table in which they differ. SPDX-License-Identifier: Apache-2.0
 *
 * Only the files of rt include this. loop.c, loop_timer.c, task.c and wait.c are the common part. All time
 * goes through one heap of timers, so that a loop provides a single alarm.
 *
 * A wait is started, maybe asked to end early, and ends once by wait_end(), always on the loop's thread.
 *
 * Thread   the loop's, but what says otherwise.
 */
#pragma once

#include "reconciler/rt/wait.h"

struct loop_timer {
    struct loop *loop;
    loop_fn *fn;
    void *ctx;
    int64_t at_ms;  /* < 0: not set */
    uint64_t order; /* among equals */
    struct loop_timer *child, *next,
        *prev; /* a pairing heap; prev of a first child is its parent */
};
void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_fn *fn, void *ctx);
/* Run the timers that are due at now_ms, at most `max` of them. */
void loop_timers_fire(struct loop *loop, int64_t now_ms, size_t max);
int64_t loop_timers_next(const struct loop *loop); /* -1: none */
void loop_timers_clear(struct loop *loop);

/* A function to be run on the loop; its owner keeps it until then. */
struct loop_post {
    struct loop_post *next;
    loop_fn *fn;
    void *ctx;
};

enum wait_kind {
    WAIT_WORK,
    WAIT_UNTIL,
    WAIT_SIGNAL,
    WAIT_JOIN,
    WAIT_EXEC,
    WAIT_HTTP,
    WAIT_CONNECT
};

struct wait_work {
    enum loop_pool pool;
    wait_work_fn *fn;   /* of a task */
    wait_call_fn *call; /* of a caller on another thread */
    void *call_ctx;
    struct wait_share *share; /* NULL: none */
    int admitted;             /* in the queue or out of it; else it waits in its share */
    int taken;                /* out of the queue; both guarded as the queue is */
    struct wait *next, *prev;
    struct loop_post done;
};

struct wait_exec {
    const struct exec_request *in;
    struct arena *arena;
    struct exec_result *ret;
};

struct wait_http {
    const struct http_request *in;
    struct arena *arena;
    struct http_reply *ret;
};

struct wait_connect { /* host is read by the start alone */
    const char *host;
    int port;
    int64_t timeout_ms;
};

struct wait {
    struct loop *loop;
    struct task *task;             /* NULL: a caller on another thread */
    void (*ended)(struct wait *w); /* called once, by wait_end() */
    enum wait_kind kind;
    int asked; /* ERR_* with which it was asked to end early, else 0 */
    int rc;
    struct err *err; /* the task's or the caller's */
    struct loop_timer deadline;
    int64_t deadline_ms; /* its length, for the message */
    void *own;           /* the loop's part */
    void *own_call;      /* the loop's part of a call from another thread */
    union {
        struct wait_work work;
        struct loop_timer until; /* WAIT_UNTIL and WAIT_SIGNAL */
        size_t n_joined;         /* children that still run */
        struct wait_exec exec;
        struct wait_http http;
        struct wait_connect connect;
    } u;
};

/* The end: `rc`, unless it was asked to end with another. w is gone after. */
void wait_end(struct wait *w, int rc);
/* Ask it to end early; wait_end() comes in this call or later. Only the first asking counts. */
void wait_ask(struct wait *w, int code);
/* Free it without a word: its task is dropped. */
void wait_drop(struct wait *w);
/* Run the function of a WAIT_WORK, on the thread of its pool: its result. */
int wait_work_run(struct wait *w);
/* Run n of them as one group of POOL_STATE: rc of each is set. */
void wait_work_run_group(struct loop *loop, struct wait **jobs, size_t n);
void wait_queue_push(struct wait_queue *q, struct wait *job);
void wait_queue_remove(struct wait_queue *q, struct wait *job);
/* 1: it is for the queue of its pool, which has n_threads; 0: it waits in its share. */
int wait_share_enter(struct wait *job, size_t n_threads);
/* It has run or never will: the job that is for the queue in its place, or NULL. */
struct wait *wait_share_leave(struct wait *job);
/* A joined child has ended. */
void wait_join_one(struct wait *w);

struct loop_ops {
    void (*free)(struct loop *loop); /* drops every task in its own order */
    void (*run)(struct loop *loop);
    void (*stop)(struct loop *loop);
    int64_t (*mono_ms)(struct loop *loop);
    int64_t (*wall_ms)(struct loop *loop);
    int64_t (*boot_ms)(struct loop *loop);
    uint64_t (*random)(struct loop *loop);
    uint64_t (*order)(struct loop *loop);            /* of timers that are due at the same time */
    void (*alarm)(struct loop *loop, int64_t at_ms); /* call loop_timers_fire() then; -1: never */
    void (*post)(struct loop *loop, struct loop_post *post); /* any thread */
    int (*watch)(struct loop *loop, int fd, loop_fn *fn, void *ctx, struct loop_watch **ret,
                 struct err *err);
    void (*unwatch)(struct loop_watch *watch);
    int (*on_signal)(struct loop *loop, int signum, loop_fn *fn, void *ctx, struct err *err);
    /* WAIT_WORK, WAIT_EXEC, WAIT_HTTP and WAIT_CONNECT; the other kinds are common */
    void (*start)(struct wait *w);
    void (*cancel)(struct wait *w);
    void (*drop)(struct wait *w);
    size_t (*queued)(struct loop *loop, enum loop_pool pool);
    /* on a pool's thread */
    void (*call)(struct wait *w, const atomic_int *stop);
    void (*sleep)(struct loop *loop, int64_t ms);
};

struct loop {
    const struct loop_ops *ops;
    struct loop_batch batch;
    struct task *all, *queue, **queue_end;
    struct loop_timer *timers; /* the earliest */
};

void loop_post_drop(struct loop_post *post); /* made by loop_post() and never run */
void loop_init(struct loop *loop, const struct loop_ops *ops, const struct loop_batch *batch);

/* One generation of the run queue: what is runnable now steps once. Returns how many are runnable after. */
int task_run_queue(struct loop *loop);
/* The wait's result is in t->rc: to the run queue. */
void task_wake(struct task *t, int rc);
/* Forget every task. Their waits are dropped. */
void task_drop_all(struct loop *loop);
