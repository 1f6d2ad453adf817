/* Roles: what each brings, to whom it is given, and where. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/core/scope.h"
#include "reconciler/http/auth.h"
#include "specs/rule.h"

static const struct {
    const char *field;
    unsigned roles;
} role_rows[] = {
    { "admin", AUTH_ALL },
    { "approver", AUTH_VIEWER | AUTH_APPROVER },
    { "operator", AUTH_VIEWER | AUTH_OPERATOR },
    { "override", AUTH_VIEWER | AUTH_OVERRIDE },
    { "viewer", AUTH_VIEWER },
    { "scrape", AUTH_SCRAPE },
};

unsigned auth_roles_of(struct str word)
{
    for (size_t i = 0; i < N_ELEMENTS(role_rows); i++)
        if (str_eq_c(word, role_rows[i].field))
            return role_rows[i].roles;
    return 0;
}

const char *auth_role_names(unsigned roles)
{
    if (!roles)
        return "none";
    if (roles & AUTH_OPERATOR)
        return roles & AUTH_APPROVER ? "operator, approver or admin" : "operator or admin";
    if (roles & AUTH_APPROVER)
        return "approver or admin";
    if (roles & AUTH_OVERRIDE)
        return "override";
    if (roles & AUTH_SCRAPE)
        return "viewer or scrape";
    return roles & AUTH_ADMIN ? "admin" : "viewer";
}

int auth_may(const struct auth_actor *actor, unsigned roles, struct str env)
{
    for (size_t i = 0; i < actor->n_grants; i++) {
        const struct auth_grant *g = &actor->grants[i];

        if (g->roles & roles && (!g->pattern.p || (env.n && rule_name_matches(g->pattern, env))))
            return 1;
    }
    return !actor->n_grants && (actor->roles & roles) &&
           (env.n ? scope_has(actor->scope, env) : !actor->scope);
}

/* --- who is given what ---------------------------------------------------------------------------- */

/* "group:dev@pr-*" to one who is "group:dev": the pattern, or STR_NONE for everywhere. */
static int is_given(struct str entry, const struct value *principals, struct str *ret_pattern)
{
    struct str who;
    int is = 0;

    (void)str_next(&entry, '@', &who);
    *ret_pattern = entry;
    for (size_t i = 0; !is && i < value_count(principals); i++)
        is = str_eq(value_item(principals, i)->u.text, who);
    return is || str_eq_c(who, "*"); /* which the grammar takes for those who signed in alone */
}

struct giving {
    struct arena *a;
    struct auth_actor *actor;
    VEC(struct auth_grant) grants;
    struct value *patterns;
    int is_everywhere;
};

static void give_one(struct giving *g, const struct auth_grant *grant)
{
    struct auth_grant *slot = vec_push(g->a, &g->grants);

    if (slot)
        *slot = *grant;
    g->actor->roles |= grant->roles;
    g->is_everywhere |= !grant->pattern.p;
    if (grant->pattern.p)
        value_add(g->a, g->patterns, value_text(g->a, grant->pattern));
}

static void give_each(struct giving *g, const struct value *map)
{
    for (size_t i = 0; i < N_ELEMENTS(role_rows); i++) {
        const struct value *list = value_get(map, str_from_c(role_rows[i].field));
        struct auth_grant grant = { .roles = role_rows[i].roles };

        for (size_t k = 0; k < value_count(list); k++)
            if (is_given(value_item(list, k)->u.text, g->actor->principals, &grant.pattern))
                give_one(g, &grant);
    }
}

int auth_grant(struct arena *a, const struct value *map, unsigned roles, struct auth_actor *actor,
               struct err *err)
{
    struct giving g = { .a = a, .actor = actor, .patterns = value_list(a) };

    if (roles)
        give_one(&g, &(struct auth_grant){ .roles = roles, .pattern = STR_NONE });
    give_each(&g, map);
    actor->grants = g.grants.p;
    actor->n_grants = g.grants.n;
    actor->scope = g.is_everywhere ? NULL : g.patterns;
    return arena_status(a, err);
}
