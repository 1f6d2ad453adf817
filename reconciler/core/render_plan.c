/* A plan as people review it: risk first, then lines, then what will run. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/core/render.h"

#define INDENT " "
#define LABEL_WIDTH 9
#define AUTHORS_SHOWN 4u

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
} action_marks[N_PLAN_ACTIONS] = {
    [PLAN_NONE] = { ' ', TONE_DIM },    [PLAN_CREATE] = { '+', TONE_GOOD },
    [PLAN_UPDATE] = { '~', TONE_WAIT }, [PLAN_DELETE] = { '-', TONE_BAD },
    [PLAN_RUN] = { '>', TONE_BUSY },    [PLAN_SWITCH] = { '>', TONE_BUSY },
    [PLAN_GATE] = { '?', TONE_DIM },    [PLAN_MARK] = { ' ', TONE_DIM },
    [PLAN_ADOPT] = { '=', TONE_GOOD },
};

/* The steps of PROTOCOL 2 in one word each. */
static const char *const step_words[] = {
    "",       "build", "clear",  "release", "start", "ready",
    "switch", "bake",  "proven", "keep",    "drain", "stop",
};

static void label(struct render *r, const char *word)
{
    size_t n = str_from_c(word).n;

    sb_add_c(r->out, INDENT);
    render_text(r, TONE_DIM, str_from_c(word));
    while (n++ < LABEL_WIDTH)
        sb_add_char(r->out, ' ');
}

/* --- risk ---------------------------------------------------------------------------------------- */

static void add_count(struct render *r, enum render_tone tone, size_t n, const char *text,
                      int *n_written)
{
    if (!n)
        return;
    sb_add_c(r->out, (*n_written)++ ? ", " : "");
    render_fmt(r, tone, "%zu %s", n, text);
}

void render_risk(struct render *r, const struct plan *p)
{
    size_t n_restarts = 0, by_action[N_PLAN_ACTIONS] = { 0 };
    int n_written = 0;

    for (size_t i = 0; i < N_ELEMENTS(risk_rows); i++) {
        size_t n = 0;

        for (size_t j = 0; j < p->lines.n; j++)
            n += (p->lines.p[j].classes & risk_rows[i].class) != 0;
        if (!n && p->classes & risk_rows[i].class)
            n = 1; /* of the plan as a whole */
        add_count(r, TONE_BAD, n, n == 1 ? risk_rows[i].one : risk_rows[i].many, &n_written);
    }
    for (size_t j = 0; j < p->lines.n; j++) {
        n_restarts += (size_t)str_eq_c(p->lines.p[j].disruption, "restart");
        by_action[p->lines.p[j].action]++;
    }
    add_count(r, TONE_WARN, n_restarts, "restarted in place", &n_written);
    if (!n_written)
        sb_add_c(r->out, "nothing is destroyed, nothing is interrupted");
    sb_add_c(r->out, "; ");
    n_written = 0;
    add_count(r, TONE_PLAIN, by_action[PLAN_CREATE], "to create", &n_written);
    add_count(r, TONE_PLAIN, by_action[PLAN_UPDATE], "to update", &n_written);
    add_count(r, TONE_PLAIN, by_action[PLAN_ADOPT], "to adopt", &n_written);
    add_count(r, TONE_PLAIN, by_action[PLAN_DELETE], "to delete", &n_written);
    add_count(r, TONE_PLAIN, by_action[PLAN_RUN], "to run", &n_written);
    add_count(r, TONE_PLAIN, by_action[PLAN_SWITCH], "to switch", &n_written);
    if (!n_written)
        sb_add_c(r->out, "no change");
}

/* --- lines --------------------------------------------------------------------------------------- */

static struct str line_name(struct arena *a, const struct plan_line *line)
{
    return render_safe(a, str_fmt(a, "%.*s/%.*s", STR_ARG(line->kind), STR_ARG(line->name)));
}

static void add_padded(struct render *r, struct str safe, size_t width)
{
    sb_add(r->out, safe);
    for (size_t w = render_width(safe); w < width; w++)
        sb_add_char(r->out, ' ');
}

static void render_value(struct render *r, enum render_tone tone, struct str text)
{
    if (text.p)
        render_text(r, tone, render_safe(r->out->arena, text));
    else
        render_text(r, TONE_DIM, S("(none)"));
}

/* What is made had nothing before, and of what goes there is nothing after: the line says enough. */
static void render_changes(struct render *r, const struct plan_line *line)
{
    size_t width = 0;

    if (line->action == PLAN_DELETE)
        return;
    for (size_t i = 0; i < line->changes.n; i++) {
        size_t w = render_width(render_safe(r->out->arena, line->changes.p[i].path));

        if (w > width && w <= 48)
            width = w;
    }
    for (size_t i = 0; i < line->changes.n; i++) {
        const struct plan_change *c = &line->changes.p[i];

        sb_add_c(r->out, "       ");
        add_padded(r, render_safe(r->out->arena, c->path), width + 2);
        if (line->action != PLAN_CREATE || c->before.p) {
            render_value(r, TONE_BAD, c->before);
            sb_add_c(r->out, " -> ");
        }
        render_value(r, TONE_GOOD, c->after);
        sb_add_char(r->out, '\n');
    }
}

static int line_says_more(const struct plan_line *line)
{
    return line->classes || line->reason.n || line->place.n ||
           !(str_eq_c(line->disruption, "none") || !line->disruption.n);
}

static void render_lines(struct render *r, const struct plan *p)
{
    struct arena *a = r->out->arena;
    size_t width = 0;

    for (size_t i = 0; i < p->lines.n; i++) {
        size_t w = render_width(line_name(a, &p->lines.p[i]));

        width = w > width ? w : width;
    }
    for (size_t i = 0; i < p->lines.n; i++) {
        const struct plan_line *line = &p->lines.p[i];
        enum render_tone tone = line->classes ? TONE_BAD : action_marks[line->action].tone;

        sb_add_char(r->out, ' ');
        render_fmt(r, TONE_BAD, "%c", line->classes ? '!' : ' ');
        render_fmt(r, tone, "%c %-7s ", action_marks[line->action].mark,
                   plan_action_name(line->action));
        add_padded(r, line_name(a, line), line_says_more(line) ? width + 2 : 0);
        if (line->disruption.n && !str_eq_c(line->disruption, "none")) {
            render_text(r, TONE_WARN, render_safe(a, line->disruption));
            sb_add_c(r->out, "  ");
        }
        if (line->classes)
            render_fmt(r, TONE_BAD, "[%.*s]  ", STR_ARG(plan_class_names(a, line->classes)));
        sb_add(r->out, render_safe(a, line->reason));
        if (line->place.n) {
            sb_add_c(r->out, line->reason.n ? "  " : "");
            render_text(r, TONE_DIM, render_safe(a, line->place));
        }
        sb_add_char(r->out, '\n');
        render_changes(r, line);
    }
}

/* --- what will run ------------------------------------------------------------------------------- */

struct step_sum {
    size_t n;
    int64_t length_ms;
};

static void render_steps(struct render *r, const struct plan *p, int group, enum plan_lane lane)
{
    struct step_sum sums[N_ELEMENTS(step_words)] = { 0 };
    int n_written = 0;

    for (size_t i = 0; i < p->items.n; i++) {
        const struct plan_item *item = &p->items.p[i];
        int64_t length_ms = value_get_int(item->gate, S("length_ms"), 0);

        if (item->group != group || item->lane != lane || item->step < 1 ||
            (size_t)item->step >= N_ELEMENTS(step_words))
            continue;
        sums[item->step].n += str_eq_c(item->kind, "artifact") || str_eq_c(item->kind, "release") ||
                              str_eq_c(item->kind, "instance");
        sums[item->step].length_ms = length_ms > 0 ? length_ms : 1;
    }
    for (size_t i = 1; i < N_ELEMENTS(step_words); i++) {
        const struct step_sum *s = &sums[i];

        if (!s->length_ms)
            continue;
        sb_add_c(r->out, n_written++ ? ", " : "");
        sb_add_c(r->out, step_words[i]);
        if (s->n)
            sb_addf(r->out, " %zu", s->n);
        if (i == 7 || i == 9)
            sb_addf(r->out, " %.*s", STR_ARG(render_length(r->out->arena, s->length_ms)));
    }
}

static int has_lane(const struct plan *p, int group, enum plan_lane lane)
{
    for (size_t i = 0; i < p->items.n; i++)
        if (p->items.p[i].group == group && p->items.p[i].lane == lane)
            return 1;
    return 0;
}

static void render_runs(struct render *r, const struct plan *p)
{
    size_t n_single = 0;

    for (size_t g = 0; g < p->groups.n; g++) {
        const struct plan_group *group = &p->groups.p[g];

        label(r, g ? "" : "runs");
        for (size_t i = 0; i < group->services.n; i++) {
            sb_add_c(r->out, i ? ", " : "");
            render_foreign(r->out, group->services.p[i]);
        }
        sb_add_c(r->out, group->services.n ? ": " : "routes: ");
        render_steps(r, p, (int)g, LANE_MAIN);
        if (has_lane(p, (int)g, LANE_TAIL)) {
            sb_add_c(r->out, "; then ");
            render_steps(r, p, (int)g, LANE_TAIL);
        }
        if (!group->auto_revert)
            render_text(r, TONE_WARN, S("; is not undone by itself"));
        sb_add_char(r->out, '\n');
    }
    for (size_t i = 0; i < p->items.n; i++)
        n_single += p->items.p[i].group < 0;
    if (n_single) {
        label(r, p->groups.n ? "" : "runs");
        sb_addf(r->out, "%zu operation%s outside of rollouts\n", n_single,
                n_single == 1 ? "" : "s");
    }
}

/* --- what it binds, who decided ------------------------------------------------------------------ */

static void render_title(struct render *r, const struct plan *p, const struct value *about)
{
    struct arena *a = r->out->arena;
    struct str state = value_get_text(about, S("state"), S("not stored"));
    struct str reason = value_get_text(about, S("reason"), S(""));
    struct str env = value_get_text(about, S("environment"), p->env_uid);

    render_fmt(r, TONE_HEAD, "Plan %.*s for ", STR_ARG(render_short(digest_hex(a, &p->id))));
    render_text(r, TONE_HEAD, render_safe(a, env));
    sb_add_c(r->out, "   ");
    render_text(r, render_state_tone(state), render_safe(a, state));
    if (reason.n) {
        sb_add_c(r->out, ": ");
        render_foreign(r->out, reason);
    }
    sb_add_char(r->out, '\n');
}

static void add_revision(struct render *r, const struct value *revision, const struct digest *d)
{
    int64_t n = value_get_int(revision, S("revision"), 0);

    if (n)
        sb_addf(r->out, "%lld", (long long)n);
    else if (digest_is_none(d))
        sb_add_c(r->out, "nothing");
    else
        sb_add(r->out, render_short(digest_hex(r->out->arena, d)));
}

static void render_binds(struct render *r, const struct plan *p, const struct value *about)
{
    struct arena *a = r->out->arena;
    const struct value *target = value_get(about, S("target"));
    const struct value *commit = value_item(value_get(target, S("commits")), 0);
    struct str state = value_get_text(about, S("state"), S(""));
    int64_t expires_ms = str_eq_c(state, "waiting") ? value_get_int(about, S("expires_ms"), 0) : 0;

    label(r, "binds");
    if (commit) {
        sb_add(r->out, render_safe(a, render_short(value_get_text(commit, S("commit"), S("")))));
        sb_addf(r->out, " \"");
        render_foreign(r->out, value_get_text(commit, S("summary"), S("")));
        sb_addf(r->out, "\" / ");
    }
    sb_addf(r->out, "%s / revision ", plan_cause_name(p->cause));
    add_revision(r, value_get(about, S("base")), &p->base);
    sb_add_c(r->out, " -> ");
    add_revision(r, target, &p->target);
    sb_addf(r->out, " / %zu read%s", p->reads.n, p->reads.n == 1 ? "" : "s");
    if (expires_ms)
        sb_addf(r->out, " / expires %.*s", STR_ARG(render_ago(a, r->now_ms, expires_ms)));
    sb_add_char(r->out, '\n');
}

/* What keeps the code that this plan starts from everything else. */
static void render_isolation(struct render *r, const struct plan *p)
{
    static const struct {
        const char *class, *says;
    } rows[] = {
        { "none", "runs as the daemon's user, and sees what it sees" },
        { "namespace", "files and processes of its own; shares the network and its ports" },
        { "uid", "a user, files and processes of its own; shares the network, no port in use" },
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        for (size_t j = 0; j < p->items.n; j++) {
            const struct plan_item *item = &p->items.p[j];

            if ((item->action != PLAN_CREATE && item->action != PLAN_RUN) ||
                !(str_eq_c(item->kind, "instance") || str_eq_c(item->kind, "artifact") ||
                  str_eq_c(item->kind, "release")) ||
                !str_eq_c(value_get_text(item->desired, S("isolation"), S("none")), rows[i].class))
                continue;
            label(r, "code");
            sb_addf(r->out, "isolation %s: %s\n", rows[i].class, rows[i].says);
            break;
        }
}

static void render_networks(struct render *r, const struct plan *p)
{
    for (size_t i = 0; i < p->items.n; i++) {
        if (!value_get_bool(p->items.p[i].desired, S("network"), 0))
            continue;
        label(r, "code");
        sb_addf(r->out, "the build of %.*s reaches the network\n", STR_ARG(p->items.p[i].service));
    }
}

/* Who does not approve it, where somebody has to. */
static void render_authors(struct render *r, const struct value *about)
{
    const struct value *authors = value_get(about, S("authors"));
    size_t n = value_count(authors);

    if (!n || !str_eq_c(value_get_text(about, S("state"), S("")), "waiting"))
        return;
    label(r, "made by");
    for (size_t i = 0; i < n && i < AUTHORS_SHOWN; i++) {
        const struct value *author = value_item(authors, i);
        int has_signed = value_get_bool(author, S("signed"), 0);

        sb_add_c(r->out, i ? ", " : "");
        render_foreign(r->out, value_get_text(author, has_signed ? S("name") : S("mail"), S("")));
        sb_add_c(r->out, has_signed ? " (signed)" : "");
    }
    if (n > AUTHORS_SHOWN)
        sb_addf(r->out, " and %zu more", n - AUTHORS_SHOWN);
    sb_add_char(r->out, '\n');
}

static void render_decisions(struct render *r, const struct plan *p, const struct value *about)
{
    struct arena *a = r->out->arena;
    const struct value *decisions = value_get(about, S("decisions"));
    struct str state = value_get_text(about, S("state"), S(""));

    for (size_t i = 0; i < value_count(decisions); i++) {
        const struct value *d = value_item(decisions, i);

        label(r, "decided");
        sb_add(r->out, render_safe(a, value_get_text(d, S("verdict"), S(""))));
        sb_add_c(r->out, " by ");
        sb_add(r->out, render_safe(a, value_get_text(d, S("actor"), S(""))));
        sb_addf(r->out, " %.*s: \"",
                STR_ARG(render_ago(a, r->now_ms, value_get_int(d, S("at_ms"), 0))));
        sb_add(r->out, render_safe(a, value_get_text(d, S("reason"), S(""))));
        sb_add_c(r->out, "\"\n");
    }
    if (!str_eq_c(state, "waiting"))
        return;
    label(r, "next");
    sb_addf(
        r->out, "reeve approve %.*s --reason \"...\"   or   reeve reject %.*s --reason \"...\"\n",
        STR_ARG(render_short(digest_hex(a, &p->id))), STR_ARG(render_short(digest_hex(a, &p->id))));
}

void render_plan(struct render *r, const struct plan *p, const struct value *about)
{
    render_title(r, p, about);
    label(r, "risk");
    render_risk(r, p);
    sb_add_char(r->out, '\n');
    render_binds(r, p, about);
    render_isolation(r, p);
    render_networks(r, p);
    if (p->lines.n)
        sb_add_char(r->out, '\n');
    render_lines(r, p);
    if (p->items.n || p->notes.n || p->remarks.n)
        sb_add_char(r->out, '\n');
    render_runs(r, p);
    for (size_t i = 0; i < p->notes.n; i++) {
        label(r, "note");
        render_foreign(r->out, p->notes.p[i]);
        sb_add_char(r->out, '\n');
    }
    for (size_t i = 0; i < p->remarks.n; i++) {
        label(r, "note");
        render_foreign(r->out, p->remarks.p[i]);
        sb_add_char(r->out, '\n');
    }
    render_authors(r, about);
    render_decisions(r, p, about);
}
