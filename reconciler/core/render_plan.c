/* A plan as people review it: risk first, then lines, then what will run. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/core/render.h"

#define TEXT_INDENT 10u /* behind " label" */
#define AUTHORS_SHOWN 4u

/* The steps of PROTOCOL 2 in one word each. */
static const char *const step_words[] = {
    "",       "build", "clear",  "release", "start", "ready",
    "switch", "bake",  "proven", "keep",    "drain", "stop",
};

/* " risk     ", and what follows it. */
static struct render_flow label(struct render *r, const char *word)
{
    struct str name = str_from_c(word);

    sb_add_char(r->out, ' ');
    render_text(r, TONE_DIM, name);
    for (size_t n = name.n + 1; n < TEXT_INDENT; n++)
        sb_add_char(r->out, ' ');
    return render_flow_start(r, TEXT_INDENT, TEXT_INDENT);
}

static void row(struct render *r, const char *word, enum render_tone tone, struct str safe)
{
    struct render_flow f = label(r, word);

    render_flow_add(&f, tone, safe);
    render_flow_end(&f);
}

/* --- what will run ------------------------------------------------------------------------------- */

struct step_sum {
    size_t n;
    int64_t length_ms;
};

/* Old generations of routes are swept behind every switch: nobody has to know. */
static int is_told(const struct plan_item *item, int group, enum plan_lane lane)
{
    return item->group == group && item->lane == lane &&
           !(lane == LANE_TAIL && str_eq_c(item->kind, "routes"));
}

static void add_steps(struct sb *b, const struct plan *p, int group, enum plan_lane lane)
{
    struct step_sum sums[N_ELEMENTS(step_words)] = { 0 };
    int n_written = 0;

    for (size_t i = 0; i < p->items.n; i++) {
        const struct plan_item *item = &p->items.p[i];
        int64_t length_ms = value_get_int(item->gate, S("length_ms"), 0);

        if (!is_told(item, group, lane) || item->step < 1 ||
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
        sb_add_c(b, n_written++ ? ", " : "");
        sb_add_c(b, step_words[i]);
        if (s->n)
            sb_addf(b, " %zu", s->n);
        if (i == 7 || i == 9)
            sb_addf(b, " %.*s", STR_ARG(render_spec_length(b->arena, s->length_ms)));
    }
}

static int has_lane(const struct plan *p, int group, enum plan_lane lane)
{
    for (size_t i = 0; i < p->items.n; i++)
        if (is_told(&p->items.p[i], group, lane))
            return 1;
    return 0;
}

static void render_group(struct render *r, const struct plan *p, size_t g)
{
    const struct plan_group *group = &p->groups.p[g];
    struct render_flow f = label(r, g ? "" : "runs");
    struct sb b;

    sb_init(&b, r->out->arena);
    for (size_t i = 0; i < group->services.n; i++) {
        sb_add_c(&b, i ? ", " : "");
        render_foreign(&b, group->services.p[i]);
    }
    sb_add_c(&b, group->services.n ? ": " : "routes: ");
    add_steps(&b, p, (int)g, LANE_MAIN);
    if (has_lane(p, (int)g, LANE_TAIL)) {
        sb_add_c(&b, "; then ");
        add_steps(&b, p, (int)g, LANE_TAIL);
    }
    render_flow_add(&f, TONE_PLAIN, sb_str(&b));
    if (!group->auto_revert)
        render_flow_add(&f, TONE_WARN, S("; is not undone by itself"));
    render_flow_end(&f);
}

static void render_runs(struct render *r, const struct plan *p)
{
    size_t n_single = 0;

    for (size_t g = 0; g < p->groups.n; g++)
        render_group(r, p, g);
    for (size_t i = 0; i < p->items.n; i++)
        n_single += p->items.p[i].group < 0;
    if (n_single)
        row(r, p->groups.n ? "" : "runs", TONE_PLAIN,
            str_fmt(r->out->arena, "%zu operation%s outside of rollouts", n_single,
                    n_single == 1 ? "" : "s"));
}

/* --- what it binds, who decided ------------------------------------------------------------------ */

static void render_title(struct render *r, const struct plan *p, const struct value *about)
{
    struct arena *a = r->out->arena;
    struct str state = value_get_text(about, S("state"), S("not stored"));
    struct str reason = value_get_text(about, S("reason"), S(""));
    struct str env = value_get_text(about, S("environment"), p->env_uid);
    struct render_flow f = render_flow_start(r, TEXT_INDENT, 0);

    render_flow_add(&f, TONE_HEAD,
                    str_fmt(a, "Plan %.*s for ", STR_ARG(render_short(digest_hex(a, &p->id)))));
    render_flow_add(&f, TONE_HEAD, render_safe(a, env));
    render_flow_word(&f, 3, render_state_tone(state), render_safe(a, state));
    if (reason.n)
        render_flow_add(&f, TONE_PLAIN, str_fmt(a, ": %.*s", STR_ARG(render_safe(a, reason))));
    render_flow_end(&f);
}

static void add_revision(struct sb *b, const struct value *revision, const struct digest *d)
{
    int64_t n = value_get_int(revision, S("revision"), 0);

    if (n)
        sb_addf(b, "%lld", (long long)n);
    else if (digest_is_none(d))
        sb_add_c(b, "nothing");
    else
        sb_add(b, render_short(digest_hex(b->arena, d)));
}

static void render_binds(struct render *r, const struct plan *p, const struct value *about)
{
    struct arena *a = r->out->arena;
    const struct value *target = value_get(about, S("target"));
    const struct value *commit = value_item(value_get(target, S("commits")), 0);
    struct str state = value_get_text(about, S("state"), S(""));
    int64_t expires_ms = str_eq_c(state, "waiting") ? value_get_int(about, S("expires_ms"), 0) : 0;
    struct sb b;

    sb_init(&b, a);
    if (commit) {
        render_foreign(&b, render_short(value_get_text(commit, S("commit"), S(""))));
        sb_add_c(&b, " \"");
        render_foreign(&b, value_get_text(commit, S("summary"), S("")));
        sb_add_c(&b, "\" / ");
    }
    sb_addf(&b, "%s / revision ", plan_cause_name(p->cause));
    add_revision(&b, value_get(about, S("base")), &p->base);
    sb_add_c(&b, " -> ");
    add_revision(&b, target, &p->target);
    sb_addf(&b, " / %zu read%s", p->reads.n, p->reads.n == 1 ? "" : "s");
    if (expires_ms)
        sb_addf(&b, " / expires %.*s", STR_ARG(render_ago(a, r->now_ms, expires_ms)));
    row(r, "binds", TONE_PLAIN, sb_str(&b));
}

/* What keeps the code that this plan starts from everything else. A plan without a rule has no providers, and does not
 * know. */
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

            if (!item->provider.n || (item->action != PLAN_CREATE && item->action != PLAN_RUN) ||
                !(str_eq_c(item->kind, "instance") || str_eq_c(item->kind, "artifact") ||
                  str_eq_c(item->kind, "release") || str_eq_c(item->kind, "verify")) ||
                !str_eq_c(value_get_text(item->desired, S("isolation"), S("none")), rows[i].class))
                continue;
            row(r, "code", TONE_PLAIN,
                str_fmt(r->out->arena, "isolation %s: %s", rows[i].class, rows[i].says));
            break;
        }
}

static void render_networks(struct render *r, const struct plan *p)
{
    for (size_t i = 0; i < p->items.n; i++) {
        if (!value_get_bool(p->items.p[i].desired, S("network"), 0))
            continue;
        row(r, "code", TONE_PLAIN,
            str_fmt(r->out->arena, "the build of %.*s reaches the network",
                    STR_ARG(render_safe(r->out->arena, p->items.p[i].service))));
    }
}

/* Who does not approve it, where somebody has to. */
static void render_authors(struct render *r, const struct value *about)
{
    const struct value *authors = value_get(about, S("authors"));
    size_t n = value_count(authors);
    struct sb b;

    if (!n || !str_eq_c(value_get_text(about, S("state"), S("")), "waiting"))
        return;
    sb_init(&b, r->out->arena);
    for (size_t i = 0; i < n && i < AUTHORS_SHOWN; i++) {
        const struct value *author = value_item(authors, i);
        int has_signed = value_get_bool(author, S("signed"), 0);

        sb_add_c(&b, i ? ", " : "");
        render_foreign(&b, value_get_text(author, has_signed ? S("name") : S("mail"), S("")));
        sb_add_c(&b, has_signed ? " (signed)" : "");
    }
    if (n > AUTHORS_SHOWN)
        sb_addf(&b, " and %zu more", n - AUTHORS_SHOWN);
    row(r, "made by", TONE_PLAIN, sb_str(&b));
}

static void render_decision(struct render *r, const struct value *d)
{
    struct sb b;

    sb_init(&b, r->out->arena);
    render_foreign(&b, value_get_text(d, S("verdict"), S("")));
    sb_add_c(&b, " by ");
    render_foreign(&b, value_get_text(d, S("actor"), S("")));
    sb_addf(&b, " %.*s: \"",
            STR_ARG(render_ago(b.arena, r->now_ms, value_get_int(d, S("at_ms"), 0))));
    render_foreign(&b, value_get_text(d, S("reason"), S("")));
    sb_add_c(&b, "\"");
    row(r, "decided", TONE_PLAIN, sb_str(&b));
}

static void render_decisions(struct render *r, const struct plan *p, const struct value *about)
{
    struct arena *a = r->out->arena;
    const struct value *decisions = value_get(about, S("decisions"));
    struct str id = render_short(digest_hex(a, &p->id));

    for (size_t i = 0; i < value_count(decisions); i++)
        render_decision(r, value_item(decisions, i));
    if (!str_eq_c(value_get_text(about, S("state"), S("")), "waiting") ||
        !value_get(about, S("needs"))) /* what it waits for is nobody's word */
        return;
    row(r, "next", TONE_PLAIN, str_fmt(a, "reeve approve %.*s --reason \"...\"", STR_ARG(id)));
    row(r, "", TONE_PLAIN, str_fmt(a, "reeve reject %.*s --reason \"...\"", STR_ARG(id)));
}

static void render_notes(struct render *r, const struct str *notes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        row(r, "note", TONE_PLAIN, render_safe(r->out->arena, notes[i]));
}

void render_plan(struct render *r, const struct plan *p, const struct value *about)
{
    struct render_flow risk;

    render_title(r, p, about);
    risk = label(r, "risk");
    render_risk(&risk, p);
    render_flow_end(&risk);
    render_binds(r, p, about);
    render_isolation(r, p);
    render_networks(r, p);
    if (p->lines.n)
        sb_add_char(r->out, '\n');
    render_lines(r, p);
    if (p->items.n || p->notes.n || p->remarks.n)
        sb_add_char(r->out, '\n');
    render_runs(r, p);
    render_notes(r, p->notes.p, p->notes.n);
    render_notes(r, p->remarks.p, p->remarks.n);
    render_authors(r, about);
    render_decisions(r, p, about);
}
