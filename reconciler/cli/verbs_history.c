/* What happened, and what was. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/cli/args_time.h"
#include "reconciler/cli/verbs.h"

#define EVENTS_DEFAULT 50

/* --- history ------------------------------------------------------------------------------------- */

static void write_events(struct cli *c, const struct value *events)
{
    static const char *const heads[] = { "seq", "time", "actor", "what", "subject", "why" };
    struct sb b;
    struct render r = cli_render(c, &b);
    struct render_table t;

    render_table_init(&t, c->arena, heads, N_ELEMENTS(heads));
    for (size_t i = value_count(events); i-- > 0;) { /* newest last, as one reads */
        const struct value *e = value_item(events, i);

        render_cell(&t, TONE_DIM,
                    str_fmt(c->arena, "%lld", (long long)value_get_int(e, S("seq"), 0)));
        render_cell(&t, TONE_DIM, render_time(c->arena, value_get_int(e, S("time_ms"), 0)));
        render_cell(&t, TONE_PLAIN, cli_text(e, "actor"));
        render_cell(&t, TONE_PLAIN, cli_text(e, "kind"));
        render_cell(&t, TONE_PLAIN,
                    cli_text(e, "subject").n ? cli_text(e, "subject") : cli_text(e, "environment"));
        render_cell(&t, TONE_DIM, cli_text(e, "why").n ? cli_text(e, "why") : cli_text(e, "cause"));
    }
    render_table_write(&r, &t, "");
    cli_write(c, &b);
}

static void add_decisions(struct sb *b, const struct value *decisions)
{
    for (size_t i = 0; i < value_count(decisions); i++) {
        const struct value *d = value_item(decisions, i);

        sb_addf(b, "  %.*s by %.*s: \"%.*s\"\n",
                STR_ARG(render_safe(b->arena, cli_text(d, "verdict"))),
                STR_ARG(render_safe(b->arena, cli_text(d, "actor"))),
                STR_ARG(render_safe(b->arena, cli_text(d, "reason"))));
    }
}

/* What stood then, and by whom. */
static void add_instant(struct sb *b, const struct value *state)
{
    const struct value *plan = value_get(state, S("plan")),
                       *revision = value_get(state, S("revision")),
                       *commit = value_item(value_get(revision, S("commits")), 0);

    sb_addf(b, "%.*s (event %lld)\n",
            STR_ARG(render_time(b->arena, value_get_int(state, S("at_ms"), 0))),
            (long long)value_get_int(state, S("seq"), 0));
    if (plan)
        sb_addf(b, "  revision %lld, commit %.*s \"%.*s\"\n  by plan %.*s (%.*s), started %.*s\n",
                (long long)value_get_int(revision, S("revision"), 0),
                STR_ARG(render_safe(b->arena, render_short(cli_text(commit, "commit")))),
                STR_ARG(render_safe(b->arena, cli_text(commit, "summary"))),
                STR_ARG(render_safe(b->arena, render_short(cli_text(plan, "id")))),
                STR_ARG(render_safe(b->arena, cli_text(plan, "cause"))),
                STR_ARG(render_time(b->arena, value_get_int(plan, S("started_ms"), 0))));
    add_decisions(b, value_get(plan, S("decisions")));
}

static void write_state_at(struct cli *c, const struct value *state)
{
    const struct value *list = value_get(state, S("resources"));
    struct sb b;
    struct render r = cli_render(c, &b);
    struct render_table t;

    sb_addf(&b, "%.*s at ", STR_ARG(render_safe(c->arena, cli_text(state, "environment"))));
    add_instant(&b, state);
    sb_add_c(&b, value_count(list) ? "\n" : "  there was nothing of it yet\n");
    if (value_get(state, S("begins_ms")))
        sb_addf(&b, "  the history begins at %.*s\n",
                STR_ARG(render_time(c->arena, value_get_int(state, S("begins_ms"), 0))));
    render_table_init(&t, c->arena, NULL, 4);
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *one = value_item(list, i);

        render_cell(&t, TONE_PLAIN, cli_text(one, "name"));
        render_cell(&t, render_state_tone(cli_text(one, "status")), cli_text(one, "status"));
        render_cell(&t, TONE_DIM, render_short(cli_text(one, "digest")));
        render_cell(&t, TONE_DIM, cli_text(one, "provider_id"));
    }
    render_table_write(&r, &t, "  ");
    cli_write(c, &b);
}

static int history_at(struct cli *c, struct str env, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    int64_t at_ms;
    int rc = env.p ? args_time(c->args.at, -1, sys_wall_ms(), &at_ms, err)
                   : err_set(err, ERR_USAGE, "--at needs an environment");

    if (rc)
        return rc;
    cli_query_number(c, query, "at_ms", at_ms);
    rc = cli_get(c, cli_path(c, "environments", env, "/history"), query, &answer, err);
    if (!rc && !cli_wrote_json(c, answer))
        write_state_at(c, answer);
    return rc;
}

/* --- between two --------------------------------------------------------------------------------- */

static struct str brief(struct cli *c, const struct value *thing)
{
    return thing ? str_fmt(c->arena, "%.*s %.*s", STR_ARG(cli_text(thing, "status")),
                           STR_ARG(render_short(cli_text(thing, "digest"))))
                 : S("-");
}

static void add_plans(struct sb *b, const struct value *plans)
{
    for (size_t i = 0; i < value_count(plans); i++) {
        const struct value *plan = value_item(plans, i);

        sb_addf(b, "plan %.*s (%.*s) by %.*s, started %.*s: %.*s\n",
                STR_ARG(render_safe(b->arena, render_short(cli_text(plan, "id")))),
                STR_ARG(render_safe(b->arena, cli_text(plan, "cause"))),
                STR_ARG(render_safe(b->arena, cli_text(plan, "actor"))),
                STR_ARG(render_time(b->arena, value_get_int(plan, S("started_ms"), 0))),
                STR_ARG(render_safe(b->arena, cli_text(plan, "state"))));
        add_decisions(b, value_get(plan, S("decisions")));
    }
}

static void write_changes(struct cli *c, const struct value *answer)
{
    static const char *const heads[] = { "thing", "was", "is" };
    const struct value *list = value_get(answer, S("resources")),
                       *plans = value_get(answer, S("plans"));
    struct sb b;
    struct render r = cli_render(c, &b);
    struct render_table t;

    sb_addf(&b, "%.*s from ", STR_ARG(render_safe(c->arena, cli_text(answer, "environment"))));
    add_instant(&b, value_get(answer, S("from")));
    sb_add_c(&b, "to ");
    add_instant(&b, value_get(answer, S("to")));
    sb_add_c(&b, value_count(list) || value_count(plans) ? "\n" : "nothing differs\n");
    add_plans(&b, plans);
    render_table_init(&t, c->arena, heads, N_ELEMENTS(heads));
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *one = value_item(list, i);

        render_cell(&t, TONE_PLAIN, cli_text(one, "name"));
        render_cell(&t, TONE_DIM, brief(c, value_get(one, S("was"))));
        render_cell(&t, TONE_PLAIN, brief(c, value_get(one, S("is"))));
    }
    if (value_count(list))
        render_table_write(&r, &t, "");
    cli_write(c, &b);
    if (value_get(answer, S("specs")))
        cli_show_difference(c, value_get(answer, S("specs")));
}

static int history_diff(struct cli *c, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    struct str env = cli_arg(c, 0);
    int rc = env.p && c->args.from.p
                 ? 0
                 : err_set(err, ERR_USAGE,
                           "usage: reeve history ENV --diff --from TIME [--to TIME]");

    if (rc || cli_query_time(c, query, "from_ms", c->args.from, err) ||
        cli_query_time(c, query, "to_ms", c->args.to, err))
        return err->code;
    rc = cli_get(c, cli_path(c, "environments", env, "/changes"), query, &answer, err);
    if (!rc && !cli_wrote_json(c, answer))
        write_changes(c, answer);
    return rc;
}

/* --- events -------------------------------------------------------------------------------------- */

/* The newest `limit` events, as many pages as that takes, newest first. */
static int get_events(struct cli *c, struct value *query, int64_t limit, struct value **ret,
                      struct err *err)
{
    struct value *all = value_list(c->arena), *answer;
    const struct value *page;
    int more, rc;

    do {
        cli_query_number(c, query, "limit", limit - (int64_t)value_count(all));
        rc = cli_get(c, S("/api/v1/history"), query, &answer, err);
        if (rc)
            return rc;
        page = value_get(answer, S("events"));
        for (size_t i = 0; i < value_count(page); i++)
            value_add(c->arena, all, value_copy(c->arena, value_item(page, i)));
        more = value_get_bool(answer, S("more"), 0) && value_count(page);
        cli_query_number(c, query, "before", value_get_int(answer, S("last"), 0));
    } while (more && (int64_t)value_count(all) < limit);
    value_set(c->arena, answer, S("events"), all);
    *ret = answer;
    return arena_status(c->arena, err);
}

static int ask_events(struct cli *c, struct value *query, struct err *err)
{
    const struct {
        const char *key;
        struct str text;
    } texts[] = { { "actor", c->args.actor },
                  { "plan", c->args.plan },
                  { "commit", c->args.commit } };
    struct str env = cli_arg(c, 0);
    size_t slash = str_find_char(env, '/');

    if (c->args.since.p && c->args.from.p)
        return err_set(err, ERR_USAGE, "--since and --from are the same");
    if (env.p)
        value_set_text(c->arena, query, S("env"), str_slice(env, 0, slash));
    if (slash != STR_NPOS)
        value_set_text(c->arena, query, S("resource"), str_slice(env, slash + 1, env.n));
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        if (texts[i].text.p)
            value_set_text(c->arena, query, str_from_c(texts[i].key), texts[i].text);
    value_set_text(c->arena, query, S("newest"), S("1"));
    if (c->args.output == OUTPUT_TEXT)
        value_set_text(c->arena, query, S("bodies"), S("0"));
    return cli_query_time(c, query, "from_ms", c->args.since.p ? c->args.since : c->args.from, err)
               ? err->code
               : cli_query_time(c, query, "to_ms", c->args.to, err);
}

int verb_history(struct cli *c, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    int64_t limit = c->args.limit ? c->args.limit : EVENTS_DEFAULT;
    int rc;

    if (c->args.diff)
        return history_diff(c, err);
    if (c->args.at.p)
        return history_at(c, cli_arg(c, 0), err);
    rc = ask_events(c, query, err);
    if (!rc)
        rc = get_events(c, query, limit, &answer, err);
    if (rc || cli_wrote_json(c, answer))
        return rc;
    write_events(c, value_get(answer, S("events")));
    if (value_get(answer, S("kept_since_ms")))
        cli_note(c, "what events before %.*s wrote was removed: they are not found by it",
                 STR_ARG(render_time(c->arena, value_get_int(answer, S("kept_since_ms"), 0))));
    if (value_get_bool(answer, S("more"), 0))
        cli_note(c, "these are the newest %lld; --limit N shows more", (long long)limit);
    return 0;
}
