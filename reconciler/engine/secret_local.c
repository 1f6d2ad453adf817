/* Stores of this machine: variables of the daemon, files of a directory. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/secret_kind.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"

/* One word: with parts, a rule for `team` would cover `team/x`, which spells the variable of `team_x`. */
static int secret_variable(const struct value *store, struct str path, struct sb *ret,
                           struct err *err)
{
    sb_add(ret, value_get_text(store, S("prefix"), S("REEVE_SECRET_")));
    for (size_t i = 0; i < path.n; i++) {
        int c = (unsigned char)path.p[i];

        if (!isalnum(c) && c != '_' && c != '-')
            return err_set(err, ERR_REFUSED, "path '%.*s' is not one word", STR_ARG(path));
        sb_add_char(ret, c == '-' ? '_' : (char)toupper(c));
    }
    return arena_status(ret->arena, err);
}

int secret_local_env(struct secret_store *s, const struct secret_ask *ask, struct arena *a,
                     struct secret_got *ret, struct err *err)
{
    struct sb variable;
    const char *value;

    (void)s; /* the environment is the process's */
    sb_init(&variable, a);
    if (secret_variable(ask->store, ask->path, &variable, err))
        return err->code;
    value = getenv(sb_str(&variable).p);
    if (!value)
        return err_set(err, ERR_NOT_FOUND, "variable %s is not set", sb_str(&variable).p);
    ret->value = str_from_c(value);
    if (ret->value.n > SECRET_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "larger than %u bytes", SECRET_BYTES_MAX);
    return 0;
}

static int secret_read_fd(int fd, struct arena *a, struct str *ret, struct err *err)
{
    struct stat st;
    size_t n = 0;
    char *p;

    if (fstat(fd, &st))
        return err_sys(err, "look at its file");
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_REFUSED, "what lies there is not a file");
    p = arena_alloc(a, SECRET_BYTES_MAX + 1);
    if (!p)
        return arena_status(a, err);
    for (;;) {
        ssize_t got = read(fd, p + n, SECRET_BYTES_MAX + 1 - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "read its file");
        n += (size_t)got;
        if (n > SECRET_BYTES_MAX)
            return err_set(err, ERR_LIMIT, "larger than %u bytes", SECRET_BYTES_MAX);
        if (got == 0)
            break;
    }
    *ret = secret_kind_line((struct str){ p, n });
    return 0;
}

/* Links inside the directory are followed (mounted secrets are made of them), out of it never. */
static int secret_open_file(int dir_fd, const char *dir, const char *name, int *ret_fd,
                            struct err *err)
{
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    int fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

    if (fd < 0 && errno == EXDEV)
        return err_set(err, ERR_REFUSED, "'%s' leaves the directory", name);
    if (fd < 0)
        return err_sys(err, "open '%s/%s'", dir, name);
    *ret_fd = fd;
    return 0;
}

/* The newest that was written under the path: the highest number among the names. */
static int secret_newest(int dir_fd, const char *dir, const char *path, int64_t *ret,
                         struct err *err)
{
    AUTO_CLOSE int fd = -1;
    struct dirent *entry;
    DIR *list;

    *ret = 0;
    if (secret_open_file(dir_fd, dir, path, &fd, err))
        return err->code == ERR_NOT_FOUND ? 0 : err->code;
    list = fdopendir(fd);
    if (!list)
        return err_sys(err, "list '%s/%s'", dir, path);
    fd = -1;
    while ((entry = readdir(list))) {
        int64_t n;

        if (!str_to_i64(str_from_c(entry->d_name), &n) && n > *ret)
            *ret = n;
    }
    (void)closedir(list); /* nothing was written */
    return 0;
}

/* A generated one lies in PATH/N, version g:N. */
static int secret_find_generated(const struct secret_ask *ask, int dir_fd, const char *dir,
                                 struct arena *a, struct str *ret_path, struct str *ret_version,
                                 struct err *err)
{
    int64_t n;

    if (ask->version.p && (!str_starts(ask->version, S("g:")) ||
                           str_to_i64(str_slice(ask->version, 2, ask->version.n), &n)))
        return err_set(err, ERR_NOT_FOUND, "it has no version '%.*s'", STR_ARG(ask->version));
    if (!ask->version.p && secret_newest(dir_fd, dir, ask->path.p, &n, err))
        return err->code;
    if (!n)
        return err_set(err, ERR_NOT_FOUND, "it was not generated yet");
    *ret_path = str_fmt(a, "%.*s/%lld", STR_ARG(ask->path), (long long)n);
    *ret_version = str_fmt(a, "g:%lld", (long long)n);
    return arena_status(a, err);
}

static int secret_open_directory(const struct secret_ask *ask, struct arena *a, const char **ret,
                                 int *ret_fd, struct err *err)
{
    *ret = str_to_c(a, value_get_text(ask->store, S("directory"), S("")));
    if (!*ret)
        return arena_status(a, err);
    *ret_fd = open(*ret, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret_fd < 0)
        return err_set(err, ERR_UNREACHABLE, "directory '%s': %s", *ret, strerror(errno));
    return 0;
}

int secret_local_file(struct secret_store *s, const struct secret_ask *ask, struct arena *a,
                      struct secret_got *ret, struct err *err)
{
    struct str path = ask->path;
    const char *dir;
    AUTO_CLOSE int dir_fd = -1;
    AUTO_CLOSE int fd = -1;

    (void)s; /* the directory is all there is */
    if (secret_open_directory(ask, a, &dir, &dir_fd, err) ||
        (ask->is_generated &&
         secret_find_generated(ask, dir_fd, dir, a, &path, &ret->version, err)) ||
        secret_open_file(dir_fd, dir, path.p, &fd, err))
        return err->code;
    return secret_read_fd(fd, a, &ret->value, err);
}

static int secret_write_new(const char *path, struct str value, struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ssize_t n = fd < 0 ? -1 : write(fd, value.p, value.n);

    if (n >= 0 && (size_t)n != value.n)
        errno = ENOSPC; /* what a short write of a file means */
    if (n < 0 || (size_t)n != value.n || fsync(fd))
        return err_sys(err, "write '%s'", path);
    return 0;
}

/* Whole under its name or not there, and never in the place of another: a link is refused where one stands. What
 * a life that died left is removed, not written to: it may be the value by its other name. */
static int secret_make_file(const char *dir, struct str value, struct arena *a, struct err *err)
{
    const char *fresh = str_fmt(a, "%s/.new", dir).p, *path = str_fmt(a, "%s/1", dir).p;
    int rc;

    if (arena_status(a, err))
        return err->code;
    if (unlink(fresh) && errno != ENOENT)
        return err_sys(err, "remove '%s'", fresh);
    if (secret_write_new(fresh, value, err))
        return err->code;
    rc = link(fresh, path) && errno != EEXIST ? err_sys(err, "link '%s'", path) : 0;
    if (unlink(fresh) && !rc)
        rc = err_sys(err, "remove '%s'", fresh);
    return rc ? rc : sys_fsync_dir(dir, err);
}

/* The directories on the way may have been made just now. */
static int secret_sync_way(const char *top, struct str path, struct arena *a, struct err *err)
{
    int rc = sys_fsync_dir(top, err);

    for (size_t i = 0; !rc && i < path.n; i++)
        if (path.p[i] == '/')
            rc = sys_fsync_dir(str_fmt(a, "%s/%.*s", top, (int)i, path.p).p, err);
    return rc;
}

int secret_local_make(struct secret_store *s, const struct secret_ask *ask, struct str value,
                      struct arena *a, struct err *err)
{
    const char *top = str_to_c(a, value_get_text(ask->store, S("directory"), S("")));
    const char *dir = str_fmt(a, "%s/%.*s", top ? top : "", STR_ARG(ask->path)).p;
    int rc;

    if (arena_status(a, err) || sys_mkdir_all(dir, 0700, err))
        return err->code;
    PRE(!pthread_mutex_lock(&s->making));
    rc = secret_make_file(dir, value, a, err);
    if (!rc)
        rc = secret_sync_way(top, ask->path, a, err);
    PRE(!pthread_mutex_unlock(&s->making));
    return rc;
}
