/* A command that asks how an instance is. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <unistd.h>

#include "base/guard.h"
#include "providers/kit_launch.h"
#include "providers/process/process.h"

#define PROBE_TIMEOUT_MS 2000

static const struct rv_str *probe_strings(struct process_call *c, const struct str *texts, size_t n)
{
    struct rv_str *list = arena_new_n(&c->arena, struct rv_str, n + 1);

    for (size_t i = 0; list && i < n; i++)
        list[i] = kit_rv(texts[i]);
    return list;
}

/* The same with reeve-spawn before it; its descriptors are the caller's to close. */
static int probe_isolate(struct process_call *c, const struct keeper_want *want, int ret_fds[3],
                         struct rv_exec *exec)
{
    struct str *argv = arena_new_n(&c->arena, struct str, want->n_argv + 3);
    struct err err = ERR_INIT;

    if (!want->launch)
        return 0;
    ret_fds[0] = open("/dev/null", O_WRONLY | O_CLOEXEC); /* its exit says enough */
    if (!argv || ret_fds[0] < 0 || kit_launch_write(want->launch, &ret_fds[1], &err))
        return process_fail(c, RV_RETRY, RV_ACTED_NO, "isolate the probe: %s", err.text);
    argv[0] = want->launcher;
    argv[1] = S("run");
    argv[2] = want->dir;
    for (size_t i = 0; i < want->n_argv; i++)
        argv[3 + i] = want->argv[i];
    exec->argv = probe_strings(c, argv, want->n_argv + 3);
    exec->n_argv = (uint32_t)want->n_argv + 3;
    exec->fds = ret_fds;
    exec->n_fds = want->launch->class == LAUNCH_UID ? 3 : 2;
    ret_fds[2] = want->users; /* the call's */
    exec->dir = kit_rv(S("/"));
    return 0;
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
    int verdict, fds[3] = { -1, -1, -1 };

    c->desired = c->view.about; /* it knows the artifact and the context */
    if (process_artifact_dir(c, &dir) ||
        process_command(c, value_get(probe, S("command")), dir, port, &want) ||
        process_isolate(c, process_artifact_tree(c), LAUNCH_READ, &want))
        return (int)c->ret->verdict;
    exec.argv = probe_strings(c, want.argv, want.n_argv);
    exec.n_argv = (uint32_t)want.n_argv;
    exec.env = probe_strings(c, want.env, want.n_env);
    exec.n_env = (uint32_t)want.n_env;
    exec.dir = kit_rv(dir);
    if (probe_isolate(c, &want, fds, &exec))
        return (int)c->ret->verdict;
    if (!exec.argv || !exec.env)
        return process_fail(c, RV_RETRY, RV_ACTED_NO, "out of memory");
    verdict = c->h->exec(c->h->ctx, &exec, &exit);
    guard_close(&fds[0]);
    guard_close(&fds[1]);
    if (verdict)
        return process_fail(c, (enum rv_verdict)verdict, RV_ACTED_NO,
                            "the probe's command does not run or does not end");
    value_set_int(&c->arena, facts, S("exit"), exit.signal ? 128 + exit.signal : exit.status);
    value_set_text(&c->arena, facts, S("message"), str_trim(kit_str(exit.err_tail)));
    return 0;
}
