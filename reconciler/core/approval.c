/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/approval.h"

#include <inttypes.h>

#include "reconciler/core/people.h"
#include "reconciler/core/plan.h"
#include "specs/json_io.h"

#define COMMIT_SHOWN 12
#define PRINCIPALS_MAX 65536u

static void copy_flag(struct arena *a, struct value *to, const struct value *from, struct str name)
{
    if (value_get_bool(from, name, 0))
        value_set(a, to, name, value_bool(a, 1));
}

struct value *approval_needs(struct arena *a, const struct value *approval, int classes,
                             enum approval_hosts hosts)
{
    const struct value *approvers = value_get(approval, S("approvers"));
    struct value *needs = value_map(a);

    value_set_int(a, needs, S("min"), value_get_int(approval, S("min_approvals"), 1));
    if (value_count(approvers))
        value_set(a, needs, S("approvers"), value_copy_content(a, approvers));
    copy_flag(a, needs, approval, S("allow_self"));
    copy_flag(a, needs, approval, S("signed"));
    if (hosts == APPROVAL_SAME_USER)
        value_set(a, needs, S("same_user"), value_bool(a, 1));
    value_set(a, needs, S("classes"), plan_classes_value(a, classes));
    value_set_int(a, needs, S("expires_ms"),
                  value_get_int(approval, S("expires_ms"), 24 * 3600 * 1000));
    return needs;
}

/* --- one decision -------------------------------------------------------------------------------- */

static int stands_in(const struct value *principals, const struct value *list)
{
    for (size_t i = 0; i < value_count(list); i++)
        for (size_t j = 0; j < value_count(principals); j++)
            if (value_eq(value_item(list, i), value_item(principals, j)))
                return 1;
    return 0;
}

/* In each of the lists. */
static int is_approver(struct arena *a, const struct value *needs, struct str principals)
{
    const struct value *approvers = value_get(needs, S("approvers"));
    struct value *list;
    struct err err = ERR_INIT;

    if (value_count(approvers) && json_parse(a, principals, PRINCIPALS_MAX, &list, &err))
        return 0; /* who that was is not known */
    for (size_t i = 0; i < value_count(approvers); i++)
        if (!stands_in(list, value_item(approvers, i)))
            return 0;
    return 1;
}

/* Where everybody is one user nobody can be told from the author. */
static int allows_self(const struct value *needs)
{
    return value_get_bool(needs, S("allow_self"), 0) || value_get_bool(needs, S("same_user"), 0);
}

/* Who wrote it, or signed it; STR_NONE: nobody is known by that. */
static struct str author_person(struct arena *a, const struct approval_case *c,
                                const struct rec_plan_author *author)
{
    return author->is_signer ? people_of_signer(a, c->people, author->mail, author->name)
                             : people_of_mail(c->people, author->mail);
}

/* The change of theirs, or NULL. */
static const struct rec_plan_author *find_own(struct arena *a, const struct approval_case *c,
                                              struct str person)
{
    for (size_t i = 0; i < c->n_authors; i++)
        if (str_eq(author_person(a, c, &c->authors[i]), person))
            return &c->authors[i];
    return NULL;
}

static struct str self_refusal(struct arena *a, const struct approval_case *c,
                               const struct rec_decision *d)
{
    return allows_self(c->needs) ? STR_NONE : approval_own(a, c, d);
}

struct str approval_own(struct arena *a, const struct approval_case *c,
                        const struct rec_decision *d)
{
    const struct rec_plan_author *own;

    if (str_eq(d->actor, c->starter) || str_eq(people_of_actor(c->people, c->starter), d->person))
        return str_fmt(a, "%.*s started the plan", STR_ARG(d->person));
    own = find_own(a, c, d->person);
    return own ? str_fmt(a, "%.*s %s commit %.*s, which is in it, as %.*s", STR_ARG(d->person),
                         own->is_signer ? "signed" : "made",
                         (int)(own->commit_id.n < COMMIT_SHOWN ? own->commit_id.n : COMMIT_SHOWN),
                         own->commit_id.p, STR_ARG(own->is_signer ? own->name : own->mail))
               : STR_NONE;
}

static struct str override_refusal(const struct approval_case *c, const struct rec_decision *d)
{
    if (plan_classes_parse(value_get(c->needs, S("classes"))) & PLAN_CLASS_DATA)
        return S("data is never overridden");
    return d->until_ms == REC_NONE || d->until_ms <= c->now_ms ? S("the override is over")
                                                               : STR_NONE;
}

struct str approval_refusal(struct arena *a, const struct approval_case *c,
                            const struct rec_decision *d)
{
    if (d->at_seq < c->from_seq)
        return S("it was decided before the plan was made again, or has expired");
    if (str_eq_c(d->verdict, "overridden"))
        return override_refusal(c, d);
    if (!str_eq_c(d->verdict, "approved"))
        return S("it is no approval");
    if (!is_approver(a, c->needs, d->principals))
        return str_fmt(a, "%.*s is none of the policy's approvers", STR_ARG(d->person));
    if (value_get_bool(c->needs, S("signed"), 0) && !d->signature.n)
        return S("the policy asks for signed approvals: approve --sign KEY");
    return self_refusal(a, c, d);
}

/* --- all of them --------------------------------------------------------------------------------- */

/* One that nobody is known by; NULL where it does not matter. */
static const struct rec_plan_author *find_stranger(struct arena *a, const struct approval_case *c)
{
    if (allows_self(c->needs))
        return NULL;
    for (size_t i = 0; i < c->n_authors; i++)
        if (!author_person(a, c, &c->authors[i]).p)
            return &c->authors[i];
    return NULL;
}

/* Of several decisions of one person the first one counts. */
static int is_counted(struct arena *a, const struct approval_case *c, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (str_eq(c->decisions[i].person, c->decisions[index].person) &&
            str_eq_c(c->decisions[i].verdict, "approved") &&
            !approval_refusal(a, c, &c->decisions[i]).p)
            return 1;
    return 0;
}

/* ", by group:ops and by user:ann or user:bea" */
static void add_approvers(struct sb *b, const struct value *approvers)
{
    for (size_t i = 0; i < value_count(approvers); i++)
        for (size_t j = 0; j < value_count(value_item(approvers, i)); j++)
            sb_addf(b, "%s%.*s",
                    j   ? " or "
                    : i ? " and by "
                        : ", by ",
                    STR_ARG(value_item(value_item(approvers, i), j)->u.text));
}

static struct str verdict_text(struct arena *a, const struct approval_case *c,
                               const struct approval_verdict *v,
                               const struct rec_plan_author *stranger)
{
    const struct value *approvers = value_get(c->needs, S("approvers"));
    struct sb b;

    if (v->need <= 1 && !v->have && !value_count(approvers))
        return S("");
    sb_init(&b, a);
    sb_addf(&b, "%" PRId64 " of %" PRId64 " approval%s", v->have, v->need, v->need == 1 ? "" : "s");
    add_approvers(&b, approvers);
    if (stranger)
        sb_addf(&b, ", one more because nobody is known by '%.*s'",
                STR_ARG(stranger->is_signer ? stranger->name : stranger->mail));
    return sb_str(&b);
}

struct approval_verdict approval_judge(struct arena *a, const struct approval_case *c)
{
    const struct rec_plan_author *stranger = find_stranger(a, c);
    struct approval_verdict v = { .need = value_get_int(c->needs, S("min"), 1) };

    if (v.need < 1)
        v.need = 1;
    v.need += stranger != NULL;
    for (size_t i = 0; i < c->n_decisions; i++) {
        const struct rec_decision *d = &c->decisions[i];

        if (approval_refusal(a, c, d).p)
            continue;
        if (str_eq_c(d->verdict, "overridden"))
            v.is_enough = 1;
        else
            v.have += !is_counted(a, c, i);
    }
    v.is_enough |= v.have >= v.need;
    v.text = verdict_text(a, c, &v, stranger);
    return v;
}

int approval_is_overridden(struct arena *a, const struct approval_case *c)
{
    for (size_t i = 0; i < c->n_decisions; i++)
        if (str_eq_c(c->decisions[i].verdict, "overridden") &&
            !approval_refusal(a, c, &c->decisions[i]).p)
            return 1;
    return 0;
}
