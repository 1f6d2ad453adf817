/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/anchor_git.h"

#include "base/guard.h"
#include "reconciler/engine/git_answer.h"
#include "reconciler/engine/git_worker.h"
#include "specs/json_io.h"

#define ANCHOR_GRACE_MS 2000 /* the worker knows its deadline and says why; then it is killed */
#define ANCHOR_SAID_MAX 4096
#define ANCHOR_ID_CHARS 40

static void anchor_git_set(struct arena *a, struct value *request, struct str key, struct str text)
{
    if (text.n)
        value_set_text(a, request, key, text);
}

static struct value *anchor_git_request(const struct anchor_git *g, struct arena *a, struct str op,
                                        struct str password)
{
    static const struct str copied[] = { S_INIT("url"), S_INIT("branch"), S_INIT("ca_file"),
                                         S_INIT("known_hosts"), S_INIT("key_file") };
    struct value *request = value_map(a), *credentials = value_map(a);

    value_set_text(a, request, S("op"), op);
    value_set_text(a, request, S("mirror"), g->mirror);
    value_set_text(a, request, S("folder"), g->folder);
    value_set_int(a, request, S("timeout_ms"), g->timeout_ms);
    for (size_t i = 0; i < N_ELEMENTS(copied); i++)
        anchor_git_set(a, request, copied[i], value_get_text(g->config, copied[i], S("")));
    anchor_git_set(a, credentials, S("password"), password);
    value_set(a, request, S("credentials"), credentials);
    return request;
}

static void anchor_git_start(const struct anchor_git *g, struct task *t, struct arena *a,
                             const struct value *request, struct anchor_git_call *call)
{
    static const char *const no_env[] = { NULL };

    *call = (struct anchor_git_call){ .exec = { .argv = g->worker,
                                                .env = no_env,
                                                .input = json_format(a, request),
                                                .out_max = GIT_WORKER_ANSWER_MAX,
                                                .err_max = ANCHOR_SAID_MAX,
                                                .timeout_ms = g->timeout_ms + ANCHOR_GRACE_MS,
                                                .rlimit_as = g->memory_bytes,
                                                .rlimit_cpu_s = g->cpu_s } };
    wait_exec_start(t, &call->exec, a, &call->result);
}

void anchor_git_read(const struct anchor_git *g, struct task *t, struct arena *a,
                     struct str password, struct str known, struct anchor_git_call *call)
{
    struct value *request = anchor_git_request(g, a, S("anchor_read"), password);

    anchor_git_set(a, request, S("known"), known);
    anchor_git_start(g, t, a, request, call);
}

void anchor_git_push(const struct anchor_git *g, struct task *t, struct arena *a,
                     struct str password, struct str tip, struct str line, int64_t time_ms,
                     struct anchor_git_call *call)
{
    struct value *request = anchor_git_request(g, a, S("anchor_push"), password);

    anchor_git_set(a, request, S("tip"), tip);
    anchor_git_set(a, request, S("line"), line);
    value_set_int(a, request, S("time_ms"), time_ms);
    anchor_git_start(g, t, a, request, call);
}

/* The worker reads what others wrote: that an id is one is seen here. */
static int anchor_git_id(const struct value *answer, struct str name, struct str *ret,
                         struct err *err)
{
    int is_id = 1;

    *ret = value_get_text(answer, name, STR_NONE);
    for (size_t i = 0; i < ret->n; i++)
        is_id &= (ret->p[i] >= '0' && ret->p[i] <= '9') || (ret->p[i] >= 'a' && ret->p[i] <= 'f');
    return !ret->p || (is_id && ret->n == ANCHOR_ID_CHARS)
               ? 0
               : err_set(err, ERR_IO, "git: the worker's answer has no commit's id");
}

int anchor_git_read_parse(struct arena *a, const struct anchor_git_call *call,
                          struct anchor_git_there *ret, struct err *err)
{
    struct value *answer;

    if (git_answer_take(a, &call->result, &answer, err) ||
        anchor_git_id(answer, S("tip"), &ret->tip, err))
        return err->code;
    ret->text = value_get_text(answer, S("text"), S(""));
    return 0;
}

int anchor_git_push_parse(struct arena *a, const struct anchor_git_call *call,
                          struct str *ret_commit, struct err *err)
{
    struct value *answer;

    if (git_answer_take(a, &call->result, &answer, err) ||
        anchor_git_id(answer, S("commit"), ret_commit, err))
        return err->code;
    return ret_commit->p ? 0 : err_set(err, ERR_IO, "git: the worker's answer lacks its commit");
}
