/* engine/git_cage: what a process can no longer do. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "reconciler/engine/git_cage.h"
#include "tests/support/tiny_http.h"

static uint16_t open_port; /* somebody listens there */

static int opens_a_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

static int opens_a_unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int connects_what_was_open(int fd)
{
    struct sockaddr_in somebody = { .sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                    .sin_port = htons(open_port) };

    return connect(fd, (struct sockaddr *)&somebody, sizeof(somebody));
}

static int is_connected(int fd)
{
    struct sockaddr_storage at;
    socklen_t n = sizeof(at);

    return !getpeername(fd, (struct sockaddr *)&at, &n);
}

static int starts_a_program(void)
{
    char name[] = "/bin/true";
    char *argv[] = { name, NULL };

    return execv(name, argv);
}

static int makes_a_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static int reads_a_file(void)
{
    return open("/proc/self/status", O_RDONLY | O_CLOEXEC);
}

static int makes_a_child(void)
{
    pid_t child = fork();

    if (!child)
        _exit(0);
    return child > 0 && waitpid(child, NULL, 0) == child ? 0 : -1;
}

static int makes_a_pair(void)
{
    int ends[2];

    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static int traces_a_child(void)
{
    pid_t child = fork();
    int rc, error;

    if (!child)
        for (;;)
            (void)pause();
    rc = (int)ptrace(PTRACE_ATTACH, child, NULL, NULL);
    error = errno;
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    errno = error;
    return rc;
}
#endif

static const struct {
    const char *sentence;
    int (*does)(void);
    int is_refused[2]; /* by cage */
} rows[] = {
    { "opens a socket", opens_a_socket, { 0, 1 } },
    { "opens a socket on this machine", opens_a_unix_socket, { 1, 1 } },
    { "makes a pair of sockets", makes_a_pair, { 0, 0 } },
    { "starts a program", starts_a_program, { 0, 1 } },
    { "makes a namespace", makes_a_namespace, { 1, 1 } },
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    { "traces a child", traces_a_child, { 1, 1 } },
#endif
    { "reads a file", reads_a_file, { 0, 0 } },
    { "makes a child, a thread", makes_a_child, { 0, 0 } },
};

/* In a child, for it is for good. 0: as the row says. */
static int child_status(size_t i, enum git_cage cage, int open_fd)
{
    int is_refused = rows[i].is_refused[cage];
    struct err err = ERR_INIT;
    int status = 0;
    pid_t child = fork();

    if (!child) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || git_cage_close(cage, &err))
            _exit(2);
        if (cage == GIT_CAGE_SHUT && (connects_what_was_open(open_fd) != -1 ||
                                      errno != EINPROGRESS || is_connected(open_fd)))
            _exit(3);
        errno = 0;
        if ((rows[i].does() < 0) != is_refused || (is_refused && errno != EACCES))
            _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_the_cage_is_closed(void **state)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    int listener = tiny_http_listen(0, &open_port);

    (void)state;
    assert_true(fd >= 0 && listener >= 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        for (int cage = GIT_CAGE_HOSTS; cage <= GIT_CAGE_SHUT; cage++)
            if (child_status(i, (enum git_cage)cage, fd))
                fail_msg("%s: not as it should be in cage %d", rows[i].sentence, cage);
    (void)close(fd);
    (void)close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_the_cage_is_closed) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
