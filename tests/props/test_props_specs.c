/* props/specs: the order in which specs are written changes nothing. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "tests/props/given_world.h"

#define ORDERS 400
#define FILES_MAX 4

struct section { /* of a document: a key, and its entries, a line each */
    const char *head, *lines[6];
};

static const struct section application[] = {
    { "apiVersion: reeve/v1\n", { NULL } },
    { "kind: Application\n", { NULL } },
    { "name: shop\n", { NULL } },
    { "services:\n",
      { "  api: {command: [./api, --port, \"8000\"], port: 8000, environment: {URL: {database: "
        "main, key: url}, "
        "QUEUE: {redis: jobs, key: url}}, replicas: 2}\n",
        "  web: {command: [./web], port: 8001, environment: {API: {service: api, key: "
        "internal_url}}, "
        "depends_on: {api: {condition: service_healthy}}}\n",
        "  cron: {command: [./cron], environment: {A: \"1\", B: \"2\"}}\n" } },
    { "databases:\n",
      { "  main: {engine: postgres, version: \">=15\", storage: 10G, extensions: [vector, "
        "pg_trgm]}\n",
        "  stats: {engine: postgres, version: \">=15\", storage: 1G}\n" } },
    { "redis:\n", { "  jobs: {version: \"7\", use: queue, maxmemory: 256M}\n" } },
    { "domains:\n",
      { "  app: {hosts: [shop.example], routes: {/api: {service: api}, /: {service: web}}}\n" } },
};

static const struct section environment[] = {
    { "apiVersion: reeve/v1\n", { NULL } },
    { "kind: Environment\n", { NULL } },
    { "name: prod\n", { NULL } },
    { "application: shop\n", { NULL } },
    { "trigger: {branch: main}\n", { NULL } },
    { "approval: {policy: auto, expires: 8h}\n", { NULL } },
    { "services:\n", { "  web: {replicas: 3}\n", "  api: {replicas: 4}\n" } },
};

static void shuffle(struct chance *c, size_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t j = chance_next(c) % (i + 1);

        order[i] = order[j];
        order[j] = i;
    }
}

static void add_lines(struct sb *b, struct chance *c, const struct section *s)
{
    size_t order[N_ELEMENTS(s->lines)], n = 0;

    sb_add_c(b, s->head);
    while (n < N_ELEMENTS(s->lines) && s->lines[n])
        n++;
    shuffle(c, order, n);
    for (size_t i = 0; i < n; i++)
        sb_add_c(b, s->lines[order[i]]);
}

static void add_document(struct sb *b, struct chance *c, const struct section *sections, size_t n)
{
    size_t order[N_ELEMENTS(application)];

    sb_add_c(b, b->n ? "---\n" : "");
    shuffle(c, order, n);
    for (size_t i = 0; i < n; i++)
        add_lines(b, c, &sections[order[i]]);
}

/* Two documents in one file or in two, in any order. */
static size_t given_files(struct arena *a, struct chance *c, struct spec_file *files)
{
    static const char *const paths[] = { ".reeve/b.yaml", ".reeve/a.yaml" };
    int is_one = chance_of(c, 50), is_first = chance_of(c, 50);
    struct sb texts[2];

    sb_init(&texts[0], a);
    sb_init(&texts[1], a);
    for (int i = 0; i < 2; i++)
        if (i == is_first)
            add_document(&texts[is_one ? 0 : i], c, application, N_ELEMENTS(application));
        else
            add_document(&texts[is_one ? 0 : i], c, environment, N_ELEMENTS(environment));
    for (int i = 0; i < 2; i++)
        files[i] = (struct spec_file){ str_from_c(paths[i]), sb_str(&texts[i]) };
    return is_one ? 1 : 2;
}

/* Everything that a plan is made of, less places. */
static struct str canonical(struct arena *a, const struct environment_spec *spec)
{
    struct sb b;

    sb_init(&b, a);
    sb_addf(&b, "%.*s %.*s\n", STR_ARG(digest_hex(a, &spec->revision)),
            STR_ARG(json_format(a, spec->policy)));
    for (size_t i = 0; i < spec->resources.n; i++) {
        const struct spec_resource *r = &spec->resources.p[i];

        sb_addf(&b, "%.*s/%.*s %.*s", STR_ARG(r->kind), STR_ARG(r->name),
                STR_ARG(json_format(a, r->desired)));
        for (size_t n = 0; n < r->needs.n; n++)
            sb_addf(&b, " %.*s", STR_ARG(r->needs.p[n]));
        sb_add_c(&b, "\n");
    }
    return sb_str(&b);
}

static struct environment_spec read_specs(struct arena *a, const struct spec_file *files, size_t n)
{
    const struct normalise_input in = { .environment = S("prod"),
                                        .branch = S("main"),
                                        .spec_path = S(".reeve") };
    struct spec_messages m;
    struct environment_spec spec;
    struct bundle b;
    struct err err = ERR_INIT;

    spec_messages_init(&m, a);
    assert_int_equal(bundle_read(a, BUNDLE_REPOSITORY, files, n, &b, &m, &err), 0);
    assert_int_equal(normalise_environment(a, &b, &in, &spec, &m, &err), 0);
    if (m.n_errors)
        fail_msg("%.*s", STR_ARG(m.list.p[0].text));
    return spec;
}

static void test_files_and_keys_in_any_order(void **state)
{
    struct arena kept;
    struct str first = STR_NONE, plan_first = STR_NONE;

    (void)state;
    arena_init(&kept, 0);
    for (uint64_t seed = 0; seed < ORDERS; seed++) {
        struct chance c = { seed };
        struct spec_file files[FILES_MAX];
        struct environment_spec spec;
        struct arena a;
        struct world w;
        struct plan plan;
        struct str text;

        arena_init(&a, 0);
        given_world(&w, &a);
        spec = read_specs(&a, files, given_files(&a, &c, files));
        for (size_t i = 0; i < spec.resources.n; i++) /* which a plan only shows */
            spec.resources.p[i].place = spec.policy_place = (struct value_place){ 0 };
        plan = world_plan(&w, &spec, PLAN_CAUSE_COMMIT);
        text = canonical(&a, &spec);
        if (!first.p) {
            first = str_copy(&kept, text);
            plan_first = str_copy(&kept, plan_format(&a, &plan));
        }
        if (!str_eq(first, text))
            fail_msg("seed %d:\n%.*s", (int)seed, STR_ARG(text));
        if (!str_eq(plan_first, plan_format(&a, &plan)))
            fail_msg("seed %d: another plan", (int)seed);
        arena_fini(&a);
    }
    arena_fini(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_and_keys_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
