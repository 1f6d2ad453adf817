/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/keeper.h"

#include "providers/launch/launch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEEPER_BACKOFF_MS 100
#define KEEPER_BACKOFF_MAX_MS 5000
#define KEEPER_STEADY_MS 10000 /* a run this long forgives the ones before */
#define KEEPER_REST_TRIES                                                                          \
    5000 /* 1 ms each: who reads `exited` trusts that nobody writes any more */

/* Start time of a process in ticks since boot, 0 when it is not there. */
unsigned long long keeper_program_stat(pid_t pid, char *ret_state, pid_t *ret_parent,
                                       pid_t *ret_session)
{
    char path[32], text[1024], *at;
    unsigned long long start = 0;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        (void)close(fd); /* only read */
    if (n <= 0)
        return 0;
    text[n] = 0;
    at = strrchr(text, ')'); /* the name may hold anything */
    if (!at ||
        sscanf(at + 1,
               " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               ret_state, ret_parent, ret_session, &start) != 4)
        return 0;
    return start;
}

/* What starts it gets the status pipe and the plan as well; 0: cannot be. */
static int keeper_place_fds(const struct keeper *k, const struct keeper_orders *o, int null,
                            int status)
{
    int high = o->n_launch ? fcntl(status, F_DUPFD, 16) : status;
    int plan = o->n_launch ? fcntl(k->plan, F_DUPFD, 16) : -1;
    int users = o->n_launch && k->users >= 0 ? fcntl(k->users, F_DUPFD, 16) : -1;

    if (dup2(null, 0) != 0 || dup2(k->out[1], 1) != 1 || dup2(k->out[1], 2) != 2)
        return 0;
    if (!o->n_launch)
        return dup3(status, LAUNCH_STATUS_FD, O_CLOEXEC) >= 0 &&
               !close_range(LAUNCH_STATUS_FD + 1, ~0u, 0);
    return dup2(high, LAUNCH_STATUS_FD) >= 0 && dup2(plan, LAUNCH_PLAN_FD) >= 0 &&
           (users < 0 || dup2(users, LAUNCH_USERS_FD) >= 0) &&
           !close_range(LAUNCH_PLAN_FD + 1 + (users >= 0), ~0u, 0);
}

static _Noreturn void keeper_exec(const struct keeper *k, const struct keeper_orders *o,
                                  char *const *argv, pid_t parent, int status)
{
    int said[2] = { 0, 0 }, null = open("/dev/null", O_RDONLY);
    sigset_t none;

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail with these arguments */
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGHUP, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    if (setpgid(0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
        _exit(127);
    if (keeper_place_fds(k, o, null, status)) {
        said[0] = LAUNCH_DIR;
        if (!chdir(o->dir)) {
            said[0] = LAUNCH_EXEC;
            environ = o->env;
            (void)execvp(argv[0], argv); /* returns only to fail */
        }
    }
    said[1] = errno;
    (void)!write(LAUNCH_STATUS_FD, said, sizeof(said)); /* nobody there: nobody asks */
    _exit(127);
}

#define KEEPER_STEP(name, text) [name] = (text),
static const char *const keeper_steps[] = { LAUNCH_STEPS(KEEPER_STEP) };
#undef KEEPER_STEP

/* Foreign text inside our JSON: printable ASCII only. */
static void keeper_explain(struct keeper *k, const struct keeper_orders *o, char *const *argv,
                           const int said[2])
{
    const char *about[] = { [LAUNCH_DIR] = o->n_launch ? argv[o->n_launch - 1] : o->dir,
                            [LAUNCH_EXEC] = argv[o->n_launch] };
    int step = said[0] > LAUNCH_OK && said[0] < LAUNCH_N_STEPS ? said[0] : LAUNCH_EXEC;
    const char *kind = keeper_steps[step];

    if (step > LAUNCH_EXEC)
        (void)snprintf(k->message, sizeof(k->message), "%s: %s", kind, strerror(said[1]));
    else if (said[1] == ENOENT || said[1] == ENOTDIR)
        (void)snprintf(k->message, sizeof(k->message), "%s '%s' does not exist", kind, about[step]);
    else
        (void)snprintf(k->message, sizeof(k->message), "%s '%s': %s", kind, about[step],
                       strerror(said[1]));
    for (char *at = k->message; *at; at++)
        if (*at < ' ' || *at > '~' || *at == '"' || *at == '\\')
            *at = '?';
    keeper_files_log(k, k->message, strlen(k->message));
    keeper_files_log(k, "\n", 1);
}

pid_t keeper_program_fork(struct keeper *k, const struct keeper_orders *o, char *const *argv)
{
    pid_t self = getpid(), pid;
    int status[2], said[2];

    k->message[0] = 0;
    if (pipe2(status, O_CLOEXEC))
        return 0;
    pid = fork();
    if (pid == 0)
        keeper_exec(k, o, argv, self, status[1]);
    (void)close(status[1]); /* the child's end */
    if (read(status[0], said, sizeof(said)) == sizeof(said))
        keeper_explain(k, o, argv, said);
    (void)close(status[0]); /* was read to its end */
    return pid > 0 ? pid : 0;
}

void keeper_program_start(struct keeper *k)
{
    pid_t parent, session;
    char letter;

    k->start_at_ms = KEEPER_NEVER_MS;
    k->frozen = 0;
    k->child = keeper_program_fork(k, &k->orders, k->orders.argv);
    if (!k->child) {
        k->start_at_ms = keeper_now_ms() + KEEPER_BACKOFF_MAX_MS;
        return;
    }
    k->child_start = keeper_program_stat(k->child, &letter, &parent, &session);
    k->started_ms = keeper_now_ms();
    k->timeout_at_ms = k->orders.timeout_ms ? k->started_ms + k->orders.timeout_ms
                                            : KEEPER_NEVER_MS;
    keeper_files_enter(k, RUNNING);
}

void keeper_program_stop(struct keeper *k, int64_t grace_ms)
{
    k->start_at_ms = k->timeout_at_ms = KEEPER_NEVER_MS;
    keeper_hand_give_up(k);
    if (!k->child) {
        keeper_files_enter(k, STOPPED);
        return;
    }
    (void)kill(-k->child, k->orders.stop_signal); /* gone already is as good */
    (void)keeper_freeze_set(k, KEEPER_THAW);      /* else it would not hear it */
    k->kill_at_ms = keeper_now_ms() + grace_ms;
    keeper_files_enter(k, STOPPING);
}

/* Kill whatever our program left: in our session or, orphaned, our child. Nothing of it may keep the
 * port; one that leaves gave its ports away, and ends what it has, unless we end too. */
static int keeper_kill_rest(const struct keeper *k)
{
    pid_t spared = k->state != STOPPING || k->start_again ? k->leaving : 0;
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int n = 0;

    while (proc && (entry = readdir(proc))) {
        pid_t pid = (pid_t)atoi(entry->d_name), parent = 0, session = 0;
        char letter = 'Z';

        if (pid <= 0 || pid == getpid() || pid == spared ||
            !keeper_program_stat(pid, &letter, &parent, &session) || letter == 'Z' ||
            (parent != getpid() && session != getsid(0)))
            continue;
        (void)kill(pid, SIGKILL); /* one of another user ends with its parent */
        n++;
    }
    if (proc)
        (void)closedir(proc); /* only read */
    return n;
}

static void keeper_ended(struct keeper *k, int status)
{
    int64_t now_ms = keeper_now_ms();
    pid_t pid;

    for (int i = 0; i < KEEPER_REST_TRIES && keeper_kill_rest(k); i++) {
        (void)poll(NULL, 0, 1);
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            keeper_hand_ended(k, pid);
    }
    keeper_files_output(k);
    keeper_files_say_lost(k);
    k->child = k->frozen = 0;
    k->exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    k->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    k->full += k->signal == SIGXFSZ;
    k->kill_at_ms = k->timeout_at_ms = KEEPER_NEVER_MS;
    if (k->state == STOPPING && k->start_again) {
        k->start_again = 0;
        keeper_program_start(k);
    } else if (k->state == STOPPING) {
        keeper_files_enter(k, k->timed_out ? EXITED : STOPPED);
    } else if (!k->orders.restart_always) {
        keeper_files_enter(k, EXITED);
    } else {
        if (now_ms - k->started_ms >= KEEPER_STEADY_MS)
            k->backoff_ms = 0;
        k->backoff_ms = k->backoff_ms ? k->backoff_ms * 2 : KEEPER_BACKOFF_MS;
        if (k->backoff_ms > KEEPER_BACKOFF_MAX_MS)
            k->backoff_ms = KEEPER_BACKOFF_MAX_MS;
        k->start_at_ms = now_ms + k->backoff_ms;
        k->restarts++;
        keeper_files_enter(k, WAITING);
    }
}

void keeper_program_reap(struct keeper *k)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;

    while (read(k->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGTERM && k->state < STOPPING) /* the machine goes down */
            keeper_program_stop(k, k->orders.grace_ms);
        if (info.ssi_signo == SIGUSR1)
            keeper_hand_ready(k, (pid_t)info.ssi_pid);
    }
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == k->child)
            keeper_ended(k, status);
        else
            keeper_hand_ended(k, pid);
}
