/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_entry.h"
#include "reconciler/engine/git_hostile.h"
#include "reconciler/engine/git_op.h"
#include "reconciler/engine/git_text.h"

struct read_specs {
    struct git_op *op;
    git_repository *repo;
    const git_oid *root, *base; /* trees; base NULL: everything is told */
    struct value *files, *gone;
};

/* A directory of specs. */
struct read_dir {
    struct str path;
    const git_oid *id, *before; /* before: what stood there in the base, or NULL */
};

static int read_is_spec(struct str name)
{
    return str_ends(name, S(".yaml")) || str_ends(name, S(".yml"));
}

static struct str read_path(struct read_specs *r, struct str dir, const git_tree_entry *entry)
{
    struct str name = git_entry_name(entry);

    return str_eq(dir, S(".")) ? str_copy(r->op->a, name)
                               : str_fmt(r->op->a, "%.*s/%.*s", STR_ARG(dir), STR_ARG(name));
}

static int read_text(struct read_specs *r, struct str path, const git_oid *id, struct value *file,
                     struct err *err)
{
    struct str text;
    size_t fault;
    int rc = git_entry_read_blob(r->repo, id, path, GIT_OP_SPEC_MAX, r->op->a, &text, err);

    if (rc)
        return rc;
    fault = git_text_utf8_fault(text);
    if (fault != STR_NPOS)
        return err_set(err, ERR_INVALID, "'%.*s' is not UTF-8 text: byte %zu", STR_ARG(path),
                       fault);
    r->op->spec_bytes += text.n;
    if (r->op->spec_bytes > GIT_OP_SPECS_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "the specs have more than %zu bytes together",
                       GIT_OP_SPECS_BYTES_MAX);
    value_set_text(r->op->a, file, S("text"), text);
    return 0;
}

static int read_spec(struct read_specs *r, struct str path, const git_oid *id, struct err *err)
{
    struct value *file = value_map(r->op->a);

    if (git_text_utf8_fault(path) != STR_NPOS)
        return err_set(err, ERR_INVALID, "the name '%.*s' is not UTF-8",
                       STR_ARG(git_text_show(r->op->a, path)));
    if (value_count(r->files) >= SOURCE_FILES_MAX)
        return err_set(err, ERR_LIMIT, "there are more than %u specs", SOURCE_FILES_MAX);
    value_set_text(r->op->a, file, S("path"), path);
    value_set_text(r->op->a, file, S("id"), git_mirror_hex(r->op->a, id));
    value_add(r->op->a, r->files, file);
    return read_text(r, path, id, file, err);
}

static int read_tree(struct read_specs *r, const struct read_dir *dir, struct err *err);

static int read_gone_tree(struct read_specs *r, struct str path, const git_oid *id,
                          struct err *err);

/* A spec that the base had there, or everything below. */
static int read_gone(struct read_specs *r, struct str dir, const git_tree_entry *entry,
                     struct err *err)
{
    struct str path = read_path(r, dir, entry);

    if (git_entry_kind(entry) == GIT_ENTRY_TREE)
        return read_gone_tree(r, path, git_tree_entry_id(entry), err);
    if (read_is_spec(path))
        value_add(r->op->a, r->gone, value_text(r->op->a, path));
    return 0;
}

static int read_gone_tree(struct read_specs *r, struct str path, const git_oid *id, struct err *err)
{
    AUTO_TREE git_tree *tree = NULL;
    int rc = git_entry_open_tree(r->repo, id, path, &tree, err);

    for (size_t i = 0; !rc && i < git_tree_entrycount(tree); i++)
        rc = read_gone(r, path, git_tree_entry_byindex(tree, i), err);
    return rc;
}

/* `old`: what the base has under that name and of that kind, or NULL. */
static int read_entry(struct read_specs *r, struct str dir, const git_tree_entry *entry,
                      const git_tree_entry *old, struct err *err)
{
    enum git_entry_kind kind = git_entry_kind(entry);
    const git_oid *id = git_tree_entry_id(entry), *before = old ? git_tree_entry_id(old) : NULL;
    struct str path;

    if (old && git_oid_equal(id, before) && git_entry_kind(old) == kind)
        return 0;
    path = read_path(r, dir, entry);
    switch (kind) {
    case GIT_ENTRY_TREE:
        return read_tree(r, &(struct read_dir){ path, id, before }, err);
    case GIT_ENTRY_FILE:
    case GIT_ENTRY_PROGRAM:
        return read_is_spec(path) ? read_spec(r, path, id, err) : 0;
    case GIT_ENTRY_LINK:
    case GIT_ENTRY_SUBMODULE:
    case GIT_ENTRY_OTHER:
        break;
    }
    return err_set(err, ERR_INVALID, "'%.*s' is a %s: specs are plain files",
                   STR_ARG(git_text_show(r->op->a, path)),
                   kind == GIT_ENTRY_LINK ? "symbolic link" : "submodule");
}

/* Both trees are sorted alike. The new one was checked: bounded depth, no name twice; the base was read
 * before. */
static int read_tree(struct read_specs *r, const struct read_dir *dir, struct err *err)
{
    AUTO_TREE git_tree *tree = NULL, *before = NULL;
    size_t n_before, j = 0;
    int rc = git_entry_open_tree(r->repo, dir->id, dir->path, &tree, err);

    if (!rc && dir->before)
        rc = git_entry_open_tree(r->repo, dir->before, dir->path, &before, err);
    if (rc)
        return rc;
    n_before = before ? git_tree_entrycount(before) : 0;
    for (size_t i = 0; !rc && i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i), *old = NULL;
        int order = -1;

        while (!rc && j < n_before &&
               (order = git_entry_order(old = git_tree_entry_byindex(before, j), entry)) < 0) {
            rc = read_gone(r, dir->path, old, err);
            j++;
        }
        if (!rc)
            rc = read_entry(r, dir->path, entry, j < n_before && !order ? old : NULL, err);
        j += j < n_before && !order;
    }
    for (; !rc && j < n_before; j++)
        rc = read_gone(r, dir->path, git_tree_entry_byindex(before, j), err);
    return rc;
}

/* The directory of specs in the base: 1 when there is one. */
static int read_find_before(struct read_specs *r, struct str spec_path, git_oid *ret)
{
    struct git_entry before;
    struct err unused = ERR_INIT;

    if (!r->base || git_entry_find(r->repo, r->base, spec_path, &before, &unused) ||
        before.kind != GIT_ENTRY_TREE)
        return 0;
    *ret = before.id;
    return 1;
}

static int read_all_specs(struct read_specs *r, struct str spec_path, struct err *err)
{
    struct git_op *op = r->op;
    struct git_entry specs;
    git_oid before;
    int has_before = read_find_before(r, spec_path, &before);
    int rc = git_entry_find(r->repo, r->root, spec_path, &specs, err);

    r->files = value_list(op->a);
    r->gone = value_list(op->a);
    value_set(op->a, op->out, S("files"), r->files);
    value_set(op->a, op->out, S("gone"), r->gone);
    if (rc == ERR_NOT_FOUND) /* an answer: this commit asks for nothing */
        return has_before ? read_gone_tree(r, spec_path, &before, err) : 0;
    if (rc)
        return rc;
    if (specs.kind != GIT_ENTRY_TREE)
        return err_set(err, ERR_INVALID, "'%.*s' is a file: specs lie in a directory",
                       STR_ARG(spec_path));
    value_set_text(op->a, op->out, S("spec_tree"), git_mirror_hex(op->a, &specs.id));
    return read_tree(r, &(struct read_dir){ spec_path, &specs.id, has_before ? &before : NULL },
                     err);
}

/* `path` is `above` or lies below it. */
static int read_is_below(struct str path, struct str above)
{
    return str_eq(above, S(".")) || str_eq(path, above) ||
           (str_starts(path, above) && path.p[above.n] == '/');
}

/* The id of what stands at `path`, as if the specs were not there. Absent where nothing stands. */
static int read_wanted(struct read_specs *r, struct str path, struct str spec_path,
                       struct value *trees, struct err *err)
{
    int has_specs = !str_eq(spec_path, S(".")); /* else nothing would be left */
    struct git_entry entry;
    int rc = git_text_path_check(path, err);

    if (rc || (has_specs && read_is_below(path, spec_path)))
        return rc;
    rc = git_entry_find(r->repo, r->root, path, &entry, err);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (entry.kind == GIT_ENTRY_TREE && has_specs && read_is_below(spec_path, path)) {
        size_t skip = str_eq(path, S(".")) ? 0 : path.n + 1;

        rc = git_entry_id_without(r->repo, &entry.id, str_slice(spec_path, skip, spec_path.n),
                                  &entry.id, err);
    }
    if (!rc)
        value_set_text(r->op->a, trees, path, git_mirror_hex(r->op->a, &entry.id));
    return rc;
}

static int read_all_wanted(struct read_specs *r, struct str spec_path, struct err *err)
{
    const struct value *paths = value_get(r->op->in, S("paths"));
    struct value *trees = value_map(r->op->a);
    int rc = 0;

    for (size_t i = 0; !rc && i < value_count(paths); i++) {
        const struct value *path = value_item(paths, i);

        if (!value_is(path, VALUE_TEXT))
            return err_set(err, ERR_USAGE, "'paths' is not a list of paths");
        rc = read_wanted(r, path->u.text, spec_path, trees, err);
    }
    value_set(r->op->a, r->op->out, S("trees"), trees);
    return rc;
}

/* The code is what is left of a commit without its specs. Where it is the one that is known, so is every
 * path of it. */
static int read_code(struct read_specs *r, struct str spec_path, struct err *err)
{
    struct git_op *op = r->op;
    git_oid id = *r->root;
    struct str hex;

    if (!str_eq(spec_path, S(".")) && git_entry_id_without(r->repo, r->root, spec_path, &id, err))
        return err->code;
    hex = git_mirror_hex(op->a, &id);
    value_set_text(op->a, op->out, S("code"), hex);
    if (str_eq(hex, value_get_text(op->in, S("code"), S(""))))
        return 0;
    return read_all_wanted(r, spec_path, err);
}

static int read_base(struct read_specs *r, git_commit *commit, git_commit *base, struct err *err)
{
    struct git_op *op = r->op;
    int goes_on;
    int rc = git_op_descends(r->repo, git_commit_id(commit), git_commit_id(base), &goes_on, err);

    r->base = git_commit_tree_id(base);
    value_set(op->a, op->out, S("has_base"), value_bool(op->a, 1));
    if (!rc)
        value_set(op->a, op->out, S("goes_on"), value_bool(op->a, goes_on));
    return rc;
}

static int read_between(struct git_op *op, git_repository *repo, git_commit *commit,
                        git_commit *base, struct err *err)
{
    struct read_specs r = { .op = op, .repo = repo, .root = git_commit_tree_id(commit) };
    struct str spec_path;
    int rc = git_op_text(op, "spec_path", &spec_path, err);

    if (!rc)
        rc = git_text_path_check(spec_path, err);
    if (!rc && base)
        rc = read_base(&r, commit, base, err);
    if (!rc)
        rc = git_hostile_check(repo, r.root, r.base, err);
    if (!rc)
        rc = read_all_specs(&r, spec_path, err);
    if (!rc)
        rc = read_code(&r, spec_path, err);
    if (!rc)
        value_set(op->a, op->out, S("commit"), git_op_commit(op->a, commit));
    return rc;
}

int git_op_read_commit(struct git_op *op, git_repository *repo, struct str id, struct err *err)
{
    struct str base_id = value_get_text(op->in, S("base"), STR_NONE);
    AUTO_COMMIT git_commit *commit = NULL, *base = NULL;
    int rc = git_mirror_commit(repo, "commit", id, &commit, err);

    if (!rc && base_id.n)
        rc = git_mirror_commit(repo, "base", base_id, &base, err);
    if (rc == ERR_NOT_FOUND && commit)
        rc = 0; /* a mirror made anew: everything is read */
    return rc ? rc : read_between(op, repo, commit, base, err);
}

int git_op_read(struct git_op *op, struct err *err)
{
    AUTO_REPO git_repository *repo = NULL;
    struct str id = STR_NONE;
    int rc = git_op_text(op, "commit", &id, err);

    if (!rc)
        rc = git_op_open(op, &repo, err);
    if (!rc)
        rc = git_op_read_commit(op, repo, id, err);
    return rc ? err_wrap(err, "commit %.*s", STR_ARG(str_slice(id, 0, 12))) : 0;
}
