/* A call: what it takes, what it may end with, what it shows. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "providers/null/null.h"

/* Somebody changed it behind our back: a file beside it says how it looks now. */
static struct str null_drifted(struct null_call *c, const struct value *over, struct str json)
{
    struct err ignored = ERR_INIT; /* our own text */
    struct value *base;

    if (!over || json_parse(&c->arena, json, KIT_BODY_MAX, &base, &ignored))
        return json;
    return json_format(&c->arena, value_merge(&c->arena, base, over));
}

void null_lock(struct null_driver_self *s)
{
    PRE(!pthread_mutex_lock(&s->mutex));
}

void null_unlock(struct null_driver_self *s)
{
    PRE(!pthread_mutex_unlock(&s->mutex));
}

int null_begin(struct null_call *c, const char *call, struct rv_str owner)
{
    struct null_driver_self *s = c->self;
    struct err err = ERR_INIT;

    if (s->latency_ms && c->h->wait_fd(c->h->ctx, -1, 0, s->latency_ms) == RV_CANCELLED)
        return kit_answer(c->h, c->ret, RV_CANCELLED, RV_ACTED_NO, "cancelled");
    null_lock(s);
    if (null_store_load(&s->store, &err)) {
        null_unlock(s);
        return kit_answer_err(c->h, c->ret, RV_ACTED_NO, &err);
    }
    c->fault = null_fault_of(s, call, c->op);
    c->object = null_store_find(&s->store, kit_str(owner));
    if (c->fault && c->fault->kind == NULL_FAULT_BEFORE) {
        null_unlock(s);
        return kit_answer(c->h, c->ret, c->fault->verdict, c->fault->acted,
                          "a fault was asked for");
    }
    return 0;
}

int null_look_at(struct null_call *c, struct null_object *o, const struct value *desired,
                 enum rv_acted acted)
{
    struct arena *a = &c->arena;

    if (null_object_set(o, &o->observed, json_format(a, null_observed(a, o, desired))) ||
        null_object_set(o, &o->outputs, json_format(a, null_outputs(a, o, desired))))
        return kit_answer(c->h, c->ret, RV_RETRY, acted, "out of memory");
    return 0;
}

void null_show(struct null_call *c, enum rv_acted acted)
{
    const struct value *desired = NULL, *drift;
    struct err err = ERR_INIT;

    if (!c->object->observed.n || !c->object->outputs.n) { /* it was read from its file */
        if (null_store_recall(&c->self->store, c->object, &err)) {
            (void)kit_answer_err(c->h, c->ret, acted, &err);
            return;
        }
        if (kit_parse(c->h, &c->arena, kit_rv(c->object->desired), "desired", &desired, c->ret) ||
            null_look_at(c, c->object, desired, acted))
            return;
        null_store_unlearn(&c->self->store, c->object);
    }
    drift = null_store_drift(&c->self->store, &c->arena, c->object->owner);
    c->ret->verdict = RV_DONE;
    c->ret->acted = acted;
    c->ret->id = kit_give(c->h, c->object->owner);
    c->ret->observed = kit_give(
        c->h, null_drifted(c, value_get(drift, S("observed")), c->object->observed));
    c->ret->outputs = kit_give(c->h,
                               null_drifted(c, value_get(drift, S("outputs")), c->object->outputs));
    if (!c->ret->id.p || !c->ret->observed.p || !c->ret->outputs.p)
        (void)kit_answer(c->h, c->ret, RV_RETRY, acted, "out of memory");
}

void null_end(struct null_call *c)
{
    if (c->fault && c->fault->kind == NULL_FAULT_AFTER)
        (void)kit_answer(c->h, c->ret, c->fault->verdict, c->fault->acted, "a fault was asked for");
    null_unlock(c->self);
}

int null_is_job(const struct null_object *o)
{
    return str_eq_c(o->type, "job");
}

void null_comes_nearer(struct null_call *c)
{
    struct err ignored = ERR_INIT; /* it takes its time again when it is read anew */

    if (--c->object->pending)
        return;
    c->object->observed.n = 0;
    if (null_is_job(c->object))
        (void)null_store_keep(&c->self->store, c->object, &ignored);
}
