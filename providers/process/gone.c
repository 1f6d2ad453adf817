/* gone: what an instance printed last, for a while after it. SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "providers/process/process.h"

/* One that is kept: DIRECTORY/gone/<owner label>/log; the directory's time says when it goes. */
struct gone_log {
    const char *path;
    int64_t until_ms, bytes;
};
struct gone_logs {
    VEC(struct gone_log) list;
    int64_t bytes;
};

static void gone_add(struct process_call *c, const char *name, struct gone_logs *ret)
{
    const char *path = str_fmt(&c->arena, "%.*s/%s", STR_ARG(c->self->gone), name).p;
    const char *log = str_fmt(&c->arena, "%s/log", path).p;
    struct gone_log *slot = path && log ? vec_push(&c->arena, &ret->list) : NULL;
    struct stat dir, st = { 0 };

    if (!slot)
        return; /* out of memory: the next time */
    *slot = (struct gone_log){ path, 0, 0 };
    if (!stat(path, &dir))
        slot->until_ms = (int64_t)dir.st_mtim.tv_sec * 1000 + dir.st_mtim.tv_nsec / 1000000;
    if (!lstat(log, &st))
        slot->bytes = (int64_t)st.st_size;
    ret->bytes += slot->bytes;
}

static struct gone_log *gone_first(struct gone_logs *logs)
{
    struct gone_log *first = NULL;

    for (size_t i = 0; i < logs->list.n; i++)
        if (logs->list.p[i].path && (!first || logs->list.p[i].until_ms < first->until_ms))
            first = &logs->list.p[i];
    return first;
}

void process_gone_sweep(struct process_call *c)
{
    DIR *dir = opendir(str_to_c(&c->arena, c->self->gone));
    struct gone_logs logs = { 0 };
    struct err ignored = ERR_INIT; /* the next time */
    int64_t now_ms = sys_wall_ms();
    struct gone_log *first;
    struct dirent *entry;
    size_t n;

    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            gone_add(c, entry->d_name, &logs);
    if (dir)
        (void)closedir(dir); /* only read */
    n = logs.list.n;
    while ((first = gone_first(&logs)) &&
           (first->until_ms <= now_ms || logs.bytes > PROCESS_GONE_BYTES || n > PROCESS_GONE_MAX)) {
        (void)sys_remove_all(first->path, &ignored);
        logs.bytes -= first->bytes;
        first->path = NULL;
        n--;
    }
}

/* The time of DIRECTORY/gone says when they were looked for last, or one was added. */
void process_gone_look(struct process_call *c)
{
    const char *path = str_to_c(&c->arena, c->self->gone);
    struct stat st;

    if (!path || stat(path, &st) ||
        sys_wall_ms() - (int64_t)st.st_mtim.tv_sec * 1000 < PROCESS_GONE_LOOK_MS)
        return;
    (void)utimensat(AT_FDCWD, path, NULL, 0); /* else the next one looks */
    process_gone_sweep(c);
}

/* `logs.keep` says that nothing in its two files is older; half of it after its end that holds of the newer one. */
void process_gone_keep(struct process_call *c)
{
    const char *to =
        str_fmt(&c->arena, "%.*s/%.*s", STR_ARG(c->self->gone), STR_ARG(c->place.owner)).p;
    const char *log =
        str_fmt(&c->arena, "%.*s/%.*s/log", STR_ARG(c->place.runs), STR_ARG(c->place.owner)).p;
    int64_t keep_ms = value_get_int(value_get(c->view.about, S("logs")), S("keep_ms"),
                                    2 * PROCESS_GONE_MS);
    int64_t until_ms = sys_wall_ms() + keep_ms / 2;
    const struct timespec until = { until_ms / 1000, until_ms % 1000 * 1000000 };
    struct err ignored = ERR_INIT; /* it is output: nothing waits for it */
    struct stat st;

    if (!to || !log || lstat(log, &st) || !S_ISREG(st.st_mode) || !st.st_size ||
        sys_mkdir_all(to, 0700, &ignored))
        return;
    if (rename(log, str_fmt(&c->arena, "%s/log", to).p))
        (void)rmdir(to); /* a later one tries again */
    else
        (void)utimensat(AT_FDCWD, to, (const struct timespec[]){ until, until }, 0);
}
