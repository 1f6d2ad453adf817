/* engine: what a revision was given is kept sealed, and nothing but that is ever taken from a file.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/secret_key.h"
#include "reconciler/engine/secret_sets.h"
#include "specs/json_io.h"

#define ENV "0190a000-0000-7000-8000-000000000001"
#define OTHER "0190a000-0000-7000-8000-000000000002"
#define VALUE "a value nobody else may read"

struct world {
    struct arena arena;
    char dir[64];
    struct secret_store *store;
    struct secret_sets *sets;
};

static char *world_path(struct world *w, const char *name)
{
    return str_to_c(&w->arena, str_fmt(&w->arena, "%s/%s", w->dir, name));
}

static void world_open(struct world *w, const char *keep)
{
    struct err err = ERR_INIT;
    struct value *daemon;
    struct str text = str_fmt(&w->arena,
                              "{\"secrets\":{\"default\":\"files\",\"keep\":\"%s\",\"stores\":"
                              "{\"files\":{\"type\":\"file\",\"directory\":\"%s/files\"}}}}",
                              keep, w->dir);

    assert_int_equal(json_parse(&w->arena, text, 10000, &daemon, &err), 0);
    assert_int_equal(
        secret_store_new(
            &(struct secret_store_options){ .daemon = daemon, .keys = world_path(w, "keys") },
            &w->store, &err),
        0);
    assert_int_equal(
        secret_sets_new(daemon, w->dir, world_path(w, "keys"), w->store, &w->sets, &err), 0);
}

static void world_close(struct world *w)
{
    secret_sets_free(w->sets);
    secret_store_free(w->store);
}

static void given_world(struct world *w, const char *keep)
{
    struct err err = ERR_INIT;

    arena_init(&w->arena, 0);
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/rt-seals-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(sys_mkdir_all(world_path(w, "files"), 0700, &err), 0);
    world_open(w, keep);
}

static void world_fini(struct world *w)
{
    struct err err = ERR_INIT;

    world_close(w);
    assert_int_equal(sys_remove_all(w->dir, &err), 0);
    arena_fini(&w->arena);
}

static void given_stored(struct world *w, const char *name, const char *value)
{
    struct err err = ERR_INIT;

    assert_int_equal(sys_write_file(world_path(w, str_fmt(&w->arena, "files/%s", name).p), 0600,
                                    str_from_c(value), &err),
                     0);
}

static struct str ref_now(struct world *w, const char *name)
{
    struct secret_ref ref = secret_store_ref(S("prod"), str_from_c(name), NULL);
    struct err err = ERR_INIT;
    struct secret_pin pin;

    assert_int_equal(secret_store_pin(w->store, &ref, &w->arena, &pin, &err), 0);
    return str_fmt(&w->arena, "%s@%.*s", name, STR_ARG(pin.version));
}

static struct digest revision_of(const char *word)
{
    return hash_bytes(str_from_c(word));
}

/* Asked for by an operation of the revision, which refers to `all` of these. */
static int give(struct world *w, const char *revision, struct str ref, const struct str *all,
                size_t n, struct str *ret, struct err *err)
{
    struct value *refs;
    struct map pins;
    const struct secret_want want = { S(ENV), S("prod"), revision_of(revision), NULL, &pins, NULL };
    struct secret_want asked = want;

    assert_int_equal(json_parse(&w->arena,
                                S("{\"a\":{\"store\":\"files\",\"path\":\"a\"},"
                                  "\"b\":{\"store\":\"files\",\"path\":\"b\"}}"),
                                1000, &refs, err),
                     0);
    asked.refs = refs;
    map_init(&pins, &w->arena);
    for (size_t i = 0; i < n; i++)
        map_put(&pins, all[i], NULL);
    return secret_sets_give(w->sets, &asked, &w->arena, ref, ret, err);
}

static void expect_given(struct world *w, const char *revision, struct str ref, const char *want)
{
    struct err err = ERR_INIT;
    struct str value;

    if (give(w, revision, ref, &ref, 1, &value, &err))
        fail_msg("%.*s of %s: %s", STR_ARG(ref), revision, err.text);
    assert_string_equal(value.p, want);
}

static void expect_refused(struct world *w, const char *revision, struct str ref)
{
    struct err err = ERR_INIT;
    struct str value;

    assert_int_equal(give(w, revision, ref, &ref, 1, &value, &err), ERR_REFUSED);
    assert_non_null(strstr(err.text, "is gone"));
}

static char *seal_file(struct world *w, const char *env, const char *revision)
{
    struct digest d = revision_of(revision);

    return world_path(
        w, str_fmt(&w->arena, "sealed/%s/%.*s", env, STR_ARG(digest_hex(&w->arena, &d))).p);
}

static void test_what_was_given_once_is_given_again(void **state)
{
    struct world w;
    struct str all[2], file, value;
    struct err err = ERR_INIT;
    struct stat st;

    (void)state;
    given_world(&w, "restorable");
    given_stored(&w, "a", VALUE);
    given_stored(&w, "b", "another");
    all[0] = ref_now(&w, "a");
    all[1] = ref_now(&w, "b");
    assert_int_equal(give(&w, "one", all[0], all, 2, &value, &err), 0);
    assert_string_equal(value.p, VALUE);

    assert_int_equal(stat(seal_file(&w, ENV, "one"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(sys_read_file(&w.arena, seal_file(&w, ENV, "one"), 10000, &file, &err), 0);
    assert_int_equal(str_find(file, S(VALUE)), STR_NPOS);
    assert_int_equal(str_find(file, S("a@f:")), STR_NPOS); /* nor which there are */

    assert_int_equal(unlink(world_path(&w, "files/a")), 0); /* the store has them no more */
    given_stored(&w, "b", "changed");
    world_close(&w);
    world_open(&w, "restorable"); /* nor does our memory */
    expect_given(&w, "one", all[0], VALUE);
    expect_given(&w, "one", all[1], "another"); /* sealed with the other, although nobody asked */
    expect_given(&w, "two", all[1], "another"); /* another revision with the same version */
    assert_int_equal(give(&w, "three", all[0], NULL, 0, &value, &err),
                     0); /* nobody said that it does */
    assert_string_equal(value.p, VALUE);
    world_fini(&w);
}

static void test_none_keeps_nothing(void **state)
{
    struct world w;
    struct str ref;
    struct map found;
    struct err err = ERR_INIT;
    struct digest one = revision_of("one");

    (void)state;
    given_world(&w, "none");
    given_stored(&w, "a", VALUE);
    ref = ref_now(&w, "a");
    expect_given(&w, "one", ref, VALUE);
    assert_false(sys_exists(world_path(&w, "sealed")));
    assert_int_equal(secret_sets_find(w.sets, S(ENV), &one, &w.arena, &found, &err), 0);
    assert_int_equal(found.n, 0);
    given_stored(&w, "a", "changed");
    expect_refused(&w, "one", ref);
    world_fini(&w);
}

/* Nothing was started for the second revision: it has what the first one was given all the same. */
static void test_a_revision_that_started_nothing_can_be_gone_back_to(void **state)
{
    struct digest two = revision_of("two");
    struct world w;
    struct str ref;
    struct map pins;
    struct err err = ERR_INIT;
    const struct secret_want want = {
        .env_uid = S(ENV), .env_name = S("prod"), .revision = two, .pins = &pins
    };

    (void)state;
    given_world(&w, "restorable");
    given_stored(&w, "a", VALUE);
    ref = ref_now(&w, "a");
    expect_given(&w, "one", ref, VALUE);
    map_init(&pins, &w.arena);
    map_put(&pins, ref, NULL);
    map_put(&pins, S("b@f:0123456789abcdef"), NULL); /* nobody has it */
    assert_int_equal(secret_sets_complete(w.sets, &want, &err), 0);
    assert_int_equal(secret_sets_sweep(w.sets, S(ENV), &two, 1, &err), 0);
    assert_false(sys_exists(seal_file(&w, ENV, "one")));
    given_stored(&w, "a", "changed");
    expect_given(&w, "two", ref, VALUE);
    world_fini(&w);
}

/* What cannot be read just now is neither used nor replaced: it holds what its store has no more. */
static void test_a_set_that_cannot_be_read_now_is_not_written_anew(void **state)
{
    struct world w;
    struct str ref, both[2], value;
    struct err err = ERR_INIT;
    char *path, *away;

    (void)state;
    given_world(&w, "restorable");
    given_stored(&w, "a", VALUE);
    ref = both[0] = ref_now(&w, "a");
    expect_given(&w, "one", ref, VALUE);
    given_stored(&w, "a", "changed");
    given_stored(&w, "b", "new");
    both[1] = ref_now(&w, "b");
    path = seal_file(&w, ENV, "one");
    away = world_path(&w, "away");
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(mkdir(path, 0700), 0); /* opened, but not read */
    assert_int_equal(give(&w, "one", both[1], both, 2, &value, &err), ERR_IO);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rename(away, path), 0);
    expect_given(&w, "one", ref, VALUE);
    world_fini(&w);
}

/* Reading makes no key: one that was lost is asked for, not replaced. */
static void test_a_key_that_is_gone_is_not_made_by_reading(void **state)
{
    struct world w;
    struct str ref;
    struct map found;
    struct err err = ERR_INIT;
    struct digest one = revision_of("one");

    (void)state;
    given_world(&w, "restorable");
    given_stored(&w, "a", VALUE);
    ref = ref_now(&w, "a");
    expect_given(&w, "one", ref, VALUE);
    assert_int_equal(rename(world_path(&w, "keys/sealed"), world_path(&w, "key")), 0);
    assert_int_equal(secret_sets_find(w.sets, S(ENV), &one, &w.arena, &found, &err), 0);
    assert_int_equal(found.n, 0);
    assert_false(sys_exists(world_path(&w, "keys/sealed")));
    assert_int_equal(rename(world_path(&w, "key"), world_path(&w, "keys/sealed")), 0);
    given_stored(&w, "a", "changed");
    expect_given(&w, "one", ref, VALUE);
    world_fini(&w);
}

/* --- what is not as it was written --------------------------------------------------------------- */

static void cut_to(const char *path, size_t n)
{
    assert_int_equal(truncate(path, (off_t)n), 0);
}

static void flip(const char *path, long at)
{
    FILE *f = fopen(path, "r+");
    int c;

    assert_non_null(f);
    assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    c = fgetc(f);
    assert_int_equal(fseek(f, -1, SEEK_CUR), 0);
    assert_int_equal(fputc(c ^ 1, f), c ^ 1);
    assert_int_equal(fclose(f), 0);
}

static void spoil_empty(struct world *w, const char *path)
{
    (void)w;
    cut_to(path, 0);
}

static void spoil_short(struct world *w, const char *path)
{
    (void)w;
    cut_to(path, 40);
}

static void spoil_end(struct world *w, const char *path)
{
    struct stat st;

    (void)w;
    assert_int_equal(stat(path, &st), 0);
    cut_to(path, (size_t)st.st_size - 1);
}

static void spoil_head(struct world *w, const char *path)
{
    (void)w;
    flip(path, 0);
}

static void spoil_key_name(struct world *w, const char *path)
{
    (void)w;
    flip(path, 20);
}

static void spoil_nonce(struct world *w, const char *path)
{
    (void)w;
    flip(path, 30);
}

static void spoil_text(struct world *w, const char *path)
{
    (void)w;
    flip(path, 55);
}

static void spoil_tag(struct world *w, const char *path)
{
    (void)w;
    flip(path, -1);
}

static void spoil_key(struct world *w, const char *path)
{
    (void)path;
    flip(world_path(w, "keys/sealed"), 3);
}

static void spoil_no_key(struct world *w, const char *path)
{
    (void)path;
    assert_int_equal(unlink(world_path(w, "keys/sealed")), 0);
}

static void spoil_open_key(struct world *w, const char *path)
{
    (void)path;
    assert_int_equal(chmod(world_path(w, "keys/sealed"), 0644), 0);
}

static void spoil_revision(struct world *w, const char *path)
{
    assert_int_equal(rename(seal_file(w, ENV, "two"), path), 0);
}

static void spoil_environment(struct world *w, const char *path)
{
    const struct secret_seal other = { world_path(w, "sealed"), world_path(w, "keys"),
                                       S_INIT(OTHER), revision_of("one") };
    struct err err = ERR_INIT;
    struct map set;
    struct str *value = arena_new(&w->arena, struct str);

    *value = S("not yours");
    map_init(&set, &w->arena);
    map_put(&set, ref_now(w, "a"), value);
    assert_int_equal(secret_seal_write(&other, &set, &err), 0);
    assert_int_equal(rename(seal_file(w, OTHER, "one"), path), 0);
}

static void test_what_cannot_be_opened_is_never_used(void **state)
{
    static const struct {
        const char *name;
        void (*spoil)(struct world *w, const char *path);
        int rc;
        const char *says;
    } rows[] = {
        { "empty", spoil_empty, ERR_INVALID, "cut" },
        { "cut in its front", spoil_short, ERR_INVALID, "cut" },
        { "cut by a byte", spoil_end, ERR_INVALID, "cut or changed" },
        { "another head", spoil_head, ERR_INVALID, "not a sealed set" },
        { "another key's name", spoil_key_name, ERR_REFUSED, "another key" },
        { "another nonce", spoil_nonce, ERR_INVALID, "changed" },
        { "a changed byte", spoil_text, ERR_INVALID, "changed" },
        { "a changed tag", spoil_tag, ERR_INVALID, "changed" },
        { "another key", spoil_key, ERR_REFUSED, "another key" },
        { "the key is lost", spoil_no_key, ERR_REFUSED, "its key is not there" },
        { "others can read the key", spoil_open_key, ERR_REFUSED, "open to others" },
        { "that of another revision", spoil_revision, ERR_INVALID, "another revision" },
        { "that of another environment", spoil_environment, ERR_INVALID, "another revision" },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct world w;
        struct str ref;
        struct map set;
        struct err err = ERR_INIT;
        struct secret_seal at;

        given_world(&w, "restorable");
        given_stored(&w, "a", VALUE);
        ref = ref_now(&w, "a");
        expect_given(&w, "one", ref, VALUE);
        expect_given(&w, "two", ref, VALUE);
        rows[i].spoil(&w, seal_file(&w, ENV, "one"));
        at = (struct secret_seal){ world_path(&w, "sealed"), world_path(&w, "keys"), S(ENV),
                                   revision_of("one") };
        if (secret_seal_read(&at, &w.arena, &set, &err) != rows[i].rc ||
            !strstr(err.text, rows[i].says))
            fail_msg("%s: %s", rows[i].name, err.text);
        world_fini(&w);
    }
}

static void test_what_was_sealed_with_a_lost_key_is_put_aside(void **state)
{
    struct world w;
    struct str ref;

    (void)state;
    given_world(&w, "restorable");
    given_stored(&w, "a", VALUE);
    ref = ref_now(&w, "a");
    expect_given(&w, "one", ref, VALUE);
    spoil_no_key(&w, NULL);
    given_stored(&w, "a", "changed");
    expect_refused(&w, "one", ref);
    given_stored(&w, "a", VALUE); /* the store still has it */
    expect_given(&w, "one", ref, VALUE);
    assert_true(sys_exists(
        str_to_c(&w.arena, str_fmt(&w.arena, "%s.unreadable", seal_file(&w, ENV, "one")))));
    world_fini(&w);
}

static void test_a_key_may_be_a_credential(void **state)
{
    struct world w;
    struct str ref;
    char key[SECRET_KEY_BYTES];
    struct err err = ERR_INIT;

    (void)state;
    given_world(&w, "restorable");
    memset(key, 'k', sizeof(key));
    assert_int_equal(sys_write_file(world_path(&w, "reeve.sealed"), 0400,
                                    (struct str){ key, sizeof(key) }, &err),
                     0);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", w.dir, 1), 0);
    given_stored(&w, "a", VALUE);
    ref = ref_now(&w, "a");
    expect_given(&w, "one", ref, VALUE);
    assert_false(sys_exists(world_path(&w, "keys/sealed")));
    assert_int_equal(unlink(world_path(&w, "files/a")), 0);
    expect_given(&w, "one", ref, VALUE);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    world_fini(&w);
}

static void test_sets_go_with_their_revisions(void **state)
{
    struct world w;
    struct str ref;
    struct err err = ERR_INIT;
    struct digest keep[] = { revision_of("one"), revision_of("three") };

    (void)state;
    given_world(&w, "restorable");
    given_stored(&w, "a", VALUE);
    ref = ref_now(&w, "a");
    expect_given(&w, "one", ref, VALUE);
    expect_given(&w, "two", ref, VALUE);
    assert_int_equal(sys_write_file(str_fmt(&w.arena, "%s.new", seal_file(&w, ENV, "four")).p, 0600,
                                    S("x"), &err),
                     0); /* cut short by a death */
    assert_int_equal(secret_sets_sweep(w.sets, S(ENV), keep, N_ELEMENTS(keep), &err), 0);
    assert_false(sys_exists(str_fmt(&w.arena, "%s.new", seal_file(&w, ENV, "four")).p));
    assert_true(sys_exists(seal_file(&w, ENV, "one")));
    assert_false(sys_exists(seal_file(&w, ENV, "two")));
    assert_int_equal(secret_sets_sweep(w.sets, S(OTHER), NULL, 0, &err), 0); /* it never had one */
    world_close(&w);
    world_open(&w, "none"); /* and all, once they are not kept any more */
    assert_int_equal(secret_sets_sweep(w.sets, S(ENV), keep, N_ELEMENTS(keep), &err), 0);
    assert_false(sys_exists(seal_file(&w, ENV, "one")));
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_given_once_is_given_again),
        cmocka_unit_test(test_none_keeps_nothing),
        cmocka_unit_test(test_a_revision_that_started_nothing_can_be_gone_back_to),
        cmocka_unit_test(test_a_set_that_cannot_be_read_now_is_not_written_anew),
        cmocka_unit_test(test_a_key_that_is_gone_is_not_made_by_reading),
        cmocka_unit_test(test_what_cannot_be_opened_is_never_used),
        cmocka_unit_test(test_what_was_sealed_with_a_lost_key_is_put_aside),
        cmocka_unit_test(test_a_key_may_be_a_credential),
        cmocka_unit_test(test_sets_go_with_their_revisions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
