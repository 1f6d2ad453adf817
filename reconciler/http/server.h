/*
 * server: HTTP/1.1 at one door, inside the loop. SPDX-License-Identifier: Apache-2.0
 *
 * A door is a unix socket or a TCP address. A request is read whole, its connection is suspended, and
 * `handle` gets an exchange, which it answers now or later by one of http_answer*(). The server knows no
 * route and no person: only who connected, and by which name.
 *
 * libmicrohttpd's epoll descriptor is edge-triggered: what it still has to do shows as a timeout of 0
 * alone, so MHD_get_timeout() is asked after every run. It times out neither drips nor a suspended
 * connection; the deadlines here are ours.
 *
 * Owns     the socket file, from http_server_start() to the end of http_server_stop(), unless it was lent.
 * Memory   an exchange and its arena live until its answer was sent.
 * Thread   the loop's.
 * Fails    ERR_LOCKED: somebody listens there; ERR_CONFLICT: the path is something else; ERR_INVALID: no
 *          such address, or in clear to other machines; ERR_IO.
 */
#pragma once

#include <sys/types.h>

#include "reconciler/rt/loop.h"
#include "specs/value.h"

#define HTTP_BODY_MAX (64u << 10)
#define HTTP_BODY_HOOKS_MAX (1u << 20) /* of what forges send */
#define HTTP_CONNECTIONS_MAX 512
#define HTTP_CONNECTIONS_USER_MAX 128    /* of one user */
#define HTTP_UNSENT_USER_MAX (16u << 20) /* of one user's answers, beyond the first */
#define HTTP_CONNECTION_MEMORY 16384     /* libmicrohttpd's own, of one connection */
#define HTTP_ID_DIGITS 16
#define HTTP_GROUPS_MAX 64
#define HTTP_HEADER_MS 10000 /* from the accept to the end of the headers */
#define HTTP_BODY_MS 10000   /* from there to the end of the body */
#define HTTP_IDLE_MS 30000   /* between two requests of a connection */
#define HTTP_SEND_MS 60000   /* from the answer to its last byte */
#define HTTP_DRAIN_MS 5000   /* for clients that are slow while we stop */
#define HTTP_STREAM_MS 20000 /* from what was pushed into a stream to its last byte */
#define HTTP_CONNECTIONS_TCP_MAX 2048
#define HTTP_CONNECTIONS_ADDRESS_MAX 256

enum http_door { HTTP_DOOR_SOCKET, HTTP_DOOR_API, HTTP_DOOR_HOOKS, N_HTTP_DOORS };

/* A listening socket that was there before the server, or that goes on after it. */
struct http_given {
    int fd;      /* -1: none, or a server has it */
    int is_lent; /* by who keeps it: it is given back, and neither shut nor its file removed */
    int goes_on; /* ours is given back, too */
};

/* SO_PEERCRED and SO_PEERGROUPS of the connection. */
struct http_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    size_t n_groups;
    gid_t groups[HTTP_GROUPS_MAX];
};

struct http_server;
struct http_stream;
struct tls;
struct MHD_Connection;

struct http_exchange {
    struct arena arena;
    enum http_door door;
    struct str method, path;
    const struct value *query, *headers; /* as of head.h */
    struct str body;
    struct http_peer peer; /* nobody at a TCP door */
    struct str address;    /* who asks, without port; "" at the socket */
    struct str id;         /* of the request: in its answer, in problems and in the log */
    struct str network;    /* what one customer has: the address, of IPv6 its first half */
    int is_tls;
    /* the server's own */
    struct http_server *server;
    struct MHD_Connection *connection;
    char id_text[HTTP_ID_DIGITS +
                 1];            /* not in the arena, which an answer that is refused gives up */
    struct http_stream *stream; /* NULL: none */
    struct sb received;
    struct value *answer_headers; /* [{name: text}] */
    size_t n_received;
    int64_t began_ms, answered_ms; /* by the loop's clock; answered_ms 0: not yet */
    int status;                    /* of the answer */
    const char *route;             /* as its row has it, for who counts; NULL: it has none */
    int refused;                   /* ERR_* to be answered once it was read; 0: none */
    int is_handled, is_answered;
};

typedef void http_handle(void *ctx, struct http_exchange *x);
/* Not 0: the connection ends before anything is read. */
typedef int http_admit(void *ctx, const struct http_peer *peer, struct err *err);

struct http_server_options {
    struct loop *loop;
    enum http_door door;
    const char *socket_path;   /* HTTP_DOOR_SOCKET */
    struct str listen;         /* elsewhere: HOST:PORT; STR_NONE: wherever what was lent listens */
    struct http_given *given;  /* NULL: the socket is opened and closed here; outlives the server */
    const struct value *hosts; /* names it answers to there; NULL: those of this machine */
    struct tls *tls;           /* NULL: in clear, on this machine alone; outlives the server */
    http_handle *handle;
    http_admit *admit; /* NULL: everybody */
    /* A request is over, answered or not (status 0); NULL: nobody counts. */
    void (*over)(void *ctx, struct http_exchange *x);
    void *ctx;
    int64_t header_ms, body_ms, idle_ms, stream_ms; /* 0: as above; shorter in tests */
};

int http_server_start(const struct http_server_options *options, struct http_server **ret,
                      struct err *err);
/* No new connection; what is being handled must still be answered. `ended` is called once, at once where
 * nobody is connected, after which the server and its socket file are gone. */
void http_server_stop(struct http_server *s, loop_fn *ended, void *ctx);

/* Of the answer, before it is given; one more of that name. A value that no header can hold is left out. */
void http_header(struct http_exchange *x, const char *name, struct str value);
/* One of these, once. Bodies are borrowed from the exchange's arena or static. */
void http_answer(struct http_exchange *x, int status, const char *type, struct str body);
void http_answer_json(struct http_exchange *x, int status, const struct value *v);
/* The same of 200 in two steps, of which the first is on any thread: what is long takes its time. It is sent compressed
 * to who takes it so (pack.h). */
struct http_made {
    struct str text, packed, tag; /* packed: STR_NONE: sent as it is */
    int is_known;                 /* to who asks, by its tag */
    const char *vary;
};
void http_make_json(struct http_exchange *x, const struct value *v, struct http_made *ret);
void http_answer_made(struct http_exchange *x, const struct http_made *made);
/* Whether the asker has it by If-None-Match; a weak tag is as good for reading. */
int http_has_tag(const struct http_exchange *x, struct str tag);
/* RFC 9457: type, title, status, detail, code. */
void http_answer_error(struct http_exchange *x, const struct err *err);
/* With members besides those of every error. */
void http_answer_refusal(struct http_exchange *x, const struct err *err,
                         const struct value *besides);

/* The same for a person whom a browser has brought here, with a way back to signing in; to who takes no HTML as
 * above. */
void http_answer_refused_visit(struct http_exchange *x, const struct err *err);

/* An answer without an end. What is pushed is copied and sent; nothing more may be pushed until that was
 * taken, so that a stream never holds more than one push. Who does not take it within HTTP_STREAM_MS is cut.
 * `taken` is called when there is room, first when the headers were sent; `ended` once, when the client is
 * gone or http_stream_end() has done its work: the exchange and the stream are gone then. */
struct http_stream_calls {
    void (*taken)(void *ctx, struct http_stream *stream);
    loop_fn *ended;
    void *ctx;
};
/* Instead of http_answer(). Not 0: it was answered with this error. */
int http_stream_begin(struct http_exchange *x, const char *type,
                      const struct http_stream_calls *calls);
int http_stream_has_room(const struct http_stream *stream);
/* Without memory for it the connection is cut. */
void http_stream_push(struct http_stream *stream, struct str bytes);
void http_stream_end(struct http_stream *stream);
