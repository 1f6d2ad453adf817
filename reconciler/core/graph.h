/*
 * graph: which resource needs which. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   the arena given. Asking writes into scratch of the graph: one at a time.
 * Fails    ERR_INVALID: a cycle, named with every member and the place of its first; ERR_NOMEM.
 */
#pragma once

#include "base/map.h"
#include "specs/spec.h"

struct graph {
    size_t n;
    struct str *names;    /* kind/name, in the order of the resources */
    size_t *first, *to;   /* needs of i: to[first[i] .. first[i + 1]) */
    unsigned char *marks; /* of the last graph_mark(): what was reached */
    size_t *stack;
    struct map index; /* name -> its place in names */
};

/* Over the resources' needs; a need that is not a resource here is ignored. */
int graph_make(struct arena *a, const struct environment_spec *spec, struct graph *ret,
               struct err *err);
/* Position of kind/name, or n. */
size_t graph_find(const struct graph *g, struct str name);
/* marks[i] is set for everything that `from` needs, directly or through others; itself is not. */
const unsigned char *graph_mark(const struct graph *g, size_t from);
/* What is marked and everything that it needs (DOWN), or that needs it (UP), directly or through others;
 * NULL when memory ran out. */
enum graph_direction { GRAPH_DOWN, GRAPH_UP };
unsigned char *graph_spread(struct arena *a, const struct graph *g, const unsigned char *marked,
                            enum graph_direction direction);
/* The same resources with the needs that `keeps` alone; ERR_NOMEM. */
typedef int graph_keeps_fn(void *ctx, size_t from, size_t to);
int graph_filter(struct arena *a, const struct graph *g, graph_keeps_fn *keeps, void *ctx,
                 struct graph *ret, struct err *err);
