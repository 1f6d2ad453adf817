/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/graph.h"

/* Position in names, or n. */
static size_t graph_find(const struct graph *g, struct str name)
{
    uintptr_t at = (uintptr_t)map_find(&g->index, name);

    return at ? at - 1 : g->n;
}

static unsigned char *graph_cell(const struct graph *g, size_t from, size_t to)
{
    return &g->reach[from * g->n + to];
}

static void graph_close(struct graph *g)
{
    for (size_t k = 0; k < g->n; k++)
        for (size_t i = 0; i < g->n; i++)
            for (size_t j = 0; *graph_cell(g, i, k) && j < g->n; j++)
                *graph_cell(g, i, j) |= *graph_cell(g, k, j);
}

/* Walk direct needs that lead back to `start`; every step stays inside the cycle. */
static struct str graph_name_cycle(struct arena *a, const struct graph *g,
                                   const struct environment_spec *spec, size_t start)
{
    struct sb text;
    size_t at = start, steps = 0;

    sb_init(&text, a);
    do {
        const struct spec_resource *r = &spec->resources.p[at];
        size_t next = g->n;

        sb_addf(&text, "%.*s -> ", STR_ARG(g->names[at]));
        for (size_t i = 0; i < r->needs.n && next == g->n; i++) {
            size_t to = graph_find(g, r->needs.p[i]);

            if (to < g->n && (to == start || *graph_cell(g, to, start)))
                next = to;
        }
        at = next;
    } while (at != start && at < g->n && ++steps <= g->n);
    sb_add(&text, g->names[start]);
    return sb_str(&text);
}

int graph_make(struct arena *a, const struct environment_spec *spec, struct graph *ret,
               struct err *err)
{
    struct graph g = { .n = spec->resources.n };

    g.names = arena_new_n(a, struct str, g.n);
    g.reach = arena_alloc(a, g.n * g.n);
    map_init(&g.index, a);
    if (arena_status(a, err))
        return err->code;
    for (size_t i = 0; i < g.n; i++) {
        const struct spec_resource *r = &spec->resources.p[i];

        g.names[i] = str_fmt(a, "%.*s/%.*s", STR_ARG(r->kind), STR_ARG(r->name));
        map_put(&g.index, g.names[i], (char *)NULL + i + 1);
    }
    if (arena_status(a, err))
        return err->code;
    for (size_t i = 0; i < g.n; i++)
        for (size_t j = 0; j < spec->resources.p[i].needs.n; j++) {
            size_t to = graph_find(&g, spec->resources.p[i].needs.p[j]);

            if (to < g.n)
                *graph_cell(&g, i, to) = 1;
        }
    graph_close(&g);
    for (size_t i = 0; i < g.n; i++)
        if (*graph_cell(&g, i, i)) {
            const struct value_place *at = &spec->resources.p[i].place;

            return err_set(err, ERR_INVALID, "%.*s:%u:%u: error: dependency cycle: %.*s [cycle]",
                           STR_ARG(at->file), at->line, at->column,
                           STR_ARG(graph_name_cycle(a, &g, spec, i)));
        }
    *ret = g;
    return 0;
}

int graph_needs(const struct graph *g, struct str from, struct str to)
{
    size_t i = graph_find(g, from), j = graph_find(g, to);

    return i < g->n && j < g->n && *graph_cell(g, i, j);
}
