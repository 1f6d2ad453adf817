/* engine/git_cage: what a process can no longer do. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "reconciler/engine/git_cage.h"

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
    struct sockaddr_storage nobody = { .ss_family = AF_INET };

    return connect(fd, (struct sockaddr *)&nobody, sizeof(struct sockaddr));
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

static const struct {
    const char *sentence;
    int (*does)(void);
    int is_refused;
} rows[] = {
    { "opens a socket", opens_a_socket, 1 },
    { "opens a socket on this machine", opens_a_unix_socket, 1 },
    { "starts a program", starts_a_program, 1 },
    { "makes a namespace", makes_a_namespace, 1 },
    { "reads a file", reads_a_file, 0 },
    { "makes a child, a thread", makes_a_child, 0 },
};

/* In a child, for it is for good. 0: as the row says. */
static int child_status(size_t i, int open_fd)
{
    struct err err = ERR_INIT;
    int status = 0;
    pid_t child = fork();

    if (!child) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || git_cage_close(&err))
            _exit(2);
        if (connects_what_was_open(open_fd) != -1 || errno != EACCES)
            _exit(3);
        errno = 0;
        if ((rows[i].does() < 0) != rows[i].is_refused || (rows[i].is_refused && errno != EACCES))
            _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_the_cage_is_closed(void **state)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_true(fd >= 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (child_status(i, fd))
            fail_msg("%s: not as it should be", rows[i].sentence);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_the_cage_is_closed) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
