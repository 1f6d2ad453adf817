/* Where the name of an environment belongs. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/command_write.h"

#include "state/plans.h"

/* A name moves only to where a rule of the daemon binds it. */
static int check_bound(struct command_call *c, const struct command_found *f, struct err *err)
{
    const struct value *rule = daemon_rule(c->engine->options.daemon, c->in.source,
                                           S("environment"), f->env.name, NULL);
    struct str bound = value_get_text(rule, S("branch"), S(""));

    if (!rule)
        return err_set(err, ERR_REFUSED, "no rule gives environment '%.*s' to source '%.*s'",
                       STR_ARG(f->env.name), STR_ARG(c->in.source));
    if (!str_eq(bound, c->in.branch))
        return err_set(err, ERR_REFUSED,
                       "environment '%.*s' of source '%.*s' is bound to branch '%.*s' by the rule "
                       "at %.*s:%u:%u",
                       STR_ARG(f->env.name), STR_ARG(c->in.source), STR_ARG(bound),
                       STR_ARG(value_file(rule->place)), rule->place.line, rule->place.column);
    return 0;
}

int command_write_rebind(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err)
{
    struct rec_plan plan;
    int rc = plans_applying(c->engine->db, &c->arena, f->env.uid, &plan, err);

    if (rc != ERR_NOT_FOUND)
        return rc ? rc
                  : err_set(err, ERR_CONFLICT, "a plan of environment '%.*s' is being applied",
                            STR_ARG(f->env.name));
    if (check_bound(c, f, err))
        return err->code;
    if (str_eq(f->env.source, c->in.source) && str_eq(f->env.branch, c->in.branch))
        return err_set(err, ERR_CONFLICT, "environment '%.*s' belongs there already",
                       STR_ARG(f->env.name));
    f->env.source = c->in.source;
    f->env.branch = c->in.branch;
    f->state = f->env.sync;
    f->message = str_fmt(&c->arena, "plans are made of branch '%.*s' of source '%.*s' from now on",
                         STR_ARG(c->in.branch), STR_ARG(c->in.source));
    return tx_put(tx, REC_environment, &f->env, err);
}
