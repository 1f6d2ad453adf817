/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/rule.h"

#include <inttypes.h>

#include "base/guard.h"
#include "specs/json_io.h"

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

static int rule_is_for(const struct value *allowed, const char *use)
{
    const struct value *uses = value_get(allowed, S("for"));

    for (size_t i = 0; i < value_count(uses); i++)
        if (!use || str_eq_c(value_item(uses, i)->u.text, use))
            return 1;
    return 0;
}

/* The line that covers the path and is for this use; `use` NULL: for any. */
static const struct value *rule_find_secret(const struct value *rule, const struct value *used,
                                            const char *use)
{
    const struct value *allowed = value_get(rule, S("secrets"));
    struct str store = value_get_text(used, S("store"), STR_NONE);
    struct str path = value_get_text(used, S("path"), STR_NONE);

    for (size_t i = 0; i < value_count(allowed); i++) {
        const struct value *line = value_item(allowed, i);
        struct str rest = value_get_text(line, S("path"), STR_NONE), at;

        if (str_next(&rest, ':', &at) && str_eq(at, store) && rule_path_covers(rest, path) &&
            rule_is_for(line, use))
            return line;
    }
    return NULL;
}

/* A store of variables takes both cases, and '-' for '_'. */
static int rule_is_same_word(struct str a, struct str b)
{
    size_t i = 0;

    while (a.n == b.n && i < a.n &&
           (a.p[i] == b.p[i] || (a.p[i] | 0x20) == (b.p[i] | 0x20) ||
            (str_find_char(S("-_"), a.p[i]) != STR_NPOS &&
             str_find_char(S("-_"), b.p[i]) != STR_NPOS)))
        i++;
    return a.n == b.n && i == a.n;
}

/* What the daemon itself signs in with is nobody else's, whatever a rule says. */
static int rule_is_daemons(const struct value *rule, const struct value *used)
{
    const struct value *own = value_get(rule, S("own_secrets"));
    struct str path = value_get_text(used, S("path"), STR_NONE);

    if (!str_eq(value_get_text(used, S("store"), STR_NONE), rule_default_store(rule)))
        return 0;
    for (size_t i = 0; i < value_count(own); i++)
        if (rule_is_same_word(value_item(own, i)->u.text, path))
            return 1;
    return 0;
}

struct str rule_generated_store(struct normalise *n, struct value_place place)
{
    struct str store = value_get_text(n->in->rule, S("generated_store"), S(""));

    if (n->in->rule && !store.n)
        normalise_complain(n, place, "generated", STR_NONE,
                           "secrets.generated of the daemon's configuration names no store");
    return store;
}

struct str rule_generated_path(const struct value *rule)
{
    return value_get_text(rule, S("generated_path"), S("generated"));
}

int rule_store_is_in_commit(const struct value *rule, struct str store)
{
    const struct value *stores = value_get(rule, S("commit_stores"));

    for (size_t i = 0; i < value_count(stores); i++)
        if (str_eq(value_item(stores, i)->u.text, store))
            return 1;
    return 0;
}

static int rule_is_of_generate(const struct value *rule, const struct value *used)
{
    struct str generated = value_get_text(rule, S("generated_store"), S(""));

    return generated.n && str_eq(value_get_text(used, S("store"), STR_NONE), generated) &&
           rule_path_covers(rule_generated_path(rule), value_get_text(used, S("path"), STR_NONE));
}

int rule_gives_secret(const struct value *rule, const struct value *used, const char *use)
{
    if (value_get(used, S("generate")))
        return rule != NULL;
    return rule && !rule_is_daemons(rule, used) && !rule_is_of_generate(rule, used) &&
           rule_find_secret(rule, used, use) != NULL;
}

void rule_check_secret(struct normalise *n, struct str name, const struct value *used,
                       const char *use, struct value_place place)
{
    const struct value *rule = n->in->rule, *other;
    struct str store = value_get_text(used, S("store"), STR_NONE);
    struct str path = value_get_text(used, S("path"), STR_NONE);

    if (!rule)
        return;
    other = rule_find_secret(rule, used, NULL);
    if (rule_is_daemons(rule, used))
        normalise_complain(n, place, "refused-secret", STR_NONE,
                           "secret '%.*s': %.*s:%.*s is the daemon's own", STR_ARG(name),
                           STR_ARG(store), STR_ARG(path));
    else if (rule_is_of_generate(rule, used))
        normalise_complain(n, place, "refused-secret", STR_NONE,
                           "secret '%.*s': what lies below %.*s:%.*s is had by `generate` alone",
                           STR_ARG(name), STR_ARG(store), STR_ARG(rule_generated_path(rule)));
    else if (rule_store_is_in_commit(rule, store) && value_get(used, S("key")))
        normalise_complain(n, place, "refused-secret", STR_NONE,
                           "secret '%.*s': a sealed file holds one value, it has no keys",
                           STR_ARG(name));
    else if (!other)
        normalise_complain(n, place, "refused-secret", STR_NONE,
                           "secret '%.*s': %.*s:%.*s is not allowed " RULE_AT, STR_ARG(name),
                           STR_ARG(store), STR_ARG(path), RULE_AT_ARG(rule));
    else if (!rule_find_secret(rule, used, use))
        normalise_complain(n, place, "refused-secret", STR_NONE,
                           "secret '%.*s': %.*s:%.*s is not for %s: %.*s:%u:%u, in the rule at "
                           "%.*s:%u:%u, says what it is for",
                           STR_ARG(name), STR_ARG(store), STR_ARG(path), use,
                           STR_ARG(value_file(other->place)), other->place.line,
                           other->place.column, RULE_AT_ARG(rule));
}

/* --- images, buckets, data ----------------------------------------------------------------------- */

/* Parts are compared; what is allowed may end with '/'. */
static int rule_covers(const struct value *allowed, struct str path)
{
    for (size_t i = 0; i < value_count(allowed); i++) {
        struct str one = value_item(allowed, i)->u.text;

        if (str_ends(one, S("/")))
            one.n--;
        if (rule_path_covers(one, path))
            return 1;
    }
    return 0;
}

/* A tag or digest stands behind the last part. */
void rule_check_image(struct normalise *n, const struct value *image)
{
    struct str path = image ? image->u.text : STR_NONE;
    size_t at = image ? str_find_char(path, '@') : STR_NPOS;

    if (at != STR_NPOS)
        path = str_slice(path, 0, at);
    for (at = path.n; at > 0 && path.p[at - 1] != '/' && path.p[at - 1] != ':';)
        at--;
    if (at && path.p[at - 1] == ':')
        path = str_slice(path, 0, at - 1);
    if (image && n->in->rule && !rule_covers(value_get(n->in->rule, S("registries")), path))
        normalise_complain(n, image->place, "refused-registry", STR_NONE,
                           "image '%.*s' is not allowed " RULE_AT, STR_ARG(image->u.text),
                           RULE_AT_ARG(n->in->rule));
}

void rule_check_bucket(struct normalise *n, const struct value *destination)
{
    const struct value *bucket = value_get(destination, S("bucket"));
    struct str prefix = value_get_text(destination, S("prefix"), S("")), path;

    if (!bucket || !n->in->rule)
        return;
    path = str_fmt(n->arena, "%.*s/%.*s", STR_ARG(bucket->u.text), STR_ARG(prefix));
    if (!rule_covers(value_get(n->in->rule, S("buckets")), path))
        normalise_complain(n, bucket->place, "refused-bucket", STR_NONE,
                           "bucket '%.*s' is not allowed " RULE_AT, STR_ARG(path),
                           RULE_AT_ARG(n->in->rule));
}

static int rule_lists(const struct value *list, struct str text)
{
    for (size_t i = 0; i < value_count(list); i++)
        if (str_eq(value_item(list, i)->u.text, text))
            return 1;
    return 0;
}

void rule_check_seed(struct normalise *n, const struct value *environment)
{
    if (environment && n->in->rule &&
        !rule_lists(value_get(n->in->rule, S("seed_from")), environment->u.text))
        normalise_complain(n, environment->place, "refused-seed", STR_NONE,
                           "the data of environment '%.*s' is not allowed here " RULE_AT,
                           STR_ARG(environment->u.text), RULE_AT_ARG(n->in->rule));
}

void rule_check_waiver(struct normalise *n, const struct value *rule_id)
{
    if (n->in->rule && !rule_lists(value_at(n->in->rule, S("floor.waivable")), rule_id->u.text))
        normalise_complain(n, rule_id->place, "refused-waiver", STR_NONE,
                           "rule '%.*s' may not be waived: it is not among floor.waivable of the "
                           "rule at %.*s:%u:%u",
                           STR_ARG(rule_id->u.text), RULE_AT_ARG(n->in->rule));
}

struct str rule_driver(const struct value *rule, struct str provider)
{
    return value_get_text(value_get(rule, S("drivers")), provider, S(""));
}

struct str rule_provider(struct normalise *n, const char *kind, const struct value *asked,
                         struct value_place place)
{
    const struct value *allowed = value_at(n->in->rule, S("providers"));
    struct str wanted = value_is(asked, VALUE_TEXT) ? asked->u.text : STR_NONE;

    allowed = value_get(allowed, str_from_c(kind));
    if (!n->in->rule)
        return wanted.p ? wanted : S("");
    if (value_is(allowed, VALUE_TEXT) && (!wanted.p || str_eq(wanted, allowed->u.text)))
        return allowed->u.text;
    for (size_t i = 0; i < value_count(allowed); i++)
        if (!wanted.p || str_eq(value_item(allowed, i)->u.text, wanted))
            return value_item(allowed, i)->u.text;
    if (wanted.p)
        normalise_complain(n, asked->place, "refused-provider", STR_NONE,
                           "provider '%.*s' is not allowed " RULE_AT, STR_ARG(wanted),
                           RULE_AT_ARG(n->in->rule));
    else
        normalise_complain(
            n, place, "refused-provider", str_fmt(n->arena, "set providers.%s of that rule", kind),
            "no provider for %s is allowed " RULE_AT, kind, RULE_AT_ARG(n->in->rule));
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

void rule_check_trailer(struct normalise *n, const struct value *release)
{
    const struct value *written = value_get(release, S("schema_change"));
    struct str trailer = n->in->schema_change;
    int rank = trailer.n ? spec_schema_change(trailer) : -1;

    if (!trailer.n || !written)
        return;
    if (rank < 0)
        normalise_complain(n, release->place, "refused-trailer",
                           S("allowed: none expand contract irreversible"),
                           "the commit says 'Schema-Change: %.*s'", STR_ARG(trailer));
    else if (rank < spec_schema_change(written->u.text))
        normalise_complain(n, written->place.line ? written->place : release->place,
                           "refused-trailer", STR_NONE,
                           "the commit says 'Schema-Change: %.*s', which may only raise '%.*s'",
                           STR_ARG(trailer), STR_ARG(written->u.text));
}

void rule_check_replicas(struct normalise *n, const struct value *replicas)
{
    const struct value *ceiling = value_at(n->in->rule, S("ceiling.replicas"));

    if (value_is(replicas, VALUE_MAP))
        replicas = value_get(replicas, S("max"));
    if (value_is(ceiling, VALUE_INT) && value_is(replicas, VALUE_INT) &&
        replicas->u.number > ceiling->u.number)
        normalise_complain(n, replicas->place, "refused-ceiling", STR_NONE,
                           "%" PRId64 " replicas, at most %" PRId64 " are allowed " RULE_AT,
                           replicas->u.number, ceiling->u.number, RULE_AT_ARG(n->in->rule));
}

void rule_check_network(struct normalise *n, const struct value *asked)
{
    if (n->in->rule && !value_get_bool(n->in->rule, S("build_network"), 0))
        normalise_complain(n, asked->place, "refused-network", STR_NONE,
                           "a build with the network is not allowed " RULE_AT,
                           RULE_AT_ARG(n->in->rule));
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
                           STR_ARG(value_file(written->place)), written->place.line,
                           written->place.column, STR_ARG(rows[i].field),
                           STR_ARG(json_format(n->arena, written)), RULE_AT_ARG(n->in->rule));
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
