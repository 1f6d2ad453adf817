/* A run's calls of its driver. SPDX-License-Identifier: Apache-2.0 */
#include "base/crash.h"
#include "base/log.h"
#include "reconciler/engine/job_run_parts.h"
#include "reconciler/engine/op_outputs.h"
#include "reconciler/engine/secret_sets.h"

/* The row names it already. */
static int run_identified(void *ctx, struct rv_str id)
{
    (void)ctx;
    (void)id;
    return 0;
}

static int run_secret(void *ctx, struct rv_str ref, struct arena *a, struct str *ret)
{
    struct job_run *r = ctx;
    struct engine *e = run_engine(r);
    const struct secret_want want = { r->row.env, r->env_name, r->row.revision,
                                      r->refs,    &r->pins,    &r->made };
    struct err err = ERR_INIT;

    if (op_outputs_is_ref(kit_str(ref))
            ? !op_outputs_give(e, &r->task, r->row.env, a, kit_str(ref), ret, &err)
            : !secret_sets_give(e->sealed, &want, a, kit_str(ref), ret, &err))
        return 0;
    LOG(LOG_WARN, "a secret cannot be given, tried again", LOG_S("env", r->env_name),
        LOG_S("job", r->name), LOG_C("err", err.text));
    return RV_WAIT;
}

static int run_call(struct job_run *r, enum driver_call_kind kind, uint32_t action, struct err *err)
{
    const struct driver_call call = {
        .engine = run_engine(r),
        .task = &r->task,
        .provider = r->row.provider,
        .kind = kind,
        .op = { .action = action,
                .attempt = (uint32_t)r->attempt,
                .type = kit_rv(S("job")),
                .name = kit_rv(r->name),
                .key = kit_rv(action == RV_DELETE ? str_fmt(&r->round, "%.*s-", STR_ARG(r->key))
                                                  : r->key),
                .owner = kit_rv(r->row.owner),
                .id = kit_rv(kind == CALL_APPLY && action == RV_RUN ? S("") : r->row.owner),
                .desired = kit_rv(r->body),
                .expected = kit_rv(S("{}")),
                .token = kit_rv(action == RV_DELETE ? r->leaves : r->token) },
        .secret = run_secret,
        .identified = run_identified,
        .ctx = r,
    };

    return driver_call(&call, &r->round, &r->answer, err);
}

int job_run_call_act(struct task *t, struct err *err)
{
    struct job_run *r = run_of(t);
    int rc;

    arena_reset(&r->round);
    r->is_looked = 0;
    r->attempt++;
    if (!r->token.n)
        CRASH_POINT(JOB_AFTER_STARTED);
    rc = run_call(r, r->token.n ? CALL_RESUME : CALL_APPLY, RV_RUN, err);
    if (!r->token.n)
        CRASH_POINT(JOB_AFTER_ACT);
    return rc;
}

int job_run_call_look(struct task *t, struct err *err)
{
    arena_reset(&run_of(t)->round);
    run_of(t)->is_looked = 1;
    return run_call(run_of(t), CALL_READ, RV_NONE, err);
}

/* What runs is ended by that. */
int job_run_call_clear(struct task *t, struct err *err)
{
    struct job_run *r = run_of(t);
    int rc;

    arena_reset(&r->round);
    r->token = STR_NONE;
    CRASH_POINT(JOB_AFTER_ENDED);
    rc = run_call(r, r->leaves.n ? CALL_RESUME : CALL_APPLY, RV_DELETE, err);
    CRASH_POINT(JOB_AFTER_CLEARED);
    return rc;
}
