/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/conf.h"

#include <inttypes.h>
#include <string.h>

#include "providers/haproxy/words.h"

static int conf_read_count(const struct value *pool, struct str field, int64_t otherwise,
                           int64_t max, int64_t *ret, struct err *err)
{
    int64_t n = value_get_int(pool, field, otherwise);

    if (n < 1 || n > max)
        return err_set(err, ERR_INVALID, "pool.%.*s %" PRId64 " is not within 1 to %" PRId64,
                       STR_ARG(field), n, max);
    *ret = n;
    return 0;
}

static int conf_read_internal(const struct value *body, struct haproxy_conf *conf, struct err *err)
{
    struct str range = value_get_text(body, S("internal"), STR_NONE);

    if (!range.n)
        return 0;
    if (haproxy_range_parse(range, &conf->internal_first, &conf->internal_last))
        return err_set(err, ERR_INVALID, "internal '%.*s' is not a range of ports", STR_ARG(range));
    if (conf->internal_last - conf->internal_first >= HAPROXY_PORTS_MAX)
        return err_set(err, ERR_LIMIT, "internal '%.*s' is more than %d ports", STR_ARG(range),
                       HAPROXY_PORTS_MAX);
    return 0;
}

static int conf_read_trusted(const struct value *body, struct haproxy_conf *conf, struct err *err)
{
    const struct value *trusted = value_get(body, S("trusted_proxies"));

    for (size_t i = 0; i < value_count(trusted); i++) {
        const struct value *item = value_item(trusted, i);

        if (!value_is(item, VALUE_TEXT) || !haproxy_word_is(item->u.text))
            return err_set(err, ERR_INVALID, "trusted_proxies[%zu] is not an address", i);
    }
    conf->trusted = value_count(trusted) ? trusted : NULL;
    return 0;
}

int haproxy_conf_read(struct arena *a, const struct value *body, struct haproxy_conf *ret,
                      struct err *err)
{
    const struct value *pool = value_get(body, S("pool"));
    struct haproxy_conf conf = {
        .installation = str_copy(a, value_get_text(body, S("installation"), S(""))),
        .directory = str_copy(a, value_get_text(body, S("directory"), STR_NONE)),
        .program = str_copy(a, value_get_text(body, S("program"), S("/usr/sbin/haproxy"))),
        .keeper = str_copy(a, value_get_text(body, S("keeper"), STR_NONE)),
        .http = str_copy(a, value_get_text(body, S("http"), STR_NONE)),
    };
    int rc;

    if (!conf.directory.n || conf.directory.p[0] != '/' ||
        memchr(conf.directory.p, 0, conf.directory.n))
        return err_set(err, ERR_INVALID, "directory '%.*s' is not an absolute path",
                       STR_ARG(conf.directory));
    if (!haproxy_bind_is(conf.http))
        return err_set(err, ERR_INVALID, "http '%.*s' is not ADDRESS:PORT", STR_ARG(conf.http));
    if ((rc = conf_read_internal(body, &conf, err)) || (rc = conf_read_trusted(body, &conf, err)))
        return rc;
    if ((rc = conf_read_count(pool, S("backends"), 256, HAPROXY_BACKENDS_MAX, &conf.n_backends,
                              err)))
        return rc;
    if ((rc = conf_read_count(pool, S("slots"), 8, HAPROXY_SLOTS_MAX, &conf.n_slots, err)))
        return rc;
    if (conf.trusted)
        conf.trusted = value_copy(a, conf.trusted);
    *ret = conf;
    return arena_status(a, err);
}

struct value *haproxy_conf_pool(struct arena *a, const struct haproxy_conf *conf)
{
    struct value *out = value_map(a), *pool = value_map(a);

    value_set_text(a, out, S("http"), conf->http);
    if (conf->internal_first)
        value_set_text(
            a, out, S("internal"),
            str_fmt(a, "%" PRId64 "-%" PRId64, conf->internal_first, conf->internal_last));
    value_set_int(a, pool, S("backends"), conf->n_backends);
    value_set_int(a, pool, S("slots"), conf->n_slots);
    value_set(a, out, S("pool"), pool);
    if (conf->trusted)
        value_set(a, out, S("trusted_proxies"), value_copy(a, conf->trusted));
    return out;
}
