/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/drain_form.h"

#include <time.h>

#include "base/guard.h"
#include "specs/json_io.h"
#include "specs/value.h"

#define DRAIN_CUT " [cut]"
#define DRAIN_FIELD_MAX 128u /* of what we say of a line; names are shorter */
#define DRAIN_INFO 14        /* facility user, severity info */
#define DRAIN_WARNING 12

/* --- texts --------------------------------------------------------------------------------------- */

/* Not within a character. */
static struct str cut_at(struct str s, size_t max)
{
    size_t n = s.n < max ? s.n : max;

    while (n && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return str_slice(s, 0, n);
}

static struct str time_text(struct arena *a, int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    char text[32];

    if (time_ms <= 0 || !gmtime_r(&seconds, &tm) ||
        !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
        return STR_NONE;
    return str_fmt(a, "%s.%03dZ", text, (int)(time_ms % 1000));
}

/* --- syslog -------------------------------------------------------------------------------------- */

/* PRINTUSASCII of at most `max`, or the NILVALUE. */
static void add_word(struct sb *b, struct str word, size_t max)
{
    sb_add_char(b, ' ');
    if (!word.n)
        sb_add_char(b, '-');
    for (size_t i = 0; i < word.n && i < max; i++)
        sb_add_char(b, word.p[i] > ' ' && word.p[i] < 0x7f ? word.p[i] : '?');
}

static void add_control(struct sb *b, unsigned char c)
{
    sb_addf(b, "\\u{%x}", c);
}

static int is_control(unsigned char c)
{
    return (c < ' ' && c != '\t') || c == 0x7f;
}

/* PARAM-VALUE: a quote, a backslash and a bracket have a backslash before them. */
static void add_param(struct sb *b, const char *name, struct str value)
{
    value = cut_at(str_clean(b->arena, value), DRAIN_FIELD_MAX);
    if (!value.n)
        return;
    sb_addf(b, " %s=\"", name);
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];

        if (is_control(c)) {
            sb_add_char(b, '\\');
            add_control(b, c);
            continue;
        }
        if (c == '"' || c == '\\' || c == ']')
            sb_add_char(b, '\\');
        sb_add_char(b, (char)c);
    }
    sb_add_char(b, '"');
}

static void add_data(struct sb *b, const struct drain_line *line)
{
    sb_add_c(b, " [reeve@32473");
    add_param(b, "env", line->env);
    add_param(b, "service", line->service);
    add_param(b, "instance", line->instance);
    add_param(b, "set", line->set);
    add_param(b, "colour", line->colour);
    add_param(b, "revision", line->revision);
    add_param(b, "commit", line->commit);
    if (line->lost)
        sb_addf(b, " lost=\"%lld\"", (long long)line->lost);
    sb_add_char(b, ']');
}

/* As much as there is room for; a control that would not fit whole is not begun. */
static void add_text(struct sb *b, struct str text, size_t max)
{
    struct str clean = str_clean(b->arena, text);
    size_t from = b->n, room = max - sizeof(DRAIN_CUT) + 1, at = 0;

    while (at < clean.n) {
        unsigned char c = (unsigned char)clean.p[at];
        size_t n = 1;

        while (at + n < clean.n && ((unsigned char)clean.p[at + n] & 0xc0) == 0x80)
            n++;
        if (b->n - from + (is_control(c) ? sizeof("\\u{1f}") - 1 : n) > room)
            break;
        if (is_control(c))
            add_control(b, c);
        else
            sb_add(b, str_slice(clean, at, n));
        at += n;
    }
    if (at < clean.n)
        sb_add_c(b, DRAIN_CUT);
}

void drain_form_syslog(struct sb *b, const struct drain_line *line, enum drain_framing framing)
{
    struct str at = time_text(b->arena, line->time_ms);
    struct sb frame;

    sb_init(&frame, b->arena);
    sb_addf(&frame, "<%d>1 ", line->lost ? DRAIN_WARNING : DRAIN_INFO);
    sb_add(&frame, at.p ? at : S("-"));
    add_word(&frame, line->host, 255);
    add_word(&frame, line->service, 48);
    add_word(&frame, line->instance, 128);
    add_word(&frame, line->lost ? S("lost") : STR_NONE, 32);
    add_data(&frame, line);
    sb_add_char(&frame, ' ');
    add_text(&frame, line->text, DRAIN_FRAME_MAX - frame.n);
    if (framing == DRAIN_COUNTED)
        sb_addf(b, "%zu ", frame.n);
    sb_add(b, sb_str(&frame));
}

/* --- JSON ---------------------------------------------------------------------------------------- */

static void set_member(struct arena *a, struct value *map, struct str name, struct str text)
{
    if (text.n)
        value_set_text(a, map, name, cut_at(str_clean(a, text), DRAIN_FIELD_MAX));
}

void drain_form_json(struct sb *b, const struct drain_line *line)
{
    struct arena *a = b->arena;
    struct str text = str_clean(a, line->text), at = time_text(a, line->time_ms);
    struct value *map = value_map(a);

    set_member(a, map, S("time"), at);
    set_member(a, map, S("host"), line->host);
    set_member(a, map, S("environment"), line->env);
    set_member(a, map, S("service"), line->service);
    set_member(a, map, S("instance"), line->instance);
    set_member(a, map, S("set"), line->set);
    set_member(a, map, S("colour"), line->colour);
    set_member(a, map, S("revision"), line->revision);
    set_member(a, map, S("commit"), line->commit);
    set_member(a, map, S("level"), line->lost ? S("warning") : S("info"));
    if (line->lost)
        value_set_int(a, map, S("lost"), line->lost);
    if (text.n > DRAIN_TEXT_MAX) {
        text = cut_at(text, DRAIN_TEXT_MAX - (sizeof(DRAIN_CUT) - 1));
        text = str_fmt(a, "%.*s%s", STR_ARG(text), DRAIN_CUT);
    }
    value_set_text(a, map, S("message"), text);
    sb_add(b, json_format(a, map));
    sb_add_char(b, '\n');
}

struct str drain_form_lost(struct arena *a, int64_t n_lines)
{
    return str_fmt(a, "reeve: %lld lines dropped: they were gone before they could be sent",
                   (long long)n_lines);
}
