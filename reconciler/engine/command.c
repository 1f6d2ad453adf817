/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/command_write.h"

#include <string.h>

#include "base/guard.h"
#include "base/log.h"
#include "reconciler/engine/env_task.h"
#include "reconciler/engine/notify_test.h"

/*   FILES -> PROVE -> IMPORT -> WRITE -> ACT      the first two where there is a signature, the third of a bundle */
enum { COMMAND_FILES, COMMAND_PROVE, COMMAND_IMPORT, COMMAND_WRITE, COMMAND_ACT };

/* clang-format off */
static const struct task_state command_states[] = {
    /*                  name     successors          on error       deadline_ms */
    [COMMAND_FILES] = { "FILES", TO2(COMMAND_PROVE, COMMAND_WRITE), COMMAND_WRITE, 30000 },
    [COMMAND_PROVE] = { "PROVE", TO2(COMMAND_IMPORT, COMMAND_WRITE), COMMAND_WRITE, 0 }, /* the program's deadline */
    [COMMAND_IMPORT] = { "IMPORT", TO(COMMAND_WRITE), COMMAND_WRITE, 0 }, /* the worker's deadline */
    [COMMAND_WRITE] = { "WRITE", TO(COMMAND_ACT),    NO_ERROR_EDGE, 30000 },
    [COMMAND_ACT]   = { "ACT",   0,                  NO_ERROR_EDGE, 0 },
};
/* clang-format on */

struct command_row {
    const char *word; /* of the event: command.WORD, or the whole where there is a dot in it */
    int needs_reason, needs_no_env;
    int (*write)(struct command_call *c, struct command_found *f, struct tx *tx, struct err *err);
    void (*act)(struct command_call *c, struct command_found *f, struct env_task *env);
};

/* --- on the loop --------------------------------------------------------------------------------- */

static void act_wake(struct command_call *c, struct command_found *f, struct env_task *env)
{
    (void)c;
    (void)f;
    env_task_wake(env);
}

static void act_nothing(struct command_call *c, struct command_found *f, struct env_task *env)
{
    (void)c;
    (void)f;
    (void)env;
}

/* An environment that nobody has heard of may be in what is fetched now. */
static void act_fetch(struct command_call *c, struct command_found *f, struct env_task *env)
{
    f->rounds = value_map(&c->arena);
    for (size_t i = 0; i < c->engine->n_sources; i++) {
        struct source_task *s = c->engine->sources[i];

        if (!env || env->source == s)
            value_set_int(&c->arena, f->rounds, s->name, source_task_fetch_now(s));
    }
    if (env) {
        env->checks.again_mono_ms = 0; /* the forge is asked at once */
        env_task_wake(env);
    }
}

/* What a cancelled plan comes to; one that has ended meanwhile is not there. */
static struct str cancel_message(const struct run *r)
{
    for (size_t i = 0; r && r->is_loaded && i < r->plan.groups.n; i++)
        if (!run_group_goes_back(r, (int)i, 0))
            return S("the running plan ends; what its release changed has no way back");
    return r ? S("the running plan goes back") : S("nothing runs");
}

static void act_cancel(struct command_call *c, struct command_found *f, struct env_task *env)
{
    struct run *r = env->main && digest_eq(&env->main->plan_id, &f->plan.id) ? env->main : NULL;

    (void)c;
    f->message = cancel_message(r);
    if (r)
        run_wish(r, WISH_CANCEL);
}

static void act_advance(struct command_call *c, struct command_found *f, struct env_task *env)
{
    f->message = S("the running plan goes on");
    if (env->main && digest_eq(&env->main->plan_id, &f->plan.id))
        run_advance(env->main, c->in.service, c->in.actor);
}

static void act_ask(struct command_call *c, struct command_found *f, struct env_task *env)
{
    (void)c;
    env_task_ask(env, &f->env);
}

static void act_resume(struct command_call *c, struct command_found *f, struct env_task *env)
{
    (void)c;
    (void)f;
    env_task_trust(env);
    env_task_wake(env);
    job_task_wake(&env->jobs);
}

/* What has expired meanwhile ends now. */
static void act_clock(struct command_call *c, struct command_found *f, struct env_task *env)
{
    (void)f;
    (void)env;
    for (size_t i = 0; i < c->engine->envs.n; i++)
        job_task_wake(&c->engine->envs.p[i]->jobs);
    for (size_t i = 0; i < c->engine->envs.n; i++)
        env_task_wake(c->engine->envs.p[i]);
}

static void act_run(struct command_call *c, struct command_found *f, struct env_task *env)
{
    (void)c;
    (void)f;
    job_task_wake(&env->jobs);
}

static void act_retry(struct command_call *c, struct command_found *f, struct env_task *env)
{
    (void)c;
    (void)f;
    env->failures = env->not_before_mono_ms = 0;
    env_task_wake(env);
}

/* The plan it belongs to goes on with it. */
static void act_settle(struct command_call *c, struct command_found *f, struct env_task *env)
{
    (void)c;
    env_task_reload(env, &f->settled.id);
}

static void act_rebind(struct command_call *c, struct command_found *f, struct env_task *env)
{
    env_task_rebind(env, engine_source(c->engine, f->env.source), f->env.branch);
    for (size_t i = 0; i < c->engine->n_sources; i++) {
        c->engine->sources[i]->claims_moved = 1;
        (void)source_task_fetch_now(c->engine->sources[i]);
    }
}

static void act_bundle(struct command_call *c, struct command_found *f, struct env_task *env)
{
    (void)env;
    command_bundle_act(c, f);
}

static const struct command_row command_rows[N_COMMANDS] = {
    [COMMAND_RECONCILE] = { "reconcile", 0, 1, command_write_nothing, act_fetch },
    [COMMAND_APPROVE] = { "approve", 0, 0, command_write_approve, act_wake },
    [COMMAND_OVERRIDE] = { "override", 1, 0, command_write_override, act_wake },
    [COMMAND_REJECT] = { "reject", 1, 0, command_write_reject, act_wake },
    [COMMAND_CANCEL] = { "cancel", 0, 0, command_write_cancel, act_cancel },
    [COMMAND_ADVANCE] = { "advance", 0, 0, command_write_advance, act_advance },
    [COMMAND_UNDO] = { "undo", 1, 0, command_write_undo, act_ask },
    [COMMAND_ROLLBACK] = { "rollback", 1, 0, command_write_rollback, act_ask },
    [COMMAND_HOLD] = { "hold", 1, 0, command_write_hold, act_wake },
    [COMMAND_RESUME] = { "resume", 0, 0, command_write_resume, act_resume },
    [COMMAND_CLOCK] = { "clock", 0, 1, command_write_clock, act_clock },
    [COMMAND_RUN] = { "run", 0, 0, command_write_run, act_run },
    [COMMAND_RETRY] = { "retry", 0, 0, command_write_retry, act_retry },
    [COMMAND_BUNDLE] = { "bundle", 1, 1, command_write_bundle, act_bundle },
    [COMMAND_REBIND] = { "rebind", 1, 0, command_write_rebind, act_rebind },
    [COMMAND_ADOPT] = { "adopt", 1, 0, command_write_adopt, act_wake },
    [COMMAND_FORGET] = { "forget", 1, 0, command_write_forget, act_wake },
    [COMMAND_TOKEN] = { "token.created", 0, 1, command_write_token, act_nothing },
    [COMMAND_REVOKE] = { "token.revoked", 0, 1, command_write_revoke, act_nothing },
    [COMMAND_DENIED] = { "auth.denied", 0, 1, command_write_denied, act_nothing },
    [COMMAND_USED] = { "used", 0, 1, NULL, act_nothing },
    [COMMAND_SETTLE] = { "settle", 1, 0, command_write_settle, act_settle },
};

/* --- the call ------------------------------------------------------------------------------------ */

static struct command_call *command_of(struct task *t)
{
    return container_of(t, struct command_call, task);
}

static struct str command_subject(struct command_call *c, const struct command_found *f)
{
    if (c->in.verb == COMMAND_CLOCK)
        return S("clock");
    if (c->in.verb == COMMAND_BUNDLE)
        return c->in.source;
    if (c->in.verb == COMMAND_DENIED)
        return c->in.denied;
    if (c->in.token)
        return str_fmt(&c->arena, "token/%.*s", STR_ARG(c->in.token->id));
    return f->env.name.n ? f->env.name : c->in.operation;
}

static struct str command_event(struct command_call *c)
{
    const char *word = command_rows[c->in.verb].word;

    return strchr(word, '.') ? str_from_c(word) : str_fmt(&c->arena, "command.%s", word);
}

/* As it is now: more is said when it was acted on. */
static struct value *command_answer(struct command_call *c)
{
    struct command_found *f = c->found;
    struct value *v = value_map(&c->arena);

    value_set_text(&c->arena, v, S("environment"), f->env.name);
    if (f->plan.env.p)
        value_set_text(&c->arena, v, S("plan"), digest_hex(&c->arena, &f->plan.id));
    value_set_text(&c->arena, v, S("state"), f->state.p ? f->state : S(""));
    value_set_text(&c->arena, v, S("message"), f->message.p ? f->message : S(""));
    if (f->rounds)
        value_set(&c->arena, v, S("rounds"), f->rounds);
    return v;
}

static int command_write(struct task *t, struct err *err)
{
    struct command_call *c = command_of(t);
    const struct command_row *row = &command_rows[c->in.verb];
    struct command_found *f = c->found;
    struct tx *tx;

    command_sign_end(f);
    if (c->task.rc) {
        *err = c->task.err;
        return c->task.rc;
    }
    if (c->in.signature.n && command_sign_judge(c, f, err))
        return err->code;
    if (!c->in.is_admin)
        return err_set(err, ERR_REFUSED, "%.*s may look but not change anything",
                       STR_ARG(c->in.actor));
    if (c->engine->stale.p)
        return engine_refuse_stale(c->engine, err);
    if (command_once_find(c, f, err))
        return err->code;
    if (f->again)
        return 0;
    if (command_check_reason(c, row->needs_reason || c->in.is_break_glass ? row->word : NULL, err))
        return err->code;
    if (c->in.verb == COMMAND_USED)
        return command_write_used(c, err);
    if (command_write_find(c, f, err))
        return err->code;
    if (engine_tx(c->engine,
                  &(struct engine_event){
                      .kind = command_event(c),
                      .subject = command_subject(c, f),
                      .env = f->env.uid.p ? f->env.uid : S(""),
                      .actor = c->in.actor,
                      .cause = f->plan.env.p
                                   ? str_fmt(&c->arena, "plan:%.*s",
                                             STR_ARG(engine_short(&c->arena, &f->plan.id)))
                                   : S(""),
                  },
                  &tx, err))
        return err->code;
    if (row->write(c, f, tx, err)) {
        tx_rollback(tx);
        return err->code;
    }
    if (c->in.is_break_glass)
        tx_note(tx, S("break_glass"), S("true"));
    if (c->in.overrides)
        tx_note(tx, S("overrides"), S("true"));
    if (c->in.reason.n)
        tx_note(tx, S("reason"), json_format(&c->arena, value_text(&c->arena, c->in.reason)));
    if (tx_commit(tx, err))
        return err->code;
    command_once_keep(c, command_answer(c));
    return 0;
}

static enum task_verdict command_act(struct command_call *c)
{
    struct command_found *f = c->found;
    struct env_task *env = f->env.uid.p ? engine_env(c->engine, f->env.uid) : NULL;

    if (f->again) {
        c->result = f->again;
        return task_done(&c->task);
    }
    if (env || command_rows[c->in.verb].needs_no_env)
        command_rows[c->in.verb].act(c, f, env);
    if (f->token || c->in.verb == COMMAND_DENIED || c->in.verb == COMMAND_USED) {
        c->result = f->token;
        return task_done(&c->task);
    }
    c->result = command_answer(c);
    if (c->in.is_break_glass)
        LOG(LOG_WARN, "a right for emergencies was used", LOG_S("actor", c->in.actor),
            LOG_S("reason", c->in.reason));
    LOG(LOG_INFO, "command", LOG_C("verb", command_rows[c->in.verb].word),
        LOG_S("env", f->env.name), LOG_S("actor", c->in.actor));
    return task_done(&c->task);
}

static int command_files(struct task *t, struct err *err)
{
    struct command_call *c = command_of(t);

    if (c->in.verb == COMMAND_BUNDLE && command_bundle_read(c, c->found, err))
        return err->code;
    if (command_sign_write(c, c->found, err))
        return err->code;
    return c->in.verb == COMMAND_BUNDLE ? command_bundle_keep(c, c->found, err) : 0;
}

static enum task_verdict command_prove(struct command_call *c)
{
    struct command_found *f = c->found;
    int is_bundle = c->in.verb == COMMAND_BUNDLE;

    command_sign_start(c, f, is_bundle ? f->bundle.text : c->in.plan);
    return task_then(&c->task, is_bundle ? COMMAND_IMPORT : COMMAND_WRITE);
}

static enum task_verdict command_import(struct command_call *c)
{
    c->task.rc = command_bundle_import(c, c->found, &c->task.err);
    return c->task.rc ? task_goto(&c->task, COMMAND_WRITE) : task_then(&c->task, COMMAND_WRITE);
}

static enum task_verdict command_begin(struct command_call *c)
{
    struct task *t = &c->task;

    c->found = arena_new(&c->arena, struct command_found);
    if (!c->found) {
        (void)err_set(&t->err, ERR_NOMEM, "out of memory");
        return task_fail(t, &t->err);
    }
    if (!c->in.signature.n && c->in.verb != COMMAND_BUNDLE)
        return task_goto(t, COMMAND_WRITE);
    wait_work_start(t, POOL_FILE, command_files);
    return task_then(t, COMMAND_PROVE);
}

static enum task_verdict command_step(struct task *t)
{
    struct command_call *c = command_of(t);

    switch (t->state) {
    case COMMAND_FILES:
        return command_begin(c);
    case COMMAND_PROVE:
        return command_prove(c);
    case COMMAND_IMPORT:
        return command_import(c);
    case COMMAND_WRITE:
        wait_work_start(t, POOL_STATE, command_write);
        return task_then(t, COMMAND_ACT);
    case COMMAND_ACT:
        return command_act(c);
    }
    UNREACHABLE();
}

int command_check_reason(const struct command_call *c, const char *asked_by, struct err *err)
{
    if (asked_by && !c->in.reason.n)
        return err_set(err, ERR_USAGE, "%s needs a reason", asked_by);
    if (c->in.reason.n > COMMAND_REASON_MAX)
        return err_set(err, ERR_LIMIT, "a reason has at most %d bytes", COMMAND_REASON_MAX);
    return 0;
}

void command_start(struct engine *e, struct command_call *call, task_ended *ended, void *ctx)
{
    if (call->in.verb == COMMAND_TRY) {
        command_try_start(e, call, ended, ctx);
        return;
    }
    if (call->in.verb == COMMAND_TEST) {
        notify_test_start(e, call, ended, ctx);
        return;
    }
    call->engine = e;
    task_start(&call->task, e->loop, "command", command_states, N_ELEMENTS(command_states),
               COMMAND_FILES, command_step, ended, ctx);
}
