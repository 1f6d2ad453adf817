/*
 * stream: bytes one way, to somebody who answers nothing. SPDX-License-Identifier: Apache-2.0
 *
 * TCP, TLS (the certificate is of that host, by an authority that is trusted), or datagrams. The address that is looked up is
 * checked and then connected to. Over TCP nobody says what was read: who sends keeps what he may have to send again.
 *
 * Owns     a connection from stream_open() to stream_close().
 * Thread   one at a time, of a pool: it blocks, for `timeout_ms` at most, and stops early where `stop` becomes non-zero.
 * Fails    ERR_REFUSED: the address is not one that may be reached; ERR_UNREACHABLE, ERR_TIMEOUT, ERR_CANCELLED, ERR_INVALID.
 */
#pragma once

#include <stdatomic.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/network.h"

enum stream_kind { STREAM_TCP, STREAM_TLS, STREAM_UDP };

struct stream_request {
    enum stream_kind kind;
    const char *host;
    int port;
    const char *ca_file;           /* NULL: the system's */
    int may_public;                /* an address of the public internet */
    const struct network *allowed; /* these all the same */
    size_t n_allowed;
    int64_t timeout_ms;
    const atomic_int *stop; /* NULL: nobody stops it */
};

struct stream;

int stream_open(const struct stream_request *in, struct stream **ret, struct err *err);
/* 0: nobody closed it as far as we were told. */
int stream_is_cut(struct stream *s);
/* All of it, or an error: then nobody knows how much. Of UDP one datagram. */
int stream_send(struct stream *s, struct str bytes, int64_t timeout_ms, const atomic_int *stop,
                struct err *err);
/* Also of NULL. */
void stream_close(struct stream *s);
