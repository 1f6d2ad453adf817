/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/forge.h"

#include "base/guard.h"

/* clang-format off */
static const struct {
    struct str type;
    int does[N_FORGE_FEATURES]; /* core/checks.c and core/notify_form.c say how */
} forge_types[] = {
    /*                       FORGE_CHECKS FORGE_STATUS */
    { S_INIT("github"),    { 1,           1 } },
    { S_INIT("gitlab"),    { 1,           1 } },
    { S_INIT("gitea"),     { 1,           1 } },
    { S_INIT("bitbucket"), { 0,           0 } },
};

static const struct {
    struct str path;                /* in an environment's document */
    const char *lacks, *then, *mend; /* of a forge that does not do it; what would be; what to do instead */
} forge_features[] = {
    [FORGE_CHECKS] = { S_INIT("trigger.require_checks"), "is not asked for checks", "every commit would wait for ever",
                       "leave it out and let the forge protect the branch" },
    [FORGE_STATUS] = { S_INIT("status.commit_status"), "is told no status", "nobody would be told", "leave it out" },
};
/* clang-format on */

struct forge_of_source forge_of_rule(const struct value *rule)
{
    return (struct forge_of_source){
        .source = value_get_text(value_get(rule, S("match")), S("source"), S("")),
        .type = value_get_text(rule, S("forge"), S("")),
    };
}

int forge_does(struct str type, enum forge_feature feature)
{
    for (size_t i = 0; i < N_ELEMENTS(forge_types); i++)
        if (str_eq(type, forge_types[i].type))
            return forge_types[i].does[feature];
    return 0;
}

struct str forge_lacks(struct arena *a, const struct forge_of_source *f, enum forge_feature feature)
{
    return f->type.n ? str_fmt(a, "a forge of type '%.*s' %s", STR_ARG(f->type),
                               forge_features[feature].lacks)
                     : str_fmt(a, "source '%.*s' has no `forge`", STR_ARG(f->source));
}

static struct str forge_mend(struct arena *a, enum forge_feature feature)
{
    struct sb b;

    sb_init(&b, a);
    sb_addf(&b, "%s; or give the source a `forge` of type", forge_features[feature].mend);
    for (size_t i = 0, n = 0; i < N_ELEMENTS(forge_types); i++)
        if (forge_types[i].does[feature])
            sb_addf(&b, "%s %.*s", n++ ? "," : "", STR_ARG(forge_types[i].type));
    return sb_str(&b);
}

/* What a default says nobody asked for. */
static int forge_is_asked(const struct value *v)
{
    return v && v->place.line && (value_is(v, VALUE_BOOL) ? v->u.truth : value_count(v) > 0);
}

void forge_refuse(struct spec_messages *m, const struct value *asked, struct str path,
                  const struct forge_of_source *f, enum forge_feature feature)
{
    if (forge_is_asked(asked) && !forge_does(f->type, feature))
        spec_message_add(m, SPEC_ERROR, asked->place, S("forge"), forge_mend(m->arena, feature),
                         "%.*s: %.*s: %s", STR_ARG(path),
                         STR_ARG(forge_lacks(m->arena, f, feature)), forge_features[feature].then);
}

void forge_check(struct normalise *n)
{
    const struct forge_of_source f = forge_of_rule(n->in->rule);

    for (int i = 0; i < N_FORGE_FEATURES; i++)
        forge_refuse(n->m, value_at(n->document, forge_features[i].path), forge_features[i].path,
                     &f, (enum forge_feature)i);
}
