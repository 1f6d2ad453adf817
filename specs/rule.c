/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/rule.h"

#include <inttypes.h>

#include "base/guard.h"
#include "specs/json_io.h"

/* "by the rule at /etc/reeve.yaml:42:5" */
#define RULE_AT "by the rule at %.*s:%u:%u"
#define RULE_AT_ARG(rule) STR_ARG((rule)->place.file), (rule)->place.line, (rule)->place.column

struct str rule_default_store(const struct value *rule)
{
    return value_get_text(rule, S("default_store"), S(""));
}

/* "kv/acme" allows itself and "kv/acme/x", not "kv/acmes". */
static int rule_path_covers(struct str allowed, struct str path)
{
    return !allowed.n || str_eq(allowed, path) ||
           (str_starts(path, allowed) && path.p[allowed.n] == '/');
}

static int rule_allows_secret(const struct value *rule, struct str store, struct str path)
{
    const struct value *allowed = value_get(rule, S("secrets"));

    for (size_t i = 0; i < value_count(allowed); i++) {
        struct str rest = value_get_text(value_item(allowed, i), S("path"), STR_NONE), at;

        if (str_next(&rest, ':', &at) && str_eq(at, store) && rule_path_covers(rest, path))
            return 1;
    }
    return 0;
}

void rule_check_secret(struct normalise *n, struct str name, const struct value *used,
                       struct value_place place)
{
    struct str store = value_get_text(used, S("store"), STR_NONE);
    struct str path = value_get_text(used, S("path"), STR_NONE);

    if (n->in->rule && !rule_allows_secret(n->in->rule, store, path))
        normalise_complain(n, place, "refused-secret", STR_NONE,
                           "secret '%.*s': %.*s:%.*s is not allowed " RULE_AT, STR_ARG(name),
                           STR_ARG(store), STR_ARG(path), RULE_AT_ARG(n->in->rule));
}

struct str rule_provider(struct normalise *n, const char *kind, const struct value *asked,
                         struct value_place place)
{
    const struct value *allowed = value_at(n->in->rule, S("providers"));
    struct str wanted = value_is(asked, VALUE_TEXT) ? asked->u.text : STR_NONE;

    allowed = value_get(allowed, str_from_c(kind));
    if (!n->in->rule)
        return wanted.p ? wanted : S("");
    if (value_is(allowed, VALUE_TEXT))
        return allowed->u.text;
    for (size_t i = 0; i < value_count(allowed); i++)
        if (!wanted.p || str_eq(value_item(allowed, i)->u.text, wanted))
            return value_item(allowed, i)->u.text;
    if (wanted.p)
        normalise_complain(n, asked->place, "refused-provider", STR_NONE,
                           "provider '%.*s' is not allowed " RULE_AT, STR_ARG(wanted),
                           RULE_AT_ARG(n->in->rule));
    else
        normalise_complain(n, place, "refused-provider", STR_NONE,
                           "no provider of %s is allowed " RULE_AT, kind, RULE_AT_ARG(n->in->rule));
    return S("");
}

void rule_check_host(struct normalise *n, const struct value *host)
{
    const struct value *allowed = value_get(n->in->rule, S("domains"));

    for (size_t i = 0; i < value_count(allowed); i++)
        if (rule_host_matches(value_item(allowed, i)->u.text, host->u.text))
            return;
    if (n->in->rule)
        normalise_complain(n, host->place, "refused-domain", STR_NONE,
                           "host '%.*s' is not allowed " RULE_AT, STR_ARG(host->u.text),
                           RULE_AT_ARG(n->in->rule));
}

void rule_check_replicas(struct normalise *n, const struct value *replicas)
{
    const struct value *ceiling = value_at(n->in->rule, S("ceiling.replicas"));

    if (value_is(ceiling, VALUE_INT) && value_is(replicas, VALUE_INT) &&
        replicas->u.number > ceiling->u.number)
        normalise_complain(n, replicas->place, "refused-ceiling", STR_NONE,
                           "%" PRId64 " replicas, at most %" PRId64 " are allowed " RULE_AT,
                           replicas->u.number, ceiling->u.number, RULE_AT_ARG(n->in->rule));
}

struct str rule_branch(struct normalise *n, const struct value *asked)
{
    struct str bound = value_get_text(n->in->rule, S("branch"), STR_NONE);

    if (!value_is(asked, VALUE_TEXT))
        return bound.p ? bound : n->in->branch;
    if (bound.p && !str_eq(bound, asked->u.text))
        normalise_complain(n, asked->place, "refused-branch", STR_NONE,
                           "the environment is bound to branch '%.*s' " RULE_AT, STR_ARG(bound),
                           RULE_AT_ARG(n->in->rule));
    return asked->u.text;
}

static int rule_is_below(const struct value *floor, const struct value *written)
{
    if (value_is(floor, VALUE_TEXT) && value_is(written, VALUE_TEXT))
        return str_eq_c(floor->u.text, "manual") && !str_eq(floor->u.text, written->u.text);
    if (value_is(floor, VALUE_INT) && value_is(written, VALUE_INT))
        return written->u.number < floor->u.number;
    return value_is(floor, VALUE_BOOL) && value_is(written, VALUE_BOOL) && !floor->u.truth &&
           written->u.truth;
}

struct str rule_below_floor(struct normalise *n, const struct value *approval)
{
    static const struct {
        struct str floor, field;
    } rows[] = { { S_INIT("approval"), S_INIT("policy") },
                 { S_INIT("min_approvals"), S_INIT("min_approvals") },
                 { S_INIT("allow_self"), S_INIT("allow_self") } };
    const struct value *floor = value_get(n->in->rule, S("floor"));

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct value *written = value_get(approval, rows[i].field);

        if (written && written->place.line &&
            rule_is_below(value_get(floor, rows[i].floor), written))
            return str_fmt(n->arena,
                           "%.*s:%u:%u: approval.%.*s: %.*s is laxer than the floor of the rule at "
                           "%.*s:%u:%u, which holds",
                           STR_ARG(written->place.file), written->place.line, written->place.column,
                           STR_ARG(rows[i].field), STR_ARG(json_format(n->arena, written)),
                           RULE_AT_ARG(n->in->rule));
    }
    return S("");
}

int rule_name_matches(struct str glob, struct str name)
{
    size_t at = 0, i = 0, star = STR_NPOS, resume = 0;

    while (i < name.n) {
        if (at < glob.n && glob.p[at] == '*') {
            star = at++;
            resume = i;
        } else if (at < glob.n && glob.p[at] == name.p[i]) {
            at++;
            i++;
        } else if (star != STR_NPOS) {
            at = star + 1; /* the last star takes one character more */
            i = ++resume;
        } else {
            return 0;
        }
    }
    while (at < glob.n && glob.p[at] == '*')
        at++;
    return at == glob.n;
}

int rule_host_matches(struct str glob, struct str host)
{
    size_t dot;

    if (!str_starts(glob, S("*.")))
        return str_eq(glob, host);
    dot = str_find_char(host, '.');
    return dot != STR_NPOS && dot > 0 &&
           str_eq(str_slice(glob, 1, glob.n), str_slice(host, dot, host.n));
}
