/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/normalise_daemon.h"

#include "base/guard.h"
#include "base/network.h"
#include "specs/claim.h"
#include "specs/forge.h"
#include "specs/schema_path.h"

void normalise_daemon_check_named(const struct daemon_check *c, const struct value *name,
                                  const char *what, const struct value *in)
{
    if (value_is(name, VALUE_TEXT) && !value_get(in, name->u.text))
        spec_message_add(c->m, SPEC_ERROR, name->place, S("reference"),
                         normalise_hint(c->a, name->u.text, in), "there is no %s '%.*s'", what,
                         STR_ARG(name->u.text));
}

/* A rule without a branch would bind its names to nothing; one that nobody tracks, to nothing that is read. */
static void check_branch(const struct daemon_check *c, const struct value *rule)
{
    const struct value *branch = value_get(rule, S("branch")), *source, *tracked;
    size_t i = 0;

    if (str_eq_c(value_get_text(value_get(rule, S("match")), S("kind"), STR_NONE), "preview"))
        return; /* they are bound to branches of pull requests */
    if (!branch) {
        spec_message_add(c->m, SPEC_ERROR, rule->place, S("required"), STR_NONE,
                         "environments: 'branch' is missing: these environments would be bound to "
                         "nothing");
        return;
    }
    source = value_get(value_get(c->daemon, S("sources")),
                       value_get_text(value_get(rule, S("match")), S("source"), S("")));
    tracked = value_get(source, S("branches"));
    while (i < value_count(tracked) && !value_eq(value_item(tracked, i), branch))
        i++;
    if (tracked && i == value_count(tracked))
        spec_message_add(c->m, SPEC_ERROR, branch->place, S("reference"), STR_NONE,
                         "branch '%.*s' is not among those that the source tracks",
                         STR_ARG(branch->u.text));
}

/* Somebody has to say whose keys count. */
static void check_signatures(const struct daemon_check *c, const struct value *rule)
{
    const struct value *asked = value_at(rule, S("floor.signatures"));
    const struct value *source = value_get(
        value_get(c->daemon, S("sources")),
        value_get_text(value_get(rule, S("match")), S("source"), S("")));

    if (asked && source && !value_get(source, S("verify")))
        spec_message_add(c->m, SPEC_ERROR, asked->place, S("reference"),
                         S("add verify: {signatures: .., allowed_signers: FILE} to the source"),
                         "signatures are asked for, and the source does not say whose keys count");
}

static void check_checks(const struct daemon_check *c, const struct value *rule)
{
    const struct forge_of_source f = forge_of_rule(rule);

    if (value_get(value_get(c->daemon, S("sources")), f.source))
        forge_refuse(c->m, value_at(rule, S("floor.checks")), S("environments.floor.checks"), &f,
                     FORGE_CHECKS);
}

/* Nothing would ever be applied. */
static void check_anchored(const struct daemon_check *c, const struct value *rule)
{
    const struct value *asked = value_at(rule, S("floor.anchor"));

    if (asked && !value_count(value_get(c->daemon, S("anchors"))))
        spec_message_add(c->m, SPEC_ERROR, asked->place, S("reference"),
                         S("add anchors: [{type: git, url: ..}]"),
                         "an anchor is required, and there is no place that keeps one");
}

static void check_rule(const struct daemon_check *c, const struct value *rule)
{
    const struct value *secrets = value_get(rule, S("secrets"));
    const struct value *manual = value_at(rule, S("floor.approval"));

    normalise_daemon_check_named(c, value_at(rule, S("match.source")), "source",
                                 value_get(c->daemon, S("sources")));
    check_branch(c, rule);
    check_signatures(c, rule);
    check_checks(c, rule);
    check_anchored(c, rule);
    normalise_daemon_check_providers(c, rule);
    for (size_t i = 0; i < value_count(secrets); i++) {
        const struct value *path = value_get(value_item(secrets, i), S("path"));
        struct str rest = path ? path->u.text : STR_NONE;
        struct value store = { .kind = VALUE_TEXT };

        if (!str_next(&rest, ':', &store.u.text))
            continue; /* said already */
        store.place = path->place;
        normalise_daemon_check_named(c, &store, "store", value_at(c->daemon, S("secrets.stores")));
    }
    if (str_eq_c(value_get_text(rule, S("isolation"), STR_NONE), "uid") &&
        !value_get(c->daemon, S("uids")))
        spec_message_add(c->m, SPEC_ERROR, value_get(rule, S("isolation"))->place, S("reference"),
                         S("add uids: FROM-TO, a user id for each environment"),
                         "isolation is uid, and there are no 'uids'");
    if (manual && str_eq_c(manual->u.text, "manual") &&
        str_eq_c(value_get_text(rule, S("isolation"), STR_NONE), "none") &&
        !str_eq_c(value_get_text(rule, S("same_user"), STR_NONE), "allow"))
        spec_message_add(c->m, SPEC_ERROR, manual->place, S("isolation-none"),
                         S("choose another isolation, or set auth.same_user: allow"),
                         "approval is manual, but the rule's isolation is none");
}

static void check_sources(const struct daemon_check *c)
{
    const struct value *sources = value_get(c->daemon, S("sources"));

    for (size_t i = 0; i < value_count(sources); i++) {
        const struct value *verify = value_get(sources->u.map.entries[i].value, S("verify"));

        if (verify && !value_get(verify, S("allowed_signers")) && !value_get(verify, S("keyring")))
            spec_message_add(c->m, SPEC_ERROR, verify->place, S("required"), STR_NONE,
                             "verify: either allowed_signers or keyring says whose keys count");
    }
}

static void check_limits(const struct daemon_check *c)
{
    const struct value *limits = value_at(c->daemon, S("limits.per_provider"));
    const struct value *providers = value_get(c->daemon, S("providers"));

    for (size_t i = 0; i < value_count(limits); i++) {
        const struct value_entry *e = &limits->u.map.entries[i];
        struct value name = { .kind = VALUE_TEXT, .place = e->key_place };

        name.u.text = e->key;
        normalise_daemon_check_named(c, &name, "provider", providers);
    }
}

/* 127.0.0.0/8 or its name; a name that begins so is anybody's. */
static int is_this_machine(struct str address)
{
    struct str host;
    struct network network;

    (void)str_next(&address, ':', &host);
    return str_eq_c(host, "localhost") ||
           (str_starts(host, S("127.")) && !network_parse(host, &network));
}

/* What is said in clear stays on this machine; who comes from elsewhere comes by a name. */
static void check_listen(const struct daemon_check *c)
{
    static const struct str fields[] = { S_INIT("listen"), S_INIT("listen_hooks") };

    for (size_t i = 0; i < N_ELEMENTS(fields); i++) {
        const struct value *at = value_get(c->daemon, fields[i]);

        if (!at || is_this_machine(at->u.text))
            continue;
        if (!value_get(c->daemon, S("tls")))
            spec_message_add(c->m, SPEC_ERROR, at->place, S("tls"),
                             S("add tls: {certificate: FILE, key: FILE}"),
                             "%.*s: %.*s is not of this machine, and there is no tls",
                             STR_ARG(fields[i]), STR_ARG(at->u.text));
        else if (!value_get(c->daemon, S("http")))
            spec_message_add(c->m, SPEC_ERROR, at->place, S("hosts"),
                             S("add http: {hosts: [NAME]}"),
                             "%.*s: %.*s is reached from other machines, by no name that we know",
                             STR_ARG(fields[i]), STR_ARG(at->u.text));
    }
}

/* Addresses are compared in any case of letters. */
static struct str claim_mail(struct arena *a, struct str text)
{
    char *key = text.n && str_find_char(text, '@') != STR_NPOS ? str_to_c(a, text) : NULL;

    if (!key)
        return text;
    for (size_t i = 0; i < text.n; i++)
        key[i] = key[i] >= 'A' && key[i] <= 'Z' ? (char)(key[i] - 'A' + 'a') : key[i];
    return (struct str){ key, text.n };
}

/* Type and bytes; what is said behind them is anything. */
static struct str claim_key(struct arena *a, struct str text)
{
    struct str type, bytes;

    return str_next(&text, ' ', &type) && str_next(&text, ' ', &bytes)
               ? str_fmt(a, "%.*s %.*s", STR_ARG(type), STR_ARG(bytes))
               : STR_NONE; /* said already */
}

static struct str claim_user(struct arena *a, struct str text)
{
    (void)a;
    return text;
}

static struct str claim_subject(struct arena *a, struct str text)
{
    return str_fmt(a, "oidc:%.*s", STR_ARG(text));
}

static struct str claim_account(struct arena *a, struct str text)
{
    return str_fmt(a, "forge:%.*s", STR_ARG(text));
}

/* What two people are called would be nobody's. */
static void check_claim(const struct daemon_check *c, struct map *claimed, const struct value *name,
                        struct str (*read)(struct arena *a, struct str text),
                        const struct value_entry *person)
{
    struct str key = value_is(name, VALUE_TEXT) ? read(c->a, name->u.text) : STR_NONE;
    const struct value_entry *other = key.n ? map_find(claimed, key) : NULL;
    union {
        const struct value_entry *in;
        void *out;
    } owner = { .in = person }; /* the map does not write through it */

    if (other && other != person)
        spec_message_add(c->m, SPEC_ERROR, name->place, S("people"), STR_NONE,
                         "'%.*s' stands for %.*s already", STR_ARG(key), STR_ARG(other->key));
    else if (key.n)
        map_put(claimed, key, owner.out);
}

static void check_people(const struct daemon_check *c)
{
    const struct value *people = value_at(c->daemon, S("auth.people"));
    struct map claimed;

    map_init(&claimed, c->a);
    for (size_t i = 0; i < value_count(people); i++) {
        const struct value_entry *person = &people->u.map.entries[i];
        const struct value *emails = value_get(person->value, S("emails"));
        const struct value *keys = value_get(person->value, S("keys"));
        const struct value *accounts = value_get(person->value, S("forge"));

        check_claim(c, &claimed, value_get(person->value, S("local")), claim_user, person);
        check_claim(c, &claimed, value_get(person->value, S("oidc")), claim_subject, person);
        for (size_t j = 0; j < value_count(accounts); j++)
            check_claim(c, &claimed, value_item(accounts, j), claim_account, person);
        for (size_t j = 0; j < value_count(emails); j++)
            check_claim(c, &claimed, value_item(emails, j), claim_mail, person);
        for (size_t j = 0; j < value_count(keys); j++)
            check_claim(c, &claimed, value_item(keys, j), claim_key, person);
    }
}

static int store_is(const struct value *store, const char *types)
{
    return store && schema_is_word(value_get_text(store, S("type"), STR_NONE), types);
}

/* One way in; and what is generated needs a store that can be written. */
static void check_stores(const struct daemon_check *c)
{
    const struct value *secrets = value_get(c->daemon, S("secrets"));
    const struct value *stores = value_get(secrets, S("stores"));
    const struct value *generated = value_get(secrets, S("generated"));
    const struct value *store = generated ? value_get(stores, generated->u.text) : NULL;
    struct str path = value_get_text(secrets, S("generated_path"), STR_NONE);

    normalise_daemon_check_named(c, generated, "store", stores);
    if (store && !store_is(store, "file|vault"))
        spec_message_add(
            c->m, SPEC_ERROR, generated->place, S("reference"), STR_NONE,
            "store '%.*s' keeps nothing that is generated: it is neither file nor vault",
            STR_ARG(generated->u.text));
    if (store_is(store, "vault") && path.p && str_find_char(path, '/') == STR_NPOS)
        spec_message_add(c->m, SPEC_ERROR, generated->place, S("reference"),
                         S("set secrets.generated_path, such as kv/reeve"),
                         "a path in a vault begins with its mount");
    for (size_t i = 0; i < value_count(stores); i++) {
        const struct value *auth = value_get(stores->u.map.entries[i].value, S("auth"));

        if (auth && !value_get(auth, S("token_file")) == !value_get(auth, S("approle")))
            spec_message_add(c->m, SPEC_ERROR, auth->place, S("reference"), STR_NONE,
                             "either token_file or approle says how to sign in");
    }
}

static void check_default_store(const struct daemon_check *c)
{
    const struct value *secrets = value_get(c->daemon, S("secrets"));
    const struct value *written = value_get(secrets, S("default"));
    struct value name = { .kind = VALUE_TEXT };

    if (!written)
        return; /* said already */
    name.u.text = written->u.text;
    name.place = written->place.line ? written->place : secrets->place;
    normalise_daemon_check_named(c, &name, "store", value_get(secrets, S("stores")));
}

/* Without any store there is one: the daemon's own environment. */
static void add_default_store(struct arena *a, const struct schema_fill *fill, struct value *daemon)
{
    const struct value_entry *secrets = value_entry(daemon, S("secrets"));
    struct value *stores, *env;

    if (!secrets || value_get(secrets->value, S("stores")))
        return;
    env = value_map(a);
    value_set_text(a, env, S("type"), S("env"));
    stores = value_map(a);
    value_set(a, stores, S("env"), schema_fill(fill, SCHEMA_STORE, env, S("secrets.stores.env")));
    value_set(a, secrets->value, S("stores"), stores);
}

/* Names under {secret: NAME}, anywhere below. */
static void list_own_secrets(struct arena *a, const struct value *v, struct value *list)
{
    const struct value *name = value_get(v, S("secret"));

    if (value_is(name, VALUE_TEXT))
        value_add(a, list, value_text(a, name->u.text));
    for (size_t i = 0; i < value_count(v); i++)
        list_own_secrets(a, v->kind == VALUE_LIST ? value_item(v, i) : v->u.map.entries[i].value,
                         list);
}

static struct value *list_commit_stores(struct arena *a, const struct value *secrets)
{
    const struct value *stores = value_get(secrets, S("stores"));
    struct value *names = value_list(a);

    for (size_t i = 0; i < value_count(stores); i++) {
        const struct value_entry *store = &stores->u.map.entries[i];

        if (str_eq_c(value_get_text(store->value, S("type"), STR_NONE), "age"))
            value_add(a, names, value_text(a, store->key));
    }
    return names;
}

/* In a vault a path begins with its mount. */
static struct str generated_path(const struct value *secrets)
{
    const struct value *store = value_get(value_get(secrets, S("stores")),
                                          value_get_text(secrets, S("generated"), S("")));
    int is_vault = str_eq_c(value_get_text(store, S("type"), STR_NONE), "vault");

    return value_get_text(secrets, S("generated_path"), is_vault ? S("kv/reeve") : S("generated"));
}

/* The newest tag of a pattern is followed as a branch is, whose name is the pattern. */
static void complete_tag(struct arena *a, struct value *daemon, struct value *rule,
                         struct spec_messages *m)
{
    const struct value *tag = value_get(rule, S("tag")), *branch = value_get(rule, S("branch"));
    const struct value *match = value_get(rule, S("match"));
    const struct value_entry *sources = value_entry(daemon, S("sources"));
    const struct value_entry *source = value_entry(sources ? sources->value : NULL,
                                                   value_get_text(match, S("source"), S("")));
    const struct value_entry *branches = value_entry(source ? source->value : NULL, S("branches"));
    struct value *name;
    size_t i = 0;

    if (!value_is(tag, VALUE_TEXT))
        return;
    if (branch)
        spec_message_add(m, SPEC_ERROR, tag->place, S("conflict"), STR_NONE,
                         "tag and branch (%.*s:%u:%u) exclude each other",
                         STR_ARG(value_file(branch->place)), branch->place.line,
                         branch->place.column);
    name = value_text(a, str_fmt(a, CLAIM_TAGS "%.*s", STR_ARG(tag->u.text)));
    if (!name)
        return; /* the arena remembers */
    name->place = tag->place;
    value_set(a, rule, S("branch"), name);
    while (branches && i < value_count(branches->value) &&
           !value_eq(value_item(branches->value, i), name))
        i++;
    if (branches && i == value_count(branches->value))
        value_add(a, branches->value, name);
}

/* Whom a commit's checks are asked of; without a forge nobody is. */
static void complete_forge(struct arena *a, const struct value *daemon, struct value *rule)
{
    const struct value *source = value_get(value_get(daemon, S("sources")),
                                           forge_of_rule(rule).source);
    struct str type = value_get_text(value_get(source, S("forge")), S("type"), STR_NONE);

    if (type.n)
        value_set_text(a, rule, S("forge"), type);
}

/* Rules travel alone: what they need of the rest of the document goes with them. */
static void complete_rules(struct arena *a, struct value *daemon, struct spec_messages *m)
{
    const struct value_entry *rules = value_entry(daemon, S("environments"));
    const struct value *secrets = value_get(daemon, S("secrets"));
    struct value *sealed = list_commit_stores(a, secrets);
    struct value *own = value_list(a);

    list_own_secrets(a, daemon, own);
    for (size_t i = 0; rules && i < value_count(rules->value); i++) {
        struct value *rule = rules->value->u.list.items[i];

        complete_tag(a, daemon, rule, m);
        complete_forge(a, daemon, rule);
        value_set_text(a, rule, S("default_store"),
                       value_get_text(secrets, S("default"), STR_NONE));
        value_set_text(a, rule, S("generated_store"),
                       value_get_text(secrets, S("generated"), S("")));
        value_set_text(a, rule, S("generated_path"), generated_path(secrets));
        if (value_count(sealed))
            value_set(a, rule, S("commit_stores"), sealed);
        if (value_count(own))
            value_set(a, rule, S("own_secrets"), own);
        value_set(a, rule, S("drivers"), normalise_daemon_drivers(a, daemon, rule));
        value_set_text(a, rule, S("same_user"),
                       value_get_text(value_get(daemon, S("auth")), S("same_user"), STR_NONE));
    }
}

static struct str directory_of(struct str file)
{
    size_t n = file.n;

    while (n > 0 && file.p[n - 1] != '/')
        n--;
    return n > 1 ? str_slice(file, 0, n - 1) : n ? S("/") : STR_NONE;
}

int normalise_daemon(struct arena *a, const struct bundle *b, const struct value **ret,
                     struct spec_messages *m, struct err *err)
{
    const struct value *document = b->daemons.n ? b->daemons.entries[0].value : NULL;
    struct schema_fill fill = { .arena = a, .m = m };
    struct daemon_check c = { .a = a, .m = m };
    struct value *daemon = NULL;

    if (!document) {
        spec_message_add(m, SPEC_ERROR, (struct value_place){ 0 }, S("kind"), STR_NONE,
                         "there is no document of kind Daemon");
    } else {
        fill.directory = directory_of(value_file(document->place));
        daemon = schema_fill(&fill, SCHEMA_DAEMON, document, STR_NONE);
        add_default_store(a, &fill, daemon);
        complete_rules(a, daemon, m);
        c.daemon = daemon;
        for (size_t i = 0; i < value_count(value_get(daemon, S("environments"))); i++)
            check_rule(&c, value_item(value_get(daemon, S("environments")), i));
        check_sources(&c);
        check_default_store(&c);
        check_stores(&c);
        check_people(&c);
        check_limits(&c);
        check_listen(&c);
        normalise_daemon_check_stores_of_history(&c);
        normalise_daemon_check_drains(&c);
    }
    if (arena_status(a, err))
        return ERR_NOMEM;
    *ret = daemon;
    return 0;
}
