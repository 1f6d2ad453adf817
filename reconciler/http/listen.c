/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
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

/* By its own path where that fits, so that listen_is_path() finds it again. */
static int make_address(const char *path, struct sockaddr_un *ret, int *ret_dir, struct err *err)
{
    int rc;

    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    rc = listen_address(path, ret->sun_path, ret_dir, err);
    if (!rc && strlen(path) < sizeof(ret->sun_path))
        strcpy(ret->sun_path, path);
    return rc;
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

/* --- TCP ----------------------------------------------------------------------------------------- */

static int resolve(struct str address, struct addrinfo **ret, struct err *err)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct str port = address, host;
    char host_text[256], port_text[8];
    int rc;

    (void)str_next(&port, ':', &host);
    if (host.n >= sizeof(host_text) || port.n >= sizeof(port_text) || !port.n)
        return err_set(err, ERR_INVALID, "'%.*s' is not HOST:PORT", STR_ARG(address));
    (void)snprintf(host_text, sizeof(host_text), "%.*s", STR_ARG(host));
    (void)snprintf(port_text, sizeof(port_text), "%.*s", STR_ARG(port));
    rc = getaddrinfo(host_text, port_text, &hints, ret);
    return rc ? err_set(err, ERR_INVALID, "listen at '%.*s': %s", STR_ARG(address),
                        gai_strerror(rc))
              : 0;
}

static int is_loopback(const struct sockaddr *address)
{
    union {
        const struct sockaddr *any;
        const struct sockaddr_in *v4;
        const struct sockaddr_in6 *v6;
    } a = { address };

    if (address->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&a.v6->sin6_addr);
    return address->sa_family == AF_INET && ntohl(a.v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

int listen_tcp(struct str address, int *ret_fd, struct err *err)
{
    AUTO_CLOSE int fd = -1;
    struct addrinfo *found;
    int one = 1, rc = resolve(address, &found, err);

    if (rc)
        return rc;
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
        bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, LISTEN_TCP_BACKLOG))
        rc = err_set(err, errno == EADDRINUSE ? ERR_LOCKED : ERR_IO, "listen at '%.*s': %s",
                     STR_ARG(address), strerror(errno));
    freeaddrinfo(found);
    if (!rc)
        *ret_fd = TAKE_FD(fd);
    return rc;
}

/* --- what listens already ------------------------------------------------------------------------ */

union listen_name {
    struct sockaddr any;
    struct sockaddr_un path;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int name_of(int fd, union listen_name *ret)
{
    socklen_t n = sizeof(*ret);

    *ret = (union listen_name){ 0 };
    return getsockname(fd, &ret->any, &n);
}

int listen_is_path(int fd, const char *path)
{
    union listen_name name;

    return !name_of(fd, &name) && name.any.sa_family == AF_UNIX &&
           !strncmp(name.path.sun_path, path, sizeof(name.path.sun_path));
}

static int is_same(const union listen_name *a, const struct addrinfo *b)
{
    union listen_name other = { 0 };

    if (b->ai_family != a->any.sa_family || b->ai_addrlen > sizeof(other))
        return 0;
    memcpy(&other, b->ai_addr, b->ai_addrlen);
    if (b->ai_family == AF_INET6)
        return other.v6.sin6_port == a->v6.sin6_port &&
               !memcmp(&other.v6.sin6_addr, &a->v6.sin6_addr, sizeof(other.v6.sin6_addr));
    return b->ai_family == AF_INET && other.v4.sin_port == a->v4.sin_port &&
           other.v4.sin_addr.s_addr == a->v4.sin_addr.s_addr;
}

int listen_is_tcp(int fd, struct str address)
{
    struct err no = ERR_INIT;
    union listen_name name;
    struct addrinfo *found;
    int is;

    if (name_of(fd, &name) || resolve(address, &found, &no))
        return 0;
    is = is_same(&name, found);
    freeaddrinfo(found);
    return is;
}

int listen_is_local(int fd)
{
    union listen_name name;

    return !name_of(fd, &name) && is_loopback(&name.any);
}
