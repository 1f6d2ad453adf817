/* What is, what would change, what was. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/cli/offline.h"
#include "reconciler/cli/verbs.h"
#include "reconciler/engine/view.h"
#include "specs/json_io.h"
#include "specs/schema.h"

static struct str text_of(const struct value *map, const char *key)
{
    return value_get_text(map, str_from_c(key), S(""));
}

static struct str env_path(struct cli *c, struct str env, const char *rest)
{
    return str_fmt(c->arena, "/api/v1/environments/%.*s%s", STR_ARG(env), rest);
}

int verb_status(struct cli *c, struct err *err)
{
    struct str env = cli_arg(c, 0);
    struct value *answer;
    struct sb b;
    struct render r;
    int rc = cli_get(c, env.p ? env_path(c, env, "") : S("/api/v1/status"), NULL, &answer, err);

    if (rc || cli_wrote_json(c, answer))
        return rc;
    r = cli_render(c, &b);
    if (env.p)
        render_environment(&r, answer);
    else
        render_status(&r, answer);
    cli_write(c, &b);
    return 0;
}

/* --- plan ---------------------------------------------------------------------------------------- */

static int print_plan(struct cli *c, const struct value *answer, struct err *err)
{
    struct plan plan;
    struct sb b;
    struct render r = cli_render(c, &b);
    int rc = plan_parse(c->arena, json_format(c->arena, value_get(answer, S("document"))), &plan,
                        err);

    if (rc)
        return rc;
    render_plan(&r, &plan, answer);
    cli_write(c, &b);
    return 0;
}

static int is_open(const struct value *plan)
{
    static const char *const states[] = { "open", "waiting", "approved", "applying" };

    for (size_t i = 0; i < N_ELEMENTS(states); i++)
        if (str_eq_c(text_of(plan, "state"), states[i]))
            return 1;
    return 0;
}

static int is_hex(struct str word)
{
    for (size_t i = 0; i < word.n; i++)
        if (!(word.p[i] >= '0' && word.p[i] <= '9') && !(word.p[i] >= 'a' && word.p[i] <= 'f'))
            return 0;
    return word.n >= VIEW_PREFIX_MIN;
}

/* An environment's, or the one with this id. */
static int get_plan(struct cli *c, struct str word, struct value **ret, struct err *err)
{
    struct err no_env = ERR_INIT;
    int rc = cli_get(c, env_path(c, word, "/plan"), NULL, ret, &no_env);

    if (rc == ERR_NOT_FOUND && is_hex(word))
        return cli_get(c, str_fmt(c->arena, "/api/v1/plans/%.*s", STR_ARG(word)), NULL, ret, err);
    if (rc)
        *err = no_env;
    return rc;
}

/* Every plan that is open; the environments without one in a line. */
static int plan_all(struct cli *c, int *ret_open, struct err *err)
{
    struct value *status, *all = value_list(c->arena), *answer;
    const struct value *envs;
    int rc = cli_get(c, S("/api/v1/status"), NULL, &status, err), n_open = 0;

    if (rc)
        return rc;
    envs = value_get(status, S("environments"));
    for (size_t i = 0; i < value_count(envs) && !rc; i++) {
        const struct value *env = value_item(envs, i);

        if (!value_get(env, S("plan")))
            continue;
        rc = cli_get(c, env_path(c, text_of(env, "name"), "/plan"), NULL, &answer, err);
        if (rc)
            return rc;
        if (c->args.output == OUTPUT_JSON)
            value_add(c->arena, all, answer);
        else if (n_open)
            (void)fputc('\n', c->out); /* the stream remembers */
        if (c->args.output == OUTPUT_TEXT)
            rc = print_plan(c, answer, err);
        n_open++;
    }
    *ret_open = n_open;
    if (!rc && !cli_wrote_json(c, all) && !n_open)
        cli_note(c, "%zu environments, none has an open plan", value_count(envs));
    return rc;
}

int verb_plan(struct cli *c, struct err *err)
{
    struct str word = cli_arg(c, 0);
    struct value *answer;
    int rc, n_open = 0;

    if (c->args.file)
        return offline_plan(c, c->args.file, word, err);
    if (!word.p && !c->args.all)
        return err_set(err, ERR_USAGE, "which environment? reeve plan ENV, or --all");
    if (c->args.all) {
        rc = plan_all(c, &n_open, err);
    } else {
        rc = get_plan(c, word, &answer, err);
        if (!rc && !cli_wrote_json(c, answer))
            rc = print_plan(c, answer, err);
        if (!rc)
            n_open = is_open(answer);
    }
    if (!rc && c->args.exit_code && n_open) {
        err->text[0] = 0; /* the plan itself was said */
        return ERR_WAITING;
    }
    return rc;
}

/* --- history ------------------------------------------------------------------------------------- */

static void write_events(struct cli *c, const struct value *events)
{
    static const char *const heads[] = { "seq", "time", "actor", "what", "subject", "cause" };
    struct sb b;
    struct render r = cli_render(c, &b);
    struct render_table t;

    render_table_init(&t, c->arena, heads, N_ELEMENTS(heads));
    for (size_t i = value_count(events); i-- > 0;) { /* newest last, as one reads */
        const struct value *e = value_item(events, i);

        render_cell(&t, TONE_DIM,
                    str_fmt(c->arena, "%lld", (long long)value_get_int(e, S("seq"), 0)));
        render_cell(&t, TONE_DIM, render_time(c->arena, value_get_int(e, S("time_ms"), 0)));
        render_cell(&t, TONE_PLAIN, text_of(e, "actor"));
        render_cell(&t, TONE_PLAIN, text_of(e, "kind"));
        render_cell(&t, TONE_PLAIN,
                    text_of(e, "subject").n ? text_of(e, "subject") : text_of(e, "environment"));
        render_cell(&t, TONE_DIM, text_of(e, "cause"));
    }
    render_table_write(&r, &t, "");
    cli_write(c, &b);
}

static void write_state_at(struct cli *c, const struct value *state)
{
    const struct value *plan = value_get(state, S("plan")),
                       *list = value_get(state, S("resources"));
    const struct value *decisions = value_get(plan, S("decisions"));
    const struct value *commit = value_item(
        value_get(value_get(state, S("revision")), S("commits")), 0);
    struct sb b;
    struct render r = cli_render(c, &b);
    struct render_table t;

    sb_addf(&b, "%.*s at %.*s (event %lld)\n",
            STR_ARG(render_safe(c->arena, text_of(state, "environment"))),
            STR_ARG(render_time(c->arena, value_get_int(state, S("at_ms"), 0))),
            (long long)value_get_int(state, S("seq"), 0));
    if (plan)
        sb_addf(&b, "  revision %lld, commit %.*s \"%.*s\"\n  by plan %.*s (%.*s), started %.*s\n",
                (long long)value_get_int(value_get(state, S("revision")), S("revision"), 0),
                STR_ARG(render_safe(c->arena, render_short(text_of(commit, "commit")))),
                STR_ARG(render_safe(c->arena, text_of(commit, "summary"))),
                STR_ARG(render_short(text_of(plan, "id"))), STR_ARG(text_of(plan, "cause")),
                STR_ARG(render_time(c->arena, value_get_int(plan, S("started_ms"), 0))));
    for (size_t i = 0; i < value_count(decisions); i++) {
        const struct value *d = value_item(decisions, i);

        sb_addf(&b, "  %.*s by %.*s: \"%.*s\"\n",
                STR_ARG(render_safe(c->arena, text_of(d, "verdict"))),
                STR_ARG(render_safe(c->arena, text_of(d, "actor"))),
                STR_ARG(render_safe(c->arena, text_of(d, "reason"))));
    }
    sb_add_char(&b, '\n');
    render_table_init(&t, c->arena, NULL, 4);
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *one = value_item(list, i);

        render_cell(&t, TONE_PLAIN, text_of(one, "name"));
        render_cell(&t, render_state_tone(text_of(one, "status")), text_of(one, "status"));
        render_cell(&t, TONE_DIM, render_short(text_of(one, "digest")));
        render_cell(&t, TONE_DIM, text_of(one, "provider_id"));
    }
    render_table_write(&r, &t, "  ");
    cli_write(c, &b);
}

static void query_number(struct cli *c, struct value *query, const char *key, int64_t number)
{
    value_set_text(c->arena, query, str_from_c(key), str_fmt(c->arena, "%lld", (long long)number));
}

static int history_at(struct cli *c, struct str env, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    int64_t at_ms;
    int rc = env.p ? args_time(c->args.at, -1, sys_wall_ms(), &at_ms, err)
                   : err_set(err, ERR_USAGE, "--at needs an environment");

    if (rc)
        return rc;
    query_number(c, query, "at_ms", at_ms);
    rc = cli_get(c, env_path(c, env, "/history"), query, &answer, err);
    if (!rc && !cli_wrote_json(c, answer))
        write_state_at(c, answer);
    return rc;
}

int verb_history(struct cli *c, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    struct str env = cli_arg(c, 0);
    int64_t since_ms;
    int rc = 0;

    if (c->args.at.p)
        return history_at(c, env, err);
    if (env.p)
        value_set_text(c->arena, query, S("env"), env);
    value_set_text(c->arena, query, S("newest"), S("1"));
    if (c->args.output == OUTPUT_TEXT)
        value_set_text(c->arena, query, S("bodies"), S("0"));
    query_number(c, query, "limit", c->args.limit ? c->args.limit : 50);
    if (c->args.since.p) {
        rc = args_time(c->args.since, -1, sys_wall_ms(), &since_ms, err);
        if (!rc)
            query_number(c, query, "from_ms", since_ms);
    }
    if (!rc)
        rc = cli_get(c, S("/api/v1/history"), query, &answer, err);
    if (!rc && !cli_wrote_json(c, answer))
        write_events(c, value_get(answer, S("events")));
    return rc;
}

/* --- explain ------------------------------------------------------------------------------------- */

static void write_explained(struct cli *c, const struct value *v)
{
    const struct value *because = value_get(v, S("because")), *choices = value_get(v, S("choices"));
    const struct value *resource = value_get(v, S("resource"));
    struct sb b;
    struct render r = cli_render(c, &b);
    struct render_table t;

    render_text(&r, TONE_HEAD, render_safe(c->arena, text_of(v, "environment")));
    if (text_of(v, "subject").n)
        sb_addf(&b, "/%.*s", STR_ARG(render_safe(c->arena, text_of(v, "subject"))));
    sb_add_c(&b, "   ");
    render_text(&r, render_state_tone(text_of(v, "sync")),
                render_safe(c->arena, text_of(v, "sync")));
    sb_add_c(&b, "   ");
    render_text(&r, render_state_tone(text_of(v, "health")),
                render_safe(c->arena, text_of(v, "health")));
    sb_add_char(&b, '\n');
    if (text_of(v, "reason").n)
        sb_addf(&b, "  %.*s\n", STR_ARG(render_safe(c->arena, text_of(v, "reason"))));
    for (size_t i = 0; i < value_count(because); i++)
        sb_addf(&b, "  %.*s\n", STR_ARG(render_safe(c->arena, value_item(because, i)->u.text)));
    render_table_init(&t, c->arena, NULL, 4);
    for (size_t i = 0; i < value_count(resource); i++) {
        const struct value *one = value_item(resource, i);

        render_cell(&t, TONE_DIM, render_time(c->arena, value_get_int(one, S("from_ms"), 0)));
        render_cell(&t, render_state_tone(text_of(one, "status")), text_of(one, "status"));
        render_cell(&t, TONE_DIM, render_short(text_of(one, "desired")));
        render_cell(&t, TONE_PLAIN, text_of(one, "reason"));
    }
    render_table_write(&r, &t, "  ");
    if (value_count(choices))
        render_text(&r, TONE_DIM, S("\nwhat you can do\n"));
    render_table_init(&t, c->arena, NULL, 2);
    for (size_t i = 0; i < value_count(choices); i++) {
        render_cell(&t, TONE_PLAIN, text_of(value_item(choices, i), "command"));
        render_cell(&t, TONE_DIM, text_of(value_item(choices, i), "what"));
    }
    render_table_write(&r, &t, "  ");
    cli_write(c, &b);
}

static int explain_field(struct cli *c, struct str path, struct err *err)
{
    struct str hint = STR_NONE, text = schema_explain(c->arena, path, &hint);
    struct value *v = value_map(c->arena);

    if (!text.p && hint.n)
        return err_set(err, ERR_NOT_FOUND, "no field '%.*s': did you mean '%.*s'?", STR_ARG(path),
                       STR_ARG(hint));
    if (!text.p)
        return err_set(err, ERR_NOT_FOUND, "no field '%.*s'", STR_ARG(path));
    value_set_text(c->arena, v, S("text"), text);
    if (!cli_wrote_json(c, v))
        (void)fprintf(c->out, "%.*s%s", STR_ARG(text), str_ends(text, S("\n")) ? "" : "\n");
    return 0;
}

/* Fields have dots or begin with a kind; environments may be followed by /kind/name. What is neither is an
 * environment if there is one, else a field. */
int verb_explain(struct cli *c, struct err *err)
{
    struct str rest = cli_arg(c, 0), env;
    struct value *query = value_map(c->arena), *answer;
    int rc;

    if (str_find_char(rest, '.') != STR_NPOS || (rest.n && rest.p[0] >= 'A' && rest.p[0] <= 'Z'))
        return explain_field(c, rest, err);
    (void)str_next(&rest, '/', &env); /* an empty word is an environment that is not there */
    if (rest.n)
        value_set_text(c->arena, query, S("subject"), rest);
    rc = cli_get(c, env_path(c, env, "/explain"), query, &answer, err);
    if (rc && !rest.p && !explain_field(c, env, &(struct err){ 0 }))
        return 0;
    if (!rc && !cli_wrote_json(c, answer))
        write_explained(c, answer);
    return rc;
}

/* --- logs ---------------------------------------------------------------------------------------- */

int verb_logs(struct cli *c, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    const struct value *list;
    int rc;

    if (cli_arg(c, 1).p)
        value_set_text(c->arena, query, S("service"), cli_arg(c, 1));
    if (c->args.lines)
        query_number(c, query, "lines", c->args.lines);
    rc = cli_get(c, env_path(c, cli_arg(c, 0), "/logs"), query, &answer, err);
    if (rc || cli_wrote_json(c, answer))
        return rc;
    list = value_get(answer, S("instances"));
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *one = value_item(list, i), *lines = value_get(one, S("lines"));

        for (size_t j = 0; j < value_count(lines); j++) {
            struct str line = value_item(lines, j)->u.text;

            cli_print_foreign(c, text_of(one, "name"));
            (void)fputs(" | ", c->out); /* the stream remembers */
            if (c->args.raw)
                (void)fwrite(line.p, 1, line.n, c->out);
            else
                cli_print_foreign(c, line);
            (void)fputc('\n', c->out);
        }
    }
    return 0;
}

/* --- audit --------------------------------------------------------------------------------------- */

/* A copy of a state file, wherever it came from. */
static int audit_file(struct cli *c, struct str path, struct value **ret, struct err *err)
{
    struct view view = { .a = c->arena, .now_ms = sys_wall_ms() };
    int rc = db_open(str_to_c(c->arena, path), DB_READ, &view.db, err);

    if (rc)
        return rc;
    rc = db_view_begin(view.db, err);
    if (!rc) {
        rc = view_audit(&view, c->args.replay ? VIEW_AUDIT_REPLAY : VIEW_AUDIT_CHAIN, ret, err);
        db_view_end(view.db);
    }
    db_close(view.db);
    return rc;
}

int verb_audit(struct cli *c, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    struct str head;
    int rc;

    if (!str_eq_c(cli_arg(c, 0), "verify"))
        return err_set(err, ERR_USAGE, "usage: reeve audit verify [FILE]");
    if (c->args.replay)
        value_set_text(c->arena, query, S("replay"), S("1"));
    rc = cli_arg(c, 1).p ? audit_file(c, cli_arg(c, 1), &answer, err)
                         : cli_get(c, S("/api/v1/audit/verify"), query, &answer, err);
    if (rc || cli_wrote_json(c, answer))
        return rc;
    head = text_of(answer, "head");
    (void)fprintf(c->out, "the chain of %lld events holds; head %.*s\n",
                  (long long)value_get_int(answer, S("events"), 0), STR_ARG(head));
    if (value_get(answer, S("rows")))
        (void)fprintf(c->out, "%lld rows are what the events say\n",
                      (long long)value_get_int(answer, S("rows"), 0));
    return 0;
}
