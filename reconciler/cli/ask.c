/* Questions and commands: to the daemon, or to the state file. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/cli/cli.h"
#include "reconciler/cli/client.h"
#include "reconciler/http/routes.h"

#define WAIT_MARGIN_MS 15000
#define TOKEN_BYTES_MAX 4096

/* From a file, or from whoever writes to us: never from an argument or a variable, which others can read. */
static int read_token(struct cli *c, const char **ret, struct err *err)
{
    const char *option = c->args.token, *file = option && *option == '@' ? option + 1 : NULL;
    const char *from_env = getenv("REEVE_TOKEN_FILE");
    struct str text;
    int rc;

    *ret = NULL;
    if (!option && from_env && *from_env)
        file = from_env;
    if (!option && !file)
        return 0;
    if (!file && strcmp(option, "-") != 0)
        return err_set(err, ERR_USAGE, "--token is @FILE or -, not the token itself");
    rc = sys_read_file(c->arena, file ? file : "/dev/stdin", TOKEN_BYTES_MAX, &text, err);
    if (rc)
        return err_wrap(err, "token");
    text = str_trim(text);
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~')
            text.n = 0;
    if (!text.n)
        return err_set(err, ERR_USAGE, "what '%s' holds is no token", file ? file : "-");
    *ret = str_to_c(c->arena, text);
    return 0;
}

static int find_place(struct cli *c, struct client_place *ret, struct err *err)
{
    int rc;

    *ret = (struct client_place){ 0 };
    if (cli_is_remote(c)) {
        ret->url = c->args.server;
        ret->ca = c->args.ca;
        return read_token(c, &ret->token, err);
    }
    if (c->args.token || c->args.ca)
        return err_set(err, ERR_USAGE, "--%s is for a URL: who asks on a socket is known",
                       c->args.token ? "token" : "ca");
    ret->socket = c->args.server;
    if (ret->socket)
        return 0;
    rc = config_need(c, err);
    if (!rc)
        ret->socket = str_to_c(c->arena, value_get_text(c->daemon, S("socket"), S("")));
    return rc;
}

int cli_is_remote(const struct cli *c)
{
    struct str server = str_from_c(c->args.server);

    return str_find(server, S("://")) != STR_NPOS;
}

static int need_client(struct cli *c, struct err *err)
{
    struct client_place place;

    if (c->client)
        return 0;
    return find_place(c, &place, err) ? err->code : client_new(&place, &c->client, err);
}

/* The same route, answered here. */
static int get_local(struct cli *c, struct str path, const struct value *query, struct value **ret,
                     struct err *err)
{
    struct route_world world = { .view = { .a = c->arena, .now_ms = sys_wall_ms() } };
    struct route_call call = { .query = query };
    struct str file;
    int rc = config_need(c, err);

    if (!rc)
        rc = routes_match(S("GET"), path, &call, err);
    if (!rc)
        rc = config_drop(c, err);
    if (rc)
        return rc;
    file = value_get_text(value_get(c->daemon, S("state")), S("file"), S(""));
    rc = db_open(str_to_c(c->arena, file), DB_READ, &world.view.db, err);
    if (rc)
        return rc;
    if (!c->is_local && !c->args.recorded)
        cli_note(c, "no daemon answers: from the state file '%.*s'", STR_ARG(file));
    c->is_local = 1;
    world.daemon = c->daemon;
    rc = routes_read(&world, &call, ret, err);
    db_close(world.view.db);
    return rc;
}

/* Once: a standby answers from its copy, which may be behind. */
static void note_copy(struct cli *c, const struct value *answer)
{
    const struct value *copy = value_get(answer, S("copy"));
    int64_t heard_ms = value_get_int(copy, S("heard_ms_ago"), -1);
    struct str error = value_get_text(copy, S("error"), S(""));

    if (!copy || c->is_copy)
        return;
    c->is_copy = 1;
    cli_note(c, "from a copy of %.*s: event %lld, %lld behind, %s%.*s%.*s",
             STR_ARG(value_get_text(copy, S("url"), S(""))),
             (long long)value_get_int(copy, S("seq"), 0),
             (long long)value_get_int(copy, S("behind"), 0),
             heard_ms < 0 ? "not heard yet"
                          : str_fmt(c->arena, "heard %lld s ago", (long long)(heard_ms / 1000)).p,
             STR_ARG(error.n ? S("; ") : S("")), STR_ARG(render_safe(c->arena, error)));
}

/* What no path can hold is nobody's name: a dot segment, or cli_path()'s "%2F". */
static int check_name(struct cli *c, struct str path, struct err *err)
{
    static const struct {
        struct str begins;
        const char *noun;
    } rows[] = {
        { S_INIT("/api/v1/environments/"), "environment" },
        { S_INIT("/api/v1/plans/"), "plan" },
        { S_INIT("/api/v1/operations/"), "operation" },
        { S_INIT("/api/v1/people/"), "person" },
        { S_INIT("/api/v1/tokens/"), "token" },
        { S_INIT("/api/v1/sources/"), "source" },
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct str rest = str_slice(path, rows[i].begins.n, path.n), name;
        struct sb said;

        if (!str_starts(path, rows[i].begins) || !str_next(&rest, '/', &name))
            continue;
        if (!str_eq_c(name, ".") && !str_eq_c(name, "..") && str_find(name, S("%2F")) == STR_NPOS)
            return 0;
        sb_init(&said, c->arena);
        for (size_t at; (at = str_find(name, S("%2F"))) != STR_NPOS; sb_add_char(&said, '/')) {
            sb_add(&said, str_slice(name, 0, at));
            name = str_slice(name, at + 3, name.n);
        }
        sb_add(&said, name);
        return err_set(err, ERR_NOT_FOUND, "no %s '%.*s'", rows[i].noun, STR_ARG(sb_str(&said)));
    }
    return 0;
}

int cli_get(struct cli *c, struct str path, const struct value *query, struct value **ret,
            struct err *err)
{
    int64_t wait_ms = 0;
    int may_read = c->args.verb->need != NEED_DAEMON && !c->args.server, rc;
    struct err state = ERR_INIT;

    if (check_name(c, path, err))
        return err->code;
    if (may_read && (c->args.recorded || c->is_local))
        return get_local(c, path, query, ret, err);
    (void)str_to_i64(value_get_text(query, S("wait_ms"), S("0")), &wait_ms); /* ours */
    rc = need_client(c, err);
    if (!rc)
        rc = client_call(c->client, c->arena, "GET", client_target(c->arena, path, query), NULL,
                         wait_ms ? wait_ms + WAIT_MARGIN_MS : 0, ret, err);
    if (!rc)
        note_copy(c, *ret);
    if (rc != ERR_UNREACHABLE || !may_read)
        return rc;
    rc = get_local(c, path, query, ret, &state);
    if (!c->is_local && (rc == ERR_NOT_FOUND || rc == ERR_REFUSED)) /* nothing to read either */
        return err_wrap(err, "%s", state.text);
    *err = state;
    return rc;
}

int cli_post(struct cli *c, struct str path, const struct value *body, struct value **ret,
             struct err *err)
{
    int rc = check_name(c, path, err);

    if (!rc)
        rc = need_client(c, err);
    return rc ? rc
              : client_call(c->client, c->arena, "POST", client_target(c->arena, path, NULL),
                            body ? body : value_map(c->arena), 0, ret, err);
}
