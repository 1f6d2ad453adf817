/* Limits that are asked for and not kept where they would have to be. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/planner.h"

/* A number of processes is kept without control groups too. */
static struct str limits_why(const struct planner *p, const struct value *service, struct str word)
{
    if (str_eq_c(value_get_text(service, S("isolation"), S("none")), "none"))
        return S("isolation none keeps no limits");
    return str_eq_c(word, "pids") ? STR_NONE : value_get_text(p->s->unkept, word, STR_NONE);
}

static void remark_on(struct planner *p, const struct subject *x)
{
    const struct value *limits = value_get(x->m.desired, S("limits"));

    for (size_t i = 0; p->s->unkept && i < value_count(limits); i++) {
        struct str word = limits->u.map.entries[i].key;
        struct str why = limits_why(p, x->m.desired, word);
        struct str at = value_get_text(x->want->limits_at, word, S("")), *slot;

        slot = why.p ? vec_push(p->low.a, &p->plan->remarks) : NULL;
        if (slot)
            *slot = str_fmt(
                p->low.a,
                "%.*s%slimits.%.*s of service '%.*s' is not kept here: %.*s [limit-unkept]",
                STR_ARG(at), at.n ? ": " : "", STR_ARG(word), STR_ARG(x->m.service), STR_ARG(why));
    }
}

void plan_limits_remark(struct planner *p)
{
    for (size_t i = 0; i < p->subjects.n; i++)
        if (p->subjects.p[i].want && p->subjects.p[i].fate != FATE_SAME)
            remark_on(p, &p->subjects.p[i]);
}
