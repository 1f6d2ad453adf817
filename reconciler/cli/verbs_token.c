/* Tokens. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/cli/args_time.h"
#include "reconciler/cli/verbs.h"

#define TOKENS S("/api/v1/tokens")

static struct value *list_of(struct cli *c, const struct str *words, size_t n)
{
    struct value *list = value_list(c->arena);

    for (size_t i = 0; i < n; i++)
        value_add(c->arena, list, value_text(c->arena, words[i]));
    return list;
}

static struct str roles_of(struct cli *c, const struct value *token)
{
    return cli_joined(c, value_get(token, S("roles")), ", ");
}

/* Of a token that is good in each: `everywhere`. */
static struct str environments_of(struct cli *c, const struct value *token, const char *everywhere)
{
    const struct value *list = value_get(token, S("environments"));

    return value_count(list) ? cli_joined(c, list, ", ") : str_from_c(everywhere);
}

static int create_body(struct cli *c, struct value *body, struct err *err)
{
    const struct cli_args *args = &c->args;
    const struct str admin = S("admin"), name = cli_arg(c, 1);
    int64_t expires_ms;

    if (!name.p && !args->admin)
        return err_set(err, ERR_USAGE, "what is it for? reeve token create NAME");
    if (args->admin && (args->roles.n || args->envs.n))
        return err_set(err, ERR_USAGE, "--admin is every role everywhere: give it alone");
    value_set_text(c->arena, body, S("name"), name.p ? name : admin);
    if (args->admin || args->roles.n)
        value_set(c->arena, body, S("roles"),
                  args->admin ? list_of(c, &admin, 1) : list_of(c, args->roles.p, args->roles.n));
    if (args->envs.n)
        value_set(c->arena, body, S("environments"), list_of(c, args->envs.p, args->envs.n));
    if (!args->expires.p)
        return 0;
    if (args_time(args->expires, 1, sys_wall_ms(), &expires_ms, err))
        return err->code;
    value_set_int(c->arena, body, S("expires_ms"), expires_ms);
    return 0;
}

/* The token alone goes to standard output. */
static int token_create(struct cli *c, struct err *err)
{
    struct value *body = value_map(c->arena), *answer;
    struct sb b;

    if (create_body(c, body, err) || cli_post(c, TOKENS, body, &answer, err))
        return err->code;
    if (cli_wrote_json(c, answer))
        return 0;
    cli_note(c, "token '%.*s', id %.*s: %.*s in %.*s; it is not shown again",
             STR_ARG(render_safe(c->arena, cli_text(answer, "name"))),
             STR_ARG(render_safe(c->arena, cli_text(answer, "id"))),
             STR_ARG(render_safe(c->arena, roles_of(c, answer))),
             STR_ARG(render_safe(c->arena, environments_of(c, answer, "every environment"))));
    sb_init(&b, c->arena);
    render_foreign(&b, cli_text(answer, "token"));
    sb_add_char(&b, '\n');
    cli_write(c, &b);
    return 0;
}

static void write_tokens(struct cli *c, const struct value *tokens)
{
    static const char *const heads[] = {
        "id", "name", "state", "roles", "where", "used", "expires"
    };
    struct sb b;
    struct render r = cli_render(c, &b);
    struct render_table t;

    render_table_init(&t, c->arena, heads, N_ELEMENTS(heads));
    for (size_t i = 0; i < value_count(tokens); i++) {
        const struct value *one = value_item(tokens, i);
        struct str state = cli_text(one, "state");

        render_cell(&t, TONE_PLAIN, cli_text(one, "id"));
        render_cell(&t, TONE_PLAIN, cli_text(one, "name"));
        render_cell(&t, str_eq_c(state, "good") ? TONE_GOOD : TONE_DIM, state);
        render_cell(&t, TONE_PLAIN, roles_of(c, one));
        render_cell(&t, TONE_PLAIN, environments_of(c, one, "everywhere"));
        render_cell(&t, TONE_DIM, cli_ago(c, value_get_int(one, S("used_ms"), 0)));
        render_cell(&t, TONE_DIM, cli_ago(c, value_get_int(one, S("expires_ms"), 0)));
    }
    render_table_write(&r, &t, "");
    cli_write(c, &b);
}

static int token_list(struct cli *c, struct err *err)
{
    struct value *answer;
    int rc = cli_get(c, TOKENS, NULL, &answer, err);

    if (rc || cli_wrote_json(c, answer))
        return rc;
    if (!value_count(value_get(answer, S("tokens"))))
        cli_note(c, "there are no tokens");
    else
        write_tokens(c, value_get(answer, S("tokens")));
    return 0;
}

static int token_revoke(struct cli *c, struct err *err)
{
    struct value *body = value_map(c->arena), *answer;
    struct sb b;

    if (!cli_arg(c, 1).p)
        return err_set(err, ERR_USAGE, "which token? reeve token list");
    if (c->args.reason.p)
        value_set_text(c->arena, body, S("reason"), c->args.reason);
    if (cli_post(c, cli_path(c, "tokens", cli_arg(c, 1), "/revoke"), body, &answer, err))
        return err->code;
    if (cli_wrote_json(c, answer))
        return 0;
    sb_init(&b, c->arena);
    sb_addf(&b, "token '%.*s' is revoked\n",
            STR_ARG(render_safe(c->arena, cli_text(answer, "name"))));
    cli_write(c, &b);
    return 0;
}

int verb_token(struct cli *c, struct err *err)
{
    static const struct {
        const char *word;
        cli_verb_fn *run;
    } rows[] = { { "create", token_create }, { "list", token_list }, { "revoke", token_revoke } };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (str_eq_c(cli_arg(c, 0), rows[i].word))
            return rows[i].run(c, err);
    return err_set(err, ERR_USAGE, "usage: reeve token create [NAME] | list | revoke ID");
}
