/* SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/engine/git_entry.h"
#include "reconciler/engine/git_hostile.h"
#include "reconciler/engine/git_op.h"
#include "reconciler/engine/git_text.h"

struct read_specs {
    struct git_op *op;
    git_repository *repo;
    const git_oid *root, *base; /* trees; base NULL: every text is sent */
    struct value *files;
    size_t n_bytes;
};

/* A directory of specs, and what stood there in the base: the same, another, or nothing. */
struct read_dir {
    struct str path;
    git_oid id, before;
    int has_before;
};

static int read_is_spec(struct str name)
{
    return str_ends(name, S(".yaml")) || str_ends(name, S(".yml"));
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
    r->n_bytes += text.n;
    if (r->n_bytes > GIT_OP_SPECS_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "the specs have more than %zu bytes together",
                       GIT_OP_SPECS_BYTES_MAX);
    value_set_text(r->op->a, file, S("text"), text);
    return 0;
}

/* The text of a file that the base has at this path need not travel again. */
static int read_spec(struct read_specs *r, struct str path, const git_oid *id,
                     const git_oid *before, struct err *err)
{
    struct value *file = value_map(r->op->a);
    int rc = 0;

    if (git_text_utf8_fault(path) != STR_NPOS)
        return err_set(err, ERR_INVALID, "the name '%.*s' is not UTF-8",
                       STR_ARG(git_text_show(r->op->a, path)));
    if (value_count(r->files) >= GIT_OP_SPECS_MAX)
        return err_set(err, ERR_LIMIT, "there are more than %u specs", GIT_OP_SPECS_MAX);
    value_set_text(r->op->a, file, S("path"), path);
    value_set_text(r->op->a, file, S("id"), git_mirror_hex(r->op->a, id));
    if (!before || !git_oid_equal(id, before))
        rc = read_text(r, path, id, file, err);
    value_add(r->op->a, r->files, file);
    return rc;
}

static int read_tree(struct read_specs *r, const struct read_dir *dir, struct err *err);

static int read_entry(struct read_specs *r, const struct read_dir *dir, const git_tree *before,
                      const git_tree_entry *entry, struct err *err)
{
    struct str name = git_entry_name(entry), shown;
    const git_tree_entry *old = before ? git_tree_entry_byname(before, name.p) : NULL;
    struct read_dir inner = { .id = *git_tree_entry_id(entry), .has_before = old != NULL };

    inner.path = str_eq(dir->path, S("."))
                     ? str_copy(r->op->a, name)
                     : str_fmt(r->op->a, "%.*s/%.*s", STR_ARG(dir->path), STR_ARG(name));
    if (old)
        inner.before = *git_tree_entry_id(old);
    switch (git_entry_kind(entry)) {
    case GIT_ENTRY_TREE:
        inner.has_before = old && git_entry_kind(old) == GIT_ENTRY_TREE;
        return read_tree(r, &inner, err);
    case GIT_ENTRY_FILE:
    case GIT_ENTRY_PROGRAM:
        return read_is_spec(name)
                   ? read_spec(r, inner.path, &inner.id, old ? &inner.before : NULL, err)
                   : 0;
    case GIT_ENTRY_LINK:
    case GIT_ENTRY_SUBMODULE:
    case GIT_ENTRY_OTHER:
        break;
    }
    shown = git_text_show(r->op->a, inner.path);
    return err_set(err, ERR_INVALID, "'%.*s' is a %s: specs are plain files", STR_ARG(shown),
                   git_entry_kind(entry) == GIT_ENTRY_LINK ? "symbolic link" : "submodule");
}

/* The trees were checked: bounded depth, no name twice. */
static int read_tree(struct read_specs *r, const struct read_dir *dir, struct err *err)
{
    AUTO_TREE git_tree *tree = NULL, *before = NULL;
    int rc = git_entry_open_tree(r->repo, &dir->id, dir->path, &tree, err);

    if (!rc && dir->has_before)
        rc = git_entry_open_tree(r->repo, &dir->before, dir->path, &before, err);
    for (size_t i = 0; !rc && i < git_tree_entrycount(tree); i++)
        rc = read_entry(r, dir, before, git_tree_entry_byindex(tree, i), err);
    return rc;
}

static int read_all_specs(struct read_specs *r, struct str spec_path, struct err *err)
{
    struct read_dir top = { .path = spec_path };
    struct git_op *op = r->op;
    struct git_entry specs, before;
    struct err unused = ERR_INIT;
    int rc = git_entry_find(r->repo, r->root, spec_path, &specs, err);

    r->files = value_list(op->a);
    value_set(op->a, op->out, S("files"), r->files);
    if (rc == ERR_NOT_FOUND)
        return 0; /* an answer: this commit asks for nothing */
    if (rc)
        return rc;
    if (specs.kind != GIT_ENTRY_TREE)
        return err_set(err, ERR_INVALID, "'%.*s' is a file: specs lie in a directory",
                       STR_ARG(spec_path));
    value_set_text(op->a, op->out, S("spec_tree"), git_mirror_hex(op->a, &specs.id));
    top.id = specs.id;
    if (r->base && !git_entry_find(r->repo, r->base, spec_path, &before, &unused) &&
        before.kind == GIT_ENTRY_TREE) {
        top.has_before = 1;
        top.before = before.id;
    }
    return read_tree(r, &top, err);
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

static int read_commit(struct git_op *op, git_repository *repo, git_commit *commit,
                       git_commit *base, struct err *err)
{
    struct read_specs r = { .op = op, .repo = repo, .root = git_commit_tree_id(commit) };
    struct str spec_path;
    int rc = git_op_text(op, "spec_path", &spec_path, err);

    if (!rc)
        rc = git_text_path_check(spec_path, err);
    if (base)
        r.base = git_commit_tree_id(base);
    if (!rc)
        rc = git_hostile_check(repo, r.root, r.base, err);
    if (!rc)
        rc = read_all_specs(&r, spec_path, err);
    if (!rc)
        rc = read_all_wanted(&r, spec_path, err);
    if (!rc)
        value_set(op->a, op->out, S("commit"), git_op_commit(op->a, commit));
    return rc;
}

int git_op_read(struct git_op *op, struct err *err)
{
    struct str id = STR_NONE, base_id = value_get_text(op->in, S("base"), STR_NONE);
    AUTO_REPO git_repository *repo = NULL;
    AUTO_COMMIT git_commit *commit = NULL, *base = NULL;
    int rc = git_op_text(op, "commit", &id, err);

    if (!rc)
        rc = git_op_open(op, &repo, err);
    if (!rc)
        rc = git_mirror_commit(repo, "commit", id, &commit, err);
    if (!rc && base_id.n)
        rc = git_mirror_commit(repo, "base", base_id, &base, err);
    if (rc == ERR_NOT_FOUND && commit)
        rc = 0; /* a mirror made anew: everything is read */
    if (!rc)
        rc = read_commit(op, repo, commit, base, err);
    return rc ? err_wrap(err, "commit %.*s", STR_ARG(str_slice(id, 0, 12))) : 0;
}
