/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_answer.h"

#include "base/base64.h"
#include "reconciler/engine/git_text.h"
#include "reconciler/engine/git_worker.h"
#include "specs/json_io.h"

#define ANSWER_ID_CHARS 40
#define ANSWER_MANY ((size_t)1 << 24)         /* the bytes of an answer bound it before */
#define ANSWER_TIME_MAX_MS ((int64_t)1 << 53) /* of a commit; nobody's arithmetic overflows */

/* --- what a member may be ------------------------------------------------------------------------ */

static int answer_is_text(const struct value *v)
{
    return value_is(v, VALUE_TEXT);
}

static int answer_is_id(const struct value *v)
{
    if (!value_is(v, VALUE_TEXT) || v->u.text.n != ANSWER_ID_CHARS)
        return 0;
    for (size_t i = 0; i < v->u.text.n; i++)
        if (!(v->u.text.p[i] >= '0' && v->u.text.p[i] <= '9') &&
            !(v->u.text.p[i] >= 'a' && v->u.text.p[i] <= 'f'))
            return 0;
    return 1;
}

static int answer_is_path(const struct value *v)
{
    struct err unsaid = ERR_INIT; /* our own sentence follows */

    return value_is(v, VALUE_TEXT) && !git_text_path_check(v->u.text, &unsaid);
}

static int answer_is_file(const struct value *v)
{
    return answer_is_path(value_get(v, S("path"))) && answer_is_id(value_get(v, S("id"))) &&
           answer_is_text(value_get(v, S("text")));
}

static int answer_is_commit(const struct value *v);

struct answer_rule {
    const char *name;
    int (*is)(const struct value *v); /* itself, or each item or entry of it */
    enum value_kind of;               /* VALUE_LIST, VALUE_MAP; VALUE_NULL: itself */
    int may_lack;
    size_t max;
};

/* clang-format off */
static const struct answer_rule answer_commit[] = {
    { "id",         answer_is_id,     VALUE_NULL, 0, 0 },
    { "tree",       answer_is_id,     VALUE_NULL, 0, 0 },
    { "parents",    answer_is_id,     VALUE_LIST, 0, ANSWER_MANY },
    { "co_authors", answer_is_text,   VALUE_LIST, 1, ANSWER_MANY },
    { NULL, NULL, VALUE_NULL, 0, 0 },
};
static const struct answer_rule answer_snapshot[] = {
    { "commit",     answer_is_commit, VALUE_NULL, 0, 0 },
    { "files",      answer_is_file,   VALUE_LIST, 0, SOURCE_FILES_MAX },
    { "gone",       answer_is_path,   VALUE_LIST, 0, ANSWER_MANY },
    { "spec_tree",  answer_is_id,     VALUE_NULL, 1, 0 },
    { "code",       answer_is_id,     VALUE_NULL, 0, 0 },
    { "trees",      answer_is_id,     VALUE_MAP,  1, ANSWER_MANY },
    { NULL, NULL, VALUE_NULL, 0, 0 },
};
static const struct answer_rule answer_head[] = {
    { "commit",     answer_is_id,     VALUE_NULL, 0, 0 },
    { "tree",       answer_is_id,     VALUE_NULL, 0, 0 },
    { "host",       answer_is_id,     VALUE_NULL, 1, 0 },
    { "host_is",    answer_is_text,   VALUE_NULL, 1, 0 },
    { NULL, NULL, VALUE_NULL, 0, 0 },
};
static const struct answer_rule answer_heads[] = {
    { "heads",      NULL,             VALUE_MAP,  0, ANSWER_MANY },
    { "gone",       answer_is_text,   VALUE_LIST, 0, ANSWER_MANY },
    { NULL, NULL, VALUE_NULL, 0, 0 },
};
static const struct answer_rule answer_log[] = {
    { "commits",    answer_is_commit, VALUE_LIST, 0, SOURCE_LOG_MAX },
    { NULL, NULL, VALUE_NULL, 0, 0 },
};
/* clang-format on */

static int answer_fits(const struct answer_rule *rule, const struct value *v)
{
    if (!v)
        return rule->may_lack;
    if (rule->of == VALUE_NULL)
        return rule->is(v);
    if (!value_is(v, rule->of) || value_count(v) > rule->max)
        return 0;
    for (size_t i = 0; rule->is && i < value_count(v); i++)
        if (!rule->is(rule->of == VALUE_LIST ? value_item(v, i) : v->u.map.entries[i].value))
            return 0;
    return 1;
}

/* The first that does not fit, or NULL. */
static const char *answer_fault(const struct answer_rule *rules, const struct value *v)
{
    for (; rules->name; rules++)
        if (!answer_fits(rules, value_get(v, str_from_c(rules->name))))
            return rules->name;
    return NULL;
}

static int answer_is_commit(const struct value *v)
{
    return !answer_fault(answer_commit, v);
}

static int answer_check(const struct answer_rule *rules, const struct value *v, struct err *err)
{
    const char *name = answer_fault(rules, v);

    return name ? err_set(err, ERR_IO, "git: the worker's answer lacks its %s, or they are none",
                          name)
                : 0;
}

/* --- the answer ---------------------------------------------------------------------------------- */

/* Ours to decide, whatever it says: success, the daemon's end and a cancel. */
static int answer_code(struct str name)
{
    int code = err_from_name(name.p, name.n);

    if (!code || err_class(code) == ERR_CLASS_FATAL || err_class(code) == ERR_CLASS_STOP)
        return ERR_IO;
    return code;
}

int git_answer_parse(struct arena *a, struct str text, struct value **ret, struct err *err)
{
    const struct value *error;

    if (json_parse(a, text, GIT_WORKER_ANSWER_MAX, ret, err))
        return err_wrap(err, "git: the worker's answer");
    error = value_get(*ret, S("error"));
    if (!error)
        return 0;
    return err_set(err, answer_code(value_get_text(error, S("code"), S("FAILED"))), "git: %.*s",
                   STR_ARG(value_get_text(error, S("text"), S("no reason given"))));
}

int git_answer_take(struct arena *a, const struct exec_result *result, struct value **ret,
                    struct err *err)
{
    if (result->signal)
        return err_set(err, ERR_IO, "git: the worker ended by signal %d", result->signal);
    if (result->status || result->out_dropped)
        return err_set(err, ERR_IO, "git: the worker ended with %d: %.*s", result->status,
                       STR_ARG(result->err_tail));
    return git_answer_parse(a, result->out, ret, err);
}

/* --- a commit ------------------------------------------------------------------------------------ */

static int64_t answer_time_ms(const struct value *v)
{
    int64_t ms = value_get_int(v, S("time_ms"), 0);

    return ms < -ANSWER_TIME_MAX_MS || ms > ANSWER_TIME_MAX_MS ? 0 : ms;
}

static struct source_commit answer_take_commit(struct arena *a, const struct value *v)
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
        .time_ms = answer_time_ms(v),
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

/* --- what was read ------------------------------------------------------------------------------- */

static void answer_take_files(struct arena *a, const struct value *answer,
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

static int answer_take_snapshot(struct arena *a, const struct value *answer,
                                struct source_snapshot *ret, struct err *err)
{
    const struct value *trees = value_get(answer, S("trees"));
    struct source_snapshot snapshot = {
        .spec_tree = value_get_text(answer, S("spec_tree"), STR_NONE),
        .code = value_get_text(answer, S("code"), S("")),
        .has_base = value_get_bool(answer, S("has_base"), 0),
        .goes_on = value_get_bool(answer, S("goes_on"), 0),
    };

    if (answer_check(answer_snapshot, answer, err))
        return err->code;
    snapshot.commit = answer_take_commit(a, value_get(answer, S("commit")));
    answer_take_files(a, answer, &snapshot);
    for (size_t i = 0; i < value_count(trees); i++) {
        const struct value_entry *entry = &trees->u.map.entries[i];
        struct source_path *path = vec_push(a, &snapshot.trees);

        if (path)
            *path = (struct source_path){ entry->key, entry->value->u.text };
    }
    *ret = snapshot;
    return arena_status(a, err);
}

int git_answer_read(struct arena *a, struct source_call *call, struct source_snapshot *ret,
                    struct err *err)
{
    struct value *answer;
    int rc = git_answer_take(a, &call->result, &answer, err);

    return rc ? rc : answer_take_snapshot(a, answer, ret, err);
}

/* --- what was fetched ---------------------------------------------------------------------------- */

static int answer_take_head(struct arena *a, const struct value_entry *entry,
                            struct source_heads *heads, struct err *err)
{
    const struct value *read = value_get(entry->value, S("read"));
    struct source_snapshot *snapshot = read ? arena_new(a, struct source_snapshot) : NULL;
    struct source_head *head = vec_push(a, &heads->heads);

    if (!head || (read && !snapshot))
        return arena_status(a, err);
    if (answer_check(answer_head, entry->value, err))
        return err->code;
    *head = (struct source_head){ entry->key,
                                  value_get_text(entry->value, S("commit"), STR_NONE),
                                  value_get_text(entry->value, S("tree"), STR_NONE),
                                  snapshot,
                                  value_get_text(entry->value, S("host"), STR_NONE),
                                  value_get_text(entry->value, S("host_is"), STR_NONE),
                                  answer_time_ms(entry->value) };
    return read ? answer_take_snapshot(a, read, snapshot, err) : 0;
}

int git_answer_fetch(struct arena *a, struct source_call *call, struct source_heads *ret,
                     struct err *err)
{
    struct source_heads heads = { 0 };
    const struct value *map, *gone;
    struct value *answer;
    int rc = git_answer_take(a, &call->result, &answer, err);

    if (rc || answer_check(answer_heads, answer, err))
        return err->code;
    map = value_get(answer, S("heads"));
    gone = value_get(answer, S("gone"));
    for (size_t i = 0; !rc && i < value_count(map); i++)
        rc = answer_take_head(a, &map->u.map.entries[i], &heads, err);
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

/* --- the rest ------------------------------------------------------------------------------------ */

int git_answer_resolve(struct arena *a, struct source_call *call, struct source_head *ret,
                       struct err *err)
{
    struct value *answer;
    int rc = git_answer_take(a, &call->result, &answer, err);

    if (rc || answer_check(answer_head, answer, err))
        return err->code;
    *ret = (struct source_head){ .commit = value_get_text(answer, S("commit"), STR_NONE),
                                 .tree = value_get_text(answer, S("tree"), STR_NONE) };
    return 0;
}

int git_answer_ancestry(struct arena *a, struct source_call *call, int *ret_is_descendant,
                        struct err *err)
{
    struct value *answer;
    int rc = git_answer_take(a, &call->result, &answer, err);

    if (!rc)
        *ret_is_descendant = value_get_bool(answer, S("is_descendant"), 0);
    return rc;
}

/* What is no base64 is no signature. */
static void answer_take_proof(struct arena *a, const struct value *v, struct source_commit *commit)
{
    struct str signature, text;

    if (base64_decode(a, value_get_text(v, S("signature"), S("")), &signature) || !signature.n ||
        base64_decode(a, value_get_text(v, S("signed"), S("")), &text))
        return;
    commit->signature = signature;
    commit->signed_text = text;
}

int git_answer_log(struct arena *a, struct source_call *call, struct source_commits *ret,
                   struct err *err)
{
    struct source_commits commits = { 0 };
    const struct value *list;
    struct value *answer;
    int rc = git_answer_take(a, &call->result, &answer, err);

    if (rc || answer_check(answer_log, answer, err))
        return err->code;
    list = value_get(answer, S("commits"));
    for (size_t i = 0; i < value_count(list); i++) {
        struct source_commit *commit = vec_push(a, &commits.list);

        if (!commit)
            break;
        *commit = answer_take_commit(a, value_item(list, i));
        answer_take_proof(a, value_item(list, i), commit);
    }
    commits.truncated = value_get_bool(answer, S("truncated"), 0);
    commits.has_from = value_get_bool(answer, S("has_from"), 0);
    commits.goes_on = value_get_bool(answer, S("goes_on"), 0);
    *ret = commits;
    return arena_status(a, err);
}

int git_answer_export(struct arena *a, struct source_call *call, struct source_exported *ret,
                      struct err *err)
{
    struct value *answer;
    int rc = git_answer_take(a, &call->result, &answer, err);

    if (rc)
        return rc;
    *ret = (struct source_exported){ value_get_int(answer, S("bytes"), 0),
                                     value_get_int(answer, S("files"), 0) };
    if (ret->bytes < 0 || ret->files < 0)
        return err_set(err, ERR_IO, "git: the worker's answer counts below nothing");
    return 0;
}
