/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/null/null.h"

#include "base/alloc.h"
#include "base/guard.h"
#include "providers/api/drivers.h"

static struct rv_str null_schema(void)
{
#define JOB_LOOK_MS 1000
#define NULL_RULES                                                                                 \
    "\"consistency_window_ms\":0,\"idempotency\":\"key\",\"identity\":\"owner\",\"forget\":true,"
    static const char text[] =
        "{\"*\":{" NULL_RULES "\"stateful\":false},"
        "\"database\":{" NULL_RULES "\"stateful\":true,\"replace\":[\"engine\"],"
        "\"downtime\":[\"version\"],\"unordered\":[\"extensions\"],"
        "\"outputs\":[\"url\",\"direct_url\",\"pooled_url\",\"host\",\"port\",\"user\","
        "\"password\",\"name\"]},"
        "\"redis\":{" NULL_RULES "\"stateful\":true,\"restart\":[\"maxmemory\"],"
        "\"downtime\":[\"version\"],\"outputs\":[\"url\",\"host\",\"port\",\"password\"]}}";
#undef NULL_RULES

    return (struct rv_str){ text, sizeof(text) - 1 };
}

static void null_close(void *self)
{
    struct null_driver_self *s = self;

    if (!s)
        return;
    null_store_fini(&s->store);
    arena_fini(&s->arena);
    (void)pthread_mutex_destroy(&s->mutex); /* nobody calls any more */
    alloc_free(s);
}

static int null_open(const struct rv_host *h, struct rv_str config, uint32_t may_write,
                     void **ret_self, struct rv_result *ret)
{
    struct null_driver_self *s = alloc_zero(sizeof(*s));
    const struct value *v = NULL;

    if (!s || pthread_mutex_init(&s->mutex, NULL)) {
        alloc_free(s);
        return kit_answer(h, ret, RV_RETRY, RV_ACTED_NO, "out of memory");
    }
    arena_init(&s->arena, 0);
    if (kit_parse(h, &s->arena, kit_rv(str_copy(&s->arena, kit_str(config))),
                  "the provider's configuration", &v, ret) ||
        null_faults_read(s, h, value_get(v, S("faults")), ret)) {
        null_close(s);
        return (int)ret->verdict;
    }
    s->latency_ms = (uint32_t)value_get_int(v, S("latency_ms"), 0);
    s->pending = value_get_int(v, S("pending"), value_get_bool(v, S("pending"), 0));
    s->store.directory = value_get_text(v, S("directory"), S(""));
    s->may_write = may_write != 0;
    *ret_self = s;
    return 0;
}

/* --- a call: latency, lock, load, fault --- */

struct null_call {
    struct null_driver_self *self;
    const struct rv_host *h;
    const struct rv_op *op;
    struct rv_result *ret;
    struct arena arena;
    const struct null_fault *fault;
    struct null_object *object; /* of the owner or id, or NULL */
};

static void null_lock(struct null_driver_self *s)
{
    PRE(!pthread_mutex_lock(&s->mutex));
}

static void null_unlock(struct null_driver_self *s)
{
    PRE(!pthread_mutex_unlock(&s->mutex));
}

/* The lock is held after 0; a verdict was answered otherwise. */
static int null_begin(struct null_call *c, const char *call, struct rv_str owner)
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

/* Once for each writing: it is read far more often. */
static int null_look_at(struct null_call *c, struct null_object *o, const struct value *desired,
                        enum rv_acted acted)
{
    struct arena *a = &c->arena;

    if (null_object_set(o, &o->observed, json_format(a, null_observed(a, o, desired))) ||
        null_object_set(o, &o->outputs, json_format(a, null_outputs(a, o, desired))))
        return kit_answer(c->h, c->ret, RV_RETRY, acted, "out of memory");
    return 0;
}

/* Somebody changed it behind our back: a file beside it says how it looks now. */
static struct str null_drifted(struct null_call *c, const struct value *over, struct str json)
{
    struct err ignored = ERR_INIT; /* our own text */
    struct value *base;

    if (!over || json_parse(&c->arena, json, KIT_BODY_MAX, &base, &ignored))
        return json;
    return json_format(&c->arena, value_merge(&c->arena, base, over));
}

/* What the object is, into the result. */
static void null_show(struct null_call *c, enum rv_acted acted)
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

/* The effect happened; its answer may be another one. */
static void null_end(struct null_call *c)
{
    if (c->fault && c->fault->kind == NULL_FAULT_AFTER)
        (void)kit_answer(c->h, c->ret, c->fault->verdict, c->fault->acted, "a fault was asked for");
    null_unlock(c->self);
}

/* --- what takes its time --- */

static int null_is_job(const struct null_object *o)
{
    return str_eq_c(o->type, "job");
}

/* One look nearer to its end; then it looks different. */
static void null_comes_nearer(struct null_call *c)
{
    struct err ignored = ERR_INIT; /* it takes its time again when it is read anew */

    if (--c->object->pending)
        return;
    c->object->observed.n = 0;
    if (null_is_job(c->object))
        (void)null_store_keep(&c->self->store, c->object, &ignored);
}

/* --- read --- */

static void null_read_one(void *self, const struct rv_host *h, const char *call,
                          const struct rv_op *op, struct rv_str owner, struct rv_result *ret)
{
    struct null_call c = { .self = self, .h = h, .op = op, .ret = ret };

    arena_init(&c.arena, 0);
    if (!null_begin(&c, call, owner)) {
        if (c.object && c.object->pending && call[0] == 'r' && null_is_job(c.object))
            null_comes_nearer(&c); /* who looks at it */
        if (c.object)
            null_show(&c, RV_ACTED_NO);
        else
            ret->verdict = RV_ABSENT;
        null_end(&c);
    }
    arena_fini(&c.arena);
}

static void null_read(void *self, const struct rv_host *h, const struct rv_op *ops, size_t n,
                      struct rv_result *ret)
{
    for (size_t i = 0; i < n; i++)
        null_read_one(self, h, "read", &ops[i], ops[i].id.n ? ops[i].id : ops[i].owner, &ret[i]);
}

static void null_find(void *self, const struct rv_host *h, const struct rv_op *op,
                      struct rv_result *ret)
{
    null_read_one(self, h, "find", op, op->owner, ret);
}

/* --- apply --- */

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

static void (*null_fn(uint32_t action))(struct null_call *c)
{
    return action == RV_DELETE ? null_delete : action == RV_FORGET ? null_forget : null_make;
}

static void null_do(void *self, const struct rv_host *h, const char *call, const struct rv_op *op,
                    struct rv_result *ret)
{
    struct null_call c = { .self = self, .h = h, .op = op, .ret = ret };

    arena_init(&c.arena, 0);
    if (!null_begin(&c, call, op->owner)) {
        if (call[0] == 'r' && c.object && c.object->pending > 0)
            null_comes_nearer(&c);
        if (!null_epoch(&c))
            null_fn(op->action)(&c);
        null_end(&c);
    }
    arena_fini(&c.arena);
}

/* What is made asks for what it will be given, as any driver does; here nobody keeps it. */
static int null_ask_secrets(const struct rv_host *h, const struct rv_op *op, struct rv_result *ret)
{
    AUTO_ARENA struct arena a = { 0 };
    const struct value *desired, *variables;

    if (str_find(kit_str(op->desired), S("\"secret\"")) == STR_NPOS)
        return 0;
    if (kit_parse(h, &a, op->desired, "desired", &desired, ret))
        return (int)ret->verdict;
    variables = value_get(desired, S("environment"));
    for (size_t i = 0; i < value_count(variables); i++) {
        struct str ref = value_get_text(variables->u.map.entries[i].value, S("secret"), STR_NONE);
        struct rv_str given;
        int verdict = ref.p ? h->secret(h->ctx, kit_rv(ref), &given) : 0;

        if (verdict)
            return kit_answer_host(h, ret, verdict, RV_ACTED_NO, "read a secret");
    }
    return 0;
}

static void null_apply(void *self, const struct rv_host *h, const struct rv_op *op,
                       struct rv_result *ret)
{
    if (op->action == RV_DELETE || op->action == RV_FORGET || !null_ask_secrets(h, op, ret))
        null_do(self, h, "apply", op, ret);
}

static void null_resume(void *self, const struct rv_host *h, const struct rv_op *op,
                        struct rv_result *ret)
{
    null_do(self, h, "resume", op, ret);
}

/* --- health and counters --- */

/* As long as it was asked about. */
static void null_use(struct null_call *c)
{
    int64_t now_ms = c->h->now_ms(c->h->ctx), busy = c->self->busy;

    if (!busy || !str_eq_c(c->object->type, "instance"))
        return;
    if (c->object->used_at_ms)
        c->object->used_us += busy * (now_ms - c->object->used_at_ms);
    c->object->used_at_ms = now_ms;
}

static void null_fact(void *self, const struct rv_host *h, const char *call, const struct rv_op *op,
                      struct rv_result *ret)
{
    struct null_call c = { .self = self, .h = h, .op = op, .ret = ret };

    arena_init(&c.arena, 0);
    if (!null_begin(&c, call, op->id.n ? op->id : op->owner)) {
        struct value *v = value_map(&c.arena);

        if (!c.object) {
            ret->verdict = RV_ABSENT;
        } else {
            null_use(&c);
            value_set(&c.arena, v, S("listening"),
                      value_bool(&c.arena, !c.fault || c.fault->kind != NULL_FAULT_DOWN));
            ret->observed = kit_give_json(
                h, &c.arena, call[0] == 'h' ? v : null_counters_of(&c.arena, c.object));
            ret->id = kit_give(h, c.object->owner);
        }
        null_end(&c);
    }
    arena_fini(&c.arena);
}

static void null_health(void *self, const struct rv_host *h, const struct rv_op *op,
                        struct rv_result *ret)
{
    null_fact(self, h, "health", op, ret);
}

static void null_counters(void *self, const struct rv_host *h, const struct rv_op *op,
                          struct rv_result *ret)
{
    null_fact(self, h, "counters", op, ret);
}

/* --- list --- */

static struct value *null_item(struct null_call *c, struct null_object *o)
{
    const struct value *desired = NULL;
    struct err err = ERR_INIT;

    if (null_store_recall(&c->self->store, o, &err)) {
        (void)kit_answer_err(c->h, c->ret, RV_ACTED_NO, &err);
        return NULL;
    }
    if (kit_parse(c->h, &c->arena, kit_rv(o->desired), "desired", &desired, c->ret))
        return NULL;
    null_store_unlearn(&c->self->store, o);
    return kit_item_value(
        &c->arena,
        &(struct kit_item){
            .type = o->type,
            .id = o->owner,
            .owner = o->owner,
            .name = o->name,
            .epoch = o->epoch,
            .label = value_get(desired, S("label")),
            .observed = kit_rv(json_format(&c->arena, null_observed(&c->arena, o, desired))),
            .outputs = kit_rv(json_format(&c->arena, null_outputs(&c->arena, o, desired))),
        });
}

/* One page a slot of the table and a few more: where it goes on stays the same while nothing is made. */
static void null_list(void *self, const struct rv_host *h, const struct rv_op *op,
                      struct rv_result *ret)
{
    struct null_call c = { .self = self, .h = h, .op = op, .ret = ret };
    struct null_store *s = &c.self->store;
    struct value *items;
    int64_t at = 0;

    arena_init(&c.arena, 0);
    items = value_list(&c.arena);
    if (op->token.n && str_to_i64(kit_str(op->token), &at))
        at = 0;
    if (!null_begin(&c, "list", op->owner)) {
        for (; at < (int64_t)s->n_slots && value_count(items) < KIT_PAGE_MAX; at++)
            for (struct null_object *o = s->slots[at]; o; o = o->next)
                if (!op->type.n || str_eq(kit_str(op->type), o->type))
                    value_add(&c.arena, items, null_item(&c, o));
        kit_answer_page(h, &c.arena, items,
                        at < (int64_t)s->n_slots ? str_fmt(&c.arena, "%lld", (long long)at) : S(""),
                        ret);
        null_end(&c);
    }
    arena_fini(&c.arena);
}

const struct rv_driver *null_driver(void)
{
    static const struct rv_driver driver = {
        .size = sizeof(driver),
        .abi = RV_ABI,
        .name = "null",
        .version = "1",
        .schema = null_schema,
        .open = null_open,
        .close = null_close,
        .read = null_read,
        .find_by_owner = null_find,
        .apply = null_apply,
        .resume = null_resume,
        .health = null_health,
        .list = null_list,
        .counters = null_counters,
    };

    return &driver;
}
