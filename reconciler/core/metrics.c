/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/metrics.h"

#include <string.h>

#include "base/guard.h"

/* clang-format off */
static const struct metrics_row rows[] = {
#define METRICS_GROUP(title, text)
#define METRIC(id, name, type, labels, help) [METRICS_##id] = { name, METRICS_##type, labels, help },
#include "reconciler/core/metrics.def"
#undef METRICS_GROUP
#undef METRIC
};

static const struct { /* their first bound in milliseconds, and how it is written in seconds */
    int64_t ms;
    const char *text;
} bounds[][METRICS_BOUNDS] = {
    [METRICS_TIMES] = { { 1, "0.001" }, { 5, "0.005" }, { 20, "0.02" }, { 50, "0.05" }, { 100, "0.1" },
                        { 500, "0.5" }, { 1000, "1" }, { 5000, "5" }, { 10000, "10" }, { 30000, "30" } },
    [METRICS_SPANS] = { { 1000, "1" }, { 5000, "5" }, { 15000, "15" }, { 30000, "30" }, { 60000, "60" },
                        { 120000, "120" }, { 300000, "300" }, { 600000, "600" }, { 1800000, "1800" }, { 3600000, "3600" } },
};

static const char *const type_words[] = { "gauge", "counter", "histogram", "histogram" };
/* clang-format on */

const struct metrics_row *metrics_row(enum metrics_id id)
{
    return &rows[id];
}

static int is_histogram(enum metrics_id id)
{
    return rows[id].type == METRICS_TIMES || rows[id].type == METRICS_SPANS;
}

/* What str_next() takes apart; of an empty text it would make one part. */
static struct str labels_of(enum metrics_id id)
{
    return *rows[id].labels ? str_from_c(rows[id].labels) : STR_NONE;
}

static size_t count_labels(enum metrics_id id)
{
    struct str rest = labels_of(id), name;
    size_t n = 0;

    while (str_next(&rest, ',', &name))
        n++;
    return n;
}

/* --- counting ------------------------------------------------------------------------------------ */

void metrics_time(struct metrics_times *times, enum metrics_id id, int64_t ms)
{
    size_t i = 0;

    PRE(is_histogram(id));
    if (ms < 0)
        ms = 0;
    while (i < METRICS_BOUNDS && ms > bounds[rows[id].type][i].ms)
        i++;
    (void)atomic_fetch_add(&times->n[i], 1);
    (void)atomic_fetch_add(&times->sum_ms, (unsigned long long)ms);
}

void metrics_times_add(struct metrics_times *to, const struct metrics_times *from)
{
    for (size_t i = 0; i <= METRICS_BOUNDS; i++)
        (void)atomic_fetch_add(&to->n[i], atomic_load(&from->n[i]));
    (void)atomic_fetch_add(&to->sum_ms, atomic_load(&from->sum_ms));
}

/* --- collecting ---------------------------------------------------------------------------------- */

void metrics_init(struct metrics *m, struct arena *a)
{
    *m = (struct metrics){ .a = a };
}

static struct metrics_sample *push(struct metrics *m, enum metrics_id id, const struct str *labels,
                                   size_t n_labels)
{
    struct metrics_sample *sample = vec_push(m->a, &m->of[id]);

    PRE(n_labels == count_labels(id) && n_labels <= METRICS_LABELS_MAX);
    for (size_t i = 0; sample && i < n_labels; i++)
        sample->labels[i] = labels[i];
    return sample;
}

void metrics_put(struct metrics *m, enum metrics_id id, double value, const struct str *labels,
                 size_t n_labels)
{
    struct metrics_sample *sample = push(m, id, labels, n_labels);

    PRE(!is_histogram(id));
    if (sample)
        sample->value = value;
}

void metrics_put_times(struct metrics *m, enum metrics_id id, const struct metrics_times *times,
                       const struct str *labels, size_t n_labels)
{
    struct metrics_sample *sample = push(m, id, labels, n_labels);
    struct metrics_times *copy = arena_new(m->a, struct metrics_times);

    PRE(is_histogram(id));
    if (!sample || !copy)
        return;
    memset(copy, 0, sizeof(*copy));
    metrics_times_add(copy, times);
    sample->times = copy;
}

/* --- the text ------------------------------------------------------------------------------------ */

/* A backslash, a line end and, in a label, a quote have a backslash before them. */
static void add_escaped(struct sb *b, struct str text, int is_label)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (c == '\\' || c == '\n' || (is_label && c == '"'))
            sb_add_char(b, '\\');
        sb_add_char(b, c == '\n' ? 'n' : c);
    }
}

/* {a="x",b="y",le="0.1"}; le NULL: none */
static void add_labels(struct sb *b, enum metrics_id id, const struct metrics_sample *sample,
                       const char *le)
{
    struct str rest = labels_of(id), name;
    size_t n = 0;

    for (; str_next(&rest, ',', &name); n++) {
        sb_addf(b, "%c%.*s=\"", n ? ',' : '{', STR_ARG(name));
        add_escaped(b, sample->labels[n], 1);
        sb_add_char(b, '"');
    }
    if (le)
        sb_addf(b, "%cle=\"%s\"", n++ ? ',' : '{', le);
    if (n)
        sb_add_char(b, '}');
}

/* Whole numbers as such: sizes have more digits than a short form keeps. */
static void add_value(struct sb *b, double value)
{
    double whole = (double)(int64_t)value;

    if (value == whole)
        sb_addf(b, " %.0f\n", value);
    else
        sb_addf(b, " %.6g\n", value);
}

static void add_seconds(struct sb *b, uint64_t ms)
{
    sb_addf(b, " %llu.%03u\n", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000));
}

static void add_histogram(struct sb *b, enum metrics_id id, const struct metrics_sample *sample)
{
    uint64_t n = 0;

    for (size_t i = 0; i <= METRICS_BOUNDS; i++) {
        n += atomic_load(&sample->times->n[i]);
        sb_addf(b, "%s_bucket", rows[id].name);
        add_labels(b, id, sample, i < METRICS_BOUNDS ? bounds[rows[id].type][i].text : "+Inf");
        sb_addf(b, " %llu\n", (unsigned long long)n);
    }
    sb_addf(b, "%s_sum", rows[id].name);
    add_labels(b, id, sample, NULL);
    add_seconds(b, atomic_load(&sample->times->sum_ms));
    sb_addf(b, "%s_count", rows[id].name);
    add_labels(b, id, sample, NULL);
    sb_addf(b, " %llu\n", (unsigned long long)n);
}

struct str metrics_text(const struct metrics *m)
{
    struct sb b;

    sb_init(&b, m->a);
    for (int id = 0; id < N_METRICS; id++) {
        const struct metrics_samples *samples = &m->of[id];

        if (samples->n) {
            sb_addf(&b, "# HELP %s ", rows[id].name);
            add_escaped(&b, str_from_c(rows[id].help), 0);
            sb_addf(&b, "\n# TYPE %s %s\n", rows[id].name, type_words[rows[id].type]);
        }
        for (size_t i = 0; i < samples->n; i++) {
            const struct metrics_sample *one = &samples->p[i];

            if (is_histogram((enum metrics_id)id)) {
                if (one->times) /* else memory ran out */
                    add_histogram(&b, (enum metrics_id)id, one);
                continue;
            }
            sb_add_c(&b, rows[id].name);
            add_labels(&b, (enum metrics_id)id, one, NULL);
            add_value(&b, one->value);
        }
    }
    return sb_str(&b);
}
