/*
 * drain_batch: what a drain of logs sends at once. SPDX-License-Identifier: Apache-2.0
 *
 * From the tail behind the one that was served last, once around, each from its position on: whole lines in the drain's form,
 * without values of secrets. Of an instance that was given a value which nobody can hide any more no line is shown; they are
 * counted as withheld. What a tail has in the batch is noted with it: drain_tails_sent() moves its position.
 *
 * Memory   a batch lives in the round's arena; values of secrets in one that is wiped.
 * Thread   FILE.
 * Fails    ERR_NOMEM; a log that cannot be read is an empty one.
 * Limits   DRAIN_BATCH_BYTES and DRAIN_BATCH_LINES of output at once, DRAIN_READ_MAX of one instance.
 */
#pragma once

#include "reconciler/engine/drain_tail.h"

#define DRAIN_BATCH_BYTES (256u << 10)
#define DRAIN_BATCH_LINES 4000 /* an empty one becomes some hundred bytes, too */

struct drain_batch {
    struct str body;
    struct str *frames; /* of syslog: one a line */
    size_t n_frames;
    int64_t lines, withheld;
    int is_full; /* more may wait */
};
enum drain_kind { DRAIN_SYSLOG, DRAIN_DATAGRAMS, DRAIN_JSON };

int drain_batch_read(struct drain_tails *d, enum drain_kind kind, struct arena *round,
                     struct drain_batch *ret, struct err *err);
