/*
 * world: a machine that does not exist, for histories on the simulated loop. SPDX-License-Identifier: Apache-2.0
 *
 * One repository in memory, the null driver as services and edge (its objects lie in files, so they outlive
 * a crash of the daemon), answers to probes by what an instance was made of: a service whose environment
 * has BAD=1 never gets healthy. The engine is the real one. Environments: prod and stage, branch main; a branch
 * beside it is watched, too.
 *
 * Thread   one.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/crash.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"
#include "providers/null/null.h"
#include "reconciler/engine/command.h"
#include "reconciler/engine/engine_state.h"
#include "reconciler/rt/loop_sim.h"
#include "state/db.h"

#define WORLD_COMMITS_MAX 64
#define WORLD_FAULTS_MAX 16
#define WORLD_PORTS_MAX 4096
#define WORLD_ROTS_AFTER 6 /* probes */

struct world_commit {
    struct str id, tree, specs; /* text of .reeve/app.yaml */
};

struct world_saying { /* what a person says */
    struct command_call call;
    struct world *world;
    struct world_saying *next;
    int *done; /* counts those that were carried out */
};

enum world_boxes { WORLD_ONE_BOX, WORLD_BOX_EACH };

struct world {
    struct arena arena;
    uint64_t seed;
    char dir[64];
    struct loop *loop;
    struct arena process; /* of this life */
    struct engine *engine;
    enum world_boxes boxes;
    struct null_driver_self *box; /* the provider of this life */
    struct null_driver_self
        *crate; /* stage's own, where each has one; else NULL. It is never faulty */
    struct db *reader;
    const struct value *daemon;
    struct world_commit commits[WORLD_COMMITS_MAX];
    size_t n_commits;
    struct world_saying *sayings;
    int64_t wall_ms;     /* where the next loop begins */
    int64_t work_ms_max; /* each job takes 0..max virtual ms */
    int has_copy;        /* of the database, as it was */
    int was_recovered; /* generations of routes that were being replaced go with the next rollout */
    int is_once, is_git_down, git_slow_ms, is_everything_sick, is_disk_full, n_lives;
    int is_beside_hostile; /* the tip of the branch beside main cannot be read */
    int is_reading_deadly; /* to the worker that fetches */
    int n_fetches;
    VEC(struct str) place; /* lines of the repository that keeps the heads of the history */
    unsigned char
        n_probes[WORLD_PORTS_MAX]; /* how often each port was asked, up to WORLD_ROTS_AFTER */
    /* of the null driver; nth counts over all lives */
    struct null_fault faults[WORLD_FAULTS_MAX];
    size_t n_faults;
    uint32_t latency_ms;
    int64_t pending, job_looks;
    int64_t busy;     /* what each instance uses of a processor: thousandths; 0: nobody knows */
    struct map begun; /* runs of jobs, by their owner */
    struct str begun_twice;
    struct map
        told; /* messages that were taken: the subject of what is told once, and the id it came with */
    struct str told_twice;
    int n_told, n_told_again, sink_status; /* 0: it takes them */
    /* die at this passage of this point, so often */
    enum crash_point crash_point;
    int crash_nth, crash_times;
    int passed[N_CRASH_POINTS], died[N_CRASH_POINTS];
    /* world_pair.c */
    int side; /* which of the two machines' daemons is the world's */
    int n_takeovers;
    struct db *copy;            /* of the other one; NULL: nothing was heard in this life of it */
    const struct value *before; /* who was taken over from; NULL: nobody */
    const struct follow_takeover *takeover; /* how the next life begins; NULL: as any */
};

/* world_repository.c: for engine_options, with the world as its context. */
const struct source *world_repository_make(void *ctx, struct arena *a, struct str name,
                                           const struct value *config);

/* world_place.c: for loop_sim_options; while git is down, so is the place. */
int world_place_exec(void *ctx, const struct exec_request *in, struct arena *a,
                     struct exec_result *ret, int64_t *ret_delay_ms);
/* NULL, or the line that the history does not go on from; one that takes over has another key. The daemon runs. */
const char *world_place_fault(struct world *w);

void world_init(struct world *w, uint64_t seed, enum world_boxes boxes);
void world_fini(struct world *w);
/* A new newest commit of branch main. */
void world_push(struct world *w, struct str specs);
/* Start the daemon and run until `ms` of virtual time have passed; after a crash it is started again. */
void world_run(struct world *w, int64_t ms);
/* `reeve once`, from its start to its end. */
void world_once(struct world *w);
/* SIGTERM, and SIGKILL. The next world_run() starts it again. */
void world_stop(struct world *w);
void world_kill(struct world *w);

/* world_recover.c. The daemon may run. */
void world_keep_copy(struct world *w);
/* All of it, or what was written since the copy. It does not run. */
enum world_loss { WORLD_LOSES_ALL, WORLD_LOSES_SOME };
void world_lose_database(struct world *w, enum world_loss loss);
/* Dies there once, where it comes by, and is repeated. ret_done 0: nothing was lost. NULL, or what is broken. */
const char *world_recover(struct world *w, enum crash_point dies_at, int *ret_done);

/* What lies in the providers' folders. */
struct digest world_digest(struct world *w);

/* world_pair.c. A standby hears all that is durable by now. */
void world_hear(struct world *w);
/* The database of the one before is put aside: it may be a standby anew. */
void world_put_aside(struct world *w);
/* With the daemon dead: its standby goes on from what it heard, with the next life. The takeover dies there once first;
 * N_CRASH_POINTS: it does not. */
void world_take_over(struct world *w, enum crash_point dies_at);
/* The daemon that was taken over from is started beside it, for so long. NULL, or what is broken. */
const char *world_comes_back(struct world *w, int64_t ms);

/* Die at the nth passage of a point from now on; then at its next ones, `times` in all. */
void world_die(struct world *w, enum crash_point point, int nth, int times);
void world_fault(struct world *w, struct null_fault fault);
void world_busy(struct world *w, int64_t thousandths);
/* Nothing fails, nothing is slow, nobody dies any more. */
void world_calm(struct world *w);
/* One instance dies: its place stays, nobody lives in it. 0 when there is none. */
int world_lose_instance(struct world *w, uint64_t random);
/* The one of an environment that has this name. */
int world_lose_named(struct world *w, struct str env_uid, struct str name);

/* Somebody changes every database behind our back. */
void world_drift(struct world *w);

/* `done` is raised when it was carried out; the daemon must run. */
void world_say(struct world *w, const struct command *command, int *done);

/* "in_sync: reason" of one environment. */
struct str world_status(struct world *w, struct str env);
/* Of the last commit. Opened once. */
struct db *world_reader(struct world *w);
/* Objects of the null driver, in no order, while the daemon runs: until NULL. */
struct world_walk {
    int is_in_crate;
    size_t slot;
    struct null_object *at;
};
struct null_object *world_next(struct world *w, struct world_walk *walk);
struct null_object *world_find(struct world *w, struct str owner);

/* For the test's own calls. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        struct err must_err = ERR_INIT;                                                            \
        struct err *err = &must_err;                                                               \
        if (call) {                                                                                \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, err->text);                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
