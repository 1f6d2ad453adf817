/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/source_task.h"

#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/guard.h"
#include "base/log.h"
#include "reconciler/core/retry.h"
#include "reconciler/engine/claims.h"
#include "reconciler/engine/env_task.h"

#define SOURCE_ROUND_MAX (256u << 20)
#define SOURCE_TURN_MS 20

enum {
    SOURCE_SIGN_IN,
    SOURCE_FETCH,
    SOURCE_ANSWER,
    SOURCE_HEADS,
    SOURCE_READ,
    SOURCE_MERGE,
    SOURCE_TREES,
    SOURCE_MATCH,
    SOURCE_READY,
    SOURCE_REFUSED,
    SOURCE_NOTE,
    SOURCE_FAILED,
    SOURCE_REST,
    SOURCE_SPACE,
};

/* clang-format off */
static const struct task_state source_states[] = {
    /*                   name       successors                                on error       deadline_ms: the worker's */
    [SOURCE_SIGN_IN] = { "SIGN_IN", TO2(SOURCE_FETCH, SOURCE_READ),                         SOURCE_FAILED, 0 },
    [SOURCE_FETCH]   = { "FETCH",   TO(SOURCE_ANSWER),                        SOURCE_FAILED, 0 },
    [SOURCE_ANSWER]  = { "ANSWER",  TO(SOURCE_HEADS),                         SOURCE_FAILED, 0 },
    [SOURCE_HEADS]   = { "HEADS",   TO(SOURCE_READ),                          NO_ERROR_EDGE, 0 },
    [SOURCE_READ]    = { "READ",    TO3(SOURCE_MERGE, SOURCE_NOTE, SOURCE_FAILED) | TO2(SOURCE_READ, SOURCE_REFUSED), SOURCE_REFUSED, 0 }, /* its turn */
    [SOURCE_MERGE]   = { "MERGE",   TO(SOURCE_TREES),                         SOURCE_REFUSED, 0 },
    [SOURCE_TREES]   = { "TREES",   TO2(SOURCE_MATCH, SOURCE_READY),          SOURCE_REFUSED, 0 },
    [SOURCE_MATCH]   = { "MATCH",   TO(SOURCE_READY),                         SOURCE_REFUSED, 0 },
    [SOURCE_READY]   = { "READY",   TO(SOURCE_READ),                          NO_ERROR_EDGE, 0 },
    [SOURCE_REFUSED] = { "REFUSED", TO2(SOURCE_READ, SOURCE_FAILED),          NO_ERROR_EDGE, 0 }, /* the other branches go on */
    [SOURCE_NOTE]    = { "NOTE",    TO(SOURCE_REST),                          SOURCE_FAILED, 0 },
    [SOURCE_FAILED]  = { "FAILED",  TO(SOURCE_REST),                          SOURCE_REST,   0 },
    [SOURCE_REST]    = { "REST",    TO(SOURCE_SPACE),                         SOURCE_SPACE,   0 }, /* woken early: fetch now */
    [SOURCE_SPACE]   = { "SPACE",   TO2(SOURCE_SIGN_IN, SOURCE_SPACE),        SOURCE_SPACE,   0 }, /* but not at each hook of many */
};
/* clang-format on */

static struct source_task *source_of(struct task *t)
{
    return container_of(t, struct source_task, task);
}

/* --- fetch --------------------------------------------------------------------------------------- */

int source_task_password(const struct source_task *s, struct arena *a, struct str *ret,
                         struct err *err)
{
    struct str name = value_get_text(value_get(s->config, S("credentials")), S("secret"), STR_NONE);
    int rc = secret_store_copy_own(s->engine->secrets, name, a, ret, err);

    return rc ? err_wrap(err, "credentials of source '%.*s'", STR_ARG(s->name)) : 0;
}

static int source_sign_in(struct task *t, struct err *err)
{
    struct source_task *s = source_of(t);

    return source_task_password(s, &s->round, &s->fetch.password, err);
}

/* It leaves memory as soon as the worker has it. */
void source_task_wipe(struct str *password)
{
    if (password->p) {
        union {
            const char *in;
            char *out;
        } text = { .in = password->p };

        explicit_bzero(text.out, password->n);
    }
    *password = STR_NONE;
}

/* --- read ---------------------------------------------------------------------------------------- */

/* On FILE: what the worker told. Paths that are new are asked for in a second question. */
static int source_merge(struct task *t, struct err *err)
{
    struct source_task *s = source_of(t);
    const struct branch *b = &s->branches.p[s->reading];
    struct head *before = b->heads.newest;
    const struct head_read in = { s->engine->options.daemon, before, &s->snapshot };

    if (b->told)
        s->snapshot = *b->told;
    else if (s->source->ops->read_parse(&s->round, &s->call, &s->snapshot, err))
        return err->code;
    s->read = (struct source_read){ .commit = b->next->commit, .base = b->next->commit };
    if (head_read_files(b->next, &in, &s->round, &s->read.paths, &s->read.n_paths, err))
        return err->code;
    return s->read.n_paths ? 0 : head_read_moved(b->next, before, err);
}

static int source_match(struct task *t, struct err *err)
{
    struct source_task *s = source_of(t);
    const struct branch *b = &s->branches.p[s->reading];

    if (s->source->ops->read_parse(&s->round, &s->call, &s->snapshot, err) ||
        head_read_trees(b->next, &s->snapshot, err))
        return err->code;
    return head_read_moved(b->next, b->heads.newest, err);
}

static int source_note(struct task *t, struct err *err)
{
    return source_rows_note(source_of(t), err);
}

/* --- steps --------------------------------------------------------------------------------------- */

/* On FILE. */
static int source_answer(struct task *t, struct err *err)
{
    struct source_task *s = source_of(t);

    return s->source->ops->fetch_parse(&s->round, &s->call, &s->heads, err);
}

/* Whatever was worth saying stands in t->err. */
static enum task_verdict source_fail(struct source_task *s, const struct err *err)
{
    s->task.err = *err;
    return task_goto(&s->task, SOURCE_FAILED);
}

static enum task_verdict source_heads(struct source_task *s)
{
    source_round_take(s);
    return task_goto(&s->task, SOURCE_READ);
}

/* The next branch that moved; when there is none left, the rows. */
static enum task_verdict source_read(struct source_task *s)
{
    struct task *t = &s->task;
    struct err err = ERR_INIT;
    struct branch *b;

    while (s->reading < s->branches.n && !s->branches.p[s->reading].next)
        s->reading++;
    if (s->reading == s->branches.n && s->refused.code)
        return source_fail(s, &s->refused);
    if (s->reading == s->branches.n) {
        if (s->failures)
            engine_source_answers(s->engine, s);
        if (!s->is_local) {
            s->error[0] = 0;
            s->failures = 0;
        }
        for (size_t i = 0; s->claims_moved && i < s->branches.n; i++)
            claims_look(s->engine, s, s->branches.p[i].heads.newest);
        s->claims_moved = 0;
        wait_work_start(t, POOL_STATE, source_note);
        return task_then(t, SOURCE_NOTE);
    }
    b = &s->branches.p[s->reading];
    switch (source_turn_take(s, b)) {
    case SOURCE_TURN_NOW:
        break;
    case SOURCE_TURN_LATER:
        wait_until_start(t, loop_mono_ms(t->loop) + SOURCE_TURN_MS);
        return task_then(t, SOURCE_READ);
    case SOURCE_TURN_NEVER:
        return task_goto(t, SOURCE_REFUSED);
    }
    if (b->told)
        return task_goto(t, SOURCE_MERGE);
    if (source_round_ask(s, b->heads.newest, &s->read, &err)) {
        source_turn_end(s);
        return source_fail(s, &err);
    }
    s->read.commit = b->next->commit;
    s->source->ops->read(s->source, t, &s->round, &s->read, &s->call);
    return task_then(t, SOURCE_MERGE);
}

/* One branch holds up no other: it stays at its last commit that could be read. */
static enum task_verdict source_refused(struct source_task *s)
{
    struct branch *b = &s->branches.p[s->reading];

    source_turn_end(s);
    if (s->reading == s->branches.n)
        return task_goto(&s->task, SOURCE_FAILED); /* all were read, but it could not be written */
    head_free(TAKE(b->next));
    if (!s->refused.code) {
        s->refused = s->task.err;
        (void)err_wrap(&s->refused, "branch '%.*s'", STR_ARG(b->name));
    }
    return task_goto(&s->task, SOURCE_READ);
}

static enum task_verdict source_trees(struct source_task *s)
{
    if (!s->read.n_paths)
        return task_goto(&s->task, SOURCE_READY);
    s->source->ops->read(s->source, &s->task, &s->round, &s->read, &s->call);
    return task_then(&s->task, SOURCE_MATCH);
}

static enum task_verdict source_ready(struct source_task *s)
{
    struct branch *b = &s->branches.p[s->reading];
    struct head *h = TAKE(b->next);

    b->told = NULL;
    LOG(LOG_INFO, "source moved", LOG_S("source", s->name), LOG_S("branch", b->name),
        LOG_S("commit", h->commit));
    if (h->messages.n_errors)
        LOG(LOG_WARN, "specs are refused, the last good state serves", LOG_S("source", s->name),
            LOG_S("branch", b->name), LOG_S("err", head_error(&s->round, &h->messages)));
    claims_look(s->engine, s, h);
    if (h->refused.n_errors)
        LOG(LOG_WARN, "documents are refused", LOG_S("source", s->name), LOG_S("branch", b->name),
            LOG_S("err", head_error(&s->round, &h->refused)));
    CRASH_POINT(HEAD_AFTER_READ);
    head_publish(&b->heads, h);
    engine_head_moved(s->engine, s, h);
    source_turn_end(s);
    return task_goto(&s->task, SOURCE_READ);
}

static enum task_verdict source_failed(struct source_task *s)
{
    source_task_wipe(&s->fetch.password);
    if (!str_eq(str_from_c(s->error), str_from_c(s->task.err.text)))
        LOG(LOG_WARN, "source cannot be read, the last good state serves", LOG_S("source", s->name),
            LOG_C("err", s->task.err.text));
    (void)snprintf(s->error, sizeof(s->error), "%s", s->task.err.text);
    s->failures++;
    wait_work_start(&s->task, POOL_STATE, source_note);
    return task_then(&s->task, SOURCE_REST);
}

static void source_count(struct source_task *s, int64_t now_ms)
{
    s->took_ms = now_ms - s->began_mono_ms;
    metrics_time(&s->took, METRICS_SOURCE_TOOK, s->took_ms);
    s->n_failed += s->failures != 0;
    s->n_good += s->failures == 0;
    if (!s->failures)
        s->good_mono_ms = now_ms;
}

static enum task_verdict source_rest(struct source_task *s)
{
    struct loop *loop = s->task.loop;
    int64_t poll_ms = value_get_int(s->config, S("poll"), 60000), delay_ms = poll_ms;

    arena_wipe(
        &s->round); /* as large as the specs of all environments; the worker's question was in it */
    s->rounds_ended = s->rounds_begun;
    s->fetched_mono_ms = loop_mono_ms(loop);
    if (!s->is_local)
        source_count(s, s->fetched_mono_ms);
    engine_settled(s->engine);
    if (s->is_narrow && !s->failures) {
        wait_signal_start(&s->task, s->poll_mono_ms);
        return task_then(&s->task, SOURCE_SPACE);
    }
    if (s->is_local)
        delay_ms = 0; /* the host is asked all the same */
    else if (s->failures && retry_delay_ms(s->failures, 0) < poll_ms)
        delay_ms = retry_delay_ms(s->failures, loop_random(loop));
    else
        delay_ms -= (int64_t)(loop_random(loop) % (uint64_t)(poll_ms / 10 + 1)); /* jitter */
    s->poll_mono_ms = loop_mono_ms(loop) + delay_ms;
    wait_signal_start(&s->task, s->poll_mono_ms);
    return task_then(&s->task, SOURCE_SPACE);
}

/* Who asks for all branches does not wait. */
static enum task_verdict source_space(struct source_task *s)
{
    int64_t at_ms = s->began_mono_ms + SOURCE_SPACE_MS;

    if (!source_round_is_narrow(s) || loop_mono_ms(s->task.loop) >= at_ms)
        return task_goto(&s->task, SOURCE_SIGN_IN);
    wait_signal_start(&s->task, at_ms);
    return task_then(&s->task, SOURCE_SPACE);
}

static enum task_verdict source_step(struct task *t)
{
    struct source_task *s = source_of(t);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case SOURCE_SIGN_IN:
        source_round_begin(s);
        if (s->is_local)
            return task_goto(t, SOURCE_READ);
        wait_work_start(t, POOL_FILE, source_sign_in);
        return task_then(t, SOURCE_FETCH);
    case SOURCE_FETCH:
        s->source->ops->fetch(s->source, t, &s->round, &s->fetch, &s->call);
        return task_then(t, SOURCE_ANSWER);
    case SOURCE_ANSWER:
        source_task_wipe(&s->fetch.password);
        wait_work_start(t, POOL_FILE, source_answer);
        return task_then(t, SOURCE_HEADS);
    case SOURCE_HEADS:
        return source_heads(s);
    case SOURCE_READ:
        return source_read(s);
    case SOURCE_MERGE:
        wait_work_start(t, POOL_FILE, source_merge);
        return task_then(t, SOURCE_TREES);
    case SOURCE_TREES:
        return source_trees(s);
    case SOURCE_MATCH:
        wait_work_start(t, POOL_FILE, source_match);
        return task_then(t, SOURCE_READY);
    case SOURCE_READY:
        return source_ready(s);
    case SOURCE_REFUSED:
        return source_refused(s);
    case SOURCE_NOTE:
        return task_goto(t, SOURCE_REST);
    case SOURCE_FAILED:
        return source_failed(s);
    case SOURCE_REST:
        return source_rest(s);
    case SOURCE_SPACE:
        return source_space(s);
    }
    UNREACHABLE();
}

void source_task_start(struct source_task *s, struct engine *e, struct str name,
                       const struct value *config, const struct source *source)
{
    const struct value *branches = value_get(config, S("branches"));

    *s = (struct source_task){ .engine = e, .name = name, .config = config, .source = source };
    s->good_mono_ms = loop_mono_ms(e->loop);
    s->took_ms = -1;
    arena_init(&s->round, SOURCE_ROUND_MAX);
    proof_signers_init(&s->signers);
    for (size_t i = 0; i < value_count(branches); i++) {
        struct branch *b = vec_push(e->process, &s->branches);

        if (!b)
            continue;
        b->name = value_item(branches, i)->u.text;
        source_ahead_start(s, b);
        source_tag_start(s, b);
    }
    task_start(&s->task, e->loop, "source", source_states, N_ELEMENTS(source_states),
               SOURCE_SIGN_IN, source_step, engine_task_ended, e);
}

void source_task_fini(struct source_task *s)
{
    for (size_t i = 0; i < s->branches.n; i++) {
        head_free(TAKE(s->branches.p[i].next));
        head_free_all(&s->branches.p[i].heads);
    }
    proof_signers_fini(&s->signers);
    secret_free(TAKE(s->hook_secret));
    arena_fini(&s->round);
}

int64_t source_task_fetch_now(struct source_task *s)
{
    s->wants_all = 1;
    wait_signal(&s->task);
    return s->rounds_begun + 1;
}

size_t source_task_look(struct source_task *s, const struct hook_decision *d)
{
    size_t n = 0;

    for (size_t i = 0; i < s->branches.n; i++)
        if (hook_names(d, s->branches.p[i].name)) {
            s->branches.p[i].is_named = 1;
            n++;
        }
    if (n)
        wait_signal(&s->task);
    return n;
}

struct head *source_task_head(struct source_task *s, struct str branch)
{
    for (size_t i = 0; i < s->branches.n; i++)
        if (str_eq(s->branches.p[i].name, branch))
            return s->branches.p[i].heads.newest;
    return NULL;
}
