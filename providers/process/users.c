/* What belongs to an environment's own user: its home, the tree of its build, its sockets. SPDX-License-Identifier: Apache-2.0 */
#include "providers/kit_users.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "providers/keeper_proc.h"
#include "providers/process/process.h"

uint32_t process_users_uid(const struct process_call *c)
{
    const struct value *label = value_get(c->desired, S("label"));
    int64_t uid = value_get_int(label, S("uid"), 0);

    if (!uid)
        uid = value_get_int(value_get(c->view.about, S("label")), S("uid"), 0);
    return uid > 0 && uid < UINT32_MAX ? (uint32_t)uid : 0;
}

int process_users_take(struct process_call *c, struct err *err)
{
    if (c->users >= 0)
        return 0;
    return kit_users_ask(c->self->grant, process_users_uid(c), &c->users, err);
}

/* Below our own directory, whose names are ours; -1 with 0: it is not there. */
static int users_open(const char *path, int *ret_fd, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    /* One of another user that keeps us out can still be named. */
    if (fd < 0 && errno == EACCES)
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    *ret_fd = fd;
    return fd < 0 && errno != ENOENT ? err_sys(err, "open '%s'", path) : 0;
}

static int users_run(struct process_call *c, const char *what, uint32_t uid, int dir,
                     struct err *err)
{
    const struct str words[] = { str_from_c(what), str_fmt(&c->arena, "%u", uid),
                                 str_fmt(&c->arena, "%u", uid == geteuid() ? getegid() : uid) };

    if (process_users_take(c, err))
        return err->code;
    return kit_users_run(c->h, &c->arena, c->self->keeper, words, N_ELEMENTS(words), c->users, dir,
                         err);
}

int process_users_own(struct process_call *c, const char *path, enum process_owner owner,
                      struct err *err)
{
    uint32_t uid = owner == PROCESS_THEIRS ? process_users_uid(c) : (uint32_t)geteuid();
    AUTO_CLOSE int dir = -1;
    struct stat st;

    if (users_open(path, &dir, err))
        return err->code;
    if (dir < 0 || fstat(dir, &st) || st.st_uid == uid)
        return 0; /* as it shall be: what it holds by now is not looked at */
    return users_run(c, "own", uid, dir, err);
}

int process_users_give(struct process_call *c, const char *path, struct err *err)
{
    AUTO_CLOSE int dir = -1;

    if (users_open(path, &dir, err))
        return err->code;
    return dir < 0 ? err_sys(err, "open '%s'", path)
                   : users_run(c, "give", process_users_uid(c), dir, err);
}

int process_users_remove(struct process_call *c, const char *path, struct err *err)
{
    AUTO_CLOSE int dir = -1;
    struct stat st;

    if (!path || users_open(path, &dir, err))
        return path ? err->code : arena_status(&c->arena, err);
    if (dir < 0 || fstat(dir, &st) || st.st_uid == geteuid())
        return 0;
    if (users_run(c, "remove", (uint32_t)st.st_uid, dir, err))
        return err->code;
    return rmdir(path) && errno != ENOENT ? err_sys(err, "remove '%s'", path) : 0;
}

int process_users_listen(struct process_call *c, int64_t port)
{
    struct keeper_procs procs;
    struct keeper_inodes inodes;
    AUTO_CLOSE int users = -1;
    struct err err = ERR_INIT;
    VEC(struct str) words = { 0 };
    struct str *slot = vec_push(&c->arena, &words);

    if (c->view.life != KEEPER_LIVES || port < 1 || port > 65535 || !slot ||
        kit_users_of((pid_t)c->view.pid, &users, &err))
        return 0;
    *slot = S("holds");
    keeper_proc_family(&c->arena, (pid_t)c->view.keeper_pid, &procs);
    keeper_proc_sockets(&c->arena, (unsigned)port, &inodes);
    for (size_t i = 0; i < inodes.list.n; i++)
        if ((slot = vec_push(&c->arena, &words)))
            *slot = str_fmt(&c->arena, "%lu", inodes.list.p[i]);
    if ((slot = vec_push(&c->arena, &words)))
        *slot = S("--");
    for (size_t i = 0; i < procs.list.n; i++)
        if ((slot = vec_push(&c->arena, &words)))
            *slot = str_fmt(&c->arena, "%d", procs.list.p[i].pid);
    return inodes.list.n &&
           !kit_users_run(c->h, &c->arena, c->self->keeper, words.p, words.n, users, -1, &err);
}
