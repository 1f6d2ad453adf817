/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/hash.h"
#include "base/sys.h"
#include "providers/api/drivers.h"
#include "providers/keeper_proc.h"

#define PROCESS_ADOPT_MS 5000
#define PROCESS_LOCK_TRIES 500 /* 10 ms each */

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

/* --- what the types share --- */

int process_fail(struct process_call *c, enum rv_verdict verdict, enum rv_acted acted,
                 const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* a cut sentence still explains */
    va_end(ap);
    return kit_answer(c->h, c->ret, verdict, acted, "%s", text);
}

int process_fail_err(struct process_call *c, enum rv_acted acted, const struct err *err)
{
    return kit_answer_err(c->h, c->ret, acted, err);
}

int process_look(struct process_call *c)
{
    return keeper_look(c->h, &c->arena, &c->place, &c->view, c->ret);
}

int process_sweep(struct process_call *c)
{
    if (!keeper_sweep(&c->view))
        return 0;
    return process_fail(c, RV_RETRY, RV_ACTED_MAYBE,
                        "what its dead keeper (pid %lld) left does not end",
                        (long long)c->view.keeper_pid);
}

int process_take(struct process_call *c, struct keeper_hold *ret)
{
    int verdict;

    if (keeper_take(c->h, &c->arena, &c->place, c->op->epoch, ret, c->ret))
        return (int)c->ret->verdict;
    if (process_sweep(c)) { /* it may hold the port, and write */
        keeper_release(ret);
        return (int)c->ret->verdict;
    }
    if (process_limits_remove(c)) {
        keeper_release(ret);
        return (int)c->ret->verdict;
    }
    verdict = c->h->identified(c->h->ctx, kit_rv(c->place.owner));
    if (verdict) {
        keeper_release(ret);
        return kit_answer_host(c->h, c->ret, verdict, RV_ACTED_YES, "identified");
    }
    return 0;
}

int process_take_ended(struct process_call *c, struct keeper_hold *ret)
{
    struct rv_result ignored = { .size = sizeof(ignored) };

    return keeper_take(c->h, &c->arena, &c->place, c->op->epoch, ret, &ignored) ? -1 : 0;
}

void process_clear_home(struct process_call *c)
{
    struct err ignored = ERR_INIT; /* what stays goes with the resource */
    const char *home =
        str_fmt(&c->arena, "%.*s/%.*s/home", STR_ARG(c->place.runs), STR_ARG(c->place.owner)).p;

    if (home && !process_users_remove(c, home, &ignored))
        (void)sys_remove_all(home, &ignored);
}

int process_adopt(struct process_call *c)
{
    int64_t until_ms = c->h->now_ms(c->h->ctx) + PROCESS_ADOPT_MS;

    while (c->view.life == KEEPER_LIVES) {
        if (!keeper_adopt(c->h, &c->arena, &c->place, c->op->epoch, c->ret))
            return process_look(c); /* one that was starting has said more by now */
        if (c->ret->verdict != RV_RETRY || c->h->now_ms(c->h->ctx) > until_ms)
            return (int)c->ret->verdict;
        *c->ret = (struct rv_result){ .size = c->ret->size }; /* it may be about to end */
        if (c->h->wait_fd(c->h->ctx, -1, 0, 10) == RV_CANCELLED)
            return process_fail(c, RV_CANCELLED, RV_ACTED_NO, "cancelled");
        if (process_look(c))
            return (int)c->ret->verdict;
    }
    return 0;
}

int process_lock(struct process_call *c, struct str directory, int *ret_fd)
{
    struct err err = ERR_INIT;
    const char *path = str_fmt(&c->arena, "%.*s/.lock", STR_ARG(directory)).p;
    AUTO_CLOSE int fd = -1;

    if (arena_status(&c->arena, &err) || sys_mkdir_all(str_to_c(&c->arena, directory), 0700, &err))
        return process_fail_err(c, RV_ACTED_NO, &err);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    for (int i = 0; fd >= 0 && i < PROCESS_LOCK_TRIES; i++) {
        if (!flock(fd, LOCK_EX | LOCK_NB)) {
            *ret_fd = TAKE_FD(fd);
            return 0;
        }
        if (c->h->wait_fd(c->h->ctx, -1, 0, 10) == RV_CANCELLED)
            return process_fail(c, RV_CANCELLED, RV_ACTED_NO, "cancelled");
    }
    return process_fail(c, RV_RETRY, RV_ACTED_NO, "lock '%s': %s", path, strerror(errno));
}

void process_answer_view(struct process_call *c, struct value *observed, struct value *outputs)
{
    c->ret->id = kit_give(c->h, c->place.owner);
    c->ret->observed = kit_give_json(c->h, &c->arena, observed);
    c->ret->outputs = kit_give_json(c->h, &c->arena, outputs);
    if (!c->ret->id.p || !c->ret->observed.p || !c->ret->outputs.p)
        (void)process_fail(c, RV_RETRY, (enum rv_acted)c->ret->acted, "out of memory");
}

/* How it ended, or "": as it should. */
static struct str process_end_of(struct process_call *c, const char *what)
{
    const struct keeper_view *v = &c->view;

    if (v->timed_out)
        return str_fmt(&c->arena, "%s: took longer than %lld ms", what,
                       (long long)value_get_int(c->desired, S("timeout_ms"), 0));
    if (v->message.n)
        return str_fmt(&c->arena, "%s: %.*s", what, STR_ARG(v->message));
    if (str_eq(v->state, S("stopped")))
        return str_fmt(&c->arena, "%s: was stopped", what);
    if (v->signal == SIGXFSZ)
        return str_fmt(&c->arena, "%s: ended, its files are over the quota", what);
    if (v->signal)
        return str_fmt(&c->arena, "%s: ended by signal %lld", what, (long long)v->signal);
    if (v->exit)
        return str_fmt(&c->arena, "%s: exit %lld", what, (long long)v->exit);
    return S("");
}

int process_judge_exit(struct process_call *c, const char *what)
{
    struct str tail = keeper_log_tail(&c->arena, &c->place, PROCESS_TAIL_BYTES);
    struct str say = process_end_of(c, what), killed;
    int64_t unused;

    if (!say.n)
        return 0;
    killed = process_limits_say(c, &unused);
    say = str_fmt(&c->arena, "%.*s%s%.*s%s%.*s", STR_ARG(say), killed.n ? "; " : "",
                  STR_ARG(killed), tail.n ? "\n" : "", STR_ARG(tail));
    c->ret->verdict = RV_USER;
    c->ret->acted = RV_ACTED_YES;
    c->ret->message = kit_give(c->h, say);
    return RV_USER;
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
