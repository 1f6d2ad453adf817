/* http/auth, admit: who somebody is, and what they may ask. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "reconciler/http/admit.h"
#include "reconciler/http/auth.h"
#include "specs/json_io.h"

static void test_roles_come_from_the_configuration(void **state)
{
    static const struct {
        const char *sentence;
        uid_t uid;
        gid_t gid;
        const char *auth;
        unsigned roles;
        int may_break_glass;
    } rows[] = {
        { "others may look", 2, 2, "{\"local\":{}}", AUTH_VIEWER, 0 },
        { "a user who is named operates", 2, 2, "{\"local\":{\"operator\":[\"user:bin\"]}}",
          AUTH_VIEWER | AUTH_OPERATOR, 0 },
        { "so do members of a group", 3, 2, "{\"local\":{\"operator\":[\"group:bin\"]}}",
          AUTH_VIEWER | AUTH_OPERATOR, 0 },
        { "an approver approves, no more", 2, 2, "{\"local\":{\"approver\":[\"user:bin\"]}}",
          AUTH_VIEWER | AUTH_APPROVER, 0 },
        { "an admin may all but override", 2, 2, "{\"local\":{\"admin\":[\"user:bin\"]}}", AUTH_ALL,
          0 },
        { "which is a role of its own", 2, 2, "{\"local\":{\"override\":[\"user:bin\"]}}",
          AUTH_VIEWER | AUTH_OVERRIDE, 0 },
        { "a name that nobody has is nobody", 2, 2, "{\"local\":{\"admin\":[\"user:no-such\"]}}",
          AUTH_VIEWER, 0 },
        { "a group is not a user of its name", 3, 2, "{\"local\":{\"admin\":[\"user:bin\"]}}",
          AUTH_VIEWER, 0 },
        { "root is like others where roles are given", 0, 0, "{\"local\":{}}", AUTH_VIEWER, 0 },
        { "and has those it is given", 0, 0, "{\"local\":{\"operator\":[\"user:root\"]}}",
          AUTH_VIEWER | AUTH_OPERATOR, 0 },
        { "without them root is admin", 0, 0, "{}", AUTH_ALL, 0 },
        { "and others look", 2, 2, "{}", AUTH_VIEWER, 0 },
        { "for emergencies", 2, 2, "{\"break_glass\":[\"user:bin\"]}", AUTH_VIEWER, 1 },
        { "not for others", 3, 3, "{\"break_glass\":[\"user:bin\"]}", AUTH_VIEWER, 0 },
    };
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct http_peer peer = { .uid = rows[i].uid, .gid = rows[i].gid, .pid = 1 };
        struct auth_actor actor;
        struct err err = ERR_INIT;
        struct value *daemon;

        print_message("  %s\n", rows[i].sentence);
        assert_int_equal(
            json_parse(&a, str_fmt(&a, "{\"auth\":%s}", rows[i].auth), 4096, &daemon, &err), 0);
        assert_int_equal(auth_identify(&a, daemon, &peer, &actor, &err), 0);
        assert_int_equal(actor.roles, rows[i].roles);
        assert_int_equal(actor.may_break_glass, rows[i].may_break_glass);
    }
}

static void test_roles_are_given_in_environments(void **state)
{
    static const struct {
        const char *sentence, *map, *env;
        unsigned base, asked;
        int may;
    } rows[] = {
        { "everywhere", "{\"operator\":[\"user:ann\"]}", "production", 0, AUTH_OPERATOR, 1 },
        { "and what is of none", "{\"operator\":[\"user:ann\"]}", "", 0, AUTH_OPERATOR, 1 },
        { "in one", "{\"operator\":[\"user:ann@staging\"]}", "staging", 0, AUTH_OPERATOR, 1 },
        { "not in another", "{\"operator\":[\"user:ann@staging\"]}", "production", 0, AUTH_OPERATOR,
          0 },
        { "nor what is of none", "{\"operator\":[\"user:ann@staging\"]}", "", 0, AUTH_VIEWER, 0 },
        { "in a pattern", "{\"admin\":[\"group:dev@pr-*\"]}", "pr-41", 0, AUTH_ADMIN, 1 },
        { "that it is not of", "{\"admin\":[\"group:dev@pr-*\"]}", "prod", 0, AUTH_VIEWER, 0 },
        { "each where it is given",
          "{\"operator\":[\"user:ann@staging\"],\"viewer\":[\"group:dev\"]}", "production", 0,
          AUTH_VIEWER, 1 },
        { "and no further", "{\"operator\":[\"user:ann@staging\"],\"viewer\":[\"group:dev\"]}",
          "production", 0, AUTH_OPERATOR, 0 },
        { "who may look anyhow", "{\"operator\":[\"user:ann@staging\"]}", "production", AUTH_VIEWER,
          AUTH_VIEWER, 1 },
        { "everyone who signed in", "{\"viewer\":[\"*\"]}", "production", 0, AUTH_VIEWER, 1 },
        { "everyone, in a pattern", "{\"operator\":[\"*@pr-*\"]}", "pr-1", 0, AUTH_OPERATOR, 1 },
        { "everyone, elsewhere", "{\"operator\":[\"*@pr-*\"]}", "prod", 0, AUTH_OPERATOR, 0 },
        { "another", "{\"admin\":[\"user:bob\",\"group:ops\"]}", "staging", 0, AUTH_VIEWER, 0 },
        { "nobody", "{}", "staging", 0, AUTH_VIEWER, 0 },
    };
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct auth_actor actor = { .kind = AUTH_PERSON };
        struct value *map, *principals;
        struct err err = ERR_INIT;

        print_message("  %s\n", rows[i].sentence);
        assert_int_equal(json_parse(&a, str_from_c(rows[i].map), 4096, &map, &err), 0);
        assert_int_equal(json_parse(&a, S("[\"user:ann\",\"group:dev\"]"), 99, &principals, &err),
                         0);
        actor.principals = principals;
        assert_int_equal(auth_grant(&a, map, rows[i].base, &actor, &err), 0);
        assert_int_equal(auth_may(&actor, rows[i].asked, str_from_c(rows[i].env)), rows[i].may);
    }
}

static void test_the_daemons_user_is_admin_where_no_roles_are_given(void **state)
{
    const struct http_peer peer = { .uid = geteuid(), .gid = getegid(), .pid = getpid() };
    AUTO_ARENA struct arena a;
    struct auth_actor actor;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(auth_identify(&a, NULL, &peer, &actor, &err), 0);
    assert_int_equal(actor.roles, AUTH_ALL);
    assert_true(str_starts(actor.name, S("local:")));
}

static void test_environments_are_no_people(void **state)
{
    static const struct {
        const char *sentence, *uids;
        uid_t uid;
        int of_range;
    } rows[] = {
        { "the first", "60000-60999", 60000, 1 },      { "the last", "60000-60999", 60999, 1 },
        { "one in between", "60000-60999", 60500, 1 }, { "below", "60000-60999", 59999, 0 },
        { "above", "60000-60999", 61000, 0 },          { "no range", "", 0, 0 },
        { "half a range", "60000-", 60000, 0 },        { "a number", "60000", 60000, 0 },
    };
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct http_peer peer = { .uid = rows[i].uid, .pid = getpid() };
        struct value *daemon = value_map(&a);
        struct err err = ERR_INIT;

        print_message("  %s\n", rows[i].sentence);
        value_set_text(&a, daemon, S("uids"), str_from_c(rows[i].uids));
        assert_int_equal(admit_is_of_range(str_from_c(rows[i].uids), rows[i].uid),
                         rows[i].of_range);
        assert_int_equal(admit_peer(daemon, &peer, &err), rows[i].of_range ? ERR_REFUSED : 0);
    }
}

/* A child of ours, in new namespaces as a start of an instance makes one. It ends with the pipe. */
static void expect_admitted(const char *sentence, int namespaces, int is_shut, int rc)
{
    struct err err = ERR_INIT;
    int hold[2], ready[2];
    char said = 0;
    pid_t child;

    assert_int_equal(pipe(hold), 0);
    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (!child) {
        char made = unshare(namespaces) || prctl(PR_SET_DUMPABLE, !is_shut) ? 'n' : 'y';

        (void)close(hold[1]);
        (void)!write(ready[1], &made, 1);
        (void)!read(hold[0], &made, 1);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &said, 1), 1);
    if (said == 'y')
        assert_int_equal(
            admit_peer(NULL, &(struct http_peer){ .uid = geteuid(), .pid = child }, &err), rc);
    else
        print_message("  not tried, this machine has none: %s\n", sentence);
    for (int i = 0; i < 2; i++) {
        (void)close(hold[i]);
        (void)close(ready[i]);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_who_lives_elsewhere_is_refused(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    expect_admitted("another user namespace", CLONE_NEWUSER, 0, ERR_REFUSED);
    expect_admitted("one that nobody may look into", CLONE_NEWUSER, 1, ERR_REFUSED);
    expect_admitted("a standby of ours, that nobody may look into", 0, 1, 0);
    assert_int_equal(admit_peer(NULL, &(struct http_peer){ .uid = getuid(), .pid = 0 }, &err),
                     ERR_REFUSED); /* of a PID namespace above ours */
    assert_int_equal(admit_peer(NULL, &(struct http_peer){ .uid = (uid_t)-1, .pid = 1 }, &err),
                     ERR_REFUSED);
    assert_int_equal(
        admit_peer(NULL, &(struct http_peer){ .uid = getuid(), .pid = getpid() }, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles_come_from_the_configuration),
        cmocka_unit_test(test_roles_are_given_in_environments),
        cmocka_unit_test(test_the_daemons_user_is_admin_where_no_roles_are_given),
        cmocka_unit_test(test_environments_are_no_people),
        cmocka_unit_test(test_who_lives_elsewhere_is_refused),
    };

    return cmocka_run_group_tests_name("http auth", tests, NULL, NULL);
}
