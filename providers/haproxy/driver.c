/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/api/drivers.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "providers/haproxy/edge.h"
#include "providers/haproxy/facts.h"
#include "providers/haproxy/list.h"
#include "providers/haproxy/sync.h"
#include "providers/haproxy/types.h"
#include "providers/haproxy/words.h"

#define DRIVER_ARENA_MAX (256u << 20)

struct driver {
    struct arena arena;
    struct haproxy_conf conf;
    int may_write;
    atomic_int settled;
};

static struct rv_str driver_schema(void)
{
    static const char text[] =
        "{\"types\":{"
        "\"address\":{\"consistency_window_ms\":0,\"crash\":\"find\",\"fields\":[],"
        "\"idempotency\":\"owner\",\"identity\":\"owner label\",\"outputs\":[\"internal_url\","
        "\"port\"],\"serial\":true,\"stateful\":false},"
        "\"backend\":{\"consistency_window_ms\":0,\"crash\":\"find\",\"fields\":[\"servers\"],"
        "\"idempotency\":\"owner\",\"identity\":\"owner label\",\"outputs\":[\"backend\"],"
        "\"serial\":true,\"stateful\":false},"
        "\"routes\":{\"consistency_window_ms\":0,\"crash\":\"find\",\"fields\":[\"environment\","
        "\"generation\",\"routes\"],\"idempotency\":\"owner\",\"identity\":\"owner label\","
        "\"outputs\":[\"generation\"],\"serial\":true,\"stateful\":false},"
        "\"switch\":{\"consistency_window_ms\":0,\"crash\":\"find\",\"fields\":[\"environment\","
        "\"generation\"],\"idempotency\":\"owner\",\"identity\":\"owner label\","
        "\"outputs\":[\"generation\"],\"serial\":true,\"stateful\":false,\"watch_ms\":1000}}}";

    return (struct rv_str){ text, sizeof(text) - 1 };
}

static void driver_close(void *self)
{
    struct driver *d = self;

    if (!d)
        return;
    arena_fini(&d->arena);
    alloc_free(d);
}

static int driver_open(const struct rv_host *h, struct rv_str config, uint32_t may_write,
                       void **ret_self, struct rv_result *ret)
{
    struct driver *d = alloc_zero(sizeof(*d));
    const struct value *body = NULL;
    struct err err = ERR_INIT;
    int rc;

    if (!d)
        return kit_answer(h, ret, RV_RETRY, RV_ACTED_NO, "out of memory");
    arena_init(&d->arena, 0);
    d->may_write = may_write != 0;
    rc = kit_parse(h, &d->arena, config, "configuration", &body, ret);
    if (!rc && haproxy_conf_read(&d->arena, body, &d->conf, &err))
        rc = kit_answer_err(h, ret, RV_ACTED_NO, &err);
    if (rc) {
        driver_close(d);
        return rc;
    }
    *ret_self = d;
    return 0;
}

static struct haproxy_call driver_call(void *self, const struct rv_host *h, const struct rv_op *op,
                                       struct rv_result *ret, struct arena *arena)
{
    struct driver *d = self;

    return (struct haproxy_call){ .conf = &d->conf,
                                  .h = h,
                                  .op = op,
                                  .ret = ret,
                                  .arena = arena,
                                  .may_write = d->may_write,
                                  .settled = &d->settled };
}

static int driver_type(struct haproxy_call *c, const struct haproxy_type **ret)
{
    *ret = haproxy_type_find(kit_str(c->op->type));
    if (*ret)
        return 0;
    return haproxy_fail(c, RV_USER, "type '%.*s' is not one of the edge",
                        STR_ARG(kit_str(c->op->type)));
}

static int driver_desired(struct haproxy_call *c, const struct haproxy_type *type)
{
    int rc = kit_parse(c->h, c->arena, c->op->desired, "desired", &c->desired, c->ret);

    return rc ? rc : type->check(c, c->desired);
}

/* The operation's record: by owner; an id that is somebody else's is not ours. NULL: none. */
static int driver_find(struct haproxy_call *c, const struct haproxy_store *s,
                       struct haproxy_record **ret)
{
    struct str type = kit_str(c->op->type), id = kit_str(c->op->id);
    struct haproxy_record *by_id = id.n ? haproxy_model_find(&s->model, type, id) : NULL;
    size_t n = 0;

    *ret = haproxy_model_find_owner(&s->model, type, kit_str(c->op->owner), &n);
    if (n > 1)
        return haproxy_fail(c, RV_FATAL, "'%.*s' owns %zu of type %.*s, '%.*s' is one",
                            STR_ARG((*ret)->owner), n, STR_ARG(type), STR_ARG((*ret)->id));
    if (!*ret && by_id && (c->op->action == RV_ADOPT || !c->op->owner.n))
        *ret = by_id;
    return 0;
}

/* What the proxy does with a record, into the answer. */
static int driver_look(struct haproxy_call *c, struct haproxy_store *s,
                       const struct haproxy_type *type, struct haproxy_record *r,
                       const struct value **ret_observed)
{
    struct value *observed = value_map(c->arena), *outputs = value_map(c->arena);
    struct str id;
    int rc;

    if (!r) {
        if (c->may_write && (rc = haproxy_sync_strays(c, &s->model)))
            return rc;
        return haproxy_fail(c, RV_ABSENT, "nothing of '%.*s' is here",
                            STR_ARG(kit_str(c->op->owner)));
    }
    id = r->id;
    if ((rc = type->observe(c, s, r, observed, outputs)))
        return rc;
    c->ret->id = kit_give(c->h, id);
    c->ret->observed = kit_give_json(c->h, c->arena, observed);
    c->ret->outputs = kit_give_json(c->h, c->arena, outputs);
    if (!c->ret->id.p || !c->ret->observed.p || !c->ret->outputs.p)
        return haproxy_fail(c, RV_RETRY, "out of memory");
    *ret_observed = observed;
    return haproxy_fail(c, RV_DONE, "%s", "");
}

/* RV_STALE when a field of `expected` moved, unless it is already as desired. */
static int driver_expect(struct haproxy_call *c, struct haproxy_store *s,
                         const struct haproxy_type *type, struct haproxy_record *r)
{
    const struct value *expected = NULL, *observed = NULL;
    int rc;

    if (!c->op->expected.n || !r)
        return 0;
    if ((rc = kit_parse(c->h, c->arena, c->op->expected, "expected", &expected, c->ret)) ||
        (rc = driver_look(c, s, type, r, &observed)))
        return rc == RV_ABSENT ? 0 : rc;
    for (size_t i = 0; i < value_count(expected); i++) {
        struct str field = expected->u.map.entries[i].key;
        const struct value *now = value_get(observed, field);

        if (!value_eq(now, expected->u.map.entries[i].value) &&
            !value_eq(now, value_get(c->desired, field)))
            return haproxy_fail(c, RV_STALE, "%.*s '%.*s': %.*s has moved", STR_ARG(r->type),
                                STR_ARG(r->id), STR_ARG(field));
    }
    return 0;
}

static int driver_put(struct haproxy_call *c, struct haproxy_store *s,
                      const struct haproxy_type *type, struct haproxy_record *r)
{
    const struct value *observed;
    int rc = driver_expect(c, s, type, r);

    if (rc)
        return rc;
    if (r && c->op->action == RV_ADOPT)
        r->owner = kit_str(c->op->owner); /* its comment is made anew by put */
    if ((rc = type->put(c, s, r, &r)))
        return rc;
    c->acted = RV_ACTED_YES;
    return driver_look(c, s, type, r, &observed);
}

static int driver_change(struct haproxy_call *c, const struct haproxy_type *type)
{
    AUTO_STORE struct haproxy_store s = HAPROXY_STORE_NONE;
    struct haproxy_record *r;
    int rc = haproxy_edge_open(c, &s);

    if (rc)
        return rc;
    if (c->op->epoch < s.model.epoch)
        return haproxy_fail(c, RV_FATAL,
                            "epoch %" PRIu64 " is over: %" PRIu64 " has changed the edge",
                            c->op->epoch, s.model.epoch);
    s.model.epoch = c->op->epoch; /* written with the change; looking raises nothing */
    if ((rc = driver_find(c, &s, &r)))
        return rc;
    if (c->op->action != RV_DELETE)
        return driver_put(c, &s, type, r);
    if ((rc = type->drop(c, &s, r)) || (!r && (rc = haproxy_sync_strays(c, &s.model))))
        return rc;
    c->acted = RV_ACTED_YES;
    return haproxy_fail(c, RV_DONE, "%s", "");
}

static void driver_apply(void *self, const struct rv_host *h, const struct rv_op *op,
                         struct rv_result *ret)
{
    AUTO_WIPED_ARENA struct arena arena;
    const struct haproxy_type *type;
    struct haproxy_call c = driver_call(self, h, op, ret, &arena);

    arena_init(&arena, DRIVER_ARENA_MAX);
    if (!c.may_write) {
        (void)haproxy_fail(&c, RV_USER, "the edge was opened for looking only");
        return;
    }
    if (driver_type(&c, &type) || (op->action != RV_DELETE && driver_desired(&c, type)))
        return;
    if (!haproxy_word_is(kit_str(op->owner))) {
        (void)haproxy_fail(&c, RV_USER, "the owner is not a label");
        return;
    }
    (void)driver_change(&c, type); /* the verdict stands in ret */
}

static void driver_validate(void *self, const struct rv_host *h, const struct rv_op *op,
                            struct rv_result *ret)
{
    AUTO_WIPED_ARENA struct arena arena;
    const struct haproxy_type *type;
    struct haproxy_call c = driver_call(self, h, op, ret, &arena);

    arena_init(&arena, DRIVER_ARENA_MAX);
    if (driver_type(&c, &type) || driver_desired(&c, type))
        return;
    (void)haproxy_fail(&c, RV_DONE, "%s", "");
}

static void driver_read_one(struct haproxy_call *c, struct haproxy_store *s)
{
    const struct haproxy_type *type;
    const struct value *observed;
    struct haproxy_record *r;

    if (driver_type(c, &type) || driver_find(c, s, &r))
        return;
    (void)driver_look(c, s, type, r, &observed); /* the verdict stands in ret */
}

static void driver_read(void *self, const struct rv_host *h, const struct rv_op *ops, size_t n,
                        struct rv_result *ret)
{
    AUTO_WIPED_ARENA struct arena arena;
    AUTO_STORE struct haproxy_store s = HAPROXY_STORE_NONE;
    struct haproxy_call first;

    arena_init(&arena, DRIVER_ARENA_MAX);
    if (!n)
        return;
    first = driver_call(self, h, &ops[0], &ret[0], &arena);
    if (haproxy_edge_open(&first, &s)) {
        for (size_t i = 1; i < n; i++)
            ret[i] = ret[0];
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct haproxy_call c = driver_call(self, h, &ops[i], &ret[i], &arena);

        driver_read_one(&c, &s);
    }
}

static void driver_find_by_owner(void *self, const struct rv_host *h, const struct rv_op *op,
                                 struct rv_result *ret)
{
    struct rv_op by_owner = *op;

    by_owner.id = (struct rv_str){ NULL, 0 };
    driver_read(self, h, &by_owner, 1, ret);
}

/* --- facts --- */

static void driver_counters(void *self, const struct rv_host *h, const struct rv_op *op,
                            struct rv_result *ret)
{
    AUTO_WIPED_ARENA struct arena arena;
    struct haproxy_call c = driver_call(self, h, op, ret, &arena);

    arena_init(&arena, DRIVER_ARENA_MAX);
    if (str_eq(kit_str(op->type), S("backend")))
        (void)haproxy_count(&c); /* the verdict stands in ret */
    else
        (void)haproxy_fail(&c, RV_USER, "only backends are counted");
}

static void driver_shed(void *self, const struct rv_host *h, const struct rv_op *op,
                        struct rv_result *ret)
{
    AUTO_WIPED_ARENA struct arena arena;
    struct haproxy_call c = driver_call(self, h, op, ret, &arena);

    arena_init(&arena, DRIVER_ARENA_MAX);
    if (!str_eq(kit_str(op->type), S("backend")) || !c.may_write)
        (void)haproxy_fail(&c, RV_USER, "only connections of backends are ended");
    else if (!kit_parse(h, c.arena, op->desired, "desired", &c.desired, ret))
        (void)haproxy_shed(&c); /* the verdict stands in ret */
}

static void driver_health(void *self, const struct rv_host *h, const struct rv_op *op,
                          struct rv_result *ret)
{
    AUTO_WIPED_ARENA struct arena arena;
    struct haproxy_call c = driver_call(self, h, op, ret, &arena);

    arena_init(&arena, DRIVER_ARENA_MAX);
    if (str_eq(kit_str(op->type), S("switch")))
        (void)haproxy_serves(&c); /* the verdict stands in ret */
    else
        (void)haproxy_fail(&c, RV_USER, "only a switch tells how the edge is");
}

static void driver_list(void *self, const struct rv_host *h, const struct rv_op *op,
                        struct rv_result *ret)
{
    AUTO_WIPED_ARENA struct arena arena;
    struct haproxy_call c = driver_call(self, h, op, ret, &arena);

    arena_init(&arena, DRIVER_ARENA_MAX);
    (void)haproxy_list(&c); /* the verdict stands in ret */
}

const struct rv_driver *haproxy_driver(void)
{
    static const struct rv_driver driver = {
        .size = sizeof(driver),
        .abi = RV_ABI,
        .name = "haproxy",
        .version = "1",
        .schema = driver_schema,
        .open = driver_open,
        .close = driver_close,
        .validate = driver_validate,
        .read = driver_read,
        .find_by_owner = driver_find_by_owner,
        .apply = driver_apply,
        .health = driver_health,
        .list = driver_list,
        .counters = driver_counters,
        .shed = driver_shed,
    };

    return &driver;
}
