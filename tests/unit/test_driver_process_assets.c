/* Working copies with files of earlier versions. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/guard.h"
#include "tests/support/process_world.h"

#define BLUE "rv1aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define GREEN "rv1bbbbbbbbbbbbbbbbbbbbbbbbbb"
#define OTHER "rv1cccccccccccccccccccccccccc"

#define LABEL(env) "\"label\":{\"env_uid\":\"" env "\",\"resource\":\"instance/web\"}"
#define RUNS(service, artifact, assets, more)                                                      \
    "{\"command\":[\"/bin/bash\",\"-c\",\"ls static; exec sleep 1000\"],\"context\":\"app\","      \
    "\"service\":\"" service "\",\"artifact\":\"" artifact "\",\"assets\":{\"path\":\"static\","   \
    "\"retain\":" assets "}," LABEL("e1") more "}"
#define OF(artifact) "{\"artifact\":\"" artifact "\",\"context\":\"app\",\"path\":\"static\"}"

static void given_version(struct world *w, const char *version)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "artifacts/%s/tree/app/static/%s.js", version, version);
    world_write(w, path, version);
    (void)snprintf(path, sizeof(path), "artifacts/%s/tree/app/static/same.js", version);
    world_write(w, path, version);
    (void)snprintf(path, sizeof(path), "artifacts/%s/tree/app/static/d/%s.js", version, version);
    world_write(w, path, version);
    (void)snprintf(path, sizeof(path), "artifacts/%s/tree/app/page.html", version);
    world_write(w, path, version);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    world_init(w, 1);
    for (const char *const *v = (const char *const[]){ "v1", "v2", "v3", NULL }; *v; v++)
        given_version(w, *v);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_fini(*state);
    free(*state);
    return 0;
}

static struct rv_result run(struct world *w, const char *owner, const char *desired)
{
    struct rv_op op = test_op(RV_CREATE, "instance", "web@s.0", owner, owner, desired);
    struct rv_result ret;

    test_drive(w->driver, w->self, &w->t, &op, &ret);
    return ret;
}

static struct rv_result end(struct world *w, const char *type, const char *owner)
{
    struct rv_op op = test_op(RV_DELETE, type, "web@s.0", owner, "end", "");
    struct rv_result ret;

    test_drive(w->driver, w->self, &w->t, &op, &ret);
    return ret;
}

static const char *copied(struct world *w, const char *owner, const char *file)
{
    char path[160];

    (void)snprintf(path, sizeof(path), "run/%s/tree/app/%s", owner, file);
    return world_file(w, path);
}

static ino_t inode(struct world *w, const char *path)
{
    char full[256];
    struct stat st;

    (void)snprintf(full, sizeof(full), "%s/%s", w->dir, path);
    assert_int_equal(lstat(full, &st), 0);
    return st.st_ino;
}

static int log_has(struct world *w, void *text)
{
    return strstr(world_file(w, "run/" GREEN "/log"), text) != NULL;
}

static void test_it_runs_in_a_copy_with_files_of_earlier_versions(void **state)
{
    struct world *w = *state;

    world_write(w, "run/" GREEN "/tree/app/static/left.js", "of one that died");
    world_write(w, "run/" GREEN "/tree.new/app/static/same.js", "of another that died");
    assert_int_equal(
        run(w, GREEN, RUNS("web", "v3", "2,\"of\":[" OF("v2") "," OF("v1") "]", "")).verdict,
        RV_DONE);
    assert_string_equal(copied(w, GREEN, "static/left.js"), "");
    assert_false(world_has(w, "run/" GREEN "/tree.new"));
    world_wait(w, log_has, (void *)(uintptr_t) "v1.js\nv2.js\nv3.js\n", "it sees all of them");
    assert_string_equal(copied(w, GREEN, "static/v1.js"), "v1");
    assert_string_equal(copied(w, GREEN, "static/d/v2.js"), "v2");
    assert_string_equal(copied(w, GREEN, "static/same.js"), "v3");
    assert_string_equal(copied(w, GREEN, "page.html"), "v3");
    assert_int_equal(inode(w, "run/" GREEN "/tree/app/static/v1.js"),
                     inode(w, "artifacts/v1/tree/app/static/v1.js"));
    assert_false(world_has(w, "artifacts/v3/tree/app/static/v1.js"));
    assert_int_equal(end(w, "instance", GREEN).verdict, RV_DONE);
    assert_false(world_has(w, "run/" GREEN));
    assert_true(world_has(w, "artifacts/v1/tree/app/static/v1.js"));
}

/* A site gives FILE.gz for FILE to whoever takes it packed. */
static void test_packed_and_plain_are_of_one_version(void **state)
{
    struct world *w = *state;

    world_write(w, "artifacts/v1/tree/app/static/same.js.gz", "v1 packed");
    world_write(w, "artifacts/v1/tree/app/static/v1.js.gz", "v1 packed");
    world_write(w, "artifacts/v1/tree/app/static/v1.gz", "v1 packed");
    world_write(w, "artifacts/v3/tree/app/static/v3.js.gz", "v3 packed");
    world_write(w, "artifacts/v3/tree/app/static/d.gz", "v3 packed");
    assert_int_equal(run(w, GREEN, RUNS("web", "v3", "2,\"of\":[" OF("v1") "]", "")).verdict,
                     RV_DONE);
    assert_string_equal(copied(w, GREEN, "static/same.js"), "v3");
    assert_string_equal(copied(w, GREEN, "static/same.js.gz"), "");
    assert_string_equal(copied(w, GREEN, "static/v1.js.gz"), "v1 packed");
    assert_string_equal(copied(w, GREEN, "static/v1.gz"), "v1 packed");
    assert_string_equal(copied(w, GREEN, "static/v3.js.gz"), "v3 packed");
    assert_string_equal(copied(w, GREEN, "static/d.gz"), "v3 packed");
    /* and where the packed one alone is there */
    world_write(w, "artifacts/v4/tree/app/static/v1.js.gz", "v4 packed");
    assert_int_equal(run(w, BLUE, RUNS("api", "v4", "2,\"of\":[" OF("v1") "]", "")).verdict,
                     RV_DONE);
    assert_string_equal(copied(w, BLUE, "static/v1.js.gz"), "v4 packed");
    assert_string_equal(copied(w, BLUE, "static/v1.js"), "");
}

static void test_no_more_than_are_asked_for(void **state)
{
    struct world *w = *state;

    assert_int_equal(
        run(w, GREEN,
            RUNS("web", "v3",
                 "1,\"of\":[" OF("v3") "," OF("nowhere/..") "," OF("v2") "," OF("v1") "]", ""))
            .verdict,
        RV_DONE);
    assert_string_equal(copied(w, GREEN, "static/v2.js"), "v2");
    assert_string_equal(copied(w, GREEN, "static/v1.js"), "");
}

/* A name of an artifact leads to no other directory, and what is being made has a dot before its name. */
static void test_names_that_begin_with_a_dot_are_no_artifacts(void **state)
{
    struct world *w = *state;

    world_write(w, "tree/app/static/above.js", "above");
    world_write(w, "artifacts/tree/app/static/beside.js", "beside");
    world_write(w, "artifacts/.v2/tree/app/static/half.js", "half");
    assert_int_equal(
        run(w, GREEN, RUNS("web", "v3", "9,\"of\":[" OF("..") "," OF(".") "," OF(".v2") "]", ""))
            .verdict,
        RV_DONE);
    assert_string_equal(copied(w, GREEN, "static/v3.js"), "v3");
    assert_string_equal(copied(w, GREEN, "static/above.js"), "");
    assert_string_equal(copied(w, GREEN, "static/beside.js"), "");
    assert_string_equal(copied(w, GREEN, "static/half.js"), "");
    for (const char *const *own =
             (const char *const[]){ RUNS("api", "..", "2", ""), RUNS("api", ".v2", "2", ""), NULL };
         *own; own++)
        assert_int_equal(run(w, BLUE, *own).verdict, RV_USER);
}

/* Nobody remembers what was before: what runs is there. And a page of the new one may ask the old one. */
static void test_those_that_run_and_the_new_one_have_each_others(void **state)
{
    struct world *w = *state;

    assert_int_equal(run(w, BLUE, RUNS("web", "v1", "2", "")).verdict, RV_DONE);
    assert_int_equal(run(w, OTHER, RUNS("api", "v2", "2", "")).verdict, RV_DONE);
    assert_int_equal(run(w, GREEN, RUNS("web", "v3", "2", "")).verdict, RV_DONE);
    assert_string_equal(copied(w, GREEN, "static/v1.js"), "v1");
    assert_string_equal(copied(w, GREEN, "static/v2.js"), "");
    /* made again while it has a share: what takes its place has them, too */
    assert_int_equal(end(w, "instance", BLUE).verdict, RV_DONE);
    assert_int_equal(run(w, BLUE, RUNS("web", "v1", "1,\"of\":[" OF("v2") "]", "")).verdict,
                     RV_DONE);
    assert_string_equal(copied(w, BLUE, "static/v2.js"), "v2");
    assert_string_equal(copied(w, BLUE, "static/v3.js"), "v3");
    assert_string_equal(copied(w, BLUE, "static/same.js"), "v1");
    assert_string_equal(copied(w, BLUE, "page.html"), "v1");
    assert_string_equal(copied(w, OTHER, "static/v3.js"), "");
}

/* A tree of a repository holds whatever links it likes. */
static void test_no_link_leads_out(void **state)
{
    struct world *w = *state;
    char path[128], out[128];

    world_write(w, "secret/static/keys.js", "key");
    (void)snprintf(out, sizeof(out), "%s/secret/static", w->dir);
    (void)snprintf(path, sizeof(path), "%s/artifacts/v4", w->dir);
    world_write(w, "artifacts/v4/tree/app/page.html", "v4");
    world_write(w, "artifacts/v5/tree/page.html", "v5");
    (void)snprintf(path, sizeof(path), "%s/artifacts/v4/tree/app/static", w->dir);
    assert_int_equal(symlink(out, path), 0);
    (void)snprintf(path, sizeof(path), "%s/artifacts/v5/tree/app", w->dir);
    (void)snprintf(out, sizeof(out), "%s/secret", w->dir);
    assert_int_equal(symlink(out, path), 0);

    /* ours leads out: nothing is put there */
    assert_int_equal(run(w, GREEN, RUNS("web", "v4", "2,\"of\":[" OF("v1") "]", "")).verdict,
                     RV_DONE);
    assert_false(world_has(w, "secret/static/v1.js"));
    assert_int_equal(end(w, "instance", GREEN).verdict, RV_DONE);
    /* those of before do: nothing is taken from there */
    assert_int_equal(
        run(w, GREEN, RUNS("web", "v1", "2,\"of\":[" OF("v4") "," OF("v5") "]", "")).verdict,
        RV_DONE);
    assert_string_equal(copied(w, GREEN, "static/keys.js"), "");
    assert_string_equal(copied(w, GREEN, "static/v1.js"), "v1");
    /* one that runs does */
    assert_int_equal(run(w, BLUE, RUNS("api", "v4", "2", "")).verdict, RV_DONE);
    assert_int_equal(run(w, OTHER, RUNS("api", "v2", "2", "")).verdict, RV_DONE);
    assert_false(world_has(w, "secret/static/v2.js"));
}

static void test_what_is_retained_is_not_removed(void **state)
{
    struct world *w = *state;
    struct rv_op op = test_op(RV_CREATE, "artifact", "web@v1", OTHER, "k1",
                              "{\"key\":\"v1\",\"argv\":[]}");
    struct rv_result ret;

    world_write(w, "artifacts/v1/artifact.json", "{\"key\":\"v1\"}");
    test_drive(w->driver, w->self, &w->t, &op, &ret);
    assert_int_equal(ret.verdict, RV_DONE);
    assert_int_equal(run(w, GREEN, RUNS("web", "v3", "2,\"of\":[" OF("v1") "]", "")).verdict,
                     RV_DONE);
    assert_int_equal(end(w, "artifact", OTHER).verdict, RV_WAIT);
    assert_int_equal(end(w, "instance", GREEN).verdict, RV_DONE);
    assert_int_equal(end(w, "artifact", OTHER).verdict, RV_DONE);
    assert_false(world_has(w, "artifacts/v1"));
    assert_int_equal(run(w, GREEN, RUNS("web", "v3", "2,\"of\":[" OF("v1") "]", "")).verdict,
                     RV_DONE);
    assert_string_equal(copied(w, GREEN, "static/v1.js"), "");
}

/* What stood beside its own files when it began makes it no other. */
static void test_it_is_not_started_again_for_another_list(void **state)
{
    struct world *w = *state;
    int64_t pid;

    assert_int_equal(run(w, GREEN, RUNS("web", "v3", "2", "")).verdict, RV_DONE);
    pid = world_state(w, GREEN, "pid");
    assert_int_equal(run(w, GREEN, RUNS("web", "v3", "2,\"of\":[" OF("v1") "]", "")).verdict,
                     RV_DONE);
    assert_int_equal(world_state(w, GREEN, "pid"), pid);
}

/* Behind walls as well, where it cannot write to it; and so is what asks it. */
static void test_behind_walls_the_same(void **state)
{
    struct world *w = *state;
    struct rv_result ret = run(
        w, GREEN, RUNS("web", "v3", "2,\"of\":[" OF("v1") "]", ",\"isolation\":\"namespace\""));
    struct rv_op op = test_op(
        RV_NONE, "instance", "web@s.0", GREEN, "",
        "{\"command\":[\"/bin/bash\",\"-c\",\"test -s static/v1.js && ! touch x && exit 5\"],"
        "\"timeout_ms\":20000}");

    if (ret.verdict != RV_DONE && test_rv_has(ret.message, "isolation")) {
        print_message("SKIPPED: %.*s\n", (int)ret.message.n, ret.message.p);
        skip();
    }
    assert_int_equal(ret.verdict, RV_DONE);
    world_wait(w, log_has, (void *)(uintptr_t) "v1.js\nv3.js\n", "it sees both");
    ret = (struct rv_result){ .size = sizeof(ret) };
    w->driver->health(w->self, &w->t.host, &op, &ret);
    assert_true(test_rv_has(ret.observed, "\"exit\":5"));
}

static void test_without_its_artifact_nothing_starts(void **state)
{
    struct rv_result ret = run(*state, GREEN, RUNS("web", "v9", "2", ""));

    assert_int_equal(ret.verdict, RV_USER);
    assert_true(test_rv_has(ret.message, "artifact 'v9' is not here"));
}

int main(void)
{
    static const struct {
        const char *name;
        CMUnitTestFunction fn;
    } plain[] = {
        { "it runs in a copy with files of earlier versions",
          test_it_runs_in_a_copy_with_files_of_earlier_versions },
        { "packed and plain are of one version", test_packed_and_plain_are_of_one_version },
        { "no more than are asked for", test_no_more_than_are_asked_for },
        { "names that begin with a dot are no artifacts",
          test_names_that_begin_with_a_dot_are_no_artifacts },
        { "those that run and the new one have each other's",
          test_those_that_run_and_the_new_one_have_each_others },
        { "no link leads out", test_no_link_leads_out },
        { "what is retained is not removed", test_what_is_retained_is_not_removed },
        { "it is not started again for another list",
          test_it_is_not_started_again_for_another_list },
        { "behind walls the same", test_behind_walls_the_same },
        { "without its artifact nothing starts", test_without_its_artifact_nothing_starts },
    };
    struct CMUnitTest tests[N_ELEMENTS(plain)];

    for (size_t i = 0; i < N_ELEMENTS(plain); i++)
        tests[i] = (struct CMUnitTest){ plain[i].name, plain[i].fn, setup, teardown, NULL };
    return _cmocka_run_group_tests("process: assets", tests, N_ELEMENTS(plain), NULL, NULL);
}
