/* specs: bundles and environments under pressure: memory, order, repetition. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/guard.h"
#include "specs/digest.h"
#include "specs/json_io.h"
#include "specs/spec.h"

static const char application[] =
    "apiVersion: reeve/v1\nkind: Application\nname: acme\n"
    "services:\n"
    "  api: &api\n"
    "    command: [api, \"${port}\"]\n"
    "    port: 8000\n"
    "    source: {context: apps/api, build: [make], environment: {A: {domain: app}}}\n"
    "    environment: {KEY: {secret: key}, WEB: {service: web}, ENV: \"${env}\"}\n"
    "    healthcheck: {readiness: {http: {path: /}}, liveness: {tcp: true}}\n"
    "    release: {command: [migrate]}\n"
    "  web: {<<: *api, environment: {}, depends_on: {db: {}}, enbled: true}\n"
    "  db: {command: [db], replicas: two}\n"
    "domains: {app: {hosts: [\"${env}.dev\"], routes: {/: {service: web}}}}\n"
    "secrets: {key: {path: \"a/${env}\"}}\n";
static const char environment[] =
    "apiVersion: reeve/v1\nkind: Environment\nname: staging\napplication: acme\n"
    "services: {api: {environment: {KEY: text}}, web: {rollout: {bake_time: 1s}}}\n";
static const char daemon_text[] =
    "apiVersion: reeve/v1\nkind: Daemon\n"
    "sources: {acme: {url: file:///srv/acme.git}}\n"
    "providers: {local: {driver: process}, edge: {driver: haproxy, http: 127.0.0.1:80}}\n"
    "environments: [{match: {source: acme, name: \"*\"}, providers: {services: local}}]\n";

static int read_all(struct arena *a, struct environment_spec *ret, struct spec_messages *m,
                    struct err *err)
{
    const struct spec_file files[] = { { S("app.yaml"), str_from_c(application) },
                                       { S("env.yaml"), str_from_c(environment) } };
    const struct spec_file configuration = { S("/etc/reeve.yaml"), str_from_c(daemon_text) };
    struct normalise_input in = { .environment = S("staging"), .branch = S("main") };
    struct bundle repository, daemon_bundle;
    const struct value *daemon = NULL;
    struct normalise_wants wants;
    size_t index;
    int rc = bundle_read(a, BUNDLE_REPOSITORY, files, N_ELEMENTS(files), &repository, m, err);

    if (!rc)
        rc = bundle_read(a, BUNDLE_DAEMON, &configuration, 1, &daemon_bundle, m, err);
    if (!rc)
        rc = normalise_daemon(a, &daemon_bundle, &daemon, m, err);
    if (!rc)
        in.rule = daemon_rule(daemon, S("acme"), S("environment"), in.environment, &index);
    if (!rc)
        rc = normalise_wants(a, &repository, &in, &wants, m, err);
    return rc ? rc : normalise_environment(a, &repository, &in, ret, m, err);
}

static void test_memory_may_run_out_anywhere(void **state)
{
    AUTO_ARENA struct arena whole;
    struct environment_spec spec = { 0 };
    struct spec_messages m;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&whole, 0);
    spec_messages_init(&m, &whole);
    assert_int_equal(read_all(&whole, &spec, &m, &err), 0);
    for (size_t limit = 64; limit < whole.used_bytes; limit += 488) {
        AUTO_ARENA struct arena a;

        arena_init(&a, limit);
        spec_messages_init(&m, &a);
        assert_int_equal(read_all(&a, &spec, &m, &err), ERR_NOMEM);
    }
}

static void test_the_same_input_gives_the_same_bytes(void **state)
{
    AUTO_ARENA struct arena a, again;
    struct environment_spec one = { 0 }, two = { 0 };
    struct spec_messages m;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, 0);
    arena_init(&again, 0);
    spec_messages_init(&m, &a);
    assert_int_equal(read_all(&a, &one, &m, &err), 0);
    spec_messages_init(&m, &again);
    assert_int_equal(read_all(&again, &two, &m, &err), 0);
    assert_true(digest_eq(&one.revision, &two.revision));
    assert_int_equal(one.resources.n, two.resources.n);
    for (size_t i = 0; i < one.resources.n; i++) {
        struct digest d = digest_value(&a, S("desired"), one.resources.p[i].desired);

        assert_true(digest_eq(&d, &one.resources.p[i].digest));
        assert_string_equal(json_format(&a, one.resources.p[i].desired).p,
                            json_format(&a, two.resources.p[i].desired).p);
    }
}

/* What a canonical form says survives a journey through JSON text. */
static void test_desired_is_json(void **state)
{
    AUTO_ARENA struct arena a;
    struct environment_spec spec = { 0 };
    struct spec_messages m;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, 0);
    spec_messages_init(&m, &a);
    assert_int_equal(read_all(&a, &spec, &m, &err), 0);
    for (size_t i = 0; i < spec.resources.n; i++) {
        struct value *back = NULL;

        assert_int_equal(
            json_parse(&a, json_format(&a, spec.resources.p[i].desired), 1u << 20, &back, &err), 0);
        assert_true(value_eq(back, spec.resources.p[i].desired));
    }
}

static void test_resources_outlive_the_bundle(void **state)
{
    AUTO_ARENA struct arena bundle_arena, a;
    struct environment_spec spec = { 0 };
    struct spec_messages m;
    struct bundle b;
    struct err err = ERR_INIT;
    struct normalise_input in = { .environment = S("staging"), .branch = S("main") };
    const struct spec_file files[] = { { S("app.yaml"), str_from_c(application) },
                                       { S("env.yaml"), str_from_c(environment) } };

    (void)state;
    arena_init(&bundle_arena, 0);
    arena_init(&a, 0);
    spec_messages_init(&m, &bundle_arena);
    assert_int_equal(bundle_read(&bundle_arena, BUNDLE_REPOSITORY, files, 2, &b, &m, &err), 0);
    assert_int_equal(normalise_environment(&a, &b, &in, &spec, &m, &err), 0);
    arena_reset(&bundle_arena);
    for (size_t i = 0; i < spec.resources.n; i++) {
        const struct spec_resource *r = &spec.resources.p[i];
        struct digest d = digest_value(&a, S("desired"), r->desired);

        assert_true(digest_eq(&d, &r->digest));
        assert_true(r->kind.n && r->name.n && str_eq_c(value_file(r->place), "app.yaml"));
        for (size_t j = 0; j < r->needs.n; j++)
            assert_true(str_starts(r->needs.p[j], S("service/")));
    }
    assert_true(value_is(spec.policy, VALUE_MAP));
    assert_int_equal(value_count(json_format(&a, spec.policy).n ? spec.policy : NULL), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_may_run_out_anywhere),
        cmocka_unit_test(test_the_same_input_gives_the_same_bytes),
        cmocka_unit_test(test_desired_is_json),
        cmocka_unit_test(test_resources_outlive_the_bundle),
    };

    return cmocka_run_group_tests_name("specs bundle", tests, NULL, NULL);
}
