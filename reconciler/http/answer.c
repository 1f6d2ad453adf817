/* The bodies of answers. SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "reconciler/core/render.h"
#include "reconciler/http/server.h"
#include "specs/json_io.h"

#define TAG_DIGITS 32
#define HTTP_NOT_MODIFIED 304

/* When there is no memory for more. */
#define NO_MEMORY                                                                                  \
    "{\"code\":\"NOMEM\",\"detail\":\"out of memory\",\"status\":503,\"title\":\"out of memory\"}"

/* The same answer has the same tag, whoever makes it and when. */
static struct str tag_of(struct http_exchange *x, struct str body)
{
    struct digest digest = hash_bytes(body);
    struct str hex = digest_hex(&x->arena, &digest);

    return str_fmt(&x->arena, "\"%.*s\"", TAG_DIGITS, hex.p ? hex.p : "");
}

/* One of the tags that the asker has; a weak one is as good for reading. */
static int has_tag(const struct http_exchange *x, struct str tag)
{
    struct str rest = value_get_text(x->headers, S("if-none-match"), S("")), one;

    while (str_next(&rest, ',', &one)) {
        one = str_trim(one);
        if (str_starts(one, S("W/")))
            one = str_slice(one, 2, one.n);
        if (str_eq(one, tag) || str_eq_c(one, "*"))
            return 1;
    }
    return 0;
}

static void answer_tagged(struct http_exchange *x, struct str body)
{
    struct str tag = tag_of(x, body);

    http_header(x, "ETag", tag);
    http_header(x, "Cache-Control", S("private, no-cache")); /* may be kept, never without asking */
    http_header(x, "Vary", S("Authorization, Cookie"));
    if (has_tag(x, tag))
        http_answer(x, HTTP_NOT_MODIFIED, "application/json", S(""));
    else
        http_answer(x, 200, "application/json", body);
}

void http_answer_json(struct http_exchange *x, int status, const struct value *v)
{
    struct err err = ERR_INIT;
    struct str body = json_format(&x->arena, v);

    if (arena_status(&x->arena, &err))
        http_answer(x, err_http_status(ERR_NOMEM), "application/problem+json", S(NO_MEMORY));
    else if (status == 200 && str_eq_c(x->method, "GET"))
        answer_tagged(x, body);
    else
        http_answer(x, status, "application/json", body);
}

void http_answer_refusal(struct http_exchange *x, const struct err *err,
                         const struct value *besides)
{
    struct value *v = value_map(&x->arena);
    struct str code = str_from_c(err_name(err->code)), body;
    struct err no = ERR_INIT;
    int status = err_http_status(err->code);

    value_set_text(&x->arena, v, S("type"), S("about:blank"));
    value_set_text(&x->arena, v, S("title"), str_from_c(err_text(err->code)));
    value_set_int(&x->arena, v, S("status"), status);
    value_set_text(&x->arena, v, S("detail"), render_safe(&x->arena, str_from_c(err->text)));
    value_set_text(&x->arena, v, S("code"), code);
    for (size_t i = 0; i < value_count(besides); i++)
        value_set(&x->arena, v, besides->u.map.entries[i].key,
                  value_copy(&x->arena, besides->u.map.entries[i].value));
    body = json_format(&x->arena, v);
    if (arena_status(&x->arena, &no))
        body = S(NO_MEMORY);
    http_answer(x, status, "application/problem+json", body);
}

void http_answer_error(struct http_exchange *x, const struct err *err)
{
    http_answer_refusal(x, err, NULL);
}
