/*
 * events: the history, read and written; events_chain.h verifies it, replay.h replays it. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   events live in the arena given.
 * Thread   any, with a connection of its own.
 * Fails    as db.h; ERR_NOT_FOUND for an event that is not there.
 */
#pragma once

#include "specs/value.h"
#include "state/db.h"

struct event {
    int64_t seq, epoch, time_ms, mono_ms;
    struct str actor, cause, kind, subject, env;
    struct digest body_hash, prev_hash, hash;
    struct str body; /* JSON; STR_NONE where retention removed it or it was not asked for */
};

struct event_query {
    int64_t after_seq;                           /* exclusive; 0 from the beginning */
    int64_t before_seq;                          /* exclusive; 0: no bound */
    int64_t from_ms, to_ms;                      /* 0: no bound */
    struct str env, kind_prefix, subject, actor; /* STR_NONE: any */
    struct str envs; /* JSON: list of uids, one of them; STR_NONE: any */
    /* With bodies: a row was written of that kind and name, or with that name in a column of the kind, or of an instance
     * or a backend of the service. */
    struct str resource_kind, resource_name; /* "": any */
    /* With bodies: JSON list of texts, one of them in the body, or a plan's id that is the cause; STR_NONE: any. */
    struct str mentions;
    int newest_first, with_body;
    int without_steps; /* those of single operations and gates are left out */
    int64_t limit;     /* at most EVENTS_PAGE_MAX */
};
#define EVENTS_PAGE_MAX 1000

int events_list(struct db *db, struct arena *a, const struct event_query *q, struct event **ret,
                size_t *ret_n, struct err *err);
/* One, with its body. */
int events_get(struct db *db, struct arena *a, int64_t seq, struct event *ret, struct err *err);
int events_head(struct db *db, int64_t *ret_seq, struct digest *ret_hash, struct err *err);
/* Since when bodies are kept: the first event that has one; 0: from the beginning. */
int events_kept_since(struct db *db, int64_t *ret_seq, int64_t *ret_ms, struct err *err);
/* The last seq with time_ms <= t, 0 when there is none. */
int events_seq_at(struct db *db, int64_t time_ms, int64_t *ret_seq, struct err *err);
/* When something happened to an environment last, 0 when nothing did. */
int events_newest_ms(struct db *db, struct str env, int64_t *ret, struct err *err);
/* The same of each living environment named `first` to `last`. */
struct event_newest {
    struct str env;
    int64_t time_ms;
};
int events_newest_of(struct db *db, struct arena *a, struct str first, struct str last,
                     struct event_newest **ret, size_t *ret_n, struct err *err);

/* Inside a batch: as it is. Only tx.c and replica.c write events. */
int events_insert(struct db *db, const struct event *e, struct err *err);
