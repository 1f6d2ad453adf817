/*
 * engine: sources, environments, plans and operations on one loop. SPDX-License-Identifier: Apache-2.0
 *
 * engine_open() takes the lock, opens the state, raises the epoch and the providers; engine_start()
 * settles what a former life left open, then watches. On loop_uv it is the daemon, on loop_sim a history.
 *
 * Owns     the state file, the providers, every task.
 * Thread   the loop's; work runs on the pools.
 * Fails    ERR_LOCKED (names the holder), ERR_INVALID (config), ERR_CORRUPT, ERR_IO.
 */
#pragma once

#include "providers/kit_parents.h"
#include "providers/registry.h"
#include "reconciler/engine/source.h"
#include "reconciler/rt/loop.h"
#include "specs/spec.h"
#include "state/db.h"

struct engine;
struct follow_takeover;

struct engine_options {
    struct loop *loop;          /* its batch is engine_batch(); see engine_loop_options() */
    const struct value *daemon; /* normalised Daemon document; outlives the engine */
    /* NULL: git. A simulated source by name and configuration; it lives in the arena. */
    const struct source *(*make_source)(void *ctx, struct arena *a, struct str name,
                                        const struct value *config);
    void *make_source_ctx;
    const char *self;   /* path of this program, for children */
    const char *keeper; /* path of the keeper program */
    int grant;          /* who gives users (kit_users.h); 0: nobody, we were not root */
    const struct kit_parents *groups; /* where limits are kept, and why not; NULL: nowhere */
    const char *holder;               /* "reeve serve, pid 41" */
    const char *boot;                 /* of this machine's start; NULL: the kernel's word */
    int once;     /* stop the loop when everything is converged, waiting or failed */
    int hold_all; /* observe only */
    const struct follow_takeover
        *takeover; /* the file is a standby's, which goes on as the daemon */
    struct str
        alone; /* why it acts although its peer cannot be asked; STR_NONE: it does not then */
    int seeks_suspects; /* who is in work at each of several deaths is held */
};

/* The loop is made before the engine and calls back into it for its batches: pass this as
 * loop_options.batch with ctx = the engine allocated by engine_new(). */
struct engine *engine_new(struct arena *process);
struct loop_batch engine_batch(struct engine *e);

int engine_open(struct engine *e, const struct engine_options *options, struct err *err);
void engine_start(struct engine *e);
/* Ask every task to end; loop_stop() follows when they have. Running operations stay open. */
void engine_stop(struct engine *e);
void engine_close(struct engine *e);

/* Call `fn` on the loop after rows were made durable, once for however many; NULL: no more. */
void engine_on_commit(struct engine *e, loop_fn *fn, void *ctx);

/* SIGHUP: fetch every source now. */
void engine_fetch_now(struct engine *e);
/* After a `once` run: 0 converged; ERR_INVALID specs, ERR_WAITING, ERR_FAILED with a sentence. */
int engine_once_result(const struct engine *e, struct err *err);

struct loop *engine_loop(struct engine *e);
const char *engine_state_path(const struct engine *e);
/* The database is older than the world. */
int engine_is_stale(const struct engine *e);
/* Errors, deadlines and breakers of sources and providers as they are now, for status and doctor; of the
 * environments this one alone, or all: "". */
struct value *engine_live_view(struct engine *e, struct arena *a, struct str env);
