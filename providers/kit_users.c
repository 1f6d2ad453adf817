/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/kit_users.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/guard.h"

#define KIT_USERS_ANSWER_MS 5000
#define KIT_USERS_RUN_MS 60000u

static int kit_users_send(int grant, uint32_t uid, int answer_to)
{
    const struct users_ask ask = { USERS_MAGIC, uid };
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr head;
    } control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    struct iovec io = { (void *)(uintptr_t)&ask, sizeof(ask) };
    struct msghdr m = { .msg_iov = &io,
                        .msg_iovlen = 1,
                        .msg_control = control.bytes,
                        .msg_controllen = sizeof(control.bytes) };

    memcpy(CMSG_DATA(&control.head), &answer_to, sizeof(int));
    return sendmsg(grant, &m, MSG_NOSIGNAL) == sizeof(ask) ? 0 : -1;
}

static int kit_users_hear(int fd)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    char byte;
    struct iovec io = { &byte, 1 };
    struct msghdr m = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct pollfd p = { fd, POLLIN, 0 };
    struct cmsghdr *head;
    int users = -1;

    if (poll(&p, 1, KIT_USERS_ANSWER_MS) <= 0 || recvmsg(fd, &m, MSG_CMSG_CLOEXEC) != 1)
        return -1;
    head = CMSG_FIRSTHDR(&m);
    if (head && head->cmsg_type == SCM_RIGHTS)
        memcpy(&users, CMSG_DATA(head), sizeof(int));
    return users;
}

int kit_users_ask(int grant, uint32_t uid, int *ret_fd, struct err *err)
{
    AUTO_CLOSE int ours = -1;
    AUTO_CLOSE int theirs = -1;
    int ends[2], users;

    if (grant <= 0)
        return err_set(err, ERR_REFUSED, "isolation uid needs a daemon that was started as root");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return err_sys(err, "socketpair");
    ours = ends[0];
    theirs = ends[1];
    if (kit_users_send(grant, uid, theirs))
        return err_sys(err, "ask for uid %u", uid);
    guard_close(&theirs);
    users = kit_users_hear(ours);
    if (users < 0)
        return err_set(err, ERR_REFUSED, "uid %u is not granted", uid);
    *ret_fd = users;
    return 0;
}

int kit_users_of(pid_t pid, int *ret_fd, struct err *err)
{
    char path[64];
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "users of process %d", pid);
    *ret_fd = fd;
    return 0;
}

int kit_users_run(const struct rv_host *h, struct arena *a, struct str keeper,
                  const struct str *words, size_t n, int users, int dir, struct err *err)
{
    struct rv_str *argv = arena_new_n(a, struct rv_str, n + 1);
    const int fds[] = { users, dir };
    struct rv_exit exit = { .size = sizeof(exit) };
    struct rv_exec exec = { .size = sizeof(exec),
                            .timeout_ms = KIT_USERS_RUN_MS,
                            .n_argv = (uint32_t)n + 1,
                            .argv = argv,
                            .n_fds = dir < 0 ? 1 : 2,
                            .fds = fds };

    while (keeper.n && keeper.p[keeper.n - 1] != '/')
        keeper.n--;
    if (!argv)
        return arena_status(a, err);
    argv[0] = kit_rv(str_fmt(a, "%.*sreeve-users", STR_ARG(keeper)));
    for (size_t i = 0; i < n; i++)
        argv[1 + i] = kit_rv(words[i]);
    if (arena_status(a, err))
        return err->code;
    if (h->exec(h->ctx, &exec, &exit))
        return err_set(err, ERR_IO, "%.*s as uid of the environment: it did not end",
                       STR_ARG(words[0]));
    if (exit.status == USERS_TOO_DEEP)
        return err_set(err, ERR_LIMIT, "directories are nested too deeply");
    if (exit.signal || exit.status)
        return err_set(err, ERR_IO, "%.*s as uid of the environment: status %d", STR_ARG(words[0]),
                       exit.status);
    return 0;
}
