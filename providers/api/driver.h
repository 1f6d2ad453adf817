/*
 * driver: ABI v1, between the reconciler and what can read and change one kind of outside system.
 * SPDX-License-Identifier: Apache-2.0
 *
 * libc only; bodies are JSON text; strings are borrowed until the call returns, a driver's own come
 * from host.alloc. Structs begin with `size` and grow at the end; reserved fields are 0.
 *
 * Thread   many calls at once, one an operation: `self` is read-only after open.
 * Waits    only inside host calls; no call lasts longer than 30 s: longer work answers RV_PENDING.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define RV_ABI 1u

struct rv_str { /* not NUL-terminated */
    const char *p;
    size_t n;
};

enum rv_verdict {
    RV_DONE,
    RV_PENDING,   /* token and again_ms are filled; resume() later */
    RV_USER,      /* the request is wrong: no retry */
    RV_WAIT,      /* a condition outside; looked at again later */
    RV_RETRY,     /* passing fault; back-off */
    RV_STALE,     /* `expected` no longer holds */
    RV_ABSENT,    /* the world was read and it is not there */
    RV_CANCELLED, /* return at once */
    RV_FATAL,     /* this operation cannot ever succeed */
};

enum rv_acted {
    RV_ACTED_NO,
    RV_ACTED_MAYBE, /* for example a timeout after the first byte was sent */
    RV_ACTED_YES,
};

enum rv_action {
    RV_NONE,
    RV_CREATE,
    RV_UPDATE,
    RV_REPLACE,
    RV_DELETE,
    RV_ADOPT,
    RV_RUN,
    RV_FORGET
};

struct rv_op {
    uint32_t size, action, attempt, reserved0;
    uint64_t epoch; /* a lower one than the newest seen is refused */
    int64_t deadline_ms;
    struct rv_str type, name, key, owner, id, desired, before, expected, token;
    uint64_t reserved[4];
};

struct rv_result { /* filled on failure too */
    uint32_t size, verdict, acted, again_ms;
    struct rv_str id, observed, outputs, token, message;
    uint64_t reserved[4];
};

struct rv_http {
    uint32_t size, timeout_ms;
    uint64_t body_max;
    struct rv_str method, url, unix_path, headers, body; /* headers: "Name: value\n" each */
};

struct rv_reply {
    uint32_t size, status;
    struct rv_str headers, body;
};

struct rv_exec {
    uint32_t size, timeout_ms, n_argv, n_env, n_fds, reserved0;
    const struct rv_str *argv, *env; /* env: "NAME=value" each; nothing is inherited */
    const int *fds;                  /* inherited as 3, 4, ... in this order */
    struct rv_str dir, user, input;
};

struct rv_exit {
    uint32_t size;
    int32_t status, signal, pid;
    struct rv_str out, err_tail;
};

/* int: 0, or the enum rv_verdict to answer with. RV_CANCELLED: return at once. */
struct rv_host {
    uint32_t size, abi;
    void *ctx;
    void *(*alloc)(void *ctx,
                   size_t n); /* zeroed, freed by the host after the call; NULL: RV_RETRY */
    int (*http)(void *ctx, const struct rv_http *in, struct rv_reply *ret);
    int (*exec)(void *ctx, const struct rv_exec *in,
                struct rv_exit *ret); /* to its end; killed at the deadline */
    int (*spawn)(void *ctx, const struct rv_exec *in,
                 struct rv_exit *ret); /* detached, outlives us */
    int (*connect)(void *ctx, struct rv_str address,
                   int *ret_fd); /* unix:PATH tcp:HOST:PORT; non-blocking; the driver closes */
    int (*wait_fd)(void *ctx, int fd, uint32_t events,
                   uint32_t timeout_ms); /* poll(2) events; fd -1 sleeps; RV_WAIT: timed out */
    int (*secret)(void *ctx, struct rv_str ref,
                  struct rv_str *ret); /* pinned version; wiped after the call */
    int (*identified)(void *ctx,
                      struct rv_str id); /* returns when durable; not 0: no further effect */
    int (*cancelled)(void *ctx);
    int64_t (*now_ms)(void *ctx); /* monotonic */
    void (*progress)(void *ctx, uint32_t permille, struct rv_str text);
    void (*log)(void *ctx, uint32_t level, struct rv_str text);
};

typedef void rv_call(void *self, const struct rv_host *h, const struct rv_op *op,
                     struct rv_result *ret);

struct rv_driver { /* a NULL member: capability absent */
    uint32_t size, abi;
    const char *name, *version;
    /* Per type: fields, outputs, identity, stateful, idempotency, consistency_window_ms, crash, serial. */
    struct rv_str (*schema)(void);
    int (*open)(const struct rv_host *h, struct rv_str config, uint32_t may_write, void **ret_self,
                struct rv_result *ret); /* no I/O; 0, or the verdict */
    void (*close)(void *self);
    rv_call *validate, *normalise, *diff, *estimate; /* pure: host.alloc only */
    void (*read)(void *self, const struct rv_host *h, const struct rv_op *ops, size_t n,
                 struct rv_result *ret); /* n answers; an error is not RV_ABSENT */
    rv_call *find_by_owner;  /* at most one living object an owner; two: RV_FATAL that names both */
    rv_call *apply, *resume; /* the same key twice is once */
    rv_call *health, *import;
    /* What carries a label, in pages: `type` of op or all, behind `token`. Answers observed {items: [{type, id,
     * owner, name, label, epoch, observed, outputs}]} and the token of the next page, none at the end. It starts
     * and changes nothing. */
    rv_call *list;
    rv_call *backup, *restore, *counters;
    /* Ends `n` of the connections that the object still has, of `servers` alone where they are named; answers observed {n}:
     * how many it ended. RV_STALE: it is served again, and none is. */
    rv_call *shed;
};
