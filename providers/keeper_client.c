/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/keeper_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/keeper_dir.h"
#include "providers/keeper_proc.h"
#include "providers/kit_launch.h"

#define KEEPER_READY_MS 20000u
#define KEEPER_ANSWER_MS 5000u
#define KEEPER_REACH_TRIES 200 /* 10 ms each */
#define KEEPER_SETTLED_MS 12000
#define KEEPER_SWEEP_TRIES 500
#define KEEPER_SWEEP_REST_NS 10000000

/* --- starting --- */

static void keeper_pair(struct sb *b, const char *name, struct str value)
{
    sb_add_c(b, name);
    sb_add_char(b, 0);
    sb_add(b, value);
    sb_add_char(b, 0);
}

/* In anonymous memory: no value touches a disk or an argument vector. */
static int keeper_orders(struct arena *a, const struct keeper_want *want, int *ret_fd,
                         struct err *err)
{
    AUTO_CLOSE int fd = memfd_create("orders", MFD_CLOEXEC);
    struct sb b;

    sb_init(&b, a);
    keeper_pair(&b, "dir", want->launch ? S("/") : want->dir); /* else it is changed to in there */
    keeper_pair(&b, "restart", want->restart == KEEPER_ALWAYS ? S("always") : S("never"));
    keeper_pair(&b, "signal", want->stop_signal.n ? want->stop_signal : S("TERM"));
    keeper_pair(&b, "grace", str_fmt(a, "%lld", (long long)want->grace_ms));
    keeper_pair(&b, "timeout", str_fmt(a, "%lld", (long long)want->timeout_ms));
    keeper_pair(
        &b, "log",
        str_fmt(a, "%lld", (long long)(want->log_bytes ? want->log_bytes : KEEPER_LOG_BYTES)));
    if (want->log_keep_ms)
        keeper_pair(&b, "keep", str_fmt(a, "%lld", (long long)want->log_keep_ms));
    keeper_pair(&b, "epoch", str_fmt(a, "%llu", (unsigned long long)want->epoch));
    keeper_pair(&b, "leave", str_fmt(a, "%lld", (long long)want->leave_ms));
    for (size_t i = 0; i < want->n_once; i++)
        keeper_pair(&b, "once", want->once[i]);
    if (want->launch) {
        const struct str before[] = { want->launcher, S("run"), want->dir };

        keeper_pair(&b, "launch", S("3"));
        for (size_t i = 0; i < N_ELEMENTS(before); i++)
            keeper_pair(&b, "arg", before[i]);
    }
    for (size_t i = 0; i < want->n_argv; i++)
        keeper_pair(&b, "arg", want->argv[i]);
    for (size_t i = 0; i < want->n_env; i++)
        keeper_pair(&b, "env", want->env[i]);
    if (arena_status(a, err))
        return err->code;
    if (fd < 0 || write(fd, b.p, b.n) != (ssize_t)b.n)
        return err_sys(err, "hand over the environment");
    explicit_bzero(b.p, b.n);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* One line of JSON from the keeper into `ret`. */
static int keeper_hear(const struct rv_host *h, struct arena *a, int fd, uint32_t timeout_ms,
                       const struct value **ret, struct rv_result *answer)
{
    char *line = arena_alloc(a, 2048);
    struct err err = ERR_INIT;
    struct value *v;
    size_t n = 0;

    while (line && !memchr(line, '\n', n)) {
        int verdict = h->wait_fd(h->ctx, fd, POLLIN, timeout_ms);
        ssize_t got;

        if (verdict)
            return kit_answer(h, answer, verdict == RV_CANCELLED ? RV_CANCELLED : RV_RETRY,
                              RV_ACTED_MAYBE, "the keeper does not answer");
        got = n < 2047 ? read(fd, line + n, 2047 - n) : 0;
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return kit_answer(h, answer, RV_RETRY, RV_ACTED_MAYBE,
                              "the keeper ended without an answer");
        n += (size_t)got;
    }
    if (!line || json_parse(a, (struct str){ line, n }, 2048, &v, &err))
        return kit_answer(h, answer, RV_RETRY, RV_ACTED_MAYBE, "the keeper's answer: %s", err.text);
    *ret = v;
    return 0;
}

static int keeper_spawn(const struct rv_host *h, const struct keeper_place *p, const int *fds,
                        unsigned n_fds, const char *dir, struct rv_result *answer)
{
    struct rv_str argv[] = { kit_rv(p->program), { dir, strlen(dir) } };
    struct rv_exec in = {
        .size = sizeof(in), .n_argv = 2, .argv = argv, .n_fds = n_fds, .fds = fds
    };
    struct rv_exit out = { .size = sizeof(out) };
    int verdict = h->spawn(h->ctx, &in, &out);

    return verdict ? kit_answer_host(h, answer, verdict, RV_ACTED_MAYBE, "start the keeper") : 0;
}

int keeper_start(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                 const struct keeper_want *want, struct keeper_hold *take_hold,
                 struct keeper_view *ret, struct rv_result *answer)
{
    AUTO_CLOSE int orders = -1;
    AUTO_CLOSE int ready = -1;
    AUTO_CLOSE int said = -1;
    AUTO_CLOSE int plan = -1;
    const struct value *state;
    struct err err = ERR_INIT;
    int pipes[2], fds[5], is_uid = want->launch && want->launch->class == LAUNCH_UID;

    if (keeper_note(h, a, p, want, take_hold, answer))
        return (int)answer->verdict;
    (void)unlinkat(take_hold->dir, "state", 0); /* it was of another run */
    if ((want->launch && kit_launch_write(want->launch, &plan, &err)) ||
        keeper_orders(a, want, &orders, &err) || (pipe2(pipes, O_CLOEXEC) && err_sys(&err, "pipe")))
        return kit_answer_err(h, answer, RV_ACTED_YES, &err);
    ready = pipes[0];
    said = pipes[1];
    fds[0] = take_hold->lock;
    fds[1] = orders;
    fds[2] = said;
    fds[3] = plan;
    fds[4] = want->users;
    if (keeper_spawn(h, p, fds, want->launch ? 4u + (unsigned)is_uid : 3u,
                     keeper_dir_path(a, p, ""), answer))
        return (int)answer->verdict;
    keeper_release(take_hold); /* the keeper's copy keeps it held */
    guard_close(&said);
    if (keeper_hear(h, a, ready, KEEPER_READY_MS, &state, answer))
        return (int)answer->verdict;
    *ret = (struct keeper_view){ .life = KEEPER_LIVES, .key = want->key, .about = want->about };
    keeper_dir_view(state, ret);
    return 0;
}

/* --- speaking --- */

/* Connect to its socket. One that has just begun has none yet, one that has just ended none any more. */
static int keeper_reach(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                        int *ret_fd, struct rv_result *answer)
{
    AUTO_CLOSE int dir = -1;
    struct keeper_view view;
    struct str address;
    int verdict;

    if (keeper_dir_open(h, a, p, &dir, answer))
        return (int)answer->verdict;
    address = str_fmt(a, "unix:/proc/self/fd/%d/sock", dir);
    for (int tries = 0;; tries++) {
        verdict = dir < 0 ? RV_RETRY : h->connect(h->ctx, kit_rv(address), ret_fd);
        if (!verdict)
            return 0;
        if (verdict != RV_RETRY || tries == KEEPER_REACH_TRIES)
            break;
        if (keeper_look(h, a, p, &view, answer))
            return (int)answer->verdict;
        if (view.life != KEEPER_LIVES)
            break;
        if (h->wait_fd(h->ctx, -1, 0, 10) == RV_CANCELLED)
            return kit_answer(h, answer, RV_CANCELLED, RV_ACTED_NO, "cancelled");
    }
    return kit_answer_host(h, answer, verdict, RV_ACTED_NO, "reach the keeper");
}

/* Send `line` (and a descriptor, or -1); `*ret_fd` is the open connection. */
static int keeper_ask(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                      struct str line, int with_fd, int *ret_fd, struct rv_result *answer)
{
    AUTO_CLOSE int fd = -1;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr head;
    } control = { 0 };
    struct iovec io = { (void *)(uintptr_t)line.p, line.n };
    struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };
    const struct value *said;

    if (keeper_reach(h, a, p, &fd, answer))
        return (int)answer->verdict;
    if (with_fd >= 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = sizeof(control.bytes);
        control.head = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.head), &with_fd, sizeof(int));
    }
    if (sendmsg(fd, &m, MSG_NOSIGNAL) != (ssize_t)line.n)
        return kit_answer(h, answer, RV_RETRY, RV_ACTED_NO, "speak to the keeper: %s",
                          strerror(errno));
    if (keeper_hear(h, a, fd, KEEPER_ANSWER_MS, &said, answer))
        return (int)answer->verdict;
    if (str_eq(value_get_text(said, S("error"), S("")), S("epoch")))
        return kit_answer(h, answer, RV_FATAL, RV_ACTED_NO, "refused: our epoch is older than %lld",
                          (long long)value_get_int(said, S("epoch"), 0));
    if (value_get_text(said, S("error"), S("")).n)
        return kit_answer(h, answer, RV_RETRY, RV_ACTED_NO, "the keeper refused");
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static struct str keeper_line(struct arena *a, const char *what, uint64_t epoch)
{
    return str_fmt(a, "{\"do\":\"%s\",\"epoch\":%llu}\n", what, (unsigned long long)epoch);
}

int keeper_adopt(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                 uint64_t epoch, struct rv_result *answer)
{
    AUTO_CLOSE int fd = -1;

    return keeper_ask(h, a, p, keeper_line(a, "hello", epoch), -1, &fd, answer);
}

int keeper_stop(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                uint64_t epoch, uint32_t wait_ms, struct rv_result *answer)
{
    AUTO_CLOSE int fd = -1;

    if (keeper_ask(h, a, p, keeper_line(a, "stop", epoch), -1, &fd, answer))
        return (int)answer->verdict;
    if (wait_ms) /* it hangs up when it ends; the caller looks again whatever is said here */
        (void)h->wait_fd(h->ctx, fd, POLLIN, wait_ms);
    return 0;
}

int keeper_freeze(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                  uint64_t epoch, struct rv_result *answer)
{
    AUTO_CLOSE int fd = -1;

    return keeper_ask(h, a, p, keeper_line(a, "freeze", epoch), -1, &fd, answer);
}

int keeper_thaw(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                uint64_t epoch, struct rv_result *answer)
{
    AUTO_CLOSE int fd = -1;

    return keeper_ask(h, a, p, keeper_line(a, "thaw", epoch), -1, &fd, answer);
}

int keeper_drain(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                 uint64_t epoch, struct rv_result *answer)
{
    AUTO_CLOSE int fd = -1;

    return keeper_ask(h, a, p, keeper_line(a, "drain", epoch), -1, &fd, answer);
}

int keeper_renew(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                 const struct keeper_want *want, struct rv_result *answer)
{
    AUTO_CLOSE int orders = -1;
    AUTO_CLOSE int told = -1;
    AUTO_CLOSE int again = -1;
    struct err err = ERR_INIT;

    if (keeper_orders(a, want, &orders, &err))
        return kit_answer_err(h, answer, RV_ACTED_NO, &err);
    if (keeper_ask(h, a, p, keeper_line(a, "env", want->epoch), orders, &told, answer) ||
        keeper_ask(h, a, p, keeper_line(a, "restart", want->epoch), -1, &again, answer))
        return (int)answer->verdict;
    return keeper_note(h, a, p, want, NULL, answer); /* last: who dies before it does it again */
}

int keeper_settled(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                   struct keeper_view *ret, struct rv_result *answer)
{
    int64_t give_up_ms = h->now_ms(h->ctx) + KEEPER_SETTLED_MS;

    for (;;) {
        if (keeper_look(h, a, p, ret, answer))
            return (int)answer->verdict;
        if (ret->life != KEEPER_LIVES || !ret->taking)
            return 0;
        if (h->now_ms(h->ctx) > give_up_ms)
            return kit_answer(h, answer, RV_RETRY, RV_ACTED_MAYBE, "the new one is not ready");
        if (h->wait_fd(h->ctx, -1, 0, 10) == RV_CANCELLED)
            return kit_answer(h, answer, RV_CANCELLED, RV_ACTED_MAYBE, "cancelled");
    }
}

int keeper_replace(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                   const struct keeper_want *want, struct rv_result *answer)
{
    AUTO_CLOSE int orders = -1;
    AUTO_CLOSE int told = -1;
    struct keeper_view ignored;
    struct err err = ERR_INIT;

    if (keeper_orders(a, want, &orders, &err))
        return kit_answer_err(h, answer, RV_ACTED_NO, &err);
    if (keeper_ask(h, a, p, keeper_line(a, "replace", want->epoch), orders, &told, answer))
        return (int)answer->verdict;
    return keeper_settled(h, a, p, &ignored, answer);
}

/* --- the end --- */

/* Its number means nothing after another boot. */
static int keeper_is_of_this_boot(const struct keeper_view *view)
{
    struct err ignored = ERR_INIT; /* not known: not of this one */
    AUTO_ARENA struct arena a;
    struct str boot;

    arena_init(&a, 0);
    return view->keeper_pid > 1 && !sys_boot_id(&a, &boot, &ignored) && str_eq(boot, view->boot);
}

/* How many there were. */
static size_t keeper_kill_left(const struct keeper_view *view)
{
    struct keeper_procs procs;
    AUTO_ARENA struct arena a;
    size_t n = 0;

    arena_init(&a, 0);
    keeper_proc_family(&a, (pid_t)view->keeper_pid, &procs);
    for (size_t i = 0; i < procs.list.n; i++)
        if (procs.list.p[i].start >= (unsigned long long)view->keeper_start) {
            (void)kill(procs.list.p[i].pid, SIGKILL); /* one of another user ends with its parent */
            n++;
        }
    return n;
}

int keeper_sweep(const struct keeper_view *view)
{
    const struct timespec rest = { 0, KEEPER_SWEEP_REST_NS };
    struct keeper_proc one;

    if (!keeper_is_of_this_boot(view))
        return 0;
    if (!keeper_proc_read((pid_t)view->keeper_pid, &one) &&
        one.start != (unsigned long long)view->keeper_start)
        return 0; /* the number leads somebody else's session now */
    for (int i = 0; i < KEEPER_SWEEP_TRIES; i++) {
        if (!keeper_kill_left(view))
            return 0;
        (void)nanosleep(&rest, NULL); /* a shorter one is as good */
    }
    return -1;
}

void keeper_kill(const struct keeper_view *view)
{
    struct keeper_proc one;

    if (keeper_is_of_this_boot(view) && !keeper_proc_read((pid_t)view->keeper_pid, &one) &&
        one.start == (unsigned long long)view->keeper_start)
        (void)kill((pid_t)view->keeper_pid, SIGKILL); /* gone already is as good */
}

int keeper_listens(struct arena *a, const struct keeper_view *view, int64_t port)
{
    struct keeper_procs procs;

    if (view->life != KEEPER_LIVES || port < 1 || port > 65535)
        return 0;
    keeper_proc_family(a, (pid_t)view->keeper_pid, &procs);
    return keeper_proc_listens(a, &procs, (unsigned)port);
}
