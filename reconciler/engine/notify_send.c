/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/notify_send.h"

#include "base/crash.h"
#include "base/guard.h"
#include "base/log.h"
#include "reconciler/core/notify.h"
#include "reconciler/core/retry.h"
#include "reconciler/engine/engine_state.h"
#include "reconciler/engine/notify_rules.h"
#include "specs/rule.h"

#define SEND_TIMEOUT_MS 15000
#define SEND_ANSWER_MAX 4096
#define SEND_SECRET_MAX (4u << 20)

enum { SEND_FORM, SEND_ASK, SEND_HEARD, SEND_WRITE, SEND_AGAIN, SEND_OVER };

/* clang-format off */
static const struct task_state send_states[] = {
    /*               name     successors                             on error       deadline_ms */
    [SEND_FORM]  = { "FORM",  TO(SEND_ASK),                          SEND_HEARD,    0 },
    [SEND_ASK]   = { "ASK",   TO(SEND_HEARD),                        SEND_HEARD,    0 },
    [SEND_HEARD] = { "HEARD", TO3(SEND_FORM, SEND_WRITE, SEND_OVER), NO_ERROR_EDGE, 0 },
    [SEND_WRITE] = { "WRITE", TO(SEND_OVER),                         SEND_AGAIN,    0 },
    [SEND_AGAIN] = { "AGAIN", TO(SEND_WRITE),                        SEND_WRITE,    0 },
    [SEND_OVER]  = { "OVER",  0,                                     NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static struct notify_send *send_of(struct task *t)
{
    return container_of(t, struct notify_send, task);
}

static struct str type_of(const struct notify_send *s)
{
    return value_get_text(s->config, S("type"), S(""));
}

static int is_status(const struct notify_send *s)
{
    return str_eq_c(type_of(s), NOTIFY_COMMIT_STATUS);
}

static int is_of_environment(const struct notify_send *s)
{
    return !notify_rules_is_of_daemon(s->row.target);
}

/* --- the request --------------------------------------------------------------------------------- */

/* What was given when it was planned may have been taken back since. */
static int may_read(const struct notify_send *s, const struct value *written, struct err *err)
{
    struct str name = value_get_text(written, S("secret"), S(""));

    if (rule_gives_secret(s->rule, written, "notify"))
        return 0;
    return s->rule ? err_set(err, ERR_REFUSED, "secret '%.*s' is not for notify any more " RULE_AT,
                             STR_ARG(name), RULE_AT_ARG(s->rule))
                   : err_set(err, ERR_REFUSED,
                             "secret '%.*s' is not given: no rule binds the environment any more",
                             STR_ARG(name));
}

/* {secret, store?, path?} of an environment, {secret} of the daemon; a text is no secret. */
static int read_secret(struct notify_send *s, const struct value *written, struct str *ret,
                       struct err *err)
{
    struct str name = value_get_text(written, S("secret"), STR_NONE);
    struct secret_ref ref = { .env = S(""), .name = name, .path = name };
    struct secret *secret;

    if (value_is(written, VALUE_TEXT))
        *ret = written->u.text;
    if (!name.p)
        return 0;
    if (is_of_environment(s) && !is_status(s) && may_read(s, written, err))
        return err->code;
    if (is_of_environment(s))
        ref = secret_store_ref(value_get_text(s->message.says, S("env"), S("")), name, written);
    if (secret_store_read(s->engine->secrets, &ref, STR_NONE, &secret, err))
        return err->code;
    *ret = str_copy(&s->secret, secret_reveal(secret));
    secret_free(secret);
    return arena_status(&s->secret, err);
}

static int read_secrets(struct notify_send *s, struct notify_secrets *ret, struct err *err)
{
    const struct value *of = is_status(s) ? s->forge : s->config;

    *ret = (struct notify_secrets){ STR_NONE, STR_NONE, STR_NONE };
    return read_secret(s, is_status(s) ? NULL : value_get(of, S("url")), &ret->url, err) ||
                   read_secret(s, value_get(of, is_status(s) ? S("credentials") : S("key")),
                               &ret->key, err) ||
                   read_secret(s, value_get(of, S("password")), &ret->password, err)
               ? err->code
               : 0;
}

static int send_form(struct task *t, struct err *err)
{
    struct notify_send *s = send_of(t);
    struct notify_secrets secrets;

    if (read_secrets(s, &secrets, err))
        return err->code;
    return is_status(s)
               ? notify_form_status(&s->secret, s->forge, &s->message, secrets.key, &s->form, err)
               : notify_form_make(&s->secret, s->config, &s->message, &secrets, s->step, &s->form,
                                  err);
}

/* An address of this machine or its network is one that the daemon's configuration names. */
static enum task_verdict send_ask(struct notify_send *s)
{
    struct str ca = value_get_text(s->config, S("ca"), STR_NONE), url = str_from_c(s->form.url);

    s->mail = (struct http_mail){ s->form.from, s->form.to, s->form.user, s->form.password,
                                  s->form.needs_tls };
    s->request = (struct http_request){
        .mail = s->form.from ? &s->mail : NULL,
        .method = s->form.method,
        .url = s->form.url,
        .headers = s->form.headers,
        .body = s->form.body,
        .body_max = SEND_ANSWER_MAX,
        .timeout_ms = SEND_TIMEOUT_MS,
        .ca_file = ca.p && !is_of_environment(s) ? str_to_c(&s->secret, ca) : NULL,
        .fresh = 1,
        .public_only = is_of_environment(s) && !is_status(s)
                           ? 1
                           : s->form.needs_tls || str_starts(url, S("https://")),
        .allowed = s->engine->egress,
        .n_allowed = s->engine->n_egress,
    };
    s->reply = (struct http_reply){ 0 };
    wait_http_start(&s->task, &s->request, &s->secret, &s->reply);
    return task_then(&s->task, SEND_HEARD);
}

/* --- what came of it ----------------------------------------------------------------------------- */

/* The sentences of requests name addresses, which are secrets: their kind is enough. */
static void judge(struct notify_send *s)
{
    struct task *t = &s->task;

    s->why = ERR_INIT;
    if (t->rc && s->form.url && t->rc == ERR_REFUSED)
        (void)err_set(&s->why, t->rc,
                      "its address is not a public one, and egress.allow does not name it");
    else if (t->rc && s->form.url)
        (void)err_set(&s->why, t->rc, "%s", err_text(t->rc));
    else if (t->rc)
        s->why = t->err;
    else
        (void)notify_form_judge(type_of(s), s->reply.status, s->reply.body, &s->why);
    s->asked_ms = t->rc ? 0 : retry_asked_ms(s->reply.headers);
}

static enum task_verdict send_heard(struct notify_send *s)
{
    judge(s);
    s->task.rc = 0;
    if (!s->why.code && s->step + 1 < notify_form_steps(s->config, &s->message)) {
        s->step++;
        s->form = (struct notify_form){ 0 };
        return task_goto(&s->task, SEND_FORM);
    }
    if (s->is_test)
        return task_goto(&s->task, SEND_OVER);
    if (!s->why.code)
        CRASH_POINT(NOTIFY_AFTER_SENT);
    return task_goto(&s->task, SEND_WRITE);
}

static struct str event_of(struct notify_send *s, int64_t now_ms)
{
    struct rec_outbox *row = &s->row;

    row->attempt++;
    row->error = s->why.code ? str_from_c(s->why.text) : STR_NONE;
    if (s->why.code && !notify_is_over(row->attempt)) {
        row->next_ms = now_ms + notify_delay_ms(row->attempt, s->asked_ms);
        return S("notify.failed");
    }
    row->done_ms = now_ms;
    row->outcome = s->why.code ? S("given_up") : S("sent");
    return s->why.code ? S("notify.given_up") : S("notify.sent");
}

static int send_write(struct task *t, struct err *err)
{
    struct notify_send *s = send_of(t);
    struct rec_outbox before = s->row;
    struct engine_event event = { .subject = s->row.subject, .env = s->row.env };
    struct tx *tx;

    event.kind = event_of(s, loop_wall_ms(s->engine->loop));
    event.cause = str_fmt(&s->secret, "notify:%.*s", STR_ARG(s->row.uid));
    if (!engine_tx(s->engine, &event, &tx, err)) {
        if (s->row.outcome.p)
            s->row.done_seq = tx_seq(tx);
        if (!tx_put(tx, REC_outbox, &s->row, err)) {
            if (!tx_commit(tx, err))
                return 0;
        } else {
            tx_rollback(tx);
        }
    }
    s->row = before;
    return err->code;
}

static void say(const struct notify_send *s)
{
    int is_over = s->row.outcome.p != NULL;

    if (!s->why.code)
        LOG(LOG_INFO, "somebody was told", LOG_S("word", s->row.word), LOG_S("to", s->row.target),
            LOG_S("id", s->row.uid));
    else if (is_over)
        LOG(LOG_ERROR, "somebody could not be told, it is given up", LOG_S("word", s->row.word),
            LOG_S("to", s->row.target), LOG_S("id", s->row.uid), LOG_C("err", s->why.text));
    else if (s->row.attempt == 1)
        LOG(LOG_WARN, "somebody cannot be told, tried again", LOG_S("word", s->row.word),
            LOG_S("to", s->row.target), LOG_S("id", s->row.uid), LOG_C("err", s->why.text));
}

static enum task_verdict send_step(struct task *t)
{
    struct notify_send *s = send_of(t);

    switch (t->state) {
    case SEND_FORM:
        wait_work_start(t, POOL_FILE, send_form);
        return task_then(t, SEND_ASK);
    case SEND_ASK:
        return send_ask(s);
    case SEND_HEARD:
        if (t->cancelled && t->rc) /* nobody knows whether it arrived: again, with its id */
            return task_done(t);
        task_clear_cancel(t); /* what was answered is written */
        return send_heard(s);
    case SEND_WRITE:
        wait_work_start(t, POOL_STATE, send_write);
        return task_then(t, SEND_OVER);
    case SEND_AGAIN:
        if (t->cancelled)
            return task_done(t);
        if (!s->is_written_late++)
            LOG(LOG_ERROR, "that somebody was told cannot be written, tried again",
                LOG_S("to", s->row.target), LOG_C("err", t->err.text));
        t->rc = 0;
        wait_until_start(t, loop_mono_ms(t->loop) + RETRY_FIRST_MS);
        return task_then(t, SEND_WRITE);
    case SEND_OVER:
        if (!s->is_test)
            say(s);
        return task_done(t);
    }
    UNREACHABLE();
}

void notify_send_start(struct notify_send *s, struct engine *e, task_ended *ended, void *ctx)
{
    s->engine = e;
    arena_init(&s->secret, SEND_SECRET_MAX);
    task_start(&s->task, e->loop, "notify_send", send_states, N_ELEMENTS(send_states), SEND_FORM,
               send_step, ended, ctx);
}
