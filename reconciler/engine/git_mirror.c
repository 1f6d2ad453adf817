/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_mirror.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/guard.h"
#include "base/hash.h"
#include "base/sys.h"

#define GIT_MIRROR_CACHE_BYTES ((ssize_t)32 << 20)
#define GIT_MIRROR_CACHE_TREE_BYTES ((size_t)4 << 20) /* of one tree: it is read several times */
#define GIT_MIRROR_MAPPED_BYTES ((size_t)256 << 20)
#define GIT_MIRROR_PACKS "objects/pack"
#define GIT_MIRROR_LOCK_END ".lock"
#define GIT_MIRROR_LEFTOVER "pack_git2_" /* how libgit2 names a pack that is still coming in */

int git_mirror_fail(struct err *err, int code, const char *fmt, ...)
{
    const git_error *last = git_error_last();
    const char *text = last && last->message ? last->message : "no reason given";
    char printable[256], what[512];
    size_t n = 0;
    va_list ap;

    for (; text[n] && n + 1 < sizeof(printable); n++)
        printable[n] = text[n] >= 0x20 && text[n] < 0x7f ? text[n] : '?';
    printable[n] = '\0';
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap); /* a cut sentence still explains */
    va_end(ap);
    return err_set(err, code, "%s: %s", what, printable);
}

/* When libgit2 starts it reads all certificates of the system, which takes longer than many a fetch, and
 * nothing uses them: https is ours. It goes on without them where no file can be opened. */
static int git_mirror_init(struct err *err)
{
    struct rlimit files, none;
    int rc;

    if (getrlimit(RLIMIT_NOFILE, &files))
        return err_sys(err, "limit of open files");
    none = (struct rlimit){ 0, files.rlim_max };
    if (setrlimit(RLIMIT_NOFILE, &none))
        return err_sys(err, "limit open files");
    rc = git_libgit2_init();
    if (setrlimit(RLIMIT_NOFILE, &files))
        return err_sys(err, "lift the limit of open files");
    return rc < 0 ? git_mirror_fail(err, ERR_IO, "start libgit2") : 0;
}

int git_mirror_setup(struct err *err)
{
    static const git_config_level_t levels[] = { GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG,
                                                 GIT_CONFIG_LEVEL_GLOBAL,
                                                 GIT_CONFIG_LEVEL_PROGRAMDATA };
    int rc = git_mirror_init(err);

    if (rc)
        return rc;
    for (size_t i = 0; rc >= 0 && i < N_ELEMENTS(levels); i++)
        rc = git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
    /* Mirrors are 0700 and ours; a file:// source is named by the daemon's config. */
    if (rc >= 0)
        rc = git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    if (rc >= 0)
        rc = git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    if (rc >= 0)
        rc = git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, GIT_MIRROR_CACHE_BYTES);
    if (rc >= 0)
        rc = git_libgit2_opts(GIT_OPT_SET_CACHE_OBJECT_LIMIT, GIT_OBJECT_TREE,
                              GIT_MIRROR_CACHE_TREE_BYTES);
    if (rc >= 0)
        rc = git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, GIT_MIRROR_MAPPED_BYTES);
    return rc < 0 ? git_mirror_fail(err, ERR_IO, "set up libgit2") : 0;
}

int git_mirror_open(const char *path, git_repository **ret, struct err *err)
{
    int rc = git_repository_open_bare(ret, path);

    if (rc == GIT_ENOTFOUND)
        return err_set(err, ERR_NOT_FOUND, "no mirror at '%s'", path);
    return rc < 0 ? git_mirror_fail(err, ERR_IO, "open mirror '%s'", path) : 0;
}

typedef int git_mirror_entry_fn(int dir_fd, const char *name, int64_t *bytes);

static int git_mirror_add_size(int dir_fd, const char *name, int64_t *bytes)
{
    struct stat st;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : -1;
    if (S_ISREG(st.st_mode))
        *bytes += st.st_size;
    return 0;
}

static int git_mirror_drop_leftover(int dir_fd, const char *name, int64_t *bytes)
{
    (void)bytes;
    if (strncmp(name, GIT_MIRROR_LEFTOVER, strlen(GIT_MIRROR_LEFTOVER)))
        return 0;
    return unlinkat(dir_fd, name, 0);
}

static int git_mirror_each(const char *path, const char *folder, git_mirror_entry_fn *fn,
                           int64_t *bytes, struct err *err)
{
    char name[4096];
    struct dirent *entry;
    int rc = 0;
    DIR *dir;

    (void)snprintf(name, sizeof(name), "%s/%s", path, folder); /* cut: opendir fails */
    dir = opendir(name);
    if (!dir)
        return errno == ENOENT ? 0 : err_sys(err, "open '%s'", name);
    while (!rc && (entry = readdir(dir)))
        if (fn(dirfd(dir), entry->d_name, bytes))
            rc = err_sys(err, "'%s/%s'", name, entry->d_name);
    (void)closedir(dir); /* read only */
    return rc;
}

/* libgit2 locks a file by the name it will be renamed from; nobody else writes here while our own lock is
 * held, which is no such file. */
static int git_mirror_drop_lock(int dir_fd, const char *name, int64_t *bytes)
{
    size_t n = strlen(name), n_end = strlen(GIT_MIRROR_LOCK_END);

    (void)bytes;
    if (n < n_end || strcmp(name + n - n_end, GIT_MIRROR_LOCK_END) ||
        !strcmp(name, GIT_MIRROR_LOCK))
        return 0;
    return unlinkat(dir_fd, name, 0);
}

static int git_mirror_drop_locks(const char *path, struct err *err)
{
    static const char *const folders[] = { ".", GIT_MIRROR_REFS, "refs/heads" };
    int64_t unused = 0;
    int rc = 0;

    for (size_t i = 0; !rc && i < N_ELEMENTS(folders); i++)
        rc = git_mirror_each(path, folders[i], git_mirror_drop_lock, &unused, err);
    return rc;
}

int git_mirror_create(const char *path, git_repository **ret, struct err *err)
{
    git_repository_init_options options = { .version = GIT_REPOSITORY_INIT_OPTIONS_VERSION };
    AUTO_REPO git_repository *made = NULL;
    int rc = git_mirror_open(path, ret, err);

    if (rc != ERR_NOT_FOUND)
        return rc;
    rc = sys_mkdir_all(path, 0700, err);
    if (!rc)
        rc = git_mirror_drop_locks(path, err);
    if (rc)
        return err_wrap(err, "make mirror");
    options.flags = GIT_REPOSITORY_INIT_BARE; /* one that was cut short is made anew */
    options.mode = 0700;
    if (git_repository_init_ext(&made, path, &options) < 0)
        return git_mirror_fail(err, ERR_IO, "make mirror '%s'", path);
    return git_mirror_open(path, ret, err);
}

int git_mirror_size(const char *path, int64_t *ret_bytes, struct err *err)
{
    *ret_bytes = 0;
    return git_mirror_each(path, GIT_MIRROR_PACKS, git_mirror_add_size, ret_bytes, err);
}

int git_mirror_tidy(const char *path, struct err *err)
{
    int64_t unused = 0;
    int rc = git_mirror_drop_locks(path, err);

    return rc ? rc
              : git_mirror_each(path, GIT_MIRROR_PACKS, git_mirror_drop_leftover, &unused, err);
}

int git_mirror_header(git_repository *repo, const git_oid *id, size_t *ret_bytes,
                      git_object_t *ret_type)
{
    git_odb *odb = NULL;
    int rc = git_repository_odb(&odb, repo);

    if (!rc)
        rc = git_odb_read_header(ret_bytes, ret_type, odb, id);
    git_odb_free(odb);
    return rc;
}

int git_mirror_commit(git_repository *repo, const char *what, struct str id, git_commit **ret,
                      struct err *err)
{
    git_object_t type;
    git_oid oid;
    size_t n;
    int rc;

    if (id.n != GIT_MIRROR_HEX || git_oid_fromstrn(&oid, id.p, id.n) < 0)
        return err_set(err, ERR_USAGE, "%s '%.*s' is not a commit's id", what, STR_ARG(id));
    rc = git_mirror_header(repo, &oid, &n, &type);
    if (rc == GIT_ENOTFOUND || (!rc && type != GIT_OBJECT_COMMIT))
        return err_set(err, ERR_NOT_FOUND, "the mirror has no commit %.*s", STR_ARG(id));
    if (!rc && n > GIT_MIRROR_COMMIT_MAX)
        return err_set(err, ERR_LIMIT, "commit %.*s has %zu bytes", STR_ARG(id), n);
    if (!rc)
        rc = git_commit_lookup(ret, repo, &oid);
    return rc < 0 ? git_mirror_fail(err, ERR_IO, "commit %.*s", STR_ARG(id)) : 0;
}

struct str git_mirror_hex(struct arena *a, const git_oid *id)
{
    char hex[GIT_MIRROR_HEX];

    (void)git_oid_fmt(hex, id); /* cannot fail on an id */
    return str_copy(a, (struct str){ hex, sizeof(hex) });
}

const char *git_mirror_ref(struct arena *a, struct str branch)
{
    struct digest d = hash_bytes(branch);

    return str_fmt(a, GIT_MIRROR_REFS "/%.*s", STR_ARG(digest_base32(a, &d))).p;
}

int git_mirror_limit_files(int64_t max_bytes, struct err *err)
{
    struct rlimit limit = { (rlim_t)max_bytes, (rlim_t)max_bytes };

    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit))
        return err_sys(err, "limit the size of files");
    return 0;
}
