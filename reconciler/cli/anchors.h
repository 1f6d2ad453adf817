/*
 * anchors: heads of a history that were noted where its machine cannot write. SPDX-License-Identifier: Apache-2.0
 *
 * A line each: "reeve/anchor/1 INSTALLATION SEQ HASH". Those of other installations are passed over, so that
 * several daemons may have one file.
 *
 * Memory   the arena given.
 * Fails    ERR_INVALID: no such line; ERR_CORRUPT: an event is not the one that was noted; ERR_IO.
 * Limits   ANCHORS_BYTES_MAX.
 */
#pragma once

#include "base/hash.h"
#include "base/vec.h"
#include "reconciler/cli/cli.h"

#define ANCHORS_BYTES_MAX (256u << 20)

struct anchor {
    struct str installation;
    int64_t seq;
    struct digest hash;
};

struct anchors {
    VEC(struct anchor) list; /* by seq */
    size_t next;
    int64_t n_held; /* events that were found as noted */
};

struct str anchors_format(struct arena *a, struct str installation, int64_t seq, struct str hash);
int anchors_read(struct arena *a, const char *path, struct anchors *ret, struct err *err);
/* Event by event, in their order. */
int anchors_check(struct anchors *s, struct str installation, int64_t seq,
                  const struct digest *hash, struct err *err);
/* None is left that was noted after the last event. */
int anchors_end(struct anchors *s, struct str installation, struct err *err);
