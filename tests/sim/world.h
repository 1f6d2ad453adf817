/*
 * world: a machine that does not exist, for histories on the simulated loop. SPDX-License-Identifier: Apache-2.0
 *
 * One repository in memory, the null driver as services and edge (its objects lie in files, so they outlive
 * a crash of the daemon), answers to probes by what an instance was made of: a service whose environment
 * has BAD=1 never gets healthy. The engine is the real one.
 *
 * Thread   one.
 */
#pragma once

#include "base/hash.h"
#include "base/map.h"
#include "reconciler/engine/engine.h"
#include "reconciler/rt/loop_sim.h"

struct world_commit {
    struct str id, tree, specs; /* text of .reeve/app.yaml */
};

struct world {
    struct arena arena;
    uint64_t seed;
    char dir[64];
    struct loop *loop;
    struct arena process; /* of this life */
    struct engine *engine;
    const struct value *daemon;
    struct world_commit commits[64];
    size_t n_commits;
    int is_git_down, git_slow_ms, is_everything_sick;
    int n_lives;
    /* crash points: the n-th passage of any point kills; 0: none */
    int64_t crash_in;
    int passed[64];
};

void world_init(struct world *w, uint64_t seed);
void world_fini(struct world *w);
/* A new newest commit of branch main. */
void world_push(struct world *w, const char *specs);
/* Start the daemon and run until `ms` of virtual time have passed; after a crash it is started again. */
void world_run(struct world *w, int64_t ms);
void world_stop(struct world *w);
/* A row of environments of the stopped or running daemon: "in_sync: reason". */
struct str world_status(struct world *w);
struct db *world_reader(struct world *w);
/* The laws: chain, replay, one live set a service, nothing open, no orphan among the null driver's objects. */
void world_check(struct world *w);
