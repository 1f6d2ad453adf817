/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/tap.h"

#include <errno.h>
#include <sys/socket.h>

#include "reconciler/http/server_parts.h"

static _Thread_local struct connections *running; /* NULL: libmicrohttpd does not run here */

void tap_begin(struct connections *all, int is_sealed)
{
    running = all;
    tap_tls_set(is_sealed);
}

void tap_end(void)
{
    running = NULL;
    tap_tls_set(0);
}

ssize_t tap_read(struct connection *c, const struct tap_source *source, char *ret, size_t n)
{
    size_t done = intake_take(&c->intake, ret, n), size;
    ssize_t got = source->again;
    char *room;

    errno = EAGAIN;
    while (done < n && (room = intake_room(&c->intake, &size))) {
        got = source->read(source->from, room, size);
        if (got <= 0)
            break;
        intake_came(&c->intake, (size_t)got);
        done += intake_take(&c->intake, ret + done, n - done);
        got = source->again;
        errno = EAGAIN;
    }
    return done ? (ssize_t)done : got;
}

static ssize_t read_socket(void *from, char *ret, size_t n)
{
    const struct connection *c = from;

    return recvfrom(c->fd, ret, n, 0, NULL, NULL);
}

ssize_t recv(int fd, void *bytes, size_t n, int flags)
{
    struct connection *c;

    if (!running || tap_tls_is_set())
        return recvfrom(fd, bytes, n, flags, NULL, NULL);
    c = connections_find(running, fd);
    if (c)
        return tap_read(c, &(struct tap_source){ read_socket, c, -1 }, bytes, n);
    errno = ECONNRESET; /* nobody knows it: there was no memory */
    return -1;
}
