/*
 * metrics: numbers, and how Prometheus reads them. SPDX-License-Identifier: Apache-2.0
 *
 * metrics.def is the table of what there is. Whoever knows a number adds it, in any order; metrics_text() writes the
 * exposition format (0.0.4), each family once, with its help, in the order of the table. What is counted over
 * time lies with who counts it: a number, or a struct metrics_times.
 *
 * Memory   samples, their labels and the text lie in the arena given; labels are borrowed.
 * Thread   any; a struct metrics_times may be counted by several threads and read by others.
 * Fails    ERR_NOMEM, by the arena.
 */
#pragma once

#include <stdatomic.h>

#include "base/str.h"
#include "base/vec.h"

enum metrics_id {
#define METRICS_GROUP(title, text)
#define METRIC(id, name, type, labels, help) METRICS_##id,
#include "reconciler/core/metrics.def"
#undef METRICS_GROUP
#undef METRIC
    N_METRICS
};

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_LABELS_MAX 4
#define METRICS_BOUNDS 10 /* of a histogram; +Inf comes after them */

/* How often something took how long. */
struct metrics_times {
    atomic_ullong n[METRICS_BOUNDS + 1]; /* by the first bound that is not less */
    atomic_ullong sum_ms;
};
/* `id` says which bounds. */
void metrics_time(struct metrics_times *times, enum metrics_id id, int64_t ms);

/* `from` is added to `to`. */
void metrics_times_add(struct metrics_times *to, const struct metrics_times *from);

struct metrics_sample {
    struct str labels[METRICS_LABELS_MAX];
    double value;
    const struct metrics_times *times; /* of a histogram */
};

struct metrics {
    struct arena *a;
    struct metrics_samples {
        struct metrics_sample *p;
        size_t n, cap;
    } of[N_METRICS];
};

void metrics_init(struct metrics *m, struct arena *a);
/* As many labels as the row has. */
void metrics_put(struct metrics *m, enum metrics_id id, double value, const struct str *labels,
                 size_t n_labels);
/* What it holds now is copied. */
void metrics_put_times(struct metrics *m, enum metrics_id id, const struct metrics_times *times,
                       const struct str *labels, size_t n_labels);
#define METRICS_PUT(m, id, value, ...)                                                             \
    metrics_put((m), METRICS_##id, (double)(value),                                                \
                (const struct str[]){ __VA_ARGS__ __VA_OPT__(, ) STR_NONE },                       \
                sizeof((const struct str[]){ __VA_ARGS__ __VA_OPT__(, ) STR_NONE }) /              \
                        sizeof(struct str) -                                                       \
                    1)
#define METRICS_PUT_TIMES(m, id, times, ...)                                                       \
    metrics_put_times(                                                                             \
        (m), METRICS_##id, (times), (const struct str[]){ __VA_ARGS__ __VA_OPT__(, ) STR_NONE },   \
        sizeof((const struct str[]){ __VA_ARGS__ __VA_OPT__(, ) STR_NONE }) / sizeof(struct str) - \
            1)

struct str metrics_text(const struct metrics *m);
/* docs/metrics.md */
struct str metrics_page(struct arena *a);

struct metrics_row {
    const char *name;
    enum metrics_type { METRICS_GAUGE, METRICS_COUNTER, METRICS_TIMES, METRICS_SPANS } type;
    const char *labels, *help;
};
const struct metrics_row *metrics_row(enum metrics_id id);
