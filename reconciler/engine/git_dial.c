/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_dial.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/git_cage.h"

#define DIAL_GRACE_MS 2000 /* for the child's answer behind its own time-out */

struct dial_answer { /* a socket comes with it when both are 0 */
    int lookup;      /* of getaddrinfo() */
    int error;       /* of the last address that was tried */
};

/* --- the child ----------------------------------------------------------------------------------- */

static int dial_one(const struct addrinfo *to, int64_t timeout_ms, int *ret_fd)
{
    AUTO_CLOSE int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd ready = { .fd = fd, .events = POLLOUT };
    int error = 0;
    socklen_t n = sizeof(error);

    if (fd < 0)
        return errno;
    if (!connect(fd, to->ai_addr, to->ai_addrlen)) {
        *ret_fd = TAKE_FD(fd);
        return 0;
    }
    if (errno != EINPROGRESS)
        return errno;
    if (poll(&ready, 1, (int)timeout_ms) <= 0)
        return ETIMEDOUT;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n))
        return errno;
    if (!error)
        *ret_fd = TAKE_FD(fd);
    return error;
}

/* One after the other, each with its share of the time that is left. */
static int dial_any(const struct addrinfo *list, int64_t timeout_ms, int *ret_fd)
{
    int64_t until_ms = sys_mono_ms() + timeout_ms;
    int n_left = 0, error = EHOSTUNREACH;

    for (const struct addrinfo *a = list; a; a = a->ai_next)
        n_left++;
    for (const struct addrinfo *a = list; a && error; a = a->ai_next) {
        int64_t left_ms = until_ms - sys_mono_ms();

        if (left_ms <= 0)
            return ETIMEDOUT;
        error = dial_one(a, left_ms / n_left--, ret_fd);
    }
    return error;
}

static int dial_answer(int to, const struct dial_answer *answer, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { .bytes = { 0 } };
    struct iovec part = { (void *)(uintptr_t)answer, sizeof(*answer) };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    struct cmsghdr *c;

    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    return sendmsg(to, &message, MSG_NOSIGNAL) < 0;
}

/* Until nobody asks any more. */
static void dial_serve(int from, struct str host, int port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *list = NULL;
    char name[NI_MAXHOST], service[16];
    int64_t timeout_ms;

    (void)snprintf(name, sizeof(name), "%.*s", STR_ARG(host)); /* one that is cut is not found */
    (void)snprintf(service, sizeof(service), "%d", port);      /* fits */
    while (recv(from, &timeout_ms, sizeof(timeout_ms), 0) == sizeof(timeout_ms)) {
        struct dial_answer answer = { 0 };
        AUTO_CLOSE int fd = -1;

        if (!list)
            answer.lookup = getaddrinfo(name, service, &hints, &list);
        if (!answer.lookup)
            answer.error = dial_any(list, timeout_ms, &fd);
        if (dial_answer(from, &answer, fd))
            break;
    }
    if (list)
        freeaddrinfo(list);
}

/* It reads what a resolver answers: that leads to hosts and nowhere else. */
static int dial_harden(pid_t parent)
{
    struct err unsaid = ERR_INIT; /* who asks finds nobody */

    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || getppid() != parent ||
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || git_cage_close(GIT_CAGE_HOSTS, &unsaid);
}

static _Noreturn void dial_child(int from, pid_t parent, struct str host, int port)
{
    if (from > 0)
        (void)close_range(0, (unsigned)from - 1, 0); /* what cannot be closed was not open */
    (void)close_range((unsigned)from + 1, ~0u, 0);
    if (!dial_harden(parent))
        dial_serve(from, host, port);
    _exit(0);
}

/* --- who asks ------------------------------------------------------------------------------------ */

int git_dial_open(struct git_dial *d, struct str host, int port, struct err *err)
{
    pid_t me = getpid(), pid;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return err_sys(err, "a channel to who connects");
    pid = fork();
    if (!pid)
        dial_child(ends[1], me, host, port);
    (void)close(ends[1]); /* the child's */
    if (pid < 0) {
        (void)close(ends[0]);
        return err_sys(err, "a child that connects");
    }
    *d = (struct git_dial){ ends[0], pid };
    return 0;
}

/* 0: it answered. */
static int dial_hear(int from, int64_t timeout_ms, struct dial_answer *ret, int *ret_fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = { ret, sizeof(*ret) };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };
    struct pollfd ready = { .fd = from, .events = POLLIN };
    const struct cmsghdr *c;

    if (poll(&ready, 1, (int)timeout_ms) <= 0 ||
        recvmsg(from, &message, MSG_CMSG_CLOEXEC) != sizeof(*ret))
        return -1;
    c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_type == SCM_RIGHTS)
        memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
    return 0;
}

int git_dial_connect(const struct git_dial *d, int64_t timeout_ms, int *ret_fd, struct err *err)
{
    struct dial_answer answer = { 0 };
    int fd = -1;

    if (send(d->fd, &timeout_ms, sizeof(timeout_ms), MSG_NOSIGNAL) != sizeof(timeout_ms))
        return err_sys(err, "ask for a connection");
    if (dial_hear(d->fd, timeout_ms + DIAL_GRACE_MS, &answer, &fd))
        return err_set(err, ERR_TIMEOUT, "the host's name is not answered in time");
    if (answer.lookup)
        return err_set(err, ERR_UNREACHABLE, "the host's name: %s", gai_strerror(answer.lookup));
    if (answer.error)
        return err_set(err, answer.error == ETIMEDOUT ? ERR_TIMEOUT : ERR_UNREACHABLE,
                       "the host is not reached: %s", strerror(answer.error));
    if (fd < 0)
        return err_set(err, ERR_IO, "the connection did not arrive");
    *ret_fd = fd;
    return 0;
}

void git_dial_close(struct git_dial *d)
{
    if (!d->pid)
        return;
    (void)close(d->fd);
    (void)kill(d->pid, SIGKILL); /* it may be asking a resolver that does not answer */
    while (waitpid(d->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *d = (struct git_dial){ 0, 0 };
}
