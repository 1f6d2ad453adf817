/* engine: secrets are read from their stores, named by a fingerprint, and never leave by another way.
 * SPDX-License-Identifier: Apache-2.0 */
#define STORES                                                                                     \
    "\"default\":\"env\",\"stores\":{\"env\":{\"type\":\"env\",\"prefix\":\"RT_TEST_\"},"          \
    "\"files\":{\"type\":\"file\",\"directory\":\"@/files\"},"                                     \
    "\"gone\":{\"type\":\"file\",\"directory\":\"@/nowhere\"},\"later\":{\"type\":\"cloud\"}}"
#include "test_engine_stores_given.h"

#include "base/hash.h"

static int pin_now(struct world *w, const struct secret_ref *ref, struct arena *a, struct str *ret,
                   struct err *err)
{
    struct secret_pin pin;
    int rc = secret_store_pin(w->store, ref, a, &pin, err);

    if (!rc)
        *ret = pin.version;
    return rc;
}

/* With a folder among its files. */
static void given_folder(struct world *w)
{
    struct err err = ERR_INIT;

    given_world(w);
    assert_int_equal(sys_mkdir_all(world_path(w, "files/app"), 0700, &err), 0);
}

static struct secret_ref ref_of(const char *store, const char *name, const char *path,
                                const char *key)
{
    return (struct secret_ref){ .env = S("production"),
                                .name = str_from_c(name),
                                .store = str_from_c(store),
                                .path = str_from_c(path),
                                .key = str_from_c(key) };
}

static void test_values_are_found_by_store_path_and_key(void **state)
{
    static const struct {
        const char *name, *store, *secret, *path, *key, *value;
        int rc;
    } rows[] = {
        { "the default store, by its name", NULL, "git_token", NULL, NULL, "from env", 0 },
        { "a path instead of the name", "env", "other", "git-token", NULL, "from env", 0 },
        { "a variable that is not set", "env", "unset", NULL, NULL, NULL, ERR_NOT_FOUND },
        { "a key in a variable", "env", "j", "json", "user", "bob", 0 },
        { "a file, its line end dropped", "files", "token", NULL, NULL, "line", 0 },
        { "a file in a folder", "files", "x", "app/deep", NULL, "two\nlines", 0 },
        { "a key in a file", "files", "x", "app/map", "password", "p\"w", 0 },
        { "a key that is not there", "files", "x", "app/map", "nothing", NULL, ERR_NOT_FOUND },
        { "a key whose value is no text", "files", "x", "app/map", "n", NULL, ERR_NOT_FOUND },
        { "a key, but no map", "files", "token", NULL, "password", NULL, ERR_INVALID },
        { "an empty file", "files", "empty", NULL, NULL, "", 0 },
        { "a link within the directory", "files", "link", NULL, NULL, "line", 0 },
        { "a file that is not there", "files", "missing", NULL, NULL, NULL, ERR_NOT_FOUND },
        { "a folder", "files", "app", NULL, NULL, NULL, ERR_REFUSED },
        { "a file that is too large", "files", "large", NULL, NULL, NULL, ERR_LIMIT },
        { "a store whose directory is gone", "gone", "token", NULL, NULL, NULL, ERR_UNREACHABLE },
        { "a store of no kind we know", "later", "token", NULL, NULL, NULL, ERR_INVALID },
        { "no such store", "nothing", "token", NULL, NULL, NULL, ERR_INVALID },
    };
    struct world w;
    char large[SECRET_BYTES_MAX + 1];

    (void)state;
    given_folder(&w);
    memset(large, 'x', sizeof(large));
    assert_int_equal(setenv("RT_TEST_GIT_TOKEN", "from env", 1), 0);
    assert_int_equal(setenv("RT_TEST_JSON", "{\"user\":\"bob\"}", 1), 0);
    given_file(&w, "files/token", S("line\n"));
    given_file(&w, "files/app/deep", S("two\nlines\r\n"));
    given_file(&w, "files/app/map", S("{\"password\":\"p\\\"w\",\"n\":1}"));
    given_file(&w, "files/empty", S(""));
    given_file(&w, "files/large", (struct str){ large, sizeof(large) });
    assert_int_equal(symlink("token", world_path(&w, "files/link")), 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct secret_ref ref = ref_of(rows[i].store, rows[i].secret, rows[i].path, rows[i].key);
        struct secret *secret = NULL;
        struct err err = ERR_INIT;
        int rc = secret_store_read(w.store, &ref, STR_NONE, &secret, &err);

        if (rc != rows[i].rc)
            fail_msg("%s: %s", rows[i].name, err.text);
        if (rc)
            assert_non_null(strstr(err.text, rows[i].secret));
        else
            assert_string_equal(secret_reveal(secret).p, rows[i].value);
        secret_free(secret);
    }
    world_fini(&w);
}

static void test_a_path_cannot_leave_its_store(void **state)
{
    static const struct {
        const char *store, *path;
    } rows[] = {
        { "files", "../outside" },
        { "files", "app/../../outside" },
        { "files", "app/../token" },
        { "files", "/etc/passwd" },
        { "files", "app//deep" },
        { "files", "app/" },
        { "files", "." },
        { "files", "app/./deep" },
        { "files", "%2e%2e/outside" },
        { "files", "" },
        { "files", "out" /* a link */ },
        { "files", "up/outside" },
        { "env", "team/token" },
        { "env", "a.b" },
    };
    struct world w;

    (void)state;
    given_folder(&w);
    given_file(&w, "outside", S("not yours"));
    given_file(&w, "files/token", S("x"));
    given_file(&w, "files/app/deep", S("x"));
    assert_int_equal(setenv("RT_TEST_TEAM_TOKEN", "not yours", 1), 0);
    assert_int_equal(symlink(world_path(&w, "outside"), world_path(&w, "files/out")), 0);
    assert_int_equal(symlink("..", world_path(&w, "files/up")), 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct secret_ref ref = ref_of(rows[i].store, "x", rows[i].path, NULL);
        struct secret *secret;
        struct err err = ERR_INIT;

        if (secret_store_read(w.store, &ref, STR_NONE, &secret, &err) != ERR_REFUSED)
            fail_msg("'%s' was not refused: %s", rows[i].path, err.text);
        assert_null(strstr(err.text, "not yours"));
    }
    world_fini(&w);
}

static struct str version_of(struct world *w, const char *env, const char *name)
{
    struct secret_ref ref = {
        .env = str_from_c(env), .name = str_from_c(name), .store = S("files"), .path = S("token")
    };
    struct str version;
    struct err err = ERR_INIT;

    assert_int_equal(pin_now(w, &ref, &w->arena, &version, &err), 0);
    return version;
}

static void test_a_version_is_a_keyed_fingerprint(void **state)
{
    struct world w;
    struct str a, again, other_env, other_name, other_value, hex, key;
    struct digest d;
    struct err err = ERR_INIT;
    struct stat st;

    (void)state;
    given_folder(&w);
    given_file(&w, "files/token", S("value"));
    a = version_of(&w, "production", "x");
    again = version_of(&w, "production", "x");
    other_env = version_of(&w, "staging", "x");
    other_name = version_of(&w, "production", "y");
    given_file(&w, "files/token", S("changed"));
    other_value = version_of(&w, "production", "x");
    assert_true(str_eq(a, again));
    assert_false(str_eq(a, other_env));
    assert_false(str_eq(a, other_name));
    assert_false(str_eq(a, other_value));
    assert_int_equal(a.n, 2 + 16);

    assert_int_equal(stat(world_path(&w, "keys/fingerprint"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 32);
    assert_int_equal(sys_read_file(&w.arena, world_path(&w, "keys/fingerprint"), 64, &key, &err),
                     0);
    d = hash_hmac(key, S("\0\0\0\012production\0\0\0\001x\0\0\0\005value"));
    hex = digest_hex(&w.arena, &d);
    assert_memory_equal(a.p, "f:", 2);
    assert_memory_equal(a.p + 2, hex.p, 16);

    secret_store_free(w.store); /* the next life has the same key */
    world_open(&w);
    assert_true(str_eq(other_value, version_of(&w, "production", "x")));
    world_fini(&w);
}

static void test_a_key_that_others_can_read_or_that_is_cut_is_not_used(void **state)
{
    static const struct {
        const char *name;
        size_t n;
        mode_t mode;
        int rc;
    } rows[] = {
        { "as it should be", 32, 0600, 0 },
        { "the group may read it", 32, 0640, ERR_REFUSED },
        { "it was cut", 31, 0600, ERR_CORRUPT },
        { "it is too long", 33, 0600, ERR_LIMIT },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct world w;
        struct secret_ref ref = ref_of("files", "token", NULL, NULL);
        struct str version, key = { "0123456789012345678901234567890123", rows[i].n };
        struct err err = ERR_INIT;

        given_folder(&w);
        given_file(&w, "files/token", S("value"));
        assert_int_equal(sys_mkdir_all(world_path(&w, "keys"), 0700, &err), 0);
        given_file(&w, "keys/fingerprint", key);
        assert_int_equal(chmod(world_path(&w, "keys/fingerprint"), rows[i].mode), 0);
        assert_int_equal(pin_now(&w, &ref, &w.arena, &version, &err), rows[i].rc);
        world_fini(&w);
    }
}

static void test_an_older_version_is_gone(void **state)
{
    struct world w;
    struct secret_ref ref = ref_of("files", "token", NULL, NULL);
    struct secret *secret = NULL;
    struct str first, want;
    struct err err = ERR_INIT;

    (void)state;
    given_folder(&w);
    given_file(&w, "files/token", S("one"));
    assert_int_equal(pin_now(&w, &ref, &w.arena, &first, &err), 0);
    assert_int_equal(secret_store_read(w.store, &ref, first, &secret, &err), 0);
    assert_string_equal(secret_reveal(secret).p, "one");
    secret_free(secret);
    want = str_fmt(&w.arena, "version '%s' of secret 'token' is gone", first.p);

    given_file(&w, "files/token", S("two"));
    assert_int_equal(secret_store_read(w.store, &ref, first, &secret, &err), ERR_REFUSED);
    assert_string_equal(err.text, want.p);
    assert_int_equal(unlink(world_path(&w, "files/token")), 0);
    assert_int_equal(secret_store_read(w.store, &ref, first, &secret, &err), ERR_REFUSED);
    assert_string_equal(err.text, want.p);
    world_fini(&w);
}

static void test_a_driver_opens_what_its_environment_refers_to(void **state)
{
    static const struct {
        const char *name, *env, *ref;
        int rc;
    } rows[] = {
        { "what is pinned", "production", NULL, 0 },
        { "a version of another environment", "staging", NULL, ERR_REFUSED },
        { "nothing it refers to", "production", "other@f:0000000000000000", ERR_REFUSED },
        { "no version", "production", "token", ERR_INVALID },
        { "an empty version", "production", "token@", ERR_INVALID },
    };
    struct world w;
    struct value *refs;
    struct str version, value = STR_NONE;
    struct secret_ref ref = ref_of("files", "token", "app/t", NULL);
    struct err err = ERR_INIT;
    struct arena secrets;

    (void)state;
    given_folder(&w);
    arena_init(&secrets, 0);
    given_file(&w, "files/app/t", S("value"));
    assert_int_equal(json_parse(&w.arena, S("{\"token\":{\"store\":\"files\",\"path\":\"app/t\"}}"),
                                1000, &refs, &err),
                     0);
    assert_int_equal(pin_now(&w, &ref, &w.arena, &version, &err), 0);
    version = str_fmt(&w.arena, "token@%s", version.p);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct secret_open in = { str_from_c(rows[i].env), refs,
                                        rows[i].ref ? str_from_c(rows[i].ref) : version, NULL };

        if (secret_store_open(w.store, &secrets, &in, &value, &err) != rows[i].rc)
            fail_msg("%s: %s", rows[i].name, err.text);
        if (!rows[i].rc)
            assert_string_equal(value.p, "value");
    }
    arena_wipe(&secrets);
    world_fini(&w);
}

static void *first_use(void *ctx)
{
    struct world *w = ctx;
    struct secret_ref ref = ref_of("files", "token", NULL, NULL);
    struct err err = ERR_INIT;
    AUTO_ARENA struct arena a;
    struct str version;

    arena_init(&a, 0);
    if (pin_now(w, &ref, &a, &version, &err))
        return NULL;
    return strdup(version.p);
}

static void test_threads_that_come_first_together_make_one_key(void **state)
{
    struct world w;
    pthread_t threads[8];
    char *versions[8];

    (void)state;
    given_folder(&w);
    given_file(&w, "files/token", S("value"));
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, first_use, &w), 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_join(threads[i], (void **)&versions[i]), 0);
    for (int i = 0; i < 8; i++) {
        assert_non_null(versions[i]);
        assert_string_equal(versions[i], version_of(&w, "production", "token").p);
        free(versions[i]);
    }
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_found_by_store_path_and_key),
        cmocka_unit_test(test_a_path_cannot_leave_its_store),
        cmocka_unit_test(test_a_version_is_a_keyed_fingerprint),
        cmocka_unit_test(test_a_key_that_others_can_read_or_that_is_cut_is_not_used),
        cmocka_unit_test(test_an_older_version_is_gone),
        cmocka_unit_test(test_a_driver_opens_what_its_environment_refers_to),
        cmocka_unit_test(test_threads_that_come_first_together_make_one_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
