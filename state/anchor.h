/*
 * anchor: heads of this history that were brought where its machine cannot write. SPDX-License-Identifier: Apache-2.0
 *
 * A head is one line there: "reeve/anchor/2 INSTALLATION SEQ HASH EPOCH TIME_MS MAC", or "reeve/anchor/1 INSTALLATION
 * SEQ HASH" where a person noted it. The MAC, HMAC-SHA-256 of what stands before it, is made with the key that the head
 * is sealed with (seal.h): who wrote the line had it. " rfc3161:TOKEN" may follow, in base64: what an authority says of when
 * the line was there, which is of every byte before that.
 *
 * That one was brought is an event and a row. These events ask for no anchor: else each would be followed by one more.
 *
 * Memory   what is parsed borrows from the text; rows live in the arena given.
 * Thread   the connection's.
 * Fails    as db.h.
 */
#pragma once

#include "state/db.h"

#define ANCHOR_LINE_MAX 512u
#define ANCHOR_STAMP "rfc3161:"
#define ANCHOR_STAMP_MAX (128u << 10)      /* of its word */
#define ANCHOR_EVENTS "anchor."            /* what their kinds begin with */
#define ANCHOR_RECOVERED "state.recovered" /* a recover began this history, as event .. */
#define ANCHOR_RECOVERED_SEQ 2

struct anchor_line {
    struct str installation;
    int64_t seq;
    struct digest hash;
    int64_t epoch, time_ms; /* REC_NONE: it says neither */
    struct digest mac;      /* none: it says none */
    struct str text, stamp; /* as it came: the line alone, and TOKEN; STR_NONE: it has none */
};

/* Without a newline. `mac` is made. */
struct str anchor_format(struct arena *a, struct str key, const struct anchor_line *line);
int anchor_parse(struct str text, struct anchor_line *ret); /* 0, or -1: it is none */
/* The line with what an authority says of it. */
struct str anchor_stamped(struct arena *a, struct str line, struct str token);
/* It was written with this key. */
int anchor_is_sealed(struct str key, const struct anchor_line *line);

/* The head as it is, uncommitted events too. */
int anchor_head(struct db *db, struct anchor_line *ret, struct err *err);
/* Is this history older than the line, or another one? Lines of others, and of a history before a recover, say nothing
 * of it. *ret_why STR_NONE: it goes on from there. */
int anchor_judge(struct db *db, struct arena *a, struct str key, const struct anchor_line *line,
                 struct str *ret_why, struct err *err);

/* The newest that the place has; ERR_NOT_FOUND. */
int anchor_newest(struct db *db, struct arena *a, struct str place, struct rec_anchor *ret,
                  struct err *err);
/* What a place that has the head `seq` lacks, of what asks for an anchor: how many events, counted up to `limit`, and
 * when the first of them was. */
struct anchor_gap {
    int64_t n, since_ms;
};
int anchor_find_gap(struct db *db, int64_t seq, int64_t limit, struct anchor_gap *ret,
                    struct err *err);
