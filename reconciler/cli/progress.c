/* Watching a plan: one block that changes on a terminal, lines elsewhere. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/cli/cli.h"

#define WAIT_MS "10000"
#define LINES_MAX 12

struct watch {
    struct cli *c;
    struct str plan;
    int64_t after, since_ms;
    size_t n_drawn; /* lines of the block that stands now */
};

static struct str text_of(const struct value *map, const char *key)
{
    return value_get_text(map, str_from_c(key), S(""));
}

/* "create instance/api@0123.1", "ready, 41 s of 3 min" */
static void draw_operation(struct render *r, const struct value *op)
{
    struct arena *a = r->out->arena;
    int64_t since_ms = value_get_int(op, S("since_ms"), 0);
    int64_t length_ms = value_get_int(op, S("length_ms"), 0);
    struct str message = text_of(op, "message");

    sb_add_c(r->out, "  ");
    render_fmt(r, TONE_BUSY, "%-7.*s ", STR_ARG(render_safe(a, text_of(op, "action"))));
    sb_add(r->out, render_safe(a, text_of(op, "kind")));
    sb_add_char(r->out, '/');
    sb_add(r->out, render_safe(a, text_of(op, "name")));
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
    struct str state = text_of(progress, "state");

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
    draw_head(&r, w, progress);
    for (size_t i = 0; i < n && i < LINES_MAX; i++)
        draw_operation(&r, value_item(running, i));
    if (n > LINES_MAX)
        sb_addf(&b, "  and %zu more\n", n - LINES_MAX);
    w->n_drawn = 1 + (n < LINES_MAX ? n : LINES_MAX + 1);
    cli_write(w->c, &b);
}

static void write_lines(struct watch *w, const struct value *progress)
{
    const struct value *events = value_get(progress, S("events"));
    struct sb b;

    sb_init(&b, w->c->arena);
    for (size_t i = 0; i < value_count(events); i++) {
        const struct value *e = value_item(events, i);

        sb_add(&b, render_time(b.arena, value_get_int(e, S("time_ms"), 0)));
        sb_add_c(&b, "  ");
        render_foreign(&b, text_of(e, "kind"));
        sb_add_c(&b, "  ");
        render_foreign(&b, text_of(e, "subject"));
        sb_add_char(&b, '\n');
    }
    cli_write(w->c, &b);
}

static void show(struct watch *w, const struct value *progress)
{
    if (w->c->args.quiet || w->c->args.output == OUTPUT_JSON)
        return;
    if (w->c->out_is_terminal)
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
    } rows[] = {
        { "applied", 0 },
        { "waiting", ERR_WAITING },
        { "superseded", ERR_STALE },
        { "rejected", ERR_REFUSED },
        { "cancelled", ERR_CANCELLED },
    };
    struct str state = text_of(progress, "state"), reason = text_of(progress, "reason");

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (str_eq_c(state, rows[i].state) && !rows[i].code)
            return 0;
        else if (str_eq_c(state, rows[i].state))
            return err_set(err, rows[i].code, "plan %.*s is %.*s%s%.*s",
                           STR_ARG(render_short(w->plan)), STR_ARG(state), reason.n ? ": " : "",
                           STR_ARG(reason));
    return err_set(err, ERR_FAILED, "plan %.*s %.*s%s%.*s", STR_ARG(render_short(w->plan)),
                   STR_ARG(state), reason.n ? ": " : "", STR_ARG(reason));
}

int progress_follow(struct cli *c, struct str plan, struct value **ret, struct err *err)
{
    struct watch w = { .c = c, .plan = plan, .since_ms = sys_mono_ms() };
    struct str path = str_fmt(c->arena, "/api/v1/plans/%.*s/progress", STR_ARG(plan));
    struct value *progress = NULL;

    for (;;) {
        struct value *query = value_map(c->arena);
        int rc;

        value_set_text(c->arena, query, S("after"), str_fmt(c->arena, "%lld", (long long)w.after));
        value_set_text(c->arena, query, S("wait_ms"), c->out_is_terminal ? S("500") : S(WAIT_MS));
        rc = cli_get(c, path, query, &progress, err);
        if (rc)
            return rc;
        w.after = value_get_int(progress, S("seq"), w.after);
        show(&w, progress);
        if (!is_going(text_of(progress, "state")))
            break;
        if (c->args.timeout_s && sys_mono_ms() - w.since_ms > c->args.timeout_s * 1000)
            return err_set(err, ERR_TIMEOUT, "plan %.*s is still %.*s; it goes on",
                           STR_ARG(render_short(plan)), STR_ARG(text_of(progress, "state")));
    }
    *ret = progress;
    return judge(&w, progress, err);
}
