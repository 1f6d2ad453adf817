/* Words, columns and times. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/render.h"

#include <stdio.h>
#include <time.h>

#include "base/guard.h"
#include "base/utf8.h"

static const char *const tone_codes[N_RENDER_TONES] = {
    [TONE_PLAIN] = "",  [TONE_HEAD] = "1",        [TONE_DIM] = "2",
    [TONE_GOOD] = "32", [TONE_WAIT] = "33",       [TONE_BUSY] = "34",
    [TONE_BAD] = "31",  [TONE_WARN] = "38;5;208", [TONE_HELD] = "35",
};

static const struct {
    const char *word;
    enum render_tone tone;
} state_rows[] = {
    { "waiting", TONE_WAIT },    { "open", TONE_WAIT },     { "parked", TONE_WAIT },
    { "converging", TONE_BUSY }, { "applying", TONE_BUSY }, { "making", TONE_BUSY },
    { "rolling", TONE_BUSY },    { "approved", TONE_BUSY }, { "draining", TONE_BUSY },
    { "reverting", TONE_WARN },  { "failed", TONE_BAD },    { "unhealthy", TONE_BAD },
    { "lost", TONE_BAD },        { "rejected", TONE_BAD },  { "revert_failed", TONE_BAD },
    { "reverted", TONE_BAD },    { "degraded", TONE_WARN }, { "drifted", TONE_WARN },
    { "outage", TONE_WARN },     { "unready", TONE_WARN },  { "exited", TONE_WARN },
    { "held", TONE_HELD },       { "frozen", TONE_HELD },   { "superseded", TONE_DIM },
    { "cancelled", TONE_DIM },   { "gone", TONE_DIM },      { "previous", TONE_DIM },
};

enum render_tone render_state_tone(struct str word)
{
    for (size_t i = 0; i < N_ELEMENTS(state_rows); i++)
        if (str_eq_c(word, state_rows[i].word))
            return state_rows[i].tone;
    return TONE_PLAIN;
}

/* --- characters ---------------------------------------------------------------------------------- */

struct range {
    uint32_t first, last;
};

static const struct range wide[] = {
    { 0x1100, 0x115f }, { 0x2e80, 0xa4cf },   { 0xac00, 0xd7a3 },
    { 0xf900, 0xfaff }, { 0xfe30, 0xfe4f },   { 0xff00, 0xff60 },
    { 0xffe0, 0xffe6 }, { 0x1f300, 0x1faff }, { 0x20000, 0x3fffd },
};
static const struct range joined[] = { { 0x300, 0x36f }, { 0xfe00, 0xfe0f }, { 0x20d0, 0x20f0 } };

static int is_in(const struct range *ranges, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return 1;
    return 0;
}

void render_foreign(struct sb *b, struct str text)
{
    for (size_t i = 0; i < text.n;) {
        uint32_t c;
        size_t n = utf8_decode(str_slice(text, i, text.n), &c);

        if (!n)
            sb_addf(b, "\\x{%02x}", (unsigned char)text.p[i]);
        else if (utf8_is_unseen(c))
            sb_addf(b, "\\u{%x}", c);
        else
            sb_add(b, (struct str){ text.p + i, n });
        i += n ? n : 1;
    }
}

struct str render_safe(struct arena *a, struct str text)
{
    struct sb b;

    sb_init(&b, a);
    render_foreign(&b, text);
    return sb_str(&b);
}

struct str render_safe_json(struct arena *a, struct str json)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < json.n;) {
        uint32_t c = 0;
        size_t n = utf8_decode(str_slice(json, i, json.n), &c);

        if (c < 0x7f || !utf8_is_unseen(c)) {
            n = n ? n : 1;
            sb_add(&b, (struct str){ json.p + i, n });
        } else if (c < 0x10000) {
            sb_addf(&b, "\\u%04x", c);
        } else {
            sb_addf(&b, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
        }
        i += n;
    }
    return sb_str(&b);
}

size_t render_width(struct str text)
{
    size_t width = 0;

    for (size_t i = 0; i < text.n;) {
        uint32_t c = 0;
        size_t n = utf8_decode(str_slice(text, i, text.n), &c);

        if (!n || !is_in(joined, N_ELEMENTS(joined), c))
            width += is_in(wide, N_ELEMENTS(wide), c) ? 2 : 1;
        i += n ? n : 1;
    }
    return width;
}

void render_text(struct render *r, enum render_tone tone, struct str safe)
{
    int coloured = r->colour && tone != TONE_PLAIN && safe.n;

    if (coloured)
        sb_addf(r->out, "\033[%sm", tone_codes[tone]);
    sb_add(r->out, safe);
    if (coloured)
        sb_add(r->out, S("\033[0m"));
}

void render_fmt(struct render *r, enum render_tone tone, const char *fmt, ...)
{
    char text[512]; /* our own words and numbers: longer ones are cut */
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    utf8_trim(text);
    render_text(r, tone, str_from_c(text));
}

static void pad(struct sb *b, size_t n)
{
    while (n--)
        sb_add_char(b, ' ');
}

/* --- rows that go on below ------------------------------------------------------------------------ */

struct render_flow render_flow_start(struct render *r, size_t indent, size_t column)
{
    return (struct render_flow){ r, indent, column };
}

static void break_row(struct render_flow *f)
{
    sb_add_char(f->r->out, '\n');
    pad(f->r->out, f->indent);
    f->column = f->indent;
}

/* How much of it fits: up to the last blank, or as many characters as there is room for. */
static size_t fitting(struct str text, size_t columns, int is_fresh)
{
    size_t width = 0, blank = STR_NPOS;

    for (size_t i = 0; i < text.n;) {
        uint32_t c;
        size_t n = utf8_decode(str_slice(text, i, text.n), &c);

        n = n ? n : 1;
        width += render_width((struct str){ text.p + i, n });
        if (width > columns)
            return blank != STR_NPOS ? blank : is_fresh && i ? i : is_fresh ? n : 0;
        if (text.p[i] == ' ' && i)
            blank = i;
        i += n;
    }
    return text.n;
}

void render_flow_add(struct render_flow *f, enum render_tone tone, struct str safe)
{
    while (safe.n) {
        size_t left = f->r->width > f->column ? f->r->width - f->column : 0;
        size_t n = f->r->width ? fitting(safe, left, f->column == f->indent) : safe.n;
        struct str part = str_slice(safe, 0, n);

        render_text(f->r, tone, part);
        f->column += render_width(part);
        safe = str_slice(safe, n, safe.n);
        if (!safe.n)
            return;
        break_row(f);
        if (safe.p[0] == ' ')
            safe = str_slice(safe, 1, safe.n);
    }
}

void render_flow_word(struct render_flow *f, size_t gap, enum render_tone tone, struct str safe)
{
    if (f->r->width && f->column > f->indent &&
        f->column + gap + render_width(safe) > f->r->width) {
        break_row(f);
    } else {
        pad(f->r->out, gap);
        f->column += gap;
    }
    render_flow_add(f, tone, safe);
}

void render_flow_end(struct render_flow *f)
{
    sb_add_char(f->r->out, '\n');
}

/* --- tables -------------------------------------------------------------------------------------- */

void render_table_init(struct render_table *t, struct arena *a, const char *const *heads,
                       size_t n_columns)
{
    PRE(n_columns && n_columns <= RENDER_COLUMNS_MAX);
    *t = (struct render_table){ .a = a, .heads = heads, .n_columns = n_columns };
}

void render_cell(struct render_table *t, enum render_tone tone, struct str text)
{
    struct render_cell *cell = vec_push(t->a, &t->cells);

    if (cell)
        *cell = (struct render_cell){ tone, render_safe(t->a, text) };
}

/* Nothing but blanks follows in this row. */
static int is_row_end(const struct render_table *t, size_t i)
{
    for (size_t j = i + 1; j % t->n_columns && j < t->cells.n; j++)
        if (t->cells.p[j].text.n)
            return 0;
    return 1;
}

void render_table_write(struct render *r, const struct render_table *t, const char *indent)
{
    size_t widths[RENDER_COLUMNS_MAX] = { 0 }, n_heads = t->heads ? t->n_columns : 0;

    for (size_t i = 0; i < n_heads; i++)
        widths[i] = render_width(str_from_c(t->heads[i]));
    for (size_t i = 0; i < t->cells.n; i++) {
        size_t w = render_width(t->cells.p[i].text);

        if (w > widths[i % t->n_columns])
            widths[i % t->n_columns] = w;
    }
    while (n_heads && !*t->heads[n_heads - 1])
        n_heads--;
    for (size_t i = 0; i < n_heads; i++) {
        struct str head = str_from_c(t->heads[i]);

        sb_add_c(r->out, i ? "" : indent);
        render_text(r, TONE_DIM, head);
        if (i + 1 < n_heads)
            pad(r->out, widths[i] - render_width(head) + 2);
        else
            sb_add_char(r->out, '\n');
    }
    for (size_t i = 0; i < t->cells.n; i++) {
        const struct render_cell *cell = &t->cells.p[i];
        size_t column = i % t->n_columns;

        sb_add_c(r->out, column ? "" : indent);
        render_text(r, cell->tone, cell->text);
        if (is_row_end(t, i)) {
            sb_add_char(r->out, '\n');
            i += t->n_columns - 1 - column;
        } else {
            pad(r->out, widths[column] - render_width(cell->text) + 2);
        }
    }
}

/* --- ids and times ------------------------------------------------------------------------------- */

struct str render_short(struct str id)
{
    return str_slice(id, 0, 8);
}

struct str render_length(struct arena *a, int64_t length_ms)
{
    static const struct {
        int64_t below_ms, unit_ms;
        const char *unit;
    } rows[] = {
        { 120000, 1000, "s" },
        { 7200000, 60000, "min" },
        { 172800000, 3600000, "h" },
        { INT64_MAX, 86400000, "d" },
    };

    if (length_ms < 1000)
        return str_fmt(a, "%lld ms", (long long)length_ms);
    if (length_ms < 10000)
        return str_fmt(a, "%lld.%lld s", (long long)(length_ms / 1000),
                       (long long)(length_ms % 1000 / 100));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (length_ms < rows[i].below_ms)
            return str_fmt(a, "%lld %s", (long long)(length_ms / rows[i].unit_ms), rows[i].unit);
    return S("ever");
}

struct str render_spec_length(struct arena *a, int64_t length_ms)
{
    static const struct {
        int64_t unit_ms;
        const char *unit;
    } rows[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" } };

    for (size_t i = 0; length_ms && i < N_ELEMENTS(rows); i++)
        if (length_ms % rows[i].unit_ms == 0)
            return str_fmt(a, "%lld%s", (long long)(length_ms / rows[i].unit_ms), rows[i].unit);
    return str_fmt(a, "%lld%s", (long long)length_ms, length_ms ? "ms" : "s");
}

struct str render_length_words(struct arena *a, int64_t length_ms)
{
    static const struct {
        int64_t unit_ms;
        const char *unit;
    } rows[] = { { 86400000, "day" },
                 { 3600000, "hour" },
                 { 60000, "minute" },
                 { 1000, "second" },
                 { 1, "millisecond" } };
    size_t i = 0;

    if (!length_ms)
        return S("no time");
    while (length_ms % rows[i].unit_ms)
        i++;
    return str_fmt(a, "%lld %s%s", (long long)(length_ms / rows[i].unit_ms), rows[i].unit,
                   length_ms == rows[i].unit_ms ? "" : "s");
}

struct str render_ago(struct arena *a, int64_t now_ms, int64_t then_ms)
{
    struct str length;

    if (then_ms == 0 || then_ms == REC_NONE)
        return S("");
    length = render_length(a, then_ms > now_ms ? then_ms - now_ms : now_ms - then_ms);
    if (then_ms > now_ms)
        return str_fmt(a, "in %.*s", STR_ARG(length));
    if (now_ms - then_ms < 1000)
        return S("now");
    return str_fmt(a, "%.*s ago", STR_ARG(length));
}

struct str render_time(struct arena *a, int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    char text[32];

    if (time_ms <= 0 || !gmtime_r(&seconds, &tm))
        return S("");
    return str_copy(a,
                    (struct str){ text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) });
}
