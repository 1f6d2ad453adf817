/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_cage.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/guard.h"

#if defined(__x86_64__)
#define CAGE_ARCH AUDIT_ARCH_X86_64
#define CAGE_FOREIGN 0x40000000u /* x32 */
#elif defined(__aarch64__)
#define CAGE_ARCH AUDIT_ARCH_AARCH64
#define CAGE_FOREIGN 0x80000000u /* there is none */
#else
#error "the filter's architecture is not known"
#endif

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CAGE_PTRACE SYS_ptrace
#else
#define CAGE_PTRACE SYS_pidfd_getfd /* a sanitizer looks at itself as a debugger would */
#endif

/* clang-format off */
static const struct cage_row {
    unsigned call;
    enum git_cage from; /* refused from this one on */
    unsigned error;
} cage_rows[] = {
    { SYS_socket,            GIT_CAGE_SHUT,  EACCES },
    { SYS_connect,           GIT_CAGE_SHUT,  EINPROGRESS }, /* libcurl 7.88 connects what is connected, and believes this */
    { SYS_bind,              GIT_CAGE_SHUT,  EACCES },
    { SYS_execve,            GIT_CAGE_SHUT,  EACCES },
    { SYS_execveat,          GIT_CAGE_HOSTS, EACCES },
    { SYS_listen,            GIT_CAGE_HOSTS, EACCES },
    { CAGE_PTRACE,           GIT_CAGE_HOSTS, EACCES },
    { SYS_pidfd_getfd,       GIT_CAGE_HOSTS, EACCES },
    { SYS_process_vm_readv,  GIT_CAGE_HOSTS, EACCES },
    { SYS_process_vm_writev, GIT_CAGE_HOSTS, EACCES },
    { SYS_io_uring_setup,    GIT_CAGE_HOSTS, EACCES },
    { SYS_mount,             GIT_CAGE_HOSTS, EACCES },
    { SYS_unshare,           GIT_CAGE_HOSTS, EACCES },
    { SYS_setns,             GIT_CAGE_HOSTS, EACCES },
    { SYS_bpf,               GIT_CAGE_HOSTS, EACCES },
    { SYS_userfaultfd,       GIT_CAGE_HOSTS, EACCES },
    { SYS_keyctl,            GIT_CAGE_HOSTS, EACCES },
    { SYS_add_key,           GIT_CAGE_HOSTS, EACCES },
    { SYS_request_key,       GIT_CAGE_HOSTS, EACCES },
};
/* clang-format on */

#define CAGE_MAX (12 + 2 * N_ELEMENTS(cage_rows))
#define CAGE_LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (member))
#define CAGE_FIRST_ARG                                                                             \
    offsetof(struct seccomp_data, args) /* its lower half: both kinds are little-endian */

static void cage_add(struct sock_fprog *to, struct sock_filter instruction)
{
    to->filter[to->len++] = instruction;
}

static void cage_refuse(struct sock_fprog *to, unsigned short test, unsigned value, unsigned error)
{
    cage_add(to,
             (struct sock_filter)BPF_JUMP((unsigned short)(BPF_JMP | test | BPF_K), value, 0, 1));
    cage_add(to, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error));
}

int git_cage_close(enum git_cage cage, struct err *err)
{
    struct sock_filter code[CAGE_MAX];
    struct sock_fprog program = { .filter = code };

    cage_add(&program, (struct sock_filter)CAGE_LOAD(offsetof(struct seccomp_data, arch)));
    cage_add(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CAGE_ARCH, 1, 0));
    cage_add(&program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    cage_add(&program, (struct sock_filter)CAGE_LOAD(offsetof(struct seccomp_data, nr)));
    cage_refuse(&program, BPF_JGE, CAGE_FOREIGN, EACCES);
    for (size_t i = 0; i < N_ELEMENTS(cage_rows); i++)
        if (cage >= cage_rows[i].from)
            cage_refuse(&program, BPF_JEQ, cage_rows[i].call, cage_rows[i].error);
    cage_add(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3));
    cage_add(&program, (struct sock_filter)CAGE_LOAD(CAGE_FIRST_ARG));
    cage_refuse(&program, BPF_JEQ, AF_UNIX, EACCES);
    cage_add(&program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program))
        return err_sys(err, "give up the network");
    return 0;
}
