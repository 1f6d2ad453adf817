/* Files and sockets of an environment's user, for the daemon's. SPDX-License-Identifier: Apache-2.0 */
#include "providers/launch/users.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TREE_OWN_DEPTH 200   /* of a tree that shall be kept */
#define TREE_REMOVE_DEPTH 32 /* every level holds descriptors */

static int tree_open(int dir, const char *name)
{
    const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
                                  .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                             RESOLVE_NO_XDEV };

    return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

struct tree_walk {
    int (*visit)(struct tree_walk *w, int dir, const char *name, int is_dir, int depth);
    uint32_t uid, gid; /* who gets it */
    int top;           /* of what is removed */
    unsigned n_moved;
};

/* `visit` for each entry of a directory; its first failure ends it. */
static int tree_each(struct tree_walk *w, int dir, int depth)
{
    DIR *list = fdopendir(fcntl(dir, F_DUPFD_CLOEXEC, 3));
    struct dirent *entry;
    int rc = list ? 0 : -1;

    if (list)
        rewinddir(list);
    while (!rc && (entry = readdir(list))) {
        struct stat st;

        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        rc = fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW)
                 ? -(errno != ENOENT)
                 : w->visit(w, dir, entry->d_name, S_ISDIR(st.st_mode), depth);
    }
    if (list)
        (void)closedir(list); /* only read */
    return rc;
}

static int tree_own(struct tree_walk *w, int dir, const char *name, int is_dir, int depth)
{
    int fd, rc;

    if (!is_dir)
        return fchownat(dir, name, w->uid, w->gid, AT_SYMLINK_NOFOLLOW);
    if (depth == TREE_OWN_DEPTH)
        return -USERS_TOO_DEEP;
    fd = tree_open(dir, name);
    rc = fd < 0 ? -1 : tree_each(w, fd, depth + 1);
    if (!rc && fchown(fd, w->uid, w->gid))
        rc = -1;
    if (fd >= 0)
        (void)close(fd); /* only read */
    return rc;
}

int users_tree_give(int dir, uint32_t uid, uint32_t gid)
{
    struct tree_walk w = { .visit = tree_own, .uid = uid, .gid = gid };

    return tree_each(&w, dir, 0);
}

int users_tree_own(int dir, uint32_t uid, uint32_t gid)
{
    int rc = users_tree_give(dir, uid, gid);

    return !rc && fchown(dir, uid, gid) ? -1 : rc;
}

/* What lies deeper goes up to the top under a name of its own, and away from there. */
static int tree_move_up(struct tree_walk *w, int dir, const char *name)
{
    char to[32];
    int rc;

    do {
        (void)snprintf(to, sizeof(to), ".%u", w->n_moved++);
        rc = renameat(dir, name, w->top, to);
    } while (rc && (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR));
    return rc;
}

static int tree_remove(struct tree_walk *w, int dir, const char *name, int is_dir, int depth)
{
    int fd, rc;

    if (!is_dir)
        return unlinkat(dir, name, 0);
    (void)!fchmodat(dir, name, 0700, 0); /* a mode that keeps its owner out keeps nobody out */
    if (depth == TREE_REMOVE_DEPTH)
        return tree_move_up(w, dir, name);
    fd = tree_open(dir, name);
    rc = fd < 0 ? -1 : tree_each(w, fd, depth + 1);
    if (fd >= 0)
        (void)close(fd); /* only read */
    return rc || unlinkat(dir, name, AT_REMOVEDIR) ? -1 : 0;
}

int users_tree_remove(int dir)
{
    struct tree_walk w = { .visit = tree_remove, .top = dir };
    unsigned before;
    int rc;

    do {
        before = w.n_moved;
        rc = tree_each(&w, dir, 0);
    } while (!rc && w.n_moved != before);
    return rc;
}

static int tree_is_socket_of(const char *link, char **inodes)
{
    char wanted[64];

    for (char **i = inodes; *i && strcmp(*i, "--"); i++) {
        (void)snprintf(wanted, sizeof(wanted), "socket:[%s]", *i);
        if (!strcmp(link, wanted))
            return 1;
    }
    return 0;
}

int users_holds(char **inodes, char **pids)
{
    int found = 0;

    for (; *pids && !found; pids++) {
        char path[64], link[64];
        struct dirent *entry;
        DIR *fds;

        (void)snprintf(path, sizeof(path), "/proc/%d/fd", atoi(*pids));
        fds = opendir(path);
        while (fds && !found && (entry = readdir(fds))) {
            ssize_t n = readlinkat(dirfd(fds), entry->d_name, link, sizeof(link) - 1);

            link[n > 0 ? n : 0] = 0;
            found = tree_is_socket_of(link, inodes);
        }
        if (fds)
            (void)closedir(fds); /* only read */
    }
    return found;
}
