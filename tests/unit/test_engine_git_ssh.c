/* engine: fetches over SSH from a private sshd, and from programs that only look like ssh. SPDX-License-Identifier: Apache-2.0 */
#include "test_engine_git_server.h"

#include <pwd.h>

#include "base/guard.h"

struct site {
    struct bench *b;
    int port;
    pid_t sshd;
    const char *user;
};

static void site_write_conf(struct site *s)
{
    struct str conf = str_fmt(&s->b->a,
                              "Port %d\nListenAddress 127.0.0.1\nHostKey %s/host\nPidFile %s/pid\n"
                              "AuthorizedKeysFile %s/id.pub\nPasswordAuthentication no\nUsePAM no\n"
                              "StrictModes no\n",
                              s->port, s->b->dir, s->b->dir, s->b->dir);

    bench_write(s->b, "sshd.conf", conf);
}

static int site_open(void **state)
{
    static const char *const programs[] = { "/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/ssh-keygen",
                                            NULL };
    const struct passwd *me = getpwuid(getuid());
    struct site *s;

    *state = NULL;
    if (!server_has(programs))
        return 0;
    if (!me || strstr(me->pw_shell, "nologin") || strstr(me->pw_shell, "false")) {
        print_message("skipped: this user may not log in\n");
        return 0;
    }
    s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->b = bench_open();
    s->user = str_to_c(&s->b->a, str_from_c(me->pw_name));
    s->port = server_free_port();
    given_repository(s->b);
    bench_run(s->b,
              "chmod 755 . && ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519"
              " -N '' -f id && ssh-keygen -q -t ed25519 -N '' -f stranger");
    bench_run(s->b,
              "echo \"[127.0.0.1]:%d $(cut -d' ' -f1,2 host.pub)\" > known && "
              "echo \"[127.0.0.1]:%d $(cut -d' ' -f1,2 stranger.pub)\" > wrong",
              s->port, s->port);
    if (!getuid())
        bench_run(s->b, "mkdir -p /run/sshd"); /* where root's sshd drops its rights */
    site_write_conf(s);
    s->sshd = server_start(
        s->b,
        (const char *[]){ "/usr/sbin/sshd", "-D", "-e", "-f", bench_path(s->b, "sshd.conf"), NULL },
        s->port, "sshd.log");
    *state = s;
    return 0;
}

static int site_close(void **state)
{
    struct site *s = *state;

    if (s) {
        server_stop(s->sshd);
        bench_close(s->b);
        free(s);
    }
    return 0;
}

static const struct value *fetch(struct site *s, const char *path, const char *known_hosts,
                                 const char *key)
{
    return ask(s->b,
               "{'op':'fetch','mirror':'%s/mirror','url':'ssh://%s@127.0.0.1:%d%s','branches':"
               "['main','gone'],'known_hosts':'%s/%s','key_file':'%s/%s'}",
               s->b->dir, s->user, s->port, path, s->b->dir, known_hosts, s->b->dir, key);
}

static void test_a_key_opens_the_repository(void **state)
{
    struct site *s = *state;
    const struct value *answer;
    const char *path, *tip;

    if (!s)
        skip();
    path = str_fmt(&s->b->a, "%s/src", s->b->dir).p;
    answer = fetch(s, path, "known", "id");
    expect_ok(answer);
    expect_text(answer, "heads.main.commit", bench_run(s->b, GIT "-C src rev-parse main"));
    assert_int_equal(value_count(value_get(answer, S("gone"))), 1);
    bench_run(s->b, "head -c 3000000 /dev/urandom > src/big");
    tip = given_commit(s->b, "run.sh", S("2\n"));
    answer = fetch(s, path, "known", "id");
    expect_ok(answer);
    expect_text(answer, "heads.main.commit", tip);
    expect_ok(fetch(s, path, "known", "id")); /* nothing new */
    bench_run(s->b, "test $(" GIT "-C mirror cat-file -s %s:big) = 3000000", tip);
}

static void test_logins_that_fail_say_why(void **state)
{
    /* clang-format off */
    static const struct { const char *what, *path, *known_hosts, *key, *code, *text; } rows[] = {
        { "a key that nobody knows",   "/srv", "known",   "stranger", "REFUSED", "Permission denied" },
        { "a host that is not known",  "/srv", "id.pub",  "id",       "REFUSED", "verification failed" },
        { "a host with another key",   "/srv", "wrong",   "id",       "REFUSED", "verification failed" },
        { "no such key",               "/srv", "known",   "none",     "REFUSED", "'key_file' cannot be read" },
        { "no such repository",        "/none", "known",  "id",       "UNREACHABLE", "/none" },
    };
    /* clang-format on */
    struct site *s = *state;

    if (!s)
        skip();
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        expect_error(fetch(s, rows[i].path, rows[i].known_hosts, rows[i].key), rows[i].code,
                     rows[i].text);
}

static void test_host_keys_are_required(void **state)
{
    struct bench *b = bench_open();

    (void)state;
    expect_error(ask(b,
                     "{'op':'fetch','mirror':'%s/mirror','url':'ssh://git@127.0.0.1/a',"
                     "'branches':['main'],'key_file':'/dev/null'}",
                     b->dir),
                 "REFUSED", "needs 'known_hosts'");
    bench_close(b);
}

/* `script` stands in for ssh. */
static const struct value *fetch_by(struct bench *b, const char *script, const char *more)
{
    bench_write(b, "fake", str_fmt(&b->a, "#!/bin/sh\n%s\n", script));
    bench_run(b, "chmod 755 fake && touch known key");
    return ask(b,
               "{'op':'fetch','mirror':'%s/mirror','url':'ssh://git@acme.dev/a.git','branches':"
               "['main'],'known_hosts':'%s/known','key_file':'%s/key','ssh':'%s/fake'%s}",
               b->dir, b->dir, b->dir, b->dir, more);
}

static void test_programs_that_are_no_good_ssh(void **state)
{
    /* clang-format off */
    static const struct { const char *what, *script, *more, *code, *text; } rows[] = {
        { "says nothing and goes",   "exit 3",       "", "UNREACHABLE", "ended without a word" },
        { "says nothing and stays",  "exec /bin/sleep 600", ",'timeout_ms':500", "TIMEOUT", "before the deadline" },
        { "begins and stops",        "printf 00; exec /bin/sleep 600", ",'low_speed_ms':500", "TIMEOUT", "before the deadline" },
        { "talks and stays",         "echo busy >&2; exec /bin/sleep 600", ",'timeout_ms':500", "TIMEOUT", "busy" },
        { "speaks no git",           "echo hello world, this is no repository", "", "UNREACHABLE", "connect" },
        { "talks for ever",          "exec yes nonsense >&2", ",'timeout_ms':500", "TIMEOUT", "nonsense" },
        { "escapes in its words",    "printf \"\\033[31mno\\n\" >&2; exit 1", "", "UNREACHABLE", "ssh:  [31mno" },
        { "closes and stays",        "exec <&- >&- 2>&-; exec /bin/sleep 600", "", "UNREACHABLE", "without a word" },
    };
    /* clang-format on */
    struct bench *b = bench_open();

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        expect_error(fetch_by(b, rows[i].script, rows[i].more), rows[i].code, rows[i].text);
    bench_close(b);
}

static void test_ssh_is_started_strictly(void **state)
{
    static const char *const wanted[] = {
        "^-F none ",
        "StrictHostKeyChecking=yes",
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "GlobalKnownHostsFile=/dev/null",
        "ServerAliveInterval=10",
        "-l git -- acme.dev git-upload-pack ./a.git.$",
    };
    struct bench *b = bench_open();
    const char *script;

    (void)state;
    script = str_fmt(&b->a, "echo \"$*\" > %s/args; env > %s/env; exit 1", b->dir, b->dir).p;
    expect_error(fetch_by(b, script, ",'credentials':{'password':'s3cret'}"), "UNREACHABLE", "ssh");
    for (size_t i = 0; i < N_ELEMENTS(wanted); i++)
        bench_run(b, "grep -q -- '%s' args", wanted[i]);
    bench_run(b, "! grep -v '^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD=' env && ! grep s3cret args");
    bench_close(b);
}

/* What stands in for ssh speaks when it has seen that, or when it was looking for long. */
static void test_the_worker_is_shut_before_ssh_speaks(void **state)
{
    const char *script;
    struct bench *b;

    (void)state;
    if (system("grep -q ^Seccomp_filters: /proc/self/status"))
        skip(); /* this kernel does not say */
    b = bench_open();
    script = str_fmt(
                 &b->a,
                 "n() { sed -n 's/^Seccomp_filters:[^0-9]*//p' /proc/$1/status; }; i=0; "
                 "until [ $(n $PPID) -gt $(n $$) ]; do i=$((i + 1)); [ $i -lt 20000 ] || exit 1; "
                 "done; n $$ > %s/ssh; exit 1",
                 b->dir)
                 .p;
    expect_error(fetch_by(b, script, ""), "UNREACHABLE", "ssh");
    bench_run(b, "test $(cat ssh) -gt $(sed -n 's/^Seccomp_filters:[^0-9]*//p' "
                 "/proc/self/status)"); /* and ssh from what it need not reach */
    bench_close(b);
}

static void test_a_mute_server_ends_at_the_deadline(void **state)
{
    struct bench *b = bench_open();
    int port, fd = server_mute(&port);

    (void)state;
    bench_run(b, "touch known key");
    expect_error(ask(b,
                     "{'op':'fetch','mirror':'%s/mirror','url':'ssh://git@127.0.0.1:%d/a',"
                     "'branches':['main'],'known_hosts':'%s/known','key_file':'%s/key',"
                     "'timeout_ms':700}",
                     b->dir, port, b->dir, b->dir),
                 "TIMEOUT", "before the deadline");
    (void)close(fd);
    bench_close(b);
}

static const struct value *anchor(struct site *s, const char *op, const char *more)
{
    return ask(s->b,
               "{'op':'anchor_%s','mirror':'%s/anchors','url':'ssh://%s@127.0.0.1:%d%s/"
               "place.git','branch':"
               "'main','folder':'inst','known_hosts':'%s/known','key_file':'%s/id'%s}",
               op, s->b->dir, s->user, s->port, s->b->dir, s->b->dir, s->b->dir, more);
}

static void test_a_line_is_pushed(void **state)
{
    struct site *s = *state;
    const char *tip, *more;

    if (!s)
        skip();
    bench_run(s->b, GIT "init -q --bare place.git");
    expect_ok(anchor(s, "read", ""));
    expect_ok(anchor(s, "push", ",'line':'one','time_ms':1790000000000"));
    tip = bench_run(s->b, GIT "-C place.git rev-parse main");
    more = str_fmt(&s->b->a, ",'line':'two','time_ms':1790000000000,'tip':'%s'", tip).p;
    expect_ok(anchor(s, "push", more));
    expect_error(anchor(s, "push", more), "STALE", "moved meanwhile");
    expect_text(anchor(s, "read", ""), "text", "one\ntwo\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_opens_the_repository),
        cmocka_unit_test(test_a_line_is_pushed),
        cmocka_unit_test(test_logins_that_fail_say_why),
        cmocka_unit_test(test_host_keys_are_required),
        cmocka_unit_test(test_programs_that_are_no_good_ssh),
        cmocka_unit_test(test_ssh_is_started_strictly),
        cmocka_unit_test(test_the_worker_is_shut_before_ssh_speaks),
        cmocka_unit_test(test_a_mute_server_ends_at_the_deadline),
    };

    return cmocka_run_group_tests(tests, site_open, site_close);
}
