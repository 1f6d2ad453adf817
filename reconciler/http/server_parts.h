/*
 * server_parts: what the files of the server share. SPDX-License-Identifier: Apache-2.0
 *
 * Thread   the loop's.
 */
#pragma once

#include <microhttpd.h>

#include "reconciler/http/connections.h"
#include "reconciler/http/server.h"
#include "reconciler/http/tls.h"

struct http_server {
    struct loop *loop;
    struct MHD_Daemon *daemon;
    struct loop_watch *watch;
    struct loop_timer *timer;
    struct connections connections;
    enum http_door door;
    const struct value *hosts;
    struct tls *tls;
    http_handle *handle;
    http_admit *admit;
    void (*over)(void *ctx, struct http_exchange *x);
    void *ctx;
    int64_t refused_ms; /* when we last told of one */
    char *path;         /* of the socket file */
    struct http_given *given;
    int quiesced_fd; /* the listening socket while we stop */
    int runs_again;  /* something was done that libmicrohttpd does not tell of */
    loop_fn *ended;
    void *ended_ctx;
};

/* Let libmicrohttpd run before the loop waits again. */
void server_run_soon(void *server);
struct connection *server_connection(struct MHD_Connection *connection);

/* Handlers of libmicrohttpd; ctx is the server. */
enum MHD_Result server_request(void *ctx, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *n_data, void **own);
void server_request_over(void *ctx, struct MHD_Connection *connection, void **own,
                         enum MHD_RequestTerminationCode code);

/* Headers that every answer has, and those of the exchange. */
void server_add_headers(const struct http_exchange *x, struct MHD_Response *response);
/* What it was answered with, and when. */
void server_note_answer(struct http_exchange *x, int status);
/* The request of the stream is over. */
void server_stream_over(struct http_stream *stream);
