/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crash.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const crash_names[N_CRASH_POINTS] = {
#define CRASH(name, text) #name,
#include "base/crash_points.def"
#undef CRASH
};

static crash_hook *crash_hook_now;
static void *crash_hook_ctx;
static atomic_int crash_passages[N_CRASH_POINTS];

const char *crash_point_name(enum crash_point point)
{
    return crash_names[point];
}

void crash_set_hook(crash_hook *hook, void *ctx)
{
    crash_hook_now = hook;
    crash_hook_ctx = ctx;
}

/* "NAME" or "NAME:passage" */
static int crash_is_asked(const char *asked, enum crash_point point)
{
    size_t n = strlen(crash_names[point]);
    int passage = 1;

    if (strncmp(asked, crash_names[point], n) || (asked[n] && asked[n] != ':'))
        return 0;
    if (asked[n] == ':')
        passage = atoi(asked + n + 1);
    return atomic_fetch_add(&crash_passages[point], 1) + 1 == passage;
}

void crash_reached(enum crash_point point)
{
    const char *asked;

    if (crash_hook_now) {
        crash_hook_now(crash_hook_ctx, point);
        return;
    }
    asked = getenv("REEVE_CRASH");
    if (asked && crash_is_asked(asked, point))
        (void)kill(getpid(), SIGKILL); /* cannot fail for ourselves */
}
