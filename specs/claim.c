/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/claim.h"

#include "base/guard.h"

/* Its branch, or else its pattern of tags. */
static const struct value *claim_asked(const struct value *document)
{
    const struct value *branch = value_at(document, S("trigger.branch"));
    const struct value *tag = value_at(document, S("trigger.tag"));

    return value_is(branch, VALUE_TEXT) ? branch : value_is(tag, VALUE_TEXT) ? tag : NULL;
}

static int claim_is_bound(const struct value *document, struct str bound)
{
    const struct value *asked = claim_asked(document);

    if (!asked)
        return 1;
    if (asked == value_at(document, S("trigger.branch")))
        return str_eq(asked->u.text, bound);
    return str_starts(bound, S(CLAIM_TAGS)) &&
           str_eq(asked->u.text, str_slice(bound, sizeof(CLAIM_TAGS) - 1, SIZE_MAX));
}

enum claim claim_judge(const struct claim_case *c)
{
    struct str bound = value_get_text(c->rule, S("branch"), S(""));

    if (!c->rule)
        return CLAIM_DENIED;
    if (!claim_is_bound(c->document, bound))
        return CLAIM_ASTRAY;
    if (!str_eq(c->branch, bound))
        return CLAIM_ELSEWHERE;
    if (c->owner_source.p &&
        (!str_eq(c->owner_source, c->source) || !str_eq(c->owner_branch, c->branch)))
        return CLAIM_TAKEN;
    return CLAIM_COUNTS;
}

/* "bound to branch 'main' by the rule at FILE:L:C" */
static void claim_complain_bound(const struct claim_case *c, struct value_place place,
                                 struct str name, struct spec_messages *m)
{
    spec_message_add(m, SPEC_ERROR, place, S("refused-branch"), STR_NONE,
                     "environment '%.*s' is bound to branch '%.*s' by the rule at %.*s:%u:%u",
                     STR_ARG(name), STR_ARG(value_get_text(c->rule, S("branch"), S(""))),
                     STR_ARG(value_file(c->rule->place)), c->rule->place.line,
                     c->rule->place.column);
}

static void claim_complain_taken(const struct claim_case *c, const struct value *name,
                                 struct spec_messages *m)
{
    const struct value *owner = value_get(c->owner_document, S("name"));
    struct str at = owner ? str_fmt(m->arena, " (%.*s:%u:%u)", STR_ARG(value_file(owner->place)),
                                    owner->place.line, owner->place.column)
                          : S("");

    spec_message_add(m, SPEC_ERROR, name->place, S("refused-name"),
                     S("reeve rebind moves the name to where the rule binds it"),
                     "environment '%.*s' belongs to branch '%.*s' of source '%.*s'%.*s",
                     STR_ARG(name->u.text), STR_ARG(c->owner_branch), STR_ARG(c->owner_source),
                     STR_ARG(at));
}

void claim_complain(const struct claim_case *c, enum claim claim, struct spec_messages *m)
{
    const struct value *name = value_get(c->document, S("name"));
    const struct value *rules = value_get(c->daemon, S("environments"));
    const struct value *at = rules ? rules : c->daemon;

    switch (claim) {
    case CLAIM_COUNTS:
        return;
    case CLAIM_ELSEWHERE:
        claim_complain_bound(c, name->place, name->u.text, m);
        return;
    case CLAIM_ASTRAY:
        claim_complain_bound(c, claim_asked(c->document)->place, name->u.text, m);
        return;
    case CLAIM_DENIED:
        spec_message_add(m, SPEC_ERROR, name->place, S("refused-environment"), STR_NONE,
                         "environment '%.*s' of source '%.*s' matches none of the rules at "
                         "%.*s:%u:%u",
                         STR_ARG(name->u.text), STR_ARG(c->source), STR_ARG(value_file(at->place)),
                         at->place.line, at->place.column);
        return;
    case CLAIM_TAKEN:
        claim_complain_taken(c, name, m);
        return;
    }
    UNREACHABLE();
}
