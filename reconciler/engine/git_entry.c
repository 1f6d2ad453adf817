/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_entry.h"

#include <string.h>

#include "base/guard.h"
#include "reconciler/engine/git_text.h"

#define GIT_ENTRY_TYPE_BITS 0170000u

enum git_entry_kind git_entry_kind(const git_tree_entry *entry)
{
    unsigned mode = (unsigned)git_tree_entry_filemode_raw(entry);

    switch (mode & GIT_ENTRY_TYPE_BITS) {
    case 0040000:
        return GIT_ENTRY_TREE;
    case 0100000:
        return mode & 0100 ? GIT_ENTRY_PROGRAM : GIT_ENTRY_FILE;
    case 0120000:
        return GIT_ENTRY_LINK;
    case 0160000:
        return GIT_ENTRY_SUBMODULE;
    default:
        return GIT_ENTRY_OTHER;
    }
}

struct str git_entry_name(const git_tree_entry *entry)
{
    return str_from_c(git_tree_entry_name(entry));
}

/* The object is there, is of this type and not too large: judged by its header. */
static int git_entry_check(git_repository *repo, const git_oid *id, git_object_t type,
                           struct str where, size_t limit_bytes, struct err *err)
{
    git_object_t found;
    size_t n;

    if (git_mirror_header(repo, id, &n, &found) < 0)
        return git_mirror_fail(err, ERR_IO, "the mirror lacks '%.*s'", STR_ARG(where));
    if (found != type)
        return err_set(err, ERR_REFUSED, "'%.*s' is a %s, its tree says otherwise", STR_ARG(where),
                       git_object_type2string(found));
    if (n > limit_bytes)
        return err_set(err, ERR_LIMIT, "'%.*s' has %zu bytes, the limit is %zu", STR_ARG(where), n,
                       limit_bytes);
    return 0;
}

int git_entry_order(const git_tree_entry *a, const git_tree_entry *b)
{
    struct str x = git_entry_name(a), y = git_entry_name(b);
    size_t n = x.n < y.n ? x.n : y.n;
    int order = memcmp(x.p, y.p, n);
    unsigned char after_x, after_y;

    if (order)
        return order;
    after_x = x.n > n ? (unsigned char)x.p[n] : git_entry_kind(a) == GIT_ENTRY_TREE ? '/' : 0;
    after_y = y.n > n ? (unsigned char)y.p[n] : git_entry_kind(b) == GIT_ENTRY_TREE ? '/' : 0;
    return after_x - after_y;
}

int git_entry_open_tree(git_repository *repo, const git_oid *id, struct str where, git_tree **ret,
                        struct err *err)
{
    int rc = git_entry_check(repo, id, GIT_OBJECT_TREE, where, GIT_ENTRY_TREE_MAX, err);

    if (rc)
        return rc;
    if (git_tree_lookup(ret, repo, id) < 0)
        return git_mirror_fail(err, ERR_REFUSED, "tree '%.*s'", STR_ARG(where));
    return 0;
}

int git_entry_read_blob(git_repository *repo, const git_oid *id, struct str where,
                        size_t limit_bytes, struct arena *a, struct str *ret, struct err *err)
{
    git_blob *blob = NULL;
    int rc = git_entry_check(repo, id, GIT_OBJECT_BLOB, where, limit_bytes, err);

    if (rc)
        return rc;
    if (git_blob_lookup(&blob, repo, id) < 0)
        return git_mirror_fail(err, ERR_IO, "read '%.*s'", STR_ARG(where));
    *ret = str_copy(a, (struct str){ git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob) });
    git_blob_free(blob);
    return arena_status(a, err);
}

static int git_entry_step(git_repository *repo, const git_oid *tree_id, struct str path,
                          struct str name, struct git_entry *ret, struct err *err)
{
    AUTO_TREE git_tree *tree = NULL;
    char terminated[GIT_TEXT_NAME_MAX + 1];
    const git_tree_entry *entry;
    int rc = git_entry_open_tree(repo, tree_id, path, &tree, err);

    if (rc)
        return rc;
    PRE(name.n < sizeof(terminated));
    memcpy(terminated, name.p, name.n);
    terminated[name.n] = '\0';
    entry = git_tree_entry_byname(tree, terminated);
    if (!entry)
        return err_set(err, ERR_NOT_FOUND, "the commit has no '%.*s'", STR_ARG(path));
    ret->id = *git_tree_entry_id(entry);
    ret->kind = git_entry_kind(entry);
    if (ret->kind == GIT_ENTRY_LINK || ret->kind == GIT_ENTRY_SUBMODULE)
        return err_set(err, ERR_INVALID, "'%.*s' is or goes through a %s, '%.*s'", STR_ARG(path),
                       ret->kind == GIT_ENTRY_LINK ? "symbolic link" : "submodule", STR_ARG(name));
    return 0;
}

int git_entry_find(git_repository *repo, const git_oid *root, struct str path,
                   struct git_entry *ret, struct err *err)
{
    struct git_entry at = { .id = *root, .kind = GIT_ENTRY_TREE };
    struct str rest = path, name;
    int rc = 0;

    while (!rc && !str_eq(path, S(".")) && str_next(&rest, '/', &name)) {
        if (at.kind != GIT_ENTRY_TREE)
            return err_set(err, ERR_NOT_FOUND, "the commit has no '%.*s'", STR_ARG(path));
        rc = git_entry_step(repo, &at.id, path, name, &at, err);
    }
    if (!rc)
        *ret = at;
    return rc;
}

/* One tree as git writes it, "mode name\0id" an entry, without or with another id for one of them. */
static int git_entry_hash(struct arena *a, const git_tree *tree, size_t changed, const git_oid *id,
                          git_oid *ret, struct err *err)
{
    struct str bytes;
    struct sb out;

    sb_init(&out, a);
    for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        const git_oid *its = i == changed ? id : git_tree_entry_id(entry);

        if (!its)
            continue;
        sb_addf(&out, "%o ", (unsigned)git_tree_entry_filemode_raw(entry));
        sb_add(&out, git_entry_name(entry));
        sb_add_char(&out, '\0');
        sb_add(&out, (struct str){ (const char *)its->id, sizeof(its->id) });
    }
    bytes = sb_str(&out);
    if (arena_status(a, err))
        return err->code;
    if (git_odb_hash(ret, bytes.p, bytes.n, GIT_OBJECT_TREE) < 0)
        return git_mirror_fail(err, ERR_IO, "hash a tree");
    return 0;
}

static int git_entry_without(struct arena *a, git_repository *repo, const git_oid *root,
                             struct str path, git_oid *ret, struct err *err)
{
    static const char no_entries[] = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    AUTO_TREE git_tree *tree = NULL;
    struct str rest = path, name;
    git_oid inner, empty;
    size_t at = 0, n;
    int rc = git_entry_open_tree(repo, root, path, &tree, err);

    if (rc)
        return rc;
    (void)str_next(&rest, '/', &name); /* a path has at least one part */
    n = git_tree_entrycount(tree);
    while (at < n && !str_eq(git_entry_name(git_tree_entry_byindex(tree, at)), name))
        at++;
    if (at == n || (rest.p && git_entry_kind(git_tree_entry_byindex(tree, at)) != GIT_ENTRY_TREE)) {
        *ret = *root;
        return 0;
    }
    if (!rest.p)
        return git_entry_hash(a, tree, at, NULL, ret, err);
    rc = git_entry_without(a, repo, git_tree_entry_id(git_tree_entry_byindex(tree, at)), rest,
                           &inner, err);
    if (rc)
        return rc;
    (void)git_oid_fromstr(&empty, no_entries); /* well-formed */
    return git_entry_hash(a, tree, at, git_oid_equal(&inner, &empty) ? NULL : &inner, ret, err);
}

int git_entry_id_without(git_repository *repo, const git_oid *root, struct str path, git_oid *ret,
                         struct err *err)
{
    AUTO_ARENA struct arena a;

    arena_init(&a, 0);
    return git_entry_without(&a, repo, root, path, ret, err);
}
