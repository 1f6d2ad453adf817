/* reeve-users: the one that keeps CAP_SETUID, and what is done as somebody else. SPDX-License-Identifier: Apache-2.0 */
#include "providers/launch/users.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GRANT_UID, GRANT_GID, GRANT_FROM, GRANT_TO };

static int users_keep(uint32_t caps)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { .effective = caps, .permitted = caps } };

    return (int)syscall(SYS_capset, &head, data);
}

/* The daemon's user with the right to be somebody else, and no other. */
static int grant_drop(const uint32_t range[4])
{
    const struct rlimit none = { 0 };

    if (setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL))
        return -1;
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
            return -1;
    /* Readable by its user: to trace it needs the rights that it has and nobody else. */
    return setresgid(range[GRANT_GID], range[GRANT_GID], range[GRANT_GID]) ||
                   setresuid(range[GRANT_UID], range[GRANT_UID], range[GRANT_UID]) ||
                   users_keep(1u << CAP_SETUID | 1u << CAP_SETGID) || prctl(PR_SET_DUMPABLE, 1)
               ? -1
               : 0;
}

static int grant_write(pid_t of, const char *file, uint32_t ours, uint32_t theirs)
{
    char path[64], text[64];
    int n, fd, ok;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", of, file);
    n = snprintf(text, sizeof(text), "%u %u 1\n%u %u 1\n", ours, ours, theirs, theirs);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    ok = fd >= 0 && write(fd, text, (size_t)n) == n;
    if (fd >= 0 && close(fd))
        ok = 0;
    return ok ? 0 : -1;
}

/* The namespace outlives who it was made with: a descriptor holds it. -1: none. */
static int grant_users(const uint32_t range[4], uint32_t uid)
{
    char path[64], byte;
    int ends[2], users = -1;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC))
        return -1;
    pid = fork();
    if (pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) || unshare(CLONE_NEWUSER) ||
            write(ends[1], "", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    (void)close(ends[1]); /* the child's */
    if (pid > 0 && read(ends[0], &byte, 1) == 1 &&
        !grant_write(pid, "uid_map", range[GRANT_UID], uid) &&
        !grant_write(pid, "gid_map", range[GRANT_GID], uid)) {
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
        users = open(path, O_RDONLY | O_CLOEXEC);
    }
    (void)close(ends[0]); /* was read */
    if (pid > 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
    return users;
}

static void grant_answer(int to, int users)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr head;
    } control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    struct iovec io = { "", 1 };
    struct msghdr m = { .msg_iov = &io,
                        .msg_iovlen = 1,
                        .msg_control = control.bytes,
                        .msg_controllen = sizeof(control.bytes) };

    memcpy(CMSG_DATA(&control.head), &users, sizeof(int));
    (void)!sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT); /* who does not listen asks again */
}

static _Noreturn void grant(const uint32_t range[4])
{
    if (grant_drop(range) || close_range(4, ~0u, 0))
        _exit(1);
    for (;;) {
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        struct users_ask ask = { 0 };
        struct iovec io = { &ask, sizeof(ask) };
        struct msghdr m = { .msg_iov = &io,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof(control) };
        ssize_t n = recvmsg(USERS_FD, &m, MSG_CMSG_CLOEXEC);
        struct cmsghdr *head = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
        int to = -1, users = -1;

        if (n <= 0)
            _exit(0); /* the daemon is gone */
        if (!head || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof(int)))
            continue;
        memcpy(&to, CMSG_DATA(head), sizeof(int));
        if (n == sizeof(ask) && ask.magic == USERS_MAGIC && ask.uid >= range[GRANT_FROM] &&
            ask.uid <= range[GRANT_TO])
            users = grant_users(range, ask.uid);
        if (users >= 0)
            grant_answer(to, users);
        (void)close(to); /* without an answer: refused */
        if (users >= 0)
            (void)close(users); /* theirs now */
    }
}

/* --- the others: in there, with all rights over what is the daemon's or the environment's ------------- */

/* A mode that keeps its owner out keeps nobody out, and a descriptor may only name it. */
static int users_open_dir(void)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", USERS_DIR_FD);
    return chmod(path, 0700) ? -1 : openat(USERS_DIR_FD, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

typedef int users_tree_fn(int dir, uint32_t uid, uint32_t gid);

static int users_own(users_tree_fn *own, uint32_t uid, uint32_t gid)
{
    int dir = users_open_dir();

    return dir < 0 ? -1 : own(dir, uid, gid);
}

static int users_remove(uint32_t uid)
{
    int dir;

    if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid) || users_keep(0))
        return -1;
    dir = users_open_dir();
    return dir < 0 ? -1 : users_tree_remove(dir);
}

static int users_holds_any(char **words)
{
    char **pids = words;

    while (*pids && strcmp(*pids, "--"))
        pids++;
    return *pids && users_holds(words, pids + 1) ? 0 : -1;
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    uint32_t numbers[4] = { 0 };

    for (int i = 0; i < 4 && i + 2 < argc; i++)
        numbers[i] = (uint32_t)strtoul(argv[i + 2], NULL, 10);
    if (argc == 6 && !strcmp(what, "grant"))
        grant(numbers);
    if (setns(USERS_FD, CLONE_NEWUSER))
        return 2;
    if (!strcmp(what, "own") || !strcmp(what, "give"))
        return -users_own(*what == 'o' ? users_tree_own : users_tree_give, numbers[0], numbers[1]);
    if (!strcmp(what, "remove"))
        return users_remove(numbers[0]) ? 1 : 0;
    return !strcmp(what, "holds") && !users_holds_any(argv + 2) ? 0 : 1;
}
