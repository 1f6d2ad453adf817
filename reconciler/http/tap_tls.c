/* The same for what is sealed. SPDX-License-Identifier: Apache-2.0 */
#include <gnutls/gnutls.h>

#include "reconciler/http/server_parts.h"
#include "reconciler/http/tap.h"

static _Thread_local int sealed;

void tap_tls_set(int is_sealed)
{
    sealed = is_sealed;
}

int tap_tls_is_set(void)
{
    return sealed;
}

/* That of the library without this name: the number of the record is left over. */
static ssize_t read_record(void *session, char *ret, size_t n)
{
    unsigned char number[8];

    return gnutls_record_recv_seq(session, ret, n, number);
}

ssize_t gnutls_record_recv(gnutls_session_t session, void *bytes, size_t n)
{
    struct connection *c;

    if (!sealed)
        return read_record(session, bytes, n);
    c = server_connection(gnutls_session_get_ptr(session));
    return c ? tap_read(c, &(struct tap_source){ read_record, session, GNUTLS_E_AGAIN }, bytes, n)
             : GNUTLS_E_PULL_ERROR;
}
