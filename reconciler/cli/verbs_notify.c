/* Who is told. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/cli/verbs.h"

/* "" or none: the daemon's. */
static struct str path_of(struct cli *c, struct str env, const char *rest)
{
    return env.n ? cli_path(c, "environments", env, str_fmt(c->arena, "/notifications%s", rest).p)
                 : str_fmt(c->arena, "/api/v1/notifications%s", rest);
}

/* --- list ---------------------------------------------------------------------------------------- */

/* Why the oldest that waits does so. */
static struct str waiting_text(struct cli *c, const struct value *one, int64_t now_ms)
{
    int64_t n = value_get_int(one, S("waiting"), 0);
    int64_t attempts = value_get_int(one, S("attempts"), 0);
    int64_t next_ms = value_get_int(one, S("next_ms"), 0);
    struct sb b;

    sb_init(&b, c->arena);
    if (!n)
        return S("nothing waits");
    sb_addf(&b, "%lld wait%s since %.*s", (long long)n, n == 1 ? "s" : "",
            STR_ARG(render_ago(c->arena, now_ms, value_get_int(one, S("since_ms"), now_ms))));
    if (attempts)
        sb_addf(&b, ", tried %lld time%s: %.*s", (long long)attempts, attempts == 1 ? "" : "s",
                STR_ARG(cli_text(one, "error")));
    if (next_ms > now_ms)
        sb_addf(&b, "; again %.*s", STR_ARG(render_ago(c->arena, now_ms, next_ms)));
    return sb_str(&b);
}

static struct str given_up_text(struct cli *c, const struct value *one, int64_t now_ms)
{
    int64_t n = value_get_int(one, S("given_up"), 0);

    return n ? str_fmt(c->arena, "%lld given up, the last one %.*s: %.*s", (long long)n,
                       STR_ARG(render_ago(c->arena, now_ms,
                                          value_get_int(one, S("given_up_ms"), now_ms))),
                       STR_ARG(cli_text(one, "given_up_error")))
             : S("");
}

static void write_list(struct cli *c, const struct value *recipients)
{
    static const char *const heads[] = { "name", "told", "waiting", "given up", "hears" };
    int64_t now_ms = sys_wall_ms();
    struct sb b;
    struct render r = cli_render(c, &b);
    struct render_table t;

    render_table_init(&t, c->arena, heads, N_ELEMENTS(heads));
    for (size_t i = 0; i < value_count(recipients); i++) {
        const struct value *one = value_item(recipients, i);
        enum render_tone tone = value_get_int(one, S("attempts"), 0) ? TONE_BAD : TONE_DIM;

        render_cell(&t, TONE_PLAIN, cli_text(one, "name"));
        render_cell(&t, TONE_DIM, cli_ago(c, value_get_int(one, S("told_ms"), 0)));
        render_cell(&t, tone, waiting_text(c, one, now_ms));
        render_cell(&t, TONE_BAD, given_up_text(c, one, now_ms));
        render_cell(&t, TONE_DIM, cli_joined(c, value_get(one, S("on")), " "));
    }
    render_table_write(&r, &t, "");
    cli_write(c, &b);
}

static int notify_list(struct cli *c, struct err *err)
{
    struct str env = cli_arg(c, 1);
    struct value *answer;
    int rc = cli_get(c, path_of(c, env, ""), NULL, &answer, err);

    if (rc || cli_wrote_json(c, answer))
        return rc;
    if (!value_count(value_get(answer, S("recipients"))))
        cli_note(c, "nobody is told: 'notifications' names nobody");
    else
        write_list(c, value_get(answer, S("recipients")));
    return 0;
}

/* --- test ---------------------------------------------------------------------------------------- */

static int is_recipient(struct str word)
{
    return str_find_char(word, ':') != STR_NPOS;
}

static int write_answers(struct cli *c, const struct value *recipients)
{
    struct sb b;
    struct render r = cli_render(c, &b);
    int n_failed = 0;

    for (size_t i = 0; i < value_count(recipients); i++) {
        const struct value *one = value_item(recipients, i);
        struct str state = cli_text(one, "state"), message = cli_text(one, "message");
        int is_failed = str_eq_c(state, "failed");

        n_failed += is_failed;
        render_text(&r,
                    is_failed                  ? TONE_BAD
                    : str_eq_c(state, "taken") ? TONE_GOOD
                                               : TONE_DIM,
                    render_safe(c->arena, state));
        sb_add_c(&b, "  ");
        render_foreign(&b, cli_text(one, "name"));
        if (message.n)
            sb_add_c(&b, ": ");
        render_foreign(&b, message);
        sb_add_char(&b, '\n');
    }
    cli_write(c, &b);
    return n_failed;
}

static int n_failed_of(const struct value *recipients)
{
    int n = 0;

    for (size_t i = 0; i < value_count(recipients); i++)
        n += str_eq_c(cli_text(value_item(recipients, i), "state"), "failed");
    return n;
}

static int notify_test(struct cli *c, struct err *err)
{
    struct str env = cli_arg(c, 1), to = cli_arg(c, 2);
    struct value *body = value_map(c->arena), *answer;
    int n_failed;

    if (!to.p && env.p && is_recipient(env)) {
        to = env;
        env = STR_NONE;
    }
    if (to.p)
        value_set_text(c->arena, body, S("to"), to);
    if (c->args.reason.p)
        value_set_text(c->arena, body, S("reason"), c->args.reason);
    if (c->args.break_glass)
        value_set(c->arena, body, S("break_glass"), value_bool(c->arena, 1));
    if (cli_post(c, path_of(c, env, "/test"), body, &answer, err))
        return err->code;
    n_failed = cli_wrote_json(c, answer) ? n_failed_of(value_get(answer, S("recipients")))
                                         : write_answers(c, value_get(answer, S("recipients")));
    return n_failed ? err_set(err, ERR_FAILED, "%d of the recipients did not take it", n_failed)
                    : 0;
}

int verb_notify(struct cli *c, struct err *err)
{
    static const struct {
        const char *word;
        cli_verb_fn *run;
    } rows[] = { { "list", notify_list }, { "test", notify_test } };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (str_eq_c(cli_arg(c, 0), rows[i].word))
            return rows[i].run(c, err);
    return err_set(err, ERR_USAGE, "usage: reeve notify list [ENV] | test [ENV] [RECIPIENT]");
}
