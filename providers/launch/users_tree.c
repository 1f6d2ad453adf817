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

#define TREE_DEPTH_MAX 200

static int tree_open(int dir, const char *name)
{
    const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
                                  .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                             RESOLVE_NO_XDEV };

    return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

typedef int tree_fn(int dir, const char *name, int is_dir, int depth, const uint32_t *owner);

/* `visit` for each entry of a directory; its first failure ends it. */
static int tree_each(int dir, tree_fn *visit, int depth, const uint32_t *owner)
{
    DIR *list = fdopendir(fcntl(dir, F_DUPFD_CLOEXEC, 3));
    struct dirent *entry;
    int rc = list && depth < TREE_DEPTH_MAX ? 0 : -1;

    if (list)
        rewinddir(list);
    while (!rc && (entry = readdir(list))) {
        struct stat st;

        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        rc = fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW)
                 ? -(errno != ENOENT)
                 : visit(dir, entry->d_name, S_ISDIR(st.st_mode), depth, owner);
    }
    if (list)
        (void)closedir(list); /* only read */
    return rc;
}

static int tree_own(int dir, const char *name, int is_dir, int depth, const uint32_t *owner)
{
    int fd, rc;

    if (!is_dir)
        return fchownat(dir, name, owner[0], owner[1], AT_SYMLINK_NOFOLLOW);
    fd = tree_open(dir, name);
    rc = fd < 0 || tree_each(fd, tree_own, depth + 1, owner) || fchown(fd, owner[0], owner[1]) ? -1
                                                                                               : 0;
    if (fd >= 0)
        (void)close(fd); /* only read */
    return rc;
}

int users_tree_own(int dir, uint32_t uid, uint32_t gid)
{
    const uint32_t owner[] = { uid, gid };

    return tree_each(dir, tree_own, 0, owner) || fchown(dir, uid, gid) ? -1 : 0;
}

static int tree_remove(int dir, const char *name, int is_dir, int depth, const uint32_t *owner)
{
    int fd, rc;

    if (!is_dir)
        return unlinkat(dir, name, 0);
    (void)!fchmodat(dir, name, 0700, 0); /* a mode that keeps its owner out keeps nobody out */
    fd = tree_open(dir, name);
    rc = fd < 0 || tree_each(fd, tree_remove, depth + 1, owner) ? -1 : 0;
    if (fd >= 0)
        (void)close(fd); /* only read */
    return rc || unlinkat(dir, name, AT_REMOVEDIR) ? -1 : 0;
}

int users_tree_remove(int dir)
{
    return tree_each(dir, tree_remove, 0, NULL);
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
