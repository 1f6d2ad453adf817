/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/notify_test.h"

#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/core/notify_link.h"
#include "reconciler/engine/engine_state.h"
#include "reconciler/engine/env_task.h"
#include "reconciler/engine/notify_rules.h"
#include "specs/json_io.h"

enum { TEST_FIND, TEST_SENT, TEST_OVER };

/* clang-format off */
static const struct task_state test_states[] = {
    /*               name    successors      on error       deadline_ms: each request has its own */
    [TEST_FIND] = { "FIND", TO2(TEST_SENT, TEST_OVER), TEST_OVER,     0 },
    [TEST_SENT] = { "SENT", TO(TEST_OVER),             TEST_OVER,     0 },
    [TEST_OVER] = { "OVER", 0,                         NO_ERROR_EDGE, 0 },
};
/* clang-format on */

struct tested { /* one recipient */
    struct notify_recipient to;
    const char *skipped; /* why nothing is sent; NULL: it is */
    struct notify_send send;
};

struct test {
    struct rec_environment env;
    struct tested *p;
    size_t n, n_sends;
    struct task **children;
    struct value *says;
    const struct value *rule; /* of the environment */
    struct str link;
    struct str id; /* of all of them */
    int64_t made_ms;
};

static struct command_call *command_of(struct task *t)
{
    return container_of(t, struct command_call, task);
}

static struct test *test_of(struct task *t)
{
    return command_of(t)->found;
}

/* --- how often ----------------------------------------------------------------------------------- */

static int admit(struct notify_tests *tests, int64_t now_ms, struct err *err)
{
    int64_t *oldest = &tests->at_mono_ms[tests->n % NOTIFY_TESTS_MAX];
    int64_t left_ms = *oldest + NOTIFY_TESTS_MS - now_ms;

    if (tests->n >= NOTIFY_TESTS_MAX && left_ms > 0)
        return err_set(err, ERR_THROTTLED, "%d tests within a minute: again in %lld s",
                       NOTIFY_TESTS_MAX, (long long)(left_ms + 999) / 1000);
    *oldest = now_ms;
    tests->n++;
    return 0;
}

/* --- who ----------------------------------------------------------------------------------------- */

/* What could not be taken back is not done for a test. */
static const char *skipped(const struct value *config)
{
    struct str type = value_get_text(config, S("type"), S(""));

    if (str_eq_c(type, "sentry"))
        return "not sent: it would make a release";
    return str_eq_c(type, NOTIFY_COMMIT_STATUS) ? "not sent: there is no commit to say it of"
                                                : NULL;
}

static int nobody(const struct command_call *c, struct err *err)
{
    if (c->in.id.n)
        return err_set(err, ERR_NOT_FOUND, "nobody who is told is called '%.*s'",
                       STR_ARG(c->in.id));
    return err_set(err, ERR_NOT_FOUND, "nobody is told%s%.*s: 'notifications' names nobody",
                   c->in.env.n ? " of environment " : "", STR_ARG(c->in.env));
}

static int find(struct command_call *c, struct test *t, struct err *err)
{
    const struct notify_rules rules = { c->engine->db, c->engine->options.daemon };
    struct notify_recipients all = { 0 };

    if (c->in.env.n && environments_by_name(c->engine->db, &c->arena, c->in.env, &t->env, err))
        return err->code;
    if (notify_rules_all(&rules, &c->arena, t->env.uid.p ? t->env.uid : S(""), &all, err))
        return err->code;
    t->p = arena_new_n(&c->arena, struct tested, all.n + 1);
    t->children = arena_new_n(&c->arena, struct task *, all.n + 1);
    for (size_t i = 0; t->p && i < all.n; i++)
        if (!c->in.id.n || str_eq(c->in.id, all.p[i].name))
            t->p[t->n++] = (struct tested){ .to = all.p[i], .skipped = skipped(all.p[i].config) };
    if (!t->n)
        return arena_status(&c->arena, err) ? err->code : nobody(c, err);
    return t->n > NOTIFY_TESTED_MAX
               ? err_set(err, ERR_LIMIT, "%zu are told, a test is of at most %d: name one", t->n,
                         NOTIFY_TESTED_MAX)
               : 0;
}

/* --- what is said -------------------------------------------------------------------------------- */

static void say(struct command_call *c, struct test *t)
{
    struct arena *a = &c->arena;

    t->made_ms = loop_wall_ms(c->engine->loop);
    t->id = sys_uuid7(a, t->made_ms);
    t->says = value_map(a);
    value_set_text(a, t->says, S("word"), S("test"));
    if (c->in.env.n)
        value_set_text(a, t->says, S("env"), c->in.env);
    value_set_text(a, t->says, S("subject"), str_fmt(a, "test/%.*s", STR_ARG(t->id)));
    value_set_text(a, t->says, S("actor"), c->in.actor);
    value_set_text(a, t->says, S("text"),
                   S("somebody tries whether this arrives; nothing happened"));
}

static int write_event(struct command_call *c, struct test *t, struct err *err)
{
    const struct engine_event event = { .kind = S("notify.tested"),
                                        .subject = value_get_text(t->says, S("subject"), S("")),
                                        .env = t->env.uid.p ? t->env.uid : S(""),
                                        .actor = c->in.actor };
    struct value *names = value_list(&c->arena);
    struct tx *tx;

    for (size_t i = 0; i < t->n; i++)
        value_add(&c->arena, names, value_text(&c->arena, t->p[i].to.name));
    if (engine_tx(c->engine, &event, &tx, err))
        return err->code;
    tx_note(tx, S("recipients"), json_format(&c->arena, names));
    if (c->in.is_break_glass)
        tx_note(tx, S("break_glass"), S("true"));
    if (c->in.reason.n)
        tx_note(tx, S("reason"), json_format(&c->arena, value_text(&c->arena, c->in.reason)));
    return tx_commit(tx, err);
}

static int test_find(struct task *task, struct err *err)
{
    struct command_call *c = command_of(task);
    struct test *t = test_of(task);

    if (c->engine->stale.p)
        return engine_refuse_stale(c->engine, err);
    if (find(c, t, err))
        return err->code;
    say(c, t);
    t->link = notify_link_to(&c->arena, notify_link_base(&c->arena, c->engine->options.daemon),
                             t->says);
    if (c->in.env.n)
        t->rule = daemon_rule(c->engine->options.daemon, t->env.source, S("environment"),
                              t->env.name, NULL);
    return arena_status(&c->arena, err) ? err->code : write_event(c, t, err);
}

/* --- the task ------------------------------------------------------------------------------------ */

static void send_ended(struct task *t, void *ctx)
{
    (void)t; /* the join that waits for it sees the end */
    (void)ctx;
}

static enum task_verdict send_all(struct command_call *c, struct test *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct tested *one = &t->p[i];

        if (one->skipped)
            continue;
        one->send = (struct notify_send){
            .row = { .uid = t->id, .target = one->to.target, .word = S("test") },
            .config = one->to.config,
            .message = { .id = t->id,
                         .made_ms = t->made_ms,
                         .now_ms = t->made_ms,
                         .severity = NOTIFY_INFO,
                         .says = t->says,
                         .link = t->link },
            .rule = t->rule,
            .is_test = 1,
        };
        t->children[t->n_sends++] = &one->send.task;
        notify_send_start(&one->send, c->engine, send_ended, NULL);
    }
    wait_join_start(&c->task, t->children, t->n_sends);
    return task_then(&c->task, TEST_OVER);
}

static struct value *answer(struct command_call *c, struct test *t)
{
    struct arena *a = &c->arena;
    struct value *v = value_map(a), *list = value_list(a);

    for (size_t i = 0; i < t->n; i++) {
        const struct tested *one = &t->p[i];
        struct value *map = value_map(a);
        const char *why = one->skipped ? one->skipped : one->send.why.text;

        value_set_text(a, map, S("name"), one->to.name);
        value_set_text(a, map, S("type"), value_get_text(one->to.config, S("type"), S("")));
        value_set_text(a, map, S("state"),
                       one->skipped         ? S("skipped")
                       : one->send.why.code ? S("failed")
                                            : S("taken"));
        if (one->skipped || one->send.why.code)
            value_set_text(a, map, S("message"), str_copy(a, str_from_c(why)));
        value_add(a, list, map);
    }
    value_set_text(a, v, S("environment"), c->in.env);
    value_set(a, v, S("recipients"), list);
    return v;
}

static enum task_verdict test_over(struct command_call *c, struct test *t)
{
    struct err err = c->task.err;

    for (size_t i = 0; t && i < t->n; i++)
        if (t->p[i].send.engine)
            arena_wipe(&t->p[i].send.secret);
    if (c->task.rc)
        return task_fail(&c->task, &err);
    c->result = answer(c, t);
    LOG(LOG_INFO, "command", LOG_C("verb", "notify test"), LOG_S("env", c->in.env),
        LOG_S("actor", c->in.actor));
    return task_done(&c->task);
}

static int begin(struct command_call *c, struct err *err)
{
    struct env_task *env = c->in.env.n ? map_find(&c->engine->envs_by_name, c->in.env) : NULL;

    c->found = arena_new(&c->arena, struct test);
    if (!c->found)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (c->in.env.n && !env)
        return err_set(err, ERR_NOT_FOUND, "no environment '%.*s'", STR_ARG(c->in.env));
    if (command_check_reason(c, c->in.is_break_glass ? "a test" : NULL, err))
        return err->code;
    return admit(env ? &env->tests : &c->engine->tests, loop_mono_ms(c->engine->loop), err);
}

static enum task_verdict test_step(struct task *task)
{
    struct command_call *c = command_of(task);
    struct test *t = test_of(task);

    switch (task->state) {
    case TEST_FIND:
        task->rc = begin(c, &task->err);
        if (task->rc)
            return task_goto(task, TEST_OVER);
        wait_work_start(task, POOL_STATE, test_find);
        return task_then(task, TEST_SENT);
    case TEST_SENT:
        return send_all(c, t);
    case TEST_OVER:
        return test_over(c, t);
    }
    UNREACHABLE();
}

void notify_test_start(struct engine *e, struct command_call *call, task_ended *ended, void *ctx)
{
    call->engine = e;
    task_start(&call->task, e->loop, "notify_test", test_states, N_ELEMENTS(test_states), TEST_FIND,
               test_step, ended, ctx);
}
