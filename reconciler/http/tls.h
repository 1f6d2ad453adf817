/*
 * tls: the certificate that is shown to who comes by TCP. SPDX-License-Identifier: Apache-2.0
 *
 * It is read again when somebody says so. What cannot be used is refused and the one before stays; a
 * connection keeps what it was shown until it ends. An expired one is served on: a browser can be told to
 * go on, nobody can be told who finds nothing.
 *
 * Owns     the certificates and keys that are in use.
 * Thread   the loop's; opening and reading again are short.
 * Fails    ERR_INVALID: not a certificate, not its key; ERR_NOT_FOUND, ERR_IO; ERR_NOMEM.
 */
#pragma once

#include <gnutls/abstract.h>

#include "base/err.h"
#include "base/str.h"

#define TLS_CHAIN_MAX 16
#define TLS_FILE_MAX (256u << 10)
/* 1.2 and 1.3. */
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct tls;
struct tls_shown { /* a certificate while somebody was shown it */
    gnutls_pcert_st chain[TLS_CHAIN_MAX];
    unsigned n_chain;
    gnutls_privkey_t key;
    size_t n_users;
};

int tls_open(struct str certificate, struct str key, struct tls **ret, struct err *err);
int tls_reload(struct tls *t, struct err *err);
void tls_close(struct tls *t);
/* The one of now, which stays until it was given back. */
struct tls_shown *tls_take(struct tls *t);
void tls_give(struct tls_shown *shown);
