/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/hash.h"

#define TREE_DEPTH_MAX 128
#define TREE_FILES_MAX 200000u
#define TREE_BYTES_MAX (4LL << 30) /* of what is kept: it is read to its end in one call */
#define TREE_BLOCK 65536

enum tree_kind { TREE_FILE, TREE_DIR, TREE_LINK };

struct tree_entry {
    struct str path; /* below the root, "" for the root itself */
    enum tree_kind kind;
    mode_t mode;
    int64_t size;
};

struct tree_list {
    VEC(struct tree_entry) list;
};

static const char *tree_join(struct arena *a, const char *root, struct str path)
{
    return path.n ? str_fmt(a, "%s/%.*s", root, STR_ARG(path)).p : root;
}

static int tree_visit(struct process_call *c, const char *root, struct str path, int depth,
                      struct tree_list *ret, struct err *err);

static int tree_visit_dir(struct process_call *c, const char *root, struct str path, int depth,
                          struct tree_list *ret, struct err *err)
{
    DIR *dir = opendir(tree_join(&c->arena, root, path));
    struct dirent *entry;
    int rc = dir ? 0 : err_sys(err, "list '%s/%.*s'", root, STR_ARG(path));

    while (!rc && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            rc = tree_visit(c, root,
                            path.n ? str_fmt(&c->arena, "%.*s/%s", STR_ARG(path), entry->d_name)
                                   : str_copy(&c->arena, str_from_c(entry->d_name)),
                            depth + 1, ret, err);
    if (dir)
        (void)closedir(dir); /* only read */
    return rc;
}

/* A build may have left what its owner may not read, and it is ours by now. */
static int tree_make_readable(const char *path, const struct stat *st, struct err *err)
{
    mode_t needed = S_ISDIR(st->st_mode) ? 0500 : S_ISREG(st->st_mode) ? 0400 : 0;

    return (st->st_mode & needed) != needed && chmod(path, (st->st_mode & 0777) | needed)
               ? err_sys(err, "open '%s'", path)
               : 0;
}

/* Parents before children. */
static int tree_visit(struct process_call *c, const char *root, struct str path, int depth,
                      struct tree_list *ret, struct err *err)
{
    const char *full = tree_join(&c->arena, root, path);
    struct tree_entry *e = vec_push(&c->arena, &ret->list);
    struct stat st;

    if (!full || !e)
        return arena_status(&c->arena, err);
    if (strlen(full) >= PATH_MAX || depth > TREE_DEPTH_MAX || ret->list.n > TREE_FILES_MAX)
        return err_set(err, ERR_LIMIT, "'%s' is too deep or holds too many files", root);
    if (lstat(full, &st))
        return err_sys(err, "read '%s'", full);
    if (tree_make_readable(full, &st, err))
        return err->code;
    if (!(ret->list.n % 256) && c->h->cancelled(c->h->ctx))
        return err_set(err, ERR_CANCELLED, "cancelled");
    *e = (struct tree_entry){ .path = path, .mode = st.st_mode & 0777, .size = st.st_size };
    if (S_ISLNK(st.st_mode))
        e->kind = TREE_LINK;
    else if (S_ISREG(st.st_mode))
        e->kind = TREE_FILE;
    else if (S_ISDIR(st.st_mode))
        e->kind = TREE_DIR;
    else
        ret->list.n--; /* sockets and pipes that a build left: nothing to keep */
    return S_ISDIR(st.st_mode) ? tree_visit_dir(c, root, path, depth, ret, err) : 0;
}

static int tree_read_link(struct process_call *c, const char *path, struct str *ret,
                          struct err *err)
{
    char target[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof(target));

    if (n < 0)
        return err_sys(err, "read link '%s'", path);
    *ret = str_copy(&c->arena, (struct str){ target, (size_t)n });
    return arena_status(&c->arena, err);
}

/* --- copy --- */

static int tree_copy_file(const char *from, const char *to, mode_t mode, struct err *err)
{
    AUTO_CLOSE int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    AUTO_CLOSE int out = in < 0 ? -1
                                : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode | 0600);
    char block[TREE_BLOCK];
    ssize_t n = 1;

    if (in < 0 || out < 0)
        return err_sys(err, "copy '%s'", from);
    while ((n = read(in, block, sizeof(block))) > 0)
        for (ssize_t at = 0, done; at < n; at += done)
            if ((done = write(out, block + at, (size_t)(n - at))) < 0)
                return err_sys(err, "write '%s'", to);
    return n < 0 ? err_sys(err, "read '%s'", from) : 0;
}

static int tree_copy_one(struct process_call *c, const struct tree_entry *e, const char *from,
                         const char *to, struct err *err)
{
    struct str target;

    switch (e->kind) {
    case TREE_DIR:
        return mkdir(to, 0755) && errno != EEXIST ? err_sys(err, "create '%s'", to) : 0;
    case TREE_LINK:
        if (tree_read_link(c, from, &target, err))
            return err->code;
        return symlink(target.p, to) ? err_sys(err, "create '%s'", to) : 0;
    case TREE_FILE:
        return tree_copy_file(from, to, e->mode & 0100 ? 0755 : 0644, err);
    }
    UNREACHABLE();
}

int process_tree_copy(struct process_call *c, const char *from, const char *to, struct err *err)
{
    struct tree_list tree = { 0 };

    if (tree_visit(c, from, S(""), 0, &tree, err))
        return err->code;
    for (size_t i = 0; i < tree.list.n; i++) {
        const struct tree_entry *e = &tree.list.p[i];
        const char *source = tree_join(&c->arena, from, e->path);
        const char *copy = tree_join(&c->arena, to, e->path);

        if (arena_status(&c->arena, err) || tree_copy_one(c, e, source, copy, err))
            return err->code;
        if (!(i % 64) && c->h->cancelled(c->h->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
    }
    return 0;
}

/* --- link --- */

static int tree_open_beneath(struct arena *a, int root, struct str path)
{
    const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                  .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };

    return (int)syscall(SYS_openat2, root, path.n ? str_to_c(a, path) : ".", &how, sizeof(how));
}

/* Something else is there, or nothing. */
static int tree_is_apart(void)
{
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EXDEV ||
           errno == EEXIST;
}

static const char *tree_packed(struct arena *a, const char *path)
{
    size_t n = strlen(path);

    return n > 3 && !strcmp(path + n - 3, ".gz") ? str_to_c(a, (struct str){ path, n - 3 })
                                                 : str_fmt(a, "%s.gz", path).p;
}

/* FILE.gz is FILE for whoever takes it packed: beside one of another version it would be taken for that. */
static int tree_would_mix(struct arena *a, int parent, const char *name, const char *from)
{
    const char *beside = tree_packed(a, name), *own = tree_packed(a, from);
    struct stat there, ours;

    if (!beside || !own || fstatat(parent, beside, &there, AT_SYMLINK_NOFOLLOW) ||
        !S_ISREG(there.st_mode))
        return 0;
    return lstat(own, &ours) || there.st_dev != ours.st_dev || there.st_ino != ours.st_ino;
}

static int tree_link_at(struct process_call *c, int parent, const char *name,
                        const struct tree_entry *e, const char *from, struct err *err)
{
    struct str target;

    switch (e->kind) {
    case TREE_DIR:
        return mkdirat(parent, name, 0755) || fchmodat(parent, name, 0755, 0) ? -1 : 0;
    case TREE_LINK:
        return tree_read_link(c, from, &target, err) || symlinkat(target.p, parent, name) ? -1 : 0;
    case TREE_FILE:
        return tree_would_mix(&c->arena, parent, name, from)
                   ? 0
                   : linkat(AT_FDCWD, from, parent, name, 0);
    }
    UNREACHABLE();
}

/* `path` is below the root. */
static int tree_link_one(struct process_call *c, int root, struct str path,
                         const struct tree_entry *e, const char *from, struct err *err)
{
    size_t slash = path.n;
    AUTO_CLOSE int parent = -1;
    const char *name;

    while (slash && path.p[slash - 1] != '/')
        slash--;
    name = str_to_c(&c->arena, str_slice(path, slash, path.n));
    parent = tree_open_beneath(&c->arena, root, str_slice(path, 0, slash ? slash - 1 : 0));
    if (arena_status(&c->arena, err))
        return err->code;
    if ((parent < 0 || tree_link_at(c, parent, name, e, from, err)) && !tree_is_apart())
        return err->code ? err->code : err_sys(err, "link '%.*s'", STR_ARG(path));
    return 0;
}

static int tree_link_all(struct process_call *c, const char *from, int root, struct str at,
                         struct err *err)
{
    const struct tree_entry dir = { .kind = TREE_DIR };
    struct tree_list tree = { 0 };

    if (tree_visit(c, from, S(""), 0, &tree, err))
        return err->code;
    for (size_t i = 0; i <= at.n; i++)
        if (at.n && (i == at.n || at.p[i] == '/') &&
            tree_link_one(c, root, str_slice(at, 0, i), &dir, from, err))
            return err->code;
    for (size_t i = 1; i < tree.list.n; i++) { /* behind the root */
        const struct tree_entry *e = &tree.list.p[i];
        struct str path = at.n ? str_fmt(&c->arena, "%.*s/%.*s", STR_ARG(at), STR_ARG(e->path))
                               : e->path;

        if (tree_link_one(c, root, path, e, tree_join(&c->arena, from, e->path), err))
            return err->code;
        if (!(i % 64) && c->h->cancelled(c->h->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
    }
    return 0;
}

int process_tree_link(struct process_call *c, const char *from, struct str of, const char *to,
                      struct str at, struct err *err)
{
    AUTO_CLOSE int source = open(from, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    AUTO_CLOSE int root = open(to, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    AUTO_CLOSE int below = source < 0 ? -1 : tree_open_beneath(&c->arena, source, of);
    struct process_call listed = *c; /* what it lists is as large as the tree, and goes with it */

    if (below < 0)
        return tree_is_apart() ? 0 : err_sys(err, "open '%s'", from);
    if (root < 0)
        return err_sys(err, "open '%s'", to);
    arena_init(&listed.arena, 0);
    (void)tree_link_all(&listed, str_fmt(&listed.arena, "/proc/self/fd/%d/.", below).p, root, at,
                        err);
    arena_fini(&listed.arena);
    return err->code;
}

/* --- read --- */

/* What is kept, or why not: of a file with holes much more is read than it has. */
static int tree_list_files(struct process_call *c, const char *root, struct tree_list *ret,
                           int64_t *ret_bytes, struct err *err)
{
    int64_t bytes = 0;

    if (tree_visit(c, root, S(""), 0, ret, err))
        return err->code;
    for (size_t i = 0; i < ret->list.n && bytes <= TREE_BYTES_MAX; i++)
        bytes += ret->list.p[i].kind == TREE_FILE ? ret->list.p[i].size : 0;
    if (bytes > TREE_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "the artifact has more than %lld bytes",
                       (long long)TREE_BYTES_MAX);
    *ret_bytes = bytes;
    return 0;
}

/* --- find --- */

static size_t tree_find_in(struct str text, const struct str *texts, size_t n)
{
    size_t i = 0;

    while (i < n && !memmem(text.p, text.n, texts[i].p, texts[i].n))
        i++;
    return i;
}

/* Block by block, each behind the end of the one before. *ret: which, or n. */
static int tree_find_in_file(struct process_call *c, const char *path, const struct str *texts,
                             size_t n, struct str block, size_t *ret, struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t kept = block.n - TREE_BLOCK, have = 0;
    char *p = (char *)(uintptr_t)block.p;
    ssize_t got = 1;

    *ret = n;
    while (fd >= 0 && *ret == n && (got = read(fd, p + have, TREE_BLOCK)) > 0) {
        have += (size_t)got;
        *ret = tree_find_in((struct str){ p, have }, texts, n);
        if (have > kept) {
            memmove(p, p + have - kept, kept);
            have = kept;
        }
        if (c->h->cancelled(c->h->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
    }
    return fd < 0 || got < 0 ? err_sys(err, "read '%s'", path) : 0;
}

static int tree_find_one(struct process_call *c, const struct tree_entry *e, const char *path,
                         const struct str *texts, size_t n, struct str block, size_t *ret,
                         struct err *err)
{
    struct str target;

    *ret = tree_find_in(e->path, texts, n);
    if (*ret < n || e->kind == TREE_DIR)
        return 0;
    if (e->kind == TREE_FILE)
        return tree_find_in_file(c, path, texts, n, block, ret, err);
    if (tree_read_link(c, path, &target, err))
        return err->code;
    *ret = tree_find_in(target, texts, n);
    return 0;
}

int process_tree_find(struct process_call *c, const char *root, const struct str *texts, size_t n,
                      struct process_tree_found *ret, struct err *err)
{
    struct tree_list tree = { 0 };
    struct str block = { .n = TREE_BLOCK };
    int64_t bytes;

    *ret = (struct process_tree_found){ .path = STR_NONE };
    for (size_t i = 0; i < n; i++)
        if (texts[i].n + TREE_BLOCK > block.n)
            block.n = texts[i].n + TREE_BLOCK;
    block.p = arena_alloc(&c->arena, block.n);
    if (!block.p || tree_list_files(c, root, &tree, &bytes, err))
        return block.p ? err->code : arena_status(&c->arena, err);
    for (size_t i = 0; n && i < tree.list.n; i++) {
        const char *path = tree_join(&c->arena, root, tree.list.p[i].path);

        if (arena_status(&c->arena, err) ||
            tree_find_one(c, &tree.list.p[i], path, texts, n, block, &ret->text, err))
            return err->code;
        if (ret->text < n) {
            ret->path = tree.list.p[i].path;
            return 0;
        }
        if (!(i % 64) && c->h->cancelled(c->h->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
    }
    return 0;
}

/* --- seal --- */

static int tree_by_path(const void *a, const void *b)
{
    const struct tree_entry *x = a, *y = b;

    return str_cmp(x->path, y->path);
}

static int tree_hash_file(struct arena *a, const char *path, struct str *ret, struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char block[TREE_BLOCK];
    struct digest d;
    struct hash h;
    ssize_t n;

    if (fd < 0)
        return err_sys(err, "read '%s'", path);
    hash_init(&h);
    while ((n = read(fd, block, sizeof(block))) > 0)
        hash_add(&h, block, (size_t)n);
    d = hash_end(&h);
    if (n < 0)
        return err_sys(err, "read '%s'", path);
    *ret = digest_hex(a, &d);
    return 0;
}

static int tree_seal_one(struct process_call *c, const struct tree_entry *e, const char *path,
                         struct sb *manifest, struct err *err)
{
    struct str text;

    switch (e->kind) {
    case TREE_LINK:
        if (tree_read_link(c, path, &text, err))
            return err->code;
        sb_addf(manifest, "link %.*s -> %.*s\n", STR_ARG(e->path), STR_ARG(text));
        return 0;
    case TREE_DIR:
        sb_addf(manifest, "dir %.*s\n", STR_ARG(e->path));
        break;
    case TREE_FILE:
        if (tree_hash_file(&c->arena, path, &text, err))
            return err->code;
        sb_addf(manifest, "file %.*s %c %lld %.*s\n", STR_ARG(text), e->mode & 0100 ? 'x' : '-',
                (long long)e->size, STR_ARG(e->path));
        break;
    }
    /* Whoever gets to see the tree may read it: its directory alone is private. */
    return chmod(path, e->kind == TREE_DIR || e->mode & 0100 ? 0555 : 0444)
               ? err_sys(err, "seal '%s'", path)
               : 0;
}

int process_tree_seal(struct process_call *c, const char *root, struct process_tree_sum *ret,
                      struct err *err)
{
    struct tree_list tree = { 0 };
    struct sb manifest;
    int64_t bytes;

    if (tree_list_files(c, root, &tree, &bytes, err))
        return err->code;
    qsort(tree.list.p, tree.list.n, sizeof(tree.list.p[0]), tree_by_path);
    sb_init(&manifest, &c->arena);
    for (size_t i = 0; i < tree.list.n; i++) {
        const struct tree_entry *e = &tree.list.p[i];
        const char *path = tree_join(&c->arena, root, e->path);

        if (arena_status(&c->arena, err) || tree_seal_one(c, e, path, &manifest, err))
            return err->code;
        if (!(i % 64) && c->h->cancelled(c->h->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
    }
    *ret = (struct process_tree_sum){ sb_str(&manifest), bytes };
    return arena_status(&c->arena, err);
}
