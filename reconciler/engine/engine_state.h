/*
 * engine_state: what the parts of the engine share. SPDX-License-Identifier: Apache-2.0
 *
 * Only files of engine/ include this. `db` belongs to the STATE thread; everything else to the loop's.
 */
#pragma once

#include <stdatomic.h>

#include "base/map.h"
#include "providers/registry.h"
#include "reconciler/core/identity.h"
#include "reconciler/engine/alarm_task.h"
#include "reconciler/engine/anchor_task.h"
#include "reconciler/engine/clock_task.h"
#include "reconciler/engine/copy_task.h"
#include "reconciler/engine/counts.h"
#include "reconciler/engine/drain_task.h"
#include "reconciler/engine/engine.h"
#include "reconciler/engine/heartbeat_task.h"
#include "reconciler/engine/history_seal.h"
#include "reconciler/engine/in_work.h"
#include "reconciler/engine/notify_task.h"
#include "reconciler/engine/notify_tell.h"
#include "reconciler/engine/notify_test.h"
#include "reconciler/engine/op_slot.h"
#include "reconciler/engine/provider_line.h"
#include "reconciler/engine/secret_sets.h"
#include "reconciler/engine/tidy_task.h"
#include "reconciler/rt/wait.h"
#include "state/environments.h"
#include "state/lock.h"
#include "state/resources.h"
#include "state/tx.h"

struct edge_task;
struct env_task;
struct source_task;

struct engine {
    struct arena *process; /* lives as long as the engine */
    struct engine_options options;
    struct loop *loop;
    struct db *db;
    struct lock lock;
    int64_t epoch;
    int64_t epoch_floor;          /* the next life is above it */
    struct takeover_found *found; /* takeover.c's own */
    int was_killed;               /* the life before did not end in order: what it left open died */
    int lacks_ballast;            /* STATE's: it was removed, or there was no room for it */
    loop_fn *on_commit;           /* NULL: nobody wants to know */
    void *on_commit_ctx;
    atomic_int tells_commits, is_telling; /* STATE reads and sets them too */
    struct in_work in_work;
    struct value *left_in_work;    /* by the life before */
    int64_t careful_until_mono_ms; /* one thing is worked on at a time: one of them kills us */
    struct source_task
        *reader;       /* meanwhile: whose turn it is, or comes when no environment is in work */
    struct map ahead;  /* rows of commits that came in bundles, when this life began */
    struct map passed; /* marks of commits that are not read */
    struct str installation;
    struct str stale; /* why the database is older than the world; STR_NONE: it is not */
    struct str stale_help;
    struct str state_dir; /* var/: mirrors, keys */
    struct str keys_dir;
    struct history_seal seal;
    struct starter *starter; /* NULL: it has started */
    struct clock_task clock;
    struct op_slots slots;
    struct tidy_task tidy;
    struct copy_task copies;
    struct heartbeat_task heartbeat;
    struct alarm_task alarms;
    struct notify_tell tell;
    struct notify_task notify;
    struct notify_tests tests;   /* of the daemon's recipients */
    struct anchor_task *anchors; /* one a place */
    size_t n_anchors;
    struct drain_task *drains; /* one a receiver of logs */
    size_t n_drains;
    struct wait_share drain_share;
    _Atomic int64_t head_seq;                  /* of the last commit; STATE writes it */
    int64_t worker_memory_bytes, worker_cpu_s; /* of a child that asks git; 0: no limit */
    struct network *egress; /* that drivers may reach though they are not public */
    size_t n_egress;
    struct registry *providers;
    const struct value *schemas; /* {PROVIDER: {TYPE: {..}}} of their drivers */
    struct provider_line *lines; /* one a provider */
    size_t n_lines;
    struct secret_store *secrets;
    struct secret_sets *sealed; /* what revisions were given */
    struct source_task **sources;
    size_t n_sources;
    struct edge_task *edges; /* of the providers that want to be looked at */
    size_t n_edges;
    VEC(struct env_task *) envs;
    struct map envs_by_name;             /* name -> struct env_task * */
    int n_awaiting;                      /* environments that wait for another one */
    int n_cycles;                        /* environments that are between SPEC and REST */
    struct env_task *queue, **queue_end; /* those that wait for their turn */
    int stopping;
    struct counts counts;
    int is_ready; /* the first look is done */
    struct err once_err;
};

/* What the start still holds, where it was cut short. */
void engine_start_fini(struct engine *e);

#define ENGINE_ACTOR S("reeve")
/* Whoever goes on without the other daemon of a pair passes over so many lives, which that one may have begun
 * meanwhile: one of both is always the newer. */
#define ENGINE_LIVES_UNHEARD 1000000

/* Begin a savepoint on the STATE thread. `env` "" for none. */
struct engine_event {
    struct str kind, subject, env, cause, actor; /* actor: STR_NONE is the daemon */
};
int engine_tx(struct engine *e, const struct engine_event *event, struct tx **ret, struct err *err);

/* ERR_REFUSED, with what a person can do. */
int engine_refuse_stale(const struct engine *e, struct err *err);

/* A row of meta that holds the epoch, what is known of the clock, and their event. */
int engine_write_life(struct engine *e, struct arena *a, struct str event, struct str key,
                      struct err *err);

/* Store a JSON text as a document; its digest comes back. */
int engine_put_document(struct tx *tx, struct str kind, struct str body, struct digest *ret,
                        struct err *err);

/* 1 when the row says the thing exists or may exist. */
int engine_resource_exists(const struct rec_resource *r);

const struct provider *engine_provider(struct engine *e, struct str name);

/* Why the edge of this provider does not run; "" when it does, or nobody looks. */
struct str engine_edge_trouble(const struct engine *e, struct str provider);

/* "0123456789ab": how an id is shown and named. */
struct str engine_short(struct arena *a, const struct digest *d);
