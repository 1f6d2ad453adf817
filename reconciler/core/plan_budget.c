/* How much of an environment one plan may take away without a person. SPDX-License-Identifier: Apache-2.0
 *
 * A share of the services, domains and objects that the live revision names, rounded up, and one at least. Above it
 * the lines that took it have class `budget`, which asks however the plan came about. */
#include "base/guard.h"
#include "reconciler/core/object.h"
#include "reconciler/core/planner.h"

static int is_named(struct str kind)
{
    return str_eq_c(kind, "service") || str_eq_c(kind, "domain") || object_is_kind(kind);
}

static int deletes(const struct plan_line *line)
{
    return line->action == PLAN_DELETE;
}

/* The old one ends before the new one begins. */
static int replaces(const struct plan_line *line)
{
    return line->action == PLAN_REPLACE ||
           (line->action == PLAN_UPDATE && str_eq_c(line->disruption, "downtime"));
}

static const struct budget {
    struct str word;
    const char *done;
    int (*takes)(const struct plan_line *line);
} budgets[] = {
    { S_INIT("deletes"), "deleted", deletes },
    { S_INIT("replaces"), "replaced", replaces },
};

/* `share` in basis points. */
static int64_t allowed(int64_t share, int64_t n_named)
{
    int64_t n = (n_named * share + 9999) / 10000;

    return n > 1 ? n : 1;
}

static void judge_budget(struct planner *p, const struct budget *b, int64_t n_named)
{
    const struct value *share = value_get(p->s->budget, b->word);
    int64_t n_taken = 0;
    struct str *remark;

    for (size_t i = 0; i < p->plan->lines.n; i++)
        n_taken += is_named(p->plan->lines.p[i].kind) && b->takes(&p->plan->lines.p[i]);
    if (!value_is(share, VALUE_INT) || n_taken <= allowed(share->u.number, n_named))
        return;
    for (size_t i = 0; i < p->plan->lines.n; i++)
        if (is_named(p->plan->lines.p[i].kind) && b->takes(&p->plan->lines.p[i]))
            p->plan->lines.p[i].classes |= PLAN_CLASS_BUDGET;
    p->plan->classes |= PLAN_CLASS_BUDGET;
    remark = vec_push(p->low.a, &p->plan->remarks);
    if (remark)
        *remark = str_fmt(
            p->low.a,
            "over the budget: %lld of %lld are %s, %lld at most without a person (%.*s: "
            "%lld.%02lld%%)",
            (long long)n_taken, (long long)n_named, b->done,
            (long long)allowed(share->u.number, n_named), STR_ARG(b->word),
            (long long)share->u.number / 100, (long long)share->u.number % 100);
}

void plan_budget_judge(struct planner *p)
{
    int64_t n_named = 0;

    for (size_t i = 0; i < p->estate.n_recorded; i++)
        n_named += is_named(p->estate.recorded[i]->kind);
    for (size_t i = 0; i < N_ELEMENTS(budgets); i++)
        judge_budget(p, &budgets[i], n_named);
}
