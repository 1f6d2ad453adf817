/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/null/null.h"

#include "base/alloc.h"
#include "base/guard.h"
#include "providers/api/drivers.h"

static struct rv_str null_schema(void)
{
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
    null_read_one(self, h, "find_by_owner", op, op->owner, ret);
}

/* --- apply --- */

static void null_do(void *self, const struct rv_host *h, const char *call, const struct rv_op *op,
                    struct rv_result *ret)
{
    struct null_call c = { .self = self, .h = h, .op = op, .ret = ret };

    arena_init(&c.arena, 0);
    if (!null_begin(&c, call, op->owner)) {
        if (call[0] == 'r' && c.object && c.object->pending > 0)
            null_comes_nearer(&c);
        null_change(&c);
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
