/* Limits of what runs, kept by the kernel: memory, processors, processes. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/kit_parents.h"
#include "specs/json_io.h"
#include "tests/support/process_world.h"

#define OWNER "rv1aaaaaaaaaaaaaaaaaaaaaaaaaa"

struct limited {
    struct world world;
    struct kit_parents parents;
};

static void setup_parents(struct limited *l)
{
    struct arena *a = &l->world.t.arena;
    struct rv_result ret = { .size = sizeof(ret) };
    struct err err = ERR_INIT;
    struct str config;

    assert_int_equal(kit_parents_open(a, str_fmt(a, "reeve-test-%d", getpid()), geteuid(),
                                      getegid(), &l->parents, &err),
                     0);
    config = str_fmt(a, "{\"groups\":%.*s,\"memory\":67108864,\"processes\":64,%s",
                     STR_ARG(json_format(a, l->parents.kept)), l->world.config + 1);
    l->world.driver->close(l->world.self);
    assert_int_equal(l->world.driver->open(&l->world.t.host, (struct rv_str){ config.p, config.n },
                                           1, &l->world.self, &ret),
                     0);
}

static int setup(void **state)
{
    struct limited *l = calloc(1, sizeof(*l));

    world_init(&l->world, 1);
    setup_parents(l);
    *state = l;
    return 0;
}

static struct str parent_of(const struct limited *l, const char *word)
{
    return value_get_text(value_get(l->parents.kept, str_from_c(word)), S("path"), S(""));
}

/* What a test that failed left: its processes die with their keeper. */
static int groups_are_gone(struct world *w, void *dirs)
{
    (void)w;
    return !kit_groups_remove(dirs);
}

static int teardown(void **state)
{
    struct limited *l = *state;
    struct arena *a = &l->world.t.arena;
    struct value *dirs = value_list(a);

    for (size_t i = 0; i < value_count(l->parents.kept); i++) {
        const struct value *parent = l->parents.kept->u.map.entries[i].value;
        int is_home = value_get_int(parent, S("version"), 1) == 2; /* we live in there */

        value_add(
            a, dirs,
            value_text(a, str_fmt(a, "%.*s%s", STR_ARG(value_get_text(parent, S("path"), S(""))),
                                  is_home ? "/" OWNER : "")));
    }
    if (world_has(&l->world, "run/" OWNER))
        (void)kill((pid_t)world_state(&l->world, OWNER, "keeper"), SIGKILL);
    world_wait(&l->world, groups_are_gone, dirs, "no group is left");
    world_fini(&l->world);
    free(l);
    return 0;
}

static void need(const struct limited *l, const char *word)
{
    struct str why = value_get_text(l->parents.unkept, str_from_c(word), STR_NONE);

    if (!why.p)
        return;
    print_message("SKIPPED: %s: %.*s\n", word, STR_ARG(why));
    skip();
}

static struct rv_result drive(struct limited *l, const char *type, uint32_t action,
                              const char *desired)
{
    struct rv_op op = test_op(action, type, "x@k", OWNER, "k1", desired);
    struct rv_result ret;

    test_drive(l->world.driver, l->world.self, &l->world.t, &op, &ret);
    world_skip_where_impossible(&ret);
    return ret;
}

/* What stands in a file of the group `word` of OWNER; a number, or -1. */
static int64_t number_in(struct limited *l, const char *word, const char *v1, const char *v2)
{
    struct arena *a = &l->world.t.arena;
    const struct value *parent = value_get(l->parents.kept, str_from_c(word));
    struct err err = ERR_INIT;
    struct str text;

    if (sys_read_file(a,
                      str_fmt(a, "%.*s/" OWNER "/%s", STR_ARG(parent_of(l, word)),
                              value_get_int(parent, S("version"), 1) == 1 ? v1 : v2)
                          .p,
                      4096, &text, &err))
        return -1;
    return strtoll(text.p, NULL, 10);
}

static void test_limits_stand_where_asked(void **state)
{
    struct limited *l = *state;

    need(l, "memory");
    need(l, "cpus");
    need(l, "pids");
    assert_int_equal(drive(l, "instance", RV_CREATE,
                           "{\"command\":[\"sleep\",\"1000\"],\"isolation\":\"namespace\","
                           "\"limits\":{\"cpus\":250,\"memory\":33554432,\"pids\":17}}")
                         .verdict,
                     RV_DONE);
    assert_int_equal(number_in(l, "memory", "memory.limit_in_bytes", "memory.max"), 33554432);
    assert_int_equal(number_in(l, "cpus", "cpu.cfs_quota_us", "cpu.max"), 25000);
    assert_int_equal(number_in(l, "pids", "pids.max", "pids.max"), 17);
    assert_true(number_in(l, "pids", "pids.current", "pids.current") >= 2); /* it is in there */
    assert_int_equal(drive(l, "instance", RV_DELETE, "{}").verdict, RV_DONE);
    assert_int_equal(number_in(l, "pids", "pids.max", "pids.max"), -1);
    assert_int_equal(number_in(l, "memory", "memory.limit_in_bytes", "memory.max"), -1);
}

static void test_what_says_nothing_has_the_number_of_processes_alone(void **state)
{
    struct limited *l = *state;

    need(l, "pids");
    need(l, "memory");
    assert_int_equal(drive(l, "instance", RV_CREATE,
                           "{\"command\":[\"sleep\",\"1000\"],\"isolation\":\"namespace\"}")
                         .verdict,
                     RV_DONE);
    assert_int_equal(number_in(l, "pids", "pids.max", "pids.max"), 64);
    assert_int_equal(number_in(l, "memory", "memory.limit_in_bytes", "memory.max"), -1);
}

struct hungry {
    const char *sentence, *script, *says;
};

static const struct hungry hungry_rows[] = {
    { "a release over its memory is killed, and says so", "head -c 300000000 /dev/zero | tail",
      "killed: over its memory of 64M" },
    { "what it has in /tmp counts", "head -c 200000000 /dev/zero >/tmp/x",
      "killed: over its memory of 64M" },
    { "below it, nothing is said", "head -c 1000000 /dev/zero | tail >/dev/null; exit 3",
      "release: exit 3" },
};

static void test_hungry(void **state)
{
    struct limited *l = *state;
    char desired[512];

    need(l, "memory");
    for (size_t i = 0; i < N_ELEMENTS(hungry_rows); i++) {
        const struct hungry *row = &hungry_rows[i];
        struct rv_result ret;

        (void)snprintf(desired, sizeof(desired),
                       "{\"command\":[\"/bin/bash\",\"-c\",\"%s\"],\"environment\":{\"I\":\"%zu\"},"
                       "\"isolation\":\"namespace\",\"timeout_ms\":60000}",
                       row->script, i);
        ret = drive(l, "release", RV_RUN, desired);
        if (ret.verdict != RV_USER || !test_rv_has(ret.message, row->says))
            fail_msg("%s: %.*s", row->sentence, (int)ret.message.n, ret.message.p);
        if (!strstr(row->says, "killed"))
            assert_false(test_rv_has(ret.message, "killed"));
        assert_int_equal(drive(l, "release", RV_DELETE, "{}").verdict, RV_DONE);
    }
}

static int was_killed(struct world *w, void *ctx)
{
    struct limited *l = ctx;
    struct rv_op op = test_op(RV_NONE, "instance", "x@k", OWNER, "", "{}");
    struct rv_result ret = { .size = sizeof(ret) };

    w->driver->read(l->world.self, &w->t.host, &op, 1, &ret);
    return test_rv_has(ret.observed, "\"over\":\"killed: over its memory of 32M\"") &&
           world_state(w, OWNER, "restarts") >= 1;
}

static void test_an_instance_over_its_memory_is_killed_and_started_again(void **state)
{
    struct limited *l = *state;

    need(l, "memory");
    assert_int_equal(drive(l, "instance", RV_CREATE,
                           "{\"command\":[\"/bin/bash\",\"-c\",\"head -c 300000000 /dev/zero | "
                           "tail\"],\"isolation\":\"namespace\",\"limits\":{\"memory\":33554432}}")
                         .verdict,
                     RV_DONE);
    world_wait(&l->world, was_killed, l, "it says that it was killed");
    assert_int_equal(drive(l, "instance", RV_DELETE, "{}").verdict, RV_DONE);
}

static int has_tried(struct world *w, void *ctx)
{
    (void)ctx;
    return strstr(world_file(w, "run/" OWNER "/log"), "tried") != NULL;
}

/* A namespace of groups shows whoever makes one his own group as the root, which belongs to his user; and he makes
 * groups below it, which would be in the way of a removal. */
static void test_who_is_limited_cannot_reach_what_limits_him(void **state)
{
    struct limited *l = *state;
    const struct value *memory = value_get(l->parents.kept, S("memory"));
    char desired[2048];
    struct rv_result ret;

    need(l, "memory");
    if (value_get_int(memory, S("version"), 1) != 1)
        skip(); /* the words are those of version 1 */
    (void)snprintf(
        desired, sizeof(desired),
        "{\"command\":[\"/bin/bash\",\"-c\",\"! echo -1 >%.*s/" OWNER
        "/memory.limit_in_bytes; mkdir /tmp/g; perl -e 'my @n = qx(uname -m) =~ /x86/ ? (272, 165) "
        ": (97, 40); my @a = (q(g), q(/tmp/g), q(cgroup), q(memory)); syscall($n[0], 0x12020000) "
        "== "
        "0 or die qq(unshare: $!); syscall($n[1], $a[0], $a[1], $a[2], 0, $a[3]) == 0 or die "
        "qq(mount: $!); mkdir q(/tmp/g/a); mkdir q(/tmp/g/a/b); for my $f "
        "(qw(memory.memsw.limit_in_bytes memory.limit_in_bytes)) { open(my $h, q(>), "
        "qq(/tmp/g/$f)) or print qq(open: $!); "
        "syswrite($h, q(-1)) ? print qq(wrote $f, ) : print qq(write $!, ) }'; echo tried; sleep "
        "1000\"],\"isolation\":\"namespace\",\"limits\":{\"memory\":33554432}}",
        STR_ARG(value_get_text(memory, S("path"), S(""))));
    ret = drive(l, "instance", RV_CREATE, desired);
    assert_int_equal(ret.verdict, RV_DONE);
    world_wait(&l->world, has_tried, NULL, "it has tried");
    assert_int_equal(number_in(l, "memory", "memory.limit_in_bytes", "memory.max"), 33554432);
    assert_int_equal(drive(l, "instance", RV_DELETE, "{}").verdict, RV_DONE);
    assert_int_equal(number_in(l, "memory", "memory.limit_in_bytes", "memory.max"), -1);
}

/* A repeated start does not begin with what was counted before. */
static void test_a_new_start_counts_anew(void **state)
{
    struct limited *l = *state;

    need(l, "memory");
    (void)drive(l, "release", RV_RUN,
                "{\"command\":[\"/bin/bash\",\"-c\",\"head -c 300000000 /dev/zero | tail\"],"
                "\"isolation\":\"namespace\"}");
    {
        struct rv_op op = test_op(RV_RUN, "release", "x@k", OWNER, "k2",
                                  "{\"command\":[\"false\"],\"isolation\":\"namespace\"}");
        struct rv_result ret;

        test_drive(l->world.driver, l->world.self, &l->world.t, &op, &ret);
        assert_int_equal(ret.verdict, RV_USER);
        assert_true(test_rv_has(ret.message, "release: exit 1"));
        assert_false(test_rv_has(ret.message, "killed"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_limits_stand_where_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_says_nothing_has_the_number_of_processes_alone,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_hungry, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_an_instance_over_its_memory_is_killed_and_started_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_is_limited_cannot_reach_what_limits_him, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_new_start_counts_anew, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
