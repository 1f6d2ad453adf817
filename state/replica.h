/*
 * replica: the history of another database, taken over event by event. SPDX-License-Identifier: Apache-2.0
 *
 * A page is a stretch of the history with its bodies and the documents that those name. Whoever takes it checks
 * that it goes on where his own history ends, every hash, and every document, and does with the rows what the
 * bodies say: the same tables, without those of class CACHE.
 *
 * Where the other one removed old bodies (retain.h) a copy begins without them: their events are taken for their hashes, the
 * tables are those of the snapshot, and the copy is whole when that is. Who has a body already takes none less.
 *
 * Memory   a page lives in the arena given.
 * Thread   the connection's.
 * Fails    as db.h; ERR_CORRUPT: the page is not what its hashes say; ERR_CONFLICT: it does not go on from what
 *          is here. Nothing of a page is kept then.
 */
#pragma once

#include "state/events.h"

#define REPLICA_ID S("primary") /* of the one row of the table */

struct replica_document {
    struct digest digest;
    struct str kind, body;
};

struct replica_page {
    struct str installation;
    int64_t after_seq;        /* what the events begin behind */
    struct digest after_hash; /* of that one; none: it is not there, or 0 */
    int64_t head_seq, head_ms;
    int64_t epoch;
    struct event *events;
    size_t n_events;
    struct replica_document *documents;
    size_t n_documents;
};

/* At most `limit` events and so many bytes of bodies, but one at least where there is one. */
int replica_read(struct db *db, struct arena *a, int64_t after_seq, int64_t limit, size_t bytes_max,
                 struct replica_page *ret, struct err *err);

/* The database at `path`, made of the page where there is none yet: then its first event is the first here. */
int replica_open(const char *path, const struct replica_page *page, const struct rec_replica *row,
                 struct db **ret, struct err *err);
/* Inside a batch. What is behind the page's first event already is passed over. */
int replica_add(struct db *db, const struct replica_page *page, struct err *err);

/* Whether its tables are those of its last event: of what was removed a whole snapshot has come. */
int replica_is_whole(struct db *db, int *ret, struct err *err);
/* ERR_NOT_FOUND: it was never anybody's copy. */
int replica_row(struct db *db, struct arena *a, struct rec_replica *ret, struct err *err);
