/* A program that is kept, and does nothing meanwhile. SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/keeper.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "providers/launch/launch.h"

#define FREEZE_PROCESSES_MAX 4096
#define FREEZE_ROUNDS_MAX 16 /* one that starts others meanwhile */

struct freeze_family {
    pid_t pids[FREEZE_PROCESSES_MAX];
    size_t n;
};

static int family_has(const struct freeze_family *f, pid_t pid)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->pids[i] == pid)
            return 1;
    return 0;
}

/* Those of our session, our children and, however deep, theirs. How many are new. */
static size_t family_look(struct freeze_family *f)
{
    DIR *proc = opendir("/proc");
    size_t n_before = f->n;
    struct dirent *entry;

    while (proc && f->n < FREEZE_PROCESSES_MAX && (entry = readdir(proc))) {
        pid_t pid = (pid_t)atoi(entry->d_name), parent, session;
        char letter;

        if (pid <= 0 || pid == getpid() || family_has(f, pid) ||
            !keeper_program_stat(pid, &letter, &parent, &session) || letter == 'Z')
            continue;
        if (parent == getpid() || session == getsid(0) || family_has(f, parent))
            f->pids[f->n++] = pid;
    }
    if (proc)
        (void)closedir(proc); /* only read */
    return f->n - n_before;
}

static void family_signal(int number)
{
    struct freeze_family f = { .n = 0 };

    for (int i = 0; i < FREEZE_ROUNDS_MAX; i++) {
        size_t from = f.n;

        if (!family_look(&f))
            return;
        for (; from < f.n; from++)
            (void)kill(f.pids[from], number); /* gone already is as good */
    }
}

int keeper_freeze_set(struct keeper *k, enum keeper_freeze freeze)
{
    int on = freeze == KEEPER_FREEZE;

    if (k->frozen == on)
        return 0;
    if (!k->child || k->state > STOPPING || (on && (k->state != RUNNING || k->taking)))
        return -1;
    if (k->orders.n_launch) /* init tells all that live in there */
        (void)kill(-k->child, on ? LAUNCH_SIGNAL_FREEZE : LAUNCH_SIGNAL_THAW);
    else
        family_signal(on ? SIGSTOP : SIGCONT);
    k->frozen = on;
    keeper_files_state(k);
    return 0;
}
