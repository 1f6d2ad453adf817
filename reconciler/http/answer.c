/* The bodies of answers. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/render.h"
#include "reconciler/http/server.h"
#include "specs/json_io.h"

/* When there is no memory for more. */
#define NO_MEMORY                                                                                  \
    "{\"code\":\"NOMEM\",\"detail\":\"out of memory\",\"status\":503,\"title\":\"out of memory\"}"

void http_answer_json(struct http_exchange *x, int status, const struct value *v)
{
    struct err err = ERR_INIT;
    struct str body = json_format(&x->arena, v);

    if (arena_status(&x->arena, &err))
        http_answer(x, err_http_status(ERR_NOMEM), "application/problem+json", S(NO_MEMORY));
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
