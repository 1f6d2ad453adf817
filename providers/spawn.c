/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"

/* Everything the child needs, made before the fork. */
struct spawn_plan {
    char **argv, **env;
    const char *dir;
    int std[3];
    int fds[SPAWN_FDS_MAX];
    unsigned n_fds;
    int death_signal, status_fd;
    int is_detached; /* nobody's child, in a session of its own; else a group of its own */
    pid_t parent;
};

static char **spawn_texts(struct arena *a, const struct rv_str *texts, size_t n, struct err *err)
{
    char **list = arena_new_n(a, char *, n + 1);

    for (size_t i = 0; list && i < n; i++) {
        if (memchr(texts[i].p, 0, texts[i].n)) {
            (void)err_set(err, ERR_INVALID, "argument or variable %zu holds a NUL", i);
            return NULL;
        }
        list[i] = str_to_c(a, (struct str){ texts[i].p, texts[i].n });
    }
    return arena_status(a, err) ? NULL : list;
}

static int spawn_prepare(struct arena *a, const struct rv_exec *in, struct spawn_plan *p,
                         struct err *err)
{
    if (in->n_argv < 1 || in->n_argv > SPAWN_ARGS_MAX || in->n_env > SPAWN_ARGS_MAX ||
        in->n_fds > SPAWN_FDS_MAX)
        return err_set(err, ERR_LIMIT, "%u arguments, %u variables, %u descriptors", in->n_argv,
                       in->n_env, in->n_fds);
    if (in->user.n)
        return err_set(err, ERR_REFUSED, "cannot run as another user");
    p->parent = getpid();
    p->argv = spawn_texts(a, in->argv, in->n_argv, err);
    p->env = p->argv ? spawn_texts(a, in->env, in->n_env, err) : NULL;
    if (!p->env)
        return err->code;
    p->dir = str_to_c(a, in->dir.n ? (struct str){ in->dir.p, in->dir.n } : S("/"));
    p->n_fds = in->n_fds;
    for (unsigned i = 0; i < in->n_fds; i++)
        p->fds[i] = in->fds[i];
    return arena_status(a, err);
}

/* Put the descriptors where they belong: first out of each other's way, then into place. */
static int spawn_place_fds(struct spawn_plan *p)
{
    int above = 3 + (int)p->n_fds + 1;

    for (int i = 0; i < 3; i++)
        if (p->std[i] >= 0)
            p->std[i] = fcntl(p->std[i], F_DUPFD, above);
        else
            p->std[i] = fcntl(open("/dev/null", O_RDWR), F_DUPFD, above);
    for (unsigned i = 0; i < p->n_fds; i++)
        p->fds[i] = fcntl(p->fds[i], F_DUPFD, above);
    p->status_fd = fcntl(p->status_fd, F_DUPFD_CLOEXEC, above);
    for (int i = 0; i < 3; i++)
        if (dup2(p->std[i], i) < 0)
            return -1;
    for (unsigned i = 0; i < p->n_fds; i++)
        if (dup2(p->fds[i], 3 + (int)i) < 0)
            return -1;
    if (dup3(p->status_fd, above - 1, O_CLOEXEC) < 0)
        return -1;
    p->status_fd = above - 1;
    return close_range((unsigned)above, ~0u, 0);
}

/* After fork: async-signal-safe calls only. */
static _Noreturn void spawn_exec_now(struct spawn_plan *p)
{
    sigset_t none;
    int number;

    for (int s = 1; s < NSIG; s++)
        (void)signal(s, SIG_DFL); /* KILL and STOP refuse, as they should */
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail with these arguments */
    if (p->death_signal && (prctl(PR_SET_PDEATHSIG, p->death_signal) || getppid() != p->parent))
        _exit(127);
    if (!spawn_place_fds(p) && !chdir(p->dir)) {
        sys_restore_files();
        environ = p->env;                  /* whose PATH says where the program is looked for */
        (void)execvp(p->argv[0], p->argv); /* returns only to fail */
    }
    number = errno;
    (void)!write(p->status_fd, &number, sizeof(number)); /* nobody there: nobody asks */
    _exit(127);
}

/* The one between ends at once, so that init inherits the program, which says who it is. */
static void spawn_leave(struct spawn_plan *p)
{
    pid_t pid;

    if (fork() != 0)
        _exit(0);
    pid = getpid();
    if (setsid() < 0 || write(p->status_fd, &pid, sizeof(pid)) != sizeof(pid))
        _exit(127);
}

/* What the child said before exec closed the pipe: who it is when detached, and errno; EOF is success. */
static int spawn_hear(int fd, const struct rv_exec *in, int is_detached, pid_t *ret_pid,
                      struct err *err)
{
    int heard = 0;
    ssize_t n;

    if (is_detached) {
        while ((n = read(fd, &heard, sizeof(heard))) < 0 && errno == EINTR)
            ;
        if (n != sizeof(heard))
            return err_set(err, ERR_IO, "start '%.*s': the child ended at once", (int)in->argv[0].n,
                           in->argv[0].p);
        *ret_pid = heard;
    }
    while ((n = read(fd, &heard, sizeof(heard))) < 0 && errno == EINTR)
        ;
    if (n != sizeof(heard))
        return 0;
    errno = heard;
    return err_sys(err, "start '%.*s'", (int)in->argv[0].n, in->argv[0].p);
}

static int spawn_start(const struct rv_exec *in, struct spawn_plan *p, pid_t *ret_pid,
                       struct err *err)
{
    AUTO_ARENA struct arena a;
    AUTO_CLOSE int hear = -1;
    pid_t child, pid;
    int pipes[2], rc;

    arena_init(&a, 0);
    if (spawn_prepare(&a, in, p, err))
        return err->code;
    if (pipe2(pipes, O_CLOEXEC))
        return err_sys(err, "pipe");
    hear = pipes[0];
    p->status_fd = pipes[1];
    pid = child = fork();
    if (child == 0) {
        if (p->is_detached)
            spawn_leave(p);
        else
            (void)setpgid(0, 0); /* a fresh child cannot be refused */
        spawn_exec_now(p);
    }
    rc = child < 0 ? err_sys(err, "fork") : 0;
    (void)close(pipes[1]); /* ours; the child has its own */
    if (!rc)
        rc = spawn_hear(hear, in, p->is_detached, &pid, err);
    if (child > 0 && (rc || p->is_detached))
        (void)waitpid(child, NULL, 0); /* it ended with 127, or is the one between */
    if (!rc)
        *ret_pid = pid;
    return rc;
}

int spawn_child(const struct rv_exec *in, const struct spawn_options *options, pid_t *ret_pid,
                struct err *err)
{
    struct spawn_plan plan = { .std = { options->in_fd, options->out_fd, options->err_fd },
                               .death_signal = options->death_signal };

    return spawn_start(in, &plan, ret_pid, err);
}

int spawn_detached(const struct rv_exec *in, pid_t *ret_pid, struct err *err)
{
    struct spawn_plan plan = { .std = { -1, -1, -1 }, .is_detached = 1 };

    return spawn_start(in, &plan, ret_pid, err);
}

/* One run to its end: the three pipes, and what came through them. */
struct spawn_io {
    pid_t pid;
    int in, out, err;
    struct str input;
    struct sb out_text;
    char *tail;
    size_t n_tail;
    const struct spawn_limits *limits;
    int status, has_ended;
};

static void spawn_take_out(struct spawn_io *io)
{
    char block[8192];
    ssize_t n = read(io->out, block, sizeof(block));
    size_t room = io->limits->out_max - io->out_text.n;

    if (n <= 0) {
        if (n == 0 || (errno != EINTR && errno != EAGAIN))
            guard_close(&io->out);
        return;
    }
    sb_add(&io->out_text, (struct str){ block, (size_t)n < room ? (size_t)n : room });
    explicit_bzero(block, (size_t)n); /* what a store prints is a value */
}

static void spawn_take_err(struct spawn_io *io)
{
    char block[8192];
    ssize_t n = read(io->err, block, sizeof(block));
    size_t max = io->limits->err_max, got = n > 0 ? (size_t)n : 0, keep, skip;

    if (n <= 0) {
        if (n == 0 || (errno != EINTR && errno != EAGAIN))
            guard_close(&io->err);
        return;
    }
    skip = got > max ? got - max : 0;
    got -= skip;
    keep = io->n_tail + got > max ? max - got : io->n_tail;
    memmove(io->tail, io->tail + (io->n_tail - keep), keep);
    memcpy(io->tail + keep, block + skip, got);
    explicit_bzero(block, (size_t)n);
    io->n_tail = keep + got;
}

static void spawn_give_in(struct spawn_io *io)
{
    ssize_t n = io->input.n ? write(io->in, io->input.p, io->input.n) : 0;

    if (n > 0)
        io->input = str_slice(io->input, (size_t)n, io->input.n);
    if (!io->input.n || (n < 0 && errno != EINTR && errno != EAGAIN))
        guard_close(&io->in);
}

/* 1: it has ended, and its status is taken. */
static int spawn_has_ended(struct spawn_io *io)
{
    io->has_ended = io->has_ended || waitpid(io->pid, &io->status, WNOHANG) == io->pid;
    return io->has_ended;
}

/* Until both outputs are closed and it has ended, the deadline, or cancel: one that closes them and stays is
 * waited for no longer than one that talks. */
static int spawn_pump(struct spawn_io *io, int64_t deadline_ms, struct err *err)
{
    while (io->out >= 0 || io->err >= 0 || !spawn_has_ended(io)) {
        struct pollfd p[3] = { { io->in, POLLOUT, 0 },
                               { io->out, POLLIN, 0 },
                               { io->err, POLLIN, 0 } };

        if (poll(p, 3, io->out >= 0 || io->err >= 0 ? 100 : 1) < 0 && errno != EINTR)
            return err_sys(err, "poll");
        if (p[0].revents)
            spawn_give_in(io);
        if (p[1].revents)
            spawn_take_out(io);
        if (p[2].revents)
            spawn_take_err(io);
        if (io->limits->cancelled && io->limits->cancelled(io->limits->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (deadline_ms && sys_mono_ms() >= deadline_ms)
            return err_set(err, ERR_TIMEOUT, "took longer than asked");
    }
    return 0;
}

static int spawn_start_io(const struct rv_exec *in, struct spawn_io *io, struct err *err)
{
    int p[3][2], rc;

    for (int i = 0; i < 3; i++) {
        if (!pipe2(p[i], O_CLOEXEC))
            continue;
        rc = err_sys(err, "pipe");
        for (; i > 0; i--) {
            (void)close(p[i - 1][0]); /* nothing was written yet */
            (void)close(p[i - 1][1]);
        }
        return rc;
    }
    rc = spawn_child(in, &(struct spawn_options){ p[0][0], p[1][1], p[2][1], SIGKILL }, &io->pid,
                     err);
    (void)close(p[0][0]); /* the child's ends */
    (void)close(p[1][1]);
    (void)close(p[2][1]);
    io->in = p[0][1];
    io->out = p[1][0];
    io->err = p[2][0];
    (void)fcntl(io->in, F_SETFL, O_NONBLOCK); /* a pipe takes any flag */
    return rc;
}

int spawn_run(const struct rv_exec *in, const struct spawn_limits *limits, struct arena *a,
              struct rv_exit *ret, struct err *err)
{
    struct spawn_io io = { .in = -1, .out = -1, .err = -1, .limits = limits };
    int64_t deadline_ms = in->timeout_ms ? sys_mono_ms() + in->timeout_ms : 0;
    int rc;

    io.input = (struct str){ in->input.p, in->input.n };
    sb_init(&io.out_text, a);
    io.tail = arena_alloc(a, limits->err_max + 1);
    rc = io.tail ? spawn_start_io(in, &io, err) : arena_status(a, err);
    if (!rc) {
        rc = spawn_pump(&io, deadline_ms, err);
        if (rc)
            (void)kill(-io.pid, SIGKILL); /* gone already is as good */
        while (!io.has_ended && waitpid(io.pid, &io.status, 0) < 0 && errno == EINTR)
            ;
        ret->pid = io.pid;
        ret->status = WIFEXITED(io.status) ? WEXITSTATUS(io.status) : -1;
        ret->signal = WIFSIGNALED(io.status) ? WTERMSIG(io.status) : 0;
        ret->out = (struct rv_str){ sb_str(&io.out_text).p, io.out_text.n };
        ret->err_tail = (struct rv_str){ io.tail, io.n_tail };
    }
    guard_close(&io.in);
    guard_close(&io.out);
    guard_close(&io.err);
    return rc ? rc : arena_status(a, err);
}
