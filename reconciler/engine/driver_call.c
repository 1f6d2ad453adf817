/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/driver_call.h"

static rv_call *driver_call_fn(const struct rv_driver *d, enum driver_call_kind kind)
{
    switch (kind) {
    case CALL_APPLY:
        return d->apply;
    case CALL_RESUME:
        return d->resume;
    case CALL_FIND:
        return d->find_by_owner;
    case CALL_HEALTH:
        return d->health;
    case CALL_COUNTERS:
        return d->counters;
    case CALL_SHED:
        return d->shed;
    case CALL_LIST:
        return d->list;
    case CALL_READ:
    case N_CALLS:
        break;
    }
    return NULL;
}

/* Every {"secret": "NAME@VERSION"} below v. */
static int driver_call_hide_below(struct host_call *host, const struct value *v)
{
    struct str ref = value_get_text(v, S("secret"), STR_NONE);
    int verdict = 0;

    if (ref.p && str_find_char(ref, '@') != STR_NPOS)
        verdict = host_call_hide(host, kit_rv(ref));
    for (size_t i = 0; !verdict && i < value_count(v); i++)
        verdict = driver_call_hide_below(host, value_is(v, VALUE_LIST) ? value_item(v, i)
                                                                       : v->u.map.entries[i].value);
    return verdict;
}

/* The last lines of what a program said may hold what an earlier call gave it. A value that cannot be read
 * any more cannot be found in them: they are left out. */
static void driver_call_hide(struct host_call *host, const struct driver_call *call,
                             struct arena *a, struct rv_result *r)
{
    AUTO_ARENA struct arena scratch = { 0 };
    struct str line = str_slice(kit_str(r->message), 0, str_find_char(kit_str(r->message), '\n'));
    struct err ignored = ERR_INIT; /* our own text; memory that ran out hides the lines too */
    struct value *desired;

    if (!call->secret || !r->message.n || !call->op.desired.n)
        return;
    if (json_parse(&scratch, kit_str(call->op.desired), KIT_BODY_MAX, &desired, &ignored) ||
        (driver_call_hide_below(host, desired) && line.n < r->message.n))
        r->message = kit_rv(str_fmt(
            a, "%.*s (the rest is not shown: a secret cannot be read to hide it)", STR_ARG(line)));
}

/* What leaves a call holds no secret and is text. */
static struct str driver_call_field(const struct host_call *host, struct arena *a, struct rv_str s)
{
    return str_copy(a, str_clean(a, host_call_field(host, a, kit_str(s))));
}

static void driver_call_copy(const struct host_call *host, struct arena *a,
                             const struct rv_result *r, struct driver_answer *ret)
{
    *ret = (struct driver_answer){
        .verdict = (enum rv_verdict)r->verdict,
        .acted = (enum rv_acted)r->acted,
        .again_ms = r->again_ms,
        .id = driver_call_field(host, a, r->id),
        .observed = driver_call_field(host, a, r->observed),
        .outputs = driver_call_field(host, a, r->outputs),
        .token = driver_call_field(host, a, r->token),
        .message = str_copy(a, str_clean(a, host_call_words(host, a, kit_str(r->message)))),
    };
}

/* 1: it does not answer, and is not asked. */
static int driver_call_is_refused(const struct driver_call *call, struct provider_line *line,
                                  struct arena *a, enum breaker_pass *ret_pass,
                                  struct driver_answer *ret)
{
    struct str why;
    int64_t again_ms;

    *ret_pass = BREAKER_PASSES;
    if (!call->is_urgent)
        *ret_pass = provider_line_ask(line, call->engine->loop, a, &why, &again_ms);
    if (*ret_pass != BREAKER_REFUSES)
        return 0;
    *ret = (struct driver_answer){ .verdict = RV_RETRY,
                                   .acted = RV_ACTED_NO,
                                   .again_ms = again_ms,
                                   .message = why,
                                   .is_refused = 1 };
    return 1;
}

static enum breaker_answer driver_call_judge(const struct driver_call *call,
                                             const struct host_call *host,
                                             const struct rv_result *r)
{
    const struct breaker_facts facts = {
        .verdict = (enum rv_verdict)r->verdict,
        .acted = (enum rv_acted)r->acted,
        .is_late = host_call_is_late(host),
        .is_cancelled = call->task && call->task->cancelled,
        .is_health = call->kind == CALL_HEALTH,
    };

    return breaker_judge(&facts);
}

/* 0: the driver cannot do that, and nobody was asked. */
static int driver_call_ask(const struct driver_call *call, const struct provider *p,
                           struct host_call *host, struct rv_result *r)
{
    rv_call *fn = driver_call_fn(p->driver, call->kind);
    struct rv_op op = call->op;

    op.size = sizeof(op);
    op.epoch = (uint64_t)call->engine->epoch;
    if (call->kind == CALL_READ)
        p->driver->read(p->self, &host->host, &op, 1, r);
    else if (fn)
        fn(p->self, &host->host, &op, r);
    else
        r->verdict = RV_USER;
    return fn || call->kind == CALL_READ;
}

int driver_call(const struct driver_call *call, struct arena *a, struct driver_answer *ret,
                struct err *err)
{
    struct provider_line *line = provider_line_find(call->engine, call->provider);
    struct rv_result r = { .size = sizeof(r) };
    enum breaker_answer said = BREAKER_SILENT;
    enum breaker_pass pass;
    struct host_call host;
    int64_t began_ms;

    if (!line)
        return err_set(err, ERR_INVALID, "no provider '%.*s' is configured",
                       STR_ARG(call->provider));
    if (driver_call_is_refused(call, line, a, &pass, ret)) {
        provider_line_count(line, call->engine->loop, (int)call->kind, said, -1);
        return arena_status(a, err);
    }
    began_ms = loop_mono_ms(call->engine->loop);
    host_call_init(&host, &(struct host_options){ .loop = call->engine->loop,
                                                  .task = call->task,
                                                  .timeout_ms = DRIVER_CALL_MS,
                                                  .allowed = call->engine->egress,
                                                  .n_allowed = call->engine->n_egress,
                                                  .secret = call->secret,
                                                  .identified = call->identified,
                                                  .ctx = call->ctx });
    if (driver_call_ask(call, line->provider, &host, &r))
        said = driver_call_judge(call, &host, &r);
    driver_call_hide(&host, call, a, &r);
    driver_call_copy(&host, a, &r, ret);
    host_call_fini(&host);
    provider_line_note(line, call->engine->loop, pass, said,
                       said == BREAKER_LATE
                           ? str_fmt(a, "no answer within %d s", DRIVER_CALL_MS / 1000)
                           : ret->message);
    provider_line_count(line, call->engine->loop, (int)call->kind, said,
                        loop_mono_ms(call->engine->loop) - began_ms);
    return arena_status(a, err);
}

const struct value *driver_answer_value(struct arena *a, struct str json)
{
    struct value *v;
    struct err ignored = ERR_INIT;

    if (!json.n || json_parse(a, json, KIT_BODY_MAX, &v, &ignored))
        return value_map(a); /* the journal keeps the text */
    return v;
}
