/* Who changed, decided and did what between two instants. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/guard.h"
#include "reconciler/core/approval.h"
#include "reconciler/core/people.h"
#include "reconciler/engine/view_rows.h"
#include "state/events.h"
#include "state/plans.h"

struct report {
    const struct view *v;
    const struct value *people;
    int64_t from_ms, to_ms;
    int64_t from_seq, to_seq; /* after the first, up to the second */
    struct value *map;
    int is_cut; /* a list is longer than what is told */
};

/* --- changes ------------------------------------------------------------------------------------- */

static int add_decisions(const struct report *r, const struct approval_case *known,
                         struct value *change, struct err *err)
{
    const struct view *v = r->v;
    struct value *list = value_list(v->a);
    int rc = 0;

    for (size_t i = 0; !rc && i < known->n_decisions; i++) {
        const struct rec_decision *d = &known->decisions[i];
        struct value *one = value_map(v->a);

        value_set_text(v->a, one, S("actor"), d->actor);
        value_set_text(v->a, one, S("person"), d->person);
        value_set_text(v->a, one, S("verdict"), d->verdict);
        value_set_text(v->a, one, S("reason"), d->reason);
        view_set(v, one, "own", approval_own(v->a, known, d));
        rc = view_set_time(v, one, "at_ms", d->at_seq, err);
        value_add(v->a, list, one);
    }
    value_set(v->a, change, S("decisions"), list);
    return rc;
}

/* By name where one is known, else by what the commit says. */
static void add_authors(const struct report *r, const struct approval_case *known,
                        struct value *change)
{
    struct arena *a = r->v->a;
    struct value *list = value_list(a);

    for (size_t i = 0; i < known->n_authors; i++) {
        const struct rec_plan_author *author = &known->authors[i];
        struct str person = author->is_signer
                                ? people_of_signer(a, r->people, author->mail, author->name)
                                : people_of_mail(r->people, author->mail);
        struct value *one = value_map(a);

        value_set_text(a, one, S("name"), author->name);
        value_set_text(a, one, author->is_signer ? S("key") : S("mail"), author->mail);
        value_set_text(a, one, S("commit"), author->commit_id);
        view_set(r->v, one, "person", person.p ? person : S(""));
        value_add(a, list, one);
    }
    value_set(a, change, S("authors"), list);
}

static int add_change(const struct report *r, const struct rec_plan *plan, struct value *list,
                      struct err *err)
{
    struct approval_case known = { .people = r->people, .starter = plan->actor };
    struct rec_environment env = { .uid = plan->env };
    struct arena *a = r->v->a;
    struct rec_plan_author *authors;
    struct rec_decision *decisions;
    struct value *one, *revision;

    if (view_plan_head(r->v, plan, &one, err) ||
        view_revision(r->v, plan->env, &plan->target, plan->made_seq, &revision, err) ||
        db_get(r->v->db, a, REC_environment, &env, err) ||
        DB_SELECT(r->v->db, a, plan_author, "WHERE plan = $1 ORDER BY mail", &authors,
                  &known.n_authors, err, DB_D(&plan->id)) ||
        plans_decisions(r->v->db, a, &plan->id, &decisions, &known.n_decisions, err))
        return err->code;
    known.authors = authors;
    known.decisions = decisions;
    value_set_text(a, one, S("environment"), env.name);
    value_set(a, one, S("asked"), value_bool(a, plan->needs.p != NULL));
    value_set(a, one, S("revision"), revision);
    add_authors(r, &known, one);
    value_add(a, list, one);
    return add_decisions(r, &known, one, err);
}

static int add_changes(struct report *r, struct err *err)
{
    struct value *list = value_list(r->v->a);
    struct rec_plan *rows;
    size_t n = 0;
    int rc = DB_SELECT(r->v->db, r->v->a, plan,
                       "WHERE (started_seq > $1 AND started_seq <= $2) OR id IN (SELECT plan FROM "
                       "decisions WHERE at_seq > $1 AND at_seq <= $2) ORDER BY made_seq LIMIT 1001",
                       &rows, &n, err, DB_I(r->from_seq), DB_I(r->to_seq));

    for (size_t i = 0; !rc && i < n && i < VIEW_LIST_MAX; i++)
        rc = add_change(r, &rows[i], list, err);
    r->is_cut |= n > VIEW_LIST_MAX;
    value_set(r->v->a, r->map, S("changes"), list);
    return rc;
}

/* --- what people did ----------------------------------------------------------------------------- */

static int add_events(struct report *r, struct value *list, const struct view_history *which,
                      struct err *err)
{
    struct view_history in = *which;
    const struct value *events;
    struct value *answer;

    in.after = r->from_seq;
    in.to_ms = r->to_ms;
    in.limit = VIEW_LIST_MAX;
    if (view_history(r->v, &in, &answer, err))
        return err->code;
    events = value_get(answer, S("events"));
    for (size_t i = 0; i < value_count(events); i++)
        value_add(r->v->a, list, value_copy(r->v->a, value_item(events, i)));
    r->is_cut |= value_get_bool(answer, S("more"), 0);
    return 0;
}

/* What is taken by a right for emergencies is noted so. */
static int add_acts(struct report *r, struct err *err)
{
    static const struct {
        const char *list, *kind, *mark;
    } acts[] = {
        { "commands", "command.", "" },  { "access", "auth.", "" },
        { "access", "token.", "" },      { "access", "person.", "" },
        { "lives", "daemon.took_", "" }, { "lives", "daemon.alone", "" },
        { "lives", "state.", "" },       { "emergencies", "", "\"break_glass\":true" },
    };
    struct value *list = NULL;

    for (size_t i = 0; i < N_ELEMENTS(acts); i++) {
        const struct view_history which = { .kind = str_from_c(acts[i].kind),
                                            .mark = str_from_c(acts[i].mark) };

        if (!i || strcmp(acts[i].list, acts[i - 1].list) != 0) {
            list = value_list(r->v->a);
            value_set(r->v->a, r->map, str_from_c(acts[i].list), list);
        }
        if (add_events(r, list, &which, err))
            return err->code;
    }
    return 0;
}

int view_report(const struct view *v, const struct value *people, int64_t from_ms, int64_t to_ms,
                struct value **ret, struct err *err)
{
    struct report r = { v, people, from_ms, to_ms, 0, 0, value_map(v->a), 0 };

    if (from_ms > to_ms)
        return err_set(err, ERR_USAGE, "the first instant is after the second");
    if (events_seq_at(v->db, from_ms - 1, &r.from_seq, err) ||
        events_seq_at(v->db, to_ms, &r.to_seq, err) || add_changes(&r, err) || add_acts(&r, err))
        return err->code;
    value_set_text(v->a, r.map, S("installation"), str_copy(v->a, db_installation(v->db)));
    value_set_int(v->a, r.map, S("from_ms"), from_ms);
    value_set_int(v->a, r.map, S("to_ms"), to_ms);
    value_set_int(v->a, r.map, S("after_seq"), r.from_seq);
    value_set_int(v->a, r.map, S("seq"), r.to_seq);
    value_set(v->a, r.map, S("is_cut"), value_bool(v->a, r.is_cut));
    *ret = r.map;
    return arena_status(v->a, err);
}
