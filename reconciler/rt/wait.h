/*
 * wait: everything a task can wait for. SPDX-License-Identifier: Apache-2.0
 *
 * Each start function returns void: a failure to begin arrives like one that comes later. One wait a
 * task at a time. Requests are copied or borrowed as said; results live in the arena given.
 *
 * Thread   the loop's.
 */
#pragma once

#include "reconciler/rt/task.h"

/* Run fn(t, err) on a pool's thread. Its return value becomes t->rc. fn reads t->cancelled to stop early. */
typedef int wait_work_fn(struct task *t, struct err *err);
void wait_work_start(struct task *t, enum loop_pool pool, wait_work_fn *fn);

/* Until the loop's monotonic clock says at_ms. */
void wait_until_start(struct task *t, int64_t at_ms);

/* Until wait_signal() (kept when it comes first, once) or at_ms (then rc is ERR_TIMEOUT); at_ms < 0: no limit. */
void wait_signal_start(struct task *t, int64_t at_ms);
void wait_signal(struct task *t);

/* Until all of them have ended. They were started by the caller. */
void wait_join_start(struct task *t, struct task **children, size_t n);

struct exec_request {
    const char *const *argv; /* NULL-terminated; argv[0] is the path */
    const char *const *env;  /* NULL-terminated; nothing is inherited */
    const char *dir;         /* NULL: / */
    struct str input;        /* stdin; then closed */
    size_t out_max, err_max; /* what is over is dropped and noted */
    int64_t timeout_ms;      /* then its process group is killed */
    int64_t rlimit_as, rlimit_cpu_s; /* 0: inherited */
};
struct exec_result {
    int status, signal; /* exit status, or the signal that ended it */
    int timed_out;
    struct str out, err_tail;
};
/* rc: 0 when it ran and ended, whatever its status; ERR_TIMEOUT, ERR_NOT_FOUND, ERR_IO. Borrows `in` until it ends. */
void wait_exec_start(struct task *t, const struct exec_request *in, struct arena *a,
                     struct exec_result *ret);

struct http_request {
    const char *method, *url, *unix_path; /* unix_path NULL: TCP */
    const char *const *headers;           /* "Name: value", NULL-terminated; NULL: none */
    struct str body;
    size_t body_max; /* of the answer; the rest is dropped */
    int64_t timeout_ms;
    int follow_redirects;
};
struct http_reply {
    int status;
    struct str headers, body;
};
/* rc: 0 when an answer came, whatever its status; ERR_UNREACHABLE, ERR_TIMEOUT. Borrows `in` until it ends. */
void wait_http_start(struct task *t, const struct http_request *in, struct arena *a,
                     struct http_reply *ret);

/* A TCP connect to host:port; rc 0, ERR_UNREACHABLE, ERR_TIMEOUT. */
void wait_connect_start(struct task *t, const char *host, int port, int64_t timeout_ms);
