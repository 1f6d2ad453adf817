/* Where logs go. SPDX-License-Identifier: Apache-2.0 */
#include "base/network.h"
#include "specs/normalise_daemon.h"
#include "specs/schema_path.h"

static int is_one_of(const struct value *networks, const struct network *address)
{
    struct network one;

    for (size_t i = 0; i < value_count(networks); i++)
        if (!network_parse(value_item(networks, i)->u.text, &one) &&
            one.n_bytes == address->n_bytes && network_has(&one, address->b, address->n_bytes))
            return 1;
    return 0;
}

/* What a name leads to is looked at when it is connected to; an address is known now. */
static void check_clear(const struct daemon_check *c, const struct value *drain)
{
    const struct value *at = value_get(drain, S("address"));
    const struct value *transport = value_get(drain, S("transport"));
    struct str rest = at ? at->u.text : STR_NONE, host;
    struct network address;

    if (!at || !transport || str_eq_c(transport->u.text, "tls") || !str_next(&rest, ':', &host) ||
        network_parse(host, &address))
        return;
    if (address.b[0] == 127 || is_one_of(value_at(c->daemon, S("egress.allow")), &address))
        return;
    spec_message_add(c->m, SPEC_ERROR, at->place, S("tls"),
                     S("transport: tls, or add the network to egress.allow"),
                     "log_drains: %.*s would be sent to in clear, and is neither of this machine "
                     "nor in egress.allow",
                     STR_ARG(at->u.text));
}

void normalise_daemon_check_drains(const struct daemon_check *c)
{
    const struct value *drains = value_get(c->daemon, S("log_drains"));

    for (size_t i = 0; i < value_count(drains); i++) {
        const struct value *one = drains->u.map.entries[i].value;
        const struct value *ca = value_get(one, S("ca_file"));
        struct str transport = value_get_text(one, S("transport"), S("tls"));

        check_clear(c, one);
        if (ca && !str_eq_c(transport, "tls"))
            spec_message_add(c->m, SPEC_ERROR, ca->place, S("tls"), STR_NONE,
                             "log_drains: ca_file is of tls, and the transport is %.*s",
                             STR_ARG(transport));
    }
}
