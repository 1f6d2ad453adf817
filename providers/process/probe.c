/* A command that asks how an instance is. SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/process.h"

#define PROBE_TIMEOUT_MS 2000

static const struct rv_str *probe_strings(struct process_call *c, const struct str *texts, size_t n)
{
    struct rv_str *list = arena_new_n(&c->arena, struct rv_str, n + 1);

    for (size_t i = 0; list && i < n; i++)
        list[i] = kit_rv(texts[i]);
    return list;
}

/* Runs where the instance runs, as its port knows it, without its secrets. */
int process_probe(struct process_call *c, const struct value *probe, struct value *facts)
{
    int64_t port = value_get_int(c->view.about, S("port"), 0);
    struct rv_exit exit = { .size = sizeof(exit) };
    struct rv_exec exec = {
        .size = sizeof(exec),
        .timeout_ms = (uint32_t)value_get_int(probe, S("timeout_ms"), PROBE_TIMEOUT_MS),
    };
    struct keeper_want want;
    struct str dir;
    int verdict;

    c->desired = c->view.about; /* it knows the artifact and the context */
    if (process_artifact_dir(c, &dir) ||
        process_command(c, value_get(probe, S("command")), dir, port, &want))
        return (int)c->ret->verdict;
    exec.argv = probe_strings(c, want.argv, want.n_argv);
    exec.n_argv = (uint32_t)want.n_argv;
    exec.env = probe_strings(c, want.env, want.n_env);
    exec.n_env = (uint32_t)want.n_env;
    exec.dir = kit_rv(dir);
    if (!exec.argv || !exec.env)
        return process_fail(c, RV_RETRY, RV_ACTED_NO, "out of memory");
    verdict = c->h->exec(c->h->ctx, &exec, &exit);
    if (verdict)
        return process_fail(c, (enum rv_verdict)verdict, RV_ACTED_NO,
                            "the probe's command does not run or does not end");
    value_set_int(&c->arena, facts, S("exit"), exit.signal ? 128 + exit.signal : exit.status);
    value_set_text(&c->arena, facts, S("message"), str_trim(kit_str(exit.err_tail)));
    return 0;
}
