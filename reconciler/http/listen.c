/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/guard.h"
#include "base/sys.h"

int listen_address(const char *path, char *ret, int *ret_dir, struct err *err)
{
    const char *name = strrchr(path, '/');
    char dir[4096];
    int n;

    name = name ? name + 1 : path;
    n = snprintf(dir, sizeof(dir), "%.*s", (int)(name - path), path);
    if (n < 0 || (size_t)n >= sizeof(dir) || !*name)
        return err_set(err, ERR_INVALID, "'%s' is not the path of a socket", path);
    *ret_dir = open(n ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret_dir < 0)
        return err_set(err, ERR_UNREACHABLE, "directory of socket '%s': %s", path, strerror(errno));
    n = snprintf(ret, LISTEN_ADDRESS_BYTES, "/proc/self/fd/%d/%s", *ret_dir, name);
    if (n < 0 || n >= LISTEN_ADDRESS_BYTES)
        return err_set(err, ERR_INVALID, "the name of socket '%s' is too long", path);
    return 0;
}

static int make_address(const char *path, struct sockaddr_un *ret, int *ret_dir, struct err *err)
{
    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    return listen_address(path, ret->sun_path, ret_dir, err);
}

int listen_connect(const char *path, int *ret_fd, struct err *err)
{
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    AUTO_CLOSE int dir = -1;
    struct sockaddr_un address;
    int rc;

    if (fd < 0)
        return err_sys(err, "socket");
    rc = make_address(path, &address, &dir, err);
    if (rc)
        return rc;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
        return err_set(err, ERR_UNREACHABLE, "connect to '%s': %s", path, strerror(errno));
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* Make room: 0 when nothing is in the way any more. */
static int clear_path(const char *path, struct err *err)
{
    AUTO_CLOSE int fd = -1;
    struct err no = ERR_INIT;
    struct stat st;

    if (lstat(path, &st))
        return errno == ENOENT ? 0 : err_sys(err, "socket '%s'", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, ERR_CONFLICT, "'%s' exists and is not a socket", path);
    if (!listen_connect(path, &fd, &no))
        return err_set(err, ERR_LOCKED, "another daemon answers at '%s'", path);
    if (unlink(path) && errno != ENOENT)
        return err_sys(err, "remove stale socket '%s'", path);
    return 0;
}

static int make_directory(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char dir[4096];

    if (!slash || slash == path)
        return 0;
    (void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path),
                   path); /* a cut one fails to open */
    return sys_mkdir_all(dir, 0750, err);
}

int listen_open(const char *path, int *ret_fd, struct err *err)
{
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    AUTO_CLOSE int dir = -1;
    struct sockaddr_un address;
    int rc = fd < 0 ? err_sys(err, "socket") : make_directory(path, err);

    if (!rc)
        rc = clear_path(path, err);
    if (!rc)
        rc = make_address(path, &address, &dir, err);
    if (rc)
        return rc;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
        return err_sys(err, "bind '%s'", path);
    if (chmod(path, 0660) || listen(fd, LISTEN_BACKLOG))
        return err_sys(err, "listen at '%s'", path);
    *ret_fd = TAKE_FD(fd);
    return 0;
}
