/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/probe_task.h"

#include <stdio.h>

#include "base/guard.h"
#include "base/utf8.h"
#include "reconciler/core/health_word.h"
#include "specs/json_io.h"

#define PROBE_HEADERS_MAX 16
#define PROBE_TIMEOUT_MS 2000

enum { PROBE_ASK, PROBE_LOOK, PROBE_OVER };

/* clang-format off */
static const struct task_state probe_states[] = {
    /*               name    successors                    on error      deadline_ms */
    [PROBE_ASK]  = { "ASK",  TO2(PROBE_LOOK, PROBE_OVER),  PROBE_LOOK,   0 }, /* the request has its own */
    [PROBE_LOOK] = { "LOOK", TO(PROBE_OVER),               PROBE_OVER,   0 },
    [PROBE_OVER] = { "OVER", 0,                            NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static struct probe_task *probe_of(struct task *t)
{
    return container_of(t, struct probe_task, task);
}

static void probe_say(struct probe_task *p, struct str text)
{
    (void)snprintf(p->message, sizeof(p->message), "%.*s", STR_ARG(text)); /* cut to what is kept */
    utf8_trim(p->message);
}

static const char *const *probe_headers(struct probe_task *p, const struct value *http)
{
    const struct value *headers = value_get(http, S("headers"));
    const char **list = arena_new_n(&p->arena, const char *, PROBE_HEADERS_MAX + 2);
    size_t n = 0;
    struct str host = value_get_text(http, S("host"), STR_NONE);

    if (!list)
        return NULL;
    if (host.p)
        list[n++] = str_fmt(&p->arena, "Host: %.*s", STR_ARG(host)).p;
    for (size_t i = 0; i < value_count(headers) && n <= PROBE_HEADERS_MAX; i++) {
        const struct value_entry *e = &headers->u.map.entries[i];

        list[n++] = str_fmt(&p->arena, "%.*s: %.*s", STR_ARG(e->key), STR_ARG(e->value->u.text)).p;
    }
    return list;
}

static void probe_ask_http(struct probe_task *p, const struct value *http)
{
    p->http = (struct http_request){
        .method = "GET",
        .url = str_fmt(&p->arena, "http://%.*s%.*s", STR_ARG(p->address),
                       STR_ARG(value_get_text(http, S("path"), S("/"))))
                   .p,
        .headers = probe_headers(p, http),
        .body_max = value_get(http, S("expect_json")) ? HEALTH_WORD_BYTES_MAX + 1 : PROBE_BODY_MAX,
        .timeout_ms = value_get_int(p->probe, S("timeout_ms"), PROBE_TIMEOUT_MS),
        .follow_redirects = value_get_bool(http, S("follow_redirects"), 0),
        .fresh = 1,
    };
    wait_http_start(&p->task, &p->http, &p->arena, &p->reply);
}

static void probe_ask_tcp(struct probe_task *p)
{
    size_t colon = str_find_char(p->address, ':');
    int64_t port = 0;

    (void)str_to_i64(str_slice(p->address, colon + 1, p->address.n), &port); /* our own row */
    wait_connect_start(&p->task, str_to_c(&p->arena, str_slice(p->address, 0, colon)), (int)port,
                       value_get_int(p->probe, S("timeout_ms"), PROBE_TIMEOUT_MS));
}

static int probe_status_is_good(struct probe_task *p)
{
    const struct value *expected = value_at(p->probe, S("http.expect_status"));
    int status = p->reply.status;

    if (!value_count(expected))
        return status >= 200 && status < 400;
    for (size_t i = 0; i < value_count(expected); i++)
        if (value_item(expected, i)->u.number == status)
            return 1;
    return 0;
}

static void probe_judge_word(struct probe_task *p, const struct value *expect)
{
    struct str says;
    enum health_word word = health_word_judge(&p->arena, expect, p->reply.body, &says);

    p->ok = word != HEALTH_WORD_BAD;
    p->is_degraded = word == HEALTH_WORD_DEGRADED;
    if (word != HEALTH_WORD_HEALTHY)
        probe_say(p, says);
}

static void probe_judge_answer(struct probe_task *p)
{
    const struct value *expect = value_at(p->probe, S("http.expect_json"));

    if (p->task.rc) {
        probe_say(p, str_from_c(p->task.err.text));
    } else if (value_get(p->probe, S("http")) && !probe_status_is_good(p)) {
        probe_say(
            p, str_fmt(&p->arena, "%.*s answered %d",
                       STR_ARG(value_get_text(value_get(p->probe, S("http")), S("path"), S("/"))),
                       p->reply.status));
    } else if (expect) {
        probe_judge_word(p, expect);
    } else {
        p->ok = 1;
    }
}

/* The provider runs a command where the instance is. */
static struct str probe_desired(struct probe_task *p)
{
    const struct value *command = value_get(p->probe, S("command"));
    struct value *desired = value_map(&p->arena);

    if (!command)
        return S("");
    value_set(&p->arena, desired, S("command"), value_copy(&p->arena, command));
    value_set_int(&p->arena, desired, S("timeout_ms"),
                  value_get_int(p->probe, S("timeout_ms"), PROBE_TIMEOUT_MS));
    return json_format(&p->arena, desired);
}

static int probe_call(struct probe_task *p, enum driver_call_kind kind, struct err *err)
{
    const struct driver_call call = {
        .engine = p->engine,
        .task = &p->task,
        .provider = p->provider,
        .kind = kind,
        .op = { .type = kit_rv(S("instance")),
                .name = kit_rv(p->resource),
                .id = kit_rv(p->provider_id),
                .owner = kit_rv(p->owner),
                .desired = kit_rv(kind == CALL_HEALTH ? probe_desired(p) : S("")) },
    };

    return driver_call(&call, &p->arena, &p->answer, err);
}

static int probe_ask_provider(struct probe_task *p, struct err *err)
{
    const struct value *seen;
    int64_t exit;

    if (probe_call(p, CALL_HEALTH, err))
        return err->code;
    seen = driver_answer_value(&p->arena,
                               p->answer.observed.n ? p->answer.observed : p->answer.outputs);
    exit = value_get_int(seen, S("exit"), 0);
    p->ok = 0;
    if (!value_get_bool(seen, S("listening"), 1))
        probe_say(p, S("the port is held by another program"));
    else if (value_get(p->probe, S("command")) && p->answer.verdict != RV_DONE)
        probe_say(p, p->answer.message);
    else if (exit)
        probe_say(p, str_fmt(&p->arena, "the command exits with %lld: %.*s", (long long)exit,
                             STR_ARG(value_get_text(seen, S("message"), S("")))));
    else
        p->ok = 1;
    return 0;
}

/* Whoever does not count says nothing of how it is. */
static int probe_count(struct probe_task *p, struct err *err)
{
    if (probe_call(p, CALL_COUNTERS, err))
        return err->code;
    p->used_at_ms = loop_mono_ms(p->task.loop);
    if (p->answer.verdict == RV_DONE)
        p->used_us = value_get_int(driver_answer_value(&p->arena, p->answer.observed), S("cpu_us"),
                                   -1);
    return 0;
}

/* Is it the instance that answers, and how often has it been started again? */
static int probe_look(struct task *t, struct err *err)
{
    struct probe_task *p = probe_of(t);
    const struct value *seen;
    struct str state, over, why;
    int was_ok = p->ok;

    if ((p->ok && p->probe && probe_ask_provider(p, err)) || (p->counts && probe_count(p, err)))
        return err->code;
    if (probe_call(p, CALL_READ, err))
        return err->code;
    seen = driver_answer_value(&p->arena, p->answer.observed);
    state = value_get_text(seen, S("state"), S(""));
    p->restarts = value_get_int(seen, S("restarts"), -1);
    p->full = value_get_int(seen, S("full"), 0);
    over = value_get_text(seen, S("over"), S(""));
    (void)snprintf(p->over, sizeof(p->over), "%.*s", STR_ARG(over)); /* a cut one still explains */
    if (p->answer.verdict == RV_ABSENT) {
        p->ok = 0;
        p->has_exited = p->is_gone = 1;
        probe_say(p, S("it is not there"));
    } else if (p->answer.verdict != RV_DONE &&
               !p->probe) { /* that it runs was all that was asked */
        p->ok = 0;
        probe_say(p, p->answer.message);
    } else if (p->answer.verdict == RV_DONE && !str_eq_c(state, "running")) {
        p->ok = 0;
        p->is_gone = str_eq_c(state, "lost");
        p->has_exited = p->is_gone || str_eq_c(state, "exited");
        why = over.n ? over : value_get_text(seen, S("message"), p->answer.message);
        probe_say(p, str_fmt(&p->arena, "%.*s, exit %lld%s%.*s", STR_ARG(state),
                             (long long)value_get_int(seen, S("exit"), -1), why.n ? ": " : "",
                             STR_ARG(why)));
    }
    p->is_unknown = was_ok && !p->ok && p->answer.verdict != RV_DONE &&
                    p->answer.verdict != RV_ABSENT;
    return 0;
}

static enum task_verdict probe_step(struct task *t)
{
    struct probe_task *p = probe_of(t);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case PROBE_ASK:
        if (value_get(p->probe, S("http")))
            probe_ask_http(p, value_get(p->probe, S("http")));
        else if (value_get(p->probe, S("tcp")))
            probe_ask_tcp(p);
        else
            return task_goto(t, PROBE_LOOK);
        return task_then(t, PROBE_LOOK);
    case PROBE_LOOK:
        probe_judge_answer(p);
        provider_line_start(p->engine, t, p->provider, probe_look);
        return task_then(t, PROBE_OVER);
    case PROBE_OVER:
        if (t->rc && p->ok) {
            p->ok = 0;
            probe_say(p, str_from_c(t->err.text));
        }
        return task_done(t);
    }
    UNREACHABLE();
}

void probe_task_start(struct probe_task *p, struct engine *e, task_ended *ended, void *ctx)
{
    p->engine = e;
    p->ok = p->is_unknown = p->is_degraded = 0;
    p->restarts = p->used_us = -1;
    p->full = 0;
    p->has_exited = p->is_gone = 0;
    p->over[0] = p->message[0] = 0;
    arena_init(&p->arena, 1u << 20);
    task_start(&p->task, e->loop, "probe", probe_states, N_ELEMENTS(probe_states), PROBE_ASK,
               probe_step, ended, ctx);
}

void probe_task_fini(struct probe_task *p)
{
    arena_fini(&p->arena);
}
