/*
 * scale_look: what live sets use of their processors, from one look to the next. SPDX-License-Identifier: Apache-2.0
 *
 * The watch brings samples of every service whose `replicas` stand between two numbers; core/scale judges them. What it
 * asks for waits here until the environment's next cycle takes it, and is forgotten then: asked for again when it is needed still.
 *
 * Owns     its arena.
 * Thread   the loop's.
 */
#pragma once

#include "base/map.h"
#include "reconciler/core/scale.h"
#include "reconciler/core/snapshot.h"

struct scale_look {
    struct arena memory;
    struct map seen; /* service -> struct scale_seen * */
};

void scale_look_init(struct scale_look *l);
void scale_look_fini(struct scale_look *l);

/* `now` by ordinal, as many as set->replicas. 1: another number is asked for. */
int scale_look_judge(struct scale_look *l, const struct rec_set *set, const struct scale_aim *aim,
                     const struct scale_sample *now, int64_t now_ms);
/* All that is asked for, into the arena; nothing is any more. */
const struct scale_wish *scale_look_take(struct scale_look *l, struct arena *a, size_t *ret_n);
