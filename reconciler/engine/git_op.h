/*
 * git_op: what the worker process can be asked about a mirror. SPDX-License-Identifier: Apache-2.0
 *
 * Requests and answers are the members that source_git.h writes and reads; times are milliseconds,
 * ids 40 hex digits, `mirror` an absolute path.
 *
 *   fetch     {mirror, url, branches, reads?: {name: {base,
 *              spec_path, paths, code?}}, ahead?: {name:
 *              commit}, ...}                                  -> {heads: {name: {commit, tree, read?, host?, host_is?}}, gone: [name]}
 *   bundle    {mirror, bundle, branches, spec_path, max_bytes}    -> {heads: {name: {commit, tree}}}
 *   read      {mirror, commit, base?, spec_path, paths,
 *              code?}                                         -> {commit: {..}, has_base?, goes_on?, files, gone,
 *                                                                 spec_tree?, code, trees?}
 *   ancestry  {mirror, ancestor, descendant}                  -> {is_descendant}
 *   resolve   {mirror, ref}                                   -> {commit, tree}
 *   log       {mirror, from?, to, limit, proofs?}             -> {commits: [{.., signature?, signed?}], truncated,
 *                                                                 has_from, goes_on}
 *   export    {mirror, commit, path, spec_path, dest,
 *              limit_bytes, limit_files}                      -> {bytes, files}
 *   blob      {mirror, id, limit_bytes}                       -> {hex}
 *   anchor_read {mirror, url, branch, folder, known?, ...}    -> {tip?, file?, text?}: the newest file; CONFLICT where
 *                                                                 the branch does not go on from the commit `known`
 *   anchor_push {mirror, url, branch, folder, tip?, line,
 *              time_ms, ...}                                  -> {commit}; STALE where the branch is not at `tip`
 *
 * Memory   answers are built in op->a.
 * Thread   one; one request a process.
 */
#pragma once

#include "reconciler/engine/git_mirror.h"
#include "reconciler/engine/source.h"
#include "specs/value.h"

#define GIT_OP_SPEC_MAX ((size_t)1 << 20)         /* bytes of one spec */
#define GIT_OP_SPECS_BYTES_MAX ((size_t)32 << 20) /* of all that are told at once */
#define GIT_OP_CO_AUTHORS_MAX 32u                 /* of one commit */
#define GIT_OP_TEXT_MAX 400u                      /* bytes of a foreign line: summary, author */

struct git_op {
    struct arena *a;
    const struct value *in;
    struct value *out; /* a map, filled on success */
    size_t spec_bytes; /* told so far */
};

int git_op_fetch(struct git_op *op, struct err *err);
int git_op_bundle(struct git_op *op, struct err *err);
int git_op_read(struct git_op *op, struct err *err);
int git_op_ancestry(struct git_op *op, struct err *err);
int git_op_resolve(struct git_op *op, struct err *err);
int git_op_log(struct git_op *op, struct err *err);
int git_op_export(struct git_op *op, struct err *err);
int git_op_blob(struct git_op *op, struct err *err);
int git_op_anchor_read(struct git_op *op, struct err *err);
int git_op_anchor_push(struct git_op *op, struct err *err);

/* What `read` answers, in a mirror that is open; the commit's id is no member of the request. */
int git_op_read_commit(struct git_op *op, git_repository *repo, struct str id, struct err *err);

/* Required members of the request. */
int git_op_text(const struct git_op *op, const char *name, struct str *ret, struct err *err);
int git_op_path(struct git_op *op, const char *name, const char **ret, struct err *err);
int git_op_open(struct git_op *op, git_repository **ret, struct err *err);

/* A commit descends from itself. */
int git_op_descends(git_repository *repo, const git_oid *commit, const git_oid *ancestor, int *ret,
                    struct err *err);

/* {id, tree, author, author_mail, committer, committer_mail, co_authors?, time_ms, summary, schema_change?,
 * parents} */
struct value *git_op_commit(struct arena *a, git_commit *commit);
