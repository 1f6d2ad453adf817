/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/drain_task.h"

#include <stdio.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/log.h"
#include "reconciler/core/retry.h"
#include "reconciler/engine/drain_whose.h"
#include "reconciler/engine/engine_state.h"
#include "reconciler/engine/env_task.h"
#include "reconciler/engine/secret_store.h"

#define DRAIN_LOOK_MS 1000
#define DRAIN_AGAIN_MS 15000  /* between tries, at most */
#define DRAIN_ASKED_MS 600000 /* the same where he says when */
#define DRAIN_SURE_MS 2000
#define DRAIN_TIMEOUT_MS 15000
#define DRAIN_ANSWER_MAX 4096
#define DRAIN_ROUND_MAX (32u << 20)

enum { DRAIN_REST, DRAIN_SCAN, DRAIN_ASK, DRAIN_READ, DRAIN_SEND, DRAIN_HEARD, DRAIN_NOTE };

/* clang-format off */
static const struct task_state drain_states[] = {
    /*                name     successors                                   on error     deadline_ms */
    [DRAIN_REST]  = { "REST",  TO(DRAIN_SCAN),                              DRAIN_SCAN,  0 },
    [DRAIN_SCAN]  = { "SCAN",  TO(DRAIN_ASK),                               DRAIN_REST,  0 },
    [DRAIN_ASK]   = { "ASK",   TO(DRAIN_READ),                              DRAIN_REST,  0 },
    [DRAIN_READ]  = { "READ",  TO2(DRAIN_SEND, DRAIN_REST),                 DRAIN_REST,  0 },
    [DRAIN_SEND]  = { "SEND",  TO2(DRAIN_HEARD, DRAIN_REST),                DRAIN_HEARD, 0 },
    [DRAIN_HEARD] = { "HEARD", TO2(DRAIN_NOTE, DRAIN_REST),                 NO_ERROR_EDGE, 0 },
    [DRAIN_NOTE]  = { "NOTE",  TO(DRAIN_REST),                              DRAIN_REST,  0 },
};
/* clang-format on */

static struct drain_task *drain_of(struct task *t)
{
    return container_of(t, struct drain_task, task);
}

static int64_t now_ms(const struct drain_task *d)
{
    return loop_mono_ms(d->engine->loop);
}

/* --- the work ------------------------------------------------------------------------------------ */

static int drain_scan(struct task *t, struct err *err)
{
    struct drain_task *d = drain_of(t);

    return drain_tails_scan(&d->tails, &d->round, err);
}

static int drain_ask(struct task *t, struct err *err)
{
    struct drain_task *d = drain_of(t);

    return drain_whose_ask(&d->tails, d->engine->db, &d->round, err);
}

static int drain_note(struct task *t, struct err *err)
{
    struct drain_task *d = drain_of(t);

    return drain_tails_note(&d->tails, &d->round, err);
}

/* The header with its token; a text that is more than one line is none. */
static int form_token(struct drain_task *d, const char **ret, struct err *err)
{
    struct str name = value_get_text(value_get(d->config, S("token")), S("secret"), STR_NONE),
               token;
    int rc = secret_store_copy_own(d->engine->secrets, name, &d->round, &token, err);

    if (rc || !token.p)
        return rc;
    if (str_find_char(token, '\n') != STR_NPOS || str_find_char(token, '\r') != STR_NPOS)
        return err_set(err, ERR_INVALID, "its token is more than one line");
    *ret = str_fmt(&d->round, "%.*s: %.*s",
                   STR_ARG(value_get_text(d->config, S("header"), S("Authorization"))),
                   STR_ARG(token))
               .p;
    return arena_status(&d->round, err);
}

static int form_request(struct drain_task *d, struct err *err)
{
    struct str ca = value_get_text(d->config, S("ca_file"), STR_NONE);
    struct str url = value_get_text(d->config, S("url"), S(""));

    d->headers[0] = "Content-Type: application/x-ndjson";
    d->headers[1] = d->headers[2] = NULL;
    d->request = (struct http_request){
        .method = "POST",
        .url = str_to_c(&d->round, url),
        .headers = d->headers,
        .body = d->batch.body,
        .ca_file = ca.p ? str_to_c(&d->round, ca) : NULL,
        .body_max = DRAIN_ANSWER_MAX,
        .timeout_ms = DRAIN_TIMEOUT_MS,
        .public_only = 1,
        .allowed = d->allowed,
        .n_allowed = d->to.n_allowed,
    };
    d->reply = (struct http_reply){ 0 };
    return form_token(d, &d->headers[1], err);
}

static int drain_read(struct task *t, struct err *err)
{
    struct drain_task *d = drain_of(t);

    if (drain_batch_read(&d->tails, d->kind, &d->round, &d->batch, err))
        return err->code;
    return d->kind == DRAIN_JSON && d->batch.body.n ? form_request(d, err) : 0;
}

static int send_all(struct drain_task *d, struct err *err)
{
    const atomic_int *stop = &d->task.cancelled;
    int rc = stream_send(d->stream, d->batch.body, DRAIN_TIMEOUT_MS, stop, err);

    for (size_t i = 0; !rc && i < d->batch.n_frames; i++)
        rc = stream_send(d->stream, d->batch.frames[i], DRAIN_TIMEOUT_MS, stop, err);
    return rc;
}

/* What was sent on a connection that is cut may not have arrived: nothing more is sent before that is read again. */
static int drain_send(struct task *t, struct err *err)
{
    struct drain_task *d = drain_of(t);
    int rc = 0;

    d->was_cut = 0;
    if (d->stream && stream_is_cut(d->stream))
        rc = err_set(err, ERR_UNREACHABLE, "the connection was closed");
    if (!rc && !d->stream)
        rc = stream_open(&d->to, &d->stream, err);
    if (!rc)
        rc = send_all(d, err);
    if (rc && d->stream) {
        stream_close(TAKE(d->stream));
        d->was_cut = 1;
    }
    return rc;
}

/* --- what came of it ----------------------------------------------------------------------------- */

static void failed(struct drain_task *d, const char *why, int64_t asked)
{
    int64_t delay_ms = retry_delay_ms(++d->failures, loop_random(d->engine->loop));

    if (!d->trouble[0])
        LOG(LOG_WARN, "logs are not taken, they wait in their files", LOG_S("drain", d->tails.name),
            LOG_C("err", why));
    (void)snprintf(d->trouble, sizeof(d->trouble), "%s", why);
    if (delay_ms > DRAIN_AGAIN_MS)
        delay_ms = DRAIN_AGAIN_MS;
    d->again_mono_ms = now_ms(d) + (asked > delay_ms ? asked : delay_ms);
    d->is_full = 0;
    d->sure_mono_ms = 0;
    drain_tails_again(&d->tails);
}

static void arrived(struct drain_task *d, enum drain_fate fate)
{
    if (d->trouble[0])
        LOG(LOG_INFO, "logs are taken again", LOG_S("drain", d->tails.name));
    d->trouble[0] = 0;
    d->failures = 0;
    d->again_mono_ms = 0;
    d->is_full = d->batch.is_full;
    if (d->batch.lines && fate == DRAIN_TAKEN)
        d->sent_mono_ms = now_ms(d);
    drain_tails_sent(&d->tails, &d->batch, fate);
}

/* A status is judged, its text is not: it may say what we sent. */
static void judge_http(struct drain_task *d)
{
    int status = d->task.rc ? 0 : d->reply.status;
    int64_t asked_ms;
    char why[64];

    if (d->task.rc == ERR_REFUSED) {
        failed(d, "its address is not one that may be reached: egress.allow does not name it", 0);
        return;
    }
    if (d->task.rc) {
        failed(d, err_text(d->task.rc), 0);
        return;
    }
    (void)snprintf(why, sizeof(why), "status %d", status); /* fits */
    if (status == 429 || status >= 500 || status < 200) {
        asked_ms = retry_asked_ms(d->reply.headers);
        failed(d, why, asked_ms <= DRAIN_ASKED_MS ? asked_ms : 0);
        return;
    }
    if (status > 299 && !d->has_refused++)
        LOG(LOG_ERROR, "logs are refused, these lines are not sent again",
            LOG_S("drain", d->tails.name), LOG_C("err", why));
    if (status < 300)
        d->has_refused = 0;
    arrived(d, status > 299 ? DRAIN_REFUSED : DRAIN_TAKEN);
    drain_tails_sure(&d->tails, DRAIN_SURE_NOW);
}

static void judge_syslog(struct drain_task *d)
{
    int64_t now = now_ms(d);

    if (d->task.rc) {
        failed(d, d->task.err.text, 0);
        return;
    }
    arrived(d, DRAIN_TAKEN);
    if (d->kind == DRAIN_DATAGRAMS) {
        drain_tails_sure(&d->tails, DRAIN_SURE_NOW);
        return;
    }
    if (d->sure_mono_ms && now - d->sure_mono_ms < DRAIN_SURE_MS)
        return;
    drain_tails_sure(&d->tails, DRAIN_SURE_BEFORE);
    d->sure_mono_ms = now;
}

static void say_lost(struct drain_task *d)
{
    if (d->counts.lost > d->said_lost)
        LOG(LOG_WARN, "lines were gone before they could be sent", LOG_S("drain", d->tails.name),
            LOG_S("lines", str_fmt(&d->round, "%lld", (long long)(d->counts.lost - d->said_lost))));
    d->said_lost = d->counts.lost;
}

/* --- the machine --------------------------------------------------------------------------------- */

static enum task_verdict drain_rest(struct drain_task *d)
{
    struct task *t = &d->task;

    if (t->rc) /* its token cannot be read, a disk is full: nothing was sent */
        failed(d, t->err.text, 0);
    t->rc = 0;
    d->counts = d->tails.counts;
    say_lost(d);
    arena_wipe(&d->round);
    d->batch = (struct drain_batch){ .lines = 0 };
    wait_until_start(t, now_ms(d) + (d->is_full ? 1 : DRAIN_LOOK_MS));
    return task_then(t, DRAIN_SCAN);
}

/* Also where nothing came: does the connection still stand? */
static enum task_verdict drain_begin_send(struct drain_task *d)
{
    struct task *t = &d->task;
    int has_some = d->batch.body.n || d->batch.n_frames;

    if (!has_some && !(d->kind == DRAIN_SYSLOG && d->stream)) {
        d->is_full = 0;
        if (d->batch.withheld)
            drain_tails_sent(&d->tails, &d->batch, DRAIN_TAKEN);
        return task_goto(t, DRAIN_REST);
    }
    if (d->kind == DRAIN_JSON)
        wait_http_start(t, &d->request, &d->round, &d->reply);
    else
        wait_work_share_start(t, POOL_DRIVER, &d->engine->drain_share, drain_send);
    return task_then(t, DRAIN_HEARD);
}

static enum task_verdict drain_heard(struct drain_task *d)
{
    struct task *t = &d->task;

    if (t->cancelled && t->rc)
        return task_done(t);
    if (d->kind == DRAIN_JSON)
        judge_http(d);
    else
        judge_syslog(d);
    t->rc = 0;
    return task_goto(t, d->tails.is_changed ? DRAIN_NOTE : DRAIN_REST);
}

static enum task_verdict drain_step(struct task *t)
{
    struct drain_task *d = drain_of(t);

    if (t->cancelled && t->state != DRAIN_HEARD && t->state != DRAIN_NOTE)
        return task_done(t);
    switch (t->state) {
    case DRAIN_REST:
        return drain_rest(d);
    case DRAIN_SCAN:
        wait_work_start(t, POOL_FILE, drain_scan);
        return task_then(t, DRAIN_ASK);
    case DRAIN_ASK:
        if (!d->tails.n_asks)
            return task_goto(t, DRAIN_READ);
        wait_work_start(t, POOL_STATE, drain_ask);
        return task_then(t, DRAIN_READ);
    case DRAIN_READ:
        if (d->again_mono_ms > now_ms(d))
            return task_goto(t, DRAIN_REST);
        wait_work_start(t, POOL_FILE, drain_read);
        return task_then(t, DRAIN_SEND);
    case DRAIN_SEND:
        return drain_begin_send(d);
    case DRAIN_HEARD:
        return drain_heard(d);
    case DRAIN_NOTE:
        task_clear_cancel(t); /* what arrived is written */
        d->tails.is_changed = 0;
        wait_work_start(t, POOL_FILE, drain_note);
        return task_then(t, DRAIN_REST);
    }
    UNREACHABLE();
}

/* --- all of them --------------------------------------------------------------------------------- */

static enum stream_kind stream_kind_of(struct str transport)
{
    return str_eq_c(transport, "udp")   ? STREAM_UDP
           : str_eq_c(transport, "tcp") ? STREAM_TCP
                                        : STREAM_TLS;
}

/* This machine, and what the configuration allows. */
static int open_allowed(struct drain_task *d, struct err *err)
{
    const struct engine *e = d->engine;
    size_t n = 0;

    d->allowed = arena_new_n(e->process, struct network, e->n_egress + 2);
    if (!d->allowed)
        return arena_status(e->process, err);
    PRE(!network_parse(S("127.0.0.0/8"), &d->allowed[n++]));
    PRE(!network_parse(S("::1"), &d->allowed[n++]));
    for (size_t i = 0; i < e->n_egress; i++)
        d->allowed[n++] = e->egress[i];
    d->to.allowed = d->allowed;
    d->to.n_allowed = n;
    return 0;
}

static void open_syslog(struct drain_task *d)
{
    struct arena *a = d->engine->process;
    struct str rest = value_get_text(d->config, S("address"), S("")), host;
    struct str ca = value_get_text(d->config, S("ca_file"), STR_NONE);
    int64_t port = 0;

    (void)str_next(&rest, ':', &host);
    (void)str_to_i64(rest, &port); /* checked when the document was read */
    d->to.kind = stream_kind_of(value_get_text(d->config, S("transport"), S("")));
    d->to.host = str_to_c(a, host);
    d->to.port = (int)port;
    d->to.ca_file = ca.p ? str_to_c(a, ca) : NULL;
    d->to.may_public = d->to.kind == STREAM_TLS;
    d->to.timeout_ms = DRAIN_TIMEOUT_MS;
    d->to.stop = &d->task.cancelled;
    d->kind = d->to.kind == STREAM_UDP ? DRAIN_DATAGRAMS : DRAIN_SYSLOG;
}

int drain_task_open_all(struct engine *e, struct err *err)
{
    const struct value *drains = value_get(e->options.daemon, S("log_drains"));
    char host[256] = "";

    (void)gethostname(host, sizeof(host) - 1); /* "" then: not known */
    e->drains = arena_new_n(e->process, struct drain_task, value_count(drains) + 1);
    for (size_t i = 0; e->drains && i < value_count(drains); i++) {
        struct drain_task *d = &e->drains[i];

        d->engine = e;
        d->config = drains->u.map.entries[i].value;
        d->tails = (struct drain_tails){
            .name = drains->u.map.entries[i].key,
            .config = d->config,
            .daemon = e->options.daemon,
            .dir = str_fmt(e->process, "%.*s/drains", STR_ARG(e->state_dir)).p,
            .host = str_copy(e->process, str_from_c(host)),
        };
        d->kind = DRAIN_JSON;
        if (str_eq_c(value_get_text(d->config, S("type"), S("")), "syslog"))
            open_syslog(d);
        if (open_allowed(d, err))
            return err->code;
        arena_init(&d->round, DRAIN_ROUND_MAX);
        e->n_drains++;
    }
    return arena_status(e->process, err);
}

void drain_task_start_all(struct engine *e)
{
    for (size_t i = 0; i < e->n_drains; i++)
        task_start(&e->drains[i].task, e->loop, "drain", drain_states, N_ELEMENTS(drain_states),
                   DRAIN_SCAN, drain_step, engine_task_ended, e);
}

void drain_task_stop_all(struct engine *e)
{
    for (size_t i = 0; i < e->n_drains; i++)
        task_cancel(&e->drains[i].task, ERR_CANCELLED);
}

void drain_task_fini_all(struct engine *e)
{
    for (size_t i = 0; i < e->n_drains; i++) {
        struct drain_task *d = &e->drains[i];

        stream_close(TAKE(d->stream));
        drain_tails_fini(&d->tails);
        arena_wipe(&d->round);
        arena_fini(&d->round);
    }
    e->n_drains = 0;
}

struct value *drain_task_view_all(const struct engine *e, struct arena *a)
{
    struct value *list = value_list(a);

    for (size_t i = 0; i < e->n_drains; i++) {
        const struct drain_task *d = &e->drains[i];
        const struct drain_counts *c = &d->counts;
        struct value *one = value_map(a);

        value_set_text(a, one, S("name"), d->tails.name);
        value_set_text(a, one, S("type"), value_get_text(d->config, S("type"), S("")));
        value_set_int(a, one, S("waiting"), c->waiting);
        value_set_int(a, one, S("sent"), c->sent);
        value_set_int(a, one, S("lost"), c->lost);
        value_set_int(a, one, S("refused"), c->refused);
        value_set_int(a, one, S("withheld"), c->withheld);
        value_set_int(a, one, S("sent_ms_ago"), d->sent_mono_ms ? now_ms(d) - d->sent_mono_ms : -1);
        if (d->trouble[0])
            value_set_text(a, one, S("error"), str_copy(a, str_from_c(d->trouble)));
        value_add(a, list, one);
    }
    return e->n_drains ? list : NULL;
}
