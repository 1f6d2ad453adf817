/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/source_git.h"

#include "reconciler/engine/git_worker.h"
#include "specs/json_io.h"

#define SOURCE_FETCH_TIMEOUT_MS 60000
#define SOURCE_READ_TIMEOUT_MS 60000
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

/* What the worker answered; its error becomes ours. One that was killed or said nothing broke off. */
static int source_git_answer(struct arena *a, struct source_call *call, struct value **ret,
                             struct err *err)
{
    const struct exec_result *result = &call->result;
    const struct value *error;
    int rc;

    if (result->signal)
        return err_set(err, ERR_IO, "git: the worker ended by signal %d", result->signal);
    if (result->status || result->out_dropped)
        return err_set(err, ERR_IO, "git: the worker ended with %d: %.*s", result->status,
                       STR_ARG(result->err_tail));
    rc = json_parse(a, result->out, GIT_WORKER_ANSWER_MAX, ret, err);
    if (rc)
        return err_wrap(err, "git: the worker's answer");
    error = value_get(*ret, S("error"));
    if (error) {
        struct str code = value_get_text(error, S("code"), S("FAILED"));

        return err_set(err, err_from_name(code.p, code.n), "git: %.*s",
                       STR_ARG(value_get_text(error, S("text"), S("no reason given"))));
    }
    return 0;
}

static struct source_commit source_git_commit(struct arena *a, const struct value *v)
{
    const struct value *parents = value_get(v, S("parents"));
    const struct value *co_authors = value_get(v, S("co_authors"));
    struct source_commit commit = {
        .id = value_get_text(v, S("id"), STR_NONE),
        .tree = value_get_text(v, S("tree"), STR_NONE),
        .author = value_get_text(v, S("author"), S("")),
        .author_mail = value_get_text(v, S("author_mail"), S("")),
        .committer = value_get_text(v, S("committer"), S("")),
        .committer_mail = value_get_text(v, S("committer_mail"), S("")),
        .summary = value_get_text(v, S("summary"), S("")),
        .schema_change = value_get_text(v, S("schema_change"), S("")),
        .time_ms = value_get_int(v, S("time_ms"), 0),
    };

    for (size_t i = 0; i < value_count(parents); i++) {
        struct str *parent = vec_push(a, &commit.parents);

        if (parent)
            *parent = value_item(parents, i)->u.text;
    }
    for (size_t i = 0; i < value_count(co_authors); i++) {
        struct str *mail = vec_push(a, &commit.co_authors);

        if (mail)
            *mail = value_item(co_authors, i)->u.text;
    }
    return commit;
}

static void source_git_files(struct arena *a, const struct value *answer,
                             struct source_snapshot *ret)
{
    const struct value *files = value_get(answer, S("files")), *gone = value_get(answer, S("gone"));

    for (size_t i = 0; i < value_count(files); i++) {
        const struct value *v = value_item(files, i);
        struct source_file *file = vec_push(a, &ret->files);

        if (file)
            *file = (struct source_file){ value_get_text(v, S("path"), STR_NONE),
                                          value_get_text(v, S("id"), STR_NONE),
                                          value_get_text(v, S("text"), STR_NONE) };
    }
    for (size_t i = 0; i < value_count(gone); i++) {
        struct str *path = vec_push(a, &ret->gone);

        if (path)
            *path = value_item(gone, i)->u.text;
    }
}

static int source_git_snapshot(struct arena *a, const struct value *answer,
                               struct source_snapshot *ret, struct err *err)
{
    const struct value *trees = value_get(answer, S("trees"));
    struct source_snapshot snapshot = {
        .commit = source_git_commit(a, value_get(answer, S("commit"))),
        .spec_tree = value_get_text(answer, S("spec_tree"), STR_NONE),
        .code = value_get_text(answer, S("code"), S("")),
        .has_base = value_get_bool(answer, S("has_base"), 0),
        .goes_on = value_get_bool(answer, S("goes_on"), 0),
    };

    if (!value_is(value_get(answer, S("files")), VALUE_LIST) ||
        !value_is(value_get(answer, S("gone")), VALUE_LIST))
        return err_set(err, ERR_IO, "git: the worker's answer lacks its files");
    source_git_files(a, answer, &snapshot);
    for (size_t i = 0; i < value_count(trees); i++) {
        const struct value_entry *entry = &trees->u.map.entries[i];
        struct source_path *path = vec_push(a, &snapshot.trees);

        if (path)
            *path = (struct source_path){ entry->key, entry->value->u.text };
    }
    *ret = snapshot;
    return arena_status(a, err);
}

static int source_git_read_parse(struct arena *a, struct source_call *call,
                                 struct source_snapshot *ret, struct err *err)
{
    struct value *answer;
    int rc = source_git_answer(a, call, &answer, err);

    return rc ? rc : source_git_snapshot(a, answer, ret, err);
}

static int source_git_head(struct arena *a, const struct value_entry *entry,
                           struct source_heads *heads, struct err *err)
{
    const struct value *read = value_get(entry->value, S("read"));
    struct source_snapshot *snapshot = read ? arena_new(a, struct source_snapshot) : NULL;
    struct source_head *head = vec_push(a, &heads->heads);

    if (!head || (read && !snapshot))
        return arena_status(a, err);
    *head = (struct source_head){ entry->key, value_get_text(entry->value, S("commit"), STR_NONE),
                                  value_get_text(entry->value, S("tree"), STR_NONE), snapshot };
    return read ? source_git_snapshot(a, read, snapshot, err) : 0;
}

static int source_git_fetch_parse(struct arena *a, struct source_call *call,
                                  struct source_heads *ret, struct err *err)
{
    struct source_heads heads = { 0 };
    const struct value *map, *gone;
    struct value *answer;
    int rc = source_git_answer(a, call, &answer, err);

    if (rc)
        return rc;
    map = value_get(answer, S("heads"));
    gone = value_get(answer, S("gone"));
    if (!value_is(map, VALUE_MAP) || !value_is(gone, VALUE_LIST))
        return err_set(err, ERR_IO, "git: the worker's answer lacks its heads");
    for (size_t i = 0; !rc && i < value_count(map); i++)
        rc = source_git_head(a, &map->u.map.entries[i], &heads, err);
    for (size_t i = 0; i < value_count(gone); i++) {
        struct str *name = vec_push(a, &heads.gone);

        if (name)
            *name = value_item(gone, i)->u.text;
    }
    if (rc)
        return rc;
    *ret = heads;
    return arena_status(a, err);
}

static int source_git_ancestry_parse(struct arena *a, struct source_call *call,
                                     int *ret_is_descendant, struct err *err)
{
    struct value *answer;
    int rc = source_git_answer(a, call, &answer, err);

    if (!rc)
        *ret_is_descendant = value_get_bool(answer, S("is_descendant"), 0);
    return rc;
}

static int source_git_log_parse(struct arena *a, struct source_call *call,
                                struct source_commits *ret, struct err *err)
{
    struct source_commits commits = { 0 };
    const struct value *list;
    struct value *answer;
    int rc = source_git_answer(a, call, &answer, err);

    if (rc)
        return rc;
    list = value_get(answer, S("commits"));
    for (size_t i = 0; i < value_count(list); i++) {
        struct source_commit *commit = vec_push(a, &commits.list);

        if (commit)
            *commit = source_git_commit(a, value_item(list, i));
    }
    commits.truncated = value_get_bool(answer, S("truncated"), 0);
    *ret = commits;
    return arena_status(a, err);
}

static int source_git_export_parse(struct arena *a, struct source_call *call,
                                   struct source_exported *ret, struct err *err)
{
    struct value *answer;
    int rc = source_git_answer(a, call, &answer, err);

    if (!rc)
        *ret = (struct source_exported){ value_get_int(answer, S("bytes"), 0),
                                         value_get_int(answer, S("files"), 0) };
    return rc;
}

const struct source_ops source_git_ops = {
    .fetch = source_git_fetch,
    .read = source_git_read,
    .ancestry = source_git_ancestry,
    .log = source_git_log,
    .export = source_git_export,
    .fetch_parse = source_git_fetch_parse,
    .read_parse = source_git_read_parse,
    .ancestry_parse = source_git_ancestry_parse,
    .log_parse = source_git_log_parse,
    .export_parse = source_git_export_parse,
};
