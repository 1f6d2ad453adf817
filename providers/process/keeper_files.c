/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEPER_LOG_RATE (1 << 20)  /* bytes a second */
#define KEEPER_LOG_BURST (8 << 20) /* at once */

static const char *const keeper_states[] = { "starting", "running", "waiting",
                                             "stopping", "exited",  "stopped" };

size_t keeper_files_format(const struct keeper *k, const char *error, char *text, size_t max)
{
    size_t n = (size_t)snprintf(
        text, max,
        "{\"boot\":\"%s\",\"epoch\":%" PRIu64
        ",\"error\":\"%s\",\"exit\":%d,\"frozen\":%s,\"full\":%" PRId64 ",\"keeper\":%d,"
        "\"keeper_start\":%llu,\"leaving\":%d,\"message\":\"%s\",\"pid\":%d,\"restarts\":%" PRId64
        ",\"signal\":%d,\"start\":%llu,\"state\":\"%s\",\"taking\":%d,\"timed_out\":%s}\n",
        k->boot, k->epoch, error, k->exit, k->frozen ? "true" : "false", k->full, getpid(),
        k->own_start, k->leaving, k->message, k->child, k->restarts, k->signal, k->child_start,
        keeper_states[k->state], k->taking, k->timed_out ? "true" : "false");

    return n < max ? n : max - 1;
}

/* By rename; when the disk is full it is tried again, and nobody lets go of the lock before. */
void keeper_files_state(struct keeper *k)
{
    char text[1024];
    size_t n = keeper_files_format(k, "", text, sizeof(text));
    int fd = openat(k->dir, "state.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int ok = fd >= 0 && write(fd, text, n) == (ssize_t)n && !fsync(fd);

    if (fd >= 0 && close(fd))
        ok = 0;
    if (ok)
        ok = !renameat(k->dir, "state.new", k->dir, "state") && !fsync(k->dir);
    k->write_at_ms = ok || errno == ENOENT ? KEEPER_NEVER_MS : keeper_now_ms() + 1000;
}

void keeper_files_enter(struct keeper *k, enum keeper_state state)
{
    k->state = state;
    keeper_files_state(k);
}

void keeper_files_log(struct keeper *k, const char *text, size_t n)
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

/* Twice in that time: what is written now is in `log`, then in `log.1`, then gone. */
void keeper_files_turn(struct keeper *k)
{
    struct stat st;

    if (k->log >= 0)
        (void)close(k->log); /* the next line opens another one */
    k->log = -1;
    if (fstatat(k->dir, "log", &st, AT_SYMLINK_NOFOLLOW) || !st.st_size ||
        renameat(k->dir, "log", k->dir, "log.1"))
        (void)unlinkat(k->dir, "log.1", 0); /* there may be none */
    k->log_turn_ms = keeper_now_ms() + k->orders.log_keep_ms / 2;
}

void keeper_files_say_lost(struct keeper *k)
{
    char note[80];
    int n = snprintf(note, sizeof(note), "\nreeve: %" PRId64 " bytes of output were lost\n",
                     k->log_lost);

    if (k->log_lost)
        keeper_files_log(k, note, (size_t)n);
    k->log_lost = 0;
}

/* A program that writes without end shall not keep the disk busy: what is over the rate is counted. */
static void keeper_files_take(struct keeper *k, const char *block, size_t n)
{
    int64_t now_ms = keeper_now_ms();

    k->log_room += (now_ms - k->log_room_ms) * (KEEPER_LOG_RATE / 1000);
    if (k->log_room > KEEPER_LOG_BURST)
        k->log_room = KEEPER_LOG_BURST;
    k->log_room_ms = now_ms;
    if (k->log_room < (int64_t)n) {
        k->log_lost += (int64_t)n;
        return;
    }
    keeper_files_say_lost(k);
    k->log_room -= (int64_t)n;
    keeper_files_log(k, block, n);
}

void keeper_files_output(struct keeper *k)
{
    char block[16384];
    ssize_t n;

    for (int i = 0; i < 64 && (n = read(k->out[0], block, sizeof(block))) > 0; i++)
        keeper_files_take(k, block, (size_t)n);
}

/* Whoever they were given to, the directory is ours. What stays is removed by who takes our place. */
void keeper_files_forget(const struct keeper *k)
{
    int fd = openat(k->dir, "secrets", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            (void)unlinkat(fd, entry->d_name, 0);
    if (dir)
        (void)closedir(dir);                         /* only read */
    (void)unlinkat(k->dir, "secrets", AT_REMOVEDIR); /* most have none */
}
