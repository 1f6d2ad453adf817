/* What a running engine knows, and how a single run ended. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/claims.h"
#include "reconciler/engine/env_task.h"

/* Specs that are refused leave what serves as it is, but nobody asked for that. */
static int once_refused(const struct source_task *s, struct arena *a, struct err *err)
{
    for (size_t i = 0; i < s->branches.n; i++) {
        const struct branch *b = &s->branches.p[i];
        const struct head *head = b->heads.newest;

        if (head && head->messages.n_errors)
            return err_set(err, ERR_INVALID, "source '%.*s', branch '%.*s': %.*s", STR_ARG(s->name),
                           STR_ARG(b->name), STR_ARG(head_error(a, &head->messages)));
        if (head && head->refused.n_errors)
            return err_set(err, ERR_REFUSED, "source '%.*s', branch '%.*s': %.*s", STR_ARG(s->name),
                           STR_ARG(b->name), STR_ARG(head_error(a, &head->refused)));
    }
    return 0;
}

/* Worst first: failed, then waiting. */
int engine_once_result(const struct engine *e, struct err *err)
{
    AUTO_ARENA struct arena a = { 0 };
    struct rec_environment *rows;
    size_t n;
    int rc = 0;

    if (e->once_err.code)
        return err_set(err, e->once_err.code, "%s", e->once_err.text);
    for (size_t i = 0; i < e->n_sources; i++)
        if (e->sources[i]->error[0])
            return err_set(err, ERR_FAILED, "source '%.*s': %s", STR_ARG(e->sources[i]->name),
                           e->sources[i]->error);
    for (size_t i = 0; i < e->n_sources; i++)
        if (once_refused(e->sources[i], &a, err))
            return err->code;
    if (environments_list(e->db, &a, &rows, &n, err))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        if (str_eq_c(rows[i].sync, "in_sync"))
            continue;
        if (str_eq_c(rows[i].sync, "waiting") || str_eq_c(rows[i].sync, "held") ||
            str_eq_c(rows[i].sync, "frozen")) {
            if (!rc)
                rc = err_set(err, ERR_WAITING, "environment '%.*s' waits: %.*s",
                             STR_ARG(rows[i].name), STR_ARG(rows[i].reason));
            continue;
        }
        return err_set(err, ERR_FAILED, "environment '%.*s' is %.*s: %.*s", STR_ARG(rows[i].name),
                       STR_ARG(rows[i].sync), STR_ARG(rows[i].reason));
    }
    return rc;
}

struct value *engine_live_view(struct engine *e, struct arena *a, struct str only)
{
    struct value *view = value_map(a), *sources = value_map(a), *envs = value_map(a);

    for (size_t i = 0; !e->stale.p && i < e->n_sources; i++) {
        const struct source_task *s = e->sources[i];
        struct value *one = value_map(a);

        value_set_text(a, one, S("error"), str_copy(a, str_from_c(s->error)));
        value_set_int(a, one, S("failures"), s->failures);
        value_set_int(a, one, S("rounds"), s->rounds_ended);
        value_set_int(a, one, S("fetched_ms_ago"),
                      s->fetched_mono_ms ? loop_mono_ms(e->loop) - s->fetched_mono_ms : -1);
        value_set(a, one, S("elsewhere"), claims_elsewhere(s, a));
        value_set(a, one, S("empty"), claims_empty(s, a));
        value_set(a, sources, s->name, one);
    }
    for (size_t i = 0; i < e->envs.n; i++) {
        const struct env_task *env = e->envs.p[i];
        struct value *one, *gates;

        if (only.n && !str_eq(env->name, only))
            continue;
        one = value_map(a);
        value_set(a, one, S("settled"), value_bool(a, env_task_is_settled(env)));
        value_set(a, one, S("running"), value_bool(a, env->main != NULL));
        value_set_int(a, one, S("failures"), env->failures);
        value_set_int(a, one, S("rule"), env->rule ? (int64_t)env->rule_index : -1);
        gates = value_list(a);
        for (const struct run *r = env->runs; r; r = r->next)
            run_view_gates(r, a, gates);
        value_set(a, one, S("gates"), gates);
        value_set(a, envs, env->name, one);
    }
    if (e->stale.p)
        value_set_text(a, view, S("stale"),
                       str_fmt(a, "%.*s (%.*s)", STR_ARG(e->stale), STR_ARG(e->stale_help)));
    if (heartbeat_task_view(&e->heartbeat, a))
        value_set(a, view, S("heartbeat"), heartbeat_task_view(&e->heartbeat, a));
    if (copy_task_view(&e->copies, a))
        value_set(a, view, S("copies"), copy_task_view(&e->copies, a));
    if (anchor_task_view_all(e, a))
        value_set(a, view, S("anchors"), anchor_task_view_all(e, a));
    if (drain_task_view_all(e, a))
        value_set(a, view, S("log_drains"), drain_task_view_all(e, a));
    value_set(a, view, S("sources"), sources);
    value_set(a, view, S("environments"), envs);
    value_set(a, view, S("providers"), provider_line_view(e, a));
    return view;
}
