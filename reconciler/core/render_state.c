/* Environments as people look at them. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/core/render.h"

static struct str text_of(const struct value *map, const char *key)
{
    return value_get_text(map, str_from_c(key), S(""));
}

/* "!" waits for a person, "x" failed. */
static struct str state_mark(struct str sync)
{
    switch (render_state_tone(sync)) {
    case TONE_WAIT:
        return S("!");
    case TONE_BAD:
        return S("x");
    case TONE_BUSY:
    case TONE_WARN:
        return S("~");
    case TONE_HELD:
        return S("=");
    default:
        return S(" ");
    }
}

static struct str join_texts(struct arena *a, const struct value *list)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *item = value_item(list, i);

        sb_add_c(&b, i ? " " : "");
        sb_add(&b, item->kind == VALUE_TEXT ? item->u.text : text_of(item, "name"));
    }
    return sb_str(&b);
}

/* What to say of it in one line: the reason, else the plan, else what runs. */
static struct str environment_line(struct arena *a, const struct value *env)
{
    struct str reason = text_of(env, "reason"), id = text_of(value_get(env, S("plan")), "id");

    if (id.n)
        return str_fmt(a, "plan %.*s%s%.*s", STR_ARG(render_short(id)), reason.n ? ": " : "",
                       STR_ARG(reason));
    return reason.n ? reason : join_texts(a, value_get(env, S("services")));
}

/* One row: of a branch, or of a source that has none. */
static void add_source(struct render *r, struct render_table *t, const struct value *source,
                       const struct value *head, const struct value *live)
{
    int64_t ago_ms = value_get_int(live, S("fetched_ms_ago"), -1);
    struct str error = text_of(head ? head : source, "error");
    struct arena *a = r->out->arena;

    render_cell(t, TONE_PLAIN, text_of(source, "name"));
    render_cell(t, TONE_PLAIN, text_of(head, "branch"));
    render_cell(t, TONE_DIM, render_short(text_of(head, "commit")));
    render_cell(t, TONE_DIM, render_ago(a, r->now_ms, value_get_int(head, S("seen_ms"), 0)));
    render_cell(t, TONE_DIM, ago_ms < 0 ? S("") : render_ago(a, r->now_ms, r->now_ms - ago_ms));
    render_cell(t, TONE_BAD, error);
}

static void render_sources(struct render *r, const struct value *status)
{
    static const char *const heads[] = { "source", "branch", "commit", "moved", "fetched", "" };
    const struct value *sources = value_get(status, S("sources"));
    struct render_table t;

    render_table_init(&t, r->out->arena, heads, N_ELEMENTS(heads));
    for (size_t i = 0; i < value_count(sources); i++) {
        const struct value *source = value_item(sources, i), *all = value_get(source, S("heads"));
        const struct value *live = value_get(value_get(value_get(status, S("live")), S("sources")),
                                             text_of(source, "name"));

        for (size_t j = 0; j < value_count(all); j++)
            add_source(r, &t, source, value_item(all, j), live);
        if (text_of(source, "error").n || !value_count(all))
            add_source(r, &t, source, NULL, live);
    }
    if (!t.cells.n)
        return;
    sb_add_char(r->out, '\n');
    render_table_write(r, &t, "");
}

static void render_stale(struct render *r, struct str why)
{
    if (!why.p)
        return;
    render_fmt(r, TONE_BAD, "the database is older than the world, so nothing is changed: %.*s",
               STR_ARG(render_safe(r->out->arena, why)));
    sb_add_char(r->out, '\n');
}

static void render_heartbeat(struct render *r, const struct value *heartbeat)
{
    if (!value_get(heartbeat, S("error")))
        return;
    render_text(r, TONE_BAD, S("nobody hears the heartbeat: "));
    render_text(r, TONE_BAD, render_safe(r->out->arena, text_of(heartbeat, "error")));
    sb_add_c(r->out, "\n\n");
}

static void render_copies(struct render *r, const struct value *copies)
{
    if (!value_get(copies, S("error")))
        return;
    render_text(r, TONE_BAD, S("no copy of the database can be made: "));
    render_text(r, TONE_BAD, render_safe(r->out->arena, text_of(copies, "error")));
    sb_add_c(r->out, "\n\n");
}

static void render_anchors(struct render *r, const struct value *anchors)
{
    for (size_t i = 0; i < value_count(anchors); i++) {
        const struct value *one = value_item(anchors, i);

        if (!value_get(one, S("error")))
            continue;
        render_text(r, TONE_BAD, S("the head of the history is not anchored at "));
        render_text(r, TONE_BAD, render_safe(r->out->arena, text_of(one, "place")));
        render_text(r, TONE_BAD, S(": "));
        render_text(r, TONE_BAD, render_safe(r->out->arena, text_of(one, "error")));
        sb_add_c(r->out, "\n\n");
    }
}

static void render_drains(struct render *r, const struct value *drains)
{
    for (size_t i = 0; i < value_count(drains); i++) {
        const struct value *one = value_item(drains, i);

        if (!value_get(one, S("error")))
            continue;
        render_fmt(r, TONE_BAD,
                   "logs are not taken by %.*s, %lld lines wait: ", STR_ARG(text_of(one, "name")),
                   (long long)value_get_int(one, S("waiting"), 0));
        render_text(r, TONE_BAD, render_safe(r->out->arena, text_of(one, "error")));
        sb_add_c(r->out, "\n\n");
    }
}

static void render_clock(struct render *r, const struct value *clock)
{
    if (!clock)
        return;
    render_text(r, TONE_BAD,
                str_fmt(r->out->arena,
                        "the clock stepped by %lld s and is not believed: nothing expires (reeve "
                        "doctor)\n\n",
                        (long long)value_get_int(clock, S("stepped_ms"), 0) / 1000));
}

/* Those that do not answer; foreign text is in what they said last. */
static void render_providers(struct render *r, const struct value *providers)
{
    int n = 0;

    for (size_t i = 0; i < value_count(providers); i++) {
        const struct value *one = providers->u.map.entries[i].value;

        if (!value_get_bool(one, S("open"), 0))
            continue;
        render_text(r, TONE_BAD, render_safe(r->out->arena, text_of(one, "error")));
        sb_add_char(r->out, '\n');
        n++;
    }
    if (n)
        sb_add_char(r->out, '\n');
}

void render_status(struct render *r, const struct value *status)
{
    static const char *const heads[] = { " ",    "environment", "branch", "commit",
                                         "sync", "health",      "" };
    const struct value *envs = value_get(status, S("environments"));
    struct arena *a = r->out->arena;
    struct render_table t;

    render_stale(r, value_get_text(value_get(status, S("live")), S("stale"), STR_NONE));
    render_heartbeat(r, value_get(value_get(status, S("live")), S("heartbeat")));
    render_copies(r, value_get(value_get(status, S("live")), S("copies")));
    render_anchors(r, value_get(value_get(status, S("live")), S("anchors")));
    render_drains(r, value_get(value_get(status, S("live")), S("log_drains")));
    render_clock(r, value_get(status, S("suspect_clock")));
    render_providers(r, value_get(value_get(status, S("live")), S("providers")));
    render_table_init(&t, a, heads, N_ELEMENTS(heads));
    for (size_t i = 0; i < value_count(envs); i++) {
        const struct value *env = value_item(envs, i);
        struct str sync = text_of(env, "sync"), health = text_of(env, "health");

        render_cell(&t, render_state_tone(sync), state_mark(sync));
        render_cell(&t, TONE_PLAIN, text_of(env, "name"));
        render_cell(&t, TONE_PLAIN, text_of(env, "branch"));
        render_cell(&t, TONE_DIM, render_short(text_of(env, "commit")));
        render_cell(&t, render_state_tone(sync), sync);
        render_cell(&t, render_state_tone(health), health);
        render_cell(&t, TONE_PLAIN, environment_line(a, env));
    }
    if (value_count(envs))
        render_table_write(r, &t, "");
    else
        sb_add_c(r->out, "no environment yet: a source's branch must hold an Environment document, "
                         "and a rule of the daemon's configuration must bind its name\n");
    render_sources(r, status);
}

/* --- one environment ----------------------------------------------------------------------------- */

static struct str restarts_text(struct arena *a, const struct value *instance)
{
    int64_t n = value_get_int(instance, S("restarts"), 0);
    struct str why = text_of(instance, "exit");

    if (!n && !why.n)
        return S("");
    return str_fmt(a, " (%lld restart%s%s%.*s)", (long long)n, n == 1 ? "" : "s", why.n ? "; " : "",
                   STR_ARG(render_safe(a, why)));
}

static void render_instances(struct render *r, const struct value *service)
{
    static const char *const heads[] = { "service",  "set",     "",     "state",
                                         "instance", "address", "since" };
    const struct value *sets = value_get(service, S("sets"));
    struct arena *a = r->out->arena;
    struct render_table t;

    render_table_init(&t, a, heads, N_ELEMENTS(heads));
    for (size_t i = 0; i < value_count(sets); i++) {
        const struct value *set = value_item(sets, i), *all = value_get(set, S("instances"));
        struct str state = text_of(set, "state");
        size_t n = value_count(all);

        for (size_t j = 0; j < (n ? n : 1); j++) {
            const struct value *one = value_item(all, j);
            struct str how = text_of(one, "state");

            render_cell(&t, TONE_PLAIN, j || i ? S("") : text_of(service, "name"));
            render_cell(&t, TONE_DIM, j ? S("") : render_short(text_of(set, "set")));
            render_cell(&t, TONE_PLAIN, j ? S("") : text_of(set, "colour"));
            render_cell(&t, render_state_tone(state), j ? S("") : state);
            render_cell(&t, render_state_tone(how),
                        one ? str_fmt(a, "%lld %.*s%.*s",
                                      (long long)value_get_int(one, S("ordinal"), 0), STR_ARG(how),
                                      STR_ARG(restarts_text(a, one)))
                            : S("-"));
            render_cell(&t, TONE_DIM, text_of(one, "address"));
            render_cell(&t, TONE_DIM,
                        j ? S("") : render_ago(a, r->now_ms, value_get_int(set, S("since_ms"), 0)));
        }
    }
    if (value_count(sets))
        render_table_write(r, &t, "  ");
}

static void render_resources(struct render *r, const struct value *list)
{
    static const char *const members[] = { "name", "status", "provider", "reason", "drift" };
    struct render_table t;

    if (!value_count(list))
        return;
    render_text(r, TONE_DIM, S("\nresources\n"));
    render_table_init(&t, r->out->arena, NULL, N_ELEMENTS(members));
    for (size_t i = 0; i < value_count(list); i++)
        for (size_t m = 0; m < N_ELEMENTS(members); m++)
            render_cell(&t, TONE_PLAIN, text_of(value_item(list, i), members[m]));
    render_table_write(r, &t, "  ");
}

/* The last run of each, and when the next one is. */
static void render_jobs(struct render *r, const struct value *list)
{
    struct arena *a = r->out->arena;
    struct render_table t;

    if (!value_count(list))
        return;
    render_text(r, TONE_DIM, S("\njobs\n"));
    render_table_init(&t, a, NULL, 4);
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *one = value_item(list, i),
                           *run = value_item(value_get(one, S("runs")), 0);
        int64_t next_ms = value_get_int(one, S("next_ms"), 0);

        render_cell(&t, TONE_PLAIN, text_of(one, "name"));
        render_cell(&t, TONE_PLAIN,
                    run ? str_fmt(a, "%.*s %.*s", STR_ARG(text_of(run, "state")),
                                  STR_ARG(render_time(a, value_get_int(run, S("at_ms"), 0))))
                        : S("never ran"));
        render_cell(&t, TONE_PLAIN,
                    next_ms ? str_fmt(a, "next %.*s", STR_ARG(render_time(a, next_ms))) : S(""));
        render_cell(&t, TONE_DIM,
                    next_ms ? str_fmt(a, "%.*s %.*s", STR_ARG(text_of(one, "schedule")),
                                      STR_ARG(text_of(one, "tz")))
                            : S("when a person asks: reeve run"));
    }
    render_table_write(r, &t, "  ");
}

static void render_revisions(struct render *r, const struct value *env)
{
    const struct value *revisions = value_get(env, S("revisions"));
    struct arena *a = r->out->arena;
    struct render_table t;

    if (!value_count(revisions))
        return;
    render_table_init(&t, a, NULL, 4);
    for (size_t i = 0; i < value_count(revisions); i++) {
        const struct value *one = value_item(revisions, i);
        const struct value *commit = value_item(value_get(one, S("commits")), 0);
        int64_t n = value_get_int(one, S("revision"), 0);

        render_cell(&t, TONE_PLAIN, str_fmt(a, "%lld", (long long)n));
        render_cell(&t, TONE_DIM, render_short(text_of(commit, "commit")));
        render_cell(&t, TONE_PLAIN,
                    n == value_get_int(env, S("revision"), 0) ? S("live")
                    : value_get_bool(one, S("proven"), 0)     ? S("proven")
                                                              : S(""));
        render_cell(&t, TONE_PLAIN, text_of(commit, "summary"));
    }
    render_text(r, TONE_DIM, S("\nrevisions\n"));
    render_table_write(r, &t, "  ");
}

void render_environment(struct render *r, const struct value *env)
{
    const struct value *services = value_get(env, S("services"));
    const struct value *because = value_get(env, S("because"));
    struct arena *a = r->out->arena;
    struct str sync = text_of(env, "sync"), health = text_of(env, "health");

    render_stale(r, value_get_text(value_get(env, S("live")), S("stale"), STR_NONE));
    render_text(r, TONE_HEAD, render_safe(a, text_of(env, "name")));
    sb_addf(r->out, "   %.*s %.*s   ", STR_ARG(render_safe(a, text_of(env, "branch"))),
            STR_ARG(render_safe(a, render_short(text_of(env, "commit")))));
    if (value_get_int(env, S("revision"), 0))
        sb_addf(r->out, "revision %lld   ", (long long)value_get_int(env, S("revision"), 0));
    render_text(r, render_state_tone(sync), render_safe(a, sync));
    sb_add_c(r->out, "   ");
    render_text(r, render_state_tone(health), render_safe(a, health));
    sb_add_c(r->out, "\n");
    if (value_get(env, S("plan")))
        sb_addf(r->out, "  plan %.*s %.*s: reeve plan %.*s\n",
                STR_ARG(render_safe(a, render_short(text_of(value_get(env, S("plan")), "id")))),
                STR_ARG(render_safe(a, text_of(value_get(env, S("plan")), "state"))),
                STR_ARG(render_safe(a, text_of(env, "name"))));
    for (size_t i = 0; i < value_count(because); i++)
        sb_addf(r->out, "  %.*s\n", STR_ARG(render_safe(a, value_item(because, i)->u.text)));
    sb_add_char(r->out, '\n');
    for (size_t i = 0; i < value_count(services); i++)
        render_instances(r, value_item(services, i));
    render_resources(r, value_get(env, S("resources")));
    render_jobs(r, value_get(env, S("jobs")));
    render_revisions(r, env);
}
