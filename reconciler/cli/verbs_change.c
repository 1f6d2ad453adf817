/* Commands. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/sys.h"
#include "reconciler/cli/args_time.h"
#include "reconciler/cli/sign.h"
#include "reconciler/cli/verbs.h"
#include "reconciler/cli/watch.h"
#include "reconciler/engine/view.h"

static struct value *reason_body(struct cli *c)
{
    struct value *body = value_map(c->arena);

    if (c->args.reason.p)
        value_set_text(c->arena, body, S("reason"), c->args.reason);
    if (c->args.break_glass)
        value_set(c->arena, body, S("break_glass"), value_bool(c->arena, 1));
    return body;
}

static int post_and_say(struct cli *c, struct str path, const struct value *body, struct err *err)
{
    struct value *answer;
    int rc = watch_post(c, path, body, &answer, err);
    struct sb b;

    if (rc || cli_wrote_json(c, answer))
        return rc;
    sb_init(&b, c->arena);
    render_foreign(&b, cli_text(answer, "environment"));
    sb_add_c(&b, " is ");
    render_foreign(&b, cli_text(answer, "state"));
    sb_add_char(&b, '\n');
    cli_write(c, &b);
    return 0;
}

static void say_end(struct cli *c, const struct value *env)
{
    struct str sync = cli_text(env, "sync");
    struct sb b;

    sb_init(&b, c->arena);
    render_foreign(&b, cli_text(env, "name"));
    sb_add_c(&b, " is ");
    render_foreign(&b, str_eq_c(sync, "in_sync") ? S("in sync") : sync);
    sb_addf(&b, ", revision %lld\n", (long long)value_get_int(env, S("revision"), 0));
    cli_write(c, &b);
}

/* In text the note has said what was begun. */
static int ask_and_say(struct cli *c, const struct watch_ask *in, struct err *err)
{
    struct value *end;
    int rc = watch_ask(c, in, &end, err);

    if (end && !cli_wrote_json(c, end) && !rc && !c->args.no_wait)
        say_end(c, end);
    return rc;
}

/* --- verbs --------------------------------------------------------------------------------------- */

static struct watch_ask ask_apply(struct cli *c, struct str env)
{
    return (struct watch_ask){ .env = env,
                               .path = cli_path(c, "environments", env, "/reconcile"),
                               .until = WATCH_SETTLED };
}

/* One after the other; what fails does not keep the next one waiting. */
static int apply_all(struct cli *c, struct err *err)
{
    struct value *status, *ends = value_list(c->arena), *end;
    const struct value *envs;
    size_t n_bad = 0;
    int rc = cli_get(c, S("/api/v1/status"), NULL, &status, err), worst = 0;

    if (rc)
        return rc;
    envs = value_get(status, S("environments"));
    for (size_t i = 0; i < value_count(envs); i++) {
        struct watch_ask in = ask_apply(c, cli_text(value_item(envs, i), "name"));
        struct err one = ERR_INIT;

        rc = watch_ask(c, &in, &end, &one);
        if (end)
            value_add(c->arena, ends, end);
        if (end && !rc && !c->args.no_wait && c->args.output == OUTPUT_TEXT)
            say_end(c, end);
        if (!rc)
            continue;
        cli_report(c, &one);
        n_bad++;
        worst = worst && rc == ERR_WAITING ? worst : rc;
    }
    (void)cli_wrote_json(c, ends);
    return n_bad ? err_set(err, worst, "%zu of %zu environments are not in sync", n_bad,
                           value_count(envs))
                 : 0;
}

/* Approvals and what goes against the spec are explained for those who come later. */
static int need_reason(const struct cli *c, struct err *err)
{
    if (c->args.reason.n)
        return 0;
    return err_set(err, ERR_USAGE, "say why: --reason TEXT");
}

#define SIGNATURE_MAX 16384

/* The daemon reads the bundle by itself; a signature is short. */
static int apply_bundle(struct cli *c, struct err *err)
{
    struct str source = cli_arg(c, 0), signature;
    char *path = source.p ? realpath(c->args.bundle, NULL) : NULL;
    struct value *body = reason_body(c), *answer;
    struct sb b;
    int rc = 0;

    if (!source.p)
        return err_set(err, ERR_USAGE, "which source? reeve apply SOURCE --bundle FILE");
    if (!path)
        return err_sys(err, "find '%s'", c->args.bundle);
    value_set_text(c->arena, body, S("bundle"), str_copy(c->arena, str_from_c(path)));
    free(path); /* realpath's */
    rc = sys_read_file(c->arena, str_fmt(c->arena, "%s.sig", c->args.bundle).p, SIGNATURE_MAX,
                       &signature, err);
    if (rc)
        return err_wrap(err, "the signature of the bundle");
    value_set_text(c->arena, body, S("signature"), signature);
    rc = watch_post(c, cli_path(c, "sources", source, "/bundle"), body, &answer, err);
    if (rc || cli_wrote_json(c, answer))
        return rc;
    sb_init(&b, c->arena);
    render_foreign(&b, cli_text(answer, "message"));
    sb_add_char(&b, '\n');
    cli_write(c, &b);
    return 0;
}

int verb_apply(struct cli *c, struct err *err)
{
    struct str env = cli_arg(c, 0);
    struct watch_ask in;

    if (c->args.bundle)
        return need_reason(c, err) ? err->code : apply_bundle(c, err);

    if (c->args.all)
        return env.p ? err_set(err, ERR_USAGE, "reeve apply ENV or --all, not both")
                     : apply_all(c, err);
    if (!env.p)
        return err_set(err, ERR_USAGE, "which environment? reeve apply ENV, or --all");
    in = ask_apply(c, env);
    return ask_and_say(c, &in, err);
}

/* An id, not a name: what was read is what is decided. */
static int need_plan_id(const struct cli *c, struct err *err)
{
    struct str word = cli_arg(c, 0);

    if (cli_is_plan_id(word))
        return need_reason(c, err);
    return err_set(err, ERR_USAGE, "'%.*s' is not a plan's id of %d or more hex digits: reeve plan",
                   STR_ARG(word), VIEW_PREFIX_MIN);
}

/* What is signed is the whole id. */
static int sign_approval(struct cli *c, struct str *id, struct value *body, struct err *err)
{
    struct str signature;
    struct value *plan;
    int rc = cli_get(c, cli_path(c, "plans", *id, ""), NULL, &plan, err);

    if (!rc) {
        *id = cli_text(plan, "id");
        rc = sign_text(c->arena, c->args.sign, *id, &signature, err);
    }
    if (!rc)
        value_set_text(c->arena, body, S("signature"), signature);
    return rc;
}

/* It was of something else: what came instead, and in what that differs. */
static void show_what_came(struct cli *c, struct str id)
{
    struct err unused = ERR_INIT; /* the refusal itself is said in any case */
    struct value *plan;

    if (cli_get(c, cli_path(c, "plans", id, ""), NULL, &plan, &unused) ||
        !value_get(plan, S("difference")) || cli_wrote_json(c, plan))
        return;
    cli_note(c, "plan %.*s is not what would run now:", STR_ARG(render_short(id)));
    cli_show_difference(c, value_get(plan, S("difference")));
}

int verb_approve(struct cli *c, struct err *err)
{
    struct str id = cli_arg(c, 0);
    struct watch_ask in = { .env = S("") };
    struct value *body = reason_body(c);
    int rc = need_plan_id(c, err);

    if (!rc && c->args.sign && c->args.override)
        rc = err_set(err, ERR_USAGE, "an override is not signed: --sign or --override");
    if (!rc && c->args.sign)
        rc = sign_approval(c, &id, body, err);
    in.path = cli_path(c, "plans", id, c->args.override ? "/override" : "/approve");
    in.body = body;
    if (!rc)
        rc = ask_and_say(c, &in, err);
    if (rc == ERR_STALE)
        show_what_came(c, id);
    return rc;
}

int verb_reject(struct cli *c, struct err *err)
{
    struct str path = cli_path(c, "plans", cli_arg(c, 0), "/reject");
    int rc = need_plan_id(c, err);

    return rc ? rc : post_and_say(c, path, reason_body(c), err);
}

/* Also while the environment is held. */
static struct value *back_body(struct cli *c)
{
    struct value *body = reason_body(c);

    if (c->args.override)
        value_set(c->arena, body, S("override"), value_bool(c->arena, 1));
    return body;
}

int verb_undo(struct cli *c, struct err *err)
{
    const struct watch_ask in = { .env = cli_arg(c, 0),
                                  .path = cli_path(c, "environments", cli_arg(c, 0), "/undo"),
                                  .body = back_body(c) };
    int rc = need_reason(c, err);

    return rc ? rc : ask_and_say(c, &in, err);
}

int verb_rollback(struct cli *c, struct err *err)
{
    struct str env = cli_arg(c, 0);
    struct value *body = back_body(c);
    int64_t revision;

    if (str_to_i64(cli_arg(c, 1), &revision) || revision < 1)
        return err_set(err, ERR_USAGE, "'%.*s' is not a revision: reeve status %.*s lists them",
                       STR_ARG(cli_arg(c, 1)), STR_ARG(env));
    if (need_reason(c, err))
        return err->code;
    value_set_int(c->arena, body, S("revision"), revision);
    return ask_and_say(c,
                       &(struct watch_ask){ .env = env,
                                            .path = cli_path(c, "environments", env, "/rollback"),
                                            .body = body },
                       err);
}

int verb_cancel(struct cli *c, struct err *err)
{
    int rc = need_reason(c, err);

    return rc ? rc
              : post_and_say(c, cli_path(c, "environments", cli_arg(c, 0), "/cancel"),
                             reason_body(c), err);
}

int verb_advance(struct cli *c, struct err *err)
{
    struct value *body = reason_body(c);

    if (cli_arg(c, 1).n)
        value_set_text(c->arena, body, S("service"), cli_arg(c, 1));
    return post_and_say(c, cli_path(c, "environments", cli_arg(c, 0), "/advance"), body, err);
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
    return rc ? rc
              : post_and_say(c, cli_path(c, "environments", cli_arg(c, 0), "/hold"), body, err);
}

/* Of all environments, so none is named. */
static int resume_clock(struct cli *c, struct err *err)
{
    struct value *answer;
    int rc = watch_post(c, S("/api/v1/clock/resume"), reason_body(c), &answer, err);
    struct sb b;

    if (rc || cli_wrote_json(c, answer))
        return rc;
    sb_init(&b, c->arena);
    sb_add_c(&b, "the clock is believed\n");
    cli_write(c, &b);
    return 0;
}

int verb_resume(struct cli *c, struct err *err)
{
    if (c->args.clock == !!cli_arg(c, 0).p)
        return err_set(err, ERR_USAGE, "which environment? reeve resume ENV, or --clock");
    if (c->args.clock)
        return resume_clock(c, err);
    return post_and_say(c, cli_path(c, "environments", cli_arg(c, 0), "/resume"), reason_body(c),
                        err);
}

int verb_retry(struct cli *c, struct err *err)
{
    return post_and_say(c, cli_path(c, "environments", cli_arg(c, 0), "/retry"), reason_body(c),
                        err);
}

int verb_rebind(struct cli *c, struct err *err)
{
    struct value *body = reason_body(c);
    int rc = need_reason(c, err);

    value_set_text(c->arena, body, S("source"), cli_arg(c, 1));
    value_set_text(c->arena, body, S("branch"), cli_arg(c, 2));
    return rc ? rc
              : post_and_say(c, cli_path(c, "environments", cli_arg(c, 0), "/rebind"), body, err);
}

int verb_adopt(struct cli *c, struct err *err)
{
    struct value *body = reason_body(c);
    int rc = need_reason(c, err);

    value_set_text(c->arena, body, S("resource"), cli_arg(c, 1));
    value_set_text(c->arena, body, S("id"), cli_arg(c, 2));
    return rc ? rc
              : post_and_say(c, cli_path(c, "environments", cli_arg(c, 0), "/adopt"), body, err);
}

int verb_forget(struct cli *c, struct err *err)
{
    struct value *body = reason_body(c);
    int rc = need_reason(c, err);

    value_set_text(c->arena, body, S("resource"), cli_arg(c, 1));
    return rc ? rc
              : post_and_say(c, cli_path(c, "environments", cli_arg(c, 0), "/forget"), body, err);
}

int verb_settle(struct cli *c, struct err *err)
{
    struct value *body = reason_body(c);

    if (!str_eq_c(c->args.as, "done") && !str_eq_c(c->args.as, "failed") &&
        !str_eq_c(c->args.as, "retry"))
        return err_set(err, ERR_USAGE, "say how it ended: --as done, failed or retry");
    value_set_text(c->arena, body, S("as"), c->args.as);
    return post_and_say(c, cli_path(c, "operations", cli_arg(c, 0), "/settle"), body, err);
}
