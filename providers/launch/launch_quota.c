/* What a program has of the places that it may write. SPDX-License-Identifier: Apache-2.0
 *
 * What cannot be counted is too much: a directory that keeps us out, one too deep, one entry too many. Files that
 * have no name any more count while a descriptor of the program holds them.
 */
#include "providers/launch/launch_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUOTA_DEPTH_MAX 200
#define QUOTA_ENTRIES_MAX 200000
#define QUOTA_NAMELESS_MAX 4096

struct quota {
    uint64_t bytes, max_bytes;
    unsigned n_entries, n_devices, n_nameless;
    dev_t devices[LAUNCH_PLACES_MAX];
    struct {
        dev_t device;
        ino_t inode;
    } nameless[QUOTA_NAMELESS_MAX];
};

/* Far over, so that nobody waits for more. */
static void quota_lose_count(struct quota *q)
{
    q->bytes = UINT64_MAX;
}

static void quota_add(struct quota *q, const struct stat *st)
{
    uint64_t bytes = (uint64_t)st->st_blocks * 512;

    if (++q->n_entries > QUOTA_ENTRIES_MAX || q->bytes > UINT64_MAX - bytes)
        quota_lose_count(q);
    else
        q->bytes += bytes;
}

/* --- files with a name ------------------------------------------------------------------------------ */

static void quota_add_dir(struct quota *q, int take_fd, dev_t device, int depth)
{
    DIR *dir = depth < QUOTA_DEPTH_MAX ? fdopendir(take_fd) : NULL;
    struct dirent *entry;

    if (!dir) {
        (void)close(take_fd); /* nothing was read */
        quota_lose_count(q);
        return;
    }
    while (q->bytes != UINT64_MAX && (entry = readdir(dir))) {
        struct stat st;
        int fd;

        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (fstatat(take_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
            continue; /* it went; what may be listed may be looked at */
        quota_add(q, &st);
        if (!S_ISDIR(st.st_mode) || st.st_dev != device)
            continue;
        fd = openat(take_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
            quota_add_dir(q, fd, device, depth + 1);
        else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
            quota_lose_count(q);
    }
    (void)closedir(dir); /* only read */
}

static void quota_add_place(struct quota *q, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st)) {
        quota_lose_count(q);
        return;
    }
    q->devices[q->n_devices++] = st.st_dev;
    quota_add_dir(q, fd, st.st_dev, 0);
}

/* --- files without one ------------------------------------------------------------------------------ */

static int quota_is_new(struct quota *q, const struct stat *st)
{
    int is_ours = 0;

    for (unsigned i = 0; i < q->n_devices; i++)
        is_ours |= q->devices[i] == st->st_dev;
    if (!is_ours || !S_ISREG(st->st_mode) || st->st_nlink)
        return 0;
    for (unsigned i = 0; i < q->n_nameless; i++)
        if (q->nameless[i].inode == st->st_ino && q->nameless[i].device == st->st_dev)
            return 0;
    if (q->n_nameless == QUOTA_NAMELESS_MAX) {
        quota_lose_count(q);
        return 0;
    }
    q->nameless[q->n_nameless].device = st->st_dev;
    q->nameless[q->n_nameless++].inode = st->st_ino;
    return 1;
}

static void quota_add_process(struct quota *q, const char *pid)
{
    char path[300];
    struct dirent *entry;
    DIR *fds;

    (void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    fds = opendir(path);
    while (fds && q->bytes != UINT64_MAX && (entry = readdir(fds))) {
        struct stat st;

        if (!fstatat(dirfd(fds), entry->d_name, &st, 0) && quota_is_new(q, &st))
            quota_add(q, &st);
    }
    if (fds)
        (void)closedir(fds); /* only read */
}

static void quota_add_nameless(struct quota *q)
{
    DIR *proc = opendir("/proc"); /* by now the program's */
    struct dirent *entry;

    while (proc && (entry = readdir(proc)))
        if (atoi(entry->d_name) > 1)
            quota_add_process(q, entry->d_name);
    if (proc)
        (void)closedir(proc); /* only read */
}

enum launch_fill launch_quota_look(const struct launch *plan, int is_running)
{
    static struct quota q; /* too large for a stack */

    q = (struct quota){ .max_bytes = plan->max_places_bytes };
    if (!q.max_bytes)
        return LAUNCH_FITS;
    for (uint32_t i = 0; i < plan->n_places; i++)
        if (plan->places[i].how == LAUNCH_WRITE)
            quota_add_place(&q, plan->places[i].path);
    if (is_running)
        quota_add_nameless(&q);
    if (q.bytes <= q.max_bytes)
        return LAUNCH_FITS;
    if (q.bytes - q.max_bytes <= q.max_bytes / 8)
        return LAUNCH_OVER;
    return q.bytes / 8 <= q.max_bytes ? LAUNCH_FAR_OVER : LAUNCH_HOPELESS;
}
