/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/process.h"

#include <string.h>

#include "base/guard.h"
#include "base/sys.h"

#define COMMAND_JOIN_DEPTH 8
#define COMMAND_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ${port} in text becomes the port. */
static struct str command_with_port(struct arena *a, struct str text, int64_t port)
{
    struct sb b;
    size_t at;

    if (!port || str_find(text, S("${port}")) == STR_NPOS)
        return text;
    sb_init(&b, a);
    while ((at = str_find(text, S("${port}"))) != STR_NPOS) {
        sb_add(&b, str_slice(text, 0, at));
        sb_addf(&b, "%lld", (long long)port);
        text = str_slice(text, at + 7, text.n);
    }
    sb_add(&b, text);
    return sb_str(&b);
}

/* Text, {"secret": REF} or {"join": [..], "with": TEXT} as text. */
static int command_value(struct process_call *c, const struct value *v, int64_t port, int depth,
                         struct sb *b)
{
    const struct value *parts = value_get(v, S("join"));
    struct str ref = value_get_text(v, S("secret"), STR_NONE);
    struct rv_str secret;
    int verdict;

    if (value_is(v, VALUE_TEXT)) {
        sb_add(b, command_with_port(&c->arena, v->u.text, port));
        return 0;
    }
    if (ref.p) {
        verdict = c->h->secret(c->h->ctx, kit_rv(ref), &secret);
        if (verdict)
            return process_fail(c, (enum rv_verdict)verdict, RV_ACTED_NO, "secret '%.*s': %s",
                                STR_ARG(ref), kit_verdict_name((uint32_t)verdict));
        sb_add(b, kit_str(secret));
        return 0;
    }
    if (!parts || depth == COMMAND_JOIN_DEPTH)
        return process_fail(c, RV_USER, RV_ACTED_NO, "a value is neither text, secret nor join");
    for (size_t i = 0; i < value_count(parts); i++) {
        if (i)
            sb_add(b, value_get_text(v, S("with"), S("")));
        if (command_value(c, value_item(parts, i), port, depth + 1, b))
            return (int)c->ret->verdict;
    }
    return 0;
}

static int command_name_ok(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char l = name.p[i];

        if (!((l >= 'A' && l <= 'Z') || (l >= 'a' && l <= 'z') || l == '_' ||
              (i && l >= '0' && l <= '9')))
            return 0;
    }
    return name.n > 0;
}

static int command_environment(struct process_call *c, int64_t port, struct keeper_want *ret)
{
    const struct value *map = value_get(c->desired, S("environment"));
    VEC(struct str) env = { 0 };
    struct arena *a = &c->arena;
    struct str *slot,
        home = str_fmt(a, "HOME=%.*s/%.*s/home", STR_ARG(c->place.runs), STR_ARG(c->place.owner));

    if (!value_get(map, S("PATH")) && (slot = vec_push(a, &env)))
        *slot = S(COMMAND_PATH);
    if (!value_get(map, S("HOME")) && (slot = vec_push(a, &env)))
        *slot = home;
    if (port && !value_get(map, S("PORT")) && (slot = vec_push(a, &env)))
        *slot = str_fmt(a, "PORT=%lld", (long long)port);
    if (process_secrets_dir(c).p && !value_get(map, S("REEVE_SECRETS")) &&
        (slot = vec_push(a, &env)))
        *slot = str_fmt(a, "REEVE_SECRETS=%.*s", STR_ARG(process_secrets_dir(c)));
    for (size_t i = 0; i < value_count(map); i++) {
        const struct value_entry *e = &map->u.map.entries[i];
        struct sb b;

        sb_init(&b, a);
        sb_addf(&b, "%.*s=", STR_ARG(e->key));
        if (!command_name_ok(e->key))
            return process_fail(c, RV_USER, RV_ACTED_NO, "'%.*s' is no name of a variable",
                                STR_ARG(e->key));
        if (command_value(c, e->value, port, 0, &b))
            return (int)c->ret->verdict;
        if (memchr(b.p, 0, b.n))
            return process_fail(c, RV_USER, RV_ACTED_NO, "variable '%.*s' holds a NUL",
                                STR_ARG(e->key));
        if ((slot = vec_push(a, &env)))
            *slot = sb_str(&b);
    }
    ret->env = env.p;
    ret->n_env = env.n;
    return 0;
}

static int command_argv(struct process_call *c, const struct value *argv, int64_t port,
                        struct keeper_want *ret)
{
    size_t n = value_count(argv);
    struct str *texts = arena_new_n(&c->arena, struct str, n + 1);

    for (size_t i = 0; texts && i < n; i++) {
        const struct value *v = value_item(argv, i);

        if (!value_is(v, VALUE_TEXT) || (v->u.text.n && memchr(v->u.text.p, 0, v->u.text.n)))
            return process_fail(c, RV_USER, RV_ACTED_NO, "the command is a list of texts");
        texts[i] = command_with_port(&c->arena, v->u.text, port);
    }
    if (!n || !texts[0].n)
        return process_fail(c, RV_USER, RV_ACTED_NO, "there is no command to run");
    ret->argv = texts;
    ret->n_argv = n;
    return 0;
}

int process_command(struct process_call *c, const struct value *argv, struct str dir, int64_t port,
                    struct keeper_want *ret)
{
    struct err err = ERR_INIT;
    struct str home = str_fmt(&c->arena, "%.*s/%.*s/home", STR_ARG(c->place.runs),
                              STR_ARG(c->place.owner));

    *ret = (struct keeper_want){ .key = kit_str(c->op->key), .epoch = c->op->epoch, .dir = dir };
    if (arena_status(&c->arena, &err) || sys_mkdir_all(home.p, 0700, &err))
        return process_fail_err(c, RV_ACTED_YES, &err);
    if (command_argv(c, argv, port, ret) || command_environment(c, port, ret))
        return (int)c->ret->verdict;
    ret->about = process_about(c, port);
    ret->timeout_ms = value_get_int(c->desired, S("timeout_ms"), 0);
    ret->grace_ms = 10000;
    return arena_status(&c->arena, &err) ? process_fail_err(c, RV_ACTED_YES, &err) : 0;
}

/* What the directory remembers of what was asked: names and digests, no value. */
struct value *process_about(struct process_call *c, int64_t port)
{
    static const struct str kept[] = { S_INIT("label"),     S_INIT("artifact"), S_INIT("service"),
                                       S_INIT("set"),       S_INIT("ordinal"),  S_INIT("context"),
                                       S_INIT("isolation"), S_INIT("limits"),   S_INIT("static"),
                                       S_INIT("assets"),    S_INIT("logs") };
    struct value *about = value_map(&c->arena);

    for (size_t i = 0; i < N_ELEMENTS(kept); i++) {
        const struct value *v = value_get(c->desired, kept[i]);

        if (v)
            value_set(&c->arena, about, kept[i], value_copy(&c->arena, v));
    }
    if (str_eq_c(kit_str(c->op->type), "artifact"))
        value_set_text(&c->arena, about, S("artifact"),
                       value_get_text(c->desired, S("key"), S("")));
    value_set_text(&c->arena, about, S("name"), kit_str(c->op->name));
    value_set_text(&c->arena, about, S("type"), kit_str(c->op->type));
    value_set_text(&c->arena, about, S("want"), c->want);
    if (port)
        value_set_int(&c->arena, about, S("port"), port);
    return about;
}

/* Relative, without "..": it cannot leave the tree by name. */
static int command_context_ok(struct str context)
{
    struct str rest = context, part;

    if (context.n && context.p[0] == '/')
        return 0;
    while (str_next(&rest, '/', &part))
        if (str_eq(part, S("..")) || (part.n && memchr(part.p, 0, part.n)))
            return 0;
    return 1;
}

int process_work_dir(struct process_call *c, struct str root, struct str *ret)
{
    struct str context = value_get_text(c->desired, S("context"), S("."));

    if (!command_context_ok(context))
        return process_fail(c, RV_USER, RV_ACTED_NO, "context '%.*s' leaves the source",
                            STR_ARG(context));
    *ret = str_fmt(&c->arena, "%.*s/%.*s", STR_ARG(root), STR_ARG(context));
    return 0;
}

const char *process_artifact_tree(struct process_call *c)
{
    struct str key = value_get_text(c->desired, S("artifact"), STR_NONE);

    if (process_assets_copy(c).p)
        return process_assets_copy(c).p;
    return key.p ? str_fmt(&c->arena, "%.*s/%.*s/tree", STR_ARG(c->self->artifacts), STR_ARG(key)).p
                 : NULL;
}

int process_artifact_dir(struct process_call *c, struct str *ret)
{
    struct str key = value_get_text(c->desired, S("artifact"), STR_NONE);
    const char *root = process_artifact_tree(c);

    if (!key.p) {
        *ret = str_fmt(&c->arena, "%.*s/%.*s/home", STR_ARG(c->place.runs),
                       STR_ARG(c->place.owner));
        return 0;
    }
    if (!key.n || str_find_char(key, '/') != STR_NPOS || key.p[0] == '.' || !root ||
        !sys_exists(root))
        return process_fail(c, RV_USER, RV_ACTED_NO, "artifact '%.*s' is not here", STR_ARG(key));
    return process_work_dir(c, str_from_c(root), ret);
}
