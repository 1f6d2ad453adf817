/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/process.h"

#include "base/alloc.h"
#include "base/guard.h"
#include "base/hash.h"
#include "providers/api/drivers.h"
#include "providers/keeper_proc.h"

static const struct process_type *const process_types[] = { &process_artifact, &process_release,
                                                            &process_verify, &process_job,
                                                            &process_instance };

static struct rv_str process_schema(void)
{
    static const char text[] =
        "{\"artifact\":{\"consistency_window_ms\":0,\"idempotency\":\"key\",\"identity\":\"owner\","
        "\"outputs\":[\"key\",\"digest\",\"bytes\"],\"stateful\":false},"
        "\"instance\":{\"consistency_window_ms\":0,\"idempotency\":\"key\",\"identity\":\"owner\","
        "\"outputs\":[\"address\",\"port\",\"pid\"],\"stateful\":false},"
        "\"job\":{\"consistency_window_ms\":0,\"idempotency\":\"key\",\"identity\":\"owner\","
        "\"outputs\":[\"exit\"],\"stateful\":false},"
        "\"release\":{\"consistency_window_ms\":0,\"idempotency\":\"key\",\"identity\":\"owner\","
        "\"outputs\":[\"exit\"],\"stateful\":false},"
        "\"verify\":{\"consistency_window_ms\":0,\"idempotency\":\"key\",\"identity\":\"owner\","
        "\"outputs\":[\"exit\"],\"stateful\":false}}";

    return (struct rv_str){ text, sizeof(text) - 1 };
}

/* --- open --- */

static int process_read_range(struct str text, int64_t *ret_from, int64_t *ret_to)
{
    struct str from;

    if (!str_next(&text, '-', &from) || str_to_i64(from, ret_from) || str_to_i64(text, ret_to) ||
        *ret_from < 1 || *ret_to > 65535 || *ret_from > *ret_to)
        return -1;
    return 0;
}

static struct str process_below(struct process *s, const char *name)
{
    return str_fmt(&s->arena, "%.*s/%s", STR_ARG(s->directory), name);
}

static struct str process_beside(struct process *s, struct str file, const char *name)
{
    while (file.n && file.p[file.n - 1] != '/')
        file.n--;
    return str_fmt(&s->arena, "%.*s%s", STR_ARG(file), name);
}

static void process_close(void *self)
{
    struct process *s = self;

    if (!s)
        return;
    arena_fini(&s->arena);
    alloc_free(s);
}

static int process_open(const struct rv_host *h, struct rv_str config, uint32_t may_write,
                        void **ret_self, struct rv_result *ret)
{
    struct process *s = alloc_zero(sizeof(*s));
    const struct value *v = NULL;
    struct str ports;

    if (!s)
        return kit_answer(h, ret, RV_RETRY, RV_ACTED_NO, "out of memory");
    arena_init(&s->arena, 0);
    if (kit_parse(h, &s->arena, config, "the provider's configuration", &v, ret)) {
        process_close(s);
        return (int)ret->verdict;
    }
    s->may_write = may_write != 0;
    s->directory = str_copy(&s->arena, value_get_text(v, S("directory"), S("")));
    s->keeper = str_copy(&s->arena, value_get_text(v, S("keeper"), S("")));
    s->launcher = process_beside(s, s->keeper, "reeve-spawn");
    s->site = process_beside(s, s->keeper, "reeve-site");
    s->covers = value_get(v, S("covers"));
    s->groups = value_get(v, S("groups"));
    s->quota_bytes = value_get_int(v, S("quota"), PROCESS_QUOTA_BYTES);
    s->memory_bytes = value_get_int(v, S("memory"), PROCESS_MEMORY_BYTES);
    s->processes = value_get_int(v, S("processes"), PROCESS_PROCESSES);
    s->grant = (int)value_get_int(v, S("grant"), 0);
    ports = value_get_text(v, S("ports"), S("20000-29999"));
    if (s->directory.n == 0 || s->directory.p[0] != '/' || s->keeper.n == 0 ||
        s->keeper.p[0] != '/' || process_read_range(ports, &s->port_from, &s->port_to)) {
        process_close(s);
        return kit_answer(
            h, ret, RV_USER, RV_ACTED_NO,
            "process: 'directory' and 'keeper' are absolute paths, 'ports' is FROM-TO");
    }
    s->runs = process_below(s, "run");
    s->artifacts = process_below(s, "artifacts");
    s->exports = process_below(s, "exports");
    s->ports = process_below(s, "ports");
    s->gone = process_below(s, "gone");
    *ret_self = s;
    return 0;
}

/* --- calls --- */

static const struct process_type *process_type_of(struct rv_str name)
{
    for (size_t i = 0; i < N_ELEMENTS(process_types); i++)
        if (str_eq_c(kit_str(name), process_types[i]->name))
            return process_types[i];
    return NULL;
}

/* Who it is, and what stood beside its own files when it began, make it no other. */
static struct str process_want(struct arena *a, const struct value *desired)
{
    struct value *bare = value_map(a);
    struct digest d;

    for (size_t i = 0; i < value_count(desired); i++)
        if (!str_eq(desired->u.map.entries[i].key, S("label")) &&
            !str_eq(desired->u.map.entries[i].key, S("assets")))
            value_set(a, bare, desired->u.map.entries[i].key, desired->u.map.entries[i].value);
    d = hash_bytes(json_format(a, bare));
    return digest_hex(a, &d);
}

static void process_end(struct process_call *c)
{
    guard_close(&c->users);
    arena_wipe(&c->arena); /* environments were put together in it */
}

/* Begin a call; NULL when it is answered already. The caller ends it with process_end(). */
static const struct process_type *process_begin(struct process_call *c, void *self,
                                                const struct rv_host *h, const struct rv_op *op,
                                                struct str owner, struct rv_result *ret)
{
    const struct process *s = self;
    const struct process_type *type = process_type_of(op->type);

    *c = (struct process_call){ .self = s, .h = h, .op = op, .ret = ret, .users = -1 };
    arena_init(&c->arena, 0);
    c->place = (struct keeper_place){ s->keeper, s->runs, owner };
    if (!type) {
        (void)process_fail(c, RV_USER, RV_ACTED_NO, "process: no type '%.*s'", (int)op->type.n,
                           op->type.p ? op->type.p : "");
        return NULL;
    }
    if (kit_parse(h, &c->arena, op->desired, "desired", &c->desired, ret))
        return NULL;
    c->want = process_want(&c->arena, c->desired);
    return type;
}

void process_read_one(void *self, const struct rv_host *h, const struct rv_op *op, struct str owner,
                      struct rv_result *ret)
{
    struct process_call c;
    const struct process_type *type = process_begin(&c, self, h, op, owner, ret);

    if (type && !process_look(&c)) {
        if (c.view.life == KEEPER_NONE) {
            if (c.self->may_write)
                keeper_forget(&c.arena, &c.place);
            (void)process_fail(&c, RV_ABSENT, RV_ACTED_NO, "%s", "");
        } else {
            if (c.self->may_write) {
                process_secrets_sweep(&c);
                process_gone_look(&c);
            }
            type->read(&c);
        }
    }
    process_end(&c);
}

static void process_read(void *self, const struct rv_host *h, const struct rv_op *ops, size_t n,
                         struct rv_result *ret)
{
    for (size_t i = 0; i < n; i++)
        process_read_one(self, h, &ops[i], kit_str(ops[i].id.n ? ops[i].id : ops[i].owner),
                         &ret[i]);
}

static void process_find(void *self, const struct rv_host *h, const struct rv_op *op,
                         struct rv_result *ret)
{
    process_read_one(self, h, op, kit_str(op->owner), ret);
}

static void process_do(void *self, const struct rv_host *h, const struct rv_op *op,
                       struct rv_result *ret, int is_resume)
{
    struct process_call c;
    const struct process_type *type = process_begin(&c, self, h, op,
                                                    kit_str(op->owner.n ? op->owner : op->id), ret);

    if (!type) {
        ;
    } else if (!c.self->may_write) {
        (void)process_fail(&c, RV_FATAL, RV_ACTED_NO, "opened for reading only");
    } else if (op->action == RV_DELETE) {
        process_delete(&c, type); /* repeats itself until it is done */
    } else if (!process_look(&c)) {
        (is_resume ? type->resume : type->apply)(&c);
        if (!ret->id.n && c.view.life != KEEPER_NONE)
            ret->id = kit_give(h, c.place.owner);
    }
    process_end(&c);
}

static void process_apply(void *self, const struct rv_host *h, const struct rv_op *op,
                          struct rv_result *ret)
{
    process_do(self, h, op, ret, 0);
}

static void process_resume(void *self, const struct rv_host *h, const struct rv_op *op,
                           struct rv_result *ret)
{
    process_do(self, h, op, ret, 1);
}

/* Does its port belong to a process of it, and what does the command say that was given? */
static int process_judge_health(struct process_call *c, struct value *facts)
{
    int64_t port = value_get_int(c->view.about, S("port"), 0);
    int is_uid = str_eq_c(value_get_text(c->view.about, S("isolation"), S("")), "uid");

    if (port)
        value_set(&c->arena, facts, S("listening"),
                  value_bool(&c->arena, is_uid ? process_users_listen(c, port)
                                               : keeper_listens(&c->arena, &c->view, port)));
    if (c->view.life == KEEPER_NONE || !value_get(c->desired, S("command")))
        return 0;
    return process_probe(c, c->desired, facts);
}

/* How often it was started again, and how long it ran on processors: its control group says it, or /proc. */
static void process_count(struct process_call *c, struct value *facts)
{
    int64_t used_us = kit_groups_used_us(&c->arena, value_get(c->view.about, S("groups")));

    if (used_us < 0 && c->view.life == KEEPER_LIVES)
        used_us = keeper_proc_used_us(&c->arena, (pid_t)c->view.keeper_pid);
    value_set_int(&c->arena, facts, S("restarts"), c->view.restarts);
    if (used_us >= 0)
        value_set_int(&c->arena, facts, S("cpu_us"), used_us);
}

/* For instances: how it is, and what it counts. */
static void process_facts(void *self, const struct rv_host *h, const struct rv_op *op,
                          struct rv_result *ret, int is_health)
{
    struct process_call c;
    const struct process_type *type = process_begin(&c, self, h, op,
                                                    kit_str(op->id.n ? op->id : op->owner), ret);

    if (type && !process_look(&c)) {
        struct value *facts = value_map(&c.arena);
        int rc = 0;

        if (is_health)
            rc = process_judge_health(&c, facts);
        else
            process_count(&c, facts);
        if (!rc)
            ret->verdict = c.view.life == KEEPER_NONE ? RV_ABSENT : RV_DONE;
        if (!rc && c.view.life != KEEPER_NONE)
            process_answer_view(&c, facts, value_map(&c.arena));
    }
    process_end(&c);
}

static void process_health(void *self, const struct rv_host *h, const struct rv_op *op,
                           struct rv_result *ret)
{
    process_facts(self, h, op, ret, 1);
}

static void process_counters(void *self, const struct rv_host *h, const struct rv_op *op,
                             struct rv_result *ret)
{
    process_facts(self, h, op, ret, 0);
}

const struct rv_driver *process_driver(void)
{
    static const struct rv_driver driver = {
        .size = sizeof(driver),
        .abi = RV_ABI,
        .name = "process",
        .version = "1",
        .schema = process_schema,
        .open = process_open,
        .close = process_close,
        .read = process_read,
        .find_by_owner = process_find,
        .apply = process_apply,
        .resume = process_resume,
        .health = process_health,
        .list = process_list,
        .counters = process_counters,
    };

    return &driver;
}
