/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/graph.h"

#include <string.h>

size_t graph_find(const struct graph *g, struct str name)
{
    const struct str *at = map_find(&g->index, name);

    return at ? (size_t)(at - g->names) : g->n;
}

static int graph_connect(struct arena *a, const struct environment_spec *spec, struct graph *g,
                         struct err *err)
{
    size_t n_edges = 0, at = 0;

    for (size_t i = 0; i < g->n; i++)
        n_edges += spec->resources.p[i].needs.n;
    g->first = arena_new_n(a, size_t, g->n + 1);
    g->to = arena_new_n(a, size_t, n_edges + 1);
    g->marks = arena_new_n(a, unsigned char, g->n + 1);
    g->stack = arena_new_n(a, size_t, 2 * g->n + 1);
    if (arena_status(a, err))
        return err->code;
    for (size_t i = 0; i < g->n; i++) {
        const struct spec_resource *r = &spec->resources.p[i];

        g->first[i] = at;
        for (size_t j = 0; j < r->needs.n; j++) {
            size_t to = graph_find(g, r->needs.p[j]);

            if (to < g->n)
                g->to[at++] = to;
        }
    }
    g->first[g->n] = at;
    return 0;
}

/* The cycle is path[0 .. n): told from its first member in the order of the resources. */
static int graph_refuse_cycle(struct arena *a, const struct graph *g,
                              const struct environment_spec *spec, const size_t *path, size_t n,
                              struct err *err)
{
    const struct value_place *place;
    size_t start = 0;
    struct sb text;

    for (size_t i = 1; i < n; i++)
        if (path[i] < path[start])
            start = i;
    place = &spec->resources.p[path[start]].place;
    sb_init(&text, a);
    for (size_t i = 0; i < n; i++)
        sb_addf(&text, "%.*s -> ", STR_ARG(g->names[path[(start + i) % n]]));
    sb_add(&text, g->names[path[start]]);
    return err_set(err, ERR_INVALID, "%.*s:%u:%u: error: dependency cycle: %.*s [cycle]",
                   STR_ARG(value_file(*place)), place->line, place->column, STR_ARG(sb_str(&text)));
}

enum { GRAPH_NEW, GRAPH_ON_PATH, GRAPH_DONE };

/* Depth first from every resource; an edge back onto the path closes a cycle. */
static int graph_check(struct arena *a, const struct graph *g, const struct environment_spec *spec,
                       struct err *err)
{
    size_t *path = g->stack, *next = g->stack + g->n, depth;

    for (size_t i = 0; i < g->n; i++)
        next[i] = g->first[i];
    for (size_t i = 0; i < g->n; i++) {
        if (g->marks[i] != GRAPH_NEW)
            continue;
        g->marks[i] = GRAPH_ON_PATH;
        path[0] = i;
        depth = 1;
        while (depth) {
            size_t at = path[depth - 1], to;

            if (next[at] == g->first[at + 1]) {
                g->marks[at] = GRAPH_DONE;
                depth--;
                continue;
            }
            to = g->to[next[at]++];
            if (g->marks[to] == GRAPH_ON_PATH) {
                size_t from = depth - 1;

                while (path[from] != to)
                    from--;
                return graph_refuse_cycle(a, g, spec, path + from, depth - from, err);
            }
            if (g->marks[to] == GRAPH_NEW) {
                g->marks[to] = GRAPH_ON_PATH;
                path[depth++] = to;
            }
        }
    }
    return 0;
}

int graph_make(struct arena *a, const struct environment_spec *spec, struct graph *ret,
               struct err *err)
{
    struct graph g = { .n = spec->resources.n };

    g.names = arena_new_n(a, struct str, g.n + 1);
    map_init(&g.index, a);
    if (arena_status(a, err))
        return err->code;
    for (size_t i = 0; i < g.n; i++) {
        const struct spec_resource *r = &spec->resources.p[i];

        g.names[i] = str_fmt(a, "%.*s/%.*s", STR_ARG(r->kind), STR_ARG(r->name));
        map_put(&g.index, g.names[i], &g.names[i]);
    }
    if (arena_status(a, err) || graph_connect(a, spec, &g, err) || graph_check(a, &g, spec, err))
        return err->code;
    *ret = g;
    return 0;
}

const unsigned char *graph_mark(const struct graph *g, size_t from)
{
    size_t depth = 0;

    memset(g->marks, 0, g->n);
    if (from < g->n)
        g->stack[depth++] = from;
    while (depth) {
        size_t at = g->stack[--depth];

        for (size_t i = g->first[at]; i < g->first[at + 1]; i++)
            if (!g->marks[g->to[i]]) {
                g->marks[g->to[i]] = 1;
                g->stack[depth++] = g->to[i];
            }
    }
    return g->marks;
}

/* The same edges the other way round. */
static int graph_reverse(struct arena *a, const struct graph *g, struct graph *ret)
{
    size_t *first = arena_new_n(a, size_t, g->n + 2),
           *to = arena_new_n(a, size_t, g->first[g->n] + 1);

    if (!first || !to)
        return -1;
    for (size_t e = 0; e < g->first[g->n]; e++)
        first[g->to[e] + 2]++;
    for (size_t i = 2; i < g->n + 2; i++)
        first[i] += first[i - 1];
    for (size_t i = 0; i < g->n; i++)
        for (size_t e = g->first[i]; e < g->first[i + 1]; e++)
            to[first[g->to[e] + 1]++] = i;
    *ret = (struct graph){ .n = g->n, .first = first, .to = to };
    return 0;
}

unsigned char *graph_spread(struct arena *a, const struct graph *g, const unsigned char *marked,
                            enum graph_direction direction)
{
    unsigned char *reached = arena_new_n(a, unsigned char, g->n + 1);
    struct graph walked = *g;
    size_t depth = 0;

    if (!reached || (direction == GRAPH_UP && graph_reverse(a, g, &walked)))
        return NULL;
    for (size_t i = 0; i < g->n; i++)
        if ((reached[i] = marked[i]))
            g->stack[depth++] = i;
    while (depth) {
        size_t at = g->stack[--depth];

        for (size_t e = walked.first[at]; e < walked.first[at + 1]; e++)
            if (!reached[walked.to[e]]) {
                reached[walked.to[e]] = 1;
                g->stack[depth++] = walked.to[e];
            }
    }
    return reached;
}

int graph_filter(struct arena *a, const struct graph *g, graph_keeps_fn *keeps, void *ctx,
                 struct graph *ret, struct err *err)
{
    struct graph kept = *g;
    size_t at = 0;

    kept.first = arena_new_n(a, size_t, g->n + 1);
    kept.to = arena_new_n(a, size_t, g->first[g->n] + 1);
    if (!kept.first || !kept.to)
        return arena_status(a, err);
    for (size_t i = 0; i < g->n; i++) {
        kept.first[i] = at;
        for (size_t e = g->first[i]; e < g->first[i + 1]; e++)
            if (keeps(ctx, i, g->to[e]))
                kept.to[at++] = g->to[e];
    }
    kept.first[g->n] = at;
    *ret = kept;
    return 0;
}
