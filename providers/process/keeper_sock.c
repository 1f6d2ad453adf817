/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int64_t keeper_number(const char *line, const char *name, int64_t otherwise)
{
    const char *at = strstr(line, name); /* canonical JSON, and no text of ours holds a quote */

    return at ? strtoll(at + strlen(name), NULL, 10) : otherwise;
}

static const char *keeper_do(struct keeper *k, struct keeper_client *c)
{
    uint64_t epoch = (uint64_t)keeper_number(c->line, "\"epoch\":", 0);
    struct keeper_orders fresh;

    if (strstr(c->line, "\"do\":\"status\""))
        return "";
    if (epoch < k->epoch)
        return "epoch";
    if (epoch > k->epoch) {
        k->epoch = epoch;
        keeper_files_state(k);
    }
    if (strstr(c->line, "\"do\":\"hello\""))
        return "";
    if (strstr(c->line, "\"do\":\"freeze\""))
        return keeper_freeze_set(k, KEEPER_FREEZE) ? "refused" : "";
    if (strstr(c->line, "\"do\":\"thaw\""))
        return keeper_freeze_set(k, KEEPER_THAW) ? "refused" : "";
    if (strstr(c->line, "\"do\":\"drain\"")) {
        if (k->child && k->state == RUNNING)
            (void)kill(-k->child, SIGWINCH); /* gone already is as good */
        return "";
    }
    if (strstr(c->line, "\"do\":\"stop\"")) {
        k->start_again = 0;
        if (k->state < STOPPING)
            keeper_program_stop(k, keeper_number(c->line, "\"grace_ms\":", k->orders.grace_ms));
        return "";
    }
    if (strstr(c->line, "\"do\":\"restart\"") && k->state < STOPPING) {
        k->start_again = k->child != 0;
        if (k->child)
            keeper_program_stop(k, k->orders.grace_ms);
        else
            k->start_at_ms = 0;
        return "";
    }
    if (strstr(c->line, "\"do\":\"env\"") && !keeper_orders_read(c->orders_fd, &fresh)) {
        keeper_orders_forget(&k->orders);
        k->orders = fresh;
        return "";
    }
    if (strstr(c->line, "\"do\":\"replace\"") && !keeper_orders_read(c->orders_fd, &fresh)) {
        if (!keeper_hand_begin(k, &fresh))
            return "";
        keeper_orders_forget(&fresh);
    }
    return "refused";
}

static void keeper_hang_up(struct keeper_client *c)
{
    if (c->fd >= 0)
        (void)close(c->fd); /* it has its answer, or does not want one */
    if (c->orders_fd >= 0)
        (void)close(c->orders_fd); /* was read */
    *c = (struct keeper_client){ .fd = -1, .orders_fd = -1 };
}

void keeper_sock_hear(struct keeper *k, struct keeper_client *c)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    char text[1024];
    struct iovec io = { c->line + c->n, sizeof(c->line) - 1 - c->n };
    struct msghdr m = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    ssize_t got = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *head = got > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    char *end;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        keeper_hang_up(c);
        return;
    }
    if (head && head->cmsg_type == SCM_RIGHTS) {
        if (c->orders_fd >= 0)
            (void)close(c->orders_fd); /* the last one counts */
        memcpy(&c->orders_fd, CMSG_DATA(head), sizeof(int));
    }
    c->n += (size_t)got;
    while ((end = memchr(c->line, '\n', c->n))) {
        size_t used = (size_t)(end + 1 - c->line), n;

        *end = 0;
        n = keeper_files_format(k, keeper_do(k, c), text, sizeof(text));
        (void)!send(c->fd, text, n,
                    MSG_DONTWAIT | MSG_NOSIGNAL); /* who does not listen asks again */
        c->n -= used;
        memmove(c->line, c->line + used, c->n);
    }
    if (c->n == sizeof(c->line) - 1)
        keeper_hang_up(c);
}

void keeper_sock_accept(struct keeper *k)
{
    int fd = accept4(k->listener, NULL, NULL, SOCK_CLOEXEC);

    for (int i = 0; fd >= 0 && i < KEEPER_CLIENTS; i++)
        if (k->clients[i].fd < 0) {
            k->clients[i].fd = fd;
            return;
        }
    if (fd >= 0)
        (void)close(fd); /* too many: it tries again */
}

int keeper_sock_listen(struct keeper *k)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    (void)snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/sock", k->dir);
    (void)unlinkat(k->dir, "sock", 0); /* of one that died */
    k->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (k->listener < 0 || bind(k->listener, (struct sockaddr *)&at, sizeof(at)))
        return -1;
    return listen(k->listener, KEEPER_CLIENTS);
}
