/*
 * git_entry: what stands at a path of a commit's tree. SPDX-License-Identifier: Apache-2.0
 *
 * Objects are read after their size was seen in their header, so that no object takes more memory
 * than a named limit. Symbolic links and submodules are never passed through.
 *
 * Memory   views of names live as long as the tree they came from.
 * Fails    ERR_NOT_FOUND; ERR_INVALID through or at a link or submodule; ERR_LIMIT; ERR_IO when the
 *          mirror lacks an object; ERR_REFUSED for bytes that are no such object.
 */
#pragma once

#include "reconciler/engine/git_mirror.h"

#define GIT_ENTRY_TREE_MAX (16u << 20) /* bytes of one tree object */
#define GIT_ENTRY_DEPTH_MAX 128

enum git_entry_kind {
    GIT_ENTRY_TREE,
    GIT_ENTRY_FILE,
    GIT_ENTRY_PROGRAM, /* a file with its executable bit */
    GIT_ENTRY_LINK,
    GIT_ENTRY_SUBMODULE,
    GIT_ENTRY_OTHER,
};

struct git_entry {
    git_oid id;
    enum git_entry_kind kind;
};

enum git_entry_kind git_entry_kind(const git_tree_entry *entry);
struct str git_entry_name(const git_tree_entry *entry);
/* As git sorts a tree: a directory counts as if a slash stood behind its name. */
int git_entry_order(const git_tree_entry *a, const git_tree_entry *b);

/* `where` names the object in the sentence. */
int git_entry_open_tree(git_repository *repo, const git_oid *id, struct str where, git_tree **ret,
                        struct err *err);
/* The bytes of a blob, copied into the arena. */
int git_entry_read_blob(git_repository *repo, const git_oid *id, struct str where,
                        size_t limit_bytes, struct arena *a, struct str *ret, struct err *err);

/* "." is the root itself. */
int git_entry_find(git_repository *repo, const git_oid *root, struct str path,
                   struct git_entry *ret, struct err *err);

/* The id that the tree `root` would have without what stands at `path`; directories that this empties
 * go too. Nothing is written. */
int git_entry_id_without(git_repository *repo, const git_oid *root, struct str path, git_oid *ret,
                         struct err *err);
