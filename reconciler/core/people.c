/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/people.h"

#include "base/base64.h"
#include "base/hash.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int is_same_mail(struct str one, struct str other)
{
    if (one.n != other.n)
        return 0;
    for (size_t i = 0; i < one.n; i++)
        if (lower(one.p[i]) != lower(other.p[i]))
            return 0;
    return one.n > 0;
}

static struct str who_is(const struct value *people, struct str field, struct str text)
{
    for (size_t i = 0; i < value_count(people); i++) {
        const struct value_entry *e = &people->u.map.entries[i];

        if (text.n && str_eq(value_get_text(e->value, field, S("")), text))
            return e->key;
    }
    return STR_NONE;
}

struct str people_of_user(const struct value *people, struct str user)
{
    return who_is(people, S("local"), user);
}

struct str people_of_subject(const struct value *people, struct str subject)
{
    return who_is(people, S("oidc"), subject);
}

struct str people_of_mail(const struct value *people, struct str mail)
{
    for (size_t i = 0; i < value_count(people); i++) {
        const struct value_entry *e = &people->u.map.entries[i];
        const struct value *mails = value_get(e->value, S("emails"));

        for (size_t j = 0; j < value_count(mails); j++)
            if (is_same_mail(value_item(mails, j)->u.text, mail))
                return e->key;
    }
    return STR_NONE;
}

struct str people_of_actor(const struct value *people, struct str actor)
{
    struct str rest = actor, scheme;
    size_t end;

    if (!str_next(&rest, ':', &scheme))
        return STR_NONE;
    if (str_eq_c(scheme, "person"))
        return value_entry(people, rest) ? value_entry(people, rest)->key : STR_NONE;
    if (!str_eq_c(scheme, "local"))
        return STR_NONE;
    for (end = rest.n; end > 0 && rest.p[end - 1] != '(';)
        end--;
    return end ? people_of_user(people, str_slice(rest, 0, end - 1)) : STR_NONE;
}

struct str people_fingerprint(struct arena *a, struct str key)
{
    struct str rest = key, type, blob, bytes;
    struct digest digest;

    if (!str_next(&rest, ' ', &type) || !str_next(&rest, ' ', &blob) ||
        base64_decode(a, blob, &bytes))
        return STR_NONE;
    digest = hash_bytes(bytes);
    blob = base64_encode(a, (struct str){ (const char *)digest.b, sizeof(digest.b) });
    while (str_ends(blob, S("=")))
        blob.n--;
    return str_fmt(a, "SHA256:%.*s", STR_ARG(blob));
}

struct str people_of_signer(struct arena *a, const struct value *people, struct str fingerprint,
                            struct str name)
{
    for (size_t i = 0; i < value_count(people); i++) {
        const struct value_entry *e = &people->u.map.entries[i];
        const struct value *keys = value_get(e->value, S("keys"));

        for (size_t j = 0; j < value_count(keys); j++)
            if (str_eq(people_fingerprint(a, value_item(keys, j)->u.text), fingerprint))
                return e->key;
    }
    return people_of_mail(people, name);
}

struct str people_signers(struct arena *a, const struct value *people, struct str name,
                          const char *scope)
{
    const struct value *keys = value_get(value_get(people, name), S("keys"));
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < value_count(keys); i++)
        sb_addf(&b, "%.*s namespaces=\"%s\" %.*s\n", STR_ARG(name), scope,
                STR_ARG(value_item(keys, i)->u.text));
    return sb_str(&b);
}

static void add_principal(struct arena *a, struct value *list, const char *kind, struct str name)
{
    value_add(a, list, value_text(a, str_fmt(a, "%s:%.*s", kind, STR_ARG(name))));
}

struct value *people_principals(struct arena *a, const struct value *people, struct str person,
                                const struct value *groups)
{
    struct str user = value_get_text(value_get(people, person), S("local"), S(""));
    struct str namesake = people_of_user(people, person);
    struct value *list = value_list(a);

    if (user.n)
        add_principal(a, list, "user", user);
    if (!str_eq(user, person) && (!namesake.p || str_eq(namesake, person)))
        add_principal(a, list, "user", person);
    for (size_t i = 0; i < value_count(groups); i++)
        if (value_is(value_item(groups, i), VALUE_TEXT))
            add_principal(a, list, "group", value_item(groups, i)->u.text);
    return list;
}
