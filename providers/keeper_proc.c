/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/keeper_proc.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/guard.h"

#define KEEPER_TCP_LISTEN 0x0a

int keeper_proc_read(pid_t pid, struct keeper_proc *ret)
{
    struct keeper_proc p = { .pid = pid };
    char path[32], text[1024], *at;
    unsigned long long user, system, ended_user, ended_system;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    {
        AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

        n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    }
    if (n <= 0)
        return -1;
    text[n] = 0;
    at = strrchr(text, ')'); /* the name may hold anything */
    if (!at ||
        sscanf(at + 1,
               " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %*d %*d %*d %llu",
               &p.state, &p.parent, &p.session, &user, &system, &ended_user, &ended_system,
               &p.start) != 8)
        return -1;
    p.own = user + system;
    p.ended = ended_user + ended_system;
    *ret = p;
    return 0;
}

static void keeper_proc_all(struct arena *a, struct keeper_procs *ret)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    struct keeper_proc one, *slot;

    while (proc && (entry = readdir(proc)))
        if (atoi(entry->d_name) > 0 && !keeper_proc_read((pid_t)atoi(entry->d_name), &one) &&
            one.state != 'Z' && (slot = vec_push(a, &ret->list)))
            *slot = one;
    if (proc)
        (void)closedir(proc); /* only read */
}

static int keeper_proc_is_in(const struct keeper_procs *procs, pid_t pid)
{
    for (size_t i = 0; i < procs->list.n; i++)
        if (procs->list.p[i].pid == pid)
            return 1;
    return 0;
}

void keeper_proc_family(struct arena *a, pid_t keeper, struct keeper_procs *ret)
{
    struct keeper_procs all = { 0 };
    size_t before;

    *ret = (struct keeper_procs){ 0 };
    if (keeper <= 1)
        return;
    keeper_proc_all(a, &all);
    do { /* a generation each time round */
        before = ret->list.n;
        for (size_t i = 0; i < all.list.n; i++) {
            const struct keeper_proc *p = &all.list.p[i];
            struct keeper_proc *slot;

            if (p->pid == keeper || keeper_proc_is_in(ret, p->pid) ||
                (p->session != keeper && p->parent != keeper && !keeper_proc_is_in(ret, p->parent)))
                continue;
            slot = vec_push(a, &ret->list);
            if (slot)
                *slot = *p;
        }
    } while (ret->list.n > before);
}

int64_t keeper_proc_used_us(struct arena *a, pid_t keeper)
{
    long ticks_a_second = sysconf(_SC_CLK_TCK);
    struct keeper_procs family;
    struct keeper_proc one;
    unsigned long long ticks = 0;

    if (ticks_a_second <= 0 || keeper_proc_read(keeper, &one))
        return -1;
    ticks = one.ended; /* what ran itself is the keeper's own affair */
    keeper_proc_family(a, keeper, &family);
    for (size_t i = 0; i < family.list.n; i++)
        ticks += family.list.p[i].own + family.list.p[i].ended;
    return (int64_t)(ticks * 1000000 / (unsigned long long)ticks_a_second);
}

/* The inodes of listening sockets on `port` out of one answer; 0 when it was the last. */
static int keeper_proc_take_listeners(struct arena *a, char *bytes, size_t n, unsigned port,
                                      struct keeper_inodes *ret)
{
    struct nlmsghdr *h = (void *)bytes; /* the kernel aligns them */

    for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
        const struct inet_diag_msg *m = NLMSG_DATA(h);
        unsigned long *slot;

        if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
            return 0;
        if (ntohs(m->id.idiag_sport) == port && (slot = vec_push(a, &ret->list)))
            *slot = m->idiag_inode;
    }
    return 1;
}

/* Asked of the kernel by state: /proc/net/tcp lists every connection and takes seconds under load. */
static void keeper_proc_listeners(struct arena *a, uint8_t family, unsigned port,
                                  struct keeper_inodes *ret)
{
    AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    const struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } ask = {
        .header = { .nlmsg_len = sizeof(ask),
                    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .request = { .sdiag_family = family,
                     .sdiag_protocol = IPPROTO_TCP,
                     .idiag_states = 1u << KEEPER_TCP_LISTEN },
    };
    _Alignas(struct nlmsghdr) char answer[32768];
    ssize_t n;

    if (fd < 0 || send(fd, &ask, sizeof(ask), 0) != (ssize_t)sizeof(ask))
        return; /* nothing is known to listen */
    do
        n = recv(fd, answer, sizeof(answer), 0);
    while (n > 0 && keeper_proc_take_listeners(a, answer, (size_t)n, port, ret));
}

static int keeper_proc_holds(pid_t pid, const struct keeper_inodes *inodes)
{
    char path[64], link[64];
    struct dirent *entry;
    DIR *fds;
    int found = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    fds = opendir(path);
    while (fds && !found && (entry = readdir(fds))) {
        unsigned long inode;
        ssize_t n = readlinkat(dirfd(fds), entry->d_name, link, sizeof(link) - 1);

        if (n <= 0)
            continue;
        link[n] = 0;
        if (sscanf(link, "socket:[%lu]", &inode) != 1)
            continue;
        for (size_t i = 0; i < inodes->list.n; i++)
            found |= inodes->list.p[i] == inode;
    }
    if (fds)
        (void)closedir(fds); /* only read */
    return found;
}

void keeper_proc_sockets(struct arena *a, unsigned port, struct keeper_inodes *ret)
{
    *ret = (struct keeper_inodes){ 0 };
    keeper_proc_listeners(a, AF_INET, port, ret);
    keeper_proc_listeners(a, AF_INET6, port, ret);
}

int keeper_proc_listens(struct arena *a, const struct keeper_procs *procs, unsigned port)
{
    struct keeper_inodes inodes;

    keeper_proc_sockets(a, port, &inodes);
    for (size_t i = 0; inodes.list.n && i < procs->list.n; i++)
        if (keeper_proc_holds(procs->list.p[i].pid, &inodes))
            return 1;
    return 0;
}
