/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/isolation.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/log.h"
#include "providers/kit_users.h"
#include "providers/spawn.h"
#include "reconciler/cli/programs.h"

#define ISOLATION_STEP(name, text) [name] = (text),
static const char *const isolation_steps[] = { LAUNCH_STEPS(ISOLATION_STEP) };
#undef ISOLATION_STEP

struct isolation_user {
    uint32_t uid, gid, from, to;
};

/* What the launcher said before it became the program, or did not. */
static int isolation_hear(int fd, struct err *err)
{
    int said[2];
    ssize_t n;

    while ((n = read(fd, said, sizeof(said))) < 0 && errno == EINTR)
        ;
    if (n != sizeof(said) || said[0] <= LAUNCH_OK || said[0] >= LAUNCH_N_STEPS)
        return 0;
    return err_set(err, ERR_REFUSED, "%s: %s", isolation_steps[said[0]], strerror(said[1]));
}

/* --- who gives users ----------------------------------------------------------------------------- */

static int isolation_names(const struct value *daemon, const char *class)
{
    const struct value *rules = value_get(daemon, S("environments"));

    for (size_t i = 0; i < value_count(rules); i++)
        if (str_eq_c(value_get_text(value_item(rules, i), S("isolation"), S("")), class))
            return 1;
    return 0;
}

static int isolation_spawn(struct cli *c, const char *program, const struct isolation_user *u,
                           int requests, struct err *err)
{
    struct arena *a = c->arena;
    const struct str words[] = { str_from_c(program),       S("grant"),
                                 str_fmt(a, "%u", u->uid),  str_fmt(a, "%u", u->gid),
                                 str_fmt(a, "%u", u->from), str_fmt(a, "%u", u->to) };
    struct rv_str argv[N_ELEMENTS(words)];
    struct rv_exec in = {
        .size = sizeof(in), .n_argv = N_ELEMENTS(words), .argv = argv, .n_fds = 1, .fds = &requests
    };
    pid_t ignored;

    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        argv[i] = (struct rv_str){ words[i].p, words[i].n };
    if (arena_status(a, err))
        return err->code;
    return spawn_child(&in, &(struct spawn_options){ -1, -1, -1, 0 }, &ignored, err);
}

int isolation_start(struct cli *c, struct isolation_grant *ret, struct err *err)
{
    struct str from, to = value_get_text(c->daemon, S("uids"), S(""));
    struct isolation_user u = { 0 };
    int64_t low = 0, high = 0;
    const char *self, *keeper;
    int ends[2], rc;

    *ret = (struct isolation_grant){ .fd = -1 };
    if (geteuid() != 0 || !isolation_names(c->daemon, "uid"))
        return 0;
    (void)str_next(&to, '-', &from);
    rc = config_user(c, &u.uid, &u.gid, err);
    if (rc)
        return rc;
    (void)str_to_i64(from, &low); /* the schema looked at them */
    (void)str_to_i64(to, &high);
    u.from = (uint32_t)low;
    u.to = (uint32_t)high;
    if (!u.uid || (u.uid >= u.from && u.uid <= u.to))
        return err_set(err, ERR_INVALID,
                       "isolation uid: 'user' is neither root nor one of the environments' 'uids'");
    if (programs_find_self(c->arena, &self, err) ||
        programs_find_keeper(c->arena, self, &keeper, err) ||
        (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) && err_sys(err, "socketpair")))
        return err->code;
    rc = isolation_spawn(c, programs_beside(c->arena, keeper, "reeve-users"), &u, ends[1], err);
    (void)close(ends[1]); /* its end */
    *ret = (struct isolation_grant){ ends[0], u.from };
    return rc;
}

/* --- trying -------------------------------------------------------------------------------------- */

/* Of the machine, not of a namespace: no limit of processes binds it. */
static int isolation_is_root(void)
{
    unsigned inside, outside, n;
    FILE *map = geteuid() == 0 ? fopen("/proc/self/uid_map", "re") : NULL;
    int is_read = map && fscanf(map, "%u %u %u", &inside, &outside, &n) == 3;

    if (map)
        (void)fclose(map); /* only read */
    return is_read && n == UINT32_MAX;
}

int isolation_try(const char *launcher, enum launch_class class,
                  const struct isolation_grant *grant, struct err *err)
{
    static const char *const words[] = { "run", "/", "true" };
    struct launch plan = KIT_LAUNCH(class);
    struct rv_str argv[N_ELEMENTS(words) + 1] = { { launcher, strlen(launcher) } };
    struct rv_str path = { "PATH=/usr/bin:/bin", 18 };
    struct rv_exec in = { .size = sizeof(in), .argv = argv, .env = &path, .n_env = 1 };
    AUTO_CLOSE int hear = -1;
    int fds[3] = { -1, -1, -1 }, pipes[2], status, rc;
    pid_t pid;

    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        argv[i + 1] = (struct rv_str){ words[i], strlen(words[i]) };
    in.n_argv = N_ELEMENTS(argv);
    in.fds = fds;
    in.n_fds = class == LAUNCH_UID ? 3 : 2;
    plan.uid = grant->uid;
    if (class == LAUNCH_NAMESPACE && isolation_is_root())
        return err_set(err, ERR_REFUSED,
                       "isolation: no limit holds the processes of root: name another 'user'");
    if (class == LAUNCH_UID && kit_users_ask(grant->fd, grant->uid, &fds[2], err))
        return err->code;
    if (pipe2(pipes, O_CLOEXEC))
        return err_sys(err, "pipe");
    hear = pipes[0];
    fds[0] = pipes[1];
    rc = kit_launch_write(&plan, &fds[1], err);
    if (!rc)
        rc = spawn_child(&in, &(struct spawn_options){ -1, -1, -1, SIGKILL }, &pid, err);
    guard_close(&fds[0]);
    guard_close(&fds[1]);
    guard_close(&fds[2]);
    if (rc)
        return rc;
    rc = isolation_hear(hear, err);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!rc && status)
        rc = err_set(err, ERR_REFUSED, "isolation: a program that does nothing ended with %d",
                     status);
    return rc;
}

int isolation_check(struct arena *a, const struct value *daemon, const char *keeper,
                    const struct isolation_grant *grant, struct err *err)
{
    const struct value *rules = value_get(daemon, S("environments"));
    int is_known[LAUNCH_N_CLASSES] = { [LAUNCH_NONE] = 1 };

    for (size_t i = 0; i < value_count(rules); i++) {
        const struct value *rule = value_item(rules, i);
        struct str word = value_get_text(rule, S("isolation"), S("none"));
        enum launch_class class = kit_launch_class(word);

        if (class == LAUNCH_N_CLASSES || is_known[class])
            continue;
        if (isolation_try(programs_beside(a, keeper, "reeve-spawn"), class, grant, err))
            return err_wrap(err, "isolation '%.*s' of the rule at %.*s:%u", STR_ARG(word),
                            STR_ARG(value_file(rule->place)), rule->place.line);
        is_known[class] = 1;
    }
    return 0;
}

struct str isolation_groups(struct arena *a)
{
    gid_t groups[NGROUPS_MAX];
    int n = getgroups(NGROUPS_MAX, groups);
    struct sb names;

    sb_init(&names, a);
    for (int i = 0; i < n; i++) {
        const struct group *entry = groups[i] == getegid() ? NULL : getgrgid(groups[i]);

        if (groups[i] == getegid())
            continue;
        sb_add_c(&names, sb_str(&names).n ? ", " : "");
        if (entry)
            sb_add_c(&names, entry->gr_name);
        else
            sb_addf(&names, "%u", (unsigned)groups[i]);
    }
    return sb_str(&names).n ? sb_str(&names) : STR_NONE;
}

void isolation_warn(struct arena *a, const struct value *daemon)
{
    const struct value *rules = value_get(daemon, S("environments"));
    struct str groups = isolation_groups(a);

    if (groups.p && isolation_names(daemon, "namespace"))
        LOG(LOG_WARN, "isolation namespace: code keeps the groups of the daemon's user",
            LOG_S("groups", groups));

    for (size_t i = 0; i < value_count(rules); i++)
        if (str_eq_c(value_get_text(value_item(rules, i), S("isolation"), S("")), "none"))
            LOG(LOG_WARN, "isolation none: code of these environments runs as the daemon's user",
                LOG_S("name", value_get_text(value_get(value_item(rules, i), S("match")), S("name"),
                                             S(""))));
}
