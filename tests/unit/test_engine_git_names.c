/* engine: names, paths and addresses that a repository may bring. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/engine/git_text.h"
#include "reconciler/engine/git_url.h"

static void test_names_are_what_they_seem(void **state)
{
    /* clang-format off */
    static const struct { const char *what; struct str name; const char *fault; } rows[] = {
        { "a plain name passes",            S_INIT("main.py"),               NULL },
        { "a hidden name passes",           S_INIT(".gitignore"),            NULL },
        { "git's own files pass",           S_INIT(".gitmodules"),           NULL },
        { "latin-1 passes",                 S_INIT("caf\xe9"),               NULL },
        { "three dots pass",                S_INIT("..."),                   NULL },
        { "a backslash passes",             S_INIT("a\\b"),                  NULL },
        { "empty",                          S_INIT(""),                      "is empty" },
        { "dot",                            S_INIT("."),                     "another directory" },
        { "dot dot",                        S_INIT(".."),                    "another directory" },
        { "slash",                          S_INIT("a/b"),                   "slash" },
        { "newline",                        S_INIT("a\nb"),                  "control" },
        { "delete",                         S_INIT("a\x7f"),                 "control" },
        { ".git",                           S_INIT(".git"),                  ".git" },
        { "capitals",                       S_INIT(".GiT"),                  ".git" },
        { "NTFS: short name",               S_INIT("GIT~1"),                 ".git" },
        { "NTFS: final dots and blanks",    S_INIT(".git. . "),              ".git" },
        { "NTFS: a stream",                 S_INIT(".git::$INDEX_ALLOCATION"), ".git" },
        { "NTFS: a backslash separates",    S_INIT("a\\.git\\config"),       ".git" },
        { "HFS: a zero-width joiner",       S_INIT(".g\xe2\x80\x8dit"),      ".git" },
        { "HFS: a byte order mark behind",  S_INIT(".git\xef\xbb\xbf"),      ".git" },
        { "HFS: a digit shape in capitals", S_INIT("\xe2\x81\xaf.GIT"),      ".git" },
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const char *fault = git_text_name_fault(rows[i].name);

        if (!fault != !rows[i].fault || (fault && !strstr(fault, rows[i].fault)))
            fail_msg("%s: %s", rows[i].what, fault ? fault : "passed");
    }
}

static void test_a_name_ends_where_a_file_system_ends_it(void **state)
{
    char name[GIT_TEXT_NAME_MAX + 1];

    (void)state;
    memset(name, 'x', sizeof(name));
    assert_null(git_text_name_fault((struct str){ name, GIT_TEXT_NAME_MAX }));
    assert_non_null(git_text_name_fault((struct str){ name, GIT_TEXT_NAME_MAX + 1 }));
}

static void test_paths_stay_below_the_root(void **state)
{
    static const struct {
        struct str path;
        int rc;
    } rows[] = {
        { S_INIT("."), 0 },
        { S_INIT("apps/api"), 0 },
        { S_INIT(".reeve"), 0 },
        { S_INIT(""), ERR_USAGE },
        { S_INIT("/etc"), ERR_USAGE },
        { S_INIT("apps/"), ERR_USAGE },
        { S_INIT("apps//api"), ERR_USAGE },
        { S_INIT("apps/../.."), ERR_USAGE },
        { S_INIT("./apps"), ERR_USAGE },
        { S_INIT(".git/config"), ERR_USAGE },
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        assert_int_equal(git_text_path_check(rows[i].path, &err), rows[i].rc);
}

static void test_text_becomes_utf8(void **state)
{
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(git_text_utf8_fault(S("gr\xc3\xbc\xc3\x9f")), STR_NPOS);
    assert_int_equal(git_text_utf8_fault(S("ab\xff")), 2);
    assert_int_equal(git_text_utf8_fault(S("\xc0\xaf")), 0);     /* overlong */
    assert_int_equal(git_text_utf8_fault(S("\xed\xa0\x80")), 0); /* a surrogate */
    assert_int_equal(git_text_utf8_fault(S("\xe2\x82")), 0);     /* cut short */
    assert_int_equal(git_text_utf8_fault(S("a\0b")), 1);
    assert_string_equal(git_text_utf8(&a, S("caf\xe9!"), 100).p, "caf\xef\xbf\xbd!");
    assert_string_equal(git_text_utf8(&a, S("a\xc3\xa4"), 2).p, "a");
    assert_string_equal(git_text_show(&a, S("a\x1b[0m")).p, "a\\x1b[0m");
}

static void test_urls_are_taken_apart(void **state)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct git_url url;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(git_url_parse(&a, S("ssh://git@git.acme.dev:2222/a/b.git"), &url, &err), 0);
    assert_int_equal(url.scheme, GIT_URL_SSH);
    assert_true(str_eq_c(url.user, "git") && str_eq_c(url.host, "git.acme.dev"));
    assert_true(url.port == 2222 && str_eq_c(url.path, "/a/b.git"));
    assert_int_equal(git_url_parse(&a, S("https://[::1]:8443/x"), &url, &err), 0);
    assert_true(str_eq_c(url.host, "::1") && url.port == 8443 && !url.user.p);
    assert_int_equal(git_url_parse(&a, S("file:///srv/git/a.git"), &url, &err), 0);
    assert_true(url.scheme == GIT_URL_FILE && str_eq_c(url.path, "/srv/git/a.git"));
}

static void test_urls_that_are_refused(void **state)
{
    /* clang-format off */
    static const struct { struct str url; const char *text; } rows[] = {
        { S_INIT("http://acme.dev/a"),              "use https://" },
        { S_INIT("git://acme.dev/a"),               "use https://" },
        { S_INIT("ftp://acme.dev/a"),               "begins with" },
        { S_INIT("git@acme.dev:a.git"),             "begins with" },
        { S_INIT("/srv/git/a.git"),                 "begins with" },
        { S_INIT("ext::sh -c id"),                  "begins with" },
        { S_INIT("https://u:secret@acme.dev/a"),    "credentials" },
        { S_INIT("https://token@acme.dev/a"),       "credentials" },
        { S_INIT("ssh://git:secret@acme.dev/a"),    "credentials" },
        { S_INIT("ssh://-oProxyCommand=id/a"),      "host that is no name" },
        { S_INIT("ssh://git@-oProxyCommand/a"),     "host that is no name" },
        { S_INIT("ssh://-l@acme.dev/a"),            "user that is no name" },
        { S_INIT("ssh://acme.dev/a'; id; '"),       "quotes" },
        { S_INIT("ssh://acme.dev/a\nb"),            "control characters" },
        { S_INIT("ssh://acme.dev:0/a"),             "port" },
        { S_INIT("ssh://acme.dev:99999/a"),         "port" },
        { S_INIT("https://acme.dev"),               "no path" },
        { S_INIT("https:///a"),                     "host that is no name" },
        { S_INIT("file://host/a"),                  "file:///path" },
    };
    /* clang-format on */
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct err err = ERR_INIT;
        struct git_url url;

        assert_int_equal(git_url_parse(&a, rows[i].url, &url, &err), ERR_REFUSED);
        if (!strstr(err.text, rows[i].text))
            fail_msg("%s: %s", rows[i].url.p, err.text);
        assert_null(strstr(err.text, "secret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_what_they_seem),
        cmocka_unit_test(test_a_name_ends_where_a_file_system_ends_it),
        cmocka_unit_test(test_paths_stay_below_the_root),
        cmocka_unit_test(test_text_becomes_utf8),
        cmocka_unit_test(test_urls_are_taken_apart),
        cmocka_unit_test(test_urls_that_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
