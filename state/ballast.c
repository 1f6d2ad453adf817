/* SPDX-License-Identifier: Apache-2.0 */
#include "state/ballast.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"

static int ballast_path(char path[static PATH_MAX], const char *state_path, struct err *err)
{
    int n = snprintf(path, PATH_MAX, "%s.ballast", state_path);

    if (n < 0 || n >= PATH_MAX)
        return err_set(err, ERR_LIMIT, "path '%s' is too long", state_path);
    return 0;
}

static int ballast_is_whole(const char *path)
{
    struct stat st;

    return !lstat(path, &st) && st.st_size == BALLAST_BYTES;
}

int ballast_make(const char *state_path, struct err *err)
{
    char path[PATH_MAX];
    AUTO_CLOSE int fd = -1;
    int rc = ballast_path(path, state_path, err);

    if (rc || ballast_is_whole(path))
        return rc;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(err, "create '%s'", path);
    errno = posix_fallocate(fd, 0, BALLAST_BYTES);
    if (errno || fsync(fd)) {
        rc = err_sys(err, "reserve '%s'", path);
        (void)unlink(path); /* a part of it would help nobody */
        return rc;
    }
    return 0;
}

int ballast_remove(const char *state_path, struct err *err)
{
    char path[PATH_MAX];
    int rc = ballast_path(path, state_path, err);

    if (!rc && unlink(path) && errno != ENOENT)
        return err_sys(err, "remove '%s'", path);
    return rc;
}

int ballast_is_there(const char *state_path)
{
    struct err err = ERR_INIT;
    char path[PATH_MAX];

    return !ballast_path(path, state_path, &err) && ballast_is_whole(path);
}
