/*
 * follow_state: what the parts of follow share. SPDX-License-Identifier: Apache-2.0
 *
 * Thread   the loop's; `took` is POOL_STATE's while it writes.
 */
#pragma once

#include "reconciler/engine/follow.h"
#include "reconciler/engine/history_seal.h"
#include "reconciler/engine/peer.h"
#include "state/lock.h"

struct follow_place { /* our last event, and the other one's when it was heard last */
    int64_t seq, time_ms, head_seq, heard_ms;
};

struct follow {
    struct task task;
    struct follow_options options;
    struct arena *a, round, kept; /* of the loop; of one turn; POOL_STATE's */
    struct str file, dir, keys;
    struct lock lock;
    struct db *db; /* NULL: nothing was copied yet */
    struct history_seal seal;
    struct peer peer;
    struct peer_call call;
    struct follow_place at, took; /* what is known; what POOL_STATE has just written */
    int64_t heard_mono_ms;
    int64_t pause_ms;
    char trouble[ERR_TEXT_MAX];
    struct err refusal; /* of the first answer */
    struct follow_takeover taken;
    int is_over;
    loop_fn *on_commit; /* NULL: nobody wants to know */
    void *on_commit_ctx;
};

int64_t follow_behind(const struct follow *f); /* events that were heard of and not copied */
