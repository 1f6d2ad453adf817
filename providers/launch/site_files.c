/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/launch/site_files.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_below(const struct site_files *s, const char *path, struct stat *ret)
{
    const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                                  .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    int fd = (int)syscall(SYS_openat2, s->dir, path[1] ? path + 1 : ".", &how, sizeof(how));

    if (fd >= 0 && fstat(fd, ret)) {
        (void)close(fd); /* only read */
        fd = -1;
    }
    return fd;
}

static int open_file(const struct site_files *s, const char *path, struct site_file *ret)
{
    ret->fd = open_below(s, path, &ret->st);
    if (ret->fd >= 0 && !S_ISREG(ret->st.st_mode)) {
        (void)close(ret->fd); /* only read */
        ret->fd = -1;
    }
    (void)snprintf(ret->name, sizeof(ret->name), "%s", path); /* it fitted before */
    return ret->fd;
}

static int is_immutable(const struct site_files *s, const char *path)
{
    for (int i = 0; i < s->n_immutable; i++)
        if (!fnmatch(s->immutable[i], path, 0))
            return 1;
    return 0;
}

/* A directory's index; whether the path lacks its last slash. */
static int open_index(const struct site_files *s, const char *path, struct site_file *ret,
                      int *ret_moved)
{
    char index[SITE_PATH_MAX + 16];
    size_t n = strlen(path);

    (void)snprintf(index, sizeof(index), "%s%sindex.html", path,
                   path[n - 1] == '/' ? "" : "/"); /* fits */
    if (open_file(s, index, ret) < 0)
        return -1;
    *ret_moved = path[n - 1] != '/';
    return 0;
}

static void take_packed(const struct site_files *s, const struct site_request *r,
                        struct site_file *f)
{
    char packed[SITE_PATH_MAX + 20];
    struct stat st;
    int fd;

    if (!site_request_has(r, "Accept-Encoding", "gzip"))
        return;
    (void)snprintf(packed, sizeof(packed), "%s.gz", f->name); /* fits */
    fd = open_below(s, packed, &st);
    if (fd < 0)
        return;
    if (S_ISREG(st.st_mode)) {
        (void)close(f->fd); /* only read */
        f->fd = fd;
        f->st = st;
        f->is_gzip = 1;
    } else {
        (void)close(fd); /* only read */
    }
}

int site_files_find(const struct site_files *s, const struct site_request *r, struct site_file *ret)
{
    int moved = 0;

    *ret = (struct site_file){ .fd = -1, .is_immutable = is_immutable(s, r->path) };
    if (open_file(s, r->path, ret) < 0 && open_index(s, r->path, ret, &moved) &&
        (ret->is_immutable || site_request_is_known(r->path) || !s->fallback ||
         open_file(s, s->fallback, ret) < 0))
        return 404;
    if (moved)
        return 308;
    take_packed(s, r, ret);
    return 200;
}
