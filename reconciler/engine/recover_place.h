/*
 * recover_place: a new database in the place of the old one. SPDX-License-Identifier: Apache-2.0
 *
 *     WORK/made     the new file, complete
 *     WORK/aside    what the old one is renamed to, written before anything moves; empty: there is none
 *
 * The old file and its log move one after the other. Who dies between the first and the last leaves both files in
 * WORK: until recover_place_back() nothing may be opened at FILE.
 *
 * Thread   the holder of the lock.
 */
#pragma once

#include "base/str.h"

struct recover_place {
    const char *file, *dir; /* STATE, its directory */
    const char *work;       /* STATE.new */
    const char *made;       /* WORK/made */
};

int recover_place_of(struct arena *a, struct str file, struct recover_place *ret, struct err *err);
/* 1: a recover died half way through. */
int recover_place_is_open(struct arena *a, const struct recover_place *p);
/* What such a one had moved lies where it was. */
int recover_place_back(struct arena *a, const struct recover_place *p, struct err *err);
/* Where the new one is in its place: the seal of the old one is forgotten, and WORK is gone. */
int recover_place_finish(struct arena *a, const struct recover_place *p, const char *keys,
                         struct err *err);
/* `aside` NULL: there is no old file. recover_place_finish() comes next. */
int recover_place_swap(struct arena *a, const struct recover_place *p, const char *aside,
                       struct err *err);
