/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_op.h"

#include "base/base64.h"

#define PROOF_SIGNATURE_MAX ((size_t)16 << 10)
#define PROOF_SIGNED_MAX ((size_t)16 << 20) /* of all commits that are told */

/* Everything that was ever fetched is kept, so a commit that is not here is nobody's ancestor. */
int git_op_ancestry(struct git_op *op, struct err *err)
{
    AUTO_REPO git_repository *repo = NULL;
    AUTO_COMMIT git_commit *ancestor = NULL, *descendant = NULL;
    struct str older, newer;
    int is_descendant = 0;
    int rc = git_op_text(op, "ancestor", &older, err);

    if (!rc)
        rc = git_op_text(op, "descendant", &newer, err);
    if (!rc)
        rc = git_op_open(op, &repo, err);
    if (!rc)
        rc = git_mirror_commit(repo, "descendant", newer, &descendant, err);
    if (rc)
        return rc;
    rc = git_mirror_commit(repo, "ancestor", older, &ancestor, err);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (!rc && git_op_descends(repo, git_commit_id(descendant), git_commit_id(ancestor),
                               &is_descendant, err))
        return err->code;
    value_set(op->a, op->out, S("is_descendant"), value_bool(op->a, is_descendant));
    return 0;
}

/* The signature, and what it is over: the commit without it. */
static int history_add_proof(struct git_op *op, git_repository *repo, git_oid *id,
                             struct value *map, size_t *io_bytes, struct err *err)
{
    git_buf signature = { 0 }, text = { 0 };
    int rc = git_commit_extract_signature(&signature, &text, repo, id, NULL);

    if (rc && rc != GIT_ENOTFOUND)
        return git_mirror_fail(err, ERR_IO, "read the signature of a commit");
    if (!rc && signature.size <= PROOF_SIGNATURE_MAX) { /* a longer one is none */
        value_set_text(op->a, map, S("signature"),
                       base64_encode(op->a, (struct str){ signature.ptr, signature.size }));
        value_set_text(op->a, map, S("signed"),
                       base64_encode(op->a, (struct str){ text.ptr, text.size }));
        *io_bytes += text.size;
    }
    git_buf_dispose(&signature);
    git_buf_dispose(&text);
    return *io_bytes > PROOF_SIGNED_MAX
               ? err_set(err, ERR_LIMIT, "the commits that are signed have more than %zu bytes",
                         PROOF_SIGNED_MAX)
               : 0;
}

static int history_walk(struct git_op *op, git_repository *repo, git_revwalk *walk, int64_t limit,
                        struct err *err)
{
    int wants_proofs = value_get_bool(op->in, S("proofs"), 0);
    struct value *commits = value_list(op->a);
    size_t n_bytes = 0;
    git_oid id;
    int rc = 0, truncated = 0;

    while (!truncated && !(rc = git_revwalk_next(&id, walk))) {
        AUTO_COMMIT git_commit *commit = NULL;
        struct value *map;

        truncated = (int64_t)value_count(commits) == limit;
        if (truncated)
            break;
        if (git_commit_lookup(&commit, repo, &id) < 0)
            return git_mirror_fail(err, ERR_IO, "read a commit");
        map = git_op_commit(op->a, commit);
        if (wants_proofs && history_add_proof(op, repo, &id, map, &n_bytes, err))
            return err->code;
        value_add(op->a, commits, map);
    }
    if (rc < 0 && rc != GIT_ITEROVER)
        return git_mirror_fail(err, ERR_IO, "walk the history");
    value_set(op->a, op->out, S("commits"), commits);
    value_set(op->a, op->out, S("truncated"), value_bool(op->a, truncated));
    return arena_status(op->a, err);
}

/* A commit that is not here (any more) hides nothing. */
static int history_start(struct git_op *op, git_repository *repo, git_revwalk **ret,
                         struct err *err)
{
    struct str from = value_get_text(op->in, S("from"), STR_NONE), to;
    AUTO_COMMIT git_commit *first = NULL, *last = NULL;
    int rc = git_op_text(op, "to", &to, err), goes_on = 0;

    if (!rc)
        rc = git_mirror_commit(repo, "to", to, &last, err);
    if (rc)
        return rc;
    rc = from.n ? git_mirror_commit(repo, "from", from, &first, err) : 0;
    if ((rc && rc != ERR_NOT_FOUND) ||
        (first && git_op_descends(repo, git_commit_id(last), git_commit_id(first), &goes_on, err)))
        return err->code;
    value_set(op->a, op->out, S("has_from"), value_bool(op->a, first != NULL));
    value_set(op->a, op->out, S("goes_on"), value_bool(op->a, !from.n || goes_on));
    if (git_revwalk_new(ret, repo) < 0 ||
        git_revwalk_sorting(*ret, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME) < 0 ||
        git_revwalk_push(*ret, git_commit_id(last)) < 0 ||
        (first && git_revwalk_hide(*ret, git_commit_id(first)) < 0))
        return git_mirror_fail(err, ERR_IO, "walk from %.*s", STR_ARG(to));
    return 0;
}

int git_op_log(struct git_op *op, struct err *err)
{
    AUTO_REPO git_repository *repo = NULL;
    git_revwalk *walk = NULL;
    int64_t limit = value_get_int(op->in, S("limit"), SOURCE_LOG_MAX);
    int rc = git_op_open(op, &repo, err);

    if (limit < 1 || limit > SOURCE_LOG_MAX)
        limit = SOURCE_LOG_MAX;
    if (!rc)
        rc = history_start(op, repo, &walk, err);
    if (!rc)
        rc = history_walk(op, repo, walk, limit, err);
    git_revwalk_free(walk);
    return rc;
}
