/* What a build sees as files, and what it may not leave in its artifact. SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "providers/kit_launch.h"
#include "providers/process/process.h"

#define SECRETS_FIND_MIN 8 /* shorter ones stand anywhere */

static const struct value *secrets_asked(const struct process_call *c)
{
    return value_get(c->desired, S("secrets"));
}

static struct str secrets_path(struct process_call *c)
{
    return str_fmt(&c->arena, "%.*s/%.*s/secrets", STR_ARG(c->place.runs), STR_ARG(c->place.owner));
}

struct str process_secrets_dir(struct process_call *c)
{
    return value_count(secrets_asked(c)) ? secrets_path(c) : STR_NONE;
}

/* The name of a file. */
static int secrets_name_ok(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char l = name.p[i];

        if (!((l >= 'a' && l <= 'z') || (i && ((l >= '0' && l <= '9') || l == '_' || l == '-'))))
            return 0;
    }
    return name.n > 0 && name.n <= 64;
}

static int secrets_value(struct process_call *c, const struct value_entry *e, struct str *ret)
{
    struct str ref = value_get_text(e->value, S("secret"), S(""));
    struct rv_str value;
    int verdict;

    if (!secrets_name_ok(e->key))
        return process_fail(c, RV_USER, RV_ACTED_NO, "'%.*s' is no name of a secret",
                            STR_ARG(e->key));
    verdict = c->h->secret(c->h->ctx, kit_rv(ref), &value);
    if (verdict)
        return process_fail(c, (enum rv_verdict)verdict, RV_ACTED_NO, "secret '%.*s': %s",
                            STR_ARG(ref), kit_verdict_name((uint32_t)verdict));
    *ret = kit_str(value);
    return 0;
}

/* Of class uid they are its user's, in a directory that stays ours: so its keeper can remove them. */
static int secrets_hand_over(struct process_call *c, const char *dir, struct err *err)
{
    struct str class = value_get_text(c->desired, S("isolation"), S("none"));

    if (kit_launch_class(class) != LAUNCH_UID)
        return 0;
    if (process_users_give(c, dir, err))
        return err->code;
    return chmod(dir, 0755) ? err_sys(err, "open '%s' for its user", dir) : 0;
}

int process_secrets_write(struct process_call *c)
{
    const struct value *asked = secrets_asked(c);
    const char *dir = secrets_path(c).p;
    struct err err = ERR_INIT;

    if (!dir || sys_remove_all(dir, &err) || (value_count(asked) && sys_mkdir_all(dir, 0700, &err)))
        return dir ? process_fail_err(c, RV_ACTED_YES, &err)
                   : process_fail(c, RV_RETRY, RV_ACTED_YES, "out of memory");
    for (size_t i = 0; i < value_count(asked); i++) {
        const struct value_entry *e = &asked->u.map.entries[i];
        struct str value;

        if (secrets_value(c, e, &value))
            return (int)c->ret->verdict;
        if (sys_write_file(str_fmt(&c->arena, "%s/%.*s", dir, STR_ARG(e->key)).p, 0400, value,
                           &err))
            return process_fail_err(c, RV_ACTED_YES, &err);
    }
    if (value_count(asked) && secrets_hand_over(c, dir, &err))
        return process_fail_err(c, RV_ACTED_YES, &err);
    return 0;
}

void process_secrets_remove(struct process_call *c)
{
    const char *dir = secrets_path(c).p;
    struct err ignored = ERR_INIT; /* what stays goes with the resource */

    if (dir)
        (void)sys_remove_all(dir, &ignored);
}

void process_secrets_sweep(struct process_call *c)
{
    AUTO_HOLD struct keeper_hold hold = KEEPER_HOLD_NONE;
    const char *dir = secrets_path(c).p;

    if (dir && c->view.life == KEEPER_GONE && sys_exists(dir) && !process_take_ended(c, &hold))
        process_secrets_remove(c);
}

int process_secrets_find(struct process_call *c, const char *tree, struct str *ret)
{
    const struct value *asked = secrets_asked(c);
    VEC(struct str) values = { 0 }, names = { 0 };
    struct process_tree_found found;
    struct err err = ERR_INIT;

    *ret = S("");
    for (size_t i = 0; i < value_count(asked); i++) {
        struct str value, *slot;

        if (secrets_value(c, &asked->u.map.entries[i], &value))
            return (int)c->ret->verdict;
        value = str_trim(value);
        if (value.n < SECRETS_FIND_MIN)
            continue;
        if ((slot = vec_push(&c->arena, &values)))
            *slot = value;
        if ((slot = vec_push(&c->arena, &names)))
            *slot = asked->u.map.entries[i].key;
    }
    if (arena_status(&c->arena, &err) ||
        (values.n && process_tree_find(c, tree, values.p, values.n, &found, &err)))
        return process_fail_err(c, RV_ACTED_YES, &err);
    if (!values.n || !found.path.p)
        return 0;
    if (str_find(found.path, values.p[found.text]) != STR_NPOS)
        found.path = S("in a name");
    *ret = str_fmt(&c->arena, "build: what it made holds the value of secret '%.*s': %.*s",
                   STR_ARG(names.p[found.text]), STR_ARG(found.path));
    return arena_status(&c->arena, &err) ? process_fail_err(c, RV_ACTED_YES, &err) : 0;
}
