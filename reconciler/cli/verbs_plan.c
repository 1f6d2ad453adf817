/* What would change, for programs and people. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/cli/client.h"
#include "reconciler/cli/offline.h"
#include "reconciler/cli/verbs.h"
#include "reconciler/core/plan_differ.h"
#include "specs/json_io.h"

int cli_show_plan(struct cli *c, const struct value *answer, struct err *err)
{
    struct plan plan;
    int rc = plan_parse(c->arena, json_format(c->arena, value_get(answer, S("document"))), &plan,
                        err);

    if (!rc)
        cli_write_plan(c, &plan, answer);
    return rc;
}

void cli_show_difference(struct cli *c, const struct value *difference)
{
    struct plan plan;
    struct sb b;
    struct render r = cli_render(c, &b);

    plan_differ_parse(c->arena, difference, &plan);
    render_difference(&r, &plan);
    cli_write(c, &b);
}

static int is_open(const struct value *plan)
{
    static const char *const states[] = { "open", "waiting", "approved", "applying" };

    for (size_t i = 0; i < N_ELEMENTS(states); i++)
        if (str_eq_c(cli_text(plan, "state"), states[i]))
            return 1;
    return 0;
}

/* An environment's, or the one with this id. */
static int get_plan(struct cli *c, struct str word, struct value **ret, struct err *err)
{
    struct err no_env = ERR_INIT;
    int rc = cli_get(c, cli_path(c, "environments", word, "/plan"), NULL, ret, &no_env);

    if (rc == ERR_NOT_FOUND && cli_is_plan_id(word))
        return cli_get(c, cli_path(c, "plans", word, ""), NULL, ret, err);
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
        rc = cli_get(c, cli_path(c, "environments", cli_text(env, "name"), "/plan"), NULL, &answer,
                     err);
        if (rc)
            return rc;
        if (c->args.output == OUTPUT_JSON)
            value_add(c->arena, all, answer);
        else if (n_open)
            (void)fputc('\n', c->out); /* the stream remembers */
        if (c->args.output != OUTPUT_JSON)
            rc = cli_show_plan(c, answer, err);
        n_open++;
    }
    *ret_open = n_open;
    if (!rc && !cli_wrote_json(c, all) && !n_open)
        cli_note(c, "%zu environments, none has an open plan", value_count(envs));
    return rc;
}

/* --- between two revisions ----------------------------------------------------------------------- */

/* "3 (4f2e11aa "version 3")" */
static void add_revision(struct sb *b, const struct value *revision)
{
    const struct value *commit = value_item(value_get(revision, S("commits")), 0);

    sb_addf(b, "%lld", (long long)value_get_int(revision, S("revision"), 0));
    if (!commit)
        return;
    sb_add_c(b, " (");
    render_foreign(b, render_short(cli_text(commit, "commit")));
    sb_add_c(b, " \"");
    render_foreign(b, cli_text(commit, "summary"));
    sb_add_c(b, "\")");
}

static int plan_diff(struct cli *c, int *ret_differs, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    struct render r;
    struct sb b;
    int rc;

    if (c->args.words.n < 2)
        return err_set(err, ERR_USAGE, "which revisions? reeve plan ENV --diff FROM [TO]");
    value_set_text(c->arena, query, S("from"), cli_arg(c, 1));
    if (cli_arg(c, 2).p)
        value_set_text(c->arena, query, S("to"), cli_arg(c, 2));
    rc = cli_get(c, cli_path(c, "environments", cli_arg(c, 0), "/diff"), query, &answer, err);
    if (rc)
        return rc;
    *ret_differs = value_count(value_get(answer, S("lines"))) > 0;
    if (cli_wrote_json(c, answer))
        return 0;
    r = cli_render(c, &b);
    render_text(&r, TONE_HEAD, render_safe(c->arena, cli_text(answer, "environment")));
    sb_add_c(&b, "   revision ");
    add_revision(&b, value_get(answer, S("from")));
    sb_add_c(&b, " -> ");
    add_revision(&b, value_get(answer, S("to")));
    sb_add_char(&b, '\n');
    cli_write(c, &b);
    cli_show_difference(c, answer);
    return 0;
}

/* --- of a commit that is not merged -------------------------------------------------------------- */

/* As `reeve validate` shows them. */
static void show_messages(struct cli *c, const struct value *messages)
{
    struct sb b;

    if (cli_wrote_json(c, messages))
        return;
    sb_init(&b, c->arena);
    for (size_t i = 0; i < value_count(messages); i++) {
        const struct value *one = value_item(messages, i);
        const struct str file = cli_text(one, "file");
        struct spec_message m = {
            .severity = str_eq_c(cli_text(one, "severity"), "error") ? SPEC_ERROR : SPEC_WARNING,
            .place = { .file = &file,
                       .line = (uint32_t)value_get_int(one, S("line"), 0),
                       .column = (uint32_t)value_get_int(one, S("column"), 0) },
            .text = cli_text(one, "text"),
            .rule = cli_text(one, "rule"),
            .hint = cli_text(one, "hint")
        };

        spec_message_format(&b, &m, cli_text(one, "source"), c->colour);
    }
    cli_write(c, &b);
}

static int plan_ref(struct cli *c, int *ret_changes, struct err *err)
{
    struct value *body = value_map(c->arena), *answer;
    const struct value *messages = NULL;
    int rc;

    value_set_text(c->arena, body, S("ref"), c->args.ref);
    rc = cli_post(c, cli_path(c, "environments", cli_arg(c, 0), "/plan"), body, &answer, err);
    if (rc == ERR_INVALID && c->client)
        messages = value_get(client_refusal(c->client), S("messages"));
    if (messages)
        show_messages(c, messages);
    if (rc)
        return rc;
    *ret_changes = value_count(value_at(answer, S("document.core.items"))) > 0;
    cli_note(c, "judged by %.*s", STR_ARG(cli_text(answer, "judged_by")));
    return cli_wrote_json(c, answer) ? 0 : cli_show_plan(c, answer, err);
}

/* --- the verb ------------------------------------------------------------------------------------ */

static int plan_one(struct cli *c, struct str word, int *ret_open, struct err *err)
{
    struct value *answer;
    int rc = get_plan(c, word, &answer, err);

    if (rc)
        return rc;
    *ret_open = is_open(answer);
    if (!*ret_open && str_eq(word, cli_text(answer, "environment")))
        cli_note(c, "nothing is planned for '%.*s' now; its last plan was", STR_ARG(word));
    return cli_wrote_json(c, answer) ? 0 : cli_show_plan(c, answer, err);
}

/* What the options ask for besides. */
static int check_words(struct cli *c, struct err *err)
{
    const struct cli_args *args = &c->args;

    if (args->diff + args->all + (args->file != NULL) + (args->ref.p != NULL) > 1)
        return err_set(err, ERR_USAGE,
                       "--all, --diff, --file and --ref are asked for one at a time");
    if (args->ref.p && args->recorded)
        return err_set(err, ERR_USAGE, "--ref is read by the daemon: leave out --recorded");
    if (!args->diff && args->words.n > 1)
        return err_set(err, ERR_USAGE, "one environment: reeve plan ENV");
    if (args->diff && args->output == OUTPUT_MARKDOWN)
        return err_set(err, ERR_USAGE, "a difference is printed as text or json");
    if (!args->words.n && !args->all && !args->file)
        return err_set(err, ERR_USAGE, "which environment? reeve plan ENV, or --all");
    return 0;
}

int verb_plan(struct cli *c, struct err *err)
{
    struct str word = cli_arg(c, 0);
    int n_open = 0, rc = check_words(c, err);

    if (!rc && c->args.file)
        rc = offline_plan(c, c->args.file, word, &n_open, err);
    else if (!rc && c->args.diff)
        rc = plan_diff(c, &n_open, err);
    else if (!rc && c->args.ref.p)
        rc = plan_ref(c, &n_open, err);
    else if (!rc && c->args.all)
        rc = plan_all(c, &n_open, err);
    else if (!rc)
        rc = plan_one(c, word, &n_open, err);
    if (!rc && c->args.exit_code && n_open) {
        err->text[0] = 0; /* the plan itself was said */
        return ERR_WAITING;
    }
    return rc;
}
