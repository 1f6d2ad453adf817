/* The state file, its disk and our process. SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "reconciler/http/measure.h"

#define STAT_BYTES_MAX 4096
#define STAT_STARTED 19 /* of /proc/self/stat, the first word behind the name being 0 */

static int64_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) ? 0 : st.st_size;
}

static void put_state(struct metrics *to, const char *path)
{
    struct err unused = ERR_INIT; /* what cannot be asked is not told */
    int64_t n_free, size;

    METRICS_PUT(to, DATABASE, size_of(path));
    METRICS_PUT(to, WAL, size_of(str_fmt(to->a, "%s-wal", path).p));
    if (sys_disk_free(path, &n_free, &size, &unused))
        return;
    METRICS_PUT(to, DISK_FREE, n_free);
    METRICS_PUT(to, DISK, size);
}

static void put_descriptors(struct metrics *to)
{
    DIR *dir = opendir("/proc/self/fd");
    struct rlimit files;
    size_t n = 0;

    while (dir && readdir(dir))
        n++;
    if (dir)
        (void)closedir(dir);
    if (n > 3)
        METRICS_PUT(to, FDS, n - 3); /* ".", ".." and this one */
    if (!getrlimit(RLIMIT_NOFILE, &files))
        METRICS_PUT(to, FDS_MAX, files.rlim_cur);
}

static void put_memory(struct metrics *to)
{
    struct err unused = ERR_INIT;
    struct str text, word;
    int64_t n = 0, page = sysconf(_SC_PAGESIZE);

    if (sys_read_file(to->a, "/proc/self/statm", STAT_BYTES_MAX, &text, &unused))
        return;
    if (str_next(&text, ' ', &word) && !str_to_i64(word, &n))
        METRICS_PUT(to, VIRTUAL, n * page);
    if (str_next(&text, ' ', &word) && !str_to_i64(word, &n))
        METRICS_PUT(to, RESIDENT, n * page);
}

/* Behind the name, which may hold anything, comes the state; times are in ticks. */
static void put_times(struct metrics *to)
{
    enum { THREADS = 17, USER = 11, SYSTEM = 12 };
    struct err unused = ERR_INIT;
    int64_t n, cpu = 0, ticks = sysconf(_SC_CLK_TCK);
    struct str text, word;
    size_t last = 0;

    if (sys_read_file(to->a, "/proc/self/stat", STAT_BYTES_MAX, &text, &unused))
        return;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == ')')
            last = i;
    text = str_slice(text, last + 2, text.n);
    for (int i = 0; str_next(&text, ' ', &word); i++) {
        if (str_to_i64(word, &n))
            continue;
        if (i == USER || i == SYSTEM)
            cpu += n;
        if (i == THREADS)
            METRICS_PUT(to, THREADS, n);
        if (i == STAT_STARTED)
            METRICS_PUT(to, STARTED,
                        (double)(sys_wall_ms() - sys_boot_ms()) / 1000 + (double)n / (double)ticks);
    }
    METRICS_PUT(to, CPU, (double)cpu / (double)ticks);
}

void measure_put_machine(struct metrics *to, const char *state_path)
{
    put_state(to, state_path);
    put_descriptors(to);
    put_memory(to);
    put_times(to);
}
