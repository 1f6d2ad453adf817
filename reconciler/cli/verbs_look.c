/* What is, what would change, and why. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/cli/verbs.h"
#include "reconciler/http/openapi.h"
#include "specs/json_io.h"
#include "specs/policy_rules.h"
#include "specs/schema.h"

int verb_status(struct cli *c, struct err *err)
{
    struct str env = cli_arg(c, 0);
    struct value *answer;
    struct sb b;
    struct render r;
    int rc = cli_get(c, env.p ? cli_path(c, "environments", env, "") : S("/api/v1/status"), NULL,
                     &answer, err);

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

/* --- explain ------------------------------------------------------------------------------------- */

static int is_same_state(const struct value *a, const struct value *b)
{
    static const char *const members[] = { "status", "desired", "reason" };

    for (size_t i = 0; i < N_ELEMENTS(members); i++)
        if (!str_eq(cli_text(a, members[i]), cli_text(b, members[i])))
            return 0;
    return 1;
}

/* Newest first; what only differs in what was observed is one line, from its beginning. */
static void write_states(struct cli *c, struct render *r, const struct value *states)
{
    struct render_table t;

    render_table_init(&t, c->arena, NULL, 4);
    for (size_t i = 0; i < value_count(states); i++) {
        const struct value *one = value_item(states, i), *before = value_item(states, i + 1);

        if (before && is_same_state(one, before))
            continue;
        render_cell(&t, TONE_DIM, render_time(c->arena, value_get_int(one, S("from_ms"), 0)));
        render_cell(&t, render_state_tone(cli_text(one, "status")), cli_text(one, "status"));
        render_cell(&t, TONE_DIM, render_short(cli_text(one, "desired")));
        render_cell(&t, TONE_PLAIN, cli_text(one, "reason"));
    }
    render_table_write(r, &t, "  ");
}

static void write_explained(struct cli *c, const struct value *v)
{
    const struct value *because = value_get(v, S("because")), *choices = value_get(v, S("choices"));
    struct sb b;
    struct render r = cli_render(c, &b);
    struct render_table t;

    render_text(&r, TONE_HEAD, render_safe(c->arena, cli_text(v, "environment")));
    if (cli_text(v, "subject").n)
        sb_addf(&b, "/%.*s", STR_ARG(render_safe(c->arena, cli_text(v, "subject"))));
    sb_add_c(&b, "   ");
    render_text(&r, render_state_tone(cli_text(v, "sync")),
                render_safe(c->arena, cli_text(v, "sync")));
    sb_add_c(&b, "   ");
    render_text(&r, render_state_tone(cli_text(v, "health")),
                render_safe(c->arena, cli_text(v, "health")));
    sb_add_char(&b, '\n');
    for (size_t i = 0; i < value_count(because); i++)
        sb_addf(&b, "  %.*s\n", STR_ARG(render_safe(c->arena, value_item(because, i)->u.text)));
    write_states(c, &r, value_get(v, S("resource")));
    if (value_count(choices))
        render_text(&r, TONE_DIM, S("\nwhat you can do\n"));
    render_table_init(&t, c->arena, NULL, 2);
    for (size_t i = 0; i < value_count(choices); i++) {
        render_cell(&t, TONE_PLAIN, cli_text(value_item(choices, i), "command"));
        render_cell(&t, TONE_DIM, cli_text(value_item(choices, i), "what"));
    }
    render_table_write(&r, &t, "  ");
    cli_write(c, &b);
}

static int explain_field(struct cli *c, struct str path, struct err *err)
{
    struct str hint = STR_NONE, text = schema_explain(c->arena, path, &hint);
    struct value *v = value_map(c->arena);

    if (!text.p)
        text = policy_rules_explain(c->arena, path);
    if (!text.p)
        return err_set(err, ERR_NOT_FOUND, "no field '%.*s'%s%.*s", STR_ARG(path),
                       hint.n ? ": " : "", STR_ARG(hint));
    value_set_text(c->arena, v, S("text"), text);
    if (!cli_wrote_json(c, v))
        (void)fprintf(c->out, "%.*s%s", STR_ARG(text), str_ends(text, S("\n")) ? "" : "\n");
    return 0;
}

int verb_schema(struct cli *c, struct err *err)
{
    struct str kind = cli_arg(c, 0);
    struct value *schema = str_eq(kind, S("api")) ? openapi_document(c->arena)
                                                  : schema_json(c->arena, kind);
    struct sb b;

    if (!schema)
        return err_set(
            err, ERR_NOT_FOUND,
            "no kind '%.*s': application, environment, preview, daemon and api have a schema",
            STR_ARG(kind));
    if (cli_wrote_json(c, schema))
        return 0;
    sb_init(&b, c->arena);
    json_write_lines(&b, schema);
    cli_write(c, &b);
    return 0;
}

static int has_hint(const struct err *err)
{
    return str_find(str_from_c(err->text), S("did you mean")) != STR_NPOS;
}

/* Fields have dots or begin with a kind; environments may be followed by /kind/name. What is neither is an
 * environment if there is one, else a field. */
int verb_explain(struct cli *c, struct err *err)
{
    struct str rest = cli_arg(c, 0), env;
    struct value *query = value_map(c->arena), *answer;
    struct err no_field = ERR_INIT;
    int rc;

    if (str_find_char(rest, '.') != STR_NPOS || (rest.n && rest.p[0] >= 'A' && rest.p[0] <= 'Z'))
        return explain_field(c, rest, err);
    (void)str_next(&rest, '/', &env); /* an empty word is an environment that is not there */
    if (rest.n)
        value_set_text(c->arena, query, S("subject"), rest);
    rc = cli_get(c, cli_path(c, "environments", env, "/explain"), query, &answer, err);
    if (rc && !rest.p && !explain_field(c, env, &no_field))
        return 0;
    if (rc && !rest.p && has_hint(&no_field) && !has_hint(err))
        rc = err_set(err, no_field.code, "%s", no_field.text); /* it is more like a field */
    if (!rc && !cli_wrote_json(c, answer))
        write_explained(c, answer);
    return rc;
}

/* --- logs ---------------------------------------------------------------------------------------- */

/* "instance/web@9b0ab92a394b.0 | a line" */
static size_t write_lines(struct cli *c, struct sb *b, const struct value *instance)
{
    const struct value *lines = value_get(instance, S("lines"));

    for (size_t i = 0; i < value_count(lines); i++) {
        struct str line = value_item(lines, i)->u.text;

        render_foreign(b, cli_text(instance, "name"));
        sb_add_c(b, " | ");
        if (c->args.raw)
            sb_add(b, line);
        else
            render_foreign(b, line);
        sb_add_char(b, '\n');
    }
    if (value_get(instance, S("not_shown")))
        cli_note(c, "%.*s: not shown: %.*s", STR_ARG(cli_text(instance, "name")),
                 STR_ARG(cli_text(instance, "not_shown")));
    return value_count(lines);
}

int verb_logs(struct cli *c, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    const struct value *list;
    size_t n_lines = 0;
    struct sb b;
    int rc;

    if (cli_arg(c, 1).p)
        value_set_text(c->arena, query, S("service"), cli_arg(c, 1));
    if (c->args.gone)
        value_set_text(c->arena, query, S("gone"), S("1"));
    if (c->args.lines)
        cli_query_number(c, query, "lines", c->args.lines);
    rc = cli_get(c, cli_path(c, "environments", cli_arg(c, 0), "/logs"), query, &answer, err);
    if (rc || cli_wrote_json(c, answer))
        return rc;
    sb_init(&b, c->arena);
    list = value_get(answer, S("instances"));
    for (size_t i = 0; i < value_count(list); i++)
        n_lines += write_lines(c, &b, value_item(list, i));
    cli_write(c, &b);
    if (!n_lines && c->args.gone)
        cli_note(c, "of no instance that is gone a line is kept");
    else if (!n_lines)
        cli_note(c, "%zu instances and builds, none of them has written a line", value_count(list));
    return 0;
}
