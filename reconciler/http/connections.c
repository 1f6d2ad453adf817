/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/connections.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"

#define SWEEP_MS 500
#define SWEEP_STOP_MS 50

static uid_t peer_uid(int fd)
{
    struct ucred cred = { 0 };
    socklen_t n = sizeof(cred);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) ? (uid_t)-1 : cred.uid;
}

/* An IPv4 address that came to an IPv6 socket is that address. */
static void write_address(const struct sockaddr *from, char *ret)
{
    union {
        const struct sockaddr *any;
        const struct sockaddr_in *v4;
        const struct sockaddr_in6 *v6;
    } a = { from };
    const char *v4_mapped = "::ffff:";

    if (from && from->sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &a.v4->sin_addr, ret, INET6_ADDRSTRLEN);
    if (from && from->sa_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &a.v6->sin6_addr, ret, INET6_ADDRSTRLEN);
    if (!strncmp(ret, v4_mapped, strlen(v4_mapped)) && strchr(ret, '.'))
        memmove(ret, ret + strlen(v4_mapped), strlen(ret) - strlen(v4_mapped) + 1);
}

static void write_network(const char *address, unsigned char *ret)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    memset(ret, 0, CONNECTIONS_NETWORK_BYTES);
    if (inet_pton(AF_INET6, address, bytes) == 1) {
        ret[0] = AF_INET6;
        memcpy(ret + 1, bytes, CONNECTIONS_NETWORK_BYTES - 1);
    } else if (inet_pton(AF_INET, address, bytes) == 1) {
        ret[0] = AF_INET;
        memcpy(ret + 1, bytes, sizeof(struct in_addr));
    }
}

static int is_same(const struct connection *a, const struct connection *b)
{
    return a->uid == b->uid && !memcmp(a->network, b->network, sizeof(a->network));
}

static int is_overdue(const struct connections *all, const struct connection *c, int64_t now_ms)
{
    int64_t limit_ms = all->limit_ms[c->phase];

    if (limit_ms && now_ms - c->since_ms > limit_ms)
        return 1;
    if (!all->is_stopping || c->phase == CONNECTIONS_HANDLED || c->phase == CONNECTIONS_STREAMS)
        return 0;
    return c->phase == CONNECTIONS_IDLE || now_ms - all->stop_ms > all->drain_ms;
}

static void sweep(void *ctx)
{
    struct connections *all = ctx;
    int64_t now_ms = loop_mono_ms(all->loop);

    for (struct connection *c = all->first; c; c = c->next)
        if (is_overdue(all, c, now_ms))
            connections_cut(c);
    if (all->first)
        loop_timer_set(all->sweep, now_ms + (all->is_stopping ? SWEEP_STOP_MS : SWEEP_MS));
    all->cut(all->ctx);
}

int connections_init(struct connections *all, struct err *err)
{
    all->sweep = loop_timer_new(all->loop, sweep, all);
    return all->sweep ? 0 : err_set(err, ERR_NOMEM, "connections: out of memory");
}

void connections_fini(struct connections *all)
{
    if (all->sweep)
        loop_timer_free(all->sweep);
    alloc_free(all->by_fd);
}

/* One more place for each descriptor that there is; 0: there is no memory. */
static int has_place(struct connections *all, int fd)
{
    size_t n = (size_t)fd + 1;
    struct connection **more;

    if (n <= all->n_by_fd)
        return 1;
    n = n < 2 * all->n_by_fd ? 2 * all->n_by_fd : n;
    more = alloc_resize(all->by_fd, n * sizeof(*more));
    if (!more)
        return 0;
    memset(more + all->n_by_fd, 0, (n - all->n_by_fd) * sizeof(*more));
    all->by_fd = more;
    all->n_by_fd = n;
    return 1;
}

struct connection *connections_find(const struct connections *all, int fd)
{
    return fd >= 0 && (size_t)fd < all->n_by_fd ? all->by_fd[fd] : NULL;
}

struct connection *connections_add(struct connections *all, int fd, const struct sockaddr *from)
{
    struct connection *c = has_place(all, fd) ? alloc_zero(sizeof(*c)) : NULL;
    size_t n_same = 0;

    if (!c)
        return NULL;
    all->by_fd[fd] = c;
    *c = (struct connection){ .all = all, .fd = fd, .uid = peer_uid(fd), .next = all->first };
    write_address(from, c->address);
    write_network(c->address, c->network);
    connections_enter(c, CONNECTIONS_HEADERS);
    if (c->next)
        c->next->prev = c;
    all->first = c;
    for (const struct connection *other = c; other; other = other->next)
        n_same += (size_t)is_same(other, c);
    if (n_same > all->n_max)
        connections_cut(c);
    loop_timer_set(all->sweep, loop_mono_ms(all->loop) + SWEEP_MS);
    return c;
}

void connections_remove(struct connection *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        c->all->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->all->by_fd[c->fd] = NULL;
    intake_fini(&c->intake);
    alloc_free(c);
}

void connections_peer(const struct connection *c, struct http_peer *ret)
{
    struct ucred cred = { 0 };
    socklen_t n = sizeof(cred), n_groups = sizeof(ret->groups);

    *ret = (struct http_peer){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
    if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &n))
        return; /* nobody: every route refuses it */
    ret->uid = cred.uid;
    ret->gid = cred.gid;
    ret->pid = cred.pid;
    if (!getsockopt(c->fd, SOL_SOCKET, SO_PEERGROUPS, ret->groups, &n_groups))
        ret->n_groups = n_groups / sizeof(gid_t);
}

void connections_enter(struct connection *c, enum connections_phase phase)
{
    c->phase = phase;
    c->since_ms = loop_mono_ms(c->all->loop);
    if (phase != CONNECTIONS_SENDS && phase != CONNECTIONS_PUSHES)
        c->n_unsent = 0;
}

void connections_cut(struct connection *c)
{
    (void)shutdown(c->fd, SHUT_RDWR); /* it may be at its end already */
}

void connections_stop(struct connections *all)
{
    all->is_stopping = 1;
    all->stop_ms = loop_mono_ms(all->loop);
    loop_timer_set(all->sweep, all->stop_ms);
}

int connections_may_send(const struct connection *c, size_t n_bytes)
{
    size_t n_held = 0;

    for (const struct connection *other = c->all->first; other; other = other->next)
        if (is_same(other, c))
            n_held += other->n_unsent;
    return !n_held || n_held + n_bytes <= c->all->unsent_max;
}
