/*
 * wait: everything a task can wait for. SPDX-License-Identifier: Apache-2.0
 *
 * Each start function returns void: a failure to begin arrives like one that comes later. One wait a
 * task at a time. Requests are copied or borrowed as said; results live in the arena given.
 *
 * Thread   the loop's.
 */
#pragma once

#include "base/network.h"
#include "reconciler/rt/task.h"

/* Run fn(t, err) on a pool's thread. Its return value becomes t->rc. fn reads t->cancelled to stop early.
 * Cancelled before it began it never runs; while it runs it is awaited, then t->rc is the cancel's code. */
typedef int wait_work_fn(struct task *t, struct err *err);
void wait_work_start(struct task *t, enum loop_pool pool, wait_work_fn *fn);

/* Jobs that name the same share get a quarter of the pool's threads at most, and one at least. The others of
 * them wait in their order, hold no thread, and jobs of other shares overtake them. The caller keeps the
 * share, all zero at first, for as long as the loop lives; it is of one pool. */
struct wait_queue { /* jobs in the order they came */
    struct wait *first, *last;
    size_t n;
};
struct wait_share {
    size_t n_admitted; /* that run or are about to; guarded as the pool's queue is */
    struct wait_queue waiting;
};
void wait_work_share_start(struct task *t, enum loop_pool pool, struct wait_share *share,
                           wait_work_fn *fn);

/* Until the loop's monotonic clock says at_ms. */
void wait_until_start(struct task *t, int64_t at_ms);

/* Until wait_signal() (kept when it comes first, once) or at_ms (then rc is ERR_TIMEOUT); at_ms < 0: no limit. */
void wait_signal_start(struct task *t, int64_t at_ms);
void wait_signal(struct task *t);

/* Until all of them have ended. They were started by the caller, who keeps them until `ended` of each was
 * called. A cancel or a deadline of this wait cancels those that still run and awaits them. */
void wait_join_start(struct task *t, struct task **children, size_t n);

struct exec_request {
    const char *const *argv;         /* NULL-terminated; argv[0] is the path */
    const char *const *env;          /* NULL-terminated; nothing is inherited */
    const char *dir;                 /* NULL: / */
    struct str input;                /* stdin; then closed */
    size_t out_max, err_max;         /* what is over is dropped and noted */
    int64_t timeout_ms;              /* then its process group is killed */
    int64_t rlimit_as, rlimit_cpu_s; /* 0: inherited */
};
struct exec_result {
    int status, signal; /* exit status, or the signal that ended it */
    int timed_out;
    struct str out, err_tail;        /* the first out_max and the last err_max bytes */
    size_t out_dropped, err_dropped; /* bytes over the limits */
};
/* rc: 0 when it ran and ended, whatever its status; ERR_TIMEOUT (the result is filled), ERR_NOT_FOUND,
 * ERR_IO. Borrows `in` until it ends. What is left of its process group is killed when it ends. */
void wait_exec_start(struct task *t, const struct exec_request *in, struct arena *a,
                     struct exec_result *ret);

struct http_mail {               /* SMTP: the body of the request is the mail */
    const char *from, *to;       /* "<reeve@acme.dev>" */
    const char *user, *password; /* NULL: nobody signs in */
    int needs_tls;               /* of smtp:, by STARTTLS, or it fails */
};
struct http_sign {     /* AWS Signature Version 4, by curl. The caller writes x-amz-content-sha256,
                     parameters in order, and Content-Type where there is a body */
    const char *scope; /* "aws:amz:REGION:s3" */
    const char *id, *key;
};
struct http_request {
    const struct http_mail
        *mail; /* NULL: http; else the url is smtp: or smtps:, method and headers are not read */
    const struct http_sign *sign;         /* NULL: it is not signed */
    const char *method, *url, *unix_path; /* unix_path NULL: TCP */
    const char *const *headers;           /* "Name: value", NULL-terminated; NULL: none */
    struct str body;
    const char *ca_file;  /* certificates that https is checked against; NULL: the system's */
    size_t body_max;      /* of the answer; the rest is dropped */
    int64_t timeout_ms;   /* 0: HTTP_TIMEOUT_MS */
    int follow_redirects; /* GET and HEAD, to the same scheme, host and port alone */
    int fresh;            /* a connection of its own, closed after: probes */
    int public_only;      /* ERR_REFUSED for loopback, private and the like: URLs of others */
    const struct network *allowed; /* with public_only: these all the same */
    size_t n_allowed;
};
#define HTTP_TIMEOUT_MS 30000
struct http_reply {
    int status;               /* of a mail: its server's last word, 250 */
    struct str headers, body; /* headers: "Name: value\n" each */
    size_t body_dropped;      /* bytes over body_max that were seen */
};
/* rc: 0 when an answer came, whatever its status; ERR_UNREACHABLE, ERR_TIMEOUT, ERR_INVALID. Borrows `in` until it ends. */
void wait_http_start(struct task *t, const struct http_request *in, struct arena *a,
                     struct http_reply *ret);

/* A TCP connect to host:port; rc 0, ERR_UNREACHABLE, ERR_TIMEOUT. */
void wait_connect_start(struct task *t, const char *host, int port, int64_t timeout_ms);

/* For work that needs one of these in its middle: the same, blocking. From a pool's thread, never the loop's. */

/* fn(ctx, err) on another pool's thread (in practice POOL_STATE: an id made durable). */
typedef int wait_call_fn(void *ctx, struct err *err);
int wait_work_call(struct loop *loop, enum loop_pool pool, wait_call_fn *fn, void *ctx,
                   struct err *err);
/* Ends early with ERR_CANCELLED when *stop becomes non-zero; NULL: never. */
int wait_http_call(struct loop *loop, const struct http_request *in, struct arena *a,
                   struct http_reply *ret, const atomic_int *stop, struct err *err);
/* Nothing for so long; simulated, virtual time. */
void wait_sleep_call(struct loop *loop, int64_t ms);
