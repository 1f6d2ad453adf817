/*
 * normalise: one environment on its way to resources. SPDX-License-Identifier: Apache-2.0
 *
 * The parts of normalise_environment() (spec.h) share this. Documents are merged and filled once;
 * refs resolves what refers to something else, rule says what the daemon allows, specs_policy
 * what a spec should not hold, normalise_NOUN writes the canonical form of one kind.
 *
 * Memory   all in `arena`; values borrow from the bundle until value_copy_content().
 */
#pragma once

#include "specs/schema.h"

struct normalise_variable { /* of a service or job, its build, its release or what verifies it */
    const struct value *of;
    const struct value_entry *variable;
};

struct normalise {
    struct arena *arena;
    const struct normalise_input *in;
    struct spec_messages *m;
    const struct bundle *bundle;
    const struct value *document; /* environment on top of application, filled */
    struct str environment, branch;
    struct value *services, *jobs, *databases, *redis, *backups; /* those that are enabled */
    const struct value *domains, *secrets;
    int is_of_commit;        /* an image is named by ${commit} or ${tag} */
    struct map moved;        /* "kind/OLDNAME" -> struct value *: where it is said first */
    struct map used_secrets; /* name -> struct value *: {store, path, key} */
    VEC(struct normalise_variable) variables; /* while the rules of policy look at them */
};

/* An error about a part of the environment; fmt is a literal. */
#define normalise_complain(n, place, rule, hint, ...)                                              \
    spec_message_add((n)->m, SPEC_ERROR, (place), S(rule), (hint), __VA_ARGS__)

#define NORMALISE_ENTRIES(of, e)                                                                   \
    for (size_t e##_i = 0; e##_i < value_count(of); e##_i++)                                       \
        for (const struct value_entry *e = &(of)->u.map.entries[e##_i]; e; e = NULL)

/* "did you mean 'NAME'?" among the keys of a map, or STR_NONE. */
struct str normalise_hint(struct arena *a, struct str wanted, const struct value *map);

/* What is written and enabled of one kind of resource; NULL: none. */
const struct value *normalise_enabled(const struct normalise *n, struct str kind);

/* Copy a field where it is there. */
void normalise_take(struct normalise *n, struct value *to, const struct value *from,
                    struct str name);
#define normalise_take_all(n, to, from, names)                                                     \
    do {                                                                                           \
        for (size_t i_ = 0; i_ < N_ELEMENTS(names); i_++)                                          \
            normalise_take((n), (to), (from), (names)[i_]);                                        \
    } while (0)

/* A document of the bundle, or NULL and a message at `place`. */
const struct value *normalise_document(struct normalise *n, const struct map *documents,
                                       const char *kind, struct str name, struct value_place place);
/* The document that stands on top of the application; a preview's template is given its application. */
const struct value *normalise_overrides(struct normalise *n);
/* What the environment is called: ${number} and ${slug} are in a preview's name; ${env} is what it is then. */
void normalise_name(struct normalise *n, struct schema_fill *fill, const struct value *overrides);
/* ttl, quota and the like of the preview that it is one of. */
struct value *normalise_preview_policy(struct normalise *n);

/* Give services and jobs what `image_from` and `environment_from` name. */
void normalise_from(struct normalise *n);

/* Desired form, provider and needs of one resource. */
typedef void normalise_fn(struct normalise *n, const struct value_entry *written,
                          struct spec_resource *ret);
normalise_fn normalise_service, normalise_job, normalise_domain, normalise_database,
    normalise_redis, normalise_backup, normalise_dns;

/* `build` and `artifact` of a source, `image` and `image_wait_ms`. */
void normalise_artifact(struct normalise *n, struct value *desired, const struct value *written,
                        struct spec_resource *of);
/* `limits`, `reservations` and the rule's isolation. */
void normalise_resources(struct normalise *n, struct value *desired, const struct value *written,
                         struct spec_resource *of);
/* {host: {zone, ttl ..}} of domains with `dns`. */
const struct value *normalise_dns_hosts(struct normalise *n);

/* An environment that is named by another one has a document too; NULL names none. */
void normalise_check_environment(struct normalise *n, const struct value *name);

/* What stands beside the desired value: modes of drift, the name it had. */
void normalise_beside(struct normalise *n, const struct value_entry *written,
                      struct spec_resource *r);
/* Modes of drift of what is not there, and what is to be forgotten and still named. */
void normalise_check_beside(struct normalise *n);
/* What is said of secrets that nothing may refer to. */
void normalise_check_secrets(struct normalise *n);
/* approval, trigger, reconcile, waive, objectives, maintenance, notifications */
struct value *normalise_policy(struct normalise *n);
