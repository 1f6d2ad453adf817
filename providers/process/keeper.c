/*
 * keeper: one small process that watches one program and outlives the daemon. SPDX-License-Identifier: Apache-2.0
 *
 *     keeper DIR          3 = the lock of DIR, held; 4 = instructions; 5 = "ready" pipe; 6 = plan, 7 = users, or none
 *
 *   starting -> running -> waiting -> running ...            restart always, back-off 100 ms to 5 s
 *                  |          |
 *                  `-> exited |  restart never               a stop, SIGTERM or the time-out goes through
 *                  `----------`-> stopping -> stopped        stopping: signal to the group, grace, KILL
 *
 * `state` always says where it is (by rename); `exited` and `stopped` end the keeper, which lets go
 * of the lock. Instructions are pairs "name NUL value NUL": dir, restart, signal, grace, timeout, log, keep,
 * leave, epoch, launch, arg (many), env (many), once (many). They come on a descriptor, because values may be secret, and stay in
 * memory for restarts.
 *
 * `sock` takes one canonical JSON line a request: {"do":"hello","epoch":N}, status, stop, restart, freeze, thaw, drain,
 * env (with a descriptor of new instructions, for the next start), replace (with such a descriptor,
 * now: keeper_hand.c); the answer is the state.
 *
 * Its program: own process group, ended by the kernel when the keeper dies, no descriptor but 0, 1, 2.
 * `launch` says how many of its arguments are those of reeve-spawn, which isolates the rest of them as
 * the plan says (providers/launch/launch.h); to us it is the program.
 *
 * Thread   one. Links libc alone.
 * Limits   KEEPER_INPUT_MAX of instructions, KEEPER_CLIENTS at once, `log` bytes twice.
 */
#include "providers/process/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { KEEPER_LOCK_FD = 3, KEEPER_INPUT_FD, KEEPER_READY_FD, KEEPER_PLAN_FD, KEEPER_USERS_FD };

int64_t keeper_now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* exists on every Linux */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void keeper_take_time(struct keeper *k)
{
    int64_t now_ms = keeper_now_ms();

    if (now_ms >= k->start_at_ms)
        keeper_program_start(k);
    if (now_ms >= k->timeout_at_ms) {
        k->timed_out = 1;
        keeper_program_stop(k, k->orders.grace_ms);
    }
    if (now_ms >= k->kill_at_ms) {
        (void)kill(-k->child, SIGKILL); /* gone already is as good */
        k->kill_at_ms = now_ms + 1000;
    }
    keeper_hand_take_time(k, now_ms);
    if (now_ms >= k->write_at_ms)
        keeper_files_state(k);
    if (now_ms >= k->log_turn_ms)
        keeper_files_turn(k);
}

static int keeper_timeout(const struct keeper *k)
{
    int64_t at_ms[] = { k->start_at_ms,   k->kill_at_ms,     k->timeout_at_ms, k->write_at_ms,
                        k->take_until_ms, k->leave_until_ms, k->log_turn_ms };
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
    size_t n = keeper_files_format(k, "", text, sizeof(text));

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
            keeper_files_output(k);
        if (p[0].revents)
            keeper_program_reap(k);
        if (p[1].revents)
            keeper_sock_accept(k);
        for (int i = 0; i < KEEPER_CLIENTS; i++)
            if (p[3 + i].revents)
                keeper_sock_hear(k, &k->clients[i]);
        keeper_take_time(k);
    }
}

/* Secrets are in it: no core file, no ptrace. The program, which has them in its environment, leaves no core
 * either: 1 and not 0, which a machine whose cores go to a program overlooks (core(5)). */
static int keeper_shut_memory(void)
{
    struct rlimit core;

    if (prctl(PR_SET_DUMPABLE, 0) || getrlimit(RLIMIT_CORE, &core))
        return -1;
    core.rlim_cur = core.rlim_max = core.rlim_max ? 1 : 0;
    return setrlimit(RLIMIT_CORE, &core);
}

static int keeper_prepare(struct keeper *k)
{
    pid_t parent, session;
    sigset_t taken;
    char letter;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, k->boot, 36) != 36 || close(fd))
        return -1;
    k->own_start = keeper_program_stat(getpid(), &letter, &parent, &session);
    sigemptyset(&taken);
    sigaddset(&taken, SIGCHLD);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, SIGUSR1); /* who takes over is ready */
    sigaddset(&taken, SIGTTOU); /* it would like the sockets that its predecessor shall keep: no */
    sigaddset(&taken, SIGTTIN);
    if (sigprocmask(SIG_BLOCK, &taken, NULL) || prctl(PR_SET_CHILD_SUBREAPER, 1) ||
        keeper_shut_memory())
        return -1;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    k->signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (k->signals < 0 || pipe2(k->out, O_CLOEXEC) || fcntl(k->out[0], F_SETFL, O_NONBLOCK) ||
        fchmod(k->out[1], 0622)) /* a program of another user opens /dev/stdout */
        return -1;
    return keeper_sock_listen(k);
}

int main(int argc, char **argv)
{
    struct keeper k = { .listener = -1, .log = -1, .ready = KEEPER_READY_FD, .exit = -1 };

    k.start_at_ms = k.kill_at_ms = k.timeout_at_ms = k.write_at_ms = KEEPER_NEVER_MS;
    k.take_until_ms = k.leave_until_ms = KEEPER_NEVER_MS;
    for (int i = 0; i < KEEPER_CLIENTS; i++)
        k.clients[i] = (struct keeper_client){ .fd = -1, .orders_fd = -1 };
    (void)umask(077);
    for (int fd = KEEPER_LOCK_FD; fd <= KEEPER_READY_FD; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC))
            return 2;
    k.plan = fcntl(KEEPER_PLAN_FD, F_SETFD, FD_CLOEXEC) ? -1 : KEEPER_PLAN_FD;
    k.users = fcntl(KEEPER_USERS_FD, F_SETFD, FD_CLOEXEC) ? -1 : KEEPER_USERS_FD;
    k.dir = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (k.dir < 0 || keeper_orders_read(KEEPER_INPUT_FD, &k.orders) || keeper_prepare(&k))
        return 2;
    (void)close(KEEPER_INPUT_FD); /* was read; the memory goes with it */
    k.epoch = k.orders.epoch;
    k.log_turn_ms = k.orders.log_keep_ms ? keeper_now_ms() + k.orders.log_keep_ms / 2
                                         : KEEPER_NEVER_MS;
    keeper_program_start(&k);
    keeper_say_ready(&k);
    keeper_loop(&k);
    keeper_files_forget(&k);
    (void)unlinkat(k.dir, "sock", 0); /* nobody will answer */
    keeper_orders_forget(&k.orders);
    keeper_orders_forget(&k.next);
    return 0;
}
