/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/provider_line.h"

#include <stdio.h>

#include "base/guard.h"
#include "base/log.h"
#include "base/utf8.h"
#include "reconciler/core/render.h"
#include "reconciler/engine/engine_state.h"

int provider_line_open_all(struct engine *e, struct err *err)
{
    const struct registry *r = e->providers;

    e->lines = arena_new_n(e->process, struct provider_line, r->n + 1);
    for (; e->lines && e->n_lines < r->n; e->n_lines++) {
        e->lines[e->n_lines].provider = &r->list[e->n_lines];
        PRE(!pthread_mutex_init(&e->lines[e->n_lines].lock, NULL));
    }
    return arena_status(e->process, err);
}

void provider_line_close_all(struct engine *e)
{
    while (e->n_lines)
        PRE(!pthread_mutex_destroy(&e->lines[--e->n_lines].lock));
}

struct provider_line *provider_line_find(struct engine *e, struct str name)
{
    for (size_t i = 0; i < e->n_lines; i++)
        if (str_eq(e->lines[i].provider->name, name))
            return &e->lines[i];
    return NULL;
}

void provider_line_start(struct engine *e, struct task *t, struct str provider, wait_work_fn *fn)
{
    struct provider_line *line = provider_line_find(e, provider);

    wait_work_share_start(t, POOL_DRIVER, line ? &line->share : NULL, fn);
}

/* Under the lock. */
static struct str line_say(const struct provider_line *line, struct loop *loop, struct arena *a)
{
    const struct breaker *b = &line->breaker;
    int64_t now_ms = loop_mono_ms(loop), since_ms = loop_wall_ms(loop) - (now_ms - b->since_ms);

    return str_fmt(a, "provider '%.*s' does not answer since %.*s: tried again in %lld s (%s)",
                   STR_ARG(line->provider->name), STR_ARG(render_time(a, since_ms)),
                   (long long)(breaker_wait_ms(b, now_ms) + 999) / 1000, line->error);
}

enum breaker_pass provider_line_ask(struct provider_line *line, struct loop *loop, struct arena *a,
                                    struct str *ret_why, int64_t *ret_again_ms)
{
    enum breaker_pass pass;

    PRE(!pthread_mutex_lock(&line->lock));
    pass = breaker_ask(&line->breaker, loop_mono_ms(loop));
    if (pass == BREAKER_REFUSES) {
        *ret_why = line_say(line, loop, a);
        *ret_again_ms = breaker_wait_ms(&line->breaker, loop_mono_ms(loop));
    }
    PRE(!pthread_mutex_unlock(&line->lock));
    return pass;
}

void provider_line_note(struct provider_line *line, struct loop *loop, enum breaker_pass pass,
                        enum breaker_answer answer, struct str why)
{
    int is_failure = answer == BREAKER_FAILED || answer == BREAKER_LATE;
    uint64_t random = is_failure ? loop_random(loop) : 0; /* only a failure makes it wait */
    enum breaker_news news;

    PRE(!pthread_mutex_lock(&line->lock));
    news = breaker_note(&line->breaker, pass, answer, loop_mono_ms(loop), random);
    if (is_failure)
        (void)snprintf(
            line->error, sizeof(line->error), "%.*s",
            STR_ARG(str_slice(why, 0, str_find_char(why, '\n')))); /* cut to what is kept */
    else if (answer == BREAKER_ANSWERED)
        line->error[0] = 0;
    utf8_trim(line->error);
    PRE(!pthread_mutex_unlock(&line->lock));
    if (news == BREAKER_OPENS)
        LOG(LOG_WARN, "provider does not answer, it is asked ever more seldom",
            LOG_S("provider", line->provider->name), LOG_S("err", why));
    if (news == BREAKER_CLOSES)
        LOG(LOG_INFO, "provider answers again", LOG_S("provider", line->provider->name));
}

void provider_line_alarm(struct provider_line *line, struct loop *loop, struct arena *a,
                         struct alarm_provider *ret, struct str *ret_why)
{
    const struct breaker *b = &line->breaker;

    PRE(!pthread_mutex_lock(&line->lock));
    *ret = (struct alarm_provider){
        .is_open = b->is_open,
        .has_answered = line->said_mono_ms && !b->n_failed && !b->n_late,
        .failed_ms = b->n_failed || b->n_late ? loop_mono_ms(loop) - b->since_ms : 0,
    };
    *ret_why = str_fmt(a, "it does not answer since %.*s: %s",
                       STR_ARG(render_time(a, loop_wall_ms(loop) - ret->failed_ms)), line->error);
    PRE(!pthread_mutex_unlock(&line->lock));
}

void provider_line_count(struct provider_line *line, struct loop *loop, int call,
                         enum breaker_answer answer, int64_t took_ms)
{
    int column = took_ms < 0 ? PROVIDER_LINE_ANSWERS - 1 : (int)answer;

    PRE(call >= 0 && call < PROVIDER_LINE_CALLS && column < PROVIDER_LINE_ANSWERS);
    PRE(!pthread_mutex_lock(&line->lock));
    line->calls[call][column]++;
    if (took_ms >= 0 && answer != BREAKER_SILENT) {
        line->said_mono_ms = loop_mono_ms(loop);
        line->took_ms = took_ms;
    }
    PRE(!pthread_mutex_unlock(&line->lock));
    if (took_ms >= 0)
        metrics_time(&line->took, METRICS_CALL_TOOK, took_ms);
}

struct value *provider_line_view(struct engine *e, struct arena *a)
{
    struct value *view = value_map(a);

    for (size_t i = 0; i < e->n_lines; i++) {
        struct provider_line *line = &e->lines[i];
        struct value *one = value_map(a);

        PRE(!pthread_mutex_lock(&line->lock));
        value_set_int(a, one, S("failures"), line->breaker.n_failed);
        value_set(a, one, S("open"), value_bool(a, line->breaker.is_open));
        if (line->breaker.is_open)
            value_set_int(a, one, S("again_ms"),
                          breaker_wait_ms(&line->breaker, loop_mono_ms(e->loop)));
        value_set_int(a, one, S("acting"), line->slots);
        value_set_int(a, one, S("acting_max"), line->slots_max);
        value_set_text(a, one, S("error"),
                       line->breaker.is_open ? line_say(line, e->loop, a)
                                             : str_copy(a, str_from_c(line->error)));
        PRE(!pthread_mutex_unlock(&line->lock));
        value_set(a, view, line->provider->name, one);
    }
    return view;
}
