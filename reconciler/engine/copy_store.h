/*
 * copy_store: copies of the database in a directory. SPDX-License-Identifier: Apache-2.0
 *
 *     DIR/reeve-INSTALLATION-EPOCH-SEQ.copy       EPOCH 10, SEQ 14 digits: their order is that of the names
 *
 * One is made by a reader (VACUUM INTO), beside the database, then sealed into DIR (copy_file.h) under another
 * name and renamed. Nothing is made where the newest holds the last event already. The oldest go.
 *
 * Memory   the arena given.
 * Thread   any that may block; one maker at a time.
 * Fails    as copy_file.h and db.h.
 */
#pragma once

#include "specs/value.h"
#include "state/db.h"

struct copy_place {
    struct str dir, installation;
    const char *keys, *work; /* work: a file beside the database, for the time of one call */
    int64_t keep;            /* how many */
};

struct copy {
    struct str file; /* its path */
    int64_t epoch, seq;
};

/* From `state.backup` of the Daemon document; 0: it has none. */
int copy_place_of(struct arena *a, const struct value *daemon, struct copy_place *ret);

/* Newest first; none where there is no directory. */
int copy_list(struct arena *a, const struct copy_place *at, struct copy **ret, size_t *ret_n,
              struct err *err);
/* 1: made. 0: the newest is as new as this. */
int copy_make(struct arena *a, const struct copy_place *at, const char *database, struct err *err);
/* Why the database is older than a copy of it; STR_NONE: it is not. */
int copy_judge(struct arena *a, const struct copy_place *at, struct db *db, struct str *ret_why,
               struct err *err);
/* Checked as a whole; it lies in at->work until its owner removes it. */
int copy_open(const struct copy_place *at, const struct copy *copy, struct db **ret,
              struct err *err);
