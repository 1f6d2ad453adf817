/*
 * tx: one savepoint, one event. SPDX-License-Identifier: Apache-2.0
 *
 * tx_begin() opens a savepoint inside the writer's batch; every row put or removed is noted;
 * tx_commit() appends the event whose body holds the new values of all of them, chained by hash to
 * the one before (PROTOCOL 6). What is not evented (CACHE tables) is written without a note. The
 * event is durable when the batch commits.
 *
 * Memory   `rec` and text are borrowed during the call.
 * Thread   the writer's.
 * Fails    as db.h; a failed call leaves the savepoint to be rolled back by tx_rollback().
 */
#pragma once

#include "state/db.h"

struct tx_head {
    int64_t time_ms, mono_ms;
    int64_t epoch;
    struct str actor;   /* local:NAME(uid), reeve */
    struct str cause;   /* commit:ID, plan:ID, request:ID ... or "" */
    struct str kind;    /* event word: operation.intent, plan.stored ... */
    struct str subject; /* what it is about: kind/name, plan id, source name */
    struct str env;     /* environment uid or "" */
};

struct tx;

int tx_begin(struct db *db, const struct tx_head *head, struct tx **ret, struct err *err);
/* Who looks at what is written, on a connection: at each evented row before it is, and at the event before it is. May put
 * rows of its own into the same savepoint; those are not shown to it. A failure is the savepoint's. */
struct tx_watch {
    int (*put)(void *ctx, struct tx *tx, enum record record, const void *rec, struct err *err);
    int (*end)(void *ctx, struct tx *tx, struct err *err);
    void *ctx;
};
/* NULL: nobody. Borrowed. */
void tx_set_watch(struct db *db, const struct tx_watch *watch);

int64_t tx_seq(const struct tx *tx); /* of the event this savepoint will write */
int64_t tx_time_ms(const struct tx *tx);
struct db *tx_db(struct tx *tx);
/* As its head was given; until it is committed. */
struct str tx_kind(const struct tx *tx);
struct str tx_subject(const struct tx *tx);
struct str tx_env(const struct tx *tx);

int tx_put(struct tx *tx, enum record record, const void *rec,
           struct err *err); /* insert or replace by key */
int tx_remove(struct tx *tx, enum record record, const void *rec,
              struct err *err); /* by key; absent is success */
/* A note without a row, shown with the event: JSON without secrets, each name once. What is wrong with it is
 * said by tx_commit(). "clock" is ours: {"behind_ms": N} where the clock went back. */
void tx_note(struct tx *tx, struct str name, struct str json);
/* Store a document by its digest, digest_value(kind, value) of the value whose canonical text is `body`; one
 * that is known is not written again. ERR_INVALID: another digest. */
int tx_document(struct tx *tx, struct str kind, const struct digest *digest, struct str body,
                struct err *err);

/* Said anew in the body, as it stands already: nothing is written but the event. */
int tx_tell(struct tx *tx, enum record record, const void *rec, struct err *err);
int tx_tell_document(struct tx *tx, const struct digest *digest, struct err *err);
size_t tx_size(const struct tx *tx); /* bytes of the body until now, about */

int tx_commit(struct tx *tx, struct err *err); /* frees tx, also when it fails */
void tx_rollback(struct tx *tx);               /* frees tx; NULL does nothing */
/* By the code of what was written into it: 0 commits, else it is rolled back and the answer. */
int tx_finish(struct tx *tx, int rc, struct err *err);

/* Put a resource: closes the row that is valid now and opens one at this event, where desired, observed,
 * status, provider, its id, owner, outputs, protect, drift, incarnation or turn differ; else nothing is written.
 * valid_* are ignored. */
int tx_put_resource(struct tx *tx, const struct rec_resource *rec, struct err *err);
