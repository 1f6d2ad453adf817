/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/table.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/guard.h"
#include "base/sys.h"

void table_head(void)
{
    (void)printf("%-64s %10s %-4s %-12s %10s  %s\n", "what", "figure", "", "target", "floor",
                 "the floor is");
}

void table_row(const struct table_row *r)
{
    int digits = !strcmp(r->unit, "x") ? 3 : 1;

    (void)printf("%-64s %10.*f %-4s %-12s %10.1f  %s\n", r->what, digits, r->figure, r->unit,
                 r->target, r->floor, r->floor_is);
}

double table_cpu_ms(void)
{
    struct rusage u;

    PRE(getrusage(RUSAGE_SELF, &u) == 0);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

double table_anonymous_mib(void)
{
    AUTO_ARENA struct arena a = { 0 };
    struct err err = ERR_INIT;
    struct str text, line;
    int64_t kib = 0;

    if (sys_read_file(&a, "/proc/self/smaps_rollup", 65536, &text, &err))
        return -1;
    while (str_next(&text, '\n', &line))
        if (str_starts(line, S("Anonymous:")))
            (void)str_to_i64(str_trim(str_slice(line, 10, line.n - 13)), &kib); /* "N kB" */
    return (double)kib / 1024;
}
