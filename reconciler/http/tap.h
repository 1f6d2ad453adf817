/*
 * tap: what libmicrohttpd reads of a connection passes the intake. SPDX-License-Identifier: Apache-2.0
 *
 * It has no hook between the socket and its parser. It calls recv() and gnutls_record_recv(), and a symbol of the
 * program comes before that of a library: tap.c and tap_tls.c define them. Outside of tap_begin() and tap_end(), and on
 * other threads, they are what they always were. Without them no request is taken: one whose head the intake has
 * not read has no exchange.
 *
 * Thread   the loop's.
 */
#pragma once

#include <sys/types.h>

struct connection;
struct connections;

/* Around MHD_run(). Sealed: what is read of the socket itself is not looked at, but what is inside. */
void tap_begin(struct connections *all, int is_sealed);
void tap_end(void);

/* libmicrohttpd runs here, and reads what is inside. What tap.c calls of tap_tls.c is also why a linker takes that
 * file out of its library: one that goes through its arguments once does not see that libmicrohttpd wants it. */
void tap_tls_set(int is_sealed);
int tap_tls_is_set(void);

struct tap_source { /* where the bytes of a connection come from */
    ssize_t (*read)(void *from, char *ret, size_t n);
    void *from;
    ssize_t again; /* what says that there are none now */
};
ssize_t tap_read(struct connection *c, const struct tap_source *source, char *ret, size_t n);
