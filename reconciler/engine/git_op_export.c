/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/git_entry.h"
#include "reconciler/engine/git_hostile.h"
#include "reconciler/engine/git_op.h"
#include "reconciler/engine/git_text.h"

#define EXPORT_BYTES_MAX ((int64_t)1 << 30)
#define EXPORT_FILES_MAX 200000

struct export
{
    struct git_op *op;
    git_repository *repo;
    struct str without; /* from the root of the export: the specs; STR_NONE: they lie elsewhere */
    int64_t limit_bytes, limit_files;
    int64_t bytes, files; /* files: directories and links count too */
};

/* A directory being written. */
struct export_dir {
    int fd;
    unsigned depth;
    struct str path; /* "." or from the root of the export */
};

static int export_count(struct export *x, struct str path, struct err *err)
{
    if (++x->files > x->limit_files)
        return err_set(err, ERR_LIMIT, "'%.*s' is one entry more than the limit of %lld",
                       STR_ARG(git_text_show(x->op->a, path)), (long long)x->limit_files);
    return 0;
}

static int export_write(int fd, struct str bytes, struct err *err)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);

        if (n < 0 && errno != EINTR)
            return err_sys(err, "write");
        if (n > 0)
            bytes = str_slice(bytes, (size_t)n, bytes.n);
    }
    return 0;
}

static int export_file(struct export *x, const struct export_dir *dir, const char *name,
                       struct str path, const git_tree_entry *entry, struct err *err)
{
    mode_t mode = git_entry_kind(entry) == GIT_ENTRY_PROGRAM ? 0755 : 0644;
    AUTO_ARENA struct arena scratch;
    AUTO_CLOSE int fd = -1;
    struct str bytes;
    int rc;

    arena_init(&scratch, 0);
    rc = git_entry_read_blob(x->repo, git_tree_entry_id(entry), git_text_show(x->op->a, path),
                             (size_t)(x->limit_bytes - x->bytes), &scratch, &bytes, err);
    if (rc)
        return rc == ERR_LIMIT
                   ? err_wrap(err, "the export is over its %lld bytes", (long long)x->limit_bytes)
                   : rc;
    x->bytes += (int64_t)bytes.n;
    fd = openat(dir->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0 || fchmod(fd, mode))
        return err_sys(err, "make '%.*s'", STR_ARG(git_text_show(x->op->a, path)));
    return export_write(fd, bytes, err);
}

/* Relative, ".." only in front and not above the root: then every link that it meets further on
 * starts inside as well, and no chain of links leads out. */
static int export_link_stays_inside(struct str target, unsigned depth)
{
    struct str rest = target, part;
    int descending = 0;

    if (!target.n || target.p[0] == '/' || memchr(target.p, '\0', target.n))
        return 0;
    while (str_next(&rest, '/', &part)) {
        if (!str_eq(part, S(".."))) {
            descending = descending || (part.n && !str_eq(part, S(".")));
            continue;
        }
        if (descending || depth == 0)
            return 0;
        depth--;
    }
    return 1;
}

static int export_link(struct export *x, const struct export_dir *dir, const char *name,
                       struct str path, const git_tree_entry *entry, struct err *err)
{
    struct str target, shown = git_text_show(x->op->a, path);
    int rc = git_entry_read_blob(x->repo, git_tree_entry_id(entry), shown, GIT_TEXT_PATH_MAX,
                                 x->op->a, &target, err);

    if (rc)
        return rc;
    if (!export_link_stays_inside(target, dir->depth))
        return err_set(err, ERR_INVALID, "the symbolic link '%.*s' may lead out of the export",
                       STR_ARG(shown));
    if (symlinkat(str_to_c(x->op->a, target), dir->fd, name))
        return err_sys(err, "make '%.*s'", STR_ARG(shown));
    return 0;
}

static int export_tree(struct export *x, const struct export_dir *dir, const git_oid *id,
                       struct err *err);

static int export_dir(struct export *x, const struct export_dir *dir, const char *name,
                      struct str path, const git_tree_entry *entry, struct err *err)
{
    struct export_dir inner = { .depth = dir->depth + 1, .path = path };
    AUTO_CLOSE int fd = -1;

    if (mkdirat(dir->fd, name, 0755) && errno != EEXIST)
        return err_sys(err, "make '%.*s'", STR_ARG(git_text_show(x->op->a, path)));
    fd = openat(dir->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, 0755))
        return err_sys(err, "open '%.*s'", STR_ARG(git_text_show(x->op->a, path)));
    inner.fd = fd;
    return export_tree(x, &inner, git_tree_entry_id(entry), err);
}

static int export_entry(struct export *x, const struct export_dir *dir, const git_tree_entry *entry,
                        struct err *err)
{
    struct str name = git_entry_name(entry);
    struct str path = str_eq(dir->path, S("."))
                          ? str_copy(x->op->a, name)
                          : str_fmt(x->op->a, "%.*s/%.*s", STR_ARG(dir->path), STR_ARG(name));
    int rc = export_count(x, path, err);

    if (rc || str_eq(path, x->without))
        return rc;
    switch (git_entry_kind(entry)) {
    case GIT_ENTRY_TREE:
        return export_dir(x, dir, name.p, path, entry, err);
    case GIT_ENTRY_FILE:
    case GIT_ENTRY_PROGRAM:
        return export_file(x, dir, name.p, path, entry, err);
    case GIT_ENTRY_LINK:
        return export_link(x, dir, name.p, path, entry, err);
    case GIT_ENTRY_SUBMODULE:
    case GIT_ENTRY_OTHER:
        break;
    }
    return err_set(err, ERR_INVALID, "'%.*s' is a submodule: its files are in no commit",
                   STR_ARG(git_text_show(x->op->a, path)));
}

static int export_tree(struct export *x, const struct export_dir *dir, const git_oid *id,
                       struct err *err)
{
    AUTO_TREE git_tree *tree = NULL;
    int rc = git_entry_open_tree(x->repo, id, dir->path, &tree, err);

    for (size_t i = 0; !rc && i < git_tree_entrycount(tree); i++)
        rc = export_entry(x, dir, git_tree_entry_byindex(tree, i), err);
    return rc;
}

/* Beside its place, then whole or not at all. */
static int export_into(struct export *x, const char *dest, const git_oid *tree, struct err *err)
{
    const char *temporary = str_fmt(x->op->a, "%s.tmp", dest).p;
    struct export_dir top = { .path = S(".") };
    AUTO_CLOSE int fd = -1;
    int rc = sys_remove_all(temporary, err);

    if (!rc)
        rc = sys_mkdir_all(temporary, 0755, err);
    if (rc)
        return rc;
    fd = open(temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "open '%s'", temporary);
    top.fd = fd;
    rc = export_tree(x, &top, tree, err);
    if (!rc && syncfs(fd)) /* one call for all files of it */
        rc = err_sys(err, "sync '%s'", temporary);
    if (!rc && rename(temporary, dest))
        rc = err_sys(err, "rename '%s'", temporary);
    if (!rc)
        return sys_fsync_dir(str_fmt(x->op->a, "%.*s/", (int)(strrchr(dest, '/') - dest), dest).p,
                             err);
    (void)sys_remove_all(temporary,
                         &(struct err){ 0 }); /* the first error is the one that counts */
    return rc;
}

/* Where the specs lie below `path`, or STR_NONE. */
static struct str export_without(struct str path, struct str spec_path)
{
    if (str_eq(spec_path, S(".")))
        return STR_NONE;
    if (str_eq(path, S(".")))
        return spec_path;
    if (str_starts(spec_path, path) && spec_path.n > path.n && spec_path.p[path.n] == '/')
        return str_slice(spec_path, path.n + 1, spec_path.n);
    return STR_NONE;
}

static int export_find(struct export *x, git_oid *ret_tree, struct err *err)
{
    AUTO_COMMIT git_commit *commit = NULL;
    struct git_entry entry;
    struct str id, path, spec_path;
    int rc = git_op_text(x->op, "commit", &id, err);

    if (!rc)
        rc = git_op_text(x->op, "path", &path, err);
    if (!rc)
        rc = git_op_text(x->op, "spec_path", &spec_path, err);
    if (!rc)
        rc = git_text_path_check(path, err);
    if (!rc)
        rc = git_text_path_check(spec_path, err);
    if (!rc)
        rc = git_mirror_commit(x->repo, "commit", id, &commit, err);
    if (!rc)
        rc = git_hostile_check(x->repo, git_commit_tree_id(commit), NULL, err);
    if (!rc)
        rc = git_entry_find(x->repo, git_commit_tree_id(commit), path, &entry, err);
    if (rc)
        return rc;
    if (entry.kind != GIT_ENTRY_TREE)
        return err_set(err, ERR_INVALID, "'%.*s' is a file: an export is a directory",
                       STR_ARG(path));
    x->without = export_without(path, spec_path);
    *ret_tree = entry.id;
    return 0;
}

/* One at a time: two services may be made of the same tree, and ask together. */
static int export_lock(struct arena *a, const char *dest, int *ret_fd, struct err *err)
{
    const char *dir = str_fmt(a, "%.*s", (int)(strrchr(dest, '/') - dest), dest).p;
    AUTO_CLOSE int fd = -1;

    if (!dir || sys_mkdir_all(dir, 0700, err))
        return dir ? err->code : arena_status(a, err);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX))
        return err_sys(err, "lock '%s'", dir);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int git_op_export(struct git_op *op, struct err *err)
{
    AUTO_CLOSE int lock = -1;
    AUTO_REPO git_repository *repo = NULL;
    struct export x = { .op = op,
                        .limit_bytes = value_get_int(op->in, S("limit_bytes"), EXPORT_BYTES_MAX),
                        .limit_files = value_get_int(op->in, S("limit_files"), EXPORT_FILES_MAX) };
    const char *dest;
    git_oid tree;
    int rc = git_op_path(op, "dest", &dest, err);

    if (!rc)
        rc = export_lock(op->a, dest, &lock, err);
    if (!rc && sys_exists(dest))
        rc = err_set(err, ERR_CONFLICT, "'%s' exists", dest);
    if (!rc)
        rc = git_op_open(op, &repo, err);
    x.repo = repo;
    if (!rc)
        rc = export_find(&x, &tree, err);
    if (!rc)
        rc = export_into(&x, dest, &tree, err);
    value_set_int(op->a, op->out, S("bytes"), x.bytes);
    value_set_int(op->a, op->out, S("files"), x.files);
    return rc;
}
