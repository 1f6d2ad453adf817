/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/hooks.h"

#include "base/alloc.h"
#include "base/guard.h"

#define HOOKS "/hooks/"

struct delivery {
    struct hook_call call;
    struct hooks *hooks;
    struct http_exchange *x;
};

int hooks_is_path(struct str path)
{
    return str_starts(path, S(HOOKS));
}

/* What the history says of it; NULL: it was no matter of who asks. */
static const char *denial_of(int code)
{
    switch (code) {
    case ERR_UNKNOWN_ACTOR:
        return "a hook that is not signed by its secret";
    case ERR_REFUSED:
        return "a token of a hook without TLS";
    case ERR_NOT_FOUND:
        return "a hook that nobody hears";
    default:
        return NULL;
    }
}

static const struct {
    const char *word;
    int code; /* of a refusal; 0: it is none, or any other */
} decisions[N_HOOKS_DECISIONS] = {
    [HOOKS_LOOKING] = { "looking", 0 },
    [HOOKS_NOTHING] = { "nothing", 0 },
    [HOOKS_KNOWN] = { "known", 0 },
    [HOOKS_UNSIGNED] = { "unsigned", ERR_UNKNOWN_ACTOR },
    [HOOKS_UNHEARD] = { "unheard", ERR_NOT_FOUND },
    [HOOKS_INVALID] = { "invalid", ERR_INVALID },
    [HOOKS_BUSY] = { "busy", ERR_BUSY },
    [HOOKS_ERROR] = { "error", 0 },
};

const char *hooks_decision_word(enum hooks_decision decision)
{
    return decisions[decision].word;
}

static enum hooks_decision decision_of(int code)
{
    for (int i = 0; i < N_HOOKS_DECISIONS; i++)
        if (decisions[i].code == code)
            return (enum hooks_decision)i;
    return code == ERR_REFUSED ? HOOKS_UNSIGNED : code == ERR_USAGE ? HOOKS_INVALID : HOOKS_ERROR;
}

static enum hooks_decision decision_heard(const struct hook_call *call)
{
    if (call->is_known)
        return HOOKS_KNOWN;
    return str_eq_c(value_get_text(call->result, S("state"), S("")), "looking") ? HOOKS_LOOKING
                                                                                : HOOKS_NOTHING;
}

static void refuse(struct hooks *h, struct http_exchange *x, const struct err *err)
{
    const char *reason = denial_of(err->code);

    h->decided[decision_of(err->code)]++;
    if (reason)
        denials_count(h->denials, x->address, str_from_c(reason));
    if (err->code == ERR_METHOD)
        http_header(x, "Allow", S("POST"));
    http_answer_error(x, err);
}

static void delivery_ended(struct task *t, void *ctx)
{
    struct delivery *d = ctx;

    d->hooks->n_running--;
    if (t->rc)
        refuse(d->hooks, d->x, &t->err);
    if (!t->rc)
        d->hooks->decided[decision_heard(&d->call)]++;
    if (!t->rc)
        http_answer_json(d->x, d->call.is_known ? 200 : 202,
                         value_copy(&d->x->arena, d->call.result));
    hook_call_fini(&d->call);
    alloc_free(d);
}

/* "/hooks/github/acme" */
static int parse(const struct hooks *h, const struct http_exchange *x, struct hook_call_in *ret,
                 struct err *err)
{
    struct str rest = hooks_is_path(x->path) ? str_slice(x->path, sizeof(HOOKS) - 1, x->path.n)
                                             : STR_NONE;
    struct str more;
    enum hook_type type;

    *ret = (struct hook_call_in){
        .source = STR_NONE, .headers = x->headers, .body = x->body, .is_tls = x->is_tls
    };
    if (!str_next(&rest, '/', &ret->type) || hook_type_parse(ret->type, &type) ||
        (str_next(&rest, '/', &ret->source) && (!ret->source.n || str_next(&rest, '/', &more))) ||
        !h->start)
        return err_set(err, ERR_NOT_FOUND, "no source hears these hooks");
    if (!str_eq_c(x->method, "POST"))
        return err_set(err, ERR_METHOD, "hooks are sent by POST");
    if (value_count(x->query))
        return err_set(err, ERR_USAGE, "hooks are not asked with a query");
    return h->n_running < HOOKS_MAX
               ? 0
               : err_set(err, ERR_BUSY, "%d deliveries are being heard", HOOKS_MAX);
}

void hooks_begin(struct hooks *h, struct http_exchange *x)
{
    struct hook_call_in in;
    struct err err = ERR_INIT;
    struct delivery *d;

    if (parse(h, x, &in, &err)) {
        refuse(h, x, &err);
        return;
    }
    d = alloc_zero(sizeof(*d));
    if (!d) {
        (void)err_set(&err, ERR_NOMEM, "out of memory");
        http_answer_error(x, &err);
        return;
    }
    d->hooks = h;
    d->x = x;
    d->call.in = in;
    arena_init(&d->call.arena, 0);
    h->n_running++;
    h->start(h->engine, &d->call, delivery_ended, d);
}
