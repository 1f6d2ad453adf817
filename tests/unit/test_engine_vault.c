/* engine: a vault over HTTP, which is tests/support/fake_vault.py. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/secret_store.h"
#include "reconciler/rt/loop_uv.h"
#include "reconciler/rt/wait.h"
#include "specs/json_io.h"

#define READY_MS 20000

/* The loop runs on a thread of its own until `over` is posted; the test asks as a pool's thread would. */
struct world {
    struct arena arena;
    char dir[64];
    char url[64];
    const char *ca; /* the server speaks TLS; NULL: it does not */
    pid_t server;
    struct loop *loop;
    struct task task;
    sem_t over;
    pthread_t thread;
    struct secret_store *store;
};

static char *world_path(struct world *w, const char *name)
{
    return str_to_c(&w->arena, str_fmt(&w->arena, "%s/%s", w->dir, name));
}

static void given_file(struct world *w, const char *name, mode_t mode, const char *text)
{
    struct err err = ERR_INIT;

    assert_int_equal(sys_write_file(world_path(w, name), mode, str_from_c(text), &err), 0);
}

/* --- the server ---------------------------------------------------------------------------------- */

static void given_server(struct world *w)
{
    const char *source = getenv("REEVE_SOURCE_DIR");
    const char *program = str_fmt(&w->arena, "%s/tests/support/fake_vault.py", source).p;
    const char *port_file = world_path(w, "port");
    int64_t end_ms = sys_mono_ms() + READY_MS;
    struct str port;
    struct err err = ERR_INIT;

    assert_non_null(source);
    w->server = fork();
    if (!w->server) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)execlp("python3", "python3", program, port_file, w->ca, world_path(w, "key.pem"),
                     (char *)NULL); /* the last two only where there is a certificate */
        _exit(127);
    }
    while (!sys_exists(port_file)) {
        assert_true(sys_mono_ms() < end_ms);
        assert_int_equal(waitpid(w->server, NULL, WNOHANG), 0);
        (void)usleep(10000); /* until the file is there */
    }
    assert_int_equal(sys_read_file(&w->arena, port_file, 100, &port, &err), 0);
    (void)snprintf(w->url, sizeof(w->url), "http%s://127.0.0.1:%.*s", w->ca ? "s" : "",
                   STR_ARG(str_trim(port)));
}

static struct value *request(struct world *w, const char *method, const char *path,
                             const char *body)
{
    const char *const headers[] = { "X-Vault-Token: root", NULL };
    const struct http_request in = {
        .method = method,
        .url = str_fmt(&w->arena, "%s%s", w->url, path).p,
        .headers = headers,
        .body = str_from_c(body ? body : ""),
        .ca_file = w->ca,
        .body_max = 10000,
    };
    struct http_reply reply;
    struct value *answer = NULL;
    struct err err = ERR_INIT;

    if (wait_http_call(w->loop, &in, &w->arena, &reply, NULL, &err))
        fail_msg("%s: %s", path, err.text);
    if (reply.body.n)
        assert_int_equal(json_parse(&w->arena, reply.body, 10000, &answer, &err), 0);
    return answer;
}

static void given_stored(struct world *w, const char *path, const char *data)
{
    (void)request(w, "POST", str_fmt(&w->arena, "/v1/kv/data/%s", path).p,
                  str_fmt(&w->arena, "{\"data\":%s}", data).p);
}

static void control(struct world *w, const char *word)
{
    (void)request(w, "POST", str_fmt(&w->arena, "/ctl/%s", word).p, NULL);
}

static int64_t count_of(struct world *w, const char *what)
{
    return value_get_int(request(w, "GET", "/ctl/counts", NULL), str_from_c(what), -1);
}

static int64_t count_logins(struct world *w)
{
    return count_of(w, "logins");
}

static int64_t count_writes(struct world *w, const char *path)
{
    return value_get_int(value_get(request(w, "GET", "/ctl/counts", NULL), S("writes")),
                         str_from_c(path), 0);
}

/* --- the loop ------------------------------------------------------------------------------------ */

enum { WORLD_WAIT, WORLD_OVER };
static const struct task_state world_states[] = {
    [WORLD_WAIT] = { "WAIT", TO(WORLD_OVER), WORLD_OVER, 0 },
    [WORLD_OVER] = { "OVER", 0, NO_ERROR_EDGE, 0 },
};

static int world_wait(struct task *t, struct err *err)
{
    struct world *w = container_of(t, struct world, task);

    (void)err; /* there is nothing that fails */
    while (sem_wait(&w->over))
        ;
    return 0;
}

static enum task_verdict world_step(struct task *t)
{
    if (t->state == WORLD_OVER) {
        loop_stop(t->loop);
        return task_done(t);
    }
    wait_work_start(t, POOL_DRIVER, world_wait);
    return task_then(t, WORLD_OVER);
}

static void *world_run(void *ctx)
{
    loop_run(((struct world *)ctx)->loop);
    return NULL;
}

static void world_open(struct world *w)
{
    struct err err = ERR_INIT;
    struct value *daemon;
    struct str text = str_fmt(
        &w->arena,
        "{\"secrets\":{\"default\":\"vault\",\"stores\":{"
        "\"vault\":{\"type\":\"vault\",\"address\":\"%s\",\"auth\":{\"approle\":{\"role_id\":"
        "\"reeve\","
        "\"secret_id_file\":\"%s/secret_id\"}}},"
        "\"wrong\":{\"type\":\"vault\",\"address\":\"%s\",\"auth\":{\"approle\":{\"role_id\":"
        "\"reeve\","
        "\"secret_id_file\":\"%s/wrong_id\"}}},"
        "\"token\":{\"type\":\"vault\",\"address\":\"%s\",\"auth\":{\"token_file\":\"%s/token\"}},"
        "\"tls\":{\"type\":\"vault\",\"address\":\"%s\",\"ca_file\":\"%s/ca.pem\","
        "\"auth\":{\"token_file\":\"%s/token\"}},"
        "\"stranger\":{\"type\":\"vault\",\"address\":\"%s\",\"ca_file\":\"%s/other.pem\","
        "\"auth\":{\"token_file\":\"%s/token\"}},"
        "\"open\":{\"type\":\"vault\",\"address\":\"%s\",\"auth\":{\"token_file\":\"%s/open\"}},"
        "\"lost\":{\"type\":\"vault\",\"address\":\"%s\",\"auth\":{\"token_file\":\"%s/nothing\"}},"
        "\"away\":{\"type\":\"vault\",\"address\":\"http://"
        "127.0.0.1:1\",\"auth\":{\"token_file\":\"%s/token\"}}"
        "}}}",
        w->url, w->dir, w->url, w->dir, w->url, w->dir, w->url, w->dir, w->dir, w->url, w->dir,
        w->dir, w->url, w->dir, w->url, w->dir, w->dir);

    assert_int_equal(json_parse(&w->arena, text, 10000, &daemon, &err), 0);
    assert_int_equal(secret_store_new(&(struct secret_store_options){ .daemon = daemon,
                                                                      .dir = w->dir,
                                                                      .keys = world_path(w, "keys"),
                                                                      .loop = w->loop },
                                      &w->store, &err),
                     0);
}

enum speaks { SPEAKS_PLAIN, SPEAKS_TLS };

static void given_certificates(struct world *w)
{
    static const char *const names[] = { "ca.pem", "other.pem" };

    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (system(str_fmt(&w->arena,
                           "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "
                           "/CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s "
                           "2>openssl.log",
                           w->dir, i ? "other.key" : "key.pem", names[i])
                       .p))
            fail_msg("openssl makes no certificate");
    w->ca = world_path(w, "ca.pem");
}

static void given_world_that(struct world *w, enum speaks speaks)
{
    const struct loop_options options = { .n_driver_threads = 2 };
    struct err err = ERR_INIT;

    *w = (struct world){ 0 };
    arena_init(&w->arena, 0);
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/rt-vault-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    given_file(w, "secret_id", 0600, "first-secret-id\n");
    given_file(w, "wrong_id", 0600, "tell-nobody\n");
    given_file(w, "token", 0600, "root\n");
    given_file(w, "open", 0644, "root\n");
    if (speaks == SPEAKS_TLS)
        given_certificates(w);
    given_server(w);
    assert_int_equal(loop_uv_new(&options, &w->loop, &err), 0);
    assert_int_equal(sem_init(&w->over, 0, 0), 0);
    task_start(&w->task, w->loop, "world", world_states, N_ELEMENTS(world_states), WORLD_WAIT,
               world_step, NULL, NULL);
    assert_int_equal(pthread_create(&w->thread, NULL, world_run, w), 0);
    world_open(w);
}

static void given_world(struct world *w)
{
    given_world_that(w, SPEAKS_PLAIN);
}

static void world_fini(struct world *w)
{
    struct err err = ERR_INIT;

    secret_store_free(w->store);
    assert_int_equal(sem_post(&w->over), 0);
    assert_int_equal(pthread_join(w->thread, NULL), 0);
    loop_free(w->loop);
    assert_int_equal(sem_destroy(&w->over), 0);
    assert_int_equal(kill(w->server, SIGKILL), 0);
    assert_int_equal(waitpid(w->server, NULL, 0), w->server);
    assert_int_equal(sys_remove_all(w->dir, &err), 0);
    arena_fini(&w->arena);
}

/* --- reading ------------------------------------------------------------------------------------- */

static struct secret_ref ref_of(const char *store, const char *path, const char *key)
{
    return (struct secret_ref){ .env = S("prod"),
                                .name = S("x"),
                                .store = str_from_c(store),
                                .path = str_from_c(path),
                                .key = str_from_c(key) };
}

static int read_value(struct world *w, const struct secret_ref *ref, struct str version,
                      struct str *ret, struct err *err)
{
    struct secret *secret;

    if (secret_store_read(w->store, ref, version, &secret, err))
        return err->code;
    *ret = str_copy(&w->arena, secret_reveal(secret));
    secret_free(secret);
    return 0;
}

static void expect_read(struct world *w, const struct secret_ref *ref, struct str version,
                        const char *want)
{
    struct err err = ERR_INIT;
    struct str value;

    if (read_value(w, ref, version, &value, &err))
        fail_msg("%.*s: %s", STR_ARG(version), err.text);
    assert_string_equal(value.p, want);
}

static struct str version_now(struct world *w, const struct secret_ref *ref)
{
    struct err err = ERR_INIT;
    struct secret_pin pin;

    if (secret_store_pin(w->store, ref, &w->arena, &pin, &err))
        fail_msg("%s", err.text);
    return pin.version;
}

static void test_values_and_refusals(void **state)
{
    static const struct {
        const char *name, *store, *path, *key, *value;
        int rc;
    } rows[] = {
        { "a key, by role", "vault", "kv/acme/prod", "user", "bob", 0 },
        { "a key, by token", "token", "kv/acme/prod", "user", "bob", 0 },
        { "without a key it stands under `value`", "vault", "kv/acme/prod", NULL, "plain", 0 },
        { "a path of other letters", "vault", "kv/a b#c?d", NULL, "odd", 0 },
        { "a key that is not there", "vault", "kv/acme/prod", "other", NULL, ERR_NOT_FOUND },
        { "a key whose value is no text", "vault", "kv/acme/prod", "n", NULL, ERR_NOT_FOUND },
        { "a path that is not there", "vault", "kv/acme/other", NULL, NULL, ERR_NOT_FOUND },
        { "a mount that is not there", "vault", "other/acme", NULL, NULL, ERR_NOT_FOUND },
        { "a path without a mount", "vault", "acme", NULL, NULL, ERR_INVALID },
        { "no permission", "vault", "kv/denied/x", NULL, NULL, ERR_REFUSED },
        { "a role that is not accepted", "wrong", "kv/acme/prod", NULL, NULL, ERR_REFUSED },
        { "a token that others can read", "open", "kv/acme/prod", NULL, NULL, ERR_REFUSED },
        { "a token that is lost", "lost", "kv/acme/prod", NULL, NULL, ERR_UNREACHABLE },
        { "nobody listens", "away", "kv/acme/prod", NULL, NULL, ERR_UNREACHABLE },
    };
    struct world w;

    (void)state;
    given_world(&w);
    given_stored(&w, "acme/prod", "{\"user\":\"bob\",\"value\":\"plain\",\"n\":1}");
    given_stored(&w, "a%20b%23c%3Fd", "{\"value\":\"odd\"}");
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct secret_ref ref = ref_of(rows[i].store, rows[i].path, rows[i].key);
        struct err err = ERR_INIT;
        struct str value;
        int rc = read_value(&w, &ref, STR_NONE, &value, &err);

        if (rc != rows[i].rc)
            fail_msg("%s: %s", rows[i].name, err.text);
        if (!rc)
            assert_string_equal(value.p, rows[i].value);
        assert_null(strstr(err.text, "tell-nobody"));
    }
    world_fini(&w);
}

static void test_an_older_version_can_be_read(void **state)
{
    struct world w;
    struct secret_ref ref = ref_of("vault", "kv/acme", NULL),
                      other = ref_of("vault", "kv/other", NULL),
                      key = ref_of("vault", "kv/acme", "key");
    struct str first, second, moved;
    struct err err = ERR_INIT;
    struct str value;

    (void)state;
    given_world(&w);
    given_stored(&w, "acme", "{\"value\":\"one\",\"key\":\"k\"}");
    given_stored(&w, "other", "{\"value\":\"another\"}");
    first = version_now(&w, &ref);
    assert_true(str_starts(first, S("v1-")));
    given_stored(&w, "acme", "{\"value\":\"two\"}");
    second = version_now(&w, &ref);
    assert_true(str_starts(second, S("v2-")));
    expect_read(&w, &ref, second, "two");
    expect_read(&w, &ref, first, "one");

    moved = version_now(&w, &other); /* version 1 as well, of another place */
    assert_true(str_starts(moved, S("v1-")));
    assert_false(str_eq(moved, first));
    assert_int_equal(read_value(&w, &other, first, &value, &err), ERR_REFUSED);
    assert_int_equal(read_value(&w, &key, first, &value, &err), ERR_REFUSED);
    assert_int_equal(read_value(&w, &ref, S("f:0123456789abcdef"), &value, &err), ERR_REFUSED);

    (void)request(&w, "DELETE", "/v1/kv/data/acme", NULL); /* the newest */
    assert_int_equal(read_value(&w, &ref, second, &value, &err), ERR_REFUSED);
    assert_non_null(strstr(err.text, "is gone"));
    expect_read(&w, &ref, first, "one");
    (void)request(&w, "DELETE", "/v1/kv/metadata/acme", NULL); /* all, and it begins at 1 again */
    given_stored(&w, "acme", "{\"value\":\"three\"}");
    assert_false(str_eq(version_now(&w, &ref), first));
    assert_int_equal(read_value(&w, &ref, first, &value, &err), ERR_REFUSED);
    world_fini(&w);
}

static void test_a_token_is_kept_until_it_is_refused(void **state)
{
    struct world w;
    struct secret_ref ref = ref_of("vault", "kv/acme", NULL),
                      denied = ref_of("vault", "kv/denied", NULL);
    struct err err = ERR_INIT;
    struct str value;

    (void)state;
    given_world(&w);
    given_stored(&w, "acme", "{\"value\":\"one\"}");
    for (int i = 0; i < 3; i++)
        expect_read(&w, &ref, STR_NONE, "one");
    assert_int_equal(count_logins(&w), 1);
    control(&w, "revoke");
    for (int i = 0; i < 3; i++)
        expect_read(&w, &ref, STR_NONE, "one");
    assert_int_equal(count_logins(&w), 2);
    assert_int_equal(read_value(&w, &denied, STR_NONE, &value, &err), ERR_REFUSED);
    assert_int_equal(count_logins(&w), 2); /* it is not the token that is refused */

    control(&w, "seal");
    assert_int_equal(read_value(&w, &ref, STR_NONE, &value, &err), ERR_UNREACHABLE);
    assert_non_null(strstr(err.text, "sealed"));
    control(&w, "unseal");
    expect_read(&w, &ref, STR_NONE, "one");
    given_file(&w, "secret_id", 0600, "tell-nobody");
    control(&w, "revoke");
    assert_int_equal(read_value(&w, &ref, STR_NONE, &value, &err), ERR_REFUSED);
    assert_non_null(strstr(err.text, "does not accept the role"));
    assert_null(strstr(err.text, "tell-nobody"));
    world_fini(&w);
}

/* Until the vault has counted so many; reading is what makes us look at the token. */
static void read_until(struct world *w, const struct secret_ref *ref, const char *what, int64_t n)
{
    int64_t end_ms = sys_mono_ms() + READY_MS;

    while (count_of(w, what) < n) {
        assert_true(sys_mono_ms() < end_ms);
        expect_read(w, ref, STR_NONE, "one");
    }
}

static void test_a_token_is_renewed_before_it_ends(void **state)
{
    struct world w;
    struct secret_ref ref = ref_of("vault", "kv/acme", NULL);

    (void)state;
    given_world(&w);
    given_stored(&w, "acme", "{\"value\":\"one\"}");
    control(&w, "short");
    read_until(&w, &ref, "renewals", 1);
    expect_read(&w, &ref, STR_NONE, "one");
    assert_int_equal(count_logins(&w), 1);
    world_fini(&w);
}

static void test_one_that_gets_no_more_time_is_replaced_before_it_ends(void **state)
{
    struct world w;
    struct secret_ref ref = ref_of("vault", "kv/acme", NULL);

    (void)state;
    given_world(&w);
    given_stored(&w, "acme", "{\"value\":\"one\"}");
    control(&w, "short");
    control(&w, "last");
    expect_read(&w, &ref, STR_NONE, "one");
    read_until(&w, &ref, "logins", 2);
    assert_true(count_of(&w, "renewals") >= 1);
    world_fini(&w);
}

static void test_the_token_of_a_file_is_renewed_and_read_anew(void **state)
{
    struct world w;
    struct secret_ref ref = ref_of("token", "kv/acme", NULL),
                      role = ref_of("vault", "kv/acme", NULL);
    struct err err = ERR_INIT;
    struct str value;

    (void)state;
    given_world(&w);
    given_stored(&w, "acme", "{\"value\":\"one\"}");
    expect_read(&w, &ref, STR_NONE, "one"); /* a root's is not renewed, and good all the same */
    assert_int_equal(count_of(&w, "renewals"), 1);
    expect_read(&w, &ref, STR_NONE, "one");
    assert_int_equal(count_of(&w, "renewals"), 1);
    expect_read(&w, &role, STR_NONE, "one");
    given_file(&w, "token", 0600, "hvs.of-a-login-1\n"); /* somebody wrote another one */
    expect_read(&w, &ref, STR_NONE, "one");
    expect_read(&w, &ref, STR_NONE, "one");
    assert_int_equal(count_of(&w, "renewals"), 2);
    given_file(&w, "token", 0600, "tell-nobody\n");
    assert_int_equal(read_value(&w, &ref, STR_NONE, &value, &err), ERR_REFUSED);
    assert_null(strstr(err.text, "tell-nobody"));
    world_fini(&w);
}

static void test_a_vault_is_who_its_certificate_says(void **state)
{
    static const struct {
        const char *name, *store;
        int rc;
    } rows[] = {
        { "the certificate that is named", "tls", 0 },
        { "another one is named", "stranger", ERR_UNREACHABLE },
        { "those of the system, which do not know it", "token", ERR_UNREACHABLE },
    };
    struct world w;

    (void)state;
    given_world_that(&w, SPEAKS_TLS);
    given_stored(&w, "acme", "{\"value\":\"one\"}");
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct secret_ref ref = ref_of(rows[i].store, "kv/acme", NULL);
        struct err err = ERR_INIT;
        struct str value;

        if (read_value(&w, &ref, STR_NONE, &value, &err) != rows[i].rc)
            fail_msg("%s: %s", rows[i].name, err.text);
        if (rows[i].rc)
            assert_non_null(strstr(err.text, "certificate"));
    }
    world_fini(&w);
}

/* --- writing ------------------------------------------------------------------------------------- */

static struct secret_ref generated_ref(const char *path)
{
    struct secret_ref ref = ref_of("vault", path, NULL);

    ref.generate = 32;
    ref.encoding = S("hex");
    ref.may_make = 1;
    return ref;
}

static void test_what_is_generated_is_written_once(void **state)
{
    struct world w;
    struct secret_ref ref = generated_ref("kv/reeve/prod/key");
    struct str first, again;
    struct err err = ERR_INIT;

    (void)state;
    given_world(&w);
    assert_string_equal(version_now(&w, &ref).p, "g:1");
    assert_int_equal(count_writes(&w, "reeve/prod/key"), 0);
    assert_int_equal(read_value(&w, &ref, S("g:1"), &first, &err), 0);
    assert_int_equal(first.n, 64);
    secret_store_free(w.store); /* another life */
    world_open(&w);
    assert_int_equal(read_value(&w, &ref, S("g:1"), &again, &err), 0);
    assert_true(str_eq(first, again));
    assert_int_equal(count_writes(&w, "reeve/prod/key"), 1);
    ref.may_make = 0;
    (void)request(&w, "DELETE", "/v1/kv/metadata/reeve/prod/key", NULL);
    assert_int_equal(read_value(&w, &ref, S("g:1"), &again, &err), ERR_REFUSED);
    assert_int_equal(count_writes(&w, "reeve/prod/key"), 1);
    world_fini(&w);
}

/* Written, and nobody was told: what stands there is the value. */
static void test_an_answer_that_is_lost_makes_no_second_value(void **state)
{
    struct world w;
    struct secret_ref ref = generated_ref("kv/reeve/prod/key");
    struct secret_ref plain = ref_of("token", "kv/reeve/prod/key", NULL);
    struct str value, stored;
    struct err err = ERR_INIT;

    (void)state;
    given_world(&w);
    control(&w, "drop");
    (void)read_value(&w, &ref, S("g:1"), &value,
                     &err); /* it fails, or was asked again by libcurl */
    assert_int_equal(count_writes(&w, "reeve/prod/key"), 1);
    assert_int_equal(read_value(&w, &plain, STR_NONE, &stored, &err), 0);
    assert_int_equal(read_value(&w, &ref, S("g:1"), &value, &err), 0);
    assert_true(str_eq(value, stored));
    assert_int_equal(count_writes(&w, "reeve/prod/key"), 1);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_refusals),
        cmocka_unit_test(test_an_older_version_can_be_read),
        cmocka_unit_test(test_a_token_is_kept_until_it_is_refused),
        cmocka_unit_test(test_a_token_is_renewed_before_it_ends),
        cmocka_unit_test(test_one_that_gets_no_more_time_is_replaced_before_it_ends),
        cmocka_unit_test(test_the_token_of_a_file_is_renewed_and_read_anew),
        cmocka_unit_test(test_a_vault_is_who_its_certificate_says),
        cmocka_unit_test(test_what_is_generated_is_written_once),
        cmocka_unit_test(test_an_answer_that_is_lost_makes_no_second_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
