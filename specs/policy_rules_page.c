/* docs/rules.md, and one rule of it. SPDX-License-Identifier: Apache-2.0 */
#include "specs/policy_rules.h"

static const char *severity_word(const struct policy_rule *rule)
{
    return rule->severity == SPEC_ERROR ? "error" : "warning";
}

struct str policy_rules_explain(struct arena *a, struct str id)
{
    const struct policy_rule *rule = policy_rules_find(id);

    if (!rule)
        return STR_NONE;
    return str_fmt(a, "%s: %s\n  severity: %s\n  mend: %s\n  said: %s\n  may be waived: %s\n",
                   rule->id, rule->text, severity_word(rule), rule->mend,
                   rule->where ? rule->where : "when specs are read",
                   rule->may_be_waived ? "yes, where floor.waivable of the daemon's rule lists it"
                                       : "no");
}

struct str policy_rules_page(struct arena *a)
{
    size_t n;
    const struct policy_rule *rules = policy_rules(&n);
    struct sb b;

    sb_init(&b, a);
    sb_add_c(
        &b,
        "# Rules\n\n"
        "Rules that a well-formed spec should keep, made of `specs/policy_rules.def`; `reeve "
        "explain "
        "RULE` shows one.\nAn error keeps a commit from being applied, a warning does not. Do not "
        "edit "
        "this page: `build/dev/tests/golden/pages update` writes it.\n\n"
        "A rule that may be waived is passed over where `waive: [{rule: ID, reason: TEXT}]` "
        "stands: "
        "in a document for all of it, in a service\nor job for that one. Offline that is enough; "
        "under "
        "a daemon the rule of the environment has to list it in `floor.waivable` "
        "(`[refused-waiver]`).\nAn additional waiver is class `weaken`.\n\n"
        "An environment is production where a part of its name is `production`, `prod` or `live`, "
        "and "
        "development where one is `dev`,\n`development`, `local` or `test`.\n\n"
        "| rule | severity | waived | what is wrong | mend | said |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++) {
        struct str mend = str_from_c(rules[i].mend);

        sb_addf(&b, "| `%s` | %s | %s | %s | ", rules[i].id, severity_word(&rules[i]),
                rules[i].may_be_waived ? "may be" : "no", rules[i].text);
        sb_add(&b, mend);
        sb_addf(&b, " | %s |\n", rules[i].where ? rules[i].where : "");
    }
    return sb_str(&b);
}
