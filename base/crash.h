/*
 * crash: die here, if a test asked for it. SPDX-License-Identifier: Apache-2.0
 *
 * A test names one point in REEVE_CRASH ("OP_AFTER_INTENT" or "OP_AFTER_INTENT:3" for its third
 * passage); the process then ends by SIGKILL. On the simulated loop a hook takes the place of the
 * signal. Release builds compile the points away.
 *
 * Thread   any.
 */
#pragma once

#include <stddef.h>

enum crash_point {
#define CRASH(name, text) CRASH_##name,
#include "base/crash_points.def"
#undef CRASH
    N_CRASH_POINTS
};

const char *crash_point_name(enum crash_point point);

/* Called instead of dying; set once before threads start. The hook may longjmp or note the point. */
typedef void crash_hook(void *ctx, enum crash_point point);
void crash_set_hook(crash_hook *hook, void *ctx);

void crash_reached(enum crash_point point);

#ifdef REEVE_CRASH_POINTS
#define CRASH_POINT(name) crash_reached(CRASH_##name)
#else
#define CRASH_POINT(name) ((void)0)
#endif
