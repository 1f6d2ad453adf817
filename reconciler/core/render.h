/*
 * render: plans and states as text for people. SPDX-License-Identifier: Apache-2.0
 *
 * Pure: where it goes, how wide it is and what time it is are arguments. What came from outside (specs,
 * commits, vendors, logs) passes render_foreign(), so that no byte of it can steer a terminal.
 *
 * Memory   text grows in the arena of `out`; a failure is remembered there.
 */
#pragma once

#include "base/vec.h"
#include "reconciler/core/plan.h"

/* Colour carries state only, and each state has a word as well. */
enum render_tone {
    TONE_PLAIN,
    TONE_HEAD,
    TONE_DIM,
    TONE_GOOD, /* + */
    TONE_WAIT, /* waiting for somebody */
    TONE_BUSY, /* converging */
    TONE_BAD,  /* failed, destroys */
    TONE_WARN, /* degraded, drifted, interrupts */
    TONE_HELD, /* a person holds it */
    N_RENDER_TONES
};

struct render {
    struct sb *out;
    int colour; /* SGR sequences may be written */
    int64_t now_ms;
    size_t width; /* columns of a terminal; 0: lines end where they end */
};

/* C0, C1, DEL, bidi and zero-width characters as \u{..}, bytes that are not UTF-8 as \x{..}. */
void render_foreign(struct sb *b, struct str text);
struct str render_safe(struct arena *a, struct str text);
/* The same of JSON, as its own \uXXXX: for a terminal, and equal to what it was. */
struct str render_safe_json(struct arena *a, struct str json);
/* Columns of a terminal; wide characters count two. */
size_t render_width(struct str text);

void render_text(struct render *r, enum render_tone tone, struct str safe);
void render_fmt(struct render *r, enum render_tone tone, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A row of words that goes on below its beginning where the terminal ends. */
struct render_flow {
    struct render *r;
    size_t indent, column;
};
/* Behind what stands in this line already, which is `column` wide. */
struct render_flow render_flow_start(struct render *r, size_t indent, size_t column);
void render_flow_add(struct render_flow *f, enum render_tone tone, struct str safe);
/* As a whole, behind so many blanks or in a new row. */
void render_flow_word(struct render_flow *f, size_t gap, enum render_tone tone, struct str safe);
void render_flow_end(struct render_flow *f);

/* Aligned columns; the last one is never padded. Cells are made safe when they are added. */
#define RENDER_COLUMNS_MAX 8
struct render_cell {
    enum render_tone tone;
    struct str text;
};
struct render_table {
    struct arena *a;
    const char *const *heads; /* NULL: none */
    size_t n_columns;
    VEC(struct render_cell) cells;
};
void render_table_init(struct render_table *t, struct arena *a, const char *const *heads,
                       size_t n_columns);
void render_cell(struct render_table *t, enum render_tone tone, struct str text);
void render_table_write(struct render *r, const struct render_table *t, const char *indent);

/* "8f31c2a0" of a longer id. */
struct str render_short(struct str id);
/* "12 min ago", "in 3 h"; "" for 0 and REC_NONE. */
struct str render_ago(struct arena *a, int64_t now_ms, int64_t then_ms);
/* "4.1 s", "5 min" */
struct str render_length(struct arena *a, int64_t length_ms);
/* As a spec says it, exactly: "90s", "5m", "250ms". */
struct str render_spec_length(struct arena *a, int64_t length_ms);
/* In a sentence: "10 minutes", "1 day"; exact, in the greatest unit that it is a multiple of. */
struct str render_length_words(struct arena *a, int64_t length_ms);
/* "2024-11-20T10:37:11Z" */
struct str render_time(struct arena *a, int64_t time_ms);
/* How words of sync, health, plans, sets and outcomes look. */
enum render_tone render_state_tone(struct str word);

/* `about` is the API's answer of the plan: environment, state, reason, base, target, decisions,
 * operations, expires_ms. NULL: the plan alone. */
void render_plan(struct render *r, const struct plan *p, const struct value *about);
/* The risk and the sums of it in our own words and numbers alone: "nothing is destroyed, ..; 2 to update". */
void render_risk(struct render_flow *f, const struct plan *p);
/* What happens to each resource, what is at risk first, and how many stay as they are: render_lines.c. */
void render_lines(struct render *r, const struct plan *p);
/* What plan_differ() found: what moved, and the lines. */
void render_difference(struct render *r, const struct plan *difference);
/* A path and a value of the normal form as a spec writes them: drain_ms 5000 is drain 5s. */
struct str render_path(struct arena *a, struct str path);
struct str render_path_value(struct arena *a, struct str path, struct str value);
/* 1: another change of the line says the same. */
int render_repeats(const struct plan_line *line, const struct plan_change *c);
/* The API's answers of /status and of one environment. */
void render_status(struct render *r, const struct value *status);
void render_environment(struct render *r, const struct value *environment);
