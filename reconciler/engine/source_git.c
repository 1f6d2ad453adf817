/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/source_git.h"

#include "reconciler/engine/git_answer.h"
#include "reconciler/engine/git_worker.h"
#include "specs/json_io.h"

#define SOURCE_FETCH_TIMEOUT_MS 60000
#define SOURCE_READ_TIMEOUT_MS 60000
#define SOURCE_IMPORT_TIMEOUT_MS 150000 /* it waits for a fetch that hangs */
#define SOURCE_GRACE_MS 2000 /* the worker knows its deadline and says why; then it is killed */
#define SOURCE_SAID_MAX 4096

static const struct source_git *source_git_of(const struct source *s)
{
    return (const struct source_git *)(const void *)s; /* its first member */
}

static void source_git_set(struct arena *a, struct value *request, struct str key, struct str text)
{
    if (text.p)
        value_set_text(a, request, key, text);
}

static void source_git_set_number(struct arena *a, struct value *request, struct str key,
                                  int64_t number)
{
    if (number)
        value_set_int(a, request, key, number);
}

static void source_git_set_list(struct arena *a, struct value *request, struct str key,
                                const struct str *items, size_t n)
{
    struct value *list = value_list(a);

    for (size_t i = 0; i < n; i++)
        value_add(a, list, value_text(a, items[i]));
    value_set(a, request, key, list);
}

static struct value *source_git_request(const struct source_git *g, struct arena *a, struct str op)
{
    struct value *request = value_map(a);

    value_set_text(a, request, S("op"), op);
    value_set_text(a, request, S("mirror"), g->mirror);
    value_set_text(a, request, S("spec_path"), g->spec_path);
    return request;
}

static void source_git_start(const struct source_git *g, struct task *t, struct arena *a,
                             const struct value *request, int64_t timeout_ms,
                             struct source_call *call)
{
    static const char *const no_env[] = { NULL };

    *call = (struct source_call){ .exec = { .argv = g->worker,
                                            .env = no_env,
                                            .input = json_format(a, request),
                                            .out_max = GIT_WORKER_ANSWER_MAX,
                                            .err_max = SOURCE_SAID_MAX,
                                            .timeout_ms = timeout_ms + SOURCE_GRACE_MS,
                                            .rlimit_as = g->memory_bytes,
                                            .rlimit_cpu_s = g->cpu_s } };
    wait_exec_start(t, &call->exec, a, &call->result);
}

static int64_t source_git_read_timeout_ms(const struct source_git *g)
{
    return g->read_timeout_ms ? g->read_timeout_ms : SOURCE_READ_TIMEOUT_MS;
}

static void source_git_start_read(const struct source_git *g, struct task *t, struct arena *a,
                                  const struct value *request, struct source_call *call)
{
    source_git_start(g, t, a, request, source_git_read_timeout_ms(g), call);
}

static void source_git_set_read(const struct source_git *g, struct arena *a, struct value *request,
                                const struct source_read *in)
{
    value_set_text(a, request, S("spec_path"), g->spec_path);
    source_git_set(a, request, S("base"), in->base);
    source_git_set(a, request, S("code"), in->code);
    source_git_set_list(a, request, S("paths"), in->paths, in->n_paths);
}

static struct value *source_git_reads(const struct source_git *g, struct arena *a,
                                      const struct source_fetch *in)
{
    struct value *reads = value_map(a);

    for (size_t i = 0; in->reads && i < in->n_names; i++) {
        struct value *read = value_map(a);

        if (!in->reads[i].base.p)
            continue;
        source_git_set_read(g, a, read, &in->reads[i]);
        value_set(a, reads, in->names[i], read);
    }
    return reads;
}

static struct value *source_git_ahead(struct arena *a, const struct source_fetch *in)
{
    struct value *ahead = value_map(a);

    for (size_t i = 0; in->ahead && i < in->n_names; i++)
        source_git_set(a, ahead, in->names[i], in->ahead[i]);
    return ahead;
}

static void source_git_import(const struct source *s, struct task *t, struct arena *a,
                              const struct source_import *in, struct source_call *call)
{
    const struct source_git *g = source_git_of(s);
    struct value *request = source_git_request(g, a, S("bundle"));

    source_git_set(a, request, S("bundle"), in->path);
    source_git_set_list(a, request, S("branches"), in->names, in->n_names);
    source_git_set_list(a, request, S("paths"), NULL, 0);
    source_git_set_number(a, request, S("max_bytes"), g->max_bytes);
    source_git_start(g, t, a, request, SOURCE_IMPORT_TIMEOUT_MS, call);
}

static void source_git_fetch(const struct source *s, struct task *t, struct arena *a,
                             const struct source_fetch *in, struct source_call *call)
{
    const struct source_git *g = source_git_of(s);
    int64_t timeout_ms = g->fetch_timeout_ms ? g->fetch_timeout_ms : SOURCE_FETCH_TIMEOUT_MS;
    struct value *request = source_git_request(g, a, S("fetch")), *credentials = value_map(a);

    source_git_set(a, credentials, S("username"), in->username);
    source_git_set(a, credentials, S("password"), in->password);
    value_set(a, request, S("credentials"), credentials);
    source_git_set_list(a, request, S("branches"), in->names, in->n_names);
    source_git_set(a, request, S("url"), g->url);
    source_git_set(a, request, S("ca_file"), g->ca_file);
    source_git_set(a, request, S("known_hosts"), g->known_hosts);
    source_git_set(a, request, S("key_file"), g->key_file);
    source_git_set(a, request, S("ssh"), g->ssh);
    source_git_set_number(a, request, S("timeout_ms"), timeout_ms);
    source_git_set_number(a, request, S("connect_timeout_ms"), g->connect_timeout_ms);
    source_git_set_number(a, request, S("low_speed_bytes"), g->low_speed_bytes);
    source_git_set_number(a, request, S("low_speed_ms"), g->low_speed_ms);
    source_git_set_number(a, request, S("max_bytes"), g->max_bytes);
    value_set(a, request, S("reads"), source_git_reads(g, a, in));
    value_set(a, request, S("ahead"), source_git_ahead(a, in));
    source_git_start(g, t, a, request, timeout_ms + source_git_read_timeout_ms(g), call);
}

static void source_git_read(const struct source *s, struct task *t, struct arena *a,
                            const struct source_read *in, struct source_call *call)
{
    const struct source_git *g = source_git_of(s);
    struct value *request = source_git_request(g, a, S("read"));

    source_git_set(a, request, S("commit"), in->commit);
    source_git_set_read(g, a, request, in);
    source_git_start_read(g, t, a, request, call);
}

static void source_git_resolve(const struct source *s, struct task *t, struct arena *a,
                               const struct source_resolve *in, struct source_call *call)
{
    struct value *request = source_git_request(source_git_of(s), a, S("resolve"));

    source_git_set(a, request, S("ref"), in->ref);
    source_git_start_read(source_git_of(s), t, a, request, call);
}

static void source_git_ancestry(const struct source *s, struct task *t, struct arena *a,
                                const struct source_ancestry *in, struct source_call *call)
{
    struct value *request = source_git_request(source_git_of(s), a, S("ancestry"));

    source_git_set(a, request, S("ancestor"), in->ancestor);
    source_git_set(a, request, S("descendant"), in->descendant);
    source_git_start_read(source_git_of(s), t, a, request, call);
}

static void source_git_log(const struct source *s, struct task *t, struct arena *a,
                           const struct source_log *in, struct source_call *call)
{
    struct value *request = source_git_request(source_git_of(s), a, S("log"));

    source_git_set(a, request, S("from"), in->from);
    source_git_set(a, request, S("to"), in->to);
    source_git_set_number(a, request, S("limit"), in->limit);
    if (in->with_proofs)
        value_set(a, request, S("proofs"), value_bool(a, 1));
    source_git_start_read(source_git_of(s), t, a, request, call);
}

static void source_git_export(const struct source *s, struct task *t, struct arena *a,
                              const struct source_export *in, struct source_call *call)
{
    struct value *request = source_git_request(source_git_of(s), a, S("export"));

    source_git_set(a, request, S("commit"), in->commit);
    source_git_set(a, request, S("path"), in->path);
    source_git_set(a, request, S("dest"), in->dest);
    source_git_set_number(a, request, S("limit_bytes"), in->limit_bytes);
    source_git_set_number(a, request, S("limit_files"), in->limit_files);
    source_git_start_read(source_git_of(s), t, a, request, call);
}

const struct source_ops source_git_ops = {
    .fetch = source_git_fetch,
    .import = source_git_import,
    .read = source_git_read,
    .resolve = source_git_resolve,
    .ancestry = source_git_ancestry,
    .log = source_git_log,
    .export = source_git_export,
    .fetch_parse = git_answer_fetch,
    .read_parse = git_answer_read,
    .resolve_parse = git_answer_resolve,
    .ancestry_parse = git_answer_ancestry,
    .log_parse = git_answer_log,
    .export_parse = git_answer_export,
};
