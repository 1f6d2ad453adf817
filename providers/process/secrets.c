/* What a build sees as files, and what it may not leave in its artifact. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/kit_launch.h"
#include "providers/process/process.h"

#define SECRETS_FIND_MIN 8 /* shorter ones stand anywhere */
#define SECRETS_LOG_MAX (64 << 20)
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

/* One that is not there holds nothing. A pipe in its place would keep us waiting. */
static int secrets_open_log(const char *path, int *ret_fd, size_t *ret_n)
{
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > SECRETS_LOG_MAX)
        return -1;
    *ret_n = (size_t)st.st_size;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static void secrets_mask(char *text, size_t n, const struct secrets_values *values)
{
    for (size_t i = 0; i < values->texts.n; i++)
        for (char *at = text; (at = memmem(at, (size_t)(text + n - at), values->texts.p[i].p,
                                           values->texts.p[i].n));)
            memset(at, '*', values->texts.p[i].n);
}

/* In its place, byte by byte: a log is as long as it was. Its two files are one text, in which a value may be cut. */
static int secrets_hide_in(struct process_call *c, const char *const *paths,
                           const struct secrets_values *values)
{
    AUTO_CLOSE int before = -1;
    AUTO_CLOSE int now = -1;
    size_t n_before = 0, n_now = 0;
    char *text;

    if (secrets_open_log(paths[0], &before, &n_before) || secrets_open_log(paths[1], &now, &n_now))
        return -1;
    text = arena_alloc(&c->arena, n_before + n_now + 1);
    if (!text || (n_before && pread(before, text, n_before, 0) != (ssize_t)n_before) ||
        (n_now && pread(now, text + n_before, n_now, 0) != (ssize_t)n_now))
        return -1;
    secrets_mask(text, n_before + n_now, values);
    return (n_before && pwrite(before, text, n_before, 0) != (ssize_t)n_before) ||
                   (n_now && pwrite(now, text + n_before, n_now, 0) != (ssize_t)n_now)
               ? -1
               : 0;
}

void process_secrets_hide(struct process_call *c)
{
    static const char *const names[] = { "log.1", "log" };
    const char *paths[N_ELEMENTS(names)];
    struct rv_result kept = *c->ret;
    struct secrets_values values;
    int can;

    if (!value_count(secrets_asked(c)))
        return;
    can = !secrets_values(c, &values);
    *c->ret = kept;
    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        paths[i] = str_fmt(&c->arena, "%.*s/%.*s/%s", STR_ARG(c->place.runs),
                           STR_ARG(c->place.owner), names[i])
                       .p;
    if (!paths[0] || !paths[1] || (can && !secrets_hide_in(c, paths, &values)))
        return;
    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        (void)unlink(paths[i]); /* what cannot be hidden is not kept */
}
