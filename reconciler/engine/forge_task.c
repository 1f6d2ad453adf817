/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/forge_task.h"

#include <string.h>

#include "base/guard.h"
#include "reconciler/engine/engine_state.h"
#include "specs/json_io.h"

#define FORGE_TIMEOUT_MS 20000

enum { FORGE_SIGN_IN, FORGE_ASK, FORGE_HEARD, FORGE_NEXT, FORGE_OVER };

/* clang-format off */
static const struct task_state forge_states[] = {
    /*                  name       successors                    on error       deadline_ms */
    [FORGE_SIGN_IN] = { "SIGN_IN", TO(FORGE_ASK),                FORGE_OVER,    0 },
    [FORGE_ASK]     = { "ASK",     TO2(FORGE_HEARD, FORGE_OVER), FORGE_OVER,    0 },
    [FORGE_HEARD]   = { "HEARD",   TO(FORGE_NEXT),               FORGE_OVER,    0 },
    [FORGE_NEXT]    = { "NEXT",    TO(FORGE_ASK),                FORGE_OVER,    0 },
    [FORGE_OVER]    = { "OVER",    0,                            NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static struct forge_task *forge_of(struct task *t)
{
    return container_of(t, struct forge_task, task);
}

static struct str forge_type(const struct forge_task *f)
{
    return value_get_text(f->config, S("type"), S(""));
}

/* No byte of it begins a header of its own. */
static int forge_is_token(struct str token)
{
    for (size_t i = 0; i < token.n; i++)
        if ((unsigned char)token.p[i] <= ' ' || token.p[i] == 0x7f)
            return 0;
    return token.n > 0;
}

static int forge_sign_in(struct task *t, struct err *err)
{
    struct forge_task *f = forge_of(t);
    struct str name = value_get_text(value_get(f->config, S("credentials")), S("secret"), S(""));
    struct secret *secret;

    if (!checks_path(f->arena, forge_type(f), 0, 1, S(""), S("")).p)
        return err_set(err, ERR_INVALID, "checks of a forge of type '%.*s' are not read",
                       STR_ARG(forge_type(f)));
    if (secret_store_read_own(f->engine->secrets, name, &secret, err))
        return err_wrap(err, "credentials of the forge");
    if (forge_is_token(secret_reveal(secret)))
        f->sign_in = str_to_c(f->arena,
                              checks_sign_in(f->arena, forge_type(f), secret_reveal(secret)));
    secret_free(secret);
    if (!f->sign_in)
        return err_set(err, ERR_INVALID, "credentials of the forge: no token");
    return arena_status(f->arena, err);
}

/* An address of this machine is one that the configuration names; others are looked at once they are known. */
static enum task_verdict forge_ask(struct forge_task *f)
{
    struct str api = value_get_text(f->config, S("api"), S(""));
    struct str path = checks_path(f->arena, forge_type(f), f->question, f->page,
                                  value_get_text(f->config, S("repository"), S("")), f->commit);

    if (!path.p)
        return task_goto(&f->task, FORGE_OVER);
    while (api.n && api.p[api.n - 1] == '/')
        api.n--;
    f->headers[0] = f->sign_in;
    f->headers[1] = "Accept: application/json";
    f->headers[2] = "User-Agent: reeve";
    f->request = (struct http_request){
        .method = "GET",
        .url = str_fmt(f->arena, "%.*s%.*s", STR_ARG(api), STR_ARG(path)).p,
        .headers = f->headers,
        .body_max = FORGE_ANSWER_MAX,
        .timeout_ms = FORGE_TIMEOUT_MS,
        .public_only = str_starts(api, S("https://")),
        .allowed = f->engine->egress,
        .n_allowed = f->engine->n_egress,
    };
    f->reply = (struct http_reply){ 0 };
    wait_http_start(&f->task, &f->request, f->arena, &f->reply);
    return task_then(&f->task, FORGE_HEARD);
}

static int forge_judge(const struct forge_task *f, struct err *err)
{
    int status = f->reply.status;

    if (status == 401 || status == 403)
        return err_set(err, ERR_REFUSED, "the forge refuses the credentials: status %d", status);
    if (status == 404 || status == 422)
        return err_set(err, ERR_NOT_FOUND,
                       "the forge does not know the repository or the commit: status %d", status);
    if (status < 200 || status > 299)
        return err_set(err, ERR_UNREACHABLE, "the forge answers with status %d", status);
    if (f->reply.body_dropped)
        return err_set(err, ERR_LIMIT, "an answer of the forge has more than %zu bytes",
                       FORGE_ANSWER_MAX);
    return 0;
}

static int forge_take(struct task *t, struct err *err)
{
    struct forge_task *f = forge_of(t);
    struct value *answer;

    if (forge_judge(f, err))
        return err->code;
    if (json_parse_answer(f->arena, f->reply.body, FORGE_ANSWER_MAX, &answer, err))
        return err_wrap(err, "the forge's answer");
    if (checks_take(f->arena, forge_type(f), f->question, answer, &f->facts, &f->has_more, err))
        return err->code;
    return f->has_more && f->page == CHECKS_PAGES_MAX
               ? err_set(err, ERR_LIMIT, "the forge has more than %u pages of checks",
                         CHECKS_PAGES_MAX)
               : 0;
}

static enum task_verdict forge_over(struct forge_task *f)
{
    struct err err = f->task.err;

    if (f->sign_in)
        explicit_bzero(f->sign_in, strlen(f->sign_in));
    return f->task.rc ? task_fail(&f->task, &err) : task_done(&f->task);
}

static enum task_verdict forge_step(struct task *t)
{
    struct forge_task *f = forge_of(t);

    switch (t->state) {
    case FORGE_SIGN_IN:
        wait_work_start(t, POOL_FILE, forge_sign_in);
        return task_then(t, FORGE_ASK);
    case FORGE_ASK:
        return forge_ask(f);
    case FORGE_HEARD:
        wait_work_start(t, POOL_FILE, forge_take);
        return task_then(t, FORGE_NEXT);
    case FORGE_NEXT:
        f->question += !f->has_more;
        f->page = f->has_more ? f->page + 1 : 1;
        return task_goto(t, FORGE_ASK);
    case FORGE_OVER:
        return forge_over(f);
    }
    UNREACHABLE();
}

void forge_task_start(struct forge_task *f, task_ended *ended, void *ctx)
{
    f->page = 1;
    task_start(&f->task, f->engine->loop, "forge", forge_states, N_ELEMENTS(forge_states),
               FORGE_SIGN_IN, forge_step, ended, ctx);
}
