/* The bodies of answers. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/guard.h"
#include "base/hash.h"
#include "reconciler/core/render.h"
#include "reconciler/http/pack.h"
#include "reconciler/http/page.h"
#include "specs/json_io.h"

#define TAG_DIGITS 32
#define WEAK "W/"
#define HTTP_NOT_MODIFIED 304

/* When there is no memory for more. */
#define NO_MEMORY                                                                                  \
    "{\"code\":\"NOMEM\",\"detail\":\"out of memory\",\"status\":503,\"title\":\"out of memory\"}"

/* Members that are another number each time. A quote within a text has a backslash before it. */
static const struct str moments[] = { S_INIT("_ms_ago\":"), S_INIT("\"now_ms\":") };

/* Where the next such number begins; the end: there is none. */
static size_t next_moment(struct str text)
{
    size_t first = text.n;

    for (size_t i = 0; i < N_ELEMENTS(moments); i++) {
        const char *at = memmem(text.p, text.n, moments[i].p, moments[i].n);

        if (at && (size_t)(at - text.p) + moments[i].n < first)
            first = (size_t)(at - text.p) + moments[i].n;
    }
    return first;
}

/* The same answer has the same tag, whoever makes it and when: a weak one where it says when. */
static struct str tag_of(struct http_exchange *x, struct str body)
{
    const char *weak = "";
    struct digest digest;
    struct str hex;
    struct hash h;

    hash_init(&h);
    while (body.n) {
        size_t n = next_moment(body);

        hash_add_str(&h, str_slice(body, 0, n));
        weak = n < body.n ? WEAK : weak;
        while (n < body.n && (body.p[n] == '-' || (body.p[n] >= '0' && body.p[n] <= '9')))
            n++;
        body = str_slice(body, n, body.n);
    }
    digest = hash_end(&h);
    hex = digest_hex(&x->arena, &digest);
    return str_fmt(&x->arena, "%s\"%.*s\"", weak, TAG_DIGITS, hex.p ? hex.p : "");
}

static struct str without_weak(struct str tag)
{
    return str_starts(tag, S(WEAK)) ? str_slice(tag, sizeof(WEAK) - 1, tag.n) : tag;
}

int http_has_tag(const struct http_exchange *x, struct str tag)
{
    struct str rest = value_get_text(x->headers, S("if-none-match"), S("")), one;

    while (str_next(&rest, ',', &one)) {
        one = without_weak(str_trim(one));
        if (str_eq(one, without_weak(tag)) || str_eq_c(one, "*"))
            return 1;
    }
    return 0;
}

/* What is sent in other bytes has another tag. */
static struct str packed_tag(struct http_exchange *x, struct str tag)
{
    return str_fmt(&x->arena, "%.*s-gzip\"", STR_ARG(str_slice(tag, 0, tag.n ? tag.n - 1 : 0)));
}

static void make(struct http_exchange *x, struct str text, int is_packed, struct http_made *ret)
{
    struct str tag = tag_of(x, text), other;

    *ret = (struct http_made){ text, STR_NONE, tag, http_has_tag(x, tag),
                               is_packed ? PACK_VARY : "Authorization, Cookie" };
    if (ret->is_known || !is_packed || !pack_is_taken(x->headers))
        return;
    other = packed_tag(x, tag);
    ret->is_known = http_has_tag(x, other);
    if (!ret->is_known)
        ret->packed = pack_body(&x->arena, text);
    if (ret->is_known || ret->packed.p)
        ret->tag = other;
}

void http_make_json(struct http_exchange *x, const struct value *v, struct http_made *ret)
{
    make(x, json_format(&x->arena, v), 1, ret);
}

void http_answer_made(struct http_exchange *x, const struct http_made *made)
{
    struct err err = ERR_INIT;

    if (arena_status(&x->arena, &err)) {
        http_answer(x, err_http_status(ERR_NOMEM), "application/problem+json", S(NO_MEMORY));
        return;
    }
    http_header(x, "ETag", made->tag);
    http_header(x, "Cache-Control", S("private, no-cache")); /* may be kept, never without asking */
    http_header(x, "Vary", str_from_c(made->vary));
    if (made->is_known) {
        http_answer(x, HTTP_NOT_MODIFIED, "application/json", S(""));
        return;
    }
    if (made->packed.p)
        http_header(x, "Content-Encoding", S("gzip"));
    http_answer(x, 200, "application/json", made->packed.p ? made->packed : made->text);
}

void http_answer_json(struct http_exchange *x, int status, const struct value *v)
{
    struct err err = ERR_INIT;
    struct str body = json_format(&x->arena, v);
    struct http_made made;

    if (arena_status(&x->arena, &err)) {
        http_answer(x, err_http_status(ERR_NOMEM), "application/problem+json", S(NO_MEMORY));
    } else if (status == 200 && str_eq_c(x->method, "GET")) {
        make(x, body, 0, &made);
        http_answer_made(x, &made);
    } else {
        http_answer(x, status, "application/json", body);
    }
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
    value_set_text(&x->arena, v, S("request"), x->id);
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

/* Of a text that others wrote. */
static void add_escaped(struct sb *b, struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        switch (text.p[i]) {
        case '&':
            sb_add_c(b, "&amp;");
            break;
        case '<':
            sb_add_c(b, "&lt;");
            break;
        default:
            sb_add_char(b, text.p[i]);
        }
}

/* As a sentence begins; what begins with a name stays as it is written. */
static void add_sentence(struct sb *b, struct str text)
{
    size_t n = 0;

    while (n < text.n && text.p[n] >= 'a' && text.p[n] <= 'z')
        n++;
    if (n && n < text.n && text.p[n] == ' ') {
        sb_add_char(b, (char)(text.p[0] - 'a' + 'A'));
        text = str_slice(text, 1, text.n);
    }
    add_escaped(b, text);
}

void http_answer_refused_visit(struct http_exchange *x, const struct err *err)
{
    struct sb b;

    if (!page_takes(value_get_text(x->headers, S("accept"), S("")), S("text/html"))) {
        http_answer_error(x, err);
        return;
    }
    sb_init(&b, &x->arena);
    sb_add_c(&b, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
                 "content=\"width=device-width, initial-scale=1\"><title>Not signed in</title>"
                 "<link rel=\"stylesheet\" href=\"/app/style.css\"><main class=\"alone\"><h1>Not "
                 "signed in</h1><div class=\"notice failed\" role=\"alert\">");
    add_sentence(&b, render_safe(&x->arena, str_from_c(err->text)));
    sb_add_c(&b, ".</div><a class=\"button primary\" href=\"/sign-in\">Back to signing in</a>"
                 "</main></html>\n");
    http_answer(x, err_http_status(err->code), "text/html; charset=utf-8", sb_str(&b));
}
