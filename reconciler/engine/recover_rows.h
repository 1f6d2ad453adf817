/*
 * recover_rows: the rows of one environment, from its labels and from a copy. SPDX-License-Identifier: Apache-2.0
 *
 *   recover.c        which copy, the new file, its first event
 *   recover_rows.c   an environment: its row, its resources, its hold
 *   recover_sets.c   instances, backends and routes: which set is live
 *   recover_copy.c   what no label knows
 *
 * One event an environment.
 */
#pragma once

#include "base/map.h"
#include "reconciler/engine/world.h"
#include "state/tx.h"

/* A set of a service as the world shows it. */
struct found_set {
    struct str service;
    struct digest key;
    struct str backend; /* STR_NONE: it has none */
    struct str revision;
    size_t n_instances;
    int64_t replicas; /* the highest ordinal and one */
    struct str state; /* live previous failed */
    int is_routed, listens;
    int rests; /* an instance of it is frozen: it was kept */
};

struct found_sets {
    struct found_set *p;
    size_t n, cap;
};

struct recover {
    struct arena *a;
    const struct value *daemon;
    struct world world;
    struct db *copy; /* NULL: none can be read */
    struct db *db;   /* the new one */
    struct tx *tx;
    int64_t epoch, now_ms;
    struct map names; /* of environments that have a row */
    struct value *report;
    struct value *doubles; /* texts: two things that carry one label */
    struct value *missing; /* providers that the copy knows and the configuration does not */
};

struct recover_env {
    struct str uid, name;
    const struct owned *things; /* one a name */
    size_t n;
    struct rec_environment row, copied; /* copied.uid STR_NONE: the copy does not know it */
    struct found_sets sets;
    int64_t generation, copied_generation; /* in use now, and when the copy was made; 0: none */
};

/* Every environment that has a label or stands in the copy. */
int recover_envs(struct recover *r, struct err *err);

/* Sets and generations, of the labels alone. */
void recover_sets_find(struct recover *r, struct recover_env *e);
int recover_sets_put(struct recover *r, struct recover_env *e, struct err *err);
const struct found_set *recover_sets_live(const struct recover_env *e, struct str service);

/* What the copy's row says of it, and which routes it says are in use. */
int recover_copy_row(struct recover *r, struct recover_env *e, struct err *err);
/* 1: the copy knows the thing under this name. */
int recover_copy_knows(struct recover *r, const struct owned *o);
/* Revisions, records, what was built, released, proven, quarantined or held. */
int recover_copy_put(struct recover *r, struct recover_env *e, struct err *err);
/* Which user ids were given to environments. */
int recover_copy_users(struct recover *r, struct err *err);
int recover_copy_tokens(struct recover *r, struct err *err);
