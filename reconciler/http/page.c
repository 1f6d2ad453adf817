/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/page.h"

#include <strings.h>

#define FILES "/app/"
#define DOCUMENT "index.html"
#define HTTP_NOT_MODIFIED 304

const struct page_file *page_find(struct str path)
{
    struct str wanted = str_starts(path, S(FILES)) ? str_slice(path, sizeof(FILES) - 1, path.n)
                                                   : S(DOCUMENT);

    for (size_t i = 0; i < page_n_files; i++)
        if (str_eq_c(wanted, page_files[i].path))
            return &page_files[i];
    return NULL;
}

static int is_word(struct str text, struct str word)
{
    return text.n == word.n && !strncasecmp(text.p, word.p, word.n);
}

/* "q=0", "q=0.0" and so on: never. */
static int is_refused(struct str parameters)
{
    struct str one;

    while (str_next(&parameters, ';', &one)) {
        one = str_trim(one);
        if (one.n < 2 || strncasecmp(one.p, "q=", 2) != 0)
            continue;
        for (size_t i = 2; i < one.n; i++)
            if (one.p[i] != '0' && one.p[i] != '.')
                return 0;
        return 1;
    }
    return 0;
}

int page_takes(struct str accepted, struct str what)
{
    struct str one, name;

    while (str_next(&accepted, ',', &one)) {
        (void)str_next(&one, ';', &name);
        if (is_word(str_trim(name), what))
            return !is_refused(one);
    }
    return 0;
}

/* What is nowhere is nothing that may be known already: it is sent whole, each time. */
static void send_file(struct http_exchange *x, const struct page_file *file, int status)
{
    int is_gzip = page_takes(value_get_text(x->headers, S("accept-encoding"), S("")), S("gzip"));
    struct str tag = str_fmt(&x->arena, "\"%s%s\"", file->tag, is_gzip ? "-gzip" : "");

    http_header(x, "ETag", tag);
    http_header(x, "Cache-Control", S("no-cache")); /* kept, and asked for again each time: 304 */
    http_header(x, "Vary", status == 200 ? S("Accept-Encoding") : S("Accept, Accept-Encoding"));
    if (status == 200 && http_has_tag(x, tag)) {
        http_answer(x, HTTP_NOT_MODIFIED, file->type, S(""));
        return;
    }
    if (is_gzip)
        http_header(x, "Content-Encoding", S("gzip"));
    http_answer(x, status, file->type, is_gzip ? file->gz : file->raw);
}

int page_answer_nowhere(struct http_exchange *x)
{
    if (!str_eq_c(x->method, "GET") || str_eq_c(x->path, "/api") ||
        str_starts(x->path, S("/api/")) ||
        !page_takes(value_get_text(x->headers, S("accept"), S("")), S("text/html")))
        return 0;
    send_file(x, page_find(S("/")), err_http_status(ERR_NOT_FOUND));
    return 1;
}

void page_answer(struct http_exchange *x)
{
    const struct page_file *file = page_find(x->path);
    struct err err = ERR_INIT;

    if (file) {
        send_file(x, file, 200);
    } else if (!page_answer_nowhere(x)) {
        (void)err_set(&err, ERR_NOT_FOUND, "the page has no file '%.*s'", STR_ARG(x->path));
        http_answer_error(x, &err);
    }
}
