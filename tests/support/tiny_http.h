/*
 * tiny_http: a small real HTTP/1.1 server for tests. SPDX-License-Identifier: Apache-2.0
 *
 * Each answer is complete (Content-Length), carries `X-App: VERSION` and begins with a line that
 * holds the version. What is served:
 *
 *     GET ANY          "VERSION\nGET /path?query\n"
 *     POST ANY         "VERSION\n" and the body; chunks as they came, without trailers
 *     /headers         "VERSION\n" and the request's head as it arrived
 *     /slow?ms=N       after N ms
 *     /status?code=N   with that status
 *     /healthz         200, or 503 when the health has failed
 *     Upgrade: websocket   but at /headers: 101, then every byte comes back; the key is TINY_HTTP_WEBSOCKET_KEY
 *
 * libc only. One thread serves; SIGTERM is caught by tiny_http_serve() as `term` says.
 * Limits   32 KiB of head, 8 MiB of body, TINY_HTTP_CONNECTIONS_MAX connections.
 */
#pragma once

#include <stdint.h>

#define TINY_HTTP_CONNECTIONS_MAX 1024
#define TINY_HTTP_WEBSOCKET_KEY "AAAAAAAAAAAAAAAAAAAAAA=="

enum tiny_http_term {
    TINY_HTTP_GRACEFUL, /* accept no more, end what runs, return */
    TINY_HTTP_ABRUPT,   /* exit at once */
    TINY_HTTP_IGNORE,
};

struct tiny_http {
    int fd; /* a listening socket */
    const char *version;
    int idle_ms; /* close a connection that is idle for so long, asked something or not; 0: never */
    int status;  /* of ordinary answers; 0: 200 */
    int delay_ms;                 /* before ordinary answers */
    int burn_us;                  /* of a processor, for each of them */
    const char *word;             /* /healthz says {"status":WORD}; NULL: as others */
    int health_fail_ms;           /* /healthz answers 503 from then on; -1: never */
    const char *health_fail_file; /* and as long as there is this one; NULL: none */
    enum tiny_http_term term;
};

/* A socket that listens on 127.0.0.1; port 0 picks one. -1 when that fails. */
int tiny_http_listen(uint16_t port, uint16_t *ret_port);
/* Serve until SIGTERM. */
void tiny_http_serve(const struct tiny_http *options);
