/*
 * source: questions about a repository of specs, for the engine's tasks. SPDX-License-Identifier: Apache-2.0
 *
 * One table of functions, two kinds of source: source_git asks a worker process, a simulated one
 * answers from memory. Each question is a start, which begins the task's wait, and a parse of what
 * it brought, called in the state after it when t->rc is 0:
 *
 *     source->ops->fetch(source, t, a, &request, &op->call);
 *     return task_then(t, FETCHED);
 *     ...
 *     rc = source->ops->fetch_parse(a, &op->call, &heads, &err);
 *
 * A name that `gone` lists is one that a complete listing did not have; a failed one is an error.
 *
 * Memory   requests are read before start returns; the call and the arena live until the parse;
 *          answers are views into the arena.
 * Thread   the loop's; a parse runs on any, while its task waits for it.
 * Fails    parse: ERR_UNREACHABLE, ERR_TIMEOUT; ERR_REFUSED (credentials, host key, a scheme, a hostile
 *          tree), ERR_INVALID (links or submodules where files are asked for, no UTF-8), ERR_LIMIT,
 *          ERR_NOT_FOUND (commit or path), ERR_CONFLICT (dest exists), ERR_LOCKED (a fetch runs).
 */
#pragma once

#include "base/vec.h"
#include "reconciler/rt/wait.h"

#define SOURCE_FILES_MAX 20000u /* specs of one commit */

struct source_ops;

struct source { /* first member of each kind */
    const struct source_ops *ops;
};

struct source_call {
    struct exec_request exec; /* source_git's */
    struct exec_result result;
    void *own; /* another kind's */
};

/* Everything that specs need of one commit. */
struct source_read {
    struct str commit;
    struct str base; /* STR_NONE, or a commit that was read before: what stands there is not told */
    const struct str *paths;
    size_t n_paths;
    struct str
        code; /* STR_NONE, or code whose paths are known: they are not told where it is the same */
};
struct source_commit {
    struct str id, tree, author, author_mail, committer, committer_mail, summary;
    struct str schema_change;          /* of the trailer; "" for none */
    struct str signature, signed_text; /* of a log with proofs; STR_NONE: it is not signed */
    int64_t time_ms;
    VEC(struct str) parents, co_authors; /* co_authors: addresses of trailers */
};
struct source_file {
    struct str path, id, text;
};
struct source_path {
    struct str path, id;
};
struct source_snapshot {
    struct source_commit commit;
    struct str spec_tree;          /* STR_NONE: the commit has no specs */
    struct str code;               /* id of the commit's tree without the specs */
    int has_base;                  /* 0: everything is told; `base` was not there (any more) */
    int goes_on;                   /* the commit descends from `base` */
    VEC(struct source_file) files; /* that the base does not have so, in the tree's order */
    VEC(struct str) gone;          /* paths of specs that the base has and the commit has not */
    VEC(struct source_path) trees; /* wanted paths that exist, as if the specs did not */
};

struct
    source_fetch { /* names: branches, or "refs/..." in full; one '*' stands for any bytes, of branches alone in the name of one */
    const struct str *names;
    size_t n_names;
    /* NULL, or one a name: commits of a bundle, which stand until the branch goes on from them; STR_NONE: none */
    const struct str *ahead;
    /* NULL, or one a name: one that moved away from its `base` is read at once; `commit` says nothing */
    const struct source_read *reads;
    struct str username, password; /* https; STR_NONE: x-access-token, none */
};
struct source_head {
    struct str name, commit, tree;
    const struct source_snapshot *snapshot; /* NULL: not read, or not readable; read() says why */
    struct str host,
        host_is; /* where `ahead` stands: what the host has, "behind" or "diverged"; else STR_NONE */
    int64_t time_ms; /* of the commit */
};
struct source_heads {
    VEC(struct source_head) heads; /* sorted by name */
    VEC(struct str) gone;
};

#define SOURCE_BUNDLE_MAX ((size_t)64 << 20)
struct source_import { /* a git bundle: what it has of the branches named, where they only go on */
    struct str path;
    const struct str *names;
    size_t n_names;
};

struct source_resolve {
    struct str
        ref; /* 4 to 40 hex digits that a commit's id begins with, of what was fetched before */
};

struct source_ancestry {
    struct str ancestor, descendant;
};

#define SOURCE_LOG_MAX 1000
struct
    source_log { /* commits that `to` has and `from` (STR_NONE, not there: nothing) has not, newest first */
    struct str from, to;
    int64_t limit; /* at most SOURCE_LOG_MAX */
    int with_proofs;
};
struct source_commits {
    VEC(struct source_commit) list;
    int truncated;
    int has_from; /* it is there */
    int goes_on;  /* `to` descends from `from`, where there is one: nothing of it was left behind */
};

struct source_export { /* the tree at `path` without the specs, whole or not at all */
    struct str commit, path, dest;
    int64_t limit_bytes, limit_files; /* 0: 1 GiB, 200,000 */
};
struct source_exported {
    int64_t bytes, files;
};

/* clang-format off */
struct source_ops {
    void (*fetch)(const struct source *s, struct task *t, struct arena *a, const struct source_fetch *in, struct source_call *call);
    void (*import)(const struct source *s, struct task *t, struct arena *a, const struct source_import *in, struct source_call *call); /* answers as fetch does; NULL: it cannot */
    void (*read)(const struct source *s, struct task *t, struct arena *a, const struct source_read *in, struct source_call *call);
    void (*resolve)(const struct source *s, struct task *t, struct arena *a, const struct source_resolve *in, struct source_call *call); /* NULL: it cannot */
    void (*ancestry)(const struct source *s, struct task *t, struct arena *a, const struct source_ancestry *in, struct source_call *call);
    void (*log)(const struct source *s, struct task *t, struct arena *a, const struct source_log *in, struct source_call *call);
    void (*export)(const struct source *s, struct task *t, struct arena *a, const struct source_export *in, struct source_call *call);

    int (*fetch_parse)(struct arena *a, struct source_call *call, struct source_heads *ret, struct err *err);
    int (*read_parse)(struct arena *a, struct source_call *call, struct source_snapshot *ret, struct err *err);
    int (*resolve_parse)(struct arena *a, struct source_call *call, struct source_head *ret, struct err *err);
    int (*ancestry_parse)(struct arena *a, struct source_call *call, int *ret_is_descendant, struct err *err);
    int (*log_parse)(struct arena *a, struct source_call *call, struct source_commits *ret, struct err *err);
    int (*export_parse)(struct arena *a, struct source_call *call, struct source_exported *ret, struct err *err);
};
/* clang-format on */
