/*
 * world: everything that carries a label of this installation. SPDX-License-Identifier: Apache-2.0
 *
 * Drivers list it; nothing is started and nothing changed. A label that cannot be read as one, and what belongs
 * to another installation, is counted and left out.
 *
 * Memory   the arena given.
 * Thread   any that may block; drivers with a connection need the loop to run.
 * Fails    ERR_UNREACHABLE: a provider cannot be listed, and half a world is none; ERR_NOMEM.
 */
#pragma once

#include "base/hash.h"
#include "base/vec.h"
#include "providers/registry.h"
#include "reconciler/rt/loop.h"

struct owned {
    struct str provider, id, owner;
    struct str env, env_uid, kind, name; /* of the label: prod, uid, instance, web@123456789abc.0 */
    struct str revision, commit;         /* when it was made */
    struct digest key;                   /* of the set, artifact or release; none: of neither */
    int64_t incarnation;
    int64_t user; /* whose number it runs with, of `uids`; 0: nobody's */
    const struct value *observed, *outputs;
};

struct owned_list {
    struct owned *p;
    size_t n, cap;
};

struct world {
    struct str installation; /* STR_NONE: nothing is there */
    struct str stranger;     /* another one that has things here; STR_NONE: there is none */
    struct owned_list
        things;    /* by environment's uid, kind and name, the newest incarnation first */
    int64_t epoch; /* the highest that changed any of them */
    size_t n_strange;
    struct str unlisted; /* providers that were not listed: "a, b"; "" for none */
};

struct world_ask {
    struct str installation; /* STR_NONE: whose the first label says it is */
    int64_t timeout_ms;      /* for each call */
    int skips;               /* a provider that cannot be listed is left out */
};
int world_read(struct arena *a, struct loop *loop, const struct registry *providers,
               const struct world_ask *ask, struct world *ret, struct err *err);
