/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/rt/loop_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"

#define LOOP_CHILD_NICE 5 /* less than we have: who waits for an answer of ours comes first */

/* Pipes to the child: [0] is read, [1] is written. CHILD_EXIT's slot carries the errno of a failed start. */
struct loop_child_pipes {
    int p[N_CHILD_ENDS][2];
};

static void loop_child_close_pipes(struct loop_child_pipes *pipes)
{
    for (int i = 0; i < N_CHILD_ENDS; i++) {
        guard_close(&pipes->p[i][0]);
        guard_close(&pipes->p[i][1]);
    }
}

static int loop_child_set_limit(__rlimit_resource_t resource, int64_t value)
{
    struct rlimit limit = { (rlim_t)value, (rlim_t)value };

    return value ? setrlimit(resource, &limit) : 0;
}

/* In the child, where only async-signal-safe calls are allowed. Returns on failure, with errno. */
static void loop_child_become(const struct exec_request *in, const struct loop_child_pipes *pipes,
                              pid_t parent)
{
    struct sigaction plain = { .sa_handler = SIG_DFL };
    sigset_t none;

    if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL))
        return;
    if (getppid() != parent)
        _exit(127); /* nobody is left to tell */
    for (int signum = 1; signum < NSIG; signum++)
        (void)sigaction(signum, &plain, NULL); /* KILL and STOP refuse */
    if (sigemptyset(&none) || sigprocmask(SIG_SETMASK, &none, NULL))
        return;
    if (dup2(pipes->p[CHILD_IN][0], 0) < 0 || dup2(pipes->p[CHILD_OUT][1], 1) < 0 ||
        dup2(pipes->p[CHILD_ERR][1], 2) < 0)
        return;
    if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) || chdir(in->dir ? in->dir : "/"))
        return;
    sys_restore_files();
    (void)!nice(LOOP_CHILD_NICE); /* less is always granted */
    if (loop_child_set_limit(RLIMIT_AS, in->rlimit_as) ||
        loop_child_set_limit(RLIMIT_CPU, in->rlimit_cpu_s))
        return;
    /* execve() takes them as char *const * and does not write */
    (void)execve(in->argv[0], (char *const *)(uintptr_t)in->argv,
                 (char *const *)(uintptr_t)in->env);
}

/* Wait until the child runs its program: the pipe closes by exec, or brings the errno. */
static int loop_child_confirm(pid_t pid, int fd, const struct exec_request *in, struct err *err)
{
    int number = 0;
    ssize_t n;

    do
        n = read(fd, &number, sizeof(number));
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return 0;
    (void)waitpid(pid, NULL, 0); /* it exits at once */
    errno = n == (ssize_t)sizeof(number) ? number : EIO;
    return err_sys(err, "run '%s'", in->argv[0]);
}

/* The child runs in our memory until it has become another program: nothing is copied, however much we
 * have, and we wait for that anyway. No signal reaches our handlers there. */
__attribute__((noinline)) static pid_t loop_child_vfork(const struct exec_request *in,
                                                        const struct loop_child_pipes *pipes)
{
    pid_t parent = getpid(), pid = vfork();

    if (pid == 0) {
        int number;

        loop_child_become(in, pipes, parent);
        number = errno;
        (void)!write(pipes->p[CHILD_EXIT][1], &number, sizeof(number)); /* the exit says it too */
        _exit(127);
    }
    return pid;
}

static int loop_child_fork(const struct exec_request *in, struct loop_child_pipes *pipes,
                           pid_t *ret_pid, struct err *err)
{
    sigset_t all, before;
    pid_t pid;

    (void)sigfillset(&all); /* neither can fail */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = loop_child_vfork(in, pipes);
    if (pid < 0)
        (void)err_sys(err, "fork for '%s'", in->argv[0]);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return err->code;
    guard_close(&pipes->p[CHILD_IN][0]);
    for (int i = CHILD_OUT; i < N_CHILD_ENDS; i++)
        guard_close(&pipes->p[i][1]);
    *ret_pid = pid;
    return loop_child_confirm(pid, pipes->p[CHILD_EXIT][0], in, err);
}

static int loop_child_open_pipes(struct loop_child_pipes *pipes, struct err *err)
{
    for (int i = 0; i < N_CHILD_ENDS; i++)
        pipes->p[i][0] = pipes->p[i][1] = -1;
    for (int i = 0; i < N_CHILD_ENDS; i++)
        if (pipe2(pipes->p[i], O_CLOEXEC))
            return err_sys(err, "open a pipe");
    if (fcntl(pipes->p[CHILD_IN][1], F_SETFL, O_NONBLOCK) ||
        fcntl(pipes->p[CHILD_OUT][0], F_SETFL, O_NONBLOCK) ||
        fcntl(pipes->p[CHILD_ERR][0], F_SETFL, O_NONBLOCK))
        return err_sys(err, "open a pipe");
    return 0;
}

int loop_child_start(const struct exec_request *in, struct loop_child *ret, struct err *err)
{
    struct loop_child_pipes pipes;
    pid_t pid = -1;
    int pidfd = -1, rc = loop_child_open_pipes(&pipes, err);

    if (!rc)
        rc = loop_child_fork(in, &pipes, &pid, err);
    if (!rc) {
        pidfd = pidfd_open(pid, 0);
        if (pidfd < 0) {
            rc = err_sys(err, "watch '%s'", in->argv[0]);
            (void)kill(-pid, SIGKILL);
            (void)waitpid(pid, NULL, 0);
        }
    }
    if (!rc) {
        ret->pid = pid;
        ret->fds[CHILD_IN] = TAKE_FD(pipes.p[CHILD_IN][1]);
        ret->fds[CHILD_OUT] = TAKE_FD(pipes.p[CHILD_OUT][0]);
        ret->fds[CHILD_ERR] = TAKE_FD(pipes.p[CHILD_ERR][0]);
        ret->fds[CHILD_EXIT] = pidfd;
    }
    loop_child_close_pipes(&pipes);
    return rc;
}
