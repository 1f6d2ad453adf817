/* Jobs. SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "base/sys.h"
#include "reconciler/cli/verbs.h"
#include "reconciler/cli/watch.h"

#define LOOK_MS 200

static void pause_ms(int64_t ms)
{
    const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    (void)nanosleep(&t, NULL); /* shorter does not matter */
}

static const struct value *find_run(const struct value *env, struct str job, int64_t at_ms)
{
    const struct value *jobs = value_get(env, S("jobs"));

    for (size_t i = 0; i < value_count(jobs); i++) {
        const struct value *runs = value_get(value_item(jobs, i), S("runs"));

        for (size_t k = 0;
             str_eq(cli_text(value_item(jobs, i), "name"), job) && k < value_count(runs); k++)
            if (value_get_int(value_item(runs, k), S("at_ms"), 0) == at_ms)
                return value_item(runs, k);
    }
    return NULL;
}

static int is_open(const struct value *run)
{
    return str_eq_c(cli_text(run, "state"), "waiting") ||
           str_eq_c(cli_text(run, "state"), "running");
}

/* Until it has ended; the daemon goes on with it when we do not wait any more. */
static int await_run(struct cli *c, struct str env, struct str job, int64_t at_ms,
                     const struct value **ret, struct err *err)
{
    int64_t asked_ms = sys_mono_ms();

    for (;;) {
        struct value *now;
        int rc = cli_get(c, cli_path(c, "environments", env, ""), NULL, &now, err);

        if (rc)
            return rc;
        *ret = find_run(now, job, at_ms);
        if (!*ret)
            return err_set(err, ERR_NOT_FOUND, "the run of job '%.*s' is not known any more",
                           STR_ARG(job));
        if (!is_open(*ret))
            return 0;
        if (c->args.timeout_ms && sys_mono_ms() - asked_ms > c->args.timeout_ms)
            return err_set(err, ERR_TIMEOUT, "job '%.*s' still runs", STR_ARG(job));
        pause_ms(LOOK_MS);
    }
}

static int say_run(struct cli *c, const struct value *run, struct str job, struct err *err)
{
    struct str state = cli_text(run, "state"), message = cli_text(run, "message");
    struct sb b;

    if (!cli_wrote_json(c, run)) {
        sb_init(&b, c->arena);
        render_foreign(&b, message);
        if (message.n)
            sb_add_char(&b, '\n');
        render_foreign(&b, job);
        sb_add_c(&b, " is ");
        render_foreign(&b, state);
        sb_add_char(&b, '\n');
        cli_write(c, &b);
    }
    return str_eq_c(state, "done")
               ? 0
               : err_set(err, ERR_FAILED, "job '%.*s' is %.*s", STR_ARG(job), STR_ARG(state));
}

int verb_run(struct cli *c, struct err *err)
{
    struct str env = cli_arg(c, 0), job = cli_arg(c, 1), message;
    struct value *body = value_map(c->arena), *answer;
    const struct value *run;
    int64_t at_ms;
    int rc;

    value_set_text(c->arena, body, S("job"), job);
    if (c->args.reason.p)
        value_set_text(c->arena, body, S("reason"), c->args.reason);
    if (c->args.break_glass)
        value_set(c->arena, body, S("break_glass"), value_bool(c->arena, 1));
    rc = watch_post(c, cli_path(c, "environments", env, "/run"), body, &answer, err);
    if (rc || c->args.no_wait) {
        if (!rc)
            (void)cli_wrote_json(c, answer);
        return rc;
    }
    message = cli_text(answer, "message");
    if (str_to_i64(str_slice(message, str_find_char(message, '@') + 1, message.n), &at_ms))
        return err_set(err, ERR_FAILED, "the daemon does not say which run it began");
    rc = await_run(c, env, job, at_ms, &run, err);
    return rc ? rc : say_run(c, run, job, err);
}
