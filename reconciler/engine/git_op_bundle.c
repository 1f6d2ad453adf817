/* What somebody brought, because the git host is down. SPDX-License-Identifier: Apache-2.0
 *
 * Everything is looked at before any of our names moves: prerequisites, descent, trees and specs. */
#include <poll.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/git_bundle.h"
#include "reconciler/engine/git_op.h"

#define BUNDLE_LOCK_MS 90000 /* a fetch from a host that is down ends by then */
#define BUNDLE_LOCK_STEP_MS 50

struct bundle_op {
    struct git_op *op;
    const char *mirror;
    git_repository *repo;
    int64_t left_bytes; /* of the mirror's quota */
    struct git_bundle bundle;
};

/* --- the pack ------------------------------------------------------------------------------------ */

static int bundle_write_pack(struct bundle_op *b, git_odb *odb, struct err *err)
{
    git_odb_writepack *pack = NULL;
    git_indexer_progress stats = { 0 };
    int rc = git_odb_write_pack(&pack, odb, NULL, NULL);

    if (!rc)
        rc = pack->append(pack, b->bundle.pack.p, b->bundle.pack.n, &stats);
    if (!rc)
        rc = pack->commit(pack, &stats);
    if (pack)
        pack->free(pack);
    return rc < 0 ? git_mirror_fail(err, ERR_INVALID, "the pack of the bundle") : 0;
}

static int bundle_take_pack(struct bundle_op *b, struct err *err)
{
    git_odb *odb = NULL;
    int rc;

    if ((int64_t)b->bundle.pack.n > b->left_bytes)
        return err_set(err, ERR_LIMIT, "the mirror would be over its limit");
    if (git_repository_odb(&odb, b->repo) < 0)
        return git_mirror_fail(err, ERR_IO, "open the objects");
    rc = bundle_write_pack(b, odb, err);
    git_odb_free(odb);
    return rc;
}

static int bundle_check_needs(struct bundle_op *b, struct err *err)
{
    for (size_t i = 0; i < b->bundle.needs.n; i++) {
        AUTO_COMMIT git_commit *commit = NULL;

        if (git_mirror_commit(b->repo, "prerequisite", b->bundle.needs.p[i], &commit, err))
            return err_set(err, ERR_REFUSED,
                           "the bundle goes on from commit %.12s, which this source never had",
                           b->bundle.needs.p[i].p);
    }
    return 0;
}

/* --- branches ------------------------------------------------------------------------------------ */

static int bundle_tracks(const struct bundle_op *b, struct str ref, struct str *ret)
{
    const struct value *branches = value_get(b->op->in, S("branches"));
    struct str prefix = S("refs/heads/");

    if (!str_starts(ref, prefix))
        return 0;
    *ret = str_slice(ref, prefix.n, ref.n);
    for (size_t i = 0; i < value_count(branches); i++)
        if (str_eq(value_item(branches, i)->u.text, *ret))
            return 1;
    return 0;
}

/* A branch that was never fetched goes on from nothing. */
static int bundle_check_descent(struct bundle_op *b, const git_commit *commit, struct str name,
                                struct err *err)
{
    git_oid now;
    int goes_on;

    if (git_reference_name_to_id(&now, b->repo, git_mirror_ref(b->op->a, name)))
        return 0;
    if (git_op_descends(b->repo, git_commit_id(commit), &now, &goes_on, err))
        return err->code;
    return goes_on ? 0
                   : err_set(err, ERR_REFUSED,
                             "rewound: commit %.12s of branch '%.*s' in the bundle does not go on "
                             "from %.12s, which is the newest here",
                             git_oid_tostr_s(git_commit_id(commit)), STR_ARG(name),
                             git_mirror_hex(b->op->a, &now).p);
}

static int bundle_check_ref(struct bundle_op *b, const struct git_bundle_ref *ref, struct str name,
                            struct value *heads, struct err *err)
{
    struct arena *a = b->op->a;
    struct git_op read = { .a = a, .in = b->op->in, .out = value_map(a) };
    AUTO_COMMIT git_commit *commit = NULL;
    struct value *head = value_map(a);

    if (git_mirror_commit(b->repo, "reference", ref->id, &commit, err) ||
        bundle_check_descent(b, commit, name, err) ||
        git_op_read_commit(&read, b->repo, ref->id, err))
        return err->code;
    value_set_text(a, head, S("commit"), ref->id);
    value_set_text(a, head, S("tree"), git_mirror_hex(a, git_commit_tree_id(commit)));
    value_set(a, heads, name, head);
    return arena_status(a, err);
}

static int bundle_check_refs(struct bundle_op *b, struct value *heads, struct err *err)
{
    for (size_t i = 0; i < b->bundle.refs.n; i++) {
        const struct git_bundle_ref *ref = &b->bundle.refs.p[i];
        struct str name;

        if (bundle_tracks(b, ref->name, &name) && bundle_check_ref(b, ref, name, heads, err))
            return err->code;
    }
    return value_count(heads) ? 0
                              : err_set(err, ERR_REFUSED,
                                        "the bundle holds none of the branches that the source "
                                        "follows");
}

static int bundle_move(struct bundle_op *b, const struct value *heads, struct err *err)
{
    for (size_t i = 0; i < value_count(heads); i++) {
        const struct value_entry *head = &heads->u.map.entries[i];
        struct str id = value_get_text(head->value, S("commit"), S(""));
        git_reference *ref = NULL;
        git_oid oid;
        int rc = git_oid_fromstrn(&oid, id.p, id.n);

        if (!rc)
            rc = git_reference_create(&ref, b->repo, git_mirror_ref(b->op->a, head->key), &oid, 1,
                                      NULL);
        git_reference_free(ref);
        if (rc < 0)
            return git_mirror_fail(err, ERR_IO, "branch '%.*s'", STR_ARG(head->key));
    }
    return 0;
}

/* --- the whole ----------------------------------------------------------------------------------- */

static int bundle_lock(struct bundle_op *b, int *ret_fd, struct err *err)
{
    const char *path = str_fmt(b->op->a, "%s/" GIT_MIRROR_LOCK, b->mirror).p;
    int64_t give_up_ms = sys_mono_ms() + BUNDLE_LOCK_MS;
    int rc;

    while ((rc = sys_lock_file(path, S("git-worker"), ret_fd, err)) == ERR_LOCKED &&
           sys_mono_ms() < give_up_ms) {
        *err = ERR_INIT;
        (void)poll(NULL, 0, BUNDLE_LOCK_STEP_MS);
    }
    return rc;
}

static int bundle_run(struct bundle_op *b, struct err *err)
{
    int64_t max_bytes = value_get_int(b->op->in, S("max_bytes"), 0), bytes;
    struct value *heads = value_map(b->op->a);

    if (git_mirror_tidy(b->mirror, err) || git_mirror_size(b->mirror, &bytes, err))
        return err->code;
    b->left_bytes = max_bytes ? max_bytes - bytes : INT64_MAX;
    if ((max_bytes && git_mirror_limit_files(max_bytes, err)) || bundle_check_needs(b, err) ||
        bundle_take_pack(b, err) || bundle_check_refs(b, heads, err) || bundle_move(b, heads, err))
        return err->code;
    value_set(b->op->a, b->op->out, S("heads"), heads);
    value_set(b->op->a, b->op->out, S("gone"), value_list(b->op->a));
    return 0;
}

int git_op_bundle(struct git_op *op, struct err *err)
{
    struct bundle_op b = { .op = op };
    AUTO_CLOSE int lock = -1;
    const char *path = NULL;
    struct str text;
    int rc = git_op_path(op, "mirror", &b.mirror, err);

    if (!rc)
        rc = git_op_path(op, "bundle", &path, err);
    if (!rc)
        rc = sys_read_file(op->a, path, SOURCE_BUNDLE_MAX, &text, err);
    if (!rc)
        rc = git_bundle_parse(op->a, text, &b.bundle, err);
    if (!rc)
        rc = git_mirror_create(b.mirror, &b.repo, err);
    if (!rc)
        rc = bundle_lock(&b, &lock, err);
    if (!rc)
        rc = bundle_run(&b, err);
    git_repository_free(b.repo);
    return rc;
}
