/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_cage.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
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

static const unsigned cage_refused[] = {
    SYS_socket,
    SYS_connect,
    SYS_bind,
    SYS_execve,
    SYS_execveat,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_io_uring_setup,
    SYS_mount,
    SYS_unshare,
    SYS_setns,
    SYS_bpf,
    SYS_userfaultfd,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
};

#define CAGE_MAX (7 + 2 * N_ELEMENTS(cage_refused))
#define CAGE_ERRNO (SECCOMP_RET_ERRNO | EACCES)

static void cage_add(struct sock_filter *code, unsigned short *n, struct sock_filter instruction)
{
    code[(*n)++] = instruction;
}

int git_cage_close(struct err *err)
{
    struct sock_filter code[CAGE_MAX];
    struct sock_fprog program = { .filter = code };
    unsigned short *n = &program.len;

    cage_add(code, n,
             (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                          offsetof(struct seccomp_data, arch)));
    cage_add(code, n, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CAGE_ARCH, 1, 0));
    cage_add(code, n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    cage_add(
        code, n,
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    cage_add(code, n, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, CAGE_FOREIGN, 0, 1));
    cage_add(code, n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, CAGE_ERRNO));
    for (size_t i = 0; i < N_ELEMENTS(cage_refused); i++) {
        cage_add(code, n,
                 (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, cage_refused[i], 0, 1));
        cage_add(code, n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, CAGE_ERRNO));
    }
    cage_add(code, n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program))
        return err_sys(err, "give up the network");
    return 0;
}
