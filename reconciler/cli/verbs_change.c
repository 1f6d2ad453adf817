/* Commands, and watching what they began. SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/cli/verbs.h"

#define LOOK_MS 200
#define SETTLED_LOOKS 2 /* the engine says so twice: a cycle may just be beginning */

static struct str text_of(const struct value *map, const char *key)
{
    return value_get_text(map, str_from_c(key), S(""));
}

static struct str env_path(struct cli *c, struct str env, const char *rest)
{
    return str_fmt(c->arena, "/api/v1/environments/%.*s%s", STR_ARG(env), rest);
}

static struct value *reason_body(struct cli *c)
{
    struct value *body = value_map(c->arena);

    if (c->args.reason.p)
        value_set_text(c->arena, body, S("reason"), c->args.reason);
    return body;
}

/* Post, and say what was begun. */
static int post(struct cli *c, struct str path, const struct value *body, struct value **ret,
                struct err *err)
{
    int rc = cli_post(c, path, body, ret, err);
    struct str message;

    if (rc)
        return rc;
    message = text_of(*ret, "message");
    if (c->args.output == OUTPUT_TEXT && message.n)
        cli_note(c, "%.*s: %.*s", STR_ARG(text_of(*ret, "environment")), STR_ARG(message));
    return 0;
}

static int post_and_say(struct cli *c, struct str path, const struct value *body, struct err *err)
{
    struct value *answer;
    int rc = post(c, path, body, &answer, err);
    struct sb b;

    if (rc || cli_wrote_json(c, answer))
        return rc;
    sb_init(&b, c->arena);
    render_foreign(&b, text_of(answer, "environment"));
    sb_add_c(&b, " is ");
    render_foreign(&b, text_of(answer, "state"));
    sb_add_char(&b, '\n');
    cli_write(c, &b);
    return 0;
}

static void pause_ms(int64_t ms)
{
    const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    (void)nanosleep(&t, NULL); /* shorter does not matter */
}

/* --- watching an environment --------------------------------------------------------------------- */

struct watched {
    struct str env;
    int64_t seq_before;         /* of its last event when we asked */
    struct str plan;            /* that we began, once it is known */
    int64_t asked_ms;           /* monotonic */
    const struct value *rounds; /* {source: number} that must have ended; NULL: none */
    int n_unknown;              /* looks that did not find it, all of them after those rounds */
};

/* The last plan of the environment, or "". */
static int last_plan(struct cli *c, struct str env, struct str *ret_id, struct str *ret_state,
                     struct err *err)
{
    struct value *plan;
    int rc = cli_get(c, env_path(c, env, "/plan"), NULL, &plan, err);

    *ret_id = *ret_state = S("");
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (!rc) {
        *ret_id = text_of(plan, "id");
        *ret_state = text_of(plan, "state");
    }
    return rc;
}

/* 1: every source was fetched since we asked. */
static int is_fetched(const struct watched *w, const struct value *live, struct err *err)
{
    for (size_t i = 0; i < value_count(w->rounds); i++) {
        const struct value_entry *round = &w->rounds->u.map.entries[i];
        const struct value *source = value_get(value_get(live, S("sources")), round->key);

        if (value_get_int(source, S("rounds"), 0) < round->value->u.number)
            return 0;
        if (text_of(source, "error").n)
            return err_set(err, ERR_FAILED, "source '%.*s': %.*s", STR_ARG(round->key),
                           STR_ARG(text_of(source, "error")));
    }
    return 1;
}

/* 1: what there is now was decided after we asked. */
static int is_decided(const struct watched *w, const struct value *env, struct err *err)
{
    const struct value *live = value_get(env, S("live"));
    const struct value *task = value_get(value_get(live, S("environments")), w->env);
    int rc = is_fetched(w, live, err);

    return rc == 1 ? value_get_bool(task, S("settled"), 0) : rc;
}

static int judge_environment(const struct value *env, struct err *err)
{
    struct str name = text_of(env, "name"), sync = text_of(env, "sync");
    struct str reason = text_of(env, "reason");
    int code = str_eq_c(sync, "in_sync") ? 0
               : str_eq_c(sync, "waiting") || str_eq_c(sync, "held") || str_eq_c(sync, "frozen") ||
                       str_eq_c(sync, "parked")
                   ? ERR_WAITING
                   : ERR_FAILED;

    if (!code)
        return 0;
    return err_set(err, code, "environment '%.*s' is %.*s%s%.*s", STR_ARG(name), STR_ARG(sync),
                   reason.n ? ": " : "", STR_ARG(reason));
}

/* One that a commit is about to bring is not known yet: *ret is NULL. */
static int look_at_environment(struct cli *c, struct watched *w, struct value **ret,
                               struct err *err)
{
    struct err unknown = ERR_INIT;
    struct value *status;
    int rc = cli_get(c, env_path(c, w->env, ""), NULL, ret, &unknown);

    if (rc != ERR_NOT_FOUND) {
        *err = unknown;
        return rc;
    }
    *ret = NULL;
    rc = cli_get(c, S("/api/v1/status"), NULL, &status, err);
    if (!rc)
        rc = is_fetched(w, value_get(status, S("live")), err);
    if (rc < 0)
        return rc;
    w->n_unknown += rc;
    if (w->n_unknown <= SETTLED_LOOKS)
        return 0;
    *err = unknown;
    return err->code;
}

/* Until everything that we began has ended, or somebody must decide. */
static int watch_environment(struct cli *c, struct watched *w, struct value **ret, struct err *err)
{
    struct str plan, state, followed = S("");
    struct value *env, *progress;
    int n_settled = 0, rc;

    for (;;) {
        rc = last_plan(c, w->env, &plan, &state, err);
        if (!rc && plan.n && !str_eq(plan, followed) && str_eq_c(state, "applying")) {
            followed = plan;
            rc = progress_follow(c, plan, &progress, err);
            if (rc == ERR_STALE)
                rc = 0; /* a newer one takes its place */
            n_settled = 0;
        }
        if (!rc)
            rc = look_at_environment(c, w, &env, err);
        if (!rc && env)
            rc = is_decided(w, env, err);
        if (rc < 0)
            return rc;
        n_settled = rc ? n_settled + 1 : 0;
        if (n_settled >= SETTLED_LOOKS)
            break;
        if (c->args.timeout_s && sys_mono_ms() - w->asked_ms > c->args.timeout_s * 1000)
            return err_set(err, ERR_TIMEOUT, "environment '%.*s' is still %.*s; it goes on",
                           STR_ARG(w->env), STR_ARG(env ? text_of(env, "sync") : S("unknown")));
        pause_ms(LOOK_MS);
    }
    *ret = env;
    return judge_environment(env, err);
}

static int last_seq(struct cli *c, struct str env, int64_t *ret, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    int rc;

    value_set_text(c->arena, query, S("env"), env);
    value_set_text(c->arena, query, S("newest"), S("1"));
    value_set_text(c->arena, query, S("limit"), S("1"));
    value_set_text(c->arena, query, S("bodies"), S("0"));
    rc = cli_get(c, S("/api/v1/history"), query, &answer, err);
    if (!rc)
        *ret = value_get_int(answer, S("last"), 0);
    return rc;
}

/* The first plan that was begun after we asked; it stays "" until there is one. */
static int find_begun(struct cli *c, struct watched *w, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    const struct value *event, *plans;
    int rc;

    value_set_text(c->arena, query, S("env"), w->env);
    value_set_text(c->arena, query, S("kind"), S("plan."));
    value_set_text(c->arena, query, S("after"),
                   str_fmt(c->arena, "%lld", (long long)w->seq_before));
    value_set_text(c->arena, query, S("limit"), S("1"));
    rc = cli_get(c, S("/api/v1/history"), query, &answer, err);
    event = rc ? NULL : value_item(value_get(answer, S("events")), 0);
    plans = value_at(event, S("body.rows.plans"));
    if (plans)
        w->plan = text_of(value_item(plans, 0), "id");
    return rc;
}

/* What a person began is judged by its own plan: after an undo the environment is not what git says. */
static int watch_plan(struct cli *c, struct watched *w, struct value **ret, struct err *err)
{
    struct value *progress;
    int n_settled = 0, rc = 0;

    while (!rc && !w->plan.n) {
        rc = find_begun(c, w, err);
        if (!rc && !w->plan.n)
            rc = cli_get(c, env_path(c, w->env, ""), NULL, ret, err);
        if (rc || w->plan.n)
            break;
        rc = is_decided(w, *ret, err);
        if (rc < 0)
            return rc;
        n_settled = rc ? n_settled + 1 : 0;
        if (n_settled > SETTLED_LOOKS)
            return judge_environment(*ret, err); /* nothing had to be done */
        rc = 0;
        pause_ms(LOOK_MS);
    }
    if (!rc)
        rc = progress_follow(c, w->plan, &progress, err);
    return rc ? rc : cli_get(c, env_path(c, w->env, ""), NULL, ret, err);
}

static void say_end(struct cli *c, const struct value *env)
{
    struct sb b;

    sb_init(&b, c->arena);
    render_foreign(&b, text_of(env, "name"));
    sb_addf(&b, " is %s", str_eq_c(text_of(env, "sync"), "in_sync") ? "in sync" : "");
    if (!str_eq_c(text_of(env, "sync"), "in_sync"))
        render_foreign(&b, text_of(env, "sync"));
    sb_addf(&b, ", revision %lld\n", (long long)value_get_int(env, S("revision"), 0));
    cli_write(c, &b);
}

/* Ask, then watch unless told not to. */
static int ask_and_watch(struct cli *c, struct str env, struct str path, const struct value *body,
                         int needs_fetch, struct err *err)
{
    struct watched w = { .env = env, .asked_ms = sys_mono_ms() };
    struct value *answer, *end = NULL;
    int rc = needs_fetch || !env.n ? 0 : last_seq(c, env, &w.seq_before, err);

    if (!rc)
        rc = post(c, path, body, &answer, err);
    if (rc)
        return rc;
    w.plan = text_of(answer, "plan"); /* of an approval */
    w.rounds = value_get(answer, S("rounds"));
    if (!w.env.n)
        w.env = text_of(answer, "environment");
    if (c->args.no_wait) {
        (void)cli_wrote_json(c, answer); /* in text the note said it */
        return 0;
    }
    rc = needs_fetch ? watch_environment(c, &w, &end, err) : watch_plan(c, &w, &end, err);
    if (end && !cli_wrote_json(c, end) && !rc)
        say_end(c, end);
    return rc;
}

/* --- verbs --------------------------------------------------------------------------------------- */

static int apply_all(struct cli *c, struct err *err)
{
    struct value *status;
    const struct value *envs;
    int rc = cli_get(c, S("/api/v1/status"), NULL, &status, err), worst = 0;

    envs = rc ? NULL : value_get(status, S("environments"));
    for (size_t i = 0; i < value_count(envs); i++) {
        struct str name = text_of(value_item(envs, i), "name");
        struct err one = ERR_INIT;

        rc = ask_and_watch(c, name, env_path(c, name, "/reconcile"), NULL, 1, &one);
        if (rc && (!worst || worst == ERR_WAITING)) {
            worst = rc;
            *err = one;
        } else if (rc) {
            cli_note(c, "%s", one.text);
        }
    }
    return rc && !value_count(envs) ? rc : worst;
}

int verb_apply(struct cli *c, struct err *err)
{
    struct str env = cli_arg(c, 0);

    if (c->args.all)
        return apply_all(c, err);
    if (!env.p)
        return err_set(err, ERR_USAGE, "which environment? reeve apply ENV, or --all");
    return ask_and_watch(c, env, env_path(c, env, "/reconcile"), NULL, 1, err);
}

/* Approvals and what goes against the spec are explained for those who come later. */
static int need_reason(const struct cli *c, struct err *err)
{
    if (c->args.reason.n)
        return 0;
    return err_set(err, ERR_USAGE, "say why: --reason TEXT");
}

int verb_approve(struct cli *c, struct err *err)
{
    struct str path = str_fmt(c->arena, "/api/v1/plans/%.*s/approve", STR_ARG(cli_arg(c, 0)));
    int rc = need_reason(c, err);

    return rc ? rc : ask_and_watch(c, S(""), path, reason_body(c), 0, err);
}

int verb_reject(struct cli *c, struct err *err)
{
    struct str path = str_fmt(c->arena, "/api/v1/plans/%.*s/reject", STR_ARG(cli_arg(c, 0)));
    int rc = need_reason(c, err);

    return rc ? rc : post_and_say(c, path, reason_body(c), err);
}

int verb_undo(struct cli *c, struct err *err)
{
    struct str env = cli_arg(c, 0);
    int rc = need_reason(c, err);

    return rc ? rc : ask_and_watch(c, env, env_path(c, env, "/undo"), reason_body(c), 0, err);
}

int verb_rollback(struct cli *c, struct err *err)
{
    struct str env = cli_arg(c, 0);
    struct value *body = reason_body(c);
    int64_t revision;

    if (str_to_i64(cli_arg(c, 1), &revision) || revision < 1)
        return err_set(err, ERR_USAGE, "'%.*s' is not a revision: reeve status %.*s lists them",
                       STR_ARG(cli_arg(c, 1)), STR_ARG(env));
    if (need_reason(c, err))
        return err->code;
    value_set_int(c->arena, body, S("revision"), revision);
    return ask_and_watch(c, env, env_path(c, env, "/rollback"), body, 0, err);
}

int verb_cancel(struct cli *c, struct err *err)
{
    int rc = need_reason(c, err);

    return rc ? rc : post_and_say(c, env_path(c, cli_arg(c, 0), "/cancel"), reason_body(c), err);
}

int verb_hold(struct cli *c, struct err *err)
{
    struct value *body = reason_body(c);
    int64_t until_ms;
    int rc = need_reason(c, err);

    if (c->args.service.p)
        value_set_text(c->arena, body, S("service"), c->args.service);
    if (!rc && c->args.until.p) {
        rc = args_time(c->args.until, 1, sys_wall_ms(), &until_ms, err);
        if (!rc)
            value_set_int(c->arena, body, S("until_ms"), until_ms);
    }
    return rc ? rc : post_and_say(c, env_path(c, cli_arg(c, 0), "/hold"), body, err);
}

int verb_resume(struct cli *c, struct err *err)
{
    return post_and_say(c, env_path(c, cli_arg(c, 0), "/resume"), reason_body(c), err);
}

int verb_retry(struct cli *c, struct err *err)
{
    return post_and_say(c, env_path(c, cli_arg(c, 0), "/retry"), reason_body(c), err);
}

int verb_settle(struct cli *c, struct err *err)
{
    struct value *body = reason_body(c);

    if (!str_eq_c(c->args.as, "done") && !str_eq_c(c->args.as, "failed") &&
        !str_eq_c(c->args.as, "retry"))
        return err_set(err, ERR_USAGE, "say how it ended: --as done, failed or retry");
    value_set_text(c->arena, body, S("as"), c->args.as);
    return post_and_say(
        c, str_fmt(c->arena, "/api/v1/operations/%.*s/settle", STR_ARG(cli_arg(c, 0))), body, err);
}
