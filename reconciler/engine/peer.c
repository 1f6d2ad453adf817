/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/peer.h"

#include "base/guard.h"
#include "base/sys.h"
#include "base/url.h"
#include "reconciler/engine/follow_page.h"
#include "specs/json_io.h"

#define PEER_TOKEN_MAX 4096u
#define PEER_PROBLEM_MAX (64u << 10)
#define PEER_ASK_MS 5000

static int peer_read_token(struct arena *a, struct str file, struct peer *p, struct err *err)
{
    struct str text;

    if (!file.p || p->unix_path)
        return 0;
    if (sys_read_file(a, file.p, PEER_TOKEN_MAX, &text, err))
        return err_wrap(err, "the token of '%.*s'", STR_ARG(p->url));
    p->headers[0] = str_fmt(a, "Authorization: Bearer %.*s", STR_ARG(str_trim(text))).p;
    return arena_status(a, err);
}

int peer_open(struct arena *a, const struct value *daemon, struct str url, struct peer *ret,
              struct err *err)
{
    const struct value *config = value_get(daemon, S("peer"));
    struct str token_file = value_get_text(config, S("token_file"), STR_NONE);
    struct peer p = { .url = url };

    if (str_starts(url, S("unix:"))) {
        p.unix_path = str_to_c(a, str_slice(url, 5, url.n));
        p.base = "http://localhost";
    } else if (url_check(url, token_file.p ? URL_WITH_TOKEN : URL_ALONE, err)) {
        return err_wrap(err, "neither unix:PATH nor an address");
    } else {
        while (str_ends(url, S("/")))
            url.n--;
        p.base = str_to_c(a, url);
    }
    p.ca_file = value_get_text(config, S("ca_file"), STR_NONE).p;
    if (peer_read_token(a, token_file, &p, err))
        return err->code;
    *ret = p;
    return arena_status(a, err);
}

void peer_start(const struct peer *p, struct task *t, struct arena *a, struct str query,
                int64_t timeout_ms, struct peer_call *call)
{
    call->reply = (struct http_reply){ 0 };
    call->request = (struct http_request){
        .method = "GET",
        .url = str_fmt(a, "%s/api/v1/replica%.*s", p->base, STR_ARG(query)).p,
        .unix_path = p->unix_path,
        .headers = p->headers,
        .ca_file = p->ca_file,
        .body_max = FOLLOW_PAGE_MAX,
        .timeout_ms = timeout_ms,
    };
    wait_http_start(t, &call->request, a, &call->reply);
}

int peer_judge(const struct peer *p, const struct peer_call *call, struct arena *a, struct err *err)
{
    const struct http_reply *r = &call->reply;
    struct value *problem = NULL;

    if (r->body_dropped)
        return err_set(err, ERR_LIMIT, "the answer of '%.*s' is too large", STR_ARG(p->url));
    if (r->status >= 200 && r->status < 300)
        return 0;
    if (json_parse(a, r->body, PEER_PROBLEM_MAX, &problem, err))
        problem = NULL; /* then its status says it alone */
    return err_set(err, r->status == 401 || r->status == 403 ? ERR_REFUSED : ERR_UNREACHABLE,
                   "'%.*s' answers with status %d: %.*s", STR_ARG(p->url), r->status,
                   STR_ARG(value_get_text(problem, S("detail"), S("no word"))));
}

/* --- at the start -------------------------------------------------------------------------------- */

enum { PEER_ASK, PEER_HEARD };

/* clang-format off */
static const struct task_state peer_states[] = {
    /*               name     successors      on error       deadline_ms */
    [PEER_ASK]   = { "ASK",   TO(PEER_HEARD), NO_ERROR_EDGE, 0 },
    [PEER_HEARD] = { "HEARD", 0,              NO_ERROR_EDGE, 0 },
};
/* clang-format on */

struct peer_question {
    struct task task;
    const struct peer *peer;
    struct arena *a;
    struct peer_call call;
};

static enum task_verdict peer_step(struct task *t)
{
    struct peer_question *q = container_of(t, struct peer_question, task);

    if (t->state == PEER_HEARD)
        return task_done(t);
    peer_start(q->peer, t, q->a, S("?limit=0"), PEER_ASK_MS, &q->call);
    return task_then(t, PEER_HEARD);
}

static void peer_ended(struct task *t, void *ctx)
{
    (void)ctx;
    loop_stop(t->loop);
}

static int peer_ask(struct peer_question *q, struct err *err)
{
    struct loop *loop;
    int rc = loop_uv_new(&(struct loop_options){ 0 }, &loop, err);

    if (rc)
        return rc;
    task_start(&q->task, loop, "peer", peer_states, (int)N_ELEMENTS(peer_states), PEER_ASK,
               peer_step, peer_ended, q);
    loop_run(loop);
    loop_free(loop);
    if (q->task.rc)
        return err_set(err, ERR_UNREACHABLE, "the other daemon at '%.*s' cannot be asked: %s",
                       STR_ARG(q->peer->url), q->task.err.text);
    return peer_judge(q->peer, &q->call, q->a, err);
}

int peer_fences(struct arena *a, const struct value *daemon, struct str url,
                struct str installation, int64_t epoch, struct str *ret_why, struct err *err)
{
    struct replica_page page;
    struct peer peer;
    struct peer_question q = { .peer = &peer, .a = a };

    *ret_why = STR_NONE;
    if (peer_open(a, daemon, url, &peer, err) || peer_ask(&q, err) ||
        follow_page_parse(a, q.call.reply.body, &page, err))
        return err->code;
    if (!str_eq(page.installation, installation))
        return err_set(err, ERR_REFUSED,
                       "the other daemon at '%.*s' is of installation %.*s, this one of %.*s",
                       STR_ARG(url), STR_ARG(page.installation), STR_ARG(installation));
    if (page.epoch > epoch)
        *ret_why = str_fmt(a, "the daemon at %.*s took over: it lives its life %lld, this one %lld",
                           STR_ARG(url), (long long)page.epoch, (long long)epoch);
    return arena_status(a, err);
}
