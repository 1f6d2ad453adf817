/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/null/null.h"

static int null_acted_from_name(struct str name, enum rv_acted *ret)
{
    if (str_eq(name, S("no")))
        *ret = RV_ACTED_NO;
    else if (str_eq(name, S("maybe")))
        *ret = RV_ACTED_MAYBE;
    else if (str_eq(name, S("yes")))
        *ret = RV_ACTED_YES;
    else
        return -1;
    return 0;
}

int null_faults_read(struct null_driver_self *self, const struct rv_host *h,
                     const struct value *list, struct rv_result *ret)
{
    size_t n = value_count(list);

    self->faults = arena_new_n(&self->arena, struct null_fault, n + 1);
    for (size_t i = 0; self->faults && i < n; i++) {
        const struct value *v = value_item(list, i);
        struct null_fault *f = &self->faults[i];
        struct str verdict = value_get_text(v, S("verdict"), S("retry"));
        int number = kit_verdict_from_name(verdict);

        f->type = value_get_text(v, S("type"), S(""));
        f->name = value_get_text(v, S("name"), S(""));
        f->action = value_get_text(v, S("action"), S(""));
        f->call = value_get_text(v, S("call"), S(""));
        f->nth = value_get_int(v, S("nth"), 0);
        if ((number < 0 && !str_eq(verdict, S("down"))) ||
            null_acted_from_name(value_get_text(v, S("acted"), S("no")), &f->acted))
            return kit_answer(h, ret, RV_USER, RV_ACTED_NO, "null: fault %zu has an unknown word",
                              i);
        f->verdict = number < 0 ? RV_DONE : (enum rv_verdict)number;
        f->kind = number < 0                ? NULL_FAULT_DOWN
                  : f->acted == RV_ACTED_NO ? NULL_FAULT_BEFORE
                                            : NULL_FAULT_AFTER;
    }
    self->n_faults = self->faults ? n : 0;
    return 0;
}

static int null_is(struct str asked, struct str is)
{
    return !asked.n || str_eq(asked, is);
}

const struct null_fault *null_fault_of(struct null_driver_self *self, const char *call,
                                       const struct rv_op *op)
{
    const struct null_fault *found = NULL;

    for (size_t i = 0; i < self->n_faults; i++) {
        struct null_fault *f = &self->faults[i];

        if (!null_is(f->type, kit_str(op->type)) || !null_is(f->name, kit_str(op->name)) ||
            !null_is(f->call, str_from_c(call)) ||
            !null_is(f->action, str_from_c(kit_action_name(op->action))))
            continue;
        f->seen++;
        if (!found && (!f->nth || f->nth == f->seen))
            found = f;
    }
    return found;
}
