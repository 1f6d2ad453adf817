/*
 * in_work: which environments are worked on now, for who comes after a death. SPDX-License-Identifier: Apache-2.0
 *
 * A file, STATE.work, mapped: what was written into it outlives the process without a word to the disk. It tells
 * nothing after the machine died; then nobody is suspected.
 *
 * Thread   the loop's.
 * Limits   IN_WORK_SLOTS environments; others leave no mark.
 */
#pragma once

#include "specs/value.h"

#define IN_WORK_SLOTS 16384

struct in_work {
    char *slots; /* NULL: not open, marks do nothing */
};

/* Those that the life before left marked, as texts; the file is empty afterwards. */
int in_work_open(struct in_work *w, const char *path, struct arena *a, struct value **ret_left,
                 struct err *err);
void in_work_close(struct in_work *w);
void in_work_mark(struct in_work *w, size_t slot, struct str uid);
void in_work_clear(struct in_work *w, size_t slot);
