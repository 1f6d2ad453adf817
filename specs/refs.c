/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/refs.h"

#include "base/guard.h"
#include "specs/rule.h"

struct refs {
    struct normalise *n;
    enum refs_use use;
    const char *purpose; /* as a daemon's rule has it */
    struct spec_resource *of;
};

static struct value *refs_value(const struct refs *r, const struct value *v);

void refs_need(struct normalise *n, struct spec_resource *of, const char *kind, struct str name)
{
    struct str need, *slot;

    if (str_eq_c(of->kind, kind) && str_eq(of->name, name))
        return;
    need = str_fmt(n->arena, "%s/%.*s", kind, STR_ARG(name));
    for (size_t i = 0; i < of->needs.n; i++)
        if (str_eq(of->needs.p[i], need))
            return;
    slot = vec_push(n->arena, &of->needs);
    if (slot)
        *slot = need;
}

static const struct value *refs_find(const struct refs *r, const struct value *in, const char *what,
                                     const struct value *name)
{
    const struct value *found = NULL;

    if (!value_is(name, VALUE_TEXT))
        return NULL; /* said already */
    found = value_get(in, name->u.text);
    if (!found)
        normalise_complain(r->n, name->place, "reference",
                           normalise_hint(r->n->arena, name->u.text, in), "there is no %s '%.*s'",
                           what, STR_ARG(name->u.text));
    return found;
}

/* It lies where no other reference leads. */
static void refs_locate_generated(struct normalise *n, struct str name, const struct value *secret,
                                  struct value *used)
{
    static const char *const others[] = { "store", "path", "key", "optional" };
    struct arena *a = n->arena;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const struct value *written = value_get(secret, str_from_c(others[i]));

        if (written && written->place.line)
            normalise_complain(n, written->place, "generated", STR_NONE,
                               "what is generated has no %s of its own", others[i]);
    }
    value_set_text(a, used, S("store"), rule_generated_store(n, secret->place));
    value_set_text(a, used, S("path"),
                   str_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(rule_generated_path(n->in->rule)),
                           STR_ARG(n->environment), STR_ARG(name)));
    value_set_int(a, used, S("generate"), value_get_int(secret, S("generate"), 0));
    value_set_text(a, used, S("encoding"), value_get_text(secret, S("encoding"), S("base64")));
}

/* {store, path, key}, and how it is generated */
static struct value *refs_locate_secret(struct normalise *n, struct str name,
                                        const struct value *secret)
{
    struct value *used = value_map(n->arena);

    if (value_get(secret, S("generate"))) {
        refs_locate_generated(n, name, secret, used);
        return used;
    }
    if (value_get(secret, S("encoding")))
        normalise_complain(n, value_get(secret, S("encoding"))->place, "generated", STR_NONE,
                           "an encoding goes with generate");
    value_set_text(n->arena, used, S("store"),
                   value_get_text(secret, S("store"), rule_default_store(n->in->rule)));
    value_set_text(n->arena, used, S("path"), value_get_text(secret, S("path"), name));
    if (value_get(secret, S("key")))
        value_set_text(n->arena, used, S("key"), value_get_text(secret, S("key"), STR_NONE));
    return used;
}

/* Remembered among those in use and held against the daemon's rule. */
static void refs_use_secret(const struct refs *r, struct str name, const struct value *secret)
{
    struct value *used = map_find(&r->n->used_secrets, name);

    if (!used) {
        used = refs_locate_secret(r->n, name, secret);
        map_put(&r->n->used_secrets, name, used);
    }
    if (!value_get(used, S("generate"))) /* which needs no line of the rule */
        rule_check_secret(r->n, name, used, r->purpose, secret->place);
}

struct value *refs_located(struct normalise *n, const struct value *name, const char *use)
{
    const struct refs r = { .n = n };
    const struct value *secret = refs_find(&r, n->secrets, "secret", name);
    struct value *used;

    if (!secret)
        return NULL;
    used = refs_locate_secret(n, name->u.text, secret);
    if (!value_get(secret, S("generate")))
        rule_check_secret(n, name->u.text, used, use, secret->place);
    value_set_text(n->arena, used, S("secret"), name->u.text);
    return used;
}

static void refs_secret_missing(const struct refs *r, const struct value *v, struct str name)
{
    const struct str *why = r->n->in->unread ? map_find(r->n->in->unread, name) : NULL;

    normalise_complain(r->n, v->place, "secret-missing", STR_NONE,
                       "secret '%.*s' could not be read from its store%s%.*s", STR_ARG(name),
                       why ? ": " : "", STR_ARG(why ? *why : S("")));
}

static struct value *refs_secret(const struct refs *r, const struct value *v)
{
    struct arena *a = r->n->arena;
    const struct value *name = value_get(v, S("secret"));
    const struct value *secret = refs_find(r, r->n->secrets, "secret", name);
    int is_optional = value_get_bool(v, S("optional"), 0) ||
                      value_get_bool(secret, S("optional"), 0);
    const struct str *version = NULL;
    struct value *resolved;

    if (!secret)
        return NULL;
    if (r->use == REFS_BUILD) {
        normalise_complain(r->n, v->place, "build-secret",
                           S("name it in source.secrets: the build sees it as a file"),
                           "secret '%.*s': in a variable of a build it would be in the artifact",
                           STR_ARG(name->u.text));
        return NULL;
    }
    refs_use_secret(r, name->u.text, secret);
    if (r->n->in->secrets)
        version = map_find(r->n->in->secrets, name->u.text);
    if (r->n->in->secrets && !version) {
        if (!is_optional)
            refs_secret_missing(r, v, name->u.text);
        return NULL;
    }
    resolved = value_map(a);
    value_set_text(a, resolved, S("secret"), name->u.text);
    value_set_text(a, resolved, S("version"), version ? *version : S(""));
    return resolved;
}

/* When what it is computed from is made anew, so are those who refer to it. */
static struct str refs_output_version(const struct refs *r, struct str output, struct str key)
{
    struct str name = str_fmt(r->n->arena, "%.*s#%.*s", STR_ARG(output), STR_ARG(key));
    const struct str *version = r->n->in->outputs ? map_find(r->n->in->outputs, name) : NULL;

    return version ? *version : S("1");
}

/* {output, key, version}, with those of `words` that were written. */
static struct value *refs_output(const struct refs *r, const struct value *v, const char *kind,
                                 const char *words)
{
    struct arena *a = r->n->arena;
    struct str name = value_get_text(v, str_from_c(kind), S("")), key, rest = str_from_c(words),
               word;
    struct value *resolved = value_map(a);
    struct str output = str_fmt(a, "%s/%.*s", kind, STR_ARG(name));

    key = value_get_text(v, S("key"), S(""));
    refs_need(r->n, r->of, kind, name);
    value_set_text(a, resolved, S("output"), output);
    value_set_text(a, resolved, S("key"), key);
    value_set_text(a, resolved, S("version"), refs_output_version(r, output, key));
    while (str_next(&rest, '|', &word))
        if (value_get(v, word))
            value_set(a, resolved, word, value_copy_content(a, value_get(v, word)));
    return resolved;
}

/* A pool that gives a connection for one transaction forgets what was prepared on it. */
static int refs_prepares(const struct value *v)
{
    static const struct str schemes[] = { S_INIT("asyncpg"), S_INIT("psycopg"), S_INIT("pg8000") };
    struct str scheme = value_get_text(v, S("scheme"), S(""));

    for (size_t i = 0; i < N_ELEMENTS(schemes); i++)
        if (str_find(scheme, schemes[i]) != STR_NPOS)
            return 1;
    return 0;
}

static void refs_check_pool(const struct refs *r, const struct value *v,
                            const struct value *database)
{
    const struct value *pooling = value_get(database, S("pooling")), *mode;
    struct str key = value_get_text(v, S("key"), S(""));

    mode = value_get(pooling, S("mode"));
    if (str_eq_c(key, "pooled_url") && !pooling)
        normalise_complain(r->n, v->place, "reference", S("add pooling to it, or use key: url"),
                           "database '%.*s' has no pool",
                           STR_ARG(value_get(v, S("database"))->u.text));
    else if ((str_eq_c(key, "url") || str_eq_c(key, "pooled_url")) && mode &&
             str_eq_c(mode->u.text, "transaction") && refs_prepares(v))
        normalise_complain(r->n, v->place, "prepared-statements",
                           S("use key: direct_url, or pooling: {mode: session}"),
                           "%.*s prepares statements, and the pool of database '%.*s' "
                           "(%.*s:%u:%u) forgets them after each transaction",
                           STR_ARG(value_get_text(v, S("scheme"), S(""))),
                           STR_ARG(value_get(v, S("database"))->u.text),
                           STR_ARG(value_file(pooling->place)), pooling->place.line,
                           pooling->place.column);
}

/* Parts of a url go with a url. */
static void refs_check_words(const struct refs *r, const struct value *v, const char *words)
{
    struct str key = value_get_text(v, S("key"), S("")), rest = str_from_c(words), word;

    while (!str_ends(key, S("url")) && str_next(&rest, '|', &word))
        if (value_get(v, word))
            normalise_complain(r->n, value_get(v, word)->place, "reference", STR_NONE,
                               "%.*s goes with a url, not with key %.*s", STR_ARG(word),
                               STR_ARG(key));
}

static int refs_is_known(const struct refs *r, const struct value *v, const struct value *in,
                         const char *kind)
{
    const struct value *name = value_get(v, str_from_c(kind));

    if (!refs_find(r, in, kind, name))
        return 0;
    if (r->use != REFS_BUILD)
        return 1;
    normalise_complain(r->n, v->place, "reference", STR_NONE,
                       "where %s '%.*s' is reached is not known to a build", kind,
                       STR_ARG(name->u.text));
    return 0;
}

static struct value *refs_database(const struct refs *r, const struct value *v)
{
    if (!refs_is_known(r, v, r->n->databases, "database"))
        return NULL;
    refs_check_pool(r, v, value_get(r->n->databases, value_get(v, S("database"))->u.text));
    refs_check_words(r, v, "scheme|query");
    return refs_output(r, v, "database", "scheme|query");
}

static struct value *refs_redis(const struct refs *r, const struct value *v)
{
    if (!refs_is_known(r, v, r->n->redis, "redis"))
        return NULL;
    refs_check_words(r, v, "database");
    return refs_output(r, v, "redis", "database");
}

static struct value *refs_service(const struct refs *r, const struct value *v)
{
    struct arena *a = r->n->arena;
    const struct value *name = value_get(v, S("service"));
    const struct value *service = refs_find(r, r->n->services, "service", name);
    struct value *resolved;

    if (!service)
        return NULL;
    if (r->use == REFS_BUILD || !value_get(service, S("port"))) {
        normalise_complain(r->n, v->place, "reference", STR_NONE,
                           r->use == REFS_BUILD
                               ? "the address of service '%.*s' is not known to a build"
                               : "service '%.*s' has no port, so it has no address",
                           STR_ARG(name->u.text));
        return NULL;
    }
    refs_need(r->n, r->of, "service", name->u.text);
    resolved = value_map(a);
    value_set_text(a, resolved, S("output"), str_fmt(a, "address/%.*s", STR_ARG(name->u.text)));
    value_set_text(a, resolved, S("key"), value_get_text(v, S("key"), STR_NONE));
    return resolved;
}

static struct value *refs_domain(const struct refs *r, const struct value *v)
{
    struct arena *a = r->n->arena;
    const struct value *name = value_get(v, S("domain"));
    const struct value *domain = refs_find(r, r->n->domains, "domain", name);
    const struct value *host = value_item(value_get(domain, S("hosts")), 0);
    const struct value *path = value_get(v, S("path"));
    struct str key = value_get_text(v, S("key"), S("url"));

    if (!host)
        return NULL;
    if (path && !str_eq_c(key, "url"))
        normalise_complain(r->n, path->place, "reference", STR_NONE,
                           "a path goes with key url only");
    if (str_eq_c(key, "host"))
        return value_text(a, host->u.text);
    return value_text(a,
                      str_fmt(a, "%s://%.*s%.*s", value_get(domain, S("tls")) ? "https" : "http",
                              STR_ARG(host->u.text), STR_ARG(value_get_text(v, S("path"), S("")))));
}

static struct str refs_fold(const struct refs *r, const struct value *parts, struct str with)
{
    struct sb b;

    sb_init(&b, r->n->arena);
    for (size_t i = 0; i < value_count(parts); i++) {
        if (i)
            sb_add(&b, with);
        sb_add(&b, value_item(parts, i)->u.text);
    }
    return sb_str(&b);
}

static struct value *refs_join(const struct refs *r, const struct value *v)
{
    struct arena *a = r->n->arena;
    const struct value *written = value_get(v, S("join"));
    struct value *parts = value_list(a), *joined;
    size_t n_texts = 0;

    for (size_t i = 0; i < value_count(written); i++) {
        struct value *part = refs_value(r, value_item(written, i));

        n_texts += (size_t)value_is(part, VALUE_TEXT);
        value_add(a, parts, part);
    }
    if (n_texts == value_count(parts))
        return value_text(a, refs_fold(r, parts, value_get_text(v, S("with"), S(""))));
    joined = value_map(a);
    value_set(a, joined, S("join"), parts);
    value_set_text(a, joined, S("with"), value_get_text(v, S("with"), S("")));
    return joined;
}

static struct value *refs_value(const struct refs *r, const struct value *v)
{
    static const struct {
        const char *key;
        struct value *(*resolve)(const struct refs *r, const struct value *v);
    } kinds[] = {
        { "secret", refs_secret },     { "service", refs_service },
        { "redis", refs_redis }, /* before database, which is a word of it */
        { "database", refs_database }, { "domain", refs_domain },
        { "join", refs_join },
    };

    if (value_is(v, VALUE_TEXT))
        return value_text(r->n->arena, v->u.text);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (value_get(v, str_from_c(kinds[i].key)))
            return kinds[i].resolve(r, v);
    return NULL; /* said already */
}

struct value *refs_variables(struct normalise *n, const struct value *variables, enum refs_use use,
                             struct spec_resource *of)
{
    const struct refs r = { .n = n, .use = use, .purpose = "services", .of = of };
    struct value *resolved = variables ? value_map(n->arena) : NULL;

    for (size_t i = 0; i < value_count(variables); i++)
        value_set(n->arena, resolved, variables->u.map.entries[i].key,
                  refs_value(&r, variables->u.map.entries[i].value));
    return resolved;
}

struct value *refs_secret_for(struct normalise *n, const struct value *reference, const char *use)
{
    const struct refs r = { .n = n, .use = REFS_RUN, .purpose = use };

    return reference ? refs_secret(&r, reference) : NULL;
}

struct value *refs_secret_named(struct normalise *n, const struct value *name, const char *use)
{
    struct value *reference = value_map(n->arena);

    reference->place = name->place;
    value_set(n->arena, reference, S("secret"), value_copy(n->arena, name));
    return refs_secret_for(n, reference, use);
}
