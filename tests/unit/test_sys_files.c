/* Removing what hostile code may have left. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"

#define NOBODY 65534

static char dir[64];

/* As an ordinary user: no mode keeps root out. */
static int setup(void **state)
{
    (void)state;
    if (geteuid() == 0 && (setegid(NOBODY) || seteuid(NOBODY)))
        return -1;
    (void)snprintf(dir, sizeof(dir), "/tmp/rvfilesXXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    struct err err = ERR_INIT;
    int rc = sys_remove_all(dir, &err);

    (void)state;
    return rc || seteuid(getuid()) || setegid(getgid());
}

static const char *below(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void make_file(const char *name)
{
    int fd = open(below(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static void test_modes_keep_nothing(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(mkdir(below("tree"), 0700), 0);
    assert_int_equal(mkdir(below("tree/shut"), 0700), 0);
    make_file("tree/shut/file");
    assert_int_equal(chmod(below("tree/shut"), 0), 0);
    assert_int_equal(chmod(below("tree"), 0500), 0);
    assert_int_equal(sys_remove_all(below("tree"), &err), 0);
    assert_false(sys_exists(below("tree")));
}

static void test_links_are_removed_and_not_followed(void **state)
{
    struct err err = ERR_INIT;
    char target[128];
    struct stat st;

    (void)state;
    assert_int_equal(mkdir(below("victim"), 0500), 0);
    (void)snprintf(target, sizeof(target), "%s", below("victim"));
    assert_int_equal(mkdir(below("tree"), 0700), 0);
    assert_int_equal(symlink(target, below("tree/link")), 0);
    assert_int_equal(sys_remove_all(below("tree"), &err), 0);
    assert_int_equal(symlink(target, below("link")), 0);
    assert_int_equal(sys_remove_all(below("link"), &err), 0);
    assert_true(sys_exists(below("victim")));
    assert_int_equal(stat(below("victim"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0500);
}

/* Deeper than there are descriptors and than a path can say, and with the names that it would choose. */
static void test_depth_keeps_nothing(void **state)
{
    const struct rlimit few = { 256, 256 };
    struct err err = ERR_INIT;
    char name[201];
    int at, next;

    (void)state;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    memset(name, 'd', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    assert_int_equal(mkdir(below("tree"), 0700), 0);
    assert_int_equal(mkdir(below("tree/.0"), 0700), 0);
    make_file("tree/.0/file");
    make_file("tree/.1");
    at = open(below("tree"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 600; i++) {
        assert_int_equal(mkdirat(at, name, 0700), 0);
        next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        if (i % 7 == 0)
            assert_int_equal(fchmod(at, 0500), 0);
        close(at);
        at = next;
    }
    close(at);
    assert_int_equal(sys_remove_all(below("tree"), &err), 0);
    assert_false(sys_exists(below("tree")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_depth_keeps_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_modes_keep_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_are_removed_and_not_followed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
