/*
 * git_mirror: a bare repository of ours, opened through libgit2. SPDX-License-Identifier: Apache-2.0
 *
 * The mirror lies in a directory of the daemon alone (0700) and holds objects and our own refs; no
 * configuration of the machine or of a user has a say. Used in the worker process only.
 *
 * Owns     AUTO_REPO, AUTO_COMMIT, AUTO_TREE release what libgit2 handed out.
 * Thread   one.
 * Fails    ERR_NOT_FOUND; ERR_IO where libgit2 could not read or write, with its sentence.
 */
#pragma once

#include <git2.h>

#include "base/str.h"

#define GIT_MIRROR_COMMIT_MAX ((size_t)1 << 20) /* bytes of a commit object */
#define GIT_MIRROR_HEX 40                       /* digits of an object id */

#define GIT_MIRROR_REFS "refs/reeve" /* where our own refs are */
#define GIT_MIRROR_LOCK "reeve.lock" /* held by the worker that writes */

/* Once, before anything else of libgit2. */
int git_mirror_setup(struct err *err);

int git_mirror_open(const char *path, git_repository **ret, struct err *err);
int git_mirror_create(const char *path, git_repository **ret, struct err *err); /* or open */
/* Bytes of the packs. */
int git_mirror_size(const char *path, int64_t *ret_bytes, struct err *err);
/* What a fetch that was killed left behind. */
int git_mirror_tidy(const char *path, struct err *err);

/* Size and type of an object without reading it; libgit2's return value. */
int git_mirror_header(git_repository *repo, const git_oid *id, size_t *ret_bytes,
                      git_object_t *ret_type);
/* The commit with this id, 40 hex digits; `what` names it in the sentence. */
int git_mirror_commit(git_repository *repo, const char *what, struct str id, git_commit **ret,
                      struct err *err);
struct str git_mirror_hex(struct arena *a, const git_oid *id);

/* Our name for a branch: flat, so that "a" and "a/b" can follow each other. */
const char *git_mirror_ref(struct arena *a, struct str branch);

/* No single file of ours grows beyond the limit, whatever the indexer is fed. */
int git_mirror_limit_files(int64_t max_bytes, struct err *err);

/* "fmt: libgit2's sentence", printable. Returns `code`. */
int git_mirror_fail(struct err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static inline void git_mirror_guard_repo(git_repository **repo)
{
    git_repository_free(*repo);
}
static inline void git_mirror_guard_commit(git_commit **commit)
{
    git_commit_free(*commit);
}
static inline void git_mirror_guard_tree(git_tree **tree)
{
    git_tree_free(*tree);
}
#define AUTO_REPO __attribute__((cleanup(git_mirror_guard_repo)))
#define AUTO_COMMIT __attribute__((cleanup(git_mirror_guard_commit)))
#define AUTO_TREE __attribute__((cleanup(git_mirror_guard_tree)))
