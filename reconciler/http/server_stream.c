/* An answer without an end. SPDX-License-Identifier: Apache-2.0
 *
 * libmicrohttpd asks for bytes; while there are none the connection is suspended. It neither times out nor
 * watches a suspended connection: who is gone is found by the next push. */
#include <string.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "reconciler/http/server_parts.h"

#define BLOCK_BYTES 1024 /* libmicrohttpd's own buffer, as long as the stream */

struct http_stream {
    struct http_exchange *x;
    struct http_stream_calls calls;
    char *bytes; /* of the push that is being sent; NULL: none */
    size_t n, at;
    int is_suspended, is_ending;
};

static ssize_t read_stream(void *ctx, uint64_t at, char *ret, size_t max)
{
    struct http_stream *s = ctx;
    size_t n = s->n - s->at < max ? s->n - s->at : max;

    (void)at;
    if (n) {
        memcpy(ret, s->bytes + s->at, n);
        s->at += n;
        return (ssize_t)n;
    }
    alloc_free(TAKE(s->bytes));
    s->n = s->at = 0;
    if (s->is_ending)
        return MHD_CONTENT_READER_END_OF_STREAM;
    connections_enter(server_connection(s->x->connection), CONNECTIONS_STREAMS);
    MHD_suspend_connection(s->x->connection);
    s->is_suspended = 1;
    s->calls.taken(s->calls.ctx, s);
    return 0;
}

static void resume(struct http_stream *s)
{
    if (!s->is_suspended)
        return;
    s->is_suspended = 0;
    connections_enter(server_connection(s->x->connection), CONNECTIONS_PUSHES);
    MHD_resume_connection(s->x->connection);
    server_run_soon(s->x->server);
}

static int queue_stream(struct http_exchange *x, struct http_stream *s, const char *type)
{
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES,
                                                                      read_stream, s, NULL);
    enum MHD_Result rc = MHD_NO;

    if (response) {
        http_header(x, "Content-Type", str_from_c(type));
        http_header(x, "X-Accel-Buffering", S("no")); /* a proxy in front hands on what comes */
        http_header(x, "Connection", S("close"));     /* its end is the end of the connection */
        server_add_headers(x, response);
        rc = MHD_queue_response(x->connection, MHD_HTTP_OK, response);
        MHD_destroy_response(response);
    }
    return rc == MHD_YES ? 0 : -1;
}

int http_stream_begin(struct http_exchange *x, const char *type,
                      const struct http_stream_calls *calls)
{
    struct http_stream *s = alloc_zero(sizeof(*s));
    struct err err = ERR_INIT;

    PRE(!x->is_answered && x->is_handled);
    if (s)
        *s = (struct http_stream){ .x = x, .calls = *calls };
    if (!s || queue_stream(x, s, type)) {
        alloc_free(s);
        (void)err_set(&err, ERR_NOMEM, "stream: out of memory");
        http_answer_error(x, &err);
        return err.code;
    }
    x->is_answered = 1;
    server_note_answer(x, MHD_HTTP_OK);
    x->stream = s;
    connections_enter(server_connection(x->connection), CONNECTIONS_PUSHES);
    MHD_resume_connection(x->connection);
    server_run_soon(x->server);
    return 0;
}

int http_stream_has_room(const struct http_stream *s)
{
    return s->is_suspended && !s->is_ending;
}

void http_stream_push(struct http_stream *s, struct str bytes)
{
    PRE(http_stream_has_room(s));
    s->bytes = alloc_zero(bytes.n + 1);
    if (s->bytes) {
        memcpy(s->bytes, bytes.p, bytes.n);
        s->n = bytes.n;
    } else {
        connections_cut(server_connection(s->x->connection));
    }
    resume(s);
    server_connection(s->x->connection)->n_unsent = s->n;
}

void http_stream_end(struct http_stream *s)
{
    s->is_ending = 1;
    resume(s);
}

void server_stream_over(struct http_stream *s)
{
    struct http_stream_calls calls = s->calls;

    alloc_free(s->bytes);
    alloc_free(s);
    calls.ended(calls.ctx);
}
