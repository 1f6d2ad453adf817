/*
 * events: reading, verifying and replaying the history. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   events live in the arena given; verifying takes little, replaying an image of the tables.
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

/* PROTOCOL 6: over every column of the event, with the installation's id. */
struct digest events_hash(struct str installation, const struct event *e);

/* The end of a chain that is being checked; all zero: nothing was checked yet. To go on behind an event that
 * stands: its seq, time and hash, the hash as last_computed, too. */
struct event_chain {
    struct str installation;
    int64_t last_seq, last_ms;
    struct digest last_hash, last_computed;
    int64_t
        bare_seq; /* the newest whose body was removed, until a snapshot is whole (retain.h); 0: none */
    int64_t n_bare;
    int has_body;    /* one had; none may be missing from there on */
    int in_snapshot; /* it began, and did not end */
};
/* Is every body that is missing before a snapshot? */
int events_check_bare(const struct event_chain *c, struct err *err);
/* Is `e`, with its body, the next one? What is wrong with the hash of one shows with the next, or at the end. */
int events_check_next(struct event_chain *c, const struct event *e, struct err *err);
int events_check_end(const struct event_chain *c, struct err *err);
/* Inside a batch: as it is. Only tx.c and replica.c write events. */
int events_insert(struct db *db, const struct event *e, struct err *err);

/* Check every hash and link, and every body against its hash. ERR_CORRUPT names the first bad seq and column. */
int events_verify(struct db *db, int64_t *ret_n, struct err *err);
/* Only those after event `seq`, which was verified before and had this hash. `ret_n`: seq of the last. */
int events_verify_after(struct db *db, int64_t seq, const struct digest *hash, int64_t *ret_n,
                        struct err *err);
/* Rebuild all EVENTED tables from the events in a fresh in-memory database and compare row by row with the
 * tables of `db`. ERR_CORRUPT names table, key and column of the first difference. */
int replay_verify(struct db *db, int64_t *ret_rows, struct err *err);
/* Inside a batch: what the body of one event says of rows is done. Its documents are there, or are made empty. */
int replay_event(struct db *db, int64_t seq, const struct value *body, struct err *err);
