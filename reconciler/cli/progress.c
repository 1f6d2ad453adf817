/* Watching a plan: one block that changes on a terminal, lines elsewhere. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/cli/cli.h"

#define WAIT_MS "10000"
#define LINES_MAX 12

struct watch {
    struct cli *c;
    struct str env, plan;
    int64_t after, since_ms;
    size_t n_drawn; /* lines of the block that stands now */
};

/* "create instance/api@0123.1", "ready, 41 s of 3 min" */
static void draw_operation(struct render *r, const struct value *op)
{
    struct arena *a = r->out->arena;
    int64_t since_ms = value_get_int(op, S("since_ms"), 0);
    int64_t length_ms = value_get_int(op, S("length_ms"), 0);
    struct str message = cli_text(op, "message");

    sb_add_c(r->out, "  ");
    render_fmt(r, TONE_BUSY, "%-7.*s ", STR_ARG(render_safe(a, cli_text(op, "action"))));
    sb_add(r->out, render_safe(a, cli_text(op, "kind")));
    sb_add_char(r->out, '/');
    sb_add(r->out, render_safe(a, cli_text(op, "name")));
    if (since_ms && length_ms)
        sb_addf(r->out, "   %.*s of %.*s", STR_ARG(render_length(a, r->now_ms - since_ms)),
                STR_ARG(render_length(a, length_ms)));
    if (value_get_int(op, S("attempt"), 1) > 1)
        sb_addf(r->out, "   attempt %lld", (long long)value_get_int(op, S("attempt"), 1));
    if (message.n) {
        sb_add_c(r->out, "   ");
        render_text(r, TONE_WARN, render_safe(a, str_slice(message, 0, 160)));
    }
    sb_add_char(r->out, '\n');
}

static void draw_head(struct render *r, const struct watch *w, const struct value *progress)
{
    struct str state = cli_text(progress, "state");

    render_fmt(r, TONE_HEAD, "plan %.*s ", STR_ARG(render_short(w->plan)));
    render_text(r, render_state_tone(state), render_safe(r->out->arena, state));
    sb_addf(r->out, "   %lld done   %.*s\n", (long long)value_get_int(progress, S("n_done"), 0),
            STR_ARG(render_length(r->out->arena, sys_mono_ms() - w->since_ms)));
}

static void draw_block(struct watch *w, const struct value *progress)
{
    const struct value *running = value_get(progress, S("running"));
    size_t n = value_count(running);
    struct sb b;
    struct render r = cli_render(w->c, &b);

    if (w->n_drawn)
        sb_addf(&b, "\033[%zuA\033[J", w->n_drawn);
    sb_add_c(&b, "\033[?7l"); /* a line that is too long is cut, so that it stays one */
    draw_head(&r, w, progress);
    for (size_t i = 0; i < n && i < LINES_MAX; i++)
        draw_operation(&r, value_item(running, i));
    if (n > LINES_MAX)
        sb_addf(&b, "  and %zu more\n", n - LINES_MAX);
    sb_add_c(&b, "\033[?7h");
    w->n_drawn = 1 + (n <= LINES_MAX ? n : LINES_MAX + 1);
    cli_write(w->c, &b);
}

/* What was only begun is said when it is done. */
static int is_shown(struct str kind)
{
    static const char *const small[] = { "operation.intent", "operation.identified",
                                         "operation.pending", "operation.settled" };

    for (size_t i = 0; i < N_ELEMENTS(small); i++)
        if (str_eq_c(kind, small[i]))
            return 0;
    return 1;
}

static void write_lines(struct watch *w, const struct value *progress)
{
    const struct value *events = value_get(progress, S("events"));
    struct sb b;

    sb_init(&b, w->c->arena);
    for (size_t i = 0; i < value_count(events); i++) {
        const struct value *e = value_item(events, i);

        if (!is_shown(cli_text(e, "kind")))
            continue;
        sb_add(&b, render_time(b.arena, value_get_int(e, S("time_ms"), 0)));
        sb_add_c(&b, "  ");
        render_foreign(&b, cli_text(e, "kind"));
        sb_add_c(&b, "  ");
        render_foreign(&b, cli_text(e, "subject"));
        sb_add_char(&b, '\n');
    }
    cli_write(w->c, &b);
}

static void show(struct watch *w, const struct value *progress)
{
    if (w->c->args.quiet || w->c->args.output == OUTPUT_JSON)
        return;
    if (w->c->can_draw)
        draw_block(w, progress);
    else
        write_lines(w, progress);
    (void)fflush(w->c->out); /* main asks the stream at the end */
}

static int is_going(struct str state)
{
    return str_eq_c(state, "open") || str_eq_c(state, "approved") || str_eq_c(state, "applying");
}

/* How it ended, as a result of the verb. */
static int judge(const struct watch *w, const struct value *progress, struct err *err)
{
    static const struct {
        const char *state;
        int code;
        const char *words, *look;
    } rows[] = {
        { "applied", 0, "", "" },
        { "waiting", ERR_WAITING, "is waiting", "plan" },
        { "superseded", ERR_STALE, "is superseded", "plan" },
        { "rejected", ERR_REFUSED, "was rejected", "explain" },
        { "cancelled", ERR_CANCELLED, "was cancelled", "explain" },
        { "reverted", ERR_FAILED, "was reverted", "explain" },
        { "failed", ERR_FAILED, "failed", "explain" },
    };
    struct str state = cli_text(progress, "state"), reason = cli_text(progress, "reason");

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (str_eq_c(state, rows[i].state))
            return !rows[i].code ? 0
                                 : err_set(err, rows[i].code, "plan %.*s %s%s%.*s (reeve %s %.*s)",
                                           STR_ARG(render_short(w->plan)), rows[i].words,
                                           reason.n ? ": " : "", STR_ARG(reason), rows[i].look,
                                           STR_ARG(w->env));
    return err_set(err, ERR_FAILED, "plan %.*s is '%.*s'", STR_ARG(render_short(w->plan)),
                   STR_ARG(state));
}

static int look(struct watch *w, struct value **ret, struct err *err)
{
    struct cli *c = w->c;
    struct value *query = value_map(c->arena);

    value_set_text(c->arena, query, S("after"), str_fmt(c->arena, "%lld", (long long)w->after));
    value_set_text(c->arena, query, S("wait_ms"), c->can_draw ? S("500") : S(WAIT_MS));
    return cli_get(c, cli_path(c, "plans", w->plan, "/progress"), query, ret, err);
}

int progress_follow(struct cli *c, struct str env, struct str plan, struct err *err)
{
    struct watch w = { .c = c, .env = env, .plan = plan, .since_ms = sys_mono_ms() };
    struct value *progress;

    for (;;) {
        int rc;

        arena_reset(c->arena);
        rc = look(&w, &progress, err);
        if (rc)
            return rc;
        w.after = value_get_int(progress, S("seq"), w.after);
        show(&w, progress);
        if (!is_going(cli_text(progress, "state")))
            return judge(&w, progress, err);
        if (value_get(progress, S("waits")))
            return err_set(err, ERR_WAITING, "plan %.*s waits: %.*s", STR_ARG(render_short(plan)),
                           STR_ARG(cli_text(progress, "waits")));
        if (c->args.timeout_ms && sys_mono_ms() - w.since_ms > c->args.timeout_ms)
            return err_set(err, ERR_TIMEOUT, "plan %.*s is still %.*s; it goes on",
                           STR_ARG(render_short(plan)), STR_ARG(cli_text(progress, "state")));
    }
}
