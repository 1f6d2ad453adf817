/*
 * scale: how many instances a service needs, by what they use of their processors. SPDX-License-Identifier: Apache-2.0
 *
 * More at once, fewer only when fewer were enough for `down_after_ms`: then as many as were needed at most
 * in that time. Near the aim nothing moves. An instance that was not measured uses nothing when more are
 * thought of, and is a reason for no fewer. Pure: times are arguments, memory is the caller's.
 */
#pragma once

#include <stdint.h>

#include "specs/value.h"

#define SCALE_SHARE                                                                                \
    1000 /* thousandths of a processor: of one that has neither limit nor reservation */
#define SCALE_TOLERANCE 1000     /* of 10,000 of the aim: so far beside it nothing moves */
#define SCALE_UP_TIMES 2         /* at most so many times as many at once, */
#define SCALE_UP_LEAST 4         /* or so many more */
#define SCALE_WINDOW_MS 5000     /* at least, between two measurements that are compared */
#define SCALE_STALE_MS 120000    /* and at most: else it says nothing of now */
#define SCALE_ASK_AGAIN_MS 60000 /* what was asked for and did not come */

/* What a service asks for. */
struct scale_aim {
    int64_t min, max;
    int64_t use;   /* of 10,000 of what each may use */
    int64_t share; /* what each may use: thousandths of a processor */
    int64_t down_after_ms;
};

/* Of one instance: how long it ran on processors until then. */
struct scale_sample {
    int64_t used_us; /* -1: not known */
    int64_t at_ms;
};

/* What all instances that were measured used since they were last looked at. */
struct scale_use {
    int64_t thousandths; /* of a processor */
    int64_t n_missing;   /* instances that were not measured */
};

struct scale_memory {
    int64_t current;                /* of which it speaks; 0: nothing is known */
    int64_t round_ms;               /* when `last` was taken */
    struct scale_sample *last;      /* by ordinal, room for `current` */
    int64_t few_since_ms, few_most; /* fewer are enough; -1: they are not */
    int64_t asked_ms;               /* -1: nothing was */
};

struct scale_verdict {
    int64_t wanted;   /* as many as there are: nothing is asked for */
    int64_t measured; /* of 10,000 of what all of them may use; -1: nobody knows */
};

/* 0: the service names one number. */
int scale_aim_of(const struct value *service, struct scale_aim *ret);

/* `before` and `now` by ordinal. A counter that went back began again: not measured. */
struct scale_use scale_measure(const struct scale_sample *before, const struct scale_sample *now,
                               int64_t n);
/* What would be right at this moment, within min and max. */
int64_t scale_right(const struct scale_aim *aim, int64_t current, const struct scale_use *use);
/* Nothing is known of these `current` instances yet; `last` has room for so many. */
void scale_forget(struct scale_memory *m, int64_t current, struct scale_sample *last);
/* One look at all `m->current` instances. */
struct scale_verdict scale_judge(const struct scale_aim *aim, struct scale_memory *m,
                                 const struct scale_sample *now, int64_t now_ms);
