/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/anchor_stamp.h"

#include "base/sys.h"
#include "reconciler/core/render.h"
#include "reconciler/engine/time_stamp.h"

static struct str stamp_name(struct arena *a, const struct value *config)
{
    (void)a; /* it is the url */
    return value_get_text(config, S("url"), S(""));
}

static int stamp_sign_in(const struct anchor_place *p, struct secret_store *secrets,
                         struct anchor_round *r, struct err *err)
{
    struct str file = value_get_text(p->config, S("ca"), S(""));

    (void)secrets; /* everybody may ask */
    if (sys_read_file(&r->own, str_to_c(&r->own, file), TIME_STAMP_BYTES_MAX, &r->authority, err) ||
        time_stamp_check_authority(r->authority, err))
        return err_wrap(err, "ca '%.*s'", STR_ARG(file));
    return 0;
}

static int stamp_form(const struct anchor_place *p, struct anchor_round *r, struct err *err)
{
    uint8_t nonce[TIME_STAMP_NONCE_BYTES];
    struct str ca = value_get_text(p->config, S("ca_file"), STR_NONE);
    struct str url = value_get_text(p->config, S("url"), S(""));

    sys_random(nonce, sizeof(nonce));
    r->headers[0] = "Content-Type: application/timestamp-query";
    r->headers[1] = NULL;
    r->http = (struct http_request){
        .method = "POST",
        .url = str_to_c(&r->own, url),
        .headers = r->headers,
        .ca_file = ca.p ? str_to_c(&r->own, ca) : NULL,
        .body_max = TIME_STAMP_BYTES_MAX,
        .timeout_ms = p->timeout_ms,
        .public_only = str_starts(url, S("https://")),
        .allowed = p->allowed,
        .n_allowed = p->n_allowed,
    };
    r->reply = (struct http_reply){ 0 };
    return time_stamp_ask(&r->own, r->line, nonce, &r->http.body, err);
}

static void stamp_push(const struct anchor_place *p, struct anchor_round *r, struct task *t)
{
    (void)p; /* as it was formed */
    wait_http_start(t, &r->http, &r->own, &r->reply);
}

static int stamp_push_parse(const struct anchor_place *p, struct anchor_round *r, int64_t now_ms,
                            struct str *ret_proof, struct err *err)
{
    struct time_stamp stamp;
    int64_t apart_ms;

    (void)p;
    if (r->reply.body_dropped)
        return err_set(err, ERR_LIMIT, "the answer is larger than %u bytes", TIME_STAMP_BYTES_MAX);
    if (r->reply.status != 200)
        return err_set(err, ERR_UNREACHABLE, "the authority answers with status %d",
                       r->reply.status);
    if (time_stamp_take(&r->own, r->authority, r->http.body, r->reply.body, &stamp, err))
        return err->code;
    apart_ms = stamp.at_ms > now_ms ? stamp.at_ms - now_ms : now_ms - stamp.at_ms;
    if (apart_ms > ANCHOR_STAMP_APART_MS)
        return err_set(err, ERR_CONFLICT, "the authority says that it is %.*s, this machine %.*s",
                       STR_ARG(render_time(&r->own, stamp.at_ms)),
                       STR_ARG(render_time(&r->own, now_ms)));
    *ret_proof = anchor_stamped(&r->own, r->line, stamp.token);
    return arena_status(&r->own, err);
}

const struct anchor_kind anchor_stamp_kind = {
    .word = "rfc3161",
    .name = stamp_name,
    .sign_in = stamp_sign_in,
    .form = stamp_form,
    .push = stamp_push,
    .push_parse = stamp_push_parse,
};
