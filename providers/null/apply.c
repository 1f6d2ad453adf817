/* What is made, changed, let go of and deleted. SPDX-License-Identifier: Apache-2.0 */
#include "providers/null/null.h"

#define JOB_LOOK_MS 1000

static int null_epoch(struct null_call *c)
{
    if (!c->self->may_write)
        return kit_answer(c->h, c->ret, RV_FATAL, RV_ACTED_NO, "opened for reading only");
    if (c->object && c->op->epoch < c->object->epoch)
        return kit_answer(c->h, c->ret, RV_FATAL, RV_ACTED_NO,
                          "refused: epoch %llu is older than %llu",
                          (unsigned long long)c->op->epoch, (unsigned long long)c->object->epoch);
    return 0;
}

static void null_pend(struct null_call *c)
{
    (void)kit_answer(c->h, c->ret, RV_PENDING, RV_ACTED_YES, "%s", "running");
    c->ret->id = kit_give(c->h, c->object->owner);
    c->ret->token = kit_give(c->h, c->object->owner);
    c->ret->again_ms = c->self->latency_ms      ? c->self->latency_ms
                       : null_is_job(c->object) ? JOB_LOOK_MS
                                                : 1;
}

static void null_delete(struct null_call *c)
{
    struct err err = ERR_INIT;

    if (!c->object) {
        (void)kit_answer(c->h, c->ret, RV_DONE, RV_ACTED_NO, "%s", "");
        return;
    }
    c->object->epoch = c->op->epoch;
    if (!c->object->deleting) {
        c->object->deleting = 1;
        if (c->object->pending || !null_is_job(c->object)) /* what has ended goes at once */
            c->object->pending = c->self->pending;
    }
    if (c->object->pending > 0) {
        null_pend(c);
    } else if (null_store_drop(&c->self->store, kit_str(c->op->owner), &err)) {
        (void)kit_answer_err(c->h, c->ret, RV_ACTED_MAYBE, &err);
    } else {
        c->object = NULL;
        (void)kit_answer(c->h, c->ret, RV_DONE, RV_ACTED_YES, "%s", "");
    }
}

/* A job takes its time. */
static void null_begin_pending(struct null_call *c, struct null_object *o)
{
    o->pending = c->self->pending;
    if (!null_is_job(o))
        return;
    o->pending += c->self->job_looks;
    if (c->self->begun)
        c->self->begun(c->self->begun_ctx, o);
}

/* Write what is asked for; the same key twice writes once. */
static int null_write(struct null_call *c)
{
    struct null_object *o = c->object;
    struct err err = ERR_INIT;
    const struct value *desired;

    if (kit_parse(c->h, &c->arena, c->op->desired, "desired", &desired, c->ret))
        return (int)c->ret->verdict;
    if (!o)
        o = null_store_put(&c->self->store, kit_str(c->op->owner));
    if (!o || null_object_set(o, &o->type, kit_str(c->op->type)) ||
        null_object_set(o, &o->name, kit_str(c->op->name)) ||
        null_object_set(o, &o->key, kit_str(c->op->key)) ||
        null_object_set(o, &o->desired, kit_str(c->op->desired)))
        return kit_answer(c->h, c->ret, RV_RETRY, RV_ACTED_MAYBE, "out of memory");
    null_begin_pending(c, o);
    if (null_look_at(c, o, desired, RV_ACTED_MAYBE))
        return (int)c->ret->verdict;
    o->epoch = c->op->epoch;
    c->object = o;
    if (null_store_keep(&c->self->store, o, &err) || null_store_mend(&c->self->store, o, &err))
        return kit_answer_err(c->h, c->ret, RV_ACTED_MAYBE, &err);
    null_store_unlearn(&c->self->store, o);
    return 0;
}

/* The lock is let go of while the host makes the id durable. */
static int null_identify(struct null_call *c)
{
    int verdict;

    null_unlock(c->self);
    verdict = c->h->identified(c->h->ctx, c->op->owner);
    null_lock(c->self);
    c->object = null_store_find(&c->self->store, kit_str(c->op->owner));
    if (verdict)
        return kit_answer_host(c->h, c->ret, verdict, RV_ACTED_YES, "identified");
    return c->object ? 0 : kit_answer(c->h, c->ret, RV_RETRY, RV_ACTED_MAYBE, "it was deleted");
}

/* It stays as it is, and nobody's: its owner is a number now. */
static void null_forget(struct null_call *c)
{
    struct str loose;
    struct err err = ERR_INIT;

    if (!c->object) {
        (void)kit_answer(c->h, c->ret, RV_DONE, RV_ACTED_NO, "%s", "");
        return;
    }
    loose = str_fmt(&c->arena, "loose%lld", (long long)c->object->number);
    if (null_store_rename(&c->self->store, c->object, loose, &err))
        (void)kit_answer_err(c->h, c->ret, RV_ACTED_MAYBE, &err);
    else
        (void)kit_answer(c->h, c->ret, RV_DONE, RV_ACTED_YES, "%s", "");
}

/* The object of this id becomes the owner's: from nobody, or from another name of ours. */
static int null_adopt(struct null_call *c)
{
    struct null_store *s = &c->self->store;
    struct err err = ERR_INIT;

    if (c->object) /* it is, already */
        return 0;
    c->object = null_store_find(s, kit_str(c->op->id));
    if (!c->object)
        return kit_answer(c->h, c->ret, RV_USER, RV_ACTED_NO, "there is no '%.*s'",
                          (int)c->op->id.n, c->op->id.p);
    if (!str_eq(c->object->type, kit_str(c->op->type)))
        return kit_answer(c->h, c->ret, RV_USER, RV_ACTED_NO, "'%.*s' is a %.*s", (int)c->op->id.n,
                          c->op->id.p, STR_ARG(c->object->type));
    if (null_store_rename(s, c->object, kit_str(c->op->owner), &err) ||
        null_object_set(c->object, &c->object->key, kit_str(c->op->key)) ||
        null_object_set(c->object, &c->object->name, kit_str(c->op->name)) ||
        null_store_keep(s, c->object, &err))
        return kit_answer_err(c->h, c->ret, RV_ACTED_MAYBE, &err);
    return 0;
}

static void null_make(struct null_call *c)
{
    int is_new = !c->object || !str_eq(c->object->key, kit_str(c->op->key));

    if (c->op->action == RV_ADOPT ? null_adopt(c) : is_new && null_write(c))
        return;
    c->object->epoch = c->op->epoch;
    if (null_identify(c))
        return;
    if (c->object->pending > 0)
        null_pend(c);
    else
        null_show(c, is_new ? RV_ACTED_YES : RV_ACTED_NO);
}

void null_change(struct null_call *c)
{
    if (null_epoch(c))
        return;
    if (c->op->action == RV_DELETE)
        null_delete(c);
    else if (c->op->action == RV_FORGET)
        null_forget(c);
    else
        null_make(c);
}
