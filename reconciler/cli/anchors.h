/*
 * anchors: heads of a history that were noted where its machine cannot write. SPDX-License-Identifier: Apache-2.0
 *
 * Lines as in state/anchor.h, of a file, or of all files of a directory: a work tree of the repository that the daemon
 * brings them to. Or an export: then those with time stamps, which it holds. What an authority said is checked where its
 * certificates are given, else it is counted. Those of other installations are passed over, so that several daemons may have one file; those of the
 * history before a recover are counted, and are to be held against its own export.
 *
 * Memory   the arena given.
 * Fails    ERR_INVALID: no such line; ERR_CORRUPT: an event is not the one that was noted, or a time stamp does not hold;
 *          ERR_IO.
 * Limits   ANCHORS_BYTES_MAX.
 */
#pragma once

#include <stdio.h>

#include "base/hash.h"
#include "base/vec.h"
#include "reconciler/cli/cli.h"
#include "state/anchor.h"
#include "state/events.h"

#define ANCHORS_BYTES_MAX (256u << 20)

struct anchors {
    struct str authority; /* certificates; STR_NONE: time stamps are not checked */
    int64_t n_stamps, first_stamp_ms, last_stamp_ms, n_unchecked;
    VEC(struct anchor_line) list; /* by seq */
    size_t next;
    int64_t n_held;                        /* events that were found as noted */
    int64_t n_before;                      /* lines of the history before a recover */
    int64_t recovered_ms, recovered_epoch; /* when a recover began this history; 0: none did */
};

struct str anchors_format(struct arena *a, struct str installation, int64_t seq, struct str hash);
/* `authority` NULL: nobody's; else a file of certificates. */
int anchors_read(struct arena *a, const char *path, const char *authority, struct anchors *ret,
                 struct err *err);
/* The lines with time stamps that the export at `path` holds, as they are. */
int anchors_write_stamped(const char *path, FILE *out, struct err *err);
/* Of each event, before it is checked: did a recover begin this history? */
void anchors_begin(struct anchors *s, const struct event *e);
/* Event by event, in their order. */
int anchors_check(struct anchors *s, struct str installation, int64_t seq,
                  const struct digest *hash, struct err *err);
/* None is left that was noted after the last event. */
int anchors_end(struct anchors *s, struct str installation, struct err *err);
