/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/gate.h"

#include "base/guard.h"
#include "reconciler/core/latency.h"

#define GATE_EXITS_MAX 3 /* starts again this often before ready: it will not become ready */
#define GATE_CALM_SAMPLES 2

static struct gate_opinion say(enum gate_opinion_verdict verdict, struct str reason)
{
    return (struct gate_opinion){ verdict, reason, 0 };
}

#define GATE_THRESHOLD 3 /* of a service without a probe: rounds in which it ran */

static int64_t threshold(const struct value *probe, struct str which)
{
    return value_get_int(probe, which, GATE_THRESHOLD);
}

/* Ready: enough passes in a row, and for long enough. */
static int is_ready(const struct gate_sample *s, const struct value *need, int64_t now_ms)
{
    return s->ok_in_row >= threshold(value_get(need, S("probe")), S("success_threshold")) &&
           s->ready_since_ms >= 0 &&
           now_ms - s->ready_since_ms >= value_get_int(need, S("min_healthy_ms"), 0);
}

static struct gate_opinion wait_or_outage(const struct gate_facts *f, struct str reason)
{
    return f->is_progress_over ? say(OPINION_OUTAGE, reason) : say(OPINION_WAIT, S(""));
}

/* Whether what serves now fails the same probe: then it is not the new set's fault. It is only asked when
 * the new set has failed: production is not probed twice without need. What is gone fails nothing: only when the
 * new set is at fault does the planner come back to the proven one, and makes it whole. Where both are gone,
 * nobody is. */
enum live { LIVE_NONE, LIVE_NOT_ASKED, LIVE_GONE, LIVE_SERVES, LIVE_FAILS };

static enum live live_state(const struct gate_facts *f)
{
    enum live state = LIVE_NONE;

    for (size_t i = 0; i < f->n_samples; i++) {
        const struct gate_sample *s = &f->samples[i];

        if (!s->is_live)
            continue;
        if (!s->ok_in_row && !s->failed_in_row)
            return LIVE_NOT_ASKED;
        if (s->is_gone) {
            state = state == LIVE_NONE ? LIVE_GONE : state;
            continue;
        }
        if (s->ok_in_row)
            return LIVE_SERVES;
        state = LIVE_FAILS;
    }
    return state;
}

static struct gate_opinion fail_or_outage(struct arena *a, const struct gate_facts *f,
                                          const struct gate_sample *s, const char *what)
{
    struct str reason = str_fmt(a, "%.*s %s: %.*s", STR_ARG(s->subject), what, STR_ARG(s->message));

    if (s->is_unknown)
        return wait_or_outage(
            f, str_fmt(a, "outage, the provider does not answer: %.*s", STR_ARG(reason)));
    switch (live_state(f)) {
    case LIVE_NOT_ASKED:
        return (struct gate_opinion){ OPINION_WAIT, S(""), 1 };
    case LIVE_GONE:
        if (s->is_gone)
            return say(OPINION_OUTAGE,
                       str_fmt(a, "outage, everything is gone: %.*s", STR_ARG(reason)));
        return say(OPINION_FAIL, reason);
    case LIVE_NONE:
    case LIVE_SERVES:
        return say(OPINION_FAIL, reason);
    case LIVE_FAILS:
        break;
    }
    return wait_or_outage(f, str_fmt(a, "outage, the live set fails too: %.*s", STR_ARG(reason)));
}

static struct gate_opinion judge_ready(struct arena *a, const struct value *need,
                                       const struct gate_facts *f)
{
    const struct gate_sample *worst = NULL;
    int64_t n = 0, wanted = value_get_int(need, S("replicas"), 1);

    for (size_t i = 0; i < f->n_samples; i++) {
        const struct gate_sample *s = &f->samples[i];

        if (s->is_live)
            continue;
        n++;
        if (s->has_exited || s->restarts >= GATE_EXITS_MAX)
            return fail_or_outage(a, f, s, "exits before it is ready");
        if (!is_ready(s, need, f->now_ms) && !worst)
            worst = s;
    }
    if (!worst && n && n >= wanted)
        return say(OPINION_PASS, S(""));
    if (!f->is_over)
        return say(OPINION_WAIT, S(""));
    if (!worst)
        return say(OPINION_FAIL,
                   str_fmt(a, "%lld of %lld instances are there", (long long)n, (long long)wanted));
    return fail_or_outage(a, f, worst, "not ready in time");
}

static const struct value *member_of(const struct value *need, struct str service)
{
    const struct value *members = value_get(need, S("members"));

    for (size_t i = 0; i < value_count(members); i++)
        if (str_eq(value_get_text(value_item(members, i), S("service"), S("")), service))
            return value_item(members, i);
    return NULL;
}

static int64_t rate(int64_t errors, int64_t requests)
{
    return requests > 0 ? errors * 10000 / requests : 0;
}

/* The error rate of the new set against abort_if, above what the old one had. */
static struct gate_opinion judge_errors(struct arena *a, const struct value *abort_if,
                                        const struct gate_counts *c)
{
    int64_t limit = value_get_int(abort_if, S("error_rate"), -1);
    int64_t seen = rate(c->errors, c->requests);
    int64_t before = rate(c->baseline_errors, c->baseline_requests);

    if (limit < 0 || c->requests < value_get_int(abort_if, S("min_requests"), 1) ||
        seen <= limit + before)
        return say(OPINION_WAIT, S(""));
    return say(OPINION_FAIL,
               str_fmt(a, "%.*s: %lld.%02lld %% of %lld requests failed, %lld.%02lld %% before",
                       STR_ARG(c->service), (long long)seen / 100, (long long)seen % 100,
                       (long long)c->requests, (long long)before / 100, (long long)before % 100));
}

#define GATE_P95 9500

static struct str step_text(struct arena *a, struct latency_step step)
{
    if (step.over_ms < 0)
        return S("unknown");
    if (!step.up_to_ms)
        return str_fmt(a, "over %lld ms", (long long)step.over_ms);
    return str_fmt(a, "%lld to %lld ms", (long long)step.over_ms, (long long)step.up_to_ms);
}

/* Too slow where that is certain: the whole step lies above the limit, and above where the old set was. */
static struct gate_opinion judge_latency(struct arena *a, const struct value *abort_if,
                                         const struct gate_counts *c)
{
    int64_t limit = value_get_int(abort_if, S("p95_ms"), -1), n = latency_count(c->latency);
    int64_t least = value_get_int(abort_if, S("min_requests"), 1);
    struct latency_step seen = latency_share(c->latency, GATE_P95), before = { -1, -1 };

    if (latency_count(c->baseline_latency) >= least)
        before = latency_share(c->baseline_latency, GATE_P95);
    if (limit < 0 || !n || n < least || seen.over_ms < limit || seen.over_ms <= before.over_ms)
        return say(OPINION_WAIT, S(""));
    return say(OPINION_FAIL,
               str_fmt(a,
                       "%.*s: p95 of %lld answers is %.*s, allowed are %lld ms, before it was %.*s",
                       STR_ARG(c->service), (long long)n, STR_ARG(step_text(a, seen)),
                       (long long)limit, STR_ARG(step_text(a, before))));
}

static struct gate_opinion judge_counts(struct arena *a, const struct value *need,
                                        const struct gate_counts *c)
{
    const struct value *abort_if = value_get(member_of(need, c->service), S("abort_if"));
    struct gate_opinion o = judge_errors(a, abort_if, c);

    return o.verdict == OPINION_WAIT ? judge_latency(a, abort_if, c) : o;
}

static struct gate_opinion judge_bake(struct arena *a, const struct value *need,
                                      const struct gate_facts *f)
{
    for (size_t i = 0; i < f->n_counts; i++) {
        struct gate_opinion o = judge_counts(a, need, &f->counts[i]);

        if (o.verdict != OPINION_WAIT)
            return o;
    }
    for (size_t i = 0; i < f->n_samples; i++) {
        const struct gate_sample *s = &f->samples[i];
        struct str service = str_slice(s->subject, 0, str_find_char(s->subject, '@'));
        const struct value *member = member_of(need, service);
        int64_t restarts = value_get_int(value_get(member, S("abort_if")), S("restarts"), -1);

        if (s->is_live && s->is_gone && s->failed_in_row >= GATE_THRESHOLD)
            return say(OPINION_OUTAGE,
                       str_fmt(a, "%.*s is gone, and is made again first", STR_ARG(s->subject)));
        if (s->is_live)
            continue;
        if (restarts >= 0 && s->restarts > restarts)
            return say(OPINION_FAIL, str_fmt(a, "%.*s was restarted %lld times",
                                             STR_ARG(s->subject), (long long)s->restarts));
        if (s->failed_in_row >= threshold(value_get(member, S("probe")), S("failure_threshold")))
            return say(OPINION_FAIL, str_fmt(a, "%.*s is not ready any more: %.*s",
                                             STR_ARG(s->subject), STR_ARG(s->message)));
    }
    return f->is_over ? say(OPINION_PASS, S("")) : say(OPINION_WAIT, S(""));
}

/* What served before must serve again; else the fault was never the new set's. */
static struct gate_opinion judge_recover(struct arena *a, const struct value *need,
                                         const struct gate_facts *f)
{
    const struct gate_sample *worst = NULL;
    size_t n_live = 0, n_tried = 0, n_tried_gone = 0;

    (void)need;
    for (size_t i = 0; i < f->n_samples; i++) {
        const struct gate_sample *s = &f->samples[i];

        n_tried += !s->is_live;
        n_tried_gone += !s->is_live && s->is_gone;
        if (!s->is_live || s->is_gone)
            continue;
        n_live++;
        if (!s->ok_in_row)
            worst = s;
    }
    if (!n_live && n_tried && n_tried == n_tried_gone)
        return say(OPINION_OUTAGE, S("outage, everything is gone"));
    if (!n_live)
        return say(OPINION_PASS, S("nothing of what served before is left to compare with"));
    if (!worst)
        return say(OPINION_PASS, S(""));
    if (!f->is_over)
        return say(OPINION_WAIT, S(""));
    return say(OPINION_OUTAGE, str_fmt(a, "outage, %.*s does not recover: %.*s",
                                       STR_ARG(worst->subject), STR_ARG(worst->message)));
}

static struct gate_opinion judge_drained(struct arena *a, const struct value *need,
                                         const struct gate_facts *f)
{
    int64_t streams = f->n_counts ? f->counts[0].streams : 0;
    struct str ended = f->n_ended ? str_fmt(a, "%lld connections stayed open and were ended",
                                            (long long)f->n_ended)
                                  : S("");

    (void)need;
    if (f->calm_samples >= GATE_CALM_SAMPLES)
        return say(OPINION_PASS, ended);
    if (!f->is_over)
        return say(OPINION_WAIT, S(""));
    if (streams < 0)
        return say(OPINION_PASS, S("connections may have been cut, how many is not known"));
    if (streams && f->n_ended)
        return say(OPINION_PASS, str_fmt(a, "%.*s, %lld of them with their instance",
                                         STR_ARG(ended), (long long)streams));
    return say(OPINION_PASS,
               streams ? str_fmt(a, "%lld connections were cut", (long long)streams) : ended);
}

static struct gate_opinion judge_keep(struct arena *a, const struct value *need,
                                      const struct gate_facts *f)
{
    (void)a;
    (void)need;
    return f->is_over ? say(OPINION_PASS, S("")) : say(OPINION_WAIT, S(""));
}

static const struct {
    const char *type;
    struct gate_opinion (*judge)(struct arena *a, const struct value *need,
                                 const struct gate_facts *facts);
} gate_rows[] = {
    { "ready", judge_ready },     { "bake", judge_bake },       { "promote", judge_bake },
    { "recover", judge_recover }, { "drained", judge_drained }, { "keep", judge_keep },
};

struct gate_opinion gate_judge_facts(struct arena *a, const struct value *need,
                                     const struct gate_facts *facts)
{
    struct str type = value_get_text(need, S("type"), S(""));

    for (size_t i = 0; i < N_ELEMENTS(gate_rows); i++)
        if (str_eq_c(type, gate_rows[i].type))
            return gate_rows[i].judge(a, need, facts);
    return say(OPINION_FAIL, str_fmt(a, "a gate of type '%.*s' is not known", STR_ARG(type)));
}
