/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/watch.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"

#define LOOK_MS 200
#define SETTLED_LOOKS 2 /* the engine says so twice: a cycle may just be beginning */

struct watched {
    const struct watch_ask *in;
    struct arena *own; /* what outlives a look */
    struct str env;
    struct str plan;            /* that is or was followed; "": none yet */
    int64_t seq_before;         /* of the environment's last event when we asked */
    int64_t asked_ms;           /* monotonic */
    const struct value *rounds; /* {source: number} that must have ended; NULL: none */
    int n_settled;
    int n_unknown; /* looks that did not find it, all of them after those rounds */
};

int watch_post(struct cli *c, struct str path, const struct value *body, struct value **ret,
               struct err *err)
{
    int rc = cli_post(c, path, body, ret, err);
    struct str message;

    if (rc)
        return rc;
    message = cli_text(*ret, "message");
    if (c->args.output == OUTPUT_TEXT && message.n)
        cli_note(c, "%.*s: %.*s", STR_ARG(cli_text(*ret, "environment")), STR_ARG(message));
    return 0;
}

/* --- Ctrl-C -------------------------------------------------------------------------------------- */

/* The shell is to see that the signal ended us. */
static void leave(int signo, const char *words, size_t n)
{
    (void)!write(STDERR_FILENO, words, n); /* nothing to be done when nobody can be told */
    (void)signal(signo, SIG_DFL);
    (void)raise(signo);
}

static void on_interrupt(int signo)
{
    static const char words[] = "\nreeve: no longer watching; the daemon goes on\n";

    leave(signo, words, sizeof(words) - 1);
}

/* --- looking ------------------------------------------------------------------------------------- */

static void pause_ms(int64_t ms)
{
    const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    (void)nanosleep(&t, NULL); /* shorter does not matter */
}

/* 1: every source was fetched since we asked. */
static int is_fetched(const struct watched *w, const struct value *live, struct err *err)
{
    for (size_t i = 0; i < value_count(w->rounds); i++) {
        const struct value_entry *round = &w->rounds->u.map.entries[i];
        const struct value *source = value_get(value_get(live, S("sources")), round->key);

        if (value_get_int(source, S("rounds"), 0) < round->value->u.number)
            return 0;
        if (cli_text(source, "error").n)
            return err_set(err, ERR_FAILED, "source '%.*s': %.*s", STR_ARG(round->key),
                           STR_ARG(cli_text(source, "error")));
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

/* One that a commit is about to bring is not known yet: *ret is NULL. */
static int get_environment(struct cli *c, struct watched *w, struct value **ret, struct err *err)
{
    struct err unknown = ERR_INIT;
    struct value *status;
    int rc = cli_get(c, cli_path(c, "environments", w->env, ""), NULL, ret, &unknown);

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

/* Counts what was settled in a row: 1 when it is enough, 0 after a pause. */
static int look_is_last(struct cli *c, struct watched *w, const struct value *env, struct err *err)
{
    int rc = env ? is_decided(w, env, err) : 0;

    if (rc < 0)
        return rc;
    w->n_settled = rc ? w->n_settled + 1 : 0;
    if (w->n_settled >= SETTLED_LOOKS)
        return 1;
    if (c->args.timeout_ms && sys_mono_ms() - w->asked_ms > c->args.timeout_ms)
        return err_set(err, ERR_TIMEOUT, "environment '%.*s' is still %.*s; it goes on",
                       STR_ARG(w->env), STR_ARG(env ? cli_text(env, "sync") : S("unknown")));
    pause_ms(LOOK_MS);
    return 0;
}

static int judge_environment(const struct value *env, struct err *err)
{
    static const char *const waits[] = { "waiting", "held", "frozen", "parked" };
    struct str name = cli_text(env, "name"), sync = cli_text(env, "sync");
    struct str reason = cli_text(env, "reason");
    const char *look = str_eq_c(sync, "waiting") ? "plan" : "explain";
    int code = ERR_FAILED;

    if (str_eq_c(sync, "in_sync"))
        return 0;
    for (size_t i = 0; i < N_ELEMENTS(waits); i++)
        if (str_eq_c(sync, waits[i]))
            code = ERR_WAITING;
    return err_set(err, code, "environment '%.*s' is %.*s%s%.*s (reeve %s %.*s)", STR_ARG(name),
                   STR_ARG(sync), reason.n ? ": " : "", STR_ARG(reason), look, STR_ARG(name));
}

/* Until everything that we began has ended, or somebody must decide. */
static int watch_settled(struct cli *c, struct watched *w, struct value **ret, struct err *err)
{
    const struct value *plan;
    int rc = 0, is_last = 0;

    while (!is_last) {
        arena_reset(c->arena);
        rc = get_environment(c, w, ret, err);
        if (rc)
            return rc;
        plan = value_get(*ret, S("plan"));
        if (str_eq_c(cli_text(plan, "state"), "applying") &&
            !str_eq(cli_text(plan, "id"), w->plan)) {
            w->plan = str_copy(w->own, cli_text(plan, "id"));
            *ret = NULL;
            rc = progress_follow(c, w->env, w->plan, err);
            if (rc && rc != ERR_STALE) /* a newer one takes its place */
                return rc;
            w->n_settled = 0;
            continue;
        }
        is_last = look_is_last(c, w, *ret, err);
        if (is_last < 0)
            return is_last;
    }
    return judge_environment(*ret, err);
}

/* --- the plan that was begun --------------------------------------------------------------------- */

static int last_seq(struct cli *c, struct watched *w, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    int rc;

    value_set_text(c->arena, query, S("env"), w->env);
    value_set_text(c->arena, query, S("newest"), S("1"));
    value_set_text(c->arena, query, S("limit"), S("1"));
    value_set_text(c->arena, query, S("bodies"), S("0"));
    rc = cli_get(c, S("/api/v1/history"), query, &answer, err);
    if (!rc)
        w->seq_before = value_get_int(answer, S("last"), 0);
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
        w->plan = str_copy(w->own, cli_text(value_item(plans, 0), "id"));
    return rc;
}

static int watch_plan(struct cli *c, struct watched *w, struct value **ret, struct err *err)
{
    int rc = 0;

    while (!w->plan.n) {
        arena_reset(c->arena);
        rc = find_begun(c, w, err);
        if (!rc && !w->plan.n)
            rc = get_environment(c, w, ret, err);
        if (!rc && !w->plan.n)
            rc = look_is_last(c, w, *ret, err);
        if (rc < 0)
            return rc;
        if (rc)
            return judge_environment(*ret, err); /* nothing had to be done */
    }
    *ret = NULL;
    rc = progress_follow(c, w->env, w->plan, err);
    return rc ? rc : get_environment(c, w, ret, err);
}

/* --- asking -------------------------------------------------------------------------------------- */

/* Looks come and go: each has the memory of the one before. */
static int watch_end(struct cli *c, struct watched *w, struct value **ret, struct err *err)
{
    AUTO_ARENA struct arena scratch;
    struct value *end = NULL;
    int rc;

    PRE(c->client); /* it and the configuration live longer */
    arena_init(&scratch, 0);
    c->arena = &scratch;
    (void)signal(SIGINT, on_interrupt);
    rc = w->in->until == WATCH_PLAN ? watch_plan(c, w, &end, err) : watch_settled(c, w, &end, err);
    (void)signal(SIGINT, SIG_DFL);
    c->arena = w->own;
    *ret = end ? value_copy(w->own, end) : NULL;
    return rc;
}

int watch_ask(struct cli *c, const struct watch_ask *in, struct value **ret, struct err *err)
{
    struct watched w = { .in = in, .own = c->arena, .env = in->env, .asked_ms = sys_mono_ms() };
    struct value *answer;
    int rc = in->until == WATCH_PLAN && w.env.n && !c->args.no_wait ? last_seq(c, &w, err) : 0;

    *ret = NULL;
    if (!rc)
        rc = watch_post(c, in->path, in->body, &answer, err);
    if (rc)
        return rc;
    w.plan = cli_text(answer, "plan"); /* of an approval */
    w.rounds = value_get(answer, S("rounds"));
    if (!w.env.n)
        w.env = cli_text(answer, "environment");
    if (!c->args.no_wait)
        return watch_end(c, &w, ret, err);
    *ret = answer;
    return 0;
}
