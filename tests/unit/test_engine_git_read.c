/* engine: what the git worker reads of a commit, and what it refuses. SPDX-License-Identifier: Apache-2.0 */
#include "test_engine_git.h"

#include <sys/stat.h>

#include "base/guard.h"

#define READ "{'op':'read','mirror':'%s/src/.git','commit':'%s','spec_path':'.reeve','paths':[%s]}"

#define EXPORT                                                                                     \
    "{'op':'export','mirror':'%s/src/.git','commit':'%s','spec_path':'.reeve','dest':'%s/out'"

static const struct value *read_commit(struct bench *b, const char *commit, const char *paths)
{
    return ask(b, READ, b->dir, commit, paths);
}

static void test_specs_come_from_the_commit(void **state)
{
    struct bench *b = bench_open();
    const char *commit = given_repository(b);
    const struct value *answer, *files;

    (void)state;
    bench_write(b, "src/.reeve/app.yaml", S("the work tree has no say\n"));
    answer = read_commit(b, commit, "");
    expect_ok(answer);
    files = value_get(answer, S("files"));
    assert_int_equal(value_count(files), 2);
    expect_text(value_item(files, 0), "path", ".reeve/app.yaml");
    expect_text(value_item(files, 0), "text", "kind: Application\nname: \"\xc3\xa4\"\n");
    expect_text(value_item(files, 0), "id",
                bench_run(b, GIT "-C src rev-parse HEAD:.reeve/app.yaml"));
    expect_text(value_item(files, 1), "path", ".reeve/env/dev.yml");
    expect_text(answer, "spec_tree", bench_run(b, GIT "-C src rev-parse HEAD:.reeve"));
    expect_text(answer, "commit.id", commit);
    expect_text(answer, "commit.author", "Ada");
    expect_text(answer, "commit.committer_mail", "bob@acme.dev");
    expect_text(answer, "commit.summary", "first words");
    assert_int_equal(value_count(value_at(answer, S("commit.parents"))), 0);
    bench_close(b);
}

/* "." without the specs has the id that git gives a tree without them. */
static void test_trees_are_told_without_the_specs(void **state)
{
    struct bench *b = bench_open();
    const char *first = given_repository(b), *second, *bare;
    const struct value *before, *after;

    (void)state;
    second = given_commit(b, ".reeve/app.yaml", S("changed\n"));
    before = read_commit(b, first, "'.','apps','apps/api/main.py','missing','.reeve','.reeve/env'");
    after = read_commit(b, second, "'.'");
    expect_ok(before);
    expect_ok(after);
    assert_int_equal(value_count(value_get(before, S("trees"))), 3);
    expect_text(value_get(before, S("trees")), "apps",
                bench_run(b, GIT "-C src rev-parse HEAD:apps"));
    bare = bench_run(b, GIT "-C src rm -rq .reeve && " GIT "-C src write-tree");
    assert_true(str_eq_c(value_get_text(value_get(before, S("trees")), S("."), STR_NONE), bare));
    assert_true(str_eq_c(value_get_text(value_get(after, S("trees")), S("."), STR_NONE), bare));
    assert_true(
        str_eq_c(value_get_text(value_get(before, S("trees")), S("apps/api/main.py"), STR_NONE),
                 bench_run(b, GIT "-C src rev-parse HEAD:apps/api/main.py")));
    bench_close(b);
}

static void test_a_spec_path_inside_a_wanted_tree_is_left_out(void **state)
{
    struct bench *b = bench_open();
    const struct value *answer;
    const char *commit;

    (void)state;
    given_repository(b);
    bench_run(b, "mkdir -p src/apps/api/deploy/specs");
    commit = given_commit(b, "apps/api/deploy/specs/a.yaml", S("a: 1\n"));
    answer = ask(b,
                 "{'op':'read','mirror':'%s/src/.git','commit':'%s','spec_path':"
                 "'apps/api/deploy/specs','paths':['apps/api']}",
                 b->dir, commit);
    expect_ok(answer);
    /* the directory that held nothing but specs is gone as well: the tree of the first commit */
    assert_true(str_eq_c(value_get_text(value_get(answer, S("trees")), S("apps/api"), STR_NONE),
                         bench_run(b, GIT "-C src rev-parse HEAD~1:apps/api")));
    bench_close(b);
}

static struct str told(struct bench *b, const struct value *answer)
{
    const struct value *files = value_get(answer, S("files")), *gone = value_get(answer, S("gone"));
    struct sb text;

    sb_init(&text, &b->a);
    for (size_t i = 0; i < value_count(files); i++) {
        assert_non_null(value_get(value_item(files, i), S("text")));
        sb_addf(&text, "%s+%.*s", text.n ? " " : "",
                STR_ARG(value_get_text(value_item(files, i), S("path"), S("?"))));
    }
    for (size_t i = 0; i < value_count(gone); i++)
        sb_addf(&text, "%s-%.*s", text.n ? " " : "", STR_ARG(value_item(gone, i)->u.text));
    return sb_str(&text);
}

/* The repository holds app.yaml and env/dev.yml in .reeve, and apps beside it. */
static void test_what_the_base_has_is_not_told_again(void **state)
{
    /* clang-format off */
    static const struct { const char *what, *make, *told; int is_same_code; } rows[] = {
        { "nothing",           "true", "", 1 },
        { "a file",            "echo 'a: 1' > .reeve/env/dev.yml", "+.reeve/env/dev.yml", 1 },
        { "a new file",        "echo 'a: 1' > .reeve/b.yaml", "+.reeve/b.yaml", 1 },
        { "a new folder",      "mkdir .reeve/z && echo > .reeve/z/z.yaml", "+.reeve/z/z.yaml", 1 },
        { "a file is removed", "git rm -q .reeve/app.yaml", "-.reeve/app.yaml", 1 },
        { "a folder is removed", "git rm -qr .reeve/env", "-.reeve/env/dev.yml", 1 },
        { "a file is moved",   "git mv .reeve/app.yaml .reeve/bpp.yaml", "+.reeve/bpp.yaml -.reeve/app.yaml", 1 },
        { "a file becomes a folder", "git rm -q .reeve/app.yaml && mkdir -p .reeve/app.yaml && echo > .reeve/app.yaml/a.yml",
          "+.reeve/app.yaml/a.yml -.reeve/app.yaml", 1 },
        { "a folder becomes a file", "git rm -qr .reeve/env && echo > .reeve/env", "-.reeve/env/dev.yml", 1 },
        { "what is no spec",   "echo > .reeve/README && git mv .reeve/app.yaml .reeve/app", "-.reeve/app.yaml", 1 },
        { "all specs",         "git rm -qr .reeve", "-.reeve/app.yaml -.reeve/env/dev.yml", 1 },
        { "code alone",        "echo 3 > apps/api/main.py", "", 0 },
    };
    /* clang-format on */
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct bench *b = bench_open();
        const char *first = given_repository(b);
        const char *code = value_get_text(read_commit(b, first, ""), S("code"), S("")).p;
        const struct value *answer;

        bench_run(b, "cd src && %s && " GIT "add -A && " GIT "commit -q --allow-empty -m next",
                  rows[i].make);
        answer = ask(b,
                     "{'op':'read','mirror':'%s/src/.git','commit':'%s','base':'%s',"
                     "'spec_path':'.reeve','paths':['apps'],'code':'%s'}",
                     b->dir, bench_run(b, GIT "-C src rev-parse HEAD"), first, code);
        expect_ok(answer);
        if (!str_eq_c(told(b, answer), rows[i].told))
            fail_msg("%s: told '%s', not '%s'", rows[i].what, told(b, answer).p, rows[i].told);
        assert_true(value_get_bool(answer, S("has_base"), 0));
        assert_true(value_get_bool(answer, S("goes_on"), 0));
        assert_int_equal(value_get(answer, S("trees")) == NULL, rows[i].is_same_code);
        bench_close(b);
    }
}

/* A file becomes a link to the very text that it held: the blob is the same. */
static void test_a_link_with_the_bytes_of_a_file_is_refused(void **state)
{
    struct bench *b = bench_open();
    const char *first, *second;

    (void)state;
    (void)given_repository(b);
    bench_run(b, "cd src && id=$(printf app.yaml | git hash-object -w --stdin) && " GIT
                 "update-index --add --cacheinfo 100644,$id,.reeve/b.yaml && " GIT
                 "commit -q -m file && " GIT
                 "update-index --add --cacheinfo 120000,$id,.reeve/b.yaml && " GIT
                 "commit -q -m link");
    first = bench_run(b, GIT "-C src rev-parse HEAD~1");
    second = bench_run(b, GIT "-C src rev-parse HEAD");
    expect_error(ask(b,
                     "{'op':'read','mirror':'%s/src/.git','commit':'%s','base':'%s',"
                     "'spec_path':'.reeve','paths':[]}",
                     b->dir, second, first),
                 "INVALID", "symbolic link");
    bench_close(b);
}

static void test_a_base_that_is_not_there_or_elsewhere(void **state)
{
    struct bench *b = bench_open();
    const char *first = given_repository(b), *second;
    const struct value *answer;

    (void)state;
    second = given_commit(b, ".reeve/env/dev.yml", S("changed: yes\n"));
    answer = ask(b,
                 "{'op':'read','mirror':'%s/src/.git','commit':'%s','base':'%040d',"
                 "'spec_path':'.reeve','paths':[]}",
                 b->dir, second, 7);
    expect_ok(answer);
    assert_string_equal(told(b, answer).p, "+.reeve/app.yaml +.reeve/env/dev.yml");
    assert_false(value_get_bool(answer, S("has_base"), 0));
    answer = ask(b,
                 "{'op':'read','mirror':'%s/src/.git','commit':'%s','base':'%s',"
                 "'spec_path':'.reeve','paths':[]}",
                 b->dir, first, second);
    expect_ok(answer); /* rewound */
    assert_string_equal(told(b, answer).p, "+.reeve/env/dev.yml");
    assert_false(value_get_bool(answer, S("goes_on"), 1));
    bench_close(b);
}

static void test_a_commit_without_specs_is_an_answer(void **state)
{
    struct bench *b = bench_open();
    const struct value *answer;

    (void)state;
    given_repository(b);
    bench_run(b, GIT "-C src rm -rq .reeve && " GIT "-C src commit -qm none");
    answer = read_commit(b, bench_run(b, GIT "-C src rev-parse HEAD"), "");
    expect_ok(answer);
    assert_int_equal(value_count(value_get(answer, S("files"))), 0);
    assert_null(value_get(answer, S("spec_tree")));
    expect_error(read_commit(b, "0123456789012345678901234567890123456789", ""), "NOT_FOUND",
                 "has no commit");
    expect_error(read_commit(b, "HEAD", ""), "USAGE", "not a commit's id");
    bench_close(b);
}

static void test_specs_that_are_no_plain_text_files(void **state)
{
    /* clang-format off */
    static const struct { const char *what, *make, *paths, *code, *text; } rows[] = {
        { "a link among specs",     "ln -s /etc/passwd src/.reeve/p.yaml", "",
          "INVALID", "'.reeve/p.yaml' is a symbolic link" },
        { "a link of another name", "ln -s ../.. src/.reeve/up", "",
          "INVALID", "'.reeve/up' is a symbolic link" },
        { "the spec path is a link", "rm -r src/.reeve && ln -s apps src/.reeve", "",
          "INVALID", "symbolic link" },
        { "the spec path is a file", "rm -r src/.reeve && echo > src/.reeve", "",
          "INVALID", "'.reeve' is a file" },
        { "a submodule among specs", GIT "init -q src/.reeve/sub && " GIT
          "-C src/.reeve/sub commit -q --allow-empty -m x", "",
          "INVALID", "'.reeve/sub' is a submodule" },
        { "a submodule that is wanted", GIT "init -q src/sub && " GIT
          "-C src/sub commit -q --allow-empty -m x", "'sub'",
          "INVALID", "submodule, 'sub'" },
        { "a link that is wanted",  "ln -s apps src/link", "'link/api'",
          "INVALID", "symbolic link, 'link'" },
        { "one byte too large",     "head -c 1048577 /dev/zero | tr '\\0' x > src/.reeve/big.yaml", "",
          "LIMIT", "'.reeve/big.yaml' has 1048577 bytes" },
        { "not UTF-8",              "printf 'a: \\377\\n' > src/.reeve/l.yaml", "",
          "INVALID", "'.reeve/l.yaml' is not UTF-8 text: byte 3" },
        { "a NUL byte",             "printf 'a\\0b' > src/.reeve/n.yaml", "",
          "INVALID", "'.reeve/n.yaml' is not UTF-8 text: byte 1" },
        { "a way out",              "true", "'../x'",
          "USAGE", "another directory" },
    };
    /* clang-format on */

    struct bench *b = bench_open();

    (void)state;
    given_repository(b);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        bench_run(b, GIT "-C src checkout -q -B row main && " GIT "-C src clean -dffq && %s",
                  rows[i].make);
        bench_run(b, GIT "-C src add -A . && " GIT "-C src commit -q --allow-empty -m x");
        expect_error(read_commit(b, bench_run(b, GIT "-C src rev-parse HEAD"), rows[i].paths),
                     rows[i].code, rows[i].text);
    }
    bench_close(b);
}

struct raw_entry {
    const char *mode;
    struct str name;
    int is_tree;
};

/* A tree of these bytes, which git itself would not write. */
static const char *given_raw_tree(struct bench *b, const struct raw_entry *entries)
{
    const char *blob = bench_run(b, "echo x | " GIT "-C src hash-object -w --stdin");
    const char *tree = bench_run(b, GIT "-C src rev-parse HEAD:apps");
    struct sb bytes;

    sb_init(&bytes, &b->a);
    for (; entries->mode; entries++) {
        const char *id = entries->is_tree ? tree : blob;

        sb_add_c(&bytes, entries->mode);
        sb_add_char(&bytes, ' ');
        sb_add(&bytes, entries->name);
        sb_add_char(&bytes, '\0');
        for (size_t i = 0; i < 40; i += 2) {
            char hex[3] = { id[i], id[i + 1], '\0' };

            sb_add_char(&bytes, (char)strtoul(hex, NULL, 16));
        }
    }
    bench_write(b, "raw", sb_str(&bytes));
    return bench_run(b, GIT "-C src hash-object -t tree -w --literally --stdin < raw");
}

/* The commit whose tree is in/side/<raw tree>. */
static const char *given_hostile_commit(struct bench *b, const char *raw_tree)
{
    const char *side = bench_run(
        b, "printf '040000 tree %s\\tside\\n' | " GIT "-C src mktree --missing", raw_tree);
    const char *root = bench_run(
        b, "printf '040000 tree %s\\tin\\n' | " GIT "-C src mktree --missing", side);

    return bench_run(b, GIT "-C src commit-tree -m x %s", root);
}

static void test_hostile_trees_refuse_the_commit(void **state)
{
    /* clang-format off */
    static const struct { const char *what; struct raw_entry entries[4]; const char *text; } rows[] = {
        { "an empty name",    { { "100644", S_INIT(""), 0 } },                  "tree 'in/side'" },
        { "dot",              { { "100644", S_INIT("."), 0 } },                 "'.' is a way" },
        { "dot dot",          { { "40000", S_INIT(".."), 1 } },                 "'..' is a way" },
        { ".git",             { { "40000", S_INIT(".git"), 1 } },               "'.git' is a spelling" },
        { ".GIT",             { { "40000", S_INIT(".GIT"), 1 } },               "'.GIT' is a spelling" },
        { "git~1",            { { "100644", S_INIT("git~1"), 0 } },             "'git~1' is a spelling" },
        { "invisible .git",   { { "40000", S_INIT(".g\xe2\x80\x8cit"), 1 } },   "'.g\\xe2\\x80\\x8cit' is a spelling" },
        { "a slash",          { { "100644", S_INIT("a/b"), 0 } },               "'a/b' contains a slash" },
        { "an escape",        { { "100644", S_INIT("a\x1b"), 0 } },             "'a\\x1b' contains a control" },
        { "two of one name",  { { "100644", S_INIT("a"), 0 }, { "100644", S_INIT("a"), 0 } }, "'a' occurs twice" },
        { "a file and a directory", { { "100644", S_INIT("a"), 0 }, { "100644", S_INIT("a.b"), 0 },
                                      { "40000", S_INIT("a"), 1 } },            "'a' occurs twice" },
        { "out of order",     { { "100644", S_INIT("b"), 0 }, { "100644", S_INIT("a"), 0 } }, "'a' is out of order" },
        { "an unknown mode",  { { "20644", S_INIT("dev"), 0 } },                "'dev' has a mode" },
        { "a file said to be a tree", { { "40000", S_INIT("a"), 0 } },          "'a' is a blob" },
    };
    /* clang-format on */

    struct bench *b = bench_open();

    (void)state;
    given_repository(b);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const char *commit = given_hostile_commit(b, given_raw_tree(b, rows[i].entries));

        expect_error(read_commit(b, commit, ""), "REFUSED", rows[i].text);
        expect_error(read_commit(b, commit, ""), "REFUSED", "in/side");
        expect_error(ask(b, EXPORT ",'path':'.'}", b->dir, commit, b->dir), "REFUSED",
                     rows[i].text);
        assert_false(sys_exists(bench_path(b, "out")));
    }
    bench_close(b);
}

static void test_a_clean_base_does_not_hide_what_is_new(void **state)
{
    static const struct raw_entry entries[] = { { "100644", S_INIT("git~1"), 0 }, { 0 } };
    struct bench *b = bench_open();
    const char *base, *commit;

    (void)state;
    base = given_repository(b);
    commit = given_hostile_commit(b, given_raw_tree(b, entries));
    expect_error(ask(b,
                     "{'op':'read','mirror':'%s/src/.git','commit':'%s','base':'%s',"
                     "'spec_path':'.reeve','paths':[]}",
                     b->dir, commit, base),
                 "REFUSED", "'git~1' is a spelling");
    bench_close(b);
}

/* Each level names the one below ten times: 10^40 paths, 40 trees. */
static void test_a_tree_bomb_is_read_once_a_tree(void **state)
{
    struct bench *b = bench_open();
    const char *tree, *commit;

    (void)state;
    given_repository(b);
    tree = bench_run(b, GIT "-C src rev-parse HEAD:apps");
    for (int level = 0; level < 40; level++)
        tree = bench_run(b,
                         "for i in 0 1 2 3 4 5 6 7 8 9; do printf \"040000 tree %s\\t$i\\n\"; done"
                         " | " GIT "-C src mktree --missing",
                         tree);
    commit = bench_run(b, GIT "-C src commit-tree -m bomb %s", tree);
    expect_ok(read_commit(b, commit, ""));
    expect_error(ask(b, EXPORT ",'path':'.','limit_files':1000}", b->dir, commit, b->dir), "LIMIT",
                 "the limit of 1000");
    assert_false(sys_exists(bench_path(b, "out")) || sys_exists(bench_path(b, "out.tmp")));
    bench_close(b);
}

static void test_a_bottomless_tree_is_over_the_limit(void **state)
{
    struct bench *b = bench_open();
    const char *tree;

    (void)state;
    given_repository(b);
    tree = bench_run(b,
                     "t=$(" GIT "-C src rev-parse HEAD:apps); for i in $(seq 140); do "
                     "t=$(printf \"040000 tree $t\\td\\n\" | " GIT "-C src mktree --missing); done;"
                     " echo $t");
    expect_error(read_commit(b, bench_run(b, GIT "-C src commit-tree -m deep %s", tree), ""),
                 "LIMIT", "levels deep");
    bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specs_come_from_the_commit),
        cmocka_unit_test(test_trees_are_told_without_the_specs),
        cmocka_unit_test(test_a_spec_path_inside_a_wanted_tree_is_left_out),
        cmocka_unit_test(test_what_the_base_has_is_not_told_again),
        cmocka_unit_test(test_a_link_with_the_bytes_of_a_file_is_refused),
        cmocka_unit_test(test_a_base_that_is_not_there_or_elsewhere),
        cmocka_unit_test(test_a_commit_without_specs_is_an_answer),
        cmocka_unit_test(test_specs_that_are_no_plain_text_files),
        cmocka_unit_test(test_hostile_trees_refuse_the_commit),
        cmocka_unit_test(test_a_clean_base_does_not_hide_what_is_new),
        cmocka_unit_test(test_a_tree_bomb_is_read_once_a_tree),
        cmocka_unit_test(test_a_bottomless_tree_is_over_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
