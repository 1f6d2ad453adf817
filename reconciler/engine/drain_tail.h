/*
 * drain_tail: the outputs that a drain of logs sends, and how far it came in each. SPDX-License-Identifier: Apache-2.0
 *
 * The keepers' files are the buffer: nothing is held in memory but positions in them, so whoever is not reached keeps nobody
 * from writing, and misses what the files' own limits removed meanwhile (`logs` of a service, providers/process/gone.c). Positions that
 * are sure to have arrived lie in STATE/drains/NAME; a new drain begins with what is kept.
 *
 *     drain_tails_scan()    FILE   who is there, what came; who is new is asked for
 *     drain_whose_ask()     STATE  whose they are, what they were given (drain_whose.h)
 *     drain_batch_read()    FILE   the next batch, without values of secrets (drain_batch.h)
 *     drain_tails_sent()    the loop: it was taken, or refused for good
 *     drain_tails_sure()    the loop: what was sent before is there, it is not sent again
 *     drain_tails_again()   the loop: nobody knows what arrived since then
 *     drain_tails_note()    FILE   written down
 *
 * One at a time, each on the thread that it says.
 *
 * Owns     its tails, until drain_tails_fini().
 * Memory   a tail has an arena of its own; what a call needs besides lives in the round's.
 * Fails    ERR_NOMEM, ERR_IO; a log that cannot be read is an empty one.
 * Limits   DRAIN_NOTE_MAX bytes of positions.
 */
#pragma once

#include "reconciler/engine/drain_file.h"
#include "specs/value.h"

#define DRAIN_NOTE_MAX (4u << 20) /* bytes of what is written down */

struct drain_batch;

struct drain_tail { /* of one instance */
    struct drain_tail *next;
    struct arena own;
    struct str owner;
    struct drain_place place;
    int is_there, is_asked, is_wanted, has_news;
    int n_asks; /* that brought no answer */
    struct str env_uid, env, service, name, set, colour, revision, commit;
    struct value *given; /* names of secrets; NULL: not known */
    struct drain_mark mark;
    struct drain_at pending, sure; /* sent before the last look, and before the one before that */
    int64_t unsure_before,
        unsure; /* line ends between sure and pending, between pending and mark.at */
    int in_batch;
    struct drain_at batch_at;
    int64_t batch_ends, batch_lost; /* line ends in it; lines that were told to be lost */
};

struct drain_counts { /* lines */
    int64_t sent, lost, refused, withheld;
    int64_t waiting; /* now */
};

struct drain_tails {
    struct str name;            /* of the drain */
    const struct value *config; /* `environments` and `services` of it */
    const struct value *daemon;
    const char *dir; /* STATE/drains */
    struct str host;
    struct drain_tail *first;
    struct value
        *noted; /* positions of a former life, in its arena; NULL: read by the first scan */
    struct arena noted_own;
    int has_noted, is_changed; /* positions are sure that are not written down */
    size_t n_asks;             /* who are new and have something */
    struct str after;          /* who was served last: others come first */
    char after_text[128];
    struct drain_counts counts;
};

int drain_tails_scan(struct drain_tails *d, struct arena *round, struct err *err);
enum drain_fate { DRAIN_TAKEN, DRAIN_REFUSED };
void drain_tails_sent(struct drain_tails *d, const struct drain_batch *batch, enum drain_fate fate);
/* What was sent before the last call; with `now` all that was sent. */
enum drain_sure { DRAIN_SURE_BEFORE, DRAIN_SURE_NOW };
void drain_tails_sure(struct drain_tails *d, enum drain_sure which);
void drain_tails_again(struct drain_tails *d);
int drain_tails_note(struct drain_tails *d, struct arena *round, struct err *err);
void drain_tails_fini(struct drain_tails *d);
