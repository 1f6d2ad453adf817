/*
 * graph: which service needs which. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   the arena given.
 * Fails    ERR_INVALID: a cycle, named with every member; ERR_NOMEM.
 */
#pragma once

#include "base/map.h"
#include "specs/spec.h"

struct graph {
    size_t n;
    struct str *names;    /* kind/name, sorted */
    unsigned char *reach; /* n x n: row reaches column over one or more edges */
    struct map index;     /* name -> its position + 1, as a pointer */
};

/* Over the resources' needs; a need that is not a resource here is ignored. */
int graph_make(struct arena *a, const struct environment_spec *spec, struct graph *ret,
               struct err *err);
/* Whether `from` needs `to`, directly or through others. Unknown names need nothing. */
int graph_needs(const struct graph *g, struct str from, struct str to);
