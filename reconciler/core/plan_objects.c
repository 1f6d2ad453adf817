/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/guard.h"
#include "reconciler/core/diff.h"
#include "reconciler/core/drift.h"
#include "reconciler/core/object.h"
#include "reconciler/core/planner.h"
#include "reconciler/core/rollout_items.h"
#include "reconciler/core/weaken.h"
#include "specs/digest.h"
#include "specs/reference.h"

static int compare_objects(const void *a, const void *b)
{
    const struct planned_object *x = a, *y = b;
    int order = str_cmp(x->kind, y->kind);

    return order ? order : str_cmp(x->name, y->name);
}

struct planned_object *plan_objects_find(struct planner *p, struct str id)
{
    size_t slash = str_find_char(id, '/');
    struct planned_object key = { 0 };

    if (slash == STR_NPOS || !p->objects.n)
        return NULL;
    key.kind = str_slice(id, 0, slash);
    key.name = str_slice(id, slash + 1, id.n);
    return bsearch(&key, p->objects.p, p->objects.n, sizeof(key), compare_objects);
}

/* --- what it is compared with -------------------------------------------------------------------- */

int plan_objects_enforces(const struct planned_object *o, struct str path)
{
    return object_mode(o->want ? o->want->drift : NULL, path) == DRIFT_ENFORCE &&
           !drift_is_unstable(o->have ? o->have->memory : NULL, path);
}

/* What is there where it may stay so: nobody writes it back. */
static const struct value *keep_seen(struct planner *p, const struct planned_object *o)
{
    struct arena *a = p->low.a;
    const struct value *desired = o->want->desired;
    struct object_differences all;

    if (!o->have || !o->have->seen)
        return desired;
    all = object_compare(a, o->type, desired, o->have->seen);
    for (size_t i = 0; i < all.n; i++)
        if (object_mode(o->want->drift, all.p[i].path) == DRIFT_KEEP)
            desired = object_with(a, desired, all.p[i].path, all.p[i].seen);
    return desired;
}

/* As it was recorded; where the world is another one, and that counts, as it is. */
static const struct value *as_it_is(struct planner *p, struct planned_object *o)
{
    struct arena *a = p->low.a;
    const struct recorded *have = o->have;
    const struct value *base = have ? have->desired : NULL, *before = base;
    struct object_differences all;

    if (have && !have->desired && o->want &&
        (have->state == OBJECT_FOUND || have->state == OBJECT_KEPT))
        before = base = o->want->desired; /* what it was asked for is not known: as much as shows */
    if (!before || !have->seen)
        return before;
    all = object_compare(a, o->type, base, have->seen);
    for (size_t i = 0; i < all.n; i++) {
        int is_kept = o->want && object_mode(o->want->drift, all.p[i].path) == DRIFT_KEEP;

        if (!is_kept && !plan_objects_enforces(o, all.p[i].path))
            continue;
        o->is_drift |= !is_kept && have->state == OBJECT_READY;
        before = object_with(a, before, all.p[i].path, all.p[i].seen);
    }
    return before;
}

/* --- what happens to it -------------------------------------------------------------------------- */

static int is_listed(const struct planner *p, const struct planned_object *o)
{
    const struct environment_spec *spec = p->s->target;

    for (size_t i = 0; i < spec->forget.n; i++) {
        struct str id = spec->forget.p[i];
        size_t slash = str_find_char(id, '/');

        if (slash != STR_NPOS && str_eq(str_slice(id, 0, slash), o->kind) &&
            str_eq(str_slice(id, slash + 1, id.n), o->name))
            return 1;
    }
    return 0;
}

static enum object_fate judge_unwanted(const struct planner *p, const struct planned_object *o)
{
    const struct recorded *have = o->have;

    if (p->s->cause != PLAN_CAUSE_COMMIT)
        return OBJECT_STAYS; /* going back takes no data away */
    if (str_eq_c(have->protect, "forget") || is_listed(p, o))
        return OBJECT_FORGOTTEN;
    if (have->state == OBJECT_KEPT || have->state == OBJECT_TAKING || !p->prunes)
        return OBJECT_STAYS; /* what a person named was never ours */
    if (have->state == OBJECT_LEFT)
        return OBJECT_DELETED;
    return str_eq_c(have->protect, "retain") ? OBJECT_LET_GO : OBJECT_DELETED;
}

/* Some path that changes cannot be changed in place. */
static int must_replace(struct planner *p, const struct planned_object *o)
{
    struct plan_line changes = { 0 };

    if (o->have->provider.n && !str_eq(o->have->provider, o->want->provider))
        return 1;
    diff_values(p->low.a, o->before, o->desired, &changes);
    for (size_t i = 0; i < changes.changes.n; i++)
        if (object_type_names(o->type, "replace", changes.changes.p[i].path))
            return 1;
    return 0;
}

/* There is one, and it can be read or need not be. */
static enum object_fate judge_change(struct planner *p, struct planned_object *o)
{
    int is_new = !digest_eq(&o->have->digest, &o->want->digest) || o->have->state == OBJECT_KEPT;

    if (o->have->provider.n && !str_eq(o->have->provider, o->want->provider))
        is_new = 1;
    else if (value_eq(o->before, o->desired))
        return o->has_moved ? OBJECT_MOVED : is_new ? OBJECT_RECORDED : OBJECT_STAYS;
    if (must_replace(p, o))
        return str_eq_c(o->have->protect, "retain") || str_eq_c(o->have->protect, "forget") ||
                       p->s->cause != PLAN_CAUSE_COMMIT
                   ? OBJECT_HELD
                   : OBJECT_REPLACED;
    return o->has_moved ? OBJECT_MOVED : OBJECT_UPDATED;
}

static enum object_fate judge_wanted(struct planner *p, struct planned_object *o)
{
    const struct recorded *have = o->have;

    if (p->s->cause == PLAN_CAUSE_DRIFT &&
        (!have || have->state != OBJECT_READY || !digest_eq(&have->digest, &o->want->digest)))
        return OBJECT_STAYS; /* a commit's */
    if (!have || have->state == OBJECT_LEFT)
        return OBJECT_CREATED;
    if (have->state == OBJECT_TAKING)
        return OBJECT_TAKEN;
    if (have->is_lost) {
        o->is_drift = have->state == OBJECT_READY;
        o->before = NULL;
        return OBJECT_CREATED;
    }
    if (!have->seen && have->state != OBJECT_READY)
        return OBJECT_STAYS; /* nobody knows what it is */
    return judge_change(p, o);
}

static int asks_for_nothing(const struct planner *p)
{
    return plan_cause_is_of_instances(p->s->cause) || p->s->cause == PLAN_CAUSE_UNDO;
}

static void add_object(struct planner *p, const struct spec_resource *want,
                       const struct recorded *have)
{
    struct planned_object *o = vec_push(p->low.a, &p->objects);

    if (!o)
        return; /* the arena remembers */
    *o = (struct planned_object){ .want = want,
                                  .have = have,
                                  .kind = want ? want->kind : have->kind,
                                  .name = want ? want->name : have->name,
                                  .first = ROLLOUT_NO_ITEM,
                                  .last = ROLLOUT_NO_ITEM };
    o->has_moved = want && have && !str_eq(want->name, have->name);
    o->type = object_type(p->s->schemas, want ? want->provider : have->provider, o->kind);
    o->before = as_it_is(p, o);
    o->desired = want ? keep_seen(p, o) : NULL;
    if (!asks_for_nothing(p))
        o->fate = want ? judge_wanted(p, o) : judge_unwanted(p, o);
    if (o->fate == OBJECT_STAYS)
        o->is_drift = 0;
}

int plan_objects_collect(struct planner *p, struct err *err)
{
    const struct estate *e = &p->estate;
    struct map taken;

    map_init(&taken, p->low.a);
    for (size_t i = 0; i < e->n_wanted; i++) {
        const struct recorded *have;

        if (!object_is_kind(e->wanted[i]->kind))
            continue;
        have = estate_find_before(e, e->wanted[i]);
        if (!have && asks_for_nothing(p))
            continue;
        if (have)
            map_put(&taken, planner_id(p, have->kind, have->name), NULL);
        add_object(p, e->wanted[i], have);
    }
    for (size_t i = 0; i < e->n_recorded; i++) {
        const struct recorded *r = e->recorded[i];

        if (object_is_kind(r->kind) && !map_has(&taken, planner_id(p, r->kind, r->name)))
            add_object(p, NULL, r);
    }
    if (p->objects.n)
        qsort(p->objects.p, p->objects.n, sizeof(p->objects.p[0]), compare_objects);
    return arena_status(p->low.a, err);
}

/* --- what stays because of others ---------------------------------------------------------------- */

void plan_objects_used(const struct value *v, struct map *ret)
{
    struct str output = value_get_text(v, S("output"), STR_NONE);

    if (reference_of(v) == REFERENCE_OUTPUT && !str_starts(output, S("address/")))
        map_put(ret, output, NULL);
    for (size_t i = 0; i < value_count(v); i++)
        plan_objects_used(v->kind == VALUE_LIST ? value_item(v, i) : v->u.map.entries[i].value,
                          ret);
}

static int goes(const struct planned_object *o)
{
    return o->fate == OBJECT_DELETED || o->fate == OBJECT_FORGOTTEN || o->fate == OBJECT_LET_GO;
}

void plan_objects_keep_needed(struct planner *p)
{
    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct subject *x = &p->subjects.p[i];
        struct map used;

        if (!x->is_kept)
            continue;
        map_init(&used, p->low.a);
        plan_objects_used(x->m.before, &used);
        for (size_t k = 0; k < used.n; k++) {
            struct planned_object *o = plan_objects_find(p, used.entries[k].key);

            if (!o || (!goes(o) && o->fate != OBJECT_REPLACED))
                continue;
            planner_note(p, str_fmt(p->low.a, "kept: %.*s (%.*s still needs it)",
                                    STR_ARG(used.entries[k].key), STR_ARG(x->m.service)));
            o->fate = OBJECT_STAYS;
            o->want = NULL;
        }
    }
}

/* --- records and reads --------------------------------------------------------------------------- */

static int is_as_recorded(const struct planned_object *o)
{
    return o->have && o->have->state == OBJECT_READY &&
           (o->fate == OBJECT_STAYS || o->fate == OBJECT_HELD || !o->want);
}

void plan_objects_add_records(struct planner *p)
{
    for (size_t i = 0; i < p->objects.n; i++) {
        const struct planned_object *o = &p->objects.p[i];

        if (goes(o))
            continue;
        if (is_as_recorded(o))
            planner_add_record(p, o->kind, o->have->name, o->have->provider, &o->have->digest);
        else if (o->want && !asks_for_nothing(p))
            planner_add_record(p, o->kind, o->name, o->want->provider, &o->want->digest);
    }
}

/* What its line was made from: fields that are only reported are not among it. */
void plan_objects_add_reads(struct planner *p)
{
    struct arena *a = p->low.a;

    for (size_t i = 0; i < p->objects.n; i++) {
        const struct planned_object *o = &p->objects.p[i];
        struct object_differences all;

        if (o->fate == OBJECT_STAYS || !o->have)
            continue;
        if (o->have->is_lost)
            planner_add_read(p, planner_id(p, o->kind, o->have->name), S("state"),
                             hash_bytes(S("lost")));
        if (o->fate == OBJECT_TAKEN)
            planner_add_read(p, planner_id(p, o->kind, o->name), S("adopts"),
                             hash_bytes(o->have->id));
        if (!o->want)
            continue;
        all = object_compared(a, o->type, o->want->desired, o->have->seen);
        for (size_t k = 0; k < all.n; k++) {
            enum drift_mode mode = object_mode(o->want->drift, all.p[k].path);

            if (mode == DRIFT_ENFORCE || mode == DRIFT_KEEP)
                planner_add_read(p, planner_id(p, o->kind, o->have->name),
                                 str_fmt(a, "observed.%.*s", STR_ARG(all.p[k].path)),
                                 digest_value(a, S("observed"), all.p[k].seen));
        }
    }
}

/* --- lines --------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    enum plan_action action;
    const char *reason;
    int classes, data_classes; /* of one that holds data */
    const char *disruption, *data_disruption;
} fate_rows[N_OBJECT_FATES] = {
    [OBJECT_RECORDED]  = { PLAN_ADOPT,   "as it is; it was not recorded",   0, 0, "none", "none" },
    [OBJECT_TAKEN]     = { PLAN_ADOPT,   "the one that a person named",     0, 0, "none", "none" },
    [OBJECT_MOVED]     = { PLAN_UPDATE,  "",                                0, 0, "none", "none" },
    [OBJECT_CREATED]   = { PLAN_CREATE,  "",                                0, 0, "none", "none" },
    [OBJECT_UPDATED]   = { PLAN_UPDATE,  "",                                0, 0, "none", "none" },
    [OBJECT_REPLACED]  = { PLAN_REPLACE, "cannot be changed in place",
                           PLAN_CLASS_REPLACE | PLAN_CLASS_DOWNTIME,
                           PLAN_CLASS_REPLACE | PLAN_CLASS_DATA,               "downtime", "data-loss" },
    [OBJECT_DELETED]   = { PLAN_DELETE,  "no longer in the specs",
                           PLAN_CLASS_DESTROY, PLAN_CLASS_DESTROY | PLAN_CLASS_DATA, "none", "data-loss" },
    [OBJECT_LET_GO]    = { PLAN_FORGET,  "kept, no longer managed (deletion_policy: retain)", 0, 0, "none", "none" },
    [OBJECT_FORGOTTEN] = { PLAN_FORGET,  "it stays as it is, and is ours no more", 0, 0, "none", "none" },
};
/* clang-format on */

static void add_reason(struct planner *p, struct plan_line *line, struct str more)
{
    if (more.n)
        line->reason = str_fmt(p->low.a, "%.*s%s%.*s", STR_ARG(line->reason),
                               line->reason.n ? "; " : "", STR_ARG(more));
}

/* What changes costs what its type says. */
static void weigh_changes(struct planner *p, const struct planned_object *o, struct plan_line *line)
{
    for (size_t i = 0; i < line->changes.n; i++) {
        struct str path = line->changes.p[i].path;

        if (object_type_names(o->type, "downtime", path)) {
            line->disruption = S("downtime");
            plan_lines_classify(p, line, PLAN_CLASS_DOWNTIME);
        } else if (object_type_names(o->type, "restart", path) &&
                   str_eq_c(line->disruption, "none")) {
            line->disruption = S("restart");
        }
    }
}

/* It held data where it was; who goes back wants that of before, too. */
static void weigh_empty(struct planner *p, const struct planned_object *o, struct plan_line *line)
{
    int is_lost = o->have && o->have->is_lost;

    if (is_lost)
        add_reason(p, line, S("it is gone"));
    if (is_lost ? !o->have->protect.n
                : p->s->cause == PLAN_CAUSE_COMMIT || !object_is_stateful(o->type))
        return;
    add_reason(p, line, S("a new one holds no data"));
    line->disruption = S("data-loss");
    plan_lines_classify(p, line, PLAN_CLASS_DATA);
}

/* Of what it was asked for no more is known than how its data is guarded. */
static const struct value *guarded_as(struct planner *p, const struct recorded *have)
{
    struct value *v = value_map(p->low.a);

    if (have->protect.n)
        value_set_text(p->low.a, v, S("deletion_policy"), have->protect);
    return v;
}

/* Laxer, or less of it can be restored. */
static void weigh_policy(struct planner *p, const struct planned_object *o, struct plan_line *line)
{
    struct str shorter = weaken_data(p->low.a, o->kind, o->have->desired, o->want->desired);

    plan_lines_classify_laxer(p, line, o->have->desired ? o->have->desired : guarded_as(p, o->have),
                              o->want->desired);
    if (!shorter.p)
        return;
    add_reason(p, line, str_fmt(p->low.a, "less can be restored: %.*s", STR_ARG(shorter)));
    plan_lines_classify(p, line, PLAN_CLASS_DATA);
}

static void weigh(struct planner *p, const struct planned_object *o, struct plan_line *line)
{
    int holds_data = o->have && o->have->protect.n;

    plan_lines_classify(p, line,
                        holds_data ? fate_rows[o->fate].data_classes : fate_rows[o->fate].classes);
    line->disruption = str_from_c(holds_data ? fate_rows[o->fate].data_disruption
                                             : fate_rows[o->fate].disruption);
    if (o->is_drift)
        add_reason(p, line, S("drift"));
    if (o->has_moved)
        add_reason(p, line,
                   str_fmt(p->low.a, "it was %.*s/%.*s", STR_ARG(o->kind), STR_ARG(o->have->name)));
    if (o->fate == OBJECT_UPDATED || o->fate == OBJECT_MOVED)
        weigh_changes(p, o, line);
    if (o->fate == OBJECT_CREATED)
        weigh_empty(p, o, line);
    if (o->fate == OBJECT_TAKEN)
        add_reason(p, line, o->have->id);
    if (o->fate == OBJECT_DELETED && str_eq_c(o->have->protect, "snapshot"))
        add_reason(p, line, S("a last snapshot is taken before"));
    if (o->want && o->have)
        weigh_policy(p, o, line);
    if (!o->want && str_eq_c(o->kind, "backup")) {
        add_reason(p, line, S("laxer: no backup is made any more"));
        plan_lines_classify(p, line, PLAN_CLASS_DATA | PLAN_CLASS_WEAKEN);
    }
}

static void add_line(struct planner *p, const struct planned_object *o)
{
    struct plan_line *line;

    if (o->have && o->have->state == OBJECT_LEFT && !o->want && o->fate == OBJECT_DELETED) {
        plan_lines_add_leftover(p, o->kind, o->name);
        return;
    }
    line = plan_lines_new(p, fate_rows[o->fate].action, o->kind, o->name, o->want);
    if (!line)
        return;
    line->reason = str_from_c(fate_rows[o->fate].reason);
    if (o->fate != OBJECT_RECORDED && o->fate != OBJECT_TAKEN)
        diff_values(p->low.a, o->before, o->desired, line);
    weigh(p, o, line);
}

static void note_held(struct planner *p, const struct planned_object *o)
{
    planner_note(p, str_fmt(p->low.a,
                            "protected: %.*s/%.*s cannot be changed in place and its data is "
                            "retained: apply 'deletion_policy: delete' first, or give it "
                            "another name",
                            STR_ARG(o->kind), STR_ARG(o->name)));
}

void plan_objects_add_lines(struct planner *p)
{
    for (size_t i = 0; i < p->objects.n; i++) {
        const struct planned_object *o = &p->objects.p[i];

        if (o->fate == OBJECT_HELD)
            note_held(p, o);
        else if (o->fate != OBJECT_STAYS)
            add_line(p, o);
    }
}
