/*
 * edge_connect: connections of the proxy begin with a request. SPDX-License-Identifier: Apache-2.0
 *
 * Preloaded into HAProxy. The last step of a handshake waits for the first bytes to send, at most
 * 200 ms: an application never sees a connection without its request, so one that closes idle
 * connections finds none. HAProxy's own `option tcp-smart-connect` would do the same, but asks
 * whether there is an answer to send where it means the request (2.6 up to today), and so never does.
 *
 * Thread   any. Links libc alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

typedef int edge_connect_fn(int fd, const struct sockaddr *to, socklen_t n);

static edge_connect_fn *edge_connect_next;
static pthread_once_t edge_connect_once = PTHREAD_ONCE_INIT;

static void edge_connect_find(void)
{
    edge_connect_next = (edge_connect_fn *)dlsym(RTLD_NEXT, "connect");
}

__attribute__((visibility("default"))) int connect(int fd, const struct sockaddr *to, socklen_t n)
{
    int off = 0;

    (void)pthread_once(&edge_connect_once, edge_connect_find); /* cannot fail with this argument */
    if (!edge_connect_next) {
        errno = ENOSYS;
        return -1;
    }
    if (to->sa_family == AF_INET)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off)); /* as before without */
    return edge_connect_next(fd, to, n);
}
