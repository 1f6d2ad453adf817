/* engine: stores that are programs, repositories or our own making. SPDX-License-Identifier: Apache-2.0 */
#define STORES                                                                                     \
    "\"default\":\"program\",\"stores\":{"                                                         \
    "\"program\":{\"type\":\"exec\",\"command\":[\"@/program\",\"first\"],\"timeout\":15000},"     \
    "\"slow\":{\"type\":\"exec\",\"command\":[\"/bin/sh\",\"-c\",\"sleep 60\"],\"timeout\":200},"  \
    "\"nowhere\":{\"type\":\"exec\",\"command\":[\"@/nothing\"],\"timeout\":15000},"               \
    "\"files\":{\"type\":\"file\",\"directory\":\"@/files\"},"                                     \
    "\"env\":{\"type\":\"env\",\"prefix\":\"NOTHING_\"}}"
#include "test_engine_stores_given.h"

#include "reconciler/engine/secret_kind.h"

/* --- programs ------------------------------------------------------------------------------------ */

static const char program[] = "#!/bin/sh\n"
                              "case $2 in\n"
                              "kv/plain) echo 'a value' ;;\n"
                              "kv/arguments) echo \"$# $1 $2\" ;;\n"
                              "kv/map) echo '{\"user\":\"bob\"}' ;;\n"
                              "kv/environment) env | cut -d = -f 1 | grep -v "
                              "'^_$\\|^PWD$\\|^SHLVL$\\|^OLDPWD$' | sort | tr '\\n' ' ' ;;\n"
                              "kv/descriptors) ls /proc/self/fd | tr '\\n' ' ' ;;\n"
                              "kv/large) head -c 70000 /dev/zero | tr '\\0' x ;;\n"
                              "kv/empty) ;;\n"
                              "kv/absent) echo 'tell-nobody' >&2; exit 3 ;;\n"
                              "kv/fails) echo 'tell-nobody' >&2; echo tell-nobody; exit 1 ;;\n"
                              "kv/dies) kill -9 $$ ;;\n"
                              "esac\n";

static void test_a_program_prints_the_value(void **state)
{
    static const struct {
        const char *name, *store, *path, *key, *value;
        int rc;
    } rows[] = {
        { "its last line end is dropped", NULL, "kv/plain", NULL, "a value", 0 },
        { "the path is its last argument", NULL, "kv/arguments", NULL, "2 first kv/arguments", 0 },
        { "a key of a map", NULL, "kv/map", "user", "bob", 0 },
        { "a key that is not there", NULL, "kv/map", "other", NULL, ERR_NOT_FOUND },
        { "it has an environment of its own", NULL, "kv/environment", NULL, "LC_ALL PATH ", 0 },
        { "and no descriptor of ours", NULL, "kv/descriptors", NULL, "0 1 2 3 ", 0 },
        { "nothing is a value", NULL, "kv/empty", NULL, "", 0 },
        { "a path that would be an option", NULL, "--help", NULL, NULL, ERR_REFUSED },
        { "too much", NULL, "kv/large", NULL, NULL, ERR_LIMIT },
        { "there is no such secret", NULL, "kv/absent", NULL, NULL, ERR_NOT_FOUND },
        { "it fails", NULL, "kv/fails", NULL, NULL, ERR_UNREACHABLE },
        { "it dies", NULL, "kv/dies", NULL, NULL, ERR_UNREACHABLE },
        { "it takes too long", "slow", "x", NULL, NULL, ERR_TIMEOUT },
        { "it is not there", "nowhere", "x", NULL, NULL, ERR_UNREACHABLE },
    };
    struct world w;

    (void)state;
    given_world(&w);
    given_program(&w, "program", program);
    assert_int_equal(setenv("REEVE_SECRET_OURS", "not theirs", 1), 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct secret_ref ref = { .env = S("prod"),
                                        .name = S("x"),
                                        .store = str_from_c(rows[i].store),
                                        .path = str_from_c(rows[i].path),
                                        .key = str_from_c(rows[i].key) };
        struct secret *secret = NULL;
        struct err err = ERR_INIT;
        int rc = secret_store_read(w.store, &ref, STR_NONE, &secret, &err);

        if (rc != rows[i].rc)
            fail_msg("%s: %s", rows[i].name, err.text);
        if (!rc && strcmp(secret_reveal(secret).p, rows[i].value) != 0)
            fail_msg("%s: '%s'", rows[i].name, secret_reveal(secret).p);
        assert_null(strstr(err.text, "tell-nobody"));
        secret_free(secret);
    }
    world_fini(&w);
}

/* --- what is generated --------------------------------------------------------------------------- */

static void test_encodings(void **state)
{
    static const struct {
        const char *encoding, *letters;
        int64_t n;
        size_t length;
    } rows[] = {
        { "base64", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", 32, 44 },
        { "base64", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", 16, 24 },
        { "base64url", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 32, 43 },
        { "hex", "0123456789abcdef", 32, 64 },
        { "alnum", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 1024, 1024 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a = { 0 };
        struct err err = ERR_INIT;
        struct str one, two;

        assert_int_equal(secret_make_value(&a, rows[i].n, str_from_c(rows[i].encoding), &one, &err),
                         0);
        assert_int_equal(secret_make_value(&a, rows[i].n, str_from_c(rows[i].encoding), &two, &err),
                         0);
        assert_int_equal(one.n, rows[i].length);
        assert_int_equal(strspn(one.p, rows[i].letters), one.n);
        assert_false(str_eq(one, two));
    }
}

#define GENERATED                                                                                  \
    "{\"key\":{\"store\":\"files\",\"path\":\"generated/prod/"                                     \
    "key\",\"generate\":32,\"encoding\":\"hex\"}}"

static int open_generated(struct world *w, const struct map *made, struct str *ret, struct err *err)
{
    struct value *refs;
    struct secret_open in = { .env = S("prod"), .ref = S("key@g:1"), .was_made = made };

    assert_int_equal(json_parse(&w->arena, S(GENERATED), 1000, &refs, err), 0);
    in.refs = refs;
    return secret_store_open(w->store, &w->arena, &in, ret, err);
}

static struct secret_pin pin_generated(struct world *w)
{
    struct value *refs;
    struct err err = ERR_INIT;
    struct secret_pin pin;
    struct secret_ref ref;

    assert_int_equal(json_parse(&w->arena, S(GENERATED), 1000, &refs, &err), 0);
    ref = secret_store_ref(S("prod"), S("key"), value_get(refs, S("key")));
    assert_int_equal(secret_store_pin(w->store, &ref, &w->arena, &pin, &err), 0);
    return pin;
}

static void test_it_is_made_when_it_is_given_and_then_read(void **state)
{
    struct world w;
    struct str first, again, stored;
    struct err err = ERR_INIT;
    struct stat st;

    (void)state;
    given_world(&w);
    assert_string_equal(pin_generated(&w).version.p, "g:1");
    assert_int_equal(pin_generated(&w).fingerprint.n, 0);
    assert_false(sys_exists(world_path(&w, "files/generated"))); /* a plan makes nothing */

    assert_int_equal(open_generated(&w, NULL, &first, &err), 0);
    assert_int_equal(first.n, 64);
    assert_int_equal(stat(world_path(&w, "files/generated/prod/key/1"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(
        sys_read_file(&w.arena, world_path(&w, "files/generated/prod/key/1"), 1000, &stored, &err),
        0);
    assert_true(str_eq(stored, first));
    assert_false(sys_exists(world_path(&w, "files/generated/prod/key/.new")));
    secret_store_free(w.store); /* another life */
    world_open(&w);
    assert_int_equal(open_generated(&w, NULL, &again, &err), 0);
    assert_true(str_eq(first, again));
    assert_string_equal(pin_generated(&w).version.p, "g:1");
    assert_int_equal(pin_generated(&w).fingerprint.n, 18);

    given_file(&w, "files/generated/prod/key/2", S("one that a person wrote\n"));
    assert_string_equal(pin_generated(&w).version.p, "g:2");
    assert_int_equal(open_generated(&w, NULL, &again, &err), 0); /* the older one is kept */
    assert_true(str_eq(first, again));
    world_fini(&w);
}

static void test_what_was_there_once_is_not_made_again(void **state)
{
    struct world w;
    struct str value;
    struct map made;
    struct err err = ERR_INIT;

    (void)state;
    given_world(&w);
    map_init(&made, &w.arena);
    map_put(&made, S("key@g:1"), NULL);
    assert_int_equal(open_generated(&w, &made, &value, &err), ERR_REFUSED);
    assert_non_null(strstr(err.text, "version 'g:1' of secret 'key' is gone"));
    assert_false(sys_exists(world_path(&w, "files/generated")));
    world_fini(&w);
}

/* Half a file of a life that died is no value. */
static void test_what_was_cut_short_is_not_taken_for_it(void **state)
{
    struct world w;
    struct str value;
    struct err err = ERR_INIT;

    (void)state;
    given_world(&w);
    assert_int_equal(sys_mkdir_all(world_path(&w, "files/generated/prod/key"), 0700, &err), 0);
    given_file(&w, "files/generated/prod/key/.new", S("half"));
    assert_int_equal(pin_generated(&w).fingerprint.n, 0);
    assert_int_equal(open_generated(&w, NULL, &value, &err), 0);
    assert_int_equal(value.n, 64);
    world_fini(&w);
}

static void test_a_store_that_cannot_be_written_says_so(void **state)
{
    const struct secret_ref ref = { .env = S("prod"),
                                    .name = S("key"),
                                    .store = S("env"),
                                    .path = S("key"),
                                    .generate = 32,
                                    .encoding = S("hex"),
                                    .may_make = 1 };
    struct world w;
    struct secret *secret;
    struct err err = ERR_INIT;

    (void)state;
    given_world(&w);
    assert_int_equal(secret_store_read(w.store, &ref, S("g:1"), &secret, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "keeps nothing that is generated"));
    world_fini(&w);
}

struct maker {
    struct world *w;
    struct str value;
    struct arena arena;
};

static void *make_at_once(void *ctx)
{
    struct maker *m = ctx;
    struct secret_ref ref = { .env = S("prod"),
                              .name = S("key"),
                              .store = S("files"),
                              .path = S("generated/prod/key"),
                              .generate = 32,
                              .encoding = S("hex"),
                              .may_make = 1 };
    struct secret *secret;
    struct err err = ERR_INIT;

    if (!secret_store_read(m->w->store, &ref, S("g:1"), &secret, &err)) {
        m->value = str_copy(&m->arena, secret_reveal(secret));
        secret_free(secret);
    }
    return NULL;
}

static void test_threads_that_come_first_together_get_one_value(void **state)
{
    struct world w;
    pthread_t threads[8];
    struct maker makers[8] = { 0 };

    (void)state;
    given_world(&w);
    for (int i = 0; i < 8; i++) {
        makers[i].w = &w;
        assert_int_equal(pthread_create(&threads[i], NULL, make_at_once, &makers[i]), 0);
    }
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(makers[i].value.n, 64);
        assert_true(str_eq(makers[i].value, makers[0].value));
    }
    for (int i = 0; i < 8; i++)
        arena_fini(&makers[i].arena);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_program_prints_the_value),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_it_is_made_when_it_is_given_and_then_read),
        cmocka_unit_test(test_what_was_there_once_is_not_made_again),
        cmocka_unit_test(test_what_was_cut_short_is_not_taken_for_it),
        cmocka_unit_test(test_a_store_that_cannot_be_written_says_so),
        cmocka_unit_test(test_threads_that_come_first_together_get_one_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
