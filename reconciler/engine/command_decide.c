/* What people say of a plan that waits. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/engine/approvals.h"
#include "reconciler/engine/command_write.h"
#include "reconciler/engine/env_row.h"
#include "reconciler/engine/view.h"
#include "specs/json_io.h"

/* What was looked at is not what would run now: what differs is said along with that. */
static int refuse_superseded(struct command_call *c, const struct command_found *f, struct err *err)
{
    const struct view v = { c->engine->db, &c->arena, 0, NULL };
    struct value *difference;

    if (view_plan_difference(&v, &f->plan, &difference, err))
        return err->code;
    c->besides = value_map(&c->arena);
    if (!digest_is_none(&f->plan.superseded_by))
        value_set_text(&c->arena, c->besides, S("superseded_by"),
                       digest_hex(&c->arena, &f->plan.superseded_by));
    value_set(&c->arena, c->besides, S("difference"), difference);
    return err_set(err, ERR_STALE, "plan %.*s is superseded%s%.*s",
                   STR_ARG(engine_short(&c->arena, &f->plan.id)),
                   digest_is_none(&f->plan.superseded_by) ? "" : " by ",
                   digest_is_none(&f->plan.superseded_by)
                       ? 0
                       : (int)engine_short(&c->arena, &f->plan.superseded_by).n,
                   engine_short(&c->arena, &f->plan.superseded_by).p);
}

static int check_state(struct command_call *c, const struct command_found *f, struct err *err)
{
    static const char *const open[] = { "open", "waiting", "approved" };

    for (size_t i = 0; i < N_ELEMENTS(open); i++)
        if (str_eq_c(f->plan.state, open[i]) &&
            (!str_eq_c(f->plan.state, "approved") || c->in.verb == COMMAND_REJECT))
            return 0;
    if (str_eq_c(f->plan.state, "superseded"))
        return refuse_superseded(c, f, err);
    return err_set(err, ERR_CONFLICT, "plan %.*s is %.*s",
                   STR_ARG(engine_short(&c->arena, &f->plan.id)), STR_ARG(f->plan.state));
}

static struct rec_decision decision_row(struct command_call *c, const struct command_found *f,
                                        const struct tx *tx, const char *verdict)
{
    return (struct rec_decision){
        .plan = f->plan.id,
        .actor = c->in.actor,
        .verdict = str_from_c(verdict),
        .class = S(""),
        .reason = c->in.reason,
        .at_seq = tx_seq(tx),
        .person = approvals_person(c->engine, c->in.actor),
        .principals = c->in.principals ? json_format(&c->arena, c->in.principals) : S("[]"),
        .signature = c->in.signature.n ? c->in.signature : STR_NONE,
        .until_ms = REC_NONE,
    };
}

/* The time of a plan that has expired starts again; what was said before is over. */
static void renew(struct command_call *c, struct command_found *f, const struct tx *tx,
                  struct approval_case *known)
{
    if (f->plan.expires_ms == REC_NONE ||
        clock_task_due_ms(&c->engine->clock) <= f->plan.expires_ms)
        return;
    f->plan.expires_ms = tx_time_ms(tx) +
                         value_get_int(known->needs, S("expires_ms"), 24 * 3600 * 1000);
    f->plan.base_seq = known->from_seq = tx_seq(tx);
}

/* With what this one says; of the same actor the last word counts. */
static void add_decision(struct arena *a, struct approval_case *known,
                         const struct rec_decision *row)
{
    struct rec_decision *all = arena_new_n(a, struct rec_decision, known->n_decisions + 1);
    size_t n = 0;

    if (!all)
        return; /* the arena remembers */
    for (size_t i = 0; i < known->n_decisions; i++)
        if (!str_eq(known->decisions[i].actor, row->actor))
            all[n++] = known->decisions[i];
    all[n++] = *row;
    known->decisions = all;
    known->n_decisions = n;
}

/* 1: this person said so before, and that counts. */
static int has_approved(struct arena *a, const struct approval_case *known, struct str person)
{
    for (size_t i = 0; i < known->n_decisions; i++)
        if (str_eq(known->decisions[i].person, person) &&
            str_eq_c(known->decisions[i].verdict, "approved") &&
            !approval_refusal(a, known, &known->decisions[i]).p)
            return 1;
    return 0;
}

static int put_consent(struct command_call *c, struct command_found *f, struct tx *tx,
                       const struct rec_decision *row, struct err *err)
{
    struct approval_verdict verdict;
    struct approval_case known;
    struct str why;

    if (approvals_load(c->engine, &c->arena, &f->plan, &known, err))
        return err->code;
    renew(c, f, tx, &known);
    if (str_eq_c(row->verdict, "approved") && has_approved(&c->arena, &known, row->person))
        return err_set(err, ERR_REFUSED, "this does not count: %.*s has approved it already; %.*s",
                       STR_ARG(row->person), STR_ARG(approval_judge(&c->arena, &known).text));
    add_decision(&c->arena, &known, row);
    why = approval_refusal(&c->arena, &known, row);
    if (arena_status(&c->arena, err))
        return err->code;
    if (why.p)
        return err_set(err, ERR_REFUSED, "this does not count: %.*s", STR_ARG(why));
    verdict = approval_judge(&c->arena, &known);
    f->plan.state = f->state = verdict.is_enough ? S("approved") : S("waiting");
    f->message = verdict.is_enough ? S("") : verdict.text;
    if (tx_put(tx, REC_decision, row, err))
        return err->code;
    return tx_put(tx, REC_plan, &f->plan, err);
}

int command_write_approve(struct command_call *c, struct command_found *f, struct tx *tx,
                          struct err *err)
{
    struct rec_decision row = decision_row(c, f, tx, "approved");
    int rc = check_state(c, f, err);

    return rc ? rc : put_consent(c, f, tx, &row, err);
}

int command_write_override(struct command_call *c, struct command_found *f, struct tx *tx,
                           struct err *err)
{
    struct rec_decision row = decision_row(c, f, tx, "overridden");
    int rc = check_state(c, f, err);

    row.until_ms = tx_time_ms(tx) + APPROVAL_OVERRIDE_MS;
    return rc ? rc : put_consent(c, f, tx, &row, err);
}

int command_write_reject(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err)
{
    struct rec_decision row = decision_row(c, f, tx, "rejected");
    int rc = check_state(c, f, err);

    if (rc)
        return rc;
    f->plan.state = f->state = row.verdict;
    if (tx_put(tx, REC_decision, &row, err))
        return err->code;
    if (f->env.ask.p && str_eq(f->env.ask, f->plan.cause)) {
        /* nor is it asked again when something moves */
        env_row_clear_ask(&f->env);
        if (tx_put(tx, REC_environment, &f->env, err))
            return err->code;
    }
    return tx_put(tx, REC_plan, &f->plan, err);
}

/* The plan's row remembers it: a death in between loses nothing. */
int command_write_cancelled(struct command_call *c, struct command_found *f, struct tx *tx,
                            struct err *err)
{
    struct rec_decision row = decision_row(c, f, tx, "cancelled");

    return tx_put(tx, REC_decision, &row, err);
}
