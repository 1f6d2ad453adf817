/* Connections that stay open, ended a few at a time. SPDX-License-Identifier: Apache-2.0
 *
 * `show sess` names each by a pointer; one that has ended meanwhile is not there any more, which is as good. */
#include "providers/haproxy/facts.h"
#include "providers/haproxy/runtime.h"
#include "providers/haproxy/store.h"

/* "0x55..: proto=tcpv4 src=.. fe=.. be=b3 srv=s0 ts=.." */
static struct str shed_field(struct str line, struct str name)
{
    struct str word;

    while (str_next(&line, ' ', &word))
        if (str_starts(word, name))
            return str_slice(word, name.n, word.n);
    return STR_NONE;
}

static int shed_is_named(const struct value *servers, struct str address)
{
    for (size_t i = 0; i < value_count(servers); i++)
        if (value_is(value_item(servers, i), VALUE_TEXT) &&
            str_eq(value_item(servers, i)->u.text, address))
            return 1;
    return !servers;
}

/* The names that the servers have in the proxy, as keys. */
static int shed_servers(struct haproxy_call *c, struct str backend, struct map *ret)
{
    const struct value *servers = value_get(c->desired, S("servers"));
    struct haproxy_stats stats;
    int rc = haproxy_read_stats(c, backend, &stats);

    map_init(ret, c->arena);
    for (size_t i = 0; !rc && i < stats.rows.n; i++)
        if (!str_eq(stats.rows.p[i].name, S("BACKEND")) &&
            shed_is_named(servers, stats.rows.p[i].address))
            map_put(ret, stats.rows.p[i].name, NULL);
    return rc;
}

static int shed_one(struct haproxy_call *c, struct str line)
{
    struct str pointer = str_slice(line, 0, str_find_char(line, ':')), ignored; /* it may be gone */

    c->acted = RV_ACTED_MAYBE;
    return HAPROXY_ASK(c, &ignored, S("shutdown"), S("session"), pointer);
}

int haproxy_shed(struct haproxy_call *c)
{
    struct haproxy_glance backend = haproxy_store_glance(c);
    int64_t n = 0, most = value_get_int(c->desired, S("n"), 0);
    struct value *out = value_map(c->arena);
    struct str answer, line;
    struct map servers;
    int rc;

    if (!backend.id.n)
        return haproxy_fail(c, RV_ABSENT, "nothing of '%.*s' is here",
                            STR_ARG(kit_str(c->op->owner)));
    if ((rc = shed_servers(c, backend.id, &servers)) ||
        (rc = HAPROXY_ASK(c, &answer, S("show"), S("sess"))))
        return rc;
    while (n < most && str_next(&answer, '\n', &line)) {
        if (!str_starts(line, S("0x")) || !str_eq(shed_field(line, S("be=")), backend.id) ||
            !map_has(&servers, shed_field(line, S("srv="))))
            continue;
        if ((rc = shed_one(c, line)))
            return rc;
        n++;
    }
    value_set_int(c->arena, out, S("n"), n);
    c->ret->observed = kit_give_json(c->h, c->arena, out);
    return haproxy_fail(c, c->ret->observed.p ? RV_DONE : RV_RETRY, "%s", "");
}
