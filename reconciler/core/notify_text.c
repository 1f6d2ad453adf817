/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/notify_text.h"

#include "base/date.h"
#include "base/guard.h"
#include "reconciler/core/render.h"
#include "specs/notify_events.h"

struct str notify_text_get(const struct notify_message *m, const char *key)
{
    return value_get_text(m->says, str_from_c(key), S(""));
}

struct str notify_text_cut(struct str text, size_t max)
{
    if (text.n <= max)
        return text;
    while (max && ((unsigned char)text.p[max] & 0xc0) == 0x80)
        max--;
    return str_slice(text, 0, max);
}

int notify_text_is_digest(const struct notify_message *m)
{
    return str_eq_c(notify_text_get(m, "word"), "digest");
}

int notify_text_is_test(const struct notify_message *m)
{
    return str_eq_c(notify_text_get(m, "word"), "test");
}

struct str notify_text_title_of(struct str word)
{
    const struct notify_event *e = notify_events_find(word);

    return e ? str_from_c(e->title) : str_eq_c(word, "test") ? S("a test") : word;
}

/* As it is made. */
static struct str own_title(struct arena *a, const struct notify_message *m)
{
    struct str env = notify_text_get(m, "env");

    if (notify_text_is_digest(m))
        return str_fmt(a, "%.*s%s%lld messages", STR_ARG(env), env.n ? ": " : "",
                       (long long)value_get_int(m->says, S("n"), 0));
    return str_fmt(a, "%.*s%s%.*s", STR_ARG(env), env.n ? ": " : "",
                   STR_ARG(notify_text_title_of(notify_text_get(m, "word"))));
}

static void add_plain(struct sb *b, struct str text)
{
    render_foreign(b, text);
}

const struct notify_template_ways notify_text_plain = { add_plain, add_plain };

struct str notify_text_title(struct arena *a, const struct notify_message *m,
                             const struct notify_template_ways *ways)
{
    struct str title = own_title(a, m), template = value_get_text(m->template, S("title"), S(""));

    return template.n ? notify_template_fill(a, template, m, title, ways, NOTIFY_FIELD_MAX) : title;
}

/* --- lines --------------------------------------------------------------------------------------- */

/* What stands behind the title, in this order. */
static const struct {
    const char *label, *key;
    size_t max;
} facts[] = {
    { "why", "text", NOTIFY_TEXT_MAX },           { "plan", "plan", NOTIFY_FIELD_MAX },
    { "commit", "commit", NOTIFY_FIELD_MAX },     { "which says", "summary", NOTIFY_FIELD_MAX },
    { "written by", "author", NOTIFY_FIELD_MAX }, { "asked for by", "actor", NOTIFY_FIELD_MAX },
    { "about", "subject", NOTIFY_FIELD_MAX },
};

static void add_counts(struct sb *b, const struct notify_message *m)
{
    const struct value *counts = value_get(m->says, S("counts"));

    for (size_t i = 0; i < value_count(counts); i++) {
        const struct value_entry *e = &counts->u.map.entries[i];

        sb_addf(b, "%s%lld x %.*s", i ? ", " : "", (long long)e->value->u.number,
                STR_ARG(notify_text_title_of(e->key)));
    }
    sb_add_char(b, '\n');
}

static void add_lines(struct sb *b, const struct notify_message *m, notify_template_add *add)
{
    const struct value *lines = value_get(m->says, S("lines"));
    size_t n = (size_t)value_get_int(m->says, S("n"), 0);

    add_counts(b, m);
    for (size_t i = 0; i < value_count(lines); i++) {
        const struct value *line = value_item(lines, i);
        struct str env = value_get_text(line, S("env"), S(""));

        sb_addf(b, "- %.*s%s%.*s: ", STR_ARG(env), env.n ? ": " : "",
                STR_ARG(notify_text_title_of(value_get_text(line, S("word"), S("")))));
        add(b, notify_text_cut(value_get_text(line, S("text"), S("")), NOTIFY_FIELD_MAX));
        sb_add_char(b, '\n');
    }
    if (n > value_count(lines))
        sb_addf(b, "and %zu more\n", n - value_count(lines));
}

struct str notify_text_lines(struct arena *a, const struct notify_message *m,
                             const struct notify_template_ways *ways)
{
    struct str template = value_get_text(m->template, S("text"), S(""));
    notify_template_add *add = ways->value;
    struct sb b;

    if (template.n)
        return notify_template_fill(a, template, m, own_title(a, m), ways, NOTIFY_TEXT_MAX);
    sb_init(&b, a);
    if (notify_text_is_digest(m))
        add_lines(&b, m, add);
    for (size_t i = 0; !notify_text_is_digest(m) && i < N_ELEMENTS(facts); i++) {
        struct str text = notify_text_get(m, facts[i].key);

        if (!text.n)
            continue;
        sb_addf(&b, "%s: ", facts[i].label);
        add(&b, notify_text_cut(text, facts[i].max));
        sb_add_char(&b, '\n');
    }
    if (m->link.n)
        sb_addf(&b, "%.*s\n", STR_ARG(m->link));
    return sb_str(&b);
}

/* Three characters are markup to Slack, and a backtick begins or ends code. */
static void add_slack_text(struct sb *b, struct str text)
{
    struct str safe = render_safe(b->arena, text);

    for (size_t i = 0; i < safe.n; i++)
        switch (safe.p[i]) {
        case '&':
            sb_add_c(b, "&amp;");
            break;
        case '<':
            sb_add_c(b, "&lt;");
            break;
        case '>':
            sb_add_c(b, "&gt;");
            break;
        case '`':
            sb_add_char(b, '\'');
            break;
        default:
            sb_add_char(b, safe.p[i]);
        }
}

/* A code span. */
static void add_slack(struct sb *b, struct str text)
{
    sb_add_char(b, '`');
    add_slack_text(b, text);
    sb_add_char(b, '`');
}

const struct notify_template_ways notify_text_slack = { add_slack_text, add_slack };

struct str notify_text_time(struct arena *a, int64_t time_ms)
{
    struct date d = date_from_days(date_day_of(time_ms));
    int64_t s = date_time_of_day(time_ms) / 1000;

    return str_fmt(a, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)d.year, d.month, d.day,
                   (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
}
