/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_hostile.h"

#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "base/map.h"
#include "base/vec.h"
#include "reconciler/engine/git_entry.h"
#include "reconciler/engine/git_text.h"

/* A tree to be read; the way to it is kept as steps, so that deep trees cost no more than flat ones. */
struct hostile_node {
    git_oid tree, clean;
    int has_clean;
    unsigned depth;
    size_t path_bytes;
    struct str name;
    struct hostile_node *parent; /* NULL: the root */
};

struct hostile_walk {
    git_repository *repo;
    struct arena *a;
    VEC(struct hostile_node *) todo;
    struct map seen; /* raw tree id */
    size_t n_entries;
};

static struct str hostile_path(struct arena *a, const struct hostile_node *node)
{
    struct str path, above;

    if (!node->parent)
        return S(".");
    path = git_text_show(a, node->name);
    if (!node->parent->parent)
        return path;
    above = hostile_path(a, node->parent); /* by name: a macro would walk up more than once */
    return str_fmt(a, "%.*s/%.*s", STR_ARG(above), STR_ARG(path));
}

static int hostile_refuse(struct hostile_walk *w, const struct hostile_node *node, struct str name,
                          const char *fault, struct err *err)
{
    struct str path = hostile_path(w->a, node), shown = git_text_show(w->a, name);

    return err_set(err, ERR_REFUSED, "hostile tree '%.*s': the entry '%.*s' %s", STR_ARG(path),
                   STR_ARG(shown), fault);
}

static int hostile_push(struct hostile_walk *w, struct hostile_node *parent, struct str name,
                        const git_oid *tree, const git_oid *clean, struct err *err)
{
    struct str id = { (const char *)tree->id, sizeof(tree->id) }, path;
    struct hostile_node *node, **slot;

    if (map_has(&w->seen, id) || (clean && git_oid_equal(tree, clean)))
        return 0;
    if (parent && parent->depth + 1 > GIT_ENTRY_DEPTH_MAX) {
        path = hostile_path(w->a, parent);
        return err_set(err, ERR_LIMIT, "more than %d levels deep: '%.*s'", GIT_ENTRY_DEPTH_MAX,
                       STR_ARG(path));
    }
    node = arena_new(w->a, struct hostile_node);
    slot = vec_push(w->a, &w->todo);
    if (!node || !slot)
        return arena_status(w->a, err);
    *slot = node;
    *node = (struct hostile_node){ .tree = *tree,
                                   .has_clean = clean != NULL,
                                   .depth = parent ? parent->depth + 1 : 0,
                                   .path_bytes = parent ? parent->path_bytes + name.n + 1 : 0,
                                   .name = str_copy(w->a, name),
                                   .parent = parent };
    if (clean)
        node->clean = *clean;
    map_put(&w->seen, (struct str){ (const char *)node->tree.id, sizeof(node->tree.id) }, node);
    return arena_status(w->a, err);
}

static int hostile_name_cmp(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* A file and a directory of one name need not be neighbours: sorted by name alone they are. */
static int hostile_check_names(struct hostile_walk *w, const struct hostile_node *node,
                               const git_tree *tree, struct err *err)
{
    size_t n = git_tree_entrycount(tree);
    AUTO_ARENA struct arena scratch;
    struct str *names;

    arena_init(&scratch, 0);
    names = arena_new_n(&scratch, struct str, n + 1);
    if (!names)
        return arena_status(&scratch, err);
    for (size_t i = 0; i < n; i++)
        names[i] = git_entry_name(git_tree_entry_byindex(tree, i));
    qsort(names, n, sizeof(*names), hostile_name_cmp);
    for (size_t i = 1; i < n; i++)
        if (str_eq(names[i - 1], names[i]))
            return hostile_refuse(w, node, names[i], "occurs twice", err);
    for (size_t i = 1; i < n; i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);

        if (git_entry_order(git_tree_entry_byindex(tree, i - 1), entry) >= 0)
            return hostile_refuse(w, node, git_entry_name(entry), "is out of order", err);
    }
    return 0;
}

static int hostile_check_entry(struct hostile_walk *w, struct hostile_node *node,
                               const git_tree *clean, const git_tree_entry *entry, struct err *err)
{
    struct str name = git_entry_name(entry);
    const char *fault = git_text_name_fault(name);
    const git_tree_entry *same;

    if (fault)
        return hostile_refuse(w, node, name, fault, err);
    if (git_entry_kind(entry) == GIT_ENTRY_OTHER)
        return hostile_refuse(w, node, name, "has a mode that git does not know", err);
    if (node->path_bytes + name.n > GIT_TEXT_PATH_MAX)
        return hostile_refuse(w, node, name, "has a path that is too long", err);
    if (git_entry_kind(entry) != GIT_ENTRY_TREE)
        return 0;
    same = clean ? git_tree_entry_byname(clean, name.p) : NULL;
    if (same && git_entry_kind(same) != GIT_ENTRY_TREE)
        same = NULL;
    return hostile_push(w, node, name, git_tree_entry_id(entry),
                        same ? git_tree_entry_id(same) : NULL, err);
}

static int hostile_check_tree(struct hostile_walk *w, struct hostile_node *node, struct err *err)
{
    AUTO_TREE git_tree *tree = NULL, *clean = NULL;
    struct str path;
    int rc = git_entry_open_tree(w->repo, &node->tree, git_text_show(w->a, node->name), &tree, err);

    if (!rc && node->has_clean)
        rc = git_entry_open_tree(w->repo, &node->clean, S("."), &clean, err);
    if (rc) {
        path = hostile_path(w->a, node);
        return err_wrap(err, "tree '%.*s'", STR_ARG(path));
    }
    w->n_entries += git_tree_entrycount(tree);
    if (w->n_entries > GIT_HOSTILE_ENTRIES_MAX)
        return err_set(err, ERR_LIMIT, "the commit has more than %u entries",
                       GIT_HOSTILE_ENTRIES_MAX);
    rc = hostile_check_names(w, node, tree, err);
    for (size_t i = 0; !rc && i < git_tree_entrycount(tree); i++)
        rc = hostile_check_entry(w, node, clean, git_tree_entry_byindex(tree, i), err);
    return rc;
}

int git_hostile_check(git_repository *repo, const git_oid *tree, const git_oid *clean,
                      struct err *err)
{
    AUTO_ARENA struct arena a;
    struct hostile_walk w = { .repo = repo, .a = &a };
    int rc;

    arena_init(&a, 0);
    map_init(&w.seen, &a);
    rc = hostile_push(&w, NULL, S("."), tree, clean, err);
    while (!rc && w.todo.n)
        rc = hostile_check_tree(&w, w.todo.p[--w.todo.n], err);
    return rc;
}
