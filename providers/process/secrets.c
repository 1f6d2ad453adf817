/* What a build sees as files, and what it may not leave in its artifact. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/kit_launch.h"
#include "providers/process/process.h"

#define SECRETS_FIND_MIN 8    /* shorter ones stand anywhere */
#define SECRETS_PATH_SAID 200 /* of where one was found */

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

/* Those that can be looked for. */
struct secrets_values {
    VEC(struct str) texts, names;
};

static int secrets_values(struct process_call *c, struct secrets_values *ret)
{
    const struct value *asked = secrets_asked(c);
    struct err err = ERR_INIT;

    *ret = (struct secrets_values){ 0 };
    for (size_t i = 0; i < value_count(asked); i++) {
        struct str value, *slot;

        if (secrets_value(c, &asked->u.map.entries[i], &value))
            return (int)c->ret->verdict;
        value = str_trim(value);
        if (value.n < SECRETS_FIND_MIN)
            continue;
        if ((slot = vec_push(&c->arena, &ret->texts)))
            *slot = value;
        if ((slot = vec_push(&c->arena, &ret->names)))
            *slot = asked->u.map.entries[i].key;
    }
    return arena_status(&c->arena, &err) ? process_fail_err(c, RV_ACTED_YES, &err) : 0;
}

int process_secrets_find(struct process_call *c, const char *tree, struct str *ret)
{
    struct secrets_values values;
    struct process_tree_found found;
    struct err err = ERR_INIT;

    *ret = S("");
    if (secrets_values(c, &values))
        return (int)c->ret->verdict;
    if (!values.texts.n)
        return 0;
    if (process_tree_find(c, tree, values.texts.p, values.texts.n, &found, &err) == ERR_LIMIT)
        *ret = str_copy(&c->arena, str_from_c(err.text));
    else if (err.code)
        return process_fail_err(c, RV_ACTED_YES, &err);
    if (!found.path.p)
        return arena_status(&c->arena, &err) ? process_fail_err(c, RV_ACTED_YES, &err) : 0;
    if (str_find(found.path, values.texts.p[found.text]) != STR_NPOS)
        found.path = S("in a name");
    *ret = str_fmt(&c->arena, "build: what it made holds the value of secret '%.*s': %.*s",
                   STR_ARG(values.names.p[found.text]),
                   STR_ARG(str_slice(found.path, 0, SECRETS_PATH_SAID)));
    return arena_status(&c->arena, &err) ? process_fail_err(c, RV_ACTED_YES, &err) : 0;
}

/* In its place, byte by byte: a log is as long as it was. */
static int secrets_hide_in(const char *path, const struct secrets_values *values)
{
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    char *log, *at;

    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    if (fstat(fd, &st) || !st.st_size)
        return st.st_size ? -1 : 0;
    log = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (log == MAP_FAILED)
        return -1;
    for (size_t i = 0; i < values->texts.n; i++)
        for (at = log; (at = memmem(at, (size_t)(log + st.st_size - at), values->texts.p[i].p,
                                    values->texts.p[i].n));)
            memset(at, '*', values->texts.p[i].n);
    return munmap(log, (size_t)st.st_size);
}

void process_secrets_hide(struct process_call *c)
{
    static const char *const logs[] = { "log", "log.1" };
    struct rv_result kept = *c->ret;
    struct secrets_values values;
    int can = value_count(secrets_asked(c)) ? !secrets_values(c, &values) : -1;

    *c->ret = kept;
    for (size_t i = 0; can >= 0 && i < N_ELEMENTS(logs); i++) {
        const char *path = str_fmt(&c->arena, "%.*s/%.*s/%s", STR_ARG(c->place.runs),
                                   STR_ARG(c->place.owner), logs[i])
                               .p;

        if (path && (!can || secrets_hide_in(path, &values)))
            (void)unlink(path); /* what cannot be hidden is not kept */
    }
}
