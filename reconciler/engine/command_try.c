/* The plan of a commit that is not merged. SPDX-License-Identifier: Apache-2.0
 *
 * It is read by the worker as any other, judged by the rule and the policy of the environment's own branch, and
 * forgotten: nothing of it is written, so that nobody can approve or apply it. */
#include <string.h>

#include "base/guard.h"
#include "reconciler/engine/command_write.h"
#include "reconciler/engine/env_task.h"
#include "reconciler/engine/try_plan.h"
#include "specs/yaml_text.h"

#define REF_BYTES_MAX 250u
#define LOCKED_MAX 300 /* a fetch runs: so often it is asked for again */
#define LOCKED_MS 100
#define ID_DIGITS_MIN 4u
#define ID_DIGITS_MAX 40u

enum {
    REF_SIGN_IN,
    REF_FETCH,
    REF_ANSWER,
    REF_AGAIN,
    REF_RESOLVE,
    REF_RESOLVED,
    REF_READ,
    REF_MERGE,
    REF_TREES,
    REF_MATCH,
    REF_SPECS,
    REF_PLAN,
    REF_OVER,
};

/* clang-format off */
static const struct task_state ref_states[] = {
    /*                 name        successors                            on error      deadline_ms: the worker's */
    [REF_SIGN_IN]  = { "SIGN_IN",  TO2(REF_FETCH, REF_RESOLVE) | TO(REF_OVER), REF_OVER, 0 },
    [REF_FETCH]    = { "FETCH",    TO(REF_ANSWER),                       REF_OVER,     0 },
    [REF_ANSWER]   = { "ANSWER",   TO3(REF_READ, REF_RESOLVE, REF_AGAIN), REF_AGAIN,   0 },
    [REF_AGAIN]    = { "AGAIN",    TO3(REF_FETCH, REF_OVER, REF_READ) | TO(REF_RESOLVE), REF_OVER, 0 },
    [REF_RESOLVE]  = { "RESOLVE",  TO(REF_RESOLVED),                     REF_OVER,     0 },
    [REF_RESOLVED] = { "RESOLVED", TO3(REF_READ, REF_FETCH, REF_OVER),   REF_OVER,     0 },
    [REF_READ]     = { "READ",     TO2(REF_MERGE, REF_OVER),             REF_OVER,     0 },
    [REF_MERGE]    = { "MERGE",    TO(REF_TREES),                        REF_OVER,     0 },
    [REF_TREES]    = { "TREES",    TO2(REF_MATCH, REF_SPECS),            REF_OVER,     0 },
    [REF_MATCH]    = { "MATCH",    TO(REF_SPECS),                        REF_OVER,     0 },
    [REF_SPECS]    = { "SPECS",    TO(REF_PLAN),                         REF_OVER,     0 },
    [REF_PLAN]     = { "PLAN",     TO(REF_OVER),                         REF_OVER,     30000 },
    [REF_OVER]     = { "OVER",     0,                                    NO_ERROR_EDGE, 0 },
};
/* clang-format on */

struct try_ref {
    struct env_task
        env; /* never started: what is looked at of a commit, and what it is looked at with */
    struct source_fetch fetch;
    struct source_resolve resolve;
    struct source_read read;
    struct source_call call;
    struct source_heads heads;
    struct source_head found;
    struct source_snapshot snapshot;
    struct str names[2];
    int n_locked, has_fetched;
};

static struct command_call *command_of(struct task *t)
{
    return container_of(t, struct command_call, task);
}

static struct try_ref *ref_of(struct task *t)
{
    return command_of(t)->found;
}

static int is_id(struct str ref)
{
    for (size_t i = 0; i < ref.n; i++)
        if (!(ref.p[i] >= '0' && ref.p[i] <= '9') && !(ref.p[i] >= 'a' && ref.p[i] <= 'f'))
            return 0;
    return ref.n >= ID_DIGITS_MIN && ref.n <= ID_DIGITS_MAX;
}

/* --- which commit -------------------------------------------------------------------------------- */

static int check_ref(const struct command_call *c, struct err *err)
{
    struct str ref = c->in.ref;

    if (!ref.n || ref.n > REF_BYTES_MAX || ref.p[0] == '-' || memchr(ref.p, '\0', ref.n) ||
        str_find_char(ref, '*') != STR_NPOS)
        return err_set(err, ERR_USAGE, "'%.*s' is no branch, tag or commit", STR_ARG(ref));
    return 0;
}

/* A branch has its short name alone. */
static void name_ref(struct command_call *c, struct try_ref *r)
{
    int is_full = str_starts(c->in.ref, S("refs/"));

    r->names[0] = str_starts(c->in.ref, S("refs/heads/"))
                      ? str_slice(c->in.ref, strlen("refs/heads/"), SIZE_MAX)
                      : c->in.ref;
    r->names[1] = str_fmt(&c->arena, "refs/tags/%.*s", STR_ARG(c->in.ref));
    r->fetch = (struct source_fetch){ .names = r->names, .n_names = is_full ? 1 : 2 };
}

static int ref_begin(struct command_call *c, struct err *err)
{
    struct try_ref *r = arena_new(&c->arena, struct try_ref);
    const struct env_task *env = map_find(&c->engine->envs_by_name, c->in.env);

    if (!r)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (check_ref(c, err))
        return err->code;
    if (!env)
        return err_set(err, ERR_NOT_FOUND, "no environment '%.*s'", STR_ARG(c->in.env));
    if (!env->source || !env->rule)
        return err_set(err, ERR_REFUSED, "no rule binds environment '%.*s' any more",
                       STR_ARG(c->in.env));
    if (!env->source->source->ops->resolve)
        return err_set(err, ERR_REFUSED, "source '%.*s' has no other commits",
                       STR_ARG(env->source->name));
    c->found = r;
    r->env.engine = c->engine;
    r->env.uid = env->uid;
    r->env.name = env->name;
    r->env.branch = env->branch;
    r->env.source = env->source;
    r->env.rule = env->rule;
    arena_init(&r->env.cycle, 0);
    name_ref(c, r);
    return 0;
}

static int ref_sign_in(struct task *t, struct err *err)
{
    struct try_ref *r = ref_of(t);

    return source_task_password(r->env.source, &command_of(t)->arena, &r->fetch.password, err);
}

static int ref_answer(struct task *t, struct err *err)
{
    struct try_ref *r = ref_of(t);

    return r->env.source->source->ops->fetch_parse(&command_of(t)->arena, &r->call, &r->heads, err);
}

/* What it names: one thing, or the beginning of an id. */
static enum task_verdict ref_named(struct command_call *c, struct try_ref *r)
{
    struct err err = ERR_INIT;

    r->has_fetched = 1;
    if (is_id(c->in.ref) && str_eq_c(r->names[0], "*"))
        return task_goto(&c->task, REF_RESOLVE);
    if (r->heads.heads.n > 1)
        (void)err_set(&err, ERR_CONFLICT, "'%.*s' is a branch and a tag: refs/heads/ or refs/tags/",
                      STR_ARG(c->in.ref));
    else if (!r->heads.heads.n)
        (void)err_set(&err, ERR_NOT_FOUND, "source '%.*s' has no branch, tag or commit '%.*s'",
                      STR_ARG(r->env.source->name), STR_ARG(c->in.ref));
    if (err.code) {
        c->task.err = err;
        c->task.rc = err.code;
        return task_goto(&c->task, REF_AGAIN);
    }
    r->found = r->heads.heads.p[0];
    return task_goto(&c->task, REF_READ);
}

/* Another fetch of the source may run; and what could not be fetched may lie here. */
static enum task_verdict ref_again(struct command_call *c, struct try_ref *r)
{
    struct task *t = &c->task;

    if (t->rc != ERR_LOCKED || r->n_locked++ >= LOCKED_MAX)
        return task_goto(t, REF_OVER);
    t->rc = 0;
    wait_until_start(t, loop_mono_ms(t->loop) + LOCKED_MS);
    return task_then(t, REF_FETCH);
}

static enum task_verdict ref_resolve(struct command_call *c, struct try_ref *r)
{
    r->resolve.ref = c->in.ref;
    r->env.source->source->ops->resolve(r->env.source->source, &c->task, &c->arena, &r->resolve,
                                        &r->call);
    return task_then(&c->task, REF_RESOLVED);
}

/* An id that is not here yet may stand on a branch that nobody follows. */
static enum task_verdict ref_resolved(struct command_call *c, struct try_ref *r)
{
    struct task *t = &c->task;

    t->rc = r->env.source->source->ops->resolve_parse(&c->arena, &r->call, &r->found, &t->err);
    if (t->rc == ERR_NOT_FOUND && !r->has_fetched) {
        t->rc = 0;
        r->names[0] = S("*");
        r->fetch.n_names = 1;
        return task_goto(t, REF_FETCH);
    }
    return task_goto(t, t->rc ? REF_OVER : REF_READ);
}

/* --- what it wants ------------------------------------------------------------------------------- */

static enum task_verdict ref_read(struct command_call *c, struct try_ref *r)
{
    struct source_task *s = r->env.source;
    struct task *t = &c->task;

    r->env.head = head_new(r->found.commit, r->found.tree);
    if (!r->env.head) {
        t->rc = err_set(&t->err, ERR_NOMEM, "out of memory");
        return task_goto(t, REF_OVER);
    }
    r->env.head->source = s->name;
    r->env.head->branch = r->env.branch;
    r->env.head->spec_path = value_get_text(s->config, S("path"), S(".reeve"));
    r->read = (struct source_read){ .commit = r->found.commit };
    s->source->ops->read(s->source, t, &c->arena, &r->read, &r->call);
    return task_then(t, REF_MERGE);
}

static int ref_merge(struct task *t, struct err *err)
{
    struct command_call *c = command_of(t);
    struct try_ref *r = c->found;
    const struct head_read in = { c->engine->options.daemon, NULL, &r->snapshot };

    if (r->env.source->source->ops->read_parse(&c->arena, &r->call, &r->snapshot, err))
        return err->code;
    r->read = (struct source_read){ .commit = r->found.commit, .base = r->found.commit };
    return head_read_files(r->env.head, &in, &c->arena, &r->read.paths, &r->read.n_paths, err);
}

static enum task_verdict ref_trees(struct command_call *c, struct try_ref *r)
{
    if (!r->read.n_paths)
        return task_goto(&c->task, REF_SPECS);
    r->env.source->source->ops->read(r->env.source->source, &c->task, &c->arena, &r->read,
                                     &r->call);
    return task_then(&c->task, REF_MATCH);
}

static int ref_match(struct task *t, struct err *err)
{
    struct command_call *c = command_of(t);
    struct try_ref *r = c->found;
    struct source_snapshot paths;

    if (r->env.source->source->ops->read_parse(&c->arena, &r->call, &paths, err))
        return err->code;
    return head_read_trees(r->env.head, &paths, err);
}

static struct str text_of(const struct try_ref *r, struct str path)
{
    for (size_t i = 0; i < r->snapshot.files.n; i++)
        if (str_eq(r->snapshot.files.p[i].path, path))
            return r->snapshot.files.p[i].text;
    return STR_NONE;
}

/* As `reeve validate -o json` lists them, each with its line of the file, which is not here on the other side. */
static struct value *messages_value(struct arena *a, const struct try_ref *r,
                                    const struct spec_messages *messages)
{
    struct value *list = value_list(a);

    for (size_t i = 0; i < messages->list.n; i++) {
        const struct spec_message *m = &messages->list.p[i];
        struct str line = yaml_text_line(text_of(r, value_file(m->place)), m->place.line);
        struct value *one = spec_message_value(a, m, value_file(m->place));

        if (line.n && !str_eq_c(m->rule, "secret-literal"))
            value_set_text(a, one, S("source"), line);
        value_add(a, list, one);
    }
    return list;
}

static int ref_specs(struct task *t, struct err *err)
{
    struct command_call *c = command_of(t);
    struct try_ref *r = c->found;
    struct spec_messages messages;

    if (env_look_read(&r->env, &messages, err))
        return err->code;
    if (!messages.n_errors)
        return 0;
    c->besides = value_map(&c->arena);
    value_set(&c->arena, c->besides, S("messages"), messages_value(&c->arena, r, &messages));
    return err_set(err, ERR_INVALID, "%zu error%s in the specs of commit %.*s", messages.n_errors,
                   messages.n_errors == 1 ? "" : "s", 12, r->found.commit.p);
}

/* --- the plan ------------------------------------------------------------------------------------ */

static struct value *commit_value(struct arena *a, const struct try_ref *r)
{
    const struct source_commit *about = &r->env.head->about;
    struct value *target = value_map(a), *commits = value_list(a), *one = value_map(a);

    value_set_text(a, one, S("commit"), str_copy(a, r->env.head->commit));
    value_set_text(a, one, S("author"), str_copy(a, about->author));
    value_set_text(a, one, S("summary"), str_copy(a, about->summary));
    value_add(a, commits, one);
    value_set(a, target, S("commits"), commits);
    return target;
}

static int ref_plan(struct task *t, struct err *err)
{
    struct command_call *c = command_of(t);
    struct try_ref *r = c->found;
    struct arena *a = &c->arena;
    const struct try_plan in = { .db = c->engine->db,
                                 .environment = r->env.name,
                                 .daemon = c->engine->options.daemon,
                                 .rule = r->env.rule,
                                 .spec = &r->env.spec,
                                 .now_ms = clock_task_due_ms(&c->engine->clock) };
    struct value *v;

    if (try_plan_value(a, &in, S("not merged"), &v, err))
        return err->code;
    value_set_text(a, v, S("ref"), c->in.ref);
    value_set(a, v, S("target"), commit_value(a, r));
    value_set_text(a, v, S("source"), r->env.source->name);
    value_set_text(a, v, S("branch"), r->env.branch);
    value_set_text(
        a, v, S("judged_by"),
        str_fmt(
            a,
            "the rule at %.*s:%u:%u, and the stricter of its policy and the one applied last%s; it "
            "is not stored: it can be neither approved nor applied",
            STR_ARG(value_file(r->env.rule->place)), r->env.rule->place.line,
            r->env.rule->place.column,
            proof_asked(r->env.source, r->env.rule) ? ", but its signatures are not looked at"
                                                    : ""));
    c->result = value_copy(a, v); /* what it borrows goes with the head */
    return arena_status(a, err);
}

static enum task_verdict ref_over(struct command_call *c, struct try_ref *r)
{
    struct err err = c->task.err;

    if (r) {
        source_task_wipe(&r->fetch.password);
        if (c->besides)
            c->besides = value_copy(&c->arena, c->besides);
        head_free(TAKE(r->env.head));
        arena_fini(&r->env.cycle);
    }
    return c->task.rc ? task_fail(&c->task, &err) : task_done(&c->task);
}

static enum task_verdict ref_work(struct task *t, enum loop_pool pool, wait_work_fn *work, int next)
{
    wait_work_start(t, pool, work);
    return task_then(t, next);
}

static enum task_verdict ref_step(struct task *t)
{
    struct command_call *c = command_of(t);
    struct try_ref *r = ref_of(t);

    switch (t->state) {
    case REF_SIGN_IN:
        t->rc = ref_begin(c, &t->err);
        if (t->rc)
            return task_goto(t, REF_OVER);
        return ref_work(t, POOL_FILE, ref_sign_in, is_id(c->in.ref) ? REF_RESOLVE : REF_FETCH);
    case REF_FETCH:
        r->env.source->source->ops->fetch(r->env.source->source, t, &c->arena, &r->fetch, &r->call);
        return task_then(t, REF_ANSWER);
    case REF_ANSWER:
        t->rc = ref_answer(t, &t->err);
        return t->rc ? task_goto(t, REF_AGAIN) : ref_named(c, r);
    case REF_AGAIN:
        return ref_again(c, r);
    case REF_RESOLVE:
        return ref_resolve(c, r);
    case REF_RESOLVED:
        return ref_resolved(c, r);
    case REF_READ:
        return ref_read(c, r);
    case REF_MERGE:
        return ref_work(t, POOL_FILE, ref_merge, REF_TREES);
    case REF_TREES:
        return ref_trees(c, r);
    case REF_MATCH:
        return ref_work(t, POOL_FILE, ref_match, REF_SPECS);
    case REF_SPECS:
        return ref_work(t, POOL_FILE, ref_specs, REF_PLAN);
    case REF_PLAN:
        return ref_work(t, POOL_STATE, ref_plan, REF_OVER);
    case REF_OVER:
        return ref_over(c, r);
    }
    UNREACHABLE();
}

void command_try_start(struct engine *e, struct command_call *call, task_ended *ended, void *ctx)
{
    call->engine = e;
    task_start(&call->task, e->loop, "try", ref_states, N_ELEMENTS(ref_states), REF_SIGN_IN,
               ref_step, ended, ctx);
}
