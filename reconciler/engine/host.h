/*
 * host: what a driver may use during one call. SPDX-License-Identifier: Apache-2.0
 *
 * Every call of the host ends by the call's own limit, by the deadline of all, or by the task's cancel; the last
 * two answer RV_CANCELLED. `identified` alone is carried out even then: what was made must be known. Values
 * handed out by `secret` are `***` in what the driver logs, and wiped by host_call_fini().
 *
 * http goes through the loop's one client, over https to public addresses alone (a unix socket is a
 * service of this machine) unless `egress` says otherwise, and follows no redirect.
 *
 * Owns     the memory that the driver got, until host_call_fini().
 * Thread   the one of the driver's call, never the loop's.
 * Limits   HOST_MEMORY_MAX a call, HOST_BODY_MAX an answer, HOST_OUT_MAX and HOST_ERR_MAX a program's output,
 *          HOST_SAID_MAX a message.
 */
#pragma once

#include "base/vec.h"
#include "providers/kit.h"
#include "reconciler/rt/task.h"

#define HOST_MEMORY_MAX (64u << 20)
#define HOST_BODY_MAX (8u << 20)
#define HOST_OUT_MAX (1u << 20)
#define HOST_ERR_MAX 4096u
#define HOST_SAID_MAX 16384u
#define HOST_HTTP_MS 10000 /* where the driver gives no time-out */

/* 0 or an enum rv_verdict. The value lies in `a`, which the host wipes. */
typedef int host_secret_fn(void *ctx, struct rv_str ref, struct arena *a, struct str *ret);
/* Returns when the id is durable: wait_work_call() on POOL_STATE. */
typedef int host_identified_fn(void *ctx, struct rv_str id);

enum host_egress { HOST_EGRESS_PUBLIC, HOST_EGRESS_ANY };

struct host_options {
    struct loop *loop;
    struct task *task;  /* its cancel ends the call; NULL: nobody's */
    int64_t timeout_ms; /* from now, for all of it */
    enum host_egress egress;
    const struct network *allowed; /* of networks that are not public; borrowed */
    size_t n_allowed;
    host_secret_fn *secret;         /* NULL: there are none: RV_USER */
    host_identified_fn *identified; /* NULL: nothing may be made: RV_FATAL */
    void *ctx;
};

struct host_call {
    struct rv_host host; /* for the driver */
    struct host_options options;
    int64_t deadline_ms;
    struct arena arena, secrets;
    VEC(struct str) values; /* of secrets handed out */
};

void host_call_init(struct host_call *call, const struct host_options *options);
void host_call_fini(struct host_call *call); /* copy the driver's answer before */

/* Its deadline has passed. */
int host_call_is_late(const struct host_call *call);

/* Hide the value of `ref` too, which an earlier call may have handed out. 0, or why it cannot be. */
int host_call_hide(struct host_call *call, struct rv_str ref);

/* What leaves the call, with the values that it handed out as `***` (secret_hide.h): a sentence, of which at most
 * HOST_SAID_MAX bytes are told, and what programs read. */
struct str host_call_words(const struct host_call *call, struct arena *a, struct str text);
struct str host_call_field(const struct host_call *call, struct arena *a, struct str text);
