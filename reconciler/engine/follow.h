/*
 * follow: a standby, which keeps a copy of another daemon's history and state. SPDX-License-Identifier: Apache-2.0
 *
 * It asks the other one for what comes after its own last event, checks every hash and every document, and makes
 * its tables what the events say, all in one commit. It does nothing else: it has no provider, source or task of
 * an environment. What was committed is what it goes on from, whenever it dies. A chain that is not the continuation
 * of its own is refused, and nothing of it is kept.
 *
 * Owns     the lock, the state file and one connection to the other daemon.
 * Thread   the loop's; the state is written on POOL_STATE.
 * Fails    ERR_LOCKED; ERR_USAGE: no such kind of address; ERR_CONFLICT: not our chain; as db.h.
 */
#pragma once

#include "reconciler/engine/command.h"
#include "specs/value.h"
#include "state/replica.h"

struct follow;

struct follow_options {
    struct loop *loop;
    const struct value
        *daemon;        /* normalised Daemon document; `peer` says how the other one is asked */
    struct str url;     /* unix:PATH, http://HOST:PORT, https://HOST:PORT */
    const char *holder; /* "reeve serve, pid 41" */
    loop_fn *over; /* a takeover was asked for, or it never fitted: follow_stop() is to be called */
    void *over_ctx;
};

/* Whether this is to be a standby of `url`. One that took over goes on as the daemon, whatever it was started
 * with, until the other one has a newer life than it. */
int follow_is_wanted(struct arena *a, const struct value *daemon, struct str url, int *ret,
                     struct err *err);
int follow_new(struct arena *a, const struct follow_options *options, struct follow **ret,
               struct err *err);
void follow_start(struct follow *f);
/* Called on the loop when events were copied; NULL: no more. */
void follow_on_commit(struct follow *f, loop_fn *fn, void *ctx);
/* loop_stop() follows when what is being written is written. */
void follow_stop(struct follow *f);
void follow_free(struct follow *f); /* NULL is fine; the lock is given back */

const char *follow_state_path(const struct follow *f);
/* Why it ended: 0 it was stopped, or is to take over; ERR_CONFLICT at the first answer: it never fitted. */
int follow_result(const struct follow *f, struct err *err);
/* {url, seq, time_ms, head_seq, behind, heard_ms_ago, error?}; heard_ms_ago -1: not in this life. */
struct value *follow_view(const struct follow *f, struct arena *a);

/* What a takeover begins with; the engine writes it into its first event. */
struct follow_takeover {
    struct str actor, reason; /* reason: how it is known that the other one is fenced */
    struct str url;
    int64_t seq, time_ms, missing, heard_ms;
};
/* As command_start(); call->in: actor, and reason. ERR_CONFLICT: the other one answers; ERR_REFUSED: keys are lacking
 * and not given up, or nothing was copied yet. */
void follow_take_over(struct follow *f, struct command_call *call, int without_keys,
                      task_ended *ended, void *ctx);
const struct follow_takeover *follow_taken(const struct follow *f); /* NULL: nobody asked for it */
