/*
 * keeper: one small process that watches one program and outlives the daemon. SPDX-License-Identifier: Apache-2.0
 *
 *     keeper DIR          3 = the lock of DIR, held; 4 = instructions; 5 = "ready" pipe
 *
 *   starting -> running -> waiting -> running ...            restart always, back-off 100 ms to 5 s
 *                  |          |
 *                  `-> exited |  restart never               a stop, SIGTERM or the time-out goes through
 *                  `----------`-> stopping -> stopped        stopping: signal to the group, grace, KILL
 *
 * `state` always says where it is (by rename); `exited` and `stopped` end the keeper, which lets go
 * of the lock. Instructions are pairs "name NUL value NUL": dir, restart, signal, grace, timeout, log,
 * epoch, arg (many), env (many). They come on a descriptor, because values may be secret, and stay in
 * memory for restarts.
 *
 * `sock` takes one canonical JSON line a request: {"do":"hello","epoch":N}, status, stop, restart,
 * env (with a descriptor of new instructions, for the next start); the answer is the state.
 *
 * Its program: own process group, ended by the kernel when the keeper dies, no descriptor but 0, 1, 2.
 *
 * Thread   one. Links libc alone.
 * Limits   KEEPER_INPUT_MAX of instructions, KEEPER_CLIENTS at once, `log` bytes twice.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEEPER_LOCK_FD = 3, KEEPER_INPUT_FD, KEEPER_READY_FD };
#define KEEPER_INPUT_MAX (8 << 20)
#define KEEPER_CLIENTS 8
#define KEEPER_LINE 512
#define KEEPER_BACKOFF_MS 100
#define KEEPER_BACKOFF_MAX_MS 5000
#define KEEPER_STEADY_MS 10000 /* a run this long forgives the ones before */
#define KEEPER_NEVER_MS INT64_MAX

enum keeper_state { STARTING, RUNNING, WAITING, STOPPING, EXITED, STOPPED };
static const char *const keeper_states[] = { "starting", "running", "waiting",
                                             "stopping", "exited",  "stopped" };

struct keeper_orders { /* what the instructions say; texts point into `text` */
    char *text;
    char **argv, **env;
    const char *dir;
    int restart_always, stop_signal;
    int64_t grace_ms, timeout_ms, log_bytes;
    uint64_t epoch;
};

struct keeper_client {
    int fd, orders_fd;
    size_t n;
    char line[KEEPER_LINE];
};

struct keeper {
    int dir, signals, listener, log, ready;
    int out[2]; /* the program's 1 and 2 */
    struct keeper_orders orders;
    uint64_t epoch; /* highest seen */
    enum keeper_state state;
    pid_t child;
    unsigned long long child_start, own_start;
    int64_t started_ms, backoff_ms;
    int64_t start_at_ms, kill_at_ms, timeout_at_ms, write_at_ms; /* KEEPER_NEVER_MS: not set */
    int start_again; /* after STOPPING: a restart was asked for */
    int exit, signal, timed_out;
    int64_t restarts, log_size;
    char boot[40], message[256];
    struct keeper_client clients[KEEPER_CLIENTS];
};

static int64_t keeper_now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* exists on every Linux */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- instructions --- */

static int keeper_signal_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } rows[] = { { "TERM", SIGTERM }, { "INT", SIGINT },    { "QUIT", SIGQUIT },
                 { "HUP", SIGHUP },   { "USR1", SIGUSR1 },  { "USR2", SIGUSR2 },
                 { "KILL", SIGKILL }, { "WINCH", SIGWINCH } };

    if (!strncmp(name, "SIG", 3))
        name += 3;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (!strcmp(name, rows[i].name))
            return rows[i].number;
    return SIGTERM;
}

static void keeper_order(struct keeper_orders *o, const char *name, char *value, size_t *n_argv,
                         size_t *n_env)
{
    if (!strcmp(name, "arg"))
        o->argv[(*n_argv)++] = value;
    else if (!strcmp(name, "env"))
        o->env[(*n_env)++] = value;
    else if (!strcmp(name, "dir"))
        o->dir = value;
    else if (!strcmp(name, "restart"))
        o->restart_always = !strcmp(value, "always");
    else if (!strcmp(name, "signal"))
        o->stop_signal = keeper_signal_number(value);
    else if (!strcmp(name, "grace"))
        o->grace_ms = strtoll(value, NULL, 10);
    else if (!strcmp(name, "timeout"))
        o->timeout_ms = strtoll(value, NULL, 10);
    else if (!strcmp(name, "log"))
        o->log_bytes = strtoll(value, NULL, 10);
    else if (!strcmp(name, "epoch"))
        o->epoch = strtoull(value, NULL, 10);
}

static void keeper_forget_orders(struct keeper_orders *o)
{
    if (o->text)
        explicit_bzero(o->text, strlen(o->text)); /* the rest goes with the next allocation */
    free(o->text);
    free(o->argv);
    free(o->env);
}

static int keeper_read_orders(int fd, struct keeper_orders *ret)
{
    struct keeper_orders o = { .stop_signal = SIGTERM, .grace_ms = 10000, .log_bytes = 4 << 20 };
    struct stat st;
    size_t n, n_argv = 0, n_env = 0, n_texts = 0;

    if (fstat(fd, &st) || st.st_size < 1 || st.st_size > KEEPER_INPUT_MAX)
        return -1;
    n = (size_t)st.st_size;
    o.text = calloc(n + 1, 1);
    if (o.text && pread(fd, o.text, n, 0) == st.st_size && !o.text[n - 1]) {
        for (size_t i = 0; i < n; i++)
            n_texts += !o.text[i];
        o.argv = calloc(n_texts / 2 + 1, sizeof(char *));
        o.env = calloc(n_texts / 2 + 1, sizeof(char *));
    }
    for (char *at = o.text; o.argv && o.env && n_texts >= 2; n_texts -= 2) {
        char *value = at + strlen(at) + 1;

        keeper_order(&o, at, value, &n_argv, &n_env);
        at = value + strlen(value) + 1;
    }
    if (!n_argv || !o.dir) {
        keeper_forget_orders(&o);
        return -1;
    }
    *ret = o;
    return 0;
}

/* --- state and log --- */

/* Start time of a process in ticks since boot, 0 when it is not there. */
static unsigned long long keeper_proc(pid_t pid, char *ret_state, pid_t *ret_parent,
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

static size_t keeper_format(const struct keeper *k, const char *error, char *text, size_t max)
{
    size_t n = (size_t)snprintf(
        text, max,
        "{\"boot\":\"%s\",\"epoch\":%" PRIu64 ",\"error\":\"%s\",\"exit\":%d,\"keeper\":%d,"
        "\"keeper_start\":%llu,\"message\":\"%s\",\"pid\":%d,\"restarts\":%" PRId64
        ",\"signal\":%d,\"start\":%llu,\"state\":\"%s\",\"timed_out\":%s}\n",
        k->boot, k->epoch, error, k->exit, getpid(), k->own_start, k->message, k->child,
        k->restarts, k->signal, k->child_start, keeper_states[k->state],
        k->timed_out ? "true" : "false");

    return n < max ? n : max - 1;
}

/* By rename; when the disk is full it is tried again, and nobody lets go of the lock before. */
static void keeper_write_state(struct keeper *k)
{
    char text[1024];
    size_t n = keeper_format(k, "", text, sizeof(text));
    int fd = openat(k->dir, "state.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int ok = fd >= 0 && write(fd, text, n) == (ssize_t)n && !fsync(fd);

    if (fd >= 0 && close(fd))
        ok = 0;
    if (ok)
        ok = !renameat(k->dir, "state.new", k->dir, "state") && !fsync(k->dir);
    k->write_at_ms = ok || errno == ENOENT ? KEEPER_NEVER_MS : keeper_now_ms() + 1000;
}

static void keeper_enter(struct keeper *k, enum keeper_state state)
{
    k->state = state;
    keeper_write_state(k);
}

static void keeper_log(struct keeper *k, const char *text, size_t n)
{
    struct stat st;

    if (k->log >= 0 && k->log_size + (int64_t)n > k->orders.log_bytes) {
        (void)close(k->log); /* what it lost was output only */
        k->log = -1;
        (void)renameat(k->dir, "log", k->dir, "log.1");
    }
    if (k->log < 0) {
        k->log = openat(k->dir, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        k->log_size = k->log >= 0 && !fstat(k->log, &st) ? st.st_size : 0;
    }
    if (k->log >= 0 && write(k->log, text, n) > 0) /* a full disk loses output, never the program */
        k->log_size += (int64_t)n;
}

static void keeper_take_output(struct keeper *k)
{
    char block[16384];
    ssize_t n;

    for (int i = 0; i < 64 && (n = read(k->out[0], block, sizeof(block))) > 0; i++)
        keeper_log(k, block, (size_t)n);
}

/* --- the program --- */

static _Noreturn void keeper_exec(const struct keeper *k, pid_t parent, int status)
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
    if (dup2(null, 0) == 0 && dup2(k->out[1], 1) == 1 && dup2(k->out[1], 2) == 2 &&
        dup3(status, 3, O_CLOEXEC) == 3 && !close_range(4, ~0u, 0)) {
        said[0] = 1;
        if (!chdir(k->orders.dir)) {
            said[0] = 2;
            environ = k->orders.env;
            (void)execvp(k->orders.argv[0], k->orders.argv); /* returns only to fail */
        }
    }
    said[1] = errno;
    (void)!write(3, said, sizeof(said)); /* nobody there: nobody asks */
    _exit(127);
}

/* Foreign text inside our JSON: printable ASCII only. */
static void keeper_explain(struct keeper *k, const int said[2])
{
    const char *what = said[0] == 2 ? k->orders.argv[0] : k->orders.dir;
    const char *kind = said[0] == 2 ? "command" : "working directory";

    if (said[1] == ENOENT || said[1] == ENOTDIR)
        (void)snprintf(k->message, sizeof(k->message), "%s '%s' does not exist", kind, what);
    else
        (void)snprintf(k->message, sizeof(k->message), "%s '%s': %s", kind, what,
                       strerror(said[1]));
    for (char *at = k->message; *at; at++)
        if (*at < ' ' || *at > '~' || *at == '"' || *at == '\\')
            *at = '?';
    keeper_log(k, k->message, strlen(k->message));
    keeper_log(k, "\n", 1);
}

static void keeper_start(struct keeper *k)
{
    int status[2] = { -1, -1 }, said[2];
    pid_t self = getpid(), parent, session;
    char letter;

    k->start_at_ms = KEEPER_NEVER_MS;
    k->message[0] = 0;
    if (!pipe2(status, O_CLOEXEC))
        k->child = fork();
    if (status[0] < 0 ||
        k->child < 0) { /* no process or descriptor left: as an exit, tried again */
        k->child = 0;
        k->start_at_ms = keeper_now_ms() + KEEPER_BACKOFF_MAX_MS;
        return;
    }
    if (k->child == 0)
        keeper_exec(k, self, status[1]);
    (void)close(status[1]); /* the child's end */
    k->child_start = keeper_proc(k->child, &letter, &parent, &session);
    k->started_ms = keeper_now_ms();
    k->timeout_at_ms = k->orders.timeout_ms ? k->started_ms + k->orders.timeout_ms
                                            : KEEPER_NEVER_MS;
    if (read(status[0], said, sizeof(said)) == sizeof(said))
        keeper_explain(k, said);
    (void)close(status[0]); /* was read to its end */
    keeper_enter(k, RUNNING);
}

static void keeper_stop(struct keeper *k, int64_t grace_ms)
{
    k->start_at_ms = k->timeout_at_ms = KEEPER_NEVER_MS;
    if (!k->child) {
        keeper_enter(k, STOPPED);
        return;
    }
    (void)kill(-k->child, k->orders.stop_signal); /* gone already is as good */
    k->kill_at_ms = keeper_now_ms() + grace_ms;
    keeper_enter(k, STOPPING);
}

/* Kill whatever our program left: in our session or, orphaned, our child. Nothing of it may keep the port. */
static int keeper_kill_rest(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int n = 0;

    while (proc && (entry = readdir(proc))) {
        pid_t pid = (pid_t)atoi(entry->d_name), parent = 0, session = 0;
        char letter = 'Z';

        if (pid <= 0 || pid == getpid() || !keeper_proc(pid, &letter, &parent, &session) ||
            letter == 'Z' || (parent != getpid() && session != getsid(0)))
            continue;
        n += !kill(pid, SIGKILL);
    }
    if (proc)
        (void)closedir(proc); /* only read */
    return n;
}

static void keeper_ended(struct keeper *k, int status)
{
    int64_t now_ms = keeper_now_ms();

    for (int i = 0; i < 200 && keeper_kill_rest(); i++) {
        (void)poll(NULL, 0, 1);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
    keeper_take_output(k);
    k->child = 0;
    k->exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    k->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    k->kill_at_ms = k->timeout_at_ms = KEEPER_NEVER_MS;
    if (k->state == STOPPING && k->start_again) {
        k->start_again = 0;
        keeper_start(k);
    } else if (k->state == STOPPING) {
        keeper_enter(k, k->timed_out ? EXITED : STOPPED);
    } else if (!k->orders.restart_always) {
        keeper_enter(k, EXITED);
    } else {
        if (now_ms - k->started_ms >= KEEPER_STEADY_MS)
            k->backoff_ms = 0;
        k->backoff_ms = k->backoff_ms ? k->backoff_ms * 2 : KEEPER_BACKOFF_MS;
        if (k->backoff_ms > KEEPER_BACKOFF_MAX_MS)
            k->backoff_ms = KEEPER_BACKOFF_MAX_MS;
        k->start_at_ms = now_ms + k->backoff_ms;
        k->restarts++;
        keeper_enter(k, WAITING);
    }
}

static void keeper_take_signals(struct keeper *k)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;

    while (read(k->signals, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo == SIGTERM && k->state < STOPPING) /* the machine goes down */
            keeper_stop(k, k->orders.grace_ms);
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == k->child)
            keeper_ended(k, status);
}

static void keeper_take_time(struct keeper *k)
{
    int64_t now_ms = keeper_now_ms();

    if (now_ms >= k->start_at_ms)
        keeper_start(k);
    if (now_ms >= k->timeout_at_ms) {
        k->timed_out = 1;
        keeper_stop(k, k->orders.grace_ms);
    }
    if (now_ms >= k->kill_at_ms) {
        (void)kill(-k->child, SIGKILL); /* gone already is as good */
        k->kill_at_ms = now_ms + 1000;
    }
    if (now_ms >= k->write_at_ms)
        keeper_write_state(k);
}

/* --- the socket --- */

static int64_t keeper_number(const char *line, const char *name, int64_t otherwise)
{
    const char *at = strstr(line, name); /* canonical JSON, and no text of ours holds a quote */

    return at ? strtoll(at + strlen(name), NULL, 10) : otherwise;
}

static const char *keeper_do(struct keeper *k, struct keeper_client *c)
{
    uint64_t epoch = (uint64_t)keeper_number(c->line, "\"epoch\":", 0);
    struct keeper_orders fresh;

    if (strstr(c->line, "\"do\":\"status\""))
        return "";
    if (epoch < k->epoch)
        return "epoch";
    if (epoch > k->epoch) {
        k->epoch = epoch;
        keeper_write_state(k);
    }
    if (strstr(c->line, "\"do\":\"hello\""))
        return "";
    if (strstr(c->line, "\"do\":\"stop\"")) {
        k->start_again = 0;
        if (k->state < STOPPING)
            keeper_stop(k, keeper_number(c->line, "\"grace_ms\":", k->orders.grace_ms));
        return "";
    }
    if (strstr(c->line, "\"do\":\"restart\"") && k->state < STOPPING) {
        k->start_again = k->child != 0;
        if (k->child)
            keeper_stop(k, k->orders.grace_ms);
        else
            k->start_at_ms = 0;
        return "";
    }
    if (strstr(c->line, "\"do\":\"env\"") && !keeper_read_orders(c->orders_fd, &fresh)) {
        keeper_forget_orders(&k->orders);
        k->orders = fresh;
        return "";
    }
    return "refused";
}

static void keeper_hang_up(struct keeper_client *c)
{
    if (c->fd >= 0)
        (void)close(c->fd); /* it has its answer, or does not want one */
    if (c->orders_fd >= 0)
        (void)close(c->orders_fd); /* was read */
    *c = (struct keeper_client){ .fd = -1, .orders_fd = -1 };
}

static void keeper_hear(struct keeper *k, struct keeper_client *c)
{
    char control[CMSG_SPACE(sizeof(int))], text[1024];
    struct iovec io = { c->line + c->n, sizeof(c->line) - 1 - c->n };
    struct msghdr m = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    ssize_t got = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *head = got > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    char *end;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        keeper_hang_up(c);
        return;
    }
    if (head && head->cmsg_type == SCM_RIGHTS && c->orders_fd < 0)
        memcpy(&c->orders_fd, CMSG_DATA(head), sizeof(int));
    c->n += (size_t)got;
    while ((end = memchr(c->line, '\n', c->n))) {
        size_t used = (size_t)(end + 1 - c->line), n;

        *end = 0;
        n = keeper_format(k, keeper_do(k, c), text, sizeof(text));
        (void)!send(c->fd, text, n,
                    MSG_DONTWAIT | MSG_NOSIGNAL); /* who does not listen asks again */
        c->n -= used;
        memmove(c->line, c->line + used, c->n);
    }
    if (c->n == sizeof(c->line) - 1)
        keeper_hang_up(c);
}

static void keeper_accept(struct keeper *k)
{
    int fd = accept4(k->listener, NULL, NULL, SOCK_CLOEXEC);

    for (int i = 0; fd >= 0 && i < KEEPER_CLIENTS; i++)
        if (k->clients[i].fd < 0) {
            k->clients[i].fd = fd;
            return;
        }
    if (fd >= 0)
        (void)close(fd); /* too many: it tries again */
}

static int keeper_listen(struct keeper *k)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    (void)snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/sock", k->dir);
    (void)unlinkat(k->dir, "sock", 0); /* of one that died */
    k->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (k->listener < 0 || bind(k->listener, (struct sockaddr *)&at, sizeof(at)))
        return -1;
    return listen(k->listener, KEEPER_CLIENTS);
}

/* --- the loop --- */

static int keeper_timeout(const struct keeper *k)
{
    int64_t at_ms[] = { k->start_at_ms, k->kill_at_ms, k->timeout_at_ms, k->write_at_ms };
    int64_t next_ms = KEEPER_NEVER_MS, now_ms = keeper_now_ms();

    for (size_t i = 0; i < sizeof(at_ms) / sizeof(at_ms[0]); i++)
        if (at_ms[i] < next_ms)
            next_ms = at_ms[i];
    if (next_ms == KEEPER_NEVER_MS)
        return -1;
    if (next_ms <= now_ms)
        return 0;
    return next_ms - now_ms > 60000 ? 60000 : (int)(next_ms - now_ms);
}

static void keeper_say_ready(struct keeper *k)
{
    char text[1024];
    size_t n = keeper_format(k, "", text, sizeof(text));

    if (k->ready >= 0) {
        (void)!write(k->ready, text, n); /* the starter may be gone: we live on */
        (void)close(k->ready);
    }
    k->ready = -1;
}

static void keeper_loop(struct keeper *k)
{
    while (k->state < EXITED || k->write_at_ms != KEEPER_NEVER_MS) {
        struct pollfd p[3 + KEEPER_CLIENTS] = { { k->signals, POLLIN, 0 },
                                                { k->listener, POLLIN, 0 },
                                                { k->out[0], POLLIN, 0 } };

        for (int i = 0; i < KEEPER_CLIENTS; i++)
            p[3 + i] = (struct pollfd){ k->clients[i].fd, POLLIN, 0 };
        if (poll(p, 3 + KEEPER_CLIENTS, keeper_timeout(k)) < 0 && errno != EINTR)
            return;
        if (p[2].revents)
            keeper_take_output(k);
        if (p[0].revents)
            keeper_take_signals(k);
        if (p[1].revents)
            keeper_accept(k);
        for (int i = 0; i < KEEPER_CLIENTS; i++)
            if (p[3 + i].revents)
                keeper_hear(k, &k->clients[i]);
        keeper_take_time(k);
    }
}

static int keeper_prepare(struct keeper *k)
{
    pid_t parent, session;
    sigset_t taken;
    char letter;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, k->boot, 36) != 36 || close(fd))
        return -1;
    k->own_start = keeper_proc(getpid(), &letter, &parent, &session);
    sigemptyset(&taken);
    sigaddset(&taken, SIGCHLD);
    sigaddset(&taken, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &taken, NULL) || prctl(PR_SET_CHILD_SUBREAPER, 1) ||
        prctl(PR_SET_DUMPABLE, 0)) /* no core file, no ptrace: secrets are in memory */
        return -1;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    k->signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (k->signals < 0 || pipe2(k->out, O_CLOEXEC) || fcntl(k->out[0], F_SETFL, O_NONBLOCK))
        return -1;
    return keeper_listen(k);
}

int main(int argc, char **argv)
{
    struct keeper k = { .listener = -1, .log = -1, .ready = KEEPER_READY_FD, .exit = -1 };

    k.start_at_ms = k.kill_at_ms = k.timeout_at_ms = k.write_at_ms = KEEPER_NEVER_MS;
    for (int i = 0; i < KEEPER_CLIENTS; i++)
        k.clients[i] = (struct keeper_client){ .fd = -1, .orders_fd = -1 };
    (void)umask(077);
    for (int fd = KEEPER_LOCK_FD; fd <= KEEPER_READY_FD; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC))
            return 2;
    k.dir = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (k.dir < 0 || keeper_read_orders(KEEPER_INPUT_FD, &k.orders) || keeper_prepare(&k))
        return 2;
    (void)close(KEEPER_INPUT_FD); /* was read; the memory goes with it */
    k.epoch = k.orders.epoch;
    keeper_start(&k);
    keeper_say_ready(&k);
    keeper_loop(&k);
    (void)unlinkat(k.dir, "sock", 0); /* nobody will answer */
    keeper_forget_orders(&k.orders);
    return 0;
}
