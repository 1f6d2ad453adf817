/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/estate.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"

static double (*estate_measure)(void);

void estate_on_settled(double (*measure)(void))
{
    estate_measure = measure;
}

/* --- the source ---------------------------------------------------------------------------------- */

struct estate_source {
    struct source source; /* first */
    const struct estate *estate;
};

#define ESTATE_COMMIT S("1111111111111111111111111111111111111111")

static void answer_now(const struct source *s, struct task *t, struct source_call *call)
{
    call->own = (void *)(uintptr_t)s; /* given back to the parse */
    wait_until_start(t, 0);
}

static const struct estate *estate_of(const struct source_call *call)
{
    return ((const struct estate_source *)call->own)->estate;
}

static void estate_fetch(const struct source *s, struct task *t, struct arena *a,
                         const struct source_fetch *in, struct source_call *call)
{
    (void)a;
    (void)in;
    answer_now(s, t, call);
}

static int estate_fetch_parse(struct arena *a, struct source_call *call, struct source_heads *ret,
                              struct err *err)
{
    struct source_head *h;

    (void)call;
    (void)err;
    *ret = (struct source_heads){ 0 };
    h = vec_push(a, &ret->heads);
    PRE(h != NULL);
    *h = (struct source_head){ .name = S("main"), .commit = ESTATE_COMMIT, .tree = ESTATE_COMMIT };
    return 0;
}

static void estate_read(const struct source *s, struct task *t, struct arena *a,
                        const struct source_read *in, struct source_call *call)
{
    (void)a;
    (void)in;
    answer_now(s, t, call);
}

static int estate_read_parse(struct arena *a, struct source_call *call, struct source_snapshot *ret,
                             struct err *err)
{
    const struct estate *e = estate_of(call);

    (void)err;
    *ret = (struct source_snapshot){ .spec_tree = ESTATE_COMMIT, .code = ESTATE_COMMIT };
    ret->commit.id = ESTATE_COMMIT;
    ret->commit.author = ret->commit.summary = S("bench");
    for (size_t i = 0; i < e->n_files; i++) {
        struct source_file *f = vec_push(a, &ret->files);

        PRE(f != NULL);
        *f = (struct source_file){ e->files[i].path, ESTATE_COMMIT, e->files[i].text };
    }
    return 0;
}

static const struct source_ops estate_ops = {
    .fetch = estate_fetch,
    .fetch_parse = estate_fetch_parse,
    .read = estate_read,
    .read_parse = estate_read_parse,
};

static const struct source *make_source(void *ctx, struct arena *a, struct str name,
                                        const struct value *config)
{
    struct estate_source *s = arena_new(a, struct estate_source);

    (void)name;
    (void)config;
    PRE(s != NULL);
    s->source.ops = &estate_ops;
    s->estate = ctx;
    return &s->source;
}

/* --- the estate ---------------------------------------------------------------------------------- */

static struct str environment_file(struct arena *a, size_t i, size_t n_services, size_t n_replicas)
{
    struct sb text;

    sb_init(&text, a);
    sb_addf(&text, "apiVersion: reeve/v1\nkind: Application\nname: app-%zu\nservices:\n", i);
    for (size_t s = 0; s < n_services; s++)
        sb_addf(&text,
                "  service-%zu:\n    command: [./run, --number, \"%zu\"]\n    replicas: %zu\n"
                "    environment: {LOG_LEVEL: info, NUMBER: \"%zu\"}\n"
                "    rollout: {min_healthy_time: 0s, bake_time: 0s}\n",
                s, i, n_replicas, i);
    sb_addf(&text,
            "---\napiVersion: reeve/v1\nkind: Environment\nname: env-%zu\napplication: app-%zu\n"
            "trigger: {branch: main}\napproval: {policy: auto}\n",
            i, i);
    return sb_str(&text);
}

static void read_daemon(struct estate *e)
{
    struct spec_messages m;
    struct bundle b;
    struct err err = ERR_INIT;
    const struct spec_file file = {
        str_fmt(&e->arena, "%s/reeve.yaml", e->dir),
        str_fmt(&e->arena,
                "apiVersion: reeve/v1\nkind: Daemon\nstate: {file: var/reeve.db}\n"
                "sources: {app: {url: \"file:///nowhere\", branches: [main]}}\n"
                "providers: {box: {driver: \"null\", directory: %s}}\n"
                "auth: {same_user: allow}\n"
                "environments:\n  - match: {source: app, name: \"env-*\"}\n    branch: main\n"
                "    providers: {services: [box]}\n    isolation: none\n",
                e->box),
    };

    spec_messages_init(&m, &e->arena);
    ESTATE_MUST(bundle_read(&e->arena, BUNDLE_DAEMON, &file, 1, &b, &m, &err), &err);
    ESTATE_MUST(normalise_daemon(&e->arena, &b, &e->daemon, &m, &err), &err);
    PRE(m.n_errors == 0);
}

void estate_init(struct estate *e, size_t n_envs, size_t n_services, size_t n_replicas)
{
    *e = (struct estate){ .n_files = n_envs };
    arena_init(&e->arena, 0);
    (void)snprintf(e->dir, sizeof(e->dir), "/tmp/reeve-bench-XXXXXX");
    (void)snprintf(e->box, sizeof(e->box), "%s/reeve-bench-XXXXXX",
                   access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    PRE(mkdtemp(e->dir) != NULL && mkdtemp(e->box) != NULL);
    e->files = arena_new_n(&e->arena, struct spec_file, n_envs);
    PRE(e->files != NULL);
    for (size_t i = 0; i < n_envs; i++)
        e->files[i] = (struct spec_file){ str_fmt(&e->arena, ".reeve/env-%zu.yaml", i),
                                          environment_file(&e->arena, i, n_services, n_replicas) };
    read_daemon(e);
}

void estate_fini(struct estate *e)
{
    struct err err = ERR_INIT;

    (void)sys_remove_all(e->dir, &err); /* temporary folders */
    (void)sys_remove_all(e->box, &err);
    arena_fini(&e->arena);
}

void estate_once(struct estate *e)
{
    AUTO_ARENA struct arena process = { 0 };
    struct engine *engine = engine_new(&process);
    struct err err = ERR_INIT;
    struct loop *loop;

    PRE(engine != NULL);
    ESTATE_MUST(loop_uv_new(&(struct loop_options){ .batch = engine_batch(engine) }, &loop, &err),
                &err);
    ESTATE_MUST(engine_open(engine,
                            &(struct engine_options){ .loop = loop,
                                                      .daemon = e->daemon,
                                                      .make_source = make_source,
                                                      .make_source_ctx = e,
                                                      .self = "/nowhere/reeve",
                                                      .keeper = "/nowhere/keeper",
                                                      .holder = "bench",
                                                      .once = 1 },
                            &err),
                &err);
    engine_start(engine);
    loop_run(loop);
    if (estate_measure)
        e->settled_mib = estate_measure();
    ESTATE_MUST(engine_once_result(engine, &err), &err);
    loop_free(loop);
    engine_close(engine);
}

void estate_converged(struct arena *a, const struct environment_spec *spec, struct snapshot *ret)
{
    *ret = (struct snapshot){ .installation = S("bench"), .target = spec };
    ret->env = (struct rec_environment){ .uid = S("bench"), .name = spec->name };
    ret->recorded = arena_new_n(a, struct recorded, spec->resources.n + 1);
    ret->sets = arena_new_n(a, struct rec_set, spec->resources.n + 1);
    for (size_t i = 0; i < spec->resources.n; i++) {
        const struct spec_resource *r = &spec->resources.p[i];

        ret->recorded[ret->n_recorded++] = (struct recorded){ .kind = r->kind,
                                                              .name = r->name,
                                                              .provider = r->provider,
                                                              .desired = r->desired,
                                                              .digest = r->digest };
        if (!str_eq_c(r->kind, "service"))
            continue;
        ret->sets[ret->n_sets++] = (struct rec_set){
            .service = r->name,
            .set_key = identity_set_key(a, r->desired),
            .state = S("live"),
            .backend = value_get(r->desired, S("port")) ? r->name : STR_NONE,
            .replicas = value_get_int(r->desired, S("replicas"), 1)
        };
    }
}
