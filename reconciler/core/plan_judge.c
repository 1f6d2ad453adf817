/* What a policy says of a plan. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/core/standing.h"

static const struct {
    int class;
    const char *name;
} class_rows[] = {
    { PLAN_CLASS_DESTROY, "destroy" }, { PLAN_CLASS_REPLACE, "replace" },
    { PLAN_CLASS_DATA, "data" },       { PLAN_CLASS_DOWNGRADE, "downgrade" },
    { PLAN_CLASS_WEAKEN, "weaken" },   { PLAN_CLASS_DOWNTIME, "downtime" },
    { PLAN_CLASS_BUDGET, "budget" },
};

struct str plan_class_names(struct arena *a, int classes)
{
    struct sb text;

    sb_init(&text, a);
    for (size_t i = 0; i < N_ELEMENTS(class_rows); i++)
        if (classes & class_rows[i].class)
            sb_addf(&text, "%s%s", text.n ? ", " : "", class_rows[i].name);
    return sb_str(&text);
}

struct value *plan_classes_value(struct arena *a, int classes)
{
    struct value *list = value_list(a);

    for (size_t i = 0; i < N_ELEMENTS(class_rows); i++)
        if (classes & class_rows[i].class)
            value_add(a, list, value_text(a, str_from_c(class_rows[i].name)));
    return list;
}

int plan_classes_parse(const struct value *list)
{
    int classes = 0;

    for (size_t i = 0; i < value_count(list); i++)
        for (size_t j = 0; j < N_ELEMENTS(class_rows); j++)
            if (value_is(value_item(list, i), VALUE_TEXT) &&
                str_eq_c(value_item(list, i)->u.text, class_rows[j].name))
                classes |= class_rows[j].class;
    return classes;
}

static int class_is_required(const struct value *require_for, int classes, struct str *ret_name)
{
    for (size_t i = 0; i < N_ELEMENTS(class_rows); i++) {
        int always = class_rows[i].class &
                     (PLAN_CLASS_DESTROY | PLAN_CLASS_WEAKEN | PLAN_CLASS_DATA | PLAN_CLASS_BUDGET);

        if (!(classes & class_rows[i].class))
            continue;
        *ret_name = str_from_c(class_rows[i].name);
        if (always)
            return 1;
        for (size_t j = 0; j < value_count(require_for); j++)
            if (value_is(value_item(require_for, j), VALUE_TEXT) &&
                str_eq(value_item(require_for, j)->u.text, *ret_name))
                return 1;
    }
    return 0;
}

/* --- what needs nobody although the policy is manual --------------------------------------------- */

static int changes_nothing(const struct plan *p)
{
    for (size_t i = 0; i < p->items.n; i++)
        if (p->items.p[i].action != PLAN_MARK)
            return 0;
    return 1;
}

static int only_scales_line(const struct plan_line *line)
{
    for (size_t i = 0; i < line->changes.n; i++)
        if (!str_eq_c(line->changes.p[i].path, "replicas") &&
            !str_starts(line->changes.p[i].path, S("replicas.")))
            return 0;
    return str_eq_c(line->kind, "service") && line->action == PLAN_UPDATE;
}

static int only_scales(const struct plan *p)
{
    for (size_t i = 0; i < p->lines.n; i++)
        if (!only_scales_line(&p->lines.p[i]))
            return 0;
    return 1;
}

static const struct {
    const char *word;
    int (*fits)(const struct plan *p);
} auto_rows[] = {
    { "no_changes", changes_nothing },
    { "only_scale", only_scales },
};

/* Never where there is a class to think about. */
static int needs_nobody(const struct value *auto_if, const struct plan *p)
{
    for (size_t i = 0; i < value_count(auto_if) && !p->classes; i++)
        for (size_t j = 0; j < N_ELEMENTS(auto_rows); j++)
            if (value_is(value_item(auto_if, i), VALUE_TEXT) &&
                str_eq_c(value_item(auto_if, i)->u.text, auto_rows[j].word) && auto_rows[j].fits(p))
                return 1;
    return 0;
}

static struct plan_verdict ask(struct str reason)
{
    return (struct plan_verdict){ 1, reason };
}

/* What a plan of a commit needs a person for. A plan that repairs holds nothing but repairs, and the
 * others a person has started, who gets what was asked for, unless it takes away more than one asks for by mistake. */
struct plan_verdict plan_judge(struct arena *a, const struct plan *p, const struct value *policy)
{
    const struct value *approval = value_get(policy, S("approval"));
    struct str name;

    if (plan_is_empty(p))
        return (struct plan_verdict){ 0, S("") };
    if (p->classes & PLAN_CLASS_DOWNGRADE) /* whoever asked for it asked for something else */
        return ask(S("class downgrade"));
    if (p->classes & PLAN_CLASS_BUDGET &&
        standing_way(standing_act(p), STANDING_BUDGET) == STANDING_ASKS)
        return ask(S("class budget"));
    if (p->cause != PLAN_CAUSE_COMMIT && p->classes & PLAN_CLASS_DATA)
        return ask(S("class data"));
    if (p->cause != PLAN_CAUSE_COMMIT)
        return (struct plan_verdict){ 0, S("") };
    if (class_is_required(value_get(approval, S("require_for")), p->classes, &name))
        return ask(str_fmt(a, "class %.*s", STR_ARG(name)));
    if (str_eq_c(value_get_text(approval, S("policy"), S("manual")), "manual") &&
        !needs_nobody(value_get(approval, S("auto_if")), p))
        return ask(S("approval: manual"));
    for (size_t i = 0; i < p->groups.n; i++) {
        const struct plan_group *g = &p->groups.p[i];

        if (g->asks_release && g->services.n)
            return ask(str_fmt(a, "release.run: manual, service %.*s", STR_ARG(g->services.p[0])));
    }
    return (struct plan_verdict){ 0, S("") };
}
