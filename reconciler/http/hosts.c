/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/hosts.h"

#include <strings.h>

#include "base/guard.h"

static const struct str local_names[] = { S_INIT("localhost"), S_INIT("127.0.0.1"),
                                          S_INIT("[::1]") };

static int is_same_name(struct str a, struct str b)
{
    return a.n == b.n && !strncasecmp(a.p, b.p, a.n);
}

/* Host and port less the port. */
static struct str name_of(struct str host)
{
    size_t n = host.n;

    while (n && host.p[n - 1] >= '0' && host.p[n - 1] <= '9')
        n--;
    return n && host.p[n - 1] == ':' ? str_slice(host, 0, n - 1) : host;
}

static int is_local(struct str name)
{
    for (size_t i = 0; i < N_ELEMENTS(local_names); i++)
        if (is_same_name(local_names[i], name))
            return 1;
    return 0;
}

int hosts_is_local(struct str host)
{
    return is_local(name_of(host));
}

static int is_ours(const struct value *hosts, struct str name)
{
    for (size_t i = 0; i < value_count(hosts); i++)
        if (is_same_name(value_item(hosts, i)->u.text, name))
            return 1;
    return !hosts && is_local(name);
}

/* What ends TLS before us makes https of our http. */
static int is_own_origin(const struct hosts_request *in)
{
    static const struct str schemes[] = { S_INIT("https://"), S_INIT("http://") };

    for (size_t i = 0; i < (in->is_tls ? 1 : N_ELEMENTS(schemes)); i++)
        if (str_starts(in->origin, schemes[i]))
            return is_same_name(str_slice(in->origin, schemes[i].n, in->origin.n), in->host);
    return 0;
}

int hosts_check(const struct value *hosts, const struct hosts_request *in, struct err *err)
{
    int changes = !str_eq_c(in->method, "GET") && !str_eq_c(in->method, "HEAD");

    if (!is_ours(hosts, name_of(in->host)))
        return err_set(err, ERR_REFUSED, "'%.*s' is not a name of this daemon: http.hosts",
                       STR_ARG(in->host));
    if (changes && in->origin.p && !is_own_origin(in))
        return err_set(err, ERR_REFUSED, "a page of '%.*s' may not change anything here",
                       STR_ARG(in->origin));
    return 0;
}
