/* reeve-spawn: what a repository's code is started by. SPDX-License-Identifier: Apache-2.0
 *
 *     outer      the keeper's child: makes the first user namespace, waits, ends as the program ended
 *       init     number 1 in there: makes the view, then the second user namespace, in which nothing of
 *                the view can be taken away again; reaps what the program leaves
 *         program          in a process group of its own: what it sends to its group stays there
 *
 * A signal to the group of the first two is for the program: init hands it on.
 */
#include "providers/launch/launch_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LAUNCH_LOOK_MS 1000   /* how often what it wrote is counted, */
#define LAUNCH_LOOK_SHARE 20  /* at most a twentieth of the time */
#define LAUNCH_GRACE_MS 10000 /* to make room, without the right to write */
#define LAUNCH_CORE_BYTES 1   /* 0 is overlooked where cores go to a program: core(5) */

static void launch_say(enum launch_step step, int number)
{
    int said[2] = { (int)step, number };

    (void)!write(LAUNCH_STATUS_FD, said, sizeof(said)); /* nobody there: nobody asks */
}

_Noreturn void launch_fail(enum launch_step step)
{
    launch_say(step, errno);
    _exit(127);
}

static void launch_read(struct launch *ret)
{
    int ok = pread(LAUNCH_PLAN_FD, ret, sizeof(*ret), 0) == sizeof(*ret) &&
             ret->magic == LAUNCH_MAGIC && ret->n_places <= LAUNCH_PLACES_MAX &&
             ret->n_groups <= LAUNCH_GROUPS_MAX &&
             (ret->class == LAUNCH_NAMESPACE || (ret->class == LAUNCH_UID && ret->uid));

    for (uint32_t i = 0; ok && i < ret->n_places; i++)
        ok = ret->places[i].how <= LAUNCH_WRITE && ret->places[i].path[0] == '/' &&
             memchr(ret->places[i].path, 0, LAUNCH_PATH_MAX);
    for (uint32_t i = 0; ok && i < ret->n_groups; i++)
        ok = ret->groups[i][0] == '/' && memchr(ret->groups[i], 0, LAUNCH_PATH_MAX);
    errno = EINVAL;
    if (!ok)
        launch_fail(LAUNCH_ORDERS);
}

/* As the daemon's user, who owns them: whoever we become does not. */
static void launch_enter(const struct launch *plan)
{
    for (uint32_t i = 0; i < plan->n_groups; i++) {
        char path[LAUNCH_PATH_MAX + 16];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/cgroup.procs", plan->groups[i]);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1 || close(fd))
            launch_fail(LAUNCH_GROUP);
    }
}

static void launch_ignore_signals(void)
{
    for (int s = 1; s < NSIG; s++)
        if (s != SIGCHLD)
            (void)signal(s, SIG_IGN); /* KILL and STOP refuse, as they should */
}

/* In the namespace that was just made: we are who we were, and nobody else is anybody. */
static void launch_map(int proc, unsigned uid, unsigned gid, enum launch_step step)
{
    const struct {
        const char *file;
        unsigned id;
    } maps[] = { { "self/uid_map", uid }, { "self/setgroups", 0 }, { "self/gid_map", gid } };

    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        char text[64];
        int n = i == 1 ? snprintf(text, sizeof(text), "deny")
                       : snprintf(text, sizeof(text), "%u %u 1\n", maps[i].id, maps[i].id);
        int fd = openat(proc, maps[i].file, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, text, (size_t)n) != n || close(fd))
            launch_fail(step);
    }
}

/* --- the program --------------------------------------------------------------------------------- */

static void launch_limit(int what, rlim_t limit)
{
    const struct rlimit both = { limit, limit };
    struct rlimit now;

    if (getrlimit((enum __rlimit_resource)what, &now))
        launch_fail(LAUNCH_LIMITS);
    if (limit < now.rlim_max && setrlimit((enum __rlimit_resource)what, &both))
        launch_fail(LAUNCH_LIMITS);
}

/* Nothing of what the namespaces gave; and no program can give it back. */
static void launch_drop(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2] = { 0 };

    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
            launch_fail(LAUNCH_NESTED);
    if (syscall(SYS_capset, &head, none) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        launch_fail(LAUNCH_NESTED);
}

static _Noreturn void launch_exec(const struct launch *plan, char **argv)
{
    launch_limit(RLIMIT_CORE, LAUNCH_CORE_BYTES);
    if (plan->max_processes)
        launch_limit(RLIMIT_NPROC, plan->max_processes);
    if (plan->max_file_bytes)
        launch_limit(RLIMIT_FSIZE, plan->max_file_bytes);
    if (plan->max_memory_bytes)
        launch_limit(RLIMIT_AS, plan->max_memory_bytes);
    for (int s = 1; s < NSIG; s++)
        (void)signal(s, s == SIGXFSZ ? SIG_IGN : SIG_DFL); /* a refused write is an error of it */
    if (setpgid(0, 0))
        launch_fail(LAUNCH_LIMITS);
    if (chdir(argv[0]))
        launch_fail(LAUNCH_DIR);
    if (fcntl(LAUNCH_STATUS_FD, F_SETFD, FD_CLOEXEC) || close_range(LAUNCH_PLAN_FD, ~0u, 0))
        launch_fail(LAUNCH_LIMITS);
    (void)execvp(argv[1], argv + 1); /* returns only to fail */
    launch_fail(LAUNCH_EXEC);
}

/* --- init ---------------------------------------------------------------------------------------- */

/* Who started us may have died before we asked to die with it. */
static void launch_die_with(int to_outer)
{
    struct pollfd p = { to_outer, 0, 0 };

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || poll(&p, 1, 0) < 0 || (p.revents & POLLERR))
        _exit(127);
}

/* A third one, in which the program would have rights again, cannot be made in the second. */
static void launch_nest(int proc)
{
    unsigned uid = getuid(), gid = getgid();
    int fd;

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
        launch_fail(LAUNCH_NESTED);
    launch_map(proc, uid, gid, LAUNCH_NESTED);
    fd = openat(proc, "sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1 || close(fd))
        launch_fail(LAUNCH_NESTED);
}

/* Become the environment's user; the way back is closed by launch_drop(). */
static void launch_become(uint32_t uid)
{
    if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid) ||
        prctl(PR_SET_DUMPABLE, 1)) /* else its own /proc is not its own */
        launch_fail(LAUNCH_USERS);
}

/* --- what init does while the program runs */

static volatile sig_atomic_t init_program, init_asked; /* asked: SIGRTMIN or the one behind it */
static volatile sig_atomic_t init_early;               /* came before the program */

static void init_hand_on(int s)
{
    if (s == SIGRTMIN || s == SIGRTMIN + 1)
        init_asked = s;
    else if (s == LAUNCH_SIGNAL_FREEZE || s == LAUNCH_SIGNAL_THAW)
        (void)kill(-1, s == LAUNCH_SIGNAL_FREEZE ? SIGSTOP : SIGCONT); /* all but ourselves */
    else if (!init_program)
        init_early = s;
    else if (kill(-init_program, s))
        (void)kill(init_program, s); /* gone already is as good */
}

static void init_listen(void)
{
    struct sigaction hand_on = { .sa_handler = init_hand_on };

    for (int s = 1; s < NSIG; s++)
        if (s != SIGCHLD)
            (void)sigaction(s, &hand_on, NULL); /* KILL and STOP refuse, as they should */
}

/* The soft limit of every process: what the program takes back itself lasts until the next look. */
static void init_may_write(int may)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    struct rlimit limit;

    while (proc && (entry = readdir(proc))) {
        pid_t pid = (pid_t)atoi(entry->d_name);

        if (pid <= 1 || prlimit(pid, RLIMIT_FSIZE, NULL, &limit))
            continue;
        limit.rlim_cur = may ? limit.rlim_max : 0;
        (void)prlimit(pid, RLIMIT_FSIZE, &limit, NULL); /* gone already is as good */
    }
    if (proc)
        (void)closedir(proc); /* only read */
}

static int init_wait(pid_t program)
{
    pid_t ended;
    int status;

    while ((ended = wait(&status)) != program) {
        if (ended < 0 && errno != EINTR)
            _exit(127);
        if (init_asked)
            init_may_write(init_asked == SIGRTMIN + 1);
        init_asked = 0;
    }
    return status;
}

/* Over its quota it has no right to write into files; hopelessly, its places are only there to be read, for what
 * has no bytes takes room too. */
static void launch_hold_back(struct launch *plan, enum launch_fill fill)
{
    for (uint32_t i = 0; fill == LAUNCH_HOPELESS && i < plan->n_places; i++)
        if (plan->places[i].how == LAUNCH_WRITE)
            plan->places[i].how = LAUNCH_READ;
    if (fill) {
        launch_say(LAUNCH_FULL, EDQUOT);
        launch_limit(RLIMIT_FSIZE, 0);
    }
}

static _Noreturn void launch_init(struct launch *plan, enum launch_fill fill, int to_outer,
                                  char **argv)
{
    mode_t mask = umask(0);
    pid_t program;
    int proc, status;

    launch_hold_back(plan, fill);
    launch_view_make(plan, &proc);
    if (plan->flags & LAUNCH_NO_NETWORK)
        launch_view_network();
    if (plan->class == LAUNCH_UID)
        launch_become(plan->uid);
    launch_nest(proc);
    launch_drop();
    (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL); /* the daemon's is empty too */
    launch_view_scope();
    if (prctl(PR_SET_DUMPABLE, 0))
        launch_fail(LAUNCH_NESTED);
    launch_die_with(to_outer);
    (void)umask(mask);
    init_listen();
    program = fork();
    if (program < 0)
        launch_fail(LAUNCH_LIMITS);
    if (program == 0)
        launch_exec(plan, argv);
    init_program = program;
    if (init_early)
        init_hand_on(init_early);
    if (close_range(0, (unsigned)to_outer - 1, 0) || close_range((unsigned)to_outer + 1, ~0u, 0))
        _exit(127);
    status = init_wait(program);
    (void)!write(to_outer, &status, sizeof(status)); /* nobody there: nobody asks */
    _exit(0);
}

/* --- outer --------------------------------------------------------------------------------------- */

static int64_t launch_now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* exists on every Linux */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct launch_hold {      /* of the right to write */
    enum launch_fill was; /* when it started: over, it never had it */
    int64_t since_ms;
};

/* 0: it goes on; else the signal that it ends with. Over the quota it may not write; for too long, or far over,
 * it is ended, and the next one starts without the right, until there is room. */
static int launch_judge(struct launch_hold *hold, enum launch_fill fill, pid_t init)
{
    static const char held[] = "reeve: its files are over the quota: it may not write\n";
    static const char ended[] = "reeve: ended, its files are over the quota\n";
    int64_t now_ms = launch_now_ms();

    if (hold->was)
        return fill == LAUNCH_FITS                                       ? SIGKILL
               : fill == LAUNCH_HOPELESS && hold->was != LAUNCH_HOPELESS ? SIGXFSZ
                                                                         : 0;
    if (fill == LAUNCH_FAR_OVER ||
        (fill && hold->since_ms && now_ms - hold->since_ms >= LAUNCH_GRACE_MS)) {
        (void)!write(STDERR_FILENO, ended, sizeof(ended) - 1); /* its log may be gone */
        return SIGXFSZ;
    }
    if (fill && !hold->since_ms)
        (void)!write(STDERR_FILENO, held, sizeof(held) - 1);
    if (fill || hold->since_ms)
        (void)kill(init, fill ? SIGRTMIN : SIGRTMIN + 1); /* gone already is as good */
    hold->since_ms = !fill ? 0 : hold->since_ms ? hold->since_ms : now_ms;
    return 0;
}

/* Until init has said how the program ended, or is ended for what it wrote; 0: it did not say. */
static int launch_watch(const struct launch *plan, enum launch_fill was, pid_t init, int from_init,
                        int *ret)
{
    struct launch_hold hold = { .was = was };
    struct pollfd p = { from_init, POLLIN, 0 };
    int64_t wait_ms = LAUNCH_LOOK_MS;

    while (poll(&p, 1, (int)wait_ms) <= 0) {
        int64_t began_ms = launch_now_ms();

        *ret = launch_judge(&hold, launch_quota_look(plan, 1), init);
        if (*ret)
            return !kill(init, SIGKILL);
        wait_ms = (launch_now_ms() - began_ms) * LAUNCH_LOOK_SHARE;
        if (wait_ms < LAUNCH_LOOK_MS)
            wait_ms = LAUNCH_LOOK_MS;
    }
    return read(from_init, ret, sizeof(*ret)) == sizeof(*ret);
}

static _Noreturn void launch_end_as(int status)
{
    sigset_t all;

    if (WIFEXITED(status))
        _exit(WEXITSTATUS(status));
    sigemptyset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL); /* cannot fail with these arguments */
    (void)signal(WTERMSIG(status), SIG_DFL);
    (void)raise(WTERMSIG(status));
    _exit(127);
}

/* One that we make maps nobody but us; one that we were given maps the environment's user as well. */
static void launch_first_users(const struct launch *plan)
{
    unsigned uid = getuid(), gid = getgid();
    int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (plan->class == LAUNCH_UID) {
        if (setns(LAUNCH_USERS_FD, CLONE_NEWUSER))
            launch_fail(LAUNCH_USERS);
    } else {
        if (proc < 0 || unshare(CLONE_NEWUSER))
            launch_fail(LAUNCH_NAMESPACES);
        launch_map(proc, uid, gid, LAUNCH_NAMESPACES);
    }
    (void)close(proc); /* was written through */
}

static void launch_first_namespace(const struct launch *plan)
{
    int network = plan->flags & LAUNCH_NO_NETWORK ? CLONE_NEWNET : 0;

    launch_first_users(plan);
    if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | network))
        launch_fail(LAUNCH_NAMESPACES);
}

static _Noreturn void launch_run(char **argv)
{
    static struct launch plan;
    int ends[2], said, is_said, status = 127 << 8;
    enum launch_fill fill;
    pid_t parent = getppid(), init;

    launch_read(&plan);
    launch_enter(&plan);
    launch_limit(RLIMIT_CORE, LAUNCH_CORE_BYTES);
    launch_first_namespace(&plan);
    launch_ignore_signals();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
        _exit(127);
    if (pipe2(ends, O_CLOEXEC) || (ends[0] = fcntl(ends[0], F_DUPFD_CLOEXEC, 8)) < 0 ||
        (ends[1] = fcntl(ends[1], F_DUPFD_CLOEXEC, 8)) < 0 || close_range(LAUNCH_USERS_FD, 7, 0))
        launch_fail(LAUNCH_LIMITS);
    fill = launch_quota_look(&plan, 0);
    init = fork();
    if (init < 0)
        launch_fail(LAUNCH_NAMESPACES);
    if (init == 0 && !close(ends[0]))
        launch_init(&plan, fill, ends[1], argv);
    if (close(ends[1]) || close_range(0, 1, 0) || close_range(3, LAUNCH_USERS_FD, 0))
        _exit(127);
    is_said = launch_watch(&plan, fill, init, ends[0], &said);
    while (waitpid(init, &status, 0) < 0 && errno == EINTR) /* all that was in there is gone then */
        ;
    launch_end_as(is_said ? said : status);
}

int main(int argc, char **argv)
{
    if (argc >= 4 && !strcmp(argv[1], "run"))
        launch_run(argv + 2);
    return 2;
}
