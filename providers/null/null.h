/*
 * null: every type, nothing behind it. SPDX-License-Identifier: Apache-2.0
 *
 * Keeps what it was asked for, answers like the real drivers do, as slowly and as badly as its
 * configuration says: benchmarks and simulations run against it. Inside the folder:
 *
 *     call      its latency, the lock, a fault; what it shows
 *     apply     what is made, changed, let go of and deleted
 *     store     owner label -> object, in memory or, with `directory`, in files
 *     outputs   what an object of a type looks like from outside
 *     faults    which call fails, and how
 *
 * Thread   many calls at once; one mutex guards the store and the faults' counters.
 */
#pragma once

#include <pthread.h>

#include "providers/kit.h"

struct null_object {
    struct null_object *next;
    struct str owner, type, name, key; /* owned by the object, as what follows is */
    struct str desired;                /* p NULL: in its file alone, until null_store_recall() */
    struct str observed, outputs;      /* what it looks like; empty until it is asked for */
    uint64_t epoch;
    int64_t number;  /* 1, 2 ...: backend b1, port ... */
    int64_t pending; /* resumes left until it is settled; 0: as asked */
    int deleting;
    int64_t used_us, used_at_ms; /* of a processor, until then; 0: nobody asked yet */
};

struct null_store {
    struct null_object **slots;
    size_t n_slots, n;
    int64_t next_number;
    struct str directory; /* "" : memory only */
    int loaded;
};

enum null_fault_kind { NULL_FAULT_NONE, NULL_FAULT_BEFORE, NULL_FAULT_AFTER, NULL_FAULT_DOWN };

struct null_fault {
    struct str type, action, call, name; /* "": any */
    int64_t nth;                         /* 0: every time; n: the nth that matches */
    int64_t seen;
    enum null_fault_kind kind; /* BEFORE the effect, AFTER it, or health answers no */
    enum rv_verdict verdict;
    enum rv_acted acted;
};

struct null_driver_self {
    struct arena arena; /* configuration */
    pthread_mutex_t mutex;
    struct null_store store;
    struct null_fault *faults;
    size_t n_faults;
    uint32_t latency_ms;
    int64_t pending;
    int may_write;
    /* Set by tests: how many looks a job takes, a second apart; what each instance uses of a processor,
     * in thousandths (0: nobody knows); and who hears that a job is begun. */
    int64_t job_looks, busy;
    void (*begun)(void *ctx, const struct null_object *job);
    void *begun_ctx;
};

/* store: with the mutex held. Errors are of the directory. */
int null_store_load(struct null_store *s, struct err *err); /* once, before the first use */
struct null_object *null_store_find(const struct null_store *s, struct str owner);
struct null_object *null_store_put(struct null_store *s,
                                   struct str owner); /* found or new; NULL: no memory */
/* What it looks like is made anew afterwards. -1: no memory. */
int null_object_set(struct null_object *o, struct str *member, struct str text);
int null_store_keep(struct null_store *s, struct null_object *o, struct err *err);
/* What was asked for, where only its file has it; and back to that. */
int null_store_recall(struct null_store *s, struct null_object *o, struct err *err);
void null_store_unlearn(const struct null_store *s, struct null_object *o);
int null_store_drop(struct null_store *s, struct str owner, struct err *err);
/* The same object under another owner. */
int null_store_rename(struct null_store *s, struct null_object *o, struct str owner,
                      struct err *err);
/* OWNER.drift in the directory: {observed: {..}, outputs: {..}, stays}, over what it shows; NULL: it is as it was
 * made. Writing it mends it, unless it stays. */
const struct value *null_store_drift(const struct null_store *s, struct arena *a, struct str owner);
int null_store_mend(const struct null_store *s, const struct null_object *o, struct err *err);
void null_store_fini(struct null_store *s);

/* outputs */
struct value *null_outputs(struct arena *a, const struct null_object *o,
                           const struct value *desired);
struct value *null_observed(struct arena *a, const struct null_object *o,
                            const struct value *desired);
struct value *null_counters_of(struct arena *a, const struct null_object *o);

/* faults: read from a list of maps; 0, or RV_USER answered. */
int null_faults_read(struct null_driver_self *self, const struct rv_host *h,
                     const struct value *list, struct rv_result *ret);
/* The fault of this call, counting it; NULL: none. With the mutex held. */
const struct null_fault *null_fault_of(struct null_driver_self *self, const char *call,
                                       const struct rv_op *op);

/* call */
struct null_call {
    struct null_driver_self *self;
    const struct rv_host *h;
    const struct rv_op *op;
    struct rv_result *ret;
    struct arena arena;
    const struct null_fault *fault;
    struct null_object *object; /* of the owner or id, or NULL */
};

/* The lock is held after 0; a verdict was answered otherwise. `owner`: a label, or an id. */
int null_begin(struct null_call *c, const char *call, struct rv_str owner);
/* The effect happened; its answer may be another one. */
void null_end(struct null_call *c);
void null_lock(struct null_driver_self *s);
void null_unlock(struct null_driver_self *s);
/* What it looks like from now on. Once for each writing: it is read far more often. */
int null_look_at(struct null_call *c, struct null_object *o, const struct value *desired,
                 enum rv_acted acted);
/* What the object is, into the result. */
void null_show(struct null_call *c, enum rv_acted acted);
int null_is_job(const struct null_object *o);
/* One look nearer to its end; then it looks different. */
void null_comes_nearer(struct null_call *c);

/* apply: what the operation asks for, between null_begin() and null_end(); answered in any case. */
void null_change(struct null_call *c);
