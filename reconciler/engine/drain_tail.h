/*
 * drain_tail: whose output a drain of logs sends, and how far it came. SPDX-License-Identifier: Apache-2.0
 *
 * The keepers' files are the buffer: nothing is held in memory but positions in them, so whoever is not reached keeps nobody
 * from writing, and misses what the files' own limits removed meanwhile (`logs` of a service, providers/process/gone.c). Positions that
 * are sure to have arrived lie in STATE/drains/NAME; a new drain begins with what is kept.
 *
 *     drain_tails_scan()    FILE   who is there, what came; who is new is asked for
 *     drain_tails_ask()     STATE  whose they are, what they were given
 *     drain_tails_read()    FILE   the next batch, without values of secrets
 *     drain_tails_sent()    the loop: it was taken, or refused for good
 *     drain_tails_sure()    the loop: what was sent before is there, it is not sent again
 *     drain_tails_again()   the loop: nobody knows what arrived since then
 *     drain_tails_note()    FILE   written down
 *
 * One at a time, each on the thread that it says.
 *
 * Owns     its tails, until drain_tails_fini().
 * Memory   a batch lives in the round's arena; values of secrets in one that is wiped.
 * Fails    ERR_NOMEM, ERR_IO; a log that cannot be read is an empty one.
 * Limits   DRAIN_BATCH_BYTES and DRAIN_BATCH_LINES of output at once, DRAIN_READ_MAX of one instance; DRAIN_ASKS_MAX who are new.
 */
#pragma once

#include "reconciler/core/drain_form.h"
#include "reconciler/engine/drain_file.h"
#include "specs/value.h"
#include "state/db.h"

#define DRAIN_BATCH_BYTES (256u << 10)
#define DRAIN_BATCH_LINES 4000 /* an empty one becomes some hundred bytes, too */
#define DRAIN_ASKS_MAX 16
#define DRAIN_ASK_TIMES 30 /* a second each: what runs is printing before all of it is committed */
#define DRAIN_NOTE_MAX (4u << 20) /* bytes of what is written down */

struct drain_tail;

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

struct drain_batch {
    struct str body;
    struct str *frames; /* of syslog: one a line */
    size_t n_frames;
    int64_t lines, withheld;
    int is_full; /* more may wait */
};
enum drain_kind { DRAIN_SYSLOG, DRAIN_DATAGRAMS, DRAIN_JSON };

int drain_tails_scan(struct drain_tails *d, struct arena *round, struct err *err);
int drain_tails_ask(struct drain_tails *d, struct db *db, struct arena *round, struct err *err);
int drain_tails_read(struct drain_tails *d, enum drain_kind kind, struct arena *round,
                     struct drain_batch *ret, struct err *err);
enum drain_fate { DRAIN_TAKEN, DRAIN_REFUSED };
void drain_tails_sent(struct drain_tails *d, const struct drain_batch *batch, enum drain_fate fate);
/* What was sent before the last call; with `now` all that was sent. */
enum drain_sure { DRAIN_SURE_BEFORE, DRAIN_SURE_NOW };
void drain_tails_sure(struct drain_tails *d, enum drain_sure which);
void drain_tails_again(struct drain_tails *d);
int drain_tails_note(struct drain_tails *d, struct arena *round, struct err *err);
void drain_tails_fini(struct drain_tails *d);
