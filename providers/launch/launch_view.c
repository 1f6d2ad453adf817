/* SPDX-License-Identifier: Apache-2.0
 *
 *     /                      as it is, read-only, without set-user-id
 *     LAUNCH_COVER           empty; a file is /dev/null
 *     /run                   empty but for what /etc/resolv.conf names: no socket of the machine
 *     /tmp /var/tmp          empty, in memory
 *     /dev                   null zero full random urandom tty pts shm, and nothing else
 *     LAUNCH_READ, _WRITE    there again, also below something that is covered
 *     /proc                  its own processes, read-only
 *
 * Trees that shall be there again are taken before anything is covered.
 */
#include "providers/launch/launch_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VIEW_SMALL "mode=0755,size=1m,nr_inodes=4k"
#define VIEW_TMP_INODES "100k" /* the kernel's memory for them is not in the size */
#define VIEW_TERMINALS "64"    /* of the machine's, which all share */

static const char *const view_devices[] = { "/dev/null",   "/dev/zero",    "/dev/full",
                                            "/dev/random", "/dev/urandom", "/dev/tty" };
#define VIEW_N_DEVICES (sizeof(view_devices) / sizeof(view_devices[0]))

static int view_take(const char *path)
{
    return open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static void view_put(int tree, const char *path, uint64_t attributes)
{
    struct mount_attr attr = { .attr_set = attributes };

    if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) ||
        move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) || close(tree))
        launch_fail(LAUNCH_VIEW);
}

static void view_memory(const char *path, const char *options, unsigned long flags)
{
    if (mount("reeve", path, "tmpfs", MS_NOSUID | flags, options))
        launch_fail(LAUNCH_VIEW);
}

/* One that is gone, or that we may not see either, needs no cover. */
static void view_cover(const char *path)
{
    struct stat st;
    int null;

    if (stat(path, &st)) {
        if (errno != ENOENT && errno != EACCES && errno != ENOTDIR)
            launch_fail(LAUNCH_VIEW);
    } else if (S_ISDIR(st.st_mode)) {
        view_memory(path, VIEW_SMALL, MS_NODEV);
    } else {
        null = view_take("/dev/null");
        if (null < 0)
            launch_fail(LAUNCH_VIEW);
        view_put(null, path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    }
}

/* Directories up to `path`, and it; those that are there stay. */
static void view_make_path(char *path, int is_dir)
{
    int fd;

    for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = 0;
        (void)mkdir(path, 0755); /* what is missing is seen below */
        *at = '/';
    }
    if (is_dir) {
        (void)mkdir(path, 0755); /* move_mount() sees what is missing */
        return;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd >= 0)
        (void)close(fd); /* empty: a place for a mount */
}

static void view_devices_make(const char *shm)
{
    static const char *const links[][2] = { { "/proc/self/fd", "/dev/fd" },
                                            { "/proc/self/fd/0", "/dev/stdin" },
                                            { "/proc/self/fd/1", "/dev/stdout" },
                                            { "/proc/self/fd/2", "/dev/stderr" },
                                            { "pts/ptmx", "/dev/ptmx" } };
    int trees[VIEW_N_DEVICES];

    for (size_t i = 0; i < VIEW_N_DEVICES; i++)
        trees[i] = view_take(view_devices[i]);
    view_memory("/dev", VIEW_SMALL, 0);
    for (size_t i = 0; i < VIEW_N_DEVICES; i++) {
        char path[32];

        if (trees[i] < 0)
            continue; /* this machine does without */
        (void)snprintf(path, sizeof(path), "%s", view_devices[i]);
        view_make_path(path, 0);
        view_put(trees[i], path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    }
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if (symlink(links[i][0], links[i][1]))
            launch_fail(LAUNCH_VIEW);
    if (mkdir("/dev/shm", 0755) || mkdir("/dev/pts", 0755))
        launch_fail(LAUNCH_VIEW);
    view_memory("/dev/shm", shm, MS_NODEV);
    (void)mount(
        "reeve", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
        "newinstance,ptmxmode=0666,mode=620,max=" VIEW_TERMINALS); /* who needs no terminal never misses it */
}

/* EINVAL: nothing lies on it, for it was gone under another cover. */
static void view_close(const char *path)
{
    struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

    if (mount_setattr(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &attr, sizeof(attr)) &&
        errno != EINVAL && errno != ENOENT && errno != EACCES && errno != ENOTDIR)
        launch_fail(LAUNCH_VIEW);
}

/* Who reaches a session's bus, or that of a container engine, may start anything outside. */
static void view_run(void)
{
    char path[PATH_MAX];
    int names = realpath("/etc/resolv.conf", path) && !strncmp(path, "/run/", 5) ? view_take(path)
                                                                                 : -1;

    view_cover("/run");
    if (names < 0)
        return;
    view_make_path(path, 0);
    view_put(names, path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

static void view_put_back(struct launch_place *place, int tree)
{
    uint64_t attributes = place->how == LAUNCH_READ ? MOUNT_ATTR_RDONLY : 0;
    struct stat st;

    if (fstat(tree, &st))
        launch_fail(LAUNCH_VIEW);
    view_make_path(place->path, S_ISDIR(st.st_mode));
    view_put(tree, place->path, attributes | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

static void view_processes(int *ret_proc)
{
    if (mount("reeve", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
        launch_fail(LAUNCH_PROC);
    *ret_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret_proc < 0 ||
        mount("reeve", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL))
        launch_fail(LAUNCH_PROC);
}

void launch_view_make(struct launch *plan, int *ret_proc)
{
    static const char *const private[] = { "/tmp", "/var/tmp" };
    struct mount_attr all = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID };
    int trees[LAUNCH_PLACES_MAX];
    char tmp[64];

    (void)snprintf(tmp, sizeof(tmp), "mode=1777,nr_inodes=" VIEW_TMP_INODES ",size=%llu",
                   (unsigned long long)plan->tmp_bytes);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        launch_fail(LAUNCH_VIEW);
    for (uint32_t i = 0; i < plan->n_places; i++)
        if (plan->places[i].how != LAUNCH_COVER && (trees[i] = view_take(plan->places[i].path)) < 0)
            launch_fail(LAUNCH_VIEW);
    if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &all, sizeof(all)))
        launch_fail(LAUNCH_VIEW);
    view_devices_make(tmp);
    for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++)
        view_memory(private[i], tmp, MS_NODEV);
    view_run();
    for (uint32_t i = 0; i < plan->n_places; i++)
        if (plan->places[i].how == LAUNCH_COVER)
            view_cover(plan->places[i].path);
    for (uint32_t i = 0; i < plan->n_places; i++)
        if (plan->places[i].how != LAUNCH_COVER)
            view_put_back(&plan->places[i], trees[i]);
    view_close("/run");
    for (uint32_t i = 0; i < plan->n_places; i++)
        if (plan->places[i].how == LAUNCH_COVER)
            view_close(plan->places[i].path);
    view_processes(ret_proc);
}

void launch_view_network(void)
{
    struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback) || close(fd))
        launch_fail(LAUNCH_VIEW);
}

/* Landlock, by number: the headers of this system may be older than its kernel. */
void launch_view_scope(void)
{
    enum { CREATE = 444, RESTRICT_SELF = 446, SCOPE_ABSTRACT = 1, SCOPE_SIGNAL = 2 };
    const uint64_t attr[] = { 0, 0, SCOPE_ABSTRACT | SCOPE_SIGNAL }; /* files, network, scopes */
    int fd = (int)syscall(CREATE, attr, sizeof(attr), 0);

    if (fd < 0)
        return; /* an older kernel, or one without */
    if (syscall(RESTRICT_SELF, fd, 0) || close(fd))
        launch_fail(LAUNCH_NESTED);
}
