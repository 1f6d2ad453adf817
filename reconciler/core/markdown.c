/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/markdown.h"

#include "reconciler/core/render.h"

#define NOTES_MAX 10u
#define RUN_MAX 16u /* backticks in a row that are shown as they are */
#define END_MAX 200 /* of the line that says what is missing */

/* --- one value ----------------------------------------------------------------------------------- */

static size_t longest_run(struct str text)
{
    size_t longest = 0, run = 0;

    for (size_t i = 0; i < text.n; i++) {
        run = text.p[i] == '`' ? run + 1 : 0;
        if (run > longest)
            longest = run;
    }
    return longest;
}

/* Forges read a fence of more than 80 as text, and what stands between as markdown. */
static struct str without_long_runs(struct arena *a, struct str text)
{
    struct sb b;

    if (longest_run(text) <= RUN_MAX)
        return text;
    sb_init(&b, a);
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '`')
            sb_add_c(&b, "\\u{60}");
        else
            sb_add_char(&b, text.p[i]);
    return sb_str(&b);
}

/* At the end of a character. */
static struct str cut(struct str text, size_t max)
{
    if (text.n <= max)
        return text;
    while (max && ((unsigned char)text.p[max] & 0xc0) == 0x80)
        max--;
    return str_slice(text, 0, max);
}

/* A span takes one blank off each end where both ends have one, and ends at the first fence: both get one. */
void markdown_foreign(struct sb *b, struct str text)
{
    struct str safe = without_long_runs(b->arena, render_safe(b->arena, text));
    struct str shown = cut(safe, MARKDOWN_VALUE_MAX);
    size_t n_fence = longest_run(shown) + 1;

    if (!safe.n) {
        sb_add_c(b, "(empty)");
        return;
    }
    for (size_t i = 0; i < n_fence; i++)
        sb_add_char(b, '`');
    sb_add_char(b, ' ');
    sb_add(b, shown);
    sb_add_char(b, ' ');
    for (size_t i = 0; i < n_fence; i++)
        sb_add_char(b, '`');
    if (shown.n < safe.n)
        sb_addf(b, " and %zu bytes more", safe.n - shown.n);
}

static void add_named(struct sb *b, const char *words, struct str text)
{
    sb_add_c(b, words);
    markdown_foreign(b, text);
}

/* --- a plan -------------------------------------------------------------------------------------- */

static void add_head(struct sb *b, const struct plan *p, const struct value *about)
{
    const struct value *commit = value_item(value_get(value_get(about, S("target")), S("commits")),
                                            0);
    struct render r = { .out = b };
    struct render_flow risk = render_flow_start(&r, 0, 0);
    struct str reason = value_get_text(about, S("reason"), S(""));

    sb_add_c(b, "**");
    render_risk(&risk, p);
    sb_add_c(b, "**\n\n");
    add_named(b, "- environment ", value_get_text(about, S("environment"), p->env_uid));
    add_named(b, ", plan ", render_short(digest_hex(b->arena, &p->id)));
    add_named(b, " is ", value_get_text(about, S("state"), S("not stored")));
    sb_add_char(b, '\n');
    if (reason.n) {
        add_named(b, "- because ", reason);
        sb_add_char(b, '\n');
    }
    if (commit) {
        add_named(b, "- commit ", render_short(value_get_text(commit, S("commit"), S(""))));
        add_named(b, ": ", value_get_text(commit, S("summary"), S("")));
        sb_add_char(b, '\n');
    }
}

static void add_change(struct sb *b, const struct plan_change *c)
{
    struct arena *a = b->arena;

    add_named(b, "  - ", render_path(a, c->path));
    if (c->before.p)
        add_named(b, ": ", render_path_value(a, c->path, c->before));
    if (c->after.p)
        add_named(b, c->before.p ? " to " : ": ", render_path_value(a, c->path, c->after));
    else
        sb_add_c(b, " is gone");
    sb_add_char(b, '\n');
}

static void add_line(struct sb *b, const struct plan_line *line)
{
    sb_addf(b, "- %s ", plan_action_name(line->action));
    markdown_foreign(b, str_fmt(b->arena, "%.*s/%.*s", STR_ARG(line->kind), STR_ARG(line->name)));
    if (line->classes)
        sb_addf(b, " [%.*s]", STR_ARG(plan_class_names(b->arena, line->classes)));
    if (line->way_back == PLAN_BACK_NONE)
        sb_add_c(b, ", cannot be taken back");
    if (line->reason.n)
        add_named(b, ": ", line->reason);
    if (line->place.n)
        add_named(b, " at ", line->place);
    sb_add_char(b, '\n');
    for (size_t i = 0; line->action != PLAN_DELETE && i < line->changes.n; i++)
        if (!render_repeats(line, &line->changes.p[i]))
            add_change(b, &line->changes.p[i]);
}

/* A line with its changes, or not at all: 1 when it fits. */
static int add_if_it_fits(struct sb *b, const struct plan_line *line)
{
    struct sb one;

    sb_init(&one, b->arena);
    add_line(&one, line);
    if (b->n + one.n + END_MAX > MARKDOWN_BYTES_MAX)
        return 0;
    sb_add(b, sb_str(&one));
    return 1;
}

static void add_notes(struct sb *b, const struct str *notes, size_t n)
{
    for (size_t i = 0; i < n && i < NOTES_MAX; i++) {
        add_named(b, "- note: ", notes[i]);
        sb_add_char(b, '\n');
    }
}

void markdown_plan(struct sb *b, const struct plan *p, const struct value *about)
{
    size_t n = 0;
    int fits = 1;

    add_head(b, p, about);
    add_notes(b, p->notes.p, p->notes.n);
    add_notes(b, p->remarks.p, p->remarks.n);
    if (p->lines.n)
        sb_add_char(b, '\n');
    for (int is_grave = 1; is_grave >= 0 && fits; is_grave--)
        for (size_t i = 0; i < p->lines.n && fits; i++)
            if ((p->lines.p[i].classes != 0) == is_grave &&
                (fits = add_if_it_fits(b, &p->lines.p[i])))
                n++;
    if (n < p->lines.n)
        sb_addf(b, "\n%zu of %zu changes are not shown: `reeve plan %.*s`\n", p->lines.n - n,
                p->lines.n, STR_ARG(render_short(digest_hex(b->arena, &p->id))));
}
