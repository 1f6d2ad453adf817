/*
 * events_chain: the hashes that make the history one chain, and whether they hold. SPDX-License-Identifier: Apache-2.0
 *
 * Each event's hash covers its columns, its body by its digest, and the hash of the event before: whoever changes one changes all
 * that follow. Bodies may be missing from the beginning on, where retention removed them and a snapshot after them says what they
 * were (retain.h).
 *
 * Memory   little, however long the history is.
 * Thread   any, with a connection of its own.
 * Fails    as db.h; ERR_CORRUPT names the first bad seq and column.
 */
#pragma once

#include "state/events.h"

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

/* Check every hash and link, and every body against its hash. */
int events_verify(struct db *db, int64_t *ret_n, struct err *err);
/* Only those after event `seq`, which was verified before and had this hash. `ret_n`: seq of the last. */
int events_verify_after(struct db *db, int64_t seq, const struct digest *hash, int64_t *ret_n,
                        struct err *err);
