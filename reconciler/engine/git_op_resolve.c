/* A commit by the beginning of its id. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_op.h"

#define ID_HEX_MAX 40u

static int resolve_prefix(struct str ref, git_oid *ret, struct err *err)
{
    if (ref.n < GIT_OID_MINPREFIXLEN || ref.n > ID_HEX_MAX || git_oid_fromstrn(ret, ref.p, ref.n))
        return err_set(err, ERR_USAGE, "'%.*s' is no beginning of a commit's id", STR_ARG(ref));
    return 0;
}

int git_op_resolve(struct git_op *op, struct err *err)
{
    AUTO_REPO git_repository *repo = NULL;
    AUTO_COMMIT git_commit *commit = NULL;
    struct str ref;
    git_oid id;
    int rc = git_op_text(op, "ref", &ref, err);

    if (!rc)
        rc = resolve_prefix(ref, &id, err);
    if (!rc)
        rc = git_op_open(op, &repo, err);
    if (rc)
        return rc;
    rc = git_commit_lookup_prefix(&commit, repo, &id, ref.n);
    if (rc == GIT_EAMBIGUOUS)
        return err_set(err, ERR_CONFLICT, "several commits begin with %.*s: give more digits",
                       STR_ARG(ref));
    if (rc == GIT_ENOTFOUND)
        return err_set(err, ERR_NOT_FOUND, "no commit begins with %.*s", STR_ARG(ref));
    if (rc < 0)
        return git_mirror_fail(err, ERR_IO, "look for %.*s", STR_ARG(ref));
    value_set_text(op->a, op->out, S("commit"), git_mirror_hex(op->a, git_commit_id(commit)));
    value_set_text(op->a, op->out, S("tree"), git_mirror_hex(op->a, git_commit_tree_id(commit)));
    return 0;
}
