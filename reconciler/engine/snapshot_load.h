/*
 * snapshot_load: what the planner sees, read from the state. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   the arena given.
 * Thread   STATE.
 */
#pragma once

#include "reconciler/core/object.h"
#include "reconciler/core/plan.h"
#include "reconciler/engine/engine_state.h"

/* What an instance's provider said of it, by resource name. */
struct observation {
    struct str name, provider;
    enum instance_health health;
    int is_live; /* of a live set; else of a previous one */
    struct str service;
    enum drift_mode mode; /* how it is met that it is lost */
};

/* What an object's provider said of it. */
struct object_look {
    struct rec_resource row;
    const struct value *seen; /* NULL: it was not read */
    int is_lost;
    int has_drifted; /* and is to be made as it was */
};

struct snapshot_load {
    struct engine *engine;
    struct str env_uid;
    enum plan_cause cause;
    const struct environment_spec *target;
    const struct observation *observations;
    size_t n_observations;
    const struct object_look *objects;
    size_t n_objects;
    const struct value *rule; /* of the daemon: the edge's provider */
    int64_t now_ms;
};

/* Of the daemon's document; 0 where it does not say. */
int64_t snapshot_edge_slots(const struct value *daemon, struct str provider);

int snapshot_load(struct arena *a, const struct snapshot_load *in, struct snapshot *ret,
                  struct err *err);

/* snapshot_routes.c: domains as they are served, after recorded resources and sets. */
int snapshot_routes_load(struct arena *a, const struct snapshot_load *in, struct snapshot *s,
                         struct err *err);

/* A revision as it was asked for, from its stored document: for undo and rollback. */
int snapshot_load_revision(struct arena *a, struct db *db, struct str env_uid,
                           const struct digest *revision, struct environment_spec *ret,
                           struct err *err);
/* The document of the plan's target and those of its resources, and its row (numbered) when it is new. */
int snapshot_store_revision(struct arena *a, struct tx *tx, struct str env_uid,
                            const struct environment_spec *spec, const struct plan *plan,
                            struct err *err);
