/*
 * kill_at: a program dies at its n-th call of one kind. SPDX-License-Identifier: Apache-2.0
 *
 *     kill_at record FILE PROGRAM [ARGUMENT..]    runs it; FILE lists the calls it made: "fsync 12"
 *     kill_at CALL N PROGRAM [ARGUMENT..]         SIGKILL before the n-th CALL takes effect
 *
 * Threads of the program are followed, children are not: what it starts outlives it as it would without
 * us. Calls are counted over all threads.
 *
 * Exit status: the program's own, 137 when it was killed, 77 when this machine does not let us trace.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

/* clang-format off */
#define CALL(name) { #name, SYS_##name, 0 }
static struct call {
    const char *name;
    long number;
    long n;
} calls[] = {
    CALL(openat), CALL(write), CALL(pwrite64), CALL(fsync), CALL(fdatasync), CALL(ftruncate), CALL(unlinkat),
    CALL(mkdirat), CALL(renameat), CALL(renameat2), CALL(symlinkat), CALL(flock), CALL(connect), CALL(sendto),
    CALL(sendmsg), CALL(recvmsg), CALL(clone), CALL(clone3), CALL(close), CALL(fcntl), CALL(kill), CALL(wait4),
#ifdef SYS_rename /* not on newer machines */
    CALL(rename), CALL(mkdir), CALL(unlink), CALL(rmdir), CALL(symlink), CALL(readlink), CALL(vfork), CALL(fork),
#endif
};
/* clang-format on */
#define N_CALLS (sizeof(calls) / sizeof(*calls))
#define SKIPPED 77

static struct call *find_number(unsigned long long number)
{
    for (size_t i = 0; i < N_CALLS; i++)
        if (calls[i].number == (long)number)
            return &calls[i];
    return NULL;
}

static struct call *find_name(const char *name)
{
    for (size_t i = 0; i < N_CALLS; i++)
        if (!strcmp(calls[i].name, name))
            return &calls[i];
    return NULL;
}

static int skip(const char *what)
{
    (void)fprintf(stderr, "kill_at: %s: %s\n", what, strerror(errno));
    return SKIPPED;
}

/* Stopped before its first step; -1: it cannot be traced. */
static pid_t start(char **argv)
{
    const unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    pid_t pid = fork();
    int status;

    if (!pid) {
        (void)raise(SIGSTOP); /* until we are seized */
        (void)execvp(argv[0], argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, WUNTRACED) < 0)
        return -1;
    if (ptrace(PTRACE_SEIZE, pid, NULL, options)) {
        (void)kill(pid, SIGKILL); /* errno says why */
        return -1;
    }
    (void)kill(pid, SIGCONT); /* it is ours and stopped */
    return pid;
}

/* The table's row of a call that a thread is about to make; NULL: another stop. */
static struct call *entered(pid_t tid, int status)
{
    struct ptrace_syscall_info info;
    struct call *call = NULL;

    if (WSTOPSIG(status) != (SIGTRAP | 0x80) ||
        ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return NULL;
    call = find_number(info.entry.nr);
    if (call)
        call->n++;
    return call;
}

/* A signal on its way is delivered; the tracer's own stops are not signals. */
static unsigned long signal_to_pass(int status)
{
    int is_event = status >> 16, number = WSTOPSIG(status);

    return is_event || number == (SIGTRAP | 0x80) || number == SIGSTOP ? 0 : (unsigned long)number;
}

/* Until the program has ended; at `wanted`'s n-th entry it is killed. */
static int follow(pid_t pid, const struct call *wanted, long n)
{
    for (;;) {
        int status;
        pid_t tid = waitpid(-1, &status, __WALL);

        if (tid < 0 && errno == EINTR)
            continue;
        if (tid < 0)
            return 1;
        if (!WIFSTOPPED(status)) {
            if (tid == pid)
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        if (wanted && entered(tid, status) == wanted && wanted->n == n)
            (void)kill(pid, SIGKILL); /* it is ours */
        else if (!wanted)
            (void)entered(tid, status);                                  /* counted */
        (void)ptrace(PTRACE_SYSCALL, tid, NULL, signal_to_pass(status)); /* it may be dead by now */
    }
}

static int write_record(const char *path)
{
    FILE *f = fopen(path, "w");

    if (!f)
        return -1;
    for (size_t i = 0; i < N_CALLS; i++)
        if (calls[i].n)
            (void)fprintf(f, "%s %ld\n", calls[i].name, calls[i].n); /* told by fclose */
    return fclose(f);
}

int main(int argc, char **argv)
{
    int is_record = argc > 1 && !strcmp(argv[1], "record"), status;
    const struct call *wanted = argc > 1 && !is_record ? find_name(argv[1]) : NULL;
    pid_t pid;

    if (argc < 4 || (!is_record && !wanted)) {
        (void)fprintf(stderr, "usage: kill_at record FILE PROGRAM.. | kill_at CALL N PROGRAM..\n");
        return 3;
    }
    pid = start(argv + 3);
    if (pid < 0)
        return skip("this machine does not let us trace");
    status = follow(pid, wanted, is_record ? 0 : atol(argv[2]));
    if (is_record && write_record(argv[2]))
        return 1;
    return status;
}
