/* An answer, on its way. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/http/server_parts.h"

#define ANSWER_SMALL 4096

/* The page is the one thing here that a browser runs: scripts and styles of ours, in files of their own. */
static const struct {
    const char *name, *value;
} always[] = {
    { "Cache-Control", "no-store" },
    { "Content-Security-Policy",
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
      "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'" },
    { "X-Content-Type-Options", "nosniff" },
    { "X-Frame-Options", "DENY" },
    { "Referrer-Policy", "no-referrer" },
    { "Cross-Origin-Resource-Policy", "same-origin" },
    { "Cross-Origin-Opener-Policy", "same-origin" },
};

#define REQUEST_ID "X-Request-Id"
#define HSTS "max-age=31536000"

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    (void)MHD_add_response_header(response, name, value); /* refused: left out */
}

static int has_header(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < value_count(x->answer_headers); i++)
        if (value_get(value_item(x->answer_headers, i), str_from_c(name)))
            return 1;
    return 0;
}

void server_add_headers(const struct http_exchange *x, struct MHD_Response *response)
{
    for (size_t i = 0; i < N_ELEMENTS(always); i++)
        if (!has_header(x, always[i].name))
            add_header(response, always[i].name, always[i].value);
    if (x->id.p)
        add_header(response, REQUEST_ID, x->id.p);
    if (x->is_tls)
        add_header(response, "Strict-Transport-Security", HSTS);
    for (size_t i = 0; i < value_count(x->answer_headers); i++) {
        const struct value_entry *e = value_item(x->answer_headers, i)->u.map.entries;

        add_header(response, e->key.p, e->value->u.text.p);
    }
}

void http_header(struct http_exchange *x, const char *name, struct str value)
{
    struct str text = str_copy(&x->arena, value);
    struct value *one;

    PRE(!x->is_answered);
    if (!text.p)
        return;
    one = value_map(&x->arena);
    value_set_text(&x->arena, one, str_from_c(name), text);
    value_add(&x->arena, x->answer_headers, one);
}

void server_note_answer(struct http_exchange *x, int status)
{
    x->status = status;
    x->answered_ms = loop_mono_ms(x->server->loop);
}

static void queue_answer(struct http_exchange *x, int status, const char *type, struct str body)
{
    struct connection *c = server_connection(x->connection);
    union {
        const char *in;
        void *out;
    } bytes = { .in = body.p ? body.p : "" }; /* libmicrohttpd does not write through it */
    struct MHD_Response *response = MHD_create_response_from_buffer(body.n, bytes.out,
                                                                    MHD_RESPMEM_PERSISTENT);
    int closes = !x->is_handled || c->all->is_stopping;

    server_note_answer(x, status);
    connections_enter(c, CONNECTIONS_SENDS);
    c->n_unsent = body.n;
    if (response) {
        add_header(response, "Content-Type", type);
        server_add_headers(x, response);
        if (closes)
            add_header(response, "Connection", "close");
    }
    if (!response || MHD_queue_response(x->connection, (unsigned)status, response) != MHD_YES)
        connections_cut(c);
    if (response)
        MHD_destroy_response(response);
}

void http_answer(struct http_exchange *x, int status, const char *type, struct str body)
{
    struct err err = ERR_INIT;

    PRE(!x->is_answered);
    if (body.n > ANSWER_SMALL && !connections_may_send(server_connection(x->connection), body.n)) {
        arena_reset(&x->arena); /* that answer is never sent */
        x->answer_headers = value_list(&x->arena);
        (void)err_set(&err, ERR_BUSY, "answers to you wait to be read: read them first");
        http_answer_error(x, &err);
        return;
    }
    x->is_answered = 1;
    queue_answer(x, status, type, body);
    if (x->is_handled)
        MHD_resume_connection(x->connection);
    server_run_soon(x->server);
}
