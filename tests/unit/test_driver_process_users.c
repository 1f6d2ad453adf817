/* reeve-users: what an environment's user left goes, and what it built is ours. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "providers/kit_users.h"

#define OURS 61000
#define THEIRS 60000
#define WORD_(number) #number
#define WORD(number) WORD_(number)

static char dir[64];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/rvusersXXXXXX");
    return !mkdtemp(dir);
}

static int teardown(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    return sys_remove_all(dir, &err);
}

/* As somebody else, whatever is done. */
static void as(unsigned uid, void (*fn)(int at), int at)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
            _exit(1);
        fn(at);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void leave_depth(int at)
{
    for (int i = 0; i < 600; i++) {
        int next;

        if (mkdirat(at, "d", 0700) || (next = openat(at, "d", O_RDONLY | O_DIRECTORY)) < 0 ||
            (i % 5 == 0 && fchmod(at, 0)) || close(at))
            _exit(1);
        at = next;
    }
}

static void leave_names(int at)
{
    int file = openat(at, ".1", O_WRONLY | O_CREAT, 0600);

    if (file < 0 || mkdirat(at, ".0", 0700) || mkdirat(at, ".0/in", 0500) ||
        symlinkat("/etc", at, "link") || mkfifoat(at, "fifo", 0) || fchmodat(at, ".0", 0, 0))
        _exit(1);
    leave_depth(at);
}

static void become(const char *const *words, int three, int four)
{
    char program[512];

    (void)snprintf(program, sizeof(program), "%s", getenv("REEVE_KEEPER"));
    (void)snprintf(strrchr(program, '/'), 16, "/reeve-users");
    if (dup2(three, USERS_FD) == USERS_FD && (four < 0 || dup2(four, USERS_DIR_FD) >= 0))
        execv(program, (char *const *)(uintptr_t)words); /* it does not write through it */
    _exit(127);
}

/* With users that `grant` gave, as the daemon's user: the exit status. */
static int run(const char *what, int at)
{
    const char *const grant[] = { "reeve-users", "grant",      WORD(OURS), WORD(OURS),
                                  WORD(THEIRS),  WORD(THEIRS), NULL };
    const char *const words[] = { "reeve-users", what, WORD(THEIRS), WORD(THEIRS), NULL };
    struct err err = ERR_INIT;
    int ends[2], users, status;
    pid_t granter, pid;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    granter = fork();
    if (granter == 0)
        become(grant, ends[1], -1);
    close(ends[1]);
    if (kit_users_ask(ends[0], THEIRS, &users, &err))
        fail_msg("%s", err.text);
    pid = fork();
    if (pid == 0) {
        if (setresgid(OURS, OURS, OURS) || setresuid(OURS, OURS, OURS))
            _exit(127);
        become(words, users, at);
    }
    close(users);
    close(ends[0]); /* it ends with it */
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(waitpid(granter, NULL, 0), granter);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Of the environment's user, as an instance's home. */
static int given_home(void)
{
    char path[128];
    int at, opened;

    if (geteuid() != 0) {
        print_message("SKIPPED: needs root\n");
        skip();
    }
    (void)snprintf(path, sizeof(path), "%s/home", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(chown(path, THEIRS, THEIRS), 0);
    opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    at = fcntl(opened, F_DUPFD_CLOEXEC, 10); /* out of the way of those that are given */
    assert_true(at >= 10);
    close(opened);
    return at;
}

static void test_whatever_it_left_goes(void **state)
{
    int at = given_home();
    char path[128];

    (void)state;
    as(THEIRS, leave_names, at);
    assert_int_equal(run("remove", at), 0);
    (void)snprintf(path, sizeof(path), "%s/home", dir);
    assert_int_equal(rmdir(path), 0);
    close(at);
}

static void test_what_is_too_deep_is_not_taken_over(void **state)
{
    int at = given_home();

    (void)state;
    as(THEIRS, leave_depth, at);
    assert_int_equal(run("own", at), USERS_TOO_DEEP);
    close(at);
}

static uid_t owner(const char *name)
{
    char path[128];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/home%s", dir, name);
    assert_int_equal(stat(path, &st), 0);
    return st.st_uid;
}

static void test_what_is_given_lies_in_a_directory_of_ours(void **state)
{
    int at = given_home(), file = openat(at, "file", O_WRONLY | O_CREAT, 0400);

    (void)state;
    assert_true(file >= 0 && fchown(file, OURS, OURS) == 0 && fchown(at, OURS, OURS) == 0);
    close(file);
    assert_int_equal(run("give", at), 0);
    assert_int_equal(owner("/file"), THEIRS);
    assert_int_equal(owner(""), OURS);
    assert_int_equal(run("own", at), 0);
    assert_int_equal(owner(""), THEIRS);
    close(at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whatever_it_left_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_too_deep_is_not_taken_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_given_lies_in_a_directory_of_ours, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
