/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/op_outputs.h"

#include "reconciler/core/object.h"
#include "specs/json_io.h"
#include "specs/reference.h"

/* --- references ---------------------------------------------------------------------------------- */

static int is_object(struct str of)
{
    size_t slash = str_find_char(of, '/');

    return slash != STR_NPOS && object_is_kind(str_slice(of, 0, slash));
}

struct str op_outputs_ref(struct arena *a, const struct value *v)
{
    struct str of = value_get_text(v, S("output"), STR_NONE),
               scheme = value_get_text(v, S("scheme"), S(""));

    if (reference_of(v) != REFERENCE_OUTPUT || !is_object(of))
        return STR_NONE;
    return str_fmt(a, "%.*s#%.*s%s%.*s@%.*s", STR_ARG(of),
                   STR_ARG(value_get_text(v, S("key"), S(""))), scheme.n ? "?scheme=" : "",
                   STR_ARG(scheme), STR_ARG(value_get_text(v, S("version"), S("1"))));
}

int op_outputs_is_ref(struct str ref)
{
    size_t hash = str_find_char(ref, '#');

    return hash != STR_NPOS && is_object(str_slice(ref, 0, hash));
}

struct wanted_output {
    struct engine *engine;
    struct task *task; /* its cancel ends the call */
    struct str env, kind, name, key, scheme;
    struct arena arena;
    struct rec_resource row;
};

static void parse_ref(struct str ref, struct wanted_output *w)
{
    size_t hash = str_find_char(ref, '#'), slash = str_find_char(ref, '/'), at, mark;
    struct str rest = str_slice(ref, hash + 1, ref.n);

    at = str_find_char(rest, '@');
    rest = str_slice(rest, 0, at == STR_NPOS ? rest.n : at);
    mark = str_find(rest, S("?scheme="));
    w->kind = str_slice(ref, 0, slash);
    w->name = str_slice(ref, slash + 1, hash - slash - 1);
    w->key = str_slice(rest, 0, mark == STR_NPOS ? rest.n : mark);
    w->scheme = mark == STR_NPOS ? S("") : str_slice(rest, mark + S("?scheme=").n, rest.n);
}

/* --- values -------------------------------------------------------------------------------------- */

static int find_row(void *ctx, struct err *err)
{
    struct wanted_output *w = ctx;

    return resources_now(w->engine->db, &w->arena, w->env, w->kind, w->name, &w->row, err);
}

/* "postgresql://.." in another scheme. */
static struct str with_scheme(struct arena *a, struct str url, struct str scheme)
{
    size_t at = str_find(url, S("://"));

    if (!scheme.n || at == STR_NPOS)
        return url;
    return str_fmt(a, "%.*s%.*s", STR_ARG(scheme), STR_ARG(str_slice(url, at, url.n)));
}

static int ask_provider(struct wanted_output *w, struct arena *a, struct str *ret, struct err *err)
{
    struct driver_answer answer;
    const struct value *v;
    const struct driver_call call = {
        .engine = w->engine,
        .task = w->task,
        .provider = w->row.provider,
        .kind = w->row.provider_id.n ? CALL_READ : CALL_FIND, /* a name that it had: by its label */
        .op = { .type = kit_rv(w->kind),
                .name = kit_rv(w->name),
                .owner = kit_rv(w->row.owner),
                .id = kit_rv(w->row.provider_id) },
    };

    if (driver_call(&call, a, &answer, err))
        return err->code;
    if (answer.verdict != RV_DONE)
        return err_set(err, ERR_UNREACHABLE, "'%.*s/%.*s' cannot be read: %s", STR_ARG(w->kind),
                       STR_ARG(w->name), kit_verdict_name(answer.verdict));
    v = value_get(driver_answer_value(a, answer.outputs), w->key);
    if (!v)
        return err_set(err, ERR_NOT_FOUND, "'%.*s/%.*s' has no output '%.*s'", STR_ARG(w->kind),
                       STR_ARG(w->name), STR_ARG(w->key));
    *ret = v->kind == VALUE_TEXT ? with_scheme(a, v->u.text, w->scheme) : json_format(a, v);
    return arena_status(a, err);
}

int op_outputs_give(struct engine *e, struct task *task, struct str env, struct arena *a,
                    struct str ref, struct str *ret, struct err *err)
{
    struct wanted_output w = { .engine = e, .task = task, .env = env };
    int rc;

    arena_init(&w.arena, 0);
    parse_ref(ref, &w);
    rc = wait_work_call(e->loop, POOL_STATE, find_row, &w, err);
    if (!rc)
        rc = ask_provider(&w, a, ret, err);
    arena_fini(&w.arena);
    return rc;
}
