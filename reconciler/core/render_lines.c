/* What a plan does to each resource. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/core/render.h"

#define CHANGE_INDENT 7u
#define VALUE_INDENT 11u /* of a value that has rows of its own */
#define LINE_INDENT 12u
#define NAME_WIDTH_MAX 40u
#define PATH_WIDTH_MAX 48u
#define SAME_SHOWN 8u

/* In our words, the gravest first. */
static const struct {
    int class;
    const char *one, *many;
} risk_rows[] = {
    { PLAN_CLASS_DATA, "can lose data", "can lose data" },
    { PLAN_CLASS_DESTROY, "is destroyed", "are destroyed" },
    { PLAN_CLASS_REPLACE, "is replaced", "are replaced" },
    { PLAN_CLASS_DOWNTIME, "has downtime", "have downtime" },
    { PLAN_CLASS_DOWNGRADE, "goes to an older version", "go to older versions" },
    { PLAN_CLASS_WEAKEN, "weakens a protection", "weaken protections" },
    { PLAN_CLASS_BUDGET, "is over the budget", "are over the budget" },
};

static const struct {
    char mark;
    enum render_tone tone;
    const char *to; /* "2 to update" */
} action_rows[N_PLAN_ACTIONS] = {
    [PLAN_NONE] = { ' ', TONE_DIM, NULL },
    [PLAN_CREATE] = { '+', TONE_GOOD, "to create" },
    [PLAN_UPDATE] = { '~', TONE_WAIT, "to update" },
    [PLAN_DELETE] = { '-', TONE_BAD, "to delete" },
    [PLAN_RUN] = { '>', TONE_BUSY, "to run" },
    [PLAN_SWITCH] = { '>', TONE_BUSY, "to switch" },
    [PLAN_GATE] = { '?', TONE_DIM, NULL },
    [PLAN_MARK] = { ' ', TONE_DIM, NULL },
    [PLAN_ADOPT] = { '=', TONE_GOOD, "to adopt" },
    [PLAN_REPLACE] = { '*', TONE_BAD, "to replace" },
    [PLAN_FORGET] = { '/', TONE_WARN, "to forget" },
};

/* --- what stays as it is ------------------------------------------------------------------------- */

static struct str line_name(struct arena *a, struct str kind, struct str name)
{
    return render_safe(a, str_fmt(a, "%.*s/%.*s", STR_ARG(kind), STR_ARG(name)));
}

struct same {
    VEC(struct str) names;
};

static void find_same(struct arena *a, const struct plan *p, struct same *ret)
{
    struct map moved;

    map_init(&moved, a);
    for (size_t i = 0; i < p->lines.n; i++)
        map_put(&moved, line_name(a, p->lines.p[i].kind, p->lines.p[i].name), NULL);
    for (size_t i = 0; i < p->records.n; i++) {
        struct str name = line_name(a, p->records.p[i].kind, p->records.p[i].name), *slot;

        if (!map_has(&moved, name) && (slot = vec_push(a, &ret->names)))
            *slot = name;
    }
}

static void render_same(struct render *r, const struct plan *p)
{
    struct render_flow f = render_flow_start(r, LINE_INDENT, LINE_INDENT);
    struct same same = { 0 };
    struct arena *a = r->out->arena;

    find_same(a, p, &same);
    if (!same.names.n || plan_cause_is_of_instances(p->cause))
        return;
    sb_add_c(r->out, "            ");
    render_flow_add(&f, TONE_DIM, str_fmt(a, "%zu unchanged: ", same.names.n));
    for (size_t i = 0; i < same.names.n && i < SAME_SHOWN; i++) {
        render_flow_add(&f, TONE_DIM, i ? S(",") : S(""));
        render_flow_word(&f, i != 0, TONE_DIM, same.names.p[i]);
    }
    if (same.names.n > SAME_SHOWN)
        render_flow_add(&f, TONE_DIM, str_fmt(a, " and %zu more", same.names.n - SAME_SHOWN));
    render_flow_end(&f);
}

/* --- risk ---------------------------------------------------------------------------------------- */

static void add_count(struct render_flow *f, enum render_tone tone, size_t n, const char *text,
                      int *n_written)
{
    if (!n)
        return;
    render_flow_add(f, TONE_PLAIN, *n_written ? S(",") : S(""));
    render_flow_word(f, (*n_written)++ != 0, tone, str_fmt(f->r->out->arena, "%zu %s", n, text));
}

void render_risk(struct render_flow *f, const struct plan *p)
{
    static const enum plan_action sums[] = { PLAN_CREATE, PLAN_UPDATE, PLAN_ADOPT, PLAN_REPLACE,
                                             PLAN_FORGET, PLAN_DELETE, PLAN_RUN,   PLAN_SWITCH };
    size_t n_restarts = 0, n_for_good = 0, by_action[N_PLAN_ACTIONS] = { 0 };
    int n_written = 0;

    for (size_t i = 0; i < N_ELEMENTS(risk_rows); i++) {
        size_t n = 0;

        for (size_t j = 0; j < p->lines.n; j++)
            n += (p->lines.p[j].classes & risk_rows[i].class) != 0;
        if (!n && p->classes & risk_rows[i].class)
            n = 1; /* of the plan as a whole */
        add_count(f, TONE_BAD, n, n == 1 ? risk_rows[i].one : risk_rows[i].many, &n_written);
    }
    for (size_t j = 0; j < p->lines.n; j++) {
        n_restarts += (size_t)str_eq_c(p->lines.p[j].disruption, "restart");
        n_for_good += p->lines.p[j].way_back == PLAN_BACK_NONE;
        by_action[p->lines.p[j].action]++;
    }
    add_count(f, TONE_BAD, n_for_good, "cannot be taken back", &n_written);
    add_count(f, TONE_WARN, n_restarts, "restarted in place", &n_written);
    if (!n_written)
        render_flow_add(f, TONE_PLAIN, S("nothing is destroyed, nothing is interrupted"));
    render_flow_add(f, TONE_PLAIN, S("; "));
    n_written = 0;
    for (size_t i = 0; i < N_ELEMENTS(sums); i++)
        add_count(f, TONE_PLAIN, by_action[sums[i]], action_rows[sums[i]].to, &n_written);
    if (!n_written)
        render_flow_add(f, TONE_PLAIN, S("no change"));
}

/* --- what changes -------------------------------------------------------------------------------- */

struct str render_path(struct arena *a, struct str path)
{
    int is_ours = str_find(path, S("environment.")) == STR_NPOS;

    return render_safe(a,
                       is_ours && str_ends(path, S("_ms")) ? str_slice(path, 0, path.n - 3) : path);
}

static struct str text_of_share(struct arena *a, int64_t n)
{
    return str_fmt(a, n % 100 ? "%lld.%02lld%%" : "%lld%%", (long long)(n / 100),
                   (long long)(n % 100));
}

static struct str text_of_processors(struct arena *a, int64_t n)
{
    struct str text = str_fmt(a, "%lld.%03lld", (long long)(n / 1000), (long long)(n % 1000));

    while (text.n > 2 && text.p[text.n - 1] == '0' && text.p[text.n - 2] != '.')
        text.n--;
    return text;
}

/* Numbers that specs write in another way than they are kept, by how their path ends. What people name themselves
 * stands below `environment`. */
static const struct {
    struct str end;
    struct str (*text)(struct arena *a, int64_t n);
} path_units[] = {
    { S_INIT("_ms"), render_spec_length },     { S_INIT("abort_if.error_rate"), text_of_share },
    { S_INIT("replicas.cpu"), text_of_share }, { S_INIT(".cpus"), text_of_processors },
    { S_INIT(".memory"), str_size },           { S_INIT("storage"), str_size },
    { S_INIT("maxmemory"), str_size },         { S_INIT("logs.max"), str_size },
};

struct str render_path_value(struct arena *a, struct str path, struct str value)
{
    int is_ours = str_find(path, S("environment.")) == STR_NPOS;
    int64_t n;

    for (size_t i = 0; is_ours && i < N_ELEMENTS(path_units); i++)
        if (str_ends(path, path_units[i].end) && !str_to_i64(value, &n) && n >= 0)
            return path_units[i].text(a, n);
    return render_safe(a, value);
}

/* What the spec asked for and what then holds are mostly the same: it is said once. What says nothing is not said. */
int render_repeats(const struct plan_line *line, const struct plan_change *c)
{
    struct str rest = str_slice(c->path, 6, SIZE_MAX);

    if (str_eq_c(c->path, "provider") && !c->before.n && !c->after.n)
        return 1; /* nobody said who: there is no rule */
    if (!str_starts(c->path, S("asked.")))
        return 0;
    for (size_t i = 0; i < line->changes.n; i++) {
        const struct plan_change *other = &line->changes.p[i];

        if (str_starts(other->path, S("approval.")) &&
            str_eq(str_slice(other->path, 9, SIZE_MAX), rest) && str_eq(other->before, c->before) &&
            str_eq(other->after, c->after))
            return 1;
    }
    return 0;
}

static struct str shown_value(struct arena *a, const struct plan_change *c, struct str value)
{
    if (value.p && !value.n)
        return S("(empty)");
    return value.p ? render_path_value(a, c->path, value) : S("(none)");
}

static void pad_to(struct render *r, size_t column, size_t to)
{
    for (; column < to; column++)
        sb_add_char(r->out, ' ');
}

/* "- before" and "+ after" below the path, each as long as it is. */
static void render_tall(struct render *r, const char *mark, enum render_tone tone, struct str value)
{
    struct render_flow f = render_flow_start(r, VALUE_INDENT, VALUE_INDENT);

    pad_to(r, 0, VALUE_INDENT - 2);
    sb_add_c(r->out, mark);
    render_flow_add(&f, tone, value);
    render_flow_end(&f);
}

static void render_change(struct render *r, const struct plan_line *line,
                          const struct plan_change *c, size_t width)
{
    struct arena *a = r->out->arena;
    struct str path = render_path(a, c->path), before = shown_value(a, c, c->before),
               after = shown_value(a, c, c->after);
    int has_before = line->action != PLAN_CREATE || c->before.p;
    size_t n_path = render_width(path), column = CHANGE_INDENT + (n_path < width ? width : n_path);
    size_t n_values = render_width(after) + (has_before ? render_width(before) + 4 : 0);

    pad_to(r, 0, CHANGE_INDENT);
    sb_add(r->out, path);
    if (r->width && column + 2 + n_values > r->width) {
        sb_add_char(r->out, '\n');
        if (has_before)
            render_tall(r, "- ", c->before.p ? TONE_BAD : TONE_DIM, before);
        render_tall(r, "+ ", c->after.p ? TONE_GOOD : TONE_DIM, after);
        return;
    }
    pad_to(r, CHANGE_INDENT + n_path, column + 2);
    if (has_before) {
        render_text(r, c->before.p ? TONE_BAD : TONE_DIM, before);
        sb_add_c(r->out, " -> ");
    }
    render_text(r, c->after.p ? TONE_GOOD : TONE_DIM, after);
    sb_add_char(r->out, '\n');
}

/* What is made had nothing before, and of what goes there is nothing after: the line says enough. */
static void render_changes(struct render *r, const struct plan_line *line)
{
    size_t width = 0;

    if (line->action == PLAN_DELETE)
        return;
    for (size_t i = 0; i < line->changes.n; i++) {
        size_t w = render_width(render_path(r->out->arena, line->changes.p[i].path));

        if (w > width && w <= PATH_WIDTH_MAX && !render_repeats(line, &line->changes.p[i]))
            width = w;
    }
    for (size_t i = 0; i < line->changes.n; i++)
        if (!render_repeats(line, &line->changes.p[i]))
            render_change(r, line, &line->changes.p[i], width);
}

/* --- lines --------------------------------------------------------------------------------------- */

static void add_word(struct render_flow *f, enum render_tone tone, struct str safe)
{
    if (safe.n)
        render_flow_word(f, 2, tone, safe);
}

static void render_line(struct render *r, const struct plan_line *line, size_t width)
{
    struct arena *a = r->out->arena;
    struct str name = line_name(a, line->kind, line->name);
    struct render_flow f = render_flow_start(r, LINE_INDENT, LINE_INDENT);
    enum render_tone tone = line->classes ? TONE_BAD : action_rows[line->action].tone;
    int is_quiet = !line->disruption.n || str_eq_c(line->disruption, "none");
    size_t n = render_width(name);

    sb_add_char(r->out, ' ');
    render_text(r, line->classes ? TONE_BAD : TONE_PLAIN, line->classes ? S("!") : S(" "));
    render_fmt(r, tone, "%c %-7s ", action_rows[line->action].mark, plan_action_name(line->action));
    render_flow_add(&f, TONE_PLAIN, name);
    if (line->classes || line->reason.n || line->place.n || !is_quiet)
        for (; n < width; n++, f.column++)
            sb_add_char(r->out, ' ');
    if (!is_quiet)
        add_word(&f, TONE_WARN, render_safe(a, line->disruption));
    if (line->classes)
        add_word(&f, TONE_BAD, str_fmt(a, "[%.*s]", STR_ARG(plan_class_names(a, line->classes))));
    if (line->way_back == PLAN_BACK_NONE)
        add_word(&f, TONE_BAD, S("cannot be taken back"));
    add_word(&f, TONE_PLAIN, render_safe(a, line->reason));
    add_word(&f, TONE_DIM, render_safe(a, line->place));
    render_flow_end(&f);
    render_changes(r, line);
}

void render_lines(struct render *r, const struct plan *p)
{
    size_t width = 0;

    for (size_t i = 0; i < p->lines.n; i++) {
        size_t w = render_width(line_name(r->out->arena, p->lines.p[i].kind, p->lines.p[i].name));

        width = w > width && w <= NAME_WIDTH_MAX ? w : width;
    }
    for (int is_grave = 1; is_grave >= 0; is_grave--)
        for (size_t i = 0; i < p->lines.n; i++)
            if ((p->lines.p[i].classes != 0) == is_grave)
                render_line(r, &p->lines.p[i], width);
    if (p->lines.n)
        render_same(r, p);
}

void render_difference(struct render *r, const struct plan *difference)
{
    for (size_t i = 0; i < difference->notes.n; i++) {
        struct render_flow f = render_flow_start(r, 4, 2);

        sb_add_c(r->out, "  ");
        render_flow_add(&f, TONE_PLAIN, render_safe(r->out->arena, difference->notes.p[i]));
        render_flow_end(&f);
    }
    render_lines(r, difference);
    if (!difference->lines.n)
        sb_add_c(r->out, "  nothing that it would change differs\n");
}
