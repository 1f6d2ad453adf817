/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/refs.h"

#include "specs/rule.h"

struct refs {
    struct normalise *n;
    enum refs_use use;
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
    const struct value *found = value_get(in, name->u.text);

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
                           STR_ARG(n->in->environment), STR_ARG(name)));
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
    struct value *used;

    if (map_has(&r->n->used_secrets, name))
        return;
    used = refs_locate_secret(r->n, name, secret);
    map_put(&r->n->used_secrets, name, used);
    if (!value_get(used, S("generate"))) /* which needs no line of the rule */
        rule_check_secret(r->n, name, used, "services", secret->place);
}

void refs_check_secret(struct normalise *n, const struct value *name, const char *use)
{
    const struct refs r = { .n = n };
    const struct value *secret = name ? refs_find(&r, n->secrets, "secret", name) : NULL;

    if (secret && !value_get(secret, S("generate")))
        rule_check_secret(n, name->u.text, refs_locate_secret(n, name->u.text, secret), use,
                          secret->place);
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
        normalise_complain(r->n, v->place, "build-secret", STR_NONE,
                           "secret '%.*s': a build gets no secrets, they would be in the artifact",
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
    return value_text(a, str_fmt(a, "http://%.*s%.*s", STR_ARG(host->u.text),
                                 STR_ARG(value_get_text(v, S("path"), S("")))));
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
        { "secret", refs_secret },
        { "service", refs_service },
        { "domain", refs_domain },
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
    struct refs r = { .n = n, .use = use, .of = of };
    struct value *resolved = variables ? value_map(n->arena) : NULL;

    for (size_t i = 0; i < value_count(variables); i++)
        value_set(n->arena, resolved, variables->u.map.entries[i].key,
                  refs_value(&r, variables->u.map.entries[i].value));
    return resolved;
}
