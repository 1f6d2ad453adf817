/*
 * kit_launch: what reeve-spawn is told, made in the daemon. SPDX-License-Identifier: Apache-2.0
 *
 *     struct launch plan = KIT_LAUNCH(LAUNCH_NAMESPACE);
 *     kit_launch_add(&plan, LAUNCH_WRITE, home, &err);
 *     kit_launch_write(&plan, &fd, &err);          its descriptor 4 (launch.h)
 *
 * Fails    ERR_LIMIT: too many places, or a path too long; ERR_INVALID: one that is not absolute; ERR_IO.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "providers/launch/launch.h"

/* No limits but those of a plan that a person would not notice. */
#define KIT_LAUNCH(class_)                                                                         \
    {                                                                                              \
        .magic = LAUNCH_MAGIC, .class = (class_), .max_processes = 1024, .tmp_bytes = 256 << 20    \
    }

/* LAUNCH_N_CLASSES: there is no such word. */
enum launch_class kit_launch_class(struct str word);

int kit_launch_add(struct launch *plan, enum launch_how how, struct str path, struct err *err);
/* A control group that it enters. */
int kit_launch_add_group(struct launch *plan, struct str path, struct err *err);
/* In anonymous memory, at its beginning. */
int kit_launch_write(const struct launch *plan, int *ret_fd, struct err *err);
