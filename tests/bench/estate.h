/*
 * estate: many small environments in memory, for benchmarks. SPDX-License-Identifier: Apache-2.0
 *
 * One file an environment, services without a port on the null driver, a source that answers at once.
 *
 * Thread   one.
 */
#pragma once

#include "reconciler/core/identity.h"
#include "reconciler/core/snapshot.h"
#include "reconciler/engine/engine.h"

#define ESTATE_MUST(call, err)                                                                     \
    do {                                                                                           \
        if (call) {                                                                                \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, (err)->text);                 \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct estate {
    struct arena arena;
    char dir[64],
        box[64]; /* state; what the null driver keeps, in memory where the machine has a place for it */
    struct spec_file *files;
    size_t n_files;
    const struct value *daemon;
    double settled_mib; /* when the last run had nothing left to do */
};

void estate_init(struct estate *e, size_t n_envs, size_t n_services, size_t n_replicas);
void estate_fini(struct estate *e);
/* `reeve once` in this process, on the real loop. */
void estate_once(struct estate *e);
/* Asked when a run has settled, before anything is freed. */
void estate_on_settled(double (*measure)(void));
/* The recorded side of a world that is as this says. */
void estate_converged(struct arena *a, const struct environment_spec *spec, struct snapshot *ret);
