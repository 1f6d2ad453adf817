/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/guard.h"

static int64_t sys_clock_ms(clockid_t clock)
{
    struct timespec ts;

    PRE(clock_gettime(clock, &ts) == 0);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t sys_wall_ms(void)
{
    return sys_clock_ms(CLOCK_REALTIME);
}

int64_t sys_mono_ms(void)
{
    return sys_clock_ms(CLOCK_MONOTONIC);
}

int64_t sys_boot_ms(void)
{
    return sys_clock_ms(CLOCK_BOOTTIME);
}

int sys_boot_id(struct arena *a, struct str *ret, struct err *err)
{
    int rc = sys_read_file(a, "/proc/sys/kernel/random/boot_id", 64, ret, err);

    if (rc)
        return rc;
    *ret = str_trim(*ret);
    return 0;
}

void sys_random(void *p, size_t n)
{
    char *at = p;

    while (n) {
        ssize_t got = getrandom(at, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        PRE(got > 0);
        at += got;
        n -= (size_t)got;
    }
}

struct str sys_uuid7(struct arena *a, int64_t time_ms)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t b[16];
    char text[36], *at = text;

    sys_random(b, sizeof(b));
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(time_ms >> (40 - 8 * i));
    b[6] = (uint8_t)(0x70 | (b[6] & 0x0f));
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[b[i] >> 4];
        *at++ = digits[b[i] & 0x0f];
    }
    return str_copy(a, (struct str){ text, sizeof(text) });
}

int sys_read_file(struct arena *a, const char *path, size_t limit_bytes, struct str *ret,
                  struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct sb text;
    char block[8192];

    if (fd < 0)
        return err_sys(err, "open '%s'", path);
    sb_init(&text, a);
    for (;;) {
        ssize_t n = read(fd, block, sizeof(block));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "read '%s'", path);
        if (n == 0)
            break;
        if (text.n + (size_t)n > limit_bytes)
            return err_set(err, ERR_LIMIT, "'%s' is larger than %zu bytes", path, limit_bytes);
        sb_add(&text, (struct str){ block, (size_t)n });
        explicit_bzero(block,
                       (size_t)n); /* keys and tokens are read so, and a stack is never wiped */
    }
    if (arena_status(a, err))
        return err_wrap(err, "read '%s'", path);
    *ret = sb_str(&text);
    return 0;
}

static int sys_write_all(int fd, struct str bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes = str_slice(bytes, (size_t)n, bytes.n);
    }
    return 0;
}

int sys_write_file(const char *path, mode_t mode, struct str bytes, struct err *err)
{
    char temp[PATH_MAX], dir[PATH_MAX];
    int n = snprintf(temp, sizeof(temp), "%s.new", path);

    if (n < 0 || (size_t)n >= sizeof(temp))
        return err_set(err, ERR_LIMIT, "path '%s' is too long", path);
    {
        AUTO_CLOSE int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

        if (fd < 0)
            return err_sys(err, "create '%s'", temp);
        if (fchmod(fd, mode) || sys_write_all(fd, bytes) || fsync(fd)) {
            int rc = err_sys(err, "write '%s'", temp);

            (void)unlink(temp); /* the old file is untouched */
            return rc;
        }
    }
    if (rename(temp, path))
        return err_sys(err, "rename '%s'", temp);
    memcpy(dir, temp, sizeof(dir));
    return sys_fsync_dir(dirname(dir), err);
}

int sys_fsync_dir(const char *path, struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd))
        return err_sys(err, "fsync directory '%s'", path);
    return 0;
}

int sys_mkdir_all(const char *path, mode_t mode, struct err *err)
{
    char part[PATH_MAX];
    size_t n = strlen(path);

    if (n >= sizeof(part))
        return err_set(err, ERR_LIMIT, "path '%s' is too long", path);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, mode) && errno != EEXIST)
            return err_sys(err, "create directory '%s'", part);
    }
    return 0;
}

/* A directory of ours whose mode keeps us out is ours all the same. */
static int sys_open_dir(int parent, const char *name)
{
    int named = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd = -1;
    char path[32];
    struct stat st;

    if (named < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", named);
    if (!fstat(named, &st) && (st.st_mode & 0700) != 0700)
        (void)chmod(path, 0700); /* opening says what is wrong */
    fd = openat(named, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)close(named); /* was a name only */
    return fd;
}

#define SYS_REMOVE_DEPTH 32u /* every level holds a descriptor */

struct sys_removal {
    int top;
    unsigned n_moved;
};

/* What lies deeper goes up to the top under a name of its own, and away from there. */
static int sys_move_up(struct sys_removal *r, int parent, const char *name, struct err *err)
{
    char to[32];
    int fd = sys_open_dir(parent, name), rc; /* one that is moved must be writable */

    guard_close(&fd);
    do {
        (void)snprintf(to, sizeof(to), ".%u", r->n_moved++);
        rc = renameat(parent, name, r->top, to);
    } while (rc && (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR));
    return rc && errno != ENOENT ? err_sys(err, "move '%s'", name) : 0;
}

static int sys_remove_at(struct sys_removal *r, int parent, const char *name, unsigned depth,
                         struct err *err);

static int sys_remove_below(struct sys_removal *r, int take_fd, const char *name, unsigned depth,
                            struct err *err)
{
    DIR *dir = fdopendir(take_fd);
    struct dirent *entry;
    int rc = dir ? 0 : err_sys(err, "list '%s'", name);

    if (!dir)
        (void)close(take_fd); /* the listing failed; that is what is reported */
    while (!rc && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            rc = sys_remove_at(r, take_fd, entry->d_name, depth, err);
    if (dir)
        (void)closedir(dir); /* read only */
    return rc;
}

static int sys_remove_at(struct sys_removal *r, int parent, const char *name, unsigned depth,
                         struct err *err)
{
    int fd, rc;

    if (!unlinkat(parent, name, 0) || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_sys(err, "remove '%s'", name);
    if (depth == SYS_REMOVE_DEPTH)
        return sys_move_up(r, parent, name, err);
    fd = sys_open_dir(parent, name);
    if (fd < 0)
        return err_sys(err, "open '%s'", name);
    rc = sys_remove_below(r, fd, name, depth + 1, err);
    if (!rc && unlinkat(parent, name, AT_REMOVEDIR) && errno != ENOENT)
        rc = err_sys(err, "remove directory '%s'", name);
    return rc;
}

int sys_remove_all(const char *path, struct err *err)
{
    struct sys_removal r = { 0 };
    unsigned before;
    int fd, rc = 0;

    if (!unlink(path) || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_sys(err, "remove '%s'", path);
    r.top = sys_open_dir(AT_FDCWD, path);
    if (r.top < 0)
        return err_sys(err, "open '%s'", path);
    do {
        before = r.n_moved;
        fd = openat(r.top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        rc = fd < 0 ? err_sys(err, "open '%s'", path) : sys_remove_below(&r, fd, path, 0, err);
    } while (!rc && r.n_moved != before);
    guard_close(&r.top);
    if (!rc && rmdir(path) && errno != ENOENT)
        rc = err_sys(err, "remove directory '%s'", path);
    return rc;
}

int sys_exists(const char *path)
{
    struct stat st;

    return !lstat(path, &st);
}

int sys_lock_file(const char *path, struct str holder, int *ret_fd, struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    char now[256] = "";

    if (fd < 0)
        return err_sys(err, "open lock '%s'", path);
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK)
            return err_sys(err, "lock '%s'", path);
        (void)!read(fd, now, sizeof(now) - 1); /* the name is a courtesy */
        return err_set(err, ERR_LOCKED, "'%s' is held by %s", path,
                       now[0] ? now : "another process");
    }
    if (ftruncate(fd, 0) || pwrite(fd, holder.p, holder.n, 0) != (ssize_t)holder.n)
        return err_sys(err, "write lock '%s'", path);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* What we were started with; a hard limit of 0: nothing was raised. */
static struct rlimit sys_files_given;

void sys_raise_files(void)
{
    struct rlimit files, wanted;

    if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= SYS_FILES_MAX)
        return;
    wanted = files;
    wanted.rlim_cur = files.rlim_max < SYS_FILES_MAX ? files.rlim_max : SYS_FILES_MAX;
    if (wanted.rlim_cur > files.rlim_cur && !setrlimit(RLIMIT_NOFILE, &wanted))
        sys_files_given = files;
}

void sys_restore_files(void)
{
    if (sys_files_given.rlim_max)
        (void)setrlimit(RLIMIT_NOFILE, &sys_files_given); /* lower: nothing refuses it */
}

int sys_disk_free(const char *path, int64_t *ret_free, int64_t *ret_size, struct err *err)
{
    struct statvfs fs;

    if (statvfs(path, &fs))
        return err_sys(err, "statvfs '%s'", path);
    *ret_free = (int64_t)(fs.f_bavail * fs.f_frsize);
    *ret_size = (int64_t)(fs.f_blocks * fs.f_frsize);
    return 0;
}
